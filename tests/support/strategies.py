"""Random stores for hypothesis: what registries leave on their disks, and what goes wrong there.

Each store draws first which kinds of things may be in it at all (swarm testing): a store in which everything happens
tells little about any one rule, and in most stores the reference collectors are right, so that they can be compared.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from support import documents
from support.documents import Descriptor, absent
from support.store_builder import Repository, Store

# What runs a program for each example is slow in its own right; `derandomize` keeps the suite's result the same from
# run to run. HYPOTHESIS_PROFILE=deep looks for what is new, for as long as it takes.
_ALWAYS = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
settings.register_profile("ci", _ALWAYS, max_examples=30, derandomize=True, database=None)
settings.register_profile("ci-unshrunk", settings.get_profile("ci"), phases=[Phase.explicit, Phase.generate])
settings.register_profile("deep", _ALWAYS, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def examples(factor: float) -> settings:
    """As many examples as the profile says, times a factor: for tests that are much quicker than most."""
    assert settings.default is not None
    return settings(max_examples=int(settings.default.max_examples * factor))


# Siblings and children whose order differs between plain and by-component sorting.
NAMES = ("a", "a-b", "a/b", "m", "z/y/x")
TAGS = ("1.0", "latest", "v2")
LAYERS = ("red", "green", "blue", "black", "white")

KINDS = (
    "artifact",
    "cache index",
    "child of another repository",
    "dangling layer link",
    "deleted child",
    "docker",
    "foreign layer",
    "index",
    "lost blob",
    "manifest as layer",
    "moved manifest",
    "nested index",
    "no layers directory",
    "no media type",
    "no tags directory",
    "orphan",
    "referrer",
    "schema1",
    "sha512 layer",
    "sha512 manifest",
    "shared layers",
    "tag of an unlinked manifest",
    "tag without link",
    "unknown key",
)
HARMLESS = ("docker", "foreign layer", "index", "no media type", "orphan", "shared layers")


@dataclass
class Growing:
    """A store that is being drawn, and what it has so far."""

    draw: st.DrawFn
    store: Store
    kinds: frozenset[str]
    pushed: list[tuple[Repository, Descriptor]]

    def repository(self) -> Repository:
        return self.store.repository(self.draw(st.sampled_from(NAMES)))

    def used(self) -> Repository:
        """A repository into which something was pushed, if there is one."""
        found = self.some()
        return found[0] if found else self.repository()

    def some(self, repository: Repository | None = None) -> tuple[Repository, Descriptor] | None:
        """A manifest that was pushed before, into this repository or any."""
        found = [one for one in self.pushed if repository is None or one[0] == repository]
        return self.draw(st.sampled_from(found)) if found else None

    def tag(self) -> str | None:
        return self.draw(st.sampled_from((None, *TAGS)))

    def layers(self, repository: Repository) -> list[Descriptor]:
        texts = self.draw(st.lists(st.sampled_from(LAYERS), max_size=3))
        own = "" if "shared layers" in self.kinds else f" of {repository.name}"
        layers = [repository.layer(text + own) for text in texts]
        if "foreign layer" in self.kinds and self.draw(st.booleans()):
            layers.append(absent("windows").foreign())
        if "sha512 layer" in self.kinds and self.draw(st.booleans()):
            layers.append(repository.layer_by_sha512(self.draw(st.sampled_from(LAYERS)) + own))
        if "manifest as layer" in self.kinds and (found := self.some(repository)):
            layers.append(found[1].typed(documents.LAYER))
        return layers

    def add(self, repository: Repository, manifest: Descriptor) -> None:
        self.pushed.append((repository, manifest))

    def push_image(self) -> None:
        repository, draw = self.repository(), self.draw
        config = repository.layer(f"config {draw(st.integers(0, 9))} of {repository.name}", media_type=documents.CONFIG)
        media_type: str | None = documents.OCI_MANIFEST
        if "docker" in self.kinds and draw(st.booleans()):
            media_type = documents.DOCKER_MANIFEST
        elif "no media type" in self.kinds and draw(st.booleans()):
            media_type = None
        subject = None
        if "referrer" in self.kinds and draw(st.booleans()):
            found = self.some(repository)
            subject = found[1] if found else absent("subject", documents.OCI_MANIFEST)
        document = documents.image(config, self.layers(repository), subject=subject, media_type=media_type)
        if "unknown key" in self.kinds and draw(st.booleans()):
            document["extension"] = {"of": self.pushed[-1][1].digest if self.pushed else "nothing"}
        algorithm = "sha512" if "sha512 manifest" in self.kinds and draw(st.booleans()) else "sha256"
        # A registry that takes no media type for an answer still writes one into indexes.
        manifest = repository.manifest(document, tag=self.tag(), algorithm=algorithm)
        self.add(repository, manifest.typed(media_type or documents.OCI_MANIFEST))

    def push_index(self) -> None:
        repository = self.repository()
        home = None if "child of another repository" in self.kinds else repository
        children = [found[1] for _ in range(self.draw(st.integers(0, 3))) if (found := self.some(home))]
        if "nested index" not in self.kinds:
            children = [child for child in children if child.media_type not in documents.INDEXES]
        media_type = documents.DOCKER_LIST if "docker" in self.kinds else documents.OCI_INDEX
        self.add(repository, repository.index(*children, tag=self.tag(), media_type=media_type))

    def push_cache_index(self) -> None:
        repository = self.repository()
        entries = [repository.layer(text) for text in self.draw(st.lists(st.sampled_from(LAYERS), max_size=3))]
        entries.append(repository.layer("{}", media_type=documents.BUILDX_CACHE_CONFIG))
        if self.draw(st.booleans()):
            entries = [entry.typed("") for entry in entries]
        self.add(repository, repository.index(*entries, tag=self.tag()))

    def push_artifact(self) -> None:
        repository = self.repository()
        found = self.some(repository) if self.draw(st.booleans()) else None
        document = documents.artifact(self.layers(repository), subject=found[1] if found else None)
        self.add(repository, repository.manifest(document, tag=self.tag()))

    def push_schema1(self) -> None:
        repository = self.repository()
        layers = self.draw(st.lists(st.sampled_from(LAYERS), min_size=1, max_size=3))
        self.add(repository, repository.schema1(*(f"{text} of {repository.name}" for text in layers), tag=self.tag()))

    def retag(self) -> None:
        if found := self.some():
            found[0].tag(self.draw(st.sampled_from(TAGS)), found[1])

    def delete_tag(self) -> None:
        self.repository().delete_tag(self.draw(st.sampled_from(TAGS)))

    def delete_manifest(self) -> None:
        found = self.some()
        parents = b"".join(raw for path, raw in self.store.files.items() if path.startswith("blobs/"))
        if found and ("deleted child" in self.kinds or found[1].digest.encode() not in parents):
            found[0].delete_manifest(found[1])

    def add_orphan(self) -> None:
        self.store.blob(f"orphan {self.draw(st.integers(0, 3))}")
        if self.draw(st.booleans()):
            repository = self.repository()
            repository.layer(f"unused by {repository.name}")

    def move_manifest(self) -> None:
        """A manifest that another repository links, too, with or without its layers."""
        if found := self.some():
            repository = self.repository()
            repository.link(found[1])
            if tag := self.tag():
                repository.tag(tag, found[1])
            self.add(repository, found[1])

    def dangle(self) -> None:
        self.repository().link_layer(absent("long gone"))

    def lose_blob(self) -> None:
        blobs = sorted(path for path in self.store.files if path.startswith("blobs/"))
        if blobs:
            self.store.remove(self.draw(st.sampled_from(blobs)).removesuffix("/data"))

    def unlink_tagged(self) -> None:
        if found := self.some():
            found[0].tag(self.draw(st.sampled_from(TAGS)), found[1])
            self.store.remove(found[0].revision_path(found[1].digest))

    def untag_halfway(self) -> None:
        """What a push leaves that dies between the tag's two links."""
        tags = sorted(path for path in self.store.files if path.endswith("/current/link"))
        if tags:
            self.store.remove(self.draw(st.sampled_from(tags)).removesuffix("/link"))

    def lose_layers(self) -> None:
        self.store.remove(self.used().path("_layers"))

    def lose_tags(self) -> None:
        self.store.remove(self.used().path("_manifests/tags"))


ALWAYS = (Growing.push_image, Growing.push_image, Growing.push_image, Growing.retag, Growing.delete_tag)
STEPS = {
    "artifact": Growing.push_artifact,
    "cache index": Growing.push_cache_index,
    "dangling layer link": Growing.dangle,
    "deleted child": Growing.delete_manifest,
    "index": Growing.push_index,
    "lost blob": Growing.lose_blob,
    "moved manifest": Growing.move_manifest,
    "nested index": Growing.push_index,
    "no layers directory": Growing.lose_layers,
    "no tags directory": Growing.lose_tags,
    "orphan": Growing.add_orphan,
    "schema1": Growing.push_schema1,
    "tag of an unlinked manifest": Growing.unlink_tagged,
    "tag without link": Growing.untag_halfway,
}


@st.composite
def stores(draw: st.DrawFn, kinds: tuple[str, ...] = KINDS, max_kinds: int = 6) -> Store:
    """Stores of which every file could be written by a registry, its API or an older collector."""
    drawn = draw(st.frozensets(st.sampled_from(kinds), max_size=min(max_kinds, len(kinds))))
    growing = Growing(draw, Store(), drawn, [])
    steps = [*ALWAYS, *(step for kind, step in STEPS.items() if kind in drawn), Growing.delete_manifest]
    for _ in range(draw(st.integers(3, 14))):
        draw(st.sampled_from(steps))(growing)
    for kind, step in STEPS.items():
        if kind in drawn and draw(st.booleans()):
            step(growing)
    growing.store.age(30 * 86400)
    return growing.store


def well_behaved_stores() -> st.SearchStrategy[Store]:
    """Stores in which the reference collectors do no harm, as a rule."""
    return stores(HARMLESS)


GARBAGE = (
    b"",
    b"\n",
    b"sha256:",
    b"sha256:" + b"0" * 64,
    b"sha256:" + b"A" * 64,
    b"sha256:../../../../../../etc/passwd",
    b"{",
    b"[]",
    b'{"schemaVersion": 2}',
    b'{"schemaVersion": 2, "layers": "x"}',
    b"\xff\xfe\x00",
)
STRAYS = (
    "stray",
    "blobs/stray",
    "blobs/md5/ab/stray/data",
    "blobs/sha256/zz/data",
    "blobs/sha256/a/short/data",
    "blobs/sha256/ab/cdef/data",
    "repositories/stray",
    "repositories/a/_odd/link",
    "repositories/a/_layers/sha256/stray",
    "repositories/a/_layers/md5/00/link",
    "repositories/a/_manifests/stray/link",
    "repositories/a/_manifests/tags/stray",
    "repositories/a/_manifests/tags/lost/index/sha256/stray/link",
    "repositories/a/_manifests/revisions/sha256/stray/link",
    "repositories/a/_manifests/revisions/md5/00/link",
)


@st.composite
def damaged_stores(draw: st.DrawFn) -> Store:
    """Stores to which something has happened: bits, crashes, full disks, tidy people."""
    store = draw(stores())
    for _ in range(draw(st.integers(1, 4))):
        paths = sorted(store.files)
        path = draw(st.sampled_from(paths)) if paths else "blobs/nothing"
        content = store.files.get(path, b"")
        match draw(st.integers(0, 6)):
            case 0:
                store.put(path, draw(st.sampled_from(GARBAGE)))
            case 1:
                store.put(path, content[: draw(st.integers(0, len(content)))])
            case 2:
                store.put(path, content + b"\n")
            case 3:
                at = draw(st.integers(0, max(0, len(content) - 1)))
                store.put(path, content[:at] + bytes([draw(st.integers(0, 255))]) + content[at + 1 :])
            case 4:
                store.remove(path)
            case 5:
                above = draw(st.integers(1, path.count("/") or 1))
                store.remove(path.rsplit("/", above)[0])
            case 6:
                store.put(draw(st.sampled_from(STRAYS)), draw(st.sampled_from(GARBAGE)))
    return store


@st.composite
def aged_stores(draw: st.DrawFn) -> Store:
    """Stores in which some files are younger than an hour and the rest are old."""
    store = draw(st.one_of(stores(), damaged_stores()))
    store.age(30 * 86400)
    paths = sorted(store.files)
    for path in draw(st.lists(st.sampled_from(paths), max_size=4)) if paths else []:
        store.age(600, path)
    return store
