"""The policy that an import makes, and the file that it is written as.

Each rule carries what it comes from, and what is different from there, as comments.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from regsweep.policy.review import Remark

# Of everything that a rule can say, in the order of docs/policy.md.
Conditions = Mapping[str, str | int | Sequence[str]]

EVERYTHING: Conditions = {"tags": ["*"]}
# For untagged manifests that nothing is to keep. What is younger than the minimum age stays.
NO_AGE = "0s"
_INDENT = "  "
_MAX_WIDTH = 116


@dataclass(frozen=True)
class DraftRule:
    """A rule, with the lines that say where it comes from. For untagged manifests, no conditions keep them."""

    conditions: Conditions
    comments: tuple[str, ...] = ()


@dataclass(frozen=True)
class DraftPolicy:
    """The rules for some repositories."""

    name: str
    repositories: Sequence[str]
    comments: tuple[str, ...] = ()
    decide_by: Literal["tag", "image"] = "tag"
    keep: Sequence[DraftRule] = ()
    delete: Sequence[DraftRule] = ()
    untagged: DraftRule | None = None
    referrers: Literal["follow", "keep", "delete-orphans"] = "follow"


@dataclass(frozen=True)
class Draft:
    """A whole policy.

    Attributes:
        comments: what the file begins with.
        policies: in the order in which the first that matches counts.
        min_age: where it is not the usual one.
        warnings: where the import differs from what it is made from, by the lines of that.
    """

    comments: tuple[str, ...]
    policies: Sequence[DraftPolicy]
    min_age: str | None = None
    warnings: Sequence[Remark] = field(default_factory=tuple)

    def text(self) -> str:
        """The policy file."""
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        yield from _comments(self.comments, "")
        yield "version: 1"
        if self.min_age is not None:
            yield f"min_age: {self.min_age}"
        yield "policies:"
        for policy in self.policies:
            yield from _policy(policy)


def quoted(text: str) -> str:
    """A text of unknown origin for use in a comment: one line, whatever it holds."""
    return json.dumps(text)


def _policy(policy: DraftPolicy) -> Iterator[str]:
    inner = _INDENT * 2
    yield from _comments(policy.comments, _INDENT)
    yield f"{_INDENT}- name: {policy.name}"
    yield from _entry("repositories", policy.repositories, inner)
    if policy.decide_by != "tag":
        yield f"{inner}decide_by: {policy.decide_by}"
    for key, rules in (("keep", policy.keep), ("delete", policy.delete)):
        if rules:
            yield f"{inner}{key}:"
        for rule in rules:
            yield from _comments(rule.comments, inner + _INDENT)
            yield from _item(rule.conditions, inner + _INDENT)
    if policy.untagged is not None:
        yield from _comments(policy.untagged.comments, inner)
        content = ", ".join(f"{key}: {_value(value)}" for key, value in policy.untagged.conditions.items())
        yield f"{inner}untagged: {f'{{{content}}}' if content else 'keep'}"
    if policy.referrers != "follow":
        yield f"{inner}referrers: {policy.referrers}"


def _item(conditions: Conditions, indent: str) -> Iterator[str]:
    """An item of a list: what follows its dash is indented by as much."""
    lines = [line for key, value in conditions.items() for line in _entry(key, value, indent + _INDENT)]
    yield f"{indent}- {lines[0].strip()}"
    yield from lines[1:]


def _entry(key: str, value: str | int | Sequence[str], indent: str) -> Iterator[str]:
    line = f"{indent}{key}: {_value(value)}"
    if isinstance(value, (str, int)) or len(line) <= _MAX_WIDTH:
        yield line
        return
    yield f"{indent}{key}:"
    for item in value:
        yield f"{indent}{_INDENT}- {_value(item)}"


def _value(value: str | int | Sequence[str]) -> str:
    """In a form that YAML and JSON have in common. Durations are safe as they are."""
    if isinstance(value, str):
        plain = value[:1].isdigit() and value[-1:].isalpha() and value.isalnum() and value.isascii()
        return value if plain else json.dumps(value)
    return str(value) if isinstance(value, int) else f"[{', '.join(json.dumps(item) for item in value)}]"


def _comments(comments: Sequence[str], indent: str) -> Iterator[str]:
    for comment in comments:
        yield f"{indent}# {comment}".rstrip()
