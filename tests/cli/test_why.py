"""``regsweep why`` from outside: chains, reasons, JSON, exit codes."""

from __future__ import annotations

import json
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
