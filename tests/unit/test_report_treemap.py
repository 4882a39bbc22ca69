"""The tree of what would be freed, and its areas."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plan_rows import HEAD, blob

from regsweep.report import Report, to_html
from regsweep.report.aggregate import add_up
from regsweep.report.space import space_of
from regsweep.report.treemap import Cell, cells

WIDTH, HEIGHT = 1000.0, 480.0

component = st.sampled_from(["a", "b", "c", "data", "team", "x"])
repositories = st.dictionaries(
    st.lists(component, min_size=0, max_size=5).map("/".join), st.integers(0, 1 << 50), min_size=0, max_size=60
)


def area(cell: Cell) -> float:
    return cell.width * cell.height


def overlap(one: Cell, other: Cell) -> float:
    width = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    height = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    return max(0.0, width) * max(0.0, height)


@given(repositories)
def test_areas_fill_the_drawing_and_never_overlap(sizes: dict[str, int]) -> None:
    found = cells(space_of(sizes), WIDTH, HEIGHT)
    if not any(sizes.values()):
        assert found == []
        return
    assert math.isclose(sum(map(area, found)), WIDTH * HEIGHT, rel_tol=1e-6)
    for index, cell in enumerate(found):
        assert cell.x > -1e-5
        assert cell.y > -1e-5
        assert cell.x + cell.width < WIDTH + 1e-5
        assert cell.y + cell.height < HEIGHT + 1e-5
        assert all(overlap(cell, other) < 1e-3 for other in found[:index])


@given(repositories)
def test_an_area_is_as_large_as_its_bytes(sizes: dict[str, int]) -> None:
    total = sum(sizes.values())
    for cell in cells(space_of(sizes), WIDTH, HEIGHT):
        # What is left out because nobody could see it makes the others larger by as little.
        assert math.isclose(area(cell), WIDTH * HEIGHT * cell.bytes / total, rel_tol=1e-3, abs_tol=0.1)


@given(repositories)
def test_every_repository_that_can_be_seen_has_its_own_area(sizes: dict[str, int]) -> None:
    total = sum(sizes.values())
    found = cells(space_of(sizes), WIDTH, HEIGHT)
    named = {cell.name: cell.bytes for cell in found if not cell.folded}
    for repository, size_bytes in sizes.items():
        # A cell of 192 square pixels, or a two-thousandth of all.
        if size_bytes and size_bytes * WIDTH * HEIGHT > 250 * total:
            assert named[repository] == size_bytes
    assert set(named) <= set(sizes)
    assert sum(cell.folded or 1 for cell in found) <= sum(1 for size_bytes in sizes.values() if size_bytes)


def test_names_that_begin_alike_share_a_group() -> None:
    sizes = {"team/app": 50, "team/web": 40, "other": 30, "": 20, "team/deep/er": 10}
    groups = {cell.name: cell.group for cell in cells(space_of(sizes), WIDTH, HEIGHT)}
    assert groups == {"team/app": 0, "team/web": 0, "team/deep/er": 0, "other": 1, "": 2}


def test_a_component_that_all_share_makes_no_group() -> None:
    sizes = {"mirror/docker/a": 3, "mirror/docker/b": 2}
    groups = {cell.name: cell.group for cell in cells(space_of(sizes), WIDTH, HEIGHT)}
    assert groups == {"mirror/docker/a": 0, "mirror/docker/b": 1}


def test_a_repository_above_others_keeps_its_own_area() -> None:
    found = {cell.name: cell.bytes for cell in cells(space_of({"team": 10, "team/app": 30}), WIDTH, HEIGHT)}
    assert found == {"team": 10, "team/app": 30}


def test_what_is_too_small_is_one_area_beside_its_neighbours() -> None:
    sizes = {"large": 10**9, "team/large": 10**9, **{f"team/small-{number}": 1000 for number in range(30_000)}}
    found = cells(space_of(sizes), WIDTH, HEIGHT)
    assert {(cell.name, cell.folded, cell.bytes) for cell in found} == {
        ("large", 0, 10**9),
        ("team/large", 0, 10**9),
        ("team", 30_000, 30_000_000),
    }


def test_what_is_too_small_says_where_it_is() -> None:
    rows = [blob(10**9, repository="other", number=1)]
    rows += [blob(10**5, repository=f"team/small-{number}", number=number) for number in range(2, 30_000)]
    page = to_html(Report("plan", "x", HEAD, add_up(rows)))
    assert "<title>29,998 more in team: 2.8 GiB (75.0%)</title>" in page
    assert re.findall("<text .*>(.*)</text>", page)[:2] == ["team/29,998 more", "2.8 GiB"]


def test_areas_are_nearer_to_squares_than_to_lines() -> None:
    found = cells(space_of({f"app-{number}": number for number in range(1, 51)}), WIDTH, HEIGHT)
    worst = max(max(cell.width / cell.height, cell.height / cell.width) for cell in found)
    assert len(found) == 50
    assert worst < 4


@pytest.mark.parametrize("depth", [1, 17, 5000])
def test_names_of_any_depth_are_drawn(depth: int) -> None:
    name = "/".join(["a"] * depth)
    assert {cell.name for cell in cells(space_of({name: 1, "b": 1}), WIDTH, HEIGHT)} == {name, "b"}
