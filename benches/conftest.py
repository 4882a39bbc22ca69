"""Stores for the trend benchmarks, made once a session."""

from __future__ import annotations

from pathlib import Path

import pytest

from regsweep.bench import stores


@pytest.fixture(scope="session", params=["many repositories", "one repository"])
def root(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of about 10,000 blobs, shaped either way."""
    repositories = 100 if request.param == "many repositories" else 1
    path = tmp_path_factory.mktemp("store") / "root"
    stores.generate(path, {"repositories": repositories, "images": 1000 // repositories, "orphans": 1000})
    return path
