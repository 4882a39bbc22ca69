"""``regsweep verify``: every kind of damage, by its name and with the images that it breaks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from command import run
from jsonschema import Draft202012Validator
from support import documents
from support.documents import absent, digest_of
from support.powers import without_powers
from support.store_builder import TOP, Store, blob_path, snapshot
from support.terminals import OnTerminal

import regsweep

LAYER = "app layer" * 100


def make_store() -> Store:
    """Images of two repositories that share a layer, an index, a layer by its sha512, and an orphan."""
    store = Store()
    app, base = store.repository("team/app"), store.repository("base")
    app.image("base layer", LAYER, tag="1.0")
    app.image("base layer", tag="2.0")
    app.index(app.image("base layer", "amd64"), absent("arm64", documents.OCI_MANIFEST), tag="multi")
    app.image(app.layer_by_sha512("by sha512"), tag="sha512")
    app.image("untagged layer")
    base.image("base layer", tag="latest")
    base.schema1("base layer", tag="old")
    store.blob("orphan")
    store.blob("by sha384", algorithm="sha384")
    store.blob("of its own", algorithm="sha512")
    store.age(30 * 86400)
    return store


@pytest.fixture
def store() -> Store:
    return make_store()


def verify(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return run("verify", *map(str, arguments))


def findings(root: Path, *arguments: str) -> dict[str, regsweep.Finding]:
    return {finding.digest: finding for finding in regsweep.open(root).verify(repositories=arguments).findings}


def images(finding: regsweep.Finding) -> set[str]:
    return {f"{image.repository}:{image.tag or '-'}" for image in finding.images}


def data_of(root: Path, content: str, algorithm: str = "sha256") -> Path:
    return root / TOP / blob_path(digest_of(content.encode(), algorithm))


def test_a_sound_store_is_sound_and_nothing_in_it_changes(store: Store, tmp_path: Path) -> None:
    root = store.write(tmp_path / "storage")
    before = snapshot(root)
    done = verify(root)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    blobs = len([path for path in store.files if path.startswith("blobs/")])
    assert f"checked {blobs} blobs, " in done.stderr
    assert ": nothing wrong" in done.stderr
    assert "note: 1 digest referred to that need not be stored" in done.stderr
    assert snapshot(root) == before


def test_an_empty_registry_is_sound(tmp_path: Path) -> None:
    done = verify(tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    assert "checked 0 blobs, 0 B" in done.stderr


@pytest.mark.parametrize("position", [0, 450, -1])
def test_a_flipped_byte_is_corrupt(store: Store, tmp_path: Path, position: int) -> None:
    root = store.write(tmp_path / "storage")
    content = bytearray(LAYER.encode())
    content[position] ^= 1
    data_of(root, LAYER).write_bytes(content)
    found = findings(root)
    assert list(found) == [digest_of(LAYER.encode())]
    (finding,) = found.values()
    assert (finding.kind, finding.size_bytes, finding.expected_bytes) == ("corrupt", 900, 900)
    assert images(finding) == {"team/app:1.0"}
    done = verify(root)
    assert done.returncode == 3
    assert done.stdout == f"corrupt {finding.digest}: 900 B of other content; breaks team/app:1.0\n"


@pytest.mark.parametrize("length", [0, 1, 899])
def test_less_than_a_manifest_says_is_truncated(store: Store, tmp_path: Path, length: int) -> None:
    root = store.write(tmp_path / "storage")
    os.truncate(data_of(root, LAYER), length)
    (finding,) = findings(root).values()
    assert (finding.kind, finding.size_bytes, finding.expected_bytes) == ("truncated", length, 900)
    assert verify(root).stdout == f"truncated {finding.digest}: {length} of 900 bytes; breaks team/app:1.0\n"


def test_more_than_a_manifest_says_is_corrupt(store: Store, tmp_path: Path) -> None:
    root = store.write(tmp_path / "storage")
    with data_of(root, LAYER).open("ab") as data:
        data.write(b"more")
    (finding,) = findings(root).values()
    assert (finding.kind, finding.size_bytes) == ("corrupt", 904)


def test_what_no_manifest_names_with_a_size_is_corrupt_and_breaks_nothing(store: Store, tmp_path: Path) -> None:
    root = store.write(tmp_path / "storage")
    os.truncate(data_of(root, "orphan"), 2)
    done = verify(root)
    assert done.returncode == 3
    assert done.stdout == f"corrupt {digest_of(b'orphan')}: 2 B of other content; no image needs it\n"


def test_every_image_is_named_that_a_shared_layer_breaks(store: Store, tmp_path: Path) -> None:
    root = store.write(tmp_path / "storage")
    data_of(root, "base layer").write_bytes(b"other data")
    (finding,) = findings(root).values()
    assert images(finding) == {"base:latest", "base:old", "team/app:1.0", "team/app:2.0", "team/app:multi"}
    app = store.repository("team/app")
    for number in range(10):
        app.image("base layer", tag=f"more-{number}")
    root = store.write(tmp_path / "larger")
    data_of(root, "base layer").write_bytes(b"other data")
    assert "breaks base:latest, base:old, team/app:1.0" in verify(root).stdout
    assert "and 10 more\n" in verify(root).stdout


@pytest.mark.parametrize("what", ["directory", "data"])
@pytest.mark.parametrize(
    ("content", "broken"),
    [(LAYER, {"team/app:1.0"}), ("by sha512", {"team/app:sha512"}), ("untagged layer", {"team/app:-"})],
)
def test_what_manifests_need_and_nothing_stores_is_missing(
    store: Store, tmp_path: Path, what: str, content: str, broken: set[str]
) -> None:
    root = store.write(tmp_path / "storage")
    data = data_of(root, content)
    data.unlink()
    if what == "directory":
        data.parent.rmdir()
    (finding,) = findings(root).values()
    assert (finding.kind, finding.size_bytes, images(finding)) == ("missing", None, broken)
    done = verify(root)
    assert done.returncode == 3
    assert done.stdout.startswith(f"missing {finding.digest}: not stored; breaks team/app")


def test_a_missing_manifest_breaks_its_tag(store: Store, tmp_path: Path) -> None:
    manifest = store.repository("team/app").image("some layer", tag="lost")
    store.remove_blob(manifest.digest)
    root = store.write(tmp_path / "storage")
    (finding,) = findings(root).values()
    assert (finding.kind, finding.digest, images(finding)) == ("missing", manifest.digest, {"team/app:lost"})


def test_a_damaged_manifest_breaks_whatever_leads_to_it(store: Store, tmp_path: Path) -> None:
    app = store.repository("team/app")
    child = app.image("platform")
    app.index(child, tag="list")
    root = store.write(tmp_path / "storage")
    data = root / TOP / blob_path(child.digest)
    data.write_bytes(data.read_bytes()[:-1])
    (finding,) = findings(root).values()
    # How long it should be stands in the index.
    assert (finding.kind, finding.digest, images(finding)) == ("truncated", child.digest, {"team/app:list"})


def test_what_a_quarantine_holds_is_said_to_be_there(store: Store, tmp_path: Path) -> None:
    root = store.write(tmp_path / "storage")
    digest = digest_of(LAYER.encode())
    aside = root / ".regsweep/20261123T000000Z/tree" / TOP / Path(blob_path(digest)).parent
    aside.parent.mkdir(parents=True)
    data_of(root, LAYER).rename(aside)
    done = verify(root)
    assert (done.returncode, done.stdout) == (
        3,
        f"missing {digest}: not stored, but in quarantine; breaks team/app:1.0\n",
    )


@pytest.mark.parametrize("algorithm", ["sha384", "sha512"])
def test_other_algorithms_are_checked_by_their_own(store: Store, tmp_path: Path, algorithm: str) -> None:
    content = {"sha384": "by sha384", "sha512": "of its own"}[algorithm]
    root = store.write(tmp_path / "storage")
    data_of(root, content, algorithm).write_bytes(b"something else")
    assert list(findings(root)) == [digest_of(content.encode(), algorithm)]


def unprivileged(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "regsweep", "verify", str(root), *arguments]
    return subprocess.run(without_powers(command), capture_output=True, text=True, check=False)


@pytest.mark.parametrize("what", ["data", "directory"])
def test_what_cannot_be_read_is_counted_and_does_not_stop_the_rest(store: Store, tmp_path: Path, what: str) -> None:
    root = store.write(tmp_path / "storage")
    locked = data_of(root, LAYER) if what == "data" else data_of(root, LAYER).parent
    locked.chmod(0)
    os.truncate(data_of(root, "orphan"), 2)
    done = unprivileged(root)
    locked.chmod(0o755)
    assert done.returncode == 3, done.stderr
    lines = {line.split()[0]: line for line in done.stdout.splitlines()}
    assert set(lines) == {"corrupt", "unreadable"}
    assert lines["unreadable"].startswith(f"unreadable {digest_of(LAYER.encode())}: ")
    assert lines["unreadable"].endswith("; breaks team/app:1.0")
    assert "ermission denied" in lines["unreadable"]


def test_a_manifest_that_cannot_be_read_breaks_its_tag(store: Store, tmp_path: Path) -> None:
    manifest = store.repository("team/app").image("some layer", tag="locked")
    root = store.write(tmp_path / "storage")
    (root / TOP / blob_path(manifest.digest)).chmod(0)
    done = unprivileged(root)
    assert done.returncode == 3, done.stderr
    assert done.stdout == f"unreadable {manifest.digest}: Permission denied; breaks team/app:locked\n"


def test_links_that_cannot_be_read_or_understood_are_named(store: Store, tmp_path: Path) -> None:
    app = store.repository("team/app")
    store.put(app.tag_path("2.0"), b"")
    root = store.write(tmp_path / "storage")
    locked = root / TOP / app.tag_path("1.0")
    locked.chmod(0)
    done = unprivileged(root)
    assert done.returncode == 3
    assert f"unreadable link {TOP}/{app.tag_path('1.0')}: " in done.stderr
    assert f"damaged link {TOP}/{app.tag_path('2.0')}: a tag's link that is empty" in done.stderr


@pytest.mark.parametrize("place", ["data", "directory"])
@pytest.mark.parametrize("what", ["symlink", "fifo"])
def test_what_has_no_place_there_stops_it(store: Store, tmp_path: Path, place: str, what: str) -> None:
    path = blob_path(digest_of(LAYER.encode()))
    path = path if place == "data" else path.removesuffix("/data")
    if what == "symlink":
        store.symlink(path, str(tmp_path))
    else:
        store.fifo(path)
    root = store.write(tmp_path / "storage")
    done = verify(root)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{TOP}/{path}" in done.stderr
    assert "hint: look at the named path" in done.stderr


def test_a_directory_that_cannot_be_listed_stops_it(store: Store, tmp_path: Path) -> None:
    root = store.write(tmp_path / "storage")
    prefix = data_of(root, LAYER).parent.parent
    prefix.chmod(0)
    done = unprivileged(root)
    prefix.chmod(0o755)
    assert done.returncode == 1
    assert f"cannot list {prefix.relative_to(root)}" in done.stderr


def test_only_what_the_chosen_repositories_reach_is_checked(store: Store, tmp_path: Path) -> None:
    root = store.write(tmp_path / "storage")
    for content in (LAYER, "base layer", "orphan"):
        data_of(root, content).write_bytes(b"other")
    data_of(root, "untagged layer").unlink()
    assert set(findings(root, "base")) == {digest_of(b"base layer")}
    # Whom else it breaks is said all the same.
    assert "team/app:2.0" in images(findings(root, "base")[digest_of(b"base layer")])
    assert set(findings(root, "team/*")) == {digest_of(one.encode()) for one in (LAYER, "base layer", "untagged layer")}
    assert set(findings(root, "**", "!team/**")) == {digest_of(b"base layer")}
    assert verify(root, "--repository", "base").returncode == 3
    for pattern, reason in (("nobody", "no repository matches nobody"), ("a//b", "matches no repository")):
        refused = verify(root, "--repository", pattern)
        assert (refused.returncode, reason in refused.stderr) == (1, True)
        assert "hint: write names as they are in the storage" in refused.stderr


def test_blobs_by_sha512_are_reached_through_their_links(store: Store, tmp_path: Path) -> None:
    root = store.write(tmp_path / "storage")
    data_of(root, "by sha512").write_bytes(b"other")
    (finding,) = findings(root, "team/app").values()
    assert images(finding) == {"team/app:sha512"}
    assert finding.images[0].missing == digest_of(b"by sha512", "sha512")


def result_of(root: Path, *arguments: str) -> dict[str, Any]:
    done = verify(root, "--json", "-", *arguments)
    result: dict[str, Any] = json.loads(done.stdout)
    schema = json.loads(resources.files("regsweep").joinpath("schema/verify-1.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(result)
    assert result["exit_code"] == done.returncode
    return result


def test_the_json_has_all_of_it(store: Store, tmp_path: Path) -> None:
    root = store.write(tmp_path / "storage")
    sound = result_of(root)
    assert (sound["exit_code"], sound["findings"]) == (0, [])
    assert sound["checked_count"] == sound["total_count"]
    assert sound["read_bytes"] == sound["total_bytes"]
    os.truncate(data_of(root, LAYER), 5)
    data_of(root, "base layer").unlink()
    result = result_of(root, "--repository", "team/*", "--max-rate", "1GiB/s")
    assert result["options"] == {"repositories": ["team/*"], "max_rate_bytes_per_second": float(1 << 30)}
    by_kind = {finding["kind"]: finding for finding in result["findings"]}
    assert set(by_kind) == {"missing", "truncated"}
    truncated = by_kind["truncated"]
    assert (truncated["size_bytes"], truncated["expected_bytes"], truncated["error"]) == (5, 900, None)
    (image,) = truncated["images"]
    assert (image["repository"], image["tag"], image["role"]) == ("team/app", "1.0", "layer")


def test_wrong_usage_is_told(tmp_path: Path) -> None:
    for arguments in (["--jobs", "0"], ["--max-rate", "0"], ["--max-rate", "fast"], []):
        done = run("verify", *([str(tmp_path)] if arguments else []), *arguments)
        assert done.returncode == 2, arguments


def command(root: Path, *arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "regsweep", "verify", str(root), *map(str, arguments)]


def test_ctrl_c_ends_it_and_the_next_run_goes_on(store: Store, tmp_path: Path) -> None:
    for number in range(200):
        store.blob(f"blob {number}" * 100)
    store.age(30 * 86400)
    root, state = store.write(tmp_path / "storage"), tmp_path / "state"
    os.truncate(data_of(root, LAYER), 5)
    # A second's worth at once, and then slowly: it takes some fifteen seconds, unless it is ended.
    with OnTerminal(command(root, "--state", state, "--jobs", "2", "--max-rate", "10kB/s")) as running:
        running.wait_for(r"verifying: ([4-9]|\d\d)\.\d%")
        running.process.send_signal(signal.SIGINT)
        assert running.end() == 130
    assert "interrupted: checked " in running.shown
    assert "the next run with this state goes on from here" in running.shown
    saved = json.loads(state.read_text())
    assert saved["reached"]
    assert not saved["complete"]
    done = verify(root, "--state", state)
    assert done.returncode == 3, done.stderr
    assert "truncated" in done.stdout
    resumed, _, checked = done.stderr.partition("resumed: ")[2].partition("checked ")
    total = len([path for path in store.files if path.startswith("blobs/")])
    assert 0 < int(resumed.split()[0]) < total
    assert int(resumed.split()[0]) + int(checked.split()[0]) == total
    assert json.loads(state.read_text())["complete"]
    again = verify(root, "--state", state)
    assert "resumed" not in again.stderr
    assert f"checked {total} blobs" in again.stderr


def test_a_run_that_is_killed_leaves_what_it_has_saved(store: Store, tmp_path: Path) -> None:
    for number in range(200):
        store.blob(f"blob {number}" * 100)
    store.age(30 * 86400)
    root, state = store.write(tmp_path / "storage"), tmp_path / "state"
    with OnTerminal(command(root, "--state", state, "--jobs", "2", "--max-rate", "10kB/s")) as running:
        running.wait_for("verifying: ")
        while not json.loads(state.read_text())["reached"]:
            running.wait_for_more()
        running.process.kill()
        running.end()
    done = verify(root, "--state", state)
    assert done.returncode == 0, done.stderr
    assert "resumed: " in done.stderr


def test_a_state_that_cannot_be_used_costs_nothing(store: Store, tmp_path: Path) -> None:
    root = store.write(tmp_path / "storage")
    state = tmp_path / "state"
    state.write_text("{}")
    refused = verify(root, "--state", state)
    assert refused.returncode == 1
    assert "is no state of a verification" in refused.stderr
    assert "hint: name another file" in refused.stderr
    assert "checked" not in refused.stderr
    assert verify(root, "--state", tmp_path / "no" / "state").returncode == 1
