"""The library: open a store, scan it, mark, remove.

Thin typed wrappers around the Rust core that keep what the guards need (how the marks came to be) beside the marks,
and turn the core's errors into ``StorageError``. The command line uses nothing else::

    store = regsweep.open("/etc/docker/registry/config.yml")
    marks = store.scan().mark(delete_untagged=True, min_age=timedelta(hours=24))
    print(marks.eligible_blob_count, marks.eligible_blob_bytes)
    removed = regsweep.remove_eligible(marks)

Marks hold nothing that can remove: only ``remove_eligible`` does, and only past the guards of ``safety``.
"""

from __future__ import annotations

import os

from regsweep import _core, safety
from regsweep._core import BrokenImage, Damage, Note, Progress, RemovalFailure, Removed, TagRow
from regsweep.errors import BucketOptionError, DriverError, GuardRefused, Refusal, StorageError, UnknownNameError
from regsweep.units import seconds_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import timedelta
    from typing import Literal, TypeAlias

    from regsweep._core import (
        AsideExplanation,
        DigestExplanation,
        EmptyDirectories,
        RepositoryExplanation,
        TagExplanation,
        Usage,
    )
    from regsweep.bucket.location import BucketLocation
    from regsweep.callbacks import ProgressCallback
    from regsweep.config import RegistryConfig
    from regsweep.own_files import OwnFiles
    from regsweep.policy.choice import Choice
    from regsweep.uploads import Uploads
    from regsweep.verify import Verification, VerifyProgress

    # What made manifests and tags go: nothing; that no tag leads to them; a policy; a person; a plan.
    Mode: TypeAlias = Literal["plain", "untagged", "policy", "named", "planned"]
    # Why something stays, or goes, or where it lies: of a digest, a tag, a repository, or what is set aside.
    Explanation: TypeAlias = DigestExplanation | TagExplanation | RepositoryExplanation | AsideExplanation

__all__ = [
    "DEFAULT_EMPTY_SECONDS",
    "BrokenImage",
    "Catalog",
    "Damage",
    "Marks",
    "Note",
    "Progress",
    "RemovalFailure",
    "Removed",
    "Store",
    "TagRow",
    "open_config",
    "open_store",
    "remove_eligible",
]


DEFAULT_EMPTY_SECONDS = 86400.0
"""How long directories have to be empty before they go."""


class BucketOptions:
    """How a bucket is dealt with; what ``open_store`` says of its arguments of the same names."""

    __slots__ = ("cache", "cache_bytes", "inventory", "max_requests_per_second")

    def __init__(
        self,
        max_requests_per_second: float | None = None,
        cache: bool | str | os.PathLike[str] = True,
        cache_bytes: int | None = None,
        inventory: str | os.PathLike[str] | None = None,
    ) -> None:
        self.max_requests_per_second = max_requests_per_second
        self.cache = cache
        self.cache_bytes = cache_bytes
        self.inventory = None if inventory is None else os.fspath(inventory)

    @property
    def are_given(self) -> bool:
        """Whether any is not what it is by default."""
        given = (self.max_requests_per_second, self.cache_bytes, self.inventory)
        return self.cache is not True or any(option is not None for option in given)


class Store:
    """Read-only access to a registry's storage.

    Attributes:
        root: the directory that holds ``docker/registry/v2``, or the URL of a bucket (``s3://bucket/root``).
        config: the configuration that named it, where one did.
        location: where the bucket is; ``None`` on a filesystem.
        inventory: the manifest of the inventory report that stands in for a listing of blobs.
    """

    def __init__(
        self,
        core: _core.Store,
        root: str,
        config: RegistryConfig | None = None,
        location: BucketLocation | None = None,
        inventory: str | None = None,
    ) -> None:
        self._core = core
        self.root = root
        self.config = config
        self.location = location
        self.inventory = inventory
        self._keeps_versions: bool | None = None

    @property
    def is_bucket(self) -> bool:
        """Whether it is a bucket."""
        return self.location is not None

    @property
    def place(self) -> str:
        """The root as it can be named from anywhere on this machine."""
        # Resolving links would change what the operator named.
        return self.root if self.is_bucket else os.path.abspath(self.root)  # noqa: PTH100

    @property
    def own_files(self) -> OwnFiles:
        """What regsweep itself leaves in the store."""
        from regsweep.own_files import BucketFiles, DirectoryFiles

        return BucketFiles(self._core) if self.is_bucket else DirectoryFiles(self.root)

    @property
    def keeps_versions(self) -> bool:
        """Whether a bucket keeps what is removed, so that it can be had back as it was. Tried once, in some seconds.

        Raises:
            StorageError: the bucket cannot be asked.
        """
        if self._keeps_versions is None:
            try:
                self._keeps_versions = self.is_bucket and self._core.keeps_versions()
            except _core.CoreError as error:
                raise StorageError.from_core(error) from error
        return self._keeps_versions

    @property
    def requests(self) -> dict[str, int]:
        """What was asked of a bucket so far, by kind; nothing on a filesystem."""
        return self._core.requests or {}

    @property
    def reported(self) -> float | None:
        """Of when the inventory report is, in seconds since 1970; ``None`` without one, or before a scan."""
        return self._core.reported

    @property
    def jobs(self) -> int:
        """How many threads a scan and a removal use."""
        return self._core.jobs

    @property
    def core(self) -> _core.Store:
        """The core's store, for what changes it."""
        return self._core

    def scan(self, *, progress: ProgressCallback | None = None) -> Catalog:
        """Lists repositories, reads tags and every distinct manifest once.

        Raises:
            StorageError: something could not be listed or read, so that nothing is known.
        """
        try:
            return Catalog(self._core.scan(progress=progress))
        except _core.CoreError as error:
            raise StorageError.from_core(error) from error

    def uploads(self, *, progress: ProgressCallback | None = None) -> Uploads:
        """Lists the uploads of all repositories that are not finished.

        Raises:
            StorageError: something could not be listed or read.
        """
        from regsweep.uploads import list_uploads

        return list_uploads(self._core, self.config, progress=progress)

    def empty(
        self, *, older_than: timedelta | float = DEFAULT_EMPTY_SECONDS, progress: ProgressCallback | None = None
    ) -> EmptyDirectories:
        """Finds repositories and directories that nothing is left in.

        Args:
            older_than: how long they have not changed; a number is seconds.
            progress: called about ten times a second, from this thread.

        Raises:
            StorageError: something could not be listed.
        """
        try:
            return _core.find_empty(self._core, seconds_of(older_than), progress=progress)
        except _core.CoreError as error:
            raise StorageError.from_core(error) from error

    def verify(
        self,
        *,
        repositories: Sequence[str] = (),
        jobs: int | None = None,
        max_rate: float | None = None,
        state: str | os.PathLike[str] | None = None,
        scanning: ProgressCallback | None = None,
        progress: Callable[[VerifyProgress], None] | None = None,
    ) -> Verification:
        """Checks the content of every blob against its digest.

        Ctrl-C ends it early, with what was found until then (``interrupted``); before blobs are read it is raised.

        Args:
            repositories: patterns; only what the repositories reach that match them is checked.
            jobs: threads that read and hash; by default two for each core.
            max_rate: bytes a second that are read at most, by all threads together.
            state: a file that keeps how far it is. Where it says that an earlier run was interrupted, this one goes on.
            scanning: told how far the scan is, about ten times a second, from this thread.
            progress: told how far the checking is, likewise.

        Raises:
            StorageError: a directory could not be listed, or something stands where the layout has nothing like it.
            RepositoryPatternError: a pattern is malformed, or none matches.
            StateError: the file cannot be used.
        """
        from regsweep.verify.run import verify

        return verify(
            self,
            repositories=repositories,
            jobs=jobs,
            max_rate=max_rate,
            state=None if state is None else os.fspath(state),
            scanning=scanning,
            progress=progress,
        )


class Catalog:
    """What a scan found."""

    def __init__(self, core: _core.Catalog) -> None:
        self._core = core

    @property
    def repository_count(self) -> int:
        """Repositories, empty ones included."""
        return self._core.repository_count

    @property
    def tag_count(self) -> int:
        """Tags, summed over repositories."""
        return self._core.tag_count

    @property
    def revision_count(self) -> int:
        """Revision links, summed over repositories."""
        return self._core.revision_count

    @property
    def manifest_count(self) -> int:
        """Distinct manifests that were read."""
        return self._core.manifest_count

    @property
    def database_in_use(self) -> bool:
        """Whether a GitLab registry keeps the tags of this storage in a database."""
        return self._core.database_in_use

    @property
    def started(self) -> float:
        """When the scan began, in seconds since 1970."""
        return self._core.started

    @property
    def quarantine_count(self) -> int:
        """Runs that have set something aside."""
        return self._core.quarantine_count

    def repositories(self) -> list[str]:
        """The repositories' names. Their indexes here are what everything else goes by."""
        return self._core.repositories()

    def tags(self, *, progress: ProgressCallback | None = None) -> list[list[TagRow]]:
        """The tags of every repository, with the times of their links.

        Raises:
            StorageError: a tag could not be looked at.
        """
        try:
            return self._core.tags(progress=progress)
        except _core.CoreError as error:
            raise StorageError.from_core(error) from error

    def images(self, repository: int, tags: list[int]) -> list[tuple[list[str], list[str]]]:
        """The digests of the manifests and of the configs of tags' images, by the tags' indexes.

        Those of all platforms of an index, the index first.
        """
        return self._core.images(repository, tags)

    def read_blobs(self, digests: list[str], *, progress: ProgressCallback | None = None) -> list[bytes | None]:
        """The contents of small blobs; ``None`` for what is not stored, over 4 MiB or does not match its digest.

        Raises:
            StorageError: one could not be read.
        """
        try:
            return self._core.read_blobs(digests, progress=progress)
        except _core.CoreError as error:
            raise StorageError.from_core(error) from error

    def mark(
        self,
        *,
        delete_untagged: bool = False,
        min_age: timedelta | float = 0.0,
        keep: Sequence[str] = (),
        accept_damage: Sequence[str] = (),
        cutoff: int | None = None,
        choices: Sequence[Choice] | None = None,
        named: bool = False,
        with_times: bool = False,
        progress: ProgressCallback | None = None,
    ) -> Marks:
        """Works out what is live and what is eligible for removal.

        Args:
            delete_untagged: only tags are roots, not every revision link.
            min_age: nothing younger is eligible, nor what something younger needs; a number is seconds.
            keep: digests (``sha256:…``) and ``repository:tag`` texts that are live whatever the storage says.
            accept_damage: repositories whose damage no longer keeps everything that they link.
            cutoff: instead of ``min_age``: nothing is eligible that was written then (seconds since 1970) or later.
            choices: what was decided on repositories (``policy.selection``).
            named: the choices are a person's and not a policy's: nothing else is eligible but what they give up.
            with_times: note when eligible blobs were written, for a plan.
            progress: called about ten times a second, from this thread.

        Raises:
            StorageError: the blobs could not be listed, or an argument names nothing.
        """
        try:
            core = self._core.mark(
                delete_untagged=delete_untagged,
                min_age_seconds=seconds_of(min_age),
                keep=keep,
                accept_damage=accept_damage,
                cutoff=cutoff,
                choices=choices,
                only_choices=named,
                with_times=with_times,
                progress=progress,
            )
        except _core.CoreError as error:
            raise StorageError.from_core(error) from error
        mode: Mode = "untagged" if delete_untagged else "named" if named else "policy" if choices else "plain"
        return Marks(core, database_in_use=self.database_in_use, keep_count=len(keep), mode=mode)

    def mark_plan(
        self,
        rows: _core.Plan,
        *,
        cutoff: int,
        accept_damage: Sequence[str] = (),
        progress: ProgressCallback | None = None,
    ) -> Marks:
        """Works out what of a plan is still to go: what it names and nothing needs.

        Args:
            rows: the plan's.
            cutoff: the plan's: what was written then (seconds since 1970) or later stays, with all that it needs.
            accept_damage: repositories whose damage no longer keeps everything that they link.
            progress: called about ten times a second, from this thread.

        Raises:
            StorageError: the blobs could not be listed.
        """
        try:
            core = self._core.mark_plan(rows, cutoff=cutoff, accept_damage=accept_damage, progress=progress)
        except _core.CoreError as error:
            raise StorageError.from_core(error) from error
        return Marks(core, database_in_use=self.database_in_use, keep_count=0, mode="planned")


class Marks:
    """What is live and what is eligible for removal, at the time of the scan."""

    def __init__(self, core: _core.Marks, *, database_in_use: bool, keep_count: int, mode: Mode) -> None:
        self._core = core
        self.database_in_use = database_in_use
        self.keep_count = keep_count
        self.mode = mode

    @property
    def core(self) -> _core.Marks:
        """The core's marks, for what removes and restores."""
        return self._core

    @property
    def delete_untagged(self) -> bool:
        """Whether only tags were roots."""
        return self._core.delete_untagged

    @property
    def marked_count(self) -> int:
        """Distinct live digests, stored or not."""
        return self._core.marked_count

    @property
    def blob_count(self) -> int:
        """Blobs that the storage holds."""
        return self._core.blob_count

    @property
    def eligible_blob_count(self) -> int:
        """Blobs that nothing live needs."""
        return self._core.eligible_blob_count

    @property
    def eligible_blob_bytes(self) -> int:
        """Their size."""
        return self._core.eligible_blob_bytes

    @property
    def eligible_manifest_count(self) -> int:
        """Revision links that are eligible: one per repository and digest."""
        return self._core.eligible_manifest_count

    @property
    def eligible_layer_link_count(self) -> int:
        """Layer links that are eligible: one per repository and digest."""
        return self._core.eligible_layer_link_count

    @property
    def eligible_tag_count(self) -> int:
        """Tags that are to go."""
        return self._core.eligible_tag_count

    @property
    def quarantined_live_count(self) -> int:
        """Live blobs that lie in quarantines: a confirmation brings them back."""
        return self._core.quarantined_live_count

    @property
    def newer_than_tags_count(self) -> int:
        """Eligible revisions more than a day newer than the newest tag of the whole registry."""
        return self._core.newer_than_tags_count

    @property
    def damaged(self) -> list[Damage]:
        """What could not be understood."""
        return self._core.damaged

    @property
    def broken(self) -> list[BrokenImage]:
        """Live images that miss something."""
        return self._core.broken

    @property
    def notes(self) -> list[Note]:
        """Odd things that were left alone."""
        return self._core.notes

    def eligible_blobs(self, start: int = 0, count: int | None = None) -> list[tuple[str, int]]:
        """Digest and size in bytes of the eligible blobs, in digest order.

        Args:
            start: the first one wanted.
            count: how many are wanted; all the rest by default. A million at once take about 200 MB.
        """
        return self._core.eligible_blobs(start, count)

    def eligible_tags(self) -> list[tuple[str, str]]:
        """Repository and name of every tag that is to go, in order."""
        return self._core.eligible_tags()

    def emptied_repositories(self) -> list[str]:
        """Repositories that have tags and would keep none of them."""
        return self._core.emptied_repositories()

    def write_plan(self, descriptor: int) -> tuple[int, str]:
        """Writes a plan's rows to a file descriptor; gives their number, and the SHA-256 of what was written.

        Raises:
            OSError, StorageError: the descriptor could not be written to.
        """
        try:
            return self._core.write_plan(descriptor)
        except _core.CoreError as error:
            raise StorageError.from_core(error) from error

    def eligible_manifests(self) -> list[tuple[str, str]]:
        """Repository and digest of every eligible revision link, in order."""
        return self._core.eligible_manifests()

    def eligible_layer_links(self) -> list[tuple[str, str]]:
        """Repository and digest of every eligible layer link, in order."""
        return self._core.eligible_layer_links()

    def is_live(self, digest: str) -> bool:
        """Whether anything live needs the digest; a rare "yes" may be wrong, a "no" never is."""
        return self._core.is_live(digest)

    def write_lines(self, descriptor: int, compat: int = 3) -> None:
        """Writes the reference collector's lines, as 2.8 (2) or 3.x (3) does, to a file descriptor.

        Raises:
            OSError, StorageError: the descriptor could not be written to.
        """
        try:
            self._core.write_lines(descriptor, compat)
        except _core.CoreError as error:
            raise StorageError.from_core(error) from error

    def usage(self, *, tags: bool = False, depth: int | None = None, progress: ProgressCallback | None = None) -> Usage:
        """How much is stored and by whom: every blob is looked at once.

        Args:
            tags: measure each tag, too.
            depth: put repositories together by so many components of their names; from 1 up.
            progress: called about ten times a second, from this thread.

        Raises:
            StorageError: these marks are not of the plain mode; blobs could not be listed or looked at.
        """
        try:
            return _core.measure_usage(self._core, tags=tags, depth=depth, progress=progress)
        except _core.CoreError as error:
            raise StorageError.from_core(error) from error

    def why(self, subject: str, *, others: int = 3, progress: ProgressCallback | None = None) -> Explanation:
        """Why something stays, or goes, by these marks; or in which quarantine it lies.

        Args:
            subject: a digest or its beginning (at least six hex digits, with or without ``sha256:``), a tag
                (``repository:tag``), or a repository.
            others: of what else keeps a part of a tag, how many to name.
            progress: called about ten times a second, from this thread.

        Raises:
            UnknownNameError: the storage has nothing of that name, or several digests that begin like that.
            StorageError: something could not be listed or looked at.
        """
        try:
            answer = _core.explain(self._core, os.fsencode(subject), others=others, progress=progress)
        except _core.CoreError as error:
            raise StorageError.from_core(error) from error
        if isinstance(answer, _core.Unresolved):
            raise UnknownNameError(
                f"{subject}: {answer.reason}",
                key=subject,
                matches=answer.matches,
                next_step="give more digits"
                if answer.matches
                else "write it as it is in the storage; regsweep du STORE --tags lists repositories and tags",
            )
        return answer

    def refusals(self, *, overrides: Collection[str] = (), max_removed_share: float | None = None) -> list[Refusal]:
        """What the guards say to a removal of what is eligible; the overridden ones included."""
        return safety.check(self, overrides=overrides, max_removed_share=max_removed_share)


def open_store(
    path: str | os.PathLike[str],
    *,
    jobs: int | None = None,
    environment: Mapping[str, str] | None = None,
    max_requests_per_second: float | None = None,
    cache: bool | str | os.PathLike[str] = True,
    cache_bytes: int | None = None,
    inventory: str | os.PathLike[str] | None = None,
) -> Store:
    """Opens a storage root, or the storage that a registry's configuration file names.

    Args:
        path: the directory that holds ``docker/registry/v2``, a bucket's URL (``s3://bucket/root``, ``gs://…``,
            ``az://…``), or a configuration file.
        jobs: threads; by default as many as suit the machine.
        environment: where ``REGISTRY_…`` overrides and a bucket's credentials come from; ``os.environ`` by default.
        max_requests_per_second: how much a bucket is asked at most; by default whatever its service takes.
        cache: whether manifests of a bucket are kept from run to run, or in which directory; by default in
            ``~/.cache/regsweep/manifests``.
        cache_bytes: how much of them is kept; 1 GiB by default.
        inventory: the manifest of an inventory report of the bucket, which stands in for a listing of its blobs when
            candidates are looked for (S3 only): ``s3://bucket/…/manifest.json``, or the path of a downloaded one.

    Raises:
        ConfigurationError: the file cannot be read, or the registry would not accept it.
        DriverError: its driver or a parameter of it is not supported; a URL is not understood.
        BucketOptionError: one of the last four is given, and the storage is on a filesystem; or cannot be done.
        StorageError: the directory or the bucket cannot be opened.
    """
    variables = os.environ if environment is None else environment
    options = BucketOptions(max_requests_per_second, cache, cache_bytes, inventory)
    if isinstance(path, str) and is_url(path):
        from regsweep.bucket.urls import parse

        return _open_bucket(parse(path, variables), None, jobs, variables, options)
    if os.path.isdir(path):  # noqa: PTH112 - pathlib costs start-up time
        return _open_root(os.fspath(path), None, jobs, options)
    from regsweep.config import load

    return open_config(
        load(path, variables),
        jobs=jobs,
        environment=variables,
        max_requests_per_second=max_requests_per_second,
        cache=cache,
        cache_bytes=cache_bytes,
        inventory=inventory,
    )


def open_config(
    config: RegistryConfig,
    *,
    jobs: int | None = None,
    environment: Mapping[str, str] | None = None,
    max_requests_per_second: float | None = None,
    cache: bool | str | os.PathLike[str] = True,
    cache_bytes: int | None = None,
    inventory: str | os.PathLike[str] | None = None,
) -> Store:
    """Opens the storage of a configuration: the one place where a driver's name becomes a store.

    Args:
        config: the configuration; with the credentials that were in the environment when it was loaded.
        jobs: as for ``open_store``.
        environment: where the default cache directory is; ``os.environ`` by default.
        max_requests_per_second: as for ``open_store``.
        cache: likewise.
        cache_bytes: likewise.
        inventory: likewise.

    Raises:
        DriverError: it is neither a filesystem nor a bucket.
        BucketOptionError: as for ``open_store``.
        StorageError: the directory or the bucket cannot be opened.
    """
    options = BucketOptions(max_requests_per_second, cache, cache_bytes, inventory)
    if config.bucket is not None:
        variables = os.environ if environment is None else environment
        return _open_bucket(config.bucket, config, jobs, variables, options)
    if config.root is None:
        raise DriverError(
            f"regsweep collects storage on a filesystem or in a bucket (s3, gcs, azure), and this is {config.driver}",
            driver=config.driver,
            next_step="use the registry's own garbage-collect for this storage",
        )
    return _open_root(config.root, config, jobs, options)


def is_url(path: str) -> bool:
    """Whether a text names a bucket and not a path: it begins with a scheme (``s3://``)."""
    scheme, separator, _ = path.partition("://")
    return bool(separator) and scheme.isalnum()


def shown_name(path: str) -> str:
    """What a store is called in reports: a URL without what may be a secret, which it may hold by mistake."""
    if not is_url(path):
        return path
    scheme, _, rest = path.partition("://")
    authority, slash, root = rest.partition("?")[0].partition("/")
    user, at, host = authority.rpartition("@")
    return f"{scheme}://{user.partition(':')[0]}{at}{host}{slash}{root}"


def _open_root(root: str, config: RegistryConfig | None, jobs: int | None, options: BucketOptions) -> Store:
    if options.are_given:
        raise BucketOptionError(
            "requests are limited, manifests cached and inventory reports used for buckets only, and "
            f"{root} is on a filesystem",
            key=root,
            next_step="leave out --max-requests-per-second, --no-cache, --cache-dir, --cache-size and --inventory (in "
            "Python: max_requests_per_second, cache, cache_bytes and inventory)",
        )
    try:
        return Store(_core.Store(root, jobs=jobs), root, config)
    except _core.CoreError as error:
        raise StorageError.from_core(error) from error


def _open_bucket(
    location: BucketLocation,
    config: RegistryConfig | None,
    jobs: int | None,
    environment: Mapping[str, str],
    options: BucketOptions,
) -> Store:
    from regsweep.bucket.cache import DEFAULT_BYTES, directory_for

    if options.inventory is not None and location.provider != "s3":
        raise BucketOptionError(
            f"inventory reports are Amazon S3's, and {location.url} is none of its buckets",
            key=options.inventory,
            next_step="leave out --inventory (in Python: inventory)",
        )
    try:
        core = _core.Store.open_bucket(
            location.options,
            jobs=jobs,
            max_requests_per_second=options.max_requests_per_second,
            cache_directory=directory_for(options.cache, environment),
            cache_bytes=DEFAULT_BYTES if options.cache_bytes is None else options.cache_bytes,
            inventory=options.inventory,
        )
    except _core.CoreError as error:
        raise StorageError.from_core(error) from error
    return Store(core, location.url, config, location, options.inventory)


def remove_eligible(
    marks: Marks,
    *,
    overrides: Collection[str] = (),
    max_removed_share: float | None = None,
    progress: ProgressCallback | None = None,
) -> Removed:
    """Removes what was found eligible, unless a guard refuses. Pointers go first, then blobs.

    A failed removal never stops the rest: look at ``failures`` of the result. Running again is always safe.

    Args:
        marks: what ``Catalog.mark`` gave.
        overrides: guards that are switched off, by name (``safety.GUARDS``).
        max_removed_share: refuse where more than this share of the blobs would go.
        progress: called about ten times a second, from this thread.

    Raises:
        GuardRefused: a guard refuses; nothing was removed.
        StorageError: a tag's history is not what the layout has there; nothing was removed.
    """
    refusals = safety.refusing(marks.refusals(overrides=overrides, max_removed_share=max_removed_share))
    if refusals:
        raise GuardRefused(refusals)
    try:
        return _core.remove_eligible(marks._core, progress=progress)
    except _core.CoreError as error:
        raise StorageError.from_core(error) from error
