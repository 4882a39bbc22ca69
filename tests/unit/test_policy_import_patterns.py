"""Expressions and globs of other systems mean here what they mean to the libraries of those systems, or are refused.

What the libraries answer was recorded by running them; see ``tests/data/policy_import/README.md``.
"""

from __future__ import annotations

import json
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.imported_policies import DATA

from regsweep.policy import patterns
from regsweep.policy.importers import expressions, scopes
from regsweep.policy.importers.expressions import ExpressionError
from regsweep.policy.importers.scopes import Scope, ScopesError

EXPRESSIONS: dict[str, Any] = json.loads((DATA / "expressions.json").read_text())
GLOBS: dict[str, Any] = json.loads((DATA / "globs.json").read_text())
TAGS = [name for name in EXPRESSIONS["names"] if "/" not in name]

# What both languages know and read differently, or what is not worth a translation.
REFUSED = {
    *(r"\x41", r"\pL", r"\Qv1\E", r"\101", r"\C", r"v1\z", r"\Av1", r"[\b]", r"(?U)v+", "(?-i)v", "(?<n>v)1", "^*v"),
    *("[[:alpha:]]+", "[a&&b]", "[[a]", "[a[b]", "[a-z-[aeiou]]+", "a{,2}", "v{", "v}", "(?<=v)1", "(?>v)1", r"(v)\1"),
}


@pytest.mark.parametrize("dialect", ["RE2", ".NET"])
@pytest.mark.parametrize("text", EXPRESSIONS["expressions"])
def test_expressions_match_what_they_match_in_their_system(text: str, dialect: Literal["RE2", ".NET"]) -> None:
    theirs = EXPRESSIONS["expressions"][text]
    try:
        expression = expressions.parse(text, dialect=dialect)
    except ExpressionError:
        assert text in REFUSED or theirs[dialect] is None
        return
    assert text not in REFUSED
    anywhere, glued = patterns.tags([expression.anywhere()]), patterns.tags([expression.glued()])
    assert [tag for tag in TAGS if anywhere(tag)] == [tag for tag in TAGS if tag in theirs[dialect]]
    assert [tag for tag in TAGS if glued(tag)] == [tag for tag in TAGS if tag in theirs[f"{dialect} glued"]]
    repository = patterns.repositories([expression.repository()])
    assert [name for name in EXPRESSIONS["names"] if repository(name)] == theirs[f"{dialect} glued"]


@pytest.mark.parametrize("version", [1, 4])
@pytest.mark.parametrize("text", GLOBS["globs"])
def test_globs_match_what_they_match_in_their_system(text: str, version: Literal[1, 4]) -> None:
    theirs = GLOBS["globs"][text][str(version)]
    try:
        ours = expressions.glob(text, version=version)
    except ExpressionError:
        assert text in {
            *("[!a]x", "{1..3}", "{**/x,y}", "a/{b,**}", "{a,b/**}", "a{,/**}", "a/**/", "{x/**,y}", "{**}"),
            *("a\\*", "[[a]", "[]a]"),
        }
        return
    matches = patterns.repositories(ours)
    assert [name for name in GLOBS["names"] if matches(name)] == theirs
    if "/" not in text:
        tags = [name for name in GLOBS["names"] if "/" not in name]
        within, outside = patterns.tags(ours), patterns.tags([expressions.complement(ours[0])])
        assert [tag for tag in tags if within(tag)] == [tag for tag in theirs if "/" not in tag]
        assert [tag for tag in tags if outside(tag)] == [tag for tag in tags if not within(tag)]


@pytest.mark.parametrize(
    ("text", "anywhere", "glued", "repository"),
    [
        (".*", "*", "*", "**"),
        ("v2.*", "*v2*", "v2*", "re:v2.*"),
        ("^hello.*$", "hello*", "hello*", "re:hello.*"),
        ("release", "*release*", "release", "release"),
        (r"v\.", "*v.*", "v.", "v."),
        ("samples/.*", "*samples/*", "samples/*", "samples/**"),
        ("a|b", "re:(?:.*a.*|.*b.*)", "re:(?:a.*|.*b)", "re:(?:a.*|.*b)"),
        ("(?i)v1", "re:(?i:.*v1.*)", "re:(?i:v1)", "re:(?i:v1)"),
        ("^$", "re:", "re:", "re:"),
    ],
)
def test_simple_expressions_become_globs(text: str, anywhere: str, glued: str, repository: str) -> None:
    expression = expressions.parse(text, dialect="RE2")
    assert (expression.anywhere(), expression.glued(), expression.repository()) == (anywhere, glued, repository)


@pytest.mark.parametrize("text", ["v 1", "v\n", "é", "a & b"])
def test_characters_that_no_name_has_are_refused(text: str) -> None:
    with pytest.raises(ExpressionError, match="characters that no name has"):
        expressions.parse(text, dialect="RE2")
    with pytest.raises(ExpressionError, match="characters that no name"):
        expressions.glob(text, version=4)


def combined(*patterns_of: str) -> list[tuple[list[str], list[str]]]:
    found = scopes.combine([(Scope((pattern,)), pattern) for pattern in patterns_of])
    return [(scope.patterns, rules) for scope, rules in found]


def test_scopes_that_may_meet_get_a_policy_of_their_own_first() -> None:
    assert combined("a*", "*b") == [(["a* & *b"], ["a*", "*b"]), (["a*"], ["a*"]), (["*b"], ["*b"])]
    assert combined("p/**", "p/app") == [(["p/app"], ["p/**", "p/app"]), (["p/**"], ["p/**"])]
    assert combined("p/a/**", "p/b/**") == [(["p/a/**"], ["p/a/**"]), (["p/b/**"], ["p/b/**"])]
    assert combined("**", "re:x|y") == [(["re:x|y"], ["**", "re:x|y"]), (["**"], ["**"])]
    assert combined("app", "re:a.*", "bpp") == [
        (["app"], ["app", "re:a.*"]),
        (["re:a.*"], ["re:a.*"]),
        (["bpp"], ["bpp"]),
    ]


def test_what_a_scope_leaves_out_is_left_out_only_where_it_matters() -> None:
    without_b, all_of_p = Scope(("p/**",), ("p/b",)), Scope(("p/**",))
    found = scopes.combine([(without_b, 1), (all_of_p, 2), (Scope(("p/b",)), 3), (Scope(("p/c",)), 4)])
    assert [(scope.patterns, rules) for scope, rules in found] == [
        (["p/c"], [1, 2, 4]),
        (["p/**", "!p/b"], [1, 2]),
        (["p/b"], [2, 3]),
        (["p/**"], [2]),
    ]


def test_too_many_scopes_that_meet_are_refused() -> None:
    with pytest.raises(ScopesError, match="overlap in more than 60 ways"):
        combined(*(f"*{letter}*" for letter in "abcdefg"))
    assert len(combined(*(f"p/{number}" for number in range(100)))) == 100


PATTERNS = ["**", "a/**", "a/*", "*/x", "a/x", "b", "re:a/.", "{a,b}", "**/y", "a/b/**", "[ab]/y"]
NAMES = ["a", "b", "c", "a/x", "a/y", "b/x", "b/y", "a/b/x", "a/b/c/y", "c/x"]
SCOPES = st.builds(
    lambda wanted, unwanted: Scope((wanted,), tuple(unwanted)),
    st.sampled_from(PATTERNS),
    st.lists(st.sampled_from(PATTERNS[1:]), max_size=1),
)


@settings(deadline=None)
@given(st.lists(SCOPES, min_size=1, max_size=4))
def test_the_first_policy_that_matches_has_just_the_rules_that_match(found: list[Scope]) -> None:
    policies = scopes.combine([(scope, number) for number, scope in enumerate(found)])
    for name in NAMES:
        rules = next((rules for scope, rules in policies if patterns.repositories(scope.patterns)(name)), [])
        assert rules == [number for number, scope in enumerate(found) if patterns.repositories(scope.patterns)(name)]
