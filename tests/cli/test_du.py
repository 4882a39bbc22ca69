"""``regsweep du`` from outside: tables, JSON, CSV, exit codes."""

from __future__ import annotations

import csv
import json
import os
import shutil
import time
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from command import run
from tiny_store import TinyStore

import regsweep

REPOSITORIES = """\
  TOTAL   UNIQUE  SHARED  TAGS  MANIFESTS  BLOBS  REPOSITORY
2.1 KiB  2.1 KiB     4 B     1          2      7  team/app
  488 B    484 B     4 B     1          1      4  team/web
"""
TAGS = """\
  TOTAL   UNIQUE  SHARED  MANIFESTS  BLOBS  TAG
1.6 KiB  1.6 KiB     4 B          1      4  team/app:1.0
  488 B    484 B     4 B          1      4  team/web:2.0
  487 B    483 B     4 B          1      4  team/app (untagged)
"""
TOTALS = """\
stored   8.4 KiB  11  blobs
reached  2.6 KiB  10  blobs
garbage  5.9 KiB   1  blobs
"""


@pytest.fixture
def store(tmp_path: Path) -> TinyStore:
    """Two repositories that share a layer, an untagged image, and a blob that nothing refers to."""
    store = TinyStore(tmp_path / "store")
    store.image("team/app", "1.0", [b"base", b"app" * 400])
    store.image("team/app", None, [b"base", b"old"])
    store.image("team/web", "2.0", [b"base", b"web"])
    store.blob(b"orphan" * 1000)
    return store


def du(store: TinyStore, *arguments: str) -> str:
    result = run("du", str(store.root), *arguments)
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


def check(path: Path) -> Any:
    result = json.loads(path.read_text())
    schema = json.loads(resources.files("regsweep").joinpath("schema/du-1.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(result)
    assert set(result) == set(schema["properties"])
    for rows in ("repositories", "tags", "quarantines", "damaged"):
        for row in result[rows]:
            assert set(row) == set(schema["properties"][rows]["items"]["properties"])
    return result


def test_repositories_come_largest_first_with_totals_of_the_registry(store: TinyStore) -> None:
    assert du(store) == f"{REPOSITORIES}\n{TOTALS}"


def test_tags_have_a_table_of_their_own_and_what_is_untagged_is_among_them(store: TinyStore) -> None:
    assert du(store, "--tags") == f"{REPOSITORIES}\n{TAGS}\n{TOTALS}"


def test_rows_are_sorted_and_cut_as_asked(store: TinyStore) -> None:
    lines = du(store, "--tags", "--sort", "name", "--top", "1").splitlines()
    assert [lines[1].split()[-1], lines[2]] == ["team/app", "and 1 more"]
    assert [lines[5].split("  ")[-1], lines[6]] == ["team/app (untagged)", "and 2 more"]
    unique = [line.split()[-1] for line in du(store, "--sort", "unique").splitlines()[1:3]]
    assert unique == ["team/app", "team/web"]


def test_a_group_counts_a_shared_blob_once(store: TinyStore) -> None:
    assert du(store, "--depth", "1").splitlines()[1].split() == [
        *("2.6", "KiB", "2.6", "KiB", "0", "B", "2", "3", "10", "team")
    ]


def test_only_what_is_named_is_shown(store: TinyStore) -> None:
    assert du(store, "team/web").splitlines()[1].split() == REPOSITORIES.splitlines()[2].split()
    assert du(store, "team/web:2.0").splitlines()[:3] == [
        "TOTAL  UNIQUE  SHARED  MANIFESTS  BLOBS  TAG",
        "488 B   484 B     4 B          1      4  team/web:2.0",
        "",
    ]


def test_a_configuration_names_the_store_as_well(store: TinyStore, tmp_path: Path) -> None:
    config = tmp_path / "config.yml"
    config.write_text(f"version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {store.root}\n")
    assert run("du", str(config)).stdout == du(store)


@pytest.mark.parametrize("name", ["nothing", "team", "team/app:9.9", "team/app:"])
def test_an_unknown_name_fails_and_says_what_to_do(store: TinyStore, name: str) -> None:
    result = run("du", str(store.root), name)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith(f"{name}: the storage has no repository or tag of that name\nhint: ")


@pytest.mark.parametrize(
    "arguments",
    [["--depth", "1", "--tags"], ["--depth", "1", "team:x"], ["--depth", "0"], ["--json", "-", "--csv", "-"]],
)
def test_what_makes_no_sense_is_wrong_usage(store: TinyStore, arguments: list[str]) -> None:
    assert run("du", str(store.root), *arguments).returncode == 2


def test_the_json_result_is_as_its_schema_says_and_has_all_rows(store: TinyStore, tmp_path: Path) -> None:
    file = tmp_path / "du.json"
    du(store, "--tags", "--top", "1", "--json", str(file))
    result = check(file)
    assert [row["name"] for row in result["repositories"]] == ["team/app", "team/web"]
    assert [(row["repository"], row["tag"]) for row in result["tags"]] == [
        ("team/app", "1.0"),
        ("team/web", "2.0"),
        ("team/app", None),
    ]
    assert result["stored"] == {"blob_count": 11, "size_bytes": 8652}
    assert result["exit_code"] == 0


def test_json_on_standard_output_takes_the_tables_place(store: TinyStore) -> None:
    assert json.loads(du(store, "--json", "-"))["schema"] == "regsweep.du/1"


def test_the_csv_has_a_row_for_each_repository_and_tag(store: TinyStore, tmp_path: Path) -> None:
    file = tmp_path / "du.csv"
    du(store, "--tags", "--csv", str(file))
    with file.open(newline="") as text:
        rows = list(csv.DictReader(text))
    assert [(row["kind"], row["repository"], row["tag"], row["total_bytes"]) for row in rows] == [
        ("repository", "team/app", "", "2168"),
        ("repository", "team/web", "", "488"),
        ("tag", "team/app", "1.0", "1685"),
        ("tag", "team/web", "2.0", "488"),
        ("untagged", "team/app", "", "487"),
    ]
    assert list(csv.DictReader(du(store, "--tags", "--csv", "-").splitlines())) == rows


@pytest.mark.parametrize("option", ["--json", "--csv"])
def test_a_result_that_cannot_be_written_is_a_failure(store: TinyStore, option: str) -> None:
    for path in ("/dev/full", "/nowhere/at/all"):
        result = run("du", str(store.root), option, path)
        assert result.returncode == 1
        assert result.stderr.startswith("cannot write ")
    assert Path("/dev/full").is_char_device()


def test_sparse_files_count_by_their_length(store: TinyStore) -> None:
    path = store.blob_path(store.blob(b"sparse"))
    os.truncate(path, 1 << 40)
    assert "stored   1.0 TiB" in du(store)


def test_damage_counts_all_that_is_linked_is_named_and_makes_the_exit_code_3(store: TinyStore, tmp_path: Path) -> None:
    old = "sha256:cba06b5736faf67e54b07b561eae94395e774c517a7d910a54369e1263ccfbd4"
    store.link("team/web", f"_layers/{old.replace(':', '/')}", old)
    store.link("team/web", "_manifests/tags/2.0/current", "damaged")
    result = run("du", str(store.root), "--json", str(tmp_path / "du.json"))
    assert result.returncode == 3
    assert result.stderr.startswith("damaged repository team/web: a tag's link that is empty or holds no digest")
    written = check(tmp_path / "du.json")
    assert written["exit_code"] == 3
    web = next(row for row in written["repositories"] if row["name"] == "team/web")
    # Its manifest, which it links, its config and layers, and the layer that only a link of it names.
    assert (web["damaged"], web["blob_count"], web["total_bytes"]) == (True, 5, 488 + 3)


def test_what_an_image_misses_takes_no_room(store: TinyStore) -> None:
    base = store.blob_path("sha256:cae662172fd450bb0cd710a769079c05bfc5d8e35efa6576edc7d0377afdd4a2")
    shutil.rmtree(base.parent)
    result = run("du", str(store.root))
    assert result.returncode == 3
    assert "broken images: 2 parts missing" in result.stderr
    assert result.stdout.splitlines()[2].split() == [*("484", "B", "484", "B", "0", "B", "1", "1", "3", "team/web")]


def test_a_layer_pushed_by_its_sha512_counts_where_it_is_stored(store: TinyStore) -> None:
    layer, stored = f"sha512:{'ab' * 64}", store.blob(b"orphan" * 1000)
    store.link("team/web", f"_layers/{layer.replace(':', '/')}", stored)
    document = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "x", "digest": store.blob(b"{}"), "size": 1},
        "layers": [{"mediaType": "x", "digest": layer, "size": 1}],
    }
    manifest = store.blob(json.dumps(document).encode())
    store.link("team/web", "_manifests/tags/512/current", manifest)
    (row,) = [row for row in regsweep.open(store.root).scan().mark().usage(tags=True).tags if row.tag == "512"]
    assert (row.blob_count, row.unique_blob_count) == (3, 3)
    assert row.total_bytes == 6000 + 2 + store.blob_path(manifest).stat().st_size


def test_names_cannot_command_the_terminal(store: TinyStore) -> None:
    (store.root / "docker/registry/v2/repositories/\x1b[31mred/_layers").mkdir(parents=True)
    result = run("du", str(store.root))
    assert "\x1b" not in result.stdout + result.stderr
    assert r"\x1b[31mred" in result.stdout


def test_what_is_set_aside_has_a_line_of_its_own_and_is_in_no_other_number(store: TinyStore, tmp_path: Path) -> None:
    set_aside(store, tmp_path, "--delete-untagged")
    lines = du(store).splitlines()
    assert lines[1:3] == [
        "1.6 KiB  1.6 KiB     4 B     1          1      4  team/app",
        "  488 B    484 B     4 B     1          1      4  team/web",
    ]
    assert lines[4:] == [
        "stored       2.1 KiB  7  blobs",
        "reached      2.1 KiB  7  blobs",
        "garbage          0 B  0  blobs",
        "quarantined  6.3 KiB  4  blobs, set aside by 1 run, besides what is stored",
    ]
    du(store, "--json", str(tmp_path / "du.json"))
    result = check(tmp_path / "du.json")
    quarantined = {"blob_count": 4, "size_bytes": 6483}
    assert result["quarantined"] == quarantined
    ((run_id, since),) = [(one.pop("run"), one.pop("since")) for one in result["quarantines"]]
    assert result["quarantines"] == [quarantined]
    began = (store.root / ".regsweep" / run_id / "begun").stat().st_mtime
    assert since == time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(began))
    assert result["stored"]["size_bytes"] + result["quarantined"]["size_bytes"] == 8652


def test_what_was_uploaded_again_is_stored_and_set_aside(store: TinyStore, tmp_path: Path) -> None:
    set_aside(store, tmp_path)
    store.blob(b"orphan" * 1000)
    lines = du(store).splitlines()[4:]
    assert [lines[2], lines[3]] == [
        "garbage      5.9 KiB   1  blobs",
        "quarantined  5.9 KiB   1  blobs, set aside by 1 run, besides what is stored",
    ]


def test_a_run_that_holds_nothing_any_more_has_no_line(store: TinyStore, tmp_path: Path) -> None:
    set_aside(store, tmp_path)
    root = str(store.root)
    assert run("confirm", root, "--settle", "0").returncode == 0
    assert run("purge", root, "--older-than", "0", "--cache", "none").returncode == 0
    assert (store.root / ".regsweep").is_dir()
    assert "quarantined" not in du(store)


def test_what_is_needed_and_set_aside_is_warned_of_and_counts_as_set_aside(store: TinyStore, tmp_path: Path) -> None:
    set_aside(store, tmp_path, "--delete-untagged")
    (manifest,) = [path.name for path in (store.root / ".regsweep").glob("*/tree/**/revisions/sha256/*")]
    store.link("team/web", f"_manifests/revisions/sha256/{manifest}", f"sha256:{manifest}")
    result = run("du", str(store.root))
    assert (result.returncode, result.stderr) == (
        0,
        "warning: 3 live blobs in quarantine, so that pulls may fail: bring back what is needed with "
        f"'regsweep confirm {store.root}'\n",
    )
    assert result.stdout.splitlines()[1:3] == [
        "1.6 KiB  1.6 KiB     4 B     1          1      4  team/app",
        "  488 B    484 B     4 B     1          1      4  team/web",
    ]


def test_an_empty_registry_takes_nothing(tmp_path: Path) -> None:
    result = run("du", str(TinyStore(tmp_path).root))
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines()[2] == "stored   0 B  0  blobs"


def test_an_unreadable_store_fails(store: TinyStore) -> None:
    (store.root / "docker/registry/v2/blobs/sha256/00").symlink_to("/nowhere")
    result = run("du", str(store.root))
    assert (result.returncode, result.stdout) == (1, "")
    assert "blobs/sha256/00" in result.stderr


def set_aside(store: TinyStore, directory: Path, *options: str) -> None:
    """Plans and applies."""
    plan = str(directory / "plan.csv")
    assert run("plan", str(store.root), *options, "--output", plan).returncode == 0
    assert run("apply", plan).returncode == 0


def test_the_library_measures_too(store: TinyStore) -> None:
    usage = regsweep.open(store.root).scan().mark().usage(tags=True)
    assert (usage.stored_bytes, usage.reached_bytes, usage.garbage_bytes, usage.spared_bytes) == (8652, 2652, 6000, 0)
    assert [row.name for row in usage.repositories] == ["team/app", "team/web"]
    assert [(row.repository, row.tag) for row in usage.tags] == [
        ("team/app", "1.0"),
        ("team/app", None),
        ("team/web", "2.0"),
    ]
    with pytest.raises(regsweep.StorageError, match="keep untagged manifests"):
        regsweep.open(store.root).scan().mark(delete_untagged=True).usage()
    with pytest.raises(ValueError, match="at least 1"):
        regsweep.open(store.root).scan().mark().usage(depth=0)
