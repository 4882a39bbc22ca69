"""Programs that tests run: found, or the test is skipped; failed where all servers are required."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[2] / ".tools" / "bin"
# Debian's docker-registry is 2.8.2; `go install` calls 3.1.2 `registry`.
REGISTRIES = {2: "docker-registry", 3: "registry"}


def find(name: str) -> str:
    """A program's path; skips the test (or fails it, where all are required) without."""
    found = shutil.which(name, path=f"{TOOLS}{os.pathsep}{os.environ.get('PATH', '')}")
    if found is None:
        reason = f"{name} is not installed"
        if os.environ.get("REGSWEEP_REQUIRE_SERVERS"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def find_registry(major: int) -> str:
    """The registry of a major version."""
    return find(REGISTRIES[major])
