"""``regsweep apply``: what a plan names and nothing needs is set aside."""

from __future__ import annotations

import click

from regsweep import apply as applying
from regsweep import plan as plans
from regsweep import safety
from regsweep.cli import summary
from regsweep.cli.common import (
    Duration,
    bucket_options,
    command,
    exit_code_of,
    inventory_option,
    jobs_option,
    open_for,
    override_option,
    progress_line,
    say,
    show,
)
from regsweep.cli.plan_summary import applied_lines, condemned_warnings, failure_lines
from regsweep.cli.progress import describe_removal, describe_steps
from regsweep.library import BucketOptions
from regsweep.set_aside import WANTED, Wanted


def set_aside_option(function: click.decorators.FC) -> click.decorators.FC:
    """How things are set aside."""
    return click.option(
        "--set-aside",
        type=click.Choice(WANTED),
        default="auto",
        show_default=True,
        help="Bucket: hide what is dead (delete-marker), write it down (condemn), or copy it into quarantine (copy).",
    )(function)


@click.command()
@click.argument("plan", metavar="PLAN")
@click.option(
    "--store",
    metavar="STORE",
    help="The store, where it is not at the root that the plan names (or its configuration).",
)
@set_aside_option
@click.option("--permanent", is_flag=True, help="Remove at once, with no way back: for a registry that is stopped.")
@click.option(
    "--max-plan-age",
    type=Duration(),
    default=plans.DEFAULT_MAX_PLAN_AGE_SECONDS,
    show_default="7d",
    help="Refuse an older plan.",
)
@override_option(*safety.APPLY_GUARDS, *safety.GUARDS)
@jobs_option
@inventory_option
@bucket_options
@command
def apply(
    plan: str,
    store: str | None,
    bucket: BucketOptions,
    set_aside: Wanted,
    permanent: bool,
    max_plan_age: float,
    overrides: tuple[str, ...],
    jobs: int | None,
) -> int:
    """Apply PLAN: mark again, drop from it what became reachable, set the rest aside.

    What is set aside lies below the storage root, in .regsweep/, until it is purged; 'regsweep undo' brings it back. In
    a bucket it is condemned instead: nothing moves, and 'regsweep purge' removes what it finds dead again. An
    application that was interrupted is taken up by running the same command again.
    """
    if permanent and set_aside != "auto":
        raise click.UsageError("--permanent excludes --set-aside: it sets nothing aside")
    head = plans.read_head(plan)
    opened = open_for(store or head.root, bucket, jobs)
    line = progress_line()
    applied = applying.apply(
        opened,
        plan,
        permanent=permanent,
        set_aside=set_aside,
        overrides=overrides,
        max_plan_age=max_plan_age,
        progress=line.start(describe_steps(describe_removal(head.totals.items))),
    )
    line.clear()
    say(summary.inventory_lines(opened))
    say(summary.overtaken_lines(applied.removed))
    say(summary.findings(applied.marks))
    say(failure_lines([*applied.failures]))
    say(condemned_warnings(applied, opened))
    show(applied_lines(applied, store or head.root))
    return exit_code_of(applied.marks, failed=bool(applied.failures), interrupted=applied.removed.interrupted)
