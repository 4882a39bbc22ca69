"""A sweep that is killed at any moment leaves nothing that the next one does not finish."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from pathlib import Path

import pytest
from support import oracle
from support.reference import REGSWEEP, run_regsweep
from support.store_builder import TOP, Store, blob_path, duplicate, write_config

ROUNDS = 5


def large_store() -> Store:
    """Some thousand files, most of them garbage of every kind."""
    store = Store()
    for number in range(20):
        repository = store.repository(f"group/{number}")
        for image in range(12):
            layers = [f"layer {number} {image} {layer}" for layer in range(3)]
            repository.image("base", *layers, tag="latest" if image % 3 else f"v{image}")
        repository.layer(f"unused {number}")
        store.blob(f"orphan {number}")
    store.age(30 * 86400)
    return store


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return large_store().write(tmp_path_factory.mktemp("large") / "storage")


def files_below(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def dangling(root: Path, left: set[str]) -> list[str]:
    links = [path for path in left if path.endswith("/link")]
    return [path for path in links if f"{TOP}/{blob_path((root / path).read_text())}" not in left]


def test_a_killed_sweep_is_finished_by_the_next(root: Path, tmp_path: Path) -> None:
    expected = oracle.judge(root, delete_untagged=True).files()
    all_files = files_below(root)
    whole = duplicate(root, tmp_path / "whole/storage")
    started = time.monotonic()
    assert run_regsweep(whole, "--delete-untagged").exit_code == 0
    duration = time.monotonic() - started
    assert files_below(whole) == all_files - expected

    moments = random.Random(1)
    interrupted = 0
    for number in range(ROUNDS):
        copy = duplicate(root, tmp_path / f"{number}/storage")
        config = write_config(copy.parent, copy)
        command = [str(REGSWEEP), "garbage-collect", "--delete-untagged", "--quiet", str(config)]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        # The sweep is the last part of a run. Watch for its first removal, so that most of the rounds hit it.
        deadline = time.monotonic() + 10 * duration
        first = copy / sorted(path for path in expected if "/revisions/" in path)[0]
        while first.exists() and process.poll() is None and time.monotonic() < deadline:
            pass
        time.sleep(moments.uniform(0, duration / 4))
        process.send_signal(signal.SIGKILL if number % 2 else signal.SIGINT)
        process.wait()
        left = files_below(copy)
        interrupted += left != all_files - expected
        assert all_files - left <= expected | {"config.yml"}
        assert not dangling(copy, left)
        again = run_regsweep(copy, "--delete-untagged")
        assert again.exit_code == 0, again.stderr
        assert files_below(copy) == all_files - expected
    assert interrupted, "no round hit the sweep: the store is too small for this machine"


def test_two_sweeps_at_once_remove_no_more_than_one(root: Path, tmp_path: Path) -> None:
    expected = oracle.judge(root, delete_untagged=True).files()
    all_files = files_below(root)
    for number in range(3):
        copy = duplicate(root, tmp_path / f"{number}/storage")
        config = write_config(copy.parent, copy)
        command = [str(REGSWEEP), "garbage-collect", "--delete-untagged", "--quiet", str(config)]
        processes = [subprocess.Popen(command, stderr=subprocess.DEVNULL) for _ in range(3)]
        # One that finds the store changing under its feet may stop: with exit code 1, before it removes anything.
        assert {process.wait(timeout=60) for process in processes} <= {0, 1, 3}
        assert all_files - files_below(copy) <= expected
        assert run_regsweep(copy, "--delete-untagged").exit_code == 0
        assert files_below(copy) == all_files - expected
