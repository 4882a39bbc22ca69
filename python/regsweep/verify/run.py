"""One verification, from the inventory to its findings."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from regsweep import _core
from regsweep._core import Inventory, Note
from regsweep.errors import RepositoryPatternError, StateError, StorageError
from regsweep.verify import schema1
from regsweep.verify.blob_file import BlobFiles
from regsweep.verify.blob_object import BlobObjects
from regsweep.verify.blob_reader import BlobReader
from regsweep.verify.feed import Blob, Feed
from regsweep.verify.findings import Finding, Wrong, describe, find_missing
from regsweep.verify.rate import TokenBucket
from regsweep.verify.state import Pass, StateFile

if TYPE_CHECKING:
    from regsweep.opened import Opened

# How often progress is told, and Ctrl-C seen.
_TICK_SECONDS = 0.1
_SAVE_SECONDS = 5.0
# The longest manifest that a registry takes (``maxManifestBodySize`` in distribution's handlers/manifests.go).
_MAX_MANIFEST_BYTES = 4 << 20


@dataclass
class VerifyProgress:
    """How far a verification is. Counts only grow.

    Attributes:
        total_count: blobs that are to be verified, in this run and before.
        total_bytes: their size.
        skipped_count: blobs that an earlier run has verified.
        skipped_bytes: their size.
        checked_count: blobs that this run has checked.
        read_bytes: what it has read.
        finding_count: what is wrong so far.
        seconds: how long it has been reading.
    """

    total_count: int = 0
    total_bytes: int = 0
    skipped_count: int = 0
    skipped_bytes: int = 0
    checked_count: int = 0
    read_bytes: int = 0
    finding_count: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Verification:
    """What a verification has shown.

    Attributes:
        findings: what is wrong, by digest.
        progress: how far it came.
        not_here_count: digests that are referred to and need not be stored: platforms of an index that were never
            pushed, foreign layers and the like.
        gone_count: blobs that were removed while it went on, and that no image needs.
        unreadable_links: key and error of links that cannot be read.
        damaged: links that cannot be understood.
        notes: what else is odd.
        state_error: why it could not be kept how far it came, where that was asked for.
        interrupted: it was ended before it was through.
    """

    findings: list[Finding]
    progress: VerifyProgress
    not_here_count: int
    gone_count: int
    unreadable_links: list[tuple[str, str]]
    damaged: list[Note]
    notes: list[Note]
    state_error: StateError | None
    interrupted: bool

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong in what was looked at."""
        return not (self.findings or self.unreadable_links or self.damaged)


def verify(
    store: Opened,
    *,
    repositories: Sequence[str],
    jobs: int | None,
    max_rate: float | None,
    state: str | None,
    scanning: Callable[[_core.Progress], None] | None,
    progress: Callable[[VerifyProgress], None] | None,
    clock: Callable[[], float] = time.monotonic,
    wait: Callable[[float], object] | None = None,
) -> Verification:
    """What ``Store.verify`` does, with a clock (seconds that only grow) and a way to wait that goes with it."""
    with contextlib.ExitStack() as stack:
        keeper = None
        if state is not None:
            # Before anything else, so that a file that will not do costs nothing.
            file = stack.enter_context(StateFile(state, store=store, repositories=repositories))
            keeper = _Keeper(file, clock)
        try:
            inventory = _limited(store.core.inventory(progress=scanning), repositories)
            run = Run(store, inventory, keeper, max_rate, clock, wait)
            interrupted = run.check_all(jobs or default_jobs(), progress)
            return run.result(interrupted=interrupted)
        except _core.CoreError as error:
            raise StorageError.from_core(error) from error


def default_jobs() -> int:
    """Threads that read and hash: two for each core, for one of them may be waiting for the disk."""
    return min(16, 2 * len(os.sched_getaffinity(0)))


def _limited(inventory: Inventory, patterns: Sequence[str]) -> Inventory:
    """What the repositories reach that match the patterns; everything without any."""
    if not patterns:
        return inventory
    from regsweep.policy import patterns as grammar

    try:
        matches = grammar.repositories(patterns)
    except grammar.PatternError as error:
        raise RepositoryPatternError(str(error), key=", ".join(patterns)) from error
    chosen = [index for index, name in enumerate(inventory.repositories()) if matches(name)]
    if not chosen:
        raise RepositoryPatternError(f"no repository matches {', '.join(patterns)}", key=", ".join(patterns))
    return inventory.within(chosen)


class _Keeper:
    """Saves the position now and then, and in the end.

    Raises:
        StateError: it cannot be saved at the beginning. What goes wrong later ends nothing: days of reading are worth
            more than the note of it.
    """

    def __init__(self, file: StateFile, clock: Callable[[], float]) -> None:
        self.begun = file.begun
        self.error: StateError | None = None
        self._file = file
        self._clock = clock
        self._due = clock() + _SAVE_SECONDS
        file.save(file.begun.position)

    def save_if_due(self, feed: Feed) -> None:
        """Saves, unless that was done a moment ago."""
        started = self._clock()
        if started < self._due:
            return
        self.save(feed, is_complete=False)
        ended = self._clock()
        # Where everything is damaged the file is long: no more than a twentieth of the time goes into it.
        self._due = ended + max(_SAVE_SECONDS, 20 * (ended - started))

    def save(self, feed: Feed, *, is_complete: bool) -> None:
        """Saves."""
        try:
            self._file.save(feed.position(), is_complete=is_complete)
            self.error = None
        except StateError as error:
            self.error = error


class _Stopped(Exception):
    """The run is to end."""


class Run:
    """A verification at work. Threads add what they find under the lock.

    Args:
        root: the storage root.
        inventory: what is to be checked.
        keeper: of the position, where it is kept.
        max_rate: bytes a second.
        clock: seconds that only grow.
        wait: waits for so many seconds; by default until then or until the run is to end.
    """

    def __init__(
        self,
        store: Opened,
        inventory: Inventory,
        keeper: _Keeper | None,
        max_rate: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], object] | None = None,
    ) -> None:
        self._store = store
        self._inventory = inventory
        self._keeper = keeper
        begun = keeper.begun if keeper is not None else Pass(0.0)
        self._feed = Feed(inventory, begun.position, begun.rewritten_since)
        self._stop = threading.Event()
        self._bucket = None if max_rate is None else TokenBucket(max_rate, wait=wait or self._stop.wait, clock=clock)
        self._missing, self._not_here_count = find_missing(inventory)
        self._lock = threading.Lock()
        self._wrong = [Wrong(digest, error=error) for digest, error in inventory.unreadable]
        self._gone: list[str] = []
        self._errors: list[BaseException] = []
        self._counts = VerifyProgress(inventory.blob_count, inventory.size_bytes)
        self._clock = clock
        self._started = clock()

    def check_all(self, jobs: int, progress: Callable[[VerifyProgress], None] | None) -> bool:
        """Lets threads check what is not verified yet; tells whether they were interrupted."""
        threads: list[threading.Thread] = []
        interrupted = False
        try:
            for number in range(jobs):
                # Daemons: one that hangs in a dying disk must not keep the process from ending.
                thread = threading.Thread(target=self._check_until_end, name=f"verify-{number}", daemon=True)
                try:
                    thread.start()
                except RuntimeError:
                    # Where no more threads are to be had (a container's limit), those that run do the work.
                    if not threads:
                        raise
                    break
                threads.append(thread)
            while working := [thread for thread in threads if thread.is_alive()]:
                working[0].join(_TICK_SECONDS)
                if self._keeper is not None:
                    self._keeper.save_if_due(self._feed)
                if progress is not None:
                    progress(self._progress())
            # Also where everything was done before the first tick.
            if progress is not None:
                progress(self._progress())
        except KeyboardInterrupt:
            interrupted = True
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()
        if self._keeper is not None:
            self._keeper.save(self._feed, is_complete=not (interrupted or self._errors))
        if self._errors:
            raise self._errors[0]
        return interrupted

    def result(self, *, interrupted: bool) -> Verification:
        """What was found."""
        described = describe(self._inventory, self._wrong, self._gone)
        findings = sorted([*self._missing, *described], key=lambda finding: finding.digest)
        return Verification(
            findings=findings,
            progress=self._progress(),
            not_here_count=self._not_here_count,
            gone_count=len(self._gone) - sum(finding.kind == "missing" for finding in described),
            unreadable_links=self._inventory.unreadable_links,
            damaged=self._inventory.damaged,
            notes=self._inventory.notes,
            state_error=self._keeper.error if self._keeper is not None else None,
            interrupted=interrupted,
        )

    def _progress(self) -> VerifyProgress:
        with self._lock:
            self._counts.skipped_count = self._feed.skipped_count
            self._counts.skipped_bytes = self._feed.skipped_bytes
            self._counts.finding_count = len(self._missing) + len(self._wrong)
            self._counts.seconds = self._clock() - self._started
            return replace(self._counts)

    def _check_until_end(self) -> None:
        """What each thread does: checks blobs until there is none, or the run is to end."""
        try:
            with self._open() as blobs:
                while not self._stop.is_set() and (blob := self._feed.take()) is not None:
                    self._check(blobs, blob)
        except _Stopped:
            pass
        except BaseException as error:
            # Raised again by the thread that waits.
            with self._lock:
                self._errors.append(error)
            self._stop.set()

    def _open(self) -> BlobReader:
        if self._store.location:
            return BlobObjects(self._store.core)
        root = self._store.root
        try:
            return BlobFiles(root)
        except OSError as error:
            message = f"cannot open {root}: {error.strerror}"
            raise StorageError(message, kind="io", operation="open", key=root) from error

    def _check(self, blobs: BlobReader, blob: Blob) -> None:
        wrong = gone = None
        try:
            wrong = self._compare(blobs, blob.digest)
        except FileNotFoundError:
            gone = blob.digest
        except OSError as error:
            wrong = Wrong(blob.digest, error=error.strerror or str(error))
        if wrong is None:
            self._feed.verified(blob)
        with self._lock:
            self._counts.checked_count += 1
            if wrong is not None:
                self._wrong.append(wrong)
            if gone is not None:
                self._gone.append(gone)

    def _compare(self, blobs: BlobReader, digest: str) -> Wrong | None:
        found, size_bytes = blobs.hash(digest, self._account_for)
        if found == digest:
            return None
        if size_bytes <= _MAX_MANIFEST_BYTES:
            content = blobs.read(digest, _MAX_MANIFEST_BYTES)
            if content is not None and schema1.matches(content, digest):
                return None
        # Once more: 2.8 writes manifests in place, and a cable or memory that errs does not err the same way twice.
        found, size_bytes = blobs.hash(digest, self._account_for)
        return None if found == digest else Wrong(digest, size_bytes)

    def _account_for(self, count: int) -> None:
        """Counts what was read, waits as long as the rate demands, and ends the thread's work where it is to end."""
        with self._lock:
            self._counts.read_bytes += count
        if self._bucket is not None:
            self._bucket.take(count)
        if self._stop.is_set():
            raise _Stopped
