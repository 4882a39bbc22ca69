"""GitLab's cleanup policies: the examples of its documentation, and its source, retold, as an oracle.

Source: GitLab documentation, "Reduce container registry storage" (docs.gitlab.com), and gitlab-org/gitlab,
``app/services/projects/container_repository/cleanup_tags_base_service.rb``.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.imported_policies import DATA, Image, gone, image, parsed, replaced, warned

from regsweep.errors import PolicyImportError
from regsweep.policy.importers import gitlab
from regsweep.policy.importers.draft import Draft

PROTECTED = "GitLab's protected and immutable tags have to be named in `protect`: they are not part of this document"


def example(name: str) -> Draft:
    return gitlab.convert((DATA / "gitlab" / f"{name}.json").read_bytes(), f"{name}.json", "Group/Project")


def convert(**attributes: Any) -> Draft:
    text = json.dumps({"enabled": True, "name_regex": ".*", **attributes})
    return gitlab.convert(text.encode(), "g.json", "group/project")


def problems(text: bytes) -> list[str]:
    with pytest.raises(PolicyImportError) as caught:
        gitlab.convert(text, "g.json", "group/project")
    return [f"{line}: {message}" for line, message in caught.value.problems]


def made(days: float, tag: str) -> Image:
    """An image that was made then, and pushed the other day."""
    return image(1.5, tag, created=days)


WORKFLOW = [
    *(made(0.1, "latest"), made(3, "production-v44"), made(6, "production-v43"), made(11, "production-v42")),
    *(made(2, "dev-v44"), made(5, "dev-v43"), made(10, "dev-v42"), made(1, "v44"), made(12, "v43"), made(20, "v42")),
]


@pytest.mark.parametrize("repository", ["group/project", "group/project/image", "group/project/a/b"])
def test_the_documentations_workflow_has_its_outcome(repository: str) -> None:
    draft = example("workflow")
    assert gone(draft, repository, WORKFLOW) == {"dev-v42", "v43", "v42"}
    assert warned(draft) == [PROTECTED]


def test_other_projects_and_untagged_manifests_stay() -> None:
    draft = example("workflow")
    assert not gone(draft, "group/project2", WORKFLOW)
    assert not gone(draft, "group/project", [image(900)])


def test_the_example_of_the_api() -> None:
    draft = example("api")
    images = [made(20, "my-main"), made(15, "a"), made(16, "b"), made(13, "c"), made(99, "latest")]
    # c is the one that keep_n keeps; latest and my-main do not take its place.
    assert gone(draft, "group/project", images) == {"a", "b"}


@pytest.mark.parametrize(
    ("expression", "matched"),
    [
        (".*", {"v1", "main", "mainline", "release", "release-1", "xv1"}),
        ("v.+", {"v1"}),
        ("main", {"main"}),
        ("release.*", {"release", "release-1"}),
        ("(?:v.+|main|release.*)", {"v1", "main", "release", "release-1"}),
        # GitLab puts \A and \z around this without a group.
        ("v.+|main", {"v1", "main"}),
        ("main|release", {"main", "mainline", "release"}),
        ("^(master|stable.*)$|main", {"main"}),
    ],
)
def test_the_documentations_expressions_and_those_without_a_group(expression: str, matched: set[str]) -> None:
    images = [made(9, name) for name in ("v1", "main", "mainline", "release", "release-1", "xv1")]
    draft = convert(name_regex=expression)
    assert gone(draft, "group/project", images) == matched
    grouped = "|" not in expression or expression.startswith("(?:")
    assert any("is not in a group" in message for message in warned(draft)) != grouped


def test_what_has_no_time_of_creation_stays_where_age_or_count_decide() -> None:
    images = [image(90, "unknown"), made(90, "old"), made(80, "less"), image(90, "latest")]
    assert gone(convert(older_than="30d"), "group/project", images) == {"old", "less"}
    assert gone(convert(keep_n=1), "group/project", images) == {"old"}
    assert gone(convert(), "group/project", images) == {"old", "less", "unknown"}


def test_name_regex_delete_goes_before_name_regex_and_null_is_nothing() -> None:
    draft = convert(name_regex_delete="dev-.*", name_regex_keep=None, keep_n=None, older_than=None)
    assert gone(draft, "group/project", [made(9, "dev-1"), made(9, "x")]) == {"dev-1"}
    assert gone(convert(name_regex_keep=""), "group/project", [made(9, "x")]) == {"x"}


def test_the_shapes_that_the_api_has_are_taken_and_nothing_else() -> None:
    attributes = {"cadence": "1d", "enabled": True, "name_regex": "dev-.*"}
    for wrapper in ("container_expiration_policy", "container_expiration_policy_attributes"):
        draft = gitlab.convert(json.dumps({wrapper: attributes}).encode(), "g.json", "group/project")
        assert parsed(draft).policies[0].name == "gitlab"
    whole_project = {"id": 1, "container_expiration_policy": attributes}
    assert problems(json.dumps(whole_project).encode()) == ["1: the document has 'id', which is not known here"]


GOOD = json.loads((DATA / "gitlab" / "workflow.json").read_text())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (replaced(GOOD, False, "enabled"), "enabled is not true: GitLab removes nothing"),
        (replaced(GOOD, None, "name_regex"), "name_regex matches no tag: nothing to import"),
        (replaced(GOOD, "", "name_regex"), "name_regex matches no tag: nothing to import"),
        (replaced(GOOD, "v(?!1)", "name_regex"), "name_regex cannot be said: 'v(?!1)': '(?!' does not certainly mean"),
        (replaced(GOOD, "v**", "name_regex_keep"), "name_regex_keep cannot be said: 'v**'"),
        (replaced(GOOD, "1month", "older_than"), "older_than is '1month', not a number of days such as 7d"),
        (replaced(GOOD, "5", "keep_n"), 'keep_n has to be a whole number, not "5"'),
        (
            replaced(GOOD, "x", "name_regex_keeep"),
            "'name_regex_keeep', which is not known here; did you mean 'name_regex_keep'?",
        ),
    ],
)
def test_what_is_not_a_policy_or_cannot_be_said_is_refused_with_its_place(text: bytes, expected: str) -> None:
    found = problems(text)
    assert any(expected in one for one in found), found


# GitLab's source, retold.


def deletes(attributes: dict[str, Any], images: list[Image]) -> set[str]:
    delete, keep = (re.compile(rf"\A{attributes.get(key) or ''}\Z") for key in ("name_regex", "name_regex_keep"))
    tags = [
        one for one in images if one.tags[0] != "latest" and delete.search(one.tags[0]) and not keep.search(one.tags[0])
    ]
    if (count := attributes.get("keep_n")) is not None:
        tags = sorted(tags, key=lambda one: one.created or 0)[count:]
    if (age := attributes.get("older_than")) is not None:
        tags = [one for one in tags if one.created is not None and one.created > int(age[:-1])]
    return {one.tags[0] for one in tags}


REGEXES = st.sampled_from([".*", "v.*", "dev-.+", "v1|dev", "(?:main|v.)", "latest", "[a-z]+", "^v|-1$"])
ATTRIBUTES = st.fixed_dictionaries(
    {"name_regex": REGEXES},
    optional={
        "name_regex_keep": REGEXES,
        "keep_n": st.none() | st.integers(0, 3),
        "older_than": st.none() | st.sampled_from(["7d", "14d"]),
    },
)
NAMES = ["v1", "v10", "dev-1", "dev", "main", "latest", "mydev"]


@settings(deadline=None)
@given(attributes=ATTRIBUTES, created=st.permutations([1.5, 3.5, 6.5, 8.5, 13.5, 21.5, None]))
def test_an_import_removes_no_more_than_gitlab_and_the_same_where_all_times_are_known(
    attributes: dict[str, Any], created: list[float | None]
) -> None:
    images = [image(1.5, name, created=days) for name, days in zip(NAMES, created, strict=True)]
    draft = convert(**attributes)
    assert gone(draft, "group/project", images) <= deletes(attributes, images)
    known = [one for one in images if one.created is not None]
    assert gone(draft, "group/project", known) == deletes(attributes, known)
