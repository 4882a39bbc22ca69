"""Manifest documents of every kind, as bytes and as descriptors of bytes. Nothing here touches a disk."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

Document: TypeAlias = dict[str, Any]

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_ARTIFACT = "application/vnd.oci.artifact.manifest.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+prettyjws"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
FOREIGN_LAYER = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
INDEXES = (OCI_INDEX, DOCKER_LIST)
BUILDX_CACHE_CONFIG = "application/vnd.buildkit.cacheconfig.v0"


def digest_of(content: bytes, algorithm: str = "sha256") -> str:
    """The digest of a content."""
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


@dataclass(frozen=True)
class Descriptor:
    """What a manifest says about something that it refers to."""

    digest: str
    size: int = 0
    media_type: str = ""
    urls: tuple[str, ...] = ()

    def typed(self, media_type: str) -> Descriptor:
        """The same content, called something else."""
        return replace(self, media_type=media_type)

    def foreign(self) -> Descriptor:
        """The same as a layer to be had elsewhere."""
        return replace(self, media_type=FOREIGN_LAYER, urls=("https://layers.example/1",))

    def document(self) -> Document:
        """As it stands in a manifest."""
        document: Document = {"mediaType": self.media_type} if self.media_type else {}
        document |= {"digest": self.digest, "size": self.size}
        return document | {"urls": list(self.urls)} if self.urls else document


def absent(text: str, media_type: str = LAYER) -> Descriptor:
    """Describes a content that nobody has stored."""
    return Descriptor(digest_of(text.encode()), len(text), media_type)


def encode(document: Document) -> bytes:
    """The bytes of a document."""
    return json.dumps(document, indent=1).encode()


def image(
    config: Descriptor,
    layers: Iterable[Descriptor],
    *,
    subject: Descriptor | None = None,
    media_type: str | None = OCI_MANIFEST,
) -> Document:
    """An image manifest; without a media type, which OCI allows, if that is None."""
    document: Document = {"schemaVersion": 2}
    if media_type is not None:
        document["mediaType"] = media_type
    document |= {"config": config.document(), "layers": [layer.document() for layer in layers]}
    return document | {"subject": subject.document()} if subject else document


def index(
    children: Iterable[Descriptor], *, subject: Descriptor | None = None, media_type: str | None = OCI_INDEX
) -> Document:
    """An image index or manifest list."""
    document: Document = {"schemaVersion": 2}
    if media_type is not None:
        document["mediaType"] = media_type
    document["manifests"] = [child.document() for child in children]
    return document | {"subject": subject.document()} if subject else document


def artifact(blobs: Iterable[Descriptor], *, subject: Descriptor | None = None) -> Document:
    """The artifact manifest that a release candidate of OCI 1.1 had: a media type that few know."""
    document: Document = {
        "mediaType": OCI_ARTIFACT,
        "artifactType": "application/vnd.example.sbom",
        "blobs": [blob.document() for blob in blobs],
    }
    return document | {"subject": subject.document()} if subject else document


def schema1(name: str, tag: str, layers: Iterable[Descriptor]) -> tuple[bytes, str]:
    """A signed schema 1 manifest (the signature is none) and its digest, which is that of the unsigned payload."""
    described = list(layers)
    payload = encode(
        {
            "schemaVersion": 1,
            "name": name,
            "tag": tag,
            "architecture": "amd64",
            "fsLayers": [{"blobSum": layer.digest} for layer in described],
            "history": [
                {"v1Compatibility": json.dumps({"id": f"{number:064x}"})} for number, _ in enumerate(described)
            ],
        }
    )
    # libtrust: the payload is what stands before the last bracket, and the protected header says how long that is.
    cut = payload.rstrip(b"}\n")
    protected = {"formatLength": len(cut), "formatTail": base64.urlsafe_b64encode(b"\n}").rstrip(b"=").decode()}
    signature: Document = {
        "header": {"jwk": {"crv": "P-256", "kid": "X", "kty": "EC", "x": "AA", "y": "AA"}, "alg": "ES256"},
        "signature": base64.urlsafe_b64encode(b"none").rstrip(b"=").decode(),
        "protected": base64.urlsafe_b64encode(json.dumps(protected).encode()).rstrip(b"=").decode(),
    }
    signed = cut + b',\n "signatures": ' + json.dumps([signature]).encode() + b"\n}"
    return signed, digest_of(payload)
