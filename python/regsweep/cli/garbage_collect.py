"""``regsweep garbage-collect``: the drop-in for ``registry garbage-collect``.

Order of events, and why: the configuration first (its errors are the reference's); then all files that the user named,
so that a wrong path costs nothing; scan, mark, guards; then the lines and the JSON, complete; and only then, as the
last thing that can fail, the removal.
"""

from __future__ import annotations

import os
import sys
import time

from regsweep import config, exit_codes, library, safety
from regsweep.cli import arguments, progress, summary
from regsweep.errors import ConfigurationError, DriverError, LockedError, LoggingError, RegsweepError, StorageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from regsweep.cli.arguments import Options
    from regsweep.cli.json_report import JsonReport
    from regsweep.errors import Refusal
    from regsweep.lock import StoreLock

_STDOUT = 1
# Names in a storage can be anything; what would command the terminal is shown instead.
_VISIBLE = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}


def run(argv: Sequence[str]) -> int:
    """Collects as the arguments say; gives back the exit code."""
    stdout_is_open = _occupy_standard_descriptors()
    options = arguments.parse(argv)
    if not (stdout_is_open or options.quiet):
        _say(["standard output is closed; nothing was removed", "hint: give --quiet where nobody reads the lines"])
        return exit_codes.FAILED
    return _Run(options).run()


class _Stop(Exception):
    """Ends the run before anything is removed."""


class _Run:
    """One run: what was asked for, where it is, what it reports to."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._progress = progress.ProgressLine(sys.stderr)
        self._report: JsonReport | None = None
        self._removal_started = False
        self._lock: StoreLock | None = None

    def run(self) -> int:
        try:
            return self._collect()
        except KeyboardInterrupt:
            self._progress.clear()
            if self._removal_started:
                _say(["interrupted while removing; nothing is half done, and running again finishes the work"])
                return self._end_report("interrupted", exit_codes.INTERRUPTED)
            _say(["interrupted; nothing was removed"])
            return exit_codes.INTERRUPTED
        except (_Stop, RegsweepError) as error:
            self._progress.clear()
            _say(_error_lines(error, removing=self._removal_started))
            details = {
                "message": str(error),
                "operation": getattr(error, "operation", ""),
                "key": getattr(error, "key", ""),
            }
            code = exit_codes.REFUSED if isinstance(error, LockedError) else exit_codes.FAILED
            return self._end_report("failed", code, error=details)
        finally:
            self._abandon_report()
            if self._lock is not None:
                self._lock.release()

    def _collect(self) -> int:
        options = self._options
        registry = config.load(config.resolve_path(options.config, os.environ))
        if options.ignored_arguments:
            _say([f"warning: ignoring further arguments: {' '.join(options.ignored_arguments)}"])
        warnings = list(summary.configuration_warnings(registry, options.min_age))
        _say(f"warning: {warning}" for warning in warnings)
        keep = self._read_keep_list()
        store = library.open_config(
            registry,
            jobs=options.jobs,
            max_requests_per_second=options.max_requests_per_second,
            cache=options.cache,
            cache_bytes=options.cache_size,
            inventory=options.inventory,
        )
        self._begin_report(registry.path, store.root, keep, warnings)
        self._take_lock(store)

        catalog = store.scan(progress=self._progress.start(progress.describe_scan))
        marks = catalog.mark(
            delete_untagged=options.delete_untagged,
            min_age=options.min_age,
            keep=keep,
            accept_damage=options.accept_damage,
            progress=self._progress.start(progress.describe_mark),
        )
        self._progress.clear()
        refusals = marks.refusals(overrides=options.override, max_removed_share=options.max_removed_share)
        refused = bool(safety.refusing(refusals))

        self._write_lines(marks)
        if self._report is not None:
            self._report_scan(self._report, catalog, marks, refusals)
        _say([summary.scan_line(store.root, catalog, marks)])
        _say(summary.inventory_lines(store))
        _say(summary.request_lines(store))
        _say(summary.findings(marks))
        _say(summary.quarantine_warnings(marks, store.root))
        _say(summary.guard_lines(refusals))
        damaged = any(not damage.accepted for damage in marks.damaged) or any(image.counts for image in marks.broken)

        if refused or options.dry_run:
            _say([summary.eligible_line(marks, refused=refused)])
            code = exit_codes.REFUSED if refused else exit_codes.DONE_WITH_DAMAGE if damaged else exit_codes.DONE
            return self._end_report("refused" if refused else "dry-run", code)
        return self._remove(marks, damaged=damaged)

    def _take_lock(self, store: library.Store) -> None:
        """Where plans were ever applied, one may be on its way just now. (Elsewhere nothing is left in the storage.)"""
        if self._options.dry_run or not store.own_files.exists():
            return
        from regsweep.lock import StoreLock

        self._lock = StoreLock(store.own_files, "garbage-collect")
        self._lock.acquire()

    def _read_keep_list(self) -> list[str]:
        if self._options.keep_list is None:
            return []
        from regsweep import keep_list

        return keep_list.read(self._options.keep_list)

    def _remove(self, marks: library.Marks, *, damaged: bool) -> int:
        eligible_blobs = marks.eligible_blob_count  # fewer afterwards, where a pointer could not be removed
        total = eligible_blobs + marks.eligible_manifest_count + marks.eligible_layer_link_count
        started = time.monotonic()
        self._removal_started = True
        removed = library.remove_eligible(
            marks,
            overrides=self._options.override,
            max_removed_share=self._options.max_removed_share,
            progress=self._progress.start(progress.describe_removal(total)),
        )
        self._progress.clear()
        _say(summary.removed_lines(removed, eligible_blobs, time.monotonic() - started))
        if removed.interrupted:
            return self._end_report("interrupted", exit_codes.INTERRUPTED, removed=removed)
        code = exit_codes.DONE_WITH_DAMAGE if damaged or removed.failures else exit_codes.DONE
        return self._end_report("removed", code, removed=removed)

    def _write_lines(self, marks: library.Marks) -> None:
        if self._options.quiet:
            return
        try:
            marks.write_lines(_STDOUT, self._options.compat)
        except (OSError, StorageError) as error:
            # Whoever reads the lines has not seen what would go: then nothing goes.
            raise _Stop(f"cannot write to standard output: {error}; nothing was removed") from error

    def _begin_report(self, path: str, root: str, keep: Sequence[str], warnings: Sequence[str]) -> None:
        options = self._options
        if options.json is None:
            return
        from regsweep import _core
        from regsweep.cli.json_report import JsonReport

        known = {
            "regsweep_version": _core.__version__,
            "configuration": path,
            "root": root,
            "options": {
                "dry_run": options.dry_run,
                "delete_untagged": options.delete_untagged,
                "compat": options.compat,
                "min_age_seconds": options.min_age,
                "keep_list": options.keep_list,
                "keep_count": len(keep),
                "override": options.override,
                "accept_damage": options.accept_damage,
                "max_removed_share": options.max_removed_share,
            },
            "warnings": list(warnings),
        }
        try:
            self._report = JsonReport(options.json)
            self._report.begin(known)
        except OSError as error:
            raise self._report_failed(error) from error

    def _report_scan(
        self, report: JsonReport, catalog: library.Catalog, marks: library.Marks, refusals: Iterable[Refusal]
    ) -> None:
        try:
            report.scanned(catalog, marks, refusals)
        except OSError as error:
            raise self._report_failed(error) from error

    def _report_failed(self, error: OSError) -> _Stop:
        self._abandon_report()
        return _Stop(f"cannot write {self._options.json}: {error.strerror}; nothing was removed")

    def _abandon_report(self) -> None:
        if self._report is not None:
            self._report.abandon()
            self._report = None

    def _end_report(
        self, outcome: str, code: int, *, removed: library.Removed | None = None, error: object = None
    ) -> int:
        """Completes the JSON; gives back the exit code, which changes where that fails."""
        if self._report is None:
            return code
        try:
            self._report.end(outcome=outcome, exit_code=code, removed=removed, error=error)
        except OSError as failure:
            _say([f"cannot write {self._options.json}: {failure.strerror}"])
            return max(code, exit_codes.DONE_WITH_DAMAGE if self._removal_started else exit_codes.FAILED)
        self._report = None
        return code


def _error_lines(error: Exception, *, removing: bool) -> list[str]:
    """An error in the reference's words, and what to do about it."""
    message = str(error)
    usage = []
    if isinstance(error, LoggingError):
        message = f"unable to configure logging with config: {message}"
    elif isinstance(error, ConfigurationError):
        message = f"configuration error: {message}"
        usage = [f"usage: {arguments.USAGE}"]
    elif isinstance(error, DriverError):
        message = f"failed to construct {error.driver} driver: {message}"
    elif isinstance(error, StorageError):
        # Removing ends in an error only before its first removal; everything later is counted.
        stage = f"{message}; nothing was removed" if removing else f"failed to mark: {message}"
        message = f"failed to garbage collect: {stage}"
    next_step = getattr(error, "next_step", "")
    return [message, *usage, *([f"hint: {next_step}"] if next_step else [])]


def _occupy_standard_descriptors() -> bool:
    """Makes sure that no file of ours becomes descriptor 0, 1 or 2; tells whether standard output was open.

    A process may be started with some of them closed. The next file opened would take the number: the lines for
    standard output would end up in the JSON file, or an error message in the storage.
    """
    stdout_is_open = True
    for descriptor in (0, _STDOUT, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
            stdout_is_open = stdout_is_open and descriptor != _STDOUT
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", closefd=False)
    return stdout_is_open


def _say(lines: Iterable[str]) -> None:
    """Writes lines to stderr. A stderr that cannot be written to must not stop a removal half-way."""
    try:
        for line in lines:
            sys.stderr.write(f"{line.translate(_VISIBLE)}\n")
        sys.stderr.flush()
    except OSError:
        pass
