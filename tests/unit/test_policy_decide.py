"""What policies decide, rule by rule, and what holds for every policy."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regsweep import policy
from regsweep.policy import Decision, Moment, Tag
from regsweep.policy.rules import RepositoryPolicy

DAY = 86400.0
NOW = 1_700_000_000.0
EVERYTHING = "delete: {tags: ['*']}"


def rules(text: str) -> RepositoryPolicy:
    return policy.parse(f"version: 1\npolicies: [{{name: p, repositories: ['**'], {text}}}]".encode(), "p").policies[0]


def tag(name: str, days: float = 10, **more: object) -> Tag:
    return replace(Tag(name, f"sha256:{name:0>64}", NOW - days * DAY), **more)  # type: ignore[arg-type]


def decide(text: str, *tags: Tag, min_age: float = DAY, pulls_since: float | None = None) -> dict[str, Decision]:
    decisions = policy.decide(rules(text), tags, Moment(NOW, pulls_since), min_age)
    assert [decision.tag for decision in decisions] == list(tags)
    return {decision.tag.name: decision for decision in decisions}


def gone(text: str, *tags: Tag, pulls_since: float | None = None) -> set[str]:
    return {name for name, found in decide(text, *tags, pulls_since=pulls_since).items() if not found.keeps}


def test_without_a_policy_or_a_delete_rule_everything_stays() -> None:
    (decision,) = policy.decide(None, [tag("a")], Moment(NOW), DAY)
    assert (decision.keeps, decision.rule) == (True, "")
    assert not gone("keep: [{tags: [b]}]", tag("a"))
    assert decide("delete: {tags: [b]}", tag("a"))["a"].reason == "no rule matches"


def test_keep_beats_delete_and_the_rule_is_named() -> None:
    found = decide(f"keep: [{{tags: [x]}}, {{tags: ['v*']}}], {EVERYTHING}", tag("v1"), tag("pr-1"))
    assert (found["v1"].keeps, found["v1"].rule, found["v1"].reason) == (True, "p: keep[1]", "tags match")
    assert (found["pr-1"].keeps, found["pr-1"].rule) == (False, "p: delete")


def test_tags_are_globs_or_whole_regular_expressions() -> None:
    tags = [tag(name) for name in ("v1.0", "v10", "release-7", "release-7a", "1.0-alpine", "1.0-slim")]
    assert gone(f"keep: [{{tags: ['v?.*', 're:release-[0-9]+', '1.0-{{slim,alpine}}']}}], {EVERYTHING}", *tags) == {
        "v10",
        "release-7a",
    }


def test_the_minimum_age_is_a_floor_for_every_rule() -> None:
    found = decide(EVERYTHING, tag("new", 0.5), tag("old", 1.5))
    assert (found["new"].keeps, found["new"].rule) == (True, "p: delete")
    assert "minimum age" in found["new"].reason
    assert not found["old"].keeps


def test_counts_are_of_what_the_conditions_leave() -> None:
    tags = [*(tag(f"main-{n}", n) for n in range(2, 7)), *(tag(f"pr-{n}", n) for n in range(2, 4))]
    assert gone(f"keep: [{{tags: ['main-*'], most_recently_pushed: 2}}], {EVERYTHING}", *tags) == {
        "main-4",
        "main-5",
        "main-6",
        "pr-2",
        "pr-3",
    }


def test_of_tags_pushed_at_the_same_time_none_is_preferred() -> None:
    tags = [tag("a", 5), tag("b", 5), tag("c", 5), tag("d", 6)]
    assert gone(f"keep: [{{most_recently_pushed: 1}}], {EVERYTHING}", *tags) == {"d"}


def test_pushed_within_and_older_than() -> None:
    tags = [tag("new", 3), tag("old", 30)]
    assert gone(f"keep: [{{pushed_within: 7d}}], {EVERYTHING}", *tags) == {"old"}
    assert gone("delete: {older_than: 2w}", *tags) == {"old"}


def test_all_conditions_of_a_delete_rule_have_to_hold_and_one_rule_is_enough() -> None:
    tags = [tag("pr-1", 3), tag("pr-2", 30), tag("v1", 30), tag("tmp", 3)]
    assert gone("delete: [{tags: ['pr-*'], older_than: 7d}, {tags: [tmp]}]", *tags) == {"pr-2", "tmp"}


def test_creation_times_count_only_where_they_can_be_true() -> None:
    tags = [
        tag("old", created=NOW - 90 * DAY),
        tag("new", created=NOW - DAY),
        tag("unknown"),
        tag("1970", created=0.0),
        tag("1980", created=315_532_800.0),
    ]
    assert gone("delete: {created_older_than: 30d}", *tags) == {"old"}
    assert gone(f"keep: [{{created_within: 30d}}], {EVERYTHING}", *tags) == {"old"}
    assert gone(f"keep: [{{most_recently_created: 1}}], {EVERYTHING}", *tags) == {"old"}


def test_labels_and_expiry_labels() -> None:
    tags = [
        tag("prod", labels={"stage": "production"}),
        tag("test", labels={"stage": "test"}),
        tag("none"),
        tag("passed", labels={"quay.expires-after": "1w"}),
        tag("runs", labels={"quay.expires-after": "2w"}),
        tag("nonsense", labels={"quay.expires-after": "soon"}),
    ]
    assert gone(f"keep: [{{labels: {{stage: 'prod*'}}}}], {EVERYTHING}", *tags[:3]) == {"test", "none"}
    assert gone("delete: {labels: {stage: test}}", *tags) == {"test"}
    assert gone("delete: {expires_after_label: quay.expires-after}", *tags) == {"passed"}


def test_semantic_versions() -> None:
    names = ["1.0.0", "1.1.0", "1.1.1", "v1.2", "2.0.0-rc.1", "2.0.0", "latest", "3.0.0_build.5"]
    tags = [tag(name) for name in names]
    assert gone(f"keep: [{{semver: 2}}], {EVERYTHING}", *tags) == set(names) - {"2.0.0", "3.0.0_build.5"}
    kept = {"3.0.0_build.5", "2.0.0", "v1.2"}
    assert gone(f"keep: [{{semver: 1, per: major}}], {EVERYTHING}", *tags) == set(names) - kept
    kept |= {"1.1.1", "1.0.0"}
    assert gone(f"keep: [{{semver: 1, per: minor}}], {EVERYTHING}", *tags) == set(names) - kept


def test_two_spellings_of_a_version_are_one() -> None:
    tags = [tag(name) for name in ("1.2", "1.2.0", "v1.2.0", "1.1")]
    assert gone(f"keep: [{{semver: 1}}], {EVERYTHING}", *tags) == {"1.1"}


def test_pulls_count_only_as_far_back_as_they_are_known() -> None:
    tags = [
        tag("pulled", 90, pulled=NOW - 2 * DAY),
        tag("long ago", 90, pulled=NOW - 60 * DAY),
        tag("never", 90),
        tag("pushed lately", 20),
    ]
    since = NOW - 80 * DAY
    assert gone("delete: {not_pulled_within: 30d}", *tags, pulls_since=since) == {"long ago", "never"}
    assert not gone("delete: {not_pulled_within: 30d}", *tags, pulls_since=NOW - 29 * DAY)
    assert not gone("delete: {not_pulled_within: 30d}", *tags)
    kept = f"keep: [{{pulled_within: 30d}}], {EVERYTHING}"
    assert gone(kept, *tags, pulls_since=since) == {"long ago", "never"}
    assert not gone(kept, *tags)
    assert gone(f"keep: [{{most_recently_pulled: 1}}], {EVERYTHING}", *tags, pulls_since=since) == {
        "long ago",
        "never",
        "pushed lately",
    }


def test_a_delete_rule_spares_the_newest_of_what_it_matches() -> None:
    tags = [tag("pr-1", 3), tag("pr-2", 9), tag("pr-3", 10), tag("pr-4", 11), tag("v1", 8)]
    # pr-1 is too young to match, and takes no place.
    text = "delete: {tags: ['pr-*'], older_than: 7d, except_most_recently_pushed: 2}"
    assert gone(text, *tags) == {"pr-4"}
    found = decide(text, *tags)
    assert (found["pr-2"].rule, found["pr-2"].reason) == ("p: delete", "2 most recently pushed of those that match")
    assert gone("delete: {except_most_recently_pushed: 9}", *tags) == set()


def test_what_one_delete_rule_spares_another_may_delete() -> None:
    tags = [tag("pr-1", 8), tag("pr-2", 9)]
    text = "delete: [{tags: ['pr-*'], except_most_recently_pushed: 1}, {tags: ['*-1']}]"
    assert gone(text, *tags) == {"pr-1", "pr-2"}
    assert decide(text, *tags)["pr-1"].rule == "p: delete[1]"


def test_the_count_of_a_delete_rule_takes_in_what_keep_rules_keep_and_what_is_younger_than_the_minimum_age() -> None:
    tags = [tag("a", 0.5), tag("b", 8), tag("c", 9), tag("d", 10)]
    assert gone("keep: [{tags: [b]}], delete: {except_most_recently_pushed: 2}", *tags) == {"c", "d"}


BY_IMAGE = "decide_by: image"


def images(*described: tuple[float, str]) -> list[Tag]:
    """For each age in days and text, an image with the tags in the text."""
    return [
        tag(name, days, digest=f"sha256:{index:064x}")
        for index, (days, names) in enumerate(described)
        for name in names.split()
    ]


def test_by_image_tags_of_a_digest_stay_or_go_together() -> None:
    tags = images((9, "v1 latest"), (8, "pr-1 tmp"), (7, "pr-2 v2"))
    assert gone(f"keep: [{{tags: ['v*']}}], {EVERYTHING}", *tags) == {"latest", "pr-1", "tmp", "pr-2"}
    assert gone(f"{BY_IMAGE}, keep: [{{tags: ['v*']}}], {EVERYTHING}", *tags) == {"pr-1", "tmp"}
    assert gone(f"{BY_IMAGE}, delete: {{tags: ['pr-*']}}", *tags) == {"pr-1", "tmp", "pr-2", "v2"}


def test_by_image_patterns_are_about_all_tags_of_an_image() -> None:
    tags = images((9, "alpha-1"), (8, "alpha-2 beta-2"), (7, "beta-3"), (6, "alpha-4 beta-4 keep"), (5, "x"))
    assert gone(f"{BY_IMAGE}, delete: {{tags: ['alpha* & beta*', '!keep']}}", *tags) == {"alpha-2", "beta-2"}
    assert gone(f"{BY_IMAGE}, delete: {{tags: ['*', '!alpha* & beta*']}}", *tags) == {"alpha-1", "beta-3", "x"}
    assert gone("delete: {tags: ['alpha* & *-2', '!beta*']}", *tags) == {"alpha-2"}


def test_by_image_counts_are_of_images_and_times_those_of_the_latest_tag() -> None:
    tags = [*images((9, "a b c"), (8, "d"), (7, "e")), tag("f", 1.5, digest=f"sha256:{0:064x}")]
    text = f"{BY_IMAGE}, keep: [{{most_recently_pushed: 2}}], {EVERYTHING}"
    assert gone(text, *tags) == {"d"}
    assert gone(f"{BY_IMAGE}, delete: {{older_than: 5d}}", *tags) == {"d", "e"}
    assert gone(f"{BY_IMAGE}, delete: {{except_most_recently_pushed: 1}}", *tags) == {"d", "e"}
    young = [*tags, tag("g", 0.5, digest=tags[3].digest)]
    assert gone(f"{BY_IMAGE}, {EVERYTHING}", *young) == {"a", "b", "c", "f", "e"}


def test_by_image_the_newest_versions_and_pulls_take_their_image_along() -> None:
    tags = images((9, "1.0 stable"), (8, "1.1 edge"), (7, "x"))
    assert gone(f"{BY_IMAGE}, keep: [{{semver: 1}}], {EVERYTHING}", *tags) == {"1.0", "stable", "x"}
    pulled = [replace(tags[0], pulled=NOW - DAY), *tags[1:]]
    text = f"{BY_IMAGE}, keep: [{{pulled_within: 2d}}], {EVERYTHING}"
    assert gone(text, *pulled, pulls_since=NOW - 90 * DAY) == {"1.1", "edge", "x"}


TAGS = st.lists(
    st.builds(
        Tag,
        name=st.sampled_from(["latest", "v1", "v1.1", "v1.1.0", "2.0", "main-1", "main-2", "pr-1", "pr-2"]),
        digest=st.sampled_from([f"sha256:{n:064x}" for n in range(4)]),
        pushed=st.floats(NOW - 60 * DAY, NOW + DAY),
        created=st.none() | st.floats(0, NOW),
        pulled=st.none() | st.floats(NOW - 60 * DAY, NOW),
        labels=st.dictionaries(st.sampled_from(["a", "b"]), st.sampled_from(["1d", "30d", "x"])),
    ),
    unique_by=lambda tag: tag.name,
)
KEEPS = st.sampled_from(
    [
        "tags: ['v*']",
        "pushed_within: 7d",
        "created_within: 7d",
        "pulled_within: 7d",
        "most_recently_pushed: 2",
        "most_recently_created: 1",
        "most_recently_pulled: 1",
        "semver: 1, per: major",
        "labels: {a: '*'}",
        "tags: ['main-*'], most_recently_pushed: 1",
        "tags: ['v* & *1', '!*.0']",
    ]
)
DELETES = st.sampled_from(
    [
        "tags: ['*']",
        "older_than: 14d",
        "created_older_than: 14d",
        "not_pulled_within: 14d",
        "expires_after_label: a",
        "tags: ['pr-*'], labels: {b: '*'}",
        "tags: ['*', '!main-*'], except_most_recently_pushed: 2",
    ]
)
UNITS = st.sampled_from(["", "decide_by: image, "])


def _text(keeps: list[str], deletes: list[str]) -> str:
    parts = [f"keep: [{', '.join(f'{{{keep}}}' for keep in keeps)}]"] if keeps else []
    parts += [f"delete: [{', '.join(f'{{{delete}}}' for delete in deletes)}]"] if deletes else []
    return ", ".join(parts) or "referrers: follow"


@settings(deadline=None)
@given(
    tags=TAGS,
    unit=UNITS,
    keeps=st.lists(KEEPS, max_size=3),
    deletes=st.lists(DELETES, max_size=3),
    more=KEEPS,
    less=DELETES,
)
def test_another_keep_rule_only_keeps_more_and_another_delete_rule_only_deletes_more(
    tags: list[Tag], unit: str, keeps: list[str], deletes: list[str], more: str, less: str
) -> None:
    since = NOW - 50 * DAY
    before = gone(unit + _text(keeps, deletes), *tags, pulls_since=since)
    assert gone(unit + _text([*keeps, more], deletes), *tags, pulls_since=since) <= before
    assert gone(unit + _text(keeps, [*deletes, less]), *tags, pulls_since=since) >= before
    assert not gone(unit + _text(keeps, []), *tags, pulls_since=since)


@settings(deadline=None)
@given(tags=TAGS, keeps=st.lists(KEEPS, max_size=3), deletes=st.lists(DELETES, min_size=1, max_size=3))
def test_by_image_no_digest_is_split(tags: list[Tag], keeps: list[str], deletes: list[str]) -> None:
    found = decide(f"decide_by: image, {_text(keeps, deletes)}", *tags, pulls_since=NOW - 50 * DAY)
    for digest in {one.digest for one in tags}:
        assert len({(one.keeps, one.rule) for one in found.values() if one.tag.digest == digest}) == 1


@settings(deadline=None)
@given(tags=TAGS, keeps=st.lists(KEEPS, max_size=3), deletes=st.lists(DELETES, min_size=1, max_size=3))
def test_what_goes_is_old_enough_and_no_keep_rule_of_its_own_matches_it(
    tags: list[Tag], keeps: list[str], deletes: list[str]
) -> None:
    since = NOW - 50 * DAY
    for decision in decide(_text(keeps, deletes), *tags, pulls_since=since).values():
        if not decision.keeps:
            assert decision.tag.pushed <= NOW - DAY
            assert decision.rule.startswith("p: delete")
            assert decision.reason
    together = gone(_text(keeps, deletes), *tags, pulls_since=since)
    for keep in keeps:
        assert together <= gone(_text([keep], deletes), *tags, pulls_since=since)


@pytest.mark.parametrize("pattern", ["*", "**", "?*", "re:.*"])
def test_patterns_for_everything_match_everything(pattern: str) -> None:
    assert gone(f"delete: {{tags: ['{pattern}']}}", tag(".hidden"), tag("v1"), tag("A_b")) == {".hidden", "v1", "A_b"}
