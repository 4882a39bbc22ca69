"""Google Cloud Storage: fake-gcs-server, with a server of tokens beside it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from support.buckets.requests import Request, encode
from support.buckets.server import BucketServer, Version
from support.programs import find
from support.sections import Section


class FakeGcs(BucketServer):
    """fake-gcs-server. It asks nobody for a token, but registries get one before they ask it anything.

    A registry cannot upload to it: its driver names the real service for that. So buckets are filled by ``load``.

    Args:
        on_disk: whether objects are files. In memory, where it has versions too, an upload takes the longer the more
            objects there are: 2 s for the first thousand, 24 s for the fifth. On disk each thousand takes 6 s, and
            every page of a listing reads the whole bucket.
    """

    provider = "gcs"
    scheme = "gs"

    def __init__(self, directory: Path, *, on_disk: bool = False) -> None:
        super().__init__(directory)
        self.on_disk = on_disk
        self.key_file = directory / "service-account.json"
        """The key of a service account, for any client; written when the server starts."""
        self._tokens: ThreadingHTTPServer | None = None

    def command(self) -> list[str]:
        # A public host without a port stands for all ports: those of proxies, too.
        options = ["-scheme", "http", "-host", "127.0.0.1", "-port", "0", "-public-host", "127.0.0.1"]
        objects = ["filesystem", "-filesystem-root", str(self.directory / "objects")] if self.on_disk else ["memory"]
        return [find("fake-gcs-server"), *options, "-log-level", "warn", "-backend", *objects]

    def prepare(self) -> None:
        # Where clients are to send what they upload in parts; known only now.
        external = json.dumps({"externalUrl": f"http://{self.address}"}).encode()
        self.client.send("PUT", "/_internal/config", body=external)
        self._tokens = ThreadingHTTPServer(("127.0.0.1", 0), _Tokens)
        threading.Thread(target=self._tokens.serve_forever, daemon=True).start()
        self.key_file.write_text(json.dumps(_service_account(f"http://127.0.0.1:{self._tokens.server_port}/token")))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, traceback)
        if self._tokens is not None:
            self._tokens.shutdown()
            self._tokens.server_close()
            self._tokens = None

    def sign(self, request: Request, address: str) -> dict[str, str]:
        return request.headers

    def environment(self) -> dict[str, str]:
        return {"STORAGE_EMULATOR_HOST": self.address}

    def registry_section(self, bucket: str, root: str, major: int) -> Section:
        if major == 2:
            raise NotImplementedError("2.8 as Debian builds it has no gcs driver")
        lines = ["  gcs:", f"    bucket: {bucket}", f"    keyfile: {self.key_file}", f"    rootdirectory: /{root}"]
        return Section("\n".join([*lines, "  redirect: {disable: true}", ""]), self.environment())

    def make_bucket(self, name: str, *, versioning: bool = False) -> None:
        bucket = json.dumps({"name": name, "versioning": {"enabled": versioning}}).encode()
        self.client.send("POST", "/storage/v1/b", {"project": "test"}, bucket)

    def put(self, bucket: str, key: str, content: bytes) -> None:
        headers = {"Content-Type": "application/octet-stream"}
        query = {"uploadType": "media", "name": key}
        self.client.send("POST", f"/upload/storage/v1/b/{bucket}/o", query, content, headers)

    def keys(self, bucket: str, *, page_size: int = 1000) -> dict[str, int]:
        return {item["name"]: int(item["size"]) for item in self._items(bucket, {"maxResults": str(page_size)})}

    def content(self, bucket: str, key: str) -> bytes:
        return self.client.send("GET", _path(bucket, key), {"alt": "media"}).body

    def delete(self, bucket: str, key: str) -> None:
        self.client.send("DELETE", _path(bucket, key))

    def versions(self, bucket: str) -> list[Version]:
        """All generations; one that has ended in a removal or in a newer one is not the latest."""
        return [
            Version(item["name"], item["generation"], "timeDeleted" not in item, False, int(item["size"]))
            for item in self._items(bucket, {"versions": "true"})
        ]

    def _items(self, bucket: str, query: dict[str, str]) -> Iterator[dict[str, Any]]:
        while True:
            page = json.loads(self.client.send("GET", f"/storage/v1/b/{bucket}/o", query).body)
            yield from page.get("items", [])
            if not page.get("nextPageToken"):
                return
            query["pageToken"] = page["nextPageToken"]


def _path(bucket: str, key: str) -> str:
    return f"/storage/v1/b/{bucket}/o/{encode(key)}"


class _Tokens(BaseHTTPRequestHandler):
    """Answers whoever asks with a token."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = json.dumps({"access_token": "test", "token_type": "Bearer", "expires_in": 3600}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Says nothing."""


def _service_account(token_uri: str) -> dict[str, str]:
    """What a client signs its request for a token with; nobody checks it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return {
        "type": "service_account",
        "project_id": "test",
        "private_key_id": "test",
        "private_key": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        "client_email": "test@example.test",
        "client_id": "1",
        "token_uri": token_uri,
    }
