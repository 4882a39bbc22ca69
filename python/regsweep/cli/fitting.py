"""Text that fits: names, digests and chains on terminals of any width."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TextIO


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


def wrapped(parts: Sequence[str], separator: str, *, indent: str, width: int | None) -> Iterator[str]:
    """Lines of parts that hang together; a line that would pass the width ends after a separator."""
    line = indent
    for number, part in enumerate(parts):
        piece = part if number == len(parts) - 1 else f"{part} {separator}"
        if line.strip() and width is not None and len(line) + len(piece) + 1 > width:
            yield line
            line = f"{indent}  "
        line += piece if line.isspace() or not line else f" {piece}"
    yield line


def enumerated(parts: Sequence[str], limit: int | None = None) -> str:
    """``a, b and c``; with a limit ``a, b and 7 more``."""
    named = list(parts[:limit])
    if len(named) < len(parts):
        named.append(f"{len(parts) - len(named)} more")
    *most, last = named
    return f"{', '.join(most)} and {last}" if most else last
