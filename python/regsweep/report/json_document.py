"""A report as JSON, as ``schema/report-1.schema.json`` describes it: digests and findings in full, times in UTC."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from regsweep import _core
from regsweep.plan import Head, format_time

if TYPE_CHECKING:
    from regsweep.errors import Refusal
    from regsweep.report.model import Contents, Findings, Grouping, Held, Outcome, Report
    from regsweep.report.work import Work

SCHEMA = "regsweep.report/1"


def render(report: Report) -> str:
    """The document, with a line's end."""
    document = {
        "schema": SCHEMA,
        "regsweep_version": _core.__version__,
        "of": report.of,
        "store": report.store,
        "plan": report.head and _head(report.head),
        "contents": report.contents and _contents(report.contents),
        "findings": report.findings and _findings(report.findings),
        "quarantine": None if report.held is None else [_held(held) for held in report.quarantined],
        "condemned": None if report.held is None else [_held(held) for held in report.condemned],
        "work": report.work and _work(report.work),
        "outcome": report.outcome and _outcome(report.outcome),
    }
    # ASCII, so that names that are no valid UTF-8 (surrogate escapes) can be written, too.
    return json.dumps(document, indent=2, ensure_ascii=True) + "\n"


def _head(head: Head) -> dict[str, object]:
    return {
        "id": head.id,
        "made": format_time(head.made),
        "as_of": None if head.as_of is None else format_time(head.as_of),
        "cutoff": format_time(head.cutoff),
        "root": head.root,
        "store_identity": head.store,
        "regsweep_version": head.version,
        "mode": head.mode,
        "policy": head.policy,
        "policy_sha256": head.policy_sha256,
        "accept_damage": list(head.accept_damage),
        "overrides": list(head.overrides),
    }


def _contents(contents: Contents) -> dict[str, object]:
    return {
        "totals": asdict(contents.totals),
        "by_kind": dict(contents.kinds),
        "by_repository": _grouping(contents.repositories),
        "by_reason": _grouping(contents.reasons),
        "by_rule": _grouping(contents.rules),
        "by_age": [
            {"from_days": group.from_days, "below_days": group.below_days, **asdict(group.totals)}
            for group in contents.ages
        ],
        "largest_blobs": [asdict(blob) for blob in contents.largest],
    }


def _grouping(grouping: Grouping) -> dict[str, object]:
    return {
        "groups": [{"name": group.name, **asdict(group.totals)} for group in grouping.groups],
        "rest": {"count": grouping.rest_count, **asdict(grouping.rest)},
    }


def _findings(findings: Findings) -> dict[str, object]:
    return {
        "stored_blob_count": findings.stored_blob_count,
        "quarantined_live_count": findings.quarantined_live_count,
        "guards": _guards(findings.refusals),
        "damaged": _each(findings.damaged, "repository", "tag", "digest", "key", "reason", "accepted"),
        "broken_images": _each(findings.broken, "repository", "tag", "manifest", "missing", "role", "counts"),
        "notes": _each(findings.notes, "key", "reason"),
    }


def _held(held: Held) -> dict[str, object]:
    since = None if held.since is None else format_time(held.since)
    return {"id": held.id, "state": held.state, "since": since, **asdict(held.totals), "waits_for": held.waits_for}


def _work(work: Work) -> dict[str, object]:
    back = asdict(work.restored)
    del back["bytes"]
    return {
        "set_aside": asdict(work.set_aside),
        "condemned": asdict(work.condemned),
        "restored": back,
        "purged": {"blobs": work.purged_blob_count, "bytes": work.purged_bytes},
        "failures": _each(work.failures, "key", "error"),
        "guards": _guards(work.refusals),
    }


def _outcome(outcome: Outcome) -> dict[str, object]:
    return {
        "exit_code": outcome.exit_code,
        "began": format_time(outcome.began),
        "ended": format_time(outcome.ended),
        "error": outcome.failure and asdict(outcome.failure),
    }


def _guards(refusals: Iterable[Refusal]) -> list[dict[str, Any]]:
    return _each(refusals, "guard", "message", "overridden")


def _each(items: Iterable[object], *names: str) -> list[dict[str, Any]]:
    return [{name: getattr(item, name) for name in names} for item in items]
