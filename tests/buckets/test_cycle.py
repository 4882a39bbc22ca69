"""Plan, apply, confirm, purge and undo on buckets of every kind, where things are set aside by copies."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from support.buckets import BucketServer
from support.cycle import next_second
from support.shaped_store import make_store, objects_of

import regsweep
from regsweep import apply, plan, quarantine
from regsweep.errors import LockedError
from regsweep.lock import StoreLock

ROOT = "some/root"


@pytest.fixture
def bucket(server: BucketServer) -> str:
    name = server.fresh_bucket()
    server.put_all(name, objects_of(make_store(repositories=2, images=4), ROOT))
    next_second()
    return name


@pytest.fixture
def store(server: BucketServer, bucket: str) -> regsweep.Store:
    return regsweep.open(server.url(bucket, ROOT), environment=server.environment(), cache=False)


def registry_of(keys: Mapping[str, int]) -> dict[str, int]:
    return {key: size for key, size in keys.items() if f"{ROOT}/docker/" in key}


def make_plan(store: regsweep.Store, directory: Path) -> Path:
    path = directory / "plan"
    made = plan.make(store, mode="untagged", min_age=0)
    made.write(path)
    return path


def test_what_is_set_aside_comes_back_with_all_its_links(
    server: BucketServer, bucket: str, store: regsweep.Store, tmp_path: Path
) -> None:
    before = server.keys(bucket)
    applied = apply.apply(store, make_plan(store, tmp_path), set_aside="copy")
    assert not applied.removed.failures
    assert applied.removed.blob_count == 5 * applied.removed.manifest_count > 0
    assert registry_of(server.keys(bucket)).items() < before.items()
    undone = quarantine.undo(store, applied.run.id)
    assert not undone.restored.failures
    assert registry_of(server.keys(bucket)) == before


def test_what_nobody_wanted_back_is_purged(
    server: BucketServer, bucket: str, store: regsweep.Store, tmp_path: Path
) -> None:
    applied = apply.apply(store, make_plan(store, tmp_path), set_aside="copy")
    confirmed = quarantine.confirm(store, waiting=quarantine.Waiting(settle=0))
    assert confirmed.restored.blob_count == 0
    aside = registry_of(server.keys(bucket))
    [(_, purged)] = quarantine.purge(store, older_than=0, registries=quarantine.Registries(cache="none")).purged
    assert not purged.failures
    assert purged.blob_bytes == applied.removed.blob_bytes
    left = server.keys(bucket)
    assert registry_of(left) == aside
    assert not [key for key in left if "/tree/" in key]
    again = make_plan(store, tmp_path)
    assert plan.read_head(again).totals.blobs == 0


def test_one_run_at_a_time(store: regsweep.Store, tmp_path: Path) -> None:
    path = make_plan(store, tmp_path)
    with StoreLock(store.own_files, "somebody else"), pytest.raises(LockedError, match="somebody else"):
        apply.apply(store, path, set_aside="copy")
    apply.apply(store, path, set_aside="copy")


def test_a_plan_of_another_bucket_is_refused(server: BucketServer, store: regsweep.Store, tmp_path: Path) -> None:
    other = server.fresh_bucket()
    server.put_all(other, objects_of(make_store(repositories=1, images=2), ROOT))
    elsewhere = regsweep.open(server.url(other, ROOT), environment=server.environment(), cache=False)
    with pytest.raises(regsweep.GuardRefused, match="another store"):
        apply.apply(elsewhere, make_plan(store, tmp_path), set_aside="copy")
