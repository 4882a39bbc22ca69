"""What callers hand in to be called back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from regsweep._core import Progress

ProgressCallback: TypeAlias = Callable[[Progress], None]
"""Told of how far a running operation is, about ten times a second, from the thread that waits for it."""
