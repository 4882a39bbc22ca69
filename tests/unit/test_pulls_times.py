"""Times of logs: with their zones, to whole seconds, rounded up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regsweep.pulls import times

NOON = int(datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-03-01T12:00:00Z", NOON),
        ("2026-03-01T12:00:00.000Z", NOON),
        ("2026-03-01T12:00:00.000000001Z", NOON + 1),
        ("2026-03-01T12:00:59.5Z", NOON + 60),
        ("2026-03-01T12:00:60Z", NOON + 60),
        ("2026-03-01T13:00:00+01:00", NOON),
        ("2026-03-01T06:30:00-05:30", NOON),
    ],
)
def test_a_time_is_read_with_its_zone_and_rounded_up(text: str, seconds: int) -> None:
    assert times.parse_rfc3339(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-03-01",
        "2026-03-01T12:00:00",
        "03-01T12:00:00Z",
        "2026-02-30T12:00:00Z",
        "2026-03-01T25:00:00Z",
        "2026-03-01T12:00:61Z",
        "2026-03-01T12:00:00+99:00",
        "2026-03-01 12:00:00Z",
        "٢٠٢٦-03-01T12:00:00Z",
        "None",
    ],
)
def test_a_time_without_date_or_zone_is_none(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - several messages
        times.parse_rfc3339(text)


@pytest.mark.parametrize(
    ("minute", "second", "zone", "seconds"),
    [
        (b"01/Mar/2026:12:00", b"00", b"+0000", NOON),
        (b"01/Mar/2026:13:30", b"07", b"+0130", NOON + 7),
        (b"28/Feb/2026:23:00", b"00", b"-1300", NOON),
    ],
)
def test_access_logs_have_zones_too(minute: bytes, second: bytes, zone: bytes, seconds: int) -> None:
    assert times.parse_apache(minute, second, zone) == seconds


@pytest.mark.parametrize(
    ("minute", "second", "zone"),
    [
        (b"31/Feb/2026:12:00", b"00", b"+0000"),
        (b"01/Mrz/2026:12:00", b"00", b"+0000"),
        (b"01/Mar/2026:24:00", b"00", b"+0000"),
        (b"01/Mar/2026:12:00", b"61", b"+0000"),
        (b"01/Mar/2026:12:00", b"00", b"+9900"),
    ],
)
def test_no_such_moment_is_an_error(minute: bytes, second: bytes, zone: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - several messages
        times.parse_apache(minute, second, zone)


@given(
    st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(2100, 1, 1)),
    st.integers(-14 * 60, 14 * 60),
)
def test_what_is_written_is_read_whatever_the_zone(moment: datetime, offset_minutes: int) -> None:
    local = moment.replace(microsecond=0, tzinfo=timezone(timedelta(minutes=offset_minutes)))
    seconds = int(local.timestamp())
    assert times.parse_rfc3339(times.format_time(seconds)) == seconds
    assert times.parse_rfc3339(local.isoformat()) == seconds
    apache = local.strftime("%d/%b/%Y:%H:%M %S %z").encode()
    assert times.parse_apache(*apache.split(b" ")) == seconds
