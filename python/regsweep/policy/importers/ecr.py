"""Amazon ECR lifecycle policies.

What the evaluator does is in the ECR user guide, "Automate the cleanup of images by using lifecycle policies in Amazon
ECR" (LifecyclePolicies.html) and "Lifecycle policy properties". What matters here: rules select images, with all of
their tags; of several patterns each has to match one of an image's tags; an image that a rule selects is not expired by
any later rule; a count is of the images that were pushed last. So each rule becomes a delete rule that decides by image
and leaves out what the earlier rules select.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from regsweep.errors import PolicyImportError
from regsweep.policy.importers import source as sources
from regsweep.policy.importers.draft import NO_AGE, Conditions, Draft, DraftPolicy, DraftRule, quoted
from regsweep.policy.importers.source import Section, Source

_REPOSITORY = re.compile(r"(?:[a-z0-9]+(?:[._-]+[a-z0-9]+)*/)*[a-z0-9]+(?:[._-]+[a-z0-9]+)*")
_PATTERN = re.compile(r"[A-Za-z0-9._*-]+")
_MAX_WILDCARDS = 4
_STATUSES = ("tagged", "untagged", "any")
_COUNT_TYPES = ("imageCountMoreThan", "sinceImagePushed", "sinceImagePulled", "sinceImageTransitioned")


@dataclass(frozen=True)
class _Rule:
    section: Section
    priority: int
    description: str
    status: str
    patterns: tuple[str, ...]
    archived: bool
    count_type: str
    count: int
    expires: bool

    @property
    def title(self) -> str:
        return f"rule {self.priority}" + (f", {quoted(self.description)}" if self.description else "")

    @property
    def selects(self) -> str:
        """The pattern for the images that have a tag for each of the rule's."""
        return " & ".join(self.patterns) or "*"


def convert(text: bytes, name: str, repositories: Sequence[str]) -> Draft:
    """Turns a lifecycle policy, or what ``aws ecr get-lifecycle-policy`` prints, into a policy.

    Args:
        text: JSON.
        name: the file's, for messages.
        repositories: patterns; those that the policy is for. May be empty where the text names the repository.

    Raises:
        PolicyImportError: the text is not a lifecycle policy, or cannot be said; or no repository is named.
    """
    source = sources.read(text, name)
    if isinstance(source.value, dict) and "lifecyclePolicyText" in source.value:
        source, repositories = _unwrap(source, repositories)
    if not repositories:
        raise PolicyImportError(name, [(0, "does not say for which repositories it is: name them with --repository")])
    rules = _read(source)
    draft = _draft(source, rules, repositories)
    source.check()
    return draft


def _unwrap(source: Source, repositories: Sequence[str]) -> tuple[Source, Sequence[str]]:
    answer = Section(source, source.value)
    policy = answer.text("lifecyclePolicyText")
    repository = answer.text("repositoryName", "")
    if repository and not _REPOSITORY.fullmatch(repository):
        answer.problem("repositoryName", f"is {repository!r}, which is no repository's name")
    answer.ignore("registryId", "lastEvaluatedAt")
    answer.end()
    source.check()
    inner = sources.read(policy.encode(), f"{source.name}: lifecyclePolicyText")
    return inner, repositories or ([repository] if repository else [])


def _read(source: Source) -> list[_Rule]:
    top = Section(source, source.value)
    rules = [_rule(section) for section in top.sections("rules")]
    top.end()
    if not rules:
        source.problem((), "has no rules: nothing to import")
    for index, rule in enumerate(rules):
        if any(rule.priority == other.priority for other in rules[:index]):
            rule.section.problem("rulePriority", f"is {rule.priority} as that of an earlier rule")
    rules.sort(key=lambda rule: rule.priority)
    for archived in (False, True):
        of_class = [rule for rule in rules if rule.archived == archived]
        for rule in of_class[:-1]:
            if rule.status == "any":
                rule.section.problem("selection", "selects any image: such a rule has to be the last")
        for rule in [rule for rule in of_class if rule.status == "untagged"][1:]:
            rule.section.problem("selection", "is the second to select untagged images: ECR takes one")
    source.check()
    return rules


def _rule(section: Section) -> _Rule:
    priority = section.integer("rulePriority", minimum=1)
    description = section.text("description", "")
    selection = section.section("selection")
    action = section.section("action")
    section.end()
    status = selection.text("tagStatus", one_of=_STATUSES)
    count_type = selection.text("countType", one_of=_COUNT_TYPES)
    rule = _Rule(
        section=section,
        priority=priority,
        description=description,
        status=status,
        patterns=_patterns(selection, status),
        archived=selection.text("storageClass", "standard", one_of=("standard", "archive")) == "archive",
        count_type=count_type,
        count=selection.integer("countNumber", minimum=1),
        expires=action.text("type", one_of=("expire", "transition")) == "expire",
    )
    if count_type == "imageCountMoreThan":
        if selection.has("countUnit"):
            selection.problem("countUnit", "belongs to ages, not to a count")
            selection.ignore("countUnit")
    elif count_type:
        selection.text("countUnit", one_of=("days",))
    selection.end()
    if not rule.expires:
        action.text("targetStorageClass", one_of=("archive",))
    action.end()
    if rule.expires and count_type == "sinceImagePulled":
        selection.problem("countType", "cannot be sinceImagePulled in a rule that expires: ECR only archives by it")
    return rule


def _patterns(selection: Section, status: str) -> tuple[str, ...]:
    given = {key: selection.texts(key) for key in ("tagPatternList", "tagPrefixList") if selection.has(key)}
    if status != "tagged":
        for key in given:
            selection.problem(key, f"is only for tagStatus tagged, not {status}")
    elif len(given) != 1 or not all(given.values()):
        selection.source.problem(
            selection.path, f"{selection.name} has to have either a tagPatternList or a tagPrefixList for its tags"
        )
    for key, texts in given.items():
        for text in texts:
            allowed = _PATTERN.fullmatch(text) and text.count("*") <= _MAX_WILDCARDS
            if not allowed or (key == "tagPrefixList" and "*" in text):
                selection.problem(key, f"has {text!r}, which is not one of ECR's patterns")
    prefixes = [f"{prefix}*" for prefix in given.get("tagPrefixList", ())]
    return tuple(dict.fromkeys((*given.get("tagPatternList", ()), *prefixes)))


def _draft(source: Source, rules: Sequence[_Rule], repositories: Sequence[str]) -> Draft:
    delete: list[DraftRule] = []
    untagged: DraftRule | None = None
    decided_untagged = False
    comments: list[str] = []
    earlier: list[_Rule] = []
    for rule in rules:
        if rule.archived:
            _differ(source, rule, comments, "is about archived images, of which there are none here: left out")
            continue
        if not rule.expires:
            _differ(source, rule, comments, "archives images; here the images that it selects stay")
        elif rule.status != "untagged":
            delete.append(_delete(source, rule, earlier))
        if rule.status != "tagged" and not decided_untagged:
            decided_untagged = True
            untagged = _untagged(rule) if rule.expires else None
        earlier.append(rule)
    if not delete and untagged is None:
        source.problem((), "has no rule that expires images before they are archived: nothing to import")
    policy = DraftPolicy(
        name="ecr",
        repositories=repositories,
        comments=tuple(comments),
        decide_by="image",
        delete=delete,
        untagged=untagged,
    )
    title = f"Imported from the ECR lifecycle policy {quoted(source.name)}."
    return Draft((title, "ECR decides on images, with all of their tags."), [policy], warnings=source.warnings)


def _differ(source: Source, rule: _Rule, comments: list[str], message: str) -> None:
    comments.append(f"{rule.title} {message}")
    source.warn(rule.section.path, f"rule {rule.priority} {message}")


def _delete(source: Source, rule: _Rule, earlier: Sequence[_Rule]) -> DraftRule:
    excluded = [f"!{other.selects}" for other in earlier if other.status == "tagged"]
    conditions: Conditions = {"tags": [rule.selects, *excluded], **_limit(rule)}
    comments = [rule.title]
    if rule.count_type == "imageCountMoreThan":
        uncounted = ["images of the rules before it"] if excluded else []
        uncounted += ["untagged images"] if rule.status == "any" else []
        if uncounted:
            message = f"counts {' and '.join(uncounted)}, too; here they are not counted, so that more stay"
            comments.append(f"  ECR {message}")
            source.warn(rule.section.path, f"rule {rule.priority} {message}")
    return DraftRule(conditions, tuple(comments))


def _limit(rule: _Rule) -> Conditions:
    if rule.count_type == "imageCountMoreThan":
        return {"except_most_recently_pushed": rule.count}
    return {"older_than": f"{rule.count}d"}


def _untagged(rule: _Rule) -> DraftRule:
    if rule.count_type == "imageCountMoreThan":
        return DraftRule({"older_than": NO_AGE, "keep": rule.count}, (rule.title,))
    return DraftRule({"older_than": f"{rule.count}d"}, (rule.title,))
