r"""GitLab's cleanup policies for container images (``container_expiration_policy``).

What is here was read in GitLab's documentation ("Reduce container registry storage", how the cleanup policy works) and
in its source (``app/services/projects/container_repository/cleanup_tags_base_service.rb`` and ``third_party/
cleanup_tags_service.rb``): of all tags but ``latest``, those whose name matches ``name_regex`` and not
``name_regex_keep``; of these, but for the ``keep_n`` that were created last, those that were created before
``older_than``. The expressions are RE2's, with ``\A`` before and ``\z`` after them, but without a group around them.
"""

from __future__ import annotations

import re

from regsweep.policy.importers import expressions
from regsweep.policy.importers import source as sources
from regsweep.policy.importers.draft import Conditions, Draft, DraftPolicy, DraftRule, quoted
from regsweep.policy.importers.expressions import ExpressionError
from regsweep.policy.importers.source import Section, Source

_AGE = re.compile(r"[0-9]+d")
_WRAPPERS = ("container_expiration_policy_attributes", "container_expiration_policy")
_PROTECTED = "GitLab's protected and immutable tags have to be named in `protect`: they are not part of this document"


def convert(text: bytes, name: str, project: str) -> Draft:
    """Turns a cleanup policy, as GitLab's API takes and shows it, into a policy.

    Args:
        text: JSON: the attributes, or an object that holds nothing but them.
        name: the file's, for messages.
        project: the full path of the project that it is for (``group/project``).

    Raises:
        PolicyImportError: the text is not a cleanup policy, or cannot be said.
    """
    source = sources.read(text, name)
    policy = _policy(source, _attributes(source), project.lower())
    source.check()
    source.warn(None, _PROTECTED)
    title = f"Imported from the GitLab cleanup policy {quoted(source.name)} of {quoted(project)}."
    return Draft(
        (title, "GitLab goes by the time at which an image was made.", _PROTECTED), [policy], None, source.warnings
    )


def _attributes(source: Source) -> Section:
    top = Section(source, source.value)
    for wrapper in _WRAPPERS:
        if top.has(wrapper):
            inner = top.section(wrapper)
            top.end()
            return inner
    return top


def _policy(source: Source, attributes: Section, project: str) -> DraftPolicy:
    attributes.ignore("cadence", "next_run_at")
    if not attributes.boolean("enabled", False):
        attributes.problem("enabled", "is not true: GitLab removes nothing, and there is nothing to import")
    key = "name_regex_delete" if attributes.has("name_regex_delete") else "name_regex"
    if key == "name_regex_delete":
        attributes.ignore("name_regex")
    delete = _expression(attributes, key)
    keep = _expression(attributes, "name_regex_keep")
    if delete is None:
        attributes.problem(key, "matches no tag: nothing to import")
    count = attributes.integer("keep_n", 0)
    conditions: dict[str, str] = {}
    if attributes.has("older_than"):
        age = attributes.text("older_than")
        if not _AGE.fullmatch(age):
            attributes.problem("older_than", f"is {age!r}, not a number of days such as 7d")
        conditions["created_older_than"] = age
    attributes.end()

    matching = delete or "*"
    rules = [DraftRule({"tags": ["latest"]}, ("GitLab always keeps this one",))]
    if keep is not None:
        rules.append(DraftRule({"tags": [keep]}, ("name_regex_keep",)))
    if count:
        counted = [matching, "!latest", *([f"!{keep}"] if keep is not None else [])]
        newest: Conditions = {"tags": counted, "most_recently_created": count}
        rules.append(DraftRule(newest, (f"keep_n {count}: of what name_regex leaves",)))
    return DraftPolicy(
        name="gitlab",
        repositories=[project, f"{project}/**"],
        keep=rules,
        delete=[DraftRule({"tags": [matching], **conditions}, ("name_regex and older_than",))],
    )


def _expression(attributes: Section, key: str) -> str | None:
    text = attributes.text(key, "")
    if not text:
        return None
    try:
        expression = expressions.parse(text, dialect="RE2")
        pattern = expression.glued()
    except ExpressionError as error:
        attributes.problem(key, f"cannot be said: {error}")
        return None
    if expression.alternates:
        attributes.source.warn(
            attributes.at(key),
            f"{key} is not in a group: GitLab anchors only the beginning of its first alternative and the end of its "
            "last, and so does the import",
        )
    return None if pattern == expressions.NOTHING else pattern
