"""``acr purge``, the command that cleans up an Azure Container Registry.

What is here was read in the source of the ACR CLI: ``cmd/acr/purge.go`` (tags that match the filter, were last updated
longer ago than ``--ago`` and are not locked; of these the newest ``--keep`` stay) and ``cmd/repository/
image_functions.go`` (``^`` and ``$`` around the first half of a filter, without a group; the second half is looked for
anywhere in the tag; filters that match one repository are one).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from regsweep.errors import PolicyImportError
from regsweep.policy.document import Document
from regsweep.policy.importers import expressions, scopes
from regsweep.policy.importers.draft import NO_AGE, Draft, DraftPolicy, DraftRule, quoted
from regsweep.policy.importers.expressions import ExpressionError
from regsweep.policy.importers.scopes import Scope
from regsweep.policy.importers.source import Source

_SWITCHES = ("untagged", "untagged-only", "dry-run", "include-locked", "verbose")
_VALUED = (
    *("filter", "ago", "keep"),
    *("registry", "username", "password", "config", "filter-timeout-seconds", "concurrency", "repository-page-size"),
)
_LONG = {"f": "filter", "r": "registry", "u": "username", "p": "password", "c": "config"}
# strconv.ParseBool
_TRUE = ("1", "t", "T", "TRUE", "true", "True")
_FALSE = ("0", "f", "F", "FALSE", "false", "False")
_PROGRAM = re.compile(r"(?:.*/)?acr(?:-cli)?(?::[\w.-]+)?")
# days, then what Go takes for a duration
_AGO = re.compile(r"(?=.)(?:[0-9]+d)?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:ns|us|µs|ms|s|m|h))*")
_LOCKED = (
    "locked tags and manifests, which acr purge spares, have to be named in `protect`: nothing here knows of locks"
)


@dataclass
class _Command:
    source: Source
    filters: list[str] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)
    switches: dict[str, bool] = field(default_factory=dict)

    def problem(self, message: str) -> None:
        self.source.problem((), message)

    def on(self, switch: str) -> bool:
        return self.switches.get(switch, False)


@dataclass(frozen=True)
class _Filter:
    text: str
    scope: Scope
    # ``None``: no tag at all.
    tags: str | None


def convert(text: bytes, name: str) -> Draft:
    """Turns an ``acr purge`` command into a policy.

    Args:
        text: the command as a shell takes it, alone or in quotes (``CMD="acr purge …"``, ``--cmd "acr purge …"``).
        name: the file's, for messages.

    Raises:
        PolicyImportError: there is no such command in the text or more than one, or it cannot be said.
    """
    source, words = _find(text, name)
    command = _parse(source, words)
    filters = _filters(command)
    ago, keep = _limits(command)
    source.check()
    if not command.on("include-locked"):
        source.warn(None, _LOCKED)
    combined = _combine(source, filters)
    policies = [
        _policy(command, f"acr-{number}" if len(combined) > 1 else "acr", scope, of_scope, ago, keep)
        for number, (scope, of_scope) in enumerate(combined, start=1)
    ]
    source.check()
    title = f"Imported from the acr purge command in {quoted(source.name)}."
    notes = () if command.on("include-locked") else (_LOCKED,)
    return Draft((title, *notes), policies, None, source.warnings)


def _find(text: bytes, name: str) -> tuple[Source, list[str]]:
    """The words after ``purge``."""
    try:
        # A backslash at the end of a line continues it, within double quotes, too.
        joined = re.sub(r"\\\r?\n", " ", text.decode("utf-8-sig"))
        words = shlex.split(joined, comments=True)
        commands = _commands(words) or [
            command for word in words if re.search(r"\spurge(?:\s|$)", word) for command in _commands(shlex.split(word))
        ]
    except UnicodeDecodeError as error:
        raise PolicyImportError(name, [(text.count(b"\n", 0, error.start) + 1, "not UTF-8")]) from error
    except ValueError as error:
        raise PolicyImportError(name, [(0, f"is not a command that a shell takes: {error}")]) from error
    if len(commands) != 1:
        number = "no" if not commands else str(len(commands))
        raise PolicyImportError(name, [(0, f"has {number} acr purge command: give one, for each is a run of its own")])
    place = re.search(rb"acr\S*[\s\\]+purge", text)
    line = text.count(b"\n", 0, place.start() if place else 0) + 1
    return Source(name, Document(commands[0], {(): line})), commands[0]


def _commands(words: Sequence[str]) -> list[list[str]]:
    starts = [
        index
        for index, word in enumerate(words)
        if word == "purge" and index > 0 and _PROGRAM.fullmatch(words[index - 1].rpartition("=")[2])
    ]
    return [list(words[start + 1 : end]) for start, end in zip(starts, [*starts[1:], None], strict=False)]


def _parse(source: Source, words: Sequence[str]) -> _Command:
    """As pflag does: flags.go, ``parseLongArg`` and ``parseSingleShortArg``."""
    command = _Command(source)
    rest = iter(words)
    for word in rest:
        if word.startswith("--"):
            flag, equals, value = word[2:].partition("=")
            given = value if equals else None
        elif word.startswith("-") and word != "-":
            flag, given = _LONG.get(word[1], ""), word[2:].removeprefix("=") or None
        else:
            command.problem(f"{word!r} is not understood: give the command alone")
            continue
        if flag in _SWITCHES or flag in _VALUED:
            _set(command, flag, given, rest)
        else:
            command.problem(f"has {word.partition('=')[0]}, which is not known here")
    return command


def _set(command: _Command, flag: str, value: str | None, rest: Iterator[str]) -> None:
    if flag in _SWITCHES:
        if value not in (None, *_TRUE, *_FALSE):
            command.problem(f"--{flag} takes true or false, not {value!r}")
        command.switches[flag] = value is None or value in _TRUE
        return
    value = next(rest, None) if value is None else value
    if value is None:
        command.problem(f"--{flag} needs a value")
    elif flag == "filter":
        command.filters.append(value)
    else:
        command.values[flag] = value


def _filters(command: _Command) -> list[_Filter]:
    if command.on("dry-run"):
        command.problem(
            "has --dry-run, so that it removes nothing: leave it out to import what the command would remove"
        )
    if command.on("untagged") and command.on("untagged-only"):
        command.problem("has --untagged and --untagged-only, of which acr purge takes one")
    if not command.filters and not command.on("untagged-only"):
        command.problem("has no --filter, which acr purge needs")
    if not command.filters:
        return [_Filter("", Scope(("**",)), None)]
    return [found for text in command.filters if (found := _filter(command, text)) is not None]


def _filter(command: _Command, text: str) -> _Filter | None:
    colons = [match.start() for match in re.finditer(":", text) if not _in_group_or_class(text, match.start())]
    if len(colons) != 1 or colons[0] in (0, len(text) - 1):
        command.problem(f"--filter {text!r} is not a repository and a tag with a colon between them")
        return None
    repository, tag = text[: colons[0]], text[colons[0] + 1 :]
    try:
        of_repository = expressions.parse(repository, dialect=".NET")
        scope = Scope((of_repository.repository(),))
        tags = expressions.NOTHING
        if not command.on("untagged-only"):
            tags = expressions.parse(tag, dialect=".NET").anywhere()
    except ExpressionError as error:
        command.problem(f"--filter {text!r} cannot be said: {error}")
        return None
    if of_repository.alternates:
        command.source.warn(
            (),
            f"--filter {text!r}: {repository!r} is not in a group: acr purge anchors only the beginning of its first "
            "alternative and the end of its last, and so does the import",
        )
    return _Filter(text, scope, None if tags == expressions.NOTHING else tags)


def _in_group_or_class(text: str, position: int) -> bool:
    """As ``GetRepositoryAndTagRegex`` has it, the colons of ``(?:…)`` and ``[[:alpha:]]`` do not count."""
    before = re.search(r"\(\?[imsU-]{0,5}$|\[\^*$", text[:position])
    return before is not None or text[position + 1 : position + 2] == "]"


def _limits(command: _Command) -> tuple[str, int]:
    ago = command.values.get("ago", "")
    if not ago and not command.on("untagged-only"):
        command.problem("has no --ago, which acr purge needs")
    elif ago and not _AGO.fullmatch(ago):
        command.problem(f"--ago {ago!r} is not understood: write it like 7d, 12h or 2d3h6m")
    keep = command.values.get("keep", "0")
    if not re.fullmatch(r"[0-9]+", keep):
        command.problem(f"--keep {keep!r} is not a number")
        keep = "0"
    return ago or NO_AGE, int(keep)


def _combine(source: Source, filters: Sequence[_Filter]) -> list[tuple[Scope, list[_Filter]]]:
    try:
        return scopes.combine([(one.scope, one) for one in filters])
    except scopes.ScopesError as error:
        source.fail((), str(error))


def _policy(command: _Command, name: str, scope: Scope, filters: Sequence[_Filter], ago: str, keep: int) -> DraftPolicy:
    titles = tuple(f"--filter {quoted(one.text)}" for one in filters if one.text)
    tags = list(dict.fromkeys(one.tags for one in filters if one.tags is not None))
    delete: dict[str, str | int | Sequence[str]] = {"tags": tags, "older_than": ago}
    if keep:
        delete["except_most_recently_pushed"] = keep
    untagged = _untagged(command, ago, keep)
    if not tags and untagged is None:
        command.problem(f"{', '.join(titles)} matches no tag: nothing to import")
    return DraftPolicy(
        name=name,
        repositories=scope.patterns,
        delete=[DraftRule(delete, titles)] if tags else [],
        untagged=untagged,
        comments=() if tags else titles,
    )


def _untagged(command: _Command, ago: str, keep: int) -> DraftRule | None:
    if not command.on("untagged") and not command.on("untagged-only"):
        return None
    flag = "--untagged-only" if command.on("untagged-only") else "--untagged"
    if keep and ago != NO_AGE:
        message = (
            f"{flag} with --ago and --keep keeps the newest {keep} of those that are old enough to go, which a "
            f"policy cannot say; if the newest {keep} of all are meant, write "
            f"'untagged: {{older_than: {ago}, keep: {keep}}}'"
        )
        if command.on("untagged-only"):
            command.problem(message)
        else:
            command.source.warn((), f"{message}; until then all of them stay")
        return DraftRule({}, (f"{flag}, of which a policy cannot say --ago and --keep together: all stay",))
    conditions: dict[str, str | int] = {"older_than": ago, **({"keep": keep} if keep else {})}
    return DraftRule(conditions, (flag,))
