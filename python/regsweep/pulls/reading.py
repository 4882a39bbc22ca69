"""What one log says: the pulls that it shows, the time that it covers, and how much of it was understood.

The readers of the formats put into it what they find.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from regsweep.pulls import requests
from regsweep.pulls.coverage import Stretches

# What is shown of a line that is not understood.
_EXCERPT_CHARACTERS = 120


@dataclass(frozen=True)
class UnknownLine:
    """A line that is not understood: its number, counted from 1, and how it begins."""

    number: int
    excerpt: str


class Reading:
    """One log as far as it was read.

    Attributes:
        name: of the file; ``-`` is standard input.
        line_count: all lines.
        pull_count: those that show a pull; of an event envelope, each pull.
        unknown_count: lines that are not understood.
        first_unknown: the first of these.
        stretches: the time in which the log would have shown pulls.
        minutes: what lines of the minute that was covered last hold, in each format that was seen.
    """

    def __init__(self, name: str, last_pulls: dict[str, int], horizon: float) -> None:
        """Reads nothing yet.

        Args:
            name: as above.
            last_pulls: where pulls go: item (``repository:tag``, ``repository@digest``) to its last pull.
            horizon: seconds since 1970; later times are wrong. They count as pulls, but cover nothing.
        """
        self.name = name
        self.line_count = 0
        self.pull_count = 0
        self.unknown_count = 0
        self.first_unknown: UnknownLine | None = None
        self.stretches = Stretches(horizon)
        self.minutes: dict[bytes, bytes] = {}
        self._last_pulls = last_pulls

    def request(self, time: int, method: bytes, uri: bytes, minute: bytes, items: Iterable[str] | None = None) -> None:
        """A request that was answered with success.

        One for something below ``/v2/`` that only reads shows that this log would show pulls. Others do not: a log may
        hold writes or errors only, or be that of some other service.

        Args:
            time: seconds since 1970.
            method: in capitals.
            uri: as the client sent it.
            minute: the beginning of the time as it stands in the line, up to the minute; no other time looks like it.
            items: what is asked for, where the log says it; otherwise the URI does.
        """
        if method not in requests.READING_METHODS or b"/v2/" not in uri:
            return
        self.stretches.add(time)
        self.minutes[minute[:1]] = minute
        if b"manifests" in uri:
            self.pull(time, requests.items_of(uri) if items is None else items)

    def is_settled(self, line: bytes) -> bool:
        """Whether a line has nothing to add: it is no pull, and of a minute that is covered already.

        Most lines are like that, and this takes a tenth of the time that understanding them would.
        """
        if b"manifests" not in line:
            for minute in self.minutes.values():
                if minute in line:
                    return True
        return False

    def pull(self, time: int, items: Iterable[str]) -> None:
        """A pull of all the items; of none is no pull."""
        is_pull = False
        for item in items:
            is_pull = True
            if time > self._last_pulls.get(item, -1):
                self._last_pulls[item] = time
        self.pull_count += is_pull

    def unknown(self, line: bytes, number: int, count: int = 1) -> None:
        """So many lines, of which this is the first, are not understood."""
        self.unknown_count += count
        if self.first_unknown is None:
            text = line.decode(errors="replace").strip()
            self.first_unknown = UnknownLine(number, text[:_EXCERPT_CHARACTERS])
