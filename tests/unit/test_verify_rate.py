"""The token bucket: no more than the rate allows, by a clock that is passed in."""

from __future__ import annotations

import threading

import pytest

from regsweep.verify.rate import TokenBucket


class Clock:
    """Moves only when somebody waits."""

    def __init__(self) -> None:
        self.now = 50.0
        self.waited: list[float] = []

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.now += seconds


def test_a_seconds_worth_goes_through_at_once() -> None:
    clock = Clock()
    bucket = TokenBucket(1000, wait=clock.wait, clock=clock)
    for _ in range(10):
        bucket.take(100)
    assert clock.waited == []
    bucket.take(100)
    assert clock.waited == [pytest.approx(0.1)]


@pytest.mark.parametrize("piece", [1, 7, 1000, 1 << 20])
def test_never_more_than_the_rate_and_a_seconds_worth_goes_through(piece: int) -> None:
    clock = Clock()
    bucket, rate = TokenBucket(5000, wait=clock.wait, clock=clock), 5000
    for number in range(1, 2000):
        bucket.take(piece)
        assert number * piece <= rate * (clock.now - 50.0) + rate + 1e-6
    # And not much less, once the first second's worth is used up.
    assert clock.now - 50.0 <= max(0.0, 1999 * piece / rate - 1) + 1e-6


def test_an_idle_time_saves_up_no_more_than_a_seconds_worth() -> None:
    clock = Clock()
    bucket = TokenBucket(1000, wait=clock.wait, clock=clock)
    bucket.take(1000)
    clock.now += 3600
    bucket.take(1500)
    assert clock.waited == [pytest.approx(0.5)]


def test_threads_wait_behind_each_other() -> None:
    waits: list[float] = []
    bucket = TokenBucket(1000, wait=waits.append, clock=lambda: 0.0)
    threads = [threading.Thread(target=bucket.take, args=(1000,)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(waits) == [1.0, 2.0, 3.0, 4.0]
