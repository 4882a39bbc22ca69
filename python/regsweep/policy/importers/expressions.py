"""Regular expressions and globs of other systems, turned into a policy's patterns.

A pattern of a policy has to match the whole name, and its regular expressions are Python's. The others' are RE2 (Go's
regexp, GitLab) or .NET's in its RE2 mode (regexp2 of the ACR CLI), look anywhere in the name or are anchored by text
that is put around them, which an alternation ``a|b`` tears apart: ``^a|b$`` is "begins with a, or ends with b". What
does not certainly mean the same in both languages is refused. Names of repositories and tags are ASCII without spaces
and line breaks: what would be different only for others is not.

Globs are doublestar's: version 1 in Harbor, version 4 in zot. They differ from each other and from a policy's in the
rare forms that are refused here, and in ``a/**``, which matches ``a``, too, in version 4 only.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from typing import Literal

# The pattern that no name matches.
NOTHING = "re:"

_NAME_CHARACTERS = re.compile(r"[!-~]*")

# Of a regular expression outside of character classes.
_TOKEN = re.compile(
    r"""
      (?P<escape>   \\. )
    | (?P<class>    \[\^?\]?(?:\\.|[^\]\\])*\] )
    | (?P<open>     \((?:\?(?:P<\w+>|[a-zA-Z]*:|[=!]|<[=!]))? )
    | (?P<close>    \) )
    | (?P<or>       \| )
    | (?P<repeat>   (?:[*+?]|\{[0-9]+(?:,[0-9]*)?\})\?? )
    | (?P<dot>      \. )
    | (?P<start>    \^ )
    | (?P<end>      \$ )
    | (?P<literal>  [^\\\[\](){}|*+?.^$] )
    """,
    re.VERBOSE,
)
# Escapes that mean the same to RE2, .NET and Python.
_ESCAPES = "dDwWsSbB"
_CLASS_ESCAPES = "dDwWsS"
_GLOBAL_FLAGS = re.compile(r"\(\?([ims]+)\)")
_GROUP = re.compile(r"\((?:\?(?:P<\w+>|[ims]*:))?")
_LOOKAHEADS = ("(?=", "(?!")

# What stands before a last "**".
_COMPONENTS = re.compile(r"(?:[^/]+/)+")

# Of a glob: what every one of the three reads alike.
_GLOB = re.compile(r"[A-Za-z0-9._/*?\[\]{},^-]+")


class ExpressionError(ValueError):
    """A pattern means nothing here, or not certainly the same."""


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str

    @property
    def literal(self) -> str | None:
        """The character of a name that it stands for; ``None`` where it is something else."""
        character = self.text[-1]
        if self.kind == "literal" and (character.isalnum() or character in "-_/"):
            return character
        return character if self.kind == "escape" and character in ".-_/" else None


_ANYTHING = (_Token("dot", "."), _Token("repeat", "*"))


@dataclass(frozen=True)
class Expression:
    """A regular expression of another system, taken apart at its ``|``."""

    text: str
    alternatives: tuple[tuple[_Token, ...], ...]
    flags: str

    @property
    def alternates(self) -> bool:
        """Whether an anchor that is put before or after its text holds for a part of it only."""
        return len(self.alternatives) > 1

    def anywhere(self) -> str:
        """The pattern for names in which something matches, as in ``regexp.MatchString``."""
        return self._pattern([(False, False)] * len(self.alternatives))

    def glued(self) -> str:
        """The pattern for names that match with ``^`` put before its text and ``$`` after it, without a group."""
        return self._pattern(self._glue())

    def repository(self) -> str:
        """As ``glued``, for names of repositories: there a glob's ``*`` ends at the next ``/``."""
        tokens = _whole(self.alternatives[0], True, True)
        head = tokens[:-2] if tokens[-2:] == _ANYTHING else tokens
        literals = [token.literal for token in head]
        if not self.alternates and not self.flags and None not in literals:
            name = "".join(filter(None, literals))
            if head is tokens and _COMPONENTS.fullmatch(name + "/"):
                return name
            if head is not tokens and (not name or _COMPONENTS.fullmatch(name)):
                return f"{name}**"
        return self._pattern(self._glue(), globs=False)

    def _glue(self) -> list[tuple[bool, bool]]:
        last = len(self.alternatives) - 1
        return [(index == 0, index == last) for index in range(last + 1)]

    def _pattern(self, anchors: list[tuple[bool, bool]], *, globs: bool = True) -> str:
        parts = [_whole(tokens, *ends) for tokens, ends in zip(self.alternatives, anchors, strict=True)]
        if globs and not self.flags and len(parts) == 1 and (glob := _as_glob(parts[0])) is not None:
            return glob
        texts = ["".join(token.text for token in part) for part in parts]
        text = texts[0] if len(texts) == 1 else f"(?:{'|'.join(texts)})"
        if self.flags:
            text = f"(?{self.flags}:{text})"
        _compile(text, self.text)
        return f"re:{text}"


def parse(text: str, *, dialect: Literal["RE2", ".NET"]) -> Expression:
    """Takes a regular expression apart.

    Raises:
        ExpressionError: it is not one, or does not certainly mean the same to Python.
    """
    if not _NAME_CHARACTERS.fullmatch(text):
        raise ExpressionError(f"{text!r} has characters that no name has")
    flags = _GLOBAL_FLAGS.match(text)
    rest = text[flags.end() :] if flags else text
    alternatives: list[list[_Token]] = [[]]
    depth = 0
    previous: _Token | None = None
    position = 0
    while position < len(rest):
        found = _TOKEN.match(rest, position)
        if found is None or found.lastgroup is None:
            raise ExpressionError(f"{text!r} is not understood from {rest[position:]!r} on")
        token = _Token(found.lastgroup, found[0])
        _check(token, previous, dialect, text)
        depth += {"open": 1, "close": -1}.get(token.kind, 0)
        if token.kind == "or" and depth == 0:
            alternatives.append([])
        else:
            alternatives[-1].append(token)
        previous, position = token, found.end()
    _compile(rest, text)
    return Expression(text, tuple(map(tuple, alternatives)), flags[1] if flags else "")


def _check(token: _Token, previous: _Token | None, dialect: str, text: str) -> None:
    """Refuses what is read differently, or by one of them only."""
    match token.kind:
        case "escape":
            strange = token.text[1].isalnum() and token.text[1] not in _ESCAPES
        case "class":
            inner = token.text[1:-1]
            escapes = re.findall(r"\\(.)", inner)
            strange = any(one.isalnum() and one not in _CLASS_ESCAPES for one in escapes)
            strange = strange or "[" in re.sub(r"\\.", "", inner)
        case "open":
            strange = not _GROUP.fullmatch(token.text) and not (dialect == ".NET" and token.text in _LOOKAHEADS)
        case "repeat":
            strange = previous is None or previous.kind in ("repeat", "start", "end", "open", "or")
        case _:
            strange = False
    if strange:
        raise ExpressionError(f"{text!r}: {token.text!r} does not certainly mean the same to regsweep")


def _whole(tokens: tuple[_Token, ...], at_start: bool, at_end: bool) -> tuple[_Token, ...]:
    """An alternative for matches of the whole name: without anchors, with ``.*`` where it may begin or end anywhere."""
    while tokens and tokens[0].kind == "start":
        tokens, at_start = tokens[1:], True
    while tokens and tokens[-1].kind == "end":
        tokens, at_end = tokens[:-1], True
    before = () if at_start or tokens[:2] == _ANYTHING else _ANYTHING
    after = () if at_end or tokens[-2:] == _ANYTHING else _ANYTHING
    return (*before, *tokens, *after)


def _as_glob(tokens: tuple[_Token, ...]) -> str | None:
    """The glob that says the same of tags, which is easier to read; ``None`` where there is none."""
    parts: list[str] = []
    for token in tokens:
        if token.literal is not None:
            parts.append(token.literal)
        elif token.kind == "dot":
            parts.append("?")
        elif token.text == "*" and parts[-1] == "?":
            parts[-1] = "*"
        elif token.text == "+" and parts[-1] == "?":
            parts.append("*")
        else:
            return None
    return re.sub(r"\*+", "*", "".join(parts)) or None


def glob(pattern: str, *, version: Literal[1, 4]) -> list[str]:
    """The patterns that match the repositories, or tags, that doublestar's matches.

    Raises:
        ExpressionError: it is malformed, or does not mean the same to regsweep.
    """
    if not _GLOB.fullmatch(pattern):
        raise ExpressionError(f"{pattern!r} is empty, or has characters that no name and no glob has")
    for form, reason in (
        (r"\[\^?\]|\[[^\]]*\[", "a class cannot hold [ or ]"),
        (r"\{[^}]*\*\*", "** inside of {} is read differently"),
        (r"\{[^{},]*\.\.[^{},]*\}", "{a..b} is read differently"),
        (r"^/|//|/$", "names have no leading, trailing or double /"),
    ):
        if re.search(form, pattern):
            raise ExpressionError(f"{pattern!r}: {reason}")
    if pattern.count("[") != pattern.count("]") or pattern.count("{") != pattern.count("}"):
        raise ExpressionError(f"{pattern!r} has a bracket without its other half")
    ours = pattern
    # In regsweep, braces without a comma stand for themselves.
    while (without := re.sub(r"\{([^{},]*)\}", r"\1", ours)) != ours:
        ours = without
    if version == 4 and ours.endswith("/**"):
        return [ours, ours.removesuffix("/**")]
    return [ours]


def complement(pattern: str) -> str:
    """The pattern for tags that a glob, of those that ``glob`` gives, does not match."""
    text, depth = "", 0
    for token in re.findall(r"\[[^\]]*\]|\*+|.", pattern):
        if token == "{":
            depth += 1
            text += "(?:"
        elif token == "}":
            depth -= 1
            text += ")"
        elif token == "," and depth:
            text += "|"
        elif token.startswith("["):
            text += token
        else:
            text += {"*": ".*", "?": "."}.get(token[0], re.escape(token))
    return f"re:(?!{text}$).*"


def _compile(text: str, original: str) -> None:
    """Python warns of what it may come to read differently, such as ``[[``: that is no reason to guess."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            re.compile(text)
    except (re.error, Warning, RecursionError, OverflowError) as error:
        raise ExpressionError(f"{original!r} is not a regular expression that regsweep can use: {error}") from error
