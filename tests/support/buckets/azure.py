"""Azure Blob Storage: Azurite."""

from __future__ import annotations

import base64
import hashlib
import hmac
import xml.etree.ElementTree as ElementTree
from email.utils import formatdate
from urllib.parse import unquote

from support.buckets.requests import Request, encode
from support.buckets.server import BucketServer, Version
from support.programs import find
from support.sections import Section

# The account that every emulator of Azure's storage has; both are published in Azurite's documentation.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

API_VERSION = "2021-12-02"


class Azurite(BucketServer):
    """Azurite's blob service, which keeps objects as files and what it knows of them in memory. It has no versions."""

    provider = "azure"
    scheme = "az"

    def command(self) -> list[str]:
        location = self.directory / "azurite"
        location.mkdir(exist_ok=True)
        options = ["--silent", "--disableTelemetry", "--blobHost", "127.0.0.1", "--blobPort", "0"]
        # Clients of today speak versions of the API that it does not know by name.
        return [find("azurite-blob"), *options, "--skipApiVersionCheck", "--location", str(location)]

    def sign(self, request: Request, address: str) -> dict[str, str]:
        """Shared Key, as Azure's documentation describes it for versions of the API from 2015-02-21 on."""
        headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": API_VERSION, **request.headers}
        length = str(len(request.body)) if request.body else ""
        # Content-Encoding, -Language, -Length, -MD5, -Type, Date, four conditions, Range.
        standard = ["", "", length, "", headers.get("Content-Type", ""), *[""] * 6]
        named = sorted(f"{name.lower()}:{value}" for name, value in headers.items() if name.lower().startswith("x-ms-"))
        queried = sorted(f"{name.lower()}:{value}" for name, value in request.query.items())
        text = "\n".join([request.method, *standard, *named, f"/{ACCOUNT}{request.path}", *queried])
        signature = hmac.digest(base64.b64decode(KEY), text.encode(), hashlib.sha256)
        return {**headers, "Authorization": f"SharedKey {ACCOUNT}:{base64.b64encode(signature).decode()}"}

    def environment(self) -> dict[str, str]:
        return {
            "AZURE_STORAGE_ACCOUNT": ACCOUNT,
            "AZURE_STORAGE_KEY": KEY,
            "AZURE_STORAGE_ENDPOINT": self._endpoint,
        }

    def registry_section(self, bucket: str, root: str, major: int) -> Section:
        if major == 2:
            raise NotImplementedError("2.8 makes the host from the account's name, with https, and has no root")
        lines = [
            "  azure:",
            f"    accountname: {ACCOUNT}",
            f"    accountkey: {KEY}",
            f"    container: {bucket}",
            "    realm: core.windows.net",
            f"    serviceurl: {self._endpoint}",
            f"    rootdirectory: /{root}",
            "    credentials: {type: shared_key}",
            "  redirect: {disable: true}",
        ]
        return Section("\n".join(lines) + "\n")

    @property
    def _endpoint(self) -> str:
        return f"http://{self.address}/{ACCOUNT}"

    def make_bucket(self, name: str, *, versioning: bool = False) -> None:
        if versioning:
            raise NotImplementedError("Azurite has no versions")
        self.client.send("PUT", f"/{ACCOUNT}/{name}", {"restype": "container"})

    def put(self, bucket: str, key: str, content: bytes) -> None:
        headers = {"x-ms-blob-type": "BlockBlob", "Content-Type": "application/octet-stream"}
        self.client.send("PUT", _path(bucket, key), body=content, headers=headers)

    def keys(self, bucket: str, *, page_size: int = 1000) -> dict[str, int]:
        query = {"restype": "container", "comp": "list", "maxresults": str(page_size)}
        found: dict[str, int] = {}
        while True:
            page = ElementTree.fromstring(self.client.send("GET", f"/{ACCOUNT}/{bucket}", query).body)
            for blob in page.iter("Blob"):
                name = blob.find("Name")
                assert name is not None
                # A name that XML cannot hold is written as in a URL.
                key = unquote(name.text or "") if name.get("Encoded") == "true" else name.text or ""
                found[key] = int(blob.findtext("Properties/Content-Length") or 0)
            query["marker"] = page.findtext("NextMarker") or ""
            if not query["marker"]:
                return found

    def content(self, bucket: str, key: str) -> bytes:
        return self.client.send("GET", _path(bucket, key)).body

    def delete(self, bucket: str, key: str) -> None:
        self.client.send("DELETE", _path(bucket, key))

    def versions(self, bucket: str) -> list[Version]:
        raise NotImplementedError("Azurite has no versions")


def _path(bucket: str, key: str) -> str:
    return f"/{ACCOUNT}/{bucket}/{encode(key, keep='/')}"
