"""How many requests the reference collectors need: what regsweep is to be compared with.

Benchmarks count more. Here the figures for 1,112 objects are held to the region that has been measured, so that a proxy
which counts differently is noticed; and the slower servers are given a small store.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from support.buckets import BucketServer, Moto, Versitygw
from support.counting_proxy import CountingProxy
from support.reference import run_reference_on
from support.request_kinds import Kind
from support.shaped_store import make_store, objects_of
from support.store_builder import Store

ROOT = "some/root"
FLAGS = ("--dry-run", "--delete-untagged")
SMALL = make_store(repositories=1, images=6)
# In one run, of 2.8.2 and 3.1.2.
MEASURED: dict[int, dict[Kind, int]] = {
    2: {"LIST": 1141, "GET": 1300},
    3: {"LIST": 162, "GET": 2322, "HEAD": 560},
}


def counts(server: BucketServer, major: int, store: Store, directory: Path) -> dict[Kind, int]:
    """The requests of a dry run that finds just the untagged images."""
    bucket = server.fresh_bucket()
    server.put_all(bucket, objects_of(store, ROOT))
    with CountingProxy(server) as proxy:
        run = run_reference_on(major, proxy.registry_section(bucket, ROOT, major), directory, *FLAGS)
        assert run.exit_code == 0, run.stderr
        untagged = sum("/revisions/" in path for path in store.files) // 2
        assert run.summary.endswith(f" marked, {5 * untagged} blobs and {untagged} manifests eligible for deletion")
        return dict(proxy.counts)


def test_the_store_is_the_one_that_was_measured() -> None:
    objects = objects_of(make_store(), ROOT)
    assert len(objects) == 1112
    for part, count in (("/blobs/", 502), ("/revisions/", 100), ("/_layers/", 410), ("/current/", 50), ("/index/", 50)):
        assert sum(part in key for key in objects) == count


def test_a_store_of_twenty_thousand_objects_has_the_same_shape() -> None:
    assert len(make_store(repositories=90).files) == 19_982


@pytest.mark.parametrize("major", MEASURED)
def test_s3_dry_runs_take_thousands_of_requests(major: int, versitygw: Versitygw, tmp_path: Path) -> None:
    counted = counts(versitygw, major, make_store(), tmp_path)
    assert counted.keys() == MEASURED[major].keys()
    for kind, count in MEASURED[major].items():
        assert counted[kind] == pytest.approx(count, rel=0.05), kind


@pytest.mark.parametrize("major", MEASURED)
def test_another_s3_is_asked_the_same(major: int, versitygw: Versitygw, moto: Moto, tmp_path: Path) -> None:
    assert counts(moto, major, SMALL, tmp_path) == counts(versitygw, major, SMALL, tmp_path)


@pytest.mark.parametrize("name", ["azurite", "fake_gcs"])
def test_other_providers_are_asked_more_than_six_times_for_each_object(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """7,873 and 7,823 requests for 1,112 objects: each directory is listed, and each entry looked at by itself."""
    counted = counts(request.getfixturevalue(name), 3, SMALL, tmp_path)
    assert sum(counted.values()) > 6 * len(SMALL.files)
