"""The files of regsweep's own in a store, below ``.regsweep``: on a filesystem, or as objects in a bucket.

What needs them (``journal``, ``lock``) knows no difference: files are there whole or not at all, and one can be changed
by whoever still finds it as it was.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import shutil
from collections.abc import Callable, Iterator
from typing import BinaryIO, Protocol, TypeAlias

from regsweep import _core
from regsweep.errors import JournalError

TOP = ".regsweep"

# Given what a file holds (None where there is none): what it is to hold, or None to take it away. May raise, so that
# nothing changes.
Change: TypeAlias = Callable[[bytes | None], bytes | None]


class OwnFiles(Protocol):
    """Files below ``.regsweep``. A file is named by the directories on its way and its own name.

    All of it raises ``JournalError`` where the store cannot be read or written.
    """

    def read(self, *path: str) -> bytes | None:
        """What a file holds; ``None`` where there is none."""

    def open(self, *path: str) -> BinaryIO | None:
        """A file to read from; ``None`` where there is none."""

    def written_at(self, *path: str) -> float | None:
        """When a file was written, by the store's clock, in seconds since 1970; ``None`` where there is none."""

    def write(self, content: bytes, *path: str) -> None:
        """Writes a file, in place of what was there."""

    def copy(self, source: BinaryIO, *path: str) -> None:
        """Writes a file with all that can be read from another."""

    def directories(self) -> list[str]:
        """The directories in ``.regsweep``, by name."""

    def exists(self) -> bool:
        """Whether there is anything at all."""

    def swap(self, change: Change, *path: str) -> None:
        """Changes a file as ``change`` says, which nobody else can do meanwhile."""


class DirectoryFiles:
    """On a filesystem: through handles that were opened without following a symbolic link.

    Args:
        root: the storage root.
    """

    def __init__(self, root: str) -> None:
        self._root = root

    @contextlib.contextmanager
    def _directory(self, *names: str, make: bool = False) -> Iterator[int]:
        """A handle of a directory; ``FileNotFoundError`` where it does not exist and was not to be made."""
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        handle = -1
        try:
            handle = os.open(self._root, flags)
            for name in (TOP, *names):
                if make:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(name, dir_fd=handle)
                below = os.open(name, flags | os.O_NOFOLLOW, dir_fd=handle)
                os.close(handle)
                handle = below
            yield handle
        except FileNotFoundError:
            raise
        except OSError as error:
            raise JournalError.at("/".join((TOP, *names)), error) from error
        finally:
            if handle >= 0:
                os.close(handle)

    def open(self, *path: str) -> BinaryIO | None:
        """See ``OwnFiles``."""
        *names, name = path
        try:
            with self._directory(*names) as handle:
                return os.fdopen(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=handle), "rb")
        except FileNotFoundError:
            return None

    def read(self, *path: str) -> bytes | None:
        """See ``OwnFiles``."""
        file = self.open(*path)
        if file is None:
            return None
        with file:
            return file.read()

    def written_at(self, *path: str) -> float | None:
        """See ``OwnFiles``."""
        *names, name = path
        try:
            with self._directory(*names) as handle:
                return os.stat(name, dir_fd=handle, follow_symlinks=False).st_mtime
        except FileNotFoundError:
            return None

    def write(self, content: bytes, *path: str) -> None:
        """See ``OwnFiles``."""
        self.copy(io.BytesIO(content), *path)

    def copy(self, source: BinaryIO, *path: str) -> None:
        """See ``OwnFiles``."""
        *names, name = path
        with self._directory(*names, make=True) as handle:
            _write_whole(handle, name, source)

    def directories(self) -> list[str]:
        """See ``OwnFiles``."""
        try:
            with self._directory() as handle:
                return sorted(name for name in os.listdir(handle) if _is_directory(handle, name))  # noqa: PTH208
        except FileNotFoundError:
            return []

    def exists(self) -> bool:
        """See ``OwnFiles``."""
        return os.path.lexists(f"{self._root}/{TOP}")

    def swap(self, change: Change, *path: str) -> None:
        """See ``OwnFiles``. Under ``flock`` on a file beside it."""
        *names, name = path
        with self._directory(*names, make=True) as handle:
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            guard = os.open(f"{name}.guard", flags, 0o644, dir_fd=handle)
            try:
                fcntl.flock(guard, fcntl.LOCK_EX)
                found = self.read(*path)
                content = change(found)
                if content is None and found is not None:
                    os.unlink(name, dir_fd=handle)
                elif content is not None and content != found:
                    _write_whole(handle, name, io.BytesIO(content))
            finally:
                os.close(guard)


class BucketFiles:
    """In a bucket: as objects. What nobody else may change meanwhile is written on the condition that nobody has.

    Args:
        core: the store.
    """

    def __init__(self, core: _core.Store) -> None:
        self._core = core
        self._conditions_hold = False

    def read(self, *path: str) -> bytes | None:
        """See ``OwnFiles``."""
        with _journal_errors(path):
            found = self._core.read_object(_key(path))
        return None if found is None else found[0]

    def open(self, *path: str) -> BinaryIO | None:
        """See ``OwnFiles``."""
        content = self.read(*path)
        return None if content is None else io.BytesIO(content)

    def written_at(self, *path: str) -> float | None:
        """See ``OwnFiles``."""
        with _journal_errors(path):
            return self._core.object_time(_key(path))

    def write(self, content: bytes, *path: str) -> None:
        """See ``OwnFiles``."""
        with _journal_errors(path):
            self._core.write_object(_key(path), content)

    def copy(self, source: BinaryIO, *path: str) -> None:
        """See ``OwnFiles``. The whole of it is in memory meanwhile."""
        self.write(source.read(), *path)

    def directories(self) -> list[str]:
        """See ``OwnFiles``."""
        with _journal_errors(()):
            return sorted(name for name, is_directory in self._core.list_directory(TOP) if is_directory)

    def exists(self) -> bool:
        """See ``OwnFiles``."""
        with _journal_errors(()):
            return bool(self._core.list_directory(TOP))

    def swap(self, change: Change, *path: str) -> None:
        """See ``OwnFiles``. An empty object stands for none: removing one has no condition that all services know."""
        key = _key(path)
        with _journal_errors(path):
            while True:
                found = self._core.read_object(key)
                content, version = found if found is not None else (None, None)
                wanted = change(content or None) or b""
                if wanted == (content or b""):
                    return
                if self._core.write_object(key, wanted, if_absent=version is None, if_version=version) is not None:
                    self._check_conditions(key, wanted)
                    return
                # Somebody else was faster; or it was this run, and the answer was lost.

    def _check_conditions(self, key: str, content: bytes) -> None:
        """Makes sure that the store refuses to write over what is there, once for all."""
        if self._conditions_hold:
            return
        if self._core.write_object(key, content, if_absent=True) is not None:
            raise JournalError(
                f"{key}: the store writes over what is there although it is told not to, so that nothing keeps two "
                "runs from each other",
                key=key,
            )
        self._conditions_hold = True


def _key(path: tuple[str, ...]) -> str:
    return "/".join((TOP, *path))


@contextlib.contextmanager
def _journal_errors(path: tuple[str, ...]) -> Iterator[None]:
    try:
        yield
    except _core.CoreError as error:
        raise JournalError.at(_key(path), error) from error


def _is_directory(handle: int, name: str) -> bool:
    try:
        os.close(os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=handle))
    except OSError:
        return False
    return True


def _write_whole(handle: int, name: str, source: BinaryIO) -> None:
    """Writes a file that is there complete or not at all, also after the power fails."""
    temporary = f"{name}.tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(temporary, flags, 0o644, dir_fd=handle)
    with os.fdopen(descriptor, "wb") as file:
        shutil.copyfileobj(source, file)
        file.flush()
        os.fsync(file.fileno())
    os.rename(temporary, name, src_dir_fd=handle, dst_dir_fd=handle)
    os.fsync(handle)
