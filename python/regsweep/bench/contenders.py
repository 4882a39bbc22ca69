"""Who takes part in a comparison: programs as command lines."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

MINIMAL_SOURCE = Path(__file__).with_name("minimal.c")


@dataclass(frozen=True)
class Contender:
    """A program that collects.

    Attributes:
        name: how results call it.
        command: the words before the flags of a case.
        takes_flags: whether it understands ``-d`` and ``-m`` (the minimal program does not).
    """

    name: str
    command: tuple[str, ...]
    takes_flags: bool = True
    environment: dict[str, str] = field(default_factory=dict)

    def words(self, flags: tuple[str, ...], config: Path) -> list[str]:
        """The command line for a registry configuration."""
        return [*self.command, *flags, str(config)] if self.takes_flags else list(self.command)


def program() -> tuple[str, ...]:
    """The installed regsweep, as a whole process: interpreter start and imports count."""
    script = Path(sys.executable).with_name("regsweep")
    return (str(script),) if script.exists() else (sys.executable, "-m", "regsweep")


def regsweep() -> Contender:
    """The drop-in."""
    return Contender("regsweep", (*program(), "garbage-collect"))


def step(name: str, *words: str) -> Contender:
    """A step of the cycle: ``plan``, ``apply``, ``undo``."""
    return Contender(name, (*program(), *words), takes_flags=False)


def reference(name: str, program: str) -> Contender | None:
    """A registry's own collector; ``None`` where the program is not installed."""
    found = shutil.which(program)
    if found is None:
        return None
    return Contender(name, (found, "garbage-collect"), environment={"OTEL_TRACES_EXPORTER": "none"})


def build_minimal(directory: Path) -> Path | None:
    """Compiles the minimal program; ``None`` where there is no C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None
    program = directory / "minimal"
    subprocess.run([compiler, "-O2", "-pthread", "-o", program, MINIMAL_SOURCE], check=True)
    return program


def minimal(program: Path, mode: str, root: Path, candidates: Path, threads: int | None = None) -> Contender:
    """The minimal program on a store, as many threads as cores by default.

    ``mode`` is ``scan``, ``unlink``, ``aside`` (moves blobs away) or ``back`` (and back again).
    """
    words = (str(program), mode, str(root), str(threads or os.cpu_count() or 2), str(candidates))
    return Contender("minimal", words, takes_flags=False)
