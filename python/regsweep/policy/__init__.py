"""Retention policy: which tags and untagged manifests may go. The grammar is in ``docs/policy.md``."""

from regsweep.policy.decide import Decision, Moment, Tag, decide
from regsweep.policy.grammar import load, parse, schema
from regsweep.policy.review import Remark, review
from regsweep.policy.rules import DeleteRule, KeepRule, Policy, RepositoryPolicy, UntaggedRule

__all__ = [
    "Decision",
    "DeleteRule",
    "KeepRule",
    "Moment",
    "Policy",
    "Remark",
    "RepositoryPolicy",
    "Tag",
    "UntaggedRule",
    "decide",
    "load",
    "parse",
    "review",
    "schema",
]
