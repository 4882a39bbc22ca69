"""Harbor tag retention policies.

What is here was read from Harbor's source: ``src/pkg/retention`` (``launcher.go``: which rules hold for a repository;
``policy/alg/or/processor.go``: rules are OR-ed, the tag selectors of one are AND-ed; ``policy/action/performer.go``:
what no rule retains is deleted; ``dep/client.go``: candidates are artifacts, whose push and pull are those of their
latest tag; ``policy/rule``: the templates) and ``src/lib/selector/selectors/doublestar`` (an artifact matches if one of
its tags does, and "excludes" if one of its tags does not; "extras" decides on those without tags).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from regsweep.policy.importers import expressions, scopes
from regsweep.policy.importers import source as sources
from regsweep.policy.importers.draft import EVERYTHING, NO_AGE, Conditions, Draft, DraftPolicy, DraftRule, quoted
from regsweep.policy.importers.expressions import ExpressionError
from regsweep.policy.importers.scopes import Scope
from regsweep.policy.importers.source import Section, Source

_COUNTS = ("latestPushedK", "latestPulledN", "latestActiveK")
_DAYS = ("nDaysSinceLastPush", "nDaysSinceLastPull", "lastXDays")
_TEMPLATES = ("always", *_COUNTS, *_DAYS)
_NEED_PULLS = ("latestPulledN", "latestActiveK", "nDaysSinceLastPull")
_IMMUTABLE = (
    "what Harbor's immutable tag rules protect has to be named in `protect`: they are not part of this document"
)


@dataclass(frozen=True)
class _Rule:
    section: Section
    template: str
    number: int
    tags: str
    selects_untagged: bool
    scope: Scope

    @property
    def title(self) -> str:
        return f"{self.section.name}: {self.template}{f' {self.number}' if self.template != 'always' else ''}"

    @property
    def retains_nothing(self) -> bool:
        return self.template != "always" and self.number == 0


def convert(text: bytes, name: str, project: str) -> Draft:
    """Turns a retention policy, as Harbor's API shows it, into a policy.

    Args:
        text: JSON.
        name: the file's, for messages.
        project: the name of the project that it is for; the document has only its number.

    Raises:
        PolicyImportError: the text is not a retention policy, or cannot be said.
    """
    source = sources.read(text, name)
    rules = _read(source, project)
    source.check()
    source.warn(None, _IMMUTABLE)
    try:
        combined = scopes.combine([(rule.scope, rule) for rule in rules])
    except scopes.ScopesError as error:
        source.fail((), str(error))
    policies = [
        _policy(source, f"harbor-{number}" if len(combined) > 1 else "harbor", scope, of_scope)
        for number, (scope, of_scope) in enumerate(combined, start=1)
    ]
    title = f"Imported from the Harbor retention policy {quoted(source.name)} of project {quoted(project)}."
    notes = ("Harbor decides on artifacts, with all of their tags, and deletes what no rule retains.", _IMMUTABLE)
    return Draft((title, *notes), policies, warnings=source.warnings)


def _read(source: Source, project: str) -> list[_Rule]:
    top = Section(source, source.value)
    top.ignore("id", "trigger")
    top.text("algorithm", one_of=("or",))
    scope = top.section("scope")
    scope.text("level", one_of=("project",))
    scope.ignore("ref")
    scope.end()
    rules = [rule for section in top.sections("rules") if (rule := _rule(section, project)) is not None]
    top.end()
    if not rules:
        source.problem((), "has no rule that is not disabled: nothing to import")
    return rules


def _rule(section: Section, project: str) -> _Rule | None:
    section.ignore("id", "priority")
    disabled = section.boolean("disabled", False)
    section.text("action", one_of=("retain",))
    template = section.text("template", one_of=_TEMPLATES)
    parameters = section.section("params")
    number = 0 if template in ("", "always") else parameters.integer(template)
    parameters.end()
    tags, selects_untagged = _tags(section)
    scope = _scope(section, project)
    section.end()
    return None if disabled else _Rule(section, template, number, tags, selects_untagged, scope)


def _tags(section: Section) -> tuple[str, bool]:
    """The pattern for the artifacts that all selectors select, and whether they select those without a tag."""
    selectors = section.sections("tag_selectors")
    if not selectors:
        section.problem("tag_selectors", "has no selector: Harbor does not evaluate such a rule")
    parts: dict[str, None] = {}
    untagged = True
    for selector in selectors:
        decoration, pattern = _selector(selector, ("matches", "excludes"))
        if "/" in pattern:
            selector.problem("pattern", f"is {pattern!r}: no tag has a /")
        elif decoration == "matches":
            parts[pattern] = None
        else:
            parts[expressions.complement(pattern)] = None
        extras = _extras(selector)
        # Without a word on it, "matches" takes artifacts without a tag and "excludes" takes them, too.
        default = decoration == "matches"
        untagged = untagged and (default if extras is None else extras) == default
        selector.end()
    specific = [part for part in parts if part not in ("*", "**")]
    return " & ".join(specific) or "*", untagged


def _extras(selector: Section) -> bool | None:
    text = selector.text("extras", "")
    if not text:
        return None
    try:
        extras = json.loads(text)
    except ValueError:
        selector.source.warn(selector.at("extras"), "is not JSON: taken as if it were not there, as Harbor does")
        return None
    content = Section(selector.source, extras, selector.at("extras"))
    found = content.boolean("untagged", False)
    content.end()
    return found


def _scope(section: Section, project: str) -> Scope:
    selectors = section.section("scope_selectors")
    wanted: list[str] = []
    unwanted: list[str] = []
    for selector in selectors.sections("repository"):
        decoration, pattern = _selector(selector, ("repoMatches", "repoExcludes"))
        selector.ignore("extras")
        selector.end()
        (wanted if decoration == "repoMatches" else unwanted).append(f"{project}/{pattern}")
    selectors.end()
    return Scope(tuple(dict.fromkeys(wanted)) or (f"{project}/**",), tuple(dict.fromkeys(unwanted)))


def _selector(selector: Section, decorations: Sequence[str]) -> tuple[str, str]:
    selector.text("kind", one_of=("doublestar",))
    decoration = selector.text("decoration", one_of=decorations)
    pattern = selector.text("pattern")
    try:
        (pattern,) = expressions.glob(pattern, version=1)
    except ExpressionError as error:
        selector.problem("pattern", f"cannot be said: {error}")
    return decoration, pattern


def _policy(source: Source, name: str, scope: Scope, rules: Sequence[_Rule]) -> DraftPolicy:
    keep = [one for rule in rules for one in _keep(source, rule)]
    return DraftPolicy(
        name=name,
        repositories=scope.patterns,
        decide_by="image",
        keep=keep,
        delete=[DraftRule(EVERYTHING, ("what no rule retains",))],
        untagged=_untagged(source, rules),
    )


def _keep(source: Source, rule: _Rule) -> list[DraftRule]:
    if rule.retains_nothing:
        return []
    conditions: list[Conditions]
    comments = [rule.title]
    match rule.template:
        case "always":
            conditions = [{}]
        case "nDaysSinceLastPush" | "lastXDays":
            conditions = [{"pushed_within": f"{rule.number}d"}]
        case "nDaysSinceLastPull":
            conditions = [{"pulled_within": f"{rule.number}d"}]
        case "latestPushedK":
            conditions = [{"most_recently_pushed": rule.number}]
        case "latestPulledN":
            conditions = [{"most_recently_pulled": rule.number}]
        case _:
            message = "counts by the later of push and pull; here it counts by each, so that more stay"
            comments.append(f"  Harbor {message}")
            source.warn(rule.section.path, f"{rule.title} {message}")
            conditions = [{"most_recently_pushed": rule.number}, {"most_recently_pulled": rule.number}]
    if rule.template in _NEED_PULLS:
        message = "asks for pulls: without a log of them, all that it matches stays"
        if rule.template in _DAYS:
            message += ", and with one also what was pushed within that time"
        comments.append(f"  {message}")
        source.warn(rule.section.path, f"{rule.title} {message}")
    if rule.template in _COUNTS and rule.selects_untagged:
        message = "counts untagged artifacts, too; here they are counted by themselves, so that more stay"
        comments.append(f"  Harbor {message}")
        source.warn(rule.section.path, f"{rule.title} {message}")
    return [DraftRule({"tags": [rule.tags], **one}, tuple(comments)) for one in conditions]


def _untagged(source: Source, rules: Sequence[_Rule]) -> DraftRule:
    """What the rules retain of artifacts without a tag: what any of them does."""
    asked = [rule for rule in rules if rule.selects_untagged and not rule.retains_nothing]
    for rule in asked:
        if rule.template == "always":
            return DraftRule({}, (f"untagged: {rule.title}",))
    for rule in asked:
        if rule.template in _NEED_PULLS:
            message = "asks for pulls of untagged artifacts, of which nothing here knows: all of them stay"
            source.warn(rule.section.path, f"{rule.title} {message}")
            return DraftRule({}, (f"untagged: {rule.title}", f"  {message}"))
    days = max((rule.number for rule in asked if rule.template in _DAYS), default=0)
    count = max((rule.number for rule in asked if rule.template in _COUNTS), default=0)
    conditions: dict[str, str | int] = {"older_than": f"{days}d" if days else NO_AGE}
    if count:
        conditions["keep"] = count
    comments = [f"untagged: {rule.title}" for rule in asked] or ["untagged: no rule retains them"]
    return DraftRule(conditions, tuple(comments))
