"""``regsweep report``, and the reports of ``plan`` and ``run``: as they are typed, on a store of a few images."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import termios
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from command import CONFIG, run
from prometheus_client.parser import text_string_to_metric_families
from tiny_store import STORAGE, TinyStore

import regsweep
from regsweep import exit_codes, report
from regsweep.whole_file import replacing

CYCLE = ("--settle", "0", "--older-than", "0", "--cache", "none", "--delete-untagged")


class Place:
    """A store, and regsweep on it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.store = TinyStore(directory / "store")
        self.root = str(self.store.root)
        self.plan_file = str(directory / "plan.csv")
        self.json_file = directory / "report.json"
        self.metrics_file = directory / "regsweep.prom"

    def regsweep(self, *arguments: str, code: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
        done = run(*arguments, environment=environment)
        assert done.returncode == code, (arguments, done.stdout, done.stderr)
        return done

    def plan(self, *options: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        return self.regsweep("plan", self.root, *options, "--output", self.plan_file, code=code)

    def json(self) -> dict[str, Any]:
        """The JSON report, held to the schema."""
        document: dict[str, Any] = json.loads(self.json_file.read_text())
        jsonschema.Draft202012Validator(strict_schema()).validate(document)
        return document

    def metrics(self) -> dict[str, float]:
        """The metrics without any label but the store's."""
        families = text_string_to_metric_families(self.metrics_file.read_text())
        found = [sample for family in families for sample in family.samples if set(sample.labels) == {"store"}]
        assert {sample.labels["store"] for sample in found} == {self.root}
        return {sample.name.removeprefix("regsweep_"): sample.value for sample in found}

    def damage(self) -> None:
        digest = self.store.image("team/bad", "1.0", [b"x"])
        self.store.blob_path(digest).write_bytes(b"{")

    def put_a_symlink_in_the_way(self) -> None:
        """No scan comes to its end after this."""
        (self.store.root / STORAGE / "repositories" / "link").symlink_to("/nowhere")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Two tagged images that share a layer, an untagged one, an orphan."""
    place = Place(tmp_path)
    place.store.image("team/app", "v1", [b"base", b"app-1"])
    place.store.image("team/app", "v2", [b"base", b"app-2"])
    place.store.image("team/app", None, [b"base", b"untagged" * 1000])
    place.store.blob(b"orphan" * 1000)
    return place


def strict_schema() -> dict[str, Any]:
    """The schema, and nothing beside what it names: what is written is documented."""
    text = resources.files("regsweep").joinpath("schema/report-1.schema.json").read_text()
    schema: dict[str, Any] = json.loads(text)
    jsonschema.Draft202012Validator.check_schema(schema)

    def close(rule: object) -> None:
        if isinstance(rule, dict):
            if "properties" in rule:
                rule["additionalProperties"] = False
            for part in rule.values():
                close(part)
        elif isinstance(rule, list):
            for part in rule:
                close(part)

    close(schema)
    return schema


def filtered(text: str, place: Place) -> str:
    """Text without what differs from run to run: paths, times, sizes; and with one space for many."""
    text = text.replace(str(place.directory), "DIR")
    text = re.sub(r"\d{8}T\d{6}Z-[0-9a-f]{8}", "ID", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME", text)
    text = re.sub(r"\d+d\d\dh|\d+(\.\d)?s\b", "AGE", text)
    text = re.sub(r"[\d.]+ ([KMG]iB|B)\b", "SIZE", text)
    text = re.sub(r"sha256:[0-9a-f]{12}\b", "DIGEST", text)
    text = re.sub(r"  [█▏▎▍▌▋▊▉]+$", "  BAR", text, flags=re.MULTILINE)
    return re.sub(r"^ {3,}", "    ", re.sub(r"(\S) +", r"\1 ", text), flags=re.MULTILINE)


STORE_REPORT = """\
Store DIR/store

Would free SIZE
  tags 0
  manifests 0
  layer links 0
  blobs 1 of 14 stored (7.1%)

  1 thing needs attention: see the end

  looked at: TIME
  goes: what no manifest link reaches
  stays: what was written since TIME, and what that needs

Where the bytes are
    items size share
  (in no repository) 1 SIZE 100.0% BAR

What goes, and why
    items size share
  nothing refers to it 1 SIZE 100.0% BAR

How old it is
    items size share
  under 1 day 0
  1 to 7 days 0
  7 to 30 days 0
  30 to 90 days 0
  90 to 365 days 0
  over 1 year 1 SIZE 100.0% BAR

The largest blobs
  SIZE AGE DIGEST (in no repository)

What needs attention
  damage: team/bad@DIGEST: a manifest that is cut off, too large,
    not JSON, or does not match its digest (docker/registry/v2/blobs/sha256/ca/c
    a1dcdfd6aebca57513f4bece75deedabc5177da6b8dfb45d86dd7ec7cba7177/data); all
    that it could refer to was kept
"""


def test_a_store(place: Place) -> None:
    place.damage()
    before = place.store.files()
    done = place.regsweep("report", place.root, code=3, COLUMNS="80", PYTHONIOENCODING="utf-8")
    assert filtered(done.stdout, place) == STORE_REPORT
    assert place.store.files() == before, "a report leaves nothing behind"


def test_a_plan_says_the_same_as_when_it_was_made(place: Place) -> None:
    place.plan("--delete-untagged", "--json", str(place.json_file))
    made = place.json()
    text = place.regsweep("report", place.plan_file, "--json", str(place.json_file)).stdout
    read = place.json()
    assert read["contents"] == made["contents"]
    assert read["plan"] == made["plan"]
    assert (made["of"], read["of"]) == ("plan", "plan")
    assert read["contents"]["totals"] == {
        "tags": 0,
        "manifests": 1,
        "layer_links": 2,
        "blobs": 4,
        "bytes": sum(blob["size_bytes"] for blob in read["contents"]["largest_blobs"]),
    }
    assert made["findings"]["stored_blob_count"] == 11
    assert read["findings"] is None, "a plan's file does not hold it"
    assert re.search(r"manifests +1\n.*layer links +2\n.*blobs +4\n", text)
    assert "team/app" in text


def test_a_plan_can_come_through_a_pipe(place: Place) -> None:
    place.plan()
    with Path(place.plan_file).open("rb") as plan:
        cat = subprocess.Popen(["cat"], stdin=plan, stdout=subprocess.PIPE)
        done = subprocess.run(
            [sys.executable, "-m", "regsweep", "report", "/dev/stdin"],
            stdin=cat.stdout,
            capture_output=True,
            text=True,
            check=False,
        )
        assert cat.wait() == 0
    assert (done.returncode, done.stderr) == (0, "")
    assert "Would free" in done.stdout


def test_a_plan_that_was_changed_is_no_source(place: Place) -> None:
    place.plan("--delete-untagged")
    path = Path(place.plan_file)
    lines = path.read_text().splitlines(keepends=True)
    for changed in (lines[:-1], [line for line in lines if not line.startswith("manifest")], lines[:-3]):
        path.write_text("".join(changed))
        refused = place.regsweep("report", place.plan_file, code=1)
        assert "changed or cut off since it was written" in refused.stderr
        assert refused.stdout == ""


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (("# regsweep plan 1", "# regsweep plan 2"), "is a 'regsweep plan 2'; this version reads 'regsweep plan 1'"),
        (("# made: ", "# made: yester"), "the plan's head is not understood"),
        (("# cutoff: 20", "# cutoff: 21"), "the plan's cutoff lies after its making: it was changed"),
        (("kind,repository", "kind,place"), "a row of it is not understood: unknown column names"),
        (("blob,", "blub,"), "a row of it is not understood: unknown kind 'blub'"),
        (("blob,", "blob,,"), "a row of it is not understood: row 2 has 10 columns"),
        (("blob,", "blob\udcff,"), "a row of it is not understood: 'utf-8' codec can't decode"),
        (("blob,", 'blob,"'), "a row of it is not understood"),
    ],
)
def test_what_is_no_plan_of_this_version_is_an_error(place: Place, changed: tuple[str, str], message: str) -> None:
    place.plan()
    path = Path(place.plan_file)
    text = path.read_text().replace(*changed)
    path.write_text(text, errors="surrogateescape")
    done = place.regsweep("report", place.plan_file, code=1)
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_what_is_neither_a_plan_nor_a_store_is_an_error(place: Place) -> None:
    assert "no such file or directory" in place.regsweep("report", "/nowhere", code=1).stderr
    (place.directory / "text").write_text("some text\n")
    assert "error parsing" in place.regsweep("report", str(place.directory / "text"), code=1).stderr


def test_a_store_may_be_given_by_its_configuration(place: Place) -> None:
    config = place.directory / "config.yml"
    config.write_text("# regsweep: a comment that begins like a plan\n" + CONFIG.format(root=place.root))
    assert place.regsweep("report", str(config)).stdout.startswith(f"Store {config}\n")


def test_a_guard_that_refuses_is_reported(place: Place) -> None:
    lock_files = place.store.root / "docker/registry/lockfiles"
    lock_files.mkdir()
    (lock_files / "database-in-use").touch()
    done = place.regsweep("report", place.root, "--json", str(place.json_file), code=4)
    assert "refused by guard database-in-use: " in done.stdout
    assert "Would free" in done.stdout
    assert [guard["guard"] for guard in place.json()["findings"]["guards"]] == ["database-in-use"]
    assert place.json()["outcome"]["exit_code"] == 4


def test_damage_and_broken_images_are_named(place: Place) -> None:
    place.damage()
    digest = place.store.image("team/broken", "2.0", [b"lost"])
    lost = place.store.blob_path(place.store.blob(b"lost"))
    lost.unlink()
    lost.parent.rmdir()
    done = place.regsweep("report", place.root, "--json", str(place.json_file), code=3, COLUMNS="120")
    words = " ".join(done.stdout.split())
    assert "2 things need attention" in words
    assert "damage: team/bad@sha256:" in words
    assert f"broken image: team/broken:2.0: layer {place.store.blob(b'lost')} of manifest {digest} is missing" in words
    findings = place.json()["findings"]
    assert [damage["repository"] for damage in findings["damaged"]] == ["team/bad"]
    assert [(image["tag"], image["role"]) for image in findings["broken_images"]] == [("2.0", "layer")]


def test_what_lies_in_quarantine_and_what_it_waits_for(place: Place) -> None:
    place.plan("--delete-untagged")
    place.regsweep("apply", place.plan_file)
    place.regsweep("confirm", place.root, "--settle", "0")
    done = place.regsweep("report", place.root, "--json", str(place.json_file), COLUMNS="120")
    assert re.search(r"In quarantine\n  \S+ confirmed since .*: .*KiB \(1 manifest, 2 layer links, 4", done.stdout)
    (held,) = place.json()["quarantine"]
    assert (held["state"], held["blobs"]) == ("confirmed", 4)
    assert re.match("can be purged in (6d23h|7d00h)", held["waits_for"])


def test_top_says_how_many_are_named(place: Place) -> None:
    place.plan("--delete-untagged")
    place.regsweep("report", place.plan_file, "--top", "1", "--json", str(place.json_file))
    contents = place.json()["contents"]
    assert [group["name"] for group in contents["by_repository"]["groups"]] == ["team/app"]
    assert contents["by_repository"]["rest"]["count"] == 1
    assert len(contents["largest_blobs"]) == 1


def test_one_report_may_go_to_standard_output_instead(place: Place) -> None:
    place.plan()
    document = json.loads(place.regsweep("report", place.plan_file, "--json", "-").stdout)
    jsonschema.validate(document, strict_schema())
    assert place.regsweep("report", place.plan_file, "--html", "-").stdout.startswith("<!doctype html>")
    assert place.regsweep("report", place.plan_file, "--prometheus", "-").stdout.startswith("# HELP regsweep_")
    place.regsweep("report", place.plan_file, "--html", "-", "--json", "-", code=2)
    assert "name a file" in place.plan("--json", "-", code=2).stderr


def test_who_reads_no_further_ends_the_report(place: Place) -> None:
    command = f"{sys.executable} -m regsweep report {place.root} --html - | head -c 10; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.stdout == "<!doctype "
    assert "Traceback" not in done.stderr


def test_standard_output_that_is_full_is_an_error(place: Place) -> None:
    with Path("/dev/full").open("w") as full:
        for options in ((), ("--json", "-")):
            argv = [sys.executable, "-m", "regsweep", "report", place.root, *options]
            done = subprocess.run(argv, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
            assert done.returncode != 0
            assert re.search("cannot write to .*: No space left on device", done.stderr)
            assert "Traceback" not in done.stderr


def on_a_terminal(place: Place, columns: int, **environment: str) -> str:
    """What the report looks like on a terminal."""
    leader, follower = os.openpty()
    try:
        termios.tcsetwinsize(follower, (50, columns))
        clean = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR", "TERM")}
        process = subprocess.Popen(
            [sys.executable, "-m", "regsweep", "report", place.root],
            env={**clean, "TERM": "xterm", "PYTHONIOENCODING": "utf-8", **environment},
            stdin=subprocess.DEVNULL,
            stdout=follower,
            stderr=subprocess.DEVNULL,
        )
        os.close(follower)
        output = bytearray()
        while True:
            try:
                chunk = os.read(leader, 65_536)
            except OSError:  # the other end is closed
                break
            if not chunk:
                break
            output += chunk
        assert process.wait() == 0
        return output.decode()
    finally:
        os.close(leader)


def test_colors_are_for_terminals_that_take_them(place: Place) -> None:
    assert "\x1b[1m" in on_a_terminal(place, 80)
    assert "\x1b[1m" in on_a_terminal(place, 80, NO_COLOR="")
    assert "\x1b" not in on_a_terminal(place, 80, NO_COLOR="1")
    assert "\x1b" not in on_a_terminal(place, 80, TERM="dumb")
    assert "\x1b" not in place.regsweep("report", place.root).stdout


def test_the_width_is_the_terminals(place: Place) -> None:
    for columns in (56, 80):
        lines = on_a_terminal(place, columns, NO_COLOR="1").splitlines()
        assert columns - 8 < max(map(len, lines)) <= columns


def test_bars_are_drawn_in_what_the_encoding_has(place: Place) -> None:
    assert place.regsweep("report", place.root, PYTHONIOENCODING="ascii").stdout.isascii()
    assert "█" in place.regsweep("report", place.root, PYTHONIOENCODING="utf-8").stdout


def test_a_repository_that_is_no_text_can_be_reported_in_every_form(place: Place) -> None:
    repositories = place.store.root / STORAGE / "repositories"
    (repositories / os.fsdecode(b"\xff\x1b[31m") / "_layers").mkdir(parents=True)
    place.store.image("a\x1b]0;<b>", None, [b"odd"])
    targets = [place.directory / name for name in ("r.html", "r.json", "r.prom")]
    options = [
        word
        for form, target in zip(("--html", "--json", "--prometheus"), targets, strict=True)
        for word in (form, str(target))
    ]
    place.plan("--delete-untagged", *options)
    text = place.regsweep("report", place.plan_file).stdout
    assert r"a\x1b]0;<b>" in text
    for target in targets:
        assert "\x1b" not in target.read_text()
    assert r"a\x1b]0;&lt;b&gt;" in targets[0].read_text()


def test_a_refused_plan_is_reported(place: Place) -> None:
    policy = place.directory / "policy.yml"
    policy.write_text("version: 1\npolicies:\n  - {repositories: ['**'], delete: {older_than: 1d}}\n")
    place.plan("--policy", str(policy), "--json", str(place.json_file), "--prometheus", str(place.metrics_file), code=4)
    document = place.json()
    assert document["outcome"]["exit_code"] == 4
    assert document["contents"]["totals"]["tags"] == 2
    assert [(guard["guard"], guard["overridden"]) for guard in document["findings"]["guards"]] == [("all-tags", False)]
    assert not Path(place.plan_file).exists()
    assert (place.metrics()["plan_exit_code"], place.metrics()["plan_refusing_guards"]) == (4, 1)


def test_a_scan_that_fails_is_reported(place: Place) -> None:
    place.put_a_symlink_in_the_way()
    html = place.directory / "report.html"
    place.plan("--json", str(place.json_file), "--html", str(html), code=1)
    document = place.json()
    assert (document["plan"], document["contents"], document["findings"]) == (None, None, None)
    assert document["outcome"]["exit_code"] == 1
    assert document["outcome"]["error"]["key"] == "docker/registry/v2/repositories/link"
    assert "There is no plan" in html.read_text()


def test_a_cycle_says_what_it_did(place: Place) -> None:
    options = ("--json", str(place.json_file), "--prometheus", str(place.metrics_file))
    place.regsweep("run", place.root, *CYCLE, *options)
    first = place.json()
    assert first["of"] == "run"
    assert first["work"]["set_aside"] == first["contents"]["totals"]
    assert first["work"]["purged"] == {"blobs": 0, "bytes": 0}
    assert [held["state"] for held in first["quarantine"]] == ["confirmed"]
    assert place.metrics()["run_set_aside_bytes"] == first["contents"]["totals"]["bytes"]

    place.regsweep("run", place.root, *CYCLE, *options)
    second = place.json()
    assert second["work"]["set_aside"]["blobs"] == 0
    assert second["work"]["purged"] == {"blobs": 4, "bytes": first["contents"]["totals"]["bytes"]}
    assert second["quarantine"] == []
    assert place.metrics()["run_purged_blobs"] == 4
    assert place.metrics()["run_exit_code"] == exit_codes.DONE


def test_what_came_back_is_in_the_report(place: Place) -> None:
    place.plan("--delete-untagged")
    untagged = next(line for line in Path(place.plan_file).read_text().splitlines() if line.startswith("manifest"))
    digest = untagged.split(",")[3]
    place.regsweep("apply", place.plan_file)
    place.store.link("team/app", "_manifests/tags/late/current", digest)
    place.regsweep("run", place.root, *CYCLE, "--json", str(place.json_file))
    assert place.json()["work"]["restored"] == {"tags": 0, "manifests": 1, "layer_links": 2, "blobs": 3}


def test_a_guard_that_stops_a_part_of_a_cycle_is_in_the_report(place: Place) -> None:
    place.regsweep("run", place.root, *CYCLE)
    unknown_cache = ("--settle", "0", "--older-than", "0")
    place.regsweep("run", place.root, *unknown_cache, "--json", str(place.json_file), code=3)
    assert [guard["guard"] for guard in place.json()["work"]["guards"]] == ["cache-unknown"]


def test_a_cycle_that_fails_keeps_the_time_of_the_last_success(place: Place) -> None:
    options = ("--json", str(place.json_file), "--prometheus", str(place.metrics_file))
    place.regsweep("run", place.root, *CYCLE, *options)
    success = place.metrics()["run_last_success_timestamp_seconds"]
    assert success > 0
    place.put_a_symlink_in_the_way()
    for _ in range(2):
        place.regsweep("run", place.root, *CYCLE, *options, code=1)
        metrics = place.metrics()
        assert metrics["run_exit_code"] == exit_codes.FAILED
        assert metrics["run_last_success_timestamp_seconds"] == success
        assert metrics["run_ended_timestamp_seconds"] > success
    assert place.json()["outcome"]["error"]["operation"] != ""


def test_a_cycle_that_is_ended_half_way_says_what_it_did(place: Place) -> None:
    argv = ["run", place.root, *CYCLE, "--settle", "1h", "--json", str(place.json_file)]
    argv += ["--prometheus", str(place.metrics_file)]
    with subprocess.Popen(
        [sys.executable, "-m", "regsweep", *argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert any(line.startswith("set aside") for line in process.stdout), "it waits now, or is about to"
        process.terminate()
        process.communicate()
    assert process.returncode == exit_codes.INTERRUPTED
    document = place.json()
    assert document["outcome"]["error"]["message"] == "interrupted"
    assert document["work"]["set_aside"]["blobs"] == 4
    assert [held["state"] for held in document["quarantine"]] == ["quarantined"]
    metrics = place.metrics()
    assert (metrics["run_exit_code"], metrics["unsuccessful_runs_total"]) == (exit_codes.INTERRUPTED, 1)
    assert metrics["run_last_success_timestamp_seconds"] == 0
    assert metrics["run_set_aside_bytes"] == document["work"]["set_aside"]["bytes"]


@pytest.mark.parametrize("form", ["--html", "--json", "--prometheus"])
def test_a_bad_path_ends_the_command_before_it_does_anything(place: Place, form: str) -> None:
    before = place.store.files()
    for path in (str(place.directory), str(place.directory / "no" / "file")):
        for command in (("run", place.root, *CYCLE), ("plan", place.root, "--output", place.plan_file)):
            done = place.regsweep(*command, form, path, code=1)
            assert f"cannot write to {path}: " in done.stderr
    assert place.store.files() == before
    assert not Path(place.plan_file).exists()


def test_a_full_disk_undoes_nothing_and_changes_the_exit_code(place: Place) -> None:
    options = ("--json", "/dev/full", "--prometheus", str(place.metrics_file))
    done = place.regsweep("run", place.root, *CYCLE, *options, code=3)
    assert "cannot write to /dev/full: No space left on device" in done.stderr
    assert "set aside" in done.stdout
    assert place.metrics()["run_exit_code"] == exit_codes.DONE_WITH_DAMAGE


def test_a_link_stays_and_what_it_points_to_is_replaced(place: Place) -> None:
    """``/dev/stdout`` is a link, too: to whatever file a shell has opened."""
    (place.directory / "served").mkdir()
    served = place.directory / "served" / "metrics"
    place.metrics_file.symlink_to(served)
    for _ in range(2):
        place.regsweep("report", place.root, "--prometheus", str(place.metrics_file))
        assert place.metrics_file.readlink() == served
        assert place.metrics()["plan_exit_code"] == 0
    assert [path.name for path in served.parent.iterdir()] == ["metrics"]


def test_what_a_killed_command_has_left_is_not_in_the_way(place: Place) -> None:
    with contextlib.ExitStack() as killed:
        killed.enter_context(replacing(place.metrics_file))
        with replacing(place.metrics_file) as descriptor:
            os.write(descriptor, b"complete")
        assert place.metrics_file.read_text() == "complete"


def test_files_appear_complete_and_can_be_read_by_others(place: Place) -> None:
    place.metrics_file.write_text("older")
    inode = place.metrics_file.stat().st_ino
    place.regsweep("report", place.root, "--prometheus", str(place.metrics_file))
    status = place.metrics_file.stat()
    assert status.st_ino != inode, "a new file took the place of the old one"
    mask = os.umask(0)
    os.umask(mask)
    assert status.st_mode & 0o777 == 0o666 & ~mask
    assert [path.name for path in place.directory.glob("*.prom*")] == ["regsweep.prom"]
    assert [path.name for path in place.directory.glob(".*")] == []


def test_the_library_says_the_same(place: Place) -> None:
    store = regsweep.open(place.root)
    found = report.of_store(store, top=1)
    assert found.contents is not None
    assert found.contents.totals.blobs == 1
    assert found.outcome is None
    jsonschema.validate(json.loads(report.to_json(found)), strict_schema())
    assert report.to_text(found).startswith(f"Store {place.root}\n")
    assert report.to_html(found).startswith("<!doctype html>")
    assert "exit_code" not in report.to_prometheus(found)
    place.plan()
    read = report.of_plan(place.plan_file, top=1)
    assert read.contents is not None
    assert read.contents.repositories == found.contents.repositories
    assert [blob.digest for blob in read.contents.largest] == [blob.digest for blob in found.contents.largest]
    with pytest.raises(regsweep.RegsweepError, match="cannot be read: No such file"):
        report.of_plan("/nowhere")
