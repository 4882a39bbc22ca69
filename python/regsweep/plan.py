"""Plans: what is to be removed, decided now, looked through by people, applied later, maybe by another machine.

A plan is a text file. Its head says where it comes from and what it amounts to; then follows a table (CSV) with a row
for everything that goes. Lines that begin with ``#`` are head and end: data tools skip them as comments. The rows are
written and read by the core (``rust/core/src/plan.rs``), a million in seconds.
"""

from __future__ import annotations

import io
import os
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, BinaryIO

from regsweep import _core, identity, safety
from regsweep.errors import GuardRefused, PlanError, Refusal, StorageError
from regsweep.units import format_bytes, format_count
from regsweep.whole_file import replacing

if TYPE_CHECKING:
    from regsweep.callbacks import ProgressCallback
    from regsweep.library import Marks, Store
    from regsweep.policy import Policy
    from regsweep.policy.choice import Choice
    from regsweep.policy.selection import Decider

FORMAT = "regsweep plan 1"
DEFAULT_MIN_AGE_SECONDS = 24 * 3600.0
# Long enough for a plan to be looked through in the morning, short enough for the registry to be the same.
DEFAULT_MAX_PLAN_AGE_SECONDS = 7 * 24 * 3600.0

_LARGEST_HEAD = 1 << 20


@dataclass(frozen=True)
class Totals:
    """What a plan amounts to."""

    tags: int
    manifests: int
    layer_links: int
    blobs: int
    bytes: int

    @classmethod
    def of(cls, marks: Marks) -> Totals:
        """What marks found eligible."""
        return cls(
            tags=marks.eligible_tag_count,
            manifests=marks.eligible_manifest_count,
            layer_links=marks.eligible_layer_link_count,
            blobs=marks.eligible_blob_count,
            bytes=marks.eligible_blob_bytes,
        )

    @property
    def items(self) -> int:
        """Everything that goes."""
        return self.tags + self.manifests + self.layer_links + self.blobs

    def __add__(self, other: Totals) -> Totals:
        return Totals(
            self.tags + other.tags,
            self.manifests + other.manifests,
            self.layer_links + other.layer_links,
            self.blobs + other.blobs,
            self.bytes + other.bytes,
        )

    def text(self) -> str:
        """Everything but the bytes, in words."""
        counts = [
            (self.tags, "tag"),
            (self.manifests, "manifest"),
            (self.layer_links, "layer link"),
            (self.blobs, "blob"),
        ]
        return ", ".join(format_count(count, noun) for count, noun in counts if count) or "nothing"


@dataclass(frozen=True)
class Head:
    """The head of a plan. Times are seconds since 1970.

    Attributes:
        id: names the plan, and the run that applies it.
        made: when the scan began.
        cutoff: nothing that was written at this time or later is in it.
        as_of: the moment that it was made for, where that is not ``made``: a preview, which cannot be applied.
        root: the storage root, as it was called where the plan was made.
        store: what tells that store from others (``identity.of``).
        version: of regsweep.
        policy: the policy's file; empty where there was none.
        policy_sha256: of that file.
        mode: ``garbage`` (what nothing links), ``untagged``, ``policy`` or ``named``.
        accept_damage: repositories whose damage was accepted.
        overrides: guards that were switched off.
    """

    id: str
    made: int
    cutoff: int
    root: str
    store: str
    version: str
    mode: str
    totals: Totals
    as_of: int | None = None
    policy: str = ""
    policy_sha256: str = ""
    accept_damage: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()

    def text(self) -> str:
        """As it stands in a plan, each line a comment."""
        lines = [FORMAT, *(f"{key}: {value}" for key, value in self._items())]
        return "".join(f"# {line}\n" for line in lines)

    def _items(self) -> list[tuple[str, str]]:
        totals = self.totals
        return [
            ("id", self.id),
            ("made", format_time(self.made)),
            ("as-of", "" if self.as_of is None else format_time(self.as_of)),
            ("cutoff", format_time(self.cutoff)),
            ("root", _one_line(self.root)),
            ("store", self.store),
            ("version", self.version),
            ("mode", self.mode),
            ("policy", _one_line(self.policy)),
            ("policy-sha256", self.policy_sha256),
            ("accept-damage", " ".join(map(_one_line, self.accept_damage))),
            ("overrides", " ".join(self.overrides)),
            *((f"total-{field.name.replace('_', '-')}", str(getattr(totals, field.name))) for field in fields(totals)),
            ("frees", format_bytes(totals.bytes)),
        ]

    @classmethod
    def parse(cls, text: str, name: str) -> Head:
        """Reads a head.

        Raises:
            PlanError: it is not one, not of this format, or was changed.
        """
        lines = [line.removeprefix("#").strip() for line in text.splitlines() if line.startswith("#")]
        if lines[:1] != [FORMAT]:
            what = f"is a {lines[0]!r}" if lines and lines[0].startswith("regsweep plan") else "is no plan"
            raise PlanError(f"{name}: {what}; this version reads {FORMAT!r}", key=name)
        found = dict(_entry(line) for line in lines[1:])
        try:
            totals = Totals(
                **{field.name: int(found[f"total-{field.name.replace('_', '-')}"]) for field in fields(Totals)}
            )
            head = cls(
                id=found["id"],
                made=parse_time(found["made"]),
                cutoff=parse_time(found["cutoff"]),
                as_of=parse_time(found["as-of"]) if found["as-of"] else None,
                root=found["root"],
                store=found["store"],
                version=found["version"],
                mode=found["mode"],
                policy=found["policy"],
                policy_sha256=found["policy-sha256"],
                accept_damage=tuple(found["accept-damage"].split()),
                overrides=tuple(found["overrides"].split()),
                totals=totals,
            )
        except (KeyError, ValueError) as error:
            raise PlanError(f"{name}: the plan's head is not understood: {error}", key=name) from error
        if head.as_of is None and head.cutoff > head.made:
            # The rows have a checksum; of the head this is what could do harm.
            raise PlanError(f"{name}: the plan's cutoff lies after its making: it was changed", key=name)
        return head


def _entry(line: str) -> tuple[str, str]:
    key, _, value = line.partition(":")
    return key.strip(), value.strip()


def _one_line(text: str) -> str:
    return " ".join(text.split())


def format_time(seconds: float) -> str:
    """A time as RFC 3339 in UTC, to the second."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: str) -> int:
    """Seconds since 1970 of an RFC 3339 time; a date alone is its beginning in UTC.

    Raises:
        ValueError: it is not a time.
    """
    time_ = datetime.fromisoformat(text)
    return int((time_ if time_.tzinfo else time_.replace(tzinfo=UTC)).timestamp())


@dataclass(frozen=True)
class Plan:
    """What is to be removed, and why: what was marked, not yet written to a file.

    Attributes:
        marks: what the rows are made of. Holds nothing that could remove.
        refusals: what the guards say, the overridden ones included.
    """

    head: Head
    marks: Marks
    refusals: list[Refusal] = field(default_factory=list)

    def write(self, path: str | os.PathLike[str]) -> None:
        """Writes the plan; the file appears complete or not at all.

        Raises:
            GuardRefused: a guard refuses the plan. Nothing was written.
            PlanError: the file cannot be written.
        """
        if refusing := safety.refusing(self.refusals):
            raise GuardRefused(refusing)
        try:
            with replacing(path) as descriptor:
                os.write(descriptor, self.head.text().encode())
                row_count, sha256 = self.marks.write_plan(descriptor)
                os.write(descriptor, end_line(row_count, sha256).encode())
        except (OSError, StorageError) as error:
            raise PlanError(f"{path}: cannot be written: {error}", key=str(path)) from error


def make(
    store: Store,
    *,
    decide: Decider | None = None,
    policy: Policy | None = None,
    mode: str = "garbage",
    min_age: float = DEFAULT_MIN_AGE_SECONDS,
    as_of: float | None = None,
    keep: Sequence[str] = (),
    accept_damage: Sequence[str] = (),
    overrides: Collection[str] = (),
    max_removed_share: float | None = None,
    progress: ProgressCallback | None = None,
) -> Plan:
    """Scans a store and works out what is to go.

    Args:
        store: where.
        decide: decides on repositories, given the catalog and the moment; none where no tag is to go.
        policy: what ``decide`` goes by, for the plan's head.
        mode: ``garbage``, ``untagged``, ``policy`` or ``named``.
        min_age: seconds; nothing younger goes, nor what it needs.
        as_of: the moment to plan for, in seconds since 1970; by default that of the scan. Another one is a preview.
        keep: digests and ``repository:tag`` texts that stay in any case.
        accept_damage: repositories whose damage no longer keeps everything that they link.
        overrides: guards that are switched off, by name (``safety.GUARDS``).
        max_removed_share: refuse where more than this share of the blobs would go.
        progress: called about ten times a second, from this thread.

    Raises:
        StorageError: something could not be listed or read, so that nothing is known.
    """
    catalog = store.scan(progress=progress)
    now = catalog.started if as_of is None else as_of
    cutoff = int(now - min_age)
    choices: list[Choice] = [] if decide is None else decide(catalog, now)
    marks = catalog.mark(
        delete_untagged=mode == "untagged",
        cutoff=cutoff,
        keep=keep,
        accept_damage=accept_damage,
        choices=choices,
        named=mode == "named",
        with_times=True,
        progress=progress,
    )
    made = int(catalog.started)
    head = Head(
        id=f"{datetime.fromtimestamp(made, UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}",
        made=made,
        as_of=None if as_of is None else int(as_of),
        cutoff=cutoff,
        root=store.place,
        store=identity.of(store),
        version=_core.__version__,
        mode=mode,
        policy=policy.path if policy else "",
        policy_sha256=policy.sha256 if policy else "",
        accept_damage=tuple(accept_damage),
        overrides=tuple(sorted(overrides)),
        totals=Totals.of(marks),
    )
    refusals = marks.refusals(overrides=overrides, max_removed_share=max_removed_share)
    return Plan(head, marks, refusals)


def end_line(row_count: int, sha256: str) -> str:
    """The last line of a plan: how many rows there are, and their SHA-256 in hex, by which they are known."""
    return f"# end: rows={row_count} sha256={sha256}\n"


def read_head(path: str | os.PathLike[str]) -> Head:
    """Reads a plan's head.

    Raises:
        PlanError: the file cannot be read, or is no plan of this format.
    """
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - also takes what is no path of its own
            return _head_in(file, str(path))
    except OSError as error:
        raise PlanError(f"{path}: cannot be read: {error.strerror}", key=str(path)) from error


def parse_head(content: bytes, name: str) -> Head:
    """Reads the head of a plan that is in memory.

    Raises:
        PlanError: it is no plan of this format.
    """
    return _head_in(io.BytesIO(content), name)


def _head_in(file: BinaryIO, name: str) -> Head:
    lines = []
    while (line := file.readline(_LARGEST_HEAD)).startswith(b"#"):
        lines.append(line.decode(errors="replace"))
    return Head.parse("".join(lines), name)


def read_rows(path: str | os.PathLike[str]) -> _core.Plan:
    """Reads a plan's rows into the core, and checks that they are all there as they were written.

    Raises:
        PlanError: they are not.
    """
    try:
        return _core.Plan.read(path)
    except _core.CoreError as error:
        raise PlanError(f"{path}: {error}", key=str(path)) from error
    except OSError as error:
        raise PlanError(f"{path}: cannot be read: {error.strerror}", key=str(path)) from error


def parse_rows(content: bytes, name: str) -> _core.Plan:
    """Reads the rows of a plan that is in memory, and checks them likewise.

    Raises:
        PlanError: they are not all there as they were written.
    """
    try:
        return _core.Plan.parse(content)
    except _core.CoreError as error:
        raise PlanError(f"{name}: {error}", key=name) from error
