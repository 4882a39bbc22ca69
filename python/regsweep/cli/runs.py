"""``regsweep runs``: what was applied, what it holds, what it waits for."""

from __future__ import annotations

import json
import time

import click

from regsweep import exit_codes, quarantine
from regsweep.cli.common import Duration, command, open_for, show, store_argument
from regsweep.cli.confirm import settle_option
from regsweep.journal import HOLDING, Journal, Run
from regsweep.units import format_bytes, format_count


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
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@command
def runs(store: str, settle: float, older_than: float, as_json: bool) -> int:
    """List the runs of STORE: what each holds, and what it waits for."""
    found = Journal(open_for(store).root).runs()
    now = time.time()
    if as_json:
        document = [
            {
                "id": run.id,
                "state": run.state,
                "permanent": run.permanent,
                "events": run.events,
                "waits_for": quarantine.waits_for(run, now, settle, older_than),
            }
            for run in found
        ]
        click.echo(json.dumps({"schema": "regsweep.runs/1", "runs": document}, indent=2))
        return exit_codes.DONE
    show(_line(run, quarantine.waits_for(run, now, settle, older_than)) for run in found)
    if not found:
        show(["no plan was applied to this store yet"])
    return exit_codes.DONE


def _line(run: Run, waits_for: str) -> str:
    applied = run.last("applied")
    what = ""
    if applied:
        verb = "set aside" if run.state in HOLDING else "had set aside"
        verb = "removed" if run.permanent else verb
        what = f"  {verb} {format_bytes(applied['bytes'])} ({format_count(applied['blobs'], 'blob')}, "
        what += f"{format_count(applied['manifests'], 'manifest')}, {format_count(applied['tags'], 'tag')})"
    return f"{run.id}  {run.state:<11}{what}{f'  → {waits_for}' if waits_for else ''}"
