"""Registries on buckets, filled by skopeo and oras, collected by regsweep: what has to stay can be pulled again."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from support import scenario
from support.buckets import BucketServer
from support.clients import Clients
from support.reference import REGSWEEP, Run, run_program
from support.registry import Contents, NotThere
from support.scenario import Scenario, blobs_among, layer_links_among
from support.servers import Server

ROOT = "some/root"
REGISTRIES = [("versitygw", 2), ("versitygw", 3), ("azurite", 3)]


@dataclass(frozen=True)
class Pushed:
    """A bucket that clients have filled through a registry, which is stopped now."""

    buckets: BucketServer
    major: int
    bucket: str
    clients: Clients
    scenario: Scenario

    def server(self, bucket: str, directory: Path, *, read_only: bool = False) -> Server:
        """The registry on a bucket."""
        section = self.buckets.registry_section(bucket, ROOT, self.major)
        return Server(self.major, section, directory, read_only=read_only)

    def collect(self, server: Server, *flags: str) -> Run:
        """Runs regsweep with the registry's own configuration, and as the registry is run."""
        command = [str(REGSWEEP), "garbage-collect", f"--compat={self.major}", "--no-cache", *flags, str(server.config)]
        return run_program(command, server.environment)


@dataclass(frozen=True)
class Collected:
    """A bucket that was collected with `-m` while the registry, read-only, gave out images from it."""

    pushed: Pushed
    bucket: str
    directory: Path
    dry: Run
    run: Run
    keys_after_dry_run: set[str]
    pulled_meanwhile: dict[str, Contents]
    """What every tag gave after the collection, from the registry that was running all the time."""

    @property
    def keys(self) -> set[str]:
        """What is in the bucket now."""
        return set(self.pushed.buckets.keys(self.bucket))

    @property
    def living(self) -> set[str]:
        """The blobs that have to be there."""
        return self.pushed.scenario.living(delete_untagged=True)

    def server(self, *, read_only: bool = False) -> Server:
        """The registry on it."""
        return self.pushed.server(self.bucket, self.directory, read_only=read_only)


@pytest.fixture(scope="module", params=REGISTRIES, ids=lambda one: "-".join(map(str, one)))
def pushed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pushed:
    name, major = request.param
    buckets: BucketServer = request.getfixturevalue(name)
    bucket = buckets.fresh_bucket()
    directory = tmp_path_factory.mktemp(f"{name}-{major}")
    with Server(major, buckets.registry_section(bucket, ROOT, major), directory) as server:
        clients = Clients.in_directory(directory / "clients")
        return Pushed(buckets, major, bucket, clients, scenario.play(server.registry, clients))


@pytest.fixture(scope="module")
def collected(pushed: Pushed, tmp_path_factory: pytest.TempPathFactory) -> Collected:
    bucket = pushed.buckets.duplicate(pushed.bucket)
    directory = tmp_path_factory.mktemp("collected")
    with pushed.server(bucket, directory, read_only=True) as server:
        dry = pushed.collect(server, "-m", "--dry-run")
        keys = set(pushed.buckets.keys(bucket))
        run = pushed.collect(server, "-m")
        return Collected(pushed, bucket, directory, dry, run, keys, server.registry.pull_everything())


def test_collection_is_done_without_complaint(collected: Collected) -> None:
    assert collected.run.exit_code == 0, collected.run.stderr
    assert "warning" not in collected.run.stderr
    assert collected.run.stdout == collected.dry.stdout
    assert collected.keys_after_dry_run == set(collected.pushed.buckets.keys(collected.pushed.bucket))


def test_exactly_the_garbage_is_gone_from_the_bucket(collected: Collected) -> None:
    pushed = collected.pushed
    before = set(pushed.buckets.keys(pushed.bucket))
    assert collected.keys < before
    assert blobs_among(collected.keys) == collected.living
    assert collected.run.blobs == blobs_among(before) - collected.living != set()
    # The registry looks at links, not at blobs, before it answers a mount: a link that stays is a lie.
    links = {pushed.scenario.stored_as.get(digest, digest) for digest in layer_links_among(collected.keys)}
    assert links
    assert links <= collected.living
    for image in pushed.scenario.collected(delete_untagged=True).values():
        manifests = re.compile(rf"/repositories/{image.repository}/_manifests/.*{image.digest.partition(':')[2]}")
        assert not any(manifests.search(key) for key in collected.keys), image


def test_every_tag_and_artifact_is_pulled_as_before(collected: Collected) -> None:
    pushed = collected.pushed
    assert collected.pulled_meanwhile == pushed.scenario.pulled
    with collected.server() as server:
        assert server.registry.pull_everything() == pushed.scenario.pulled
        # Children of indexes and artifacts of tagged subjects, too.
        for name, image in pushed.scenario.images(delete_untagged=True).items():
            assert server.registry.pull(image.repository, image.digest) == image.contents, name
        for name in ("one", "multi", "mounted", "signed"):
            image = pushed.scenario.kept[name]
            pulled = pushed.clients.pull(server.registry.address, f"{image.repository}@{image.digest}")
            assert image.contents.items() <= pulled.items(), name


def test_what_should_be_gone_is_not_found(collected: Collected) -> None:
    gone = collected.pushed.scenario.collected(delete_untagged=True)
    assert {"gone", "recalled", "overwritten"} <= set(gone)
    with collected.server() as server:
        for image in gone.values():
            with pytest.raises(NotThere):
                server.registry.manifest(image.repository, image.digest)
            for digest in image.digests - collected.living:
                assert not server.registry.has_blob(image.repository, digest)


def test_a_second_collection_finds_nothing(collected: Collected) -> None:
    before = collected.keys
    with collected.server(read_only=True) as server:
        again = collected.pushed.collect(server, "-m")
    assert again.exit_code == 0, again.stderr
    assert again.summary.endswith(", 0 blobs and 0 manifests eligible for deletion")
    assert not again.blobs
    assert not again.layer_links
    assert collected.keys == before


def test_what_was_collected_can_be_pushed_again(collected: Collected, tmp_path: Path) -> None:
    """A client asks what is there before it uploads: what was collected must not seem to be."""
    pushed = collected.pushed
    everything = pushed.scenario.deleted | pushed.scenario.kept
    with pushed.server(pushed.buckets.duplicate(collected.bucket), tmp_path) as server:
        for name, layout_name in [("gone", "gone"), ("overwritten", "old"), ("recalled", "recalled")]:
            image = everything[name]
            pushed.clients.push(layout_name, server.registry.address, f"{image.repository}:again-{layout_name}")
            assert server.registry.pull(image.repository, f"again-{layout_name}") == image.contents
        pulled = server.registry.pull_everything()
        assert {name: one for name, one in pulled.items() if "again" not in name} == pushed.scenario.pulled
