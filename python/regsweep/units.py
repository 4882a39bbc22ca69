"""Durations, sizes and shares: text to number and back.

Durations are written as in Go (``90s``, ``1h30m``, ``1.5h``), because the registry's own configuration does it that
way, and additionally in days (``7d``) and weeks (``2w``).

Regular expressions are imported where they are used: most runs need none, and the import costs as much time as the
interpreter's own start.
"""

from __future__ import annotations

from regsweep.errors import UnitError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime, timedelta

_SECONDS_PER_UNIT = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,  # micro sign
    "μs": 1e-6,  # Greek mu: Go takes both
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
    "d": 86400.0,
    "w": 7 * 86400.0,
}
_NUMBER = r"[0-9]+(?:\.[0-9]*)?|\.[0-9]+"
_DURATION_PART = rf"({_NUMBER})(ns|us|µs|μs|ms|s|m|h|d|w)"
# "MB" is a million bytes, "MiB" and a bare "M" are 2**20, as in most tools that copy and back up.
_BYTES_PER_UNIT: dict[str, int] = {
    "": 1,
    "B": 1,
    **{f"{prefix}B": 1000**power for power, prefix in enumerate(("k", "M", "G", "T"), start=1)},
    "KB": 1000,
    **{f"{prefix}iB": 1024**power for power, prefix in enumerate("KMGT", start=1)},
    **{prefix: 1024**power for power, prefix in enumerate("KMGT", start=1)},
}
_BINARY_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def parse_duration(text: str) -> float:
    """Seconds of a duration like ``90s``, ``24h``, ``7d`` or ``1h30m``; ``0`` needs no unit.

    Raises:
        UnitError: it is negative, has no unit, or is not a duration at all.
    """
    if text == "0":
        return 0.0
    import re

    pattern = re.compile(_DURATION_PART)
    seconds, position = 0.0, 0
    while part := pattern.match(text, position):
        seconds += float(part[1]) * _SECONDS_PER_UNIT[part[2]]
        position = part.end()
    if position == 0 or position != len(text):
        raise UnitError(f"{text!r} is not a duration (examples: 90s, 30m, 24h, 7d, 2w, 1h30m)", key=text)
    return seconds


def seconds_of(duration: timedelta | float) -> float:
    """The seconds of a duration; a number is seconds already."""
    return float(duration) if isinstance(duration, int | float) else duration.total_seconds()


def parse_share(text: str) -> float:
    """A share between 0 and 1, written ``0.3`` or ``30%``.

    Raises:
        UnitError: it is not a number, or lies outside.
    """
    import re

    number = text.removesuffix("%")
    if re.fullmatch(_NUMBER, number):
        share = float(number) / (100 if text.endswith("%") else 1)
        if 0 <= share <= 1:
            return share
    raise UnitError(f"{text!r} is not a share (examples: 0.3, 30%; from 0 to 1)", key=text)


def parse_rate(text: str) -> float:
    """Bytes a second of a rate like ``50MB/s``, ``20MiB``, ``1.5G`` or ``1000000``; ``/s`` may be left out.

    Raises:
        UnitError: it is not a rate, or zero.
    """
    rate = _bytes(text.removesuffix("/s").strip())
    if not rate > 0:
        raise UnitError(f"{text!r} is not a rate (examples: 50MB/s, 20MiB/s, 1G)", key=text)
    return rate


def parse_size(text: str) -> int:
    """Bytes of a size like ``500MB``, ``2GiB``, ``1.5G`` or ``1000000``.

    Raises:
        UnitError: it is not a size, or zero.
    """
    size = int(_bytes(text.strip()))
    if not size > 0:
        raise UnitError(f"{text!r} is not a size (examples: 500MB, 2GiB, 1G)", key=text)
    return size


def _bytes(text: str) -> float:
    """Zero, where it is nothing of the kind."""
    import re

    match = re.fullmatch(rf"({_NUMBER})\s*([A-Za-z]*)", text)
    unit = _BYTES_PER_UNIT.get(match[2]) if match else None
    return 0.0 if match is None or unit is None else float(match[1]) * unit


def format_bytes(size_bytes: int) -> str:
    """A size for people, in binary units: ``0 B``, ``512 B``, ``1.5 KiB``, ``12.3 GiB``."""
    if size_bytes < 1024:
        return f"{size_bytes} B"
    size, unit = float(size_bytes), 0
    # 1023.95 and not 1024: what would be shown as "1024.0 KiB" is "1.0 MiB".
    while size >= 1023.95 and unit < len(_BINARY_UNITS) - 1:
        size /= 1024
        unit += 1
    return f"{size:.1f} {_BINARY_UNITS[unit]}"


def format_duration(seconds: float) -> str:
    """A duration for people: ``0.4s``, ``42s``, ``3m05s``, ``2h00m``, ``9d04h``."""
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    total = round(seconds)
    if total < 60:
        return f"{total}s"
    if total < 3600:
        return f"{total // 60}m{total % 60:02}s"
    if total < 86400:
        return f"{total // 3600}h{total % 3600 // 60:02}m"
    return f"{total // 86400}d{total % 86400 // 3600:02}h"


def format_moment(moment: datetime) -> str:
    """A time in UTC as the registry writes it: ``2026-03-01T12:00:00Z``."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def format_count(count: int, singular: str, plural: str | None = None) -> str:
    """A number with its noun: ``1 blob``, ``2 blobs``, ``0 repositories``."""
    return f"{count} {singular if count == 1 else plural or singular + 's'}"


def format_share(share: float) -> str:
    """A share in percent; digits only where they say something: ``30%``, ``99.9%``."""
    percent = f"{share * 100:.1f}".removesuffix(".0")
    return f"{percent}%"
