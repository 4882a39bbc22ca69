"""``regsweep du``: what repositories and tags take."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias

import click

from regsweep import _core
from regsweep._core import QuarantineUsage, RepositoryUsage, TagUsage, Usage
from regsweep.cli import summary
from regsweep.cli.common import (
    bucket_options,
    command,
    exit_code_of,
    jobs_option,
    open_for,
    progress_line,
    say,
    store_argument,
)
from regsweep.cli.fitting import width_of
from regsweep.cli.json_report import fields
from regsweep.cli.output import STANDARD_OUTPUT, Result, check_target, json_option, show_all, table, write_file
from regsweep.cli.progress import describe_mark, describe_measuring, describe_scan
from regsweep.errors import UnknownNameError
from regsweep.library import BucketOptions
from regsweep.units import format_bytes, format_count, format_moment
from regsweep.visible import visible

if TYPE_CHECKING:
    from regsweep.library import Marks

Row: TypeAlias = RepositoryUsage | TagUsage

SCHEMA = "regsweep.du/1"
_COUNTS = ("manifest_count", "blob_count", "total_bytes", "unique_blob_count", "unique_bytes", "shared_bytes")
_REPOSITORY_FIELDS = ("name", "repository_count", "tag_count", *_COUNTS, "damaged")
_TAG_FIELDS = ("repository", "tag", "digest", *_COUNTS)
# A tag is never called that: parentheses are in no tag's name.
_UNTAGGED = "(untagged)"


@click.command()
@store_argument
@click.argument("names", metavar="[REPOSITORY[:TAG]]...", nargs=-1)
@click.option("--tags", is_flag=True, help="Measure each tag, too, and what is untagged.")
@click.option(
    "--sort",
    type=click.Choice(("total", "unique", "shared", "name")),
    default="total",
    show_default=True,
    help="What comes first: the largest, or the first by name.",
)
@click.option("--depth", type=click.IntRange(min=1), help="Sum repositories up by their first N path components.")
@click.option("--top", type=click.IntRange(min=1), help="Show the first N only (--json and --csv have all).")
@json_option
@click.option("--csv", "csv_path", metavar="FILE", help="Write the rows to FILE as CSV (-: to standard output).")
@jobs_option
@bucket_options
@command
def du(
    store: str,
    bucket: BucketOptions,
    names: tuple[str, ...],
    tags: bool,
    sort: str,
    depth: int | None,
    top: int | None,
    json_path: str | None,
    csv_path: str | None,
    jobs: int | None,
) -> int:
    """Say what repositories and tags of STORE take.

    STORE is a storage root (the directory that holds docker/registry/v2), a bucket's URL (s3://bucket/root, gs://...,
    az://...) or a registry's configuration file. Total is everything that a repository reaches, each blob once; unique
    is what nothing else in the registry reaches, so that removing the repository would free it.
    """
    if json_path == csv_path == STANDARD_OUTPUT:
        raise click.UsageError("--json - and --csv - both write to standard output")
    tags = tags or any(":" in name for name in names)
    if depth is not None and tags:
        raise click.UsageError("--tags measures repositories one by one: it cannot be given with --depth")
    with Result(json_path, SCHEMA) as result:
        if csv_path is not None:
            check_target(csv_path)
        opened = open_for(store, bucket, jobs)
        line = progress_line()
        catalog = opened.scan(progress=line.start(describe_scan))
        marks = catalog.mark(progress=line.start(describe_mark))
        usage = marks.usage(tags=tags, depth=depth, progress=line.start(describe_measuring))
        line.clear()
        repositories, tag_rows = _select(usage, names)
        repositories.sort(key=_order(sort))
        tag_rows.sort(key=_order(sort))
        code = exit_code_of(marks)
        if csv_path is not None:
            write_file(csv_path, _csv(repositories, tag_rows))
        _write_json(result, opened.root, marks, usage, repositories, tag_rows, code)
        if not result.takes_stdout and csv_path != STANDARD_OUTPUT:
            show_all(_text(usage, repositories, tag_rows, top, width_of(sys.stdout)))
        say(_findings(marks, store))
        return code


def _select(usage: Usage, names: Sequence[str]) -> tuple[list[RepositoryUsage], list[TagUsage]]:
    """The rows of repositories and tags that were asked for; all where nothing was."""
    repositories, tags = usage.repositories, usage.tags
    if not names:
        return repositories, tags
    by_name = {row.name: row for row in repositories}
    by_tag = {_name(row): row for row in tags}
    wanted_repositories: dict[str, RepositoryUsage] = {}
    wanted_tags: dict[str, TagUsage] = {}
    for name in names:
        if name in by_name:
            wanted_repositories[name] = by_name[name]
            wanted_tags |= {_name(row): row for row in tags if row.repository == name}
        elif name in by_tag:
            wanted_tags[name] = by_tag[name]
        else:
            raise UnknownNameError(
                f"{name}: the storage has no repository or tag of that name",
                key=name,
                next_step="write it as it is in the storage: without the registry's host name, in full",
            )
    return list(wanted_repositories.values()), list(wanted_tags.values())


def _name(row: Row) -> str:
    if isinstance(row, RepositoryUsage):
        return row.name
    return f"{row.repository}:{row.tag}" if row.tag is not None else f"{row.repository} {_UNTAGGED}"


def _order(sort: str) -> Callable[[Row], tuple[int, str]]:
    if sort == "name":
        return lambda row: (0, _name(row))
    return lambda row: (-int(getattr(row, f"{sort}_bytes")), _name(row))


def _findings(marks: Marks, store: str) -> Iterator[str]:
    """What makes the numbers doubtful."""
    damaged = marks.damaged
    yield from summary.limited(map(summary.damage_line, damaged), len(damaged), "damage")
    broken = sum(image.counts for image in marks.broken)
    if broken:
        yield f"broken images: {format_count(broken, 'part')} missing, which count as nothing here"
    yield from summary.quarantine_warnings(marks, store)


def _text(
    usage: Usage, repositories: Sequence[RepositoryUsage], tags: Sequence[TagUsage], top: int | None, width: int | None
) -> Iterator[str]:
    header = ("TOTAL", "UNIQUE", "SHARED", "TAGS", "MANIFESTS", "BLOBS", "REPOSITORY")
    if repositories or not tags:
        yield from _table(header, repositories, top, width)
        yield ""
    if tags:
        yield from _table((*header[:3], "MANIFESTS", "BLOBS", "TAG"), tags, top, width)
        yield ""
    yield from table(list(_amounts(usage)), "<>><")


def _amounts(usage: Usage) -> Iterator[tuple[str, str, str, str]]:
    """What all of it comes to: what is stored, and what of that is what; then what is not stored, but takes room."""
    yield "stored", format_bytes(usage.stored_bytes), str(usage.stored_blob_count), "blobs"
    yield "reached", format_bytes(usage.reached_bytes), str(usage.reached_blob_count), "blobs"
    yield "garbage", format_bytes(usage.garbage_bytes), str(usage.garbage_blob_count), "blobs"
    if usage.spared_blob_count:
        yield "too young to be garbage", format_bytes(usage.spared_bytes), str(usage.spared_blob_count), "blobs"
    if usage.quarantines:
        blob_count, size_bytes = _set_aside(usage.quarantines)
        runs = f"blobs, set aside by {format_count(len(usage.quarantines), 'run')}, besides what is stored"
        yield "quarantined", format_bytes(size_bytes), str(blob_count), runs


def _set_aside(quarantines: Sequence[QuarantineUsage]) -> tuple[int, int]:
    return sum(one.blob_count for one in quarantines), sum(one.size_bytes for one in quarantines)


def _table(header: Sequence[str], rows: Sequence[Row], top: int | None, width: int | None) -> Iterator[str]:
    shown = rows[:top]
    alignment = ">" * (len(header) - 1) + "<"
    # What is least missed goes first: counts from the right, then what total and unique say already.
    expendable = (*range(len(header) - 2, 2, -1), 2)
    yield from table([header, *map(_cells, shown)], alignment, width=width, expendable=expendable)
    if len(rows) > len(shown):
        yield f"and {len(rows) - len(shown)} more"


def _cells(row: Row) -> tuple[str, ...]:
    sizes = tuple(format_bytes(size) for size in (row.total_bytes, row.unique_bytes, row.shared_bytes))
    tags = (str(row.tag_count),) if isinstance(row, RepositoryUsage) else ()
    return (*sizes, *tags, str(row.manifest_count), str(row.blob_count), visible(_name(row)))


def _csv(repositories: Iterable[RepositoryUsage], tags: Iterable[TagUsage]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("kind", "repository", "tag", "digest", "repository_count", "tag_count", *_COUNTS))
    for group in repositories:
        counts = [getattr(group, name) for name in _COUNTS]
        writer.writerow(("repository", group.name, "", "", group.repository_count, group.tag_count, *counts))
    for tag in tags:
        counts = [getattr(tag, name) for name in _COUNTS]
        kind = "untagged" if tag.tag is None else "tag"
        writer.writerow((kind, tag.repository, tag.tag or "", tag.digest or "", "", "", *counts))
    return text.getvalue()


def _write_json(
    result: Result,
    root: str,
    marks: Marks,
    usage: Usage,
    repositories: Sequence[RepositoryUsage],
    tags: Sequence[TagUsage],
    code: int,
) -> None:
    """Writes the result as ``schema/du-1.schema.json`` describes it."""
    set_aside = _set_aside(usage.quarantines)
    amounts = {
        "stored": (usage.stored_blob_count, usage.stored_bytes),
        "reached": (usage.reached_blob_count, usage.reached_bytes),
        "garbage": (usage.garbage_blob_count, usage.garbage_bytes),
        "spared": (usage.spared_blob_count, usage.spared_bytes),
        "quarantined": set_aside,
    }
    result.write(
        {
            "regsweep_version": _core.__version__,
            "root": root,
            **{
                name: {"blob_count": blob_count, "size_bytes": size_bytes}
                for name, (blob_count, size_bytes) in amounts.items()
            },
            "exit_code": code,
        },
        {
            "repositories": [*map(fields(*_REPOSITORY_FIELDS), repositories)],
            "tags": [*map(fields(*_TAG_FIELDS), tags)],
            "quarantines": [
                {
                    "run": one.run,
                    "since": one.since and format_moment(one.since),
                    "blob_count": one.blob_count,
                    "size_bytes": one.size_bytes,
                }
                for one in usage.quarantines
            ],
            "damaged": [*map(fields("repository", "tag", "digest", "key", "reason"), marks.damaged)],
        },
    )
