"""Keep lists: every line is understood, or the run does not start."""

from pathlib import Path

import pytest

from regsweep import keep_list
from regsweep.errors import KeepListError

SHA256 = "sha256:" + "a" * 64
SHA384 = "sha384:" + "b" * 96
SHA512 = "sha512:" + "c" * 128


def test_all_forms_comments_and_blank_lines(tmp_path: Path) -> None:
    file = tmp_path / "keep"
    file.write_text(
        f"# live in production\n\n{SHA256}\n  team/app:1.0  # the old one\nteam/app@{SHA512}\nx:latest\r\n{SHA384}\n"
    )
    assert keep_list.read(file) == [SHA256, "team/app:1.0", SHA512, "x:latest", SHA384]


def test_an_entry_given_twice_counts_once() -> None:
    assert keep_list.parse([SHA256, f"a@{SHA256}", SHA256], "list") == [SHA256]


def test_an_empty_list_is_empty() -> None:
    assert keep_list.parse(["", "# nothing"], "list") == []


@pytest.mark.parametrize(
    "line",
    [
        "team/app",
        "team/app:",
        ":1.0",
        "Team/app:1.0",
        "team//app:1.0",
        "/team:1.0",
        "host:5000/team/app:1.0",
        "a:" + "t" * 129,
        "a:-t",
        "a b:1",
        "sha256:" + "a" * 63,
        "sha256:" + "A" * 64,
        "a@sha256:abc",
        f"{SHA256} {SHA256}",
        f"a:1@{SHA256}",
        "é:1",
    ],
)
def test_a_bad_line_names_file_and_line(line: str) -> None:
    with pytest.raises(KeepListError, match="list:2: ") as caught:
        keep_list.parse(["# first", line], "list")
    assert caught.value.key == "list:2"
    assert caught.value.next_step


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeepListError, match="No such file"):
        keep_list.read(tmp_path / "absent")
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe\n")
    with pytest.raises(KeepListError, match="not UTF-8"):
        keep_list.read(binary)
