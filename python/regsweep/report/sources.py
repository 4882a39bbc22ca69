"""Where reports come from: a plan's file, a plan that was just made, a store."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO

from regsweep import plan as plans
from regsweep import quarantine
from regsweep.errors import PlanError
from regsweep.journal import WAITING, Journal, Run
from regsweep.plan import Totals
from regsweep.report.aggregate import add_up
from regsweep.report.model import DEFAULT_TOP, Contents, Findings, Held, Report, Subject
from regsweep.report.rows import AddingUp, PlanFile, rows_of, watched

if TYPE_CHECKING:
    from regsweep.callbacks import ProgressCallback
    from regsweep.library import Store


def of_plan(
    path: str | os.PathLike[str],
    *,
    top: int = DEFAULT_TOP,
    adding_up: Callable[[AddingUp], None] | None = None,
) -> Report:
    """What a plan's file says. It is read once, a row at a time; a pipe will do.

    Args:
        path: the plan.
        top: how many repositories, reasons, rules and blobs are told apart.
        adding_up: told how far the adding up of its rows is, from this thread.

    Raises:
        PlanError: it cannot be read, is no plan of this format, or was changed since it was written.
    """
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - also takes what is no path of its own
            plan = PlanFile(file, str(path))
            rows = watched(plan.rows(), lambda _: _share_read(file), adding_up)
            try:
                contents = add_up(rows, top)
            except ValueError as error:
                raise PlanError(f"{path}: a row of it is not understood: {error}", key=str(path)) from error
    except OSError as error:
        raise PlanError(f"{path}: cannot be read: {error.strerror}", key=str(path)) from error
    return Report("plan", plan.head.root, plan.head, contents)


def _share_read(file: BinaryIO) -> float | None:
    status = os.fstat(file.fileno())
    return file.tell() / status.st_size if stat.S_ISREG(status.st_mode) else None


def of_made(
    made: plans.Plan,
    store: Store,
    *,
    of: Subject = "plan",
    top: int = DEFAULT_TOP,
    clock: Callable[[], float] = time.time,
    adding_up: Callable[[AddingUp], None] | None = None,
) -> Report:
    """What a plan says that was just made, and what marking found beside it.

    Args:
        made: the plan.
        store: what it was made of.
        of: what the report is of.
        top: how many repositories, reasons, rules and blobs are told apart.
        clock: seconds since 1970.
        adding_up: told how far the adding up of its rows is, from this thread.

    Raises:
        JournalError: what runs have left cannot be read.
        StorageError: what marking set aside cannot be read back.
    """
    contents = _contents(made, top, adding_up)
    return Report(of, store.root, made.head, contents, _findings(made), held_by(store, clock=clock))


def of_store(
    store: Store,
    *,
    top: int = DEFAULT_TOP,
    min_age: float = plans.DEFAULT_MIN_AGE_SECONDS,
    clock: Callable[[], float] = time.time,
    progress: ProgressCallback | None = None,
    adding_up: Callable[[AddingUp], None] | None = None,
) -> Report:
    """What nothing needs in a store, what marking found beside it, and what lies in quarantine. Removes nothing.

    Args:
        store: where.
        top: how many repositories, reasons, rules and blobs are told apart.
        min_age: seconds; nothing younger counts, nor what it needs.
        clock: seconds since 1970.
        progress: called about ten times a second, from this thread.
        adding_up: told how far the adding up of what it found is, likewise.

    Raises:
        StorageError: something could not be listed or read, so that nothing is known.
        JournalError: what runs have left cannot be read.
    """
    made = plans.make(store, mode="garbage", min_age=min_age, progress=progress)
    return of_made(made, store, of="store", top=top, clock=clock, adding_up=adding_up)


def held_by(store: Store, *, clock: Callable[[], float] = time.time) -> tuple[Held, ...]:
    """The runs that may have something in quarantine or on a condemned list, the oldest first.

    Raises:
        JournalError: what runs have left cannot be read.
    """
    return tuple(_held(run, clock()) for run in Journal(store.own_files).runs() if run.state in WAITING)


def _held(run: Run, now: float) -> Held:
    applied = run.application
    counts = applied or {}
    return Held(
        id=run.id,
        state=run.state,
        since=applied["at"] if applied else None,
        totals=Totals(**{name: counts.get(name, 0) for name in ("tags", "manifests", "layer_links", "blobs", "bytes")}),
        waits_for=quarantine.waits_for(
            run, now, quarantine.DEFAULT_SETTLE_SECONDS, quarantine.DEFAULT_QUARANTINE_SECONDS
        ),
        is_condemned=run.set_aside == "condemn",
    )


def _contents(made: plans.Plan, top: int, adding_up: Callable[[AddingUp], None] | None) -> Contents:
    # A repository that goes as a whole has a row more than it has things.
    total = max(1, made.head.totals.items)
    with rows_of(made.marks) as rows:
        return add_up(watched(rows, lambda count: min(1.0, count / total), adding_up), top)


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
