"""A registry's storage of a few files, written by hand, for tests of the command line."""

import hashlib
import json
import os
from pathlib import Path

STORAGE = "docker/registry/v2"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
# Old enough for every minimum age, the same for all files, so that nothing depends on the clock.
OLD = 1_700_000_000


class TinyStore:
    """Writes blobs, links and tags below a root directory, all of one age."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / STORAGE / "blobs").mkdir(parents=True)
        (root / STORAGE / "repositories").mkdir()

    def blob(self, content: bytes) -> str:
        """Stores content; gives back its digest."""
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        self._write(self.blob_path(digest), content)
        return digest

    def blob_path(self, digest: str) -> Path:
        """Where the content of a digest is."""
        algorithm, _, encoded = digest.partition(":")
        return self.root / STORAGE / "blobs" / algorithm / encoded[:2] / encoded / "data"

    def image(self, repository: str, tag: str | None, layers: list[bytes]) -> str:
        """Stores an image with its links; gives back the manifest's digest."""
        config = self.blob(json.dumps({"of": repository, "tag": tag}).encode())
        digests = [self.blob(layer) for layer in layers]
        descriptors = [{"mediaType": "x", "digest": digest, "size": 1} for digest in digests]
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": "x", "digest": config, "size": 1},
            "layers": descriptors,
        }
        digest = self.blob(json.dumps(manifest).encode())
        for layer in (config, *digests):
            self.link(repository, f"_layers/{layer.replace(':', '/')}", layer)
        self.link(repository, f"_manifests/revisions/{digest.replace(':', '/')}", digest)
        (self.root / STORAGE / "repositories" / repository / "_manifests/tags").mkdir(exist_ok=True)
        if tag is not None:
            self.link(repository, f"_manifests/tags/{tag}/current", digest)
            self.link(repository, f"_manifests/tags/{tag}/index/{digest.replace(':', '/')}", digest)
        return digest

    def link(self, repository: str, place: str, digest: str) -> None:
        """Writes a link file."""
        self._write(self.root / STORAGE / "repositories" / repository / place / "link", digest.encode())

    def files(self) -> set[str]:
        """All files, relative to the root."""
        return {str(path.relative_to(self.root)) for path in self.root.rglob("*") if path.is_file()}

    def _write(self, path: Path, content: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (OLD, OLD))
