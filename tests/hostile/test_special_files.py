"""Symbolic links, pipes and sockets in every place of the tree: never followed, never waited for, never removed.

Where the layout has a directory, or a `link` or `data` that has to be looked at, the run ends with exit code 1 and
nothing removed. In other places they are left alone.
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from support import documents
from support.compatibility import shows
from support.documents import absent
from support.reference import run_regsweep
from support.store_builder import TOP, Store, snapshot

FLAGS = ("--delete-untagged", "--override=newer-than-tags")


def populated() -> tuple[Store, dict[str, str]]:
    """A store with garbage in it, and its places by name."""
    store = Store()
    app = store.repository("library/app")
    unused = app.layer("unused")
    old = app.image("old layer", tag="latest")
    live = app.image("layer", app.layer_by_sha512("by sha512"), tag="latest")
    alias = documents.digest_of(b"by sha512", "sha512")
    prefix = f"blobs/sha256/{live.digest.split(':')[1][:2]}"
    return store, {
        "repositories": "repositories",
        "namespace": "repositories/library",
        "repository": "repositories/library/app",
        "_manifests": app.path("_manifests"),
        "_layers": app.path("_layers"),
        "revisions": app.path("_manifests/revisions"),
        "revisions of an algorithm": app.path("_manifests/revisions/sha256"),
        "revision": app.revision_path(live.digest).removesuffix("/link"),
        "revision link": app.revision_path(live.digest),
        "untagged revision link": app.revision_path(old.digest),
        "tags": app.path("_manifests/tags"),
        "tag": app.path("_manifests/tags/latest"),
        "current": app.path("_manifests/tags/latest/current"),
        "tag link": app.tag_path("latest"),
        "layers of an algorithm": app.path("_layers/sha256"),
        "aliased layer": app.layer_path(alias).removesuffix("/link"),
        "aliased layer link": app.layer_path(alias),
        "unused layer": app.layer_path(unused.digest).removesuffix("/link"),
        "unused layer link": app.layer_path(unused.digest),
        "blobs": "blobs",
        "blobs of an algorithm": "blobs/sha256",
        "blob prefix": prefix,
        "manifest blob": f"{prefix}/{live.digest.split(':')[1]}",
        "manifest data": f"{prefix}/{live.digest.split(':')[1]}/data",
        "unused blob": _blob(unused.digest),
        "unused data": f"{_blob(unused.digest)}/data",
    }


def _blob(digest: str) -> str:
    hexadecimal = digest.split(":")[1]
    return f"blobs/sha256/{hexadecimal[:2]}/{hexadecimal}"


PLACES = sorted(populated()[1])


def link_to_itself_elsewhere(path: Path, elsewhere: Path) -> None:
    """As an operator does who needs room: the content is moved to another disk and linked."""
    if path.exists():
        shutil.move(path, elsewhere)
    path.symlink_to(elsewhere)


def link_to_nothing(path: Path, elsewhere: Path) -> None:
    remove(path)
    path.symlink_to(elsewhere / "nothing")


def pipe(path: Path, _: Path) -> None:
    remove(path)
    os.mkfifo(path)


def unix_socket(path: Path, _: Path) -> None:
    remove(path)
    # A socket's path may have no more than 107 bytes, so it is made where paths are short.
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        made = Path(directory) / "s"
        socket.socket(socket.AF_UNIX).bind(str(made))
        shutil.move(made, path)


def remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


WAYS = [link_to_itself_elsewhere, link_to_nothing, pipe, unix_socket]
Way = Callable[[Path, Path], None]


@shows("special-files")
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("way", WAYS)
def test_where_the_layout_has_something_else_the_run_ends(tmp_path: Path, place: str, way: Way) -> None:
    store, places = populated()
    root = store.write(tmp_path / "storage")
    way(root / TOP / places[place], tmp_path / "elsewhere")
    before = snapshot(tmp_path)
    run = run_regsweep(root, *FLAGS)
    assert run.exit_code == 1, (run.stdout, run.stderr)
    assert run.stdout == ""
    assert places[place] in run.stderr
    assert without_config(snapshot(tmp_path)) == before


@pytest.mark.parametrize("above", ["docker", "docker/registry", "docker/registry/v2"])
@pytest.mark.parametrize("way", WAYS)
def test_above_the_store_too(tmp_path: Path, above: str, way: Way) -> None:
    root = populated()[0].write(tmp_path / "storage")
    way(root / above, tmp_path / "elsewhere")
    before = snapshot(tmp_path)
    assert run_regsweep(root, *FLAGS).exit_code == 1
    assert without_config(snapshot(tmp_path)) == before


def test_the_root_itself_may_be_a_symbolic_link(tmp_path: Path) -> None:
    root = populated()[0].write(tmp_path / "real")
    (tmp_path / "storage").symlink_to(root)
    run = run_regsweep(tmp_path / "storage", *FLAGS)
    assert run.exit_code == 0, run.stderr
    assert run.blobs


ELSEWHERE = [
    "stray",
    "repositories/library/app/_uploads",
    "repositories/library/app/_uploads/session",
    "repositories/library/app/_odd",
    "repositories/library/app/_manifests/odd",
]


@shows("special-files")
@pytest.mark.parametrize("place", ELSEWHERE)
@pytest.mark.parametrize("way", WAYS)
def test_elsewhere_they_are_left_alone(tmp_path: Path, place: str, way: Way) -> None:
    store, _ = populated()
    root = store.write(tmp_path / "storage")
    path = root / TOP / place
    path.parent.mkdir(parents=True, exist_ok=True)
    way(path, tmp_path / "elsewhere")
    run = run_regsweep(root, *FLAGS)
    assert run.exit_code == 0, run.stderr
    assert run.blobs
    assert os.path.lexists(path)


@pytest.mark.parametrize("way", WAYS)
def test_a_history_that_is_no_directory_stops_the_sweep_before_it_removes_anything(tmp_path: Path, way: Way) -> None:
    store, _ = populated()
    root = store.write(tmp_path / "storage")
    history = root / TOP / "repositories/library/app/_manifests/tags/latest/index"
    way(history, tmp_path / "elsewhere")
    before = snapshot(tmp_path)
    run = run_regsweep(root, *FLAGS)
    assert run.exit_code == 1, run.stderr
    assert "tags/latest/index" in run.stderr
    assert "nothing was removed" in run.stderr
    assert without_config(snapshot(tmp_path)) == without_config(before)


def test_a_swapped_directory_of_a_removed_link_is_not_followed(tmp_path: Path) -> None:
    """Removal goes by directory handles: a link to `..` in a digest's place removes nothing beside it."""
    store, _ = populated()
    app = store.repository("library/app")
    gone = absent("gone")
    store.symlink(app.layer_path(gone.digest).removesuffix("/link"), "../../..")
    root = store.write(tmp_path / "storage")
    before = snapshot(root)
    assert run_regsweep(root, *FLAGS).exit_code == 1
    assert snapshot(root) == before


def without_config(found: dict[str, str | bytes | None]) -> dict[str, str | bytes | None]:
    return {path: content for path, content in found.items() if path != "config.yml"}
