"""Inventory reports in place of a listing of blobs: the same answers by fewer requests, and no harm by old ones."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from support.buckets import Moto, Versitygw
from support.buckets.s3 import S3Server
from support.counting_proxy import CountingProxy
from support.inventory_reports import CREATED, download, publish
from support.reference import REGSWEEP, Run, run_program
from support.sections import write_section
from support.shaped_store import make_store, objects_of
from support.store_builder import Store

import regsweep
from regsweep import apply, plan, quarantine
from regsweep.errors import BucketOptionError, StorageError

# A root whose name is encoded in the report.
ROOT = "some root+1"
BLOBS = f"{ROOT}/docker/registry/v2/blobs/sha256"
HOUR = 3600.0


def collect(server: S3Server | CountingProxy, bucket: str, directory: Path, *flags: str) -> Run:
    """The drop-in on a registry's configuration, without a cache."""
    section = server.registry_section(bucket, ROOT, 3)
    config = write_section(directory, section)
    command = [str(REGSWEEP), "garbage-collect", "--no-cache", "--delete-untagged", *flags, str(config)]
    return run_program(command, {**server.environment(), **section.environment})


def filled(server: S3Server, store: Store) -> str:
    bucket = server.fresh_bucket()
    server.put_all(bucket, objects_of(store, ROOT))
    return bucket


def aged(server: Versitygw, store: Store) -> str:
    """A bucket in which everything is two hours old."""
    bucket = filled(server, store)
    server.age(bucket, 2 * HOUR)
    return bucket


def small() -> Store:
    return make_store(repositories=2, images=6)


def key_of(content: bytes) -> str:
    digest = hashlib.sha256(content).hexdigest()
    return f"{BLOBS}/{digest[:2]}/{digest}/data"


@pytest.fixture(params=["versitygw", "moto"])
def server(request: pytest.FixtureRequest) -> S3Server:
    running: Versitygw | Moto = request.getfixturevalue(request.param)
    return running


@pytest.mark.parametrize("where", ["bucket", "directory"])
def test_a_dry_run_by_a_report_finds_what_one_by_a_listing_finds(server: S3Server, tmp_path: Path, where: str) -> None:
    bucket = filled(server, small())
    manifest = publish(server, bucket) if where == "bucket" else str(download(server, bucket, tmp_path))
    expected = collect(server, bucket, tmp_path, "--dry-run")
    found = collect(server, bucket, tmp_path, "--dry-run", "--inventory", manifest)
    assert found.exit_code == expected.exit_code == 0, found.stderr
    assert found.blobs
    assert found.stdout == expected.stdout
    assert f"the inventory report of {CREATED} ({manifest})" in found.stderr
    assert "inventory" not in expected.stderr


def test_a_dry_run_by_a_report_lists_no_blobs(versitygw: Versitygw, tmp_path: Path) -> None:
    bucket = filled(versitygw, make_store(repositories=8, images=40))
    manifest = publish(versitygw, bucket)
    counts = []
    for flags in ([], ["--inventory", manifest]):
        with CountingProxy(versitygw) as proxy:
            run = collect(proxy, bucket, tmp_path, "--dry-run", *flags)
            assert run.exit_code == 0, run.stderr
            counts.append(proxy.counts["LIST"])
    keys = versitygw.keys(bucket)
    blobs = sum(key.startswith(BLOBS) for key in keys)
    listed, told = counts
    assert listed >= len(keys) / 1000
    # What was set aside, what comes before the blobs, what comes after them.
    assert told <= 2 + -(-(len(keys) - blobs) // 1000) < listed


def test_what_goes_by_a_report_is_what_goes_by_a_listing(server: S3Server, tmp_path: Path) -> None:
    store = small()
    left = []
    for by_report in (False, True):
        bucket = filled(server, store)
        flags = ["--inventory", publish(server, bucket)] if by_report else []
        done = collect(server, bucket, tmp_path, *flags)
        assert done.exit_code == 0, done.stderr
        left.append(server.keys(bucket))
    assert left[0] == left[1]
    assert len(left[0]) < len(objects_of(store, ROOT))


def test_what_was_pushed_since_is_no_candidate_and_not_missing(versitygw: Versitygw, tmp_path: Path) -> None:
    store = small()
    bucket = aged(versitygw, store)
    manifest = publish(versitygw, bucket)
    before = versitygw.keys(bucket)
    expected = collect(versitygw, bucket, tmp_path, "--dry-run")
    store.repository("pushed/since").image("a new layer", tag="v1")
    pushed = {key: content for key, content in objects_of(store, ROOT).items() if key not in before}
    orphan = key_of(b"an orphan of today")
    versitygw.put_all(bucket, {**pushed, orphan: b"an orphan of today"})
    dry = collect(versitygw, bucket, tmp_path, "--dry-run", "--inventory", manifest)
    assert dry.exit_code == 0, dry.stderr
    assert "broken" not in dry.stderr
    assert dry.blobs == expected.blobs
    done = collect(versitygw, bucket, tmp_path, "--inventory", manifest)
    assert done.exit_code == 0, done.stderr
    assert {*pushed, orphan} <= versitygw.keys(bucket).keys()


def test_a_candidate_that_was_uploaded_again_since_stays(versitygw: Versitygw, tmp_path: Path) -> None:
    store = small()
    bucket = aged(versitygw, store)
    again, gone = (f"sha256:{hashlib.sha256(content).hexdigest()}" for content in (b"again", b"gone"))
    versitygw.put_all(bucket, {key_of(b"again"): b"again", key_of(b"gone"): b"gone"})
    versitygw.age(bucket, 2 * HOUR, key_of(b"again"), key_of(b"gone"))
    manifest = publish(versitygw, bucket)
    versitygw.put(bucket, key_of(b"again"), b"again")
    versitygw.delete(bucket, key_of(b"gone"))
    done = collect(versitygw, bucket, tmp_path, "--inventory", manifest)
    assert done.exit_code == 0, done.stderr
    assert {again, gone} <= done.blobs, "the lines say what the report says"
    assert key_of(b"again") in versitygw.keys(bucket)
    assert "1 blob of the inventory report stayed, written since" in done.stderr
    assert "1 blob of the inventory report had gone already" in done.stderr
    assert f"({len(done.blobs) - 2} blobs, " in done.stderr


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ({"sourceBucket": "another"}, "it is of the bucket another, and the store is in"),
        ({"fileFormat": "ORC"}, "ORC, which is not read"),
        ({"fileSchema": "Bucket, Key"}, "no column Size"),
        ({"files": []}, "it shows no blob of this store"),
    ],
)
def test_a_report_that_cannot_be_used_is_refused_and_nothing_done(
    versitygw: Versitygw, tmp_path: Path, damage: dict[str, object], reason: str
) -> None:
    bucket = filled(versitygw, small())
    before = versitygw.keys(bucket)
    path = download(versitygw, bucket, tmp_path)
    path.write_text(json.dumps({**json.loads(path.read_bytes()), **damage}))
    done = collect(versitygw, bucket, tmp_path, "--inventory", str(path))
    assert done.exit_code == 1
    assert reason in done.stderr
    assert str(path) in done.stderr
    assert versitygw.keys(bucket) == before


def test_a_file_that_was_tampered_with_is_refused(versitygw: Versitygw, tmp_path: Path) -> None:
    bucket = filled(versitygw, small())
    path = download(versitygw, bucket, tmp_path)
    file = path.parent.parent / "data/1.csv.gz"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    store = regsweep.open(
        versitygw.url(bucket, "some root%2B1"), environment=versitygw.environment(), cache=False, inventory=path
    )
    with pytest.raises(StorageError, match="another MD5 checksum than the manifest says"):
        store.scan()


def test_the_cycle_goes_by_a_report(versitygw: Versitygw, tmp_path: Path) -> None:
    bucket = aged(versitygw, small())
    before = versitygw.keys(bucket)
    manifest = publish(versitygw, bucket)
    section = versitygw.registry_section(bucket, ROOT, 3)
    config = write_section(tmp_path, section)
    store = regsweep.open(config, environment=versitygw.environment(), cache=False, inventory=manifest)
    made = plan.make(store, mode="untagged", min_age=HOUR)
    made.write(tmp_path / "plan")
    applied = apply.apply(store, tmp_path / "plan", set_aside="copy")
    assert not applied.failures
    assert applied.removed.blob_count == made.head.totals.blobs > 0
    # The report still shows in their places what is set aside: it comes back all the same.
    link = next(key for key in before if "/revisions/" in key and key not in versitygw.keys(bucket))
    versitygw.put(bucket, link, f"sha256:{link.rsplit('/', 2)[1]}".encode())
    confirmed = quarantine.confirm(store, waiting=quarantine.Waiting(0))
    assert confirmed.restored.blob_count == 5
    assert regsweep.open(config, environment=versitygw.environment()).scan().mark().broken == []


def test_the_commands_that_look_for_candidates_take_a_report(versitygw: Versitygw, tmp_path: Path) -> None:
    bucket = aged(versitygw, small())
    manifest = publish(versitygw, bucket)
    config = str(write_section(tmp_path, versitygw.registry_section(bucket, ROOT, 3)))
    environment = versitygw.environment()
    for command in (
        ["plan", config, "--delete-untagged", "--output", "PLAN", "--json", "REPORT"],
        ["rm", config, "team-000/app:v0", "--output", "OTHER"],
        ["apply", "PLAN", "--store", config],
        ["run", config, "--delete-untagged", "--settle", "0s"],
    ):
        words = [str(tmp_path / word) if word.isupper() else word for word in command]
        done = run_program([str(REGSWEEP), *words, "--no-cache", "--inventory", manifest], environment)
        assert done.exit_code == 0, f"{command}: {done.stderr}"
        assert CREATED in done.stderr, command
    for command in (["du", config], ["verify", config]):
        done = run_program([str(REGSWEEP), *command, "--inventory", manifest], environment)
        assert done.exit_code == 2, command


def test_reports_are_of_buckets_on_s3(tmp_path: Path) -> None:
    with pytest.raises(BucketOptionError, match="is on a filesystem"):
        regsweep.open(tmp_path, inventory="s3://reports/manifest.json")
    with pytest.raises(BucketOptionError, match="inventory reports are Amazon S3's"):
        regsweep.open("gs://registry", environment={}, inventory="s3://reports/manifest.json")
    for name in ("gs://reports/manifest.json", "s3://reports"):
        with pytest.raises(StorageError, match=r"is named as s3://BUCKET/PATH/manifest\.json"):
            regsweep.open("s3://registry", environment={"AWS_REGION": "r"}, cache=False, inventory=name)
