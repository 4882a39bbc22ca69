"""Running a command so that permissions count, as most registries run.

Root keeps its name, for its interpreter may be nobody else's, and loses the powers by which it reads and writes anyway.
"""

from __future__ import annotations

import os
import shutil

import pytest


def without_powers(command: list[str]) -> list[str]:
    """The command, as one that permissions hold back; skips the test where that cannot be had."""
    if os.geteuid() != 0:
        return command
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv is not installed, and root may read everything")
    taken = "-dac_override,-dac_read_search,-fowner"
    return ["setpriv", f"--bounding-set={taken}", f"--inh-caps={taken}", *command]
