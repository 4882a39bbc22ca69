"""``regsweep why`` from outside: chains, reasons, JSON, exit codes."""

from __future__ import annotations

import json
import re
import shutil
import time
from datetime import timedelta
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from command import run
from tiny_store import TinyStore

import regsweep

BASE = "sha256:cae662172fd450bb0cd710a769079c05bfc5d8e35efa6576edc7d0377afdd4a2"
OLD = "sha256:cba06b5736faf67e54b07b561eae94395e774c517a7d910a54369e1263ccfbd4"
UNTAGGED = "sha256:1b545eb77f76e019863f241866d2fad0cfcf6453457d40ee67860fb860d13ca9"
APP = "sha256:032d9077660e7d341dec1393ea4536896b135f9721c42f4120729a49f91aef61"
NOWHERE = f"sha256:{'0' * 64}"


@pytest.fixture
def store(tmp_path: Path) -> TinyStore:
    """Two repositories that share a layer, an untagged image, and a blob that nothing refers to."""
    store = TinyStore(tmp_path / "store")
    store.image("team/app", "1.0", [b"base", b"app"])
    store.image("team/app", None, [b"base", b"old"])
    store.image("team/web", "2.0", [b"base", b"web"])
    store.blob(b"orphan" * 1000)
    return store


def why(store: TinyStore, *arguments: str) -> list[str]:
    result = run("why", str(store.root), *arguments)
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout.splitlines()


def explain(store: TinyStore, *arguments: str) -> Any:
    result = json.loads("\n".join(why(store, *arguments, "--json", "-")))
    schema = json.loads(resources.files("regsweep").joinpath("schema/why-1.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(result)
    assert set(result) == {*schema["properties"], *schema["$defs"][result["kind"]]["properties"]}
    return result


def test_every_chain_is_shown_from_its_root_down(store: TinyStore) -> None:
    assert why(store, BASE) == [
        BASE,
        "blob, 4 B: live",
        "kept by 2 tags and 3 manifest links",
        "",
        "  tag team/app:1.0 -> manifest 032d9077660e -> layer cae662172fd4",
        "  manifest link in team/app -> manifest 032d9077660e -> layer cae662172fd4",
        "  tag team/web:2.0 -> manifest 2e5bbe56357f -> layer cae662172fd4",
        "  manifest link in team/web -> manifest 2e5bbe56357f -> layer cae662172fd4",
        "  manifest link in team/app -> manifest 1b545eb77f76 -> layer cae662172fd4",
    ]


def test_what_keeps_it_depends_on_the_options(store: TinyStore) -> None:
    assert why(store, "-m", BASE)[2:] == [
        "kept by 2 tags",
        "",
        "  tag team/app:1.0 -> manifest 032d9077660e -> layer cae662172fd4",
        "  tag team/web:2.0 -> manifest 2e5bbe56357f -> layer cae662172fd4",
    ]
    assert why(store, "-m", "--min-age", "36500d", OLD)[2:] == [
        "kept by 1 young manifest link and 1 young blob",
        "",
        "  its age -> blob cba06b5736fa",
        "  young manifest link in team/app -> manifest 1b545eb77f76 -> layer cba06b5736fa",
    ]


def test_keep_lists_and_accepted_damage_count(store: TinyStore, tmp_path: Path) -> None:
    keep = tmp_path / "keep.txt"
    keep.write_text(f"team/app@{UNTAGGED}\n")
    assert why(store, "-m", "--keep-list", str(keep), OLD)[2:] == [
        "kept by 1 keep-list entry",
        "",
        "  keep list -> manifest 1b545eb77f76 -> layer cba06b5736fa",
    ]
    store.link("team/app", "_manifests/tags/1.0/current", "damaged")
    assert why(store, "-m", OLD)[2:] == [
        "kept by 1 manifest link of a damaged repository and 1 layer link of a damaged repository",
        "",
        "  layer link in damaged team/app -> blob cba06b5736fa",
        "  manifest link in damaged team/app -> manifest 1b545eb77f76 -> layer cba06b5736fa",
    ]
    assert why(store, "-m", "--accept-damage", "team/app", OLD)[1] == "blob, 3 B: garbage"


def test_garbage_is_told_with_what_goes_along(store: TinyStore) -> None:
    assert why(store, "-m", OLD) == [
        OLD,
        "blob, 3 B: garbage",
        "only the untagged manifest 1b545eb77f76 of repository team/app refers to it: collected with --delete-untagged",
        "its layer links go with it: team/app",
    ]
    assert why(store, "-m", UNTAGGED)[1:] == [
        "image manifest, 449 B: garbage",
        "repository team/app links it, and no tag reaches it: collected with --delete-untagged",
    ]
    assert why(store, store.blob(b"orphan" * 1000))[1:] == ["blob, 5.9 KiB: garbage", "nothing refers to it"]


def test_what_only_links_keep_is_said_in_the_plain_mode(store: TinyStore) -> None:
    assert why(store, OLD)[2:4] == [
        "kept by 1 manifest link",
        "no tag keeps it: --delete-untagged says whether it stays when untagged manifests go",
    ]


def test_what_is_needed_and_not_stored_is_missing(store: TinyStore) -> None:
    store.blob_path(BASE).unlink()
    assert why(store, "-m", BASE)[1:3] == ["blob, not stored: missing", "needed by 2 tags"]


@pytest.mark.parametrize("text", [BASE, BASE[:13], BASE[7:13], BASE[7:], f"team/app@{BASE}"])
def test_digests_may_be_abbreviated(store: TinyStore, text: str) -> None:
    assert why(store, text)[0] == BASE


def test_an_ambiguous_abbreviation_fails_with_all_that_it_may_stand_for(store: TinyStore) -> None:
    near = store.blob_path(BASE.removesuffix("a2") + "a3")
    near.parent.mkdir(parents=True)
    near.write_bytes(b"")
    result = run("why", str(store.root), BASE[:20])
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.splitlines() == [
        f"{BASE[:20]}: several digests begin like that",
        f"  {BASE}",
        f"  {BASE.removesuffix('a2')}a3",
        "hint: give more digits",
    ]


@pytest.mark.parametrize("text", [NOWHERE, "000000", "sha256:00000", "nothing", "team", "team/app:9.9", "", "\udcff"])
def test_what_the_store_does_not_have_fails(store: TinyStore, text: str) -> None:
    result = run("why", str(store.root), text)
    assert (result.returncode, result.stdout) == (1, "")
    assert "hint: write it as it is in the storage" in result.stderr


def test_more_than_ten_chains_are_counted_and_shown_when_asked_for(store: TinyStore) -> None:
    for number in range(12):
        store.link("team/app", f"_manifests/tags/more-{number}/current", APP)
    short = why(store, "-m", BASE)
    assert len(short) == 4 + 10 + 1
    assert short[-1] == "and 4 more chains (--all shows them)"
    full = why(store, "-m", BASE, "--all")
    assert len(full) == 4 + 14
    assert full[:14] == short[:14]
    assert len(explain(store, "-m", BASE)["chains"]) == 10
    assert len(explain(store, "-m", BASE, "--all")["chains"]) == 14


def test_of_a_tag_it_is_said_what_it_reaches_and_what_else_keeps_that(store: TinyStore) -> None:
    assert why(store, "team/app:1.0") == [
        f"team/app:1.0 points to {APP}",
        "",
        " SIZE  REACHES                      ALSO KEPT BY",
        "449 B  image manifest 032d9077660e  -",
        " 32 B    config 44e42ca90d6d        -",
        "  4 B    layer cae662172fd4         tag team/web:2.0 and untagged manifest 1b545eb77f76 of team/app",
        "  3 B    layer a172cedcae47         -",
        "",
        "488 B in 4 blobs, of which nothing else keeps 484 B in 3 blobs",
    ]
    (layer,) = [line for line in why(store, "team/app:1.0", "-m") if "cae662172fd4" in line]
    assert layer.endswith("  tag team/web:2.0")


def test_tags_that_lead_nowhere_are_said_to(store: TinyStore) -> None:
    store.link("team/web", "_manifests/tags/bad/current", "damaged")
    assert why(store, "team/web:bad") == ["team/web:bad points to nothing that can be read: its repository is damaged"]
    tag = store.root / "docker/registry/v2/repositories/team/app/_manifests/tags/1.0"
    (tag / "current/link").unlink()
    assert why(store, "team/app:1.0")[0] == f"team/app:1.0 has no current link, and has pointed to {APP}"


def test_of_a_repository_there_is_a_summary(store: TinyStore) -> None:
    assert why(store, "-m", "team/app") == [
        "team/app",
        "1 tag, 2 manifest links, 1 of them to manifests that no tag of it reaches",
        "reaches 971 B in 7 blobs, 2 manifests among them",
        "no other repository reaches 967 B in 6 blobs of that",
        "a collection would remove 1 manifest link and 2 layer links",
    ]
    store.link("team/app", "_manifests/tags/1.0/current", "damaged")
    assert why(store, "team/app")[-1].startswith("damaged repository team/app: a tag's link")


@pytest.mark.parametrize("subject", [BASE, OLD, UNTAGGED, "team/app:1.0", "team/app"])
@pytest.mark.parametrize("options", [[], ["-m"], ["--all"]])
def test_the_json_result_is_as_its_schema_says(store: TinyStore, subject: str, options: list[str]) -> None:
    result = explain(store, subject, *options)
    assert result["subject"] == subject
    assert result["options"]["delete_untagged"] == ("-m" in options)


def test_the_json_result_has_chains_step_by_step(store: TinyStore) -> None:
    result = explain(store, "-m", BASE)
    assert (result["verdict"], result["size_bytes"], result["chain_count"]) == ("live", 4, 2)
    assert result["keeper_counts"] == {"tag": 2}
    chain = result["chains"][0]
    assert (chain["kind"], chain["repository"], chain["tag"]) == ("tag", "team/app", "1.0")
    assert [(step["relation"], step["digest"], step["content"]) for step in chain["steps"]] == [
        (None, APP, "image"),
        ("layer", BASE, "blob"),
    ]
    assert explain(store, "-m", OLD)["dead_links"] == [{"repository": "team/app", "digest": UNTAGGED}]


def test_text_and_a_json_file_may_both_be_wanted(store: TinyStore, tmp_path: Path) -> None:
    file = tmp_path / "why.json"
    assert why(store, BASE, "--json", str(file))[0] == BASE
    assert json.loads(file.read_text())["digest"] == BASE
    result = run("why", str(store.root), BASE, "--json", "/nowhere/at/all")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("cannot write to /nowhere/at/all: No such file or directory\n")


def test_an_unfinished_json_file_leaves_nothing_behind(store: TinyStore, tmp_path: Path) -> None:
    assert run("why", str(store.root), "nothing", "--json", str(tmp_path / "why.json")).returncode == 1
    assert list(tmp_path.glob("why.json*")) == []


def test_wrong_usage_and_unreadable_files_have_their_codes(store: TinyStore) -> None:
    assert run("why", str(store.root)).returncode == 2
    assert run("why", str(store.root), BASE, "--min-age", "soon").returncode == 2
    assert run("why", str(store.root), BASE, "--keep-list", "/nowhere").returncode == 1
    assert run("why", "/nowhere", BASE).returncode == 1


def test_a_layer_pushed_by_its_sha512_is_found_where_it_is_stored(store: TinyStore) -> None:
    layer = f"sha512:{'ab' * 64}"
    store.link("team/app", f"_layers/{layer.replace(':', '/')}", OLD)
    document = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "x", "digest": BASE, "size": 1},
        "layers": [{"mediaType": "x", "digest": layer, "size": 1}],
    }
    manifest = store.blob(json.dumps(document).encode())
    store.link("team/app", "_manifests/tags/512/current", manifest)
    short = manifest[7:19]
    assert why(store, "-m", layer)[1:] == [
        f"blob, stored as {OLD}: live",
        "kept by 1 tag",
        "",
        f"  tag team/app:512 -> manifest {short} -> layer sha512:abababababab",
    ]
    assert why(store, "-m", OLD)[-1] == (
        f"  tag team/app:512 -> manifest {short} -> layer sha512:abababababab -> "
        "stands for cba06b5736fa (layer link in team/app)"
    )


class Applied:
    """A store of which a run has set aside tag 0.9 of team/app, what is untagged, and what nothing refers to."""

    def __init__(self, store: TinyStore, directory: Path) -> None:
        self.store = store
        self.tagged = store.image("team/app", "0.9", [b"base", b"past"])
        policy, plan = directory / "policy.yml", directory / "plan.csv"
        rule = "delete: {tags: ['0.9']}\n    untagged: {older_than: 1h}"
        policy.write_text(f"version: 1\npolicies:\n  - repositories: ['team/app']\n    {rule}\n")
        assert run("plan", str(store.root), "--policy", str(policy), "--output", str(plan)).returncode == 0
        assert run("apply", str(plan)).returncode == 0
        (directory,) = [path for path in (store.root / ".regsweep").iterdir() if path.is_dir()]
        self.run = directory.name
        began = time.gmtime((directory / "begun").stat().st_mtime)
        self.line = f"run {self.run} set aside on {time.strftime('%Y-%m-%dT%H:%M:%SZ', began)}: "
        self.way_back = f"'regsweep undo {store.root} {self.run}' brings back all that run has set aside"

    def why(self, *arguments: str) -> list[str]:
        """Without what the run waits for, which changes as time goes by."""
        return [re.sub(r" \(quarantined → .*\)$", " (quarantined)", line) for line in why(self.store, *arguments)]

    def push(self, digest: str) -> None:
        """What a registry writes that takes what is set aside for stored."""
        self.store.link("team/web", f"_manifests/revisions/{digest.replace(':', '/')}", digest)


@pytest.fixture
def applied(store: TinyStore, tmp_path: Path) -> Applied:
    """A store with a quarantine."""
    return Applied(store, tmp_path)


def test_what_is_quarantined_is_told_with_its_run_since_when_and_what_becomes_of_it(applied: Applied) -> None:
    root = applied.store.root
    nothing = f"nothing needs it: confirming leaves it there, and 'regsweep purge {root}' removes it for good"
    for options in ([], ["-m"]):
        assert applied.why(OLD[:13], *options) == [
            OLD,
            "blob, not stored: quarantined",
            nothing,
            f"{applied.line}its blob (3 B) and 1 layer link of team/app (quarantined)",
            applied.way_back,
        ]
    assert applied.why(applied.tagged)[1:] == [
        "image manifest, not stored: quarantined",
        nothing,
        f"{applied.line}its blob (449 B), tag team/app:0.9 and 1 manifest link of team/app (quarantined)",
        applied.way_back,
    ]
    assert run("runs", str(root)).stdout.startswith(applied.run)


def test_what_is_quarantined_and_needed_is_said_to_come_back_and_does(applied: Applied) -> None:
    root = str(applied.store.root)
    applied.push(UNTAGGED)
    assert applied.why(OLD)[1:] == [
        "blob, not stored: quarantined",
        f"it is needed: 'regsweep confirm {root}' brings it back",
        f"{applied.line}its blob (3 B) and 1 layer link of team/app (quarantined)",
        applied.way_back,
        "needed by 1 manifest link",
        "no tag keeps it: --delete-untagged says whether it stays when untagged manifests go",
        "",
        "  manifest link in team/web -> manifest 1b545eb77f76 -> layer cba06b5736fa",
    ]
    # Confirming takes every manifest link for a root, whatever garbage-collect would be told.
    assert applied.why(OLD, "-m")[2] == f"it is needed: 'regsweep confirm {root}' brings it back"
    assert explain(applied.store, OLD)["comes_back"]
    assert run("confirm", root, "--settle", "0").returncode == 0
    assert applied.why(OLD)[1] == "blob, 3 B: live"


def test_what_a_keep_list_alone_keeps_is_not_said_to_come_back(applied: Applied, tmp_path: Path) -> None:
    keep = tmp_path / "keep.txt"
    keep.write_text(OLD)
    assert applied.why(OLD, "--keep-list", str(keep))[2].startswith("only a keep list or an age keeps it")
    assert not explain(applied.store, OLD, "--keep-list", str(keep))["comes_back"]
    assert run("confirm", str(applied.store.root), "--settle", "0").returncode == 0
    assert applied.why(OLD)[1] == "blob, not stored: quarantined"


def test_a_tag_or_repository_that_only_lies_aside_is_said_to(applied: Applied) -> None:
    root = applied.store.root
    ends = (
        f"'regsweep confirm {root}' brings it back only if it was pushed to since; "
        f"'regsweep purge {root}' removes it for good"
    )
    assert applied.why("team/app:0.9") == [
        "team/app:0.9 is not in the registry any more: quarantined",
        f"pointed to {applied.tagged}",
        f"{applied.line}tag team/app:0.9 (quarantined)",
        applied.way_back,
        ends,
    ]
    all_of_it = (
        f"{applied.line}tag team/app:0.9, 2 manifest links of team/app and 4 layer links of team/app (quarantined)"
    )
    assert applied.why("team/app")[5:] == [all_of_it, applied.way_back]
    shutil.rmtree(root / "docker/registry/v2/repositories/team/app")
    assert applied.why("team/app") == [
        "team/app is not in the registry any more: quarantined",
        all_of_it,
        applied.way_back,
        ends,
    ]


def test_of_a_tag_that_was_pushed_again_the_one_before_is_told(applied: Applied) -> None:
    applied.store.link("team/app", "_manifests/tags/0.9/current", applied.tagged)
    lines = applied.why("team/app:0.9")
    assert [line.split()[:3] for line in lines[3:7]] == [
        ["set", "aside", "image"],
        ["set", "aside", "config"],
        ["4", "B", "layer"],
        ["set", "aside", "layer"],
    ]
    assert lines[8:] == [
        "4 B in 1 blob, of which nothing else keeps 0 B in 0 blobs",
        f"what is set aside by run {applied.run} is needed: 'regsweep confirm {applied.store.root}' brings it back",
        "there was a tag of this name before:",
        f"{applied.line}tag team/app:0.9 (quarantined)",
        applied.way_back,
    ]


def test_of_what_is_live_again_it_is_told_what_still_lies_aside(applied: Applied) -> None:
    applied.store.image("team/web", "copy", [b"base", b"old"])
    lines = applied.why(OLD)
    assert lines[1:4] == [
        "blob, 3 B: live",
        f"{applied.line}its blob (3 B) and 1 layer link of team/app (quarantined)",
        applied.way_back,
    ]
    assert lines[4] == "kept by 1 tag and 1 manifest link"


@pytest.mark.parametrize("subject", [BASE, OLD, UNTAGGED, "team/app:0.9", "team/app:1.0", "team/app"])
def test_the_json_result_of_what_lies_aside_is_as_its_schema_says(applied: Applied, subject: str) -> None:
    result = explain(applied.store, subject)
    for aside in result["asides"]:
        assert (aside["run"], aside["state"]) == (applied.run, "quarantined")
        assert applied.line.startswith(f"run {applied.run} set aside on {aside['since']}")
    assert [len(aside["tags"]) for aside in result["asides"]] == {
        BASE: [],
        OLD: [0],
        UNTAGGED: [0],
        "team/app:0.9": [1],
        "team/app:1.0": [],
        "team/app": [1],
    }[subject]


def test_a_run_whose_record_is_lost_is_named_without_a_way_back(applied: Applied) -> None:
    record = applied.store.root / ".regsweep" / applied.run / "run.json"
    for damage in (lambda: record.write_text("{"), record.unlink):
        damage()
        assert applied.why(OLD)[3:] == [f"{applied.line}its blob (3 B) and 1 layer link of team/app"]
    (record.parent / "begun").unlink()
    assert applied.why(OLD)[3].startswith(f"run {applied.run} set aside at an unknown time: ")


def test_what_was_undone_or_purged_lies_nowhere(applied: Applied) -> None:
    root = str(applied.store.root)
    assert run("undo", root, applied.run).returncode == 0
    assert applied.why(OLD)[1] == "blob, 3 B: live"
    assert explain(applied.store, OLD)["asides"] == []


def test_what_was_purged_is_unknown(applied: Applied) -> None:
    root = str(applied.store.root)
    assert run("confirm", root, "--settle", "0").returncode == 0
    assert run("purge", root, "--older-than", "0", "--cache", "none").returncode == 0
    for subject in (OLD, "team/app:0.9"):
        assert run("why", root, subject).returncode == 1


def test_the_library_says_what_lies_aside(applied: Applied) -> None:
    answer = regsweep.open(applied.store.root).scan().mark().why("team/app:0.9")
    assert isinstance(answer, regsweep.AsideExplanation)
    assert (answer.repository, answer.tag) == ("team/app", "0.9")
    ((run_id, since, tags),) = [(aside.run, aside.since, aside.tags) for aside in answer.asides]
    assert (run_id, tags) == (applied.run, [("team/app", "0.9", applied.tagged)])
    assert since is not None
    assert since.utcoffset() == timedelta(0)


def test_the_library_explains_too(store: TinyStore) -> None:
    marks = regsweep.open(store.root).scan().mark(delete_untagged=True)
    answer = marks.why(BASE[:15])
    assert isinstance(answer, regsweep.DigestExplanation)
    chains = answer.chains()
    assert [next(chains).repository, next(chains).repository, next(chains, None)] == ["team/app", "team/web", None]
    assert len(list(answer.chains())) == answer.chain_count == 2
    assert [keeper.tag for keeper in answer.keepers(1)] == ["2.0"]
    tag = marks.why("team/app:1.0", others=0)
    assert isinstance(tag, regsweep.TagExplanation)
    assert [(part.other_count, part.others) for part in tag.parts] == [(0, []), (0, []), (1, []), (0, [])]
    with pytest.raises(regsweep.UnknownNameError) as caught:
        marks.why("nothing")
    assert (caught.value.key, caught.value.operation, caught.value.matches) == ("nothing", "find", ())
    assert caught.value.next_step
