"""The README's examples, run as they stand, on a sample store."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from regsweep import _core

README = (Path(__file__).parent.parent / "README.md").read_text()
SCRIPTS = Path(sys.executable).parent


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.fixture
def registry(tmp_path: Path) -> Path:
    """A storage root with its configuration beside it."""
    _core.generate_store(tmp_path / "registry", '{"repositories": 3, "images": 5, "orphans": 5}')
    config = tmp_path / "config.yml"
    config.write_text(f"version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {tmp_path / 'registry'}\n")
    return tmp_path


def run_shell(command: str, directory: Path) -> subprocess.CompletedProcess[str]:
    command = command.replace("/etc/docker/registry/config.yml", str(directory / "config.yml"))
    # Nobody sleeps here; and no request is in flight.
    command = command.replace("regsweep confirm", "regsweep confirm --settle 0").replace(
        "regsweep run ", "regsweep run --settle 0 "
    )
    environment = {**os.environ, "PATH": f"{SCRIPTS}:{os.environ['PATH']}"}
    return subprocess.run(
        ["bash", "-ec", command], cwd=directory, env=environment, capture_output=True, text=True, check=False
    )


def first_night() -> list[str]:
    section = README.partition("## Your first night")[2].partition("\n## ")[0]
    return re.findall(r"```sh\n(.*?)```", section, re.DOTALL)


def test_the_first_night_goes_as_the_readme_says(registry: Path) -> None:
    (policy,) = blocks("yaml")
    (registry / "policy.yml").write_text(policy)
    top = registry / "registry" / "docker"
    month = 40 * 86400
    for path in top.rglob("*"):
        if path.is_file():
            os.utime(path, (path.stat().st_mtime - month,) * 2)
    before = {path: path.read_bytes() for path in top.rglob("*") if path.name == "link"}
    outputs = []
    for block in first_night():
        done = run_shell(block, registry)
        assert done.returncode == 0, (block, done.stderr)
        outputs.append(done.stdout)
        if "undo" in block:
            assert {path: path.read_bytes() for path in top.rglob("*") if path.name == "link"} == before
    assert "would free" in outputs[0]
    assert "set aside" in outputs[1]
    assert "confirmed 1 run" in outputs[1]
    assert "brought back run" in outputs[2]
    assert "set aside" in outputs[3]


@pytest.mark.parametrize(
    "command", [block for block in blocks("sh") if block.startswith("regsweep") and block not in first_night()]
)
def test_command_does_what_the_readme_says(command: str, registry: Path) -> None:
    done = run_shell(command, registry)
    assert done.returncode == 0, done.stderr
    if "--dry-run" in command:
        assert "would free" in done.stderr
    elif "garbage-collect" in command:
        assert "freed" in done.stderr


def test_every_command_block_is_run_here_or_by_another_test() -> None:
    rest = [block.strip() for block in blocks("sh") if not block.startswith("regsweep")]
    # `make demo` and `make test` run this; `pip install .` is run by tests/test_packaging.py.
    assert rest == ["make demo", "make test", "pip install ."]


def test_python_example_runs(registry: Path) -> None:
    (example,) = blocks("python")
    example = example.replace("/var/lib/registry", str(registry / "registry"))
    done = subprocess.run([sys.executable, "-c", example], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(r"freed \d+ bytes; 0 failures", done.stdout)


def test_exit_codes_are_those_of_the_program() -> None:
    from regsweep import exit_codes

    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", README, re.MULTILINE)}
    assert listed == {
        exit_codes.DONE,
        exit_codes.FAILED,
        exit_codes.USAGE,
        exit_codes.DONE_WITH_DAMAGE,
        exit_codes.REFUSED,
        exit_codes.INTERRUPTED,
    }
