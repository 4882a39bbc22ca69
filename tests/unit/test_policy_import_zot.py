"""zot's retention: its example configurations with what its documentation says of them, its own tests, and an oracle.

Source: project-zot/zot at 6d19b44 (``examples/config-retention.json``, ``pkg/storage/gc/gc_test.go``,
``pkg/retention``) and project-zot/project-zot.github.io, ``docs/articles/retention.md``.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.imported_policies import DATA, DAY, Image, gone, image, parsed, replaced, warned

from regsweep.errors import PolicyImportError
from regsweep.policy.importers import zot
from regsweep.policy.importers.draft import Draft

OTHERS = "zot deletes untagged manifests of repositories that no policy matches, too: here they stay"


def example(name: str) -> Draft:
    return zot.convert((DATA / "zot" / f"{name}.json").read_bytes(), f"{name}.json")


def problems(text: bytes) -> list[str]:
    with pytest.raises(PolicyImportError) as caught:
        zot.convert(text, "z.json")
    return [f"{line}: {message}" for line, message in caught.value.problems]


def configuration(*policies: dict[str, Any], **retention: Any) -> dict[str, Any]:
    return {"storage": {"retention": {"policies": list(policies), **retention}}}


def convert(*policies: dict[str, Any], **retention: Any) -> Draft:
    return zot.convert(json.dumps(configuration(*policies, **retention)).encode(), "z.json")


@pytest.mark.parametrize("repository", ["infra/app", "prod/app"])
def test_the_articles_first_policy(repository: str) -> None:
    draft = example("article")
    images = [
        *(image(90, "v2.0"), image(90, "dev2"), image(90, "x-prod"), image(90, "v30", pulled=6)),
        *(image(90, "v31", pulled=8), image(6, "v32", pulled=5), image(90, "other"), image(90, "dev-v2.1")),
        *(image(0.9), image(1.1)),
    ]
    # An expression is found anywhere: there is a v2 in dev2.
    assert gone(draft, repository, images, pulls_known=True) == {"v31", "other", "@1.1"}
    rules = parsed(draft).for_repository(repository)
    assert rules is not None
    assert rules.referrers == "keep"


@pytest.mark.parametrize("repository", ["tmp/app", "tmp/a/b", "tmp"])
def test_the_articles_second_policy(repository: str) -> None:
    draft = example("article")
    images = [
        *(image(90, "v1.0", pulled=6), image(6, "v1.1"), image(90, "v1.2", pulled=8), image(2, "v2"), image(1.1)),
    ]
    assert gone(draft, repository, images, pulls_known=True) == {"v1.2", "v2", "@1.1"}
    rules = parsed(draft).for_repository(repository)
    assert rules is not None
    assert rules.referrers == "delete-orphans"


@pytest.mark.parametrize("repository", ["app", "infra", "infra/a/b", "tmpx/app"])
def test_the_articles_last_policy_is_for_the_rest(repository: str) -> None:
    draft = example("article")
    old = [image(100 + n, f"old-{n}") for n in range(15)]
    pulled = [image(200 + n, f"pulled-{n}", pulled=40 + n) for n in range(12)]
    recent = [image(29, "pushed"), image(300, "read", pulled=29)]
    expected = {
        *(f"old-{n}" for n in range(9, 15)),
        # The ten that were pulled last are `read` and nine of these.
        *(f"pulled-{n}" for n in range(9, 12)),
    }
    assert gone(draft, repository, [*old, *pulled, *recent], pulls_known=True) == expected


@pytest.mark.parametrize("repository", ["a/infra/app", "a/prod/app", "a/other"])
def test_repositories_of_a_sub_path_whose_collection_is_off_stay(repository: str) -> None:
    draft = example("article")
    assert not gone(draft, repository, [image(900, "x"), image(900)], pulls_known=True)
    assert "storage.subPaths./a.retention removes nothing, for gc is off there: left out" in warned(draft)


def test_without_a_log_of_pulls_what_they_decide_about_stays_and_this_is_said() -> None:
    draft = example("article")
    assert gone(draft, "infra/app", [image(90, "v3.1"), image(90, "x")]) == {"x"}
    message = "asks for pulls: without a log of them, all that it matches stays"
    assert f"storage.retention.policies[0].keepTags[1] {message}" in warned(draft)
    assert draft.text().count(f"#   {message}") == 4


def test_the_example_of_the_repository_keeps_untagged_manifests_that_only_pulls_decide_about() -> None:
    draft = example("config-retention")
    assert gone(draft, "prod/app", [image(9)], pulls_known=True) == {"@9"}
    assert not gone(draft, "tmp/app", [image(900)], pulls_known=True)
    assert sum("of which nothing here knows: all of them stay" in message for message in warned(draft)) == 2
    assert draft.text().count("untagged: keep") == 2


# gc_test.go, "setup gc images": the repository "retention", with days since push and pull.
RETENTION = [
    image(days + 0.001, tag, pulled=pulled + 0.001)
    for tag, days, pulled in (
        *(("0.0.1", 10, 10), ("0.0.2", 11, 11), ("0.0.3", 12, 12), ("0.0.7", 13, 13)),
        *(("0.0.4", 1, 1), ("0.0.5", 2, 2), ("0.0.6", 3, 2), ("0.0.8", 4, 4)),
    )
]


@pytest.mark.parametrize(
    ("keep_tags", "kept"),
    [
        ([{"patterns": [".*"], "pulledWithin": "168h", "pushedWithin": "168h"}], {4, 5, 6, 8}),
        ([{"patterns": [".*"], "mostRecentlyPushedCount": 3}], {4, 5, 6}),
        ([{"patterns": [".*"], "mostRecentlyPulledCount": 3}], {4, 5, 6}),
        ([{"patterns": [".*"], "mostRecentlyPulledCount": 3, "mostRecentlyPushedCount": 4}], {4, 5, 6, 8}),
        ([{"patterns": ["0.0.1"]}], {1}),
        ([{"patterns": ["0.0.1"]}, {"patterns": ["0.0.2"]}], {1, 2}),
        # zot has 0.0.5 and 0.0.6 gone here, too: what was pushed two or three days ago has not been pulled within two.
        ([{"patterns": ["0.0.1"]}, {"patterns": ["0.0.2"]}, {"patterns": [".*"], "pulledWithin": "48h"}], {1, 2, 4}),
        ([], {1, 2, 3, 4, 5, 6, 7, 8}),
    ],
)
def test_zots_own_tests_have_the_same_outcome(keep_tags: list[dict[str, Any]], kept: set[int]) -> None:
    draft = convert({"repositories": ["**"], "deleteReferrers": True, "deleteUntagged": True, "keepTags": keep_tags})
    assert gone(draft, "retention", RETENTION, pulls_known=True) == {f"0.0.{n}" for n in range(1, 9) if n not in kept}


def test_the_first_policy_that_matches_counts_and_a_repository_without_one_stays() -> None:
    draft = convert(
        {"repositories": ["safe/**"], "deleteUntagged": False},
        {"repositories": ["safe/x", "b/*"], "keepTags": [{"patterns": ["^v"]}]},
    )
    images = [image(9, "v1"), image(9, "x1"), image(9)]
    assert not gone(draft, "safe/x", images)
    assert gone(draft, "b/x", images) == {"x1", "@9"}
    assert not gone(draft, "b/x/y", images)
    assert warned(draft) == [OTHERS]


def test_a_policy_for_no_repository_is_left_out() -> None:
    # As the article has it, "a default policy" without repositories: to zot it matches none.
    draft = convert({"repositories": ["a"], "keepTags": [{"patterns": ["v"]}]}, {"keepTags": [{"patterns": [".*"]}]})
    assert len(parsed(draft).policies) == 1
    assert "storage.retention.policies[1] matches no repository of its store: left out" in warned(draft)


def test_tags_of_an_entry_are_not_those_of_a_later_one() -> None:
    draft = convert(
        {
            "repositories": ["**"],
            "keepTags": [
                {"patterns": ["^v"], "mostRecentlyPushedCount": 1},
                {"patterns": ["1$", "^x"], "mostRecentlyPushedCount": 1},
                {},
                {"patterns": ["never"]},
            ],
        }
    )
    # v1 is the first entry's: it goes, and takes no place among the second's.
    assert gone(draft, "app", [image(2, "v2"), image(3, "v1"), image(4, "x1"), image(5, "x2"), image(6, "y")]) == {
        "v1",
        "x2",
    }
    assert "keepTags[3] never counts: an entry before it takes all tags" in warned(draft)[0]


def test_tags_that_an_entry_keeps_take_no_place_in_the_count_of_a_later_one() -> None:
    draft = convert(
        {"repositories": ["**"], "keepTags": [{"patterns": ["^v"]}, {"mostRecentlyPushedCount": 1}]},
    )
    assert gone(draft, "app", [image(2, "v1"), image(3, "x1"), image(4, "x2")]) == {"x2"}


def test_sub_paths_that_collect_have_their_own_policies() -> None:
    document = configuration({"repositories": ["**"], "keepTags": [{"patterns": ["main"]}]})
    document["storage"]["subPaths"] = {
        "/a": {
            "gc": True,
            "gcDelay": "48h",
            "retention": {
                "policies": [
                    {"repositories": ["a/x", "b/x"], "keepTags": [{"patterns": ["one"]}]},
                    {"repositories": ["**"], "keepTags": [{"patterns": ["two"]}]},
                    {"repositories": ["c/**"]},
                ]
            },
        }
    }
    draft = zot.convert(json.dumps(document).encode(), "z.json")
    images = [image(9, "main"), image(9, "one"), image(9, "two"), image(1.5)]
    assert gone(draft, "b/x", images) == {"one", "two", "@1.5"}
    assert gone(draft, "a", images) == {"one", "two", "@1.5"}
    assert gone(draft, "a/x", images) == {"main", "two"}
    assert gone(draft, "a/y/z", images) == {"main", "one"}
    assert "storage.subPaths./a.retention.policies[2] matches no repository of its store: left out" in warned(draft)


def test_keys_are_read_in_upper_and_lower_case_as_zot_does() -> None:
    draft = convert({"Repositories": ["**"], "KeepTags": [{"patterns": ["v"]}]})
    assert gone(draft, "app", [image(9, "v1"), image(9, "x")]) == {"x"}
    twice = configuration({"repositories": ["a"], "Repositories": ["b"]})
    assert problems(json.dumps(twice).encode()) == ["1: storage.retention.policies[0].Repositories is given twice"]


def test_the_delay_is_for_untagged_manifests_and_referrers_and_gc_delay_stands_in_for_it() -> None:
    policy = {"repositories": ["**"], "deleteReferrers": True}
    document = configuration(policy)
    document["storage"]["gcDelay"] = "72h"
    draft = zot.convert(json.dumps(document).encode(), "z.json")
    assert parsed(draft).min_age == 3 * DAY
    assert "the delay of 72h, for referrers, becomes the minimum age of everything" in warned(draft)
    draft = convert({**policy, "deleteReferrers": False}, delay="96h")
    assert parsed(draft).min_age == DAY
    assert gone(draft, "app", [image(3.9), image(4.1)]) == {"@4.1"}
    untagged = parsed(
        convert({**policy, "keepUntagged": {"pushedWithin": "240h", "mostRecentlyPushedCount": 2}})
    ).policies
    assert untagged[0].untagged is not None
    assert (untagged[0].untagged.older_than, untagged[0].untagged.keep) == (10 * DAY, 2)
    # Without a delay it is an hour.
    assert parsed(convert(policy)).policies[0].untagged == parsed(convert(policy, delay="1h")).policies[0].untagged


GOOD = configuration({"repositories": ["**"], "keepTags": [{"patterns": ["v"]}]})
POLICY = ("storage", "retention", "policies", 0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"{}", "1: has no retention policies that are in force: nothing to import"),
        (replaced(GOOD, False, "storage", "gc"), "has no retention policies that are in force"),
        (replaced(GOOD, True, "storage", "retention", "dryRun"), "has no retention policies that are in force"),
        (
            replaced(GOOD, {}, "storrage"),
            "the document has 'storrage', which is not known here; did you mean 'storage'?",
        ),
        (replaced(GOOD, "a", *POLICY, "keepTag"), "has 'keepTag', which is not known here; did you mean 'keepTags'?"),
        (replaced(GOOD, 1, *POLICY, "keepTags", 0, "minSize"), "keepTags[0] has 'minSize', which is not known here"),
        (replaced(GOOD, {"count": 1}, *POLICY, "keepUntagged"), "keepUntagged has 'count', which is not known here"),
        (replaced(GOOD, ["v[!a]"], *POLICY, "repositories"), "repositories cannot be said: 'v[!a]'"),
        (replaced(GOOD, "**", *POLICY, "repositories"), 'repositories has to be a list, not "**"'),
        (replaced(GOOD, ["(?U)v"], *POLICY, "keepTags", 0, "patterns"), "patterns cannot be said: '(?U)v'"),
        (replaced(GOOD, [1], *POLICY, "keepTags", 0, "patterns"), "patterns has to hold texts only"),
        (
            replaced(GOOD, "a week", *POLICY, "keepTags", 0, "pushedWithin"),
            "is not understood: 'a week' is not a duration",
        ),
        (replaced(GOOD, -1, *POLICY, "keepTags", 0, "mostRecentlyPushedCount"), "has to be at least 0, not -1"),
        (replaced(GOOD, {"/a/b": {}}, "storage", "subPaths"), "'/a/b' is not the first part of repositories' names"),
    ],
)
def test_what_is_not_a_configuration_or_cannot_be_said_is_refused_with_its_place(text: bytes, expected: str) -> None:
    found = problems(text)
    assert any(expected in one for one in found), found


# zot's source, retold.


def deletes(entries: list[dict[str, Any]], images: list[Image]) -> set[str]:
    groups: dict[int, list[Image]] = {}
    for one in images:
        for index, entry in enumerate(entries):
            if any(re.search(pattern, one.tags[0]) for pattern in entry["patterns"]) or not entry["patterns"]:
                groups.setdefault(index, []).append(one)
                break
    kept = [one for index, group in groups.items() for one in retains(entries[index], group)]
    return {one.tags[0] for one in images if entries and one not in kept}


def retains(entry: dict[str, Any], group: list[Image]) -> list[Image]:
    kept: list[Image] = []
    if count := entry.get("mostRecentlyPulledCount"):
        kept += sorted(group, key=lambda one: one.pulled or 9e9)[:count]
    if count := entry.get("mostRecentlyPushedCount"):
        kept += sorted(group, key=lambda one: one.pushed)[:count]
    if within := entry.get("pulledWithin"):
        days = int(within[:-1]) / 24
        kept += [one for one in group if (one.pulled or 9e9) < days or one.pushed < days]
    if within := entry.get("pushedWithin"):
        kept += [one for one in group if one.pushed < int(within[:-1]) / 24]
    return kept if len(entry) > 1 else group


WITHIN = st.sampled_from(["48h", "120h", "240h"])
ENTRIES = st.builds(
    lambda patterns, limits: {"patterns": patterns, **limits},
    st.lists(st.sampled_from(["^v", "1", "v.*", "^a|b$", ".*", "[0-9]+"]), max_size=2),
    st.just({})
    | st.fixed_dictionaries(
        {},
        optional={
            "mostRecentlyPulledCount": st.integers(1, 2),
            "mostRecentlyPushedCount": st.integers(1, 2),
            "pulledWithin": WITHIN,
            "pushedWithin": WITHIN,
        },
    ),
)


@settings(deadline=None)
@given(
    entries=st.lists(ENTRIES, max_size=3),
    pushed=st.permutations([1.5, 2.5, 3.5, 5.5, 8.5, 13.5, 21.5]),
    pulled=st.permutations([None, 0.5, 1.2, 4.5, 7.5, 9.5, 30.5]),
)
def test_an_import_removes_what_zot_removes(
    entries: list[dict[str, Any]], pushed: list[float], pulled: list[float | None]
) -> None:
    names = ["v1", "v2", "a1", "ab", "b", "latest", "w"]
    images = [image(age, name, pulled=pull) for age, name, pull in zip(pushed, names, pulled, strict=True)]
    draft = convert({"repositories": ["**"], "keepTags": entries})
    assert gone(draft, "app", images, pulls_known=True) == deletes(entries, images)
