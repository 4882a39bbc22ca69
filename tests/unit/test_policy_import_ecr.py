"""ECR lifecycle policies: the user guide's examples with their outcomes, and the evaluator's rules as it states them.

Source: Amazon ECR user guide, "Examples of lifecycle policies in Amazon ECR" and "Automate the cleanup of images by
using lifecycle policies in Amazon ECR" (docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_examples.html
and LifecyclePolicies.html). What was pushed one day ago there was 1.5 days ago here; of two at once, one was later.
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
from regsweep.policy.importers import ecr
from regsweep.policy.importers.draft import Draft

REPOSITORY = "prod/app"


def example(name: str) -> Draft:
    return ecr.convert((DATA / "ecr" / f"{name}.json").read_bytes(), f"{name}.json", [REPOSITORY])


def problems(text: bytes) -> list[tuple[int, str]]:
    with pytest.raises(PolicyImportError) as caught:
        ecr.convert(text, "l.json", [REPOSITORY])
    return list(caught.value.problems)


BETA_AND_PROD = [image(10, "beta-1", "prod-1"), image(9, "beta-2", "prod-2"), image(8, "beta-3")]


@pytest.mark.parametrize(
    ("name", "images", "expired"),
    [
        ("image-age", [image(15, "prod1"), image(13, "prod2"), image(15, "dev")], {"prod1"}),
        ("image-count", [image(9), image(8), image(7), image(20, "v1")], {"@9", "@8"}),
        ("multiple-rules-a", BETA_AND_PROD, {"beta-1", "prod-1"}),
        ("multiple-rules-b", BETA_AND_PROD, {"beta-1", "prod-1", "beta-2", "prod-2"}),
        (
            "multiple-tags-a",
            [
                image(12, "alpha-1"),
                image(11, "beta-1"),
                image(10, "alpha-2", "beta-2"),
                image(4, "alpha-3"),
                image(3, "beta-3"),
                image(2, "alpha-4", "beta-4"),
            ],
            {"alpha-2", "beta-2"},
        ),
        (
            "multiple-tags-b",
            [
                image(10, "alpha-1", "beta-1", "gamma-1"),
                image(9, "alpha-2", "beta-2"),
                image(8, "alpha-3", "beta-3", "gamma-2"),
            ],
            {"alpha-1", "beta-1", "gamma-1", "alpha-2", "beta-2"},
        ),
    ],
)
def test_the_guides_examples_have_the_guides_outcomes(name: str, images: list[Image], expired: set[str]) -> None:
    draft = example(name)
    assert gone(draft, REPOSITORY, images) == expired
    # A second count may differ, though not here.
    assert bool(warned(draft)) == name.startswith("multiple-rules")


def test_a_count_of_all_images_is_one_of_tagged_and_one_of_untagged_and_says_so() -> None:
    draft = example("all-images-a")
    images = [image(4, "alpha-1"), image(3, "beta-1"), image(2), image(1.5, "alpha-2")]
    # ECR expires the untagged one, too: the newest of all is alpha-2.
    assert gone(draft, REPOSITORY, images) == {"alpha-1", "beta-1"}
    assert warned(draft) == ["rule 1 counts untagged images, too; here they are not counted, so that more stay"]


def test_a_later_rule_does_not_count_the_images_of_earlier_ones_and_says_so() -> None:
    draft = example("all-images-b")
    images = [image(4, "alpha-1", "beta-1"), image(3), image(2, "alpha-2"), image(1.5, "git-hash"), image(0.9)]
    # ECR expires git-hash, too: the newest of all is the untagged image.
    assert gone(draft, REPOSITORY, images) == {"alpha-1", "beta-1", "@3"}
    assert "images of the rules before it and untagged images" in warned(draft)[0]
    assert [warning.line for warning in draft.warnings] == [31]
    assert "#   ECR counts images of the rules before it" in draft.text()


@pytest.mark.parametrize(
    "name", ["last-pulled-time", "archive-transition-time", "archive-by-age", "archive-and-expire"]
)
def test_what_only_archives_is_refused(name: str) -> None:
    with pytest.raises(PolicyImportError, match="no rule that expires images before they are archived"):
        example(name)


def rule(priority: int, selection: dict[str, Any], action: dict[str, str] | None = None) -> dict[str, Any]:
    return {"rulePriority": priority, "selection": selection, "action": action or {"type": "expire"}}


def tagged(*patterns: str, **limit: Any) -> dict[str, Any]:
    return {"tagStatus": "tagged", "tagPatternList": list(patterns), **limit}


COUNT = {"countType": "imageCountMoreThan", "countNumber": 1}
AGE = {"countType": "sinceImagePushed", "countUnit": "days", "countNumber": 5}
ARCHIVE = {"type": "transition", "targetStorageClass": "archive"}


def convert(*rules: dict[str, Any]) -> Draft:
    return ecr.convert(json.dumps({"rules": rules}).encode(), "l.json", [REPOSITORY])


def test_images_of_a_rule_that_archives_stay_whatever_later_rules_say() -> None:
    draft = convert(rule(1, tagged("prod*", **AGE), ARCHIVE), rule(2, {"tagStatus": "any", **AGE}))
    assert gone(draft, REPOSITORY, [image(9, "prod-1"), image(9.5, "dev"), image(9, "dev-2", "prod-2")]) == {"dev"}
    assert warned(draft) == ["rule 1 archives images; here the images that it selects stay"]


def test_rules_about_archived_images_are_left_out_and_protect_nothing() -> None:
    archived = {**AGE, "countType": "sinceImageTransitioned", "storageClass": "archive"}
    draft = convert(rule(1, {"tagStatus": "any", **archived}), rule(2, {"tagStatus": "any", **AGE}))
    assert gone(draft, REPOSITORY, [image(9, "a"), image(9)]) == {"a", "@9"}
    assert "archived images, of which there are none here" in warned(draft)[0]


def test_rules_go_by_priority_and_prefixes_are_patterns() -> None:
    prefixes = {"tagStatus": "tagged", "tagPrefixList": ["prod", "v"], **COUNT}
    draft = convert(rule(20, {"tagStatus": "any", **AGE}), rule(3, prefixes))
    # Only images with a tag for each prefix are rule 3's.
    images = [image(9, "prod-1", "v1"), image(8, "prod-2", "v2"), image(7, "prod-3"), image(6, "v4")]
    assert gone(draft, REPOSITORY, images) == {"prod-1", "v1", "prod-3", "v4"}


def test_what_the_command_line_prints_names_its_repository() -> None:
    answer = {
        "registryId": "1",
        "repositoryName": "team/app",
        "lastEvaluatedAt": "2026-01-01T00:00:00+00:00",
        "lifecyclePolicyText": (DATA / "ecr" / "image-age.json").read_text(),
    }
    draft = ecr.convert(json.dumps(answer).encode(), "l.json", [])
    assert gone(draft, "team/app", [image(15, "prod1")]) == {"prod1"}
    assert not gone(draft, "team/app2", [image(15, "prod1")])
    with pytest.raises(PolicyImportError, match="which is no repository's name"):
        ecr.convert(replaced(answer, "**", "repositoryName"), "l.json", [])


def test_without_a_repository_nothing_is_imported() -> None:
    with pytest.raises(PolicyImportError, match="name them with --repository"):
        ecr.convert((DATA / "ecr" / "image-age.json").read_bytes(), "l.json", [])


def test_descriptions_are_comments_whatever_they_hold() -> None:
    described = {**rule(1, tagged("prod*", **AGE)), "description": "a\nb: [\u2028 \u00e9"}
    text = convert(described).text()
    assert '# rule 1, "a\\nb: [\\u2028 \\u00e9"' in text
    assert len(parsed(convert(described)).policies) == 1


DOCUMENT = json.loads((DATA / "ecr" / "multiple-rules-a.json").read_text())
SELECTION = ("rules", 0, "selection")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b'{"rules": [\n  {]}', "2: not JSON: expecting property name"),
        (b'{"rules": [], "rules": []}', "1: rules is given twice"),
        (b"[" * 9000 + b"]" * 9000, "0: not JSON that can be read: it is nested too deeply"),
        (b'{"rules": NaN}', "0: not JSON that can be read: it has NaN, which JSON has not"),
        (b'{"rules": "\n\xff"}', "2: not UTF-8"),
        (b"[]", "1: the document has to be an object, not a list"),
        (b'{"rules": []}', "1: has no rules"),
        (replaced(DOCUMENT, 1, "rules", 1, "rulePriority"), "1: rules[1].rulePriority is 1 as that of an earlier"),
        (replaced(DOCUMENT, 0, "rules", 0, "rulePriority"), "1: rules[0].rulePriority has to be at least 1, not 0"),
        (replaced(DOCUMENT, 1, "rules", 0, "priority"), "1: rules[0] has 'priority', which is not known here"),
        (
            replaced(DOCUMENT, ["a"], *SELECTION, "tagPaternList"),
            "rules[0].selection has 'tagPaternList', which is not known here; did you mean 'tagPatternList'?",
        ),
        (without(DOCUMENT, *SELECTION, "tagPatternList"), "has to have either a tagPatternList or a tagPrefixList"),
        (
            replaced(DOCUMENT, ["a"], *SELECTION, "tagPrefixList"),
            "has to have either a tagPatternList or a tagPrefixList",
        ),
        (replaced(DOCUMENT, ["a?"], *SELECTION, "tagPatternList"), "has 'a?', which is not one of ECR's patterns"),
        (replaced(DOCUMENT, ["*a*b*c*d*"], *SELECTION, "tagPatternList"), "is not one of ECR's patterns"),
        (replaced(DOCUMENT, "any", *SELECTION, "tagStatus"), "is only for tagStatus tagged, not any"),
        (replaced(DOCUMENT, "days", *SELECTION, "countUnit"), "countUnit belongs to ages, not to a count"),
        (replaced(DOCUMENT, "sinceImagePushed", *SELECTION, "countType"), "rules[0].selection lacks 'countUnit'"),
        (replaced(DOCUMENT, "delete", "rules", 0, "action", "type"), "type has to be one of expire, transition"),
        (replaced(DOCUMENT, {"type": "transition"}, "rules", 0, "action"), "action lacks 'targetStorageClass'"),
        (replaced(DOCUMENT, True, *SELECTION, "countNumber"), "countNumber has to be a whole number, not true"),
        (
            json.dumps({"rules": [rule(1, {"tagStatus": "any", **AGE}), rule(2, tagged("a", **AGE))]}).encode(),
            "rules[0].selection selects any image: such a rule has to be the last",
        ),
        (
            json.dumps({"rules": [rule(n, {"tagStatus": "untagged", **AGE}) for n in (1, 2)]}).encode(),
            "rules[1].selection is the second to select untagged images",
        ),
        (
            json.dumps({"rules": [rule(1, {"tagStatus": "any", **AGE, "countType": "sinceImagePulled"})]}).encode(),
            "cannot be sinceImagePulled in a rule that expires",
        ),
    ],
)
def test_what_ecr_would_not_take_is_an_error_with_its_place(text: bytes, expected: str) -> None:
    found = [f"{line}: {message}" for line, message in problems(text)]
    assert any(expected in one for one in found), found


def test_errors_have_the_lines_of_the_document() -> None:
    text = (DATA / "ecr" / "all-images-b.json").read_text()
    text = text.replace('"tagStatus": "any"', '"tagStatus": "all"').replace('"countNumber": 1', '"countNumber": "1"')
    lines = [index for index, line in enumerate(text.splitlines(), start=1) if '"1"' in line or '"all"' in line]
    assert [line for line, _ in problems(text.encode())] == lines


# The evaluator, as the user guide words it.


def expires(rules: list[dict[str, Any]], images: list[Image]) -> set[str]:
    seen: set[int] = set()
    marked: set[int] = set()
    for one in sorted(rules, key=lambda one: int(one["rulePriority"])):
        selection = one["selection"]
        selected = [index for index, found in enumerate(images) if selects(selection, found)]
        if selection["countType"] == "imageCountMoreThan":
            oldest = sorted(selected, key=lambda index: images[index].pushed)[selection["countNumber"] :]
        else:
            oldest = [index for index in selected if images[index].pushed > selection["countNumber"]]
        marked |= set(oldest) - seen
        seen |= set(selected)
    return {tag for index in marked for tag in images[index].tags or (f"@{images[index].pushed:g}",)}


def selects(selection: dict[str, Any], found: Image) -> bool:
    if selection["tagStatus"] != "tagged":
        return selection["tagStatus"] == "any" or not found.tags
    regexes = [re.escape(pattern).replace(r"\*", ".*") for pattern in selection["tagPatternList"]]
    return all(any(re.fullmatch(regex, tag) for tag in found.tags) for regex in regexes)


LIMITS = st.one_of(
    st.builds(lambda n: {"countType": "imageCountMoreThan", "countNumber": n}, st.integers(1, 3)),
    st.builds(lambda n: {**AGE, "countNumber": n}, st.integers(2, 20)),
)
PATTERNS = st.lists(st.sampled_from(["a*", "b*", "*1", "*-*", "a1"]), min_size=1, max_size=2, unique=True)
TAGGED = st.builds(lambda patterns, limit: tagged(*patterns, **limit), PATTERNS, LIMITS)
UNTAGGED = st.builds(lambda limit: {"tagStatus": "untagged", **limit}, LIMITS)
ANY = st.builds(lambda limit: {"tagStatus": "any", **limit}, LIMITS)


@st.composite
def policies(draw: st.DrawFn) -> list[dict[str, Any]]:
    selections = draw(st.lists(TAGGED, max_size=3)) + draw(st.lists(UNTAGGED, max_size=1))
    selections = draw(st.permutations(selections)) + draw(st.lists(ANY, max_size=1))
    return [rule(index, selection) for index, selection in enumerate(selections or [draw(ANY)], start=1)]


@st.composite
def repositories(draw: st.DrawFn) -> list[Image]:
    owners = draw(st.lists(st.integers(0, 6), min_size=7, max_size=7))
    names = ["a1", "a2", "a-1", "b1", "b-2", "c1", "c"]
    ages = draw(st.permutations([2.5, 3.5, 5.5, 8.5, 13.5, 21.5, 34.5]))
    return [
        Image(age, tuple(name for name, owner in zip(names, owners, strict=True) if owner == index))
        for index, age in enumerate(ages)
    ]


@settings(deadline=None)
@given(rules=policies(), images=repositories())
def test_an_import_removes_no_more_than_ecr_and_the_same_where_it_does_not_warn(
    rules: list[dict[str, Any]], images: list[Image]
) -> None:
    draft = convert(*rules)
    ours, theirs = gone(draft, REPOSITORY, images), expires(rules, images)
    assert ours <= theirs
    if not draft.warnings:
        assert ours == theirs
