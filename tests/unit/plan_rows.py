"""Rows of plans, written by hand."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Sequence

from regsweep.plan import Head, Totals
from regsweep.report.rows import COLUMNS

HEAD = Head(
    id="20261123T021500Z-5f3a91c2",
    made=1_795_400_100,
    cutoff=1_795_313_700,
    root="/var/lib/registry",
    store="one",
    version="1.0",
    mode="policy",
    totals=Totals(0, 0, 0, 0, 0),
    policy="policy.yml",
    policy_sha256="5cf210be",
)


def blob(
    size_bytes: int = 100,
    *,
    repository: str = "team/app",
    tag: str = "v1",
    number: int = 1,
    age_days: float = 40,
    reason: str = "only what goes needs it",
    rule: str = "ci: delete",
) -> list[str]:
    """A row of a blob."""
    written = "2026-10-01T08:00:00Z"
    return ["blob", repository, tag, digest(number), str(size_bytes), written, str(int(age_days * 86400)), reason, rule]


def tag(name: str, reason: str, *, repository: str = "team/app", kind: str = "tag", age_days: float = 40) -> list[str]:
    """A row of a tag."""
    age = str(int(age_days * 86400))
    return [kind, repository, name, digest(1), "", "2026-10-01T08:00:00Z", age, reason, "ci: delete"]


def manifest(reason: str, *, repository: str = "team/app") -> list[str]:
    """A row of a manifest's link."""
    return ["manifest", repository, "", digest(1), "", "2026-10-01T08:00:00Z", "0", reason, "ci: delete"]


def layer_link(*, repository: str = "team/app") -> list[str]:
    """A row of a layer link."""
    return ["layer-link", repository, "", digest(1), "", "", "", "nothing live needs it", ""]


def digest(number: int) -> str:
    """A digest that tells one thing from another."""
    return f"sha256:{number:064x}"


def plan_bytes(rows: Sequence[Sequence[str]], head: Head = HEAD) -> bytes:
    """A plan's file, as the core writes it."""
    table = io.StringIO()
    csv.writer(table, lineterminator="\n").writerows([COLUMNS, *rows])
    body = table.getvalue().encode()
    end = f"# end: rows={len(rows)} sha256={hashlib.sha256(body).hexdigest()}\n"
    return head.text().encode() + body + end.encode()
