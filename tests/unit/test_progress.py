"""The progress line: only on a terminal, ten times a second at most, gone afterwards."""

import io
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

from regsweep.cli import progress
from regsweep.report.rows import AddingUp
from regsweep.verify import VerifyProgress

if TYPE_CHECKING:
    from regsweep._core import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def counters(**values: int) -> "Progress":
    zero = dict.fromkeys(("listed", "repositories", "tags", "manifests", "blobs", "removed", "freed_bytes"), 0)
    return cast("Progress", SimpleNamespace(**{**zero, **values}))


def test_without_a_terminal_nothing_is_drawn_and_nobody_is_called() -> None:
    stream = io.StringIO()
    line = progress.ProgressLine(stream)
    assert line.start(progress.describe_scan) is None
    line.clear()
    assert stream.getvalue() == ""


def test_at_most_ten_drawings_a_second() -> None:
    stream, clock = Terminal(), Clock()
    callback = progress.ProgressLine(stream, clock).start(progress.describe_mark)
    assert callback is not None
    for _ in range(100):
        callback(counters(blobs=5))
        clock.now += 0.01
    assert 9 <= stream.getvalue().count("\r") <= 11


def test_the_line_is_cleared_once_and_only_if_drawn() -> None:
    stream, clock = Terminal(), Clock()
    line = progress.ProgressLine(stream, clock)
    callback = line.start(progress.describe_scan)
    assert callback is not None
    line.clear()
    assert stream.getvalue() == ""
    callback(counters(repositories=1, tags=2, manifests=3))
    line.clear()
    line.clear()
    assert stream.getvalue() == "\r\x1b[2Kscanning: 1 repository, 2 tags, 3 manifests\r\x1b[2K"


def test_a_removal_tells_rate_and_time_left() -> None:
    describe = progress.describe_removal(1000)
    assert describe(counters(removed=0), 0.0) == "removing: 0 of 1000, 0 B freed"
    line = describe(counters(removed=250, freed_bytes=2048), 10.0)
    assert line == "removing: 250 of 1000, 2.0 KiB freed, 25/s, 30s left"
    # Tag-history links are removed beyond the total.
    assert describe(counters(removed=1100), 10.0).endswith("0.0s left")


def test_verifying_tells_share_rate_and_time_left() -> None:
    progress_of = VerifyProgress(total_count=10, total_bytes=10 << 20)
    assert progress.describe_verify(progress_of, 0.0) == "verifying: 0.0% of 10.0 MiB, 0 of 10 blobs"
    progress_of = VerifyProgress(10, 10 << 20, 4, 4 << 20, 2, 3 << 20, 1, 2.0)
    line = progress.describe_verify(progress_of, 99.0)
    # The rate is this run's own, and so is what is left of the whole.
    assert line == "verifying: 70.0% of 10.0 MiB, 1.5 MiB/s, 2.0s left, 1 finding, 6 of 10 blobs"
    # What does not match is read twice.
    assert "100.0% of 1.0 KiB" in progress.describe_verify(VerifyProgress(1, 1024, read_bytes=2048, seconds=9), 0.0)
    assert "100.0% of 0 B" in progress.describe_verify(VerifyProgress(), 0.0)


def test_every_step_of_one_callback_has_its_own_words_and_rate() -> None:
    describe = progress.describe_steps(progress.describe_removal(100))
    assert describe(counters(), 0.0) == "scanning: 0 repositories, 0 tags, 0 manifests"
    assert describe(counters(repositories=2, manifests=50), 10.0).endswith("50 manifests, 5/s")
    # The next step counts from nothing; until it has counted something, the line stays.
    assert describe(counters(), 20.0).endswith("50 manifests, 5/s")
    assert describe(counters(blobs=600), 30.0) == "marking: 600 blobs, 60/s"
    assert describe(counters(), 40.0) == "marking: 600 blobs, 60/s"
    assert describe(counters(removed=50), 45.0) == "removing: 50 of 100, 0 B freed, 10/s, 5.0s left"
    # A second scan, as where several runs are worked on with one callback.
    assert describe(counters(repositories=1, manifests=3), 45.0) == "scanning: 1 repository, 0 tags, 3 manifests"


def test_what_comes_back_is_not_called_removed() -> None:
    assert progress.describe_return(counters(removed=30), 10.0) == "bringing back: 30, 3/s"


def test_adding_up_tells_rate_and_time_left() -> None:
    assert progress.describe_adding_up(AddingUp(5_000, 0.25), 2.0) == "adding up: 5000 rows, 25%, 2500/s, 6.0s left"
    assert progress.describe_adding_up(AddingUp(5_000, None), 2.0) == "adding up: 5000 rows, 2500/s"
    assert progress.describe_adding_up(AddingUp(5_000, 0.0), 2.0) == "adding up: 5000 rows, 0%, 2500/s"


def test_a_terminal_that_goes_away_does_not_stop_the_run() -> None:
    class Gone(Terminal):
        def write(self, text: str) -> int:
            raise OSError(5, "Input/output error")

    line = progress.ProgressLine(Gone(), Clock())
    callback = line.start(progress.describe_scan)
    assert callback is not None
    callback(counters())
    callback(counters())
    line.clear()
