"""That the page about looking tells the truth."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from command import run
from tiny_store import TinyStore

PAGE = (Path(__file__).parents[2] / "docs" / "looking.md").read_text()
ROOT = "/var/lib/registry"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def store(tmp_path: Path) -> TinyStore:
    """The store that the page shows."""
    store = TinyStore(tmp_path / "store")
    store.image("team/app", "1.0", [b"base", b"app" * 400])
    store.image("team/app", None, [b"base", b"old"])
    store.image("team/web", "2.0", [b"base", b"web"])
    store.blob(b"orphan" * 1000)
    return store


@pytest.fixture
def quarantine(store: TinyStore, tmp_path: Path) -> TinyStore:
    """The store of which the page says what lies aside."""
    store.image("team/app", "0.9", [b"base", b"past"])
    policy, plan = tmp_path / "policy.yml", tmp_path / "plan.csv"
    rule = "delete: {tags: ['0.9']}\n    untagged: {older_than: 1h}"
    policy.write_text(f"version: 1\npolicies:\n  - repositories: ['**']\n    {rule}\n")
    assert run("plan", str(store.root), "--policy", str(policy), "--output", str(plan)).returncode == 0
    assert run("apply", str(plan)).returncode == 0
    return store


def timeless(text: str) -> str:
    """Without runs' names and anything else that a clock decides on."""
    text = re.sub(r"\b\d{8}T\d{6}Z-[0-9a-f]{8}\b", "RUN", text)
    text = re.sub(r"\b\d{4}-\d\d-\d\dT[\d:]+Z", "TIME", text)
    return re.sub(r"confirmed in [\dms]+", "confirmed in TIME", text)


@pytest.mark.parametrize("block", blocks("console"))
def test_commands_say_what_the_page_shows(block: str, request: pytest.FixtureRequest) -> None:
    store = request.getfixturevalue("quarantine" if "quarantined" in block else "store")
    command, _, shown = block.partition("\n")
    words = command.replace(ROOT, str(store.root)).split()
    assert words[:2] == ["$", "regsweep"]
    assert timeless(run(*words[2:]).stdout) == timeless(shown.replace(ROOT, str(store.root)))


def test_the_python_example_runs(store: TinyStore) -> None:
    (example,) = blocks("python")
    example = example.replace(ROOT, str(store.root))
    done = subprocess.run([sys.executable, "-c", example], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[:2] == ["team/app 2168 2164", "team/web 488 484"]
    assert len(done.stdout.splitlines()) == 2 + 5


@pytest.mark.parametrize("command", ["du", "why"])
def test_every_option_is_on_the_page(command: str) -> None:
    options = set(re.findall(r"--[a-z-]+", run(command, "--help").stdout)) - {"--help"}
    section = PAGE.partition(f"## `regsweep {command}`")[2].partition("\n## ")[0]
    assert options - set(re.findall(r"--[a-z-]+", section)) == set()
