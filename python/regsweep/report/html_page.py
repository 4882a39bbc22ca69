"""A report as one page: nothing is loaded, nothing is run, and whatever a storage calls its repositories stays text.

Everything that the template writes is escaped by jinja2, and a policy in the page's head (CSP) forbids all but the one
style sheet, by its hash. Drawings are SVG, laid out here: one for wide screens and paper, one for phones.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

import jinja2
from markupsafe import Markup

from regsweep import _core
from regsweep.plan import Totals, format_time
from regsweep.report import treemap, wording
from regsweep.report.attention import concerns
from regsweep.units import format_bytes
from regsweep.visible import visible

if TYPE_CHECKING:
    from regsweep.report.model import Report, Space

# Sizes of the drawings: class of the style sheet, width, height.
_DRAWINGS = (("on-wide", 1000, 480), ("on-narrow", 340, 480))
# Of a monospaced font of 12 pixels: a character's advance and a line's height, with some to spare.
_CHARACTER_WIDTH = 7.3
_LINE_HEIGHT = 15.0
_PADDING = 5.0
# A name that is cut off says little; a shorter one says nothing.
_SHORTEST_LABEL = 6
# Nothing may be loaded or run; the icon is an empty one, so that no browser asks a server for it.
_POLICY = "default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
# As many as the style sheet has.
_GROUP_COLORS = 8


def render(report: Report) -> str:
    """The page, as text in UTF-8."""
    style = _file("page.css")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    page = (
        _environment()
        .from_string(_file("page.html.jinja"))
        .render(
            report=report,
            contents=report.contents,
            style=Markup(style),
            policy=_POLICY.format(digest=digest),
            concerns=concerns(report),
            drawings=[_drawing(report.contents.space, *drawing) for drawing in _DRAWINGS] if report.contents else [],
            rows=_rows,
            words=wording,
            format_bytes=format_bytes,
            format_time=format_time,
            version=_core.__version__,
        )
    )
    # A name on a disk need not be text; what is no character is shown by its number.
    return page.encode("utf-8", "backslashreplace").decode()


def _file(name: str) -> str:
    return resources.files("regsweep.report").joinpath(name).read_text(encoding="utf-8")


def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value,
    )


@dataclass(frozen=True)
class _Row:
    """A line of a table with bars. ``bar`` is its length of 100."""

    name: str
    items: str
    size: str
    share: str
    bar: float


def _rows(named: Iterable[tuple[str, Totals]], total: Totals) -> list[_Row]:
    """Bars of bytes; of things where there are no bytes."""
    lines = list(named)
    measures = [totals.bytes if total.bytes else totals.items for _, totals in lines]
    longest = max(measures, default=0) or 1
    return [
        _Row(
            name,
            f"{totals.items:,}",
            format_bytes(totals.bytes) if totals.bytes else "",
            wording.percent(measure, total.bytes or total.items),
            round(100 * measure / longest, 2),
        )
        for (name, totals), measure in zip(lines, measures, strict=True)
    ]


@dataclass(frozen=True)
class _Area:
    """A rectangle of the treemap with what is written into it."""

    x: float
    y: float
    width: float
    height: float
    color: str
    title: str
    label: tuple[str, ...]


@dataclass(frozen=True)
class _Drawing:
    """A treemap, ready to be drawn; ``frames`` go around what shares the first component of its name."""

    shown: str
    width: int
    height: int
    areas: list[_Area]
    frames: list[tuple[float, float, float, float]]
    line_height: float = _LINE_HEIGHT
    padding: float = _PADDING


def _drawing(space: Space, shown: str, width: int, height: int) -> _Drawing:
    cells = treemap.cells(space, width, height)
    groups: dict[int, list[treemap.Cell]] = {}
    for cell in cells:
        groups.setdefault(cell.group, []).append(cell)
    first = {id(of_group[0]) for of_group in groups.values()}
    areas = [_area(cell, space.bytes, in_full=id(cell) in first) for cell in cells]
    return _Drawing(shown, width, height, areas, [*map(_frame, groups.values())])


def _frame(cells: Iterable[treemap.Cell]) -> tuple[float, float, float, float]:
    edges = [(cell.x, cell.y, cell.x + cell.width, cell.y + cell.height) for cell in cells]
    left, top = min(edge[0] for edge in edges), min(edge[1] for edge in edges)
    right, bottom = max(edge[2] for edge in edges), max(edge[3] for edge in edges)
    return round(left, 2), round(top, 2), round(right - left, 2), round(bottom - top, 2)


def _area(cell: treemap.Cell, total_bytes: int, *, in_full: bool) -> _Area:
    name = label = cell.name or wording.NO_REPOSITORY
    if cell.folded:
        more = f"{cell.folded:,} more"
        name, label = (f"{more} in {cell.name}", f"{cell.name}/{more}") if cell.name else (more, more)
    size = format_bytes(cell.bytes)
    return _Area(
        x=round(cell.x, 2),
        y=round(cell.y, 2),
        width=round(cell.width, 2),
        height=round(cell.height, 2),
        color="none" if not cell.name else f"group-{cell.group % _GROUP_COLORS}",
        title=f"{name}: {size} ({wording.percent(cell.bytes, total_bytes)})",
        label=_label(visible(label), size, cell.width, cell.height, in_full=in_full),
    )


def _label(name: str, size: str, width: float, height: float, *, in_full: bool) -> tuple[str, ...]:
    """What fits into a rectangle: the name, or its end, or nothing; and the size below it.

    ``in_full`` is for the first rectangle of a frame, which says the beginning that the others leave out: there a name
    may take several lines.
    """
    characters = int((width - 2 * _PADDING) / _CHARACTER_WIDTH)
    line_count = int((height - _PADDING) / _LINE_HEIGHT)
    last = name.rpartition("/")[2]
    if line_count < 1 or characters < max(1, min(len(last), _SHORTEST_LABEL)):
        return ()
    lines = _broken(name, characters) if in_full else [name]
    if len(lines) > line_count or not in_full:
        end = name
        while len(end) > characters and "/" in end:
            end = end.partition("/")[2]
        lines = [end]
    lines = [line if len(line) <= characters else f"{line[: characters - 1]}…" for line in lines]
    return (*lines, size) if len(lines) < line_count and len(size) <= characters else tuple(lines)


def _broken(name: str, characters: int) -> list[str]:
    """A name in lines, broken between its components."""
    *above, last = name.split("/")
    lines = [""]
    for part in (*(f"{component}/" for component in above), last):
        if lines[-1] and len(lines[-1]) + len(part) > characters:
            lines.append("")
        lines[-1] += part
    return lines
