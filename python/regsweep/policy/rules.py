"""The rules of a retention policy, as data. The grammar that they are written in is read by ``grammar.py``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from regsweep.policy.patterns import Matcher


@dataclass(frozen=True)
class TagRule:
    """What keep and delete rules share. Times of all rules are seconds before the moment of the decision.

    Attributes:
        name: where the rule stands (``ci: keep[2]``).
        line: its line in the file, counted from 1.
        tags: which tags it is about; all where nothing is said.
        labels: globs that labels of the image's config have to match.
    """

    name: str
    line: int
    tags: Matcher | None = None
    labels: Mapping[str, Matcher] = field(default_factory=dict)


@dataclass(frozen=True)
class KeepRule(TagRule):
    """Which tags stay: those that match every condition that is given, and of these as many as the counts say."""

    pushed_within: float | None = None
    created_within: float | None = None
    pulled_within: float | None = None
    most_recently_pushed: int | None = None
    most_recently_created: int | None = None
    most_recently_pulled: int | None = None
    semver: int | None = None
    per: Literal["major", "minor"] | None = None


@dataclass(frozen=True)
class DeleteRule(TagRule):
    """Which tags may go: those for which every condition that is given holds, but for the newest so many of these."""

    older_than: float | None = None
    created_older_than: float | None = None
    not_pulled_within: float | None = None
    expires_after_label: str | None = None
    except_most_recently_pushed: int | None = None


@dataclass(frozen=True)
class UntaggedRule:
    """Which manifests that no tag reaches go: those pushed longer ago (seconds), but for the newest so many."""

    name: str
    line: int
    older_than: float
    keep: int = 0


@dataclass(frozen=True)
class RepositoryPolicy:
    """The rules for the repositories that it matches. Without ``untagged`` untagged manifests stay.

    ``decide_by`` says what the rules are asked about: each tag by itself, or all tags of an image together.
    """

    name: str
    line: int
    matches: Matcher
    decide_by: Literal["tag", "image"] = "tag"
    keep: tuple[KeepRule, ...] = ()
    delete: tuple[DeleteRule, ...] = ()
    untagged: UntaggedRule | None = None
    referrers: Literal["follow", "keep", "delete-orphans"] = "follow"

    @property
    def needs_configs(self) -> bool:
        """Whether a rule asks for something that only the config of an image says."""
        return any(
            rule.labels or rule.created_within is not None or rule.most_recently_created is not None
            for rule in self.keep
        ) or any(
            rule.labels or rule.created_older_than is not None or rule.expires_after_label is not None
            for rule in self.delete
        )


@dataclass(frozen=True)
class Policy:
    """A whole policy.

    Attributes:
        path: the file.
        sha256: of the file's bytes, in hex: plans carry it.
        min_age: seconds; nothing younger goes.
        policies: in order; for a repository the first that matches counts.
        protect: the files that name what always stays, as paths.
    """

    path: str
    sha256: str
    min_age: float
    policies: tuple[RepositoryPolicy, ...]
    protect: tuple[Path, ...] = ()

    def for_repository(self, name: str) -> RepositoryPolicy | None:
        """The policy that counts for a repository; ``None`` where none does, so that everything tagged stays."""
        return next((policy for policy in self.policies if policy.matches(name)), None)

    @property
    def needs_pulls(self) -> tuple[KeepRule | DeleteRule, ...]:
        """The rules that ask when a tag was last pulled."""
        keep = [rule for policy in self.policies for rule in policy.keep]
        delete = [rule for policy in self.policies for rule in policy.delete]
        return (
            *(rule for rule in keep if rule.pulled_within is not None or rule.most_recently_pulled is not None),
            *(rule for rule in delete if rule.not_pulled_within is not None),
        )
