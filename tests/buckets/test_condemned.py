"""Condemned lists on buckets: written down, found dead again, and only then removed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support.buckets import BucketServer, Versitygw
from support.condemned import REPOSITORY, ROOT, Condemning, keys_of, rows_in, rows_of
from support.servers import Redis

import regsweep
from regsweep import _core, apply, condemned, quarantine
from regsweep.apply import Applied
from regsweep.errors import CacheError, GuardRefused, JournalError, LockedError, PlanError, RunError, UnfinishedError
from regsweep.journal import Journal, Run
from regsweep.lock import StoreLock
from regsweep.quarantine import PurgedRuns, Registries

NO_CACHE = Registries(cache="none")
DAY_SECONDS = 24 * 3600.0


@pytest.fixture
def anywhere(server: BucketServer, tmp_path: Path) -> Condemning:
    """On a server of each kind."""
    return Condemning(server, tmp_path)


@pytest.fixture
def place(versitygw: Versitygw, tmp_path: Path) -> Condemning:
    return Condemning(versitygw, tmp_path)


def purge(place: Condemning, **options: Any) -> PurgedRuns:
    """At once, where nothing else is said."""
    given = {"older_than": 0, "settle": 0, "registries": NO_CACHE, **options}
    return quarantine.purge(place.open(), **given)


def state(place: Condemning, run_id: str) -> str:
    run = Journal(place.open().own_files).find(run_id)
    assert run is not None
    return run.state


def list_of(place: Condemning, run_id: str) -> list[dict[str, str]]:
    """The rows of a run's list."""
    with Journal(place.open().own_files).condemned(run_id) as file:
        return rows_in(file.read().decode())


def condemn(place: Condemning, *tags: str) -> Applied:
    applied = apply.apply(place.open(), place.plan(*tags))
    assert applied.condemned is not None
    return applied


def test_what_is_condemned_stays_until_it_is_found_dead_again_and_then_just_that_goes(anywhere: Condemning) -> None:
    before = anywhere.registry()
    path = anywhere.plan()
    applied = apply.apply(anywhere.open(), path)
    assert anywhere.registry() == before, "nothing is moved or removed"
    assert not [key for key in anywhere.server.keys(anywhere.bucket) if "/tree/" in key]
    assert applied.run.state == "condemned"
    assert applied.condemned is not None
    assert applied.condemned.totals == applied.planned
    assert applied.removed.blob_count == applied.spared_count == 0
    assert list_of(anywhere, applied.run.id) == rows_of(path)

    [(run, purged)] = purge(anywhere).purged
    assert (run.id, run.state) == (applied.run.id, "purged")
    assert not purged.failures
    assert purged.blob_bytes == applied.planned.bytes
    garbage = keys_of(rows_of(path), before)
    assert set(anywhere.registry()) == before.keys() - garbage
    assert not [key for key in anywhere.server.keys(anywhere.bucket) if "/tree/" in key]
    assert rows_of(anywhere.plan()) == []


def test_tags_that_were_condemned_go_with_their_directories(place: Condemning) -> None:
    before = place.registry()
    condemn(place, "v0")
    assert place.registry() == before
    path = place.plan("v0")
    purge(place)
    assert {row["kind"] for row in rows_of(path)} == {"tag", "manifest", "layer-link", "blob"}
    assert set(place.registry()) == before.keys() - keys_of(rows_of(path), before)


def test_both_ways_leave_the_same(versitygw: Versitygw, tmp_path: Path) -> None:
    left = []
    for wanted in ("condemn", "copy"):
        place = Condemning(versitygw, tmp_path)
        apply.apply(place.open(), place.plan(), set_aside=wanted)
        if wanted == "copy":
            quarantine.confirm(place.open(), waiting=quarantine.Waiting(settle=0))
        purge(place)
        left.append(place.registry())
    assert left[0] == left[1]


def test_an_image_that_is_tagged_again_before_the_purge_stays_with_all_that_it_has(place: Condemning) -> None:
    before = place.registry()
    applied = condemn(place)
    rows = list_of(place, applied.run.id)
    digest = next(row["digest"] for row in rows if row["kind"] == "manifest")
    place.push("pushed/since", "used", digest)
    [(_, purged)] = purge(place).purged
    assert isinstance(purged, condemned.PurgedList)
    gone = before.keys() - place.registry().keys()
    # Its manifest, config and three layers, and the links to these in the repository that it was in.
    assert len(gone) == len(keys_of(rows, before)) - 10
    assert purged.spared_count == 10
    assert [row for row in rows_of(place.plan()) if row["digest"] == digest] == []
    assert not gone & keys_of([{"kind": "blob", "digest": digest, "repository": ""}], before)


def test_what_a_push_needs_again_is_not_on_the_list_if_it_came_before(place: Condemning) -> None:
    path = place.plan()
    digest = next(row["digest"] for row in rows_of(path) if row["kind"] == "manifest")
    place.push("pushed/since", "used", digest)
    applied = apply.apply(place.open(), path)
    assert applied.spared_count == 10
    assert digest not in {row["digest"] for row in list_of(place, applied.run.id)}


def test_a_tag_that_is_pushed_anew_stays(place: Condemning) -> None:
    before = place.registry()
    applied = condemn(place, "v0")
    tag = next(row for row in list_of(place, applied.run.id) if row["kind"] == "tag")
    # The same manifest once more: nothing but the time of the link says so.
    place.push(tag["repository"], "v0", tag["digest"])
    purge(place)
    home = f"{ROOT}/docker/registry/v2/repositories/{{}}/_manifests/tags/v0/current/link"
    other = next(name for name in (REPOSITORY, "team-001/app") if name != tag["repository"])
    left = place.registry()
    assert home.format(tag["repository"]) in left
    assert home.format(other) not in left
    stays = [row for row in list_of(place, applied.run.id) if row["repository"] == tag["repository"]]
    assert not keys_of(stays, before) - left.keys()


def test_nothing_goes_before_the_period_and_the_time_of_requests_in_flight_are_over(place: Condemning) -> None:
    before = place.registry()
    applied = condemn(place)
    now = time.time()

    def purged_at(moment: float, **options: float) -> PurgedRuns:
        return purge(place, clock=lambda: moment, **options)

    early = purged_at(now + 6 * DAY_SECONDS, older_than=7 * DAY_SECONDS)
    assert [(run.id, left > 0) for run, left in early.early] == [(applied.run.id, True)]
    assert not purged_at(now + 300, settle=600).purged
    assert place.registry() == before
    assert purged_at(now + 7.1 * DAY_SECONDS, older_than=7 * DAY_SECONDS, settle=600).purged
    assert place.registry().keys() < before.keys()


def test_an_interrupted_purge_is_taken_up(place: Condemning) -> None:
    before = place.registry()
    applied = condemn(place)
    garbage = keys_of(list_of(place, applied.run.id), before)
    journal = Journal(place.open().own_files)
    # What a process leaves that was killed in the middle: pointers go first.
    applied.run.state = "purging"
    journal.save(applied.run)
    pointers = [key for key in garbage if "/repositories/" in key]
    for key in [*pointers, *sorted(garbage)[:3]]:
        place.server.delete(place.bucket, key)
    assert "purge again" in quarantine.waits_for(applied.run, time.time(), 0, 0)
    with pytest.raises(RunError, match="is purging"):
        quarantine.undo(place.open(), applied.run.id)
    purge(place)
    assert set(place.registry()) == before.keys() - garbage
    assert state(place, applied.run.id) == "purged"


def test_an_interrupted_application_is_taken_up_in_its_own_way(place: Condemning) -> None:
    path = place.plan()
    journal = Journal(place.open().own_files)
    head = regsweep.plan.read_head(path)
    with path.open("rb") as file:
        journal.begin(Run(head.id, "applying", set_aside="condemn"), file)
    with pytest.raises(PlanError, match="begun with --set-aside condemn"):
        apply.apply(place.open(), path, set_aside="copy")
    assert apply.apply(place.open(), path).run.state == "condemned"
    with pytest.raises(PlanError, match="its run is condemned"):
        apply.apply(place.open(), path)


def test_what_cannot_be_removed_is_counted_and_the_run_is_not_over(
    place: Condemning, monkeypatch: pytest.MonkeyPatch
) -> None:
    applied = condemn(place)
    failed = SimpleNamespace(key="a/key", error="AccessDenied")
    nothing = _core.Removed()
    counts = {name: getattr(nothing, name) for name in dir(nothing) if not name.startswith("_")}

    def fail(*_: object, **__: object) -> SimpleNamespace:
        return SimpleNamespace(**{**counts, "failures": [failed]})

    with monkeypatch.context() as patched:
        patched.setattr(_core, "remove_eligible", fail)
        assert purge(place).failures == [failed]
    assert state(place, applied.run.id) == "purging"
    assert not purge(place).failures
    assert state(place, applied.run.id) == "purged"


def test_undoing_forgets_the_list(place: Condemning) -> None:
    before = place.server.keys(place.bucket)
    applied = condemn(place)
    undone = quarantine.undo(place.open(), applied.run.id)
    assert undone.run.state == "undone"
    assert not purge(place).purged
    assert before.items() <= place.server.keys(place.bucket).items()
    with pytest.raises(RunError, match="is undone"):
        quarantine.undo(place.open(), applied.run.id)


def test_what_an_earlier_list_names_is_not_condemned_twice(place: Condemning) -> None:
    first = condemn(place)
    assert first.condemned is not None
    assert condemned.names_nothing_new(place.open(), place.plan())
    again = condemn(place)
    assert again.condemned is not None
    assert again.condemned.totals.items == 0
    assert again.condemned.earlier == first.condemned.totals
    assert again.spared_count == 0
    assert again.run.state == "purged", "an empty list waits for nothing"

    new = condemn(place, "v0")
    assert new.condemned is not None
    assert not condemned.names_nothing_new(place.open(), place.plan("v2"))
    rows = [tuple(row.items()) for row in list_of(place, new.run.id)]
    assert rows
    assert not {*rows} & {tuple(row.items()) for row in list_of(place, first.run.id)}

    quarantine.undo(place.open(), first.run.id)
    assert not condemned.names_nothing_new(place.open(), place.plan())
    assert condemn(place).condemned == first.condemned


def test_lists_that_are_due_together_are_purged_one_after_the_other(place: Condemning) -> None:
    before = place.registry()
    lists = [condemn(place), condemn(place, "v0")]
    garbage = [keys_of(list_of(place, applied.run.id), before) for applied in lists]
    assert not garbage[0] & garbage[1]
    assert len(purge(place).purged) == 2
    assert set(place.registry()) == before.keys() - garbage[0] - garbage[1]


def test_an_error_after_a_list_was_purged_does_not_sound_as_if_nothing_had(place: Condemning) -> None:
    lists = sorted((condemn(place), condemn(place, "v0")), key=lambda applied: applied.run.id)
    place.server.delete(place.bucket, f"{ROOT}/.regsweep/{lists[1].run.id}/condemned")
    with pytest.raises(
        UnfinishedError, match=r"what earlier runs had condemned was purged, but: .* is not there any more"
    ):
        purge(place)
    assert [state(place, applied.run.id) for applied in lists] == ["purged", "condemned"]


def test_a_confirmation_passes_over_condemned_runs(place: Condemning) -> None:
    applied = condemn(place)
    waiting = quarantine.Waiting(settle=0)
    assert quarantine.confirm(place.open(), waiting=waiting).runs == []
    assert quarantine.waiting_runs(place.open()) == []
    with pytest.raises(RunError, match="is condemned") as refused:
        quarantine.confirm(place.open(), applied.run.id, waiting=waiting)
    assert "'regsweep purge'" in refused.value.next_step
    assert "'regsweep undo'" in refused.value.next_step
    assert state(place, applied.run.id) == "condemned"


def test_a_guard_looks_at_what_the_second_mark_finds(place: Condemning) -> None:
    condemn(place)
    marker = f"{ROOT}/docker/registry/lockfiles/database-in-use"
    place.server.put(place.bucket, marker, b"")
    before = place.registry()
    with pytest.raises(GuardRefused, match="database-in-use"):
        purge(place)
    assert place.registry() == before
    assert purge(place, overrides=["database-in-use"]).purged


@pytest.mark.parametrize(
    ("cache", "guard"), [(None, "cache-unknown"), ("inmemory", "cache-cannot-forget"), ("redis", "cache-not-cleared")]
)
def test_nothing_is_removed_behind_a_cache_that_goes_on_saying_there(
    place: Condemning, cache: str | None, guard: str
) -> None:
    condemn(place)
    before = place.registry()
    with pytest.raises(GuardRefused) as refused:
        # A restart before the removal is of no use.
        purge(place, registries=Registries(restarted=True, cache=cache))
    assert [refusal.guard for refusal in refused.value.refusals] == [guard]
    assert place.registry() == before
    assert purge(place, registries=Registries(cache=cache), overrides=[guard]).purged


def test_a_list_that_was_changed_or_lost_removes_nothing(place: Condemning) -> None:
    applied = condemn(place)
    key = f"{ROOT}/.regsweep/{applied.run.id}/condemned"
    before = place.registry()
    content = place.server.content(place.bucket, key)
    place.server.put(place.bucket, key, content.replace(b"nothing live needs it", b"something live needs it", 1))
    with pytest.raises(PlanError, match="changed or cut off"):
        purge(place)
    place.server.delete(place.bucket, key)
    with pytest.raises(JournalError, match="is not there any more"):
        purge(place)
    assert place.registry() == before
    quarantine.undo(place.open(), applied.run.id)
    assert not purge(place).purged


def test_one_run_at_a_time(place: Condemning) -> None:
    condemn(place)
    with StoreLock(place.open().own_files, "somebody else"), pytest.raises(LockedError, match="somebody else"):
        purge(place)


def test_a_list_holds_its_plans_head_with_totals_of_its_own(place: Condemning) -> None:
    path = place.plan()
    digest = next(row["digest"] for row in rows_of(path) if row["kind"] == "manifest")
    place.push("pushed/since", "used", digest)
    applied = apply.apply(place.open(), path)
    assert applied.condemned is not None
    with Journal(place.open().own_files).condemned(applied.run.id) as file:
        content = file.read()
    head, listed = regsweep.plan.read_head(path), regsweep.plan.parse_head(content, "list")
    assert (listed.id, listed.cutoff, listed.store) == (head.id, head.cutoff, head.store)
    assert listed.totals == applied.condemned.totals
    assert listed.totals.items == head.totals.items - 10
    assert regsweep.plan.parse_rows(content, "list").row_count == listed.totals.items


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    with Redis(tmp_path) as running:
        yield running


def test_the_registrys_redis_forgets_what_was_removed(place: Condemning, redis: Redis) -> None:
    section = place.server.registry_section(place.bucket, ROOT, 3)
    config = place.directory / "config.yml"
    config.write_text(
        f"version: 0.1\nstorage:\n{section.text}  cache: {{blobdescriptor: redis}}\n{redis.section(3)}"
        "http: {addr: '127.0.0.1:0'}\n"
    )
    store = regsweep.open(str(config), cache=False)
    applied = condemn(place)
    rows = list_of(place, applied.run.id)
    blob = next(row["digest"] for row in rows if row["kind"] == "blob")
    link = next(row for row in rows if row["kind"] == "layer-link")
    known = [f"blobs::{blob}", f"repository::{link['repository']}::blobs::{link['digest']}"]
    for key in [*known, "blobs::sha256:another"]:
        redis.client.hset(key, "size", "1")
    before = place.registry()
    redis.client.config_set("requirepass", "another")
    with pytest.raises(CacheError):
        quarantine.purge(store, older_than=0, settle=0)
    assert place.registry() == before, "where the cache cannot be reached nothing goes"
    authorised = type(redis.client)(port=redis.port, password="another")
    authorised.config_set("requirepass", redis.password)
    [(run, _)] = quarantine.purge(store, older_than=0, settle=0).purged
    assert redis.client.exists(*known) == 0
    assert redis.client.exists("blobs::sha256:another") == 1
    assert run.last("forgotten") is not None


def test_a_run_says_in_its_record_how_it_sets_aside(place: Condemning) -> None:
    ways = {}
    for wanted, tag in (("auto", "v0"), ("copy", "v2")):
        applied = apply.apply(place.open(), place.plan(tag), set_aside=wanted)  # type: ignore[arg-type]
        record = place.server.content(place.bucket, f"{ROOT}/.regsweep/{applied.run.id}/run.json")
        ways[wanted] = json.loads(record)["set_aside"]
    assert ways == {"auto": "condemn", "copy": "copy"}
