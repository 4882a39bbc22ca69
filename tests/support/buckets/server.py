"""What all object-store servers have in common."""

from __future__ import annotations

import copy
import itertools
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Literal, Self, TypeAlias

from support import processes
from support.buckets.requests import Client, Request
from support.sections import Section

Provider: TypeAlias = Literal["s3", "azure", "gcs"]

# Filling a bucket waits for the server most of the time.
LOADING_THREADS = 8


@dataclass(frozen=True)
class Version:
    """One version of an object, as a bucket with versions keeps it."""

    key: str
    version_id: str
    is_latest: bool
    is_delete_marker: bool
    size_bytes: int


class BucketServer(ABC):
    """An object store of one provider's kind; one run of it for each ``with``, with nothing in it at first.

    Roots are what a registry calls ``rootdirectory``: they stand before ``docker/registry/v2``, with a slash between.
    """

    provider: ClassVar[Provider]
    scheme: ClassVar[str]

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.log = directory / f"{type(self).__name__.lower()}.log"
        self.port = 0
        self._numbers = itertools.count(1)
        self._process: subprocess.Popen[bytes] | None = None
        self._client: Client | None = None

    @abstractmethod
    def command(self) -> list[str]:
        """What starts the server on port 0 of 127.0.0.1."""

    @abstractmethod
    def sign(self, request: Request, address: str) -> dict[str, str]:
        """The headers of a request, with what authorises it."""

    @abstractmethod
    def environment(self) -> dict[str, str]:
        """What tells a client where the server is, and gives it access."""

    @abstractmethod
    def registry_section(self, bucket: str, root: str, major: int) -> Section:
        """A registry's configuration for a root in a bucket.

        Raises:
            NotImplementedError: that version cannot be made to use such a server.
        """

    @abstractmethod
    def make_bucket(self, name: str, *, versioning: bool = False) -> None:
        """Makes an empty bucket.

        Raises:
            NotImplementedError: the server has no versions.
        """

    @abstractmethod
    def put(self, bucket: str, key: str, content: bytes) -> None:
        """Writes an object, new or over an old one."""

    @abstractmethod
    def keys(self, bucket: str, *, page_size: int = 1000) -> dict[str, int]:
        """All keys of a bucket with the sizes of their objects in bytes, listed in pages."""

    @abstractmethod
    def content(self, bucket: str, key: str) -> bytes:
        """An object's content.

        Raises:
            NoSuchObject: it is not there.
        """

    @abstractmethod
    def delete(self, bucket: str, key: str) -> None:
        """Removes an object; its older versions stay if the bucket has versions."""

    @abstractmethod
    def versions(self, bucket: str) -> list[Version]:
        """All versions of all objects.

        Raises:
            NotImplementedError: the server has no versions.
        """

    @property
    def address(self) -> str:
        """Where it listens: ``127.0.0.1:PORT``."""
        assert self.port, "not started"
        return f"127.0.0.1:{self.port}"

    @property
    def client(self) -> Client:
        """Sends signed requests to it."""
        assert self._client is not None, "not started"
        return self._client

    def by_way_of(self, port: int) -> Self:
        """The same server as it is seen through a proxy on another port; not to be started or ended."""
        seen = copy.copy(self)
        seen.port = port
        seen._client = Client(seen.address, seen.sign)
        return seen

    def url(self, bucket: str, root: str = "") -> str:
        """A root in a bucket, as regsweep's command line takes it."""
        return f"{self.scheme}://{bucket}/{root}" if root else f"{self.scheme}://{bucket}"

    def fresh_bucket(self, *, versioning: bool = False) -> str:
        """Makes an empty bucket under a name that no other has; tests that share a server each take their own."""
        name = f"bucket-{next(self._numbers)}"
        self.make_bucket(name, versioning=versioning)
        return name

    def put_all(self, bucket: str, objects: Mapping[str, bytes]) -> None:
        """Writes many objects, in no order. 20,000 take versitygw 16 s, Azurite 60 s, and moto 90 s on two cores."""
        with ThreadPoolExecutor(LOADING_THREADS) as pool:
            for _ in pool.map(lambda item: self.put(bucket, *item), objects.items()):
                pass

    def load(self, bucket: str, root: str, directory: Path) -> None:
        """Fills a bucket with the files of a storage root on disk.

        A root of ``/`` gives keys that begin with a slash, as 2.8 writes them on Azure.
        """
        prefix = f"{root.rstrip('/')}/" if root else ""
        files = [path for path in directory.rglob("*") if path.is_file()]
        with ThreadPoolExecutor(LOADING_THREADS) as pool:
            for _ in pool.map(lambda path: self.put(bucket, _key(prefix, directory, path), path.read_bytes()), files):
                pass

    def duplicate(self, bucket: str) -> str:
        """A fresh bucket with the same objects, all of them new."""
        name = self.fresh_bucket()
        self.put_all(name, {key: self.content(bucket, key) for key in self.keys(bucket)})
        return name

    def __enter__(self) -> Self:
        self._process = processes.start(self.command(), self.log, self.server_environment())
        try:
            self.port = processes.wait_for_port(self._process, self.log)
            self._client = Client(self.address, self.sign)
            self.prepare()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        processes.stop(self._process)
        self._process = self._client = None
        self.port = 0

    def server_environment(self) -> dict[str, str]:
        """What the server itself must have in its environment."""
        return {}

    def prepare(self) -> None:  # noqa: B027  # nothing to do for most
        """What is left to do once the server listens."""


def _key(prefix: str, directory: Path, path: Path) -> str:
    return f"{prefix}{path.relative_to(directory).as_posix()}"
