"""Reading blobs: from a handle of the storage root, without following a symbolic link anywhere below it.

What was read is given back to the system at once, so that a pass over everything does not push out of the page cache
what the registry is serving. (What was in there before goes, too; the system does not tell the two apart.)
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator

from regsweep.verify.blob_reader import BlobReader

_BLOBS = ("docker", "registry", "v2", "blobs")
_ROOT = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# Serves only to reach what is below: needs no permission to list.
_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK so that a FIFO in a blob's place cannot hang the run.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
# Bytes read at once: hashing as many takes long enough for threads not to wait for the interpreter.
CHUNK = 1 << 20


class BlobFiles(BlobReader):
    """One thread's way to the blobs below a storage root.

    Args:
        root: the directory that holds ``docker/registry/v2``; it may be a symbolic link itself.
    """

    def __init__(self, root: str) -> None:
        self._root = os.open(root, _ROOT)
        self._prefix: tuple[str, str] | None = None
        self._directory = -1
        # Reading would change every file's access time; only its owner and root may say no to that.
        self._quietly = os.O_NOATIME
        self._buffer = bytearray(CHUNK)

    def close(self) -> None:
        """See ``BlobReader``."""
        self._close_directory()
        os.close(self._root)

    def pieces(self, digest: str) -> Iterator[memoryview]:
        """See ``BlobReader``. All pieces are in the same buffer."""
        with _closing(self._open(digest)) as file:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise OSError(errno.ENXIO, "something else stands where a regular file belongs")
            _advise(file, 0, 0, os.POSIX_FADV_SEQUENTIAL)
            view, position = memoryview(self._buffer), 0
            while count := os.readv(file, [view]):
                yield view[:count]
                _advise(file, position, count, os.POSIX_FADV_DONTNEED)
                position += count
            # From the beginning to wherever it ends: a length would leave the last page, which is not full.
            _advise(file, 0, 0, os.POSIX_FADV_DONTNEED)

    def _open(self, digest: str) -> int:
        algorithm, _, encoded = digest.partition(":")
        prefix = (algorithm, encoded[:2])
        if prefix != self._prefix:
            self._close_directory()
            self._directory = self._walk(self._root, (*_BLOBS, *prefix))
            self._prefix = prefix
        with _closing(self._walk(self._directory, (encoded,))) as holder:
            return self._open_file(holder)

    def _open_file(self, holder: int) -> int:
        try:
            return os.open("data", _FILE | self._quietly, dir_fd=holder)
        except PermissionError as error:
            if error.errno != errno.EPERM or not self._quietly:
                raise
            self._quietly = 0
            return os.open("data", _FILE, dir_fd=holder)

    def _walk(self, start: int, names: tuple[str, ...]) -> int:
        """A handle of a directory some steps below another."""
        here = os.dup(start)
        for name in names:
            with _closing(here):
                here = os.open(name, _DIRECTORY, dir_fd=here)
        return here

    def _close_directory(self) -> None:
        if self._prefix is not None:
            os.close(self._directory)
            self._prefix = None


@contextlib.contextmanager
def _closing(file: int) -> Iterator[int]:
    try:
        yield file
    finally:
        os.close(file)


def _advise(file: int, position: int, length: int, advice: int) -> None:
    # It is only advice, and some filesystems take none.
    with contextlib.suppress(OSError):
        os.posix_fadvise(file, position, length, advice)
