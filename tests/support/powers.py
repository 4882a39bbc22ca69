"""Running a command so that permissions count, as most registries run.

Root keeps its name, for its interpreter may be nobody else's, and loses the powers by which it reads and writes anyway.
"""

from __future__ import annotations

import os

from support import programs


def without_powers(command: list[str]) -> list[str]:
    """The command, as one that permissions hold back; leaves the test out where that cannot be had."""
    if os.geteuid() != 0:
        return command
    setpriv = programs.find("setpriv")
    taken = "-dac_override,-dac_read_search,-fowner"
    return [setpriv, f"--bounding-set={taken}", f"--inh-caps={taken}", *command]
