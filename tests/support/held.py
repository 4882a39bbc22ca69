"""A running program stopped between two of its steps: right after a system call on a chosen path, until it is let go.

    with Held(server.process_id, "openat", link) as held:
        put = held.begin(lambda: registry.put_manifest(…))   # comes as far as opening the link
        …                                                    # the world changes meanwhile
        held.go_on()
        put.result()

What is a matter of luck under load is certain here: a race is tested once, and nothing waits for a while and hopes.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import TypeVar

T = TypeVar("T")

# Far more than a request takes to come that far: one that never does is a failure, not a wait.
TIMEOUT_SECONDS = 60.0


class Held:
    """A process that stops, with all its threads, when the first of them has done the call on the path.

    Args:
        process_id: of the process.
        call: the system call, as strace calls it.
        path: what it is called with, or on an open file of.
    """

    def __init__(self, process_id: int, call: str, path: Path) -> None:
        self._process_id = process_id
        self._command = ["strace", "-f", "-p", str(process_id), "-P", str(path)]
        self._command += ["-e", f"trace={call}", "-e", f"inject={call}:signal=STOP"]
        self._executor = ThreadPoolExecutor(1)

    def __enter__(self) -> Held:
        self._directory = tempfile.TemporaryDirectory()
        self._output = Path(self._directory.name) / "trace"
        self._strace = subprocess.Popen([*self._command, "-o", str(self._output)], stderr=subprocess.PIPE, text=True)
        assert self._strace.stderr is not None
        said = self._strace.stderr.readline()
        assert " attached" in said, said
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._let_loose()
        assert self._strace.stderr is not None
        self._strace.stderr.close()
        self.go_on()
        self._executor.shutdown()
        self._directory.cleanup()

    def begin(self, request: Callable[[], T]) -> Future[T]:
        """Starts a request in a thread of its own; the process is stopped when this comes back."""
        answer = self._executor.submit(request)
        self._wait(lambda: "stopped by SIGSTOP" in self._output.read_text(), answer)
        # Whoever is stopped stays so, and makes no more calls that anybody looks at.
        self._let_loose()
        self._wait(self._is_stopped, answer)
        return answer

    def go_on(self) -> None:
        """Lets the process go on."""
        os.kill(self._process_id, signal.SIGCONT)

    def _is_stopped(self) -> bool:
        tasks = Path(f"/proc/{self._process_id}/task").iterdir()
        return {(task / "stat").read_text().rpartition(")")[2].split()[0] for task in tasks} == {"T"}

    def _wait(self, condition: Callable[[], bool], answer: Future[T]) -> None:
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while not condition():
            assert not answer.done(), f"the request ended without the call: {answer}"
            assert time.monotonic() < deadline, "the request does not come as far as the call"
            time.sleep(0.005)

    def _let_loose(self) -> None:
        self._strace.terminate()
        self._strace.wait()
