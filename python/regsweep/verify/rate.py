"""Not reading faster than allowed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class TokenBucket:
    """Lets so many bytes a second through, for all threads together.

    Who takes more than there is in the bucket waits until the rest has come in; those that take meanwhile wait behind.

    Args:
        bytes_per_second: the rate. A second's worth is in the bucket at first, and never more.
        clock: seconds that only grow.
        wait: waits for so many seconds, or less where the run is to end.
    """

    def __init__(
        self,
        bytes_per_second: float,
        *,
        wait: Callable[[float], object],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rate = bytes_per_second
        self._wait = wait
        self._clock = clock
        self._lock = threading.Lock()
        self._level = bytes_per_second
        self._filled = clock()

    def take(self, count: int) -> None:
        """Takes so many bytes out; comes back when they were in."""
        with self._lock:
            now = self._clock()
            self._level = min(self._rate, self._level + (now - self._filled) * self._rate) - count
            self._filled = now
            missing = -self._level
        if missing > 0:
            self._wait(missing / self._rate)
