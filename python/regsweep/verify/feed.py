"""Handing blobs out to threads, and knowing which of them are verified.

Blobs come in the order of their digests. So two things say at any moment what is verified: the last digest that was
handed out, and which of those up to it are to be checked again: what threads have in hand, what was found wrong, and
what an earlier run has left of both. That is all that an interrupted run has to remember, whatever the number of blobs.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol


class Blob(NamedTuple):
    """A blob to check."""

    digest: str
    size_bytes: int
    modified: int
    """When it was written, in whole seconds since 1970."""


class Batches(Protocol):
    """Where blobs come from: ``_core.Inventory``."""

    @property
    def batch_count(self) -> int:
        """How many batches there are."""

    def batch(self, number: int) -> list[tuple[str, int, int]]:
        """The blobs of one, sorted, all after those of the one before."""


@dataclass(frozen=True)
class Position:
    """What is verified.

    Attributes:
        reached: every blob up to this digest is verified; none where it is empty.
        again: but for these.
    """

    reached: str = ""
    again: Collection[str] = ()


class Feed:
    """Hands out every blob that is not verified yet. All of it may be called from many threads.

    Args:
        batches: all blobs.
        position: where an earlier run ended.
        rewritten_since: what was written at this second or later is checked in any case.
    """

    def __init__(self, batches: Batches, position: Position, rewritten_since: float) -> None:
        self._lock = threading.Lock()
        self._blobs = self._all(batches)
        self._resumed = position
        self._rewritten_since = rewritten_since
        self._reached = position.reached
        self._again = set(position.again)
        self.skipped_count = 0
        self.skipped_bytes = 0

    def take(self) -> Blob | None:
        """The next blob to check; ``None`` when there is no more."""
        with self._lock:
            blob = next(self._blobs, None)
            if blob is not None:
                self._again.add(blob.digest)
                self._reached = max(self._reached, blob.digest)
            return blob

    def verified(self, blob: Blob) -> None:
        """Notes that a blob that was handed out is as it should be, or has gone."""
        with self._lock:
            self._again.discard(blob.digest)

    def position(self) -> Position:
        """What is verified by now."""
        with self._lock:
            return Position(self._reached, frozenset(self._again))

    def _all(self, batches: Batches) -> Iterator[Blob]:
        for number in range(batches.batch_count):
            for row in batches.batch(number):
                blob = Blob(*row)
                if self._is_verified(blob):
                    self.skipped_count += 1
                    self.skipped_bytes += blob.size_bytes
                else:
                    yield blob

    def _is_verified(self, blob: Blob) -> bool:
        return (
            blob.digest <= self._resumed.reached
            and blob.digest not in self._resumed.again
            and blob.modified < self._rewritten_since
        )
