"""Rules that are each for some repositories, turned into policies, of which the first that matches counts.

Where two rules' repositories overlap, the systems apply both. So there is a policy for each combination of rules that
can meet, those of more rules first: what both ``a*`` and ``*b`` match gets the first of

    a* & *b    both rules
    a*         the first
    *b         the second

What is plain from the patterns' text (names, and what stands before the first wildcard) keeps the list short; where it
is not, a policy that no repository reaches does no harm.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from regsweep.policy import patterns

_Rule = TypeVar("_Rule")

_AND = " & "
_REGEX = "re:"
_WILDCARD = re.compile(r"[*?\[{]")
# Each is a policy that somebody reads.
_MAX_COMBINATIONS = 60


class ScopesError(ValueError):
    """The rules' repositories overlap in too many ways."""


@dataclass(frozen=True)
class Scope:
    """Repositories that match all of ``wanted`` and none of ``unwanted``."""

    wanted: tuple[str, ...]
    unwanted: tuple[str, ...] = ()

    @property
    def patterns(self) -> list[str]:
        """As a policy says it."""
        return [_AND.join(self.wanted), *(f"!{pattern}" for pattern in self.unwanted)]

    def meets(self, other: Scope) -> bool:
        """Whether there may be a repository in both: false only where there certainly is none."""
        apart = any(_apart(one, another) for one in self.wanted for another in other.wanted)
        left_out = any(_implies(one, unwanted) for one in self.wanted for unwanted in other.unwanted)
        left_out = left_out or any(_implies(one, unwanted) for one in other.wanted for unwanted in self.unwanted)
        return not apart and not left_out

    def within(self, other: Scope) -> bool:
        """Whether all of its repositories are in the other, too: true only where they certainly are."""
        return all(any(_implies(one, another) for one in self.wanted) for another in other.wanted) and all(
            unwanted in self.unwanted or any(_apart(one, unwanted) for one in self.wanted)
            for unwanted in other.unwanted
        )

    def both(self, other: Scope) -> Scope:
        """What is in both."""
        wanted = list(self.wanted)
        for pattern in other.wanted:
            if not any(_implies(one, pattern) for one in wanted):
                wanted = [one for one in wanted if not _implies(pattern, one)] + [pattern]
        unwanted = dict.fromkeys((*self.unwanted, *other.unwanted))
        return Scope(
            tuple(wanted), tuple(one for one in unwanted if not any(_apart(pattern, one) for pattern in wanted))
        )


def combine(rules: Sequence[tuple[Scope, _Rule]]) -> list[tuple[Scope, list[_Rule]]]:
    """Scopes, in the order in which the first that matches counts, with the rules that hold there.

    Raises:
        ScopesError: there would be too many.
    """
    scopes = list(dict.fromkeys(scope for scope, _ in rules))
    found: list[tuple[Scope, list[_Rule]]] = []
    for chosen in sorted(_combinations(scopes), key=lambda combination: -len(combination)):
        scope = scopes[chosen[0]]
        for index in chosen[1:]:
            scope = scope.both(scopes[index])
        # A larger combination came before this one and takes all of its repositories.
        if not any(scope.within(larger) for larger, _ in found):
            found.append((scope, [rule for of, rule in rules if scopes.index(of) in chosen]))
    return found


def _combinations(scopes: Sequence[Scope]) -> list[tuple[int, ...]]:
    """All sets of scopes, by their indices, in which each two may have a repository in common."""
    combinations: list[tuple[int, ...]] = []
    grown: list[tuple[int, ...]] = [()]
    while grown:
        grown = [
            (*chosen, index)
            for chosen in grown
            for index in range(chosen[-1] + 1 if chosen else 0, len(scopes))
            if all(scopes[index].meets(scopes[other]) for other in chosen)
        ]
        combinations += grown
        if len(combinations) > max(_MAX_COMBINATIONS, len(scopes)):
            raise ScopesError(f"the rules' repositories overlap in more than {_MAX_COMBINATIONS} ways")
    return combinations


def _apart(one: str, another: str) -> bool:
    """Whether two patterns certainly have no name in common."""
    for name, pattern in ((one, another), (another, one)):
        if _is_name(name):
            return not patterns.repositories([pattern])(name)
    if one.startswith(_REGEX) or another.startswith(_REGEX):
        return False
    shorter, longer = sorted((_head(one), _head(another)), key=len)
    return not longer.startswith(shorter)


def _implies(one: str, another: str) -> bool:
    """Whether what matches the one certainly matches the other."""
    if another in (one, "**"):
        return True
    if _is_name(one):
        return patterns.repositories([another])(one)
    below = another.removesuffix("**")
    return below.endswith("/") and _is_name(below) and not one.startswith(_REGEX) and _head(one).startswith(below)


def _is_name(pattern: str) -> bool:
    return not pattern.startswith(_REGEX) and _WILDCARD.search(pattern) is None


def _head(pattern: str) -> str:
    return _WILDCARD.split(pattern, maxsplit=1)[0]
