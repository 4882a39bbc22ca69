"""The collectors as programs: the two reference ones, if they are installed, and regsweep beside this interpreter.

What each prints is taken apart the same way, so that runs can be compared as sets and, line for line, as texts.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from support.programs import find_registry
from support.sections import Section, write_section
from support.store_builder import write_config

REGSWEEP = Path(sys.executable).with_name("regsweep")
# Far more than any run here needs: a program that hangs is a failure, not a wait.
TIMEOUT_SECONDS = 60.0


@dataclass
class Run:
    """What a collector did and said."""

    exit_code: int
    stdout: str
    stderr: str
    marking: list[str] = field(default_factory=list)
    """The lines before the summary, but for the eligible manifests."""
    manifests: Counter[str] = field(default_factory=Counter)
    """As printed: 2.8 names the digest only, 3.x the repository and its tags as well."""
    summary: str = ""
    blobs: set[str] = field(default_factory=set)
    layer_links: set[tuple[str, str]] = field(default_factory=set)

    def revisions(self) -> Counter[str]:
        """How often the link of each digest is eligible."""
        return Counter(DIGEST.findall(" ".join(self.manifests.elements())))

    def normal(self) -> str:
        """The text with what comes in random order sorted."""
        before, _, after = self.stdout.partition("\n\n")
        first, _, rest = after.partition("\n")
        lines = sorted(rest.splitlines(), key=lambda line: (": layer link" in line, line))
        return "\n".join([before, "", first, *lines])


DIGEST = re.compile(r"sha\d+:[0-9a-f]{64,128}")
_MANIFEST = "manifest eligible for deletion: "
_BLOB = "blob eligible for deletion: "
_LAYER_LINK = ": layer link eligible for deletion: "


def _take_apart(run: Run) -> Run:
    for line in run.stdout.splitlines():
        if line.startswith(_MANIFEST):
            run.manifests[line.removeprefix(_MANIFEST)] += 1
        elif line.startswith(_BLOB):
            run.blobs.add(line.removeprefix(_BLOB))
        elif _LAYER_LINK in line:
            repository, _, digest = line.partition(_LAYER_LINK)
            run.layer_links.add((repository, digest))
        elif "eligible for deletion" in line:
            run.summary = line
        elif line:
            run.marking.append(line)
    return run


def run_program(
    command: list[str], environment: dict[str, str] | None = None, *, timeout_seconds: float = TIMEOUT_SECONDS
) -> Run:
    """Runs a program to its end, and takes apart what it prints."""
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        errors="surrogateescape",
        timeout=timeout_seconds,
        env={**os.environ, **(environment or {})},
    )
    return _take_apart(Run(done.returncode, done.stdout, done.stderr))


def _config(root: Path) -> Path:
    return write_config(root.parent, root)


def run_reference(major: int, root: Path, *flags: str) -> Run:
    """Runs ``garbage-collect`` of 2.8 or 3.x on a store."""
    return _collect(major, _config(root), flags, {}, TIMEOUT_SECONDS)


def run_reference_on(
    major: int, section: Section, directory: Path, *flags: str, timeout_seconds: float = TIMEOUT_SECONDS
) -> Run:
    """Runs ``garbage-collect`` of 2.8 or 3.x on a bucket; its configuration is written into a directory.

    Args:
        timeout_seconds: each of its requests waits for the one before, so that latency and objects make it slow.
    """
    return _collect(major, write_section(directory, section), flags, section.environment, timeout_seconds)


def _collect(
    major: int, config: Path, flags: tuple[str, ...], environment: dict[str, str], timeout_seconds: float
) -> Run:
    command = [find_registry(major), "garbage-collect", *flags, str(config)]
    # Without this, 3.x logs for ever that it has nowhere to send its traces.
    environment = {**environment, "OTEL_TRACES_EXPORTER": "none"}
    return run_program(command, environment, timeout_seconds=timeout_seconds)


def run_regsweep(root: Path, *flags: str) -> Run:
    """Runs regsweep's ``garbage-collect`` on a store."""
    return run_program([str(REGSWEEP), "garbage-collect", *flags, str(_config(root))])
