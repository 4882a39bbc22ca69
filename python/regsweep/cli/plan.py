"""``regsweep plan``: what would go, and why, written down."""

from __future__ import annotations

import click

from regsweep.cli.common import (
    Moment,
    bucket_options,
    command,
    exit_code_of,
    inventory_option,
    jobs_option,
    open_for,
    show,
    store_argument,
)
from regsweep.cli.plan_summary import plan_lines
from regsweep.cli.planning import Planning, planning_options
from regsweep.cli.reporting import Reporting, reporting_options
from regsweep.library import BucketOptions


@click.command()
@store_argument
@click.option("--as-of", type=Moment(), help="Plan for this moment: a preview, which cannot be applied.")
@click.option("--output", required=True, metavar="PLAN", help="Where the plan goes.")
@jobs_option
@inventory_option
@bucket_options
@command
@reporting_options("plan")
@planning_options
def plan(
    store: str,
    bucket: BucketOptions,
    planning: Planning,
    reporting: Reporting,
    as_of: float | None,
    jobs: int | None,
    output: str,
) -> int:
    """Write down what would be removed from STORE, and why. Removes nothing.

    STORE is a storage root (the directory that holds docker/registry/v2), a bucket's URL (s3://bucket/root, gs://...,
    az://...) or a registry's configuration file. Without --policy and --delete-untagged only what no manifest link
    reaches goes, and no tag ever.
    """
    opened = open_for(store, bucket, jobs)
    made = planning.make(opened, as_of)
    reporting.planned(made, opened)
    made.write(output)
    show(plan_lines(made.head, output))
    return exit_code_of(made.marks)
