"""The core's contract suite (``rust/core/tests/contract.rs``) on real servers."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from support.buckets import BucketServer
from support.buckets.azure import ACCOUNT, KEY
from support.buckets.gcs import FakeGcs
from support.buckets.s3 import ACCESS_KEY, SECRET_KEY
from support.programs import find

TOP = Path(__file__).parents[2]


def contract_options(server: BucketServer, bucket: str) -> dict[str, str]:
    options = {"provider": server.provider, "endpoint": f"http://{server.address}", "bucket": bucket}
    if server.provider == "s3":
        return {**options, "access_key_id": ACCESS_KEY, "secret_access_key": SECRET_KEY}
    if server.provider == "azure":
        return {**options, "endpoint": f"http://{server.address}/{ACCOUNT}", "access_key": KEY}
    assert isinstance(server, FakeGcs)
    return {**options, "key": server.key_file.read_text()}


def test_a_real_server_keeps_the_contract_of_all_stores(server: BucketServer) -> None:
    named = json.dumps([contract_options(server, server.fresh_bucket())])
    tests = [find("cargo"), "test", "--quiet", "--package", "regsweep-core", "--test", "contract"]
    done = subprocess.run(
        tests,
        cwd=TOP,
        env={**os.environ, "REGSWEEP_CONTRACT_BUCKETS": named},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "test result: ok." in done.stdout
