"""The servers do what every test on them relies on."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from support.buckets import Azurite, BucketServer, FakeGcs, Moto, Versitygw
from support.buckets.requests import Client, NoSuchObject
from support.store_builder import TOP, Store

ODD_KEYS = [
    *itertools.product(["moto", "azurite", "fake_gcs"], ["/docker/registry/v2/blobs", "directory/", "a//b"]),
    # versitygw's keys are paths of files.
    *itertools.product(["versitygw", "moto", "azurite", "fake_gcs"], ["a b+c%20ü&?=#/d"]),
]


def test_what_is_put_is_listed_in_pages_and_removed(server: BucketServer) -> None:
    bucket = server.fresh_bucket()
    objects = {f"shard-{number % 7}/{number:03}": b"x" * number for number in range(250)}
    server.put_all(bucket, objects)
    assert server.keys(bucket, page_size=100) == {key: len(content) for key, content in objects.items()}
    assert server.content(bucket, "shard-3/003") == b"xxx"
    server.delete(bucket, "shard-3/003")
    assert server.keys(bucket).keys() == objects.keys() - {"shard-3/003"}
    with pytest.raises(NoSuchObject):
        server.content(bucket, "shard-3/003")


@pytest.mark.parametrize("root", ["", "some/root"])
def test_a_storage_root_becomes_objects_of_the_same_paths(server: BucketServer, root: str, tmp_path: Path) -> None:
    store = Store()
    store.repository("library/app").image("layer", tag="latest")
    bucket = server.fresh_bucket()
    server.load(bucket, root, store.write(tmp_path / "storage"))
    prefix = f"{root}/{TOP}" if root else TOP
    assert server.keys(bucket) == {f"{prefix}/{path}": len(content) for path, content in store.files.items()}


def test_files_below_a_root_of_a_slash_have_keys_that_begin_with_it(azurite: Azurite, tmp_path: Path) -> None:
    store = Store()
    store.blob("content")
    bucket = azurite.fresh_bucket()
    azurite.load(bucket, "/", store.write(tmp_path / "storage"))
    assert azurite.keys(bucket).keys() == {f"/{TOP}/{path}" for path in store.files}


@pytest.mark.parametrize(("name", "key"), ODD_KEYS)
def test_odd_keys_are_kept_as_they_are(name: str, key: str, request: pytest.FixtureRequest) -> None:
    server: BucketServer = request.getfixturevalue(name)
    bucket = server.fresh_bucket()
    server.put(bucket, key, b"12")
    assert server.keys(bucket) == {key: 2}
    assert server.content(bucket, key) == b"12"
    server.delete(bucket, key)
    assert server.keys(bucket) == {}


@pytest.mark.parametrize("name", ["versitygw", "moto"])
def test_s3_keeps_versions_and_markers_of_removals(name: str, request: pytest.FixtureRequest) -> None:
    server: Versitygw | Moto = request.getfixturevalue(name)
    bucket = server.fresh_bucket(versioning=True)
    server.put(bucket, "key", b"1")
    server.put(bucket, "key", b"22")
    server.delete(bucket, "key")
    assert server.keys(bucket) == {}
    versions = server.versions(bucket)
    assert sorted((one.is_latest, one.is_delete_marker, one.size_bytes) for one in versions) == [
        (False, False, 1),
        (False, False, 2),
        (True, True, 0),
    ]
    assert len({one.version_id for one in versions}) == 3


def test_gcs_keeps_generations(fake_gcs: FakeGcs) -> None:
    bucket = fake_gcs.fresh_bucket(versioning=True)
    fake_gcs.put(bucket, "removed", b"1")
    fake_gcs.delete(bucket, "removed")
    fake_gcs.put(bucket, "written twice", b"22")
    fake_gcs.put(bucket, "written twice", b"333")
    assert fake_gcs.keys(bucket) == {"written twice": 3}
    assert sorted((one.key, one.size_bytes, one.is_latest) for one in fake_gcs.versions(bucket)) == [
        ("removed", 1, False),
        ("written twice", 2, False),
        ("written twice", 3, True),
    ]


def test_gcs_keeps_objects_on_disk_if_it_is_told_to(tmp_path: Path) -> None:
    with FakeGcs(tmp_path, on_disk=True) as server:
        bucket = server.fresh_bucket()
        objects = {f"shard-{number % 7}/{number:03}": b"x" * number for number in range(50)}
        server.put_all(bucket, objects)
        assert server.keys(bucket, page_size=20) == {key: len(content) for key, content in objects.items()}
        assert any((tmp_path / "objects").rglob("049"))


def test_versitygw_objects_are_as_old_as_they_are_made(versitygw: Versitygw) -> None:
    bucket = versitygw.fresh_bucket()
    versitygw.put_all(bucket, {"old": b"", "new": b""})
    versitygw.age(bucket, 86_400 * 400, "old")

    def year(key: str) -> int:
        return int(versitygw.client.send("HEAD", f"/{bucket}/{key}").headers["Last-Modified"].split()[3])

    assert year("old") < year("new")


class Broken(Versitygw):
    """Started in a way that it refuses."""

    def command(self) -> list[str]:
        program, *rest = super().command()
        return [program, "--no-such-option", *rest]


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="no-such-option"), Broken(tmp_path):
        pass


def test_a_server_ends_with_its_test(tmp_path: Path) -> None:
    server = Versitygw(tmp_path)
    with server:
        address = server.address
    with pytest.raises(ConnectionRefusedError):
        Client(address, server.sign).send("GET", "/")
