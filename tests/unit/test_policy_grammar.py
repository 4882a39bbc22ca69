"""Policy files: what they say, and every error with its line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from regsweep import policy
from regsweep.errors import PolicyError

EXAMPLE = b"""\
version: 1
min_age: 36h
policies:
  - name: ci
    repositories: ["ci/**", "!ci/base/**"]
    keep:
      - tags: ["v*", "re:release-[0-9]+"]
      - tags: ["main-*"]
        most_recently_pushed: 10
      - pushed_within: 30d
      - semver: 3
        per: minor
    delete:
      tags: ["*"]
      older_than: 2w
    untagged: {older_than: 7d, keep: 1}
    referrers: delete-orphans
  - repositories: ["**"]
    keep: [{tags: ["*"]}]
protect: [in-use.txt]
"""


def problems(text: str) -> list[tuple[int, str]]:
    with pytest.raises(PolicyError) as caught:
        policy.parse(text.encode(), "p.yml")
    return list(caught.value.problems)


def test_the_example() -> None:
    parsed = policy.parse(EXAMPLE, "/etc/regsweep/policy.yml")
    ci, rest = parsed.policies
    assert (parsed.min_age, parsed.protect) == (36 * 3600, (Path("/etc/regsweep/in-use.txt"),))
    assert (ci.name, rest.name) == ("ci", "policies[1]")
    assert [rule.name for rule in ci.keep] == [f"ci: keep[{index}]" for index in range(4)]
    assert (ci.keep[0].line, ci.keep[3].semver, ci.keep[3].per) == (7, 3, "minor")
    assert [(rule.name, rule.older_than) for rule in ci.delete] == [("ci: delete", 14 * 86400)]
    assert ci.untagged is not None
    assert (ci.untagged.older_than, ci.untagged.keep) == (7 * 86400, 1)
    assert (ci.referrers, rest.referrers, rest.untagged) == ("delete-orphans", "follow", None)
    assert not any(policy.needs_configs for policy in parsed.policies)
    assert not parsed.needs_pulls


def test_the_first_policy_that_matches_counts() -> None:
    parsed = policy.parse(EXAMPLE, "p.yml")
    names = {
        "ci/app": "ci",
        "ci/a/b/c": "ci",
        "ci/base/debian": "policies[1]",
        "ci": "policies[1]",
        "other": "policies[1]",
    }
    for repository, name in names.items():
        found = parsed.for_repository(repository)
        assert found is not None
        assert found.name == name, repository


def test_patterns_of_repositories_may_be_regular_expressions_and_joined() -> None:
    repositories = b"['re:(dev|ci)-.*', 'team/** & **/app', '!re:.*-keep']"
    text = b"version: 1\npolicies: [{decide_by: image, repositories: %s}]" % repositories
    policies = policy.parse(text, "p.yml")
    names = ["dev-1", "xdev-1", "ci-2/x", "dev-keep", "team/app", "team/a/app", "team/x", "app"]
    assert [name for name in names if policies.for_repository(name)] == ["dev-1", "ci-2/x", "team/app", "team/a/app"]
    assert (policies.policies[0].decide_by, policy.parse(EXAMPLE, "p").policies[0].decide_by) == ("image", "tag")


def test_the_hash_is_that_of_the_file_and_lists_of_delete_rules_are_named_by_number(tmp_path: Path) -> None:
    file = tmp_path / "policy.yml"
    file.write_text("version: 1\npolicies: [{repositories: [a], delete: [{tags: [x]}, {older_than: 1d}]}]\n")
    loaded = policy.load(file)
    assert len(loaded.sha256) == 64
    assert [rule.name for rule in loaded.policies[0].delete] == ["policies[0]: delete[0]", "policies[0]: delete[1]"]
    assert policy.load(file).sha256 == loaded.sha256


@pytest.mark.parametrize(
    ("condition", "configs", "pulls"),
    [
        ("keep: [{labels: {stage: prod}}]", True, 0),
        ("keep: [{created_within: 1d}]", True, 0),
        ("keep: [{most_recently_created: 1}]", True, 0),
        ("keep: [{pulled_within: 1d}, {most_recently_pulled: 2}]", False, 2),
        ("delete: {labels: {stage: test}}", True, 0),
        ("delete: {created_older_than: 1d}", True, 0),
        ("delete: {expires_after_label: quay.expires-after}", True, 0),
        ("delete: {not_pulled_within: 1w}", False, 1),
    ],
)
def test_what_rules_need(condition: str, configs: bool, pulls: int) -> None:
    parsed = policy.parse(f"version: 1\npolicies: [{{repositories: [a], {condition}}}]".encode(), "p.yml")
    assert (parsed.policies[0].needs_configs, len(parsed.needs_pulls)) == (configs, pulls)


BASE = "version: 1\npolicies:\n  - repositories: [a]\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [(1, "the policy has to be a section, not empty")]),
        ("version: 2\npolicies: [{repositories: [a]}]", [(1, "version has to be 1")]),
        ("version: 1", [(1, "the policy lacks policies")]),
        ("version: 1\npolicies: []", [(2, "policies is empty")]),
        (BASE + "    kep: []\n", [(4, "policies[0] has no 'kep'; did you mean 'keep'?")]),
        (
            BASE + "    keep:\n      - tags: [1.0]\n",
            [(5, "policies[0].keep[0].tags[0] has to be text, not 1.0: put it in quotes")],
        ),
        (
            BASE + "    keep:\n      - per: minor\n        most_recently_pushed: 0\n",
            [
                (5, "policies[0].keep[0]: 'per' needs semver"),
                (6, "policies[0].keep[0].most_recently_pushed has to be at least 1"),
            ],
        ),
        (
            BASE + "    delete:\n      older_than: 30\n      tags: '*'\n",
            [
                (5, "policies[0].delete.older_than has to be text, not 30: put it in quotes"),
                (6, "policies[0].delete.tags has to be a list, not '*'"),
            ],
        ),
        (BASE + "    keep: []\n", [(4, "policies[0].keep is empty")]),
        (BASE + "    delete: {}\n", [(4, "policies[0].delete is empty")]),
        (BASE + "    untagged: delete\n", [(4, "policies[0].untagged has to be 'keep'")]),
        (BASE + "    untagged: {keep: 1}\n", [(4, "policies[0].untagged lacks older_than")]),
        (
            BASE + "    referrers: drop\n",
            [(4, "policies[0].referrers has to be one of follow, keep, delete-orphans, not 'drop'")],
        ),
        (BASE + "    name: x\n    name: y\n", [(5, "'name' is given twice")]),
        (BASE + "    name: [\n", [(5, "did not find expected node content")]),
        (BASE + "    name: *x\n", [(4, "unknown anchor 'x' referenced")]),
        ("a: &a [*a]\nversion: 1", [(1, "an alias is inside of what it stands for")]),
        ("? [x]\n: 1\n", [(1, "a key has to be text")]),
        (
            BASE + "    name: x\n  - {repositories: [b], name: x}\n",
            [(line, "there is more than one policy called 'x'") for line in (3, 5)],
        ),
    ],
)
def test_errors_name_the_line(text: str, expected: list[tuple[int, str]]) -> None:
    assert problems(text) == expected


@pytest.mark.parametrize(
    ("rule", "line", "message"),
    [
        ("    delete: {older_than: 30 days}\n", 4, "'30 days' is not a duration"),
        ("    delete:\n      tags: ['re:(']\n", 5, "'re:(' is not a regular expression"),
        ("    keep:\n      - tags: ['v[1']\n", 5, "without"),
        ("    keep:\n      - labels:\n          stage: ' x'\n", 6, "spaces around it"),
        ("  - repositories:\n      - '!b'\n", 4, "all patterns exclude"),
        ("  - repositories: ['b/']\n", 4, "matches no repository"),
        ("  - repositories: ['re:(']\n", 4, "'re:(' is not a regular expression"),
        ("    delete:\n      tags: ['!v*']\n", 5, "all patterns exclude: give one that includes, such as '*'"),
        ("    delete:\n      tags: ['a & ']\n", 5, "is empty or has spaces around it"),
    ],
)
def test_texts_are_checked_too(rule: str, line: int, message: str) -> None:
    ((found_line, found_message),) = problems(BASE + rule)
    assert message in found_message
    assert found_line == line


def test_all_errors_are_found_in_one_go_and_named_as_file_and_line() -> None:
    with pytest.raises(PolicyError) as caught:
        policy.parse((BASE + "    keep:\n      - {pushed_within: x}\n      - {tags: ['re:*']}\n").encode(), "p.yml")
    lines = str(caught.value).splitlines()
    assert [line.split(" ")[0] for line in lines] == ["p.yml:5:", "p.yml:6:"]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="cannot be read: No such file"):
        policy.load(tmp_path / "none.yml")


def test_words_of_other_languages_are_no_booleans() -> None:
    parsed = policy.parse(b"version: 1\npolicies: [{repositories: [a], keep: [{tags: [on, y, no]}]}]", "p.yml")
    matches = parsed.policies[0].keep[0].tags
    assert matches is not None
    assert [matches(tag) for tag in ("on", "y", "no", "off")] == [True, True, True, False]


def test_an_alias_bomb_is_refused_quickly() -> None:
    lines = ["a0: &a0 [x, x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 40))]
    ((_, message),) = problems("\n".join(lines))
    assert "too large" in message


def test_the_published_schema_is_one() -> None:
    Draft202012Validator.check_schema(policy.schema())
    json.dumps(policy.schema())


@pytest.mark.parametrize(
    ("rules", "remarks"),
    [
        ("keep: [{tags: ['v*']}]", ["has keep rules and no delete rule"]),
        ("keep: [{tags: ['*']}]", []),
        ("delete: {tags: ['*']}", ["deletes every tag there is", "'latest'"]),
        ("keep: [{tags: [latest]}], delete: {older_than: 1d}", []),
        ("keep: [{pushed_within: 1d}], delete: {older_than: 1d}", ["'latest'"]),
        ("delete: {tags: ['pr-*'], older_than: 1d}", []),
        ("keep: [{tags: [latest]}], delete: {except_most_recently_pushed: 3}", []),
    ],
)
def test_remarks(rules: str, remarks: list[str]) -> None:
    parsed = policy.parse(f"version: 1\npolicies: [{{repositories: ['a'], {rules}}}]".encode(), "p.yml")
    found = policy.review(parsed)
    assert len(found) == len(remarks)
    for remark, words in zip(found, remarks, strict=True):
        assert words in remark.message


def test_policies_after_one_that_matches_everything_never_count() -> None:
    parsed = policy.parse(b"version: 1\npolicies:\n  - repositories: ['**']\n  - repositories: [a]\n", "p.yml")
    assert [remark.line for remark in policy.review(parsed)] == [4]
