"""JSON documents among the lines of a log: one a line, several a line, or one on many lines.

Registries indent the envelopes that they post, so a file of them has documents of many lines, and where they were put
one behind the other without line breaks, lines like ``}{``. Arrays around documents are passed over: their elements are
what counts.

A line that was cut off (the registry was killed, the disk was full) must not swallow those after it. So a document goes
on over the next line only where its first one ends as an indented one does, and only as long as lines are indented or
close something.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

# Fifty times the largest envelope seen in practice: what goes on for longer is no envelope.
_MAX_BYTES = 16 * 1024 * 1024
_SEPARATORS = re.compile(r"[\s,\[\]]*")
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]]')
_DECODER = json.JSONDecoder()


class Split(NamedTuple):
    """The documents that a text begins with, and what is left of it: nothing, no JSON, or an unfinished document."""

    documents: list[dict[str, Any]]
    rest: str


def split(text: str) -> Split:
    """Takes documents off the beginning of a text."""
    documents: list[dict[str, Any]] = []
    position = _skip(text, 0)
    while text.startswith("{", position):
        try:
            document, end = _DECODER.raw_decode(text, position)
        except (ValueError, RecursionError):
            break
        documents.append(document)
        position = _skip(text, end)
    return Split(documents, text[position:])


def _skip(text: str, position: int) -> int:
    found = _SEPARATORS.match(text, position)
    return found.end() if found else position


class Unfinished:
    """A document that goes on over several lines."""

    def __init__(self, first_line: bytes, number: int) -> None:
        """Begins with a line of that number."""
        self.number = number
        self.lines: list[bytes] = []
        self._depth = 0
        self._size_bytes = 0
        self.add(first_line)

    @staticmethod
    def begins(line: bytes) -> bool:
        """Whether a line that is no whole document may be the first of one."""
        return line.rstrip().endswith((b"{", b"[", b","))

    def takes(self, line: bytes) -> bool:
        """Whether a line may be the next."""
        return line[:1] in b" \t}]" and self._size_bytes + len(line) <= _MAX_BYTES

    def add(self, line: bytes) -> bool:
        """Adds a line; whether the document is whole with it."""
        self.lines.append(line)
        self._size_bytes += len(line)
        for token in _TOKEN.findall(line):
            if token in (b"{", b"["):
                self._depth += 1
            elif token in (b"}", b"]"):
                self._depth -= 1
                if self._depth <= 0:
                    return True
        return False

    def text(self) -> str:
        """All of it."""
        return b"\n".join(self.lines).decode(errors="replace")
