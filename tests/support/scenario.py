"""What clients push to a registry, overwrite and delete there, and what a collection therefore has to leave.

    team/app       images with a common base; a tag that was overwritten; an image that was deleted
    build/multi    an index with its platforms, all of them deleted after they were copied to
    team/multi     where the platforms have no tags
    team/origin    an image that was deleted after its blobs were mounted into
    mirror/app     where the same manifest was pushed
    team/charts    an artifact
    signed/app     an image with two artifacts that have it as `subject`, one of them listed under a fallback tag;
                   a deleted image whose artifact is still there
    alias/app      an image with a layer that was pushed by its sha512 digest (and is stored under its sha256)
    passing/app    an image whose only tag was deleted, where the registry can do that (2.8 cannot)

Which digests have to live is worked out from what was pulled at the time of the push and from the lists here, not by
reading manifests the way a collector does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from support import documents
from support.clients import Clients
from support.documents import Descriptor, digest_of
from support.registry import Contents, Refused, Registry
from support.store_builder import TOP

# Found by nothing but their own links, where there are any: roots as long as untagged manifests are kept.
UNTAGGED = ("overwritten", "artifact of deleted", "tag deleted")
# What `-m` keeps because it refers to something that has a tag.
REFERRERS = ("artifact without tag",)


@dataclass(frozen=True)
class Image:
    """Something that was pushed, as it was pulled right after."""

    repository: str
    digest: str
    contents: Contents

    @property
    def digests(self) -> set[str]:
        """All it consists of, the manifest included, as the API names it."""
        return set(self.contents)


@dataclass
class Scenario:
    """What is in a registry once everything below has been done to it."""

    kept: dict[str, Image] = field(default_factory=dict)
    """Whatever still has a link: with a tag, or one of `UNTAGGED` and `REFERRERS`."""
    deleted: dict[str, Image] = field(default_factory=dict)
    stored_as: dict[str, str] = field(default_factory=dict)
    """Layers that were pushed under one digest and are stored under another."""
    pulled: dict[str, Contents] = field(default_factory=dict)
    """Everything that a tag gives, before any collection."""

    def images(self, *, delete_untagged: bool) -> dict[str, Image]:
        """What a collection has to leave."""
        return {name: image for name, image in self.kept.items() if not (delete_untagged and name in UNTAGGED)}

    def living(self, *, delete_untagged: bool) -> set[str]:
        """The blobs that a collection has to leave, as they are stored."""
        living = [image.digests for image in self.images(delete_untagged=delete_untagged).values()]
        if not delete_untagged:
            # Its link is gone, but an artifact that nobody deleted has it as its subject.
            living.append(self.deleted["recalled"].digests)
        return {self.stored_as.get(digest, digest) for digests in living for digest in digests}

    def collected(self, *, delete_untagged: bool) -> dict[str, Image]:
        """What a collection ends for good."""
        return self.deleted | {name: one for name, one in self.kept.items() if delete_untagged and name in UNTAGGED}

    def lost_by_reference(self, major: int, *, delete_untagged: bool) -> set[str]:
        """The living blobs that the registry's own collector takes for garbage: ``docs/compatibility.md`` says why."""
        lost = set(self.stored_as.values())  # sha512-layers
        # referrers: neither do artifacts live with their subject, nor subjects with their artifact.
        lost |= self.kept["artifact without tag"].digests if delete_untagged else self.deleted["recalled"].digests
        if delete_untagged and major == 2:
            # index-children: the children stay as blobs, for the index names them; what they need does not.
            for name in ("multi", "fallback tag"):
                index = self.kept[name]
                lost |= index.digests - {index.digest, *self.children[name]}
        # Common base layers, and the empty config that all artifacts have, are held by tags that it understands.
        return lost - self.kept["one"].digests - self.kept["chart"].digests

    @property
    def children(self) -> dict[str, set[str]]:
        """The manifests of indexes."""
        return {
            "multi": {self.deleted["amd64"].digest, self.deleted["arm64"].digest},
            "fallback tag": {self.kept["artifact with tag"].digest},
        }


def stored_blobs(root: Path) -> set[str]:
    """The digests of all blobs on the disk."""
    return blobs_among(str(path) for path in (root / TOP / "blobs").glob("*/*/*/data"))


def blobs_among(keys: Iterable[str]) -> set[str]:
    """The digests of those that are blobs in place: paths, or keys in a bucket."""
    found = (re.search(rf"{TOP}/blobs/(\w+)/\w\w/(\w+)/data$", key) for key in keys if ".regsweep/" not in key)
    return {f"{match[1]}:{match[2]}" for match in found if match}


def layer_links_among(keys: Iterable[str]) -> set[str]:
    """The digests that any repository has a layer link of: paths, or keys in a bucket."""
    found = (re.search(rf"{TOP}/repositories/.+/_layers/(\w+)/(\w+)/link$", key) for key in keys)
    return {f"{match[1]}:{match[2]}" for match in found if match}


def play(registry: Registry, clients: Clients) -> Scenario:
    """Fills an empty registry."""
    scenario = Scenario()
    stage = _Stage(registry, clients, scenario)
    stage.single_images()
    stage.index_with_platforms()
    stage.shared_between_repositories()
    stage.artifacts()
    stage.layer_by_sha512()
    stage.tag_that_passes()
    scenario.pulled = registry.pull_everything()
    return scenario


@dataclass
class _Stage:
    registry: Registry
    clients: Clients
    scenario: Scenario

    def image(self, repository: str, reference: str) -> Image:
        """Takes down what has just been pushed."""
        return Image(
            repository, self.registry.manifest(repository, reference).digest, self.registry.pull(repository, reference)
        )

    def push(self, name: str, reference: str, *, docker_format: bool = False) -> Image:
        """Pushes an image of the layout to ``repository:tag``."""
        self.clients.push(name, self.registry.address, reference, docker_format=docker_format)
        repository, _, tag = reference.partition(":")
        return self.image(repository, tag)

    def delete(self, name: str, image: Image) -> None:
        """Deletes through the API."""
        self.registry.delete_manifest(image.repository, image.digest)
        self.scenario.deleted[name] = image

    def single_images(self) -> None:
        kept = self.scenario.kept
        self.clients.make_image("base")
        for name in ("one", "two", "old", "new", "gone"):
            self.clients.make_image(name, base="base", layers=1)
        kept["one"] = self.push("one", "team/app:1")
        kept["two"] = self.push("two", "team/app:2", docker_format=True)
        kept["overwritten"] = self.push("old", "team/app:stable")
        kept["new"] = self.push("new", "team/app:stable")
        self.delete("gone", self.push("gone", "team/app:gone"))
        assert self.registry.tags("team/app") == ["1", "2", "stable"]

    def index_with_platforms(self) -> None:
        platforms = []
        for architecture in ("amd64", "arm64"):
            self.clients.make_image(architecture, base="base", layers=1, architecture=architecture)
            platforms.append(self.push(architecture, f"build/multi:{architecture}"))
        address = self.registry.address
        self.clients.make_index(address, "build/multi", "latest", ["amd64", "arm64"])
        index = self.image("build/multi", "latest")
        self.clients.push_list(address, "build/multi:latest", "team/multi:latest")
        self.scenario.kept["multi"] = self.image("team/multi", "latest")
        assert self.scenario.kept["multi"].contents == index.contents
        for name, image in [("index", index), *zip(["amd64", "arm64"], platforms, strict=True)]:
            self.delete(name, image)

    def shared_between_repositories(self) -> None:
        self.clients.make_image("shared")
        origin = self.push("shared", "team/origin:1")
        manifest = self.registry.manifest("team/origin", "1")
        for digest in origin.digests - {origin.digest}:
            self.registry.mount_blob("mirror/app", digest, "team/origin")
        self.registry.put_manifest("mirror/app", "1", manifest.raw, manifest.media_type)
        self.scenario.kept["mounted"] = self.image("mirror/app", "1")
        self.delete("origin", origin)

    def artifacts(self) -> None:
        kept, address = self.scenario.kept, self.registry.address
        self.clients.push_artifact(address, "team/charts:1")
        kept["chart"] = self.image("team/charts", "1")

        self.clients.make_image("signed")
        kept["signed"] = self.push("signed", "signed/app:1")
        tag = kept["signed"].digest.replace(":", "-")
        listed = self.clients.attach(address, "signed/app:1", "sbom", fallback_tag=True)
        kept["artifact with tag"] = self.image("signed/app", listed)
        kept["fallback tag"] = self.image("signed/app", tag)
        unlisted = self.clients.attach(address, "signed/app:1", "signature", fallback_tag=False)
        kept["artifact without tag"] = self.image("signed/app", unlisted)

        self.clients.make_image("recalled")
        recalled = self.push("recalled", "signed/app:recalled")
        orphan = self.clients.attach(address, "signed/app:recalled", "signature", fallback_tag=False)
        kept["artifact of deleted"] = self.image("signed/app", orphan)
        self.delete("recalled", recalled)
        assert self.registry.tags("signed/app") == ["1", tag]

    def layer_by_sha512(self) -> None:
        content = self.clients.random_file().read_bytes()
        layer = self.registry.put_blob("alias/app", content, "sha512")
        self.scenario.stored_as[layer] = digest_of(content)
        config = self.registry.put_blob("alias/app", b'{"architecture": "amd64", "os": "linux"}')
        manifest = documents.image(
            Descriptor(config, 40, documents.CONFIG), [Descriptor(layer, len(content), documents.LAYER)]
        )
        self.registry.put_manifest("alias/app", "1", documents.encode(manifest), documents.OCI_MANIFEST)
        self.scenario.kept["sha512"] = self.image("alias/app", "1")

    def tag_that_passes(self) -> None:
        self.clients.make_image("passing", base="base", layers=1)
        passing = self.push("passing", "passing/app:1")
        try:
            self.registry.delete_tag("passing/app", "1")
        except Refused:
            self.delete("passing", passing)
        else:
            self.scenario.kept["tag deleted"] = passing
