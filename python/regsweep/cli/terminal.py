"""Text that is safe and fits: names from storages, columns, widths.

Nothing here imports much: ``garbage-collect`` uses it on its quick way to the start.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import TextIO

# Names in a storage can be anything; what would command the terminal is shown instead.
_VISIBLE = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}
_GAP = "  "
# What a shortened name needs, so that something of it can be told.
_LEAST_WIDTH = 20


def visible(text: str) -> str:
    """Text without anything that commands a terminal."""
    return text.translate(_VISIBLE)


def say(lines: Iterable[str]) -> None:
    """Writes lines to stderr."""
    for line in lines:
        sys.stderr.write(f"{visible(line)}\n")
    sys.stderr.flush()


def width_of(stream: TextIO) -> int | None:
    """How many columns a terminal has; ``None`` for a file or a pipe, where nothing is shortened."""
    if not stream.isatty():
        return None
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def short_digest(digest: str) -> str:
    """A digest for tables: twelve hex digits, which tell blobs apart in any registry. Others than sha256 are named."""
    algorithm, _, encoded = digest.partition(":")
    return encoded[:12] if algorithm == "sha256" else f"{algorithm}:{encoded[:12]}"


def shortened(text: str, width: int) -> str:
    """A text of at most so many characters: its middle goes, for beginnings and ends tell names apart."""
    if len(text) <= width:
        return text
    width = max(width, 5)
    front = (width - 3) // 2
    return f"{text[:front]}...{text[len(text) - (width - 3 - front) :]}"


def table(
    alignment: str,
    rows: Sequence[Sequence[str]],
    *,
    width: int | None = None,
    expendable: Sequence[int] = (),
) -> Iterator[str]:
    """Lines of aligned columns, the first row being the header.

    Args:
        alignment: for each column ``<`` or ``>``. The last column is not padded.
        rows: as many cells each.
        width: of the terminal, if it is one. Where the lines are longer, columns are left out and then the last one is
            shortened.
        expendable: which columns may be left out, the first to go first.
    """
    widths = [max(len(row[column]) for row in rows) for column in range(len(alignment))]
    shown = list(range(len(alignment)))
    for column in expendable:
        if width is None or _line_width(widths, shown) <= width:
            break
        shown.remove(column)
    *padded, last = shown
    room = None
    if width is not None:
        room = max(width - _line_width(widths, padded) - len(_GAP), _LEAST_WIDTH)
    for row in rows:
        cells = [f"{row[column]:{alignment[column]}{widths[column]}}" for column in padded]
        cells.append(row[last] if room is None else shortened(row[last], room))
        yield _GAP.join(cells).rstrip()


def _line_width(widths: Sequence[int], shown: Sequence[int]) -> int:
    return sum(widths[column] for column in shown) + len(_GAP) * (len(shown) - 1)


def wrapped(parts: Sequence[str], separator: str, *, indent: str, width: int | None) -> Iterator[str]:
    """Lines of parts that hang together; a line that would pass the width ends after a separator."""
    line = indent
    for number, part in enumerate(parts):
        piece = part if number == len(parts) - 1 else f"{part} {separator}"
        if line.strip() and width is not None and len(line) + len(piece) + 1 > width:
            yield line
            line = indent + _GAP
        line += piece if line.isspace() or not line else f" {piece}"
    yield line
