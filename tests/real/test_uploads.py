"""Uploads as real registries leave them: what they are made of, and that a purge ends none that is in use."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from support.documents import digest_of
from support.registry import NotThere, Refused
from support.servers import Server
from support.store_builder import TOP

import regsweep

WEEK = 7 * 86400.0
CONTENT = os.urandom(100_000)


@dataclass(frozen=True)
class Running:
    """A registry at work, and its storage."""

    server: Server
    root: Path

    def begin(self, repository: str, *parts: bytes) -> str:
        """Starts an upload and sends parts of it; gives back where the rest has to be sent."""
        location = self.server.registry.start_upload(repository)
        for part in parts:
            location = self.server.registry.continue_upload(location, part)
        return location

    def directories(self) -> list[Path]:
        """The directories of all uploads."""
        return sorted((self.root / TOP / "repositories").glob("**/_uploads/*"))

    def make_old(self, directory: Path, *, only_start: bool = False) -> None:
        """Makes an upload look as if begun, and last written to, two weeks ago."""
        moment = time.time() - 2 * WEEK
        started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))
        (directory / "startedat").write_text(started)
        if not only_start:
            for path in [directory, *directory.rglob("*")]:
                os.utime(path, (moment, moment))

    def finish(self, location: str, content: bytes = b"", whole: bytes = CONTENT) -> None:
        """Completes an upload, and gets the blob."""
        digest = digest_of(whole)
        self.server.registry.finish_upload(location, digest, content)
        assert self.server.registry.blob("team/app", digest) == whole


@pytest.fixture(params=[2, 3], ids=["2.8", "3.x"])
def running(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Running]:
    major: int = request.param
    root = tmp_path / "storage"
    with Server(major, root, tmp_path) as server:
        yield Running(server, root)


def purge(root: Path) -> regsweep.RemovedUploads:
    return regsweep.remove_uploads(regsweep.open(root).uploads())


def test_what_a_registry_writes_for_an_upload_is_known(running: Running) -> None:
    before = time.time()
    running.begin("team/app", CONTENT[:70_000], CONTENT[70_000:])
    running.begin("first/push")
    uploads = regsweep.open(running.root).uploads()
    assert [upload.repository for upload in uploads.all] == ["first/push", "team/app"]
    assert [running.root / upload.key for upload in uploads.all] == running.directories()
    empty, full = uploads.all
    assert len(CONTENT) < full.size_bytes < len(CONTENT) + 1000
    assert 0 < empty.size_bytes < 1000
    for upload in (empty, full):
        directory = running.root / upload.key
        assert upload.started == (directory / "startedat").read_text()
        assert upload.id == directory.name
        assert before - 1 <= upload.last_write.timestamp() <= uploads.listed.timestamp()
        assert upload.strange == []
    assert uploads.notes == []
    assert uploads.stale() == []
    assert uploads.stale(older_than=timedelta(0)) == uploads.all


def test_a_stale_upload_goes_and_leaves_the_place_as_the_registry_does(running: Running) -> None:
    location = running.begin("team/app", CONTENT[:70_000])
    (directory,) = running.directories()
    running.make_old(directory)
    removed = purge(running.root)
    assert (removed.upload_count, removed.failures) == (1, [])
    assert directory.parent.is_dir()
    assert running.directories() == []
    with pytest.raises(NotThere):
        running.finish(location, CONTENT[70_000:])
    running.finish(running.begin("team/app", CONTENT[:70_000]), CONTENT[70_000:])


def test_an_upload_in_use_is_finished_with_success_after_a_purge(running: Running) -> None:
    location = running.begin("team/app", CONTENT[:30_000])
    (directory,) = running.directories()
    stale = running.begin("team/app", b"given up")
    (abandoned,) = set(running.directories()) - {directory}
    running.make_old(abandoned)
    # Begun two weeks ago, as a push over a slow line may be, and still being written to.
    running.make_old(directory, only_start=True)
    assert purge(running.root).upload_count == 1
    assert running.directories() == [directory]
    location = running.server.registry.continue_upload(location, CONTENT[30_000:60_000])
    assert purge(running.root).upload_count == 0
    running.finish(location, CONTENT[60_000:])
    assert running.directories() == []
    with pytest.raises(NotThere):
        running.server.registry.continue_upload(stale, b"more")


def test_an_upload_that_goes_on_after_the_listing_is_finished_with_success(running: Running) -> None:
    location = running.begin("team/app", CONTENT[:30_000])
    (directory,) = running.directories()
    running.make_old(directory)
    uploads = regsweep.open(running.root).uploads()
    assert len(uploads.stale()) == 1
    location = running.server.registry.continue_upload(location, CONTENT[30_000:60_000])
    removed = regsweep.remove_uploads(uploads)
    assert (removed.upload_count, removed.left_count) == (0, 1)
    running.finish(location, CONTENT[60_000:])


def test_an_upload_that_is_finished_after_the_listing_is_nobodys_loss(running: Running) -> None:
    location = running.begin("team/app", CONTENT)
    (directory,) = running.directories()
    running.make_old(directory)
    uploads = regsweep.open(running.root).uploads()
    running.finish(location)
    removed = regsweep.remove_uploads(uploads)
    assert (removed.upload_count, removed.gone_count, removed.failures) == (0, 1, [])
    assert running.server.registry.has_blob("team/app", digest_of(CONTENT))


def test_a_client_that_comes_back_in_the_middle_of_a_removal_gets_an_error_and_not_another_blob(
    running: Running,
) -> None:
    # What is left when a run ends between the files of an upload.
    location = running.begin("team/app", CONTENT[:70_000])
    (directory,) = running.directories()
    (directory / "data").unlink()
    with pytest.raises((Refused, NotThere)):
        running.finish(location, CONTENT[70_000:])
    assert not running.server.registry.has_blob("team/app", digest_of(CONTENT))


def test_the_command_takes_the_registrys_own_configuration(running: Running) -> None:
    running.begin("team/app", CONTENT[:70_000])
    running.make_old(running.directories()[0])
    config = running.server.config

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "regsweep", "uploads", str(config), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    # This configuration switches the registry's purging off.
    refused = run("--purge")
    assert refused.returncode == 2
    assert "--older-than" in refused.stderr
    assert len(running.directories()) == 1
    assert run("--older-than", "3w", "--purge").returncode == 0
    assert len(running.directories()) == 1
    done = run("--older-than", "1w", "--purge")
    assert done.returncode == 0, done.stderr
    assert "removed 1 upload" in done.stderr
    assert running.directories() == []
