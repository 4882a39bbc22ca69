"""One run at a time on a store: ``.regsweep/lock``, with an owner and an expiry.

The owner renews it while at work. One whose owner is gone is taken over: at once where it can be seen that the process
is gone, otherwise when it has expired. Taking and renewing are done under ``flock`` on a file beside it, so that two
that find an expired lock do not both take it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from regsweep.errors import JournalError, LockedError
from regsweep.journal import Journal, read_file, write_file

LEASE_SECONDS = 600.0
_RENEWALS_PER_LEASE = 10
_NAME = "lock"
_GUARD = "lock.guard"


class StoreLock:
    """Held while something on a store is changed. Use it in a ``with``.

    Args:
        journal: of the store.
        command: what is being done, for whoever finds it locked.
        clock: seconds since 1970.
    """

    def __init__(self, journal: Journal, command: str, clock: Callable[[], float] = time.time) -> None:
        self._journal = journal
        self._clock = clock
        self._owner = {
            "token": secrets.token_hex(8),
            "command": command,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "processes": _process_space(),
        }
        self._stop = threading.Event()
        self._lost = False
        self._renewal = threading.Thread(target=self._renew, name="regsweep-lock", daemon=True)

    def __enter__(self) -> StoreLock:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def acquire(self) -> None:
        """Takes the lock, and renews it from now on.

        Raises:
            LockedError: somebody else is at work.
        """
        with self._guarded() as handle:
            found = _read(handle)
            if found is not None and self._is_held(found):
                raise LockedError(_describe(found))
            self._write(handle)
        self._renewal.start()

    def release(self) -> None:
        """Gives the lock up, where it is held."""
        self._stop.set()
        if self._renewal.is_alive():
            self._renewal.join()
        # Where it cannot be taken away it expires.
        with contextlib.suppress(OSError, JournalError), self._guarded() as handle:
            if self._is_mine(_read(handle)):
                os.unlink(_NAME, dir_fd=handle)

    def check(self) -> None:
        """Raises ``LockedError`` if somebody else has taken the lock over."""
        if self._lost:
            raise LockedError("the lock was lost to another run: this one was stopped for longer than its lease")

    def _renew(self) -> None:
        while not self._stop.wait(LEASE_SECONDS / _RENEWALS_PER_LEASE):
            with contextlib.suppress(OSError, JournalError), self._guarded() as handle:
                if not self._is_mine(_read(handle)):
                    self._lost = True
                    return
                self._write(handle)

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[int]:
        with self._journal.directory(make=True) as handle:
            guard = os.open(_GUARD, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644, dir_fd=handle)
            try:
                fcntl.flock(guard, fcntl.LOCK_EX)
                yield handle
            finally:
                os.close(guard)

    def _write(self, handle: int) -> None:
        lock = {**self._owner, "expires": self._clock() + LEASE_SECONDS}
        write_file(handle, _NAME, json.dumps(lock).encode())

    def _is_mine(self, found: dict[str, Any] | None) -> bool:
        return found is not None and found.get("token") == self._owner["token"]

    def _is_held(self, found: dict[str, Any]) -> bool:
        if found.get("expires", 0.0) < self._clock():
            return False
        same_place = all(found.get(key) == self._owner[key] for key in ("host", "processes"))
        return not (same_place and _is_gone(found.get("pid")))


def _read(handle: int) -> dict[str, Any] | None:
    try:
        found = json.loads(read_file(handle, _NAME))
    except FileNotFoundError:
        return None
    except ValueError:
        # Written by nobody that knows how: as good as none, for it is written complete or not at all.
        return None
    return found if isinstance(found, dict) else None


def _describe(found: dict[str, Any]) -> str:
    who = f"process {found.get('pid')} on {found.get('host')}"
    return f"another run is at work on this store: {found.get('command')!r}, {who}"


def _process_space() -> str:
    """Where process numbers mean the same: the same boot and the same namespace."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return secrets.token_hex(8)  # nowhere else


def _is_gone(pid: object) -> bool:
    if not isinstance(pid, int):
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False
