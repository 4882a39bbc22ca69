"""Setting aside by delete markers, on a bucket that keeps versions.

moto keeps versions as S3 does. versitygw gives a version the time when it was hidden, and so counts as keeping none.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from support.buckets import BucketServer, Moto, Versitygw
from support.condemned import REPOSITORY, Condemning, keys_of, rows_of

from regsweep import _core, apply, quarantine
from regsweep.apply import Applied
from regsweep.errors import BucketOptionError
from regsweep.journal import Journal

SETTLED = quarantine.Waiting(settle=0)
NO_CACHE = quarantine.Registries(cache="none")


@pytest.fixture
def versioned(moto: Moto, tmp_path: Path) -> Condemning:
    return Condemning(moto, tmp_path, versioning=True)


def applied_to(bucket: Condemning, *tags: str) -> tuple[Applied, set[str]]:
    """Applies a plan; returns what it has done, and the keys that it names."""
    before = bucket.registry()
    path = bucket.plan(*tags)
    applied = apply.apply(bucket.open(), path)
    assert applied.run.set_aside == "delete-marker"
    assert not applied.removed.failures
    return applied, keys_of(rows_of(path), before)


def versions_of(bucket: Condemning) -> set[str]:
    return {version.key for version in bucket.server.versions(bucket.bucket)}


def test_what_is_dead_is_hidden_without_a_copy_and_seen_again_by_undo(versioned: Condemning) -> None:
    before = versioned.registry()
    store = versioned.open()
    path = versioned.plan()
    named = keys_of(rows_of(path), before)
    applied = apply.apply(store, path)
    assert named
    assert set(before) - set(versioned.registry()) == named
    assert named <= versions_of(versioned)
    assert store.requests["copy"] == 0
    undone = quarantine.undo(versioned.open(), applied.run.id)
    assert not undone.restored.failures
    assert versioned.registry() == before


def test_what_nobody_needs_again_is_purged_with_its_versions(versioned: Condemning) -> None:
    applied, named = applied_to(versioned)
    left = versioned.registry()
    confirmed = quarantine.confirm(versioned.open(), waiting=SETTLED)
    assert confirmed.restored.blob_count == 0
    [(_, purged)] = quarantine.purge(versioned.open(), older_than=0, registries=NO_CACHE).purged
    assert not purged.failures
    assert purged.blob_bytes == applied.removed.blob_bytes > 0
    assert versioned.registry() == left
    assert not named & versions_of(versioned)
    run = Journal(versioned.open().own_files).find(applied.run.id)
    assert run is not None
    assert run.state == "purged"
    assert not [key for key in versioned.server.keys(versioned.bucket) if "/hidden/" in key]


def test_a_tag_goes_and_comes_back_when_its_manifest_is_pushed_again(versioned: Condemning) -> None:
    before = versioned.registry()
    applied, named = applied_to(versioned, "v0")
    assert applied.removed.tag_count == 2
    assert set(before) - set(versioned.registry()) >= named
    # The client was told that all of it was there, and so wrote nothing but links.
    digest = next(row["digest"] for row in rows_of(versioned.directory / "plan-v0") if row["kind"] == "tag")
    versioned.push(REPOSITORY, "again", digest)
    confirmed = quarantine.confirm(versioned.open(), waiting=SETTLED)
    assert confirmed.restored.blob_count > 0
    marks = versioned.open().scan().mark(delete_untagged=True)
    assert not [image for image in marks.broken if image.counts]
    quarantine.purge(versioned.open(), older_than=0, registries=NO_CACHE)
    marks = versioned.open().scan().mark(delete_untagged=True)
    assert not [image for image in marks.broken if image.counts]


def test_an_application_that_was_interrupted_is_taken_up_in_its_own_way(
    versioned: Condemning, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = versioned.registry()
    path = versioned.plan()

    def fail(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(_core, "remove_eligible", fail)
    with pytest.raises(KeyboardInterrupt):
        apply.apply(versioned.open(), path)
    monkeypatch.undo()
    assert versioned.registry() == before
    applied = apply.apply(versioned.open(), path)
    assert applied.run.set_aside == "delete-marker"
    assert set(before) - set(versioned.registry()) == keys_of(rows_of(path), before)


def test_a_bucket_without_versions_is_condemned_by_default_and_refuses_markers(
    server: BucketServer, tmp_path: Path
) -> None:
    bucket = Condemning(server, tmp_path)
    before = bucket.registry()
    path = bucket.plan()
    with pytest.raises(BucketOptionError, match="keep versions"):
        apply.apply(bucket.open(), path, set_aside="delete-marker")
    assert apply.apply(bucket.open(), path).run.set_aside == "condemn"
    assert bucket.registry() == before


def test_a_server_that_does_not_keep_times_counts_as_one_without_versions(versitygw: Versitygw, tmp_path: Path) -> None:
    bucket = Condemning(versitygw, tmp_path, versioning=True)
    assert not bucket.open().keeps_versions
    assert not [key for key in versitygw.keys(bucket.bucket) if "versions-" in key]
