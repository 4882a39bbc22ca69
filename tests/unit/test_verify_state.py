"""The state file: what it was saved for is what it is good for, and nothing else."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import regsweep
from regsweep.verify.feed import Position
from regsweep.verify.state import StateFile

REACHED = f"sha256:{7:064x}"
AGAIN = frozenset({f"sha256:{3:064x}", f"sha512:{5:0128x}"})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "storage"
    (root / "docker/registry/v2").mkdir(parents=True)
    return root


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state"


def open_state(path: Path, root: Path, *, repositories: Sequence[str] = (), now: float = 5000.0) -> StateFile:
    return StateFile(str(path), store=regsweep.open(root), repositories=repositories, now=lambda: now)


def save(path: Path, root: Path, *, is_complete: bool = False, repositories: Sequence[str] = ()) -> None:
    with open_state(path, root, repositories=repositories) as state:
        state.save(Position(REACHED, AGAIN), is_complete=is_complete)


def change(path: Path, **members: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **members}))


def test_a_run_goes_on_where_the_last_one_was(path: Path, root: Path) -> None:
    save(path, root)
    with open_state(path, root, now=9000.0) as state:
        assert state.begun.position == Position(REACHED, AGAIN)
        assert state.begun.started == 5000.0
        # With slack, for the storage may have a clock of its own.
        assert state.begun.rewritten_since == 5000.0 - 3600
        state.save(Position(REACHED))
    with open_state(path, root, now=10_000.0) as state:
        assert state.begun.started == 5000.0, "it is still the same pass"


def test_after_a_pass_comes_another(path: Path, root: Path) -> None:
    save(path, root, is_complete=True)
    with open_state(path, root, now=9000.0) as state:
        assert (state.begun.started, state.begun.position) == (9000.0, Position())


def test_a_new_file_begins_anew(path: Path, root: Path) -> None:
    with open_state(path, root) as state:
        assert (state.begun.started, state.begun.position) == (5000.0, Position())
    assert not path.exists()


def test_it_is_of_one_root(path: Path, root: Path, tmp_path: Path) -> None:
    save(path, root)
    other = tmp_path / "other"
    (other / "docker/registry/v2").mkdir(parents=True)
    with pytest.raises(regsweep.StateError, match="is of other root") as caught:
        open_state(path, other)
    assert caught.value.next_step
    (tmp_path / "link").symlink_to(root)
    with open_state(path, tmp_path / "link") as state:
        assert state.begun.position.reached == REACHED, "by another name"


def test_another_store_in_the_same_place_is_noticed(path: Path, root: Path) -> None:
    save(path, root)
    (root / "docker/registry/v2").rename(root / "docker/registry/old")
    (root / "docker/registry/v2").mkdir()
    with pytest.raises(regsweep.StateError, match="another store at the same place"):
        open_state(path, root)


def test_it_is_of_one_choice_of_repositories(path: Path, root: Path) -> None:
    save(path, root, repositories=["team/*", "app"])
    with open_state(path, root, repositories=["app", "team/*"]) as state:
        assert state.begun.position.reached == REACHED, "in whatever order"
    with pytest.raises(regsweep.StateError, match="is of other repositories"):
        open_state(path, root)


@pytest.mark.parametrize(
    "members",
    [
        {"format": "regsweep.verify-state/2"},
        {"reached": "sha256:zz"},
        {"reached": None},
        {"again": ["x"]},
        {"again": None},
        {"started": "today"},
    ],
)
def test_what_is_not_understood_is_refused(path: Path, root: Path, members: dict[str, Any]) -> None:
    save(path, root)
    change(path, **members)
    with pytest.raises(regsweep.StateError):
        open_state(path, root)


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "\xff"])
def test_what_is_no_state_at_all_is_refused_and_kept(path: Path, root: Path, content: str) -> None:
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(regsweep.StateError):
        open_state(path, root)
    assert path.read_bytes() == content.encode("latin-1")


def test_it_is_used_by_one_run_at_a_time(path: Path, root: Path) -> None:
    with open_state(path, root), pytest.raises(regsweep.StateError, match="in use by another run"):
        open_state(path, root)
    with open_state(path, root):
        pass


def test_it_is_replaced_at_once_or_not_at_all(path: Path, root: Path) -> None:
    save(path, root)
    before = path.read_text()
    with open_state(path, root) as state:
        inode = path.stat().st_ino
        state.save(Position(f"sha256:{8:064x}"))
        assert path.stat().st_ino != inode
        path.unlink()
        path.mkdir()
        with pytest.raises(regsweep.StateError, match="cannot write"):
            state.save(Position())
    assert sorted(one.name for one in path.parent.iterdir()) == ["state", "state.lock", "storage"]
    assert "reached" in before


def test_a_place_that_cannot_be_written_to_is_named(root: Path, tmp_path: Path) -> None:
    with pytest.raises(regsweep.StateError, match="No such file or directory") as caught:
        open_state(tmp_path / "no" / "state", root)
    assert caught.value.key == os.fspath(tmp_path / "no" / "state")
