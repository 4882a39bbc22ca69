"""The exit codes of the ``regsweep`` command: the one place where they are given numbers and words.

A script may rely on this: with 1, 2 and 4 nothing has been removed.
"""

DONE = 0
FAILED = 1
USAGE = 2
DONE_WITH_DAMAGE = 3
REFUSED = 4
INTERRUPTED = 130

MEANINGS = {
    DONE: "done (a dry run too)",
    FAILED: "configuration, storage or marking error; nothing was removed",
    USAGE: "wrong usage; nothing was removed",
    DONE_WITH_DAMAGE: "done, but damage or a broken image was found, or something could not be removed or reported",
    REFUSED: "refused by a guard; nothing was removed",
    INTERRUPTED: "interrupted; what was removed until then is said on stderr, and running again finishes the work",
}


def help_text() -> str:
    """The list that ``--help`` ends with."""
    return "Exit codes:\n" + "\n".join(f"  {code:>3}  {meaning}" for code, meaning in MEANINGS.items())
