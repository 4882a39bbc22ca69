"""Where the results of commands go: tables on standard output, ``--json FILE``, and other files."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import click

from regsweep.cli.common import show
from regsweep.cli.fitting import shortened
from regsweep.cli.json_report import JsonReport
from regsweep.errors import OutputError
from regsweep.whole_file import replacing

STANDARD_OUTPUT = "-"
_GAP = "  "
# What a shortened name needs, so that something of it can be told.
_LEAST_WIDTH = 20

json_option = click.option(
    "--json",
    "json_path",
    metavar="FILE",
    help="Write the result to FILE as JSON (-: to standard output, in place of everything else there).",
)


def show_all(lines: Iterable[str]) -> None:
    """Writes lines to standard output.

    Raises:
        OutputError: they cannot be written: who is to read them will not see them.
    """
    try:
        show(lines)
    except OSError as error:
        raise OutputError("standard output", error) from error


def table(
    rows: Sequence[Sequence[str]],
    alignment: str = "",
    *,
    width: int | None = None,
    expendable: Sequence[int] = (),
) -> Iterator[str]:
    """Rows of equal length as lines, their cells below each other.

    Args:
        rows: as many cells each.
        alignment: for each column ``<`` or ``>``; all to the left where it is empty.
        width: of the terminal, if it is one. Where the lines are longer, columns are left out and then the last one is
            shortened.
        expendable: which columns may be left out, the first to go first.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    alignment = alignment or "<" * len(widths)
    shown = list(range(len(widths)))
    for column in expendable:
        if width is None or _line_width(widths, shown) <= width:
            break
        shown.remove(column)
    *padded, last = shown
    if width is not None:
        widths[last] = min(widths[last], max(width - _line_width(widths, padded) - len(_GAP), _LEAST_WIDTH))
    for row in rows:
        cells = [f"{shortened(row[column], widths[column]):{alignment[column]}{widths[column]}}" for column in shown]
        yield _GAP.join(cells).rstrip()


def _line_width(widths: Sequence[int], shown: Sequence[int]) -> int:
    return sum(widths[column] for column in shown) + len(_GAP) * (len(shown) - 1)


def check_target(target: str) -> None:
    """Finds out before the work what would go wrong after it, when a file is written.

    Raises:
        OutputError: it cannot be written there.
    """
    path = Path(target)
    if path.is_dir():
        raise OutputError(target, IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR)))
    if target == STANDARD_OUTPUT or (path.exists() and not path.is_file()):
        return  # a pipe or a device takes what comes
    directory = Path(os.path.realpath(path)).parent
    if not directory.is_dir():
        raise OutputError(target, FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)))
    if not os.access(directory, os.W_OK | os.X_OK):
        raise OutputError(target, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))


def write_file(target: str, text: str) -> None:
    """Writes a text to a file, which takes its name when it is complete, or to standard output.

    Raises:
        OutputError: it cannot be written there.
    """
    content = text.encode()
    try:
        if target == STANDARD_OUTPUT:
            click.echo(content, nl=False)
        else:
            with replacing(target) as descriptor, open(descriptor, "wb", closefd=False) as file:
                file.write(content)
    except BrokenPipeError:
        raise  # who reads no further has seen enough
    except OSError as error:
        raise OutputError(target, error) from error


class Result:
    """What ``--json`` asks for: opened first, written last, gone where the command does not get so far.

    Args:
        target: a file's path, or ``-`` for standard output; nothing is written where it is ``None``.
        schema: the schema that it follows.

    Raises:
        OutputError: it cannot be written there.
    """

    def __init__(self, target: str | None, schema: str) -> None:
        self._target = target
        self._schema = schema
        try:
            self._report = None if target is None else JsonReport(target)
        except OSError as error:
            raise OutputError(str(target), error) from error

    def __enter__(self) -> Result:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._report is not None:
            self._report.abandon()

    @property
    def takes_stdout(self) -> bool:
        """Whether it is written to where tables go."""
        return self._target == STANDARD_OUTPUT

    def write(
        self,
        members: Mapping[str, object],
        lists: Mapping[str, Sequence[Mapping[str, object]]],
        endless: Mapping[str, Iterable[Sequence[Mapping[str, object]]]] | None = None,
    ) -> None:
        """Writes all of it.

        Args:
            members: what is short.
            lists: what may be long, written an item a line.
            endless: what may not even fit into memory: it comes in portions, and each is written before the next.

        Raises:
            OutputError: it cannot be written.
        """
        if self._report is None:
            return
        try:
            self._report.begin({}, self._schema)
            for name, items in lists.items():
                self._report.array(name, [items], dict)
            for name, portions in (endless or {}).items():
                self._report.array(name, portions, dict)
            self._report.finish(members)
        except OSError as error:
            raise OutputError(str(self._target), error) from error
