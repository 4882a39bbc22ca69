"""A command whose stderr is a terminal, so that it shows how far it is, and can be ended while it is at work."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import time
from types import TracebackType

# Far more than anything here takes: who waits longer waits for nothing.
_PATIENCE_SECONDS = 60.0


class OnTerminal:
    """Runs a command in a ``with``; what it draws is in ``shown``."""

    def __init__(self, command: list[str]) -> None:
        self._command = command
        self.shown = ""

    def __enter__(self) -> OnTerminal:
        self._terminal, stderr = pty.openpty()
        self.process = subprocess.Popen(
            self._command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr, text=True
        )
        os.close(stderr)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        os.close(self._terminal)

    def wait_for(self, pattern: str) -> None:
        """Comes back once something was drawn that a regular expression finds."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not re.search(pattern, self.shown):
            assert time.monotonic() < deadline, self.shown
            assert self._read(), f"ended without {pattern!r}: {self.shown}"

    def wait_for_more(self) -> None:
        """Comes back once anything was drawn."""
        shown = self.shown
        while self.shown == shown:
            assert self._read(), f"ended: {self.shown}"

    def end(self) -> int:
        """Waits for the end; gives back the exit code."""
        while self._read():
            pass
        return self.process.wait(_PATIENCE_SECONDS)

    def _read(self) -> bool:
        """Takes what was drawn meanwhile; tells whether there may be more."""
        readable, _, _ = select.select([self._terminal], [], [], 0.05)
        if not readable:
            return True
        try:
            drawn = os.read(self._terminal, 4096)
        except OSError:  # the other end is closed
            return False
        self.shown += drawn.decode(errors="replace")
        return bool(drawn)
