"""The Rust core: scanning, marking and sweeping of registry storage.

Every call that does I/O releases the interpreter lock and answers Ctrl-C (``KeyboardInterrupt``) within a second.
``progress`` callables are called about ten times a second, from the calling thread, with a ``Progress``; an
exception raised in one stops the operation.
"""

from collections.abc import Callable, Sequence
from os import PathLike
from typing import Any, Final, final

__all__ = [
    "BrokenImage",
    "Catalog",
    "CoreError",
    "Damage",
    "Marks",
    "Note",
    "Progress",
    "RemovalFailure",
    "Removed",
    "Store",
    "YamlSyntaxError",
    "__version__",
    "compose_yaml",
    "generate_store",
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
