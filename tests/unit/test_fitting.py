"""Text that fits: columns, widths, digests and long chains."""

from __future__ import annotations

import io

import pytest

from regsweep.cli import fitting, output

ROWS = [("SIZE", "TAGS", "NAME"), ("1.5 KiB", "3", "a"), ("2 B", "12", "library/alpine-with-a-long-name")]


def test_numbers_are_aligned_to_the_right_and_the_last_column_is_not_padded() -> None:
    assert list(output.table(ROWS, ">><")) == [
        "   SIZE  TAGS  NAME",
        "1.5 KiB     3  a",
        "    2 B    12  library/alpine-with-a-long-name",
    ]


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (46, "    2 B    12  library/alpine-with-a-long-name"),
        (45, "    2 B  library/alpine-with-a-long-name"),
        (34, "    2 B  library/alp...a-long-name"),
        (5, "    2 B  library/...long-name"),
    ],
)
def test_what_does_not_fit_is_left_out_and_then_shortened(width: int, expected: str) -> None:
    *_, last = output.table(ROWS, ">><", width=width, expendable=[1])
    assert last == expected


def test_names_are_shortened_in_their_middle() -> None:
    assert fitting.shortened("abcdefghij", 10) == "abcdefghij"
    assert fitting.shortened("abcdefghijk", 10) == "abc...hijk"
    assert len(fitting.shortened("abcdefghijk", 1)) == 5


def test_long_chains_go_on_in_the_next_line() -> None:
    parts = ["tag a:1", "index 1234", "layer 5678"]
    assert list(fitting.wrapped(parts, "->", indent="  ", width=None)) == ["  tag a:1 -> index 1234 -> layer 5678"]
    assert list(fitting.wrapped(parts, "->", indent="  ", width=28)) == [
        "  tag a:1 -> index 1234 ->",
        "    layer 5678",
    ]
    assert list(fitting.wrapped(parts, "->", indent="  ", width=5)) == [
        "  tag a:1 ->",
        "    index 1234 ->",
        "    layer 5678",
    ]


def test_digests_are_shortened_to_twelve_digits() -> None:
    assert fitting.short_digest(f"sha256:{'ab' * 32}") == "abababababab"
    assert fitting.short_digest(f"sha512:{'ab' * 64}") == "sha512:abababababab"


def test_what_there_is_too_much_of_is_counted() -> None:
    assert fitting.enumerated(["a"]) == "a"
    assert fitting.enumerated(["a", "b", "c"]) == "a, b and c"
    assert fitting.enumerated(["a", "b", "c", "d"], 2) == "a, b and 2 more"
    assert fitting.enumerated(["a", "b"], 2) == "a and b"


def test_only_a_terminal_has_a_width() -> None:
    assert fitting.width_of(io.StringIO()) is None
