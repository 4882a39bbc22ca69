"""Reports of commands that end in other ways than they should: what is left must not be yesterday's success."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from regsweep import exit_codes
from regsweep.cli.reporting import Reporting
from regsweep.errors import OutputError

SUCCESS = 'regsweep_run_last_success_timestamp_seconds{store="store"} 1000\n'


class Reported:
    """A command with reports in files; its clock stands still."""

    def __init__(self, directory: Path) -> None:
        self.metrics_file = directory / "regsweep.prom"
        self.metrics_file.write_text(SUCCESS)
        self.json_file = directory / "report.json"
        self.targets = {"json": str(self.json_file), "prometheus": str(self.metrics_file)}

    def around(self, do: Callable[[], int]) -> int:
        return Reporting("run", "store", self.targets, clock=lambda: 2000.0).around(do)

    def exit_code(self) -> int:
        lines = self.metrics_file.read_text().splitlines()
        assert SUCCESS.strip() in lines, "a failure keeps the time of the last success"
        (line,) = [line for line in lines if line.startswith("regsweep_run_exit_code{")]
        return int(line.split()[-1])


@pytest.fixture
def reported(tmp_path: Path) -> Reported:
    return Reported(tmp_path)


def raise_(error: BaseException) -> Callable[[], int]:
    def do() -> int:
        raise error

    return do


def test_an_error_that_nobody_thought_of_is_reported(reported: Reported) -> None:
    with pytest.raises(ZeroDivisionError):
        reported.around(raise_(ZeroDivisionError("by zero")))
    assert reported.exit_code() == exit_codes.FAILED
    assert json.loads(reported.json_file.read_text())["outcome"]["error"]["message"] == "ZeroDivisionError: by zero"


def test_a_command_that_is_ended_by_a_service_manager_is_reported(reported: Reported) -> None:
    def do() -> int:
        os.kill(os.getpid(), signal.SIGTERM)
        raise AssertionError("it goes on")

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        reported.around(do)
    assert reported.exit_code() == exit_codes.INTERRUPTED
    assert signal.getsignal(signal.SIGTERM) is before


def test_wrong_usage_is_not_reported(reported: Reported) -> None:
    with pytest.raises(click.UsageError):
        reported.around(raise_(click.UsageError("no such thing")))
    assert reported.metrics_file.read_text() == SUCCESS


def test_a_report_that_cannot_be_written_is_in_the_others(
    reported: Reported, capsys: pytest.CaptureFixture[str]
) -> None:
    reported.targets["json"] = "/nowhere/report.json"
    with pytest.raises(OutputError, match="cannot write to /nowhere/report"):
        reported.around(raise_(AssertionError("it is not begun")))
    assert reported.exit_code() == exit_codes.FAILED
    assert capsys.readouterr().err == "", "it is said once, by whoever catches it"


def test_a_failure_is_no_success_because_a_report_cannot_be_written_either(reported: Reported) -> None:
    reported.targets["json"] = "/dev/full"
    with pytest.raises(ZeroDivisionError):
        reported.around(raise_(ZeroDivisionError()))
    assert reported.exit_code() == exit_codes.FAILED


def test_nobody_reading_one_report_does_not_stop_the_others(reported: Reported) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    reported.targets["json"] = f"/dev/fd/{writer}"
    with pytest.raises(BrokenPipeError):
        reported.around(lambda: exit_codes.REFUSED)
    os.close(writer)
    assert reported.exit_code() == exit_codes.REFUSED


def test_where_nothing_is_to_be_reported_nothing_is_changed(reported: Reported) -> None:
    reported.targets.clear()
    assert reported.around(lambda: 3) == 3
    assert reported.metrics_file.read_text() == SUCCESS
