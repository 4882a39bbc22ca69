"""Directories and files that the caller may not read or change: without root's powers, as most registries run."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import oracle
from support.powers import without_powers
from support.reference import REGSWEEP, Run, run_program
from support.store_builder import TOP, Store, blob_path, removed_files, snapshot, write_config

FLAGS = ("--delete-untagged", "--override=newer-than-tags")


def run_without_powers(root: Path, *flags: str) -> Run:
    """Runs regsweep so that permissions count."""
    command = [str(REGSWEEP), "garbage-collect", *FLAGS, *flags, str(write_config(root.parent, root))]
    return run_program(without_powers(command))


def make_writable(root: Path) -> None:
    subprocess.run(["chmod", "-R", "u+rwX", str(root)], check=True)


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    store = Store()
    app = store.repository("app")
    app.image("old layer", tag="latest")
    app.image("layer", app.layer_by_sha512("by sha512"), tag="latest")
    app.image("untagged layer")
    app.layer("unused")
    store.blob("orphan")
    root = store.write(tmp_path / "storage")
    yield root
    make_writable(root)


def places(root: Path, pattern: str) -> list[Path]:
    found = sorted((root / TOP).glob(pattern))
    assert found, pattern
    return found


DIRECTORIES = [
    "repositories",
    "repositories/app",
    "repositories/app/_manifests",
    "repositories/app/_manifests/revisions",
    "repositories/app/_manifests/revisions/sha256",
    "repositories/app/_manifests/revisions/sha256/*",
    "repositories/app/_manifests/tags",
    "repositories/app/_manifests/tags/latest",
    "repositories/app/_manifests/tags/latest/current",
    "repositories/app/_layers",
    "repositories/app/_layers/sha256",
    "repositories/app/_layers/sha512",
    "repositories/app/_layers/sha512/*",
    "blobs",
    "blobs/sha256",
]


@pytest.mark.parametrize("mode", [0o000, 0o444, 0o111])
@pytest.mark.parametrize("place", DIRECTORIES)
def test_a_directory_that_cannot_be_listed_or_entered_ends_the_run(root: Path, place: str, mode: int) -> None:
    directory = places(root, place)[0]
    before = snapshot(root)
    directory.chmod(mode)
    run = run_without_powers(root)
    directory.chmod(0o755)
    assert run.exit_code in (0, 1), run.stderr
    if run.exit_code == 1:
        assert directory.relative_to(root).as_posix() in run.stderr
        assert snapshot(root) == before
    else:
        # Listing needs no more than reading, and entering no more than searching: then all was seen.
        assert mode != 0o000
        assert removed_files(before, snapshot(root)) <= oracle_files(before, root)


def oracle_files(before: dict[str, str | bytes | None], root: Path) -> set[str]:
    """What was eligible: nothing is left to judge by but what was there before."""
    again = root.parent / "again"
    for path, content in before.items():
        target = again / path
        if content is None:
            target.mkdir(parents=True, exist_ok=True)
        elif isinstance(content, bytes):
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
    return oracle.judge(again, delete_untagged=True).files()


@pytest.mark.parametrize(
    "pattern", ["repositories/app/_manifests/tags/latest/current/link", "**/_layers/sha512/*/link"]
)
def test_a_link_that_cannot_be_read_ends_the_run(root: Path, pattern: str) -> None:
    link = places(root, pattern)[0]
    before = snapshot(root)
    link.chmod(0)
    run = run_without_powers(root)
    link.chmod(0o644)
    assert run.exit_code == 1, run.stderr
    assert snapshot(root) == before


def test_a_manifest_that_cannot_be_read_ends_the_run(root: Path) -> None:
    before = snapshot(root)
    for link in places(root, "repositories/app/_manifests/revisions/sha256/*/link"):
        data = root / TOP / blob_path(link.read_text())
        data.chmod(0)
        run = run_without_powers(root)
        data.chmod(0o644)
        assert run.exit_code == 1, run.stderr
        assert snapshot(root) == before


def test_layers_need_not_be_readable(root: Path) -> None:
    before = snapshot(root)
    expected = oracle.judge(root, delete_untagged=True)
    for digest in expected.stored:
        data = root / TOP / blob_path(digest)
        if not data.read_bytes().startswith(b"{"):
            data.chmod(0)
    run = run_without_powers(root)
    assert run.exit_code == 0, run.stderr
    make_writable(root)
    assert removed_files(before, snapshot(root)) == expected.files()


@pytest.mark.parametrize(
    "pattern",
    [
        "repositories/app/_layers/sha256/*",
        "repositories/app/_manifests/revisions/sha256/*",
        "repositories/app/_manifests/revisions/sha256",
        "repositories/app/_manifests/tags/latest/index/sha256/*",
        "blobs/sha256/*/*",
        "blobs/sha256/*",
        "**/",
    ],
)
def test_what_may_not_be_removed_is_named_and_the_next_run_finishes(root: Path, pattern: str) -> None:
    before = snapshot(root)
    expected = oracle.judge(root, delete_untagged=True).files()
    for directory in places(root, pattern):
        directory.chmod(0o555)
    run = run_without_powers(root)
    make_writable(root)
    assert run.exit_code == 3, run.stderr
    assert "failed to remove" in run.stderr
    assert removed_files(before, snapshot(root)) <= expected
    again = run_without_powers(root)
    assert again.exit_code == 0, again.stderr
    assert removed_files(before, snapshot(root)) == expected
