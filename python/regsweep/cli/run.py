"""``regsweep run``: the whole cycle, for cron."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from regsweep import apply as applying
from regsweep import condemned, exit_codes, quarantine, safety
from regsweep.cli import summary
from regsweep.cli.apply import set_aside_option
from regsweep.cli.common import (
    Duration,
    bucket_options,
    command,
    exit_code_of,
    inventory_option,
    jobs_option,
    open_for,
    progress_line,
    refusal_lines,
    say,
    show,
    store_argument,
)
from regsweep.cli.confirm import settle_option
from regsweep.cli.plan_summary import (
    applied_lines,
    condemned_warnings,
    confirmed_lines,
    failure_lines,
    plan_lines,
    purged_lines,
)
from regsweep.cli.planning import Planning, planning_options
from regsweep.cli.progress import describe_removal, describe_return, describe_steps
from regsweep.cli.purge import registries, registry_options
from regsweep.cli.reporting import Reporting, reporting_options
from regsweep.errors import GuardRefused
from regsweep.journal import Journal
from regsweep.library import BucketOptions, Store
from regsweep.plan import read_head
from regsweep.set_aside import Wanted, way_for


@click.command()
@store_argument
@settle_option
@click.option(
    "--older-than",
    type=Duration(),
    default=quarantine.DEFAULT_QUARANTINE_SECONDS,
    show_default="7d",
    help="Purge what was set aside or condemned longer ago.",
)
@set_aside_option
@registry_options
@click.option("--output", metavar="PLAN", help="Keep the plan in this file.")
@jobs_option
@inventory_option
@bucket_options
@command
@reporting_options("run")
@planning_options
def run(
    store: str,
    bucket: BucketOptions,
    planning: Planning,
    reporting: Reporting,
    settle: float,
    older_than: float,
    set_aside: Wanted,
    registry_pid: tuple[int, ...],
    registry_started: tuple[float, ...],
    registry_restarted: bool,
    cache: str | None,
    output: str | None,
    jobs: int | None,
) -> int:
    """Do the whole cycle on STORE, as a nightly job: finish, confirm and purge earlier runs, plan, apply, confirm.

    Waits between the last two until requests that were in flight have ended (--settle). What is only condemned has
    nothing to wait for and is not confirmed; what an earlier list names already is not condemned anew.
    """
    opened = open_for(store, bucket, jobs)
    way = way_for(opened, set_aside)
    waiting = quarantine.Waiting(settle)
    codes = [_take_up(opened, store, planning, reporting), _confirm(opened, waiting, reporting)]
    try:
        known = registries(registry_pid, registry_started, registry_restarted, cache)
        codes.append(_purge(opened, older_than, settle, known, planning, reporting))
    except GuardRefused as error:
        # What is set aside stays a night longer; the rest of the cycle does not depend on it.
        say(refusal_lines(error))
        reporting.refused(error)
        codes.append(exit_codes.DONE_WITH_DAMAGE)
    with tempfile.TemporaryDirectory() as directory:
        path = output or str(Path(directory) / "plan")
        made = planning.make(opened)
        reporting.planned(made, opened)
        made.write(path)
        show(list(plan_lines(made.head, path))[:1])
        if made.head.totals.items == 0:
            return max(*codes, exit_code_of(made.marks))
        if way == "condemn" and condemned.names_nothing_new(opened, path):
            show(["all of it was condemned before, and waits to be purged"])
            return max(*codes, exit_code_of(made.marks))
        codes.append(_apply(opened, path, made.head.totals.items, store, planning, reporting, set_aside))
    if codes[-1] != exit_codes.INTERRUPTED:
        codes.append(_confirm(opened, waiting, reporting))
    return max(codes)


def _take_up(store: Store, name: str, planning: Planning, reporting: Reporting) -> int:
    """Finishes what was interrupted while it was applied: nobody else has its plan any more."""
    codes = [exit_codes.DONE]
    journal = Journal(store.own_files)
    for run in [run for run in journal.runs() if run.state == "applying" and not run.permanent]:
        with tempfile.TemporaryDirectory() as directory, journal.plan(run.id) as plan:
            path = Path(directory) / "plan"
            path.write_bytes(plan.read())
            head = read_head(path)
            try:
                codes.append(_apply(store, str(path), head.totals.items, name, planning, reporting))
            except GuardRefused as error:
                say(refusal_lines(error))
                reporting.refused(error)
                codes.append(exit_codes.DONE_WITH_DAMAGE)
    return max(codes)


def _confirm(store: Store, waiting: quarantine.Waiting, reporting: Reporting) -> int:
    if not quarantine.waiting_runs(store):
        return exit_codes.DONE
    line = progress_line()
    told = line.start(describe_steps(describe_return))
    confirmed = quarantine.confirm(store, waiting=waiting, progress=told)
    line.clear()
    reporting.confirmed(confirmed)
    say(failure_lines([*confirmed.restored.failures]))
    show(confirmed_lines(confirmed))
    restored = confirmed.restored
    return exit_code_of(confirmed.marks, failed=bool(restored.failures), interrupted=restored.interrupted)


def _purge(
    store: Store,
    older_than: float,
    settle: float,
    known: quarantine.Registries,
    planning: Planning,
    reporting: Reporting,
) -> int:
    line = progress_line()
    told = line.start(describe_steps(describe_removal()))
    purged = quarantine.purge(
        store,
        older_than=older_than,
        settle=settle,
        registries=known,
        overrides=_overrides(planning),
        progress=told,
    )
    line.clear()
    reporting.purged(purged)
    say(failure_lines([*purged.failures]))
    show(line for line in purged_lines(purged) if purged.purged)
    return exit_codes.DONE_WITH_DAMAGE if purged.failures else exit_codes.DONE


def _overrides(planning: Planning) -> list[str]:
    return [guard for guard in planning.overrides if guard in safety.GUARDS]


def _apply(
    store: Store,
    path: str,
    count: int,
    name: str,
    planning: Planning,
    reporting: Reporting,
    set_aside: Wanted = "auto",
) -> int:
    line = progress_line()
    told = line.start(describe_steps(describe_removal(count)))
    applied = applying.apply(store, path, set_aside=set_aside, overrides=_overrides(planning), progress=told)
    line.clear()
    reporting.applied(applied)
    say(summary.overtaken_lines(applied.removed))
    say(summary.findings(applied.marks))
    say(failure_lines([*applied.failures]))
    say(condemned_warnings(applied, store))
    show(list(applied_lines(applied, name))[:-1])
    return exit_code_of(applied.marks, failed=bool(applied.failures), interrupted=applied.removed.interrupted)
