"""What measuring programs print and keep: rows of figures, for people and raw."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

# Of the options: where things are on this machine.
PLACES = ("directory", "output")


def table(columns: Sequence[str], rows: Sequence[DataclassInstance]) -> str:
    """The rows in Markdown."""
    lines = ["| " + " | ".join(columns) + " |", "| " + " | ".join("---" for _ in columns) + " |"]
    lines += ["| " + " | ".join(str(getattr(row, column)) for column in columns) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def keep(options: argparse.Namespace, columns: Sequence[str], rows: Sequence[DataclassInstance]) -> None:
    """Writes what has been measured so far to ``options.output``, with ``.json`` and ``.md`` added, if there is one."""
    output: Path | None = options.output
    if output is None:
        return
    output.parent.mkdir(parents=True, exist_ok=True)
    told = {name: value for name, value in vars(options).items() if name not in PLACES}
    result = {"options": told, "rows": [asdict(row) for row in rows]}
    output.with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n")
    output.with_suffix(".md").write_text(table(columns, rows))
