"""System calls made to fail from outside, by strace: below every library, in the program as it is installed.

Only calls on the storage are touched, by naming every directory and file of it to strace (`-P`). strace counts calls
for each thread by itself, so that ``when=5`` is the fifth of its kind in any thread that gets so far.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from support import programs
from support.reference import REGSWEEP, Run, run_program
from support.store_builder import write_config

OPEN = "openat,openat2"
LIST = "getdents64"
READ = "read,pread64"
STAT = "statx,newfstatat"
REMOVE = "unlinkat"
MOVE = "renameat2,renameat"
MAKE = "mkdirat"
EVERYTHING = ",".join([OPEN, LIST, READ, STAT, REMOVE, MOVE, MAKE])


def need_strace() -> None:
    """Leaves the test out if strace is missing or may not trace."""
    if run_program([programs.find("strace"), "-qq", "-o", os.devnull, "true"]).exit_code != 0:
        programs.leave_out("strace may not trace here")


@dataclass(frozen=True)
class Fault:
    """Which calls fail: ``what`` is ``error=EIO`` or ``signal=KILL``, ``when`` is ``3``, ``3+``, ``1..4``."""

    calls: str
    what: str
    when: str = "1+"

    def __str__(self) -> str:
        return f"{self.calls}:{self.what}:when={self.when}"


@dataclass
class Traced:
    """What a program did and said, and the calls that it made on the storage."""

    run: Run
    calls: list[str]

    @property
    def injected(self) -> list[str]:
        """The calls that were made to fail."""
        return [call for call in self.calls if "(INJECTED)" in call]

    def most_in_one_thread(self, calls: str) -> int:
        """The highest useful ``when`` for these calls."""
        pattern = re.compile(rf"^(\d+) +(?:{calls.replace(',', '|')})\(")
        threads = Counter(match[1] for call in self.calls if (match := pattern.match(call)))
        return max(threads.values(), default=0)


def trace(root: Path, fault: Fault | None, *flags: str, paths: Iterable[Path] | None = None) -> Traced:
    """Runs regsweep's ``garbage-collect`` on a store while calls fail; on ``paths`` only, if there are any given."""
    with tempfile.TemporaryDirectory() as directory:
        config = write_config(Path(directory), root)
        watched = everything_in(root) if paths is None else paths
        return trace_regsweep(["garbage-collect", *flags, str(config)], fault, watched)


def trace_regsweep(
    arguments: Iterable[str], fault: Fault | None, paths: Iterable[Path] = (), calls: str = EVERYTHING
) -> Traced:
    """Runs regsweep while calls fail; on ``paths`` only, if there are any given. ``calls`` are those that are noted.

    A path may also be the text that the program hands to the system, which is relative to some open directory.
    """
    with tempfile.TemporaryDirectory() as directory:
        output = Path(directory) / "trace"
        command = ["strace", "-f", "-qq", "-o", str(output)]
        command += [part for path in paths for part in ("-P", str(path))]
        command += ["-e", f"trace={calls}"]
        if fault is not None:
            command += ["-e", f"inject={fault}"]
        run = run_program([*command, str(REGSWEEP), *arguments])
        return Traced(run, output.read_text(errors="replace").splitlines())


def everything_in(root: Path) -> list[Path]:
    """The root, and every directory and file below it."""
    return [root, *sorted(root.rglob("*"))]
