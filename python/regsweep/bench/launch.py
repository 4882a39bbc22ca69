"""Runs one program and says what it used, as JSON on standard output. Started by ``measure`` as a script.

A process of its own, and a small one: the kernel counts towards a program's peak memory what its parent held when it
was forked, so whoever measures must be smaller than what is measured.
"""

import os
import sys
import time


def main() -> None:
    """Runs ``argv[1:]`` with its standard output thrown away."""
    null = os.open(os.devnull, os.O_WRONLY)
    begin = time.perf_counter()
    child = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, null, 1)])
    _, status, usage = os.wait4(child, 0)
    wall = time.perf_counter() - begin
    code = os.waitstatus_to_exitcode(status)
    sys.stdout.write(f"[{wall}, {usage.ru_utime}, {usage.ru_stime}, {usage.ru_maxrss * 1024}, {code}]\n")


if __name__ == "__main__":
    main()
