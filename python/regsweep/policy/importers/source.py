"""What is imported: JSON, with the line of everything in it, read so that nothing in it goes unnoticed.

An importer reads each object key by key. A key that it has not read when it is done with the object is an error: it may
say which images stay.
"""

from __future__ import annotations

import difflib
import json
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from regsweep.errors import PolicyImportError
from regsweep.policy.document import Document, Path
from regsweep.policy.review import Remark

_SPACE = " \t\r\n"


class Source:
    """A document of another system, what is wrong with it, and what is to be said about its import."""

    def __init__(self, name: str, document: Document) -> None:
        self.name = name
        self.value = document.value
        self.warnings: list[Remark] = []
        self._document = document
        self._problems: list[tuple[int, str]] = []

    def line(self, path: Path) -> int:
        """The line of what is at ``path``; counted from 1."""
        return self._document.line(path)

    def problem(self, path: Path, message: str) -> None:
        """Notes what keeps the import from being made."""
        self._problems.append((self.line(path), message))

    def warn(self, path: Path | None, message: str) -> None:
        """Notes where the import differs, once; ``None``: not about a place in the document."""
        remark = Remark(0 if path is None else self.line(path), message)
        if remark not in self.warnings:
            self.warnings.append(remark)

    def check(self) -> None:
        """Ends the import if there were problems.

        Raises:
            PolicyImportError: names all of them with their lines.
        """
        if self._problems:
            raise PolicyImportError(self.name, sorted(set(self._problems)))

    def fail(self, path: Path, message: str) -> NoReturn:
        """Ends the import at once, for without this the rest means nothing.

        Raises:
            PolicyImportError: always.
        """
        self.problem(path, message)
        self.check()
        raise AssertionError("there is a problem")


class Section:
    """An object of a source. A read that fails is noted and gives a stand-in, so that all problems are found at once.

    Args:
        source: where problems are noted.
        value: what should be an object.
        path: where it is.
        fold: upper and lower case of keys are the same.
    """

    def __init__(self, source: Source, value: object, path: Path = (), *, fold: bool = False) -> None:
        self.source = source
        self.path = path
        self._fold = fold
        self._known: list[str] = []
        # By the key as it is asked for, the key as it is written.
        self._written: dict[str, str] = {}
        self._values: dict[str, Any] = {}
        if not isinstance(value, dict):
            source.problem(path, f"{self.name} has to be an object, not {_describe(value)}")
            return
        for key, content in value.items():
            asked = key.lower() if fold else key
            if asked in self._values:
                source.problem((*path, key), f"{show((*path, key))} is given twice")
            self._written[asked] = key
            self._values[asked] = content

    @property
    def name(self) -> str:
        """How messages call it."""
        return show(self.path) or "the document"

    def at(self, key: str) -> Path:
        """The path of a key's value."""
        return (*self.path, self._written.get(self._asked(key), key))

    def has(self, key: str) -> bool:
        """Whether a key is there and was not read yet. ``null`` is as if it were not there."""
        self._known.append(key)
        if self._values.get(self._asked(key)) is not None:
            return True
        self._values.pop(self._asked(key), None)
        return False

    def text(self, key: str, default: str | None = None, one_of: Sequence[str] = ()) -> str:
        """A string; without a default it has to be there."""
        found: str | None = self._take(key, str, "text", default)
        if one_of and found is not None and found not in one_of:
            self.problem(key, f"has to be one of {', '.join(one_of)}, not {found!r}")
        return found or ""

    def integer(self, key: str, default: int | None = None, minimum: int = 0) -> int:
        """A whole number; without a default it has to be there."""
        found: int | None = self._take(key, int, "a whole number", default)
        if found is not None and found < minimum:
            self.problem(key, f"has to be at least {minimum}, not {found}")
        return minimum if found is None else max(found, minimum)

    def boolean(self, key: str, default: bool) -> bool:
        """True or false."""
        found: bool | None = self._take(key, bool, "true or false", default)
        return default if found is None else found

    def texts(self, key: str) -> list[str]:
        """A list of strings; empty where it is not there."""
        items = self._take(key, list, "a list", []) or []
        for index, item in enumerate(items):
            if not isinstance(item, str):
                self.source.problem((*self.at(key), index), f"{self.name}.{key} has to hold texts only")
        return [item for item in items if isinstance(item, str)]

    def sections(self, key: str) -> list[Section]:
        """A list of objects; empty where it is not there."""
        items = self._take(key, list, "a list", []) or []
        return [self._section(item, (*self.at(key), index)) for index, item in enumerate(items)]

    def section(self, key: str) -> Section:
        """An object; one without keys where it is not there."""
        return self._section(self._take(key, dict, "an object", {}) or {}, self.at(key))

    def members(self) -> list[tuple[str, Section]]:
        """All values, which have to be objects, with their keys."""
        values, self._values = self._values, {}
        return [(self._written[key], self._section(value, self.at(key))) for key, value in values.items()]

    def ignore(self, *keys: str) -> None:
        """Keys that are known and say nothing about what stays."""
        for key in keys:
            self._known.append(key)
            self._values.pop(self._asked(key), None)

    def end(self) -> None:
        """Everything that was not read is not known: an error."""
        known = {self._asked(key): key for key in self._known}
        for key in self._values:
            written = self._written[key]
            close = difflib.get_close_matches(key, known, n=1, cutoff=0.8)
            hint = f"; did you mean {known[close[0]]!r}?" if close else ""
            self.source.problem(self.at(key), f"{self.name} has {written!r}, which is not known here{hint}")

    def problem(self, key: str, message: str) -> None:
        """Notes a problem with the value of a key."""
        self.source.problem(self.at(key), f"{show(self.at(key))} {message}")

    def _asked(self, key: str) -> str:
        return key.lower() if self._fold else key

    def _section(self, value: object, path: Path) -> Section:
        return Section(self.source, value, path, fold=self._fold)

    def _take(self, key: str, kind: type, description: str, default: Any) -> Any:
        if not self.has(key):
            if default is None:
                self.source.problem(self.path, f"{self.name} lacks {key!r}")
            return default
        found = self._values.pop(self._asked(key))
        # To Python, true is a whole number.
        if not isinstance(found, kind) or (kind is int and isinstance(found, bool)):
            self.problem(key, f"has to be {description}, not {_describe(found)}")
            return None
        return found


def read(text: bytes, name: str) -> Source:
    """Reads JSON; ``name`` is the file's, for messages.

    Raises:
        PolicyImportError: it is not JSON, or has a key twice.
    """
    try:
        decoded = text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PolicyImportError(name, [(text.count(b"\n", 0, error.start) + 1, "not UTF-8")]) from error
    reader = _Reader(decoded)
    try:
        json.loads(decoded, parse_constant=_no_constant)
        value, _ = reader.value(0, ())
    except json.JSONDecodeError as error:
        raise PolicyImportError(name, [(error.lineno, f"not JSON: {error.msg[:1].lower()}{error.msg[1:]}")]) from error
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else error
        raise PolicyImportError(name, [(0, f"not JSON that can be read: {reason}")]) from error
    source = Source(name, Document(value, reader.lines))
    for path in reader.twice:
        source.problem(path, f"{show(path)} is given twice")
    source.check()
    return source


def show(path: Path) -> str:
    """A path as people write it: ``rules[0].action``."""
    return "".join(_steps(path)).removeprefix(".")


def _steps(path: Path) -> Iterator[str]:
    for step in path:
        yield f"[{step}]" if isinstance(step, int) else f".{step}"


class _Reader:
    """Goes through text that is known to be JSON, for the lines of its parts and for keys that are given twice."""

    def __init__(self, text: str) -> None:
        self.lines: dict[Path, int] = {}
        self.twice: list[Path] = []
        self._text = text
        self._scalar = json.JSONDecoder().raw_decode
        self._newlines = [position for position, character in enumerate(text) if character == "\n"]

    def value(self, start: int, path: Path) -> tuple[Any, int]:
        """The value that begins at or after ``start``, and the position after it."""
        start = self._skip(start, _SPACE)
        self.lines.setdefault(path, bisect_right(self._newlines, start) + 1)
        if self._text[start] == "{":
            return self._object(start + 1, path)
        if self._text[start] == "[":
            return self._array(start + 1, path)
        return self._scalar(self._text, start)

    def _object(self, position: int, path: Path) -> tuple[dict[str, Any], int]:
        found: dict[str, Any] = {}
        while self._text[position := self._skip(position, _SPACE + ",")] != "}":
            line = bisect_right(self._newlines, position) + 1
            key, position = self._scalar(self._text, position)
            if key in found:
                self.twice.append((*path, key))
            self.lines[*path, key] = line
            found[key], position = self.value(self._skip(position, _SPACE + ":"), (*path, key))
        return found, position + 1

    def _array(self, position: int, path: Path) -> tuple[list[Any], int]:
        found: list[Any] = []
        while self._text[position := self._skip(position, _SPACE + ",")] != "]":
            item, position = self.value(position, (*path, len(found)))
            found.append(item)
        return found, position + 1

    def _skip(self, position: int, characters: str) -> int:
        while self._text[position] in characters:
            position += 1
        return position


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"it has {name}, which JSON has not")


def _describe(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    return json.dumps(value)
