"""``regsweep uploads``: what it shows, which age counts, what it removes, and its JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, timedelta
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from command import CONFIG, run
from jsonschema import Draft202012Validator
from support.powers import without_powers
from support.store_builder import TOP, snapshot

import regsweep

DAY = 86400.0
START = "2026-11-01T00:00:00Z"


@dataclass(frozen=True)
class Storage:
    """A storage root with uploads of a registry that is gone."""

    root: Path

    def path(self, repository: str, number: int) -> Path:
        return self.root / TOP / "repositories" / repository / "_uploads" / f"01a20754-e05f-7328-9a1a-{number:012}"

    def upload(self, repository: str, number: int, *, days: float, content: bytes = b"x" * 1000) -> Path:
        """Writes an upload that was begun, and last written to, so many days ago."""
        place = self.path(repository, number)
        moment = time.time() - days * DAY
        started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))
        for name, text in (("startedat", started.encode()), ("data", content), ("hashstates/sha256/0", b"state")):
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes(text)
        self.age(place, days)
        return place

    def age(self, place: Path, days: float) -> None:
        """Makes all of an upload look as if written so many days ago."""
        moment = time.time() - days * DAY
        for path in [*place.rglob("*"), place]:
            os.utime(path, (moment, moment))

    def config(self, purging: str) -> Path:
        """A configuration for it, with a section ``uploadpurging``."""
        path = self.root.parent / "config.yml"
        path.write_text(CONFIG.format(root=self.root) + f"    uploadpurging: {purging}\n")
        return path


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    storage = Storage(tmp_path / "storage")
    storage.upload("team/app", 1, days=10)
    storage.upload("team/app", 2, days=1)
    storage.upload("base", 3, days=30)
    return storage


def uploads(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return run("uploads", *map(str, arguments))


def test_all_uploads_are_listed_and_the_stale_ones_named(storage: Storage) -> None:
    before = snapshot(storage.root)
    shown = uploads(storage.root)
    header, *rows = [line.split() for line in shown.stdout.splitlines()]
    assert shown.returncode == 0
    assert header == ["REPOSITORY", "UPLOAD", "STARTED", "LAST", "WRITE", "SIZE"]
    assert [(row[0], row[1][-1], row[-1]) for row in rows] == [
        ("base", "3", "stale"),
        ("team/app", "1", "stale"),
        ("team/app", "2", "KiB"),
    ]
    assert rows[0][2] == (storage.path("base", 3) / "startedat").read_text()
    assert "3 uploads, 3.0 KiB; stale (older than 7d00h): 2, 2.0 KiB; --purge would remove those" in shown.stderr
    assert "removed " not in shown.stderr
    assert snapshot(storage.root) == before


def test_a_purge_removes_the_stale_ones_and_nothing_else(storage: Storage) -> None:
    before = snapshot(storage.root)
    done = uploads(storage.root, "--purge")
    assert (done.returncode, done.stderr.splitlines()[-1]) == (0, "removed 2 uploads, 2.0 KiB")
    after = snapshot(storage.root)
    stale = [str(storage.path(*place).relative_to(storage.root)) for place in (("base", 3), ("team/app", 1))]
    assert set(before) - set(after) == {path for path in before if path.startswith(tuple(stale))}
    assert not storage.path("base", 3).exists()
    assert storage.path("base", 3).parent.is_dir()
    assert storage.path("team/app", 2).is_dir()
    again = uploads(storage.root, "--purge")
    assert again.returncode == 0
    assert "removed " not in again.stderr


def test_an_empty_registry_has_nothing_to_show(tmp_path: Path) -> None:
    shown = uploads(tmp_path)
    assert (shown.returncode, shown.stdout) == (0, "")
    assert "0 uploads, 0 B" in shown.stderr


@pytest.mark.parametrize(
    ("purging", "option", "stale"),
    [
        ("{enabled: true, age: 480h, interval: 24h, dryrun: false}", None, ["3"]),
        ("{enabled: true, age: 480h, interval: 24h, dryrun: false}", "12h", ["3", "1", "2"]),
        ("{enabled: false}", "168h", ["3", "1"]),
        ("{enabled: false}", None, []),
    ],
)
def test_the_age_is_the_options_else_the_configurations(
    storage: Storage, purging: str, option: str | None, stale: list[str]
) -> None:
    more = [] if option is None else ["--older-than", option]
    shown = uploads(storage.config(purging), *more)
    assert shown.returncode == 0, shown.stderr
    found = [line.split()[1][-1] for line in shown.stdout.splitlines() if line.endswith("stale")]
    assert found == stale


def test_a_registry_that_does_not_purge_names_no_age(storage: Storage) -> None:
    config = storage.config("{enabled: false}")
    before = snapshot(storage.root)
    assert "--older-than does" in uploads(config).stderr
    refused = uploads(config, "--purge")
    assert refused.returncode == 2
    assert "names no age: --purge needs --older-than" in refused.stderr
    assert snapshot(storage.root) == before
    with pytest.raises(regsweep.UploadAgeError):
        regsweep.open(config).uploads().stale()


def test_an_upload_without_a_start_goes_only_when_all_of_it_is_old(storage: Storage) -> None:
    unknown = storage.upload("lost", 4, days=10)
    (unknown / "startedat").unlink()
    # Its directory was changed just now.
    shown = uploads(storage.root, "--purge")
    assert f"note: {unknown.relative_to(storage.root)}: an upload without startedat" in shown.stderr
    assert "unknown" in shown.stdout
    assert unknown.exists()
    storage.age(unknown, 10)
    assert uploads(storage.root, "--purge").returncode == 0
    assert not unknown.exists()


def test_what_the_registry_does_not_write_is_named_and_stays_with_its_upload(storage: Storage) -> None:
    strange = storage.path("base", 3) / "notes.txt"
    strange.write_text("do not touch")
    storage.age(storage.path("base", 3), 30)
    (storage.root / TOP / "repositories/base/_uploads/README").write_text("")
    done = uploads(storage.root, "--purge")
    assert done.returncode == 0
    assert f"note: {strange.relative_to(storage.root)}: not part of an upload: it stays" in done.stderr
    assert "README: not an upload" in done.stderr
    assert strange.exists()
    assert (storage.path("base", 3) / "data").exists()


def test_symbolic_links_are_left_alone_and_not_followed(storage: Storage, tmp_path: Path) -> None:
    outside = Storage(tmp_path / "elsewhere")
    target = outside.upload("other", 5, days=30)
    storage.path("base", 5).symlink_to(target)
    (storage.root / TOP / "repositories/linked").mkdir()
    (storage.root / TOP / "repositories/linked/_uploads").symlink_to(target.parent)
    linked_data = storage.upload("base", 6, days=30)
    (linked_data / "data").unlink()
    (linked_data / "data").symlink_to(target / "data")
    linked_states = storage.upload("base", 7, days=30)
    (linked_states / "hashstates/sha256/0").unlink()
    (linked_states / "hashstates/sha256").rmdir()
    (linked_states / "hashstates/sha256").symlink_to(target / "hashstates/sha256")
    before = snapshot(outside.root)
    done = uploads(storage.root, "--purge")
    assert done.returncode == 0, done.stderr
    assert "removed 2 uploads" in done.stderr
    assert snapshot(outside.root) == before
    assert storage.path("base", 5).is_symlink()
    assert linked_data.exists()
    assert linked_states.exists()


def test_a_symbolic_link_among_the_repositories_stops_it(storage: Storage) -> None:
    (storage.root / TOP / "repositories/link").symlink_to("/nowhere")
    before = snapshot(storage.root)
    stopped = uploads(storage.root, "--purge")
    assert stopped.returncode == 1
    assert "a symbolic link stands" in stopped.stderr
    assert snapshot(storage.root) == before


def test_hasty_ages_are_warned_of(storage: Storage) -> None:
    writable = storage.root.parent / "writable.yml"
    writable.write_text(f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {storage.root}}}}}\n")
    warning = "warning: clients may still be at work"
    assert warning not in uploads(writable, "--older-than", "12h", "--purge").stderr
    storage.upload("base", 8, days=0.1)
    assert warning in uploads(writable, "--older-than", "30m", "--purge").stderr
    storage.upload("base", 8, days=0.1)
    read_only = storage.config("{enabled: true, age: 168h, interval: 24h, dryrun: false}")
    assert warning not in uploads(read_only, "--older-than", "30m", "--purge").stderr


@pytest.mark.parametrize("place", [".", "hashstates", "hashstates/sha256"])
def test_what_may_not_be_removed_is_named_and_the_next_run_finishes(storage: Storage, place: str) -> None:
    locked = storage.path("base", 3) / place
    locked.chmod(0o555)
    command = [sys.executable, "-m", "regsweep", "uploads", str(storage.root), "--purge"]
    failed = subprocess.run(without_powers(command), capture_output=True, text=True, check=False)
    locked.chmod(0o755)
    assert failed.returncode == 3, failed.stderr
    assert f"failed to remove {storage.path('base', 3).relative_to(storage.root)}" in failed.stderr
    assert (storage.path("base", 3) / "startedat").exists() == (place != "hashstates")
    assert not storage.path("team/app", 1).exists()
    storage.age(storage.path("base", 3), 30)
    again = uploads(storage.root, "--purge")
    assert again.returncode == 0
    assert not storage.path("base", 3).exists()


def result_of(*arguments: str | Path) -> dict[str, Any]:
    done = uploads(*arguments, "--json", "-")
    result: dict[str, Any] = json.loads(done.stdout)
    schema = json.loads(resources.files("regsweep").joinpath("schema/uploads-1.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(result)
    assert result["exit_code"] == done.returncode
    return result


def test_the_json_has_all_of_it(storage: Storage) -> None:
    (storage.path("base", 3) / "notes.txt").write_text("")
    result = result_of(storage.root)
    assert (result["removed"], result["options"]) == (None, {"older_than_seconds": 7 * DAY, "purge": False})
    assert [(upload["repository"], upload["stale"]) for upload in result["uploads"]] == [
        ("base", False),
        ("team/app", True),
        ("team/app", False),
    ]
    assert len(result["uploads"][0]["strange"]) == len(result["notes"]) == 1
    result = result_of(storage.root, "--purge")
    assert result["removed"] == {
        "upload_count": 1,
        "multipart_count": 0,
        "size_bytes": 1025,
        "left_count": 0,
        "gone_count": 0,
        "failures": [],
        "interrupted": False,
    }


def test_a_result_that_cannot_be_written_ends_the_run_before_anything_is_removed(storage: Storage) -> None:
    before = snapshot(storage.root)
    for target in (storage.root.parent / "no" / "file", storage.root.parent):
        done = uploads(storage.root, "--purge", "--json", target)
        assert (done.returncode, f"cannot write to {target}" in done.stderr) == (1, True)
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "regsweep", "uploads", str(storage.root), "--purge"]
        failed = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert failed.returncode == 1
    assert "cannot write to standard output" in failed.stderr
    assert snapshot(storage.root) == before


def test_what_could_not_be_reported_after_a_removal_changes_the_exit_code(storage: Storage) -> None:
    done = uploads(storage.root, "--purge", "--json", "/dev/full")
    assert done.returncode == 3
    assert "removed 2 uploads" in done.stderr


def test_a_driver_without_directories_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.yml").write_text("version: 0.1\nstorage: {swift: {container: b}}\n")
    refused = uploads(tmp_path / "config.yml")
    assert refused.returncode == 1
    assert "this is swift" in refused.stderr


def test_the_library_gives_aware_times(storage: Storage) -> None:
    found = regsweep.open(storage.root).uploads()
    assert found.listed.tzinfo is not None
    assert all(upload.last_write.utcoffset() == timedelta(0) for upload in found.all)
    assert found.stale(timedelta(days=20)) == found.stale(20 * DAY) == found.all[:1]
    written = (storage.path("base", 3) / "data").stat().st_mtime
    assert abs(found.all[0].last_write.astimezone(UTC).timestamp() - written) < 0.001


def test_times_that_no_calendar_has_are_shown_as_its_last(storage: Storage) -> None:
    data = storage.path("base", 3) / "data"
    try:
        os.utime(data, (2**40, 2**40))
    except OverflowError:
        pytest.skip("this filesystem knows no such times")
    assert uploads(storage.root).returncode == 0
