"""Patterns of repository names, tags and label values.

Globs are those of the peers (doublestar): ``*`` and ``?`` stay within a path component, ``**`` spans any number of
them, ``[a-z]`` and ``{a,b}`` choose. A tag's pattern may be a regular expression after ``re:``. Each has to match the
whole text, and upper and lower case are different.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from wcmatch import fnmatch, glob

_REPOSITORY_FLAGS = glob.GLOBSTAR | glob.BRACE | glob.CASE | glob.FORCEUNIX | glob.DOTGLOB
_TEXT_FLAGS = fnmatch.BRACE | fnmatch.CASE | fnmatch.FORCEUNIX | fnmatch.DOTMATCH
_REGEX = "re:"
_EXCLUDE = "!"

Matcher = Callable[[str], bool]


class PatternError(ValueError):
    """A pattern cannot be understood."""


def repositories(patterns: Sequence[str]) -> Matcher:
    """Whether one of the patterns matches a repository's name and none of those after ``!`` does.

    Raises:
        PatternError: a pattern is malformed, or all of them exclude.
    """
    wanted = [pattern for pattern in patterns if not pattern.startswith(_EXCLUDE)]
    unwanted = [pattern.removeprefix(_EXCLUDE) for pattern in patterns if pattern.startswith(_EXCLUDE)]
    if not wanted:
        raise PatternError("all patterns exclude: give one that includes, such as '**'")
    includes = _any([_compile_repository(pattern) for pattern in wanted])
    excludes = _any([_compile_repository(pattern) for pattern in unwanted])
    return lambda name: includes(name) and not excludes(name)


def tags(patterns: Sequence[str]) -> Matcher:
    """Whether one of the patterns matches a tag.

    Raises:
        PatternError: a pattern is malformed.
    """
    return _any([_compile_text(pattern) for pattern in patterns])


def value(pattern: str) -> Matcher:
    """Whether a glob matches a label's value.

    Raises:
        PatternError: the pattern is malformed.
    """
    return _compile_text(pattern, regex=False)


def _any(matchers: list[Matcher]) -> Matcher:
    return lambda text: any(matches(text) for matches in matchers)


def _compile_repository(pattern: str) -> Matcher:
    _check(pattern)
    if pattern.startswith("/") or pattern.endswith("/") or "//" in pattern:
        raise PatternError(f"{pattern!r} matches no repository: names have no leading, trailing or double '/'")
    compiled = glob.compile(pattern, flags=_REPOSITORY_FLAGS)
    return lambda name: bool(compiled.match(name))


def _compile_text(pattern: str, *, regex: bool = True) -> Matcher:
    if regex and pattern.startswith(_REGEX):
        try:
            expression = re.compile(pattern.removeprefix(_REGEX))
        except re.error as error:
            raise PatternError(f"{pattern!r} is not a regular expression: {error}") from error
        return lambda text: expression.fullmatch(text) is not None
    _check(pattern)
    compiled = fnmatch.compile(pattern, flags=_TEXT_FLAGS)
    return lambda text: bool(compiled.match(text))


def _check(pattern: str) -> None:
    """Refuses what would quietly match something else than its author means."""
    if not pattern or pattern != pattern.strip():
        raise PatternError(f"{pattern!r} is empty or has spaces around it")
    for opening, closing in ("[]", "{}"):
        if pattern.count(opening) != pattern.count(closing):
            raise PatternError(f"{pattern!r} has {opening!r} without {closing!r}, or the other way round")
