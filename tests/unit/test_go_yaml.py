"""Scalars mean what yaml.v2 says, not what YAML 1.1 or 1.2 says."""

import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regsweep import go_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("y", True),
        ("N", False),
        ("On", True),
        ("off", False),
        ("oN", "oN"),
        ("~", None),
        ("Null", None),
        ("nULL", "nULL"),
        ("0", 0),
        ("-5", -5),
        ("+7", 7),
        ("1_000", 1000),
        ("0x1F", 31),
        ("0b101", 5),
        ("0o17", 15),
        ("017", 15),
        ("08", 8.0),
        ("18446744073709551615", 2**64 - 1),
        ("18446744073709551616", float(2**64)),
        ("-9223372036854775809", -float(2**63)),
        ("1.5", 1.5),
        ("1.", 1.0),
        (".5", 0.5),
        ("1e3", 1000.0),
        (".inf", math.inf),
        ("1:30", "1:30"),
        ("2020-01-01", "2020-01-01"),
        ("+", "+"),
        (".", "."),
        ("0x", "0x"),
        ("1h", "1h"),
        ("<<", "<<"),
        ("٣", "٣"),
    ],
)
def test_plain_scalars(text: str, value: object) -> None:
    resolved = go_yaml.resolve(text)
    assert resolved == value
    assert type(resolved) is type(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("'5'", "5"),
        ('"y"', "y"),
        ("!!str 5", "5"),
        ("!!int 5", 5),
        ("!!float 5", 5.0),
        ("!custom x", "x"),
        ("!!null x", None),
        ("|\n  5\n", "5\n"),
        ("[1, 'a', ~]", [1, "a", None]),
        ("{1: a, b: {c: d}}", {1: "a", "b": {"c": "d"}}),
        ("a: 1\na: 2", {"a": 2}),
        ("", None),
    ],
)
def test_documents_without_a_wanted_type(text: str, value: object) -> None:
    assert go_yaml.decode(text, "any") == value


@pytest.mark.parametrize("text", ["!!int x", "!!bool 5", "? [a]\n: b", "<<: [1]"])
def test_what_yaml_v2_stops_at(text: str) -> None:
    with pytest.raises(go_yaml.YamlError, match=r"^yaml: "):
        go_yaml.decode(text, "any")


@given(st.text())
def test_any_text_is_decoded_or_refused_but_never_crashes(text: str) -> None:
    with contextlib.suppress(go_yaml.YamlError):
        go_yaml.decode(text, {"storage": ("named", ("map", "any")), "http": {"addr": "string"}})


@given(st.integers(min_value=-(2**63), max_value=2**64 - 1))
def test_every_integer_of_64_bits_is_read(number: int) -> None:
    assert go_yaml.resolve(str(number)) == number
