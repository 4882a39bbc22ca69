"""The proxy passes everything on as it came, and counts what there was."""

from __future__ import annotations

import select
import socket
import threading
from http.client import HTTPConnection, HTTPResponse
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.buckets import BucketServer, FakeGcs, Provider, Versitygw
from support.buckets.requests import Request
from support.counting_proxy import Counted, CountingProxy
from support.request_framing import RequestReader
from support.request_kinds import Kind, kind_of

HEADS = [
    b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n",
    b"PUT /b HTTP/1.1\r\nContent-Length: 11\r\n\r\n",
    b"PUT /c HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n",
    b"DELETE /d HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
    b"PUT /e HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
]
BODIES = [
    b"",
    b"GET /\r\n\r\n\r\n",
    b"5;name=value\r\na\r\n\r\n\r\n2\r\n\r\n\r\n0\r\n\r\n",
    b"",
    b"1\r\nx\r\n0\r\nTrailer: value\r\nAnother: one\r\n\r\n",
]
STREAM = b"".join(head + body for head, body in zip(HEADS, BODIES, strict=True))


@given(st.sets(st.integers(min_value=1, max_value=len(STREAM) - 1)))
def test_heads_are_found_however_the_bytes_arrive(cuts: set[int]) -> None:
    reader = RequestReader()
    ends = [0, *sorted(cuts), len(STREAM)]
    parts = [part for start, end in pairwise(ends) for part in reader.split(STREAM[start:end])]
    assert b"".join(part for part, _ in parts) == STREAM
    assert [part for part, is_head in parts if is_head] == HEADS


KINDS: list[tuple[Provider, Kind, str]] = [
    ("s3", "LIST", "GET /bucket?list-type=2&prefix=docker%2F"),
    ("s3", "LIST", "GET /bucket/?versions="),
    ("s3", "OTHER", "GET /bucket?versioning"),
    ("s3", "OTHER", "GET /"),
    ("s3", "OTHER", "PUT /bucket"),
    ("s3", "GET", "GET /bucket/docker/data"),
    ("s3", "GET", "GET /bucket/key?versionId=1"),
    ("s3", "HEAD", "HEAD /bucket/key"),
    ("s3", "OTHER", "HEAD /bucket"),
    ("s3", "PUT", "PUT /bucket/key"),
    ("s3", "PUT", "PUT /bucket/key?partNumber=1&uploadId=2"),
    ("s3", "OTHER", "POST /bucket/key?uploads"),
    ("s3", "COPY", "PUT /bucket/key HTTP/1.1\r\nX-Amz-Copy-Source: /bucket/other\r\n"),
    ("s3", "DELETE", "DELETE /bucket/key"),
    ("s3", "BULK_DELETE", "POST /bucket?delete"),
    ("azure", "LIST", "GET /account/container?restype=container&comp=list&prefix=docker"),
    ("azure", "OTHER", "PUT /account/container?restype=container"),
    ("azure", "GET", "GET /account/container/key"),
    ("azure", "HEAD", "HEAD /account/container/key"),
    ("azure", "PUT", "PUT /account/container/key"),
    ("azure", "PUT", "PUT /account/container/key?comp=blocklist"),
    ("azure", "OTHER", "PUT /account/container/key?comp=lease"),
    ("azure", "COPY", "PUT /account/container/key HTTP/1.1\r\nx-ms-copy-source: http://there/\r\n"),
    ("azure", "DELETE", "DELETE /account/container/key"),
    ("azure", "BULK_DELETE", "POST /account/container?restype=container&comp=batch"),
    ("gcs", "LIST", "GET /storage/v1/b/bucket/o?prefix=docker"),
    ("gcs", "LIST", "GET /bucket?list-type=2"),
    ("gcs", "OTHER", "GET /storage/v1/b/bucket"),
    ("gcs", "GET", "GET /storage/v1/b/bucket/o/key?alt=media"),
    ("gcs", "GET", "GET /bucket/key"),
    ("gcs", "GET", "GET /download/storage/v1/b/bucket/o/key?alt=media"),
    ("gcs", "HEAD", "GET /storage/v1/b/bucket/o/key?alt=json"),
    ("gcs", "HEAD", "HEAD /bucket/key"),
    ("gcs", "PUT", "POST /upload/storage/v1/b/bucket/o?uploadType=media&name=key"),
    ("gcs", "COPY", "POST /storage/v1/b/bucket/o/key/rewriteTo/b/bucket/o/other"),
    ("gcs", "COPY", "PUT /bucket/key HTTP/1.1\r\nx-goog-copy-source: bucket/other\r\n"),
    ("gcs", "DELETE", "DELETE /storage/v1/b/bucket/o/key"),
    ("gcs", "BULK_DELETE", "POST /batch/storage/v1"),
]


@pytest.mark.parametrize(("provider", "kind", "head"), KINDS)
def test_kinds_of_requests(provider: Provider, kind: Kind, head: str) -> None:
    method, target, *_ = head.split(" ")
    assert kind_of(provider, method, target, head.encode()) == kind


def test_the_store_is_the_same_by_way_of_the_proxy(server: BucketServer) -> None:
    bucket = server.fresh_bucket()
    with CountingProxy(server, record=True) as proxy:
        through = proxy.front
        through.put_all(bucket, {f"key-{number}": bytes(number) for number in range(20)})
        assert through.keys(bucket, page_size=8) == server.keys(bucket)
        assert through.content(bucket, "key-7") == bytes(7)
        through.delete(bucket, "key-7")
        assert proxy.counts == {"PUT": 20, "LIST": 3, "GET": 1, "DELETE": 1}
        assert [one.kind for one in proxy.requests[-5:]] == ["LIST", "LIST", "LIST", "GET", "DELETE"]
        assert "key-7" in proxy.requests[-1].target
        assert proxy.total == 25
        proxy.reset()
        assert (proxy.total, proxy.requests) == (0, [])
    assert "key-7" not in server.keys(bucket)


def test_large_bodies_pass_in_both_directions(versitygw: Versitygw) -> None:
    bucket = versitygw.fresh_bucket()
    content = bytes(range(256)) * 40_000
    with CountingProxy(versitygw) as proxy:
        proxy.front.put(bucket, "large", content)
        assert versitygw.content(bucket, "large") == content
        assert proxy.front.content(bucket, "large") == content


def test_a_chunked_body_is_one_request_and_the_connection_goes_on(fake_gcs: FakeGcs) -> None:
    bucket = fake_gcs.fresh_bucket()
    pieces = [b"one ", b"DELETE /two HTTP/1.1\r\n\r\n", b"three"]
    with CountingProxy(fake_gcs) as proxy:
        connection = HTTPConnection(proxy.front.address)
        upload = f"/upload/storage/v1/b/{bucket}/o?uploadType=media&name=key"
        connection.request("POST", upload, iter(pieces), {"Transfer-Encoding": "chunked"}, encode_chunked=True)
        connection.getresponse().read()
        connection.request("GET", f"/{bucket}/key")
        assert connection.getresponse().read() == b"".join(pieces)
        connection.close()
        assert proxy.counts == {"PUT": 1, "GET": 1}


def test_a_client_may_wait_to_be_told_to_continue(versitygw: Versitygw) -> None:
    bucket = versitygw.fresh_bucket()
    with CountingProxy(versitygw) as proxy, socket.create_connection(("127.0.0.1", proxy.port)) as client:
        headers = signed_put(proxy.front, f"/{bucket}/key", b"content")
        client.sendall(headers + b"Expect: 100-continue\r\n\r\n")
        assert client.recv(65536).startswith(b"HTTP/1.1 100")
        client.sendall(b"content")
        response = HTTPResponse(client)
        response.begin()
        assert response.status == 200
        assert proxy.counts == {"PUT": 1}
    assert versitygw.content(bucket, "key") == b"content"


def signed_put(server: BucketServer, path: str, body: bytes) -> bytes:
    """The head of an upload, without its last line."""
    headers = server.sign(Request("PUT", path, {}, {}, body), server.address)
    lines = [f"PUT {path} HTTP/1.1", f"Host: {server.address}", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, *(f"{name}: {value}" for name, value in headers.items()), ""]).encode()


class Noticing(CountingProxy):
    """Tells when it has counted a request."""

    def __init__(self, server: BucketServer, *, latency_seconds: float) -> None:
        super().__init__(server, latency_seconds=latency_seconds)
        self.noticed = threading.Event()

    def count(self, head: bytes) -> Counted:
        try:
            return super().count(head)
        finally:
            self.noticed.set()


def test_a_request_that_is_held_back_holds_up_no_other_connection(fake_gcs: FakeGcs) -> None:
    bucket = fake_gcs.fresh_bucket()
    with (
        Noticing(fake_gcs, latency_seconds=3600) as proxy,
        socket.create_connection(("127.0.0.1", proxy.port)) as slow,
    ):
        slow.sendall(f"GET /{bucket}/key HTTP/1.1\r\nHost: {proxy.front.address}\r\n\r\n".encode())
        assert proxy.noticed.wait(60)
        proxy.latency_seconds = 0
        assert proxy.front.keys(bucket) == {}
        assert proxy.counts == {"GET": 1, "LIST": 1}
        assert select.select([slow], [], [], 0)[0] == []


def test_a_request_that_is_held_back_passes_in_the_end(fake_gcs: FakeGcs) -> None:
    bucket = fake_gcs.fresh_bucket()
    with CountingProxy(fake_gcs, latency_seconds=0.01) as proxy:
        proxy.front.put(bucket, "key", b"content")
        assert proxy.front.content(bucket, "key") == b"content"
        assert proxy.counts == {"PUT": 1, "GET": 1}
