"""The guards look at totals; each refuses for its own reason only, and by name is switched off."""

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from regsweep import safety

if TYPE_CHECKING:
    from regsweep.safety import Totals

HEALTHY = {
    "database_in_use": False,
    "mode": "untagged",
    "keep_count": 0,
    "newer_than_tags_count": 2,
    "blob_count": 100,
    "marked_count": 90,
    "eligible_blob_count": 10,
}


def marks(**changes: object) -> "Totals":
    return cast("Totals", SimpleNamespace(**{**HEALTHY, **changes}))


def guards(subject: "Totals", max_removed_share: float | None = None) -> list[str]:
    return [refusal.guard for refusal in safety.check(subject, max_removed_share=max_removed_share)]


def test_an_ordinary_collection_is_not_refused() -> None:
    assert guards(marks()) == []


def test_an_empty_store_is_not_refused() -> None:
    assert guards(marks(blob_count=0, marked_count=0, eligible_blob_count=0), max_removed_share=0.0) == []


def test_a_metadata_database_is_refused() -> None:
    assert guards(marks(database_in_use=True)) == ["database-in-use"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"newer_than_tags_count": 3}, ["newer-than-tags"]),
        ({"newer_than_tags_count": 2}, []),
        ({"newer_than_tags_count": 3, "mode": "plain"}, []),
        ({"newer_than_tags_count": 3, "keep_count": 1}, []),
    ],
)
def test_three_untagged_revisions_newer_than_all_tags_are_refused(
    changes: dict[str, object], expected: list[str]
) -> None:
    assert guards(marks(**changes)) == expected


def test_blobs_of_which_none_is_live_are_refused() -> None:
    assert guards(marks(marked_count=0)) == ["nothing-marked"]


@pytest.mark.parametrize(("share", "expected"), [(None, []), (0.1, []), (0.0999, ["max-removed-share"]), (1.0, [])])
def test_a_share_refuses_only_above_it_and_only_if_given(share: float | None, expected: list[str]) -> None:
    assert guards(marks(), max_removed_share=share) == expected


def test_an_override_switches_off_just_one_guard_and_is_still_told() -> None:
    subject = marks(database_in_use=True, marked_count=0)
    refusals = safety.check(subject, overrides=["nothing-marked"])
    assert [(refusal.guard, refusal.overridden) for refusal in refusals] == [
        ("database-in-use", False),
        ("nothing-marked", True),
    ]
    assert [refusal.guard for refusal in safety.refusing(refusals)] == ["database-in-use"]


def test_every_guard_is_named_in_the_list_of_guards() -> None:
    subject = marks(database_in_use=True, newer_than_tags_count=3, marked_count=0)
    assert tuple(guards(subject, max_removed_share=0.0)) == safety.GUARDS


def test_a_policy_that_empties_a_repository_is_refused() -> None:
    assert guards(marks(mode="policy", emptied_repositories=lambda: ["a", "b"])) == ["all-tags"]
    assert guards(marks(mode="policy", emptied_repositories=list)) == []
    # Who names a repository means it.
    assert guards(marks(mode="named", emptied_repositories=lambda: ["a"])) == []
