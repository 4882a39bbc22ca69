"""Pushes that meet a cycle at the worst moment: whatever the registry acknowledged is there once it is confirmed.

Each race is made certain: the registry is stopped between two of its steps (``support.held``), the cycle goes on, and
then the registry does. What a test pulls, it pulls through a registry that caches nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.cycle import Image, age, apply_plan, confirm, make_plan, purge
from support.held import Held
from support.registry import NotThere, Refused, Registry
from support.servers import Cache, Redis, Server
from support.store_builder import TOP, blob_path
from support.strace import need_strace

import regsweep
from regsweep import apply, safety
from regsweep.errors import GuardRefused
from regsweep.quarantine import Registries, Waiting

NO_CACHE = Registries(cache="none")
BOTH = pytest.mark.parametrize("major", [2, 3], ids=["2.8", "3.x"])

OLD = Image("old", b"base")
STAYS = Image("stays", b"base")


@dataclass
class Place:
    """A registry of a version on a storage, and a plan of what was in it at first."""

    major: int
    directory: Path
    server: Server

    @property
    def root(self) -> Path:
        return self.directory / "storage"

    @property
    def registry(self) -> Registry:
        return self.server.registry

    def plan(self, *tags: str) -> Path:
        """Makes all that was pushed old, and plans: these tags go, and manifests without a tag."""
        age(self.root)
        return make_plan(self.root, self.directory / "plan.csv", tags=tags)

    def revision(self, repository: str, image: Image) -> Path:
        """The directory of a manifest's link."""
        return self.repository(repository) / "_manifests/revisions" / image.digest.replace(":", "/")

    def repository(self, repository: str) -> Path:
        return self.root / TOP / "repositories" / repository

    def blob(self, digest: str) -> Path:
        return self.root / TOP / blob_path(digest)

    @contextmanager
    def fresh(self) -> Iterator[Registry]:
        """A registry that was started just now and caches nothing."""
        directory = self.directory / "fresh"
        directory.mkdir(exist_ok=True)
        with Server(self.major, self.root, directory) as server:
            yield server.registry

    def assert_whole(self, repository: str, reference: str, image: Image) -> None:
        with self.fresh() as registry:
            assert registry.pull(repository, reference) == image.contents

    def assert_not_there(self, repository: str, reference: str) -> None:
        with self.fresh() as registry, pytest.raises(NotThere):
            registry.pull(repository, reference)


@contextmanager
def place_of(major: int, directory: Path, cache: Cache = None) -> Iterator[Place]:
    """A registry with an image without a tag, and one that stays and shares a layer with it."""
    need_strace()
    with Server(major, directory / "storage", directory, cache=cache) as server:
        OLD.push(server.registry, "team/app")
        STAYS.push(server.registry, "team/app", "stays")
        yield Place(major, directory, server)


@pytest.fixture
def place(major: int, tmp_path: Path) -> Iterator[Place]:
    with place_of(major, tmp_path) as place:
        yield place
        place.assert_whole("team/app", "stays", STAYS)


@BOTH
def test_a_manifest_verified_before_the_quarantine_and_linked_after_the_confirmation(place: Place) -> None:
    plan = place.plan()
    with Held(place.server.process_id, "newfstatat", place.revision("team/app", OLD)) as held:
        # Its layers and its own blob were looked at; the next step is to link it.
        put = held.begin(lambda: OLD.put(place.registry, "team/app", "again"))
        applied = apply_plan(place.root, plan)
        assert (applied.removed.manifest_count, applied.removed.blob_count) == (1, 3)
        assert confirm(place.root).restored.blob_count == 0
        held.go_on()
        put.result()
    place.assert_not_there("team/app", "again")
    restored = purge(place.root, NO_CACHE).restored
    assert restored is not None
    assert restored.blob_count == 3
    place.assert_whole("team/app", "again", OLD)


@BOTH
def test_a_link_that_is_rewritten_while_it_is_moved_away(place: Place) -> None:
    plan = place.plan()
    link = place.revision("team/app", OLD) / "link"
    # 2.8 has opened the link itself. 3.x is about to make a temporary file beside it.
    call, path = ("openat", link) if place.major == 2 else ("newfstatat", link.parent)
    with Held(place.server.process_id, call, path) as held:
        put = held.begin(lambda: OLD.put(place.registry, "team/app"))
        assert apply_plan(place.root, plan).removed.manifest_count == 1
        held.go_on()
        put.result()
    assert link.exists() == (place.major == 3)
    assert confirm(place.root).restored.blob_count == 3
    place.assert_whole("team/app", OLD.digest, OLD)
    purge(place.root, NO_CACHE)
    place.assert_whole("team/app", OLD.digest, OLD)


@BOTH
def test_a_layer_link_that_is_rewritten_while_it_is_moved_away(place: Place) -> None:
    plan = place.plan()
    layer = OLD.layers[-1]
    digest = OLD.digests[-1]
    link = place.repository("team/app") / "_layers" / digest.replace(":", "/") / "link"
    call, path = ("openat", link) if place.major == 2 else ("newfstatat", link.parent)
    with Held(place.server.process_id, call, path) as held:
        # The registry sees that it has this content, throws the upload away and writes the link only.
        upload = held.begin(lambda: place.registry.put_blob("team/app", layer))
        assert apply_plan(place.root, plan).removed.layer_link_count == 2
        held.go_on()
        upload.result()
    assert confirm(place.root).restored.blob_count == 1
    with place.fresh() as registry:
        assert registry.blob("team/app", digest) == layer
        assert digest not in OLD.push(registry, "team/app", "again")
    purge(place.root, NO_CACHE)
    place.assert_whole("team/app", "again", OLD)


@BOTH
def test_a_tag_that_is_moved_on_while_its_directory_is_moved_away(place: Place) -> None:
    OLD.put(place.registry, "team/app", "moving")
    new = Image("new")
    new.push(place.registry, "team/app", "new")
    plan = place.plan("moving")
    current = place.repository("team/app") / "_manifests/tags/moving/current"
    call, path = ("openat", current / "link") if place.major == 2 else ("newfstatat", current)
    with Held(place.server.process_id, call, path) as held:
        put = held.begin(lambda: new.put(place.registry, "team/app", "moving"))
        assert apply_plan(place.root, plan).removed.tag_count == 1
        held.go_on()
        if place.major == 2:
            put.result()
        else:
            # The directory of its temporary file is gone: that is no success, and clients try again.
            with pytest.raises((Refused, NotThere)):
                put.result()
            new.put(place.registry, "team/app", "moving")
    assert confirm(place.root).restored.tag_count == (1 if place.major == 2 else 0)
    place.assert_whole("team/app", "moving", new)
    purge(place.root, NO_CACHE)
    place.assert_whole("team/app", "moving", new)


def test_a_tag_read_while_it_is_rewritten_keeps_all_of_its_repository(tmp_path: Path) -> None:
    with place_of(2, tmp_path) as place:
        plan = place.plan()
        current = place.repository("team/app") / "_manifests/tags/stays/current/link"
        with Held(place.server.process_id, "ftruncate", current) as held:
            put = held.begin(lambda: STAYS.put(place.registry, "team/app", "stays"))
            assert current.read_bytes() == b""
            applied = apply_plan(place.root, plan)
            assert (applied.removed.manifest_count, applied.removed.blob_count) == (0, 0)
            held.go_on()
            put.result()
        place.assert_whole("team/app", OLD.digest, OLD)


@BOTH
def test_the_same_content_uploaded_for_another_repository_while_it_is_set_aside(place: Place) -> None:
    apply_plan(place.root, place.plan())
    assert OLD.push(place.registry, "other/app", "1") == OLD.digests, "nothing seems to be there"
    confirmed = confirm(place.root).restored
    # Its blobs are there again; the links of the first repository come back, for what they lead to is live.
    assert (confirmed.blob_count, confirmed.manifest_count, confirmed.layer_link_count) == (0, 1, 2)
    place.assert_whole("other/app", "1", OLD)
    purge(place.root, NO_CACHE)
    place.assert_whole("other/app", "1", OLD)
    place.assert_whole("team/app", OLD.digest, OLD)


@BOTH
def test_pushes_through_a_cache_in_the_registrys_memory(major: int, tmp_path: Path) -> None:
    late = Image("late", b"base")
    with place_of(major, tmp_path, "inmemory") as place:
        late.push(place.registry, "team/app")
        config = place.server.config
        apply_plan(place.root, place.plan())
        assert OLD.push(place.registry, "team/app", "again") == [], "the cache says that all of it is there"
        place.assert_not_there("team/app", "again")
        confirm(config)
        place.assert_whole("team/app", "again", OLD)
        # It still says so of what nobody needed until now.
        assert late.push(place.registry, "team/app", "late") == []
        for registries in (Registries(), Registries(started=(1.0,)), Registries(started=(4e9, 1.0))):
            with pytest.raises(GuardRefused) as refused:
                purge(config, registries)
            assert [refusal.guard for refusal in refused.value.refusals] == [safety.REGISTRY_NOT_RESTARTED]
        place.assert_not_there("team/app", "late")
    with place.server:
        purge(config, Registries(started=(started(place.server),)))
        assert place.registry.pull("team/app", "late") == late.contents
    for tag, image in (("late", late), ("again", OLD), ("stays", STAYS)):
        place.assert_whole("team/app", tag, image)


def started(server: Server) -> float:
    from regsweep.descriptor_cache import process_started

    return process_started(server.process_id)


@pytest.fixture
def redis_place(major: int, tmp_path: Path) -> Iterator[tuple[Place, Redis]]:
    with Redis(tmp_path) as redis, place_of(major, tmp_path, redis) as place:
        yield place, redis
        place.assert_whole("team/app", "stays", STAYS)


@BOTH
def test_a_look_in_flight_fills_redis_again(redis_place: tuple[Place, Redis]) -> None:
    place, redis = redis_place
    plan = place.plan()
    digest = OLD.digests[-1]
    redis.client.flushall()
    with Held(place.server.process_id, "newfstatat", place.blob(digest)) as held:
        look = held.begin(lambda: place.registry.has_blob("team/app", digest))
        apply_plan(place.root, plan)
        held.go_on()
        assert look.result()
    assert redis.client.exists(f"blobs::{digest}"), "what is set aside seems to be there"
    assert place.registry.has_blob("team/app", digest)
    assert confirm(place.server.config).forgotten == 3, "the blob, its membership and its media type"
    assert not place.registry.has_blob("team/app", digest)
    purge(place.server.config, Registries())
    assert digest in OLD.push(place.registry, "team/app", "again")
    place.assert_whole("team/app", "again", OLD)


@BOTH
def test_a_manifest_verified_by_redis_before_it_is_cleared_and_linked_after(redis_place: tuple[Place, Redis]) -> None:
    place, _ = redis_place
    plan = place.plan()
    apply_plan(place.root, plan)
    now = [1e10]
    waits: list[float] = []
    with Held(place.server.process_id, "newfstatat", place.revision("team/app", OLD)) as held:
        put = held.begin(lambda: OLD.put(place.registry, "team/app", "again"))

        def wait(seconds: float) -> None:
            """Requests may take as long as the settle period: this one ends in the second one."""
            waits.append(seconds)
            now[0] += seconds
            held.go_on()
            put.result()

        confirmed = confirm(place.server.config, Waiting(600.0, clock=lambda: now[0], sleep=wait))
    assert waits == [600.0], "the first wait was over long ago"
    assert confirmed.forgotten
    assert confirmed.restored.blob_count >= 2
    place.assert_whole("team/app", "again", OLD)
    purge(place.server.config, Registries())
    place.assert_whole("team/app", "again", OLD)


@BOTH
def test_redis_has_to_be_cleared_before_anything_is_purged(redis_place: tuple[Place, Redis]) -> None:
    place, _ = redis_place
    apply_plan(place.root, place.plan())
    # Without the registry's configuration nothing says that there is a Redis.
    assert confirm(place.root).forgotten is None
    for store, registries in ((place.server.config, Registries()), (place.root, Registries(cache="redis"))):
        with pytest.raises(GuardRefused) as refused:
            purge(store, registries)
        assert [refusal.guard for refusal in refused.value.refusals] == [safety.CACHE_NOT_CLEARED]
    assert OLD.push(place.registry, "team/app", "again") == [], "what it would have lost"
    assert confirm(place.server.config).forgotten
    purge(place.server.config, Registries())
    place.assert_whole("team/app", "again", OLD)


@BOTH
def test_what_is_removed_at_once_is_forgotten_by_redis(redis_place: tuple[Place, Redis]) -> None:
    place, _ = redis_place
    plan = place.plan()
    # As it is meant to be: nobody pushes meanwhile, and the registry goes on with the same Redis.
    applied = apply.apply(regsweep.open(place.server.config), plan, permanent=True)
    assert applied.removed.blob_count == 3
    assert OLD.push(place.registry, "team/app", "again") == [
        digest for digest in OLD.digests if digest not in STAYS.digests
    ]
    place.assert_whole("team/app", "again", OLD)


@BOTH
def test_a_push_that_dies_halfway_does_not_keep_a_tag_from_coming_back(place: Place) -> None:
    OLD.put(place.registry, "team/app", "moving")
    plan = place.plan("moving")
    tag = place.repository("team/app") / "_manifests/tags/moving"
    apply_plan(place.root, plan)
    aside = next((place.root / ".regsweep").glob("*/tree")) / tag.relative_to(place.root)
    # As 2.8 does it through a handle that it opened before the move.
    (aside / "current/link").write_text(STAYS.digest)
    # And another push, which ends between its two links.
    entry = tag / "index" / OLD.digest.replace(":", "/") / "link"
    entry.parent.mkdir(parents=True)
    entry.write_text(OLD.digest)
    assert confirm(place.root).restored.tag_count == 1
    place.assert_whole("team/app", "moving", STAYS)
