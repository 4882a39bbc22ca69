"""Since when pulls are known: in doubt later."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regsweep.pulls.coverage import Stretch, Stretches, latest_beginning

MINUTE = 60
DAY = 86_400


def stretches(*times: int, horizon: float = 10**10) -> list[Stretch]:
    found = Stretches(horizon)
    for time in times:
        found.add(time)
    return found.all()


def beginning(*logs: tuple[int, int], known: tuple[int, int] | None = None) -> int | None:
    return latest_beginning([Stretch(*log) for log in logs], Stretch(*known) if known else None)


def test_a_log_covers_its_first_to_its_last_time() -> None:
    assert stretches() == []
    assert stretches(5) == [(5, 5)]
    assert stretches(5, 5, 9, DAY) == [(5, DAY)]


def test_more_than_a_day_without_a_line_may_be_a_gap() -> None:
    assert stretches(5, 5 + DAY) == [(5, 5 + DAY)]
    assert stretches(5, 6 + DAY, 7 + DAY) == [(5, 5), (6 + DAY, 7 + DAY)]


def test_a_clock_that_was_wrong_at_the_start_is_a_gap() -> None:
    """A machine without a battery begins in 1970; nothing from then on is known."""
    (_, (start, _)) = stretches(0, 60, 1_772_323_200, 1_772_323_260)
    assert start == 1_772_323_200


def test_times_that_jump_back_cover_nothing() -> None:
    assert stretches(DAY, DAY + 9, 5, 7, DAY + 8) == [(DAY, DAY + 9)]


def test_times_in_the_future_cover_nothing() -> None:
    assert stretches(5, 500, 9, horizon=100) == [(5, 9)]


def test_a_log_by_itself_is_known_from_its_start() -> None:
    assert beginning() is None
    assert beginning((100, 200)) == 100


def test_a_log_that_continues_another_is_no_beginning() -> None:
    assert beginning((0, 9000), (9000 + 10 * MINUTE, 20_000)) == 0
    assert beginning((9000 - 10 * MINUTE, 20_000), (0, 9000)) == 0
    assert beginning((0, 9000), (9005, 20_000), (20_300, 30_000)) == 0


def test_a_missing_log_between_two_is_a_gap() -> None:
    assert beginning((0, 9000), (9001 + 10 * MINUTE, 20_000)) == 9001 + 10 * MINUTE
    assert beginning((0, 9000), (10_000, 20_000), (20_001, 30_000)) == 10_000


def test_logs_side_by_side_are_of_several_registries_and_the_latest_beginning_counts() -> None:
    assert beginning((0, 90_000), (50_000, 90_000)) == 50_000


def test_an_end_is_continued_but_once() -> None:
    """Two registries whose logs are rotated at the same time, and of one of them the earlier log is missing."""
    assert beginning((0, 9000), (9001, 20_000), (9002, 20_000)) == 9002
    assert beginning((0, 9000), (0, 9000), (9001, 20_000), (9002, 20_000)) == 0


def test_an_end_is_left_to_the_log_that_no_other_end_fits() -> None:
    assert beginning((0, 9000), (0, 9590), (9590, 20_000), (10_100, 20_000)) == 0


def test_a_short_log_does_not_continue_itself() -> None:
    assert beginning((100, 110)) == 100


def test_what_begins_within_the_known_time_continues_it() -> None:
    assert beginning((500, 5000), (600, 6000), known=(100, 700)) == 100
    assert beginning((700 + 10 * MINUTE, 5000), known=(100, 700)) == 100
    assert beginning((701 + 10 * MINUTE, 5000), known=(100, 700)) == 701 + 10 * MINUTE


def test_known_time_gets_no_earlier_by_itself() -> None:
    assert beginning((0, 100), known=(100, 700)) == 100
    assert beginning((0, 900), known=(100, 700)) == 100


_LOGS = st.lists(
    st.tuples(st.integers(0, 20_000), st.integers(0, 5000)).map(lambda pair: (pair[0], sum(pair))), min_size=1
)


@given(_LOGS, st.none() | st.tuples(st.integers(0, 10_000), st.integers(10_000, 20_000)))
def test_pulls_are_known_since_a_time_at_which_something_begins(
    logs: list[tuple[int, int]], known: tuple[int, int] | None
) -> None:
    since = beginning(*logs, known=known)
    starts = [start for start, _ in logs]
    assert since in [*starts, *([known[0]] if known else [])]
    assert since >= (known[0] if known else min(starts))
    assert beginning(*reversed(logs), known=known) == since


@given(_LOGS, st.integers(10_601, 100_000))
def test_a_gap_is_never_overlooked(logs: list[tuple[int, int]], distance: int) -> None:
    """Whatever logs there are before and after it."""
    end = max(end for _, end in logs)
    after = [(start + end + distance, stop + end + distance) for start, stop in logs]
    since = beginning(*logs, *after)
    assert since is not None
    assert since > end


@pytest.mark.parametrize("count", [1, 2, 5])
def test_rotated_logs_of_several_registries_are_known_from_the_last_of_their_first(count: int) -> None:
    logs = [
        (registry + rotation * DAY, registry + (rotation + 1) * DAY - 1)
        for registry in range(count)
        for rotation in range(4)
    ]
    assert beginning(*logs) == count - 1
