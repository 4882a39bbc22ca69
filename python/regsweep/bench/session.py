"""A whole comparison: the store made, every case run, everything cleared away."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

from regsweep.bench import contenders, measure, stores
from regsweep.bench.compare import Comparison, Log
from regsweep.bench.measure import Series


class Session:
    """One comparison on one store.

    Attributes:
        made: what the store was made of, once it is.

    Args:
        work: where to make a directory for the store; that one, and nothing else, is removed afterwards.
        shape: options of the generator.
        registries: the references, by the name that results give them, with their programs.
    """

    def __init__(
        self,
        *,
        work: Path,
        shape: dict[str, object],
        registries: dict[str, str],
        runs: int,
        reference_runs: int,
        log: Log,
    ) -> None:
        # Absolute: the configuration names it, and the registries take a relative root for one in /.
        work.mkdir(parents=True, exist_ok=True)
        self._work = Path(tempfile.mkdtemp(prefix="regsweep-bench-", dir=work.absolute()))
        self._shape = shape
        self.made: dict[str, int] = {}
        self._log = log
        self._minimal = contenders.build_minimal(self._work)
        found = [contenders.reference(name, program) for name, program in registries.items()]
        self._references = [reference for reference in found if reference is not None]
        for name, reference in zip(registries, found, strict=True):
            if reference is None:
                log(f"{name} is not installed and does not take part")
        self._comparison = Comparison(
            references=self._references,
            minimal=self._minimal,
            runs=runs,
            reference_runs=reference_runs,
            work=self._work,
            log=log,
        )

    @property
    def series(self) -> list[Series]:
        """What was measured."""
        return self._comparison.series

    def run(
        self,
        *,
        store: Path | None,
        image_gib: int | None,
        blocks: int,
        cold: bool,
        untagged: bool,
        cycle: bool,
        sweeps: int,
    ) -> None:
        """Makes the store, unless there is one, and runs all cases, ``sweeps`` real ones of everyone."""
        if cold and not measure.can_drop_caches():
            self._log("dropping caches needs root: runs on a cold cache are left out")
            cold = False
        try:
            if store is not None:
                self.made = stores.describe(store)
                self._dry_runs(store.absolute(), cold=cold, untagged=untagged, cycle=False)
            elif image_gib is None:
                self._make(self._work / "store")
                self._dry_runs(self._work / "store", cold=cold, untagged=untagged, cycle=cycle)
            else:
                self._run_in_image(image_gib, blocks, cold=cold, untagged=untagged, cycle=cycle, sweeps=sweeps)
        finally:
            shutil.rmtree(self._work, ignore_errors=True)

    def _make(self, root: Path) -> None:
        begin = time.perf_counter()
        self.made = stores.generate(root, self._shape)
        self._log(f"made {self.made['blobs']:,} blobs in {time.perf_counter() - begin:.0f} s")

    def _dry_runs(self, root: Path, *, cold: bool, untagged: bool, cycle: bool) -> None:
        self._comparison.dry_runs(root)
        if untagged:
            self._comparison.dry_runs(root, delete_untagged=True)
        if cold:
            self._comparison.dry_runs(root, cold=True)
        if cycle:
            self._comparison.cycle(root)

    def _run_in_image(
        self, size_gib: int, blocks: int, *, cold: bool, untagged: bool, cycle: bool, sweeps: int
    ) -> None:
        image = stores.Image(self._work / "image", size_gib=size_gib, blocks=blocks)
        point = self._work / "mounted"
        with stores.mounted(image.path, point):
            self._make(point / "store")
            self._dry_runs(point / "store", cold=cold, untagged=untagged, cycle=cycle)
            candidates = stores.write_candidates(point / "store", self._work / "candidates")
        everyone = [contenders.regsweep(), *self._references]
        if self._minimal is not None:
            everyone.insert(1, contenders.minimal(self._minimal, "unlink", point / "store", candidates))
        for contender in everyone * sweeps:
            copy = image.copy(self._work / "copy")
            with stores.mounted(copy, point):
                self._comparison.sweep(contender, point / "store")
            copy.unlink()
