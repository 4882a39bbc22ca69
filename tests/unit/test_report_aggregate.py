"""What rows of a plan add up to."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Iterator

import pytest
from plan_rows import blob, digest, layer_link, manifest, tag

from regsweep.plan import Totals
from regsweep.report import Contents, Grouping
from regsweep.report.aggregate import OTHERS, add_up, reason_class


def names(grouping: Grouping) -> list[str]:
    return [group.name for group in grouping.groups]


def test_every_kind_is_counted_in_its_place() -> None:
    rows = [
        tag("v1", "named"),
        tag("sha256-1.sig", "what it is about goes", kind="referrer-tag"),
        ["repository", "team/old", "", "", "", "", "", "named", ""],
        manifest("no tag leads to it"),
        layer_link(),
        layer_link(repository="other"),
        blob(7),
    ]
    contents = add_up(rows)
    assert contents.totals == Totals(tags=2, manifests=1, layer_links=2, blobs=1, bytes=7)
    assert contents.kinds == {
        "tag": 1,
        "referrer-tag": 1,
        "repository": 1,
        "manifest": 1,
        "layer-link": 2,
        "blob": 1,
    }
    assert [group.totals for group in contents.repositories.groups] == [Totals(2, 1, 1, 1, 7), Totals(0, 0, 1, 0, 0)]


def test_no_rows_are_nothing() -> None:
    contents = add_up([])
    assert contents.totals.items == 0
    assert contents.repositories == Grouping((), 0, Totals(0, 0, 0, 0, 0))
    assert (contents.largest, contents.space.bytes) == ((), 0)


def test_the_largest_are_named_and_the_rest_is_one() -> None:
    rows = [blob(number, repository=f"app-{number}", number=number) for number in range(1, 11)]
    contents = add_up(rows, top=3)
    assert names(contents.repositories) == ["app-10", "app-9", "app-8"]
    assert contents.repositories.rest_count == 7
    assert contents.repositories.rest == Totals(0, 0, 0, blobs=7, bytes=28)
    assert [one.digest for one in contents.largest] == [digest(10), digest(9), digest(8)]


def test_of_equal_blobs_the_first_are_named() -> None:
    contents = add_up([blob(5, number=number) for number in (1, 2, 3, 4)], top=2)
    assert [one.digest for one in contents.largest] == [digest(1), digest(2)]


def test_what_frees_nothing_comes_after_what_does_and_by_its_count() -> None:
    rows = [layer_link(repository="links"), layer_link(repository="links"), layer_link(repository="link"), blob(1)]
    assert names(add_up(rows).repositories) == ["team/app", "links", "link"]


@pytest.mark.parametrize(
    ("seconds", "from_days"),
    [(0, 0), (86_399, 0), (86_400, 1), (7 * 86_400, 7), (30 * 86_400 - 1, 7), (90 * 86_400, 90), (10**9, 365)],
)
def test_an_age_is_in_the_range_that_it_has_reached(seconds: int, from_days: int) -> None:
    contents = add_up([blob(3, age_days=seconds / 86_400)])
    assert [group.from_days for group in contents.ages if group.totals.blobs] == [from_days]
    assert [group.below_days for group in contents.ages] == [1, 7, 30, 90, 365, None]


def test_layer_links_have_no_age() -> None:
    assert all(group.totals.items == 0 for group in add_up([layer_link()]).ages)


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("its tag v1 goes", "its tag goes"),
        ("its tag 3 days ago goes", "its tag goes"),
        ("its repository goes", "its repository goes"),
        ("pushed 52d20h ago", "pushed long ago"),
        (
            "tags match, created 3.1s ago, not pulled within 30d00h",
            "tags match, created long ago, not pulled within 30d00h",
        ),
        ("what it is about is gone", "what it is about is gone"),
        ("an old nightly, thrown out long ago", "an old nightly, thrown out long ago"),
    ],
)
def test_reasons_are_told_apart_without_names_and_times(reason: str, expected: str) -> None:
    assert reason_class(reason) == expected


def test_reasons_beyond_number_are_one() -> None:
    contents = add_up((tag(f"v{number}", f"reason {number}") for number in range(10_005)), top=20_000)
    assert len(contents.reasons.groups) == 10_001
    assert [group.totals.tags for group in contents.reasons.groups if group.name == OTHERS] == [5]


@pytest.mark.parametrize(
    "row",
    [
        ["directory", "a", "", "", "", "", "", "", ""],
        ["blob", "a", "", "", "large", "", "", "", ""],
        ["blob", "a", "", "", "1", "", "old", "", ""],
    ],
)
def test_a_row_that_is_not_understood_is_an_error(row: list[str]) -> None:
    with pytest.raises(ValueError, match=r"unknown kind 'directory'|invalid literal"):
        add_up([row])


def many(count: int) -> Iterator[list[str]]:
    generator = random.Random(1)
    for number in range(count):
        name = f"v{number}"
        yield tag(name, f"pushed {number}d00h ago", repository=f"app-{number % 50}")
        yield manifest(f"its tag {name} goes", repository=f"app-{number % 50}")
        yield blob(generator.randrange(1 << 30), number=number, tag=name, repository=f"app-{number % 50}")


def test_memory_does_not_grow_with_the_rows() -> None:
    def peak(count: int) -> tuple[int, Contents]:
        tracemalloc.start()
        try:
            contents = add_up(many(count))
            return tracemalloc.get_traced_memory()[1], contents
        finally:
            tracemalloc.stop()

    peak(1_000)  # what is cached once is not of the rows
    few_bytes, _ = peak(1_000)
    many_bytes, contents = peak(10_000)
    assert contents.totals.items == 30_000
    # A row takes about a kilobyte: kept, 27,000 more of them would take 27 MB.
    assert many_bytes < few_bytes + 500_000
