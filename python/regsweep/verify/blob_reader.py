"""One thread's way to the contents of blobs, wherever they lie."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Self


class BlobReader(ABC):
    """Reads blobs, one after the other. Use it in a ``with``, by one thread."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Gives up what it holds."""

    @abstractmethod
    def pieces(self, digest: str) -> Iterator[bytes | memoryview]:
        """The content, a piece at a time; each is good until the next.

        Raises:
            FileNotFoundError: it is not stored.
            OSError: it cannot be read, or is no regular file.
        """

    def hash(self, digest: str, read: Callable[[int], None]) -> tuple[str, int]:
        """The digest that a blob's content really has, by the algorithm of the one it is stored under, and its length.

        Args:
            digest: under which it is stored.
            read: told of every piece that was read, with its length in bytes. An exception in it ends the reading.

        Raises:
            FileNotFoundError: it is not stored.
            OSError: it cannot be read, or is no regular file.
        """
        algorithm = digest.partition(":")[0]
        hasher = hashlib.new(algorithm, usedforsecurity=False)
        size_bytes = 0
        for piece in self.pieces(digest):
            hasher.update(piece)
            size_bytes += len(piece)
            read(len(piece))
        return f"{algorithm}:{hasher.hexdigest()}", size_bytes

    def read(self, digest: str, limit: int) -> bytes | None:
        """A blob's content; ``None`` where it is longer than ``limit`` bytes.

        Raises:
            OSError: as for ``hash``.
        """
        content = bytearray()
        for piece in self.pieces(digest):
            content += piece
            if len(content) > limit:
                return None
        return bytes(content)
