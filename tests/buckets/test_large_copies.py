"""What is too large for one request is set aside, and brought back, in parts: on servers that really copy them."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
from support.buckets import Moto, Versitygw
from support.documents import digest_of
from support.shaped_store import make_store, objects_of
from support.store_builder import TOP, blob_path

from regsweep import _core, apply, plan, quarantine
from regsweep.bucket.urls import parse
from regsweep.library import Store

ROOT = "some/root"
# As little as S3 takes for a part.
PART_BYTES = 5 << 20
CONTENT = os.urandom(2 * PART_BYTES + 7)
KEY = f"{ROOT}/{TOP}/{blob_path(digest_of(CONTENT))}"


@pytest.mark.parametrize("name", ["versitygw", "moto"])
def test_a_large_blob_is_set_aside_and_comes_back_as_it_was(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    server: Versitygw | Moto = request.getfixturevalue(name)
    bucket = server.fresh_bucket()
    server.put_all(bucket, {**objects_of(make_store(repositories=1, images=2), ROOT), KEY: CONTENT})
    filled = int(time.time())
    # No server lets its clients choose an object's time, and plans count in whole seconds.
    while int(time.time()) <= filled:
        time.sleep(0.05)
    location = parse(server.url(bucket, ROOT), server.environment())
    small = {"copied_whole_bytes": PART_BYTES, "copied_part_bytes": PART_BYTES}
    location = replace(location, settings={**location.settings, **small})
    store = Store(_core.Store.open_bucket(location.options), location.url, None, location)

    made = plan.make(store, mode="untagged", min_age=0)
    made.write(tmp_path / "plan")
    applied = apply.apply(store, tmp_path / "plan", set_aside="copy")
    assert not applied.removed.failures
    digest = digest_of(CONTENT).partition(":")[2]
    (aside,) = (key for key in server.keys(bucket) if digest in key)
    assert aside.startswith(f"{ROOT}/.regsweep/")
    assert server.content(bucket, aside) == CONTENT
    assert server.multipart_uploads(bucket) == []

    undone = quarantine.undo(store, applied.run.id)
    assert not undone.restored.failures
    assert [key for key in server.keys(bucket) if digest in key] == [KEY]
    assert server.content(bucket, KEY) == CONTENT
    assert server.multipart_uploads(bucket) == []
