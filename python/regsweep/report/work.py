"""What a cycle did, added up as it goes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from regsweep.plan import Totals

if TYPE_CHECKING:
    from regsweep._core import RemovalFailure, Restored
    from regsweep.apply import Applied
    from regsweep.errors import Refusal
    from regsweep.quarantine import Confirmed, PurgedRuns

_NOTHING = Totals(0, 0, 0, 0, 0)


@dataclass
class Work:
    """What was really moved or removed.

    Attributes:
        set_aside: into quarantine.
        condemned: written down, and neither moved nor removed.
        restored: brought back from quarantines. Sizes are not known of what comes back.
        purged_blob_count: removed for good.
        purged_bytes: their size.
        failures: what could not be moved or removed.
        refusals: guards that stopped a part of it.
    """

    set_aside: Totals = _NOTHING
    condemned: Totals = field(default=_NOTHING, kw_only=True)
    restored: Totals = _NOTHING
    purged_blob_count: int = 0
    purged_bytes: int = 0
    failures: list[RemovalFailure] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)

    def add_applied(self, applied: Applied) -> None:
        """Adds what applying a plan did."""
        removed = applied.removed
        self.set_aside += Totals(
            removed.tag_count, removed.manifest_count, removed.layer_link_count, removed.blob_count, removed.blob_bytes
        )
        if applied.condemned is not None:
            self.condemned += applied.condemned.totals
        self.failures += applied.failures

    def add_confirmed(self, confirmed: Confirmed) -> None:
        """Adds what a confirmation did."""
        self._add_restored(confirmed.restored)

    def add_purged(self, purged: PurgedRuns) -> None:
        """Adds what a purge did."""
        if purged.restored is not None:
            self._add_restored(purged.restored)
        for _, done in purged.purged:
            self.purged_blob_count += done.blob_count
            self.purged_bytes += done.blob_bytes
            self.failures += done.failures

    def _add_restored(self, restored: Restored) -> None:
        self.restored += Totals(
            restored.tag_count, restored.manifest_count, restored.layer_link_count, restored.blob_count, bytes=0
        )
        self.failures += restored.failures
