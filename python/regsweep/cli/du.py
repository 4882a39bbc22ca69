"""``regsweep du``: what repositories and tags take."""

from __future__ import annotations

import csv
import io
import sys
from typing import TYPE_CHECKING

import click

from regsweep import _core, exit_codes
from regsweep.cli import summary, terminal
from regsweep.cli.looking import EPILOG, session
from regsweep.cli.progress import describe_mark
from regsweep.errors import UnknownNameError
from regsweep.units import format_bytes, format_count, format_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import TypeAlias

    from regsweep._core import Progress
    from regsweep.cli.json_report import JsonReport
    from regsweep.library import Marks, RepositoryUsage, TagUsage, Usage

    Row: TypeAlias = RepositoryUsage | TagUsage

SCHEMA = "regsweep.du/1"
_COUNTS = ("manifest_count", "blob_count", "total_bytes", "unique_blob_count", "unique_bytes", "shared_bytes")
_REPOSITORY_FIELDS = ("name", "repository_count", "tag_count", *_COUNTS, "damaged")
_TAG_FIELDS = ("repository", "tag", "digest", *_COUNTS)
# A tag is never called that: parentheses are in no tag's name.
_UNTAGGED = "(untagged)"


@click.command(epilog=EPILOG)
@click.argument("store", type=click.Path())
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
@click.option("--json", "json_file", metavar="FILE", help="Write the result to FILE as JSON (- for standard output).")
@click.option("--csv", "csv_file", metavar="FILE", help="Write the rows to FILE as CSV (- for standard output).")
@click.option("--jobs", type=click.IntRange(1, 1024), help="Number of threads (default: fits the machine).")
@click.pass_context
def du(
    ctx: click.Context,
    store: str,
    names: tuple[str, ...],
    tags: bool,
    sort: str,
    depth: int | None,
    top: int | None,
    json_file: str | None,
    csv_file: str | None,
    jobs: int | None,
) -> None:
    """Say what repositories and tags of STORE take.

    STORE is a storage root or a registry's configuration file. Total is everything that a repository reaches, each
    blob once; unique is what nothing else in the registry reaches, so that removing the repository would free it.
    """
    if json_file == "-" and csv_file == "-":
        raise click.UsageError("--json - and --csv - both write to standard output")
    tags = tags or any(":" in name for name in names)
    if depth is not None and tags:
        raise click.UsageError("--tags measures repositories one by one: it cannot be given with --depth")
    with session(ctx) as running:
        report = running.report(json_file)
        table = running.file(csv_file)
        opened, catalog = running.scan(store, jobs)
        marks = catalog.mark(progress=running.progress.start(describe_mark))
        usage = marks.usage(tags=tags, depth=depth, progress=running.progress.start(_describe_measuring))
        running.progress.clear()
        repositories, tag_rows = _select(usage, names)
        repositories.sort(key=_order(sort))
        tag_rows.sort(key=_order(sort))
        code = _exit_code(marks)
        if table is not None:
            table.write(_csv(repositories, tag_rows))
            table.complete()
        if report is not None:
            _write_json(report, opened.root, marks, usage, repositories, tag_rows, code)
        if "-" not in (json_file, csv_file):
            for line in _text(usage, repositories, tag_rows, top, terminal.width_of(sys.stdout)):
                click.echo(line)
        terminal.say(_findings(marks))
        ctx.exit(code)


def _describe_measuring(progress: Progress, seconds: float) -> str:
    return f"measuring: {format_count(progress.blobs, 'blob')}, {format_duration(seconds)}"


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
    if isinstance(row, _core.RepositoryUsage):
        return row.name
    return f"{row.repository}:{row.tag}" if row.tag is not None else f"{row.repository} {_UNTAGGED}"


def _order(sort: str) -> Callable[[Row], tuple[int, str]]:
    if sort == "name":
        return lambda row: (0, _name(row))
    return lambda row: (-int(getattr(row, f"{sort}_bytes")), _name(row))


def _exit_code(marks: Marks) -> int:
    damaged = marks.damaged or any(image.counts for image in marks.broken)
    return exit_codes.DONE_WITH_DAMAGE if damaged else exit_codes.DONE


def _findings(marks: Marks) -> Iterator[str]:
    """What makes the numbers doubtful."""
    damaged = marks.damaged
    yield from summary.limited(map(summary.damage_line, damaged), len(damaged), "damage")
    broken = sum(image.counts for image in marks.broken)
    if broken:
        yield f"broken images: {format_count(broken, 'part')} missing, which count as nothing here"


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
    amounts = [
        ("stored", usage.stored_bytes, usage.stored_blob_count),
        ("reached", usage.reached_bytes, usage.reached_blob_count),
        ("garbage", usage.garbage_bytes, usage.garbage_blob_count),
    ]
    if usage.spared_blob_count:
        amounts.append(("too young to be garbage", usage.spared_bytes, usage.spared_blob_count))
    yield from terminal.table("<>><", [(name, format_bytes(size), str(n), "blobs") for name, size, n in amounts])


def _table(header: Sequence[str], rows: Sequence[Row], top: int | None, width: int | None) -> Iterator[str]:
    shown = rows[:top]
    alignment = ">" * (len(header) - 1) + "<"
    # What is least missed goes first: counts from the right, then what total and unique say already.
    expendable = (*range(len(header) - 2, 2, -1), 2)
    yield from terminal.table(alignment, [header, *map(_cells, shown)], width=width, expendable=expendable)
    if len(rows) > len(shown):
        yield f"and {len(rows) - len(shown)} more"


def _cells(row: Row) -> tuple[str, ...]:
    sizes = tuple(format_bytes(size) for size in (row.total_bytes, row.unique_bytes, row.shared_bytes))
    tags = (str(row.tag_count),) if isinstance(row, _core.RepositoryUsage) else ()
    return (*sizes, *tags, str(row.manifest_count), str(row.blob_count), terminal.visible(_name(row)))


def _csv(repositories: Iterable[RepositoryUsage], tags: Iterable[TagUsage]) -> bytes:
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
    return text.getvalue().encode()


def _write_json(
    report: JsonReport,
    root: str,
    marks: Marks,
    usage: Usage,
    repositories: Sequence[RepositoryUsage],
    tags: Sequence[TagUsage],
    code: int,
) -> None:
    from regsweep.cli.json_report import fields

    report.begin({"regsweep_version": _core.__version__, "root": root}, SCHEMA)
    totals = ("stored", "reached", "garbage", "spared")
    report.members(
        {
            name: {
                "blob_count": getattr(usage, f"{name}_blob_count"),
                "size_bytes": getattr(usage, f"{name}_bytes"),
            }
            for name in totals
        }
    )
    report.array("repositories", [repositories], fields(*_REPOSITORY_FIELDS))
    report.array("tags", [tags], fields(*_TAG_FIELDS))
    report.array("damaged", [marks.damaged], fields("repository", "tag", "digest", "key", "reason"))
    report.finish({"exit_code": code})
