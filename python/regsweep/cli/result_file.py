"""A file for a result: it appears under its name when it is complete, or not at all."""

from __future__ import annotations

import contextlib
import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO


class ResultFile:
    """Takes a result piece by piece, and puts it under its name by a rename.

    A pipe or a device takes the pieces as they come: what is there must not be replaced by a file.

    Args:
        target: a file's path, or ``-`` for standard output.

    Raises:
        OSError: it cannot be written there; any other call but ``abandon`` may raise it, too.
    """

    def __init__(self, target: str) -> None:
        self._target = target
        self._temporary: str | None = None
        self._file = self._open()

    def _open(self) -> BinaryIO:
        if self._target == "-":
            return os.fdopen(1, "wb", closefd=False)
        try:
            mode = os.stat(self._target).st_mode  # noqa: PTH116 - pathlib costs start-up time
        except FileNotFoundError:
            mode = stat.S_IFREG
        if not stat.S_ISREG(mode):
            # A directory is an error here.
            return open(self._target, "wb")  # noqa: PTH123
        self._temporary = f"{self._target}.{os.getpid()}.tmp"
        return open(self._temporary, "xb")  # noqa: PTH123

    def write(self, content: bytes) -> None:
        """Adds a piece."""
        self._file.write(content)

    def flush(self) -> None:
        """Hands all pieces to the system, so that a full disk is noticed now."""
        self._file.flush()

    def complete(self) -> None:
        """Puts the file under its name."""
        self._file.flush()
        if self._temporary is not None:
            os.fsync(self._file.fileno())
        self._file.close()
        if self._temporary is not None:
            os.replace(self._temporary, self._target)  # noqa: PTH105
            self._temporary = None

    def abandon(self) -> None:
        """Leaves no trace of an unfinished file; does nothing to one that is complete."""
        with contextlib.suppress(OSError):  # what cannot be flushed is not wanted any more
            self._file.close()
        if self._temporary is not None:
            os.unlink(self._temporary)  # noqa: PTH108
            self._temporary = None
