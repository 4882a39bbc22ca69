"""The cycle while a registry runs on the bucket and skopeo and oras push: what was acknowledged is there afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.buckets import BucketServer
from support.clients import Clients
from support.documents import OCI_MANIFEST
from support.place import ROOT, Place
from support.registry import NotThere, Refused, Registry
from support.scenario import Image, blobs_among
from support.servers import Server

from regsweep import plan
from regsweep.set_aside import Wanted

PLACES: list[tuple[str, int, Wanted]] = [
    ("versitygw", 2, "condemn"),
    ("versitygw", 3, "copy"),
    ("azurite", 3, "copy"),
    ("moto", 3, "delete-marker"),
]


@dataclass
class Pushed:
    """What clients have pushed, and what of it has no tag that stays."""

    place: Place
    clients: Clients
    staying: dict[str, Image]
    going: dict[str, Image]

    @property
    def is_moved(self) -> bool:
        """Whether what is set aside is not to be seen any more."""
        return self.place.set_aside != "condemn"

    def plan(self) -> Path:
        """What has no tag goes, and what is only for a pull request."""
        return self.place.plan("pr-*")

    def push(self, name: str, reference: str) -> Image:
        """Pushes an image, and takes down what it is."""
        self.clients.push(name, self.place.registry.address, reference)
        return image(self.place.registry, *reference.split(":"))

    def assert_all_stay(self, registry: Registry, more: dict[str, Image]) -> None:
        for name, one in (self.staying | more).items():
            assert registry.pull(one.repository, one.digest) == one.contents, name


def image(registry: Registry, repository: str, reference: str) -> Image:
    return Image(repository, registry.manifest(repository, reference).digest, registry.pull(repository, reference))


@pytest.fixture(params=PLACES, ids=lambda one: "-".join(map(str, one)))
def pushed(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pushed]:
    name, major, set_aside = request.param
    buckets: BucketServer = request.getfixturevalue(name)
    bucket = buckets.fresh_bucket(versioning=set_aside == "delete-marker")
    clients = Clients.in_directory(tmp_path / "clients")
    clients.make_image("base")
    with Server(major, buckets.registry_section(bucket, ROOT, major), tmp_path) as server:
        pushed = Pushed(Place(buckets, bucket, server, set_aside, tmp_path), clients, {}, {})
        address = server.registry.address
        # Each an image and an artifact whose subject it is. The tag moves on to the second.
        for name, images in (("old", pushed.going), ("new", pushed.staying)):
            clients.make_image(name, base="base", layers=1)
            images[name] = pushed.push(name, "team/app:latest")
            artifact = clients.attach(address, "team/app:latest", "signature", fallback_tag=False)
            images[f"signature of {name}"] = image(server.registry, "team/app", artifact)
        clients.make_image("platform", base="base", layers=1)
        pushed.push("platform", "build/multi:pr-platform")
        clients.make_index(address, "build/multi", "pr-1", ["pr-platform"])
        pushed.going["index"] = image(server.registry, "build/multi", "pr-1")
        yield pushed


def test_what_is_pushed_again_while_it_is_set_aside_is_there_when_all_else_is_purged(pushed: Pushed) -> None:
    place, registry = pushed.place, pushed.place.registry
    old, index = pushed.going["old"], pushed.going["index"]
    manifest = registry.manifest("team/app", old.digest)
    layers = old.digests - {old.digest} - pushed.staying["new"].digests
    # A client has asked, and was told that all of it is there.
    assert all(registry.has_blob("team/app", digest) for digest in layers)
    place.apply(pushed.plan())
    pushed.assert_all_stay(registry, {})
    acknowledged: dict[str, Image] = {}
    if pushed.is_moved:
        for one in pushed.going.values():
            with pytest.raises(NotThere):
                registry.manifest(one.repository, one.digest)
        with pytest.raises(Refused):
            registry.put_manifest("team/app", "again", manifest.raw, manifest.media_type)
        for digest in layers:
            with pytest.raises(Refused):
                registry.mount_blob("mirror/app", digest, "team/app")
        # It sends all that it has.
        acknowledged["again"] = pushed.push("old", "team/app:again")
    else:
        registry.put_manifest("team/app", "again", manifest.raw, OCI_MANIFEST)
        acknowledged["again"] = old
        for digest in old.digests - {old.digest}:
            registry.mount_blob("mirror/app", digest, "team/app")
    acknowledged["elsewhere"] = pushed.push("old", "mirror/app:1")
    assert acknowledged["again"].contents == acknowledged["elsewhere"].contents == old.contents
    pushed.clients.push_artifact(registry.address, "team/charts:1")
    acknowledged["chart"] = image(registry, "team/charts", "1")

    place.confirm()
    with place.fresh() as fresh:
        pushed.assert_all_stay(fresh, acknowledged)
    place.purge()
    with place.fresh() as fresh:
        pushed.assert_all_stay(fresh, acknowledged)
        assert fresh.tags("team/app") == ["again", "latest"]
        with pytest.raises(NotThere):
            fresh.manifest("build/multi", "pr-1")
    needed = {digest for one in (pushed.staying | acknowledged).values() for digest in one.digests}
    gone = index.digests - needed
    assert gone
    assert not gone & blobs_among(place.objects())
    assert not [key for key in place.buckets.keys(place.bucket) if "/tree/" in key]
    assert plan.read_head(pushed.plan()).totals.items == 0


def test_undo_gives_everything_back(pushed: Pushed) -> None:
    place = pushed.place
    before = place.objects()
    applied = place.apply(pushed.plan())
    assert (len(place.objects()) < len(before)) == pushed.is_moved
    undone = place.undo(applied.run.id)
    assert not undone.restored.failures
    assert place.objects() == before
    with place.fresh() as fresh:
        pushed.assert_all_stay(fresh, pushed.going)
        assert fresh.tags("build/multi") == ["pr-1", "pr-platform"]
    assert plan.read_head(pushed.plan()).totals.items
