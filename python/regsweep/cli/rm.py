"""``regsweep rm``: plan the removal of repositories and tags by name."""

from __future__ import annotations

import click

from regsweep import plan as plans
from regsweep import safety
from regsweep.cli import summary
from regsweep.cli.common import (
    bucket_options,
    command,
    exit_code_of,
    inventory_option,
    jobs_option,
    marking_options,
    min_age_option,
    open_for,
    override_option,
    progress_line,
    read_keep_list,
    say,
    show,
    store_argument,
)
from regsweep.cli.plan_summary import plan_lines
from regsweep.cli.progress import describe_steps
from regsweep.library import BucketOptions
from regsweep.names import parse_name
from regsweep.policy.selection import by_name


@click.command()
@store_argument
@click.argument("names", nargs=-1, required=True, metavar="REPOSITORY[:TAG]...")
@min_age_option("0s")
@marking_options
@override_option(*safety.PLAN_GUARDS)
@jobs_option
@click.option("--output", required=True, metavar="PLAN", help="Where the plan goes.")
@inventory_option
@bucket_options
@command
def rm(
    store: str,
    bucket: BucketOptions,
    names: tuple[str, ...],
    min_age: float,
    keep_list: str | None,
    accept_damage: tuple[str, ...],
    max_removed_share: float | None,
    overrides: tuple[str, ...],
    jobs: int | None,
    output: str,
) -> int:
    """Plan the removal of repositories and tags of STORE, on its storage: no registry has to run.

    A tag goes with its manifest, unless another tag leads there. A repository goes with all its tags and links; those
    below it (team/app below team) are others, and stay. Blobs go when nothing else needs them. Removes nothing itself.
    """
    decide = by_name([parse_name(name) for name in names])
    opened = open_for(store, bucket, jobs)
    line = progress_line()
    made = plans.make(
        opened,
        decide=decide,
        mode="named",
        min_age=min_age,
        keep=read_keep_list(keep_list),
        accept_damage=accept_damage,
        overrides=overrides,
        max_removed_share=max_removed_share,
        progress=line.start(describe_steps()),
    )
    line.clear()
    say(summary.inventory_lines(opened))
    say(summary.findings(made.marks))
    made.write(output)
    show(plan_lines(made.head, output))
    return exit_code_of(made.marks)
