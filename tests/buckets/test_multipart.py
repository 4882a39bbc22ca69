"""Multipart uploads that nobody has finished, as real registries leave them on S3 and as servers keep them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from support.buckets import Moto, Versitygw
from support.documents import digest_of
from support.registry import NotThere, Refused
from support.servers import Server
from support.store_builder import TOP

import regsweep

ROOT = "some/root"
CONTENT = os.urandom(100_000)
HALF = 60_000
SESSION = f"{TOP}/repositories/team/app/_uploads/01a20754-e05f-7328-9a1a-92aea8b45b2f"
BLOB = f"{TOP}/blobs/sha256/00/{'0' * 64}/data"


@dataclass(frozen=True)
class Running:
    """A registry at work on a bucket."""

    server: Server
    buckets: Versitygw
    bucket: str

    def begin(self, *parts: bytes) -> str:
        """Starts an upload and sends parts of it; gives back where the rest has to be sent."""
        location = self.server.registry.start_upload("team/app")
        for part in parts:
            location = self.server.registry.continue_upload(location, part)
        return location

    def open(self) -> regsweep.Store:
        url = self.buckets.url(self.bucket, ROOT)
        return regsweep.open(url, environment=self.buckets.environment(), cache=False)

    def forget(self) -> None:
        """Removes the files of all uploads, as the registry's own purging does."""
        for key in self.buckets.keys(self.bucket):
            if "/_uploads/" in key:
                self.buckets.delete(self.bucket, key)


@pytest.fixture(params=[2, 3], ids=["2.8", "3.x"])
def running(request: pytest.FixtureRequest, versitygw: Versitygw, tmp_path: Path) -> Iterator[Running]:
    bucket = versitygw.fresh_bucket()
    with Server(request.param, versitygw.registry_section(bucket, ROOT, request.param), tmp_path) as server:
        yield Running(server, versitygw, bucket)


def test_what_a_client_has_sent_belongs_to_its_upload(running: Running) -> None:
    running.begin(CONTENT)
    uploads = running.open().uploads()
    (upload,) = uploads.all
    assert uploads.multipart == []
    assert uploads.notes == []
    (part,) = upload.multipart
    assert part.key == f"{upload.key}/data"
    assert part.size_bytes == len(CONTENT)
    assert len(CONTENT) < upload.size_bytes < len(CONTENT) + 1000
    assert part.initiated <= part.last_write <= upload.last_write <= uploads.listed
    assert uploads.stale() == []


def test_an_upload_in_use_is_finished_with_success_after_a_purge(running: Running) -> None:
    # A part that is too small for one in the middle: the driver completes what it has, and begins anew with that.
    location = running.begin(CONTENT[:HALF], CONTENT[HALF : HALF + 1000])
    removed = regsweep.remove_uploads(running.open().uploads(), older_than=3600)
    assert (removed.upload_count, removed.multipart_count, removed.failures) == (0, 0, [])
    running.server.registry.finish_upload(location, digest_of(CONTENT), CONTENT[HALF + 1000 :])
    assert running.server.registry.blob("team/app", digest_of(CONTENT)) == CONTENT
    assert running.open().uploads().all == []
    assert running.buckets.multipart_uploads(running.bucket) == []


def test_a_stale_upload_goes_with_what_s3_has_of_it(running: Running) -> None:
    location = running.begin(CONTENT[:HALF])
    uploads = running.open().uploads()
    removed = regsweep.remove_uploads(uploads, older_than=0)
    assert (removed.upload_count, removed.multipart_count, removed.failures) == (1, 0, [])
    assert removed.size_bytes == uploads.all[0].size_bytes
    assert running.buckets.multipart_uploads(running.bucket) == []
    assert not any("/_uploads/" in key for key in running.buckets.keys(running.bucket))
    with pytest.raises(NotThere):
        running.server.registry.continue_upload(location, CONTENT[HALF:])
    running.server.registry.put_blob("team/app", CONTENT)


def test_a_client_that_comes_back_between_abort_and_removal_gets_an_error_and_not_another_blob(
    running: Running,
) -> None:
    location = running.begin(CONTENT[:HALF])
    ((key, upload_id),) = running.buckets.multipart_uploads(running.bucket)
    running.buckets.client.send("DELETE", f"/{running.bucket}/{key}", {"uploadId": upload_id})
    with pytest.raises((Refused, NotThere)):
        running.server.registry.finish_upload(location, digest_of(CONTENT), CONTENT[HALF:])
    assert not running.server.registry.has_blob("team/app", digest_of(CONTENT))


def test_what_the_registry_has_forgotten_is_shown_and_aborted(running: Running) -> None:
    location = running.begin(CONTENT[:HALF])
    (upload,) = running.open().uploads().all
    running.forget()
    with pytest.raises(NotThere):
        running.server.registry.continue_upload(location, CONTENT[HALF:])
    uploads = running.open().uploads()
    (left,) = uploads.multipart
    assert uploads.all == []
    assert (left.key, left.size_bytes, left.is_known) == (f"{upload.key}/data", HALF, True)
    assert uploads.stale_multipart() == []
    removed = regsweep.remove_uploads(uploads, older_than=0)
    assert (removed.upload_count, removed.multipart_count, removed.size_bytes) == (0, 1, HALF)
    assert running.buckets.multipart_uploads(running.bucket) == []


def test_one_that_gets_files_again_after_the_listing_is_left(running: Running) -> None:
    running.begin(CONTENT[:HALF])
    before = {key: running.buckets.content(running.bucket, key) for key in running.buckets.keys(running.bucket)}
    running.forget()
    uploads = running.open().uploads()
    running.buckets.put(running.bucket, *next(iter(before.items())))
    removed = regsweep.remove_uploads(uploads, older_than=0)
    assert (removed.multipart_count, removed.left_count, removed.failures) == (0, 1, [])
    assert len(running.buckets.multipart_uploads(running.bucket)) == 1


@pytest.fixture(params=["versitygw", "moto"])
def s3(request: pytest.FixtureRequest) -> Versitygw | Moto:
    server: Versitygw | Moto = request.getfixturevalue(request.param)
    return server


def run(server: Versitygw | Moto, bucket: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "regsweep", "uploads", server.url(bucket, ROOT), "--no-cache", *arguments]
    environment = {**os.environ, **server.environment()}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def result_of(server: Versitygw | Moto, bucket: str, *arguments: str) -> dict[str, Any]:
    done = run(server, bucket, *arguments, "--json", "-")
    result: dict[str, Any] = json.loads(done.stdout)
    schema = json.loads(resources.files("regsweep").joinpath("schema/uploads-1.schema.json").read_text())
    Draft202012Validator(schema).validate(result)
    assert result["exit_code"] == done.returncode == 0, done.stderr
    return result


def test_the_command_shows_them_below_the_table_and_aborts_what_it_knows(s3: Versitygw | Moto) -> None:
    bucket = s3.fresh_bucket()
    s3.put(bucket, f"{ROOT}/{TOP}/repositories/team/app/_layers/sha256/{'0' * 64}/link", b"x")
    forgotten = s3.begin_multipart(bucket, f"{ROOT}/{SESSION}/data", b"x" * (5 << 20), b"y")
    copied = s3.begin_multipart(bucket, f"{ROOT}/{BLOB}", b"z")
    strange = s3.begin_multipart(bucket, f"{ROOT}/{TOP}/strange", b"z")
    elsewhere = s3.begin_multipart(bucket, "elsewhere", b"z")
    shown = run(s3, bucket, "--older-than", "0s")
    assert shown.returncode == 0, shown.stderr
    header, *rows = shown.stdout.splitlines()
    assert header.split() == ["MULTIPART", "UPLOAD", "OF", "INITIATED", "LAST", "WRITE", "SIZE"]
    assert [row.split()[0] for row in rows] == [BLOB, f"{SESSION}/data", f"{TOP}/strange"]
    assert [row.endswith("stale") for row in rows] == [True, True, False]
    assert f"note: {TOP}/strange: a multipart upload of something that the registry does not write" in shown.stderr
    assert "3 multipart uploads beside them, 5.0 MiB; stale (older than 0.0s): 2, 5.0 MiB; --purge" in shown.stderr
    young = result_of(s3, bucket, "--older-than", "1h", "--purge")
    assert [one["stale"] for one in young["multipart_uploads"]] == [False, False, False]
    assert young["removed"] is None
    result = result_of(s3, bucket, "--older-than", "0s", "--purge")
    found = {one["id"]: (one["size_bytes"], one["known"], one["stale"]) for one in result["multipart_uploads"]}
    size = (5 << 20) + 1
    assert found == {forgotten: (size, True, True), copied: (1, True, True), strange: (1, False, False)}
    assert (result["removed"]["multipart_count"], result["removed"]["size_bytes"]) == (2, size + 1)
    assert {upload_id for _, upload_id in s3.multipart_uploads(bucket)} == {strange, elsewhere}
