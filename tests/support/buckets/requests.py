"""Requests to an object store, over connections that stay open, one a thread."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import quote

TIMEOUT_SECONDS = 60.0


class NoSuchObject(Exception):
    """The store answers 404."""


class Refused(Exception):
    """The store answers with a status that is no success."""


@dataclass(frozen=True)
class Request:
    """What is about to be sent; the path is encoded, the query is not."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def target(self) -> str:
        """Path and query, as they go over the wire."""
        pairs = "&".join(f"{encode(name)}={encode(value)}" for name, value in sorted(self.query.items()))
        return f"{self.path}?{pairs}" if pairs else self.path


@dataclass(frozen=True)
class Answer:
    """A response, read to its end."""

    headers: http.client.HTTPMessage
    body: bytes


Sign: TypeAlias = Callable[[Request, str], dict[str, str]]
"""Gives the headers of a request to an address (``127.0.0.1:PORT``), those that authorise it among them."""


def encode(text: str, *, keep: str = "") -> str:
    """Percent-encodes as all providers' signatures want it."""
    return quote(text, safe=f"-_.~{keep}")


class Client:
    """Sends signed requests to one address, from any number of threads."""

    def __init__(self, address: str, sign: Sign) -> None:
        self.address = address
        self._sign = sign
        self._thread = threading.local()

    def send(
        self,
        method: str,
        path: str,
        query: dict[str, str] | None = None,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """One request that has to succeed.

        Args:
            path: encoded, as keys may contain anything; the query is not.

        Raises:
            NoSuchObject: 404.
            Refused: any other status but 2xx.
        """
        request = Request(method, path, query or {}, headers or {}, body)
        response = self._answer(request)
        answer = Answer(response.headers, response.read())
        if response.status == 404:
            raise NoSuchObject(method, request.target, answer.body)
        if not 200 <= response.status < 300:
            raise Refused(method, request.target, response.status, answer.body)
        return answer

    def _answer(self, request: Request) -> http.client.HTTPResponse:
        connection: http.client.HTTPConnection | None = getattr(self._thread, "connection", None)
        if connection is None:
            connection = self._thread.connection = http.client.HTTPConnection(self.address, timeout=TIMEOUT_SECONDS)
        headers = self._sign(request, self.address)
        try:
            connection.request(request.method, request.target, request.body or None, headers)
            return connection.getresponse()
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            # The server may close a connection that was idle; http.client opens it anew.
            connection.close()
            connection.request(request.method, request.target, request.body or None, headers)
            return connection.getresponse()
