"""Logs merged into a pull-times file: nothing is lost, and what is known gets no larger by itself."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pull_logs import NOON, access, at, envelope, event, log_file

from regsweep import pulls
from regsweep.errors import PullsError
from regsweep.pulls import PullTimes

DAY = 86_400
NOW = NOON + 1000 * DAY
APP = "/v2/app/manifests/1.0"


def log(directory: Path, start: float, end: float, *, item: str = "app/manifests/1.0", name: str = "") -> str:
    """A log from start to end, in seconds after noon, with a line an hour and a pull at its end."""
    hours = range(int((end - start) // 3600) + 1)
    lines = [*(at(start + 3600 * hour) for hour in hours), at(end, f"/v2/{item}")]
    return str(log_file(directory, *lines, name=name or f"log-{start}-{end}"))


def update(path: Path, *logs: str, since: float | None = None) -> pulls.Update:
    return pulls.update(path, logs, since=since, now=NOW)


def known(path: Path) -> tuple[float, float]:
    """Since when and until when, in seconds after noon."""
    times = pulls.read(path)
    assert times.since is not None
    assert times.until is not None
    return times.since - NOON, times.until - NOON


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "pulls.csv"


def test_a_file_is_made_of_the_first_logs(tmp_path: Path, file: Path) -> None:
    done = update(file, log(tmp_path, 0, DAY), log(tmp_path, DAY + 5, 2 * DAY, item="app/manifests/2.0"))
    assert pulls.read(file) == PullTimes(NOON, NOON + 2 * DAY, {"app:1.0": NOON + DAY, "app:2.0": NOON + 2 * DAY})
    assert done.before is None
    assert done.pulls == pulls.read(file)
    assert (done.line_count, done.pull_count, done.unknown_count) == (51, 2, 0)


def test_the_latest_pull_counts_whatever_the_order(tmp_path: Path, file: Path) -> None:
    update(file, log(tmp_path, DAY, 2 * DAY))
    update(file, log(tmp_path, 0, DAY, item="app/manifests/2.0"), log(tmp_path, 0, 3600))
    assert pulls.read(file).last_pulls == {"app:1.0": NOON + 2 * DAY, "app:2.0": NOON + DAY}


def test_the_same_log_twice_changes_nothing(tmp_path: Path, file: Path) -> None:
    logs = [log(tmp_path, 0, DAY), log(tmp_path, 5 * DAY, 6 * DAY)]
    update(file, *logs)
    before = file.read_bytes(), file.stat()
    for again in (logs, logs[:1], logs[1:]):
        assert update(file, *again).before == pulls.read(file)
        assert (file.read_bytes(), file.stat().st_ino, file.stat().st_mtime_ns) == (
            before[0],
            before[1].st_ino,
            before[1].st_mtime_ns,
        )


def test_a_log_that_goes_on_where_the_last_ended_keeps_what_is_known(tmp_path: Path, file: Path) -> None:
    update(file, log(tmp_path, 0, DAY))
    update(file, log(tmp_path, DAY + 300, 2 * DAY))
    assert known(file) == (0, 2 * DAY)
    grown = log(tmp_path, DAY + 300, 3 * DAY)
    update(file, grown, log(tmp_path, 3 * DAY + 60, 4 * DAY))
    assert known(file) == (0, 4 * DAY)


def test_after_a_gap_pulls_are_known_since_its_end(tmp_path: Path, file: Path) -> None:
    update(file, log(tmp_path, 0, DAY))
    done = update(file, log(tmp_path, 2 * DAY, 3 * DAY))
    assert known(file) == (2 * DAY, 3 * DAY)
    assert done.pulls.last_pulls == {"app:1.0": NOON + 3 * DAY}
    assert done.reaches_back == NOON + 2 * DAY


def test_known_time_gets_no_longer_by_older_logs_but_by_the_operators_word(tmp_path: Path, file: Path) -> None:
    update(file, log(tmp_path, 2 * DAY, 3 * DAY))
    older = log(tmp_path, 0, 2 * DAY)
    done = update(file, older)
    assert known(file) == (2 * DAY, 3 * DAY)
    assert done.reaches_back == NOON
    update(file, older, since=NOON + 0.5)
    assert known(file) == (1, 3 * DAY)
    update(file, older)
    assert known(file) == (1, 3 * DAY)


def test_the_operator_may_state_a_later_time(tmp_path: Path, file: Path) -> None:
    logs = [log(tmp_path, 0, 3 * DAY)]
    update(file, *logs, since=NOON + DAY)
    assert known(file) == (DAY, 3 * DAY)
    update(file, *logs)
    assert known(file) == (DAY, 3 * DAY)


def test_the_operators_word_bridges_gaps(tmp_path: Path, file: Path) -> None:
    update(file, log(tmp_path, 0, DAY), log(tmp_path, 5 * DAY, 6 * DAY), since=NOON - DAY)
    assert known(file) == (-DAY, 6 * DAY)


def test_since_after_all_logs_is_refused_and_nothing_is_recorded(tmp_path: Path, file: Path) -> None:
    with pytest.raises(PullsError, match="the logs end at 2026-03-02T12:00:00Z") as caught:
        update(file, log(tmp_path, 0, DAY), since=NOON + DAY + 1)
    assert caught.value.next_step
    assert not file.exists()
    with pytest.raises(PullsError, match="no log covers any time"):
        update(file, str(log_file(tmp_path, "")), since=NOON)


def test_logs_in_which_nothing_is_understood_are_refused(tmp_path: Path, file: Path) -> None:
    bad = str(log_file(tmp_path, "one", "two"))
    with pytest.raises(PullsError, match=f"{bad}:1: not understood, and nor is any other line: 'one'") as caught:
        update(file, bad)
    assert caught.value.key == f"{bad}:1"
    assert caught.value.next_step
    assert not file.exists()
    assert update(file, bad, log(tmp_path, 0, 60)).unknown_count == 2


def test_a_log_that_cannot_be_read_records_nothing(tmp_path: Path, file: Path) -> None:
    with pytest.raises(PullsError, match="No such file"):
        update(file, log(tmp_path, 0, DAY), str(tmp_path / "absent"))
    assert not file.exists()


def test_empty_logs_change_nothing(tmp_path: Path, file: Path) -> None:
    empty = str(log_file(tmp_path, name="empty"))
    assert update(file, empty).pulls == PullTimes()
    assert not file.exists()
    update(file, log(tmp_path, 0, DAY), empty)
    assert known(file) == (0, DAY)


def test_a_file_with_errors_is_not_replaced(tmp_path: Path, file: Path) -> None:
    file.write_text("something else\n")
    with pytest.raises(PullsError, match=r"pulls\.csv:1: "):
        update(file, log(tmp_path, 0, DAY))
    assert file.read_text() == "something else\n"


def test_a_clock_that_is_wrong_makes_nothing_known(tmp_path: Path, file: Path) -> None:
    lines = [at(0), access("/v2/", time="01/Jan/1970:00:00:09 +0000"), at(60), at(2000 * DAY, APP), at(90)]
    update(file, str(log_file(tmp_path, *lines)))
    assert known(file) == (0, 90)
    assert pulls.read(file).last_pulls == {"app:1.0": NOON + 2000 * DAY}


def test_events_tell_the_digest_behind_a_tag(tmp_path: Path, file: Path) -> None:
    update(file, str(log_file(tmp_path, envelope(event()))))
    (digest,) = (item.partition("@")[2] for item in pulls.read(file).last_pulls if "@" in item)
    assert pulls.read(file).last_pull("team/app", "other-tag", digest) == NOON


def test_a_symbolic_link_stays_one(tmp_path: Path, file: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    target = tmp_path / "elsewhere" / "pulls.csv"
    file.symlink_to(target)
    update(file, log(tmp_path, 0, DAY))
    assert file.is_symlink()
    assert known(target) == (0, DAY)


def _update_many(path: Path, logs: list[str]) -> None:
    for name in logs:
        pulls.update(path, [name], now=NOW)


def test_updates_at_the_same_time_lose_nothing(tmp_path: Path, file: Path) -> None:
    logs = [log(tmp_path, 0, 3600, item=f"app/manifests/{number}", name=f"{number}") for number in range(60)]
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_update_many, args=(file, logs[first::3])) for first in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert pulls.read(file).last_pulls == {f"app:{number}": NOON + 3600 for number in range(60)}
    assert known(file) == (0, 3600)


_LINES = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 20), st.sampled_from(["a", "b"])).map(
        lambda parts: at(parts[0] * DAY + parts[1] * 300, f"/v2/app/manifests/{parts[2]}")
    ),
    max_size=8,
)


@settings(deadline=None)
@given(st.lists(_LINES, min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_known_pulls_do_not_depend_on_the_order_and_known_time_only_shrinks(
    tmp_path_factory: pytest.TempPathFactory, contents: list[list[str]], random: object
) -> None:
    directory = tmp_path_factory.mktemp("pulls")
    names = [str(log_file(directory, *lines, name=str(number))) for number, lines in enumerate(contents)]
    shuffled = list(names)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    together, apart = directory / "together.csv", directory / "apart.csv"
    done = update(together, *names)
    since = 0.0
    for name in shuffled:
        one = update(apart, name).pulls
        assert (one.since or 0.0) >= since
        since = one.since or 0.0
    assert update(apart, *names).pulls.last_pulls == done.pulls.last_pulls
    if together.exists():
        assert update(together, *shuffled).pulls == done.pulls
