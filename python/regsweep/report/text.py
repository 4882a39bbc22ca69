"""A report for a terminal: totals, where the bytes are, what goes and why, what needs attention.

It says the same with and without colours, and fits the width: where that is narrow, bars go first, then numbers.
"""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from regsweep.plan import Totals
from regsweep.report import wording
from regsweep.report.attention import Severity, concerns
from regsweep.units import format_bytes
from regsweep.visible import visible

if TYPE_CHECKING:
    from regsweep.report.model import Contents, Held, Report

_NARROWEST = 40
# Longer lines than this are hard to follow.
_WIDEST = 120
_LONGEST_BAR = 40
_SHORTEST_BAR = 10
# Digests are left out of tables before names are cut shorter than this.
_NARROWEST_PLACE = 32
_INDENT = "  "

_BOLD, _DIM, _RED, _GREEN, _YELLOW = "1", "2", "31", "32", "33"
_COLORS: dict[Severity, str] = {"error": _RED, "warning": _YELLOW, "note": _DIM}

_EIGHTHS = ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")
_FULL = "█"


def render(report: Report, *, width: int, color: bool, encoding: str) -> str:
    """The report as text that ends with a line's end."""
    page = _Page(min(max(width, _NARROWEST), _WIDEST), color=color, blocks=_has_blocks(encoding))
    _head(page, report)
    if report.contents is not None:
        _contents(page, report.contents)
    _held(page, "In quarantine", report.quarantined)
    _held(page, "Condemned, and still there", report.condemned)
    _attention(page, report)
    text = "\n".join(page.lines) + "\n"
    # Names can hold what the terminal's encoding has not, and what is no character at all.
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _has_blocks(encoding: str) -> bool:
    try:
        "".join((*_EIGHTHS, _FULL, "…")).encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


class _Page:
    """Lines as they come, cut to a width."""

    def __init__(self, width: int, *, color: bool, blocks: bool) -> None:
        self.width = width
        self.lines: list[str] = []
        self._color = color
        self._blocks = blocks

    def paint(self, text: str, *codes: str) -> str:
        return f"\x1b[{';'.join(codes)}m{text}\x1b[0m" if self._color and text else text

    def heading(self, text: str) -> None:
        self.lines += ["", self.paint(text, _BOLD)]

    def add(self, line: str) -> None:
        self.lines.append(line.rstrip())

    def paragraph(self, text: str, first: str, codes: Sequence[str] = ()) -> None:
        """Wrapped text, indented from the second line on; ``first`` is how it begins, painted."""
        whole = visible(f"{first}{text}")
        lines = textwrap.wrap(whole, self.width - len(_INDENT), subsequent_indent=_INDENT, break_on_hyphens=False)
        start = visible(first).rstrip()
        if lines and lines[0].startswith(start):
            lines[0] = self.paint(start, *codes) + lines[0][len(start) :]
        for line in lines:
            self.add(_INDENT + line)

    def fit(self, text: str, columns: int) -> str:
        """A name in at most so many columns, cut in its middle."""
        text = visible(text)
        if _columns(text) <= columns:
            return text
        ellipsis = "…" if self._blocks else "~"
        kept = max(0, columns - 1)
        end = kept // 2
        head, tail = text[: kept - end], text[len(text) - end :]
        while _columns(head) + _columns(tail) > kept and head:
            head = head[:-1]
        return f"{head}{ellipsis}{tail}"

    def bar(self, part: int, whole: int, columns: int) -> str:
        """A bar as long as its part of the whole; what is not nothing is seen."""
        if part <= 0 or whole <= 0:
            return ""
        if not self._blocks:
            return "#" * max(1, round(columns * part / whole))
        eighths = max(1, round(columns * 8 * part / whole))
        return _FULL * (eighths // 8) + _EIGHTHS[eighths % 8]

    def table(self, rows: Iterable[tuple[str, Totals]], total: Totals) -> None:
        """Names with what goes of each, and bars: of bytes, or of things where there are no bytes."""
        rows = list(rows)
        by_bytes = total.bytes > 0
        measures = [totals.bytes if by_bytes else totals.items for _, totals in rows]
        whole = total.bytes if by_bytes else total.items
        columns = [
            ("items", [f"{totals.items:,}" for _, totals in rows]),
            # Only blobs have a size: of what has none, nothing is said.
            ("size", [format_bytes(totals.bytes) if totals.bytes else "" for _, totals in rows]),
            ("share", [wording.percent(measure, whole) for measure in measures]),
        ]
        widths = [max(len(title), *map(len, texts)) for title, texts in columns]
        while columns and self.width - len(_INDENT) - sum(widths) - 2 * len(widths) < self.width // 3:
            del columns[-1 if len(columns) > 2 else 0], widths[-1 if len(widths) > 2 else 0]
        room = self.width - len(_INDENT) - sum(widths) - 2 * len(widths)
        longest = max(_columns(visible(name)) for name, _ in rows)
        name_width = min(longest, max(room - _LONGEST_BAR - 2, room * 3 // 5))
        bar_width = min(_LONGEST_BAR, room - name_width - 2)
        if bar_width < _SHORTEST_BAR:
            name_width, bar_width = min(longest, room), 0

        titles = "  ".join(title.rjust(width) for (title, _), width in zip(columns, widths, strict=True))
        self.add(self.paint(f"{_INDENT}{' ' * name_width}  {titles}", _DIM))
        for index, (name, _) in enumerate(rows):
            shown = self.fit(name, name_width)
            cells = [texts[index].rjust(width) for (_, texts), width in zip(columns, widths, strict=True)]
            bar = self.paint(self.bar(measures[index], max(measures), bar_width), _GREEN) if bar_width else ""
            self.add(_INDENT + "  ".join([shown + " " * (name_width - _columns(shown)), *cells, bar]))


def _columns(text: str) -> int:
    """How many columns a terminal gives a text."""
    if text.isascii():
        return len(text)
    wide = {"W": 2, "F": 2}
    return sum(
        0 if unicodedata.combining(character) else wide.get(unicodedata.east_asian_width(character), 1)
        for character in text
    )


def _head(page: _Page, report: Report) -> None:
    for line in textwrap.wrap(visible(wording.title(report)), page.width, break_on_hyphens=False):
        page.add(page.paint(line, _BOLD))
    if report.work is not None and report.outcome is not None:
        page.heading("What was done")
        for name, text in wording.done(report.work):
            page.paragraph(text, f"{name}: ")
        page.paragraph(wording.ended(report.outcome), "exit code: ")
    page.heading(wording.headline(report))
    counts = list(wording.counts(report))
    name_width = max((len(name) for name, _, _ in counts), default=0)
    count_width = max((len(f"{count:,}") for _, count, _ in counts), default=0)
    for name, count, remark in counts:
        page.add(f"{_INDENT}{name:<{name_width}}  {count:>{count_width},}  {page.paint(remark, _DIM)}")
    if found := [concern for concern in concerns(report) if concern.severity != "note"]:
        page.add("")
        color = _COLORS[found[0].severity]
        page.add(_INDENT + page.paint(f"{wording.attention(len(found))}: see the end", color))
    page.add("")
    for name, text in wording.facts(report):
        page.paragraph(text, f"{name}: ", (_DIM,))


def _contents(page: _Page, contents: Contents) -> None:
    total = contents.totals
    if not total.items:
        return
    page.heading("Where the bytes are")
    page.table(wording.lines_of(contents.repositories, wording.NO_REPOSITORY), total)
    page.heading("What goes, and why")
    page.table(wording.lines_of(contents.reasons, ""), total)
    if wording.has_rules(contents):
        page.heading("By rule")
        page.table(wording.lines_of(contents.rules, wording.NO_RULE), total)
    if wording.has_ages(contents):
        page.heading("How old it is")
        page.table(wording.ages(contents), total)
    if contents.largest:
        page.heading("The largest blobs")
        _largest(page, contents)


def _largest(page: _Page, contents: Contents) -> None:
    cells = [
        (format_bytes(blob.size_bytes), wording.age(blob), wording.short(blob.digest), wording.place(blob))
        for blob in contents.largest
    ]
    size_width, age_width, digest_width = (max(len(row[column]) for row in cells) for column in range(3))
    for size, age, digest, place in cells:
        start = f"{_INDENT}{size:>{size_width}}  {age:>{age_width}}  "
        if page.width - len(start) - digest_width >= _NARROWEST_PLACE:
            start += f"{digest:<{digest_width}}  "
        page.add(start + page.fit(place, page.width - len(start)))


def _held(page: _Page, heading: str, runs: Sequence[Held]) -> None:
    if not runs:
        return
    page.heading(heading)
    for held in runs:
        when = f" since {wording.held_since(held)}" if held.since is not None else ""
        what = f"{format_bytes(held.totals.bytes)} ({held.totals.text()})"
        page.paragraph(
            f"{held.state}{when}: {what}{f'; next: {held.waits_for}' if held.waits_for else ''}", f"{held.id} "
        )


def _attention(page: _Page, report: Report) -> None:
    found = concerns(report)
    page.heading("What needs attention")
    for concern in found:
        page.paragraph(concern.text, f"{concern.what}: ", (_COLORS[concern.severity],))
    if unknown := wording.unknown(report):
        page.paragraph(unknown, "")
    elif not found:
        page.paragraph("nothing", "")
