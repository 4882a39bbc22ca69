"""The rows of a plan, one after the other: from its file, or from marks that were not written to one.

A plan may have millions of rows; nothing here holds more than one. Format: ``rust/core/src/plan.rs``.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from regsweep.errors import PlanError
from regsweep.plan import Head

if TYPE_CHECKING:
    from regsweep.library import Marks

COLUMNS = ["kind", "repository", "tag", "digest", "size_bytes", "modified", "age_seconds", "reason", "rule"]
# A line is some hundred bytes; what is longer than this is no plan.
_LONGEST_LINE = 1 << 20
# So many take about twenty milliseconds to add up.
_ROWS_BETWEEN_CALLS = 5_000


@dataclass(frozen=True)
class AddingUp:
    """How far the adding up of rows is.

    Attributes:
        rows: passed so far.
        share: of all, between 0 and 1; ``None`` where that is not known, as of a pipe.
    """

    rows: int
    share: float | None


def watched(
    rows: Iterable[list[str]],
    share: Callable[[int], float | None],
    callback: Callable[[AddingUp], None] | None,
) -> Iterator[list[str]]:
    """The same rows, with somebody told of them as they pass.

    Args:
        rows: with any number of columns.
        share: what part of all is done, given how many rows have passed.
        callback: called every few thousand rows, from the thread that takes them.
    """
    for count, row in enumerate(rows, start=1):
        yield row
        if callback is not None and count % _ROWS_BETWEEN_CALLS == 0:
            callback(AddingUp(count, share(count)))


class PlanFile:
    """A plan's file, read once, from its beginning to its end: pipes will do.

    Attributes:
        name: what errors call it.
        head: the plan's head.

    Raises:
        PlanError: it is no plan of this format, or cannot be read.
    """

    def __init__(self, file: BinaryIO, name: str) -> None:
        self.name = name
        self._file = file
        lines = []
        with self._reading():
            while (line := file.readline(_LONGEST_LINE)).startswith(b"#"):
                lines.append(line.decode(errors="replace"))
        self._first_row = line
        self.head = Head.parse("".join(lines), name)

    def rows(self) -> Iterator[list[str]]:
        """All rows, in the order of the file.

        Raises:
            PlanError: they are not as they were written, which is known only after the last of them; or they cannot
                be read.
        """
        count = 0
        body = _Body(self._lines())
        with self._reading():
            for row in table(body):
                yield row
                count += 1
        if body.last_comment != f"# end: rows={count} sha256={body.sha256}":
            raise PlanError(
                f"{self.name}: it was changed or cut off since it was written",
                key=self.name,
                next_step="make a new plan, with a keep list if something is to stay",
            )

    def _lines(self) -> Iterator[bytes]:
        yield self._first_row
        while line := self._file.readline(_LONGEST_LINE):
            yield line

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise PlanError(f"{self.name}: cannot be read: {error.strerror}", key=self.name) from error
        except ValueError as error:
            raise PlanError(f"{self.name}: a row of it is not understood: {error}", key=self.name) from error


class _Body:
    """The lines of a table, hashed as they pass; comments are left out, the last of them kept."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines = lines
        self._hasher = hashlib.sha256()
        self.last_comment = ""

    @property
    def sha256(self) -> str:
        return self._hasher.hexdigest()

    def __iter__(self) -> Iterator[bytes]:
        for line in self._lines:
            if line.startswith(b"#"):
                self.last_comment = line.decode(errors="replace").strip()
            else:
                self._hasher.update(line)
                yield line


def table(lines: Iterable[bytes]) -> Iterator[list[str]]:
    """The rows below the column names, each with all columns.

    Raises:
        ValueError: the lines are no plan's table.
    """
    reader = csv.reader(map(bytes.decode, lines), strict=True)
    try:
        if next(reader, None) != COLUMNS:
            raise ValueError("unknown column names")
        for row in reader:
            if len(row) != len(COLUMNS):
                raise ValueError(f"row {reader.line_num} has {len(row)} columns")
            yield row
    except csv.Error as error:
        raise ValueError(str(error)) from error


@contextlib.contextmanager
def rows_of(marks: Marks) -> Iterator[Iterator[list[str]]]:
    """The rows of a plan that marks would make, as they are made: through a pipe, from a thread of their own.

    Raises:
        StorageError: they cannot be made.
    """
    reader, writer = os.pipe()

    def write() -> None:
        try:
            marks.write_plan(writer)
        finally:
            os.close(writer)

    # The pipe is closed before the thread is waited for: who reads no further must not leave it writing.
    with ThreadPoolExecutor(1) as pool, open(reader, "rb") as file:  # noqa: PTH123
        writing = pool.submit(write)
        try:
            yield table(file)
        except ValueError:
            writing.result()  # why the rows are cut off, where they are
            raise
    writing.result()
