"""YAML that a person wrote, with the line of everything in it.

Strict where the registry's configuration is read as the registry reads it: a key given twice is an error, and only
``true`` and ``false`` are booleans (a tag may be called ``on``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from regsweep import _core, go_yaml
from regsweep.yaml_tree import PLAIN, AliasLoopError, TooManyNodesError, Walk, pairs

if TYPE_CHECKING:
    from regsweep.yaml_tree import YamlNode

Path: TypeAlias = tuple[str | int, ...]

# Far above any policy, far below what an alias bomb expands to.
_MAX_NODES = 100_000


class DocumentError(Exception):
    """The text is not understood; carries the line, counted from 1, or 0 where there is none."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


@dataclass
class Document:
    """A document's value, and the line of each part of it by its path (``("policies", 0, "keep")``)."""

    value: Any
    lines: dict[Path, int] = field(default_factory=dict)

    def line(self, path: Path) -> int:
        """The line of what is at ``path``, or of the nearest thing around it; counted from 1."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def read(text: bytes) -> Document:
    """Reads the first document of a text; its value is ``None`` where there is none.

    Raises:
        DocumentError: it is not YAML, has a key twice, is too large, or is nested too deeply.
    """
    try:
        root = _core.compose_yaml(text)
    except _core.YamlSyntaxError as error:
        message = str(error).removeprefix("yaml: ").removeprefix(f"line {error.line + 1}: ")
        raise DocumentError(error.line + 1, message) from error
    document = Document(None)
    if root is not None:
        try:
            document.value = _Reader(document.lines).value(root, ())
        except TooManyNodesError as error:
            raise DocumentError(error.line + 1, "the document is too large, or its aliases make it so") from error
        except AliasLoopError as error:
            raise DocumentError(error.line + 1, "an alias is inside of what it stands for") from error
        except RecursionError as error:
            raise DocumentError(0, "nested too deeply") from error
    return document


class _Reader:
    def __init__(self, lines: dict[Path, int]) -> None:
        self._lines = lines
        self._walk = Walk(_MAX_NODES)

    def value(self, node: YamlNode, path: Path) -> Any:
        kind, line, tag, content = node
        self._walk.enter(node)
        try:
            self._lines.setdefault(path, line + 1)
            if kind == "scalar":
                return _scalar(content) if tag == PLAIN else content
            if kind == "sequence":
                return [self.value(child, (*path, index)) for index, child in enumerate(content)]
            return self._mapping(node, path)
        finally:
            self._walk.leave(node)

    def _mapping(self, node: YamlNode, path: Path) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        for key_node, value_node in pairs(node):
            kind, line, _, key = key_node
            if kind != "scalar":
                raise DocumentError(line + 1, "a key has to be text")
            if key in mapping:
                raise DocumentError(line + 1, f"{key!r} is given twice")
            self._lines[*path, key] = line + 1
            mapping[key] = self.value(value_node, (*path, key))
        return mapping


def _scalar(text: str) -> object:
    value = go_yaml.resolve(text)
    if isinstance(value, bool) and text.lower() not in ("true", "false"):
        return text
    return value
