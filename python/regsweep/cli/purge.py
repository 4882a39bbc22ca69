"""``regsweep purge``: remove for good what was set aside long enough ago."""

from __future__ import annotations

import click

from regsweep import descriptor_cache, exit_codes, quarantine, safety
from regsweep.cli import summary
from regsweep.cli.common import (
    Duration,
    Moment,
    bucket_options,
    command,
    exit_code_of,
    jobs_option,
    open_for,
    override_option,
    progress_line,
    say,
    show,
    store_argument,
)
from regsweep.cli.confirm import settle_option
from regsweep.cli.plan_summary import failure_lines, purged_lines
from regsweep.cli.progress import describe_removal, describe_steps
from regsweep.library import BucketOptions


def registry_options(function: click.decorators.FC) -> click.decorators.FC:
    """What is known of the registry's processes and their cache."""
    for option in (
        click.option(
            "--cache",
            type=click.Choice(("none", "redis", "inmemory")),
            help="The registry's blob descriptor cache, where STORE is no configuration file.",
        ),
        click.option("--registry-restarted", is_flag=True, help="Every registry process was restarted since."),
        click.option(
            "--registry-started",
            type=Moment(),
            multiple=True,
            help="When a registry process was started. Repeatable, once for each.",
        ),
        click.option("--registry-pid", type=int, multiple=True, help="A registry process here. Repeatable."),
    ):
        function = option(function)
    return function


def registries(
    registry_pid: tuple[int, ...], registry_started: tuple[float, ...], registry_restarted: bool, cache: str | None
) -> quarantine.Registries:
    """What these options say."""
    started = (*registry_started, *(descriptor_cache.process_started(pid) for pid in registry_pid))
    return quarantine.Registries(started, registry_restarted, cache)


@click.command()
@store_argument
@click.option(
    "--older-than",
    type=Duration(),
    default=quarantine.DEFAULT_QUARANTINE_SECONDS,
    show_default="7d",
    help="What was set aside or condemned later stays.",
)
@settle_option
@registry_options
@override_option(*safety.PURGE_GUARDS, *safety.GUARDS)
@jobs_option
@bucket_options
@command
def purge(
    store: str,
    bucket: BucketOptions,
    older_than: float,
    settle: float,
    registry_pid: tuple[int, ...],
    registry_started: tuple[float, ...],
    registry_restarted: bool,
    cache: str | None,
    overrides: tuple[str, ...],
    jobs: int | None,
) -> int:
    """Remove for good what confirmed runs have set aside on STORE, and what runs have condemned there.

    Marks first, over the store and every quarantine, and brings back what is live: a push that was acknowledged late is
    seen only by this mark. Of what was condemned only that goes which this mark finds dead, too.
    """
    opened = open_for(store, bucket, jobs)
    line = progress_line()
    purged = quarantine.purge(
        opened,
        older_than=older_than,
        settle=settle,
        registries=registries(registry_pid, registry_started, registry_restarted, cache),
        overrides=overrides,
        progress=line.start(describe_steps(describe_removal())),
    )
    line.clear()
    say(failure_lines([*purged.failures]))
    show(purged_lines(purged))
    if purged.marks is None:
        return exit_codes.DONE
    say(summary.findings(purged.marks))
    interrupted = any(done.interrupted for _, done in purged.purged)
    return exit_code_of(purged.marks, failed=bool(purged.failures), interrupted=interrupted)
