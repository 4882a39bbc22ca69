"""The tree that ``_core.compose_yaml`` makes of a text, and how far a reader may go into it.

An alias is the very node that it stands for, so that a node can be inside of itself, and a few lines of aliases can
make billions of nodes.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, TypeAlias

    # Kind, line from 0, tag, text or children.
    YamlNode: TypeAlias = tuple[str, int, str, Any]

# The tag of a plain scalar without a tag, the only kind whose type has to be guessed.
PLAIN = "?"


class TreeError(Exception):
    """A tree cannot be read to its end; ``line`` says where, counted from 0."""

    def __init__(self, line: int) -> None:
        super().__init__(f"line {line + 1}")
        self.line = line


class TooManyNodesError(TreeError):
    """The document is too large, or its aliases make it so."""


class AliasLoopError(TreeError):
    """An alias is inside of what it stands for; the line is that of the latter."""


class Walk:
    """A reader's way through a tree, from each node to its children and back."""

    def __init__(self, max_nodes: int) -> None:
        self._left = max_nodes
        self._open: set[int] = set()

    def enter(self, node: YamlNode) -> None:
        """Begins with a node; ``leave`` has to follow.

        Raises:
            TooManyNodesError: it is one more than ``max_nodes``.
            AliasLoopError: the walk is inside of it already.
        """
        if self._left == 0:
            raise TooManyNodesError(node[1])
        self._left -= 1
        if id(node) in self._open:
            raise AliasLoopError(node[1])
        self._open.add(id(node))

    def leave(self, node: YamlNode) -> None:
        """Ends with a node, and with all that is in it."""
        self._open.discard(id(node))


def pairs(mapping: YamlNode) -> Iterator[tuple[YamlNode, YamlNode]]:
    """The keys of a mapping's node, each with its value."""
    children = iter(mapping[3])
    return zip(children, children, strict=True)
