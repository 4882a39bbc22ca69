"""``regsweep report``: what a plan or a store amounts to, for people and for machines."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from regsweep import exit_codes
from regsweep.cli.common import bucket_options, command, is_damaged, jobs_option, open_for, progress_line
from regsweep.cli.output import STANDARD_OUTPUT
from regsweep.cli.progress import describe_adding_up, describe_steps
from regsweep.cli.reporting import Reporting, file_options, targets_of
from regsweep.errors import OutputError
from regsweep.library import BucketOptions, shown_name
from regsweep.report.model import DEFAULT_TOP

if TYPE_CHECKING:
    from regsweep.report import Report

# Of any version: one that is not known is an error of its own, and no configuration.
_PLAN_BEGINS = b"# regsweep plan"


@click.command()
@click.argument("what", metavar="PLAN|STORE")
@file_options
@click.option(
    "--top",
    type=click.IntRange(min=1),
    default=DEFAULT_TOP,
    show_default=True,
    help="How many repositories, reasons, rules and blobs to name.",
)
@jobs_option
@bucket_options
@command
def report(what: str, top: int, bucket: BucketOptions, jobs: int | None, **files: str | None) -> int:
    """Say what PLAN would free, or what nothing needs in STORE, and what needs attention. Removes nothing.

    PLAN is a plan's file. STORE is a storage root (the directory that holds docker/registry/v2), a bucket's URL
    (s3://bucket/root, gs://..., az://...) or a registry's configuration file; it is scanned as 'regsweep plan' does
    without options. The report goes to standard output, unless another one is sent there (--json -).
    """
    targets = targets_of(files)
    if list(targets.values()).count(STANDARD_OUTPUT) > 1:
        raise click.UsageError("only one report can go to standard output")
    is_plan = _is_plan(what)
    reporting = Reporting("plan" if is_plan else "store", what, targets)

    def find() -> int:
        found = _of_plan(what, top) if is_plan else _of_store(what, top, bucket, jobs)
        reporting.found(found)
        if STANDARD_OUTPUT not in targets.values():
            _show(found)
        return _exit_code(found)

    return reporting.around(find)


def _of_plan(name: str, top: int) -> Report:
    from regsweep.report import of_plan

    line = progress_line()
    found = of_plan(name, top=top, adding_up=line.start(describe_adding_up))
    line.clear()
    return found


def _of_store(name: str, top: int, bucket: BucketOptions, jobs: int | None) -> Report:
    from regsweep.report import of_store

    store = open_for(name, bucket, jobs)
    scan_line, line = progress_line(), progress_line()
    found = of_store(
        store, top=top, progress=scan_line.start(describe_steps()), adding_up=line.start(describe_adding_up)
    )
    scan_line.clear()
    line.clear()
    return replace(found, store=shown_name(name))


def _is_plan(name: str) -> bool:
    try:
        mode = os.stat(name).st_mode  # noqa: PTH116
        if not stat.S_ISREG(mode):
            # A pipe can be read only once; a registry's configuration is not given that way.
            return not stat.S_ISDIR(mode)
        with Path(name).open("rb") as file:
            return file.read(len(_PLAN_BEGINS)) == _PLAN_BEGINS
    except OSError:
        return False


def _show(found: Report) -> None:
    from regsweep.report import to_text

    color = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    text = to_text(found, width=shutil.get_terminal_size().columns, color=color, encoding=sys.stdout.encoding)
    try:
        click.echo(text, nl=False, color=color)
    except BrokenPipeError:
        raise  # who reads no further has seen enough
    except OSError as error:
        raise OutputError("standard output", error) from error


def _exit_code(found: Report) -> int:
    if found.findings is None:
        return exit_codes.DONE
    if any(not refusal.overridden for refusal in found.findings.refusals):
        return exit_codes.REFUSED
    return exit_codes.DONE_WITH_DAMAGE if is_damaged(found.findings) else exit_codes.DONE
