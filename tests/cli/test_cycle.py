"""plan → apply → confirm → purge, undo, runs, rm, run: as they are typed, on a store of a few images."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import time
from importlib import resources
from pathlib import Path

import pytest
from command import CONFIG, run
from jsonschema import Draft202012Validator
from tiny_store import STORAGE, TinyStore

REPOSITORIES = f"{STORAGE}/repositories"


class Place:
    """A store, and regsweep on it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.store = TinyStore(directory / "store")
        self.root = str(self.store.root)
        self.plan_file = directory / "plan.csv"

    def regsweep(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = run(*arguments)
        assert done.returncode == code, (arguments, done.stdout, done.stderr)
        return done

    def plan(self, *options: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        return self.regsweep("plan", self.root, *options, "--output", str(self.plan_file), code=code)

    def apply(self, *options: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        return self.regsweep("apply", str(self.plan_file), *options, code=code)

    def confirm(self, *options: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        return self.regsweep("confirm", self.root, "--settle", "0", *options, code=code)

    def purge(self, *options: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        return self.regsweep("purge", self.root, "--older-than", "0", "--cache", "none", *options, code=code)

    def policy(self, text: str) -> str:
        path = self.directory / "policy.yml"
        path.write_text(f"version: 1\npolicies:\n  - repositories: ['**']\n    {text}\n")
        return str(path)

    def run_id(self) -> str:
        runs = json.loads(self.regsweep("runs", self.root, "--json", "-").stdout)["runs"]
        return str(runs[-1]["id"])

    def state(self) -> str:
        runs = json.loads(self.regsweep("runs", self.root, "--json", "-").stdout)["runs"]
        return str(runs[-1]["state"])

    def rows(self) -> list[dict[str, str]]:
        with self.plan_file.open(newline="") as file:
            return list(csv.DictReader(line for line in file if not line.startswith("#")))

    def registry(self) -> dict[str, tuple[bytes, int]]:
        """Everything of the registry's, contents and times."""
        top = self.store.root / "docker"
        files = (path for path in top.rglob("*") if path.is_file())
        return {str(path.relative_to(top)): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Two tagged images that share a layer, an untagged one, an orphan."""
    place = Place(tmp_path)
    place.store.image("team/app", "v1", [b"base", b"app-1"])
    place.store.image("team/app", "v2", [b"base", b"app-2"])
    place.store.image("team/app", None, [b"base", b"untagged"])
    place.store.blob(b"orphan")
    return place


def test_the_whole_way(place: Place) -> None:
    before = place.registry()
    planned = place.plan("--delete-untagged")
    assert "(1 manifest, 2 layer links, 4 blobs)" in planned.stdout
    assert place.registry() == before, "planning touches nothing"
    assert {row["kind"] for row in place.rows()} == {"manifest", "layer-link", "blob"}

    applied = place.apply()
    assert applied.stdout.startswith("set aside ")
    assert place.state() == "quarantined"
    assert "nothing had to come back" in place.confirm().stdout
    assert place.state() == "confirmed"
    assert "would free nothing" in place.plan("--delete-untagged").stdout

    freed = sum(int(row["size_bytes"] or 0) for row in place.rows())
    assert freed == 0, "the second plan is empty"
    assert "(4 blobs)" in place.purge().stdout
    assert place.state() == "purged"
    tree = Path(place.root, ".regsweep", place.run_id(), "tree")
    assert not tree.exists()
    assert place.store.blob_path(place.store.blob(b"base")).exists()
    left = {path.parent.name for path in Path(place.root).rglob("data")}
    assert len(left) == 7, "three layers, two configs, two manifests"


def test_undo_brings_back_every_file_with_its_time(place: Place) -> None:
    before = place.registry()
    place.plan("--policy", place.policy("delete: {tags: [v1]}"))
    place.apply()
    assert not Path(place.root, REPOSITORIES, "team/app/_manifests/tags/v1").exists()
    undone = place.regsweep("undo", place.root, place.run_id())
    assert undone.stdout.startswith("brought back run")
    assert place.registry() == before
    assert place.state() == "undone"
    assert "is undone" in place.regsweep("undo", place.root, place.run_id(), code=1).stderr


def test_a_tag_that_goes_takes_its_manifest_but_nothing_that_another_tag_needs(place: Place) -> None:
    digest = place.store.image("team/app", "also-v2", [b"base", b"app-2"])
    place.store.link("team/app", "_manifests/tags/same/current", digest)
    place.plan("--policy", place.policy("delete: {tags: [same, v1]}"))
    rows = place.rows()
    assert {(row["kind"], row["tag"], row["reason"], row["rule"]) for row in rows if row["kind"] != "layer-link"} == {
        ("tag", "v1", "tags match", "policies[0]: delete"),
        ("tag", "same", "tags match", "policies[0]: delete"),
        ("manifest", "v1", "its tag v1 goes", "policies[0]: delete"),
        ("blob", "v1", "only what goes needs it", "policies[0]: delete"),
        ("blob", "", "nothing refers to it", ""),
    }
    place.apply()
    tags = {path.name for path in Path(place.root, REPOSITORIES, "team/app/_manifests/tags").iterdir()}
    assert tags == {"v2", "also-v2"}
    assert Path(place.root, REPOSITORIES, f"team/app/_manifests/revisions/{digest.replace(':', '/')}/link").exists()


def test_without_a_policy_no_tag_and_no_manifest_goes(place: Place) -> None:
    place.plan()
    assert [row["kind"] for row in place.rows()] == ["blob"]


def test_a_repository_without_a_tags_directory_keeps_its_manifests(place: Place) -> None:
    shutil.rmtree(Path(place.root, REPOSITORIES, "team/app/_manifests/tags"))
    planned = place.plan("--policy", place.policy("untagged: {older_than: 1d}"))
    assert "no tags directory: its manifests are kept" in planned.stderr
    assert [row["reason"] for row in place.rows()] == ["nothing refers to it"]


def test_labels_of_the_config_decide(place: Place) -> None:
    for tag, labels in (("short", {"expires": "2h"}), ("long", {"expires": "9999w"}), ("none", {})):
        config = {"rootfs": {"type": "layers"}, "config": {"Labels": labels}, "created": "2023-01-01T00:00:00.5Z"}
        digest = place.store.blob(json.dumps(config).encode())
        manifest = {"schemaVersion": 2, "config": {"digest": digest, "size": 1, "mediaType": "x"}, "layers": []}
        link = place.store.blob(json.dumps(manifest).encode())
        place.store.link("labelled", f"_manifests/revisions/{link.replace(':', '/')}", link)
        place.store.link("labelled", f"_manifests/tags/{tag}/current", link)
    place.plan("--policy", place.policy("delete: {expires_after_label: expires}"))
    assert [row["tag"] for row in place.rows() if row["kind"] == "tag"] == ["short"]


def test_a_plan_that_empties_a_repository_is_refused_until_overridden(place: Place) -> None:
    policy = place.policy("delete: {older_than: 1d}")
    refused = place.plan("--policy", policy, code=4)
    assert "refused by guard all-tags: every tag of team/app would be removed" in refused.stderr
    assert not place.plan_file.exists()
    overridden = place.plan("--policy", policy, "--override", "all-tags")
    assert "warning: guard all-tags is overridden" in overridden.stderr


def test_a_policy_that_lets_nothing_go_is_an_error(place: Place) -> None:
    assert "lets nothing go" in place.plan("--policy", place.policy("keep: [{tags: ['*']}]"), code=1).stderr


def test_what_is_protected_stays(place: Place) -> None:
    (place.directory / "in-use.txt").write_text("team/app:v1\n")
    policy = Path(place.policy("delete: {tags: ['v*'], older_than: 1d}"))
    policy.write_text(policy.read_text() + "protect: [in-use.txt]\n")
    # The tag itself is given up; what it leads to is not.
    place.plan("--policy", str(policy), "--override", "all-tags")
    place.apply()
    digests = {row["digest"] for row in place.rows() if row["kind"] == "manifest"}
    assert len(digests) == 1


def test_a_preview_cannot_be_applied(place: Place) -> None:
    place.plan("--as-of", "2300-01-01", "--min-age", "1000d")
    assert "a preview, which cannot be applied" in place.apply(code=1).stderr


def test_a_plan_is_applied_once(place: Place) -> None:
    place.plan()
    place.apply()
    assert "was applied already: its run is quarantined" in place.apply(code=1).stderr


def test_a_plan_that_was_changed_is_not_applied(place: Place) -> None:
    place.plan("--delete-untagged")
    lines = place.plan_file.read_text().splitlines(keepends=True)
    place.plan_file.write_text("".join(line for line in lines if not line.startswith("manifest")))
    before = place.registry()
    assert "it was changed or cut off" in place.apply(code=1).stderr
    assert place.registry() == before


def test_a_plan_of_another_store_is_refused(place: Place, tmp_path: Path) -> None:
    place.plan()
    other = TinyStore(tmp_path / "other")
    other.blob(b"orphan")
    refused = place.apply("--store", str(other.root), code=4)
    assert "refused by guard other-store" in refused.stderr
    assert len(other.files()) == 1


def test_an_old_plan_is_refused(place: Place) -> None:
    place.plan()
    assert "refused by guard plan-too-old" in place.apply("--max-plan-age", "0", code=4).stderr


def test_what_became_reachable_since_the_plan_stays(place: Place) -> None:
    place.plan("--delete-untagged")
    untagged = next(row["digest"] for row in place.rows() if row["kind"] == "manifest")
    place.store.link("other/app", f"_manifests/revisions/{untagged.replace(':', '/')}", untagged)
    place.store.link("other/app", "_manifests/tags/used/current", untagged)
    applied = place.apply()
    assert "(1 blob)" in applied.stdout, "only the orphan"
    assert "of the plan stayed" in applied.stdout


def test_a_tag_moved_since_the_plan_stays(place: Place) -> None:
    place.plan("--policy", place.policy("delete: {tags: [v1]}"))
    moved = place.store.image("team/app", "v1", [b"base", b"app-1-new"])
    place.apply()
    link = Path(place.root, REPOSITORIES, "team/app/_manifests/tags/v1/current/link")
    assert link.read_text() == moved


def test_what_is_pushed_after_the_apply_comes_back_when_confirmed(place: Place) -> None:
    before = place.registry()
    place.plan("--delete-untagged")
    untagged = next(row["digest"] for row in place.rows() if row["kind"] == "manifest")
    place.apply()
    # A push whose layers and manifest the registry believes to be there: only its links are new.
    place.store.link("team/app", "_manifests/tags/late/current", untagged)
    confirmed = place.confirm()
    assert "brought back 1 manifest, 2 layer links, 3 blobs" in confirmed.stdout
    after = place.registry()
    orphan = next(row["digest"] for row in place.rows() if row["reason"] == "nothing refers to it")
    gone = set(before) - set(after)
    assert [path for path in gone if orphan.partition(":")[2] not in path] == []


def test_confirming_too_early_is_refused_where_waiting_is_not_wanted(place: Place) -> None:
    place.plan()
    place.apply()
    refused = place.regsweep("confirm", place.root, "--no-wait", code=4)
    assert "requests that were in flight needs" in refused.stderr


def test_purging_needs_a_confirmation_and_the_quarantine_period(place: Place) -> None:
    place.plan()
    place.apply()
    assert "no confirmed run" in place.purge().stdout
    place.confirm()
    assert "can be purged in" in place.regsweep("purge", place.root, "--cache", "none").stdout
    assert place.state() == "confirmed"


def test_purging_needs_to_know_the_registrys_cache(place: Place) -> None:
    place.plan()
    place.apply()
    place.confirm()
    refused = place.regsweep("purge", place.root, "--older-than", "0", code=4)
    assert "refused by guard cache-unknown" in refused.stderr

    config = place.directory / "config.yml"
    config.write_text(
        CONFIG.format(root=place.root).replace("  maintenance:", "  cache: {blobdescriptor: inmemory}\n  maintenance:")
    )
    refused = place.regsweep("purge", str(config), "--older-than", "0", code=4)
    assert "refused by guard registry-not-restarted" in refused.stderr
    # This very process was started long before the run.
    refused = place.regsweep("purge", str(config), "--older-than", "0", "--registry-pid", str(os.getpid()), code=4)
    assert "registry-not-restarted" in refused.stderr
    assert "purged run" in place.regsweep("purge", str(config), "--older-than", "0", "--registry-restarted").stdout


def test_permanent_removes_at_once_and_cannot_be_undone(place: Place) -> None:
    place.plan("--policy", place.policy("delete: {tags: [v1]}"))
    assert place.apply("--permanent").stdout.startswith("removed ")
    assert place.state() == "purged"
    assert not Path(place.root, REPOSITORIES, "team/app/_manifests/tags/v1").exists()
    assert not Path(place.root, ".regsweep", place.run_id(), "tree").exists()
    assert "is purged" in place.regsweep("undo", place.root, place.run_id(), code=1).stderr


def test_rm_of_a_tag_takes_only_what_it_gives_up(place: Place) -> None:
    place.regsweep("rm", place.root, "team/app:v1", "--output", str(place.plan_file))
    rows = place.rows()
    assert {row["tag"] for row in rows if row["kind"] in ("tag", "manifest", "blob")} == {"v1"}
    assert "nothing refers to it" not in {row["reason"] for row in rows}, "the orphan is none of its business"
    place.apply()
    assert not Path(place.root, REPOSITORIES, "team/app/_manifests/tags/v1").exists()


def test_rm_of_a_repository_takes_its_links_even_to_what_lives_on_elsewhere(place: Place) -> None:
    place.store.image("other", "v1", [b"base", b"app-1"])
    before = place.registry()
    place.regsweep("rm", place.root, "other", "--output", str(place.plan_file))
    place.apply()
    links = list(Path(place.root, REPOSITORIES, "other").rglob("link"))
    assert links == []
    assert place.store.blob_path(place.store.blob(b"app-1")).exists()
    place.confirm()
    assert list(Path(place.root, REPOSITORIES, "other").rglob("link")) == [], "it stays away"
    place.regsweep("undo", place.root, place.run_id())
    assert place.registry() == before


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("team/none", "team/none: the store has no such repository"),
        ("team/app:none", "team/app:none: the store has no such tag"),
        ("../../etc", "'../../etc' is neither a repository nor repository:tag"),
        ("Team/App", "'Team/App' is neither a repository nor repository:tag"),
    ],
)
def test_rm_of_what_is_not_there_is_an_error(place: Place, name: str, message: str) -> None:
    done = place.regsweep("rm", place.root, name, "--output", str(place.plan_file), code=1)
    assert message in done.stderr
    assert not place.plan_file.exists()


def test_run_does_the_whole_cycle(place: Place) -> None:
    options = ("--settle", "0", "--older-than", "0", "--cache", "none", "--delete-untagged")
    first = place.regsweep("run", place.root, *options)
    assert "set aside" in first.stdout
    assert "confirmed 1 run" in first.stdout
    assert place.state() == "confirmed"
    second = place.regsweep("run", place.root, *options)
    assert "purged run" in second.stdout
    assert "would free nothing" in second.stdout
    assert place.state() == "purged"


def test_run_takes_up_what_was_interrupted_the_night_before(place: Place) -> None:
    place.plan("--delete-untagged")
    untagged = next(row["digest"] for row in place.rows() if row["kind"] == "manifest")
    place.apply()
    record = Path(place.root, ".regsweep", place.run_id(), "run.json")
    record.write_text(record.read_text().replace('"quarantined"', '"applying"'))
    place.plan_file.unlink()
    # Pushed since, through a cache that did not know better.
    place.store.link("team/app", "_manifests/tags/late/current", untagged)
    done = place.regsweep("run", place.root, "--settle", "0", "--cache", "none", "--delete-untagged")
    assert "brought back 1 manifest, 2 layer links, 3 blobs" in done.stdout
    assert place.state() == "confirmed"


def test_the_runs_for_machines_follow_their_schema(place: Place) -> None:
    place.plan("--delete-untagged")
    place.apply()
    document = json.loads(place.regsweep("runs", place.root, "--json", "-").stdout)
    schema = json.loads((resources.files("regsweep") / "schema/runs-1.schema.json").read_text())
    Draft202012Validator(schema).validate(document)
    (found,) = document["runs"]
    assert (found["state"], found["events"][-1]["what"]) == ("quarantined", "applied")
    assert "confirm" in found["waits_for"]


def test_runs_of_a_store_without_any(place: Place) -> None:
    assert place.regsweep("runs", place.root).stdout == "no plan was applied to this store yet\n"
    assert not Path(place.root, ".regsweep").exists()


def test_somebody_else_at_work_is_respected_until_gone(place: Place) -> None:
    place.plan()
    top = Path(place.root, ".regsweep")
    top.mkdir()
    lock = {"token": "x", "command": "apply y", "host": "elsewhere", "pid": 1, "processes": "z", "expires": 4e9}
    (top / "lock").write_text(json.dumps(lock))
    before = place.registry()
    refused = place.apply(code=4)
    assert "another run is at work on this store: 'apply y', process 1 on elsewhere" in refused.stderr
    config = place.directory / "config.yml"
    config.write_text(CONFIG.format(root=place.root))
    assert run("garbage-collect", str(config)).returncode == 4
    assert run("garbage-collect", "--dry-run", str(config)).returncode == 0
    assert place.registry() == before
    (top / "lock").write_text(json.dumps({**lock, "expires": 1.0}))
    place.apply()
    assert not (top / "lock").exists()


def test_the_drop_in_says_what_lies_in_quarantine_and_is_needed(place: Place) -> None:
    place.plan("--delete-untagged")
    untagged = next(row["digest"] for row in place.rows() if row["kind"] == "manifest")
    place.apply()
    place.store.link("team/app", "_manifests/tags/late/current", untagged)
    config = place.directory / "config.yml"
    config.write_text(CONFIG.format(root=place.root))
    done = run("garbage-collect", str(config))
    assert "warning: 3 live blobs in quarantine" in done.stderr
    assert "brought back" in place.confirm().stdout


def test_a_symlink_in_the_place_of_the_quarantines_stops_everything(place: Place, tmp_path: Path) -> None:
    place.plan()
    (tmp_path / "elsewhere").mkdir()
    Path(place.root, ".regsweep").symlink_to(tmp_path / "elsewhere")
    before = place.registry()
    place.apply(code=1)
    assert place.registry() == before
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_pull_times_decide_and_are_asked_for(place: Place) -> None:
    policy = place.policy("delete: {tags: ['*'], not_pulled_within: 30d}")
    assert "asks when tags were pulled" in place.plan("--policy", policy, code=1).stderr

    now = int(time.time())
    pulls = place.directory / "pulls.csv"

    def write(until: int, repository: str) -> None:
        log = place.directory / "access.log"
        line = '{} - - [{}] "GET /v2/{}/manifests/v1 HTTP/1.1" 200 5 "" "x"\n'
        moments = [until - seconds for seconds in range(40 * 86400, -1, -43200)]
        with log.open("w") as file:
            for moment in moments:
                stamp = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(moment))
                file.write(line.format("127.0.0.1", stamp, repository))
        pulls.unlink(missing_ok=True)
        place.regsweep("pulls", "update", str(pulls), str(log))

    write(now - 3 * 86400, "team/app")
    assert "the pull times end 3d" in place.plan("--policy", policy, "--pulls", str(pulls), code=1).stderr
    write(now - 60, "other/app")
    assert "name no repository of this store" in place.plan("--policy", policy, "--pulls", str(pulls), code=1).stderr
    write(now - 60, "team/app")
    place.plan("--policy", policy, "--pulls", str(pulls))
    assert [row["tag"] for row in place.rows() if row["kind"] == "tag"] == ["v2"]
    explained = place.regsweep("policy", "explain", place.root, "team/app", "--policy", policy, "--pulls", str(pulls))
    assert "v1  stays  no rule matches" in explained.stdout
    assert "v2  goes  policies[0]: delete: tags match, not pulled within 30d00h" in explained.stdout


def test_a_plan_that_a_guard_has_refused_can_be_applied_with_the_guard_off(place: Place) -> None:
    place.plan()
    marker = Path(place.root, "docker/registry/lockfiles/database-in-use")
    marker.parent.mkdir()
    marker.touch()
    before = place.registry()
    assert "refused by guard database-in-use" in place.apply(code=4).stderr
    assert place.registry() == before
    assert place.state() == "refused"
    place.apply("--override", "database-in-use")
    assert place.state() == "quarantined"


def test_a_repository_without_a_tags_directory_keeps_its_manifests_under_a_policy(place: Place) -> None:
    shutil.rmtree(Path(place.root, REPOSITORIES, "team/app/_manifests/tags"))
    planned = place.plan("--policy", place.policy("untagged: {older_than: 1d}"))
    assert "no tags directory: its manifests are kept" in planned.stderr
    assert [row["kind"] for row in place.rows()] == ["blob"]


def test_purging_behind_a_redis_cache_needs_it_cleared(place: Place) -> None:
    place.plan()
    place.apply()
    place.confirm()
    refused = place.regsweep("purge", place.root, "--older-than", "0", "--cache", "redis", code=4)
    assert "refused by guard cache-not-cleared" in refused.stderr
