"""The steps of a cycle, as tests take them: no waiting, and what was pushed so far is old."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

import regsweep
from regsweep import apply, plan, quarantine
from regsweep.apply import Applied
from regsweep.policy import load
from regsweep.policy.selection import by_policy
from regsweep.quarantine import Confirmed, PurgedRuns, Registries, Waiting
from regsweep.set_aside import Wanted
from support import documents
from support.documents import Descriptor
from support.registry import Registry
from support.store_builder import TOP

MONTH_SECONDS = 30 * 86400.0
AT_ONCE = Waiting(settle=0)


class Image:
    """What a client has of an image that it pushes: contents that no other image shares, but for those given."""

    def __init__(self, name: str, *shared: bytes) -> None:
        self.layers = [*shared, f"layer of {name}".encode()]
        self.config = f'{{"os": "linux", "name": "{name}"}}'.encode()
        self.blobs = [self.config, *self.layers]
        config, *layers = (
            Descriptor(documents.digest_of(blob), len(blob), media_type)
            for blob, media_type in zip(
                self.blobs, [documents.CONFIG, *[documents.LAYER] * len(self.layers)], strict=True
            )
        )
        self.raw = documents.encode(documents.image(config, layers))
        self.digest = documents.digest_of(self.raw)

    @property
    def digests(self) -> list[str]:
        """Of config and layers."""
        return [documents.digest_of(blob) for blob in self.blobs]

    @property
    def contents(self) -> dict[str, bytes]:
        """All that a pull gives."""
        return {documents.digest_of(content): content for content in [self.raw, *self.blobs]}

    def push(self, registry: Registry, repository: str, tag: str | None = None) -> list[str]:
        """Pushes as clients do: what the registry says is there is not sent. Gives the digests that were sent."""
        missing = [blob for blob in self.blobs if not registry.has_blob(repository, documents.digest_of(blob))]
        sent = [registry.put_blob(repository, blob) for blob in missing]
        self.put(registry, repository, tag)
        return sent

    def put(self, registry: Registry, repository: str, tag: str | None = None) -> None:
        """Pushes the manifest alone."""
        registry.put_manifest(repository, tag or self.digest, self.raw, documents.OCI_MANIFEST)


def age(root: Path) -> None:
    """Puts the times of all that a registry has written back by a month."""
    then = time.time() - MONTH_SECONDS
    for path in (root / TOP).rglob("*"):
        if path.is_file():
            os.utime(path, (then, then))


def next_second() -> None:
    """What was pushed so far is older than what comes: where nobody can set times, plans count in whole seconds."""
    now = int(time.time())
    while int(time.time()) <= now:
        time.sleep(0.02)


def opened(store: Path | regsweep.Store) -> regsweep.Store:
    """A store that may be named by its root, or by a registry's configuration."""
    return store if isinstance(store, regsweep.Store) else regsweep.open(store)


def make_plan(
    store: Path | regsweep.Store,
    file: Path,
    *,
    tags: Sequence[str] = (),
    min_age: float = plan.DEFAULT_MIN_AGE_SECONDS,
) -> Path:
    """Plans: manifests without a tag go, and these tags."""
    policy = file.with_suffix(".yml")
    rule = f"delete: {{tags: [{', '.join(map(repr, tags))}]}}" if tags else "keep: [{tags: ['*']}]"
    untagged = f"untagged: {{older_than: {min(min_age, 3600.0):.0f}s}}"
    policies = f"policies:\n  - repositories: ['**']\n    {rule}\n    {untagged}\n"
    policy.write_text(f"version: 1\nmin_age: {min_age:.0f}s\n{policies}")
    decide = by_policy(load(str(policy)), None)
    made = plan.make(opened(store), decide=decide, mode="policy", min_age=min_age, overrides=["all-tags"])
    made.write(file)
    return file


def apply_plan(store: Path | regsweep.Store, file: Path, *, set_aside: Wanted = "auto") -> Applied:
    """Applies, and says that it was a minute ago: a registry that is started now is one that was started since."""
    applied = apply.apply(opened(store), file, set_aside=set_aside, clock=lambda: time.time() - 60)
    assert not applied.failures
    return applied


def confirm(store: Path | regsweep.Store, waiting: Waiting = AT_ONCE) -> Confirmed:
    """Confirms: of a storage root, or of what a registry's configuration names."""
    confirmed = quarantine.confirm(opened(store), waiting=waiting)
    assert not confirmed.restored.failures
    return confirmed


def purge(store: Path | regsweep.Store, registries: Registries) -> PurgedRuns:
    """Purges, and sees that the quarantine is gone."""
    purged = quarantine.purge(opened(store), older_than=0, settle=0, registries=registries)
    assert purged.purged
    assert not purged.failures
    return purged
