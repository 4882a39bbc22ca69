"""Condemned lists: what was found dead is written down instead of moved, and removed once it is found dead again.

::

    apply → condemned ─ the quarantine period ─ mark with the list: what it names and is dead still → purged
                                                                       all else stays where it is

A list is a plan: rows, checksum and all, narrowed down to what was dead when it was applied. So whatever it says, only
what is dead at the second mark goes, too. Nothing is moved before, so that nothing has to be confirmed, and forgetting
the list undoes it. Its end is another than that of a quarantine: between purge's mark and its removals there is a time
in which a push that re-uses an old blob is not seen, and what it needed cannot be had back.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from regsweep import _core, descriptor_cache, plan, safety
from regsweep._core import Purged, Removed
from regsweep.errors import GuardRefused, PlanError, StorageError
from regsweep.journal import Journal, Run, unfinished
from regsweep.library import Marks, Store

if TYPE_CHECKING:
    from regsweep.callbacks import ProgressCallback
    from regsweep.lock import StoreLock


@dataclass(frozen=True)
class Condemned:
    """What an application has written down.

    Attributes:
        totals: what is on the run's list.
        earlier: what is dead as well, and on the list of an earlier run that was not purged yet: it is not condemned
            twice.
    """

    totals: plan.Totals
    earlier: plan.Totals


def condemn(
    journal: Journal,
    run: Run,
    path: str | os.PathLike[str],
    head: plan.Head,
    marks: Marks,
    clock: Callable[[], float],
) -> Condemned:
    """Writes down what a plan names and marking has found dead. Nothing is moved or removed.

    Args:
        journal: of the store.
        run: the one that applies the plan. It is ``condemned`` afterwards, or ``purged`` where nothing is left to go.
        path: the plan.
        head: its head.
        marks: of the store as it is, with the plan.
        clock: seconds since 1970.

    Raises:
        PlanError: the plan was changed since it was read, or there is no room for the list on this machine.
        JournalError: the list cannot be kept, or an earlier one cannot be read.
    """
    try:
        with tempfile.TemporaryFile() as rows, tempfile.TemporaryFile() as whole:
            row_count, sha256, totals, earlier = _core.narrow_plan(path, marks.core, _unpurged(journal), rows.fileno())
            found = Condemned(plan.Totals(*totals), plan.Totals(*earlier))
            rows.seek(0)
            whole.write(replace(head, totals=found.totals).text().encode())
            shutil.copyfileobj(rows, whole)
            whole.write(plan.end_line(row_count, sha256).encode())
            whole.seek(0)
            journal.keep_condemned(run.id, whole)
    except (_core.CoreError, OSError) as error:
        raise PlanError(f"{path}: cannot be condemned: {error}", key=str(path)) from error
    run.state = "condemned" if found.totals.items else "purged"
    counts = found.totals
    run.note(
        clock(),
        "condemned",
        tags=counts.tags,
        manifests=counts.manifests,
        layer_links=counts.layer_links,
        blobs=counts.blobs,
        bytes=counts.bytes,
    )
    journal.save(run)
    return found


def names_nothing_new(store: Store, path: str | os.PathLike[str]) -> bool:
    """Whether all that a plan names is on lists that were not purged yet.

    Raises:
        PlanError: the plan cannot be read.
        JournalError: a list cannot be read.
    """
    earlier = _unpurged(Journal(store.own_files))
    try:
        return bool(earlier) and _core.count_rows_beyond(path, earlier) == 0
    except (_core.CoreError, OSError) as error:
        raise PlanError(f"{path}: {error}", key=str(path)) from error


def is_condemned(run: Run) -> bool:
    """Whether a run waits for its list to be purged, or for that to be finished."""
    return run.set_aside == "condemn" and run.state in ("condemned", "purging")


def seconds_left(run: Run, now: float, older_than: float, settle: float) -> float:
    """How long a condemned run has to wait: for the quarantine period, and for requests in flight in any case."""
    written = run.application
    return float(written["at"]) + max(older_than, settle) - now if written else float("inf")


def _unpurged(journal: Journal) -> list[_core.Plan]:
    return [_rows(journal, run) for run in journal.runs() if is_condemned(run)]


def _rows(journal: Journal, run: Run) -> _core.Plan:
    with journal.condemned(run.id) as file:
        return plan.parse_rows(file.read(), journal.condemned_key(run.id))


def cache_refusals(store: Store, cache: str | None) -> Iterator[tuple[str, str]]:
    """Why what is condemned must not be removed behind a registry's cache: guards, and what they say.

    Args:
        store: where.
        cache: its kind; ``None`` where nobody knows, which is not asked here.
    """
    if cache == "inmemory":
        yield (
            safety.CACHE_CANNOT_FORGET,
            "the registry caches blob descriptors in memory (storage.cache.blobdescriptor: inmemory), and would take "
            "for present what is removed by a condemned list, until it is restarted. Forget the list ('regsweep undo') "
            "and set aside by copies ('regsweep apply --set-aside copy'); or stop the registry or set it read-only, "
            "purge with this guard off, and restart every registry process afterwards",
        )
    elif cache == "redis" and not _has_redis(store):
        yield (
            safety.CACHE_NOT_CLEARED,
            "the registry caches blob descriptors in Redis, which has to be cleared right after the removal of what is "
            "condemned: give the registry's configuration file instead of the storage",
        )


def _has_redis(store: Store) -> bool:
    return store.config is not None and store.config.cache == "redis"


@dataclass(frozen=True)
class PurgedList:
    """What was removed of a condemned list.

    Attributes:
        listed: what the list amounts to.
        removed: what really went.
        tags: what was removed of tags' directories, which are set aside for a moment; ``None`` where that was not
            reached.
    """

    listed: plan.Totals
    removed: Removed
    tags: Purged | None = None

    @property
    def blob_count(self) -> int:
        """Blobs that went."""
        return self.removed.blob_count

    @property
    def blob_bytes(self) -> int:
        """Their size."""
        return self.removed.blob_bytes

    @property
    def failures(self) -> list[_core.RemovalFailure]:
        """What was to go and is still there."""
        return [*self.removed.failures, *(self.tags.failures if self.tags else [])]

    @property
    def interrupted(self) -> bool:
        """Whether it was asked to stop before it was through."""
        return self.removed.interrupted or (self.tags is not None and self.tags.interrupted)

    @property
    def spared_count(self) -> int:
        """Things on the list that stayed: they became reachable, or were gone."""
        removed = self.removed
        gone = removed.tag_count + removed.manifest_count + removed.layer_link_count + removed.blob_count
        return max(0, self.listed.items - gone - len(removed.failures))


def purge_list(
    store: Store,
    journal: Journal,
    run: Run,
    *,
    lock: StoreLock,
    overrides: Collection[str],
    clock: Callable[[], float],
    progress: ProgressCallback | None,
) -> tuple[PurgedList, Marks]:
    """Marks again with a run's list, and removes for good what it names and nothing needs. Done again, it goes on.

    Raises:
        GuardRefused: a guard refuses what was marked. Nothing of the list was removed.
        PlanError: the list is not as it was written. Nothing of it was removed.
        CacheError: the registry's cache cannot be cleared. Nothing of the list was removed.
        StorageError: marking failed. Nothing of the list was removed.
        UnfinishedError: removing was begun, and then an error ended it.
    """
    with journal.condemned(run.id) as file:
        content = file.read()
    name = journal.condemned_key(run.id)
    head = plan.parse_head(content, name)
    rows = plan.parse_rows(content, name)
    # Before as well: where the cache cannot be reached nothing goes, and there is little in it by the time it matters.
    # And before the mark, so that the time between that and the removals is short.
    _forget_descriptors(store, journal, run)
    catalog = store.scan(progress=progress)
    marks = catalog.mark_plan(rows, cutoff=head.cutoff, accept_damage=head.accept_damage, progress=progress)
    refusals = safety.check(marks, overrides={*overrides, *head.overrides})
    if refusing := safety.refusing(refusals):
        raise GuardRefused(refusing)
    lock.check()
    run.state = "purging"
    journal.save(run)
    try:
        removed = _core.remove_eligible(marks.core, run_name=run.id, permanently=True, progress=progress)
    except _core.CoreError as error:
        raise StorageError.from_core(error) from error
    with unfinished(f"what run {run.id} has condemned was being removed", "purge again"):
        # Also after an interruption: what is gone has to be forgotten.
        entries = _forget_descriptors(store, journal, run)
        tags = None if removed.interrupted else _core.purge(store.core, run.id, progress=progress)
        done = PurgedList(head.totals, removed, tags)
        _finish(journal, run, done, entries, clock)
    return done, marks


def _forget_descriptors(store: Store, journal: Journal, run: Run) -> int | None:
    """Clears the registry's Redis of what a list names; ``None`` where it has none."""
    if store.config is None or not _has_redis(store):
        return None
    with journal.condemned(run.id) as file:
        return descriptor_cache.forget(store.config, file)


def _finish(journal: Journal, run: Run, done: PurgedList, entries: int | None, clock: Callable[[], float]) -> None:
    if entries is not None:
        run.note(clock(), "forgotten", entries=entries)
    if not (done.interrupted or done.failures):
        run.state = "purged"
    removed = done.removed
    run.note(
        clock(),
        "purged",
        tags=removed.tag_count,
        manifests=removed.manifest_count,
        layer_links=removed.layer_link_count,
        tag_history_links=removed.tag_history_link_count,
        blobs=removed.blob_count,
        bytes=removed.blob_bytes,
        failures=len(done.failures),
    )
    journal.save(run)
