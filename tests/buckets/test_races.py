"""Pushes that meet a cycle on a bucket at the worst moment: once it is confirmed, what was acknowledged is there.

Each race is made certain: the registry, or regsweep, is stopped at one of its requests to the bucket
(``support.holding_proxy``), the world changes meanwhile, and then it goes on.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.buckets import BucketServer
from support.cycle import Image, apply_plan
from support.holding_proxy import HoldingProxy
from support.place import ROOT, Place
from support.registry import NotThere, Refused
from support.servers import Server

from regsweep.apply import Applied
from regsweep.set_aside import Wanted

OLD = Image("old", b"base")
STAYS = Image("stays", b"base")
NEW = Image("new", b"base")

PLACES: list[tuple[str, int, Wanted]] = [
    ("versitygw", 3, "copy"),
    ("azurite", 3, "copy"),
    ("moto", 3, "delete-marker"),
]


@dataclass
class Raced(Place):
    """A registry by way of a proxy; regsweep has another one of its own."""

    registrys: HoldingProxy
    regsweeps: HoldingProxy

    def begin_to_apply(self, plan: Path) -> Future[Applied]:
        """Applies, as far as the first removal: of tags, if there are any, or else of links."""
        store = self.store
        # Tried once, and by removals of its own.
        assert store.keeps_versions == (self.set_aside == "delete-marker")
        return self.regsweeps.begin(lambda: apply_plan(store, plan, set_aside=self.set_aside), "BULK_DELETE")

    def assert_whole(self, repository: str, reference: str, image: Image) -> None:
        with self.fresh() as registry:
            assert registry.pull(repository, reference) == image.contents


@pytest.fixture(params=PLACES, ids=lambda one: "-".join(map(str, one)))
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Raced]:
    """With an image without a tag, and one that stays and shares a layer with it."""
    name, major, set_aside = request.param
    buckets: BucketServer = request.getfixturevalue(name)
    bucket = buckets.fresh_bucket(versioning=set_aside == "delete-marker")
    with (
        HoldingProxy(buckets) as registrys,
        HoldingProxy(buckets) as regsweeps,
        Server(major, registrys.registry_section(bucket, ROOT, major), tmp_path) as server,
    ):
        OLD.push(server.registry, "team/app")
        STAYS.push(server.registry, "team/app", "stays")
        place = Raced(regsweeps.front, bucket, server, set_aside, tmp_path, registrys, regsweeps)
        yield place
        place.assert_whole("team/app", "stays", STAYS)


@pytest.fixture
def loses_by_copies(request: pytest.FixtureRequest, place: Raced) -> None:
    """Copies have times of their own, and are removed by a second request."""
    if place.set_aside == "copy":
        reason = "what is written between the mark and the removal of a copied link is removed with it"
        request.applymarker(pytest.mark.xfail(reason=reason, raises=NotThere, strict=True))


def test_a_manifest_verified_before_it_is_set_aside_and_linked_after_the_confirmation(place: Raced) -> None:
    plan = place.plan()
    # Its layers were looked at; the next step is to link it.
    put = place.registrys.begin(
        lambda: OLD.put(place.registry, "team/app", "again"), "PUT", "team/app/_manifests/revisions/"
    )
    applied = place.apply(plan)
    assert (applied.removed.manifest_count, applied.removed.blob_count) == (1, 3)
    assert place.confirm().restored.blob_count == 0
    place.registrys.go_on()
    put.result()
    with place.fresh() as registry, pytest.raises(NotThere):
        registry.pull("team/app", "again")
    restored = place.purge().restored
    assert restored is not None
    assert restored.blob_count == 3
    place.assert_whole("team/app", "again", OLD)


def test_a_mount_that_is_acknowledged_after_what_it_mounts_was_set_aside(place: Raced) -> None:
    plan = place.plan()
    digest = OLD.digests[-1]
    mount = place.registrys.begin(
        lambda: place.registry.mount_blob("mirror/app", digest, "team/app"), "PUT", "mirror/app/_layers/"
    )
    assert place.apply(plan).removed.blob_count == 3
    place.registrys.go_on()
    mount.result()
    with pytest.raises(Refused):
        # A manifest that needs what is not there is refused, not broken.
        OLD.put(place.registry, "mirror/app", "1")
    assert place.confirm().restored.blob_count == 1
    OLD.push(place.registry, "mirror/app", "1")
    place.assert_whole("mirror/app", "1", OLD)
    place.purge()
    place.assert_whole("mirror/app", "1", OLD)


@pytest.mark.usefixtures("loses_by_copies")
def test_a_manifest_that_is_pushed_by_its_digest_while_its_link_is_set_aside(place: Raced) -> None:
    plan = place.plan()
    applied = place.begin_to_apply(plan)
    # Nothing but this link leads to it.
    OLD.push(place.registry, "team/app")
    place.regsweeps.go_on()
    assert applied.result().removed.manifest_count == 1
    place.confirm()
    place.assert_whole("team/app", OLD.digest, OLD)
    place.purge()
    place.assert_whole("team/app", OLD.digest, OLD)


@pytest.mark.usefixtures("loses_by_copies")
def test_a_tag_that_is_moved_on_while_it_is_set_aside(place: Raced) -> None:
    OLD.put(place.registry, "team/app", "moving")
    NEW.push(place.registry, "team/app", "new")
    plan = place.plan("moving")
    applied = place.begin_to_apply(plan)
    NEW.put(place.registry, "team/app", "moving")
    place.regsweeps.go_on()
    applied.result()
    place.confirm()
    place.assert_whole("team/app", "moving", NEW)
    place.purge()
    place.assert_whole("team/app", "moving", NEW)


def test_the_same_content_uploaded_for_another_repository_while_it_is_set_aside(place: Raced) -> None:
    place.apply(place.plan())
    assert OLD.push(place.registry, "other/app", "1") == OLD.digests, "nothing seems to be there"
    confirmed = place.confirm().restored
    # Its blobs are there again; the links of the first repository come back, for what they lead to is live.
    assert (confirmed.blob_count, confirmed.manifest_count, confirmed.layer_link_count) == (0, 1, 2)
    place.assert_whole("other/app", "1", OLD)
    place.purge()
    place.assert_whole("other/app", "1", OLD)
    place.assert_whole("team/app", OLD.digest, OLD)
