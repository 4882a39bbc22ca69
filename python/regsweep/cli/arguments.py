"""Arguments of ``garbage-collect``, in the syntax of the reference's command line.

The reference is written in Go and uses pflag. Where that differs from Python's habits, scripts in the wild rely on it:
flags stand before or after the configuration, ``--delete-untagged=true`` and ``-m=false`` are common, ``-dm`` is both,
a bare ``--`` ends the flags, and further positional arguments are ignored. So a first pass takes apart what pflag would
(flags.go: ``parseLongArg``, ``parseSingleShortArg``), and argparse does the rest: values, errors, help.
"""

from __future__ import annotations

import argparse

from regsweep import exit_codes, units
from regsweep.errors import UnitError
from regsweep.safety import GUARDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import NoReturn

PROGRAM = "regsweep garbage-collect"

# The reference's own flags, long name to short one. They are booleans.
_SWITCHES = {"dry-run": "d", "delete-untagged": "m", "quiet": "q"}
_SHORT_SWITCHES = {short: name for name, short in _SWITCHES.items()}
_VALUED = ("compat", "min-age", "jobs", "keep-list", "override", "accept-damage", "max-removed-share", "json")
# strconv.ParseBool
_TRUE = ("1", "t", "T", "TRUE", "true", "True")
_FALSE = ("0", "f", "F", "FALSE", "false", "False")


class Options(argparse.Namespace):
    """What was asked for."""

    config: str | None
    ignored_arguments: list[str]
    dry_run: bool
    delete_untagged: bool
    quiet: bool
    compat: int
    min_age: float
    jobs: int | None
    keep_list: str | None
    override: list[str]
    accept_damage: list[str]
    max_removed_share: float | None
    json: str | None


def parse(arguments: Sequence[str]) -> Options:
    """Understands the command line, or leaves the process with exit code 2 and a message (0 after ``--help``)."""
    parser = make_parser()
    switches, valued, positional = _take_apart(arguments, parser)
    options = parser.parse_args(valued, namespace=Options())
    for name, state in switches.items():
        setattr(options, name.replace("-", "_"), state)
    options.config = positional[0] if positional else None
    options.ignored_arguments = positional[1:]
    if options.json == "-" and not options.quiet:
        parser.error("--json - writes to standard output, where the lines go: it needs --quiet")
    return options


def _take_apart(
    arguments: Sequence[str], parser: argparse.ArgumentParser
) -> tuple[dict[str, bool], list[str], list[str]]:
    """Last state of each switch; the other flags, their values joined with ``=``; the positional arguments."""
    switches = dict.fromkeys(_SWITCHES, False)
    others: list[str] = []
    positional: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        if argument == "--":
            positional.extend(rest)
        elif argument.startswith("--"):
            name, equals, value = argument[2:].partition("=")
            if name in _SWITCHES:
                switches[name] = _parse_bool(value, f"--{name}", parser) if equals else True
            elif name in _VALUED and not equals:
                following = next(rest, None)
                if following is None:
                    parser.error(f"argument --{name}: expected one argument")
                others.append(f"{argument}={following}")
            else:
                others.append(argument)
        elif argument.startswith("-") and argument != "-":
            others.extend(_take_apart_short(argument, switches, parser))
        else:
            positional.append(argument)
    return switches, others, positional


def _take_apart_short(argument: str, switches: dict[str, bool], parser: argparse.ArgumentParser) -> list[str]:
    for position, letter in enumerate(argument[1:], start=1):
        name = _SHORT_SWITCHES.get(letter)
        if name is None:
            # Unknown, or -h: argparse says what there is to say.
            return [f"-{argument[position:]}" if letter != "h" else "-h"]
        if argument[position + 1 : position + 2] == "=":
            switches[name] = _parse_bool(argument[position + 2 :], f"-{letter}, --{name}", parser)
            break
        switches[name] = True
    return []


def _parse_bool(text: str, flag: str, parser: argparse.ArgumentParser) -> bool:
    if text not in _TRUE and text not in _FALSE:
        parser.error(f'invalid argument "{text}" for "{flag}" flag: it takes true or false')
    return text in _TRUE


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(
            exit_codes.USAGE, f"{self.format_usage()}Try '{PROGRAM} --help' for help.\n\n{PROGRAM}: error: {message}\n"
        )


def make_parser() -> argparse.ArgumentParser:
    """The parser that knows all options and their help."""
    parser = _Parser(
        prog=PROGRAM,
        usage=f"{PROGRAM} [CONFIG] [OPTIONS]",
        description="Removes from a registry's storage what no manifest references any more.\n\n"
        "CONFIG is the registry's configuration file; by default what REGISTRY_CONFIGURATION_PATH names.\n"
        "REGISTRY_... variables override it as they do for the registry.",
        epilog=exit_codes.help_text(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        add_help=False,
    )
    group = parser.add_argument_group("as in the registry's own garbage-collect")
    # The switches are taken out before argparse sees them: they stand here for --help.
    group.add_argument(
        "-m",
        "--delete-untagged",
        action="store_true",
        help="delete manifests that no tag reaches; what a tagged index or artifact needs stays",
    )
    group.add_argument("-d", "--dry-run", action="store_true", help="say what would be removed, and remove nothing")
    group.add_argument(
        "-q", "--quiet", action="store_true", help="no lines on standard output (the summary on stderr stays)"
    )
    group.add_argument("-h", "--help", action="help", help="show this and exit")
    group = parser.add_argument_group("more")
    group.add_argument(
        "--compat", type=int, choices=(2, 3), default=3, help="write the lines of registry 2.8 or 3.x (default: 3)"
    )
    group.add_argument(
        "--min-age",
        type=_argument(units.parse_duration),
        default=0.0,
        metavar="DURATION",
        help="keep whatever is younger (90s, 24h, 7d), and what it needs; for a registry in use",
    )
    group.add_argument("--jobs", type=_jobs, metavar="N", help="number of threads (default: fits the machine)")
    group.add_argument(
        "--keep-list",
        metavar="FILE",
        help="keep what FILE names: one digest, repository:tag or repository@digest a line, # for comments",
    )
    group.add_argument(
        "--override",
        action="append",
        choices=GUARDS,
        default=[],
        metavar="GUARD",
        help=f"switch a guard off: {', '.join(GUARDS)} (repeatable)",
    )
    group.add_argument(
        "--accept-damage",
        action="append",
        default=[],
        metavar="REPOSITORY",
        help="collect in a damaged repository, too, as if what is damaged were gone (repeatable)",
    )
    group.add_argument(
        "--max-removed-share",
        type=_argument(units.parse_share),
        metavar="SHARE",
        help="refuse where more than this share of the blobs would go (0.3, 30%%)",
    )
    group.add_argument(
        "--json", metavar="FILE", help="write the whole result to FILE as JSON (- for standard output, with -q)"
    )
    return parser


def _argument(parse_text: Callable[[str], float]) -> Callable[[str], float]:
    def parse_argument(text: str) -> float:
        try:
            return parse_text(text)
        except UnitError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return parse_argument


def _jobs(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 1024):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of threads (1 to 1024)")
    return int(text)
