"""Real registries as processes on loopback: started on a storage, waited for, stopped, their logs kept.

    with Server(3, root, directory) as server:
        server.registry.tags("library/app")
    server.config                                      # what a collector is given

The storage is a root on disk, or a root in a bucket (``support.buckets``). A server asks the system for a free port, so
nothing races for a number. (Redis cannot do that; it is given a number that was free, and its password tells it from
others.)
"""

from __future__ import annotations

import secrets
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Literal, TypeAlias

import redis

from support import processes, sections
from support.processes import START_TIMEOUT_SECONDS
from support.programs import find, find_registry
from support.registry import Registry
from support.sections import Section

CONFIG = """\
version: 0.1
log: {{level: info, accesslog: {{disabled: true}}}}
storage:
{section}  delete:
    enabled: true
  maintenance:
    uploadpurging: {{enabled: false}}
    readonly: {{enabled: {read_only}}}
http:
  addr: 127.0.0.1:0
"""


class Redis:
    """A Redis of its own, in memory only; one run of it for each ``with``."""

    def __init__(self, directory: Path) -> None:
        self.program = find("redis-server")
        self.directory = directory
        self.password = secrets.token_hex(8)
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def client(self) -> redis.Redis:
        """A client for it."""
        return redis.Redis(port=self.port, password=self.password)

    def section(self, major: int) -> str:
        """The section of a registry's configuration that names it: one address for 2.8, many for 3.x."""
        address = f"127.0.0.1:{self.port}"
        where = f"addr: '{address}'" if major == 2 else f"addrs: ['{address}']"
        return f"redis: {{{where}, password: '{self.password}'}}\n"

    def __enter__(self) -> Redis:
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                self._start()
            try:
                self.client.ping()
            except redis.RedisError:
                time.sleep(0.02)
            else:
                return self
        processes.stop(self._process)
        raise AssertionError(f"{self.program} does not start")

    def _start(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        options = ["--bind", "127.0.0.1", "--port", str(self.port), "--requirepass", self.password]
        options += ["--save", "", "--appendonly", "no", "--dir", str(self.directory)]
        self._process = subprocess.Popen(
            [*processes.dying_with_its_parent(), self.program, *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        processes.stop(self._process)
        self._process = None


Cache: TypeAlias = Literal["inmemory"] | Redis | None
"""Where a registry caches blob descriptors: nowhere, in its own memory, or in a Redis that is running."""


def _configuration(major: int, section: Section, *, read_only: bool, cache: Cache) -> str:
    text = CONFIG.format(section=section.text, read_only=str(read_only).lower())
    if cache is not None:
        kind = "redis" if isinstance(cache, Redis) else cache
        text = text.replace("  maintenance:\n", f"  cache: {{blobdescriptor: {kind}}}\n  maintenance:\n")
    return text + (cache.section(major) if isinstance(cache, Redis) else "")


class Server:
    """A registry of a major version on a storage; one run of it for each ``with``.

    Attributes:
        config: its configuration, which is all that a collector is given; and
        environment: what both need beside that.
    """

    def __init__(
        self, major: int, storage: Path | Section, directory: Path, *, read_only: bool = False, cache: Cache = None
    ) -> None:
        self.major = major
        self.storage = storage
        section = sections.of(storage)
        self.program = find_registry(major)
        self.config = directory / "registry.yml"
        self.config.write_text(_configuration(major, section, read_only=read_only, cache=cache))
        self.log = directory / "registry.log"
        # Without this, 3.x logs for ever that it has nowhere to send its traces.
        self.environment = {**section.environment, "OTEL_TRACES_EXPORTER": "none"}
        self._process: subprocess.Popen[bytes] | None = None
        self._registry: Registry | None = None

    @property
    def root(self) -> Path:
        """The storage root on disk."""
        assert isinstance(self.storage, Path), "in a bucket"
        return self.storage

    @property
    def registry(self) -> Registry:
        """The running registry's API."""
        assert self._registry is not None, "not started"
        return self._registry

    @property
    def process_id(self) -> int:
        """Of the running registry."""
        assert self._process is not None, "not started"
        return self._process.pid

    def __enter__(self) -> Server:
        self._process = processes.start([self.program, "serve", str(self.config)], self.log, self.environment)
        try:
            self._registry = Registry(f"127.0.0.1:{processes.wait_for_port(self._process, self.log)}")
            assert self._registry.is_ready()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        processes.stop(self._process)
        self._process = self._registry = None

    def restart(self) -> None:
        """Ends the registry, and starts it anew on another port."""
        self.__exit__(None, None, None)
        self.__enter__()
