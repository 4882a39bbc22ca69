"""What would be freed as a tree: repositories below the components of their names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from regsweep.report.model import Space

# Smaller shares than this are not to be told apart on any screen. It also bounds the tree: at most 2,000 leaves.
_SMALLEST_SHARE = 1 / 2000
# Directories can be nested far deeper than any registry names its repositories; what is below is one component.
_DEEPEST = 16


@dataclass
class _Node:
    bytes: int = 0
    own_bytes: int = 0
    children: dict[str, _Node] = field(default_factory=dict)


def space_of(bytes_by_repository: Mapping[str, int]) -> Space:
    """The tree of repositories that free anything; the one without a name stands beside the first components."""
    top = _Node()
    for repository, size_bytes in bytes_by_repository.items():
        if size_bytes:
            top.bytes += size_bytes
            node = top
            for component in repository.split("/", _DEEPEST):
                node = node.children.setdefault(component, _Node())
                node.bytes += size_bytes
            node.own_bytes += size_bytes
    return Space("", top.bytes, _children("", top, top.bytes * _SMALLEST_SHARE))


def _children(name: str, node: _Node, smallest: float) -> tuple[Space, ...]:
    if not node.children:
        return ()
    found = [Space(name, node.own_bytes)] if node.own_bytes else []
    folded, folded_bytes = 0, 0
    for component, child in node.children.items():
        if child.bytes < smallest:
            folded += sum(1 for _ in _repositories(child))
            folded_bytes += child.bytes
        else:
            found.append(_space(f"{name}/{component}" if name else component, child, smallest))
    if folded:
        found.append(Space(name, folded_bytes, folded=folded))
    return tuple(sorted(found, key=lambda space: (-space.bytes, space.name)))


def _space(name: str, node: _Node, smallest: float) -> Space:
    children = _children(name, node, smallest)
    # A component with a single one below it says nothing of its own.
    return children[0] if len(children) == 1 else Space(name, node.bytes, children)


def _repositories(node: _Node) -> Iterator[_Node]:
    if node.own_bytes:
        yield node
    for child in node.children.values():
        yield from _repositories(child)
