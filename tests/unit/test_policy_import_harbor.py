"""Harbor retention policies: those of Harbor's own tests with their outcomes, and its source, retold, as an oracle.

Source: goharbor/harbor at c50c7dd, ``tests/apitests/python/test_retention.py`` (a policy, what was pushed, what is
left) and ``src/pkg/retention``.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.imported_policies import DATA, Image, gone, image, parsed, replaced, warned, without

from regsweep.errors import PolicyImportError
from regsweep.policy.importers import harbor
from regsweep.policy.importers.draft import Draft

IMMUTABLE = "what Harbor's immutable tag rules protect has to be named in `protect`: they are not part of this document"


def example(name: str) -> Draft:
    return harbor.convert((DATA / "harbor" / f"{name}.json").read_bytes(), f"{name}.json", "library")


def problems(text: bytes) -> list[str]:
    with pytest.raises(PolicyImportError) as caught:
        harbor.convert(text, "h.json", "library")
    return [f"{line}: {message}" for line, message in caught.value.problems]


def test_harbors_own_test_of_retention_has_the_same_outcome() -> None:
    draft = example("retention")
    # test1 had 3.0 and latest on one artifact, and both tags were deleted: it is untagged.
    assert gone(draft, "library/test1", [image(9, "1.0"), image(8, "2.0"), image(7)]) == {"1.0", "2.0"}
    assert gone(draft, "library/test2", [image(9, "1.0"), image(8, "latest")]) == {"1.0"}
    assert gone(draft, "library/test3", [image(9, "1.0")]) == set()
    assert gone(draft, "library/test4", [image(9, "1.0")]) == {"1.0"}
    assert gone(draft, "other/test4", [image(9, "1.0")]) == set()
    # The extras of its second rule are not JSON.
    assert warned(draft) == ["is not JSON: taken as if it were not there, as Harbor does", IMMUTABLE]


def test_always_keeps_tagged_and_untagged() -> None:
    draft = example("permission")
    assert not gone(draft, "library/a/b", [image(900, "v1"), image(900)])
    assert warned(draft) == [IMMUTABLE]


def test_a_count_is_of_artifacts_with_all_of_their_tags() -> None:
    draft = example("upgrade")
    images = [image(2, "v5"), image(3, "v4", "latest"), image(4, "v3", "stable"), image(5, "v2"), image(6), image(7)]
    # Harbor counts untagged artifacts among the three: that v3 and v4 are two artifacts matters, their tags do not.
    assert gone(draft, "library/app", images) == {"v2"}
    assert "counts untagged artifacts, too; here they are counted by themselves" in warned(draft)[1]


def test_pulls_that_nobody_knows_keep() -> None:
    draft = example("proxy-cache")
    images = [image(30, "v1", pulled=3), image(30, "v2", pulled=9), image(30)]
    assert gone(draft, "library/app", images, pulls_known=True) == {"v2"}
    assert not gone(draft, "library/app", images)
    assert [message.partition(" asks")[0] for message in warned(draft)[1:]] == ["rules[0]: nDaysSinceLastPull 7"] * 2
    assert draft.text().count("#   asks for pulls") == 2


def selector(decoration: str, pattern: str, extras: str = "") -> dict[str, str]:
    return {"kind": "doublestar", "decoration": decoration, "pattern": pattern, "extras": extras}


def rule(
    template: str, number: int | None, *tags: dict[str, str], repositories: list[dict[str, str]]
) -> dict[str, Any]:
    return {
        "action": "retain",
        "template": template,
        "params": {} if number is None else {template: number},
        "tag_selectors": list(tags),
        "scope_selectors": {"repository": repositories},
    }


def document(*rules: dict[str, Any]) -> dict[str, Any]:
    return {"algorithm": "or", "rules": list(rules), "scope": {"level": "project", "ref": 1}}


def convert(*rules: dict[str, Any]) -> Draft:
    return harbor.convert(json.dumps(document(*rules)).encode(), "h.json", "library")


EVERYWHERE = [selector("repoMatches", "**")]
ONLY_TAGGED = '{"untagged":false}'


def test_an_artifact_stays_with_all_of_its_tags_if_one_of_them_is_retained() -> None:
    draft = convert(rule("always", None, selector("matches", "v*", ONLY_TAGGED), repositories=EVERYWHERE))
    assert gone(draft, "library/app", [image(9, "v1", "latest"), image(8, "pr-1"), image(7)]) == {"pr-1", "@7"}


def test_excludes_selects_artifacts_with_another_tag() -> None:
    draft = convert(rule("always", None, selector("excludes", "{pr,dev}-*"), repositories=EVERYWHERE))
    images = [image(9, "pr-1"), image(8, "pr-2", "v1"), image(7, "dev-1", "pr-3"), image(6)]
    assert gone(draft, "library/app", images) == {"pr-1", "dev-1", "pr-3"}
    draft = convert(
        rule("always", None, selector("excludes", "pr-*", '{"untagged":true}'), repositories=EVERYWHERE),
    )
    assert gone(draft, "library/app", images[3:]) == {"@6"}


def test_several_selectors_of_a_rule_all_have_to_select() -> None:
    draft = convert(
        rule("always", None, selector("matches", "v*"), selector("excludes", "*-rc"), repositories=EVERYWHERE)
    )
    images = [image(9, "v1-rc"), image(8, "v2-rc", "new"), image(7, "old"), image(6, "v1")]
    # One tag may be selected by the one and another tag by the other.
    assert gone(draft, "library/app", images) == {"v1-rc", "old"}


def test_rules_of_other_repositories_do_not_count_and_a_repository_without_a_rule_stays() -> None:
    draft = convert(
        rule(
            "latestPushedK",
            1,
            selector("matches", "**", ONLY_TAGGED),
            repositories=[selector("repoMatches", "team/**")],
        ),
        rule("always", None, selector("matches", "v*", ONLY_TAGGED), repositories=[selector("repoMatches", "*/app")]),
    )
    images = [image(9, "v1"), image(8, "pr-1"), image(7, "pr-2")]
    assert gone(draft, "library/team/app", images) == {"pr-1"}
    assert gone(draft, "library/team/x", images) == {"v1", "pr-1"}
    assert gone(draft, "library/other/app", images) == {"pr-1", "pr-2"}
    assert gone(draft, "library/other", images) == set()


def test_disabled_rules_are_left_out_and_numbers_of_0_retain_nothing() -> None:
    everything = selector("matches", "**", ONLY_TAGGED)
    disabled = {**rule("always", None, everything, repositories=EVERYWHERE), "disabled": True}
    draft = convert(disabled, rule("latestPushedK", 0, everything, repositories=EVERYWHERE))
    assert gone(draft, "library/app", [image(9, "v1")]) == {"v1"}
    assert problems(json.dumps(document(disabled)).encode()) == [
        "1: has no rule that is not disabled: nothing to import"
    ]


def test_the_later_of_push_and_pull_is_approached_by_both() -> None:
    draft = convert(rule("latestActiveK", 1, selector("matches", "**"), repositories=EVERYWHERE))
    images = [image(9, "a", pulled=1), image(3, "b", pulled=2), image(8, "c", pulled=7)]
    assert gone(draft, "library/app", images, pulls_known=True) == {"c"}
    assert "counts by the later of push and pull" in warned(draft)[1]


def test_untagged_artifacts_stay_as_the_rules_together_say() -> None:
    draft = convert(
        rule("nDaysSinceLastPush", 7, selector("matches", "**"), repositories=EVERYWHERE),
        rule("lastXDays", 5, selector("matches", "**"), repositories=EVERYWHERE),
        rule("latestPushedK", 2, selector("matches", "v*"), repositories=EVERYWHERE),
        rule("latestPushedK", 9, selector("matches", "v*", ONLY_TAGGED), repositories=EVERYWHERE),
    )
    untagged = parsed(draft).policies[0].untagged
    assert untagged is not None
    assert (untagged.older_than, untagged.keep) == (7 * 86400, 2)


GOOD = document(rule("latestPushedK", 3, selector("matches", "**"), repositories=EVERYWHERE))
RULE = ("rules", 0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (replaced(GOOD, "and", "algorithm"), "1: algorithm has to be one of or, not 'and'"),
        (without(GOOD, "algorithm"), "the document lacks 'algorithm'"),
        (replaced(GOOD, "system", "scope", "level"), "scope.level has to be one of project, not 'system'"),
        (replaced(GOOD, 1, "dry_run"), "the document has 'dry_run', which is not known here"),
        (replaced(GOOD, "delete", *RULE, "action"), "rules[0].action has to be one of retain"),
        (replaced(GOOD, "nothing", *RULE, "template"), "rules[0].template has to be one of always, latestPushedK"),
        (replaced(GOOD, {"latestPulledN": 3}, *RULE, "params"), "rules[0].params lacks 'latestPushedK'"),
        (replaced(GOOD, "3", *RULE, "params", "latestPushedK"), 'has to be a whole number, not "3"'),
        (replaced(GOOD, -1, *RULE, "params", "latestPushedK"), "has to be at least 0, not -1"),
        (replaced(GOOD, [], *RULE, "tag_selectors"), "has no selector: Harbor does not evaluate such a rule"),
        (replaced(GOOD, "label", *RULE, "tag_selectors", 0, "kind"), "kind has to be one of doublestar, not 'label'"),
        (replaced(GOOD, "with", *RULE, "tag_selectors", 0, "decoration"), "has to be one of matches, excludes"),
        (replaced(GOOD, "**/v*", *RULE, "tag_selectors", 0, "pattern"), "is '**/v*': no tag has a /"),
        (replaced(GOOD, "v{1..3}", *RULE, "tag_selectors", 0, "pattern"), "cannot be said: 'v{1..3}': {a..b} is read"),
        (replaced(GOOD, "[!v]*", *RULE, "tag_selectors", 0, "pattern"), "cannot be said: '[!v]*'"),
        (
            replaced(GOOD, '{"Untagged":1}', *RULE, "tag_selectors", 0, "extras"),
            "extras has 'Untagged', which is not known",
        ),
        (
            replaced(GOOD, [selector("nsMatches", "**")], *RULE, "scope_selectors", "repository"),
            "decoration has to be one of repoMatches, repoExcludes",
        ),
        (
            replaced(GOOD, [selector("repoMatches", "**")], *RULE, "scope_selectors", "project"),
            "rules[0].scope_selectors has 'project', which is not known here",
        ),
        (
            json.dumps(
                document(
                    *(
                        rule(
                            "latestPushedK",
                            n,
                            selector("matches", "**"),
                            repositories=[selector("repoMatches", f"*{n}*")],
                        )
                        for n in range(1, 9)
                    )
                )
            ).encode(),
            "the rules' repositories overlap in more than 60 ways",
        ),
    ],
)
def test_what_is_not_a_policy_or_cannot_be_said_is_refused_with_its_place(text: bytes, expected: str) -> None:
    found = problems(text)
    assert any(expected in one for one in found), found


# Harbor's source, retold.

TAG_PATTERNS = {"**": ".*", "v*": "v.*", "*1": ".*1", "{a,b}*": "(a|b).*", "v?": "v.", "[^v]*": "[^v].*"}
REPOSITORY_PATTERNS = {
    "**": ".+",
    "*": "[^/]+",
    "x/**": "x/.+",
    "**/app": "(.+/)?app",
    "app": "app",
    "{app,lib}": "app|lib",
}
REPOSITORIES = ["app", "lib", "x/app", "x/y", "x/y/app"]
EXTRAS = {"": None, '{"untagged":true}': True, '{"untagged":false}': False}


def deletes(rules: list[dict[str, Any]], repository: str, artifacts: list[Image]) -> set[str]:
    of_repository = [one for one in rules if covers(one, repository)]
    if not of_repository:
        return set()
    retained = [artifact for one in of_repository for artifact in retains(one, artifacts)]
    return {
        name
        for artifact in artifacts
        if artifact not in retained
        for name in artifact.tags or (f"@{artifact.pushed:g}",)
    }


def covers(one: dict[str, Any], repository: str) -> bool:
    return all(
        bool(re.fullmatch(REPOSITORY_PATTERNS[each["pattern"]], repository)) == (each["decoration"] == "repoMatches")
        for each in one["scope_selectors"]["repository"]
    )


def retains(one: dict[str, Any], artifacts: list[Image]) -> list[Image]:
    for each in one["tag_selectors"]:
        artifacts = [artifact for artifact in artifacts if selects(each, artifact)]
    number = one["params"].get(one["template"], 0)
    match one["template"]:
        case "always":
            return artifacts
        case "nDaysSinceLastPush" | "lastXDays":
            return [artifact for artifact in artifacts if artifact.pushed <= number]
        case "nDaysSinceLastPull":
            return [artifact for artifact in artifacts if artifact.pulled is not None and artifact.pulled <= number]
        case "latestPushedK":
            return sorted(artifacts, key=lambda artifact: artifact.pushed)[:number]
        case "latestPulledN":
            return sorted(artifacts, key=lambda artifact: artifact.pulled or 9e9)[:number]
        case _:
            return sorted(artifacts, key=lambda artifact: min(artifact.pulled or 9e9, artifact.pushed))[:number]


def selects(each: dict[str, str], artifact: Image) -> bool:
    matches = each["decoration"] == "matches"
    untagged = EXTRAS[each["extras"]]
    if not artifact.tags:
        return (matches if untagged is None else untagged) == matches
    return any(bool(re.fullmatch(TAG_PATTERNS[each["pattern"]], tag)) == matches for tag in artifact.tags)


SELECTORS = st.builds(
    selector,
    st.sampled_from(["matches", "excludes"]),
    st.sampled_from(list(TAG_PATTERNS)),
    st.sampled_from(list(EXTRAS)),
)
SCOPES = st.builds(
    selector, st.sampled_from(["repoMatches", "repoExcludes"]), st.sampled_from(list(REPOSITORY_PATTERNS))
)
RULES = st.builds(
    lambda template, number, tags, repositories: rule(
        template, None if template == "always" else number, *tags, repositories=repositories
    ),
    st.sampled_from([*harbor._TEMPLATES, "latestPushedK", "nDaysSinceLastPush"]),
    st.integers(0, 12),
    st.lists(SELECTORS, min_size=1, max_size=2),
    st.lists(SCOPES, max_size=2),
)


@st.composite
def repositories(draw: st.DrawFn) -> list[Image]:
    names = ["v1", "v2", "a1", "a", "b1", "latest", "w"]
    owners = draw(st.lists(st.integers(0, 5), min_size=7, max_size=7))
    pushed = draw(st.permutations([2.5, 3.5, 5.5, 8.5, 13.5, 21.5]))
    pulled = draw(st.permutations([None, None, 1.5, 4.5, 7.5, 9.5]))
    return [
        Image(age, tuple(n for n, owner in zip(names, owners, strict=True) if owner == index), None, pull)
        for index, (age, pull) in enumerate(zip(pushed, pulled, strict=True))
    ]


@settings(deadline=None)
@given(rules=st.lists(RULES, min_size=1, max_size=4), images=repositories())
def test_an_import_removes_no_more_than_harbor_and_the_same_where_it_does_not_warn(
    rules: list[dict[str, Any]], images: list[Image]
) -> None:
    draft = convert(*rules)
    for repository in REPOSITORIES:
        ours = gone(draft, f"library/{repository}", images, pulls_known=True)
        theirs = deletes(rules, repository, images)
        assert ours <= theirs
        if warned(draft) == [IMMUTABLE]:
            assert ours == theirs
