"""Files that appear under their names when all of them is on disk, by a rename, or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO


class WholeFile:
    """A file that is being written. What was there before stays until ``keep``. A pipe or a device takes what comes.

    Args:
        target: its path; a symbolic link is followed, not replaced.

    Raises:
        OSError: it cannot be written there.
    """

    def __init__(self, target: str | os.PathLike[str]) -> None:
        # os.path and open throughout: pathlib costs start-up time.
        self._path = os.path.realpath(target)
        self._temporary: str | None = None
        try:
            mode = os.stat(target).st_mode  # noqa: PTH116
        except FileNotFoundError:
            mode = stat.S_IFREG
        if not stat.S_ISREG(mode):
            # A directory is an error here. The name as it was given: some of /proc have no other.
            self.file: BinaryIO = open(target, "wb")  # noqa: PTH123, SIM115
            return
        directory, name = os.path.split(self._path)
        # Not the process's number: in a container that is the same every night, and a killed one leaves its file.
        self._temporary = os.path.join(directory, f".{name}.{secrets.token_hex(4)}.tmp")  # noqa: PTH118
        self.file = open(self._temporary, "xb")  # noqa: PTH123, SIM115

    def keep(self) -> None:
        """Ends it, and puts it under its name.

        Raises:
            OSError: it is not on disk; ``discard`` is to follow.
        """
        self.file.flush()
        if self._temporary is not None:
            os.fsync(self.file.fileno())
        self.file.close()
        if self._temporary is not None:
            os.replace(self._temporary, self._path)  # noqa: PTH105
            self._temporary = None

    def discard(self) -> None:
        """Leaves no trace of it; harmless after ``keep``."""
        with contextlib.suppress(OSError):  # what cannot be flushed is not wanted any more
            self.file.close()
        if self._temporary is not None:
            os.unlink(self._temporary)  # noqa: PTH108
            self._temporary = None


@contextlib.contextmanager
def replacing(target: str | os.PathLike[str]) -> Iterator[int]:
    """The descriptor of a file that takes its name at the end, or is gone where there was an error."""
    whole = WholeFile(target)
    try:
        yield whole.file.fileno()
        whole.keep()
    except BaseException:
        whole.discard()
        raise
