"""What ``garbage-collect`` says on stderr, as lines.

"Would free" and "freed" are never the same sentence; what a person has to act on is named, what is only odd is named
up to a limit (the JSON result has all of it).
"""

from __future__ import annotations

from regsweep.units import format_bytes, format_count, format_duration

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from regsweep.config import RegistryConfig
    from regsweep.errors import Refusal
    from regsweep.library import BrokenImage, Catalog, Damage, Marks, Note, Removed, Store

# Enough to see what is going on. A store can have a hundred thousand of each.
_MAX_NAMED = 100
_MAX_NOTES = 20


def configuration_warnings(config: RegistryConfig, min_age_seconds: float) -> Iterator[str]:
    """What about this registry makes collecting risky, and what to do about it."""
    yield from config.warnings
    if not config.read_only and min_age_seconds == 0:
        yield (
            "the registry is not read-only (storage.maintenance.readonly.enabled), and --min-age is 0: an image pushed "
            "during the run can lose its layers. Stop the registry, or restart it read-only, or give --min-age 24h"
        )
    if config.cache == "inmemory":
        yield (
            "the registry caches blob descriptors in memory (storage.cache.blobdescriptor: inmemory): until it is "
            "restarted it takes removed blobs for present, and pushes that re-use one end in broken images. Restart "
            "every registry process after the run"
        )
    elif config.cache == "redis":
        yield (
            "the registry caches blob descriptors in Redis (storage.cache.blobdescriptor: redis): as long as removed "
            "blobs are in there, pushes that re-use one end in broken images. After the run delete the keys "
            "'blobs::*' and 'repository::*' from that database"
        )


def scan_line(root: str, catalog: Catalog, marks: Marks) -> str:
    """What was looked at."""
    return (
        f"scanned {root}: {format_count(catalog.repository_count, 'repository', 'repositories')}, "
        f"{format_count(catalog.tag_count, 'tag')}, {format_count(catalog.manifest_count, 'manifest')}, "
        f"{format_count(marks.blob_count, 'blob')}"
    )


def request_lines(store: Store) -> Iterator[str]:
    """What was asked of a bucket; nothing on a filesystem."""
    if requests := store.requests:
        kinds = ", ".join(f"{requests[kind]:,} {word}" for kind, word in _REQUESTS if requests[kind])
        cached = f"; {format_count(requests['cached'], 'manifest')} from the cache" if requests["cached"] else ""
        throttled = f"; {requests['throttled']:,} were too many for the service" if requests["throttled"] else ""
        total = sum(requests[kind] for kind, _ in _REQUESTS)
        yield f"{format_count(total, 'request')}: {kinds}{cached}{throttled}"


def inventory_lines(store: Store) -> Iterator[str]:
    """That blobs are told by a report, and of when; nothing without one."""
    if store.reported is not None:
        from regsweep.plan import format_time

        yield (
            f"note: blobs are those of the inventory report of {format_time(store.reported)} ({store.inventory}), with "
            "their sizes and times: what was written since is no candidate, and what goes is looked at again before"
        )


# As the services' price lists call them.
_REQUESTS = (("list", "LIST"), ("get", "GET"), ("put", "PUT"), ("copy", "COPY"), ("remove", "DELETE"))


def findings(marks: Marks) -> Iterator[str]:
    """Damaged repositories, broken images, notes."""
    damaged = marks.damaged
    yield from limited(map(damage_line, damaged), len(damaged), "damage")
    broken = [image for image in marks.broken if image.counts]
    yield from limited(map(broken_line, broken), len(broken), "broken images")
    partial = len(marks.broken) - len(broken)
    if partial:
        yield (
            f"note: {format_count(partial, 'reference')} to content that is not stored "
            "(platforms of an index that were never pushed, foreign layers, and the like)"
        )
    notes = marks.notes
    yield from limited(map(_note, notes), len(notes), "notes", _MAX_NOTES)


def damage_line(damage: Damage) -> str:
    """What could not be understood, where, and what follows from it."""
    where = f"damaged repository {damage.repository}" if damage.repository else "damage"
    if damage.tag:
        where += f", tag {damage.tag}"
    if damage.digest:
        where += f", {damage.digest}"
    effect = "accepted" if damage.accepted else "all that it could refer to was kept"
    return f"{where}: {damage.reason} ({damage.key}); {effect}"


def broken_line(image: BrokenImage) -> str:
    """What an image misses."""
    if image.tag:
        name = f"{image.repository}:{image.tag}"
        if image.role == "manifest" and image.missing == image.manifest:
            return f"broken image {name}: manifest {image.missing} is missing"
        return f"broken image {name}: {image.role} {image.missing} is missing (manifest {image.manifest})"
    return f"broken image {image.repository}@{image.manifest}: {image.role} {image.missing} is missing"


def _note(note: Note) -> str:
    return f"note: {note.key}: {note.reason}"


def limited(lines: Iterable[str], count: int, what: str, limit: int = _MAX_NAMED) -> Iterator[str]:
    """The first of so many lines, and how many more there are."""
    for _, line in zip(range(limit), lines, strict=False):
        yield line
    if count > limit:
        yield f"and {count - limit} more {what} (--json names all)"


def quarantine_warnings(marks: Marks, root: str) -> Iterator[str]:
    """What lies in quarantines and is needed."""
    if marks.quarantined_live_count:
        yield (
            f"warning: {format_count(marks.quarantined_live_count, 'live blob')} in quarantine, so that pulls may "
            f"fail: bring back what is needed with 'regsweep confirm {root}'"
        )


def guard_lines(refusals: Iterable[Refusal]) -> Iterator[str]:
    """What the guards said."""
    for refusal in refusals:
        if refusal.overridden:
            yield f"warning: guard {refusal.guard} is overridden: {refusal.message}"
        else:
            yield f"refused by guard {refusal.guard}: {refusal.message} (or go on with --override {refusal.guard})"


def eligible_line(marks: Marks, *, refused: bool) -> str:
    """The result of a run that removes nothing."""
    why = "refused by a guard" if refused else "dry run"
    counts = _counts(marks.eligible_blob_count, marks.eligible_manifest_count, marks.eligible_layer_link_count)
    return f"would free {format_bytes(marks.eligible_blob_bytes)} ({counts}); {why}: nothing was removed"


def removed_lines(removed: Removed, eligible_blobs: int, seconds: float) -> Iterator[str]:
    """The result of a run that removes."""
    for failure in removed.failures:
        yield f"failed to remove {failure.key}: {failure.error}"
    kept = removed.kept_behind_failures_count
    if kept:
        yield (
            f"{format_count(kept, 'eligible blob')} stayed, because something that points there could not be removed"
        )
    yield from overtaken_lines(removed)
    counts = _counts(removed.blob_count, removed.manifest_count, removed.layer_link_count)
    line = f"freed {format_bytes(removed.blob_bytes)} ({counts}) in {format_duration(seconds)}"
    if removed.failures:
        line += f"; {format_count(len(removed.failures), 'removal')} failed"
    if removed.interrupted:
        line = (
            f"interrupted: {line}; {removed.blob_count} of {format_count(eligible_blobs, 'eligible blob')} "
            "removed, nothing is half done, and running again finishes the work"
        )
    yield line


def overtaken_lines(removed: Removed) -> Iterator[str]:
    """In what an inventory report was not true any more."""
    if removed.changed_blob_count:
        count = format_count(removed.changed_blob_count, "blob")
        yield f"{count} of the inventory report stayed, written since, with all that it needs"
    if removed.gone_blob_count:
        yield f"{format_count(removed.gone_blob_count, 'blob')} of the inventory report had gone already"


def _counts(blobs: int, manifests: int, layer_links: int) -> str:
    return (
        f"{format_count(blobs, 'blob')}, {format_count(manifests, 'manifest')}, "
        f"{format_count(layer_links, 'layer link')}"
    )
