"""A treemap of what would be freed: every repository an area as large as its bytes, those of one name together.

Squarified (Bruls, Huizing, van Wijk, "Squarified Treemaps", 2000), without gaps: cells fill the whole area, and the
page draws lines between them. What is too small to be seen is one cell beside its neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import squarify

from regsweep.report.model import Space

# In units of the drawing, which are pixels where it is shown in full size.
_SMALLEST_CELL = 16.0 * 12.0
# Nothing of this size can be seen, and floating-point numbers would not lay it out.
_SMALLEST_AREA = 0.05


@dataclass(frozen=True)
class Cell:
    """A repository, or several that are too small, in a rectangle.

    Attributes:
        group: the number of the first component of its name, the largest being 0.
        folded: how many repositories it stands for.
    """

    name: str
    bytes: int
    x: float
    y: float
    width: float
    height: float
    group: int
    folded: int


def cells(space: Space, width: float, height: float) -> list[Cell]:
    """Lays a tree out in an area; nothing where nothing would be freed."""
    if not space.bytes:
        return []
    # Colours go by the first component that tells repositories apart.
    while len(space.children) == 1:
        (space,) = space.children
    return list(_lay_out(space, 0.0, 0.0, width, height, None))


def _lay_out(space: Space, x: float, y: float, width: float, height: float, group: int | None) -> Iterator[Cell]:
    children = _told_apart(space, width * height)
    if not children:
        folded = _repository_count(space) if space.children else space.folded
        yield Cell(space.name, space.bytes, x, y, width, height, group or 0, folded)
        return
    sizes = squarify.normalize_sizes([child.bytes for child in children], width, height)
    places = squarify.squarify(sizes, x, y, width, height)
    for number, (child, place) in enumerate(zip(children, places, strict=True)):
        of_group = number if group is None else group
        yield from _lay_out(child, place["x"], place["y"], place["dx"], place["dy"], of_group)


def _told_apart(space: Space, area: float) -> Sequence[Space]:
    """The children with an area that can be seen, and the others as one; the largest first. Nothing if none can."""
    smallest = space.bytes * _SMALLEST_CELL / area
    shown = [child for child in space.children if child.bytes >= smallest and not child.folded]
    hidden = [child for child in space.children if child.bytes < smallest or child.folded]
    if not shown:
        return []
    if hidden:
        rest = hidden[0]
        if len(hidden) > 1:
            size_bytes = sum(child.bytes for child in hidden)
            rest = Space(space.name, size_bytes, folded=sum(map(_repository_count, hidden)))
        if rest.bytes * area >= _SMALLEST_AREA * space.bytes:
            shown.append(rest)
    return sorted(shown, key=lambda child: -child.bytes)


def _repository_count(space: Space) -> int:
    return space.folded or sum(map(_repository_count, space.children)) or 1
