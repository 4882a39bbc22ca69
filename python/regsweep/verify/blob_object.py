"""Reading blobs from a bucket, some megabytes at a time: a layer of gigabytes is never held whole."""

from __future__ import annotations

import errno
from collections.abc import Iterator

from regsweep import _core
from regsweep.verify.blob_reader import BlobReader

# Bytes asked for at once: few enough for a slow line to deliver within a request's time, and many enough for the
# requests of a large layer not to cost more than its bytes (8 MiB is what the AWS tools ask for, too).
CHUNK = 8 << 20


class BlobObjects(BlobReader):
    """One thread's way to the blobs in a bucket.

    Args:
        core: the store.
    """

    def __init__(self, core: _core.Store) -> None:
        self._core = core

    def close(self) -> None:
        """See ``BlobReader``. There is nothing to give up."""

    def pieces(self, digest: str) -> Iterator[bytes]:
        """See ``BlobReader``."""
        algorithm, _, encoded = digest.partition(":")
        key = f"docker/registry/v2/blobs/{algorithm}/{encoded[:2]}/{encoded}/data"
        position = 0
        while True:
            piece = self._read(key, position)
            if piece:
                yield piece
            if len(piece) < CHUNK:
                return
            position += len(piece)

    def _read(self, key: str, position: int) -> bytes:
        try:
            piece = self._core.read_range(key, position, CHUNK)
        except _core.CoreError as error:
            if error.kind == "cancelled":
                raise
            raise OSError(errno.EIO, str(error)) from error
        if piece is None:
            raise FileNotFoundError(errno.ENOENT, "it is not there", key)
        return piece
