"""The command line: ``regsweep COMMAND …``.

``garbage-collect`` is started without click: importing click costs about as much time as collecting a small registry,
and the command's syntax is Go's (pflag), which click does not speak. Everything else is a click group.
"""

from __future__ import annotations

import sys

from regsweep import exit_codes

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
    try:
        if arguments[:1] == ["garbage-collect"]:
            from regsweep.cli.garbage_collect import run

            sys.exit(run(arguments[1:]))
        from regsweep.cli.group import group

        group.main(args=arguments, prog_name="regsweep")
    except KeyboardInterrupt:
        # Before a command has begun its work, or after it has ended.
        sys.exit(exit_codes.INTERRUPTED)
    raise AssertionError("click leaves by SystemExit")
