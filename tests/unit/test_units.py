"""Durations, sizes, shares, rates."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regsweep import units
from regsweep.errors import RegsweepError, UnitError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("0s", 0),
        ("90s", 90),
        ("1.5h", 5400),
        (".5m", 30),
        ("1.s", 1),
        ("24h", 86400),
        ("7d", 604800),
        ("1h30m", 5400),
        ("1d12h", 129600),
        ("250ms", 0.25),
        ("5us", 5e-6),
        ("5µs", 5e-6),
        ("5μs", 5e-6),
        ("7ns", 7e-9),
    ],
)
def test_a_duration_is_read_as_go_reads_it_and_in_days(text: str, seconds: float) -> None:
    assert units.parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "5", "-5s", "+5s", "5 s", "5x", "h", "1h30", "1e3s", "٣s", "1,5h", "1h ", "nan"])
def test_what_is_no_duration_is_an_error_that_names_it(text: str) -> None:
    with pytest.raises(UnitError, match="is not a duration") as caught:
        units.parse_duration(text)
    assert caught.value.key == text
    assert isinstance(caught.value, RegsweepError)


@pytest.mark.parametrize(
    ("text", "share"), [("0", 0), ("1", 1), ("0.3", 0.3), ("30%", 0.3), ("100%", 1), ("0.5%", 0.005)]
)
def test_a_share_is_a_fraction_or_a_percentage(text: str, share: float) -> None:
    assert units.parse_share(text) == pytest.approx(share)


@pytest.mark.parametrize("text", ["", "30", "1.1", "101%", "-1%", "%", "x", "nan", "inf", "0.3%%"])
def test_what_is_no_share_is_an_error(text: str) -> None:
    with pytest.raises(UnitError, match="is not a share"):
        units.parse_share(text)


@pytest.mark.parametrize(
    ("text", "bytes_per_second"),
    [
        ("1", 1),
        ("1000000", 1e6),
        ("50MB/s", 50e6),
        ("50 MB/s", 50e6),
        ("100kB", 100e3),
        ("100KB", 100e3),
        ("20MiB/s", 20 << 20),
        ("1.5G", 1.5 * (1 << 30)),
        (".5KiB/s", 512),
        ("8B/s", 8),
    ],
)
def test_a_rate_is_bytes_a_second(text: str, bytes_per_second: float) -> None:
    assert units.parse_rate(text) == bytes_per_second


@pytest.mark.parametrize(
    "text", ["", "0", "0MB/s", "-5MB", "MB/s", "5 MB / s", "5Mb/s", "5m", "5MB/min", "1e6", "5MiB/s/s"]
)
def test_what_is_no_rate_is_an_error(text: str) -> None:
    with pytest.raises(UnitError, match="is not a rate"):
        units.parse_rate(text)


@pytest.mark.parametrize(
    ("text", "size_bytes"), [("1", 1), ("500MB", 500_000_000), ("1.5GiB", 3 * 2**29), ("2 G", 2**31), (" 1K ", 1024)]
)
def test_a_size_is_bytes(text: str, size_bytes: int) -> None:
    assert units.parse_size(text) == size_bytes


@pytest.mark.parametrize("text", ["", "0", "0.5", "-5MB", "MB", "5MB/s", "5Mb", "1e6", "much"])
def test_what_is_no_size_is_an_error(text: str) -> None:
    with pytest.raises(UnitError, match="is not a size"):
        units.parse_size(text)


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (1024**2 - 1, "1.0 MiB"),
        (13_207_024_435, "12.3 GiB"),
        (2**63, "8.0 EiB"),
        (2**80, "1048576.0 EiB"),
    ],
)
def test_sizes_are_in_binary_units(size_bytes: int, text: str) -> None:
    assert units.format_bytes(size_bytes) == text


@given(st.integers(min_value=1024, max_value=2**62))
def test_a_size_has_never_four_digits_before_the_point(size_bytes: int) -> None:
    assert float(units.format_bytes(size_bytes).split()[0]) < 1024


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0s"),
        (0.42, "0.4s"),
        (9.96, "10s"),
        (42.4, "42s"),
        (59.6, "1m00s"),
        (185, "3m05s"),
        (7200, "2h00m"),
        (792_000, "9d04h"),
    ],
)
def test_durations_for_people(seconds: float, text: str) -> None:
    assert units.format_duration(seconds) == text


def test_counts_agree_with_their_noun() -> None:
    assert units.format_count(1, "blob") == "1 blob"
    assert units.format_count(0, "blob") == "0 blobs"
    assert units.format_count(2, "repository", "repositories") == "2 repositories"


def test_shares_have_digits_only_where_they_say_something() -> None:
    assert units.format_share(0.3) == "30%"
    assert units.format_share(0.9994) == "99.9%"
