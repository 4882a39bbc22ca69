"""Where the results of commands go: tables on standard output, and ``--json FILE``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import TracebackType

import click

from regsweep.cli.common import show
from regsweep.cli.json_report import JsonReport
from regsweep.errors import OutputError

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


def table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows of equal length as lines, their cells below each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


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
        return self._target == "-"

    def write(self, members: Mapping[str, object], lists: Mapping[str, Sequence[Mapping[str, object]]]) -> None:
        """Writes all of it.

        Args:
            members: what is short.
            lists: what may be long, written an item a line.

        Raises:
            OutputError: it cannot be written.
        """
        if self._report is None:
            return
        try:
            self._report.begin({}, self._schema)
            for name, items in lists.items():
                self._report.array(name, [items], dict)
            self._report.finish(members)
        except OSError as error:
            raise OutputError(str(self._target), error) from error
