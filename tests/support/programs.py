"""Programs that tests run. Without them tests are skipped, or fail where all servers are required."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import NoReturn

import pytest

TOOLS = Path(__file__).parents[2] / ".tools" / "bin"
# Debian's docker-registry is 2.8.2; `go install` calls 3.1.2 `registry`.
REGISTRIES = {2: "docker-registry", 3: "registry"}


def find(name: str) -> str:
    """A program's path; the test is left out where there is none."""
    # Some come with Python packages, and so lie beside the interpreter.
    places = [str(TOOLS), os.environ.get("PATH", ""), str(Path(sys.executable).parent)]
    found = shutil.which(name, path=os.pathsep.join(places))
    if found is None:
        leave_out(f"{name} is not installed")
    return found


def leave_out(reason: str) -> NoReturn:
    """Skips the test; fails it where all servers are required."""
    if os.environ.get("REGSWEEP_REQUIRE_SERVERS"):
        pytest.fail(reason)
    pytest.skip(reason)


def find_registry(major: int) -> str:
    """The registry of a major version."""
    return find(REGISTRIES[major])
