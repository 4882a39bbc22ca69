"""What an imported policy decides about repositories that are written down as lists of images."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from regsweep import policy
from regsweep.policy import Moment, Policy, Tag
from regsweep.policy.importers.draft import Draft

DATA = Path(__file__).parents[1] / "data" / "policy_import"
DAY = 86400.0
NOW = 1_700_000_000.0


@dataclass(frozen=True)
class Image:
    """A manifest with its tags; ages in days, ``None`` where there is no such time."""

    pushed: float
    tags: tuple[str, ...] = ()
    created: float | None = None
    pulled: float | None = None


def image(pushed: float, *tags: str, created: float | None = None, pulled: float | None = None) -> Image:
    return Image(pushed, tags, created, pulled)


def parsed(draft: Draft) -> Policy:
    return policy.parse(draft.text().encode(), "imported")


def gone(draft: Draft, repository: str, images: Sequence[Image], *, pulls_known: bool = False) -> set[str]:
    """The tags that go; of untagged images, ``@`` and their age."""
    whole = parsed(draft)
    rules = whole.for_repository(repository)
    tags = [
        Tag(
            name=name,
            digest=f"sha256:{index:064x}",
            pushed=NOW - one.pushed * DAY,
            created=None if one.created is None else NOW - one.created * DAY,
            pulled=None if one.pulled is None else NOW - one.pulled * DAY,
        )
        for index, one in enumerate(images)
        for name in one.tags
    ]
    moment = Moment(NOW, NOW - 10_000 * DAY if pulls_known else None)
    decisions = policy.decide(rules, tags, moment, whole.min_age)
    return {decision.tag.name for decision in decisions if not decision.keeps} | _untagged(whole, repository, images)


def _untagged(whole: Policy, repository: str, images: Sequence[Image]) -> set[str]:
    """As docs/policy.md has it: those that were pushed longer ago, but for the most recent so many."""
    rules = whole.for_repository(repository)
    if rules is None or rules.untagged is None:
        return set()
    ages = sorted(one.pushed for one in images if not one.tags)
    limit = max(rules.untagged.older_than, whole.min_age) / DAY
    return {f"@{age:g}" for age in ages[rules.untagged.keep :] if age >= limit}


def warned(draft: Draft) -> list[str]:
    return [warning.message for warning in draft.warnings]


def without(document: object, *path: str | int) -> bytes:
    """A document as JSON, without the part at a path."""
    copy = json.loads(json.dumps(document))
    parent = copy
    for step in path[:-1]:
        parent = parent[step]
    del parent[path[-1]]
    return json.dumps(copy).encode()


def replaced(document: object, value: object, *path: str | int) -> bytes:
    """A document as JSON, with another value, or a new one, at a path."""
    copy = json.loads(json.dumps(document))
    parent = copy
    for step in path[:-1]:
        parent = parent[step]
    parent[path[-1]] = value
    return json.dumps(copy).encode()
