"""Reads logs and puts what they say into a pull-times file."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from regsweep.errors import PullsError
from regsweep.pulls import logs, table
from regsweep.pulls.coverage import Stretch, latest_beginning
from regsweep.pulls.reading import Reading
from regsweep.pulls.table import PullTimes
from regsweep.pulls.times import format_time

# Clocks differ, but not by more than that.
_CLOCK_SLACK_SECONDS = 86_400


@dataclass(frozen=True)
class Update:
    """What an update did.

    Attributes:
        before: what the file held; ``None`` if it did not exist.
        pulls: what it holds now.
        readings: what each log said, in the order in which they were given.
        reaches_back: when the first of the logs begins; ``None`` if they cover nothing.
    """

    before: PullTimes | None
    pulls: PullTimes
    readings: tuple[Reading, ...]
    reaches_back: int | None

    @property
    def line_count(self) -> int:
        """Lines of all logs."""
        return sum(reading.line_count for reading in self.readings)

    @property
    def pull_count(self) -> int:
        """Pulls in all logs."""
        return sum(reading.pull_count for reading in self.readings)

    @property
    def unknown_count(self) -> int:
        """Lines of all logs that are not understood."""
        return sum(reading.unknown_count for reading in self.readings)


def update(
    path: str | os.PathLike[str], names: Sequence[str], *, since: float | None = None, now: float | None = None
) -> Update:
    """Merges logs into a pull-times file, which is made if it does not exist.

    The same log twice changes nothing. Updates at the same time are merged one after the other.

    Args:
        path: the pull-times file.
        names: the logs: files, compressed with gzip or not, or ``-`` for standard input. All that the registries on the
            storage have written since the last update, for pulls in a log that is not given are not known of.
        since: seconds since 1970; from then on all pulls are in the logs, on the operator's word. Without it, pulls are
            known since the last gap (see ``coverage``), and never since an earlier time than before.
        now: seconds since 1970; by default that of the clock.

    Raises:
        PullsError: a file cannot be read or written, nothing in the logs is understood, or ``since`` lies after all of
            them. Nothing was recorded.
    """
    horizon = (time.time() if now is None else now) + _CLOCK_SLACK_SECONDS
    last_pulls: dict[str, int] = {}
    readings = tuple(logs.read(name, last_pulls, horizon) for name in names)
    _refuse_unknown_logs(readings)
    # A symbolic link stays one.
    target = Path(os.path.realpath(path))
    with table.locked(target):
        before = table.read(target) if target.exists() else None
        stretches = [stretch for reading in readings for stretch in reading.stretches.all()]
        pulls = _merged(before or PullTimes(), last_pulls, stretches, since)
        if pulls != before and (before is not None or pulls != PullTimes()):
            table.write(target, pulls)
    return Update(before, pulls, readings, min(stretches).start if stretches else None)


def _refuse_unknown_logs(readings: Sequence[Reading]) -> None:
    for reading in readings:
        unknown = reading.first_unknown
        if unknown is not None and all(one.unknown_count == one.line_count for one in readings):
            key = f"{reading.name}:{unknown.number}"
            raise PullsError(
                f"{key}: not understood, and nor is any other line: {unknown.excerpt!r}",
                operation="read log",
                key=key,
                next_step="give the registry's access log or log, a proxy's access log, or notification events",
            )


def _merged(
    before: PullTimes, last_pulls: dict[str, int], stretches: Sequence[Stretch], stated: float | None
) -> PullTimes:
    """The times of both, and since when pulls are known."""
    merged = dict(before.last_pulls)
    for item, moment in last_pulls.items():
        if moment > merged.get(item, -1):
            merged[item] = moment
    known = None if before.since is None or before.until is None else Stretch(before.since, before.until)
    ends = [stretch.end for stretch in stretches] + ([known.end] if known else [])
    since, until = latest_beginning(stretches, known), max(ends, default=None)
    if stated is not None:
        since = int(-(-stated // 1))
        if until is None or since > until:
            where = "no log covers any time" if until is None else f"the logs end at {format_time(until)}"
            raise PullsError(
                f"pulls cannot be known since {format_time(since)}: {where}",
                operation="merge pull times",
                key=format_time(since),
                next_step="give an earlier time, or the logs that follow it",
            )
    return PullTimes(since, until, merged)
