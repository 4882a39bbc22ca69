"""A report in the forms that it can have. What takes one of them to write is imported only then."""

from __future__ import annotations

from regsweep.report.model import Report


def to_text(report: Report, *, width: int = 80, color: bool = False, encoding: str = "utf-8") -> str:
    """For a terminal.

    Args:
        report: what there is to say.
        width: columns.
        color: whether the terminal takes colours.
        encoding: of the terminal; where it has no block characters, bars are drawn in ASCII.
    """
    from regsweep.report import text

    return text.render(report, width=width, color=color, encoding=encoding)


def to_json(report: Report) -> str:
    """As ``schema/report-1.schema.json`` describes it, in ASCII."""
    from regsweep.report import json_document

    return json_document.render(report)


def to_html(report: Report) -> str:
    """One page that needs nothing else."""
    from regsweep.report import html_page

    return html_page.render(report)


def to_prometheus(report: Report, previous: str = "") -> str:
    """For the textfile collector of Prometheus' node exporter.

    Args:
        report: what there is to say.
        previous: the file's former text: counters go on from there, and so does the time of the last
            success where this is none.
    """
    from regsweep.report import prometheus

    return prometheus.render(report, previous)
