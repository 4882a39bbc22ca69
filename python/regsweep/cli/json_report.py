"""``--json FILE``: the whole result for machines, as the schemas in ``schema/`` describe it.

The file is opened before the storage is looked at, and everything that can be long is written before anything is
removed: a bad path or a full disk ends the run while nothing has happened yet. What a sweep did comes last and is
short. The file appears under its name by a rename, complete or not at all.
"""

from __future__ import annotations

import json
import os

from regsweep.whole_file import WholeFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from regsweep.errors import Refusal
    from regsweep.library import Catalog, Marks, Removed

SCHEMA = "regsweep.garbage-collect/1"
# Items a write: few system calls, and little memory at a million blobs.
_CHUNK = 4096
# Blobs asked of the core at once, about 13 MB of Python's objects.
_PORTION = 65_536


class JsonReport:
    """Writes one result, member by member.

    Args:
        target: a file's path, or ``-`` for standard output.

    Raises:
        OSError: it cannot be written there.
    """

    def __init__(self, target: str) -> None:
        self._whole = None if target == "-" else WholeFile(target)
        self._file = os.fdopen(1, "wb", closefd=False) if self._whole is None else self._whole.file
        self._started = False

    def begin(self, members: Mapping[str, object], schema: str = SCHEMA) -> None:
        """Writes what is known before the storage is looked at."""
        self._member("schema", schema)
        self.members(members)

    def scanned(self, catalog: Catalog, marks: Marks, refusals: Iterable[Refusal]) -> None:
        """Writes what was found, down to the last eligible blob; all of it is on disk afterwards."""
        self.members(
            {
                "scan": {
                    name: getattr(catalog, name)
                    for name in ("repository_count", "tag_count", "revision_count", "manifest_count")
                },
                "marks": {name: getattr(marks, name) for name in _MARK_COUNTS},
                "guards": [
                    {"guard": refusal.guard, "message": refusal.message, "overridden": refusal.overridden}
                    for refusal in refusals
                ],
            }
        )
        self.array("damaged", [marks.damaged], fields("repository", "tag", "digest", "key", "reason", "accepted"))
        self.array(
            "broken_images", [marks.broken], fields("repository", "tag", "manifest", "missing", "role", "counts")
        )
        self.array("notes", [marks.notes], fields("key", "reason"))
        self.array("eligible_blobs", _blobs(marks), lambda item: {"digest": item[0], "size_bytes": item[1]})
        for name, items in (
            ("eligible_manifests", marks.eligible_manifests()),
            ("eligible_layer_links", marks.eligible_layer_links()),
        ):
            self.array(name, [items], lambda item: {"repository": item[0], "digest": item[1]})
        self._file.flush()

    def end(self, *, outcome: str, exit_code: int, removed: Removed | None = None, error: object = None) -> None:
        """Writes what became of the run, and puts the file under its name."""
        result = None if removed is None else _removed(removed)
        self.finish({"removed": result, "error": error, "outcome": outcome, "exit_code": exit_code})

    def finish(self, members: Mapping[str, object]) -> None:
        """Writes the last members, and puts the file under its name."""
        self.members(members)
        self._file.write(b"\n}\n")
        self._file.flush()
        if self._whole is not None:
            self._whole.keep()

    def abandon(self) -> None:
        """Leaves no trace of an unfinished file."""
        if self._whole is not None:
            self._whole.discard()

    def members(self, members: Mapping[str, object]) -> None:
        """Writes members, none of which is long."""
        for name, value in members.items():
            self._member(name, value)

    def _member(self, name: str, value: object) -> None:
        self._file.write(self._key(name) + _encode(value))

    def array(self, name: str, portions: Iterable[Sequence[Any]], convert: Any) -> None:
        """Writes a member that may be long: its items come in portions, and each is converted as it is written."""
        self._file.write(self._key(name) + b"[")
        separator = b"\n    "
        for items in portions:
            for start in range(0, len(items), _CHUNK):
                chunk = b",\n    ".join(_encode(convert(item)) for item in items[start : start + _CHUNK])
                self._file.write(separator + chunk)
                separator = b",\n    "
        self._file.write(b"\n  ]" if separator.startswith(b",") else b"]")

    def _key(self, name: str) -> bytes:
        separator = b",\n  " if self._started else b"{\n  "
        self._started = True
        return separator + _encode(name) + b": "


_MARK_COUNTS = (
    "marked_count",
    "blob_count",
    "eligible_blob_count",
    "eligible_blob_bytes",
    "eligible_manifest_count",
    "eligible_layer_link_count",
    "newer_than_tags_count",
)


def _blobs(marks: Marks) -> Iterator[list[tuple[str, int]]]:
    """The eligible blobs in portions: all at once take more memory than everything else together."""
    start = 0
    while portion := marks.eligible_blobs(start, _PORTION):
        yield portion
        start += len(portion)


def fields(*names: str) -> Any:
    """What makes a JSON object of these attributes of something."""
    return lambda item: {name: getattr(item, name) for name in names}


def _removed(removed: Removed) -> dict[str, object]:
    counts = (
        "blob_count",
        "blob_bytes",
        "manifest_count",
        "layer_link_count",
        "tag_history_link_count",
        "kept_behind_failures_count",
        "interrupted",
    )
    return {
        **{name: getattr(removed, name) for name in counts},
        "failures": [{"key": failure.key, "error": failure.error} for failure in removed.failures],
    }


def _encode(value: object) -> bytes:
    # ASCII, so that names that are no valid UTF-8 (surrogate escapes) can be written, too.
    return json.dumps(value).encode("ascii")
