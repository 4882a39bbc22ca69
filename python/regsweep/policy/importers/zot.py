"""zot's retention, from its configuration.

What is here was read from zot's source: ``pkg/retention`` (the first policy with a glob that matches counts; a tag goes
by the first of ``keepTags`` with an expression that is found in it, and stays if one of that entry's rules holds or if
it has none; tags of no entry go), ``pkg/storage/gc/gc.go`` (``delay`` is for untagged manifests and referrers) and
``pkg/cli/server/root.go`` (defaults: ``gc`` is on, but off in ``subPaths``; ``delay`` is ``gcDelay``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from regsweep.errors import UnitError
from regsweep.policy.importers import expressions
from regsweep.policy.importers import source as sources
from regsweep.policy.importers.draft import EVERYTHING, Conditions, Draft, DraftPolicy, DraftRule, quoted
from regsweep.policy.importers.expressions import ExpressionError
from regsweep.policy.importers.scopes import Scope
from regsweep.policy.importers.source import Section, Source
from regsweep.units import parse_duration

_COMPONENT = re.compile(r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*")
_DEFAULT_GC_DELAY = "1h"
_DEFAULT_MIN_AGE = "24h"
_OTHER_SECTIONS = (
    *("distSpecVersion", "goVersion", "commit", "releaseTag", "binaryType"),
    *("http", "log", "extensions", "scheduler", "cluster"),
)
_OTHER_STORAGE = (
    *("rootDirectory", "maxRepos", "dedupe", "remoteCache", "redirectBlobURL", "commit", "fastRestart"),
    *("gcInterval", "gcTimeWindow", "gcMaxSchedulerDelay", "storageDriver", "cacheDriver"),
)
_NEED_PULLS = {"most_recently_pulled", "pulled_within"}
_PULLS = "asks for pulls: without a log of them, all that it matches stays"
_UNTAGGED = "zot deletes untagged manifests of repositories that no policy matches, too: here they stay"


@dataclass
class _Limits:
    """Of an entry of ``keepTags``, or of ``keepUntagged``: one that holds is enough."""

    section: Section
    counts: dict[str, int] = field(default_factory=dict)
    ages: dict[str, str] = field(default_factory=dict)

    @property
    def any(self) -> bool:
        return bool(self.counts or self.ages)

    @property
    def need_pulls(self) -> bool:
        return bool(_NEED_PULLS & (self.counts.keys() | self.ages.keys()))


@dataclass(frozen=True)
class _Entry:
    limits: _Limits
    # Empty: all tags.
    patterns: tuple[str, ...]

    @property
    def takes_all(self) -> bool:
        return not self.patterns or "*" in self.patterns


@dataclass(frozen=True)
class _Policy:
    section: Section
    scopes: tuple[Scope, ...]
    keep_tags: tuple[_Entry, ...]
    keep_untagged: _Limits
    delete_untagged: bool
    delete_referrers: bool
    delay: str


def convert(text: bytes, name: str) -> Draft:
    """Turns the retention of a zot configuration into a policy.

    Args:
        text: JSON.
        name: the file's, for messages.

    Raises:
        PolicyImportError: the text is not such a configuration, or cannot be said.
    """
    source = sources.read(text, name)
    found = _read(source)
    source.check()
    if not found:
        source.fail(("storage",), "has no retention policies that are in force: nothing to import")
    policies = [_convert(source, one, f"zot-{number}") for number, one in enumerate(found, start=1)]
    min_age = _min_age(source, found)
    source.warn(None, _UNTAGGED)
    title = f"Imported from the zot configuration {quoted(source.name)}."
    notes = (
        "zot looks for an expression anywhere in a tag, and deletes tags that no entry of keepTags keeps.",
        _UNTAGGED,
    )
    return Draft((title, *notes), policies, min_age, source.warnings)


def _read(source: Source) -> list[_Policy]:
    top = Section(source, source.value, fold=True)
    top.ignore(*_OTHER_SECTIONS)
    storage = top.section("storage")
    top.end()
    below = storage.section("subPaths")
    stores = below.members()
    outside = tuple(f"{_prefix(route, section)}/**" for route, section in stores)
    found = _store(storage, None, outside, collects=True)
    for route, section in stores:
        found += _store(section, f"{_prefix(route, section)}/**", (), collects=False)
    return found


def _prefix(route: str, section: Section) -> str:
    """The first component of the names of the repositories that a sub-path holds."""
    prefix = route.strip("/")
    if not _COMPONENT.fullmatch(prefix):
        section.source.problem(section.path, f"{route!r} is not the first part of repositories' names")
        return "x"
    return prefix


def _store(storage: Section, within: str | None, outside: Sequence[str], *, collects: bool) -> list[_Policy]:
    """The policies of a store, in force.

    Args:
        storage: its configuration.
        within: a pattern for the repositories that it holds; ``None`` for all.
        outside: patterns for those that it does not hold.
        collects: whether its garbage collection is on by default.
    """
    storage.ignore(*_OTHER_STORAGE)
    collects = storage.boolean("gc", collects)
    gc_delay = _duration(storage, "gcDelay", _DEFAULT_GC_DELAY)
    retention = storage.section("retention")
    storage.end()
    dry_run = retention.boolean("dryRun", False)
    delay = _duration(retention, "delay", gc_delay)
    policies = [_policy(section, delay, within, outside) for section in retention.sections("policies")]
    retention.end()
    if policies and (dry_run or not collects):
        why = "dryRun is on" if dry_run else "gc is off there"
        storage.source.warn(retention.path, f"{retention.name} removes nothing, for {why}: left out")
        return []
    for policy in policies:
        if not policy.scopes:
            policy.section.source.warn(
                policy.section.path, f"{policy.section.name} matches no repository of its store: left out"
            )
    return [policy for policy in policies if policy.scopes]


def _policy(section: Section, delay: str, within: str | None, outside: Sequence[str]) -> _Policy:
    repositories = section.texts("repositories")
    found = _Policy(
        section=section,
        scopes=_scopes(section, repositories, within, outside),
        keep_tags=tuple(_entry(entry) for entry in section.sections("keepTags")),
        keep_untagged=_limits(section.section("keepUntagged")),
        delete_untagged=section.boolean("deleteUntagged", True),
        delete_referrers=section.boolean("deleteReferrers", False),
        delay=delay,
    )
    found.keep_untagged.section.end()
    section.end()
    return found


def _scopes(
    section: Section, repositories: Sequence[str], within: str | None, outside: Sequence[str]
) -> tuple[Scope, ...]:
    found: list[Scope] = []
    store = Scope((within,) if within else ("**",))
    for pattern in repositories:
        try:
            globs = expressions.glob(pattern, version=4)
        except ExpressionError as error:
            section.problem("repositories", f"cannot be said: {error}")
            continue
        found += [scope.both(store) for one in globs if (scope := Scope((one,), tuple(outside))).meets(store)]
    return tuple(found)


def _entry(section: Section) -> _Entry:
    patterns: list[str] = []
    for text in section.texts("patterns"):
        try:
            patterns.append(expressions.parse(text, dialect="RE2").anywhere())
        except ExpressionError as error:
            section.problem("patterns", f"cannot be said: {error}")
    limits = _limits(section)
    section.end()
    return _Entry(limits, tuple(dict.fromkeys(patterns)))


def _limits(section: Section) -> _Limits:
    limits = _Limits(section)
    for key, ours in (("pushedWithin", "pushed_within"), ("pulledWithin", "pulled_within")):
        if section.has(key):
            limits.ages[ours] = _duration(section, key, "")
    for key, ours in (
        ("mostRecentlyPushedCount", "most_recently_pushed"),
        ("mostRecentlyPulledCount", "most_recently_pulled"),
    ):
        # 0 is as if it were not there.
        if count := section.integer(key, 0):
            limits.counts[ours] = count
    return limits


def _duration(section: Section, key: str, default: str) -> str:
    """A duration as Go writes it, which a policy understands, too."""
    text = section.text(key, default)
    try:
        parse_duration(text)
    except UnitError as error:
        section.problem(key, f"is not understood: {error}")
    return text


def _convert(source: Source, policy: _Policy, name: str) -> DraftPolicy:
    keep = [rule for index, _ in enumerate(policy.keep_tags) for rule in _keep(source, policy.keep_tags, index)]
    if not policy.keep_tags:
        keep = [DraftRule(EVERYTHING, ("without keepTags, all tags stay",))]
    return DraftPolicy(
        name=name,
        repositories=list(dict.fromkeys(pattern for scope in policy.scopes for pattern in scope.patterns)),
        comments=(policy.section.name,),
        keep=keep,
        delete=[DraftRule(EVERYTHING, ("what no entry of keepTags keeps",))] if policy.keep_tags else [],
        untagged=_untagged(source, policy),
        referrers="delete-orphans" if policy.delete_referrers else "keep",
    )


def _keep(source: Source, entries: Sequence[_Entry], index: int) -> list[DraftRule]:
    entry = entries[index]
    title = entry.limits.section.name
    if any(earlier.takes_all for earlier in entries[:index]):
        source.warn(entry.limits.section.path, f"{title} never counts: an entry before it takes all tags")
        return []
    # Tags of an entry before this are not this one's, which matters where they may go, and where this one counts.
    excluded = [
        f"!{pattern}"
        for earlier in entries[:index]
        if earlier.limits.any or entry.limits.counts
        for pattern in earlier.patterns
    ]
    tags = [*(entry.patterns or ("*",)), *dict.fromkeys(excluded)]
    each: list[Conditions] = [{key: count} for key, count in entry.limits.counts.items()]
    each += [{key: age} for key, age in entry.limits.ages.items()]
    if entry.limits.need_pulls:
        source.warn(entry.limits.section.path, f"{title} {_PULLS}")
    return [
        DraftRule({"tags": tags, **one}, (title, f"  {_PULLS}") if _NEED_PULLS & one.keys() else (title,))
        for one in each or [{}]
    ]


def _untagged(source: Source, policy: _Policy) -> DraftRule | None:
    if not policy.delete_untagged:
        return None
    limits = policy.keep_untagged
    if limits.need_pulls:
        message = "asks for pulls of untagged manifests, of which nothing here knows: all of them stay"
        source.warn(limits.section.path, f"{limits.section.name} {message}")
        return DraftRule({}, (limits.section.name, f"  {message}"))
    conditions: dict[str, str | int] = {
        "older_than": max(policy.delay, limits.ages.get("pushed_within", "0"), key=parse_duration)
    }
    if count := limits.counts.get("most_recently_pushed"):
        conditions["keep"] = count
    return DraftRule(conditions, (f"{policy.section.name}.deleteUntagged, after the delay",))


def _min_age(source: Source, policies: Sequence[_Policy]) -> str | None:
    """Referrers whose subject is gone have no age of their own in a policy: the delay for them is one for all."""
    delay = max((one.delay for one in policies if one.delete_referrers), default="0", key=parse_duration)
    if parse_duration(delay) <= parse_duration(_DEFAULT_MIN_AGE):
        return None
    source.warn(None, f"the delay of {delay}, for referrers, becomes the minimum age of everything")
    return delay
