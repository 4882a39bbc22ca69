"""``regsweep policy import``: where the policy goes, what is said beside it, and that its page tells the truth."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "policy-import.md"
DATA = ROOT / "tests" / "data" / "policy_import"

# What can be imported of the published examples, by its command's last arguments.
IMPORTS = [
    *(("ecr", f"ecr/{name}.json", "--repository", "app") for name in ("all-images-b", "multiple-tags-a")),
    *(("harbor", f"harbor/{name}.json", "--project", "library") for name in ("retention", "upgrade")),
    ("zot", "zot/config-retention.json"),
    ("gitlab", "gitlab/workflow.json", "--project", "group/project"),
    *(("acr", f"acr/{name}.txt") for name in ("keep", "untagged-only")),
]


def regsweep(*arguments: str, cwd: Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "regsweep", "policy", *arguments]
    return subprocess.run(command, cwd=cwd, input=stdin, capture_output=True, text=True, check=False)


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found is not None
    return found[1]


def test_the_page_shows_what_import_says(tmp_path: Path) -> None:
    (tmp_path / "lifecycle.json").write_text(block("json"))
    command, *shown = block("console").splitlines()
    result = regsweep(*command.removeprefix("$ regsweep policy ").split(), cwd=tmp_path)
    assert result.returncode == 0
    assert (result.stdout + result.stderr).splitlines() == shown


@pytest.mark.parametrize("arguments", IMPORTS, ids=lambda arguments: arguments[1])
def test_what_is_imported_passes_the_check_and_is_the_same_each_time(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    imported = regsweep("import", *arguments, cwd=DATA)
    assert imported.returncode == 0, imported.stderr
    (tmp_path / "policy.yml").write_text(imported.stdout)
    checked = regsweep("check", "policy.yml", cwd=tmp_path)
    assert (checked.returncode, checked.stdout[:10]) == (0, "policy.yml")
    assert regsweep("import", *arguments, cwd=DATA).stdout == imported.stdout
    for line in imported.stderr.splitlines():
        assert re.match(rf"{arguments[1]}(:\d+)?: warning: ", line)


def test_a_file_is_written_once_and_standard_input_is_read(tmp_path: Path) -> None:
    text = (DATA / "acr" / "one-day.txt").read_text()
    written = regsweep("import", "acr", "-", "--output", "policy.yml", cwd=tmp_path, stdin=text)
    assert (written.returncode, written.stdout) == (0, "")
    assert written.stderr.startswith("standard input: warning: locked tags")
    policy = (tmp_path / "policy.yml").read_text()
    assert policy == regsweep("import", "acr", "-", cwd=tmp_path, stdin=text).stdout
    again = regsweep("import", "acr", "-", "--output", "policy.yml", cwd=tmp_path, stdin=text)
    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr == "policy.yml: cannot be written: File exists\n"
    assert (tmp_path / "policy.yml").read_text() == policy


def test_errors_name_the_place_and_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "h.json").write_text('{"algorithm": "or",\n "scope": {"level": "project"},\n "rulez": []}')
    result = regsweep("import", "harbor", "h.json", "--project", "library", "--output", "policy.yml", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.splitlines() == [
        "h.json:1: has no rule that is not disabled: nothing to import",
        "h.json:3: the document has 'rulez', which is not known here; did you mean 'rules'?",
    ]
    assert not (tmp_path / "policy.yml").exists()
    missing = regsweep("import", "zot", "none.json", cwd=tmp_path)
    assert (missing.returncode, missing.stderr) == (1, "none.json: cannot be read: No such file or directory\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("harbor", "x.json"), "Missing option '--project'"),
        (("harbor", "x.json", "--project", "a/b"), "'a/b' is not a name like library"),
        (("gitlab", "x.json", "--project", "**"), "'**' is not a name like group/project"),
        (("ecr", "x.json", "--repository", "a/"), "'a/' matches no repository"),
        (("quay", "x.json"), "No such command 'quay'"),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...], message: str, tmp_path: Path) -> None:
    result = regsweep("import", *arguments, cwd=tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert message in result.stderr
