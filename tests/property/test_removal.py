"""Real sweeps of any store: exactly what is eligible goes, and a second run finds nothing."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from support import oracle, strategies
from support.reference import run_regsweep
from support.store_builder import Store, removed_files, snapshot

import regsweep

ANY_STORE = st.one_of(strategies.stores(), strategies.damaged_stores())


@strategies.examples(2)
@given(store=ANY_STORE, delete_untagged=st.booleans())
def test_exactly_what_is_eligible_goes(store: Store, delete_untagged: bool) -> None:
    with tempfile.TemporaryDirectory() as directory:
        root = store.write(Path(directory))
        before = snapshot(root)
        expected = oracle.judge(root, delete_untagged=delete_untagged)
        marks = regsweep.open(root).scan().mark(delete_untagged=delete_untagged)
        removed = regsweep.remove_eligible(marks, overrides=regsweep.GUARDS)

        assert removed_files(before, snapshot(root)) == expected.files()
        assert not removed.failures
        assert removed.kept_behind_failures_count == 0
        assert removed.blob_count == len(expected.blobs)
        assert removed.manifest_count == len(expected.revisions)
        assert removed.layer_link_count == len(expected.layer_links)
        assert removed.tag_history_link_count == len(expected.history)
        assert removed.blob_bytes == sum(size for _, size in marks.eligible_blobs())

        again = regsweep.open(root).scan().mark(delete_untagged=delete_untagged)
        assert (again.eligible_blobs(), again.eligible_manifests(), again.eligible_layer_links()) == ([], [], [])


@given(store=ANY_STORE, delete_untagged=st.booleans())
def test_the_command_removes_the_same_and_reports_it(store: Store, delete_untagged: bool) -> None:
    with tempfile.TemporaryDirectory() as directory:
        root = store.write(Path(directory) / "storage")
        before = snapshot(root)
        expected = oracle.judge(root, delete_untagged=delete_untagged)
        flags = [f"--override={guard}" for guard in regsweep.GUARDS] + ["--delete-untagged"] * delete_untagged
        report = Path(directory) / "report.json"
        dry = run_regsweep(root, "--dry-run", *flags)
        assert snapshot(root) == before, "a dry run changed the store"
        real = run_regsweep(root, f"--json={report}", *flags)

        assert real.stdout == dry.stdout
        assert real.exit_code == dry.exit_code == (3 if expected.damaged or expected.broken else 0), real.stderr
        assert real.blobs == expected.blobs
        assert real.layer_links == expected.layer_links
        assert removed_files(before, snapshot(root)) == expected.files()
        assert {blob["digest"] for blob in json.loads(report.read_text())["eligible_blobs"]} == expected.blobs
        numbers = f"{len(expected.blobs)} blobs and {len(expected.revisions)} manifests eligible for deletion"
        assert real.summary.endswith(numbers)
        again = run_regsweep(root, *flags)
        assert (again.blobs, again.layer_links, again.revisions().total()) == (set(), set(), 0)
