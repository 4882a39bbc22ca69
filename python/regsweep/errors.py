"""Every exception that regsweep raises on purpose, and what guards refuse with.

They share one base class, say which operation failed on what, and name the next step to take. What the Rust core
raises (``CoreError``) is turned into a ``StorageError`` where the library calls it; the original is its cause.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from regsweep._core import CoreError


class RegsweepError(Exception):
    """Base class of all errors.

    Attributes:
        operation: what was being done: ``"read configuration"``, ``"list"``, …
        key: on what: a path, a key below the storage root, a line of a file.
        next_step: what to do about it; may be empty.
    """

    def __init__(self, message: str, *, operation: str, key: str = "", next_step: str = "") -> None:
        super().__init__(message)
        self.operation = operation
        self.key = key
        self.next_step = next_step


class ConfigurationError(RegsweepError):
    """The registry's configuration cannot be read or is not one that the registry would accept."""

    def __init__(self, message: str, *, key: str = "", next_step: str = "") -> None:
        super().__init__(message, operation="read configuration", key=key, next_step=next_step)


class LoggingError(ConfigurationError):
    """The configured log format does not exist; the registry's collector refuses to start over it."""


class DriverError(RegsweepError):
    """The storage that the configuration names cannot be opened."""

    def __init__(self, message: str, *, driver: str, next_step: str = "") -> None:
        super().__init__(message, operation="open storage", key=driver, next_step=next_step)
        self.driver = driver


class BucketOptionError(RegsweepError):
    """What was asked for makes sense for a bucket only, or cannot be done with it."""

    def __init__(self, message: str, *, key: str, next_step: str) -> None:
        super().__init__(message, operation="open storage", key=key, next_step=next_step)


class KeepListError(RegsweepError):
    """A keep list cannot be read, or a line of it is not understood."""

    def __init__(self, message: str, *, key: str, next_step: str = "") -> None:
        super().__init__(message, operation="read keep list", key=key, next_step=next_step)


class InvalidNameError(RegsweepError, ValueError):
    """Something is not the name of a repository or tag."""

    def __init__(self, message: str, *, key: str, next_step: str = "") -> None:
        super().__init__(message, operation="parse", key=key, next_step=next_step)


class UnitError(RegsweepError, ValueError):
    """A duration or a share is not written in a way that is understood."""

    def __init__(self, message: str, *, key: str) -> None:
        super().__init__(message, operation="parse", key=key)


class PolicyError(RegsweepError):
    """A retention policy cannot be read, or has errors.

    Attributes:
        problems: each error with its line in the file, counted from 1 (0: of the file as a whole).
    """

    def __init__(self, path: str, problems: Sequence[tuple[int, str]]) -> None:
        places = [f"{path}:{line}" if line else path for line, _ in problems]
        super().__init__(
            "\n".join(f"{place}: {problem}" for place, (_, problem) in zip(places, problems, strict=True)),
            operation="read policy",
            key=places[0],
        )
        self.problems = tuple(problems)


class PlanError(RegsweepError):
    """A plan cannot be read, written, or applied."""

    def __init__(self, message: str, *, key: str, next_step: str = "") -> None:
        super().__init__(message, operation="plan", key=key, next_step=next_step)


class JournalError(RegsweepError):
    """What runs leave in ``.regsweep`` cannot be read or written."""

    def __init__(self, message: str, *, key: str) -> None:
        super().__init__(
            message, operation="journal", key=key, next_step="look at the named file below the storage root"
        )

    @classmethod
    def at(cls, key: str, error: OSError | CoreError) -> JournalError:
        """What the operating system, or a bucket, said of a file; raise it ``from`` the original."""
        return cls(f"{key}: {error.strerror if isinstance(error, OSError) else error}", key=key)


class LockedError(RegsweepError):
    """Somebody else is at work on the store."""

    def __init__(self, message: str) -> None:
        super().__init__(
            message,
            operation="lock",
            key=".regsweep/lock",
            next_step="wait for it to end; the lock of a run that was killed elsewhere expires within ten minutes",
        )


class CacheError(RegsweepError):
    """The registry's cache of blob descriptors cannot be cleared."""

    def __init__(self, message: str) -> None:
        super().__init__(
            message,
            operation="clear cache",
            key="storage.cache.blobdescriptor",
            next_step="see that Redis can be reached as the registry's configuration says, then run again",
        )


class RunError(RegsweepError):
    """A run is not there, or not in a state for what was asked."""

    def __init__(self, message: str, *, key: str, next_step: str = "") -> None:
        super().__init__(message, operation="run", key=key, next_step=next_step)


class PullsError(RegsweepError):
    """A pull-times file or a log cannot be read or written, or says nothing that is understood."""

    def __init__(self, message: str, *, operation: str = "read pull times", key: str, next_step: str = "") -> None:
        super().__init__(message, operation=operation, key=key, next_step=next_step)


class PolicyImportError(PolicyError):
    """Retention rules of another system cannot be read, or say what a policy cannot."""

    def __init__(self, path: str, problems: Sequence[tuple[int, str]]) -> None:
        super().__init__(path, problems)
        self.operation = "import policy"


class UnfinishedError(RegsweepError):
    """Something was moved or removed, and then an error ended the command. Giving it again does the rest."""

    def __init__(self, message: str, *, next_step: str) -> None:
        super().__init__(message, operation="remove", key=".regsweep", next_step=next_step)


class StorageError(RegsweepError):
    """Scanning or marking failed; nothing was removed.

    Attributes:
        kind: ``"io"``, ``"layout"``, ``"changed"`` or ``"argument"``, as the core says.
    """

    def __init__(self, message: str, *, kind: str, operation: str, key: str) -> None:
        super().__init__(message, operation=operation, key=key, next_step=_NEXT_STEPS.get(kind, ""))
        self.kind = kind

    @classmethod
    def from_core(cls, error: CoreError) -> StorageError:
        """Keeps all that the core said; raise it ``from`` the original."""
        return cls(str(error), kind=error.kind, operation=error.operation, key=error.key)


class UnknownNameError(RegsweepError):
    """The store has nothing of a name, or several things that it may stand for.

    Attributes:
        matches: digests that an abbreviation may stand for.
    """

    def __init__(self, message: str, *, key: str, matches: Sequence[str] = (), next_step: str = "") -> None:
        super().__init__(message, operation="find", key=key, next_step=next_step)
        self.matches = tuple(matches)


class Refusal:
    """Why a guard refuses; ``overridden`` says that the operator has switched it off for this run."""

    __slots__ = ("guard", "message", "overridden")

    def __init__(self, guard: str, message: str, *, overridden: bool) -> None:
        self.guard = guard
        self.message = message
        self.overridden = overridden


class OutputError(RegsweepError):
    """A result cannot be written to where it was to go."""

    def __init__(self, target: str, error: OSError) -> None:
        super().__init__(
            f"cannot write to {target}: {error.strerror}",
            operation="write",
            key=target,
            next_step="check that the place exists, that this user may write there, and that there is room",
        )


class StateError(RegsweepError):
    """The file in which a verification keeps how far it is cannot be used."""

    def __init__(self, message: str, *, key: str, next_step: str = "") -> None:
        super().__init__(message, operation="keep state", key=key, next_step=next_step)


class RepositoryPatternError(RegsweepError):
    """A pattern of repositories' names cannot be understood, or matches none."""

    def __init__(self, message: str, *, key: str) -> None:
        super().__init__(
            message,
            operation="choose repositories",
            key=key,
            next_step="write names as they are in the storage: app, team/*, team/**, !team/tmp/**",
        )


class UploadAgeError(RegsweepError):
    """Nothing says from which age on an upload is stale."""

    def __init__(self) -> None:
        super().__init__(
            "the registry's configuration switches the purging of uploads off, so that it names no age",
            operation="find stale uploads",
            key="storage.maintenance.uploadpurging",
            next_step="give the age: --older-than 168h (in Python: older_than)",
        )


class GuardRefused(RegsweepError):
    """A guard keeps the removal from starting; nothing was removed.

    Attributes:
        refusals: each guard that refused, with its reason.
    """

    def __init__(self, refusals: Sequence[Refusal]) -> None:
        names = ", ".join(refusal.guard for refusal in refusals)
        super().__init__(
            "\n".join(f"{refusal.guard}: {refusal.message}" for refusal in refusals),
            operation="remove",
            key=names,
            next_step=f"check the storage, or override by name: {names}",
        )
        self.refusals = tuple(refusals)


_NEXT_STEPS = {
    "io": "check that the storage is mounted, healthy and readable by this user, then run again",
    "layout": "look at the named path: it does not belong into a registry's storage; move it away, then run again",
    "changed": "the storage changed while it was read: stop the registry or set it read-only, then run again",
}
