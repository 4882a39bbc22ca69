"""``regsweep runs``: what was applied, what it holds, what it waits for."""

from __future__ import annotations

import time

import click

from regsweep import _core, exit_codes, quarantine
from regsweep.cli.common import Duration, bucket_options, command, open_for, show, store_argument
from regsweep.cli.confirm import settle_option
from regsweep.cli.output import Result, json_option
from regsweep.journal import WAITING, Journal, Run
from regsweep.library import BucketOptions
from regsweep.units import format_bytes, format_count

SCHEMA = "regsweep.runs/1"


@click.command()
@store_argument
@settle_option
@click.option(
    "--older-than",
    type=Duration(),
    default=quarantine.DEFAULT_QUARANTINE_SECONDS,
    show_default="7d",
    help="The quarantine period that purge is called with.",
)
@json_option
@bucket_options
@command
def runs(store: str, bucket: BucketOptions, settle: float, older_than: float, json_path: str | None) -> int:
    """List the runs of STORE: what each holds, and what it waits for."""
    with Result(json_path, SCHEMA) as result:
        opened = open_for(store, bucket)
        found = Journal(opened.own_files).runs()
        now = time.time()
        waits = [quarantine.waits_for(run, now, settle, older_than) for run in found]
        result.write(
            {"regsweep_version": _core.__version__, "root": opened.root},
            {"runs": [_document(run, waits_for) for run, waits_for in zip(found, waits, strict=True)]},
        )
        if not result.takes_stdout:
            show(map(_line, found, waits))
            if not found:
                show(["no plan was applied to this store yet"])
        return exit_codes.DONE


def _document(run: Run, waits_for: str) -> dict[str, object]:
    """A run as ``schema/runs-1.schema.json`` describes it."""
    return {
        "id": run.id,
        "state": run.state,
        "permanent": run.permanent,
        "set_aside": run.set_aside,
        "events": run.events,
        "waits_for": waits_for,
    }


def _line(run: Run, waits_for: str) -> str:
    applied = run.application
    what = ""
    if applied:
        verb = "condemned" if run.set_aside == "condemn" else "set aside"
        verb = verb if run.state in WAITING else f"had {verb}"
        verb = "removed" if run.permanent else verb
        what = f"  {verb} {format_bytes(applied['bytes'])} ({format_count(applied['blobs'], 'blob')}, "
        what += f"{format_count(applied['manifests'], 'manifest')}, {format_count(applied['tags'], 'tag')})"
    return f"{run.id}  {run.state:<11}{what}{f'  → {waits_for}' if waits_for else ''}"
