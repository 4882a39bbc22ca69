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


def make_plan(root: Path, file: Path, *, tags: Sequence[str] = ()) -> Path:
    """Plans: manifests without a tag go, and these tags."""
    policy = file.with_suffix(".yml")
    rule = f"delete: {{tags: [{', '.join(tags)}]}}" if tags else "keep: [{tags: ['*']}]"
    untagged = "untagged: {older_than: 1h}"
    policy.write_text(f"version: 1\npolicies:\n  - repositories: ['**']\n    {rule}\n    {untagged}\n")
    made = plan.make(
        regsweep.open(root), decide=by_policy(load(str(policy)), None), mode="policy", overrides=["all-tags"]
    )
    made.write(file)
    return file


def apply_plan(root: Path, file: Path) -> Applied:
    """Applies, and says that it was a minute ago: a registry that is started now is one that was started since."""
    applied = apply.apply(regsweep.open(root), file, clock=lambda: time.time() - 60)
    assert not applied.failures
    return applied


def confirm(store: Path, waiting: Waiting = AT_ONCE) -> Confirmed:
    """Confirms: of a storage root, or of what a registry's configuration names."""
    confirmed = quarantine.confirm(regsweep.open(store), waiting=waiting)
    assert not confirmed.restored.failures
    return confirmed


def purge(store: Path, registries: Registries) -> PurgedRuns:
    """Purges, and sees that the quarantine is gone."""
    purged = quarantine.purge(regsweep.open(store), older_than=0, registries=registries)
    assert purged.purged
    assert not purged.failures
    return purged
