"""What a policy says of each tag of a repository, and which rule says so.

Keep beats delete: a tag that one keep rule matches stays, whatever the delete rules say. What no delete rule matches
stays, too. A condition whose answer is not known (an image without a creation time, a tag that may have been pulled
before the log begins) is decided for keeping: it holds in a keep rule and does not in a delete rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from regsweep.errors import UnitError
from regsweep.policy import versions
from regsweep.policy.grammar import DeleteRule, KeepRule, RepositoryPolicy
from regsweep.units import format_duration, parse_duration

# 1981. Reproducible builds write the beginning of their epoch, 1970 or ZIP's 1980: not when the image was made.
_EARLIEST_CREATION = 347_155_200.0


@dataclass(frozen=True)
class Tag:
    """A tag as a policy sees it. Times are seconds since 1970.

    Attributes:
        pushed: when it was last pushed: the time of its ``current/link``.
        created: when its image was made, as the image's config says; ``None`` where it does not.
        pulled: when it was last pulled; ``None`` where no pull is known.
        labels: those of the image's config.
    """

    name: str
    digest: str
    pushed: float
    created: float | None = None
    pulled: float | None = None
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def known_creation(self) -> float | None:
        """``created``, where it is a time at which an image can have been made."""
        return self.created if self.created is not None and self.created >= _EARLIEST_CREATION else None


@dataclass(frozen=True)
class Moment:
    """What times are compared with. Seconds since 1970.

    Attributes:
        now: the moment of the decision.
        pulls_since: since when pulls are known; ``None`` where none are.
    """

    now: float
    pulls_since: float | None = None


@dataclass(frozen=True)
class Decision:
    """What happens to a tag: whether it stays, which rule says so (empty: none does), and why."""

    tag: Tag
    keeps: bool
    rule: str
    reason: str


def decide(policy: RepositoryPolicy | None, tags: Sequence[Tag], moment: Moment, min_age: float) -> list[Decision]:
    """Decides on all tags of one repository, in their order.

    Args:
        policy: the one that counts for the repository.
        tags: all of the repository's, without those that only carry referrers.
        moment: what times are compared with.
        min_age: seconds; nothing that was pushed later goes.
    """
    if policy is None:
        return [Decision(tag, True, "", "no policy matches the repository") for tag in tags]
    kept: dict[str, tuple[str, str]] = {}
    for rule in policy.keep:
        for tag, reason in _kept_by(rule, tags, moment):
            kept.setdefault(tag.name, (rule.name, reason))
    return [
        Decision(tag, True, *kept[tag.name]) if tag.name in kept else _deleted_by(policy.delete, tag, moment, min_age)
        for tag in tags
    ]


def _kept_by(rule: KeepRule, tags: Sequence[Tag], moment: Moment) -> list[tuple[Tag, str]]:
    """The tags that a keep rule keeps, with the reason: first the conditions, then the counts of what is left."""
    left = [tag for tag in tags if all(condition(tag) for condition in _keep_conditions(rule, moment))]
    reasons = _condition_reasons(rule)
    if rule.semver is not None:
        left = _newest_versions(left, rule.semver, rule.per)
        reasons.append(f"newest {rule.semver} versions" + (f" of each {rule.per}" if rule.per else ""))
    orders: list[tuple[int | None, str, Callable[[Tag], float | None]]] = [
        (rule.most_recently_pushed, "pushed", lambda tag: tag.pushed),
        (rule.most_recently_created, "created", lambda tag: tag.known_creation),
        (rule.most_recently_pulled, "pulled", lambda tag: tag.pulled or 0.0),
    ]
    for count, verb, time in orders:
        if count is not None:
            left = _latest(left, count, time)
            reasons.append(f"{count} most recently {verb}")
    return [(tag, ", ".join(reasons)) for tag in left]


def _keep_conditions(rule: KeepRule, moment: Moment) -> list[Callable[[Tag], bool]]:
    conditions: list[Callable[[Tag], bool]] = []
    if rule.tags is not None:
        matches = rule.tags
        conditions.append(lambda tag: matches(tag.name))
    if rule.labels:
        conditions.append(lambda tag: _labels_match(rule.labels, tag))
    if rule.pushed_within is not None:
        earliest_push = moment.now - rule.pushed_within
        conditions.append(lambda tag: tag.pushed >= earliest_push)
    if rule.created_within is not None:
        earliest_creation = moment.now - rule.created_within
        conditions.append(lambda tag: tag.known_creation is None or tag.known_creation >= earliest_creation)
    if rule.pulled_within is not None:
        conditions.append(lambda tag: not _unpulled_for(rule.pulled_within or 0.0, tag, moment))
    return conditions


def _condition_reasons(rule: KeepRule) -> list[str]:
    reasons = ["tags match"] if rule.tags is not None else []
    reasons += ["labels match"] if rule.labels else []
    for verb, seconds in (
        ("pushed", rule.pushed_within),
        ("created", rule.created_within),
        ("pulled", rule.pulled_within),
    ):
        reasons += [f"{verb} within {format_duration(seconds)}"] if seconds is not None else []
    return reasons


def _latest(tags: Sequence[Tag], count: int, time: Callable[[Tag], float | None]) -> list[Tag]:
    """The latest so many; all others of the same time as the last of them, for nothing says which of those to take;
    and all whose time is not known.
    """
    times = sorted((known for tag in tags if (known := time(tag)) is not None), reverse=True)
    last = times[min(count, len(times)) - 1] if times else 0.0
    return [tag for tag in tags if (known := time(tag)) is None or known >= last]


def _newest_versions(tags: Iterable[Tag], count: int, per: str | None) -> list[Tag]:
    """Tags of the newest so many versions; ``1.2`` and ``1.2.0`` are one version."""
    parsed = [(version, tag) for tag in tags if (version := versions.parse(tag.name)) is not None]
    newest: dict[tuple[int, ...], list[object]] = {}
    for version in sorted({version for version, _ in parsed}, reverse=True):
        of_series = newest.setdefault(versions.series(version, per), [])
        if len(of_series) < count:
            of_series.append(version)
    return [tag for version, tag in parsed if version in newest[versions.series(version, per)]]


def _deleted_by(rules: Sequence[DeleteRule], tag: Tag, moment: Moment, min_age: float) -> Decision:
    for rule in rules:
        reasons = _delete_reasons(rule, tag, moment)
        if reasons is None:
            continue
        if tag.pushed > moment.now - min_age:
            return Decision(tag, True, rule.name, f"younger than the minimum age of {format_duration(min_age)}")
        return Decision(tag, False, rule.name, ", ".join(reasons))
    return Decision(tag, True, "", "no rule matches")


def _delete_reasons(rule: DeleteRule, tag: Tag, moment: Moment) -> list[str] | None:
    """Why a rule deletes a tag; ``None`` where it does not."""
    reasons = []
    if rule.tags is not None:
        if not rule.tags(tag.name):
            return None
        reasons.append("tags match")
    if rule.labels:
        if not _labels_match(rule.labels, tag):
            return None
        reasons.append("labels match")
    if rule.older_than is not None:
        if tag.pushed > moment.now - rule.older_than:
            return None
        reasons.append(f"pushed {format_duration(moment.now - tag.pushed)} ago")
    if rule.created_older_than is not None:
        created = tag.known_creation
        if created is None or created > moment.now - rule.created_older_than:
            return None
        reasons.append(f"created {format_duration(moment.now - created)} ago")
    if rule.not_pulled_within is not None:
        if not _unpulled_for(rule.not_pulled_within, tag, moment):
            return None
        reasons.append(f"not pulled within {format_duration(rule.not_pulled_within)}")
    if rule.expires_after_label is not None:
        lifetime = _lifetime(tag.labels.get(rule.expires_after_label))
        if lifetime is None or tag.pushed > moment.now - lifetime:
            return None
        reasons.append(f"{rule.expires_after_label}={tag.labels[rule.expires_after_label]} has passed")
    return reasons


def _labels_match(wanted: Mapping[str, Callable[[str], bool]], tag: Tag) -> bool:
    return all(label in tag.labels and matches(tag.labels[label]) for label, matches in wanted.items())


def _unpulled_for(seconds: float, tag: Tag, moment: Moment) -> bool:
    """Whether it is known that a tag was not pulled for that long, and is there for that long."""
    earliest = moment.now - seconds
    if moment.pulls_since is None or moment.pulls_since > earliest or tag.pushed > earliest:
        return False
    return tag.pulled is None or tag.pulled < earliest


def _lifetime(text: str | None) -> float | None:
    """Seconds that a label gives an image; ``None`` where there is no label, or it is no duration."""
    try:
        return None if text is None else parse_duration(text.strip())
    except UnitError:
        return None
