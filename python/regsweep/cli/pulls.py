"""``regsweep pulls``: the pull times that retention policies ask for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from regsweep import exit_codes
from regsweep.errors import PullsError
from regsweep.units import format_count

if TYPE_CHECKING:
    from regsweep.pulls import PullTimes, Update


@click.group()
def pulls() -> None:
    """Keep track of what was last pulled when, for retention policies."""


def _parse_time(_ctx: click.Context, _param: click.Parameter, value: str | None) -> float | None:
    """A day (its beginning in UTC), or a time with its zone; seconds since 1970."""
    if value is None:
        return None
    try:
        time = datetime.fromisoformat(value)
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is no time (examples: 2026-03-01, 2026-03-01T12:00:00Z)") from error
    if time.tzinfo is None:
        if len(value) > len("2026-03-01"):
            raise click.BadParameter(f"{value!r} has no zone (examples: {value}Z, {value}+01:00)")
        time = time.replace(tzinfo=UTC)
    return time.timestamp()


@pulls.command()
@click.argument("pulls", type=click.Path(path_type=Path))
@click.argument("logs", metavar="LOG...", nargs=-1, required=True)
@click.option("--since", callback=_parse_time, metavar="TIME", help="All pulls since then are in the logs: your word.")
@click.pass_context
def update(ctx: click.Context, pulls: Path, logs: tuple[str, ...], since: float | None) -> None:
    """Merge LOGs into the pull-times file PULLS.

    LOGs are access logs and logs of registries (text or JSON), access logs of proxies in front of them, and
    notification events, mixed, compressed with gzip or not; - is standard input. Give all that was written since the
    last update, by every registry on the storage.
    """
    from regsweep.pulls import update as update_pulls

    try:
        done = update_pulls(pulls, logs, since=since)
    except PullsError as error:
        _fail(ctx, error)
    click.echo(
        f"{pulls}: {format_count(done.line_count, 'line')}, {format_count(done.pull_count, 'pull')}, "
        f"{format_count(done.unknown_count, 'line')} not understood; {_known(done.pulls)}"
    )
    for warning in _warnings(done, is_stated=since is not None):
        click.echo(f"warning: {warning}", err=True)


@pulls.command()
@click.argument("pulls", type=click.Path(path_type=Path))
@click.argument("name", metavar="[REPOSITORY[:TAG]]", required=False)
@click.pass_context
def show(ctx: click.Context, pulls: Path, name: str | None) -> None:
    """Say what the pull-times file PULLS knows, of all repositories, of one, or of one tag (or REPOSITORY@DIGEST)."""
    from regsweep.pulls import read
    from regsweep.pulls.times import format_time

    try:
        times = read(pulls)
    except PullsError as error:
        _fail(ctx, error)
    if name is not None and (":" in name or "@" in name):
        time = times.last_pulls.get(name)
        click.echo(f"{name}: {'no pull is known' if time is None else f'last pulled {format_time(time)}'}")
        click.echo(f"{pulls}: {_known(times)}", err=True)
        return
    click.echo(f"{pulls}: {_known(times)}")
    for line in _overview(times, name):
        click.echo(line)


def _overview(times: PullTimes, repository: str | None) -> Iterator[str]:
    """Counts, oldest and newest, of all repositories or of one."""
    from regsweep.pulls.times import format_time

    items = {
        item: time
        for item, time in times.last_pulls.items()
        if repository is None or item.startswith((f"{repository}:", f"{repository}@"))
    }
    digest_count = sum("@" in item for item in items)
    counts = f"{format_count(len(items) - digest_count, 'tag')}, {format_count(digest_count, 'digest')}"
    if repository is None:
        yield f"{counts} of {format_count(len(times.repositories()), 'repository', 'repositories')}"
    else:
        yield f"{repository}: {counts}"
    for word, choose in (("oldest", min), ("newest", max)):
        if items:
            item = choose(sorted(items), key=lambda item: items[item])
            yield f"{word}: {item} {format_time(items[item])}"


def _known(times: PullTimes) -> str:
    from regsweep.pulls.times import format_time

    if times.since is None or times.until is None:
        return "nothing says since when pulls are known"
    return f"pulls are known from {format_time(times.since)} to {format_time(times.until)}"


def _warnings(done: Update, *, is_stated: bool) -> Iterator[str]:
    from regsweep.pulls.times import format_time

    for reading in done.readings:
        if reading.first_unknown is not None:
            yield (
                f"{reading.name}:{reading.first_unknown.number}: the first of "
                f"{format_count(reading.unknown_count, 'line')} not understood: {reading.first_unknown.excerpt!r}"
            )
    if done.line_count and not done.pull_count:
        yield "no pulls in these logs: do they hold what the registry was asked for?"
    since = done.pulls.since
    before = done.before.since if done.before else done.reaches_back
    if since is not None and before is not None and since > before and not is_stated:
        yield (
            f"there may be a gap before {format_time(since)}: pulls count as known from then on only. If no log is "
            f"missing, add --since {format_time(before)}"
        )


def _fail(ctx: click.Context, error: PullsError) -> NoReturn:
    click.echo(str(error), err=True)
    if error.next_step:
        click.echo(f"hint: {error.next_step}", err=True)
    ctx.exit(exit_codes.FAILED)
