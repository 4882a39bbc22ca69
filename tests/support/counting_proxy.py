"""A proxy in front of an object store that counts requests, and can make each of them take longer.

    with CountingProxy(server, latency_seconds=0.02) as proxy:
        run([REGSWEEP, ..., server.url("registry")], env=proxy.environment())
        proxy.counts["LIST"]

Every connection of a client has one of its own to the server, and bytes pass unchanged in both directions (signatures
hold, for the server sees the Host that the client signed). Only requests are read, as far as it takes to see where the
next one begins; responses are not looked at. The proxy runs in a thread of its own; a request costs it 50 us of
processor time, so it passes thousands a second while the test waits for the program that it has started.

Latency is that of a connection: a request's head is held back, and what follows it; other connections go on.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter, deque
from collections.abc import Callable
from types import TracebackType
from typing import NamedTuple, Self

from support.buckets import BucketServer
from support.request_framing import RequestReader
from support.request_kinds import Kind, kind_of
from support.sections import Section

START_TIMEOUT_SECONDS = 10.0


class Counted(NamedTuple):
    """A request that has passed."""

    kind: Kind
    method: str
    target: str
    """Path and query, as sent."""


class CountingProxy:
    """The proxy of a server that runs; one run of it for each ``with``.

    Attributes:
        counts: requests by kind, since the start or the last ``reset``.
        requests: what has passed, in order, if that is to be recorded.
        latency_seconds: what every request takes longer; may be changed at any time.
    """

    def __init__(self, server: BucketServer, *, latency_seconds: float = 0.0, record: bool = False) -> None:
        self.server = server
        self.latency_seconds = latency_seconds
        self.record = record
        self.port = 0
        self.counts: Counter[Kind] = Counter()
        self.requests: list[Counted] = []
        self._started = threading.Event()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end: asyncio.Event | None = None

    @property
    def total(self) -> int:
        """Requests of all kinds."""
        return sum(self.counts.values())

    @property
    def front(self) -> BucketServer:
        """The server as it is seen through the proxy."""
        assert self.port, "not started"
        return self.server.by_way_of(self.port)

    def environment(self) -> dict[str, str]:
        """As that of the server, by way of the proxy."""
        return self.front.environment()

    def registry_section(self, bucket: str, root: str, major: int) -> Section:
        """As that of the server, by way of the proxy."""
        return self.front.registry_section(bucket, root, major)

    def reset(self) -> None:
        """Begins to count anew."""
        self.counts = Counter()
        self.requests = []

    def count(self, head: bytes) -> Counted:
        """Counts a request by its head."""
        method, target, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)
        counted = Counted(kind_of(self.server.provider, method, target, head), method, target)
        self.counts[counted.kind] += 1
        if self.record:
            self.requests.append(counted)
        return counted

    def holds_back(self, request: Counted, release: Callable[[], object]) -> bool:
        """Whether a request is held back; if so, it passes when ``release`` is called, in the proxy's own thread."""
        if self.latency_seconds:
            asyncio.get_running_loop().call_later(self.latency_seconds, release)
        return bool(self.latency_seconds)

    def __enter__(self) -> Self:
        self._started.clear()
        self._thread = threading.Thread(target=asyncio.run, args=(self._serve(),), daemon=True)
        self._thread.start()
        assert self._started.wait(START_TIMEOUT_SECONDS), "the proxy does not start"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._loop is not None
        assert self._end is not None
        assert self._thread is not None
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()
        self.port = 0

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._end = asyncio.Event()
        clients: set[_Client] = set()
        listener = await self._loop.create_server(lambda: _Client(self, clients), "127.0.0.1", 0, backlog=1024)
        self.port = listener.sockets[0].getsockname()[1]
        self._started.set()
        await self._end.wait()
        listener.close()
        for client in list(clients):
            client.abort()


class _Side(asyncio.Protocol):
    """One end of a connection through the proxy: whoever reads slowly slows the other end down."""

    transport: asyncio.Transport
    other: _Side | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        if self.other is not None:
            self.other.transport.close()

    def pause_writing(self) -> None:
        if self.other is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None:
            self.other.transport.resume_reading()


class _Server(_Side):
    """Towards the server: what it sends is passed on as it comes."""

    def __init__(self, client: _Client) -> None:
        self.other = client

    def data_received(self, data: bytes) -> None:
        assert self.other is not None
        self.other.transport.write(data)


class _Client(_Side):
    """Towards a client: requests are counted, held back if they are to take longer, and passed on."""

    def __init__(self, proxy: CountingProxy, clients: set[_Client]) -> None:
        self._proxy = proxy
        self._clients = clients
        self._reader = RequestReader()
        self._held: deque[bytes] = deque()
        self._loop = asyncio.get_running_loop()
        self._connecting: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._clients.add(self)
        self.transport.pause_reading()
        self._connecting = self._loop.create_task(self._connect())

    async def _connect(self) -> None:
        try:
            _, self.other = await self._loop.create_connection(
                lambda: _Server(self), "127.0.0.1", self._proxy.server.port
            )
        except OSError:
            self.transport.abort()
            return
        if self.transport.is_closing():
            self.other.transport.close()
        else:
            self.transport.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        self._clients.discard(self)
        super().connection_lost(error)

    def abort(self) -> None:
        """Breaks the connection off, on both sides."""
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        for part, is_head in self._reader.split(data):
            if is_head:
                request = self._proxy.count(part)
                if not self._held and self._proxy.holds_back(request, self._release):
                    self._held.append(part)
                    continue
            if self._held:
                self._held.append(part)
            else:
                self._pass_on(part)

    def _release(self) -> None:
        while self._held:
            self._pass_on(self._held.popleft())

    def _pass_on(self, part: bytes) -> None:
        assert self.other is not None
        if not self.other.transport.is_closing():
            self.other.transport.write(part)
