"""Real registries keep images in these servers: pushed by clients, pulled as they were pushed.

Not in fake-gcs-server: the registry's driver uploads to the real service, whatever the environment says.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from support.buckets import BucketServer
from support.clients import Clients
from support.servers import Server
from support.store_builder import TOP, blob_path

ROOT = "some/root"


@pytest.mark.parametrize(("name", "major"), [("versitygw", 2), ("versitygw", 3), ("moto", 3), ("azurite", 3)])
def test_an_image_and_an_artifact_are_pushed_and_pulled(
    name: str, major: int, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    buckets: BucketServer = request.getfixturevalue(name)
    bucket = buckets.fresh_bucket()
    clients = Clients.in_directory(tmp_path / "clients")
    clients.make_image("one")
    with Server(major, buckets.registry_section(bucket, ROOT, major), tmp_path) as server:
        address = server.registry.address
        clients.push("one", address, "team/app:one")
        clients.push_artifact(address, "team/app:chart")
        pulled = server.registry.pull("team/app", "one") | server.registry.pull("team/app", "chart")
        assert clients.pull(address, "team/app:one").items() <= pulled.items()
    keys = buckets.keys(bucket)
    assert {f"{ROOT}/{TOP}/{blob_path(digest)}" for digest in pulled} <= keys.keys()
    assert f"{ROOT}/{TOP}/repositories/team/app/_manifests/tags/one/current/link" in keys
