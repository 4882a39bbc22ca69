"""``regsweep empty``: directories and repositories that nothing is left in."""

from __future__ import annotations

from collections.abc import Iterator

import click

from regsweep import _core, exit_codes
from regsweep.cli.common import Duration, bucket_options, command, open_for, progress_line, say, store_argument
from regsweep.cli.output import Result, json_option, show_all
from regsweep.cli.progress import describe_empty
from regsweep.empty import EmptyDirectories, remove_empty
from regsweep.errors import OutputError
from regsweep.library import DEFAULT_EMPTY_SECONDS, BucketOptions, Store
from regsweep.units import format_count

SCHEMA = "regsweep.empty/1"


@click.command()
@store_argument
@click.option(
    "--older-than",
    type=Duration(),
    default=DEFAULT_EMPTY_SECONDS,
    show_default="24h",
    help="What has changed since then counts as in use.",
)
@click.option("--purge", is_flag=True, help="Remove them.")
@json_option
@bucket_options
@command
def empty(store: str, bucket: BucketOptions, older_than: float, purge: bool, json_path: str | None) -> int:
    """List repositories on STORE that nothing is left in, and count empty directories; with --purge, remove them."""
    with Result(json_path, SCHEMA) as result:
        opened = open_for(store, bucket)
        line = progress_line()
        progress = line.start(describe_empty)
        if purge:
            found = remove_empty(opened, older_than=older_than, progress=progress)
        else:
            found = opened.empty(older_than=older_than, progress=progress)
        line.clear()
        code = _code(found)
        try:
            if not result.takes_stdout:
                show_all(found.repositories)
            result.write(*_document(opened, found, older_than, purge=purge, code=code))
        except OutputError as error:
            if not found.directory_count or not purge:
                raise
            say([str(error)])
            code = max(code, exit_codes.DONE_WITH_DAMAGE)
        say(_outcome(found, purge=purge))
        return code


def _code(found: EmptyDirectories) -> int:
    if found.interrupted:
        return exit_codes.INTERRUPTED
    return exit_codes.DONE_WITH_DAMAGE if found.failures else exit_codes.DONE


def _outcome(found: EmptyDirectories, *, purge: bool) -> Iterator[str]:
    for failure in found.failures:
        yield f"failed to remove {failure.key}: {failure.error}"
    counts = (
        f"{format_count(found.directory_count, 'empty directory', 'empty directories')}, "
        f"{format_count(len(found.repositories), 'repository', 'repositories')} among them"
    )
    if not purge:
        yield f"{counts}; --purge would remove them" if found.directory_count else counts
    elif found.interrupted:
        yield f"interrupted: removed {counts}; running again finishes the work"
    else:
        yield f"removed {counts}"


def _document(
    store: Store, found: EmptyDirectories, older_than: float, *, purge: bool, code: int
) -> tuple[dict[str, object], dict[str, list[dict[str, object]]]]:
    """The result as ``schema/empty-1.schema.json`` describes it."""
    members: dict[str, object] = {
        "regsweep_version": _core.__version__,
        "root": store.root,
        "configuration": store.config and store.config.path,
        "options": {"older_than_seconds": older_than, "purge": purge},
        "directory_count": found.directory_count,
        "interrupted": found.interrupted,
        "failures": [{"key": failure.key, "error": failure.error} for failure in found.failures],
        "exit_code": code,
    }
    return members, {"repositories": [{"name": name} for name in found.repositories]}
