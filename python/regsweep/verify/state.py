"""``--state FILE``: how far a verification is, so that the next run goes on where this one ends.

The file is of one storage root, one choice of repositories and one pass. It is replaced by a rename, so that a run that
is killed leaves the last one; what was verified since is verified again. What was written after the pass began (with
some slack) is checked by every run, for a blob may have been replaced behind the position.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from regsweep import identity
from regsweep.errors import StateError
from regsweep.names import DIGEST
from regsweep.verify.feed import Position

if TYPE_CHECKING:
    from regsweep.opened import Opened

_FORMAT = "regsweep.verify-state/1"
# The storage may be another machine's, with a clock of its own; what is checked once too often costs little.
_SLACK_SECONDS = 3600.0
_DIGEST = re.compile(DIGEST)


@dataclass(frozen=True)
class Pass:
    """One pass over a store, as it was begun or left.

    Attributes:
        started: when it began, in seconds since 1970.
        position: what is verified.
    """

    started: float
    position: Position = field(default_factory=Position)

    @property
    def rewritten_since(self) -> float:
        """What was written at this time or later may not be what was verified."""
        return self.started - _SLACK_SECONDS


class StateFile:
    """The state of one verification, held against other runs while it is open.

    Args:
        path: the file; it need not exist yet. ``FILE.lock`` beside it is the lock.
        store: the store.
        repositories: the patterns that limit the verification.
        now: seconds since 1970.

    Raises:
        StateError: it cannot be read or written, is something else, of another store or choice, or in use.
    """

    def __init__(
        self, path: str, *, store: Opened, repositories: Sequence[str], now: Callable[[], float] = time.time
    ) -> None:
        self._path = path
        self._now = now
        self._about = {
            "root": store.root if store.location else os.path.realpath(store.root),
            "repositories": sorted(repositories),
        }
        self._identity = identity.of(store)
        self._lock = self._take_lock()
        try:
            self.begun = self._load()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> StateFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets other runs have it."""
        os.close(self._lock)

    def save(self, position: Position, *, is_complete: bool = False) -> None:
        """Replaces what the file says.

        Raises:
            StateError: it cannot be written.
        """
        content = {
            "format": _FORMAT,
            **self._about,
            "store": self._identity,
            "started": self.begun.started,
            "saved": self._now(),
            "complete": is_complete,
            "reached": position.reached,
            "again": sorted(position.again),
        }
        temporary = f"{self._path}.{os.getpid()}.tmp"
        try:
            with open(temporary, "w", encoding="ascii") as file:  # noqa: PTH123 - the path is a text everywhere here
                json.dump(content, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, self._path)  # noqa: PTH105
        except OSError as error:
            with contextlib.suppress(OSError):
                os.unlink(temporary)  # noqa: PTH108
            raise StateError(f"cannot write {self._path}: {error.strerror}", key=self._path) from error

    def _take_lock(self) -> int:
        try:
            lock = os.open(f"{self._path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StateError(f"cannot write {self._path}.lock: {error.strerror}", key=self._path) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            raise StateError(
                f"{self._path} is in use by another run", key=self._path, next_step="wait for it, or name another file"
            ) from error
        return lock

    def _load(self) -> Pass:
        new = Pass(self._now())
        try:
            with open(self._path, "rb") as file:  # noqa: PTH123
                content = json.load(file)
        except FileNotFoundError:
            return new
        except (OSError, ValueError) as error:
            raise self._unusable(f"cannot be read: {error}") from error
        if not isinstance(content, dict) or content.get("format") != _FORMAT:
            raise self._unusable(f"is no state of a verification ({_FORMAT})")
        for name, expected in self._about.items():
            if content.get(name) != expected:
                raise self._unusable(f"is of other {name}: {content.get(name)}")
        if not identity.is_same(str(content.get("store")), self._identity):
            raise self._unusable("is of another store at the same place")
        if content.get("complete"):
            return new
        return self._parse(content)

    def _parse(self, content: dict[str, Any]) -> Pass:
        started, reached, again = (content.get(name) for name in ("started", "reached", "again"))
        if (
            isinstance(started, int | float)
            and isinstance(reached, str)
            and isinstance(again, list)
            and all(isinstance(one, str) and _DIGEST.fullmatch(one) for one in [*again, *filter(None, [reached])])
        ):
            return Pass(float(started), Position(reached, frozenset(again)))
        raise self._unusable("is damaged")

    def _unusable(self, reason: str) -> StateError:
        return StateError(
            f"{self._path} {reason}", key=self._path, next_step="name another file, or move it away to begin anew"
        )
