"""Runs the command as a process of its own, the way people run it."""

import os
import subprocess
import sys
from pathlib import Path

from tiny_store import TinyStore

CONFIG = """\
version: 0.1
storage:
  filesystem:
    rootdirectory: {root}
  maintenance:
    readonly:
      enabled: true
"""


class Command:
    """``regsweep garbage-collect`` on a store with a read-only registry's configuration."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.store = TinyStore(directory / "store")
        self.config = directory / "config.yml"
        self.configure()

    def configure(self, more: str = "") -> None:
        """Writes the configuration, with more lines at its end."""
        self.config.write_text(CONFIG.format(root=self.store.root) + more)

    def run(self, *arguments: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Runs with the configuration as first argument."""
        return run("garbage-collect", str(self.config), *arguments, environment=environment)

    def filtered(self, text: str) -> str:
        """Text without what differs from run to run."""
        lines = text.replace(str(self.directory), "DIR").splitlines(keepends=True)
        return "".join(
            f"{line.rpartition(' in ')[0]} in TIME\n" if line.startswith("freed ") else line for line in lines
        )


def run(*arguments: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Runs regsweep without any REGISTRY_ variable of the tester's own."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("REGISTRY_")}
    return subprocess.run(
        [sys.executable, "-m", "regsweep", *arguments],
        env={**clean, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
