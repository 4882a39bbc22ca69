"""Applying a plan: mark again, drop what became reachable, set the rest aside.

Whatever a plan says, only what is dead *now* goes, and only what the plan names: its rows and a mark of the store as it
is are intersected. So a plan that is old, edited or meant for another store can remove too little and never too much;
the checks below are there to say so early.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from regsweep import _core, descriptor_cache, identity, plan, safety
from regsweep._core import Purged, Removed
from regsweep.condemned import Condemned, condemn
from regsweep.errors import GuardRefused, JournalError, PlanError, Refusal, StorageError
from regsweep.journal import Journal, Run, unfinished
from regsweep.library import Marks, Store
from regsweep.lock import StoreLock
from regsweep.set_aside import Wanted, Way, way_for
from regsweep.units import format_duration

if TYPE_CHECKING:
    from regsweep.callbacks import ProgressCallback


@dataclass(frozen=True)
class Applied:
    """What applying a plan has done.

    Attributes:
        run: the run, by which it can be confirmed, undone or purged.
        planned: what the plan amounts to.
        removed: what really went; nothing where it was condemned.
        purged: what was removed for good of the tags' directories; only where all was.
        marks: of the mark before the removal: damage, broken images, notes.
        condemned: what was written down instead of moved; ``None`` where things were set aside or removed.
    """

    run: Run
    planned: plan.Totals
    removed: Removed
    marks: Marks
    purged: Purged | None = None
    refusals: list[Refusal] = field(default_factory=list)
    condemned: Condemned | None = None

    @property
    def failures(self) -> list[_core.RemovalFailure]:
        """What was to go and is still there."""
        return [*self.removed.failures, *(self.purged.failures if self.purged else [])]

    @property
    def spared_count(self) -> int:
        """Things of the plan that stayed: they became reachable, or were gone."""
        if self.condemned is not None:
            return self.planned.items - self.condemned.totals.items - self.condemned.earlier.items
        removed = self.removed
        gone = removed.tag_count + removed.manifest_count + removed.layer_link_count + removed.blob_count
        return max(0, self.planned.items - gone - len(removed.failures))


def apply(
    store: Store,
    path: str | os.PathLike[str],
    *,
    permanent: bool = False,
    set_aside: Wanted = "auto",
    overrides: Collection[str] = (),
    max_plan_age: float = plan.DEFAULT_MAX_PLAN_AGE_SECONDS,
    clock: Callable[[], float] = time.time,
    progress: ProgressCallback | None = None,
) -> Applied:
    """Applies a plan. One whose application was interrupted is taken up where it was.

    Args:
        store: the one that the plan was made of.
        path: the plan.
        permanent: remove at once, with no way back. For a registry that is stopped or read-only.
        set_aside: otherwise: how. ``auto`` goes on as it was begun, and takes what suits the store at first.
        overrides: guards that are switched off, by name (``safety.GUARDS``).
        max_plan_age: seconds; an older plan is refused.
        clock: seconds since 1970.
        progress: called about ten times a second, from this thread.

    Raises:
        PlanError: it is no plan, a preview, or was applied already. Nothing was moved.
        GuardRefused: it is too old, of another store, or another guard refuses. Nothing was moved.
        LockedError: somebody else is at work on the store.
        StorageError: marking failed. Nothing was moved.
        UnfinishedError: the plan was applied, and its record could not be written.
        BucketOptionError: the store has no such way to set aside. Nothing was moved.
        ValueError: ``permanent`` sets nothing aside.
    """
    if permanent and set_aside != "auto":
        raise ValueError(f"permanent sets nothing aside, so that set_aside={set_aside!r} says nothing")
    way = None if permanent else way_for(store, set_aside)
    head = plan.read_head(path)
    journal = Journal(store.own_files)
    if head.as_of is not None:
        raise PlanError(
            f"{path}: made for {plan.format_time(head.as_of)}: a preview, which cannot be applied", key=str(path)
        )
    _refuse(_check(head, store, max_plan_age, clock, overrides))
    rows = plan.read_rows(path)
    with StoreLock(store.own_files, f"apply {head.id}") as lock:
        run = _begin(journal, head, path, set_aside, way, clock)
        catalog = store.scan(progress=progress)
        marks = catalog.mark_plan(rows, cutoff=head.cutoff, accept_damage=head.accept_damage, progress=progress)
        refusals = safety.check(marks, overrides={*overrides, *head.overrides})
        if safety.refusing(refusals):
            _note_refusal(journal, run, clock)
            _refuse(refusals)
        lock.check()
        if run.set_aside == "condemn":
            condemned = condemn(journal, run, path, head, marks, clock)
            return Applied(run, head.totals, Removed(), marks, None, refusals, condemned)
        if run.set_aside == "delete-marker":
            store.core.hide_for(run.id)
        try:
            removed = _core.remove_eligible(marks.core, run_name=run.id, permanently=permanent, progress=progress)
        except _core.CoreError as error:
            raise StorageError.from_core(error) from error
        purged = None
        if not removed.interrupted:
            with unfinished("the plan was applied", "apply it again"):
                if permanent:
                    purged = _core.purge(store.core, run.id, progress=progress)
                    _forget_descriptors(journal, store, run, clock)
                _finish(journal, run, removed, purged, clock)
    return Applied(run, head.totals, removed, marks, purged, refusals)


def _check(
    head: plan.Head, store: Store, max_plan_age: float, clock: Callable[[], float], overrides: Collection[str]
) -> list[Refusal]:
    refusals = []
    if not identity.is_same(head.store, identity.of(store)):
        message = f"the plan was made of another store ({head.root}, {head.store}), this is {identity.of(store)}"
        refusals.append((safety.OTHER_STORE, message))
    age = clock() - head.made
    if age > max_plan_age:
        message = f"the plan is {format_duration(age)} old, and {format_duration(max_plan_age)} is the most: plan again"
        refusals.append((safety.PLAN_TOO_OLD, message))
    return [Refusal(guard, message, overridden=guard in overrides) for guard, message in refusals]


def _refuse(refusals: list[Refusal]) -> None:
    if refusing := safety.refusing(refusals):
        raise GuardRefused(refusing)


def _begin(
    journal: Journal,
    head: plan.Head,
    path: str | os.PathLike[str],
    wanted: Wanted,
    way: Way | None,
    clock: Callable[[], float],
) -> Run:
    """The run that applies a plan: a new one, or the one that was interrupted, which goes on in its own way."""
    permanent = way is None
    run = journal.find(head.id)
    if run is None or run.state == "refused":
        run = Run(head.id, "applying", permanent, way)
    elif run.state != "applying":
        raise PlanError(
            f"{path}: the plan was applied already: its run is {run.state}",
            key=str(path),
            next_step="make a new plan; 'regsweep runs' shows what became of this one",
        )
    elif run.permanent != permanent:
        how = "permanently" if run.permanent else "into quarantine"
        raise PlanError(f"{path}: the plan's application was begun {how}: go on in the same way", key=str(path))
    elif wanted not in ("auto", run.set_aside):
        how = f"with --set-aside {run.set_aside}"
        raise PlanError(f"{path}: the plan's application was begun {how}: go on in the same way", key=str(path))
    run.note(clock(), "began")
    try:
        journal.ensure_identity()
        with open(path, "rb") as file:  # noqa: PTH123
            journal.begin(run, file)
    except OSError as error:
        raise JournalError.at(f".regsweep/{head.id}", error) from error
    return run


def _note_refusal(journal: Journal, run: Run, clock: Callable[[], float]) -> None:
    """A run that a guard has stopped before its first move may begin again, with the guard switched off."""
    if len([event for event in run.events if event["what"] == "began"]) == 1:
        run.state = "refused"
        run.note(clock(), "refused")
        journal.save(run)


def _forget_descriptors(journal: Journal, store: Store, run: Run, clock: Callable[[], float]) -> None:
    """What a registry has in Redis outlives its being stopped."""
    if store.config is not None and store.config.cache == "redis":
        with journal.plan(run.id) as file:
            run.note(clock(), "forgotten", entries=descriptor_cache.forget(store.config, file))


def _finish(journal: Journal, run: Run, removed: Removed, purged: Purged | None, clock: Callable[[], float]) -> None:
    # What went in an interrupted application before counts as well.
    run.state = "quarantined" if purged is None else "purged"
    run.note(
        clock(),
        "applied",
        tags=removed.tag_count,
        manifests=removed.manifest_count,
        layer_links=removed.layer_link_count,
        tag_history_links=removed.tag_history_link_count,
        blobs=removed.blob_count,
        bytes=removed.blob_bytes,
        failures=len(removed.failures) + (len(purged.failures) if purged else 0),
    )
    journal.save(run)
