"""What the rows of a plan amount to: added up as they pass, with nothing kept of them but sums and the largest few.

The rows are counted, not the head: it can be edited without anybody noticing.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from regsweep.plan import Totals
from regsweep.report.model import DAY_SECONDS, DEFAULT_TOP, AgeGroup, Contents, Group, Grouping, LargeBlob
from regsweep.report.space import space_of

AGE_LIMITS_DAYS = (1, 7, 30, 90, 365)
_AGE_LIMITS_SECONDS = [days * DAY_SECONDS for days in AGE_LIMITS_DAYS]

# Where a row of each kind is counted: the index of a field of Totals. A repository that goes as a whole is its rows.
_COLUMNS: dict[str, int | None] = {
    "tag": 0,
    "referrer-tag": 0,
    "repository": None,
    "manifest": 1,
    "layer-link": 2,
    "blob": 3,
}
_BYTES = 4

# A function may give every tag a reason of its own. What is beyond this is added up under one name.
_MOST_NAMES = 10_000
OTHERS = "(others)"


def add_up(rows: Iterable[Sequence[str]], top: int = DEFAULT_TOP) -> Contents:
    """Adds up the rows of a plan, in one pass.

    Args:
        rows: with the columns of ``rows.COLUMNS``.
        top: how many repositories, reasons, rules and blobs are told apart.

    Raises:
        ValueError: a row is not understood.
    """
    kinds: Counter[str] = Counter()
    total = [0] * 5
    by_repository: defaultdict[str, list[int]] = defaultdict(lambda: [0] * 5)
    by_reason: defaultdict[str, list[int]] = defaultdict(lambda: [0] * 5)
    by_rule: defaultdict[str, list[int]] = defaultdict(lambda: [0] * 5)
    by_age = [[0] * 5 for _ in range(len(AGE_LIMITS_DAYS) + 1)]
    largest: list[tuple[int, int, Sequence[str]]] = []

    for row in rows:
        kind, repository, _, _, size, _, age, reason, rule = row
        kinds[kind] += 1
        if kind not in _COLUMNS:
            raise ValueError(f"unknown kind {kind!r}")
        column = _COLUMNS[kind]
        if column is None:
            continue
        reason = reason_class(reason)
        if reason not in by_reason and len(by_reason) >= _MOST_NAMES:
            reason = OTHERS
        if rule not in by_rule and len(by_rule) >= _MOST_NAMES:
            rule = OTHERS
        sums = [total, by_repository[repository], by_reason[reason], by_rule[rule]]
        if age:
            sums.append(by_age[bisect_right(_AGE_LIMITS_SECONDS, int(age))])
        for counts in sums:
            counts[column] += 1
        if size:
            size_bytes = int(size)
            for counts in sums:
                counts[_BYTES] += size_bytes
            # Of equal ones the first stay; the second member decides that, so that rows are never compared.
            entry = (size_bytes, -kinds[kind], row)
            if len(largest) < top:
                heapq.heappush(largest, entry)
            elif entry > largest[0]:
                heapq.heapreplace(largest, entry)

    return Contents(
        totals=Totals(*total),
        repositories=_grouping(by_repository, top),
        reasons=_grouping(by_reason, top),
        rules=_grouping(by_rule, top),
        kinds={kind: kinds[kind] for kind in _COLUMNS if kind in kinds},
        ages=_ages(by_age),
        largest=tuple(_large_blob(row) for _, _, row in sorted(largest, reverse=True)),
        space=space_of({name: counts[_BYTES] for name, counts in by_repository.items()}),
    )


def _grouping(sums: Mapping[str, list[int]], top: int) -> Grouping:
    ordered = sorted(sums.items(), key=lambda item: (-item[1][_BYTES], -sum(item[1][:_BYTES]), item[0]))
    groups = tuple(Group(name, Totals(*counts)) for name, counts in ordered[:top])
    rest = [Totals(*counts) for _, counts in ordered[top:]]
    return Grouping(groups, len(rest), sum(rest, start=Totals(0, 0, 0, 0, 0)))


def _ages(sums: Sequence[list[int]]) -> tuple[AgeGroup, ...]:
    limits = (0, *AGE_LIMITS_DAYS, None)
    return tuple(AgeGroup(limits[index] or 0, limits[index + 1], Totals(*counts)) for index, counts in enumerate(sums))


def _large_blob(row: Sequence[str]) -> LargeBlob:
    _, repository, tag, digest, size, modified, age, reason, rule = row
    return LargeBlob(
        digest=digest,
        size_bytes=int(size),
        repository=repository,
        tag=tag,
        modified=modified,
        age_seconds=int(age) if age else None,
        reason=reason,
        rule=rule,
    )


def reason_class(reason: str) -> str:
    """A reason without what differs from tag to tag: its name, and how long ago it was pushed or created.

    The core and ``policy.decide`` word them; what others give as a reason stays as it is.
    """
    if reason.startswith("its tag ") and reason.endswith(" goes"):
        return "its tag goes"
    return _without_times(reason) if " ago" in reason else reason


@lru_cache(maxsize=1024)
def _without_times(reason: str) -> str:
    return ", ".join(_without_time(part) for part in reason.split(", "))


def _without_time(part: str) -> str:
    verb, _, rest = part.partition(" ")
    return f"{verb} long ago" if verb in ("pushed", "created") and rest.endswith(" ago") else part
