"""What runs leave below the storage root: ``.regsweep/``.

::

    .regsweep/
      identity                 tells this store from others
      lock                     who is at work (lock.py)
      <run>/
        plan                   the plan that was applied, as it was given
        begun                  its time is when the run began, by the store's own clock
        run.json               what was done, and when
        condemned              what it found dead, where it moved nothing (condemned.py)
        tree/…                 what is set aside (rust/core/src/layout/quarantine.rs)

Where a file lies is the state of a removal; ``run.json`` only says how far a run thinks it is. So a crash at any moment
leaves nothing to repair: the same command does the rest. How the files are kept is ``own_files``'s business.
"""

from __future__ import annotations

import contextlib
import json
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, BinaryIO, Literal, TypeAlias

from regsweep import _core
from regsweep.errors import JournalError, RegsweepError, UnfinishedError
from regsweep.own_files import TOP, OwnFiles
from regsweep.set_aside import Way

_FORMAT = "regsweep.run/1"
_CONDEMNED = "condemned"

State: TypeAlias = Literal[
    "applying", "refused", "condemned", "quarantined", "confirmed", "purging", "purged", "undoing", "undone"
]

# Runs that may have something set aside.
HOLDING: frozenset[State] = frozenset({"applying", "quarantined", "confirmed", "purging", "undoing"})
# Runs that are not through with what they were begun for.
WAITING: frozenset[State] = HOLDING | {"condemned"}


@dataclass
class Run:
    """One application of a plan.

    Attributes:
        id: the plan's.
        state: how far it is. ``applying``, ``purging`` and ``undoing`` are on their way, or were interrupted. Where a
            guard ``refused`` nothing has moved, and the plan may be applied again.
        permanent: whether it removed at once.
        set_aside: how it sets aside what it was given; ``None`` where it removed at once.
        events: what was done: a time (seconds since 1970), a word, and counts.
    """

    id: str
    state: State
    permanent: bool = False
    set_aside: Way | None = None
    events: list[dict[str, Any]] = field(default_factory=list)

    def note(self, at: float, what: str, **details: object) -> None:
        """Adds an event."""
        self.events.append({"at": at, "what": what, **details})

    def last(self, what: str) -> dict[str, Any] | None:
        """The latest event of a kind."""
        return next((event for event in reversed(self.events) if event["what"] == what), None)

    @property
    def application(self) -> dict[str, Any] | None:
        """When its application had come to its end, and to what; ``None`` before that."""
        return self.last("applied") or self.last("condemned")


class Journal:
    """Reads and writes what runs leave in a store.

    Args:
        files: the store's own files of regsweep (``library.Store.own_files``).
    """

    def __init__(self, files: OwnFiles) -> None:
        self.files = files

    def identity(self) -> str:
        """What the first run has left to tell this store from others; empty before that."""
        return (self.files.read("identity") or b"").decode().strip()

    def ensure_identity(self) -> None:
        """Leaves an identity where there is none."""
        if self.files.read("identity") is None:
            self.files.write(f"{uuid.uuid4()}\n".encode(), "identity")

    def runs(self) -> list[Run]:
        """All runs, the oldest first.

        Raises:
            JournalError: a run's record cannot be read or understood.
        """
        return [run for name in self.files.directories() if (run := self.find(name)) is not None]

    def find(self, run_id: str) -> Run | None:
        """A run by its id; ``None`` where there is none.

        Raises:
            JournalError: its record cannot be read or understood.
        """
        text = self.files.read(run_id, "run.json")
        if text is None:
            return None
        try:
            record = json.loads(text)
            if record.pop("format") != _FORMAT:
                raise ValueError("another format")
            return Run(**record)
        except (ValueError, KeyError, TypeError) as error:
            message = f"{TOP}/{run_id}/run.json: not understood: {error}"
            raise JournalError(message, key=f"{TOP}/{run_id}/run.json") from error

    def begin(self, run: Run, plan: BinaryIO) -> None:
        """Leaves all that a run needs to be found again, before anything moves. Doing it again changes nothing."""
        if self.files.written_at(run.id, "plan") is None:
            self.files.copy(plan, run.id, "plan")
        if self.files.written_at(run.id, "begun") is None:
            self.files.write(b"", run.id, "begun")
        self.save(run)

    def save(self, run: Run) -> None:
        """Writes how far a run is."""
        text = json.dumps({"format": _FORMAT, **asdict(run)}, indent=2) + "\n"
        self.files.write(text.encode(), run.id, "run.json")

    def begun(self, run_id: str) -> float | None:
        """When a run began, by the store's clock; ``None`` where nothing says it."""
        return self.files.written_at(run_id, "begun")

    def plan(self, run_id: str) -> BinaryIO:
        """The plan that a run applied.

        Raises:
            FileNotFoundError: it is not there.
        """
        file = self.files.open(run_id, "plan")
        if file is None:
            raise FileNotFoundError(f"{TOP}/{run_id}/plan")
        return file

    def keep_condemned(self, run_id: str, content: BinaryIO) -> None:
        """Leaves what a run has condemned, in place of what there was."""
        self.files.copy(content, run_id, _CONDEMNED)

    def condemned(self, run_id: str) -> BinaryIO:
        """What a run has condemned, as a plan.

        Raises:
            JournalError: it is not there.
        """
        file = self.files.open(run_id, _CONDEMNED)
        if file is None:
            key = self.condemned_key(run_id)
            raise JournalError(f"{key}: is not there any more, so that nothing says what was condemned", key=key)
        return file

    def condemned_key(self, run_id: str) -> str:
        """Where a run's condemned list is, for messages."""
        return f"{TOP}/{run_id}/{_CONDEMNED}"


@contextlib.contextmanager
def unfinished(what: str, next_step: str) -> Iterator[None]:
    """Something was moved or removed: an error from here on must not sound as if nothing had.

    Raises:
        UnfinishedError: there was one.
    """
    try:
        yield
    except (OSError, RegsweepError, _core.CoreError) as error:
        raise UnfinishedError(f"{what}, but: {error}", next_step=next_step) from error
