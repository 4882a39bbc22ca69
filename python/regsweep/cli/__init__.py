"""The command line: ``regsweep COMMAND …``.

``garbage-collect`` is started without click: importing click costs about as much time as collecting a small registry,
and the command's syntax is Go's (pflag), which click does not speak. Everything else is a click group.
"""

from __future__ import annotations

import os
import sys

from regsweep import _core, exit_codes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Runs a command and leaves the process with its exit code.

    Args:
        argv: the arguments after the program's name; those of the process by default.
    """
    arguments = sys.argv[1:] if argv is None else list(argv)
    if argv is None:
        _core.use_few_arenas()
    try:
        if arguments[:1] == ["garbage-collect"]:
            from regsweep.cli.garbage_collect import run

            code = run(arguments[1:])
            if argv is None:
                _end_process(code)
            sys.exit(code)
        from regsweep.cli.group import group

        group.main(args=arguments, prog_name="regsweep")
    except KeyboardInterrupt:
        # Before a command has begun its work, or after it has ended.
        sys.exit(exit_codes.INTERRUPTED)
    raise AssertionError("click leaves by SystemExit")


def _end_process(code: int) -> NoReturn:
    """Ends the process at once: freeing one by one what goes with it anyway takes as long as the imports did."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            pass  # nobody reads it any more; the code still counts
    os._exit(code)
