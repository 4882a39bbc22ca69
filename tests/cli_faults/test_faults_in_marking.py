"""Whatever fails while regsweep lists and reads: exit code 1, and nothing is removed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import stores
from support import oracle, strace
from support.compatibility import shows
from support.store_builder import duplicate, removed_files, snapshot
from support.strace import LIST, OPEN, READ, STAT, Fault

FLAGS = ("--delete-untagged", "--override=newer-than-tags")
# Enough to hit every kind of place; all of them would take minutes.
PLACES = 6


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    strace.need_strace()
    return stores.small_store().write(tmp_path_factory.mktemp("storage"))


def places(root: Path, calls: str, *flags: str) -> Iterator[int]:
    """Some of the calls that a run without faults makes: the first, the last and any in between."""
    last = strace.trace(root, None, "--dry-run", "--jobs=1", *FLAGS, *flags).most_in_one_thread(calls)
    assert last > 0, calls
    between = random.Random(calls).sample(range(1, last + 1), min(PLACES, last))
    yield from sorted({1, last, *between})


@shows("errors-stop")
@pytest.mark.parametrize("calls", [OPEN, LIST, READ, STAT])
@pytest.mark.parametrize("error", ["EIO", "EACCES", "ESTALE", "EMFILE", "ENOMEM"])
def test_any_error_ends_a_run_before_anything_is_removed(root: Path, tmp_path: Path, calls: str, error: str) -> None:
    untouched = snapshot(root)

    def check(place: int) -> None:
        traced = strace.trace(root, Fault(calls, f"error={error}", str(place)), "--jobs=1", "--dry-run", *FLAGS)
        assert traced.injected, place
        assert traced.run.exit_code == 1, (traced.injected, traced.run.stderr)
        assert traced.run.stdout == ""
        assert "nothing was removed" in traced.run.stderr or "failed to garbage collect" in traced.run.stderr
        assert snapshot(root) == untouched

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(check, places(root, calls)))


@shows("errors-stop")
@pytest.mark.parametrize("calls", [OPEN, LIST, READ, STAT])
@pytest.mark.parametrize("error", ["EIO", "ENOENT", "EINTR", "ENOTDIR", "ELOOP"])
def test_no_error_makes_a_sweep_remove_what_is_live(root: Path, tmp_path: Path, calls: str, error: str) -> None:
    before = snapshot(root)
    expected = oracle.judge(root, delete_untagged=True).files()

    def check(place: int) -> None:
        copy = duplicate(root, tmp_path / f"{place}")
        traced = strace.trace(copy, Fault(calls, f"error={error}", str(place)), "--jobs=1", *FLAGS)
        gone = removed_files(before, snapshot(copy))
        assert gone <= expected, traced.injected
        assert traced.run.exit_code in (0, 1, 3), traced.run.stderr
        if traced.run.exit_code == 1:
            assert not gone
        if error not in ("ENOENT", "EINTR"):
            assert traced.run.exit_code != 0, traced.injected

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(check, places(root, calls)))


@shows("errors-stop")
@pytest.mark.parametrize("kind", ["directories", "links", "data"])
def test_not_found_is_not_believed_where_a_listing_says_otherwise(root: Path, tmp_path: Path, kind: str) -> None:
    """The reference takes one such answer for the end of a repository and sweeps the rest of it."""
    before = snapshot(root)
    expected = oracle.judge(root, delete_untagged=True).files()

    def check(name: str) -> None:
        copy = duplicate(root, tmp_path / name.replace("/", "!"))
        traced = strace.trace(copy, Fault(f"{OPEN},{STAT}", "error=ENOENT"), "--jobs=1", *FLAGS, paths=[Path(name)])
        gone = removed_files(before, snapshot(copy))
        assert gone <= expected, (traced.injected, gone - expected)
        if traced.run.exit_code == 1:
            assert not gone

    names = {
        "directories": {path for path, content in before.items() if content is None},
        "links": {as_opened(path) for path in before if path.endswith("/link")},
        "data": {as_opened(path) for path in before if path.endswith("/data")},
    }
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(check, sorted(names[kind])[:: 3 if kind == "directories" else 1]))


def as_opened(path: str) -> str:
    """A file's path as regsweep names it to the system: from the directory that holds many of its kind."""
    return "/".join(path.split("/")[-3 if path.endswith("current/link") else -2 :])


@pytest.mark.parametrize("when", ["1+3", "2+5"])
def test_interrupted_and_short_calls_are_made_again(root: Path, when: str) -> None:
    expected = strace.trace(root, None, "--dry-run", *FLAGS).run.stdout
    traced = strace.trace(root, Fault(READ, "error=EINTR", when), "--dry-run", "--jobs=1", *FLAGS)
    assert traced.injected
    assert (traced.run.exit_code, traced.run.stdout) == (0, expected)
