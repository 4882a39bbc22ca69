"""One run at a time on a store: ``.regsweep/lock``, with an owner and an expiry.

The owner renews it while at work. One whose owner is gone is taken over: at once where it can be seen that the process
is gone, otherwise when it has expired. Taking and renewing are one step for all others (``OwnFiles.swap``), so that two
that find an expired lock do not both take it.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from regsweep.errors import JournalError, LockedError
from regsweep.own_files import OwnFiles

LEASE_SECONDS = 600.0
_RENEWALS_PER_LEASE = 10
_NAME = "lock"


class StoreLock:
    """Held while something on a store is changed. Use it in a ``with``.

    Args:
        files: the store's own files of regsweep.
        command: what is being done, for whoever finds it locked.
        clock: seconds since 1970.
    """

    def __init__(self, files: OwnFiles, command: str, clock: Callable[[], float] = time.time) -> None:
        self._files = files
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

        def take(content: bytes | None) -> bytes:
            found = _read(content)
            # Where a bucket's answer was lost, it is there already.
            if found is not None and self._is_held(found) and not self._is_mine(found):
                raise LockedError(_describe(found))
            return self._renewed()

        self._files.swap(take, _NAME)
        self._renewal.start()

    def release(self) -> None:
        """Gives the lock up, where it is held."""
        self._stop.set()
        if self._renewal.is_alive():
            self._renewal.join()
        # Where it cannot be taken away it expires.
        with contextlib.suppress(OSError, JournalError):
            self._files.swap(lambda content: None if self._is_mine(_read(content)) else content, _NAME)

    def check(self) -> None:
        """Raises ``LockedError`` if somebody else has taken the lock over."""
        if self._lost:
            raise LockedError("the lock was lost to another run: this one was stopped for longer than its lease")

    def _renew(self) -> None:
        def renew(content: bytes | None) -> bytes | None:
            if not self._is_mine(_read(content)):
                self._lost = True
                return content
            return self._renewed()

        while not self._lost and not self._stop.wait(LEASE_SECONDS / _RENEWALS_PER_LEASE):
            with contextlib.suppress(OSError, JournalError):
                self._files.swap(renew, _NAME)

    def _renewed(self) -> bytes:
        return json.dumps({**self._owner, "expires": self._clock() + LEASE_SECONDS}).encode()

    def _is_mine(self, found: dict[str, Any] | None) -> bool:
        return found is not None and found.get("token") == self._owner["token"]

    def _is_held(self, found: dict[str, Any]) -> bool:
        if found.get("expires", 0.0) < self._clock():
            return False
        same_place = all(found.get(key) == self._owner[key] for key in ("host", "processes"))
        return not (same_place and _is_gone(found.get("pid")))


def _read(content: bytes | None) -> dict[str, Any] | None:
    try:
        found = json.loads(content or b"null")
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
