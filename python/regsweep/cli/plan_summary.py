"""What plans, runs and cycles say on standard output, as lines."""

from __future__ import annotations

from collections.abc import Iterator

from regsweep import condemned as lists
from regsweep.apply import Applied
from regsweep.condemned import Condemned, PurgedList
from regsweep.journal import Run
from regsweep.library import Store
from regsweep.plan import Head, Totals, format_time
from regsweep.quarantine import DEFAULT_QUARANTINE_SECONDS, Confirmed, PurgedRuns
from regsweep.units import format_bytes, format_count, format_duration


def plan_lines(head: Head, path: str) -> Iterator[str]:
    """What a plan amounts to."""
    would = f"would free {format_bytes(head.totals.bytes)}" if head.totals.items else "would free nothing"
    yield f"plan {head.id}: {would} ({head.totals.text()})"
    if head.as_of is not None:
        yield f"{path}: a preview of {format_time(head.as_of)}; nothing was removed, and it cannot be applied"
    else:
        yield f"{path}: nothing was removed; look through it, then: regsweep apply {path}"


def applied_lines(applied: Applied, store: str) -> Iterator[str]:
    """What applying a plan has done; in the last line, where it came to its end, what is next."""
    if applied.condemned is not None:
        yield from _condemned_lines(applied, applied.condemned, store)
        return
    removed = applied.removed
    gone = Totals(
        removed.tag_count, removed.manifest_count, removed.layer_link_count, removed.blob_count, removed.blob_bytes
    )
    if applied.run.permanent:
        yield f"removed {format_bytes(gone.bytes)} ({gone.text()})"
    else:
        yield f"set aside {format_bytes(gone.bytes)} ({gone.text()}) as run {applied.run.id}"
    if applied.spared_count and not removed.interrupted:
        yield _spared_line(applied)
    for tag in removed.kept_tags:
        yield f"{tag}: pushed while it was on its way out; it stayed"
    if not applied.run.permanent and not removed.interrupted:
        yield f"next, soon: regsweep confirm {store}; way back: regsweep undo {store} {applied.run.id}"


def _condemned_lines(applied: Applied, condemned: Condemned, store: str) -> Iterator[str]:
    totals, earlier = condemned.totals, condemned.earlier
    yield f"condemned {format_bytes(totals.bytes)} ({totals.text()}) as run {applied.run.id}; nothing was moved"
    if earlier.items:
        yield f"{format_bytes(earlier.bytes)} ({earlier.text()}) more had been condemned before, by runs that wait"
    if applied.spared_count:
        yield _spared_line(applied)
    if totals.items:
        yield (
            f"next, in {format_duration(DEFAULT_QUARANTINE_SECONDS)}: regsweep purge {store}; "
            f"to forget it: regsweep undo {store} {applied.run.id}"
        )
    else:
        yield "next: nothing; there is nothing left to condemn"


def _spared_line(applied: Applied) -> str:
    return f"{applied.spared_count} of the plan stayed: needed by now, or gone already"


def condemned_warnings(applied: Applied, store: Store) -> Iterator[str]:
    """What will keep the purge from removing what was condemned."""
    cache = None if store.config is None else store.config.cache
    if applied.condemned is not None and applied.condemned.totals.items:
        for guard, message in lists.cache_refusals(store, cache):
            yield f"warning: purge will be refused by guard {guard}: {message}"


def confirmed_lines(confirmed: Confirmed) -> Iterator[str]:
    """What a confirmation has done."""
    if confirmed.forgotten is not None:
        yield f"removed {format_count(confirmed.forgotten, 'entry', 'entries')} from the registry's Redis cache"
    restored = confirmed.restored
    back = [
        (restored.tag_count, "tag"),
        (restored.manifest_count, "manifest"),
        (restored.layer_link_count, "layer link"),
        (restored.blob_count, "blob"),
    ]
    counts = ", ".join(format_count(count, noun) for count, noun in back if count)
    runs = format_count(len(confirmed.runs), "run")
    yield f"confirmed {runs}: {f'brought back {counts}' if counts else 'nothing had to come back'}"


def purged_lines(purged: PurgedRuns) -> Iterator[str]:
    """What a purge has done."""
    for run, done in purged.purged:
        yield f"purged run {run.id}: freed {format_bytes(done.blob_bytes)} ({format_count(done.blob_count, 'blob')})"
        if isinstance(done, PurgedList):
            yield from _purged_list_lines(run, done)
    for run, left in purged.early:
        yield f"run {run.id} can be purged in {format_duration(left)}"
    if not purged.purged and not purged.early:
        yield "there is no confirmed run to purge, and no condemned one"


def _purged_list_lines(run: Run, done: PurgedList) -> Iterator[str]:
    for tag in done.removed.kept_tags:
        yield f"{tag}: pushed while it was on its way out; it stayed"
    if done.spared_count and not done.interrupted:
        yield f"{done.spared_count} of what run {run.id} had condemned stayed: needed by now, or gone already"


def failure_lines(failures: list[object]) -> Iterator[str]:
    """What could not be removed or moved."""
    for failure in failures:
        yield f"failed: {failure.key}: {failure.error}"  # type: ignore[attr-defined]
