"""The pull-times file: every line is understood, or it is not used."""

from __future__ import annotations

import os
import resource
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pull_logs import DIGEST, NOON, OTHER, SHA512

from regsweep.errors import PullsError
from regsweep.pulls import PullTimes, table

FILE = f"""\
# regsweep pulls 1
# since: 2026-03-01T12:00:00Z
# until: 2026-03-02T12:00:00Z
repository,reference,last_pull
a,1.0,2026-03-01T12:00:05Z
team/app,{DIGEST},2026-03-02T11:00:00Z
team/app,1.0,2026-03-01T13:00:00Z
"""
TIMES = PullTimes(
    NOON, NOON + 86_400, {"a:1.0": NOON + 5, f"team/app@{DIGEST}": NOON + 82_800, "team/app:1.0": NOON + 3600}
)


def read(directory: Path, content: str) -> PullTimes:
    path = directory / "pulls.csv"
    path.write_text(content)
    return table.read(path)


def test_a_file_says_when_what_was_pulled(tmp_path: Path) -> None:
    assert read(tmp_path, FILE) == TIMES
    assert read(tmp_path, FILE.replace("\n", "\r\n")) == TIMES


def test_a_file_is_written_sorted_and_in_utc(tmp_path: Path) -> None:
    path = tmp_path / "pulls.csv"
    table.write(path, TIMES)
    head, rows = FILE.splitlines()[:4], FILE.splitlines()[4:]
    assert path.read_text().splitlines() == [*head, *sorted(rows)]
    assert [file.name for file in tmp_path.iterdir()] == ["pulls.csv"]


def test_a_file_without_since_and_until_knows_no_time_without_a_gap(tmp_path: Path) -> None:
    for line in ("# since: 2026-03-01T12:00:00Z\n", "# until: 2026-03-02T12:00:00Z\n"):
        times = read(tmp_path, FILE.replace(line, ""))
        assert (times.since, times.until) == (None, None)
        assert times.last_pulls == TIMES.last_pulls
    swapped = FILE.replace("since", "x").replace("until", "since").replace("x", "until")
    assert read(tmp_path, swapped).since is None


_TIMES = st.integers(0, 4_000_000_000)
_ITEMS = st.builds(
    lambda repository, reference: f"{repository}{reference}",
    st.from_regex(r"[a-z0-9]{1,5}(/[a-z0-9]{1,5}){0,2}", fullmatch=True),
    st.from_regex(r":[A-Za-z0-9_][A-Za-z0-9._-]{0,9}", fullmatch=True)
    | st.sampled_from([f"@{DIGEST}", f"@{OTHER}", f"@{SHA512}"]),
)
_PULL_TIMES = st.builds(
    lambda known, pulls: PullTimes(min(known), max(known), pulls) if known else PullTimes(last_pulls=pulls),
    st.none() | st.tuples(_TIMES, _TIMES),
    st.dictionaries(_ITEMS, _TIMES, max_size=8),
)


@settings(deadline=None)
@given(_PULL_TIMES)
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, times: PullTimes) -> None:
    path = tmp_path_factory.mktemp("pulls") / "pulls.csv"
    table.write(path, times)
    assert table.read(path) == times


def test_files_one_behind_the_other_know_what_all_of_them_know(tmp_path: Path) -> None:
    second = f"""\
# regsweep pulls 1
# since: 2026-03-01T18:00:00Z
# until: 2026-03-01T20:00:00Z
# a remark
repository,reference,last_pull
a,1.0,2026-03-01T19:00:00Z
team/app,1.0,2026-03-01T12:00:00Z
b,{OTHER},2026-03-01T12:00:00Z
"""
    for content in (FILE + second, second + FILE):
        assert read(tmp_path, content) == PullTimes(
            NOON + 6 * 3600,
            NOON + 8 * 3600,
            {**TIMES.last_pulls, "a:1.0": NOON + 7 * 3600, f"b@{OTHER}": NOON},
        )
    apart = second.replace("03-01T18", "03-03T18").replace("03-01T20", "03-03T20")
    assert read(tmp_path, FILE + apart).since is None
    assert read(tmp_path, FILE + "# regsweep pulls 1\n").since is None


@pytest.mark.parametrize(
    ("line", "content"),
    [
        (1, "team/app,1.0,2026-03-01T12:00:00Z\n"),
        (1, "\n" + FILE),
        (1, "# regsweep pulls 2\n"),
        (8, FILE + "# regsweep pulls 10\n"),
        (8, FILE + "Team/app,1.0,2026-03-01T12:00:00Z\n"),
        (8, FILE + "team/app,sha256:abc,2026-03-01T12:00:00Z\n"),
        (8, FILE + "team/app,1.0,2026-03-01 12:00\n"),
        (8, FILE + "team/app,1.0\n"),
        (8, FILE + "team/app,1.0,2026-03-01T12:00:00Z,\n"),
        (8, FILE + "<<<<<<< ours\n"),
        (8, FILE + "# since: yesterday\n"),
        (2, FILE.replace("12:00:00Z", "12:00:00", 1)),
    ],
)
def test_a_bad_line_names_file_and_line(line: int, content: str, tmp_path: Path) -> None:
    with pytest.raises(PullsError, match=rf"pulls\.csv:{line}: ") as caught:
        read(tmp_path, content)
    assert caught.value.key == f"{tmp_path / 'pulls.csv'}:{line}"
    assert caught.value.next_step


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PullsError, match="No such file") as caught:
        table.read(tmp_path / "absent")
    assert "regsweep pulls update" in caught.value.next_step
    with pytest.raises(PullsError, match="not ASCII"):
        read(tmp_path, FILE + "é")
    with pytest.raises(PullsError, match="empty"):
        read(tmp_path, "")


def test_a_tag_was_last_pulled_when_it_or_its_manifests_were() -> None:
    times = PullTimes(None, None, {"a:1": 10, f"a@{DIGEST}": 20, f"b@{OTHER}": 30, f"a@{SHA512}": 40})
    assert times.last_pull("a", "1", OTHER) == 10
    assert times.last_pull("a", "1", DIGEST) == 20
    assert times.last_pull("a", "2", DIGEST) == 20
    assert times.last_pull("a", None, DIGEST, SHA512) == 40
    assert times.last_pull("a", "2", OTHER) is None
    assert times.last_pull("b", "1", DIGEST) is None
    assert times.last_pull("a", "2") is None


def test_repositories_are_those_with_a_known_pull() -> None:
    assert TIMES.repositories() == {"a", "team/app"}


def test_a_replaced_file_keeps_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "pulls.csv"
    path.touch()
    path.chmod(0o640)
    table.write(path, TIMES)
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_file_that_cannot_be_written_is_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "pulls.csv"
    path.write_text(FILE)
    (tmp_path / "pulls.csv.new").mkdir()
    with pytest.raises(PullsError, match=r"write .*: Is a directory"):
        table.write(path, PullTimes())
    assert path.read_text() == FILE
    (tmp_path / "pulls.csv.new").rmdir()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
    try:
        with pytest.raises(PullsError, match=r"write .*: File too large"):
            table.write(path, PullTimes())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_text() == FILE
    assert [file.name for file in tmp_path.iterdir()] == ["pulls.csv"]
    with pytest.raises(PullsError, match=r"write .*: No such file"), table.locked(tmp_path / "absent" / "pulls.csv"):
        pass


def test_the_lock_is_held_by_one_at_a_time_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "pulls.csv"
    inside: list[int] = []
    most: list[int] = []

    def hold(number: int) -> None:
        for _ in range(50):
            with table.locked(path):
                inside.append(number)
                os.sched_yield()
                most.append(len(inside))
                inside.remove(number)

    threads = [threading.Thread(target=hold, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 200
    assert list(tmp_path.iterdir()) == []
