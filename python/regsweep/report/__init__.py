"""Reports: what a plan, a store or a run amounts to, for people and for machines.

::

    from regsweep import report

    made = report.of_plan("tonight.plan")           # or report.of_store(regsweep.open("/var/lib/registry"))
    print(report.to_text(made))
    Path("report.html").write_text(report.to_html(made))

``rows`` are streamed, ``aggregate`` adds them up, ``model`` is what comes out; each of ``text``, ``html_page``,
``json_document`` and ``prometheus`` writes that in its own way and adds up nothing. See ``docs/reports.md``.
"""

from regsweep.report.forms import to_html, to_json, to_prometheus, to_text
from regsweep.report.model import (
    AgeGroup,
    Contents,
    Failure,
    Findings,
    Group,
    Grouping,
    Held,
    LargeBlob,
    Outcome,
    Report,
    Space,
)
from regsweep.report.sources import held_by, of_made, of_plan, of_store
from regsweep.report.work import Work

__all__ = [
    "AgeGroup",
    "Contents",
    "Failure",
    "Findings",
    "Group",
    "Grouping",
    "Held",
    "LargeBlob",
    "Outcome",
    "Report",
    "Space",
    "Work",
    "held_by",
    "of_made",
    "of_plan",
    "of_store",
    "to_html",
    "to_json",
    "to_prometheus",
    "to_text",
]
