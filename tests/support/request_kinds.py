"""What a request to an object store asks for, in the words that providers charge by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias
from urllib.parse import parse_qs, urlsplit

from support.buckets import Provider

Kind: TypeAlias = Literal["LIST", "GET", "HEAD", "PUT", "DELETE", "BULK_DELETE", "COPY", "OTHER"]

# Of S3: what a query may ask about a bucket or object instead of its content.
SUBRESOURCES = {"acl", "cors", "lifecycle", "location", "object-lock", "policy", "tagging", "uploadId", "versioning"}
COPY_HEADERS = (b"\r\nx-amz-copy-source:", b"\r\nx-ms-copy-source:", b"\r\nx-goog-copy-source:")


def kind_of(provider: Provider, method: str, target: str, head: bytes = b"") -> Kind:
    """The kind of a request.

    Args:
        target: path, with bucket and all, and query, as they stand in the request.
        head: the request line and headers; needed to tell a copy from an upload.
    """
    parts = urlsplit(target)
    query = set(parse_qs(parts.query, keep_blank_values=True))
    path = parts.path.strip("/")
    if method == "PUT" and any(name in head.lower() for name in COPY_HEADERS):
        return "COPY"
    return READERS[provider](method, path, query, parts.query)


def _s3(method: str, path: str, query: set[str], _: str) -> Kind:
    bucket, _, key = path.partition("/")
    if method == "POST" and "delete" in query:
        return "BULK_DELETE"
    if method == "PUT" and "partNumber" in query:
        return "PUT"
    if not bucket or query & SUBRESOURCES:
        return "OTHER"
    if not key:
        return "LIST" if method == "GET" else "OTHER"
    return _plain(method)


def _azure(method: str, path: str, query: set[str], text: str) -> Kind:
    # The path begins with the account, as it does for emulators.
    _, _, below = path.partition("/")
    _, _, name = below.partition("/")
    if method == "POST" and "comp=batch" in text:
        return "BULK_DELETE"
    if method == "GET" and "comp=list" in text:
        return "LIST"
    if method == "PUT" and ("comp=block" in text or "comp=appendblock" in text):
        return "PUT"
    if not name or "comp" in query:
        return "OTHER"
    return _plain(method)


def _gcs(method: str, path: str, query: set[str], text: str) -> Kind:
    if path.startswith("batch/"):
        return "BULK_DELETE"
    if path.startswith(("upload/", "resumable/")):
        return "PUT"
    if path.startswith("download/"):
        return "GET"
    if not path.startswith("storage/v1/"):
        # The XML API, which is that of S3.
        return _s3(method, path, query, text)
    bucket, _, below = path.removeprefix("storage/v1/b/").partition("/")
    collection, _, name = below.partition("/")
    if collection != "o" or not bucket:
        return "OTHER"
    if not name:
        return "LIST" if method == "GET" else "OTHER"
    if "/rewriteTo/" in name or "/copyTo/" in name:
        return "COPY"
    if method == "GET" and "alt=media" not in text:
        return "HEAD"  # what it knows of the object, without the content
    return _plain(method)


def _plain(method: str) -> Kind:
    return PLAIN.get(method, "OTHER")


PLAIN: dict[str, Kind] = {"GET": "GET", "HEAD": "HEAD", "PUT": "PUT", "DELETE": "DELETE"}
READERS: dict[Provider, Callable[[str, str, set[str], str], Kind]] = {"s3": _s3, "azure": _azure, "gcs": _gcs}
