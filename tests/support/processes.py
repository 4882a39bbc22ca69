"""Servers as processes on loopback: started with port 0, found by the port that they got, stopped, their logs kept.

A server is asked to listen on port 0, so nothing races for a number; which port the system gave it is read from the
kernel's tables, so that no server's log has to be understood. A server that listens is ready: connections wait for it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

# Starting takes 0.1 s, or 2 s in Python or Node; on a machine that compiles on all cores it may take far more.
START_TIMEOUT_SECONDS = 60.0
STOP_TIMEOUT_SECONDS = 10.0

# Of /proc/net/tcp: state LISTEN, and 127.0.0.1 as the kernel writes it.
LISTENING, LOOPBACK = "0A", "0100007F"


def dying_with_its_parent() -> list[str]:
    """What to put before a command so that tests which are killed leave no server behind."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM"] if setpriv else []


def start(command: list[str], log: Path, environment: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
    """Starts a server that writes all it says to a log."""
    with log.open("wb") as output:
        return subprocess.Popen(
            [*dying_with_its_parent(), *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
        )


def stop(process: subprocess.Popen[bytes] | None) -> None:
    """Ends a server, politely at first."""
    if process is None:
        return
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait_for_port(process: subprocess.Popen[bytes], log: Path) -> int:
    """The port of 127.0.0.1 that a server listens on, as soon as it does.

    Raises:
        AssertionError: it has ended, or does not listen in time; with its log.
    """
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if (port := _listening_port(process.pid)) is not None:
            return port
        time.sleep(0.02)
    raise AssertionError(f"{process.args!r} does not start:\n{log.read_text(errors='replace')}")


def _listening_port(process_id: int) -> int | None:
    try:
        sockets = _sockets(process_id)
        table = Path(f"/proc/{process_id}/net/tcp").read_text()
    except OSError:
        return None  # it has just ended
    for line in table.splitlines()[1:]:
        _, local, _, state, *fields = line.split()
        address, _, port = local.partition(":")
        if (address, state) == (LOOPBACK, LISTENING) and fields[5] in sockets:
            return int(port, 16)
    return None


def _sockets(process_id: int) -> set[str]:
    """The inodes of the sockets that a process holds."""
    found = set()
    for descriptor in Path(f"/proc/{process_id}/fd").iterdir():
        try:
            target = descriptor.readlink()
        except FileNotFoundError:
            continue  # closed meanwhile
        if socket := re.fullmatch(r"socket:\[(\d+)\]", str(target)):
            found.add(socket[1])
    return found
