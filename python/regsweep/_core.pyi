"""The Rust core: scanning, marking and sweeping of registry storage.

Every call that does I/O releases the interpreter lock and answers Ctrl-C (``KeyboardInterrupt``) within a second.
``progress`` callables are called about ten times a second, from the calling thread, with a ``Progress``; an
exception raised in one stops the operation.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from os import PathLike
from typing import Any, Final, final

__all__ = [
    "Aside",
    "AsideExplanation",
    "BrokenImage",
    "Catalog",
    "Chain",
    "ChainStep",
    "Chains",
    "CoreError",
    "Damage",
    "DigestExplanation",
    "EmptyDirectories",
    "Inventory",
    "Keeper",
    "Marks",
    "MultipartUpload",
    "Note",
    "Plan",
    "Progress",
    "Purged",
    "QuarantineUsage",
    "RemovalFailure",
    "Removed",
    "RemovedUploads",
    "RepositoryExplanation",
    "RepositoryUsage",
    "Restored",
    "Store",
    "TagExplanation",
    "TagPart",
    "TagRow",
    "TagUsage",
    "Unresolved",
    "Upload",
    "Uploads",
    "Usage",
    "YamlSyntaxError",
    "__version__",
    "compose_yaml",
    "count_rows_beyond",
    "explain",
    "find_empty",
    "generate_store",
    "measure_usage",
    "narrow_plan",
    "purge",
    "remove_eligible",
    "remove_empty",
    "remove_uploads",
    "restore",
    "undo",
    "use_few_arenas",
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
    def listed(self) -> int: ...
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
    """Read-only access to a storage root (what holds ``docker/registry/v2``) on a filesystem or in a bucket."""

    def __new__(cls, root: str | PathLike[str], *, jobs: int | None = None) -> Store:
        """Opens a directory."""
    @staticmethod
    def open_bucket(
        options: dict[str, str | bool | int],
        *,
        jobs: int | None = None,
        max_requests_per_second: float | None = None,
        cache_directory: str | PathLike[str] | None = None,
        cache_bytes: int = 1073741824,
        inventory: str | None = None,
    ) -> Store:
        """Makes ready to use a bucket, without a request.

        Args:
            options: ``provider``, ``bucket`` and ``root``; then, of each only what is set, ``endpoint``,
                ``verify_tls``, ``user_agent``, ``copied_whole_bytes`` (what is larger is copied in parts, on S3),
                ``copied_part_bytes``; for S3 ``region``, ``access_key_id``, ``secret_access_key``,
                ``session_token``, ``path_style``; for Google ``service_account_key`` (JSON) or
                ``service_account_path``; for Azure ``account``, ``credentials``, ``access_key``,
                ``sas_token``, ``client_id``, ``tenant_id``, ``client_secret``, ``leading_slash``.
            jobs: requests under way at once.
            max_requests_per_second: requests of all kinds; no limit by default.
            cache_directory: where manifests are kept that were read; nowhere by default.
            cache_bytes: about how much is kept there.
            inventory: the manifest of an inventory report that stands in for a listing of blobs (S3 only): its URL or
                its path.

        Raises:
            ValueError: an option is missing or unknown.
            CoreError: one makes no sense.
        """
    @property
    def root(self) -> str:
        """The directory, or the bucket's URL."""
    @property
    def jobs(self) -> int: ...
    @property
    def reported(self) -> float | None:
        """Of when the inventory report is, in seconds since 1970; ``None`` without one, or before a scan."""
    @property
    def requests(self) -> dict[str, int] | None:
        """What was asked of a bucket so far, by kind; ``None`` on a filesystem."""
    def read_object(self, key: str) -> tuple[bytes, str] | None:
        """An object of a bucket and its version; ``None`` where there is none."""
    def read_range(self, key: str, start: int, length: int) -> bytes | None:
        """Some bytes of an object: fewer where it ends; ``None`` where there is none."""
    def object_time(self, key: str) -> float | None:
        """When an object of a bucket was written, in seconds since 1970; ``None`` where there is none."""
    def write_object(
        self, key: str, content: bytes, *, if_absent: bool = False, if_version: str | None = None
    ) -> str | None:
        """Writes an object into a bucket and gives its version; ``None`` where the condition does not hold.

        That may also be because an answer was lost, and the object is there already as it was to be.
        """
    def keeps_versions(self) -> bool:
        """Whether what is removed from the bucket leaves a delete marker (S3's versioning), so that it can be had back.

        Raises:
            CoreError: the service does not say.
        """
    def hide_for(self, run_name: str) -> None:
        """What goes into the quarantine of a run is from now on hidden by delete markers, instead of being copied."""
    def forget_hidden(self, run_name: str) -> None:
        """Forgets what a run has hidden: once all of it was shown again or purged."""
    def list_directory(self, key: str) -> list[tuple[str, bool]]:
        """The names in a directory, and whether each is a directory itself."""
    def scan(self, *, progress: Callable[[Progress], None] | None = None) -> Catalog:
        """Lists repositories, reads tags and every distinct manifest once."""
    def quarantines(self, *, progress: Callable[[Progress], None] | None = None) -> list[str]:
        """The names of the runs below ``.regsweep``, in order."""
    def uploads(self, *, progress: Callable[[Progress], None] | None = None) -> Uploads:
        """Lists the uploads of all repositories that are not finished."""
    def inventory(self, *, progress: Callable[[Progress], None] | None = None) -> Inventory:
        """Scans, then lists every blob and looks at it. What cannot be read is part of the answer.

        Raises:
            CoreError: a directory could not be listed, or something stands where the layout has nothing like it.
        """

@final
class TagRow:
    """A tag, as its link shows it."""

    @property
    def name(self) -> str: ...
    @property
    def digest(self) -> str | None:
        """What it points to; ``None`` where its link cannot be understood or is not there."""
    @property
    def pushed(self) -> float | None:
        """When its link was written, in seconds since 1970."""
    @property
    def carries_referrers(self) -> bool:
        """It is named after the digest that its content is about (``sha256-<hex>``, ``sha256-<hex>.sig``)."""

@final
class Plan:
    """The rows of a plan."""

    @staticmethod
    def read(path: str | PathLike[str]) -> Plan:
        """Reads the rows of a plan's file.

        Raises:
            CoreError: a row is not understood, or they are not as they were written.
            OSError: the file cannot be opened.
        """
    @staticmethod
    def parse(content: bytes) -> Plan:
        """Reads the rows of a plan that is in memory.

        Raises:
            CoreError: a row is not understood, or they are not as they were written.
        """
    @property
    def row_count(self) -> int: ...
    @property
    def tag_count(self) -> int: ...

def narrow_plan(
    path: str | PathLike[str], marks: Marks, earlier: Sequence[Plan], descriptor: int
) -> tuple[int, str, tuple[int, int, int, int, int], tuple[int, int, int, int, int]]:
    """Writes those rows of a plan whose subjects are eligible now and on none of the earlier lists.

    A repository that goes as a whole is written with all that it has, on other lists or not.

    Args:
        path: the plan.
        marks: what is eligible now: of ``Catalog.mark_plan`` with this plan.
        earlier: lists that name some of it already.
        descriptor: where the column names and the rows go.

    Returns:
        How many rows there are, their SHA-256 in hex, what they amount to, and what was left out for being on an
        earlier list; both as tags, manifests, layer links, blobs, and bytes of blobs.

    Raises:
        CoreError: the plan's rows are not as they were written, or writing failed.
        OSError: the plan cannot be opened.
    """

def count_rows_beyond(path: str | PathLike[str], earlier: Sequence[Plan]) -> int:
    """How many rows of a plan name what none of the earlier lists does.

    Raises:
        CoreError: the plan's rows are not as they were written.
        OSError: it cannot be opened.
    """

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
        cutoff: int | None = None,
        choices: Sequence[Any] | None = None,
        only_choices: bool = False,
        with_times: bool = False,
        progress: Callable[[Progress], None] | None = None,
    ) -> Marks:
        """Works out what is live and what is eligible for removal.

        Args:
            delete_untagged: only tags are roots, not every revision link.
            min_age_seconds: nothing younger is eligible, nor what a younger manifest or layer link needs.
            keep: digests (``sha256:…``) and ``repository:tag`` texts that are live whatever the store says.
            accept_damage: repositories whose damage no longer keeps everything they link.
            cutoff: instead of the minimum age: what was written then (seconds since 1970) or later is too young.
            choices: decisions on repositories, with the attributes of ``policy.selection.Choice``.
            only_choices: nothing else is eligible but what the choices give up.
            with_times: note when eligible blobs were written.
            progress: told how far it is.
        """
    def mark_plan(
        self,
        plan: Plan,
        *,
        cutoff: int,
        accept_damage: Sequence[str] = (),
        progress: Callable[[Progress], None] | None = None,
    ) -> Marks:
        """Marks with everything a root that a plan does not name; only what it names is eligible."""
    @property
    def started(self) -> float:
        """When the scan began, in seconds since 1970."""
    @property
    def quarantine_count(self) -> int: ...
    def repositories(self) -> list[str]: ...
    def tags(self, *, progress: Callable[[Progress], None] | None = None) -> list[list[TagRow]]:
        """The tags of each repository, in the order of ``repositories``."""
    def images(self, repository: int, tags: Sequence[int]) -> list[tuple[list[str], list[str]]]:
        """The manifests and the configs of tags' images, by the tags' indexes; those of all platforms of an index."""
    def read_blobs(
        self, digests: Sequence[str], *, progress: Callable[[Progress], None] | None = None
    ) -> list[bytes | None]:
        """Contents; ``None`` for what is not stored, over 4 MiB or does not match its digest."""

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
    def eligible_tag_count(self) -> int: ...
    @property
    def whole_repository_count(self) -> int:
        """Repositories that go as such."""
    @property
    def quarantined_live_count(self) -> int:
        """Live blobs that lie in quarantines."""
    def eligible_tags(self) -> list[tuple[str, str]]:
        """Repository and name of every tag that goes, in order."""
    def emptied_repositories(self) -> list[str]:
        """Repositories that have tags and would keep none."""
    def write_plan(self, descriptor: int) -> tuple[int, str]:
        """Writes the rows of a plan; gives their number and the SHA-256 of the bytes."""
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
    def tag_count(self) -> int: ...
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
    def gone_blob_count(self) -> int:
        """Eligible blobs of an inventory report that were gone by now."""
    @property
    def changed_blob_count(self) -> int:
        """Eligible blobs of an inventory report that were written since, and stayed with all that they reach."""
    @property
    def kept_tags(self) -> list[str]:
        """Tags that were written to while they were on their way out, and stayed."""
    @property
    def failures(self) -> list[RemovalFailure]: ...
    @property
    def interrupted(self) -> bool: ...

def remove_eligible(
    marks: Marks,
    *,
    run_name: str | None = None,
    permanently: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> Removed:
    """Removes what ``marks`` found eligible: pointers first, then blobs. No failure stops the rest.

    Args:
        marks: what is eligible.
        run_name: the run into whose quarantine everything goes; by default it is removed at once.
        permanently: with a run: only tags go into its quarantine, the rest is removed at once.
        progress: told how far it is.

    Raises:
        CoreError: the history of a tag is no directory, or tags are to go without a run; nothing was removed.
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
class QuarantineUsage:
    """What the quarantine of a run takes. A blob that was uploaded again since is there and stored."""

    @property
    def run(self) -> str: ...
    @property
    def since(self) -> datetime | None:
        """When the run began, by the store's clock, in UTC; ``None`` where nothing says it."""
    @property
    def blob_count(self) -> int: ...
    @property
    def size_bytes(self) -> int: ...

@final
class Usage:
    """What everything takes. Stored is what is reached, garbage or spared; what is in quarantine is not stored."""

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
    def quarantines(self) -> list[QuarantineUsage]:
        """Runs that hold blobs, which are set aside and not among what is stored. A new list each time."""
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
    ``damaged-layer-link``, ``keep-list``, ``young-manifest-link``, ``young-blob``, ``young-layer-link``,
    ``unknown-algorithm-link`` and ``young-quarantined-link``.
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
        """Whose layer link it is, for ``alias``; ``None`` where that is set aside."""
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
        """``live`` (stored and kept), ``garbage`` (stored, not kept), ``quarantined`` (not stored, but set aside),
        ``missing`` (kept, neither stored nor set aside) or ``absent``.
        """
    @property
    def comes_back(self) -> bool:
        """Whether a confirmation that marks now finds it needed, and brings it back from quarantine."""
    @property
    def asides(self) -> list[Aside]:
        """What runs have set aside of it: its blob, and links to it."""
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
    def quarantined_in(self) -> str | None:
        """The run that has set it aside, where it is not stored and a confirmation brings it back from there."""
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
    @property
    def asides(self) -> list[Aside]:
        """Earlier tags of this name, which runs have set aside."""

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
    @property
    def asides(self) -> list[Aside]:
        """What runs have set aside of it."""

@final
class Aside:
    """What a run has set aside of what was asked about. Where it lies is ``.regsweep/<run>/tree``."""

    @property
    def run(self) -> str: ...
    @property
    def since(self) -> datetime | None:
        """When the run began, by the store's clock, in UTC; ``None`` where nothing says it."""
    @property
    def size_bytes(self) -> int | None:
        """The blob's, where a digest was asked about and its blob lies there."""
    @property
    def tags(self) -> list[tuple[str, str, str | None]]:
        """Repository, tag, and the digest that it pointed to where that can be understood."""
    @property
    def manifest_links(self) -> list[tuple[str, str]]:
        """Repository and digest."""
    @property
    def layer_links(self) -> list[tuple[str, str]]:
        """Repository and digest."""

@final
class AsideExplanation:
    """A repository, or a tag, that only lies in quarantines."""

    @property
    def repository(self) -> str: ...
    @property
    def tag(self) -> str | None: ...
    @property
    def asides(self) -> list[Aside]: ...

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
) -> DigestExplanation | TagExplanation | RepositoryExplanation | AsideExplanation | Unresolved:
    """Explains a digest (or the beginning of one), a tag (``repository:tag``) or a repository by what was marked.

    Args:
        marks: what was marked; options of marking are part of the answer.
        subject: what to explain; names are bytes in a storage.
        others: of what else keeps a part of a tag, how many to name.
        progress: told how far it is.

    Raises:
        CoreError: something could not be listed or looked at.
    """

@final
class Restored:
    """What came back from quarantines."""

    @property
    def blob_count(self) -> int: ...
    @property
    def layer_link_count(self) -> int: ...
    @property
    def manifest_count(self) -> int: ...
    @property
    def tag_history_link_count(self) -> int: ...
    @property
    def tag_count(self) -> int: ...
    @property
    def replaced(self) -> list[str]:
        """What stayed aside, because something newer is in its place."""
    @property
    def failures(self) -> list[RemovalFailure]: ...
    @property
    def interrupted(self) -> bool: ...

def restore(marks: Marks, *, progress: Callable[[Progress], None] | None = None) -> Restored:
    """Brings back everything that ``marks`` found live in quarantines."""

def undo(store: Store, run_name: str, *, progress: Callable[[Progress], None] | None = None) -> Restored:
    """Brings back everything that a run has set aside.

    Raises:
        CoreError: there is no such run, or its quarantine cannot be listed; nothing was moved.
    """

@final
class Purged:
    """What was removed for good."""

    @property
    def blob_count(self) -> int: ...
    @property
    def blob_bytes(self) -> int: ...
    @property
    def link_count(self) -> int: ...
    @property
    def failures(self) -> list[RemovalFailure]: ...
    @property
    def interrupted(self) -> bool: ...

def purge(store: Store, run_name: str, *, progress: Callable[[Progress], None] | None = None) -> Purged:
    """Removes for good what a run has set aside, and the directories that this leaves empty.

    Raises:
        CoreError: there is no such run, or its quarantine cannot be listed.
    """

@final
class Inventory:
    """Every blob that is stored, and what images need of it. About fifty bytes a blob."""

    def repositories(self) -> list[str]:
        """Their names; indexes in here are what ``within`` goes by."""
    def within(self, repositories: Sequence[int]) -> Inventory:
        """Limited to what these repositories reach by tags and manifest links.

        Raises:
            IndexError: there is no such repository.
        """
    @property
    def blob_count(self) -> int:
        """Blobs in all batches."""
    @property
    def size_bytes(self) -> int:
        """Their size."""
    @property
    def batch_count(self) -> int: ...
    def batch(self, number: int) -> list[tuple[str, int, int]]:
        """Digest, size in bytes and time (whole seconds since 1970) of the blobs of one prefix.

        Sorted by digest, as text; and so are the batches.

        Raises:
            IndexError: there is no such batch.
        """
    @property
    def unreadable(self) -> list[tuple[str, str]]:
        """Digest and error of blobs that are there and cannot be looked at; in no batch."""
    @property
    def unreadable_links(self) -> list[tuple[str, str]]:
        """Key and error of links that cannot be read."""
    @property
    def damaged(self) -> list[Note]:
        """Links that cannot be understood."""
    @property
    def notes(self) -> list[Note]: ...
    def missing(self) -> list[tuple[str, BrokenImage]]:
        """Digests that manifests refer to and that are not stored, each with an image that needs it."""
    def affected(self, digests: Sequence[str]) -> list[tuple[str, BrokenImage]]:
        """Which of the digests which image needs, in all repositories.

        Of an image in ``missing`` is the digest that its manifest names, which may be another one for the same blob.
        """
    def stated_sizes(self, digests: Sequence[str]) -> dict[str, int]:
        """The sizes in bytes that manifests state for these blobs, the largest where they disagree."""
    def set_aside(self, digests: Sequence[str]) -> list[str]:
        """Those of the digests that a quarantine holds."""

@final
class Upload:
    """A push under way, or one that nobody will finish."""

    @property
    def repository(self) -> str: ...
    @property
    def id(self) -> str:
        """The UUID by which registry and client know it."""
    @property
    def key(self) -> str:
        """Its directory below the storage root."""
    @property
    def started(self) -> str | None:
        """The RFC 3339 text of its ``startedat``; ``None`` where that is missing or no time."""
    @property
    def last_write(self) -> datetime:
        """When the newest of its files, or of the parts of one, was written (its directory, where it has none); UTC."""
    @property
    def size_bytes(self) -> int:
        """Of its files and their parts together."""
    @property
    def multipart(self) -> list[MultipartUpload]:
        """What is to be its ``data``, as S3 keeps it: mostly one. Elsewhere there is none."""
    @property
    def strange(self) -> list[str]:
        """What is in it that the registry does not write. It keeps the upload from ever being stale."""

@final
class MultipartUpload:
    """A multipart upload of S3 that is not finished."""

    @property
    def key(self) -> str:
        """The file that it is to become, below the storage root. Several may be for the same."""
    @property
    def id(self) -> str:
        """What S3 calls it."""
    @property
    def initiated(self) -> datetime:
        """When it was begun, by the store's clock; UTC."""
    @property
    def last_write(self) -> datetime:
        """When its newest part came; where it has none, when it was begun. UTC."""
    @property
    def size_bytes(self) -> int:
        """Of its parts together."""
    @property
    def is_known(self) -> bool:
        """Whether the registry or regsweep writes such. Any other is never stale."""

@final
class Uploads:
    """The uploads of a store. Holds nothing that can remove."""

    @property
    def listed(self) -> datetime:
        """When they were listed; ages count back from then. UTC."""
    @property
    def all(self) -> list[Upload]:
        """By repository, the oldest first."""
    @property
    def notes(self) -> list[Note]: ...
    @property
    def multipart(self) -> list[MultipartUpload]:
        """Multipart uploads that belong to none of them, by key."""
    def stale(self, older_than_seconds: float) -> list[Upload]:
        """Those that were started, and last written to, longer ago."""
    def stale_multipart(self, older_than_seconds: float) -> list[MultipartUpload]:
        """Those multipart uploads that belong to no upload and were begun, and last written to, longer ago."""

@final
class RemovedUploads:
    """What became of stale uploads."""

    @property
    def upload_count(self) -> int:
        """How many are gone."""
    @property
    def multipart_count(self) -> int:
        """How many multipart uploads that belonged to none were aborted."""
    @property
    def size_bytes(self) -> int:
        """The size of both."""
    @property
    def left_count(self) -> int:
        """How many were left because they went on meanwhile."""
    @property
    def gone_count(self) -> int:
        """How many somebody else had finished or removed."""
    @property
    def failures(self) -> list[RemovalFailure]: ...
    @property
    def interrupted(self) -> bool: ...

def use_few_arenas() -> None:
    """Lets threads share the allocator's arenas: less memory for a process that does nothing else."""

def remove_uploads(
    uploads: Uploads, older_than_seconds: float, *, progress: Callable[[Progress], None] | None = None
) -> RemovedUploads:
    """Removes stale uploads that still are when their turn comes. No failure stops the rest."""

@final
class EmptyDirectories:
    """Directories that nothing is left in: found, or removed."""

    @property
    def repositories(self) -> list[str]:
        """The repositories among them."""
    @property
    def directory_count(self) -> int:
        """Directories of all kinds, those of repositories included."""
    @property
    def failures(self) -> list[RemovalFailure]: ...
    @property
    def interrupted(self) -> bool: ...

def find_empty(
    store: Store, older_than_seconds: float, *, progress: Callable[[Progress], None] | None = None
) -> EmptyDirectories:
    """Finds directories that nothing is left in, and that have not changed for so long."""

def remove_empty(
    store: Store, older_than_seconds: float, *, progress: Callable[[Progress], None] | None = None
) -> EmptyDirectories:
    """Removes what ``find_empty`` would find now."""

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
