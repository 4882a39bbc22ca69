"""``regsweep empty``: what it lists, what it removes, and that nothing else ever goes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from importlib import resources
from pathlib import Path

import pytest
from command import run
from jsonschema import Draft202012Validator
from support.powers import without_powers
from support.store_builder import TOP, Store, snapshot

import regsweep
from regsweep.lock import StoreLock

DAY = 86400.0


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A storage in which `team/old` was emptied, and `team/app` is in use."""
    store = Store()
    app = store.repository("team/app")
    app.tag("v1", app.image("shared", "own"))
    old = store.repository("team/old")
    old.tag("v1", old.image("shared", "of old"))
    root = tmp_path / "storage"
    store.write(root)
    for link in (root / TOP / "repositories/team/old").rglob("link"):
        link.unlink()
    for blob in (root / TOP / "blobs").rglob("data"):
        if b"of old" in blob.read_bytes():
            blob.unlink()
    age(root, 2)
    return root


def age(top: Path, days: float) -> None:
    moment = time.time() - days * DAY
    for path in [*top.rglob("*"), top]:
        os.utime(path, (moment, moment))


def empty(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return run("empty", *map(str, arguments))


def contents(root: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in (root / TOP).rglob("*") if path.is_file()}


def hollow(top: Path) -> set[str]:
    """Directories with no file below."""
    found = (path for path in top.rglob("*") if path.is_dir())
    return {str(path.relative_to(top)) for path in found if not any(one.is_file() for one in path.rglob("*"))}


def test_what_is_empty_is_listed_and_stays(root: Path) -> None:
    before = snapshot(root)
    shown = empty(root)
    assert (shown.returncode, shown.stdout) == (0, "team/old\n")
    assert "1 repository among them; --purge would remove them" in shown.stderr
    assert snapshot(root) == before


def test_a_purge_removes_all_of_it_at_once_and_nothing_else(root: Path) -> None:
    files = contents(root)
    # Inner directories of what stays.
    stay = {"blobs/sha256/", "repositories/team/app/_uploads"}
    expected = {path for path in hollow(root / TOP) if path[:-2] not in stay and path not in stay}
    listed = empty(root).stderr.splitlines()[-1].split()[0]
    done = empty(root, "--purge")
    assert (done.returncode, done.stdout) == (0, "team/old\n")
    assert f"removed {listed} empty directories, 1 repository among them" in done.stderr
    assert int(listed) == len(expected)
    assert not hollow(root / TOP) & expected
    assert contents(root) == files
    assert not (root / TOP / "repositories/team/old").exists()
    assert (root / TOP / "repositories/team/app").is_dir()
    assert "removed 0 empty directories" in empty(root, "--purge").stderr


def test_a_repository_that_changed_today_stays(root: Path) -> None:
    (root / TOP / "repositories/team/old/_layers/sha256").touch()
    assert empty(root, "--purge").stdout == ""
    assert (root / TOP / "repositories/team/old/_manifests/tags").is_dir()
    assert empty(root, "--purge", "--older-than", "0s").stdout == "team/old\n"


def test_the_inner_directories_of_a_repository_in_use_stay(root: Path) -> None:
    tags = root / TOP / "repositories/team/app/_manifests/tags"
    for link in tags.rglob("link"):
        link.unlink()
    age(root, 2)
    empty(root, "--purge")
    assert list(tags.iterdir()) == []


def test_the_json_follows_its_schema(root: Path, tmp_path: Path) -> None:
    schema = json.loads((resources.files("regsweep") / "schema/empty-1.schema.json").read_text())
    for option, purge in ((), False), (("--purge",), True):
        empty(root, *option, "--json", tmp_path / "result.json")
        document = json.loads((tmp_path / "result.json").read_text())
        Draft202012Validator(schema).validate(document)
        assert document["options"]["purge"] is purge
        assert document["repositories"] == [{"name": "team/old"}]
        assert document["directory_count"] > 5


def test_a_directory_that_cannot_be_removed_is_named_and_stops_nothing(root: Path) -> None:
    kept = root / TOP / "repositories/team/old/_layers/sha256"
    names = sorted(path.name for path in kept.iterdir())
    kept.chmod(0o555)
    command = without_powers([sys.executable, "-m", "regsweep", "empty", str(root), "--purge"])
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    kept.chmod(0o755)
    assert done.returncode == 3
    assert all(f"failed to remove {TOP}/repositories/team/old/_layers/sha256/{name}" in done.stderr for name in names)
    assert sorted(path.name for path in kept.iterdir()) == names
    assert not list((root / TOP / "repositories/team/old/_manifests/tags").glob("*"))


def test_another_run_at_work_is_waited_for_by_nobody(root: Path) -> None:
    before = hollow(root / TOP)
    with StoreLock(regsweep.open(root).own_files, "apply"):
        done = empty(root, "--purge")
    assert done.returncode == 4
    assert hollow(root / TOP) == before


def test_from_python(root: Path) -> None:
    store = regsweep.open(root)
    assert store.empty().repositories == ["team/old"]
    assert store.empty(older_than=3 * DAY).directory_count == 0
    removed = regsweep.remove_empty(store)
    assert removed.repositories == ["team/old"]
    assert not removed.failures
    assert not removed.interrupted


def test_what_was_set_aside_comes_back_although_its_place_is_gone(root: Path, tmp_path: Path) -> None:
    plan = str(tmp_path / "plan")
    before = contents(root)
    run("rm", str(root), "team/app", "--output", plan, "--override", "nothing-marked")
    applied = run("apply", plan, "--override", "nothing-marked")
    assert applied.returncode == 0, applied.stderr
    assert "team/app\n" in empty(root, "--purge", "--older-than", "0s").stdout
    assert not (root / TOP / "repositories/team").exists()
    (found,) = json.loads(run("runs", str(root), "--json", "-").stdout)["runs"]
    undone = run("undo", str(root), found["id"])
    assert undone.returncode == 0, undone.stderr
    assert contents(root) == before
