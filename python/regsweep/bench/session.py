"""A whole comparison: the store made, every case run, everything cleared away."""

from __future__ import annotations

import shutil
from pathlib import Path

from regsweep.bench import contenders, stores
from regsweep.bench.compare import Comparison, Log
from regsweep.bench.measure import Series


class Session:
    """One comparison on one store.

    Args:
        work: a directory for the store; removed afterwards.
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
        self._work = work.absolute()
        self._work.mkdir(parents=True, exist_ok=True)
        self._shape = shape
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

    def run(self, *, image_gib: int | None, blocks: int, cold: bool, untagged: bool, sweep: bool) -> dict[str, int]:
        """Makes the store and runs all cases; gives back what the store was made of."""
        try:
            if image_gib is None:
                root = self._work / "store"
                made = stores.generate(root, self._shape)
                self._dry_runs(root, cold=cold, untagged=untagged)
                return made
            return self._run_in_image(image_gib, blocks, cold=cold, untagged=untagged, sweep=sweep)
        finally:
            shutil.rmtree(self._work, ignore_errors=True)

    def _dry_runs(self, root: Path, *, cold: bool, untagged: bool) -> None:
        self._comparison.dry_runs(root)
        if untagged:
            self._comparison.dry_runs(root, delete_untagged=True)
        if cold:
            self._comparison.dry_runs(root, cold=True)

    def _run_in_image(self, size_gib: int, blocks: int, *, cold: bool, untagged: bool, sweep: bool) -> dict[str, int]:
        # As many as fit: the generator cannot say beforehand how many blobs a shape comes to.
        inodes = min(size_gib << 18, 32_000_000)
        image = stores.Image(self._work / "image", size_gib=size_gib, inodes=inodes, blocks=blocks)
        point = self._work / "mounted"
        with stores.mounted(image.path, point):
            made = stores.generate(point / "store", self._shape)
            self._log(f"made {made['blobs']:,} blobs")
            self._dry_runs(point / "store", cold=cold, untagged=untagged)
            candidates = stores.write_candidates(point / "store", self._work / "candidates")
        if sweep:
            everyone = [contenders.regsweep(), *self._references]
            if self._minimal is not None:
                everyone.insert(1, contenders.minimal(self._minimal, "unlink", point / "store", candidates))
            for contender in everyone:
                copy = image.copy(self._work / "copy")
                with stores.mounted(copy, point):
                    self._comparison.sweep(contender, point / "store")
                copy.unlink()
        return made
