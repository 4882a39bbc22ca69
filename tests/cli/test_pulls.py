"""``regsweep pulls``, and that the page about it tells the truth."""

from __future__ import annotations

import gzip
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "pulls.md"
DIGEST = "sha256:9c1f6cd3d1a1e5b1c40ab0e9c3f15f8a3d9c1d2f0c9b0a7e8d6c5b4a39281706"


def regsweep(*arguments: str, cwd: Path, standard_input: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "regsweep", *arguments]
    return subprocess.run(command, cwd=cwd, input=standard_input, capture_output=True, check=False, timeout=60)


def line(time: str, path: str) -> str:
    return f'127.0.0.1 - - [{time} +0000] "GET {path} HTTP/1.1" 200 2 "" "skopeo/1.9.3"\n'


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Two rotated logs."""
    (tmp_path / "access.log.1").write_text(
        line("01/Mar/2026:00:00:04", "/v2/")
        + line("01/Mar/2026:12:00:00", f"/v2/team/app/manifests/{DIGEST}")
        + line("01/Mar/2026:23:59:58", "/v2/team/app/manifests/1.0")
    )
    (tmp_path / "access.log").write_text(
        line("02/Mar/2026:00:00:02", "/v2/")
        + line("02/Mar/2026:08:00:00", "/v2/team/web/manifests/2.0")
        + line("02/Mar/2026:09:30:00", "/v2/team/web/manifests/2.0")
        + "logrotate was here\n"
    )
    return tmp_path


def test_the_page_shows_what_the_commands_say(directory: Path) -> None:
    console, file = re.findall(r"```(?:console)?\n(.*?)```", PAGE.read_text(), re.DOTALL)[:2]
    shown = re.split(r"^\$ regsweep (.*)\n", console, flags=re.MULTILINE)[1:]
    assert len(shown) == 6
    for command, output in zip(shown[::2], shown[1::2], strict=True):
        done = regsweep(*command.split(), cwd=directory)
        assert done.returncode == 0, done.stderr
        assert (done.stdout + done.stderr).decode() == output
    assert (directory / "pulls.csv").read_text() == file


def test_the_page_is_right_about_the_library(directory: Path) -> None:
    code = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert code is not None
    script = f"{code[1]}\nprint(known.since, known.until, known.last_pull('team/app', '1.0', '{DIGEST}'))\n"
    done = subprocess.run([sys.executable, "-c", script], cwd=directory, capture_output=True, text=True, check=True)
    assert done.stdout == "1772409602 1772443800 None\n"


def test_compressed_logs_and_standard_input(directory: Path) -> None:
    old = directory / "access.log.1"
    (directory / "access.log.1.gz").write_bytes(gzip.compress(old.read_bytes()))
    content = (directory / "access.log").read_bytes()
    done = regsweep("pulls", "update", "pulls.csv", "access.log.1.gz", "-", cwd=directory, standard_input=content)
    assert done.stdout.startswith(
        b"pulls.csv: 7 lines, 4 pulls, 1 line not understood; pulls are known from 2026-03-01T"
    )
    assert done.stderr.startswith(b"warning: -:4: ")


def test_a_gap_is_said_with_what_to_do_about_it(directory: Path) -> None:
    (directory / "access.log.1").write_text(line("01/Mar/2026:12:00:00", "/v2/team/app/manifests/1.0"))
    (directory / "access.log").write_text(line("02/Mar/2026:00:00:02", "/v2/team/web/manifests/2.0"))
    done = regsweep("pulls", "update", "pulls.csv", "access.log.1", "access.log", cwd=directory)
    assert b"pulls are known from 2026-03-02T00:00:02Z" in done.stdout
    assert done.stderr.decode() == (
        "warning: there may be a gap before 2026-03-02T00:00:02Z: pulls count as known from then on only. If no log is "
        "missing, add --since 2026-03-01T12:00:00Z\n"
    )
    stated = regsweep("pulls", "update", "pulls.csv", "access.log", "--since", "2026-03-01", cwd=directory)
    assert (stated.returncode, stated.stderr) == (0, b"")
    assert b"pulls are known from 2026-03-01T00:00:00Z to 2026-03-02T00:00:02Z" in stated.stdout
    again = regsweep("pulls", "update", "pulls.csv", "access.log", "access.log.1", cwd=directory)
    assert (again.stdout.partition(b";")[2], again.stderr) == (stated.stdout.partition(b";")[2], b"")


def test_logs_without_pulls_are_remarked(directory: Path) -> None:
    (directory / "access.log").write_text(line("02/Mar/2026:00:00:02", "/v2/"))
    done = regsweep("pulls", "update", "pulls.csv", "access.log", cwd=directory)
    assert (done.returncode, done.stdout[:28]) == (0, b"pulls.csv: 1 line, 0 pulls, ")
    assert done.stderr.startswith(b"warning: no pulls in these logs")


def test_one_repository_is_shown(directory: Path) -> None:
    regsweep("pulls", "update", "pulls.csv", "access.log.1", "access.log", cwd=directory)
    done = regsweep("pulls", "show", "pulls.csv", "team/app", cwd=directory)
    assert done.stdout.decode().splitlines()[1:] == [
        "team/app: 1 tag, 1 digest",
        f"oldest: team/app@{DIGEST} 2026-03-01T12:00:00Z",
        "newest: team/app:1.0 2026-03-01T23:59:58Z",
    ]
    assert regsweep("pulls", "show", "pulls.csv", "team", cwd=directory).stdout.endswith(b"team: 0 tags, 0 digests\n")


def test_one_item_is_shown_with_the_time_that_is_known(directory: Path) -> None:
    regsweep("pulls", "update", "pulls.csv", "access.log.1", cwd=directory)
    found = regsweep("pulls", "show", "pulls.csv", f"team/app@{DIGEST}", cwd=directory)
    assert found.stdout.decode() == f"team/app@{DIGEST}: last pulled 2026-03-01T12:00:00Z\n"
    absent = regsweep("pulls", "show", "pulls.csv", "team/app:2.0", cwd=directory)
    assert (absent.returncode, absent.stdout) == (0, b"team/app:2.0: no pull is known\n")
    assert absent.stderr.decode() == "pulls.csv: pulls are known from 2026-03-01T00:00:04Z to 2026-03-01T23:59:58Z\n"


def test_errors_go_to_stderr_with_the_next_step(directory: Path) -> None:
    (directory / "bad").write_text("something else\n")
    for arguments, said in (
        (["update", "pulls.csv", "bad"], "bad:1: not understood, and nor is any other line: 'something else'\nhint: "),
        (["update", "pulls.csv", "none"], "read none: No such file or directory\nhint: nothing was recorded: "),
        (["show", "none.csv"], "open none.csv: No such file or directory\nhint: make it of the registry's logs: "),
        (["show", "bad"], "bad:1: no pull-times file, which begins with '# regsweep pulls 1'\nhint: "),
        (["update", "pulls.csv", "access.log", "--since", "2027-01-01"], "pulls cannot be known since 2027-01-01T00"),
    ):
        done = regsweep("pulls", *arguments, cwd=directory)
        assert (done.returncode, done.stdout) == (1, b"")
        assert done.stderr.decode().startswith(said)
    assert not (directory / "pulls.csv").exists()


@pytest.mark.parametrize(
    ("value", "reason"), [("yesterday", "is no time"), ("2026-03-01T12:00:00", "has no zone"), ("", "is no time")]
)
def test_a_stated_time_has_a_zone(value: str, reason: str, directory: Path) -> None:
    done = regsweep("pulls", "update", "pulls.csv", "access.log", "--since", value, cwd=directory)
    assert done.returncode == 2
    assert reason in done.stderr.decode()
    assert not (directory / "pulls.csv").exists()
