"""A small store in a bucket, and what a plan of it names as keys: for tests of what becomes of that."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import regsweep
from regsweep import plan
from regsweep.library import Catalog
from regsweep.policy.choice import Choice
from regsweep.policy.selection import by_function
from support.buckets import BucketServer
from support.cycle import next_second
from support.shaped_store import make_store, objects_of
from support.store_builder import TOP

ROOT = "some/root"
REGISTRY = f"{ROOT}/{TOP}"
# Two repositories, in each v0 and v2 and two images without a tag.
REPOSITORY = "team-000/app"


class Condemning:
    """A bucket of images, half of them without a tag."""

    def __init__(self, server: BucketServer, directory: Path, *, versioning: bool = False) -> None:
        self.server = server
        self.bucket = server.fresh_bucket(versioning=versioning)
        self.directory = directory
        server.put_all(self.bucket, objects_of(make_store(repositories=2, images=4), ROOT))
        next_second()
        self.url = server.url(self.bucket, ROOT)

    def open(self) -> regsweep.Store:
        return regsweep.open(self.url, environment=self.server.environment(), cache=False)

    def plan(self, *tags: str) -> Path:
        """A plan by which manifests without a tag go, or these tags and what nothing else needs."""
        path = self.directory / f"plan-{'-'.join(tags)}"
        if tags:

            def decide(catalog: Catalog, now: float) -> list[Choice]:
                return by_function(lambda _, found, __: {one.name: "old" for one in found if one.name in tags})(
                    catalog, now
                )

            made = plan.make(self.open(), decide=decide, mode="policy", min_age=0)
        else:
            made = plan.make(self.open(), mode="untagged", min_age=0)
        made.write(path)
        return path

    def registry(self) -> dict[str, int]:
        """All keys of the registry's, with sizes."""
        return registry_of(self.server.keys(self.bucket))

    def put(self, repository: str, path: str, digest: str) -> None:
        """Writes a link, as a push does."""
        key = f"{REGISTRY}/repositories/{repository}/{path}/link"
        self.server.put(self.bucket, key, digest.encode())

    def push(self, repository: str, tag: str, digest: str) -> None:
        """A push of a manifest that is there, under a tag of a repository."""
        self.put(repository, f"_manifests/revisions/{digest.replace(':', '/')}", digest)
        self.put(repository, f"_manifests/tags/{tag}/index/{digest.replace(':', '/')}", digest)
        self.put(repository, f"_manifests/tags/{tag}/current", digest)


def registry_of(keys: Mapping[str, int]) -> dict[str, int]:
    """Without what is regsweep's own."""
    return {key: size for key, size in keys.items() if key.startswith(REGISTRY)}


def rows_of(path: Path) -> list[dict[str, str]]:
    """The rows of a plan."""
    return rows_in(path.read_text())


def rows_in(text: str) -> list[dict[str, str]]:
    """The rows of a plan's text."""
    return list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))


def keys_of(rows: list[dict[str, str]], keys: Mapping[str, int]) -> set[str]:
    """The keys of a registry that are to go where these rows do."""
    found = set()
    for row in rows:
        digest = row["digest"].replace(":", "/")
        home = f"{REGISTRY}/repositories/{row['repository']}"
        if row["kind"] == "blob":
            algorithm, _, digits = row["digest"].partition(":")
            found.add(f"{REGISTRY}/blobs/{algorithm}/{digits[:2]}/{digits}/data")
        elif row["kind"] == "manifest":
            found.add(f"{home}/_manifests/revisions/{digest}/link")
        elif row["kind"] == "layer-link":
            found.add(f"{home}/_layers/{digest}/link")
        else:
            found |= {key for key in keys if key.startswith(f"{home}/_manifests/tags/{row['tag']}/")}
    return found
