"""What real registries store is sound, while they are at work too; and what is damaged there is found."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support import documents
from support.documents import Descriptor, digest_of
from support.registry import Registry
from support.servers import Server
from support.store_builder import TOP, blob_path, duplicate

import regsweep
from real.conftest import Pushed

CONTENT = os.urandom(3_000_000)


def push_image(registry: Registry, repository: str, tag: str, content: bytes, algorithm: str = "sha256") -> None:
    """An image of one layer, pushed by a digest of any algorithm."""
    layer = registry.put_blob(repository, content, algorithm)
    config = b'{"architecture": "amd64", "os": "linux"}'
    described = Descriptor(registry.put_blob(repository, config), len(config), documents.CONFIG)
    document = documents.image(described, [Descriptor(layer, len(content), documents.LAYER)])
    registry.put_manifest(repository, tag, documents.encode(document), documents.OCI_MANIFEST)


def test_what_clients_push_is_sound(pushed: Pushed, tmp_path: Path) -> None:
    root = pushed.copy(tmp_path)
    verification = regsweep.open(root).verify()
    assert verification.is_sound, verification.findings
    assert verification.notes == []
    assert verification.progress.checked_count == len(list((root / TOP / "blobs").glob("*/*/*/data")))


@pytest.mark.parametrize("major", [2, 3], ids=["2.8", "3.x"])
def test_damage_is_found_while_the_registry_is_at_work(major: int, tmp_path: Path) -> None:
    root = tmp_path / "storage"
    with Server(major, root, tmp_path) as server:
        push_image(server.registry, "team/app", "1.0", CONTENT)
        push_image(server.registry, "alias/app", "1.0", CONTENT, "sha512")
        push_image(server.registry, "team/other", "1.0", CONTENT[:1000])
        location = server.registry.start_upload("team/app")
        server.registry.continue_upload(location, CONTENT[:500])
        store = regsweep.open(server.config)
        assert store.verify().is_sound

        # The registry stores both under the sha256, and gives it out without a look.
        digest = digest_of(CONTENT)
        with (root / TOP / blob_path(digest)).open("r+b") as data:
            data.seek(2_000_000)
            data.write(bytes([CONTENT[2_000_000] ^ 4]))
        (finding,) = store.verify().findings
        assert (finding.kind, finding.digest) == ("corrupt", digest)
        assert {f"{image.repository}:{image.tag}" for image in finding.images} == {"team/app:1.0", "alias/app:1.0"}
        with pytest.raises(AssertionError):
            server.registry.blob("team/app", digest)

        # As the page says: a push mends nothing as long as the damaged blob is there.
        push_image(server.registry, "team/app", "1.0", CONTENT)
        assert [one.digest for one in store.verify().findings] == [digest]
        (root / TOP / blob_path(digest)).unlink()
        (finding,) = store.verify(repositories=["team/app"]).findings
        assert (finding.kind, finding.digest) == ("missing", digest)
        push_image(server.registry, "team/app", "1.0", CONTENT)
        assert store.verify().is_sound
        assert server.registry.blob("alias/app", digest_of(CONTENT, "sha512")) == CONTENT


def test_a_deleted_image_is_no_finding(pushed: Pushed, tmp_path: Path) -> None:
    root = duplicate(pushed.root, tmp_path / "storage")
    with pushed.server(root) as server:
        (tag, *_) = server.registry.tags("team/app")
        server.registry.delete_manifest("team/app", server.registry.manifest("team/app", tag).digest)
        assert regsweep.open(root).verify().is_sound
