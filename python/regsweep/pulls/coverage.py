"""Since when pulls are known: from which moment on logs leave no gap, as far as can be told.

A log is a stretch of time, or several: a silence of more than a day within one log may be a gap, or a clock that was
wrong. A stretch continues another if it begins where that ends, give or take ten minutes: logs that were rotated. One
that continues none is a beginning. Pulls before it may be missing: a log between two others is, or it is the log of
another registry on the same storage whose earlier ones were not given. Each end is continued but once, so the logs of
two registries that are rotated at the same time need two predecessors.

Pulls are known since the latest of the beginnings. That may be later than the truth, which keeps more; it is earlier
only where logs are missing that nothing hints at.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

# Between two logs. A registry that something asks for its health has a line a minute at least.
_SEAM_SECONDS = 600
# Within a log. Nobody may be working at night.
_SILENCE_SECONDS = 86_400


class Stretch(NamedTuple):
    """From when to when something is known, in seconds since 1970."""

    start: int
    end: int


class Stretches:
    """The stretches of one log, whose times come one by one and roughly in order.

    Times before one that was seen already are passed over: a log that jumps back was put together from others, or
    someone has forged a line, and neither tells that the time in between is covered. (The registry writes the user of
    ``GET http://USER@host/`` into its access log as it is, line breaks and all.)

    Args:
        horizon: seconds since 1970; later times are wrong.
    """

    def __init__(self, horizon: float) -> None:
        self._horizon = horizon
        self._done: list[Stretch] = []
        self._start: int | None = None
        self._latest = 0

    def add(self, time: int) -> None:
        """A moment at which the log would have shown a pull."""
        if time <= self._latest and self._start is not None:
            return
        if time > self._horizon:
            return
        if self._start is None:
            self._start = time
        elif time - self._latest > _SILENCE_SECONDS:
            self._done.append(Stretch(self._start, self._latest))
            self._start = time
        self._latest = time

    def all(self) -> list[Stretch]:
        """In order."""
        return self._done if self._start is None else [*self._done, Stretch(self._start, self._latest)]


def latest_beginning(stretches: Iterable[Stretch], known: Stretch | None) -> int | None:
    """Since when pulls are known; never earlier than it was before.

    Args:
        stretches: those of all logs.
        known: what was known before without a gap; whatever begins within continues it, and what begins earlier makes
            nothing known that was not.
    """
    beginnings = [] if known is None else [known.start]
    ends: list[int] = []
    for stretch in sorted(stretches):
        continued = min((end for end in ends if abs(end - stretch.start) <= _SEAM_SECONDS), default=None)
        if continued is not None:
            ends.remove(continued)
        elif known is None or stretch.start > known.end + _SEAM_SECONDS:
            beginnings.append(stretch.start)
        ends.append(stretch.end)
    return max(beginnings, default=None)
