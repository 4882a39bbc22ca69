"""The library does what the command does, with objects."""

from datetime import timedelta
from pathlib import Path

import pytest
from command import Command

import regsweep


@pytest.fixture
def command(tmp_path: Path) -> Command:
    command = Command(tmp_path)
    command.store.image("team/app", "1.0", [b"base", b"app"])
    command.store.image("team/app", None, [b"base", b"old"])
    return command


def test_every_public_name_is_there() -> None:
    for name in regsweep.__all__:
        assert getattr(regsweep, name) is not None
    assert set(regsweep.__all__) <= set(dir(regsweep))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        regsweep.nonsense  # noqa: B018


def test_a_store_is_opened_by_its_root_or_by_a_configuration(command: Command) -> None:
    by_root = regsweep.open(command.store.root, jobs=1)
    by_config = regsweep.open(command.config)
    assert by_root.root == by_config.root == str(command.store.root)
    assert by_root.jobs == 1
    assert by_root.config is None
    assert by_config.config is not None
    assert by_config.config.read_only


def test_scan_mark_remove(command: Command) -> None:
    calls: list[regsweep.Progress] = []
    catalog = regsweep.open(command.config).scan(progress=calls.append)
    counts = (catalog.repository_count, catalog.tag_count, catalog.revision_count, catalog.manifest_count)
    assert counts == (1, 1, 2, 2)
    assert not catalog.database_in_use

    plain = catalog.mark()
    assert (plain.eligible_blob_count, plain.delete_untagged) == (0, False)

    marks = catalog.mark(delete_untagged=True)
    assert marks.eligible_blob_count == len(marks.eligible_blobs()) == 3
    assert marks.eligible_blob_bytes == sum(size for _, size in marks.eligible_blobs())
    assert [marks.is_live(digest) for digest, _ in marks.eligible_blobs()] == [False] * 3
    removed = regsweep.remove_eligible(marks)
    assert (removed.blob_count, removed.failures, removed.interrupted) == (3, [], False)


def test_a_minimum_age_is_a_timedelta_or_seconds(command: Command) -> None:
    catalog = regsweep.open(command.config).scan()
    for min_age in (timedelta(days=36500), 36500 * 86400.0, 36500 * 86400):
        assert catalog.mark(delete_untagged=True, min_age=min_age).eligible_blob_count == 0
    assert catalog.mark(delete_untagged=True, min_age=timedelta(hours=1)).eligible_blob_count == 3


def test_guards_hold_for_the_library_too(command: Command) -> None:
    marks = regsweep.open(command.config).scan().mark(delete_untagged=True)
    before = command.store.files()
    with pytest.raises(regsweep.GuardRefused) as caught:
        regsweep.remove_eligible(marks, max_removed_share=0.1)
    assert [refusal.guard for refusal in caught.value.refusals] == ["max-removed-share"]
    assert (caught.value.key, caught.value.operation) == ("max-removed-share", "remove")
    assert caught.value.next_step
    assert command.store.files() == before
    removed = regsweep.remove_eligible(marks, max_removed_share=0.1, overrides=["max-removed-share"])
    assert removed.blob_count == 3


def test_errors_of_the_core_are_kept_as_cause(command: Command) -> None:
    (command.store.root / "docker/registry/v2/repositories/link").symlink_to("/nowhere")
    with pytest.raises(regsweep.StorageError) as caught:
        regsweep.open(command.config).scan()
    error = caught.value
    assert isinstance(error, regsweep.RegsweepError)
    assert (error.kind, error.key) == ("layout", "docker/registry/v2/repositories/link")
    assert error.operation
    assert error.next_step
    assert type(error.__cause__).__name__ == "CoreError"


def test_a_tag_to_keep_that_does_not_exist_is_an_error(command: Command) -> None:
    catalog = regsweep.open(command.config).scan()
    with pytest.raises(regsweep.StorageError, match="no such tag"):
        catalog.mark(keep=["team/app:9.9"])


def test_an_unknown_driver_is_refused_by_name(command: Command) -> None:
    command.config.write_text("version: 0.1\nstorage: {swift: {container: b}}\n")
    with pytest.raises(regsweep.DriverError, match="and this is swift"):
        regsweep.open(command.config)
