"""What a report says, as data: made by ``sources``, written by ``text``, ``json_document``, ``html_page`` and
``prometheus``.

Everything in it is bounded: the largest so many of each kind, and the rest as one. Only what marking found (damage,
broken images, notes) is there in full.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from regsweep.plan import Head, Totals

if TYPE_CHECKING:
    from regsweep.errors import Refusal
    from regsweep.journal import State
    from regsweep.library import BrokenImage, Damage, Note
    from regsweep.report.work import Work

DEFAULT_TOP = 15
DAY_SECONDS = 86_400

# What a report is of: a plan, a store that was looked at, or a whole cycle (``regsweep run``).
Subject: TypeAlias = Literal["plan", "store", "run"]


@dataclass(frozen=True)
class Group:
    """What goes of one repository, for one reason or by one rule.

    Attributes:
        name: empty where there is none: blobs that nothing refers to are in no repository.
    """

    name: str
    totals: Totals


@dataclass(frozen=True)
class Grouping:
    """The largest groups, by what they free.

    Attributes:
        groups: the largest first.
        rest_count: how many more there are.
        rest: what those amount to together.
    """

    groups: tuple[Group, ...]
    rest_count: int
    rest: Totals


@dataclass(frozen=True)
class AgeGroup:
    """What goes of one range of ages. Layer links have no age.

    Attributes:
        from_days: nothing in it is younger.
        below_days: all in it is younger; ``None`` in the last one.
    """

    from_days: int
    below_days: int | None
    totals: Totals


@dataclass(frozen=True)
class LargeBlob:
    """One of the largest blobs that go, with the first repository, tag and rule that give it up."""

    digest: str
    size_bytes: int
    repository: str
    tag: str
    modified: str
    age_seconds: int | None
    reason: str
    rule: str


@dataclass(frozen=True)
class Space:
    """What would be freed below a component of repositories' names.

    Attributes:
        name: the full name up to here; empty at the top.
        bytes: of everything below.
        children: the largest first; none where this is a repository.
        folded: how many repositories this stands for, where they are too small to be told apart.
    """

    name: str
    bytes: int
    children: tuple[Space, ...] = ()
    folded: int = 0


@dataclass(frozen=True)
class Contents:
    """What goes, added up.

    Attributes:
        kinds: how many rows a plan has of each kind, ``referrer-tag`` and ``repository`` included.
        ages: the youngest first.
        largest: the largest first.
    """

    totals: Totals
    repositories: Grouping
    reasons: Grouping
    rules: Grouping
    kinds: Mapping[str, int]
    ages: tuple[AgeGroup, ...]
    largest: tuple[LargeBlob, ...]
    space: Space


@dataclass(frozen=True)
class Findings:
    """What marking found beside what goes. A plan's file does not hold it.

    Attributes:
        stored_blob_count: blobs that the storage holds, those that go included.
        quarantined_live_count: live blobs in quarantines, which a confirmation brings back.
    """

    damaged: tuple[Damage, ...]
    broken: tuple[BrokenImage, ...]
    notes: tuple[Note, ...]
    refusals: tuple[Refusal, ...]
    stored_blob_count: int
    quarantined_live_count: int


@dataclass(frozen=True)
class Held:
    """A run that may have something in quarantine, or on a condemned list.

    Attributes:
        since: when it was set aside or condemned, in seconds since 1970; ``None`` where that was interrupted.
        totals: what it set aside or condemned then; what came back since is not subtracted.
        waits_for: what is to be done about it next, in words.
    """

    id: str
    state: State
    since: float | None
    totals: Totals
    waits_for: str
    is_condemned: bool = False


@dataclass(frozen=True)
class Failure:
    """The error that ended a command."""

    message: str
    operation: str
    key: str


@dataclass(frozen=True)
class Outcome:
    """What became of the command that a report is of. Times are seconds since 1970."""

    exit_code: int
    began: float
    ended: float
    failure: Failure | None = None


@dataclass(frozen=True)
class Report:
    """What a plan, a store or a run amounts to.

    Attributes:
        of: what it is of.
        store: the storage, as it was called where the report was made.
        head: the plan's; ``None`` where a run ended before there was one.
        contents: what goes, likewise.
        findings: what marking found; ``None`` where only a plan's file was read.
        held: runs with something in quarantine or on a list; ``None`` where the storage was not looked at.
        work: what a run did.
        outcome: of the command; ``None`` from the library.
    """

    of: Subject
    store: str
    head: Head | None = None
    contents: Contents | None = None
    findings: Findings | None = None
    held: tuple[Held, ...] | None = None
    work: Work | None = None
    outcome: Outcome | None = field(default=None, kw_only=True)

    @property
    def quarantined(self) -> tuple[Held, ...]:
        """The runs with something in quarantine."""
        return tuple(held for held in self.held or () if not held.is_condemned)

    @property
    def condemned(self) -> tuple[Held, ...]:
        """The runs with something on a condemned list."""
        return tuple(held for held in self.held or () if held.is_condemned)
