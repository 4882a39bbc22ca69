"""``regsweep undo``: bring back what a run has set aside."""

from __future__ import annotations

import click

from regsweep import exit_codes, quarantine
from regsweep.cli.common import bucket_options, command, jobs_option, open_for, progress_line, say, show, store_argument
from regsweep.cli.plan_summary import failure_lines
from regsweep.cli.progress import describe_return
from regsweep.library import BucketOptions
from regsweep.units import format_count


@click.command()
@store_argument
@click.argument("run")
@jobs_option
@bucket_options
@command
def undo(store: str, bucket: BucketOptions, run: str, jobs: int | None) -> int:
    """Bring back everything that RUN has set aside on STORE, links included.

    Where something was pushed anew meanwhile, that stays, and what was set aside from there is named. What RUN has only
    condemned was never moved: its list is forgotten.
    """
    line = progress_line()
    undone = quarantine.undo(open_for(store, bucket, jobs), run, progress=line.start(describe_return))
    line.clear()
    restored = undone.restored
    say(f"{key}: pushed anew meanwhile; the newer one stays" for key in restored.replaced)
    say(failure_lines([*restored.failures]))
    if undone.run.set_aside == "condemn":
        show([f"forgot what run {run} had condemned: nothing of it had been moved or removed"])
        return exit_codes.DONE
    show(
        [
            f"brought back run {run}: {format_count(restored.tag_count, 'tag')}, "
            f"{format_count(restored.manifest_count, 'manifest')}, "
            f"{format_count(restored.layer_link_count, 'layer link')}, {format_count(restored.blob_count, 'blob')}"
        ]
    )
    if restored.interrupted:
        return exit_codes.INTERRUPTED
    return exit_codes.DONE_WITH_DAMAGE if restored.failures else exit_codes.DONE
