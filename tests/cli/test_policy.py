"""``regsweep policy``, and that the page about it tells the truth."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "policy.md"


def regsweep(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "regsweep", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found is not None
    return found[1]


def test_the_page_shows_what_check_says(tmp_path: Path) -> None:
    (tmp_path / "policy.yml").write_text(block("yaml"))
    command, *shown = block("console").splitlines()
    result = regsweep(*command.removeprefix("$ regsweep ").split(), cwd=tmp_path)
    assert result.returncode == 0
    assert (result.stdout + result.stderr).splitlines() == shown


def test_errors_go_to_stderr_with_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "policy.yml").write_text("version: 1\npolicies:\n  - repositories: [a]\n    kep: []\n")
    result = regsweep("policy", "check", "policy.yml", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == "policy.yml:4: policies[0] has no 'kep'; did you mean 'keep'?\n"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    result = regsweep("policy", "check", "none.yml", cwd=tmp_path)
    assert result.returncode == 1
    assert result.stderr == "none.yml: cannot be read: No such file or directory\n"


def test_the_schema_is_printed_as_json(tmp_path: Path) -> None:
    result = regsweep("policy", "schema", cwd=tmp_path)
    assert json.loads(result.stdout)["title"] == "regsweep retention policy"
