"""The policy file: read, checked, and turned into rules. All of its errors are found in one go, each with its line.

The shape is checked against ``schema/policy-1.schema.json``, which editors use as well; what a schema cannot say
(durations, patterns) is checked here.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from regsweep.errors import PolicyError, UnitError
from regsweep.policy import document, patterns
from regsweep.policy.document import Document
from regsweep.policy.patterns import Matcher, PatternError
from regsweep.policy.rules import DeleteRule, KeepRule, Policy, RepositoryPolicy, UntaggedRule
from regsweep.units import parse_duration

DEFAULT_MIN_AGE_SECONDS = 24 * 3600.0

_T = TypeVar("_T")


def load(path: str | Path) -> Policy:
    """Reads a policy file.

    Raises:
        PolicyError: it cannot be read or has errors; names each with its line.
    """
    try:
        text = Path(path).read_bytes()
    except OSError as error:
        raise PolicyError(str(path), [(0, f"cannot be read: {error.strerror}")]) from error
    return parse(text, str(path))


def parse(text: bytes, name: str) -> Policy:
    """Reads a policy from its text; ``name`` is the file's, for messages and for what ``protect`` is relative to.

    Raises:
        PolicyError: it has errors; names each with its line.
    """
    try:
        found = document.read(text)
    except document.DocumentError as error:
        raise PolicyError(name, [(error.line, str(error))]) from error
    problems = sorted({_explain(error, found) for error in _validator().iter_errors(found.value)})
    if problems:
        raise PolicyError(name, problems)
    builder = _Builder(found)
    policy = builder.policy(name, hashlib.sha256(text).hexdigest())
    if builder.problems:
        raise PolicyError(name, sorted(builder.problems))
    return policy


def schema() -> dict[str, Any]:
    """The JSON Schema of a policy file."""
    text = resources.files("regsweep").joinpath("schema/policy-1.schema.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def _validator() -> Draft202012Validator:
    return Draft202012Validator(schema())


class _Builder:
    """Makes rules of a document that has the right shape, and collects what is wrong with its texts."""

    def __init__(self, found: Document) -> None:
        self.problems: list[tuple[int, str]] = []
        self._document = found

    def policy(self, path: str, sha256: str) -> Policy:
        value = self._document.value
        min_age = self._duration(value, ("min_age",))
        policies = tuple(
            self._repository_policy(policy, ("policies", index)) for index, policy in enumerate(value["policies"])
        )
        names = Counter(policy.name for policy in policies)
        for policy in policies:
            if names[policy.name] > 1:
                self.problems.append((policy.line, f"there is more than one policy called {policy.name!r}"))
        return Policy(
            path=path,
            sha256=sha256,
            min_age=DEFAULT_MIN_AGE_SECONDS if min_age is None else min_age,
            policies=policies,
            protect=tuple(Path(path).parent / protected for protected in value.get("protect", ())),
        )

    def _repository_policy(self, value: dict[str, Any], path: document.Path) -> RepositoryPolicy:
        name = value.get("name", f"policies[{path[-1]}]")
        delete = value.get("delete", [])
        rules = delete if isinstance(delete, list) else [delete]
        untagged = value.get("untagged", "keep")
        return RepositoryPolicy(
            name=name,
            line=self._document.line(path),
            matches=self._compile(patterns.repositories, value["repositories"], (*path, "repositories")),
            decide_by=value.get("decide_by", "tag"),
            keep=tuple(
                self._keep(rule, f"{name}: keep[{index}]", (*path, "keep", index))
                for index, rule in enumerate(value.get("keep", ()))
            ),
            delete=tuple(
                self._delete(rule, f"{name}: delete[{index}]", (*path, "delete", index))
                if isinstance(delete, list)
                else self._delete(rule, f"{name}: delete", (*path, "delete"))
                for index, rule in enumerate(rules)
            ),
            untagged=None if untagged == "keep" else self._untagged(untagged, f"{name}: untagged", (*path, "untagged")),
            referrers=value.get("referrers", "follow"),
        )

    def _keep(self, value: dict[str, Any], name: str, path: document.Path) -> KeepRule:
        return KeepRule(
            **self._tag_rule(value, name, path),
            pushed_within=self._duration(value, (*path, "pushed_within")),
            created_within=self._duration(value, (*path, "created_within")),
            pulled_within=self._duration(value, (*path, "pulled_within")),
            most_recently_pushed=value.get("most_recently_pushed"),
            most_recently_created=value.get("most_recently_created"),
            most_recently_pulled=value.get("most_recently_pulled"),
            semver=value.get("semver"),
            per=value.get("per"),
        )

    def _delete(self, value: dict[str, Any], name: str, path: document.Path) -> DeleteRule:
        return DeleteRule(
            **self._tag_rule(value, name, path),
            older_than=self._duration(value, (*path, "older_than")),
            created_older_than=self._duration(value, (*path, "created_older_than")),
            not_pulled_within=self._duration(value, (*path, "not_pulled_within")),
            expires_after_label=value.get("expires_after_label"),
            except_most_recently_pushed=value.get("except_most_recently_pushed"),
        )

    def _untagged(self, value: dict[str, Any], name: str, path: document.Path) -> UntaggedRule:
        older_than = self._duration(value, (*path, "older_than"))
        return UntaggedRule(name, self._document.line(path), older_than or 0.0, value.get("keep", 0))

    def _tag_rule(self, value: dict[str, Any], name: str, path: document.Path) -> dict[str, Any]:
        """What keep and delete rules share."""
        return {
            "name": name,
            "line": self._document.line(path),
            "tags": self._compile(patterns.tags, value["tags"], (*path, "tags")) if "tags" in value else None,
            "labels": {
                label: self._compile(patterns.value, pattern, (*path, "labels", label))
                for label, pattern in value.get("labels", {}).items()
            },
        }

    def _compile(self, compiler: Callable[[_T], Matcher], wanted: _T, path: document.Path) -> Matcher:
        try:
            return compiler(wanted)
        except PatternError as error:
            self.problems.append((self._document.line(path), str(error)))
            return lambda *_: False

    def _duration(self, value: dict[str, Any], path: document.Path) -> float | None:
        text = value.get(str(path[-1]))
        try:
            return None if text is None else parse_duration(text)
        except UnitError as error:
            self.problems.append((self._document.line(path), str(error)))
            return 0.0


def _explain(error: ValidationError, found: Document) -> tuple[int, str]:
    """A schema error in words for whoever wrote the file, and its line."""
    path = tuple(error.absolute_path)
    where = _show(path)
    line = found.line(path)
    # The library's types allow for schemas that are booleans; in ours these are what the keyword says.
    instance: Any = error.instance
    rule: Any = error.validator_value
    section: Any = error.schema
    match error.validator:
        case "additionalProperties":
            known = list(section["properties"])
            unknown = [key for key in instance if key not in known]
            line = found.line((*path, unknown[0]))
            return line, "; ".join(_unknown(key, known, where) for key in unknown)
        case "required":
            missing = [key for key in rule if key not in instance]
            return line, f"{where} lacks {', '.join(missing)}"
        case "dependentRequired":
            return line, f"{where}: " + "; ".join(
                f"{key!r} needs {', '.join(needed)}" for key, needed in rule.items() if key in instance
            )
        case "type":
            return line, f"{where} has to be {_TYPES[rule]}, not {_describe(instance, wants_text=rule == 'string')}"
        case "const":
            return line, f"{where} has to be {rule!r}"
        case "enum":
            return line, f"{where} has to be one of {', '.join(map(str, rule))}, not {instance!r}"
        case "minimum":
            return line, f"{where} has to be at least {rule}"
        case "minItems" | "minProperties" | "minLength":
            return line, f"{where} is empty"
    return line, f"{where}: {error.message}"


_TYPES = {"object": "a section", "array": "a list", "string": "text", "integer": "a whole number"}


def _describe(instance: object, *, wants_text: bool) -> str:
    if instance is None:
        return "empty"
    if isinstance(instance, dict):
        return "a section"
    if isinstance(instance, list):
        return "a list"
    return f"{instance!r}: put it in quotes" if wants_text else repr(instance)


def _unknown(key: str, known: Sequence[str], where: str) -> str:
    close = difflib.get_close_matches(key, known, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else f"; known are {', '.join(known)}"
    return f"{where} has no {key!r}{hint}"


def _show(path: document.Path) -> str:
    return "".join(_steps(path)).removeprefix(".") or "the policy"


def _steps(path: document.Path) -> Iterator[str]:
    for step in path:
        yield f"[{step}]" if isinstance(step, int) else f".{step}"
