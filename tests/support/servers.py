"""Real registries as processes on loopback: started on a storage root, waited for, stopped, their logs kept.

    with Server(3, root, directory) as server:
        server.registry.tags("library/app")
    server.config                                      # what a collector is given

A server asks the system for a free port and says in its log which one it got, so nothing races for a number.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from types import TracebackType

from support.programs import find_registry
from support.registry import Registry

# Starting takes 0.1 s; on a machine that compiles on all cores it may take far more.
START_TIMEOUT_SECONDS = 60.0
STOP_TIMEOUT_SECONDS = 10.0

CONFIG = """\
version: 0.1
log: {{level: info, accesslog: {{disabled: true}}}}
storage:
  filesystem:
    rootdirectory: {root}
  delete:
    enabled: true
  maintenance:
    uploadpurging: {{enabled: false}}
    readonly: {{enabled: {read_only}}}
http:
  addr: 127.0.0.1:0
"""


def _dying_with_its_parent() -> list[str]:
    """What to put before a command so that tests which are killed leave no server behind."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM"] if setpriv else []


class Server:
    """A registry of a major version on a storage root; one run of it for each ``with``."""

    def __init__(self, major: int, root: Path, directory: Path, *, read_only: bool = False) -> None:
        self.program = find_registry(major)
        self.config = directory / "registry.yml"
        self.config.write_text(CONFIG.format(root=root, read_only=str(read_only).lower()))
        self.log = directory / "registry.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._registry: Registry | None = None

    @property
    def registry(self) -> Registry:
        """The running registry's API."""
        assert self._registry is not None, "not started"
        return self._registry

    def __enter__(self) -> Server:
        # Without this, 3.x logs for ever that it has nowhere to send its traces.
        environment = {**os.environ, "OTEL_TRACES_EXPORTER": "none"}
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [*_dying_with_its_parent(), self.program, "serve", str(self.config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
            )
        try:
            self._registry = Registry(f"127.0.0.1:{self._wait_for_port()}")
            assert self._registry.is_ready()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop()

    def _wait_for_port(self) -> int:
        assert self._process is not None
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            text = self.log.read_text(errors="replace")
            if listening := re.search(r"listening on 127\.0\.0\.1:(\d+)", text):
                return int(listening[1])
            if self._process.poll() is not None:
                break
            time.sleep(0.02)
        raise AssertionError(f"{self.program} does not start:\n{self.log.read_text(errors='replace')}")

    def _stop(self) -> None:
        assert self._process is not None
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = self._registry = None
