"""``regsweep garbage-collect`` from outside: lines, summary, exit codes, and what is left on disk."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command import Command, run
from support import programs


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """A store with a tagged image, an untagged one that shares a layer, and a blob that nothing refers to."""
    command = Command(tmp_path)
    command.store.image("team/app", "1.0", [b"base", b"app"])
    command.store.image("team/app", None, [b"base", b"old"])
    command.store.blob(b"orphan" * 1000)
    return command


DRY_RUN_LINES = """\
team/app
team/app: marking manifest sha256:032d9077660e7d341dec1393ea4536896b135f9721c42f4120729a49f91aef61\x20
team/app: marking blob sha256:44e42ca90d6dd7eccadedc55a9b23594d6506f8523dfebddf0a87faacc8ef618
team/app: marking blob sha256:cae662172fd450bb0cd710a769079c05bfc5d8e35efa6576edc7d0377afdd4a2
team/app: marking blob sha256:a172cedcae47474b615c54d510a5d84a8dea3032e958587430b413538be3f333
manifest eligible for deletion: {team/app sha256:1b545eb77f76e019863f241866d2fad0cfcf6453457d40ee67860fb860d13ca9 [1.0]}

4 blobs marked, 4 blobs and 1 manifests eligible for deletion
blob eligible for deletion: sha256:1b545eb77f76e019863f241866d2fad0cfcf6453457d40ee67860fb860d13ca9
blob eligible for deletion: sha256:7077f6ab3d78da5b1fcb5661d09e9f66003f444624b9dab59295243816e4b2f2
blob eligible for deletion: sha256:cba06b5736faf67e54b07b561eae94395e774c517a7d910a54369e1263ccfbd4
blob eligible for deletion: sha256:f47fdb689a776ce4307f73bd41cd75fb1504265234e22e4992ad24ad07b0fa27
team/app: layer link eligible for deletion: sha256:7077f6ab3d78da5b1fcb5661d09e9f66003f444624b9dab59295243816e4b2f2
team/app: layer link eligible for deletion: sha256:cba06b5736faf67e54b07b561eae94395e774c517a7d910a54369e1263ccfbd4
"""


def test_a_dry_run_says_what_would_go_and_removes_nothing(command: Command) -> None:
    before = command.store.files()
    result = command.run("-d", "-m")
    assert result.returncode == 0
    assert result.stdout == DRY_RUN_LINES
    assert command.filtered(result.stderr) == (
        "scanned DIR/store: 1 repository, 1 tag, 2 manifests, 8 blobs\n"
        "would free 6.3 KiB (4 blobs, 1 manifest, 2 layer links); dry run: nothing was removed\n"
    )
    assert command.store.files() == before


def test_a_run_removes_just_that_and_a_second_one_finds_nothing(command: Command) -> None:
    before = command.store.files()
    result = command.run("-m")
    assert (result.returncode, result.stdout) == (0, DRY_RUN_LINES)
    assert command.filtered(result.stderr) == (
        "scanned DIR/store: 1 repository, 1 tag, 2 manifests, 8 blobs\n"
        "freed 6.3 KiB (4 blobs, 1 manifest, 2 layer links) in TIME\n"
    )
    removed = before - command.store.files()
    assert len(removed) == 4 + 1 + 2
    assert command.store.files() < before

    second = command.run("-m")
    assert second.returncode == 0
    assert "\n4 blobs marked, 0 blobs and 0 manifests eligible for deletion\n" in second.stdout
    assert "freed 0 B (0 blobs, 0 manifests, 0 layer links)" in second.stderr


def test_the_lines_of_2_8_differ_where_they_differed(command: Command) -> None:
    lines = command.run("-dm", "--compat", "2").stdout
    digest = "sha256:1b545eb77f76e019863f241866d2fad0cfcf6453457d40ee67860fb860d13ca9"
    assert f"\nmanifest eligible for deletion: {digest}\n" in lines
    assert "layer link eligible" not in lines


def test_quiet_leaves_only_the_summary(command: Command) -> None:
    result = command.run("-d", "-q")
    assert (result.returncode, result.stdout) == (0, "")
    assert "would free 5.9 KiB (1 blob, 0 manifests, 0 layer links)" in result.stderr


def test_the_script_and_the_module_are_the_same(command: Command) -> None:
    script = Path(sys.executable).with_name("regsweep")
    code = "from regsweep.cli import main; main()"
    program = [str(script)] if script.exists() else [sys.executable, "-c", code]
    by_script = subprocess.run(
        [*program, "garbage-collect", "-dm", str(command.config)], capture_output=True, text=True, check=False
    )
    by_module = command.run("-dm")
    assert (by_script.returncode, by_script.stdout, by_script.stderr) == (
        by_module.returncode,
        by_module.stdout,
        by_module.stderr,
    )


def test_the_configuration_may_come_from_the_environment(command: Command) -> None:
    environment = {"REGISTRY_CONFIGURATION_PATH": str(command.config)}
    result = run("garbage-collect", "-dm", environment=environment)
    assert (result.returncode, result.stdout) == (0, DRY_RUN_LINES)
    assert "unrecognized" not in result.stderr


def test_the_environment_overrides_the_root(command: Command, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    result = command.run("-d", environment={"REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": str(tmp_path / "other")})
    assert "team/app" not in result.stdout


# Errors: exit 1, the reference's words, nothing removed


def test_without_a_configuration_the_reference_s_error_and_usage() -> None:
    result = run("garbage-collect")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == (
        "configuration error: configuration path unspecified\n"
        "usage: regsweep garbage-collect [CONFIG] [OPTIONS]\n"
        "hint: name the registry's configuration file, or set REGISTRY_CONFIGURATION_PATH\n"
    )


def test_a_missing_configuration_is_named(tmp_path: Path) -> None:
    result = run("garbage-collect", str(tmp_path / "none.yml"))
    assert result.returncode == 1
    error = result.stderr.splitlines()[0]
    assert error == f"configuration error: open {tmp_path / 'none.yml'}: no such file or directory"


def test_another_driver_is_refused_by_name(command: Command) -> None:
    command.config.write_text("version: 0.1\nstorage: {swift: {container: b}}\n")
    result = command.run()
    assert (result.returncode, result.stdout) == (1, "")
    assert (
        "\nfailed to construct swift driver: regsweep collects storage on a filesystem or in a bucket" in result.stderr
    )


def test_a_log_format_that_does_not_exist(command: Command) -> None:
    command.configure("log: {formatter: xml}\n")
    result = command.run()
    assert result.returncode == 1
    assert result.stderr == 'unable to configure logging with config: unsupported logging formatter: "xml"\n'


def test_an_unreadable_storage_stops_everything(command: Command) -> None:
    (command.store.root / "docker/registry/v2/repositories/team/app/_layers").rename(command.directory / "away")
    link = command.store.root / "docker/registry/v2/repositories/team/app/_layers"
    link.symlink_to(command.directory / "away")
    before = command.store.files()
    result = command.run("-m")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("failed to garbage collect: failed to mark: ")
    assert "team/app/_layers" in result.stderr
    assert "hint: " in result.stderr
    assert command.store.files() == before


def test_a_bad_keep_list_stops_everything(command: Command) -> None:
    keep = command.directory / "keep"
    keep.write_text("team/app:1.0\nnonsense\n")
    before = command.store.files()
    result = command.run("-m", "--keep-list", str(keep))
    assert (result.returncode, result.stdout) == (1, "")
    assert f"{keep}:2: 'nonsense' is neither" in result.stderr
    assert command.store.files() == before


@pytest.mark.parametrize("sink", ["full", "closed", "pipe"])
def test_lines_that_cannot_be_written_stop_the_removal(command: Command, sink: str) -> None:
    before = command.store.files()
    argv = [sys.executable, "-m", "regsweep", "garbage-collect", str(command.config), "-m"]
    if sink == "full":
        with Path("/dev/full").open("wb") as full:
            result = subprocess.run(argv, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    elif sink == "closed":
        shell = ["sh", "-c", 'exec "$@" >&-', "sh", *argv]
        result = subprocess.run(shell, stderr=subprocess.PIPE, text=True, check=False)
    else:
        reading, writing = os.pipe()
        os.close(reading)
        result = subprocess.run(argv, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
        os.close(writing)
    assert result.returncode == 1
    assert "standard output" in result.stderr
    assert "nothing was removed" in result.stderr
    assert command.store.files() == before


def test_an_unknown_flag_exits_2(command: Command) -> None:
    before = command.store.files()
    result = command.run("--delete-everything")
    assert (result.returncode, result.stdout) == (2, "")
    assert "unrecognized arguments: --delete-everything" in result.stderr
    assert command.store.files() == before


# Damage: exit 3


def test_damage_keeps_is_named_and_exits_3(command: Command) -> None:
    command.store.image("team/bad", "1.0", [b"unique"])
    manifest = command.store.image("team/bad", "2.0", [b"other"])
    command.store.blob_path(manifest).write_bytes(b"{")
    result = command.run("-m")
    assert result.returncode == 3
    assert "damaged repository team/bad" in result.stderr
    assert "all that it could refer to was kept" in result.stderr
    assert "freed " in result.stderr

    accepted = command.run("-m", "--accept-damage", "team/bad")
    assert accepted.returncode == 0, accepted.stderr
    assert "; accepted\n" in accepted.stderr


def test_a_broken_image_is_named_by_its_tag_and_exits_3(command: Command) -> None:
    missing = command.store.blob(b"app")
    shutil.rmtree(command.store.blob_path(missing).parent)
    result = command.run("-d")
    assert result.returncode == 3
    assert f"broken image team/app:1.0: layer {missing} is missing" in result.stderr


def test_a_failed_removal_is_named_and_the_rest_is_done(command: Command) -> None:
    argv = [programs.find("strace"), "-f", "-qq", "-o", "/dev/null", "-e", "inject=unlinkat:error=EIO:when=1"]
    argv += [sys.executable, "-m", "regsweep", "garbage-collect", str(command.config), "-q", "--jobs", "1"]
    result = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert result.returncode == 3, result.stderr
    assert "failed to remove docker/registry/v2/blobs/sha256/" in result.stderr
    assert "1 removal failed" in result.stderr
    again = command.run("-q")
    assert again.returncode == 0
    assert "freed 5.9 KiB (1 blob," in again.stderr


# Guards: exit 4


def test_nothing_marked_is_refused_until_overridden(command: Command) -> None:
    repositories = command.store.root / "docker/registry/v2/repositories"
    repositories.rename(command.directory / "away")
    repositories.mkdir()
    before = command.store.files()
    result = command.run()
    assert result.returncode == 4
    assert "0 blobs marked, 8 blobs and 0 manifests eligible for deletion" in result.stdout
    assert "refused by guard nothing-marked: the storage holds 8 blobs, and nothing in it is live" in result.stderr
    assert "--override nothing-marked" in result.stderr
    assert "would free 6.8 KiB (8 blobs, 0 manifests, 0 layer links); refused by a guard" in result.stderr
    assert command.store.files() == before

    assert command.run("-d").returncode == 4
    assert command.run("--override", "max-removed-share").returncode == 4
    overridden = command.run("--override", "nothing-marked")
    assert overridden.returncode == 0
    assert "warning: guard nothing-marked is overridden" in overridden.stderr
    assert command.store.files() == set()


def test_a_metadata_database_is_refused(command: Command) -> None:
    lock = command.store.root / "docker/registry/lockfiles/database-in-use"
    lock.parent.mkdir()
    lock.touch()
    result = command.run("-m")
    assert result.returncode == 4
    assert "refused by guard database-in-use" in result.stderr


def test_a_share_that_is_exceeded_is_refused(command: Command) -> None:
    assert command.run("-m", "--max-removed-share", "49%").returncode == 4
    assert command.run("-m", "--max-removed-share", "0.5").returncode == 0


# Options


def test_what_is_younger_than_the_minimum_age_stays(command: Command) -> None:
    young = command.store.blob(b"young")
    os.utime(command.store.blob_path(young))
    result = command.run("--min-age", "24h")
    assert result.returncode == 0
    assert command.store.blob_path(young).exists()
    assert "freed 5.9 KiB (1 blob," in result.stderr


def test_what_the_keep_list_names_stays(command: Command) -> None:
    orphan = command.store.blob(b"orphan" * 1000)
    keep = command.directory / "keep"
    keep.write_text(f"# in use\n{orphan}\n")
    assert command.run("-m", "--keep-list", str(keep)).returncode == 0
    assert command.store.blob_path(orphan).exists()


def test_warnings_say_what_to_do(command: Command) -> None:
    command.config.write_text(
        f"version: 0.1\nstorage:\n  filesystem: {{rootdirectory: {command.store.root}}}\n"
        "  cache: {blobdescriptor: inmemory}\n"
    )
    text = command.run("-d", "extra", environment={"REGISTRY_NONSENSE": "x"}).stderr
    assert "warning: the registry is not read-only" in text
    assert "warning: the registry caches blob descriptors in memory" in text
    assert "warning: Ignoring unrecognized environment variable REGISTRY_NONSENSE" in text
    assert "warning: ignoring further arguments: extra" in text
    text = command.run("-d", "--min-age", "1h", environment={"REGISTRY_STORAGE_CACHE_BLOBDESCRIPTOR": "redis"}).stderr
    assert "read-only" not in text
    assert "'blobs::*' and 'repository::*'" in text


def test_an_empty_registry_is_no_error(tmp_path: Path) -> None:
    result = Command(tmp_path).run("-m")
    assert (result.returncode, result.stdout) == (
        0,
        "\n0 blobs marked, 0 blobs and 0 manifests eligible for deletion\n",
    )


def test_closed_standard_descriptors_never_become_files_of_the_store(command: Command) -> None:
    argv = [sys.executable, "-m", "regsweep", "garbage-collect", str(command.config), "-dq", "--json"]
    file = command.directory / "out.json"
    before = command.store.files()
    result = subprocess.run(["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *argv, str(file)], check=False)
    assert result.returncode == 0
    assert "scanned" not in file.read_text()
    assert command.store.files() == before


def test_starting_up_imports_nothing_heavy(command: Command) -> None:
    # Each of these costs 5 to 30 ms, which is a good part of a whole run.
    code = (
        "import sys; before = set(sys.modules)\n"  # an environment's own start-up may import some
        "from regsweep.cli import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit: pass\n"
        "heavy = {'click', 'dataclasses', 'enum', 'inspect', 'json', 'pathlib', 're', 'tempfile', 'typing'}\n"
        "print(sorted(heavy & set(sys.modules) - before), file=sys.stderr)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, "garbage-collect", "-dq", str(command.config)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stderr.splitlines()[-1] == "[]", result.stderr


def test_ctrl_c_says_what_was_done(command: Command) -> None:
    # Opening a FIFO for the JSON waits for a reader that never comes: the signal arrives at a known place.
    fifo = command.directory / "fifo"
    os.mkfifo(fifo)
    before = command.store.files()
    argv = [sys.executable, "-m", "regsweep", "garbage-collect", str(command.config), "-m", "--json", str(fifo)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while "wait_for_partner" not in wait_channel(process.pid) and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        try:
            stdout, stderr = process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    assert (process.returncode, stdout, stderr) == (130, "", "interrupted; nothing was removed\n")
    assert command.store.files() == before


def wait_channel(process_id: int) -> str:
    """Where in the kernel the threads of a process wait."""
    tasks = Path(f"/proc/{process_id}/task")
    try:
        return " ".join((task / "wchan").read_text() for task in tasks.iterdir())
    except OSError:
        return ""
