"""Arguments of ``garbage-collect``, in the syntax of the reference's command line.

The reference is written in Go and uses pflag. Where that differs from Python's habits, scripts in the wild rely on it:
flags stand before or after the configuration, ``--delete-untagged=true`` and ``-m=false`` are common, ``-dm`` is both,
a bare ``--`` ends the flags, and further positional arguments are ignored. So a first pass takes apart what pflag would
(flags.go: ``parseLongArg``, ``parseSingleShortArg``), and argparse does the rest: values, errors, help. Where there is
no rest, as in the reference's own calls, argparse is not even imported: that saves 5 ms.
"""

from __future__ import annotations

from regsweep import exit_codes, units
from regsweep.errors import UnitError
from regsweep.safety import GUARDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence
    from typing import NoReturn, TypeVar

    T = TypeVar("T", int, float)

PROGRAM = "regsweep garbage-collect"
USAGE = f"{PROGRAM} [CONFIG] [OPTIONS]"

# The reference's own flags, long name to short one. They are booleans.
_SWITCHES = {"dry-run": "d", "delete-untagged": "m", "quiet": "q"}
_SHORT_SWITCHES = {short: name for name, short in _SWITCHES.items()}
_VALUED = (
    "compat",
    "min-age",
    "jobs",
    "keep-list",
    "override",
    "accept-damage",
    "max-removed-share",
    "json",
    "max-requests-per-second",
    "cache-dir",
    "cache-size",
    "inventory",
)
# strconv.ParseBool
_TRUE = ("1", "t", "T", "TRUE", "true", "True")
_FALSE = ("0", "f", "F", "FALSE", "false", "False")


class Options:
    """What was asked for; by default what the reference does."""

    def __init__(self) -> None:
        self.config: str | None = None
        self.ignored_arguments: list[str] = []
        self.dry_run = False
        self.delete_untagged = False
        self.quiet = False
        self.compat = 3
        self.min_age = 0.0
        self.jobs: int | None = None
        self.keep_list: str | None = None
        self.override: list[str] = []
        self.accept_damage: list[str] = []
        self.max_removed_share: float | None = None
        self.json: str | None = None
        self.max_requests_per_second: float | None = None
        self.no_cache = False
        self.cache_dir: str | None = None
        self.cache_size: int | None = None
        self.inventory: str | None = None

    @property
    def cache(self) -> bool | str:
        """The directory of the cache, or whether there is to be one."""
        return not self.no_cache if self.cache_dir is None else self.cache_dir


def parse(arguments: Sequence[str]) -> Options:
    """Understands the command line, or leaves the process with exit code 2 and a message (0 after ``--help``)."""
    switches, valued, positional = _take_apart(arguments)
    options = Options()
    if valued:
        make_parser().parse_args(valued, namespace=options)
    for name, state in switches.items():
        setattr(options, name.replace("-", "_"), state)
    options.config = positional[0] if positional else None
    options.ignored_arguments = positional[1:]
    if options.json == "-" and not options.quiet:
        _fail("--json - writes to standard output, where the lines go: it needs --quiet")
    if options.no_cache and (options.cache_dir is not None or options.cache_size is not None):
        _fail("--no-cache excludes --cache-dir and --cache-size")
    return options


def _fail(message: str) -> NoReturn:
    make_parser().error(message)


def _take_apart(arguments: Sequence[str]) -> tuple[dict[str, bool], list[str], list[str]]:
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
                switches[name] = _parse_bool(value, f"--{name}") if equals else True
            elif name in _VALUED and not equals:
                following = next(rest, None)
                if following is None:
                    _fail(f"argument --{name}: expected one argument")
                others.append(f"{argument}={following}")
            else:
                others.append(argument)
        elif argument.startswith("-") and argument != "-":
            others.extend(_take_apart_short(argument, switches))
        else:
            positional.append(argument)
    return switches, others, positional


def _take_apart_short(argument: str, switches: dict[str, bool]) -> list[str]:
    for position, letter in enumerate(argument[1:], start=1):
        name = _SHORT_SWITCHES.get(letter)
        if name is None:
            # Unknown, or -h: argparse says what there is to say.
            return [f"-{argument[position:]}" if letter != "h" else "-h"]
        if argument[position + 1 : position + 2] == "=":
            switches[name] = _parse_bool(argument[position + 2 :], f"-{letter}, --{name}")
            break
        switches[name] = True
    return []


def _parse_bool(text: str, flag: str) -> bool:
    if text not in _TRUE and text not in _FALSE:
        _fail(f'invalid argument "{text}" for "{flag}" flag: it takes true or false')
    return text in _TRUE


def make_parser() -> argparse.ArgumentParser:
    """The parser that knows all options and their help; defaults are those of ``Options``."""
    import argparse

    class Parser(argparse.ArgumentParser):
        def error(self, message: str) -> NoReturn:
            hint = f"Try '{PROGRAM} --help' for help."
            self.exit(exit_codes.USAGE, f"{self.format_usage()}{hint}\n\n{PROGRAM}: error: {message}\n")

    parser = Parser(
        prog=PROGRAM,
        usage=USAGE,
        description="Removes from a registry's storage what no manifest references any more.\n\n"
        "CONFIG is the registry's configuration file; by default what REGISTRY_CONFIGURATION_PATH names.\n"
        "REGISTRY_... variables override it as they do for the registry.",
        epilog=exit_codes.help_text(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
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
    group.add_argument("--compat", type=int, choices=(2, 3), help="write the lines of registry 2.8 or 3.x (default: 3)")
    group.add_argument(
        "--min-age",
        type=_argument(units.parse_duration),
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
        metavar="GUARD",
        help=f"switch a guard off: {', '.join(GUARDS)} (repeatable)",
    )
    group.add_argument(
        "--accept-damage",
        action="append",
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
    group = parser.add_argument_group("where the storage is a bucket")
    group.add_argument(
        "--max-requests-per-second",
        type=_requests_per_second,
        metavar="N",
        help="ask the bucket's service no more often than so",
    )
    group.add_argument("--no-cache", action="store_true", help="keep no manifests from run to run")
    group.add_argument(
        "--cache-dir",
        metavar="DIR",
        help="where manifests are kept from run to run (default: ~/.cache/regsweep/manifests)",
    )
    group.add_argument(
        "--cache-size",
        type=_argument(units.parse_size),
        metavar="SIZE",
        help="how much of them is kept (500MB, 2GiB; default: 1GiB)",
    )
    group.add_argument(
        "--inventory",
        metavar="MANIFEST",
        help="S3: take blobs from this inventory report (s3://.../manifest.json, or a path)",
    )
    return parser


def _argument(parse_text: Callable[[str], T]) -> Callable[[str], T]:
    import argparse

    def parse_argument(text: str) -> T:
        try:
            return parse_text(text)
        except UnitError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return parse_argument


def _jobs(text: str) -> int:
    import argparse

    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 1024):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of threads (1 to 1024)")
    return int(text)


def _requests_per_second(text: str) -> float:
    import argparse

    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of requests a second (above 0)")
    return number
