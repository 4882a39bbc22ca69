"""Patterns of repository names, tags and label values.

Globs are those of the peers (doublestar): ``*`` and ``?`` stay within a path component, ``**`` spans any number of
them, ``[a-z]`` and ``{a,b}`` choose. A pattern of a repository or a tag may be a regular expression after ``re:``. Each
has to match the whole text, and upper and lower case are different. ``a & b`` matches where both do, and what a pattern
after ``!`` matches is left out.

Where tags of one image are decided on together, a pattern matches the image that has a tag that it matches: ``a* & b*``
one with a tag for each of the two, and ``!a*`` leaves out one with any such tag.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Protocol

from wcmatch import fnmatch, glob

_REPOSITORY_FLAGS = glob.GLOBSTAR | glob.BRACE | glob.CASE | glob.FORCEUNIX | glob.DOTGLOB
_TEXT_FLAGS = fnmatch.BRACE | fnmatch.CASE | fnmatch.FORCEUNIX | fnmatch.DOTMATCH
_REGEX = "re:"
_EXCLUDE = "!"
# Neither tags nor repository names have spaces, so that no pattern has a use for this.
_AND = " & "

_Part = Callable[[str], bool]


class Matcher(Protocol):
    """Whether a name matches; of several names, which belong to one image, whether the image does."""

    def __call__(self, *names: str) -> bool:
        """True where it does."""


class PatternError(ValueError):
    """A pattern cannot be understood."""


def repositories(patterns: Sequence[str]) -> Matcher:
    """Whether one of the patterns matches a repository's name and none of those after ``!`` does.

    Raises:
        PatternError: a pattern is malformed, or all of them exclude.
    """
    return _matcher(patterns, _compile_repository, everything="**")


def tags(patterns: Sequence[str]) -> Matcher:
    """Whether one of the patterns matches a tag, or one of an image's tags, and none of those after ``!`` does.

    Raises:
        PatternError: a pattern is malformed, or all of them exclude.
    """
    return _matcher(patterns, _compile_text, everything="*")


def value(pattern: str) -> Matcher:
    """Whether a glob matches a label's value.

    Raises:
        PatternError: the pattern is malformed.
    """
    matches = _compile_glob(pattern)
    return lambda *names: any(matches(name) for name in names)


def _matcher(patterns: Sequence[str], compile_part: Callable[[str], _Part], everything: str) -> Matcher:
    wanted = [pattern for pattern in patterns if not pattern.startswith(_EXCLUDE)]
    unwanted = [pattern.removeprefix(_EXCLUDE) for pattern in patterns if pattern.startswith(_EXCLUDE)]
    if not wanted:
        raise PatternError(f"all patterns exclude: give one that includes, such as {everything!r}")
    includes = [[compile_part(part) for part in pattern.split(_AND)] for pattern in wanted]
    excludes = [[compile_part(part) for part in pattern.split(_AND)] for pattern in unwanted]
    return lambda *names: _one_matches(includes, names) and not _one_matches(excludes, names)


def _one_matches(patterns: list[list[_Part]], names: Sequence[str]) -> bool:
    return any(all(any(matches(name) for name in names) for matches in parts) for parts in patterns)


def _compile_repository(pattern: str) -> _Part:
    if pattern.startswith(_REGEX):
        return _compile_regex(pattern)
    _check(pattern)
    if pattern.startswith("/") or pattern.endswith("/") or "//" in pattern:
        raise PatternError(f"{pattern!r} matches no repository: names have no leading, trailing or double '/'")
    compiled = glob.compile(pattern, flags=_REPOSITORY_FLAGS)
    return lambda name: bool(compiled.match(name))


def _compile_text(pattern: str) -> _Part:
    return _compile_regex(pattern) if pattern.startswith(_REGEX) else _compile_glob(pattern)


def _compile_glob(pattern: str) -> _Part:
    _check(pattern)
    compiled = fnmatch.compile(pattern, flags=_TEXT_FLAGS)
    return lambda text: bool(compiled.match(text))


def _compile_regex(pattern: str) -> _Part:
    try:
        expression = re.compile(pattern.removeprefix(_REGEX))
    except re.error as error:
        raise PatternError(f"{pattern!r} is not a regular expression: {error}") from error
    return lambda text: expression.fullmatch(text) is not None


def _check(pattern: str) -> None:
    """Refuses what would quietly match something else than its author means."""
    if not pattern or pattern != pattern.strip():
        raise PatternError(f"{pattern!r} is empty or has spaces around it")
    for opening, closing in ("[]", "{}"):
        if pattern.count(opening) != pattern.count(closing):
            raise PatternError(f"{pattern!r} has {opening!r} without {closing!r}, or the other way round")
