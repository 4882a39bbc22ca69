"""A line on the terminal that says how far a run is.

Only where stderr is a terminal; at most ten times a second; gone when the phase ends, so that what is printed
afterwards starts on a clean line.
"""

from __future__ import annotations

import os
import time

from regsweep.units import format_bytes, format_count, format_duration

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TextIO, TypeVar

    from regsweep._core import Progress
    from regsweep.report.rows import AddingUp
    from regsweep.verify import VerifyProgress

    Counters = TypeVar("Counters")

_INTERVAL_SECONDS = 0.1
_CLEAR_LINE = "\r\x1b[2K"


class ProgressLine:
    """Draws one phase after the other; hand ``callback`` to the library.

    Args:
        stream: where to draw; nothing is drawn where it is not a terminal.
        clock: seconds that only grow.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._enabled = stream.isatty()
        self._describe: Callable[[Any, float], str] = describe_scan
        self._started = 0.0
        self._last_drawn = float("-inf")

    def start(self, describe: Callable[[Counters, float], str]) -> Callable[[Counters], None] | None:
        """Begins a phase; gives back the callback, or ``None`` where nothing is drawn.

        Args:
            describe: turns counters and the seconds since the start into a line.
        """
        self._describe = describe
        self._started = self._clock()
        return self._draw if self._enabled else None

    def clear(self) -> None:
        """Removes the line; harmless where there is none."""
        if self._enabled and self._last_drawn > float("-inf"):
            self._write(_CLEAR_LINE)
            self._last_drawn = float("-inf")

    def _draw(self, progress: Any) -> None:
        now = self._clock()
        if not self._enabled or now - self._last_drawn < _INTERVAL_SECONDS:
            return
        self._last_drawn = now
        line = self._describe(progress, now - self._started)
        self._write(_CLEAR_LINE + line[: self._width() - 1])

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:
            # The terminal is gone. An exception in here would stop the run, maybe in the middle of a removal.
            self._enabled = False

    def _width(self) -> int:
        try:
            return os.get_terminal_size(self._stream.fileno()).columns or 80
        except (OSError, ValueError):
            return 80


def describe_scan(progress: Progress, seconds: float) -> str:
    """The line while a bucket is listed, and then while repositories, tags and manifests are read."""
    if progress.listed and not progress.repositories:
        return f"listing: {format_count(progress.listed, 'object')}{_rate(progress.listed, seconds)}"
    found = (
        f"{format_count(progress.repositories, 'repository', 'repositories')}, "
        f"{format_count(progress.tags, 'tag')}, {format_count(progress.manifests, 'manifest')}"
    )
    return f"scanning: {found}{_rate(progress.manifests, seconds)}"


def describe_mark(progress: Progress, seconds: float) -> str:
    """The line while blobs are compared with what is live."""
    return f"marking: {format_count(progress.blobs, 'blob')}{_rate(progress.blobs, seconds)}"


def describe_removal(total: int | None = None) -> Callable[[Progress, float], str]:
    """The line while things are removed, of which there are ``total``, where that is known."""

    def describe(progress: Progress, seconds: float) -> str:
        of = "" if total is None else f" of {total}"
        line = f"removing: {progress.removed}{of}, {format_bytes(progress.freed_bytes)} freed"
        if progress.removed and seconds >= 1:
            line += _rate(progress.removed, seconds)
            if total is not None:
                line += _left(progress.removed / total if total else 1.0, seconds)
        return line

    return describe


def describe_return(progress: Progress, seconds: float) -> str:
    """The line while things come back from quarantine."""
    return f"bringing back: {progress.removed}{_rate(progress.removed, seconds)}"


def describe_steps(last: Callable[[Progress, float], str] | None = None) -> Callable[[Progress, float], str]:
    """The line where one callback is told of several steps: a scan, the marking, and what is moved or removed then.

    Every step counts from nothing and has a rate of its own: where a counter has become less, the next one has begun.

    Args:
        last: describes what is moved or removed; where nothing is, there is no need for it.
    """
    before = (0, 0, 0)
    began = 0.0
    line = ""

    def describe(progress: Progress, seconds: float) -> str:
        nonlocal before, began, line
        now = (progress.manifests, progress.blobs, progress.removed)
        if any(counter < earlier for counter, earlier in zip(now, before, strict=True)):
            began = seconds
        before = now
        if last is not None and progress.removed:
            line = last(progress, seconds - began)
        elif progress.blobs:
            line = describe_mark(progress, seconds - began)
        elif not line or progress.repositories:
            line = describe_scan(progress, seconds - began)
        # Until a step has counted something, the line of the one before stays.
        return line

    return describe


def describe_upload_removal(total: int) -> Callable[[Progress, float], str]:
    """The line while stale uploads are removed, of which there are ``total``."""
    return lambda progress, _: (
        f"removing: {progress.removed} of {format_count(total, 'upload')}, {format_bytes(progress.freed_bytes)} freed"
    )


def describe_measuring(progress: Progress, seconds: float) -> str:
    """The line while all blobs are looked at, to say what they take and who reaches them."""
    return f"measuring: {format_count(progress.blobs, 'blob')}{_rate(progress.blobs, seconds)}"


def describe_search(_: Progress, seconds: float) -> str:
    """The line while it is worked out what keeps something."""
    return f"looking for what keeps it: {seconds:.0f}s"


def describe_empty(progress: Progress, seconds: float) -> str:
    """The line while empty directories are looked for, or removed."""
    found = format_count(progress.removed, "empty directory", "empty directories")
    return f"looking: {found}{_rate(progress.removed, seconds)}"


def describe_verify(progress: VerifyProgress, _: float) -> str:
    """The line while blobs are read and hashed."""
    done = progress.skipped_bytes + progress.read_bytes
    share = min(1.0, done / progress.total_bytes) if progress.total_bytes else 1.0
    line = f"verifying: {share:.1%} of {format_bytes(progress.total_bytes)}"
    if progress.read_bytes and progress.seconds >= 1:
        rate = progress.read_bytes / progress.seconds
        left = max(0, progress.total_bytes - done) / rate
        line += f", {format_bytes(round(rate))}/s, {format_duration(left)} left"
    if progress.finding_count:
        line += f", {format_count(progress.finding_count, 'finding')}"
    # Last, for it is what a narrow terminal can do without.
    checked = progress.skipped_count + progress.checked_count
    return f"{line}, {checked} of {format_count(progress.total_count, 'blob')}"


def describe_adding_up(progress: AddingUp, seconds: float) -> str:
    """The line while the rows of a plan are added up."""
    share = "" if progress.share is None else f", {progress.share:.0%}"
    left = "" if progress.share is None or seconds < 1 else _left(progress.share, seconds)
    return f"adding up: {format_count(progress.rows, 'row')}{share}{_rate(progress.rows, seconds)}{left}"


def _left(share: float, seconds: float) -> str:
    """The time left where a share was done in some seconds; nothing where nothing was."""
    return f", {format_duration(max(0.0, seconds / share - seconds))} left" if share > 0 else ""


def _rate(count: int, seconds: float) -> str:
    return f", {count / seconds:.0f}/s" if seconds >= 1 else ""
