"""A report as metrics, for the textfile collector of Prometheus' node exporter.

Exposition format: Prometheus' documentation, "Text-based format". Gauges say how things are, and what the last run did;
the few counters (``_total``) go on from what the file that is replaced says. The label ``store`` tells the files of
several stores on one machine from each other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, TypeAlias

from regsweep import exit_codes
from regsweep.journal import HOLDING
from regsweep.plan import Totals
from regsweep.visible import visible

if TYPE_CHECKING:
    from regsweep.report.model import Contents, Findings, Grouping, Held, Outcome, Report
    from regsweep.report.work import Work

# Labels and a value.
Sample: TypeAlias = "tuple[Mapping[str, str], float]"
# Name (without regsweep_), help, samples.
Metric: TypeAlias = "tuple[str, str, Iterable[Sample]]"

# An empty label is none at all.
_NONE = "(none)"
_LAST_SUCCESS = "last_success_timestamp_seconds"
_COUNTER = "_total"
# With these a command has come to its end, and has done what it could.
_SUCCESSES = frozenset({exit_codes.DONE, exit_codes.DONE_WITH_DAMAGE})


def render(report: Report, previous: str) -> str:
    """The metrics, with a line's end."""
    lines = []
    for name, help_text, samples in _metrics(report, previous):
        lines.append(f"# HELP regsweep_{name} {help_text}")
        lines.append(f"# TYPE regsweep_{name} {'counter' if name.endswith(_COUNTER) else 'gauge'}")
        for labels, value in samples:
            lines.append(f"regsweep_{name}{_labels({'store': report.store, **labels})} {_number(value)}")
    text = "".join(f"{line}\n" for line in lines)
    return text.encode("utf-8", "backslashreplace").decode()


def _metrics(report: Report, previous: str) -> Iterator[Metric]:
    if report.head is not None:
        yield "plan_made_timestamp_seconds", "When the scan behind the plan began.", _one(report.head.made)
        yield "plan_cutoff_timestamp_seconds", "Nothing written since then is in the plan.", _one(report.head.cutoff)
    if report.contents is not None:
        yield from _contents(report.contents)
    if report.findings is not None:
        yield from _findings(report.findings)
    if report.held is not None:
        yield from _quarantine(report.quarantined)
        yield "condemned_runs", "Runs with a list of what they have condemned.", _one(len(report.condemned))
        condemned = sum(run.totals.bytes for run in report.condemned)
        yield "condemned_bytes", "What is on those lists, as it was counted then.", _one(condemned)
    if report.work is not None:
        yield from _work(report.work)
    if report.outcome is not None:
        before = _Before(report.store, previous)
        yield from _outcome(report.outcome, "run" if report.of == "run" else "plan", before)
        if report.work is not None:
            yield from _counters(report.work, report.outcome, before)


def _contents(contents: Contents) -> Iterator[Metric]:
    yield "plan_bytes", "What the plan would free.", _one(contents.totals.bytes)
    yield "plan_items", "What is in the plan, by kind.", _by_kind(contents.totals)
    for label, plural, grouping in (
        ("repository", "repositories", contents.repositories),
        ("reason", "reasons", contents.reasons),
        ("rule", "rules", contents.rules),
    ):
        yield f"plan_{label}_bytes", f"What the plan would free, by {label}: the largest.", _bytes(label, grouping)
        yield f"plan_{label}_items", f"What is in the plan, by {label}: the largest.", _items(label, grouping)
        yield (
            f"plan_other_{plural}_bytes",
            f"What the plan would free of all other {plural}.",
            _one(grouping.rest.bytes),
        )
        yield f"plan_other_{plural}_items", f"What is in the plan of all other {plural}.", _one(grouping.rest.items)
    ages = [({"from_days": str(group.from_days)}, group.totals) for group in contents.ages]
    yield "plan_age_bytes", "What the plan would free, by its age.", [(label, totals.bytes) for label, totals in ages]
    yield "plan_age_items", "What is in the plan, by its age.", [(label, totals.items) for label, totals in ages]


def _findings(findings: Findings) -> Iterator[Metric]:
    broken = sum(image.counts for image in findings.broken)
    damaged = sum(not damage.accepted for damage in findings.damaged)
    refusing = sum(not refusal.overridden for refusal in findings.refusals)
    yield "plan_stored_blobs", "Blobs that the storage holds.", _one(findings.stored_blob_count)
    yield "plan_damaged", "What could not be understood, and was not accepted.", _one(damaged)
    yield "plan_broken_images", "What tagged images miss.", _one(broken)
    yield "plan_notes", "Odd things that were left alone.", _one(len(findings.notes))
    yield "plan_refusing_guards", "Guards that refuse the plan.", _one(refusing)
    yield (
        "quarantine_live_blobs",
        "Live blobs in quarantine, which a confirmation brings back.",
        _one(findings.quarantined_live_count),
    )


def _quarantine(held: Iterable[Held]) -> Iterator[Metric]:
    runs: dict[str, int] = dict.fromkeys(sorted(HOLDING), 0)
    size_bytes: dict[str, int] = dict.fromkeys(sorted(HOLDING), 0)
    for run in held:
        runs[run.state] += 1
        size_bytes[run.state] += run.totals.bytes
    yield "quarantine_runs", "Runs with something in quarantine, by state.", _by_state(runs)
    yield "quarantine_bytes", "What they set aside, as it was counted then, by state.", _by_state(size_bytes)
    since = min((run.since for run in held if run.since is not None), default=None)
    if since is not None:
        yield "quarantine_oldest_timestamp_seconds", "When the oldest of it was set aside.", _one(since)


def _work(work: Work) -> Iterator[Metric]:
    yield "run_set_aside_bytes", "What the run moved into quarantine.", _one(work.set_aside.bytes)
    yield "run_set_aside_items", "What the run moved into quarantine, by kind.", _by_kind(work.set_aside)
    yield "run_condemned_bytes", "What the run condemned, and left where it was.", _one(work.condemned.bytes)
    yield "run_condemned_items", "What the run condemned, by kind.", _by_kind(work.condemned)
    yield "run_restored_items", "What the run brought back from quarantine, by kind.", _by_kind(work.restored)
    yield "run_purged_bytes", "What the run removed for good.", _one(work.purged_bytes)
    yield "run_purged_blobs", "Blobs that the run removed for good.", _one(work.purged_blob_count)
    yield "run_failures", "What the run could not move or remove.", _one(len(work.failures))


def _outcome(outcome: Outcome, command: str, before: _Before) -> Iterator[Metric]:
    name = f"{command}_{_LAST_SUCCESS}"
    success = outcome.ended if outcome.exit_code in _SUCCESSES else before.value(name)
    yield f"{command}_exit_code", "How it ended: the exit code.", _one(outcome.exit_code)
    yield f"{command}_duration_seconds", "How long it took.", _one(outcome.ended - outcome.began)
    yield f"{command}_ended_timestamp_seconds", "When it ended, in whatever way.", _one(outcome.ended)
    yield name, "When it last ended with exit code 0 or 3; 0 if it never did.", _one(success)


def _counters(work: Work, outcome: Outcome, before: _Before) -> Iterator[Metric]:
    for name, help_text, now in (
        ("runs_total", "Runs that have ended, in whatever way.", 1),
        ("unsuccessful_runs_total", "Runs that did not come to their end.", outcome.exit_code not in _SUCCESSES),
        ("purged_bytes_total", "What runs have removed for good.", work.purged_bytes),
        ("purged_blobs_total", "Blobs that runs have removed for good.", work.purged_blob_count),
    ):
        yield name, help_text, _one(before.value(name) + now)


class _Before:
    """What the file that is replaced says of a store."""

    def __init__(self, store: str, text: str) -> None:
        self._labels = re.escape(_labels({"store": store}))
        self._text = text

    def value(self, name: str) -> float:
        """The value of a metric; 0 where there is none."""
        found = re.search(rf"^regsweep_{name}{self._labels} ([0-9]+(?:\.[0-9]+)?)$", self._text, re.MULTILINE)
        return float(found[1]) if found else 0.0


def _one(value: float) -> list[Sample]:
    return [({}, value)]


def _by_kind(totals: Totals) -> list[Sample]:
    return [
        ({"kind": "tag"}, totals.tags),
        ({"kind": "manifest"}, totals.manifests),
        ({"kind": "layer-link"}, totals.layer_links),
        ({"kind": "blob"}, totals.blobs),
    ]


def _by_state(values: Mapping[str, int]) -> list[Sample]:
    return [({"state": state}, value) for state, value in values.items()]


def _bytes(label: str, grouping: Grouping) -> list[Sample]:
    return [({label: group.name or _NONE}, group.totals.bytes) for group in grouping.groups]


def _items(label: str, grouping: Grouping) -> list[Sample]:
    return [({label: group.name or _NONE}, group.totals.items) for group in grouping.groups]


def _labels(labels: Mapping[str, str]) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return visible(value).replace("\\", r"\\").replace('"', r"\"")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:.3f}"
