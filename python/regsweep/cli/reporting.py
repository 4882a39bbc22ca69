"""The report files that ``plan``, ``run`` and ``report`` write: ``--html``, ``--json``, ``--prometheus``.

They are written when the command ends, in whatever way it does: a refusal and an error are in them, too.
"""

from __future__ import annotations

import contextlib
import functools
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from regsweep import exit_codes
from regsweep.cli.common import exit_code_of_error, progress_line, say
from regsweep.cli.output import STANDARD_OUTPUT, check_target, write_file
from regsweep.cli.progress import describe_adding_up
from regsweep.errors import OutputError, RegsweepError
from regsweep.library import shown_name

if TYPE_CHECKING:
    from regsweep.apply import Applied
    from regsweep.errors import GuardRefused
    from regsweep.library import Store
    from regsweep.plan import Plan
    from regsweep.quarantine import Confirmed, PurgedRuns
    from regsweep.report import Failure, Report, Work
    from regsweep.report.model import Subject


class Reporting:
    """What is to be reported, and where. Where nothing was asked for, nothing is added up.

    Args:
        of: what the report is of.
        store: the store (or plan), as it was typed; of a URL only what may be seen is reported.
        targets: files by format: ``html``, ``json``, ``prometheus``.
        clock: seconds since 1970.
    """

    def __init__(
        self, of: Subject, store: str, targets: dict[str, str], clock: Callable[[], float] = time.time
    ) -> None:
        self._of = of
        self._store = shown_name(store)
        self._targets = targets
        self._clock = clock
        self._began = clock()
        self._opened: Store | None = None
        self._report: Report | None = None
        self._work: Work | None = None

    def found(self, report: Report) -> None:
        """Takes a report as the one that is to be written."""
        self._report = report

    def planned(self, made: Plan, store: Store) -> None:
        """Adds up a plan that was made. To be called before it is applied: an error now is one before anything moved.

        Raises:
            RegsweepError: something that is needed cannot be read back.
        """
        if self._targets:
            from regsweep.report import of_made

            self._opened = store
            line = progress_line()
            told = line.start(describe_adding_up)
            self._report = replace(
                of_made(made, store, of=self._of, clock=self._clock, adding_up=told), store=self._store
            )
            line.clear()

    def applied(self, applied: Applied) -> None:
        """Takes down what applying a plan did."""
        if self._targets:
            self._work_so_far().add_applied(applied)

    def confirmed(self, confirmed: Confirmed) -> None:
        """Takes down what a confirmation did."""
        if self._targets:
            self._work_so_far().add_confirmed(confirmed)

    def purged(self, purged: PurgedRuns) -> None:
        """Takes down what a purge did."""
        if self._targets:
            self._work_so_far().add_purged(purged)

    def refused(self, error: GuardRefused) -> None:
        """Takes down that a guard has stopped a part of the work."""
        if self._targets:
            self._work_so_far().refusals += error.refusals

    def _work_so_far(self) -> Work:
        from regsweep.report import Work

        self._work = self._work or Work()
        return self._work

    def around(self, do: Callable[[], int]) -> int:
        """Does what is to be reported, and writes the report of it; gives back the exit code.

        Raises:
            OutputError: a report cannot be written, and nothing was done yet. The other reports say so.
        """
        if not self._targets:
            return do()
        try:
            with _ended_by_sigterm():
                for target in self._targets.values():
                    check_target(target)
                code = do()
        except click.UsageError:
            raise  # nothing was begun that could have failed
        except (KeyboardInterrupt, Exception) as error:
            # Whatever it was: a report of yesterday's success must not be what is left.
            self._write(exit_code_of_error(error), error)
            raise
        return self._write(code)

    def _write(self, code: int, error: BaseException | None = None) -> int:
        """Writes all files; gives back the exit code, changed where one of them cannot be written.

        The work is done by now: that is not undone because nobody can be told, and what else there is to tell is told.
        """
        from regsweep.report import Outcome

        report = self._ended()
        hung_up = None
        for form, target in self._targets.items():
            outcome = Outcome(code, self._began, self._clock(), None if error is None else _failure(error))
            try:
                write_file(target, _text(replace(report, outcome=outcome), form, target))
            except BrokenPipeError as nobody_reads:
                hung_up = nobody_reads  # who reads no further has seen enough; the files are for others
            except OutputError as unwritten:
                if str(unwritten) != str(error):  # that one is said by whoever catches it
                    say([str(unwritten)])
                code = code or exit_codes.DONE_WITH_DAMAGE  # a failure stays one
        if hung_up is not None:
            raise hung_up
        return code

    def _ended(self) -> Report:
        """What there is to report, as it is at the end."""
        from regsweep.report import Report, Work, held_by

        report = self._report or Report(self._of, self._store)
        if self._of != "run":
            return report
        held = None
        if self._opened is not None:
            # What cannot be read has ended the run already, and that is to be reported.
            with contextlib.suppress(RegsweepError):
                held = held_by(self._opened, clock=self._clock)
        return replace(report, work=self._work or Work(), held=held)


def _text(report: Report, form: str, target: str) -> str:
    from regsweep.report import to_html, to_json, to_prometheus

    if form == "html":
        return to_html(report)
    if form == "json":
        return to_json(report)
    return to_prometheus(report, _previous(target))


def _previous(target: str) -> str:
    """What is in a file so far; nothing where there is none, or where it can only be written to."""
    path = Path(target)
    try:
        return path.read_text(errors="replace") if path.is_file() else ""
    except OSError:
        return ""


def _failure(error: BaseException) -> Failure:
    from regsweep.report import Failure

    if isinstance(error, RegsweepError):
        return Failure(str(error), error.operation, error.key)
    if isinstance(error, KeyboardInterrupt):
        return Failure("interrupted", "", "")
    return Failure(f"{type(error).__name__}: {error}", "", "")


@contextlib.contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """What service managers end a job with is an interruption here, so that it is reported."""

    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def file_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that name files."""
    for option in (
        click.option("--prometheus", metavar="FILE", help="Write metrics for a textfile collector to this file."),
        click.option("--json", metavar="FILE", help="Write a report for machines to this file."),
        click.option("--html", metavar="FILE", help="Write a report for people to this file, one page."),
    ):
        function = option(function)
    return function


def targets_of(options: dict[str, Any]) -> dict[str, str]:
    """Takes the files out of a command's options."""
    named = {form: options.pop(form) for form in ("html", "json", "prometheus")}
    return {form: target for form, target in named.items() if target is not None}


def reporting_options(of: Subject) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Adds the options; the command gets them together as ``reporting``, and its end is reported."""

    def add(function: Callable[..., int]) -> Callable[..., int]:
        @functools.wraps(function)
        def run(**kwargs: Any) -> int:
            targets = targets_of(kwargs)
            if STANDARD_OUTPUT in targets.values():
                raise click.UsageError("standard output has other lines: name a file for the report")
            reporting = Reporting(of, kwargs["store"], targets)
            return reporting.around(lambda: function(reporting=reporting, **kwargs))

        return file_options(run)

    return add
