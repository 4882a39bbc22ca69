"""Measuring whole processes: wall time, processor time, peak memory."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

_LAUNCH = Path(__file__).with_name("launch.py")
DROP_CACHES = Path("/proc/sys/vm/drop_caches")


@dataclass(frozen=True)
class Run:
    """One run of a process. Times in seconds; memory is the peak resident set."""

    wall_seconds: float
    user_seconds: float
    system_seconds: float
    peak_bytes: int
    exit_code: int


@dataclass
class Series:
    """All runs of one contender in one case."""

    contender: str
    case: str
    runs: list[Run] = field(default_factory=list)

    @property
    def wall_seconds(self) -> float:
        """The median."""
        return statistics.median(run.wall_seconds for run in self.runs)

    @property
    def spread(self) -> float:
        """Slowest over fastest."""
        times = [run.wall_seconds for run in self.runs]
        return max(times) / min(times)

    @property
    def processor_seconds(self) -> float:
        """The median of user and system time together."""
        return statistics.median(run.user_seconds + run.system_seconds for run in self.runs)

    @property
    def peak_bytes(self) -> int:
        """The largest."""
        return max(run.peak_bytes for run in self.runs)

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self)


def run(words: list[str], environment: dict[str, str]) -> Run:
    """Runs a process to its end, its output thrown away.

    Raises:
        RuntimeError: it failed (regsweep's 3, "done, but damage was found", is no failure).
    """
    launch = [sys.executable, "-I", "-S", str(_LAUNCH), *words]
    # In a session of their own, so that whatever ends this process can take the measured program with it.
    process = subprocess.Popen(
        launch,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **environment},
        start_new_session=True,
    )
    with process:
        try:
            stdout, stderr = process.communicate()
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise
    complaint = stderr.decode(errors="replace")[-2000:]
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(words)} could not be started\n{complaint}")
    measured = Run(*json.loads(stdout))
    if measured.exit_code not in (0, 3):
        raise RuntimeError(f"{' '.join(words)}: exit {measured.exit_code}\n{complaint}")
    return measured


def can_drop_caches() -> bool:
    """Whether this process may."""
    return os.access(DROP_CACHES, os.W_OK)


def drop_caches() -> None:
    """Empties the page, dentry and inode caches."""
    os.sync()
    DROP_CACHES.write_text("3")
