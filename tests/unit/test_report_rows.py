"""Rows of a plan as they pass."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from plan_rows import blob, plan_bytes

from regsweep import report
from regsweep.report.rows import AddingUp

PLAN = plan_bytes([blob(number, number=number) for number in range(12_000)])


def test_somebody_is_told_how_far_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "plan"
    path.write_bytes(PLAN)
    told: list[AddingUp] = []
    report.of_plan(path, adding_up=told.append)
    assert [one.rows for one in told] == [5_000, 10_000]
    shares = [one.share or 0.0 for one in told]
    assert 0.3 < shares[0] < 0.5
    assert 0.8 < shares[1] < 0.9


def test_nobody_knows_how_long_a_pipe_is() -> None:
    reader, writer = os.pipe()

    def write() -> None:
        with Path(f"/dev/fd/{writer}").open("wb") as file:
            file.write(PLAN)
        os.close(writer)

    thread = threading.Thread(target=write)
    thread.start()
    told: list[AddingUp] = []
    found = report.of_plan(f"/dev/fd/{reader}", adding_up=told.append)
    thread.join()
    os.close(reader)
    assert told == [AddingUp(5_000, None), AddingUp(10_000, None)]
    assert found.contents is not None
    assert found.contents.totals.blobs == 12_000
