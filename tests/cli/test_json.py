"""``--json``: the whole result, complete or not at all, and as the schema says."""

import json
import os
import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from command import Command


@pytest.fixture
def command(tmp_path: Path) -> Command:
    command = Command(tmp_path)
    command.store.image("team/app", "1.0", [b"base", b"app"])
    command.store.image("team/app", None, [b"base", b"old"])
    command.store.blob(b"orphan" * 1000)
    return command


def schema() -> dict[str, Any]:
    text = resources.files("regsweep").joinpath("schema/garbage-collect-1.schema.json").read_text()
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def check(value: object, rule: dict[str, Any], place: str = "$") -> None:
    """Holds a value to the part of JSON Schema that our schema is written in; unknown keywords are an error."""
    if "$ref" in rule:
        rule = schema()["$defs"][rule["$ref"].removeprefix("#/$defs/")]
    known = {"$schema", "$id", "$defs", "title", "description", "type", "properties", "required", "items", "enum"}
    known |= {"const", "additionalProperties", "minimum", "pattern"}
    assert set(rule) <= known, f"the checker does not know {set(rule) - known}"
    names = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool, "null": type(None)}
    wanted = rule.get("type", [])
    types = [wanted] if isinstance(wanted, str) else wanted
    if types:
        allowed = tuple((int, float) if name == "number" else (names[name],) for name in types)
        is_type = any(isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool)) for kinds in allowed)
        assert is_type, f"{place}: {value!r} is not {types}"
    if "const" in rule:
        assert value == rule["const"], place
    if "enum" in rule:
        assert value in rule["enum"], place
    if isinstance(value, dict):
        for name in rule.get("required", []):
            assert name in value, f"{place}: {name} is missing"
        for name, member in value.items():
            assert name in rule["properties"], f"{place}: {name} is not in the schema"
            check(member, rule["properties"][name], f"{place}.{name}")
    if isinstance(value, list):
        for index, item in enumerate(value):
            check(item, rule["items"], f"{place}[{index}]")


def result_of(command: Command, *arguments: str) -> dict[str, Any]:
    file = command.directory / "result.json"
    run = command.run(*arguments, "--json", str(file))
    result: dict[str, Any] = json.loads(file.read_text())
    check(result, schema())
    assert result["exit_code"] == run.returncode
    assert sorted(path.name for path in command.directory.glob("result.json*")) == ["result.json"]
    return result


def test_a_dry_run(command: Command) -> None:
    result = result_of(command, "-dm")
    assert (result["outcome"], result["exit_code"], result["removed"], result["error"]) == ("dry-run", 0, None, None)
    assert result["root"] == str(command.store.root)
    assert result["options"]["delete_untagged"] is True
    assert result["scan"] == {"repository_count": 1, "tag_count": 1, "revision_count": 2, "manifest_count": 2}
    assert result["marks"]["eligible_blob_count"] == len(result["eligible_blobs"]) == 4
    assert result["marks"]["eligible_blob_bytes"] == sum(blob["size_bytes"] for blob in result["eligible_blobs"])
    assert {"digest": command.store.blob(b"orphan" * 1000), "size_bytes": 6000} in result["eligible_blobs"]
    assert [manifest["repository"] for manifest in result["eligible_manifests"]] == ["team/app"]
    assert len(result["eligible_layer_links"]) == 2


def test_a_removal(command: Command) -> None:
    result = result_of(command, "-m")
    assert result["outcome"] == "removed"
    assert result["removed"]["blob_count"] == 4
    assert result["removed"]["blob_bytes"] == result["marks"]["eligible_blob_bytes"]
    assert result["removed"]["failures"] == []
    assert result["removed"]["interrupted"] is False


def test_a_refusal_names_the_guard(command: Command) -> None:
    result = result_of(command, "-m", "--max-removed-share", "0")
    assert (result["outcome"], result["removed"]) == ("refused", None)
    assert [(guard["guard"], guard["overridden"]) for guard in result["guards"]] == [("max-removed-share", False)]


def test_damage_and_broken_images(command: Command) -> None:
    manifest = command.store.image("team/bad", "1.0", [b"x"])
    command.store.blob_path(manifest).write_bytes(b"{")
    result = result_of(command, "-d")
    assert result["exit_code"] == 3
    assert result["damaged"][0]["repository"] == "team/bad"
    assert result["damaged"][0]["accepted"] is False


def test_an_error_is_a_result_too(command: Command) -> None:
    (command.store.root / "docker/registry/v2/blobs/sha256/00").symlink_to("/nowhere")
    result = result_of(command, "-m")
    assert (result["outcome"], result["exit_code"]) == ("failed", 1)
    assert "marks" not in result
    assert "blobs/sha256/00" in result["error"]["key"]


def test_it_goes_to_standard_output_only_in_place_of_the_lines(command: Command) -> None:
    result = command.run("-dq", "--json", "-")
    check(json.loads(result.stdout), schema())
    assert command.run("-d", "--json", "-").returncode == 2


def test_a_bad_path_ends_the_run_before_anything_is_removed(command: Command) -> None:
    before = command.store.files()
    for path in ("/dev/full", str(command.directory), str(command.directory / "no" / "file")):
        result = command.run("-m", "--json", path)
        assert result.returncode == 1
        assert f"cannot write {path}: " in result.stderr
        assert "nothing was removed" in result.stderr
    assert command.store.files() == before


def test_an_older_result_stays_until_the_new_one_is_complete(command: Command) -> None:
    file = command.directory / "result.json"
    file.write_text("older")
    argv = [sys.executable, "-m", "regsweep", "garbage-collect", str(command.config), "--json", str(file)]
    with Path("/dev/full").open("wb") as full:
        failed = subprocess.run(argv, stdout=full, stderr=subprocess.DEVNULL, check=False)
    # Standard output failed; the result says so, and nothing was removed.
    assert failed.returncode == 1
    assert json.loads(file.read_text())["outcome"] == "failed"
    assert sorted(path.name for path in command.directory.glob("result*")) == ["result.json"]


def test_a_repository_that_is_no_text_can_be_reported(command: Command) -> None:
    repositories = command.store.root / "docker/registry/v2/repositories"
    (repositories / os.fsdecode(b"\xff") / "_layers").mkdir(parents=True)
    result_of(command, "-d")
