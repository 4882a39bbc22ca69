"""S3: versitygw, which keeps objects as files, and moto, which keeps them in memory and is laxer than S3."""

from __future__ import annotations

import os
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from support.buckets.requests import Request, encode
from support.buckets.server import BucketServer, Version
from support.programs import find
from support.sections import Section

ACCESS_KEY, SECRET_KEY, REGION = "test", "testtest", "us-east-1"

CREDENTIALS = Credentials(ACCESS_KEY, SECRET_KEY)


class S3Server(BucketServer):
    """Any server that speaks S3, buckets in the path."""

    provider = "s3"
    scheme = "s3"

    def sign(self, request: Request, address: str) -> dict[str, str]:
        signed = AWSRequest(request.method, f"http://{address}{request.target}", request.headers, request.body)
        S3SigV4Auth(CREDENTIALS, "s3", REGION).add_auth(signed)
        return dict(signed.headers.items())

    def environment(self) -> dict[str, str]:
        return {
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL_S3": f"http://{self.address}",
        }

    def registry_section(self, bucket: str, root: str, major: int) -> Section:
        # forcepathstyle is for 3.x: 2.8 does so wherever an endpoint is named.
        lines = [
            "  s3:",
            f"    accesskey: {ACCESS_KEY}",
            f"    secretkey: {SECRET_KEY}",
            f"    region: {REGION}",
            f"    regionendpoint: http://{self.address}",
            "    forcepathstyle: true",
            "    secure: false",
            "    v4auth: true",
            f"    bucket: {bucket}",
            f"    rootdirectory: /{root}",
            "  redirect: {disable: true}",
        ]
        # Where a machine names certificates of its own to AWS's clients, 2.8 does not start.
        return Section("\n".join(lines) + "\n", {"AWS_CA_BUNDLE": ""})

    def make_bucket(self, name: str, *, versioning: bool = False) -> None:
        self.client.send("PUT", f"/{name}")
        if versioning:
            enabled = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
            self.client.send("PUT", f"/{name}", {"versioning": ""}, enabled)

    def put(self, bucket: str, key: str, content: bytes) -> None:
        self.client.send("PUT", _path(bucket, key), body=content)

    def keys(self, bucket: str, *, page_size: int = 1000) -> dict[str, int]:
        return {_text(entry, "Key"): int(_text(entry, "Size")) for entry in self._entries(bucket, page_size)}

    def times(self, bucket: str) -> dict[str, str]:
        """When each object was written, by key, as a listing tells it."""
        return {_text(entry, "Key"): _text(entry, "LastModified") for entry in self._entries(bucket, 1000)}

    def _entries(self, bucket: str, page_size: int) -> Iterator[ElementTree.Element]:
        query = {"list-type": "2", "max-keys": str(page_size)}
        while True:
            page = self._list(bucket, query)
            yield from page.iter("Contents")
            if _text(page, "IsTruncated") != "true":
                return
            query["continuation-token"] = _text(page, "NextContinuationToken")

    def content(self, bucket: str, key: str) -> bytes:
        return self.client.send("GET", _path(bucket, key)).body

    def delete(self, bucket: str, key: str) -> None:
        self.client.send("DELETE", _path(bucket, key))

    def versions(self, bucket: str) -> list[Version]:
        return list(self._versions(bucket))

    def _versions(self, bucket: str) -> Iterator[Version]:
        query = {"versions": ""}
        while True:
            page = self._list(bucket, query)
            for entry in page:
                if entry.tag in ("Version", "DeleteMarker"):
                    yield Version(
                        key=_text(entry, "Key"),
                        version_id=_text(entry, "VersionId"),
                        is_latest=_text(entry, "IsLatest") == "true",
                        is_delete_marker=entry.tag == "DeleteMarker",
                        size_bytes=int(entry.findtext("Size") or 0),
                    )
            if _text(page, "IsTruncated") != "true":
                return
            query["key-marker"] = _text(page, "NextKeyMarker")
            query["version-id-marker"] = _text(page, "NextVersionIdMarker")

    def multipart_uploads(self, bucket: str) -> list[tuple[str, str]]:
        """Key and id of every multipart upload that is not finished, of one page of them."""
        page = self._list(bucket, {"uploads": ""})
        return [(_text(entry, "Key"), _text(entry, "UploadId")) for entry in page.iter("Upload")]

    def begin_multipart(self, bucket: str, key: str, *parts: bytes) -> str:
        """Begins a multipart upload and sends parts of it; gives back its id."""
        begun = ElementTree.fromstring(self.client.send("POST", _path(bucket, key), {"uploads": ""}).body)
        upload_id = next(element.text or "" for element in begun.iter() if element.tag.endswith("UploadId"))
        for number, content in enumerate(parts, 1):
            query = {"uploadId": upload_id, "partNumber": str(number)}
            self.client.send("PUT", _path(bucket, key), query, content)
        return upload_id

    def _list(self, bucket: str, query: dict[str, str]) -> ElementTree.Element:
        page = ElementTree.fromstring(self.client.send("GET", f"/{bucket}", query).body)
        for element in page.iter():
            element.tag = element.tag.rpartition("}")[2]
        return page


def _path(bucket: str, key: str) -> str:
    return f"/{bucket}/{encode(key, keep='/')}"


def _text(element: ElementTree.Element, name: str) -> str:
    text = element.findtext(name)
    assert text is not None, (name, ElementTree.tostring(element))
    return text


class Versitygw(S3Server):
    """versitygw over a directory: keys are paths of files, so that ``a//b`` is ``a/b`` and ``a`` cannot be beside that.

    An object's time is that of its file, and so can be set.
    """

    def command(self) -> list[str]:
        for directory in (self._objects, self._versions_directory):
            directory.mkdir(exist_ok=True)
        posix = ["posix", "--versioning-dir", str(self._versions_directory), str(self._objects)]
        # Without --keep-alive every request is the last one of its connection.
        return [find("versitygw"), "--port", "127.0.0.1:0", "--keep-alive", "--quiet", *posix]

    def server_environment(self) -> dict[str, str]:
        return {"ROOT_ACCESS_KEY": ACCESS_KEY, "ROOT_SECRET_KEY": SECRET_KEY}

    def age(self, bucket: str, seconds: float, *keys: str) -> None:
        """Makes objects (all of them, if none is named) look as if written that long ago."""
        written = time.time() - seconds
        for key in keys or self.keys(bucket):
            os.utime(self._objects / bucket / key, (written, written))

    @property
    def _objects(self) -> Path:
        return (self.directory / "objects").resolve()

    @property
    def _versions_directory(self) -> Path:
        return (self.directory / "versions").resolve()


class Moto(S3Server):
    """moto's server, whose S3 takes what S3 refuses: 1,001 keys in a bulk removal."""

    def command(self) -> list[str]:
        return [find("moto_server"), "-H", "127.0.0.1", "-p", "0"]
