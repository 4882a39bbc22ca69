"""What runs leave below the storage root: ``.regsweep/``.

::

    .regsweep/
      identity                 tells this store from others
      lock                     who is at work (lock.py)
      <run>/
        plan                   the plan that was applied, as it was given
        begun                  its time is when the run began, by the store's own clock
        run.json               what was done, and when
        tree/…                 what is set aside (rust/core/src/layout/quarantine.rs)

Where a file lies is the state of a removal; ``run.json`` only says how far a run thinks it is. So a crash at any moment
leaves nothing to repair: the same command does the rest. Everything goes through a handle of ``.regsweep`` that was
opened without following a symbolic link.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, BinaryIO, Literal, TypeAlias

from regsweep import _core
from regsweep.errors import JournalError, RegsweepError, UnfinishedError

TOP = ".regsweep"
_FORMAT = "regsweep.run/1"

State: TypeAlias = Literal["applying", "refused", "quarantined", "confirmed", "purging", "purged", "undoing", "undone"]

# Runs that may have something set aside.
HOLDING: frozenset[State] = frozenset({"applying", "quarantined", "confirmed", "purging", "undoing"})


@dataclass
class Run:
    """One application of a plan.

    Attributes:
        id: the plan's.
        state: how far it is. ``applying``, ``purging`` and ``undoing`` are on their way, or were interrupted. Where a
            guard ``refused`` nothing has moved, and the plan may be applied again.
        permanent: whether it removed at once.
        events: what was done: a time (seconds since 1970), a word, and counts.
    """

    id: str
    state: State
    permanent: bool = False
    events: list[dict[str, Any]] = field(default_factory=list)

    def note(self, at: float, what: str, **details: object) -> None:
        """Adds an event."""
        self.events.append({"at": at, "what": what, **details})

    def last(self, what: str) -> dict[str, Any] | None:
        """The latest event of a kind."""
        return next((event for event in reversed(self.events) if event["what"] == what), None)


class Journal:
    """Reads and writes ``.regsweep`` of a store.

    Args:
        root: the storage root.
    """

    def __init__(self, root: str) -> None:
        self.root = root

    @contextlib.contextmanager
    def directory(self, *names: str, make: bool = False) -> Iterator[int]:
        """A handle of ``.regsweep``, or of a directory in it.

        Raises:
            FileNotFoundError: it does not exist, and was not to be made.
            JournalError: something else stands in its place, or it cannot be opened.
        """
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        handle = -1
        try:
            handle = os.open(self.root, flags)
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

    def identity(self) -> str:
        """What the first run has left to tell this store from others; empty before that."""
        try:
            with self.directory() as handle:
                return read_file(handle, "identity").decode().strip()
        except FileNotFoundError:
            return ""

    def ensure_identity(self) -> None:
        """Leaves an identity where there is none."""
        with self.directory(make=True) as handle:
            try:
                read_file(handle, "identity")
            except FileNotFoundError:
                write_file(handle, "identity", f"{uuid.uuid4()}\n".encode())

    def runs(self) -> list[Run]:
        """All runs, the oldest first.

        Raises:
            JournalError: a run's record cannot be read or understood.
        """
        try:
            with self.directory() as handle:
                names = sorted(name for name in os.listdir(handle) if _is_directory(handle, name))  # noqa: PTH208
        except FileNotFoundError:
            return []
        return [run for name in names if (run := self.find(name)) is not None]

    def find(self, run_id: str) -> Run | None:
        """A run by its id; ``None`` where there is none.

        Raises:
            JournalError: its record cannot be read or understood.
        """
        try:
            with self.directory(run_id) as handle:
                text = read_file(handle, "run.json")
        except FileNotFoundError:
            return None
        try:
            record = json.loads(text)
            if record.pop("format") != _FORMAT:
                raise ValueError("another format")
            return Run(**record)
        except (ValueError, KeyError, TypeError) as error:
            message = f"{TOP}/{run_id}/run.json: not understood: {error}"
            raise JournalError(message, key=f"{TOP}/{run_id}/run.json") from error

    def begin(self, run: Run, plan: BinaryIO) -> None:
        """Leaves all that a run needs to be found again, before anything moves. Doing it again changes nothing."""
        with self.directory(run.id, make=True) as handle:
            if not _exists(handle, "plan"):
                descriptor = os.open(
                    "plan.tmp", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644, dir_fd=handle
                )
                with os.fdopen(descriptor, "wb") as file:
                    shutil.copyfileobj(plan, file)
                    file.flush()
                    os.fsync(file.fileno())
                os.rename("plan.tmp", "plan", src_dir_fd=handle, dst_dir_fd=handle)
            if not _exists(handle, "begun"):
                write_file(handle, "begun", b"")
        self.save(run)

    def save(self, run: Run) -> None:
        """Writes how far a run is."""
        text = json.dumps({"format": _FORMAT, **asdict(run)}, indent=2) + "\n"
        with self.directory(run.id, make=True) as handle:
            write_file(handle, "run.json", text.encode())

    def begun(self, run_id: str) -> float | None:
        """When a run began, by the store's clock; ``None`` where nothing says it."""
        try:
            with self.directory(run_id) as handle:
                return os.stat("begun", dir_fd=handle, follow_symlinks=False).st_mtime
        except FileNotFoundError:
            return None

    @contextlib.contextmanager
    def plan(self, run_id: str) -> Iterator[BinaryIO]:
        """The plan that a run applied.

        Raises:
            FileNotFoundError: it is not there.
        """
        with self.directory(run_id) as handle:
            descriptor = os.open("plan", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=handle)
        with os.fdopen(descriptor, "rb") as file:
            yield file


@contextlib.contextmanager
def unfinished(what: str, next_step: str) -> Iterator[None]:
    """Something was moved or removed: an error from here on must not sound as if nothing had.

    Raises:
        UnfinishedError: there was one.
    """
    try:
        yield
    except (OSError, RegsweepError, _core.CoreError) as error:
        raise UnfinishedError(f"{what}, but: {error}", next_step=next_step) from error


def _is_directory(handle: int, name: str) -> bool:
    try:
        os.close(os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=handle))
    except OSError:
        return False
    return True


def _exists(handle: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=handle, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def read_file(handle: int, name: str) -> bytes:
    """The content of a file in an open directory, without following a symbolic link."""
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=handle)
    with os.fdopen(descriptor, "rb") as file:
        return file.read()


def write_file(handle: int, name: str, content: bytes) -> None:
    """Writes a file that is there complete or not at all, also after the power fails."""
    temporary = f"{name}.tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(temporary, flags, 0o644, dir_fd=handle)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.rename(temporary, name, src_dir_fd=handle, dst_dir_fd=handle)
    os.fsync(handle)
