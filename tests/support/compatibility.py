"""Ties tests to ``docs/compatibility.md``: each deviation documented there is shown by a test that names it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

Test = TypeVar("Test", bound=Callable[..., object])
TESTS = Path(__file__).parents[1]
DOCUMENT = TESTS.parent / "docs" / "compatibility.md"


def shows(*deviations: str) -> Callable[[Test], Test]:
    """Says which documented deviations a test shows."""
    assert deviations
    return lambda test: test


def documented() -> set[str]:
    """The deviations that the document has a heading for."""
    return set(re.findall(r"^### `([a-z0-9-]+)`", DOCUMENT.read_text(), re.MULTILINE))


def shown() -> set[str]:
    """The deviations that tests name, and those that a random store may show."""
    named: set[str] = set()
    for path in TESTS.rglob("*.py"):
        for arguments in re.findall(r"^@shows\(([^)]*)\)", path.read_text(), re.MULTILINE):
            named |= set(re.findall(r'"([a-z0-9-]+)"', arguments))
    return named


def asked() -> set[str]:
    """The deviations that the comparison of random stores knows."""
    return set(re.findall(r'yield "([a-z0-9-]+)"', (TESTS / "differential" / "deviations.py").read_text()))
