"""A proxy in front of an object store that stops whoever uses it at a chosen request, until it is let go.

    with HoldingProxy(server) as proxy:
        put = proxy.begin(lambda: registry.put_manifest(…), "PUT", "/_manifests/revisions/")
        …                                                    # the world changes meanwhile
        proxy.go_on()
        put.result()

What ``support.held`` does by system calls for registries on a disk. Other connections go on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import unquote

from support.buckets import BucketServer
from support.counting_proxy import Counted, CountingProxy
from support.request_kinds import Kind

T = TypeVar("T")

# Far more than anything takes to come that far: what never does is a failure, not a wait.
TIMEOUT_SECONDS = 60.0


class HoldingProxy(CountingProxy):
    """Holds back one request, and all that follows on its connection."""

    def __init__(self, server: BucketServer) -> None:
        super().__init__(server)
        self._guard = threading.Lock()
        self._wanted: tuple[Kind, str] | None = None
        self._passing = 0
        self._held: Future[None] = Future()
        self._release: Callable[[], object] | None = None
        self._executor = ThreadPoolExecutor(1)

    def begin(self, action: Callable[[], T], kind: Kind, text: str = "", *, after: int = 0) -> Future[T]:
        """Starts an action in a thread of its own; when this comes back, its request waits here.

        Args:
            kind: the request's.
            text: a part of its target.
            after: how many of the kind pass before.
        """
        with self._guard:
            self._wanted, self._passing, self._held = (kind, text), after, Future()
        answer = self._executor.submit(action)
        futures: list[Future[Any]] = [answer, self._held]
        wait(futures, TIMEOUT_SECONDS, FIRST_COMPLETED)
        assert self._held.done(), f"it does not come as far as the request: {answer}"
        return answer

    def go_on(self) -> None:
        """Lets the request pass."""
        with self._guard:
            release, self._release = self._release, None
        if release is not None:
            assert self._loop is not None
            self._loop.call_soon_threadsafe(release)

    def holds_back(self, request: Counted, release: Callable[[], object]) -> bool:
        """The first one that is wanted."""
        with self._guard:
            if self._wanted is None:
                return False
            kind, text = self._wanted
            if request.kind != kind or text not in unquote(request.target):
                return False
            if self._passing:
                self._passing -= 1
                return False
            self._wanted, self._release = None, release
            self._held.set_result(None)
            return True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.go_on()
        self._executor.shutdown()
        super().__exit__(kind, error, traceback)
