"""Trends of the parts of a dry run. What counts as fast is measured side by side: see docs/benchmarks.md."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import regsweep


def test_scan(benchmark: BenchmarkFixture, root: Path) -> None:
    catalog = benchmark(regsweep.open(root).scan)
    assert catalog.revision_count > 1000


@pytest.mark.parametrize("delete_untagged", [False, True], ids=["plain", "untagged"])
def test_mark(benchmark: BenchmarkFixture, root: Path, delete_untagged: bool) -> None:
    catalog = regsweep.open(root).scan()
    marks = benchmark(lambda: catalog.mark(delete_untagged=delete_untagged))
    assert marks.eligible_blob_count >= 1000


@pytest.mark.parametrize("compat", [2, 3])
def test_lines(benchmark: BenchmarkFixture, root: Path, compat: int) -> None:
    marks = regsweep.open(root).scan().mark()
    descriptor = os.open(os.devnull, os.O_WRONLY)
    try:
        benchmark(lambda: marks.write_lines(descriptor, compat))
    finally:
        os.close(descriptor)
