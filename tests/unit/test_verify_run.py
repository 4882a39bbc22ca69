"""A verification at work: threads, rate, what changes under it, what it keeps when it is killed."""

from __future__ import annotations

import json
import os
import random
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from support.documents import digest_of
from support.store_builder import TOP, Store, blob_path

import regsweep
from regsweep import _core
from regsweep.verify import run as runs
from regsweep.verify.blob_file import BlobFiles
from regsweep.verify.run import Run, Verification, VerifyProgress, verify


class Clock:
    """Moves when somebody waits, or is told to."""

    def __init__(self) -> None:
        self.now = 0.0
        self._lock = threading.Lock()

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        with self._lock:
            self.now += seconds


@pytest.fixture
def store() -> Store:
    store = Store()
    app = store.repository("app")
    for number in range(20):
        app.image(f"layer {number}" * 50, tag=str(number))
    store.age(30 * 86400)
    return store


def check(
    root: Path,
    *,
    jobs: int = 3,
    max_rate: float | None = None,
    state: Path | None = None,
    progress: Callable[[VerifyProgress], None] | None = None,
    clock: Clock | None = None,
) -> Verification:
    clock = clock or Clock()
    return verify(
        regsweep.open(root),
        repositories=(),
        jobs=jobs,
        max_rate=max_rate,
        state=None if state is None else str(state),
        scanning=None,
        progress=progress,
        clock=clock,
        wait=clock.wait,
    )


def layer(number: int) -> str:
    return digest_of((f"layer {number}" * 50).encode())


@pytest.mark.parametrize("jobs", [1, 2, 8])
def test_any_number_of_threads_finds_the_same(store: Store, tmp_path: Path, jobs: int) -> None:
    root = store.write(tmp_path)
    for number in (3, 7, 11):
        (root / TOP / blob_path(layer(number))).write_bytes(b"other")
    found = check(root, jobs=jobs)
    assert [finding.digest for finding in found.findings] == sorted(layer(number) for number in (3, 7, 11))
    assert found.progress.checked_count == found.progress.total_count == 60
    assert not found.interrupted


def test_no_more_is_read_than_the_rate_allows(store: Store, tmp_path: Path) -> None:
    root = store.write(tmp_path)
    clock = Clock()
    done = check(root, jobs=1, max_rate=1000, clock=clock)
    assert done.progress.read_bytes == done.progress.total_bytes > 10_000
    # All but the first second's worth is waited for.
    assert clock.now == pytest.approx((done.progress.read_bytes - 1000) / 1000)
    clock = Clock()
    check(root, jobs=1, clock=clock)
    assert clock.now == 0.0


def test_progress_grows_to_the_whole_and_knows_the_time(store: Store, tmp_path: Path) -> None:
    root = store.write(tmp_path)
    told: list[VerifyProgress] = []
    clock = Clock()
    done = check(root, jobs=2, max_rate=5000, progress=told.append, clock=clock)
    assert told
    for one, next_one in zip(told, [*told[1:], done.progress], strict=True):
        assert one.checked_count <= next_one.checked_count
        assert one.read_bytes <= next_one.read_bytes
        assert one.seconds <= next_one.seconds
    assert done.progress.seconds == clock.now


class Killed(BaseException):
    """Nothing that the run does after this counts, as after ``kill -9``."""


class KillingClock(Clock):
    """Lets time pass at each tick of the run, and ends it at one of them, remembering what it had kept by then."""

    def __init__(self, state: Path, ticks: int) -> None:
        super().__init__()
        self._state = state
        self._ticks = ticks
        self._passing = threading.Condition()
        self.kept = b""
        self.last = VerifyProgress()

    def wait(self, seconds: float) -> None:
        with self._passing:
            until = self.now + seconds
            self._passing.wait_for(lambda: self.now >= until)

    def tick(self, progress: VerifyProgress) -> None:
        self.last = progress
        self._ticks -= 1
        killed = self._ticks == 0
        if killed:
            self.kept = self._state.read_bytes()
        with self._passing:
            self.now = float("inf") if killed else self.now + 3
            self._passing.notify_all()
        if killed:
            raise Killed


@pytest.mark.parametrize("seed", range(5))
def test_runs_that_are_killed_again_and_again_get_through(store: Store, tmp_path: Path, seed: int) -> None:
    root, state = store.write(tmp_path / "storage"), tmp_path / "state"
    chance = random.Random(seed)
    bad = layer(chance.randrange(20))
    (root / TOP / blob_path(bad)).write_bytes(b"other")
    skipped: list[int] = []
    while True:
        clock = KillingClock(state, ticks=chance.randrange(2, 7))
        try:
            done = check(root, jobs=2, max_rate=1000, state=state, progress=clock.tick, clock=clock)
            break
        except Killed:
            state.write_bytes(clock.kept)
            skipped.append(clock.last.skipped_count)
            assert len(skipped) < 100, skipped
    assert [finding.digest for finding in done.findings] == [bad]
    assert done.progress.skipped_count + done.progress.checked_count == done.progress.total_count == 60
    assert skipped == sorted(skipped), "no run begins before the one that it follows"
    assert done.progress.skipped_count > 0
    assert json.loads(state.read_text())["complete"]


def test_what_is_replaced_behind_the_position_is_checked_again(store: Store, tmp_path: Path) -> None:
    root, state = store.write(tmp_path / "storage", now=0), tmp_path / "state"
    for path in root.rglob("data"):
        os.utime(path, (1e9, 1e9))
    check(root, state=state)
    # A pass that was interrupted when all was verified.
    saved = json.loads(state.read_text())
    state.write_text(json.dumps({**saved, "complete": False}))
    done = check(root, state=state)
    assert (done.progress.checked_count, done.progress.skipped_count) == (0, 60)
    state.write_text(json.dumps({**saved, "complete": False}))
    (root / TOP / blob_path(layer(5))).write_bytes(b"replaced since")
    done = check(root, state=state)
    assert [finding.digest for finding in done.findings] == [layer(5)]
    assert done.progress.checked_count == 1


def test_what_goes_while_it_runs_is_missing_if_it_is_needed(store: Store, tmp_path: Path) -> None:
    orphan = store.blob("orphan").digest
    root = store.write(tmp_path)
    inventory = _core.Store(root).inventory()
    for digest in (orphan, layer(1)):
        (root / TOP / blob_path(digest)).unlink()
    run = Run(regsweep.open(root), inventory, None)
    interrupted = run.check_all(2, None)
    done = run.result(interrupted=interrupted)
    assert [(finding.kind, finding.digest) for finding in done.findings] == [("missing", layer(1))]
    assert done.gone_count == 1


def test_what_does_not_match_is_read_twice_before_it_is_called_corrupt(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: Counter[str] = Counter()

    class Flaky(BlobFiles):
        def hash(self, digest: str, read: Callable[[int], None]) -> tuple[str, int]:
            reads[digest] += 1
            found, size_bytes = super().hash(digest, read)
            return (digest_of(b"noise") if reads[digest] == 1 else found), size_bytes

    monkeypatch.setattr(runs, "BlobFiles", Flaky)
    root = store.write(tmp_path)
    assert check(root).is_sound
    assert set(reads.values()) == {2}


def test_an_error_in_a_thread_ends_the_run(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(BlobFiles):
        def hash(self, digest: str, read: Callable[[int], None]) -> tuple[str, int]:
            raise MemoryError

    monkeypatch.setattr(runs, "BlobFiles", Broken)
    with pytest.raises(MemoryError):
        check(store.write(tmp_path))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("verify-")]


def test_a_root_that_goes_away_is_an_error_of_the_storage(store: Store, tmp_path: Path) -> None:
    root = store.write(tmp_path / "storage")
    inventory = _core.Store(root).inventory()
    opened = regsweep.open(root)
    root.rename(tmp_path / "elsewhere")
    with pytest.raises(regsweep.StorageError, match="No such file or directory"):
        Run(opened, inventory, None).check_all(2, None)


def test_where_no_more_threads_are_to_be_had_those_that_run_do_the_work(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []
    start = threading.Thread.start

    def limited(thread: threading.Thread) -> None:
        if thread.name.startswith("verify-"):
            if len(started) == 2:
                raise RuntimeError("can't start new thread")
            started.append(thread.name)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)
    assert check(store.write(tmp_path), jobs=8).progress.checked_count == 60
    assert len(started) == 2


def test_what_cannot_be_kept_in_the_end_does_not_cost_the_findings(store: Store, tmp_path: Path) -> None:
    root, state = store.write(tmp_path / "storage"), tmp_path / "states" / "state"
    state.parent.mkdir()
    (root / TOP / blob_path(layer(5))).write_bytes(b"other")

    def lose(_: VerifyProgress) -> None:
        if state.is_file():
            state.unlink()
            state.mkdir()

    done = check(root, jobs=1, max_rate=3000, state=state, progress=lose)
    assert [finding.digest for finding in done.findings] == [layer(5)]
    assert isinstance(done.state_error, regsweep.StateError)


def test_the_library_takes_paths_and_gives_what_it_found(store: Store, tmp_path: Path) -> None:
    root = store.write(tmp_path / "storage")
    done = regsweep.open(root).verify(state=tmp_path / "state", jobs=1)
    assert done.is_sound
    assert done.progress.total_bytes == done.progress.read_bytes
    with pytest.raises(regsweep.RepositoryPatternError):
        regsweep.open(root).verify(repositories=["!app"])
    (root / TOP / "repositories/link").symlink_to("/nowhere")
    with pytest.raises(regsweep.StorageError):
        regsweep.open(root).verify()
