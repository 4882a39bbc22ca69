"""The Rust core: scanning, marking and sweeping of registry storage.

Every call that does I/O releases the interpreter lock and answers Ctrl-C (``KeyboardInterrupt``) within a second.
``progress`` callables are called about ten times a second, from the calling thread, with a ``Progress``; an
exception raised in one stops the operation.
"""

from collections.abc import Callable, Iterator, Sequence
from os import PathLike
from typing import Any, Final, final

__all__ = [
    "BrokenImage",
    "Catalog",
    "Chain",
    "ChainStep",
    "Chains",
    "CoreError",
    "Damage",
    "DigestExplanation",
    "Keeper",
    "Marks",
    "Note",
    "Progress",
    "RemovalFailure",
    "Removed",
    "RepositoryExplanation",
    "RepositoryUsage",
    "Store",
    "TagExplanation",
    "TagPart",
    "TagUsage",
    "Unresolved",
    "Usage",
    "YamlSyntaxError",
    "__version__",
    "compose_yaml",
    "explain",
    "generate_store",
    "measure_usage",
    "remove_eligible",
]

__version__: Final[str]

class CoreError(Exception):
    """Scanning or marking failed; nothing was removed.

    Attributes:
        kind: ``"io"``, ``"layout"``, ``"changed"``, ``"output"`` or ``"argument"``.
        operation: what was being done: ``"list"``, ``"read"``, ``"stat"``, …
        key: the path below the storage root at which it happened.
    """

    kind: str
    operation: str
    key: str

@final
class Progress:
    """How far a running operation is. All counters only grow."""

    @property
    def repositories(self) -> int: ...
    @property
    def tags(self) -> int: ...
    @property
    def manifests(self) -> int: ...
    @property
    def blobs(self) -> int: ...
    @property
    def removed(self) -> int: ...
    @property
    def freed_bytes(self) -> int: ...

@final
class Store:
    """Read-only access to a storage root on a filesystem (the directory that holds ``docker/registry/v2``)."""

    def __new__(cls, root: str | PathLike[str], *, jobs: int | None = None) -> Store: ...
    @property
    def root(self) -> str: ...
    @property
    def jobs(self) -> int: ...
    def scan(self, *, progress: Callable[[Progress], None] | None = None) -> Catalog:
        """Lists repositories, reads tags and every distinct manifest once."""

@final
class Catalog:
    """What a scan found."""

    @property
    def repository_count(self) -> int: ...
    @property
    def tag_count(self) -> int: ...
    @property
    def revision_count(self) -> int:
        """Revision links, summed over repositories."""
    @property
    def manifest_count(self) -> int:
        """Distinct manifests that were read."""
    @property
    def database_in_use(self) -> bool:
        """A GitLab registry keeps its tags in a database (``lockfiles/database-in-use``)."""
    def mark(
        self,
        *,
        delete_untagged: bool = False,
        min_age_seconds: float = 0.0,
        keep: Sequence[str] = (),
        accept_damage: Sequence[str] = (),
        progress: Callable[[Progress], None] | None = None,
    ) -> Marks:
        """Works out what is live and what is eligible for removal.

        Args:
            delete_untagged: only tags are roots, not every revision link.
            min_age_seconds: nothing younger is eligible, nor what a younger manifest or layer link needs.
            keep: digests (``sha256:…``) and ``repository:tag`` texts that are live whatever the store says.
            accept_damage: repositories whose damage no longer keeps everything they link.
            progress: told how far it is.
        """

@final
class Damage:
    """Something that could not be understood; everything its repositories link was kept."""

    @property
    def repository(self) -> str | None: ...
    @property
    def tag(self) -> str | None: ...
    @property
    def digest(self) -> str | None: ...
    @property
    def key(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def accepted(self) -> bool: ...

@final
class BrokenImage:
    """A live image that misses something it needs."""

    @property
    def repository(self) -> str: ...
    @property
    def tag(self) -> str | None: ...
    @property
    def manifest(self) -> str: ...
    @property
    def missing(self) -> str: ...
    @property
    def role(self) -> str:
        """``manifest``, ``config``, ``layer``, ``foreign layer``, ``child``, ``subject`` or ``any``."""
    @property
    def counts(self) -> bool:
        """Whether it calls for exit code 3 (a tagged image's manifest, config or layer)."""

@final
class Note:
    """Something odd that was left alone."""

    @property
    def key(self) -> str: ...
    @property
    def reason(self) -> str: ...

@final
class Marks:
    """What is live, and what is eligible. Holds nothing that can remove."""

    @property
    def delete_untagged(self) -> bool: ...
    @property
    def marked_count(self) -> int:
        """Distinct live digests, stored or not (the first number of the reference's summary line)."""
    @property
    def blob_count(self) -> int:
        """Blobs that the store holds."""
    @property
    def eligible_blob_count(self) -> int: ...
    @property
    def eligible_blob_bytes(self) -> int: ...
    @property
    def eligible_manifest_count(self) -> int:
        """Revision links eligible, one per repository and digest (the summary line's third number)."""
    @property
    def eligible_layer_link_count(self) -> int: ...
    @property
    def newer_than_tags_count(self) -> int:
        """Eligible revisions more than a day newer than the registry's newest tag link (3 or more: suspicious)."""
    @property
    def damaged(self) -> list[Damage]: ...
    @property
    def broken(self) -> list[BrokenImage]: ...
    @property
    def notes(self) -> list[Note]: ...
    def eligible_blobs(self, start: int = 0, count: int | None = None) -> list[tuple[str, int]]:
        """Digest and size in bytes of eligible blobs, in digest order: ``count`` of them from the ``start``th on."""
    def eligible_manifests(self) -> list[tuple[str, str]]:
        """Repository and digest of every eligible revision link, in order."""
    def eligible_layer_links(self) -> list[tuple[str, str]]:
        """Repository and digest of every eligible layer link, in order."""
    def is_live(self, digest: str) -> bool: ...
    def write_lines(self, descriptor: int, compat: int) -> None:
        """Writes the reference collector's lines (2: as 2.8, 3: as 3.x) to a file descriptor, in large chunks."""

@final
class RemovalFailure:
    """Something that was to be removed and is still there."""

    @property
    def key(self) -> str: ...
    @property
    def error(self) -> str: ...

@final
class Removed:
    """What a sweep really removed."""

    @property
    def blob_count(self) -> int: ...
    @property
    def blob_bytes(self) -> int: ...
    @property
    def manifest_count(self) -> int: ...
    @property
    def layer_link_count(self) -> int: ...
    @property
    def tag_history_link_count(self) -> int: ...
    @property
    def kept_behind_failures_count(self) -> int:
        """Eligible blobs left in place because a pointer to them could not be removed."""
    @property
    def failures(self) -> list[RemovalFailure]: ...
    @property
    def interrupted(self) -> bool: ...

def remove_eligible(marks: Marks, *, progress: Callable[[Progress], None] | None = None) -> Removed:
    """Removes what ``marks`` found eligible: pointers first, then blobs. No failure stops the rest.

    Raises:
        CoreError: the history of a tag is no directory; nothing was removed.
    """

@final
class RepositoryUsage:
    """What a repository takes, or a group of repositories whose names begin alike."""

    @property
    def name(self) -> str: ...
    @property
    def repository_count(self) -> int: ...
    @property
    def tag_count(self) -> int: ...
    @property
    def manifest_count(self) -> int:
        """Distinct manifests that it reaches."""
    @property
    def blob_count(self) -> int:
        """Distinct stored blobs that it reaches, manifests among them."""
    @property
    def total_bytes(self) -> int: ...
    @property
    def unique_blob_count(self) -> int: ...
    @property
    def unique_bytes(self) -> int:
        """What no other repository (outside the group) reaches: removing this one would free it, apart from ages."""
    @property
    def shared_bytes(self) -> int: ...
    @property
    def damaged(self) -> bool:
        """Whether something in it could not be understood, so that everything that it links counts."""

@final
class TagUsage:
    """What a tag takes, or all of a repository that no tag of it reaches."""

    @property
    def repository(self) -> str: ...
    @property
    def tag(self) -> str | None:
        """``None`` for what is untagged."""
    @property
    def digest(self) -> str | None:
        """What the tag points to; ``None`` where that is not known, and for what is untagged."""
    @property
    def manifest_count(self) -> int: ...
    @property
    def blob_count(self) -> int: ...
    @property
    def total_bytes(self) -> int: ...
    @property
    def unique_blob_count(self) -> int: ...
    @property
    def unique_bytes(self) -> int:
        """What no other tag of the registry and no untagged manifest reaches."""
    @property
    def shared_bytes(self) -> int: ...

@final
class Usage:
    """What everything takes. Stored is what is reached, garbage or spared."""

    @property
    def stored_blob_count(self) -> int: ...
    @property
    def stored_bytes(self) -> int: ...
    @property
    def reached_blob_count(self) -> int: ...
    @property
    def reached_bytes(self) -> int:
        """What some repository reaches."""
    @property
    def garbage_blob_count(self) -> int: ...
    @property
    def garbage_bytes(self) -> int:
        """What a collection by these marks would remove."""
    @property
    def spared_blob_count(self) -> int: ...
    @property
    def spared_bytes(self) -> int:
        """The rest: what is too young or on the keep list, and what that needs."""
    @property
    def repositories(self) -> list[RepositoryUsage]:
        """In the order in which the registry's collector walks them. A new list each time."""
    @property
    def tags(self) -> list[TagUsage]:
        """By repository, what is untagged after its tags; empty where tags were not asked for."""

def measure_usage(
    marks: Marks,
    *,
    depth: int | None = None,
    tags: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> Usage:
    """Looks at every blob once and works out who reaches it.

    Args:
        marks: of the plain mode.
        depth: put repositories together by so many components of their names.
        tags: measure tags, too.
        progress: told how far it is.

    Raises:
        CoreError: marks of another mode (``argument``); blobs could not be listed or looked at.
        ValueError: the depth is 0.
    """

@final
class Keeper:
    """Something that is live for its own sake, and thereby keeps something else.

    Kinds: ``tag``, ``tag-history``, ``manifest-link``, ``untold-manifest-link``, ``damaged-manifest-link``,
    ``damaged-layer-link``, ``keep-list``, ``young-manifest-link``, ``young-blob``, ``young-layer-link`` and
    ``unknown-algorithm-link``.
    """

    @property
    def kind(self) -> str: ...
    @property
    def repository(self) -> str | None: ...
    @property
    def tag(self) -> str | None: ...
    @property
    def digest(self) -> str:
        """What it is about."""

@final
class ChainStep:
    """One digest of a chain."""

    @property
    def relation(self) -> str | None:
        """How the digest before leads to it: ``config``, ``layer``, ``foreign layer``, ``child``, ``subject``, ``any``,
        ``referrer`` or ``alias``; ``None`` for the first, which the root is about.
        """
    @property
    def repository(self) -> str | None:
        """Whose layer link it is, for ``alias``."""
    @property
    def digest(self) -> str: ...
    @property
    def content(self) -> str:
        """``image``, ``index``, ``schema1``, ``unknown``, ``damaged`` (manifests) or ``blob``."""

@final
class Chain:
    """What keeps a digest, from a root down to the digest itself."""

    @property
    def kind(self) -> str:
        """That of the root; see ``Keeper``."""
    @property
    def repository(self) -> str | None: ...
    @property
    def tag(self) -> str | None: ...
    @property
    def steps(self) -> list[ChainStep]: ...

@final
class Chains:
    """All chains, shortest first, in an order that does not change; each is worked out when it is asked for."""

    def __iter__(self) -> Chains: ...
    def __next__(self) -> Chain: ...

@final
class DigestExplanation:
    """Why a digest stays, or goes."""

    @property
    def digest(self) -> str: ...
    @property
    def content(self) -> str:
        """As of ``ChainStep``."""
    @property
    def size_bytes(self) -> int | None:
        """``None`` where it is not stored under this name."""
    @property
    def stored_as(self) -> str | None:
        """The name under which it is stored, if not its own: that of a layer which was pushed by its sha512."""
    @property
    def verdict(self) -> str:
        """``live`` (stored and kept), ``missing`` (kept, not stored), ``garbage`` (stored, not kept) or ``absent``."""
    @property
    def chain_count(self) -> int | None:
        """``None`` for more than 2^64."""
    def chains(self) -> Iterator[Chain]:
        """All chains, from the beginning."""
    @property
    def keeper_counts(self) -> dict[str, int]:
        """How many roots of each kind chains begin at."""
    def keepers(self, start: int = 0, count: int | None = None) -> list[Keeper]:
        """The roots at which chains begin, tags first: ``count`` of them from the ``start``th on."""
    @property
    def dead_links(self) -> list[tuple[str, str]]:
        """Repository and digest of manifest links that lead to it and go with it; empty where something keeps it."""
    @property
    def dead_layer_links(self) -> list[str]:
        """Repositories with a layer link to it that goes with it."""

@final
class TagPart:
    """One digest that a tag reaches."""

    @property
    def depth(self) -> int:
        """How many steps it was first met below the tag's target."""
    @property
    def relation(self) -> str | None:
        """As of ``ChainStep``."""
    @property
    def digest(self) -> str: ...
    @property
    def content(self) -> str:
        """As of ``ChainStep``."""
    @property
    def size_bytes(self) -> int | None:
        """``None`` where it is not stored."""
    @property
    def others(self) -> list[Keeper]:
        """The first of what else keeps it."""
    @property
    def other_count(self) -> int: ...

@final
class TagExplanation:
    """What a tag points to and reaches."""

    @property
    def repository(self) -> str: ...
    @property
    def tag(self) -> str: ...
    @property
    def current(self) -> bool:
        """Whether it points to something. Where its link is missing, what it has pointed to counts."""
    @property
    def total_blob_count(self) -> int: ...
    @property
    def total_bytes(self) -> int: ...
    @property
    def unique_blob_count(self) -> int: ...
    @property
    def unique_bytes(self) -> int:
        """What nothing else keeps."""
    @property
    def parts(self) -> list[TagPart]:
        """Each digest once, below what refers to it; empty where the tag's link cannot be read."""

@final
class RepositoryExplanation:
    """What a repository links and takes."""

    @property
    def repository(self) -> str: ...
    @property
    def tag_count(self) -> int: ...
    @property
    def manifest_link_count(self) -> int: ...
    @property
    def untagged_count(self) -> int:
        """Manifest links to what no tag of the repository reaches."""
    @property
    def eligible_manifest_count(self) -> int: ...
    @property
    def eligible_layer_link_count(self) -> int: ...
    @property
    def kept_whole(self) -> bool:
        """Whether everything that it links stays, because it is damaged."""
    @property
    def manifest_count(self) -> int:
        """Distinct manifests that it reaches."""
    @property
    def total_blob_count(self) -> int: ...
    @property
    def total_bytes(self) -> int: ...
    @property
    def unique_blob_count(self) -> int: ...
    @property
    def unique_bytes(self) -> int:
        """What no other repository reaches."""

@final
class Unresolved:
    """A question about something that the store does not have, or has several of."""

    @property
    def reason(self) -> str: ...
    @property
    def matches(self) -> list[str]:
        """Digests that begin like an abbreviation."""

def explain(
    marks: Marks,
    subject: bytes,
    *,
    others: int = 3,
    progress: Callable[[Progress], None] | None = None,
) -> DigestExplanation | TagExplanation | RepositoryExplanation | Unresolved:
    """Explains a digest (or the beginning of one), a tag (``repository:tag``) or a repository by what was marked.

    Args:
        marks: what was marked; options of marking are part of the answer.
        subject: what to explain; names are bytes in a storage.
        others: of what else keeps a part of a tag, how many to name.
        progress: told how far it is.

    Raises:
        CoreError: something could not be listed or looked at.
    """

def generate_store(
    root: str | PathLike[str], options: str, *, progress: Callable[[Progress], None] | None = None
) -> str:
    """Makes a synthetic store; ``options`` and the answer (what was made) are JSON. See ``regsweep bench generate``.

    Raises:
        ValueError: the options make no sense.
        OSError: the root is not empty, or something cannot be written.
    """

class YamlSyntaxError(Exception):
    """Text that is not YAML.

    Attributes:
        line: where, counted from 0.
    """

    line: int

def compose_yaml(text: bytes, /) -> tuple[str, int, str, Any] | None:
    """The root of the first document; ``None`` where there is none.

    A node is its kind (``scalar``, ``sequence``, ``mapping``), line from 0, tag (``?``: none, and plain), and its text
    or the list of its children; a mapping's are its keys and values in turn. An alias is the very object that it
    stands for.

    Raises:
        YamlSyntaxError: it is not YAML; worded as yaml.v2 does.
    """
