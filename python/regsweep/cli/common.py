"""What all click commands share: options that mean the same everywhere, opening a store, errors and exit codes."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import click

from regsweep import exit_codes, safety
from regsweep.cli.progress import ProgressLine
from regsweep.errors import GuardRefused, LockedError, RegsweepError, UnfinishedError, UnitError, UnknownNameError
from regsweep.library import BucketOptions, Marks, Store, open_store
from regsweep.units import parse_duration, parse_share, parse_size
from regsweep.visible import visible

P = ParamSpec("P")
T = TypeVar("T")

# What a name may stand for: enough to choose from.
_MAX_MATCHES = 10


if TYPE_CHECKING:
    from regsweep.pulls import PullTimes
    from regsweep.report import Findings

    FloatType = click.ParamType[float]
    IntType = click.ParamType[int]
else:
    # Before 8.5 it takes no type.
    FloatType = IntType = click.ParamType


class Duration(FloatType):
    """``24h``, ``7d``, ``1h30m``: seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds of what was typed."""
        if isinstance(value, int | float):
            return float(value)
        try:
            return parse_duration(value)
        except UnitError as error:
            self.fail(str(error), param, ctx)


class Share(FloatType):
    """``0.3`` or ``30%``."""

    name = "share"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The share as a number between 0 and 1."""
        if isinstance(value, float):
            return value
        try:
            return parse_share(value)
        except UnitError as error:
            self.fail(str(error), param, ctx)


class Size(IntType):
    """``500MB``, ``2GiB``: bytes."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Bytes of what was typed."""
        if isinstance(value, int):
            return value
        try:
            return parse_size(value)
        except UnitError as error:
            self.fail(str(error), param, ctx)


class Moment(FloatType):
    """A time in RFC 3339, or a date: seconds since 1970."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds since 1970 of what was typed."""
        from regsweep.plan import parse_time

        if isinstance(value, int | float):
            return float(value)
        try:
            return float(parse_time(value))
        except ValueError:
            self.fail(f"{value!r} is not a time (examples: 2026-12-24, 2026-12-24T03:00:00Z)", param, ctx)


def store_argument(function: Callable[P, T]) -> Callable[P, T]:
    """The argument STORE."""
    return click.argument("store", metavar="STORE")(function)


def bucket_options(function: Callable[..., T]) -> Callable[..., T]:
    """How a bucket is dealt with; the command gets it together as ``bucket``."""

    @functools.wraps(function)
    def run(
        *args: Any,
        max_requests_per_second: float | None,
        no_cache: bool,
        cache_dir: str | None,
        cache_size: int | None,
        inventory: str | None = None,
        **kwargs: Any,
    ) -> T:
        if no_cache and (cache_dir is not None or cache_size is not None):
            raise click.UsageError("--no-cache excludes --cache-dir and --cache-size")
        cache = not no_cache if cache_dir is None else cache_dir
        bucket = BucketOptions(max_requests_per_second, cache, cache_size, inventory)
        return function(*args, bucket=bucket, **kwargs)

    with_options: Callable[..., T] = run
    for option in (
        click.option("--cache-size", type=Size(), help="Bucket: how much of the cache is kept. [default: 1GiB]"),
        click.option(
            "--cache-dir",
            metavar="DIR",
            help="Bucket: where manifests are kept from run to run. [default: ~/.cache/regsweep/manifests]",
        ),
        click.option("--no-cache", is_flag=True, help="Bucket: keep no manifests from run to run."),
        click.option(
            "--max-requests-per-second",
            type=click.FloatRange(min=0, min_open=True),
            metavar="N",
            help="Bucket: ask its service no more often than so.",
        ),
    ):
        with_options = option(with_options)
    return with_options


def inventory_option(function: Callable[P, T]) -> Callable[P, T]:
    """Which report tells of blobs, for commands that look for candidates; it becomes one of the ``bucket_options``."""
    return click.option(
        "--inventory",
        metavar="MANIFEST",
        help="Bucket of S3: take blobs from this inventory report (s3://.../manifest.json, or a path).",
    )(function)


def jobs_option(function: Callable[P, T]) -> Callable[P, T]:
    """How many threads."""
    return click.option(
        "--jobs", type=click.IntRange(min=1), help="Threads that scan at once; by default as many as suit the machine."
    )(function)


def min_age_option(default: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """The minimum age."""
    return click.option(
        "--min-age",
        type=Duration(),
        default=default,
        show_default=True,
        help="Nothing younger goes, nor what it needs.",
    )


def override_option(*guards: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Switching guards off."""
    return click.option(
        "--override",
        "overrides",
        multiple=True,
        type=click.Choice(guards),
        help="Switch this guard off. Repeatable.",
    )


def marking_options(function: Callable[P, T]) -> Callable[P, T]:
    """What stays in any case, what counts as damage, and how much may go."""
    for option in (
        click.option(
            "--max-removed-share", type=Share(), help="Refuse where more than this share of the blobs would go."
        ),
        click.option(
            "--accept-damage",
            multiple=True,
            metavar="REPOSITORY",
            help="Damage of this repository no longer keeps all that it links. Repeatable.",
        ),
        click.option("--keep-list", metavar="FILE", help="Digests and repository:tag that stay, one a line."),
    ):
        function = option(function)
    return function


def open_for(store: str, bucket: BucketOptions, jobs: int | None = None) -> Store:
    """Opens a storage root, or what a registry's configuration names; says what the registry would warn of."""
    opened = open_store(
        store,
        jobs=jobs,
        max_requests_per_second=bucket.max_requests_per_second,
        cache=bucket.cache,
        cache_bytes=bucket.cache_bytes,
        inventory=bucket.inventory,
    )
    if opened.config is not None:
        say(f"warning: {warning}" for warning in opened.config.warnings)
    return opened


def read_keep_list(path: str | None) -> list[str]:
    """The entries of a keep list; none without one."""
    if path is None:
        return []
    from regsweep import keep_list

    return keep_list.read(path)


def read_pulls(path: str | None) -> PullTimes | None:
    """The pull times of a file; none without one."""
    if path is None:
        return None
    from regsweep.pulls import read

    return read(path)


def progress_line() -> ProgressLine:
    """A progress line on stderr; nothing where that is no terminal."""
    return ProgressLine(sys.stderr)


def say(lines: Iterable[str]) -> None:
    """Writes lines to stderr. A stderr that cannot be written to must not stop a removal half-way."""
    try:
        for line in lines:
            sys.stderr.write(f"{visible(line)}\n")
        sys.stderr.flush()
    except OSError:
        pass


def show(lines: Iterable[str]) -> None:
    """Writes lines to standard output."""
    for line in lines:
        click.echo(visible(line))


def exit_code_of(marks: Marks, *, failed: bool = False, interrupted: bool = False) -> int:
    """The exit code of a run that came to its end."""
    if interrupted:
        return exit_codes.INTERRUPTED
    return exit_codes.DONE_WITH_DAMAGE if failed or is_damaged(marks) else exit_codes.DONE


def is_damaged(marks: Marks | Findings) -> bool:
    """Whether marking found what calls for exit code 3."""
    return any(not damage.accepted for damage in marks.damaged) or any(image.counts for image in marks.broken)


def command(function: Callable[P, int]) -> Callable[P, None]:
    """A command that gives back its exit code, with regsweep's errors said and turned into theirs."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            code = function(*args, **kwargs)
        except (KeyboardInterrupt, RegsweepError) as error:
            say(_error_lines(error))
            code = exit_code_of_error(error)
        raise SystemExit(code)

    return run


def exit_code_of_error(error: BaseException) -> int:
    """The exit code of a run that did not come to its end."""
    match error:
        case KeyboardInterrupt():
            return exit_codes.INTERRUPTED
        case GuardRefused() | LockedError():
            return exit_codes.REFUSED
        case UnfinishedError():
            return exit_codes.DONE_WITH_DAMAGE
    return exit_codes.FAILED


def _error_lines(error: BaseException) -> list[str]:
    if isinstance(error, KeyboardInterrupt):
        return ["interrupted; nothing is half done, and running again goes on"]
    if isinstance(error, GuardRefused):
        return refusal_lines(error)
    hint = error.next_step if isinstance(error, RegsweepError) else ""
    matches = error.matches if isinstance(error, UnknownNameError) else ()
    more = len(matches) - _MAX_MATCHES
    return [
        str(error),
        *(f"  {match}" for match in matches[:_MAX_MATCHES]),
        *([f"  and {more} more"] if more > 0 else []),
        *([f"hint: {hint}"] if hint else []),
    ]


def refusal_lines(error: GuardRefused) -> list[str]:
    """What guards say, and how to go on."""
    lines = []
    for refusal in error.refusals:
        way_on = f" (or go on with --override {refusal.guard})" if refusal.guard != safety.NOT_SETTLED else ""
        lines.append(f"refused by guard {refusal.guard}: {refusal.message}{way_on}")
    return lines
