"""What happens to a run after it was applied: confirmed, purged, or undone.

::

    apply → quarantined ─ settle ─ forget the cache ─ settle ─ mark, bring back what is live → confirmed
                                                                                                 │ the quarantine period
                                             purged ← remove for good ← mark, bring back what is live

Each mark is one over the store and every quarantine, in which every link of the registry is a root: what is set aside
comes back as soon as anything leads to it. Runs that set nothing aside and only condemn have a way of their own
(``condemned``).
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from regsweep import _core, condemned, descriptor_cache, safety
from regsweep._core import Purged, Restored
from regsweep.condemned import PurgedList
from regsweep.errors import GuardRefused, Refusal, RunError, StorageError
from regsweep.journal import HOLDING, Journal, Run, State, unfinished
from regsweep.library import Marks, Store
from regsweep.lock import StoreLock
from regsweep.units import format_duration

if TYPE_CHECKING:
    from regsweep.callbacks import ProgressCallback

DEFAULT_SETTLE_SECONDS = 600.0
DEFAULT_QUARANTINE_SECONDS = 7 * 24 * 3600.0
# A process's start is known to a second or so.
_START_SLACK_SECONDS = 2.0


@dataclass(frozen=True)
class Waiting:
    """How to wait.

    Attributes:
        settle: seconds that requests in flight are given to end.
        clock: seconds since 1970.
        sleep: waits so many seconds; ``None`` to be refused instead of waiting.
    """

    settle: float = DEFAULT_SETTLE_SECONDS
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] | None = time.sleep

    def until(self, moment: float, what: str) -> None:
        """Waits until a moment.

        Raises:
            GuardRefused: it lies ahead, and waiting is not wanted.
        """
        while (left := moment - self.clock()) > 0:
            if self.sleep is None:
                message = f"{what} needs {format_duration(left)} more"
                raise GuardRefused([Refusal(safety.NOT_SETTLED, message, overridden=False)])
            self.sleep(left)


@dataclass(frozen=True)
class Confirmed:
    """What a confirmation has done.

    Attributes:
        runs: those that are confirmed now.
        restored: what came back.
        marks: of the mark that it went by.
        forgotten: entries removed from the registry's Redis; ``None`` where it has none.
    """

    runs: list[Run]
    restored: Restored
    marks: Marks
    forgotten: int | None = None


def confirm(
    store: Store,
    run_id: str | None = None,
    *,
    waiting: Waiting | None = None,
    progress: ProgressCallback | None = None,
) -> Confirmed:
    """Brings back whatever is reachable of what runs have set aside, once requests in flight have ended.

    Args:
        store: where.
        run_id: the run that is to be confirmed; by default all that wait for it.
        waiting: how to wait for requests in flight.
        progress: called about ten times a second, from this thread.

    Raises:
        RunError: there is no such run, or it holds nothing any more.
        GuardRefused: it is too early, and waiting is not wanted. Nothing was changed.
        CacheError: the registry's cache could not be cleared. Nothing was brought back yet.
        StorageError: marking failed. Nothing was brought back.
        UnfinishedError: what is live was brought back, and the runs' record could not be written.
    """
    waiting = waiting or Waiting()
    journal = Journal(store.own_files)
    with StoreLock(store.own_files, "confirm") as lock:
        runs = _chosen(journal, run_id)
        forgotten = _settle(store, journal, runs, waiting)
        lock.check()
        marks, restored = _restore(store, journal, progress)
        with unfinished("what is live was brought back", "confirm again"):
            for run in runs:
                if not (restored.interrupted or restored.failures):
                    run.state = "confirmed"
                run.note(waiting.clock(), "confirmed", **_counts(restored))
                journal.save(run)
    return Confirmed(runs, restored, marks, forgotten)


def waiting_runs(store: Store) -> list[Run]:
    """Runs that were applied and not confirmed yet."""
    return [run for run in Journal(store.own_files).runs() if run.state == "quarantined"]


def _chosen(journal: Journal, run_id: str | None) -> list[Run]:
    if run_id is None:
        return [run for run in journal.runs() if run.state in ("quarantined", "confirmed")]
    return [_find(journal, run_id, ("quarantined", "confirmed"))]


def _find(journal: Journal, run_id: str, states: Collection[str]) -> Run:
    run = journal.find(run_id)
    if run is None:
        raise RunError(f"there is no run {run_id}", key=run_id, next_step="'regsweep runs' lists them")
    if run.state not in states:
        hint = _HINTS.get(run.state, "'regsweep runs' says what became of it")
        raise RunError(f"the run {run_id} is {run.state}", key=run_id, next_step=hint)
    return run


_HINTS: dict[State, str] = {
    "applying": "apply its plan again to finish it",
    "condemned": "it has moved nothing that could come back: 'regsweep purge' marks again and removes what is still "
    "dead, 'regsweep undo' forgets its list",
}


def _settle(store: Store, journal: Journal, runs: Sequence[Run], waiting: Waiting) -> int | None:
    """Lets requests end, clears the registry's cache, and lets those end that may have filled it again meanwhile."""
    for run in runs:
        if applied := run.last("applied"):
            waiting.until(applied["at"] + waiting.settle, f"run {run.id}: requests that were in flight")
    config = store.config
    if config is None or config.cache != "redis":
        return None
    forgotten = 0
    for run in runs:
        if run.last("forgotten") is None:
            with journal.plan(run.id) as plan:
                count = descriptor_cache.forget(config, plan)
            run.note(waiting.clock(), "forgotten", entries=count)
            journal.save(run)
            forgotten += count
        if cleared := run.last("forgotten"):
            waiting.until(cleared["at"] + waiting.settle, f"run {run.id}: requests that saw the old cache")
    return forgotten


def _restore(store: Store, journal: Journal, progress: ProgressCallback | None) -> tuple[Marks, Restored]:
    """A mark over the store and every quarantine, and what it finds live brought back."""
    catalog = store.scan(progress=progress)
    begun = [moment for run in journal.runs() if run.state in HOLDING if (moment := journal.begun(run.id)) is not None]
    # A manifest that was just uploaded and not linked yet protects what it names, as does a young layer link.
    marks = catalog.mark(cutoff=int(min(begun, default=catalog.started)), progress=progress)
    return marks, _core.restore(marks.core, progress=progress)


def _counts(restored: Restored) -> dict[str, int]:
    return {
        "tags": restored.tag_count,
        "manifests": restored.manifest_count,
        "layer_links": restored.layer_link_count,
        "tag_history_links": restored.tag_history_link_count,
        "blobs": restored.blob_count,
        "failures": len(restored.failures),
    }


@dataclass(frozen=True)
class PurgedRuns:
    """What a purge has done.

    Attributes:
        purged: the runs that are gone, with what was removed of each.
        early: runs that have to wait, and for how many seconds.
        restored: what came back before.
        marks: of the last mark that was made.
    """

    purged: list[tuple[Run, Purged | PurgedList]]
    early: list[tuple[Run, float]]
    restored: Restored | None = None
    marks: Marks | None = None

    @property
    def failures(self) -> list[_core.RemovalFailure]:
        """What could not be moved back or removed."""
        back = self.restored.failures if self.restored else []
        return [*back, *(failure for _, purged in self.purged for failure in purged.failures)]


@dataclass(frozen=True)
class Registries:
    """What is known of the registry's processes, where its cache lives in their memory.

    Attributes:
        started: when each of them was started, in seconds since 1970.
        restarted: the operator's word that all of them were restarted since.
        cache: the kind of cache, where no configuration says it: ``none``, ``inmemory`` or ``redis``.
    """

    started: tuple[float, ...] = ()
    restarted: bool = False
    cache: str | None = None

    def cache_of(self, store: Store) -> str | None:
        """The kind of cache that the registry of a store has; ``None`` where nothing says it."""
        return self.cache if store.config is None else store.config.cache or "none"


def purge(
    store: Store,
    *,
    older_than: float = DEFAULT_QUARANTINE_SECONDS,
    settle: float = DEFAULT_SETTLE_SECONDS,
    registries: Registries | None = None,
    overrides: Collection[str] = (),
    clock: Callable[[], float] = time.time,
    progress: ProgressCallback | None = None,
) -> PurgedRuns:
    """Removes for good what confirmed runs hold, after a mark of its own has brought back what is live; and what
    condemned runs have on their lists, as far as a mark of its own finds it dead again.

    Args:
        store: where.
        older_than: seconds; what was set aside or condemned later stays.
        settle: seconds that requests in flight are given to end; what was condemned later stays in any case.
        registries: what is known of the registry's processes and cache.
        overrides: guards that are switched off, by name (``safety.GUARDS``).
        clock: seconds since 1970.
        progress: called about ten times a second, from this thread.

    Raises:
        GuardRefused: a registry may still take what is set aside for present, or would what is condemned. Nothing was
            removed. Or a guard refuses what was marked with a condemned list: nothing of that was removed.
        StorageError: marking failed. Nothing more was removed.
        CacheError: the registry's cache cannot be cleared. Nothing more of condemned lists was removed.
        PlanError: a condemned list is not as it was written. Nothing of it was removed.
        UnfinishedError: a quarantine could not be listed, or a run's record not be written; or one of the above, after
            something was removed.
    """
    journal = Journal(store.own_files)
    with StoreLock(store.own_files, "purge") as lock:
        lists, due, early = _due(journal, clock(), older_than, settle)
        if not (lists or due):
            return PurgedRuns([], early)
        refusals = _cache_refusals(store, lists, due, registries or Registries(), overrides)
        if refusing := safety.refusing(refusals):
            raise GuardRefused(refusing)
        done: list[tuple[Run, Purged | PurgedList]] = []
        marks: Marks | None = None
        for run in lists:
            with _after(done):
                purged, marks = condemned.purge_list(
                    store, journal, run, lock=lock, overrides=overrides, clock=clock, progress=progress
                )
            done.append((run, purged))
            if purged.interrupted:
                return PurgedRuns(done, early, marks=marks)
        if not due:
            return PurgedRuns(done, early, marks=marks)
        with _after(done):
            marks, restored = _restore(store, journal, progress)
        if restored.failures or restored.interrupted:
            # What could not come back may be all that is left of something live.
            return PurgedRuns(done, early, restored, marks)
        with unfinished("what is live was brought back, and purging was begun", "purge again"):
            for run in due:
                lock.check()
                done.append((run, _purge_run(store, journal, run, clock, progress)))
                if done[-1][1].interrupted:
                    break
        return PurgedRuns(done, early, restored, marks)


def _after(done: Sequence[object]) -> contextlib.AbstractContextManager[None]:
    """An error is another one where lists were purged before."""
    return unfinished("what earlier runs had condemned was purged", "purge again") if done else contextlib.nullcontext()


def _due(
    journal: Journal, now: float, older_than: float, settle: float
) -> tuple[list[Run], list[Run], list[tuple[Run, float]]]:
    """Runs whose condemned lists are due, runs whose quarantines are, and those of both kinds that have to wait."""
    lists: list[Run] = []
    due: list[Run] = []
    early: list[tuple[Run, float]] = []
    for run in journal.runs():
        if condemned.is_condemned(run):
            left, place = condemned.seconds_left(run, now, older_than, settle), lists
        elif run.state in ("confirmed", "purging"):
            left, place = _set_aside_at(run) + older_than - now, due
        else:
            continue
        if left <= 0:
            place.append(run)
        else:
            early.append((run, left))
    return lists, due, early


def _purge_run(
    store: Store, journal: Journal, run: Run, clock: Callable[[], float], progress: ProgressCallback | None
) -> Purged:
    run.state = "purging"
    journal.save(run)
    purged = _core.purge(store.core, run.id, progress=progress)
    if not (purged.interrupted or purged.failures):
        _forget_hidden(store, run)
        run.state = "purged"
    run.note(clock(), "purged", blobs=purged.blob_count, bytes=purged.blob_bytes, failures=len(purged.failures))
    journal.save(run)
    return purged


def _forget_hidden(store: Store, run: Run) -> None:
    """Nothing of a run is hidden any more but what was pushed again since."""
    if run.set_aside == "delete-marker":
        store.core.forget_hidden(run.id)


def _set_aside_at(run: Run) -> float:
    applied = run.last("applied")
    return float(applied["at"]) if applied else float("inf")


def _cache_refusals(
    store: Store, lists: Sequence[Run], held: Sequence[Run], registries: Registries, overrides: Collection[str]
) -> list[Refusal]:
    """A registry whose cache still holds what goes acknowledges pushes that need it."""
    cache = registries.cache_of(store)
    found: list[tuple[str, str]] = []
    if cache is None:
        message = (
            "nothing says whether the registry caches blob descriptors: give its configuration file instead of the "
            "storage root, or say --cache none, --cache redis or --cache inmemory"
        )
        found.append((safety.CACHE_UNKNOWN, message))
    if lists:
        found += condemned.cache_refusals(store, cache)
    if held:
        found += _held_refusals(cache, held, registries)
    return [Refusal(guard, message, overridden=guard in overrides) for guard, message in found]


def _held_refusals(cache: str | None, runs: Sequence[Run], registries: Registries) -> Iterator[tuple[str, str]]:
    if cache == "inmemory":
        latest = max(_set_aside_at(run) for run in runs) + _START_SLACK_SECONDS
        if registries.restarted or descriptor_cache.restarted_since(latest, registries.started):
            return
        yield (
            safety.REGISTRY_NOT_RESTARTED,
            "the registry caches blob descriptors in memory (storage.cache.blobdescriptor: inmemory): until it is "
            "restarted it takes what is set aside for present. Restart every registry process, and show it with "
            "--registry-pid or --registry-started, or say --registry-restarted",
        )
    elif cache == "redis" and (uncleared := [run.id for run in runs if run.last("forgotten") is None]):
        yield (
            safety.CACHE_NOT_CLEARED,
            f"the registry caches blob descriptors in Redis (storage.cache.blobdescriptor: redis), and still takes for "
            f"present what {', '.join(uncleared)} set aside: confirm again, with the registry's configuration file",
        )


@dataclass(frozen=True)
class Undone:
    """What undoing a run has done."""

    run: Run
    restored: Restored
    warnings: list[str] = field(default_factory=list)


def undo(
    store: Store,
    run_id: str,
    *,
    clock: Callable[[], float] = time.time,
    progress: ProgressCallback | None = None,
) -> Undone:
    """Brings back everything that a run has set aside. Where something was pushed anew, that stays. Of a run that has
    only condemned nothing was moved; its list is forgotten.

    Args:
        store: where.
        run_id: the run.
        clock: seconds since 1970.
        progress: called about ten times a second, from this thread.

    Raises:
        RunError: there is no such run, or it holds nothing any more.
        StorageError: the quarantine cannot be listed. Nothing was moved.
        UnfinishedError: all was moved back, and the run's record could not be written.
    """
    journal = Journal(store.own_files)
    with StoreLock(store.own_files, f"undo {run_id}"):
        run = _find(journal, run_id, ("applying", "condemned", "quarantined", "confirmed", "undoing"))
        if run.permanent:
            raise RunError(f"the run {run_id} removed permanently: nothing can be brought back", key=run_id)
        run.state = "undoing"
        journal.save(run)
        try:
            restored = _core.undo(store.core, run_id, progress=progress)
        except _core.CoreError as error:
            raise StorageError.from_core(error) from error
        with unfinished(f"the run {run_id} was undone", "undo it again"):
            if not (restored.failures or restored.interrupted):
                _forget_hidden(store, run)
                run.state = "undone"
            run.note(clock(), "undone", **_counts(restored))
            journal.save(run)
    return Undone(run, restored)


def waits_for(run: Run, now: float, settle: float, older_than: float) -> str:
    """What is to be done about a run next, in words."""
    applied = run.application
    match run.state:
        case "applying":
            return "was interrupted: apply its plan again, or undo it"
        case "undoing":
            return "was interrupted: undo it again"
        case "purging":
            return "was interrupted: purge again"
        case "quarantined" if applied:
            left = applied["at"] + settle - now
            return f"can be confirmed in {format_duration(left)}" if left > 0 else "confirm"
        case "condemned":
            left = condemned.seconds_left(run, now, older_than, settle)
            return f"can be purged in {format_duration(left)}" if left > 0 else "purge"
        case "confirmed" if applied:
            left = applied["at"] + older_than - now
            return f"can be purged in {format_duration(left)}" if left > 0 else "purge"
    return ""
