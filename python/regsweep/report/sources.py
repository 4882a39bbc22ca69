"""Where reports come from: a plan's file, a plan that was just made, a store."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from regsweep import plan as plans
from regsweep import quarantine
from regsweep.errors import PlanError
from regsweep.journal import HOLDING, Journal, Run
from regsweep.plan import Totals
from regsweep.report.aggregate import add_up
from regsweep.report.model import DEFAULT_TOP, Contents, Findings, Held, Report, Subject
from regsweep.report.rows import PlanFile, rows_of

if TYPE_CHECKING:
    from regsweep.callbacks import ProgressCallback
    from regsweep.library import Marks, Store


def of_plan(path: str | os.PathLike[str], *, top: int = DEFAULT_TOP) -> Report:
    """What a plan's file says. It is read once, a row at a time; a pipe will do.

    Args:
        path: the plan.
        top: how many repositories, reasons, rules and blobs are told apart.

    Raises:
        PlanError: it cannot be read, is no plan of this format, or was changed since it was written.
    """
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - also takes what is no path of its own
            plan = PlanFile(file, str(path))
            rows = plan.rows()
            try:
                contents = add_up(rows, top)
            except ValueError as error:
                raise PlanError(f"{path}: a row of it is not understood: {error}", key=str(path)) from error
    except OSError as error:
        raise PlanError(f"{path}: cannot be read: {error.strerror}", key=str(path)) from error
    return Report("plan", plan.head.root, plan.head, contents)


def of_made(
    made: plans.Plan,
    store: Store,
    *,
    of: Subject = "plan",
    top: int = DEFAULT_TOP,
    clock: Callable[[], float] = time.time,
) -> Report:
    """What a plan says that was just made, and what marking found beside it.

    Args:
        made: the plan.
        store: what it was made of.
        of: what the report is of.
        top: how many repositories, reasons, rules and blobs are told apart.
        clock: seconds since 1970.

    Raises:
        JournalError: what runs have left cannot be read.
        StorageError: what marking set aside cannot be read back.
    """
    return Report(of, store.root, made.head, _contents(made.marks, top), _findings(made), held_by(store, clock=clock))


def of_store(
    store: Store,
    *,
    top: int = DEFAULT_TOP,
    min_age: float = plans.DEFAULT_MIN_AGE_SECONDS,
    clock: Callable[[], float] = time.time,
    progress: ProgressCallback | None = None,
) -> Report:
    """What nothing needs in a store, what marking found beside it, and what lies in quarantine. Removes nothing.

    Args:
        store: where.
        top: how many repositories, reasons, rules and blobs are told apart.
        min_age: seconds; nothing younger counts, nor what it needs.
        clock: seconds since 1970.
        progress: called about ten times a second, from this thread.

    Raises:
        StorageError: something could not be listed or read, so that nothing is known.
        JournalError: what runs have left cannot be read.
    """
    made = plans.make(store, mode="garbage", min_age=min_age, progress=progress)
    return of_made(made, store, of="store", top=top, clock=clock)


def held_by(store: Store, *, clock: Callable[[], float] = time.time) -> tuple[Held, ...]:
    """The runs that may have something in quarantine, the oldest first.

    Raises:
        JournalError: what runs have left cannot be read.
    """
    return tuple(_held(run, clock()) for run in Journal(store.root).runs() if run.state in HOLDING)


def _held(run: Run, now: float) -> Held:
    applied = run.last("applied")
    counts = applied or {}
    return Held(
        id=run.id,
        state=run.state,
        since=applied["at"] if applied else None,
        totals=Totals(**{name: counts.get(name, 0) for name in ("tags", "manifests", "layer_links", "blobs", "bytes")}),
        waits_for=quarantine.waits_for(
            run, now, quarantine.DEFAULT_SETTLE_SECONDS, quarantine.DEFAULT_QUARANTINE_SECONDS
        ),
    )


def _contents(marks: Marks, top: int) -> Contents:
    with rows_of(marks) as rows:
        return add_up(rows, top)


def _findings(made: plans.Plan) -> Findings:
    marks = made.marks
    return Findings(
        damaged=tuple(marks.damaged),
        broken=tuple(marks.broken),
        notes=tuple(marks.notes),
        refusals=tuple(made.refusals),
        stored_blob_count=marks.blob_count,
        quarantined_live_count=marks.quarantined_live_count,
    )
