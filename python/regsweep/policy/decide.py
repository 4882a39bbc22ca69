"""What a policy says of each tag of a repository, and which rule says so.

Rules are asked about each tag by itself or, where the policy decides by image, about all tags of a digest together,
which then get one answer. Keep beats delete: what one keep rule matches stays, whatever the delete rules say. What no
delete rule matches stays, too. A condition whose answer is not known (an image without a creation time, a tag that may
have been pulled before the log begins) is decided for keeping: it holds in a keep rule and does not in a delete rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from regsweep.errors import UnitError
from regsweep.policy import versions
from regsweep.policy.rules import DeleteRule, KeepRule, RepositoryPolicy, TagRule
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


@dataclass(frozen=True)
class _Image:
    """Tags that are decided on together: one, or all that a digest has in the repository.

    It was pushed and pulled when the last of them was. What its config says is the same for all of them.
    """

    tags: tuple[Tag, ...]
    names: tuple[str, ...]
    pushed: float
    pulled: float | None

    @property
    def created(self) -> float | None:
        return self.tags[0].known_creation

    @property
    def labels(self) -> Mapping[str, str]:
        return self.tags[0].labels


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
    images = _images(tags, together=policy.decide_by == "image")
    kept: dict[str, tuple[str, str]] = {}
    for rule in policy.keep:
        for image, reason in _kept_by(rule, images, moment):
            for name in image.names:
                kept.setdefault(name, (rule.name, reason))
    verdicts = _verdicts(policy.delete, images, moment, min_age)
    return [
        Decision(tag, True, *kept[tag.name]) if tag.name in kept else Decision(tag, *verdicts[tag.name]) for tag in tags
    ]


def _images(tags: Sequence[Tag], *, together: bool) -> list[_Image]:
    groups: dict[str, list[Tag]] = {}
    for tag in tags:
        groups.setdefault(tag.digest if together else tag.name, []).append(tag)
    return [
        _Image(
            tags=tuple(group),
            names=tuple(tag.name for tag in group),
            pushed=max(tag.pushed for tag in group),
            pulled=max((tag.pulled for tag in group if tag.pulled is not None), default=None),
        )
        for group in groups.values()
    ]


def _kept_by(rule: KeepRule, images: Sequence[_Image], moment: Moment) -> list[tuple[_Image, str]]:
    """The images that a keep rule keeps, with the reason: first the conditions, then the counts of what is left."""
    matched = _matching((image, _keep_conditions(rule, image, moment)) for image in images)
    left = [image for image, _ in matched]
    counts = []
    if rule.semver is not None:
        left = _newest_versions(left, rule.semver, rule.per)
        counts.append(f"newest {rule.semver} versions" + (f" of each {rule.per}" if rule.per else ""))
    orders: list[tuple[int | None, str, Callable[[_Image], float | None]]] = [
        (rule.most_recently_pushed, "pushed", lambda image: image.pushed),
        (rule.most_recently_created, "created", lambda image: image.created),
        (rule.most_recently_pulled, "pulled", lambda image: image.pulled or 0.0),
    ]
    for count, verb, time in orders:
        if count is not None:
            left = _latest(left, count, time)
            counts.append(f"{count} most recently {verb}")
    kept = {image.names for image in left}
    return [(image, ", ".join([*reasons, *counts])) for image, reasons in matched if image.names in kept]


def _matching(asked: Iterable[tuple[_Image, Iterable[str | None]]]) -> list[tuple[_Image, list[str]]]:
    """The images for which all conditions hold, with these in words. A condition that does not hold is ``None``."""
    matched = []
    for image, conditions in asked:
        reasons = []
        for reason in conditions:
            if reason is None:
                break
            reasons.append(reason)
        else:
            matched.append((image, reasons))
    return matched


def _tag_conditions(rule: TagRule, image: _Image) -> Iterator[str | None]:
    if rule.tags is not None:
        yield "tags match" if rule.tags(*image.names) else None
    if rule.labels:
        yield "labels match" if _labels_match(rule.labels, image) else None


def _keep_conditions(rule: KeepRule, image: _Image, moment: Moment) -> Iterator[str | None]:
    yield from _tag_conditions(rule, image)
    if (within := rule.pushed_within) is not None:
        yield f"pushed within {format_duration(within)}" if image.pushed >= moment.now - within else None
    if (within := rule.created_within) is not None:
        lately = image.created is None or image.created >= moment.now - within
        yield f"created within {format_duration(within)}" if lately else None
    if (within := rule.pulled_within) is not None:
        yield None if _unpulled_for(within, image, moment) else f"pulled within {format_duration(within)}"


def _delete_conditions(rule: DeleteRule, image: _Image, moment: Moment) -> Iterator[str | None]:
    yield from _tag_conditions(rule, image)
    if (age := rule.older_than) is not None:
        yield f"pushed {format_duration(moment.now - image.pushed)} ago" if image.pushed <= moment.now - age else None
    if (age := rule.created_older_than) is not None:
        if (created := image.created) is None or created > moment.now - age:
            yield None
        else:
            yield f"created {format_duration(moment.now - created)} ago"
    if (within := rule.not_pulled_within) is not None:
        yield f"not pulled within {format_duration(within)}" if _unpulled_for(within, image, moment) else None
    if (label := rule.expires_after_label) is not None:
        lifetime = _lifetime(image.labels.get(label))
        passed = lifetime is not None and image.pushed <= moment.now - lifetime
        yield f"{label}={image.labels[label]} has passed" if passed else None


def _latest(images: Sequence[_Image], count: int, time: Callable[[_Image], float | None]) -> list[_Image]:
    """The latest so many; all others of the same time as the last of them, for nothing says which of those to take;
    and all whose time is not known.
    """
    times = sorted((known for image in images if (known := time(image)) is not None), reverse=True)
    last = times[min(count, len(times)) - 1] if times else 0.0
    return [image for image in images if (known := time(image)) is None or known >= last]


def _newest_versions(images: Iterable[_Image], count: int, per: str | None) -> list[_Image]:
    """Images with a tag of the newest so many versions; ``1.2`` and ``1.2.0`` are one version."""
    parsed = [
        (image, {version for name in image.names if (version := versions.parse(name)) is not None}) for image in images
    ]
    newest: dict[tuple[int, ...], list[object]] = {}
    for version in sorted({version for _, found in parsed for version in found}, reverse=True):
        of_series = newest.setdefault(versions.series(version, per), [])
        if len(of_series) < count:
            of_series.append(version)
    return [
        image for image, found in parsed if any(version in newest[versions.series(version, per)] for version in found)
    ]


def _verdicts(
    rules: Sequence[DeleteRule], images: Sequence[_Image], moment: Moment, min_age: float
) -> dict[str, tuple[bool, str, str]]:
    """For each tag, by the first rule that deletes it: whether it stays all the same, the rule, and why."""
    spared: dict[str, tuple[bool, str, str]] = {}
    found: dict[str, tuple[bool, str, str]] = {}
    for rule in rules:
        matched = _matching((image, _delete_conditions(rule, image, moment)) for image in images)
        newest: set[tuple[str, ...]] = set()
        if (count := rule.except_most_recently_pushed) is not None:
            newest = {image.names for image in _latest([image for image, _ in matched], count, lambda one: one.pushed)}
        for image, reasons in matched:
            if image.names in newest:
                verdict, verdicts = (True, rule.name, f"{count} most recently pushed of those that match"), spared
            elif image.pushed > moment.now - min_age:
                reason = f"younger than the minimum age of {format_duration(min_age)}"
                verdict, verdicts = (True, rule.name, reason), found
            else:
                verdict, verdicts = (False, rule.name, ", ".join(reasons)), found
            for name in image.names:
                verdicts.setdefault(name, verdict)
    nothing = (True, "", "no rule matches")
    return {name: found.get(name) or spared.get(name) or nothing for image in images for name in image.names}


def _labels_match(wanted: Mapping[str, Callable[[str], bool]], image: _Image) -> bool:
    return all(label in image.labels and matches(image.labels[label]) for label, matches in wanted.items())


def _unpulled_for(seconds: float, image: _Image, moment: Moment) -> bool:
    """Whether it is known that an image was not pulled for that long, and is there for that long."""
    earliest = moment.now - seconds
    if moment.pulls_since is None or moment.pulls_since > earliest or image.pushed > earliest:
        return False
    return image.pulled is None or image.pulled < earliest


def _lifetime(text: str | None) -> float | None:
    """Seconds that a label gives an image; ``None`` where there is no label, or it is no duration."""
    try:
        return None if text is None else parse_duration(text.strip())
    except UnitError:
        return None
