"""Random stores through both reference collectors and regsweep: where the reference is right, no difference at all."""

from __future__ import annotations

import tempfile
from pathlib import Path

import deviations
import pytest
from hypothesis import given
from support import oracle, programs, reference, strategies
from support.store_builder import Store, duplicate, snapshot

# What a random store has is no sign of anything.
OVERRIDES = ["--override=nothing-marked", "--override=newer-than-tags"]
MODES = [(major, untagged) for major in (2, 3) for untagged in (False, True)]


def flags(*, delete_untagged: bool) -> list[str]:
    return ["--delete-untagged"] if delete_untagged else []


def compare_dry_runs(store: Store, major: int, *, delete_untagged: bool) -> None:
    programs.find_registry(major)
    with tempfile.TemporaryDirectory() as directory:
        root = store.write(Path(directory) / "storage")
        options = ["--dry-run", *flags(delete_untagged=delete_untagged)]
        theirs = reference.run_reference(major, root, *options)
        ours = reference.run_regsweep(root, f"--compat={major}", *options, *OVERRIDES)
        differing = deviations.applying(root, major, delete_untagged=delete_untagged)
        assert ours.exit_code in (0, 3), ours.stderr
        if not differing:
            assert theirs.exit_code == 0, theirs.stderr
            assert ours.exit_code == 0, ours.stderr
            assert ours.normal() == theirs.normal()
            assert ours.stdout.split("\n\n")[0] == theirs.stdout.split("\n\n")[0]
        elif theirs.exit_code == 0:
            keeps_at_least(root, ours, theirs, differing)


def keeps_at_least(root: Path, ours: reference.Run, theirs: reference.Run, differing: set[str]) -> None:
    """Nothing goes that the reference keeps, but for links whose blob is gone, or goes with the reference as well."""
    assert ours.blobs <= theirs.blobs, differing
    kept = oracle.judge(root).stored - theirs.blobs
    more = {digest for digest in ours.revisions() - theirs.revisions() if digest in kept}
    assert not more, differing
    # 2.8 has no lines for layer links, and 3.x names an aliasing one by what it contains.
    if theirs.layer_links and "sha512-layers" not in differing:
        assert not {link for link in ours.layer_links - theirs.layer_links if link[1] in kept}, differing


@pytest.mark.parametrize(("major", "delete_untagged"), MODES)
@given(store=strategies.well_behaved_stores())
def test_well_behaved_stores_give_the_same_text(store: Store, major: int, delete_untagged: bool) -> None:
    compare_dry_runs(store, major, delete_untagged=delete_untagged)


@pytest.mark.parametrize(("major", "delete_untagged"), MODES)
@given(store=strategies.stores())
def test_any_store_loses_nothing_that_the_reference_keeps(store: Store, major: int, delete_untagged: bool) -> None:
    compare_dry_runs(store, major, delete_untagged=delete_untagged)


@pytest.mark.parametrize(("major", "delete_untagged"), MODES)
@given(store=strategies.well_behaved_stores())
def test_well_behaved_stores_are_left_alike(store: Store, major: int, delete_untagged: bool) -> None:
    programs.find_registry(major)
    with tempfile.TemporaryDirectory() as directory:
        root = store.write(Path(directory) / "ours/storage")
        if deviations.applying(root, major, delete_untagged=delete_untagged):
            return
        other = duplicate(root, Path(directory) / "theirs/storage")
        options = flags(delete_untagged=delete_untagged)
        assert reference.run_reference(major, other, *options).exit_code == 0
        assert reference.run_regsweep(root, *options, *OVERRIDES).exit_code == 0
        left, expected = files_of(root), files_of(other)
        if major == 2:  # which never removes a layer link
            left, expected = without_layer_links(left), without_layer_links(expected)
        assert left == expected


def files_of(root: Path) -> set[str]:
    return {path for path, content in snapshot(root).items() if content is not None}


def without_layer_links(paths: set[str]) -> set[str]:
    return {path for path in paths if "/_layers/" not in path}
