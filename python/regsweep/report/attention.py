"""What in a report needs somebody's attention, in words: one sentence each, for every reader the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from regsweep.plan import format_time
from regsweep.report.wording import short
from regsweep.units import format_count

if TYPE_CHECKING:
    from regsweep.errors import Refusal
    from regsweep.library import BrokenImage, Damage
    from regsweep.report.model import Findings, Report

# Something is wrong; something was decided that should be known; something is odd.
Severity: TypeAlias = Literal["error", "warning", "note"]

# Enough to see what is going on. A store can have a hundred thousand of each.
MOST_NAMED = 50


@dataclass(frozen=True)
class Concern:
    """One thing to look at.

    Attributes:
        what: of which kind it is: ``damage``, ``broken image``, …
        text: a sentence without its end. Names in it are as the storage has them.
    """

    severity: Severity
    what: str
    text: str


def concerns(report: Report) -> list[Concern]:
    """What needs attention: what is wrong first, of each kind at most so many."""
    found = [*_of_command(report), *_of_head(report)]
    if report.findings is not None:
        found += _of_findings(report.findings, report.store)
    severities: tuple[Severity, ...] = ("error", "warning", "note")
    return [concern for severity in severities for concern in found if concern.severity == severity]


def _of_command(report: Report) -> Iterator[Concern]:
    if report.outcome is not None and report.outcome.failure is not None:
        yield Concern("error", "failed", report.outcome.failure.message)
    if report.work is not None:
        yield from map(_refusal, report.work.refusals)
        failures = report.work.failures
        yield from _named((Concern("error", "failed", f"{one.key}: {one.error}") for one in failures), len(failures))


def _of_head(report: Report) -> Iterator[Concern]:
    head = report.head
    if head is None:
        return
    if head.as_of is not None:
        yield Concern("warning", "preview", f"made for {format_time(head.as_of)}: it cannot be applied")
    if head.accept_damage:
        yield Concern("warning", "damage accepted", ", ".join(head.accept_damage))
    if head.overrides and report.findings is None:
        yield Concern("warning", "guards overridden", ", ".join(head.overrides))


def _of_findings(findings: Findings, store: str) -> Iterator[Concern]:
    yield from map(_refusal, findings.refusals)
    if findings.quarantined_live_count:
        live = format_count(findings.quarantined_live_count, "live blob")
        yield Concern("error", "quarantine", f"{live} in it, so that pulls may fail: regsweep confirm {store}")
    damaged = findings.damaged
    yield from _named((_damage(damage) for damage in damaged), len(damaged))
    broken = [image for image in findings.broken if image.counts]
    yield from _named((_broken(image) for image in broken), len(broken))
    if partial := len(findings.broken) - len(broken):
        yield Concern(
            "note",
            "not stored",
            f"{format_count(partial, 'reference')} to content that is not stored "
            "(platforms of an index that were never pushed, foreign layers, and the like)",
        )
    notes = findings.notes
    yield from _named((Concern("note", "left alone", f"{note.key}: {note.reason}") for note in notes), len(notes))


def _refusal(refusal: Refusal) -> Concern:
    if refusal.overridden:
        return Concern("warning", f"guard {refusal.guard} overridden", refusal.message)
    return Concern("error", f"refused by guard {refusal.guard}", refusal.message)


def _damage(damage: Damage) -> Concern:
    where = damage.repository or ""
    if damage.tag:
        where += f":{damage.tag}"
    if damage.digest:
        # Most are damaged in their own content, whose key has the digest in full.
        is_in_key = damage.digest.partition(":")[2] in damage.key
        where += f"{'@' if where else ''}{short(damage.digest) if is_in_key else damage.digest}"
    where = f"{where}: " if where else ""
    effect = "accepted" if damage.accepted else "all that it could refer to was kept"
    return Concern(
        "warning" if damage.accepted else "error", "damage", f"{where}{damage.reason} ({damage.key}); {effect}"
    )


def _broken(image: BrokenImage) -> Concern:
    name = f"{image.repository}:{image.tag}" if image.tag else f"{image.repository}@{image.manifest}"
    of_manifest = f" of manifest {image.manifest}" if image.tag and image.missing != image.manifest else ""
    return Concern("error", "broken image", f"{name}: {image.role} {image.missing}{of_manifest} is missing")


def _named(found: Iterable[Concern], count: int) -> Iterator[Concern]:
    concern = None
    for _, concern in zip(range(MOST_NAMED), found, strict=False):
        yield concern
    if concern is not None and count > MOST_NAMED:
        yield Concern(concern.severity, concern.what, f"and {count - MOST_NAMED} more; the JSON report names all")
