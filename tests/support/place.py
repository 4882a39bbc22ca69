"""A registry that runs on a bucket, and the steps of a cycle on that bucket meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import regsweep
from regsweep import quarantine
from regsweep.apply import Applied
from regsweep.quarantine import Confirmed, PurgedRuns, Registries, Undone
from regsweep.set_aside import Wanted
from support.buckets import BucketServer
from support.cycle import apply_plan, confirm, make_plan, next_second, purge
from support.registry import Registry
from support.servers import Server

ROOT = "some/root"


@dataclass
class Place:
    """A bucket, the registry that runs on it, and how things are set aside there.

    Attributes:
        buckets: the bucket's server, as regsweep sees it.
    """

    buckets: BucketServer
    bucket: str
    server: Server
    set_aside: Wanted
    directory: Path

    @property
    def registry(self) -> Registry:
        """The running registry's API."""
        return self.server.registry

    @property
    def store(self) -> regsweep.Store:
        """The storage, as each command opens it anew."""
        url = self.buckets.url(self.bucket, ROOT)
        return regsweep.open(url, environment=self.buckets.environment(), cache=False)

    def objects(self) -> dict[str, bytes]:
        """What is in the bucket of the registry's, by key."""
        keys = self.buckets.keys(self.bucket)
        return {key: self.buckets.content(self.bucket, key) for key in keys if ".regsweep/" not in key}

    def plan(self, *tags: str) -> Path:
        """Plans: all that was pushed is old; these tags go, and manifests without a tag."""
        next_second()
        return make_plan(self.store, self.directory / "plan.csv", tags=tags, min_age=0)

    def apply(self, plan: Path) -> Applied:
        """Applies."""
        return apply_plan(self.store, plan, set_aside=self.set_aside)

    def confirm(self) -> Confirmed:
        """Confirms at once."""
        return confirm(self.store)

    def purge(self) -> PurgedRuns:
        """Purges what was set aside just now."""
        return purge(self.store, Registries(cache="none"))

    def undo(self, run_id: str) -> Undone:
        """Undoes a run."""
        return quarantine.undo(self.store, run_id)

    @contextmanager
    def fresh(self) -> Iterator[Registry]:
        """A registry that was started just now."""
        directory = self.directory / "fresh"
        directory.mkdir(exist_ok=True)
        section = self.buckets.registry_section(self.bucket, ROOT, self.server.major)
        with Server(self.server.major, section, directory) as server:
            yield server.registry
