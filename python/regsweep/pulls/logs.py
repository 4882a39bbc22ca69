"""Reads a log of whatever format, line by line: formats may be mixed, and the file may be compressed with gzip.

Memory does not depend on the length of the log. Lines are told apart by what they hold, not by how they begin:
container runtimes and the journal put something in front of each, and Docker puts each into a JSON document of its own.
"""

from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedIOBase
from pathlib import Path
from typing import Any

from regsweep.errors import PullsError
from regsweep.pulls import access_log, events, json_text, registry_log
from regsweep.pulls.json_text import Unfinished
from regsweep.pulls.reading import Reading

STANDARD_INPUT = "-"

_CHUNK_BYTES = 1024 * 1024
# No log has longer lines; a file of something else may be one line from beginning to end.
_MAX_LINE_BYTES = 16 * 1024 * 1024
_GZIP_MAGIC = b"\x1f\x8b"


def read(name: str, last_pulls: dict[str, int], horizon: float) -> Reading:
    """Reads a log to its end.

    Args:
        name: a file, or ``-`` for standard input.
        last_pulls: where pulls go: item to its last pull.
        horizon: seconds since 1970; later times cover nothing.

    Raises:
        PullsError: it cannot be read.
    """
    reading = Reading(name, last_pulls, horizon)
    lines = _Lines(reading)
    try:
        with _opened(name) as file:
            for chunk in _chunks(file):
                for line in chunk:
                    lines.read(line)
    except (OSError, EOFError, zlib.error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise PullsError(
            f"read {name}: {reason}",
            operation="read log",
            key=name,
            next_step="nothing was recorded: give logs that can be read to their end, then run again",
        ) from error
    lines.end()
    return reading


@contextmanager
def _opened(name: str) -> Iterator[BufferedIOBase]:
    if name == STANDARD_INPUT:
        yield _uncompressed(sys.stdin.buffer)
        return
    with Path(name).open("rb") as file:
        yield _uncompressed(file)


def _uncompressed(file: Any) -> BufferedIOBase:
    """A buffered reader's content, whether it is compressed or not."""
    content: BufferedIOBase = gzip.GzipFile(fileobj=file) if file.peek(2).startswith(_GZIP_MAGIC) else file
    return content


def _chunks(file: BufferedIOBase) -> Iterator[list[bytes]]:
    """Lines without their ends, many at a time; one that is too long loses its beginning."""
    rest = b""
    while chunk := file.read(_CHUNK_BYTES):
        lines = (rest[-_MAX_LINE_BYTES:] + chunk).split(b"\n")
        rest = lines.pop()
        yield lines
    if rest:
        yield [rest]


class _Lines:
    """The lines of one log, in order."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._unfinished: Unfinished | None = None

    def read(self, line: bytes) -> None:
        """The next line."""
        reading = self._reading
        reading.line_count += 1
        if self._unfinished is not None:
            if self._unfinished.takes(line):
                self._continue(self._unfinished, line)
                return
            self.end()
        if not reading.is_settled(line) and not self._is_understood(line):
            reading.unknown(line, reading.line_count)

    def end(self) -> None:
        """No line goes on with what is unfinished."""
        if self._unfinished is not None:
            self._give_up(self._unfinished)

    def _continue(self, unfinished: Unfinished, line: bytes) -> None:
        if unfinished.add(line):
            self._unfinished = None
            if not self._is_json_understood(unfinished.text()):
                self._give_up(unfinished)

    def _give_up(self, unfinished: Unfinished) -> None:
        self._unfinished = None
        self._reading.unknown(unfinished.lines[0], unfinished.number, len(unfinished.lines))

    def _is_understood(self, line: bytes) -> bool:
        """Takes from a line what it says."""
        if line[:1] == b"{":
            return self._is_json_understood(line.decode(errors="replace"))
        if self._is_plain_understood(line):
            return True
        text = line.strip()
        if text[:1] in b"{[],":
            return self._is_json_understood(text.decode(errors="replace"))
        begin = line.find(b'{"')
        return begin >= 0 and self._is_json_understood(line[begin:].decode(errors="replace"))

    def _is_plain_understood(self, line: bytes) -> bool:
        try:
            return access_log.read(line, self._reading) or registry_log.read_text(line, self._reading)
        except ValueError:
            # A time that is none.
            return False

    def _is_json_understood(self, text: str) -> bool:
        documents, rest = json_text.split(text)
        understood = True
        for document in documents:
            understood = self._is_document_understood(document) and understood
        if not rest:
            return understood
        line = rest.encode()
        if not rest.startswith("{"):
            # What follows a document that has no line break at its end.
            return self._is_plain_understood(line) and understood
        if not Unfinished.begins(line):
            return False
        self._unfinished = Unfinished(line, self._reading.line_count)
        return understood

    def _is_document_understood(self, document: dict[str, Any]) -> bool:
        try:
            if isinstance(log := document.get("log"), str):
                # Docker's json-file driver.
                return self._is_understood(log.encode(errors="replace"))
            return registry_log.read_json(document, self._reading) or events.read(document, self._reading)
        except ValueError:
            # A time that is none.
            return False
