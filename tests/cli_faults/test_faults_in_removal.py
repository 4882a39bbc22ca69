"""Removals that fail are counted and named and end nothing; what hangs on them stays; another run finishes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import stores
from support import oracle, strace
from support.compatibility import shows
from support.store_builder import TOP, blob_path, duplicate, removed_files, snapshot
from support.strace import OPEN, REMOVE, Fault

FLAGS = ("--delete-untagged", "--override=newer-than-tags")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    strace.need_strace()
    return stores.small_store().write(tmp_path_factory.mktemp("storage"))


def pointers_into_nothing(root: Path, before: dict[str, str | bytes | None]) -> set[str]:
    """Links whose blob was there before and is not any more."""
    after = snapshot(root)
    lost = set()
    for path, content in after.items():
        if path.endswith("/link") and isinstance(content, bytes):
            blob = f"{TOP}/{blob_path(content.decode())}"
            if blob in before and blob not in after:
                lost.add(path)
    return lost


@shows("pointers-before-blobs")
@pytest.mark.parametrize("error", ["EIO", "EACCES", "EBUSY", "EROFS"])
def test_what_cannot_be_removed_is_named_and_the_next_run_finishes(root: Path, tmp_path: Path, error: str) -> None:
    before = snapshot(root)
    expected = oracle.judge(root, delete_untagged=True).files()
    copy = duplicate(root, tmp_path / "counted")
    last = strace.trace(copy, None, "--jobs=1", *FLAGS).most_in_one_thread(REMOVE)
    assert removed_files(before, snapshot(copy)) == expected

    def check(place: int) -> None:
        copy = duplicate(root, tmp_path / f"{place}")
        traced = strace.trace(copy, Fault(REMOVE, f"error={error}", str(place)), "--jobs=1", *FLAGS)
        assert traced.injected, place
        assert traced.run.exit_code == 3, traced.run.stderr
        assert traced.run.stderr.count("failed to remove ") == len(traced.injected)
        assert removed_files(before, snapshot(copy)) <= expected
        assert not pointers_into_nothing(copy, before), traced.injected
        again = strace.trace(copy, None, *FLAGS)
        assert "failed to remove" not in again.run.stderr
        assert removed_files(before, snapshot(copy)) == expected

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(check, range(1, last + 1, 3 if error == "EIO" else 9)))


@shows("pointers-before-blobs")
@pytest.mark.parametrize("call", [REMOVE, OPEN])
def test_a_store_from_which_nothing_can_be_removed_stays_whole(root: Path, tmp_path: Path, call: str) -> None:
    copy = duplicate(root, tmp_path / "copy")
    before = snapshot(copy)
    # The directories of links and blobs are opened by `openat` for their removal, and for nothing else.
    traced = strace.trace(copy, Fault(call if call == REMOVE else "openat", "error=EACCES"), *FLAGS)
    assert traced.run.exit_code == 3, traced.run.stderr
    assert "freed 0 B" in traced.run.stderr
    assert snapshot(copy) == before


@shows("pointers-before-blobs")
def test_a_layer_link_that_stays_keeps_its_blob(root: Path, tmp_path: Path) -> None:
    copy = duplicate(root, tmp_path / "copy")
    before = snapshot(copy)
    links = [path for path in copy.rglob("link") if "_layers" in path.parts]
    directories = [path.parent for path in links]
    traced = strace.trace(copy, Fault(REMOVE, "error=EACCES"), *FLAGS, paths=directories)
    assert traced.injected
    assert traced.run.exit_code == 3
    assert all(path.exists() for path in links)
    assert not pointers_into_nothing(copy, before)


@shows("pointers-before-blobs")
def test_a_manifest_link_that_stays_keeps_all_that_its_manifest_reaches(root: Path, tmp_path: Path) -> None:
    copy = duplicate(root, tmp_path / "copy")
    before = snapshot(copy)
    directories = [path.parent for path in copy.rglob("link") if "revisions" in path.parts]
    traced = strace.trace(copy, Fault(REMOVE, "error=EACCES"), *FLAGS, paths=directories)
    assert traced.injected
    assert traced.run.exit_code == 3
    gone = removed_files(before, snapshot(copy))
    # As if the manifests that could not be unlinked had been roots.
    assert gone <= oracle.judge(root).files() | {path for path in before if "/tags/" in path}
    assert not pointers_into_nothing(copy, before)


@shows("pointers-before-blobs")
@pytest.mark.parametrize("jobs", ["1", "8"])
def test_a_run_that_is_killed_leaves_no_pointer_into_nothing(root: Path, tmp_path: Path, jobs: str) -> None:
    before = snapshot(root)
    expected = oracle.judge(root, delete_untagged=True).files()

    def check(place: int) -> None:
        copy = duplicate(root, tmp_path / f"{place}")
        strace.trace(copy, Fault(REMOVE, "signal=KILL", str(place)), f"--jobs={jobs}", *FLAGS)
        assert removed_files(before, snapshot(copy)) <= expected
        assert not pointers_into_nothing(copy, before)
        assert strace.trace(copy, None, *FLAGS).run.exit_code in (0, 3)
        assert removed_files(before, snapshot(copy)) == expected

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(check, range(1, 40, 4)))
