"""What is well-formed in a policy and yet probably not meant."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from regsweep.policy.rules import KeepRule, Policy, RepositoryPolicy

# A name that no person gives, to see whether a pattern matches anything at all.
_ANY_TAG = "0a9f3c7e5b1d"
_ANY_REPOSITORY = "0a9f3c7e5b1d/0a9f3c7e5b1d/0a9f3c7e5b1d"


@dataclass(frozen=True)
class Remark:
    """Something to look at, and the line of it."""

    line: int
    message: str


def review(policy: Policy) -> list[Remark]:
    """What an experienced colleague would ask about a policy, in the order of its lines."""
    remarks = [*_unreachable(policy)]
    for one in policy.policies:
        remarks += _of_repository_policy(one)
    return sorted(remarks, key=lambda remark: remark.line)


def _unreachable(policy: Policy) -> Iterator[Remark]:
    catch_all: RepositoryPolicy | None = None
    for one in policy.policies:
        if catch_all is not None:
            yield Remark(
                one.line, f"never counts: {catch_all.name!r} in line {catch_all.line} matches every repository"
            )
        elif one.matches(_ANY_REPOSITORY) and one.matches(_ANY_TAG):
            catch_all = one


def _of_repository_policy(policy: RepositoryPolicy) -> Iterator[Remark]:
    keeps_all = any(_keeps_whatever_its_age(rule, _ANY_TAG) for rule in policy.keep)
    if policy.keep and not policy.delete and not keeps_all:
        yield Remark(policy.line, f"{policy.name!r} has keep rules and no delete rule: no tag goes")
    for rule in policy.delete:
        everything = rule.tags is None or rule.tags(_ANY_TAG)
        conditions = (
            rule.older_than,
            rule.created_older_than,
            rule.not_pulled_within,
            rule.expires_after_label,
            rule.except_most_recently_pushed,
        )
        if everything and not rule.labels and all(condition is None for condition in conditions):
            kept = "that no keep rule matches" if policy.keep else "there is"
            yield Remark(rule.line, f"deletes every tag {kept} as soon as it reaches the minimum age")
        spares_latest = any(_keeps_whatever_its_age(keep, "latest") for keep in policy.keep)
        if (rule.tags is None or rule.tags("latest")) and not spares_latest:
            yield Remark(rule.line, "may delete tags called 'latest'")


def _keeps_whatever_its_age(rule: KeepRule, tag: str) -> bool:
    conditions = (
        rule.pushed_within,
        rule.created_within,
        rule.pulled_within,
        rule.most_recently_pushed,
        rule.most_recently_created,
        rule.most_recently_pulled,
        rule.semver,
    )
    unconditional = not rule.labels and all(condition is None for condition in conditions)
    return unconditional and (rule.tags is None or rule.tags(tag))
