"""The pull-times file: CSV below a commented head, sorted, so that it can be read, compared and merged as text.

    # regsweep pulls 1
    # since: 2026-03-01T00:00:00Z
    # until: 2026-03-10T12:00:30Z
    repository,reference,last_pull
    team/app,1.0,2026-03-09T10:00:00Z
    team/app,sha256:…,2026-03-09T10:00:00Z

Pulls are known from ``since`` to ``until``; a file without ``since`` knows of pulls, but of no time that it knows all
of. Several files put one behind the other are a file, too: what each says of the same item, the latest counts, and
known is what all of them know.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from regsweep.errors import PullsError
from regsweep.pulls import requests
from regsweep.pulls.times import format_time, parse_rfc3339

_FIRST_LINE = "# regsweep pulls 1"
_ANY_FIRST_LINE = re.compile(r"# regsweep pulls (\d+)")
_MOMENT = re.compile(r"# (since|until): (.+)")
_COLUMNS = "repository,reference,last_pull"


@dataclass(frozen=True)
class PullTimes:
    """When what was last pulled. Times are seconds since 1970.

    Attributes:
        since: from when on pulls are known; ``None`` where nothing says so.
        until: up to when they are: later ones are not in here.
        last_pulls: by item: ``repository:tag`` and ``repository@digest``.
    """

    since: int | None = None
    until: int | None = None
    last_pulls: Mapping[str, int] = field(default_factory=dict)

    def last_pull(self, repository: str, tag: str | None, *digests: str) -> int | None:
        """When a tag, or one of the manifests that it leads to, was last pulled; ``None`` where no pull is known.

        Pulls of a manifest in another repository do not count.

        Args:
            repository: its name in the storage.
            tag: ``None`` asks for the digests alone.
            digests: that of the tag; those of an index's children, too, as clients pull these by digest.
        """
        items = [f"{repository}@{digest}" for digest in digests]
        if tag is not None:
            items.append(f"{repository}:{tag}")
        return max((self.last_pulls[item] for item in items if item in self.last_pulls), default=None)

    def repositories(self) -> set[str]:
        """The names of all repositories that a pull is known of.

        If hardly any of them is in the storage, logs and storage do not belong together, or a proxy renames.
        """
        return {_split(item)[0] for item in self.last_pulls}


def read(path: str | os.PathLike[str]) -> PullTimes:
    """Reads a pull-times file.

    Raises:
        PullsError: it cannot be read, or has an error; names the line.
    """
    try:
        with Path(path).open(encoding="ascii") as file:
            return _Parser(str(path)).parse(file)
    except OSError as error:
        raise PullsError(
            f"open {path}: {error.strerror}",
            key=str(path),
            next_step=f"make it of the registry's logs: regsweep pulls update {path} LOG…",
        ) from error
    except UnicodeDecodeError as error:
        raise PullsError(f"{path}: not ASCII text", key=str(path), next_step=_NEXT_STEP) from error


def write(path: Path, pulls: PullTimes) -> None:
    """Replaces a pull-times file, or makes it, in one step: who reads it meanwhile gets the old one or the new one.

    Raises:
        PullsError: it cannot be written; it is as it was.
    """
    new = path.with_name(f"{path.name}.new")
    try:
        # Who may read it may go on reading it.
        mode = path.stat().st_mode & 0o777 if path.exists() else None
        with new.open("w", encoding="ascii") as file:
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            file.writelines(f"{line}\n" for line in _lines(pulls))
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError as error:
        with suppress(OSError):
            new.unlink()
        raise _write_error(path, error) from error


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds the lock of a pull-times file, after waiting for whoever has it: updates take moments.

    The lock is on a file beside it, for the file itself is replaced. That file goes when the lock does, so a lock on a
    file that is not there any more is none.

    Raises:
        PullsError: there can be no lock.
    """
    lock = path.with_name(f"{path.name}.lock")
    try:
        descriptor = _locked_file(lock)
    except OSError as error:
        raise _write_error(path, error) from error
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
        os.close(descriptor)


def _locked_file(lock: Path) -> int:
    while True:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.path.samestat(os.fstat(descriptor), lock.stat()):
                return descriptor
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _write_error(path: Path, error: OSError) -> PullsError:
    return PullsError(
        f"write {path}: {error.strerror}",
        operation="write pull times",
        key=str(path),
        next_step="nothing was recorded: give a file in a directory that can be written, then run again",
    )


_NEXT_STEP = "put it right, or delete it and make it anew of the registry's logs"


class _Parser:
    """Reads the lines of one file."""

    def __init__(self, name: str) -> None:
        self._name = name
        # Files that were put one behind the other have a head each.
        self._head_count = 0
        self._since: list[int] = []
        self._until: list[int] = []
        self._last_pulls: dict[str, int] = {}

    def parse(self, lines: Iterator[str]) -> PullTimes:
        number = 0
        for number, line in enumerate(lines, start=1):
            text = line.rstrip("\r\n")
            try:
                if number == 1 and not text.startswith("# regsweep pulls "):
                    raise ValueError(f"no pull-times file, which begins with {_FIRST_LINE!r}")
                if text.startswith("#"):
                    self._head(text)
                elif text and text != _COLUMNS:
                    self._row(text)
            except ValueError as error:
                key = f"{self._name}:{number}"
                raise PullsError(f"{key}: {error}", key=key, next_step=_NEXT_STEP) from error
        if number == 0:
            raise PullsError(f"{self._name}: empty", key=self._name, next_step=_NEXT_STEP)
        if not len(self._since) == len(self._until) == self._head_count or max(self._since) > min(self._until):
            return PullTimes(last_pulls=self._last_pulls)
        return PullTimes(max(self._since), min(self._until), self._last_pulls)

    def _head(self, text: str) -> None:
        if version := _ANY_FIRST_LINE.fullmatch(text):
            if text != _FIRST_LINE:
                raise ValueError(f"version {version[1]} of the format; this regsweep knows 1")
            self._head_count += 1
        elif moment := _MOMENT.fullmatch(text):
            (self._since if moment[1] == "since" else self._until).append(parse_rfc3339(moment[2]))

    def _row(self, text: str) -> None:
        fields = text.split(",")
        if len(fields) != 3:
            raise ValueError(f"{text!r} is not {_COLUMNS}")
        repository, reference, time = fields
        item = requests.item(repository, reference)
        if item is None:
            raise ValueError(f"{repository!r} and {reference!r} are not a repository and a tag or digest")
        self._last_pulls[item] = max(parse_rfc3339(time), self._last_pulls.get(item, 0))


def _lines(pulls: PullTimes) -> Iterator[str]:
    yield _FIRST_LINE
    if pulls.since is not None:
        yield f"# since: {format_time(pulls.since)}"
    if pulls.until is not None:
        yield f"# until: {format_time(pulls.until)}"
    yield _COLUMNS
    for repository, reference, time in sorted((*_split(item), time) for item, time in pulls.last_pulls.items()):
        yield f"{repository},{reference},{format_time(time)}"


def _split(item: str) -> tuple[str, str]:
    """Repository, and tag or digest."""
    repository, _, digest = item.partition("@")
    if digest:
        return repository, digest
    repository, _, tag = item.partition(":")
    return repository, tag
