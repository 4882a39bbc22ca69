"""Where requests begin in the bytes that a client sends over one connection (HTTP/1.1: RFC 9112, sections 6 and 7)."""

from __future__ import annotations

import re

LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
CHUNKED = re.compile(rb"\r\ntransfer-encoding:[ \t]*chunked", re.IGNORECASE)


class RequestReader:
    """Finds where requests begin in the bytes of one connection."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._body_bytes = 0
        """What is left of a body, or of a chunk."""
        self._chunks = False
        """Whether another chunk, or the trailer, comes next."""
        self._trailer = False

    def split(self, data: bytes) -> list[tuple[bytes, bool]]:
        """Bytes to pass on, in order; with each whether they are the head of a request, which is then complete."""
        found: list[tuple[bytes, bool]] = []
        while data:
            if self._body_bytes:
                body, data = data[: self._body_bytes], data[self._body_bytes :]
                self._body_bytes -= len(body)
                found.append((body, False))
                continue
            # Heads, the sizes of chunks and trailers are lines, and may come in pieces.
            self._head += data
            end = b"\r\n" if self._chunks else b"\r\n\r\n"
            position = self._head.find(end)
            if position < 0:
                break
            part, data = bytes(self._head[: position + len(end)]), bytes(self._head[position + len(end) :])
            self._head.clear()
            found.append((part, not self._chunks))
            self._expect(part)
        return found

    def _expect(self, part: bytes) -> None:
        """What comes after a head, or after a line between chunks."""
        if not self._chunks:
            self._chunks = CHUNKED.search(part) is not None
            length = LENGTH.search(part)
            self._body_bytes = int(length[1]) if length and not self._chunks else 0
        elif self._trailer:
            # The trailer ends with an empty line.
            self._trailer = self._chunks = part != b"\r\n"
        else:
            size = int(part.split(b";")[0], 16)
            self._trailer = size == 0
            self._body_bytes = size + len(b"\r\n") if size else 0
