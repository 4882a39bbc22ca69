"""Words and numbers that the text and the page have in common."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from regsweep import exit_codes
from regsweep.plan import Totals, format_time
from regsweep.units import format_bytes, format_count, format_duration

if TYPE_CHECKING:
    from regsweep.report.model import AgeGroup, Contents, Grouping, Held, LargeBlob, Outcome, Report
    from regsweep.report.work import Work

NO_REPOSITORY = "(in no repository)"
NO_RULE = "(by no rule)"
_SHORT_DIGITS = 12

_MODES = {
    "garbage": "what no manifest link reaches",
    "untagged": "what no tag leads to",
    "policy": "what a policy says",
    "named": "what was named",
}


def title(report: Report) -> str:
    """What the report is of."""
    if report.of == "store":
        return f"Store {report.store}"
    if report.of == "run":
        return f"Run on {report.store}"
    return f"Plan {report.head.id}" if report.head else f"Plan of {report.store}"


def facts(report: Report) -> Iterator[tuple[str, str]]:
    """Where it comes from."""
    head = report.head
    if head is None:
        return
    if report.of != "store":
        yield "store", head.root
    if report.of == "run":
        yield "plan", head.id
    yield ("looked at" if report.of == "store" else "made"), format_time(head.made)
    policy = f": {head.policy} (sha256 {head.policy_sha256[:_SHORT_DIGITS]})" if head.policy else ""
    yield "goes", _MODES.get(head.mode, head.mode) + policy
    yield "stays", f"what was written since {format_time(head.cutoff)}, and what that needs"
    if report.outcome is not None:
        yield "took", format_duration(report.outcome.ended - report.outcome.began)


def headline(report: Report) -> str:
    """How much there is to free."""
    if report.contents is None:
        return "There is no plan"
    size = format_bytes(report.contents.totals.bytes)
    verb = "Planned to free" if report.of == "run" else "Would free"
    return f"{verb} {size}" if report.contents.totals.items else f"{verb} nothing"


def counts(report: Report) -> Iterator[tuple[str, int, str]]:
    """What goes, by kind: the kind, how many, and what is to be said of them."""
    contents = report.contents
    if contents is None:
        return
    kinds = contents.kinds
    if whole := kinds.get("repository", 0):
        yield "repositories", whole, "as a whole"
    referrers = kinds.get("referrer-tag", 0)
    yield "tags", contents.totals.tags, f"{referrers:,} of them of signatures and the like" if referrers else ""
    yield "manifests", contents.totals.manifests, ""
    yield "layer links", contents.totals.layer_links, ""
    stored = report.findings.stored_blob_count if report.findings else 0
    share = percent(contents.totals.blobs, stored)
    remark = f"of {stored:,} stored{f' ({share})' if share else ''}" if stored else ""
    yield "blobs", contents.totals.blobs, remark


def attention(count: int) -> str:
    """How much there is to look at."""
    return f"{format_count(count, 'thing')} {'needs' if count == 1 else 'need'} attention"


def percent(part: int, whole: int) -> str:
    """A share with one digit; nothing where there is none; what is there but rounds to nothing says so."""
    if part == 0 or whole == 0:
        return ""
    share = 100 * part / whole
    return "<0.1%" if share < 0.05 else f"{share:.1f}%"


def lines_of(grouping: Grouping, unnamed: str) -> Iterator[tuple[str, Totals]]:
    """The groups by name, and what is left of them as the last."""
    for group in grouping.groups:
        yield group.name or unnamed, group.totals
    if grouping.rest_count:
        yield f"{grouping.rest_count:,} more", grouping.rest


def has_rules(contents: Contents) -> bool:
    """Whether rules say more than that there were none."""
    return any(group.name for group in contents.rules.groups)


def has_ages(contents: Contents) -> bool:
    """Whether anything has an age."""
    return any(group.totals.items for group in contents.ages)


def ages(contents: Contents) -> Iterator[tuple[str, Totals]]:
    """What goes by age, the youngest first."""
    for group in contents.ages:
        yield age_range(group), group.totals


def age_range(group: AgeGroup) -> str:
    """A range of ages: ``under 1 day``, ``7 to 30 days``, ``over 1 year``."""
    if group.below_days is None:
        return "over 1 year"
    if group.from_days == 0:
        return "under 1 day"
    return f"{group.from_days} to {group.below_days} days"


def place(blob: LargeBlob) -> str:
    """Where a blob is from."""
    if not blob.repository:
        return NO_REPOSITORY
    return f"{blob.repository}:{blob.tag}" if blob.tag else blob.repository


def age(blob: LargeBlob) -> str:
    """How old a blob is."""
    return "" if blob.age_seconds is None else format_duration(blob.age_seconds)


def short(digest: str) -> str:
    """A digest for a table."""
    algorithm, _, digits = digest.partition(":")
    return f"{algorithm}:{digits[:_SHORT_DIGITS]}"


def held_since(held: Held) -> str:
    """When something was set aside or condemned by a run."""
    return "" if held.since is None else format_time(held.since)


def done(work: Work) -> Iterator[tuple[str, str]]:
    """What a run did."""
    if work.set_aside.items:
        yield "set aside", f"{format_bytes(work.set_aside.bytes)} ({work.set_aside.text()})"
    if work.condemned.items:
        yield "condemned", f"{format_bytes(work.condemned.bytes)} ({work.condemned.text()})"
    if work.restored.items:
        yield "brought back", work.restored.text()
    if work.purged_blob_count:
        blobs = format_count(work.purged_blob_count, "blob")
        yield "removed for good", f"{format_bytes(work.purged_bytes)} ({blobs})"
    if work.failures:
        yield "failed", format_count(len(work.failures), "removal or move", "removals or moves")


def ended(outcome: Outcome) -> str:
    """The exit code with its meaning, without what help says in brackets."""
    meaning, _, _ = exit_codes.MEANINGS.get(outcome.exit_code, "unknown").partition(" (")
    return f"{outcome.exit_code} ({meaning})"


def unknown(report: Report) -> str:
    """What the report cannot say; empty where it says all."""
    if report.findings is None and report.of == "plan":
        return "A plan's file does not say whether anything is damaged or broken: regsweep report STORE does"
    return ""


def closing(report: Report) -> str:
    """What became of what the report names."""
    if report.of == "run":
        return "What was set aside comes back with regsweep undo, until it is purged."
    return "Nothing of this was removed by making this report."
