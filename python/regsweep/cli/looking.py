"""What the commands that only look have in common: opening, scanning, errors, exit codes."""

from __future__ import annotations

import errno
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn, TypeVar

import click

from regsweep import exit_codes, library
from regsweep.cli import terminal
from regsweep.cli.progress import ProgressLine, describe_scan
from regsweep.cli.result_file import ResultFile
from regsweep.errors import RegsweepError, UnitError, UnknownNameError
from regsweep.units import parse_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from regsweep.cli.json_report import JsonReport

    _Result = TypeVar("_Result", "JsonReport", ResultFile)

# Enough to choose from.
_MAX_MATCHES = 10
EPILOG = "\b\n" + exit_codes.help_text()


def parse_seconds(_: click.Context, __: click.Parameter, value: str) -> float:
    """Seconds of a duration as the configuration has it (``90s``, ``24h``, ``7d``); anything else is wrong usage."""
    try:
        return parse_duration(value)
    except UnitError as error:
        raise click.BadParameter(str(error)) from error


class Session:
    """One run of a command that looks.

    Attributes:
        progress: the line on the terminal.
    """

    def __init__(self) -> None:
        self.progress = ProgressLine(sys.stderr)
        self._unfinished: list[JsonReport | ResultFile] = []

    def scan(self, store: str, jobs: int | None) -> tuple[library.Store, library.Catalog]:
        """Opens a storage root, or the storage that a configuration names, and scans it."""
        opened = library.open_store(store, jobs=jobs)
        return opened, opened.scan(progress=self.progress.start(describe_scan))

    def report(self, target: str | None) -> JsonReport | None:
        """The JSON result, where one is wanted: opened at once, for a wrong path shall cost nothing.

        Raises:
            OSError: it cannot be written there.
        """
        from regsweep.cli.json_report import JsonReport

        return None if target is None else self._open(JsonReport, target)

    def file(self, target: str | None) -> ResultFile | None:
        """Another file for a result, where one is wanted.

        Raises:
            OSError: it cannot be written there.
        """
        return None if target is None else self._open(ResultFile, target)

    def _open(self, kind: Callable[[str], _Result], target: str) -> _Result:
        try:
            opened = kind(target)
        except OSError as error:
            # A file on its way has a name that says nothing to anybody.
            raise OSError(error.errno, error.strerror, target) from error
        self._unfinished.append(opened)
        return opened

    def abandon(self) -> None:
        """Leaves nothing unfinished behind."""
        self.progress.clear()
        for result in self._unfinished:
            result.abandon()


@contextmanager
def session(ctx: click.Context) -> Iterator[Session]:
    """Runs a command's body; says what went wrong and leaves with the exit code for it."""
    running = Session()
    try:
        yield running
    except RegsweepError as error:
        running.progress.clear()
        _fail(ctx, [str(error), *_matches(error)], error.next_step)
    except OSError as error:
        running.progress.clear()
        if error.errno == errno.EPIPE:
            raise  # nobody reads any more, which click knows how to end
        _fail(ctx, [f"cannot write {error.filename or 'the result'}: {error.strerror}"], "")
    except KeyboardInterrupt:
        running.progress.clear()
        terminal.say(["interrupted; nothing was changed"])
        ctx.exit(exit_codes.INTERRUPTED)
    finally:
        running.abandon()


def _fail(ctx: click.Context, lines: list[str], next_step: str) -> NoReturn:
    terminal.say([*lines, *([f"hint: {next_step}"] if next_step else [])])
    ctx.exit(exit_codes.FAILED)


def _matches(error: RegsweepError) -> list[str]:
    matches = error.matches if isinstance(error, UnknownNameError) else ()
    more = len(matches) - _MAX_MATCHES
    return [*(f"  {match}" for match in matches[:_MAX_MATCHES]), *([f"  and {more} more"] if more > 0 else [])]
