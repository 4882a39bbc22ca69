"""Times as logs write them, to whole seconds since 1970 and back.

Seconds are rounded up: a pull that counts as later than it was keeps more. Times without a year or a zone are none:
which moment they mean is not known. Logs are in the order of their times, so minutes are parsed once and remembered.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

# RFC 3339, as logrus writes it in UTC or local time.
_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d):(\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)", re.ASCII)
_MONTHS = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")


def parse_rfc3339(text: str) -> int:
    """Seconds of a time like ``2026-03-01T12:00:00.5+01:00``.

    Raises:
        ValueError: it is not one, or no such moment exists.
    """
    found = _RFC3339.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a time with a date and a zone")
    minute, second, fraction, zone = found.groups()
    return _minute(minute, zone) + _second(second) + bool(fraction and fraction.strip("0"))


def parse_apache(minute: bytes, second: bytes, zone: bytes) -> int:
    """Seconds of a time in an access log (``01/Mar/2026:12:00:30 +0100``), given in its three parts.

    Raises:
        ValueError: no such moment exists.
    """
    return _apache_minute(minute, zone) + _second(second)


def format_time(seconds: float) -> str:
    """A moment as ``2026-03-01T12:00:00Z``."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@lru_cache(maxsize=1024)
def _minute(minute: str, zone: str) -> int:
    return int(datetime.fromisoformat(f"{minute}:00{zone}").timestamp())


@lru_cache(maxsize=1024)
def _apache_minute(minute: bytes, zone: bytes) -> int:
    offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[3:]))
    month = _MONTHS.index(minute[3:6]) + 1
    parts = (int(minute[7:11]), month, int(minute[:2]), int(minute[12:14]), int(minute[15:]))
    return int(datetime(*parts, tzinfo=timezone(-offset if zone[:1] == b"-" else offset)).timestamp())


def _second(text: str | bytes) -> int:
    second = int(text)
    # 60 is a leap second.
    if second > 60:
        raise ValueError(f"a minute has no second {second}")
    return second
