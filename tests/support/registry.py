"""A running registry's HTTP API, by the standard library alone: pushes that no client makes, and pulls of everything.

What is pulled is hashed here: a registry's word that a blob has some digest counts for nothing.
"""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import quote, urlsplit

from support.documents import DOCKER_LIST, DOCKER_MANIFEST, INDEXES, OCI_INDEX, OCI_MANIFEST, digest_of

ACCEPTED = ", ".join([OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST])
OCTETS = {"Content-Type": "application/octet-stream"}
TIMEOUT_SECONDS = 60.0

Contents: TypeAlias = dict[str, bytes | None]
"""What an image consists of, by digest; None is what its index names and the registry does not have."""


class NotThere(Exception):
    """The registry answers 404."""


class Refused(Exception):
    """The registry answers with another status than the one that is a success, or breaks off."""


@dataclass(frozen=True)
class Manifest:
    """A manifest as the registry gave it out."""

    digest: str
    media_type: str
    raw: bytes


@dataclass(frozen=True)
class Answer:
    """A response, read to its end."""

    headers: http.client.HTTPMessage
    body: bytes


class Registry:
    """The API of the registry at ``address`` (``127.0.0.1:PORT``). Each request has a connection of its own."""

    def __init__(self, address: str) -> None:
        self.address = address

    def request(
        self, method: str, path: str, *, expect: int, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """One request with the one status that is a success.

        Raises:
            NotThere: 404, where that was not expected.
            Refused: any other status; or an answer that ends too early.
        """
        connection = http.client.HTTPConnection(self.address, timeout=TIMEOUT_SECONDS)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            try:
                answer = Answer(response.headers, response.read())
            except http.client.IncompleteRead as error:
                raise Refused(method, path, "broken off") from error
            if response.status == 404 != expect:
                raise NotThere(f"{method} {path}")
            if response.status != expect:
                raise Refused(method, path, response.status, answer.body)
            return answer
        finally:
            connection.close()

    def is_ready(self) -> bool:
        """Asks for the version of the API."""
        return self.request("GET", "/v2/", expect=200).headers["Docker-Distribution-Api-Version"] == "registry/2.0"

    def repositories(self) -> list[str]:
        """The catalogue, in one page."""
        found: list[str] = json.loads(self.request("GET", "/v2/_catalog?n=1000", expect=200).body)["repositories"]
        return found

    def tags(self, repository: str) -> list[str]:
        """Tags of a repository; none where all of them are deleted."""
        try:
            body = self.request("GET", f"/v2/{repository}/tags/list", expect=200).body
        except NotThere:
            return []
        return sorted(json.loads(body)["tags"] or [])

    def manifest(self, repository: str, reference: str) -> Manifest:
        """A manifest by tag or digest, its bytes checked against what was asked for."""
        answer = self.request(
            "GET", f"/v2/{repository}/manifests/{reference}", expect=200, headers={"Accept": ACCEPTED}
        )
        digest = digest_of(answer.body)
        assert answer.headers["Docker-Content-Digest"] == digest
        if ":" in reference:
            assert reference == digest
        return Manifest(digest, answer.headers["Content-Type"], answer.body)

    def blob(self, repository: str, digest: str) -> bytes:
        """A config or layer, its bytes checked against its digest."""
        content = self.request("GET", f"/v2/{repository}/blobs/{digest}", expect=200).body
        assert digest_of(content, digest.partition(":")[0]) == digest
        return content

    def has_blob(self, repository: str, digest: str) -> bool:
        """Whether the registry says "there", as a client asks before an upload."""
        try:
            self.request("HEAD", f"/v2/{repository}/blobs/{digest}", expect=200)
        except NotThere:
            return False
        return True

    def put_blob(self, repository: str, content: bytes, algorithm: str = "sha256") -> str:
        """Uploads a blob under a digest of any algorithm; distribution stores it under its sha256 all the same."""
        digest = digest_of(content, algorithm)
        self.finish_upload(self.start_upload(repository), digest, content)
        return digest

    def start_upload(self, repository: str) -> str:
        """Begins an upload, without content; gives back where to send it to."""
        return self.request("POST", f"/v2/{repository}/blobs/uploads/", expect=202, body=b"").headers["Location"]

    def continue_upload(self, location: str, content: bytes) -> str:
        """Sends a part of an upload; gives back where to send the next."""
        parts = urlsplit(location)
        path = f"{parts.path}?{parts.query}"
        return self.request("PATCH", path, expect=202, body=content, headers=OCTETS).headers["Location"]

    def finish_upload(self, location: str, digest: str, content: bytes = b"") -> None:
        """Sends the rest of an upload and says what all of it is."""
        parts = urlsplit(location)
        query = f"{parts.query}&digest={quote(digest)}" if parts.query else f"digest={quote(digest)}"
        self.request("PUT", f"{parts.path}?{query}", expect=201, body=content, headers=OCTETS)

    def mount_blob(self, repository: str, digest: str, source: str) -> None:
        """Links a blob of another repository, without sending it."""
        query = f"mount={quote(digest)}&from={quote(source, safe='')}"
        self.request("POST", f"/v2/{repository}/blobs/uploads/?{query}", expect=201, body=b"")

    def put_manifest(self, repository: str, reference: str, raw: bytes, media_type: str) -> str:
        """Pushes a manifest under a tag, or under its digest with no tag."""
        self.request(
            "PUT",
            f"/v2/{repository}/manifests/{reference}",
            expect=201,
            body=raw,
            headers={"Content-Type": media_type},
        )
        return digest_of(raw)

    def delete_manifest(self, repository: str, digest: str) -> None:
        """Deletes a manifest, and with it the tags that point to it."""
        self.request("DELETE", f"/v2/{repository}/manifests/{digest}", expect=202)

    def delete_tag(self, repository: str, tag: str) -> None:
        """Deletes a tag and leaves what it points to; 2.8 refuses."""
        self.request("DELETE", f"/v2/{repository}/manifests/{tag}", expect=202)

    def pull(self, repository: str, reference: str) -> Contents:
        """A manifest and all that it needs, down through indexes."""
        contents: Contents = {}
        self._pull_into(contents, repository, reference)
        return contents

    def _pull_into(self, contents: Contents, repository: str, reference: str) -> None:
        manifest = self.manifest(repository, reference)
        contents[manifest.digest] = manifest.raw
        document = json.loads(manifest.raw)
        if manifest.media_type in INDEXES:
            for child in document["manifests"]:
                try:
                    self._pull_into(contents, repository, child["digest"])
                except NotThere:
                    # Platforms that were never pushed are no damage; what was there before has to be there after.
                    contents[child["digest"]] = None
            return
        for descriptor in [document["config"], *document["layers"]]:
            contents[descriptor["digest"]] = self.blob(repository, descriptor["digest"])

    def pull_everything(self) -> dict[str, Contents]:
        """What every tag of every repository gives, by ``repository:tag``."""
        return {
            f"{repository}:{tag}": self.pull(repository, tag)
            for repository in self.repositories()
            for tag in self.tags(repository)
        }
