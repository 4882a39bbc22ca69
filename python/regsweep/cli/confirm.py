"""``regsweep confirm``: bring back what turned out to be needed."""

from __future__ import annotations

import click

from regsweep import quarantine
from regsweep.cli import summary
from regsweep.cli.common import (
    Duration,
    bucket_options,
    command,
    exit_code_of,
    jobs_option,
    open_for,
    progress_line,
    say,
    show,
    store_argument,
)
from regsweep.cli.plan_summary import confirmed_lines, failure_lines
from regsweep.cli.progress import describe_return, describe_steps
from regsweep.library import BucketOptions


def settle_option(function: click.decorators.FC) -> click.decorators.FC:
    """How long requests in flight are given."""
    return click.option(
        "--settle",
        type=Duration(),
        default=quarantine.DEFAULT_SETTLE_SECONDS,
        show_default="10m",
        help="How long a request to the registry may take at most.",
    )(function)


@click.command()
@store_argument
@click.argument("run", required=False)
@settle_option
@click.option("--no-wait", is_flag=True, help="Refuse where requests may still be in flight, instead of waiting.")
@jobs_option
@bucket_options
@command
def confirm(store: str, bucket: BucketOptions, run: str | None, settle: float, no_wait: bool, jobs: int | None) -> int:
    """Bring back whatever is reachable of what runs have set aside on STORE.

    Waits until requests that were in flight have ended, clears the registry's Redis cache where it has one, waits
    again, and marks the store and every quarantine. RUN is one run's id; by default all that wait are confirmed.
    """
    waiting = quarantine.Waiting(settle, sleep=None) if no_wait else quarantine.Waiting(settle)
    opened = open_for(store, bucket, jobs)
    line = progress_line()
    confirmed = quarantine.confirm(opened, run, waiting=waiting, progress=line.start(describe_steps(describe_return)))
    line.clear()
    say(summary.findings(confirmed.marks))
    say(failure_lines([*confirmed.restored.failures]))
    show(confirmed_lines(confirmed))
    restored = confirmed.restored
    return exit_code_of(confirmed.marks, failed=bool(restored.failures), interrupted=restored.interrupted)
