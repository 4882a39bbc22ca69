"""The comparison: every case on one store, contenders in turn, so that all meet the same machine."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from regsweep import _core
from regsweep.bench import contenders, measure, stores
from regsweep.bench.contenders import Contender
from regsweep.bench.measure import Run, Series

Log = Callable[[str], None]


class Comparison:
    """Collects series of runs.

    Args:
        references: the registries' own collectors that take part.
        minimal: the compiled minimal program, if there is one.
        runs: how often the fast ones run in a case; the references run ``reference_runs`` times.
        work: a directory for configurations and candidates.
    """

    def __init__(
        self,
        *,
        references: list[Contender],
        minimal: Path | None,
        runs: int,
        reference_runs: int,
        work: Path,
        log: Log,
    ) -> None:
        self.series: list[Series] = []
        self._references = references
        self._minimal = minimal
        self._runs = runs
        self._reference_runs = reference_runs
        self._work = work
        self._log = log

    def dry_runs(self, root: Path, *, cold: bool = False, delete_untagged: bool = False) -> None:
        """``-d`` of everyone, and the core alone, on a warm or a cold cache; with ``-m`` if asked."""
        config = stores.write_config(root, self._work / "config.yml")
        flags = ("-d", "-m") if delete_untagged else ("-d",)
        case = f"dry run{' -m' if delete_untagged else ''}, {'cold' if cold else 'warm'}"
        fast = [contenders.regsweep()]
        if self._minimal is not None:
            candidates = stores.write_candidates(root, self._work / "candidates", delete_untagged=delete_untagged)
            # Waiting for a disk, it gets the threads that regsweep takes; otherwise as many as there are cores.
            threads = _core.Store(root).jobs if cold else None
            fast.append(contenders.minimal(self._minimal, "scan", root, candidates, threads))
        prepare = measure.drop_caches if cold else None
        if not cold:
            measure.run(contenders.regsweep().words(flags, config), {})
        self._in_turn(case, fast, self._runs, flags, config, prepare)
        if not cold:
            self._core_alone(case, root, delete_untagged=delete_untagged)
        self._in_turn(case, self._references, self._reference_runs, flags, config, prepare)

    def cycle(self, root: Path) -> None:
        """A plan beside the bare scan and mark; setting aside and undoing beside the renames that it takes at least."""
        config = stores.write_config(root, self._work / "config.yml")
        plan = self._work / "plan.csv"
        candidates = stores.write_candidates(root, self._work / "candidates", delete_untagged=True)
        planning = contenders.step(
            "regsweep plan",
            *("plan", str(root), "--delete-untagged", "--min-age", "0"),
            *("--output", str(plan), "--max-removed-share", "1"),
        )
        scanning = contenders.regsweep()
        for _ in range(self._runs):
            self._record("plan", scanning, scanning.words(("-d", "-m", "-q"), config))
            self._record("plan", planning, list(planning.command))
        for _ in range(self._runs):
            if self._minimal is not None:
                for case, mode in (("set aside", "aside"), ("undo", "back")):
                    mover = contenders.minimal(self._minimal, mode, root, candidates)
                    self._record(case, mover, list(mover.command))
            # A plan is applied once.
            measure.run(list(planning.command), {})
            run_id = plan.read_text().partition("# id: ")[2].partition("\n")[0]
            for case, step in (
                ("set aside", contenders.step("regsweep apply", "apply", str(plan))),
                ("undo", contenders.step("regsweep undo", "undo", str(root), run_id)),
            ):
                self._record(case, step, list(step.command))

    def sweep(self, contender: Contender, root: Path) -> None:
        """One real sweep; the store is another one afterwards."""
        config = stores.write_config(root, self._work / "config.yml")
        # A freshly mounted copy is cold. Its own dry run, which an operator makes first, warms what it will look at.
        warming = contender if contender.takes_flags else contenders.regsweep()
        measure.run(warming.words(("-d",), config), warming.environment)
        os.sync()
        self._record("sweep", contender, contender.words((), config))

    def _in_turn(
        self,
        case: str,
        who: list[Contender],
        runs: int,
        flags: tuple[str, ...],
        config: Path,
        prepare: Callable[[], None] | None,
    ) -> None:
        for _ in range(runs):
            for contender in who:
                if prepare is not None:
                    prepare()
                self._record(case, contender, contender.words(flags, config))

    def _record(self, case: str, contender: Contender, words: list[str]) -> None:
        run = measure.run(words, contender.environment)
        self._series(case, contender.name).runs.append(run)
        self._log(f"{case}: {contender.name} {run.wall_seconds:.3f} s, {run.peak_bytes / 1e6:.0f} MB")

    def _core_alone(self, case: str, root: Path, *, delete_untagged: bool) -> None:
        """Scan and mark inside a process that has already started."""
        for _ in range(self._runs):
            begin, cpu = time.perf_counter(), time.process_time()
            marks = _core.Store(root).scan().mark(delete_untagged=delete_untagged)
            run = Run(time.perf_counter() - begin, time.process_time() - cpu, 0.0, 0, 0)
            del marks  # freeing them is not part of it, nor may they be there during the next one
            self._series(case, "regsweep, core alone").runs.append(run)

    def _series(self, case: str, contender: str) -> Series:
        for series in self.series:
            if (series.case, series.contender) == (case, contender):
                return series
        self.series.append(Series(contender, case))
        return self.series[-1]
