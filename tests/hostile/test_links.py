"""Links that contain what no registry writes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from support import documents
from support.reference import run_regsweep
from support.store_builder import TOP, Store, snapshot

DIGEST = documents.digest_of(b"victim").encode()
CONTENTS = {
    "empty": b"",
    "traversal": b"sha256:../../../../../../../../etc/passwd",
    "traversal of the right length": b"sha256:" + b"../" * 21 + b"x",
    "absolute": b"/etc/passwd",
    "newline": DIGEST + b"\n",
    "carriage return": DIGEST + b"\r\n",
    "space": b" " + DIGEST,
    "byte order mark": b"\xef\xbb\xbf" + DIGEST,
    "upper case": DIGEST.upper(),
    "no algorithm": DIGEST.partition(b":")[2],
    "unknown algorithm": b"md5:" + b"0" * 32,
    "short": DIGEST[:-1],
    "long": DIGEST + b"0",
    "two": DIGEST + DIGEST,
    "nul": DIGEST[:-1] + b"\0",
    "not UTF-8": b"sha256:" + b"\xff" * 64,
    "huge": b"x" * 2**20,
}


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
def test_a_tag_whose_link_is_no_digest_keeps_its_repository(tmp_path: Path, content: bytes) -> None:
    store = Store()
    app, other = store.repository("app"), store.repository("other")
    unused = app.layer("unused")
    app.image("layer")
    app.image("layer", tag="latest")
    store.put(app.tag_path("broken"), content)
    garbage = other.layer("garbage")
    root = store.write(tmp_path / "storage")
    run = run_regsweep(root, "--delete-untagged")
    assert run.exit_code == 3, run.stderr
    assert app.tag_path("broken") in run.stderr
    assert run.blobs == {garbage.digest}
    assert run.layer_links == {("other", garbage.digest)}
    assert unused.digest not in run.blobs


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
def test_a_manifest_link_counts_by_its_path(tmp_path: Path, content: bytes) -> None:
    store = Store()
    app = store.repository("app")
    manifest = app.image("layer")
    store.put(app.revision_path(manifest.digest), content)
    garbage = store.blob("garbage")
    run = run_regsweep(store.write(tmp_path / "storage"))
    assert (run.exit_code, run.blobs) == (0, {garbage.digest})


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
def test_a_sha512_layer_link_that_is_no_digest_keeps_its_repository(tmp_path: Path, content: bytes) -> None:
    store = Store()
    app = store.repository("app")
    layer = app.layer_by_sha512("layer")
    app.image(layer, tag="latest")
    store.put(app.layer_path(layer.digest), content)
    garbage = store.blob("garbage")
    run = run_regsweep(store.write(tmp_path / "storage"))
    assert (run.exit_code, run.blobs) == (3, {garbage.digest})
    assert app.layer_path(layer.digest) in run.stderr


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
def test_the_content_of_an_unused_layer_link_does_not_matter(tmp_path: Path, content: bytes) -> None:
    store = Store()
    app = store.repository("app")
    app.image("layer", tag="latest")
    unused = app.layer("unused")
    store.put(app.layer_path(unused.digest), content)
    root = store.write(tmp_path / "storage")
    run = run_regsweep(root)
    assert (run.exit_code, run.blobs, run.layer_links) == (0, {unused.digest}, {("app", unused.digest)})


NAMES = ["with space", "new\nline", "esc\x1b[31m", "UPPER", "a..b", "%s", "ünïcode", "-d", "x" * 250]


@pytest.mark.parametrize("name", NAMES)
def test_names_that_no_registry_serves_are_names(tmp_path: Path, name: str) -> None:
    store = Store()
    app = store.repository(name)
    app.image("layer", tag="latest")
    app.image("untagged layer")
    app.image("tagged layer", tag=name)
    root = store.write(tmp_path / "storage")
    run = run_regsweep(root, "--delete-untagged")
    assert run.exit_code == 0, run.stderr
    assert run.summary.endswith("3 blobs and 1 manifests eligible for deletion")
    assert "\x1b" not in run.stderr


def test_names_that_are_no_utf8_are_names(tmp_path: Path) -> None:
    store = Store()
    store.repository("plain").image("layer", tag="latest")
    root = store.write(tmp_path / "storage")
    repositories = (root / TOP / "repositories").as_posix().encode()
    Path((repositories + b"/plain").decode()).rename((repositories + b"/\xff\xfe").decode(errors="surrogateescape"))
    garbage = root / TOP / "blobs/sha256/00" / ("0" * 64) / "data"
    garbage.parent.mkdir(parents=True)
    garbage.write_bytes(b"")
    run = run_regsweep(root, f"--json={tmp_path / 'report.json'}")
    assert run.exit_code == 0, run.stderr
    assert run.blobs == {"sha256:" + "0" * 64}


def test_a_tree_deeper_than_any_path_is_an_error_and_no_crash(tmp_path: Path) -> None:
    store = Store()
    store.repository("app").image("layer", tag="latest")
    store.blob("garbage")
    root = store.write(tmp_path / "storage")
    before = snapshot(root)
    deep = root / TOP / "repositories" / "deep"
    deep.mkdir()
    descriptor = Descent(deep)
    for _ in range(3000):
        descriptor.down("d")
    run = run_regsweep(root)
    descriptor.remove()
    assert run.exit_code in (0, 1), run.stderr
    if run.exit_code == 1:
        assert snapshot(root) == before


class Descent:
    """Makes directories below each other, beyond what one path can name, and removes them again."""

    def __init__(self, top: Path) -> None:
        self._top = top
        self._open = [os.open(top, os.O_RDONLY)]

    def down(self, name: str) -> None:
        os.mkdir(name, dir_fd=self._open[-1])
        below = os.open(name, os.O_RDONLY, dir_fd=self._open[-1])
        if len(self._open) > 500:
            os.close(self._open[-1])
            self._open[-1] = below
        else:
            self._open.append(below)

    def remove(self) -> None:
        for descriptor in self._open:
            os.close(descriptor)
        subprocess.run(["rm", "-rf", str(self._top)], check=True)
