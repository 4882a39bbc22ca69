"""Condemned lists: apply --set-aside, purge, undo, runs, run, report and why as they are typed, on versitygw."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from command import run
from jsonschema import Draft202012Validator
from support.buckets import Versitygw
from support.condemned import ROOT, Condemning, rows_of
from support.cycle import next_second
from tiny_store import TinyStore


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Versitygw]:
    with Versitygw(tmp_path_factory.mktemp("versitygw")) as running:
        yield running


class Typed(Condemning):
    """A bucket, and regsweep on it."""

    def regsweep(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = run(*arguments, "--no-cache", environment=self.server.environment())
        assert done.returncode == code, (arguments, done.stdout, done.stderr)
        return done

    def purge(self, *options: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        at_once = ("--older-than", "0", "--settle", "0")
        return self.regsweep("purge", self.url, *at_once, "--cache", "none", *options, code=code)

    def nightly(self, *options: str) -> subprocess.CompletedProcess[str]:
        return self.regsweep(
            "run", self.url, "--delete-untagged", "--min-age", "0", "--cache", "none", "--settle", "0", *options
        )

    def json(self, *arguments: str) -> dict[str, Any]:
        document = json.loads(self.regsweep(*arguments, "--json", "-").stdout)
        name = document["schema"].removeprefix("regsweep.").replace("/", "-")
        schema = json.loads(resources.files("regsweep").joinpath(f"schema/{name}.schema.json").read_text())
        Draft202012Validator(schema).validate(document)
        return dict(document)

    def runs(self) -> list[dict[str, Any]]:
        return list(self.json("runs", self.url)["runs"])


@pytest.fixture
def place(server: Versitygw, tmp_path: Path) -> Typed:
    return Typed(server, tmp_path)


def test_the_whole_way(place: Typed) -> None:
    before = place.registry()
    path = place.plan()
    applied = place.regsweep("apply", str(path), "--store", place.url)
    assert re.match(
        r"condemned 6\.3 KiB \(4 manifests, 16 layer links, 20 blobs\) as run \S+; nothing was moved\n", applied.stdout
    )
    assert "next, in 7d00h: regsweep purge" in applied.stdout
    assert place.registry() == before

    [told] = place.runs()
    assert (told["state"], told["set_aside"], told["permanent"]) == ("condemned", "condemn", False)
    assert told["waits_for"].startswith("can be purged in ")
    listed = place.regsweep("runs", place.url, "--older-than", "0", "--settle", "0").stdout
    assert "condemned    condemned 6.3 KiB (20 blobs, 4 manifests, 0 tags)  → purge" in listed

    assert "can be purged in" in place.regsweep("purge", place.url, "--cache", "none").stdout
    early = place.regsweep("purge", place.url, "--older-than", "0", "--cache", "none")
    assert "can be purged in" in early.stdout, "not before requests in flight have ended"
    assert place.registry() == before
    assert "confirmed 0 runs" in place.regsweep("confirm", place.url, "--settle", "0").stdout
    named = place.regsweep("confirm", place.url, told["id"], "--settle", "0", code=1)
    assert "is condemned" in named.stderr
    assert "hint: it has moved nothing that could come back: 'regsweep purge'" in named.stderr

    assert "freed 6.3 KiB (20 blobs)" in place.purge().stdout
    assert "there is no confirmed run to purge, and no condemned one" in place.purge().stdout
    assert rows_of(place.plan()) == []
    assert [one["state"] for one in place.runs()] == ["purged"]
    assert "is purged" in place.regsweep("undo", place.url, told["id"], code=1).stderr


def test_what_stays_is_said(place: Typed) -> None:
    path = place.plan()
    digests = [row["digest"] for row in rows_of(path) if row["kind"] == "manifest"]
    place.push("pushed/since", "one", digests[0])
    applied = place.regsweep("apply", str(path), "--store", place.url)
    assert "10 of the plan stayed: needed by now, or gone already" in applied.stdout
    place.push("pushed/since", "two", digests[1])
    purged = place.purge()
    assert re.search(r"10 of what run \S+ had condemned stayed: needed by now", purged.stdout)
    assert "(10 blobs)" in purged.stdout


def test_undo_says_that_nothing_had_moved(place: Typed) -> None:
    before = place.registry()
    place.regsweep("apply", str(place.plan()), "--store", place.url)
    [told] = place.runs()
    undone = place.regsweep("undo", place.url, told["id"])
    assert undone.stdout == f"forgot what run {told['id']} had condemned: nothing of it had been moved or removed\n"
    assert place.runs()[0]["state"] == "undone"
    place.purge()
    assert place.registry() == before


def test_a_nightly_run_condemns_nothing_twice_and_purges_what_is_old_enough(place: Typed) -> None:
    before = place.registry()
    first = place.nightly()
    assert "condemned 6.3 KiB" in first.stdout
    assert "confirmed" not in first.stdout, "nothing has to be waited for"
    again = place.nightly()
    assert "all of it was condemned before, and waits to be purged" in again.stdout
    assert len(place.runs()) == 1
    assert place.registry() == before
    # Another night, another repository: only what is new is condemned.
    place.server.put(place.bucket, f"{ROOT}/docker/registry/v2/blobs/sha256/00/{'0' * 64}/data", b"orphan")
    next_second()
    third = place.nightly()
    assert "condemned 6 B (1 blob)" in third.stdout
    assert "6.3 KiB (4 manifests, 16 layer links, 20 blobs) more had been condemned before" in third.stdout
    report = place.directory / "run.json"
    last = place.nightly("--older-than", "0", "--json", str(report))
    assert last.stdout.count("purged run ") == 2
    assert "would free nothing" in last.stdout
    work = json.loads(report.read_text())["work"]
    assert (work["purged"]["blobs"], work["condemned"]["blobs"]) == (21, 0)
    assert {one["state"] for one in place.runs()} == {"purged"}


def test_a_nightly_run_by_copies_is_confirmed_as_ever(place: Typed) -> None:
    done = place.nightly("--set-aside", "copy")
    assert "set aside 6.3 KiB" in done.stdout
    assert "confirmed 1 run: nothing had to come back" in done.stdout
    assert place.runs()[0]["set_aside"] == "copy"


def test_an_interrupted_application_is_finished_by_the_next_night(place: Typed) -> None:
    place.regsweep("apply", str(place.plan()), "--store", place.url)
    [told] = place.runs()
    key = f"{ROOT}/.regsweep/{told['id']}/run.json"
    record = json.loads(place.server.content(place.bucket, key))
    record |= {"state": "applying", "events": record["events"][:1]}
    place.server.put(place.bucket, key, json.dumps(record).encode())
    assert "apply its plan again" in place.runs()[0]["waits_for"]
    night = place.nightly()
    assert f"condemned 6.3 KiB (4 manifests, 16 layer links, 20 blobs) as run {told['id']}" in night.stdout
    assert [one["state"] for one in place.runs()] == ["condemned"]


def test_a_purge_behind_a_cache_in_memory_is_refused_and_said_beforehand(place: Typed) -> None:
    section = place.server.registry_section(place.bucket, ROOT, 3)
    config = place.directory / "config.yml"
    config.write_text(
        f"version: 0.1\nstorage:\n{section.text}  cache: {{blobdescriptor: inmemory}}\nhttp: {{addr: '127.0.0.1:0'}}\n"
    )
    applied = place.regsweep("apply", str(place.plan()), "--store", str(config))
    assert "warning: purge will be refused by guard cache-cannot-forget" in applied.stderr
    before = place.registry()
    at_once = ("--older-than", "0", "--settle", "0")
    refused = place.regsweep("purge", str(config), *at_once, "--registry-restarted", code=4)
    assert "refused by guard cache-cannot-forget" in refused.stderr
    assert "--set-aside copy" in refused.stderr
    assert "restart every registry process afterwards" in refused.stderr
    assert place.registry() == before
    assert "purged run" in place.regsweep("purge", str(config), *at_once, "--override", "cache-cannot-forget").stdout


def test_looking_and_reporting_know_of_condemned_runs(place: Typed) -> None:
    path = place.plan()
    place.regsweep("apply", str(path), "--store", place.url)
    digest = next(row["digest"] for row in rows_of(path) if row["kind"] == "blob")
    assert place.json("why", place.url, digest, "--delete-untagged")["verdict"] == "garbage"
    assert place.json("du", place.url)["quarantined"]["blob_count"] == 0
    found = place.json("report", place.url)
    assert found["quarantine"] == []
    [held] = found["condemned"]
    assert (held["state"], held["blobs"]) == ("condemned", 20)
    assert "Condemned, and still there" in place.regsweep("report", place.url).stdout
    metrics = place.directory / "store.prom"
    place.regsweep("report", place.url, "--prometheus", str(metrics), "--html", str(place.directory / "page.html"))
    assert re.search(rf"^regsweep_condemned_bytes{{.*}} {held['bytes']}$", metrics.read_text(), re.MULTILINE)
    assert '<h2 id="condemned">' in (place.directory / "page.html").read_text()


@pytest.mark.parametrize("way", ["condemn", "copy"])
def test_a_filesystem_knows_only_moves(tmp_path: Path, way: str) -> None:
    store = TinyStore(tmp_path / "store")
    store.image("team/app", "v1", [b"base"])
    store.blob(b"orphan")
    root, plan = str(store.root), str(tmp_path / "plan")
    assert run("plan", root, "--output", plan).returncode == 0
    for arguments in (("apply", plan), ("run", root)):
        refused = run(*arguments, "--set-aside", way)
        assert refused.returncode == 1
        assert f"--set-aside {way} is for buckets" in refused.stderr
    assert not (store.root / ".regsweep").exists()
    assert run("apply", plan, "--set-aside", "auto").stdout.startswith("set aside ")


def test_removing_at_once_sets_nothing_aside(tmp_path: Path) -> None:
    store = TinyStore(tmp_path / "store")
    store.image("team/app", "v1", [b"base"])
    plan = str(tmp_path / "plan")
    assert run("plan", str(store.root), "--output", plan).returncode == 0
    refused = run("apply", plan, "--permanent", "--set-aside", "copy")
    assert refused.returncode == 2
    assert "--permanent excludes --set-aside" in refused.stderr
