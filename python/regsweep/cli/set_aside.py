"""What runs have set aside, in words: what, by which run, since when, and how it comes back or goes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence

from regsweep import quarantine
from regsweep._core import Aside
from regsweep.cli.fitting import enumerated
from regsweep.errors import JournalError
from regsweep.journal import Journal, Run
from regsweep.library import Store
from regsweep.units import format_bytes, format_count, format_moment

# Of tags and repositories: enough to see which.
_MAX_NAMED = 3
# What may be undone (quarantine.undo).
_UNDOABLE = ("applying", "quarantined", "confirmed", "undoing")


def runs_of(store: Store, asides: Sequence[Aside]) -> dict[str, Run]:
    """The records of these runs; one that is lost or damaged is not among them."""
    journal = Journal(store.own_files)
    found = {}
    for aside in asides:
        try:
            run = journal.find(aside.run)
        except JournalError:
            continue
        if run is not None:
            found[aside.run] = run
    return found


def lines(asides: Sequence[Aside], runs: Mapping[str, Run], store: str) -> Iterator[str]:
    """A line for each run, and what brings all of it back."""
    for aside in asides:
        since = "at an unknown time" if aside.since is None else f"on {format_moment(aside.since)}"
        yield f"run {aside.run} set aside {since}: {enumerated([*_parts(aside)])}{_state(runs.get(aside.run))}"
    for run in runs.values():
        if run.state in _UNDOABLE and not run.permanent:
            yield f"'regsweep undo {store} {run.id}' brings back all that run has set aside"


def _parts(aside: Aside) -> Iterator[str]:
    if aside.size_bytes is not None:
        yield f"its blob ({format_bytes(aside.size_bytes)})"
    if tags := [f"{repository}:{tag}" for repository, tag, _ in aside.tags]:
        yield f"{_noun(tags, 'tag')} {enumerated(tags, _MAX_NAMED)}"
    for links, noun in ((aside.manifest_links, "manifest link"), (aside.layer_links, "layer link")):
        if links:
            repositories = sorted({repository for repository, _ in links})
            yield f"{format_count(len(links), noun)} of {enumerated(repositories, _MAX_NAMED)}"


def _noun(names: Sequence[str], singular: str) -> str:
    return singular if len(names) == 1 else f"{singular}s"


def _state(run: Run | None) -> str:
    """How far the run is, and what it waits for, as ``regsweep runs`` says it."""
    if run is None:
        return ""
    next_step = quarantine.waits_for(
        run, time.time(), quarantine.DEFAULT_SETTLE_SECONDS, quarantine.DEFAULT_QUARANTINE_SECONDS
    )
    return f" ({run.state}{f' → {next_step}' if next_step else ''})"


def as_json(asides: Sequence[Aside], runs: Mapping[str, Run]) -> list[dict[str, object]]:
    """The same for machines."""
    return [
        {
            "run": aside.run,
            "since": aside.since and format_moment(aside.since),
            "state": runs[aside.run].state if aside.run in runs else None,
            "size_bytes": aside.size_bytes,
            "tags": [
                {"repository": repository, "tag": tag, "digest": digest} for repository, tag, digest in aside.tags
            ],
            "manifest_links": [
                {"repository": repository, "digest": digest} for repository, digest in aside.manifest_links
            ],
            "layer_links": [{"repository": repository, "digest": digest} for repository, digest in aside.layer_links],
        }
        for aside in asides
    ]
