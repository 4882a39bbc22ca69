"""A registry in use, and cycles of regsweep on its storage meanwhile.

Where a cycle waits for requests in flight, this waits for those that are in flight, and no longer: what a settle period
is too short for would be lost, and what it is long enough for is not waited for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import regsweep
from regsweep import apply, plan, quarantine
from regsweep._core import Restored
from regsweep.errors import StorageError
from regsweep.policy import load as load_policy
from regsweep.policy.selection import by_policy
from regsweep.quarantine import Registries, Waiting
from regsweep.set_aside import Wanted
from support.ledger import Ledger
from support.load import PASSING, REPOSITORIES, TAGS, Flights, Load, Watched
from support.servers import Cache, Server

T = TypeVar("T")

POLICY = f"""\
version: 1
min_age: 0s
policies:
  - repositories: ["**"]
    delete: {{tags: ["{PASSING}*"]}}
    untagged: {{older_than: 0s}}
"""


@dataclass
class InUse:
    """A registry in use; what is counted of cycles, by what it is.

    Attributes:
        set_aside_by: how, where there is a choice. What is condemned is purged while no client does anything: nothing
            else is promised of that.
        counts: what was set aside, what came back and when, how often the store had changed while it was looked at.
    """

    directory: Path
    server: Server
    cache: Cache
    flights: Flights
    load: Load
    set_aside_by: Wanted = "auto"
    counts: Counter[str] = field(default_factory=Counter)

    @staticmethod
    def of(
        server: Server,
        cache: Cache,
        directory: Path,
        *,
        clients: int,
        indexes: bool = True,
        tags: Sequence[str | None] = TAGS,
        set_aside_by: Wanted = "auto",
    ) -> InUse:
        """A registry that runs, with clients that wait for ``with load``."""
        flights = Flights()
        ledger = Ledger(REPOSITORIES, PASSING)
        load = Load(
            ledger, lambda: Watched(server.registry.address, flights), clients=clients, indexes=indexes, tags=tags
        )
        (directory / "policy.yml").write_text(POLICY)
        return InUse(directory, server, cache, flights, load, set_aside_by)

    def open(self) -> regsweep.Store:
        """The storage, by the registry's own configuration, as each command opens it anew."""
        if isinstance(self.server.storage, Path):
            return regsweep.open(self.server.config)
        return regsweep.open(self.server.config, cache=self.directory / "manifests")

    @property
    def plan_file(self) -> Path:
        return self.directory / "plan.csv"

    def set_aside(self, *, permanent: bool = False) -> None:
        """Plans and applies."""
        policy = load_policy(str(self.directory / "policy.yml"))
        store = self.open()

        def make() -> plan.Plan:
            return plan.make(
                store, decide=by_policy(policy), policy=policy, mode="policy", min_age=0, overrides=["all-tags"]
            )

        planned = self.unless_changed(make)
        planned.write(self.plan_file)
        self.load.ledger.collected(planned.head.cutoff)
        self.load.work(4)
        applied = self.unless_changed(
            lambda: apply.apply(store, self.plan_file, permanent=permanent, set_aside=self.set_aside_by)
        )
        assert not applied.failures
        self.counts["set aside"] += applied.removed.blob_count
        self.counts["condemned"] += applied.condemned.totals.blobs if applied.condemned else 0
        self.counts["tags kept"] += len(applied.removed.kept_tags)

    def confirm(self) -> None:
        """Confirms, as soon as all requests have ended that it has to wait for."""
        now = [1e10]

        def wait(seconds: float) -> None:
            self.flights.land()
            now[0] += seconds

        wait(0)  # from the end of the apply on
        waiting = Waiting(600.0, clock=lambda: now[0], sleep=wait)
        confirmed = self.unless_changed(lambda: quarantine.confirm(self.open(), waiting=waiting))
        self.count("confirmed", confirmed.restored)

    def purge(self) -> None:
        """Purges; where the cache is in the registry's memory, after a restart."""
        if self.cache == "inmemory":
            self.restart()
            self.load.work(4)
        with self.load.paused() if self.set_aside_by == "condemn" else nullcontext():
            purged = self.unless_changed(
                lambda: quarantine.purge(
                    self.open(), older_than=-1e10, settle=-1e10, registries=Registries(restarted=True)
                )
            )
        assert purged.purged
        assert not purged.failures
        if purged.restored is not None:
            self.count("purged", purged.restored)

    def restart(self) -> None:
        """Restarts the registry, between two requests of all clients."""
        with self.load.paused():
            self.server.restart()

    def cycle(self, pushes: int) -> None:
        """All of it, with so many pushes after each step."""
        for step in (self.set_aside, self.confirm, self.purge):
            step()
            self.load.work(pushes)

    def lost(self) -> dict[tuple[str, str], str]:
        """What was acknowledged and is not there: a registry says so that was just started and caches nothing."""
        directory = self.directory / "fresh"
        directory.mkdir(exist_ok=True)
        with self.load.paused(), Server(self.server.major, self.server.storage, directory) as fresh:
            self.counts["came back after a deletion"] += len(self.load.ledger.came_back(fresh.registry))
            return self.load.ledger.lost(fresh.registry)

    def count(self, step: str, restored: Restored) -> None:
        assert not restored.failures
        self.counts[f"brought back when {step}"] += (
            restored.blob_count + restored.manifest_count + restored.layer_link_count + restored.tag_count
        )

    def unless_changed(self, step: Callable[[], T]) -> T:
        """A step that is taken again where the store has changed while it was looked at."""
        while True:
            try:
                return step()
            except StorageError as error:
                if error.kind != "changed":
                    raise
                self.counts["changed meanwhile"] += 1
