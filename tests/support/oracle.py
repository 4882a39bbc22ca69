"""What is reachable in a store, by a naive second reading of the tree: the judge of the program under test.

It reads the whole tree with ``os.scandir`` and ``json``, keeps everything in sets, and says the rules of liveness as
plainly as it can; it is slow, and nothing in it is shared with regsweep.

    expected = oracle.judge(root, delete_untagged=True)
    assert marks.eligible_blobs == expected.blobs

``Stop`` means that the tree cannot be relied on: a collector must end with exit code 1 and remove nothing.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections import defaultdict
from collections.abc import Collection, Container, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from support.oracle_documents import MAX_SIZE, Reading, is_digest, read
from support.store_builder import TOP, blob_path

ALGORITHMS = {"sha256": 64, "sha384": 96, "sha512": 128}


class Stop(Exception):
    """Something that is no part of the layout stands where the layout has something."""


@dataclass
class Verdict:
    """What is live and what may go."""

    live: set[str]
    stored: set[str]
    blobs: set[str]
    revisions: set[tuple[str, str]]
    layer_links: set[tuple[str, str]]
    history: set[tuple[str, str, str]]
    damaged: set[str]
    broken: set[tuple[str, str, str]]
    """Repository, tag and what is missing, where that makes a tag useless."""

    def files(self) -> set[str]:
        """The files that may go, from the storage root on."""
        found = {blob_path(digest) for digest in self.blobs}
        for name, digest in self.revisions:
            found.add(f"repositories/{name}/_manifests/revisions/{digest.replace(':', '/')}/link")
        for name, digest in self.layer_links:
            found.add(f"repositories/{name}/_layers/{digest.replace(':', '/')}/link")
        for name, tag, digest in self.history:
            found.add(f"repositories/{name}/_manifests/tags/{tag}/index/{digest.replace(':', '/')}/link")
        return {f"{TOP}/{path}" for path in found}


@dataclass
class Repository:
    """What one repository links. Link times are seconds since the epoch."""

    name: str
    revisions: dict[str, float] = field(default_factory=dict)
    tags: dict[str, list[str]] | None = None
    current: dict[str, str] = field(default_factory=dict)
    history: dict[str, set[str]] = field(default_factory=dict)
    layers: dict[str, float] = field(default_factory=dict)
    aliases: list[tuple[str | None, str]] = field(default_factory=list)
    damaged: bool = False

    def linked(self) -> set[str]:
        """The manifests of its links and tags."""
        return {*self.revisions, *(digest for targets in (self.tags or {}).values() for digest in targets)}


def judge(
    root: Path,
    *,
    delete_untagged: bool = False,
    min_age_seconds: float = 0,
    keep: Iterable[str] = (),
    accept_damage: Collection[str] = (),
    now: float | None = None,
) -> Verdict:
    """Judges the store below a root directory. ``keep`` are digests or ``repository:tag``."""
    tree = Tree(root / TOP)
    cutoff = (time.time() if now is None else now) - min_age_seconds if min_age_seconds else float("inf")
    kept = {one if is_digest(one) else tree.tagged(one) for one in keep}
    tree.read_manifests({digest for repository in tree.repositories for digest in repository.linked()}, kept)
    damaged = tree.damaged_repositories()
    kept_whole = [repository for repository in tree.repositories if repository.name in damaged - set(accept_damage)]

    roots = set(kept)
    for repository in tree.repositories:
        roots |= {digest for targets in (repository.tags or {}).values() for digest in targets}
        if not delete_untagged or repository.tags is None or repository in kept_whole:
            roots |= set(repository.revisions)
        roots |= {
            digest
            for digest, written in repository.revisions.items()
            if written >= cutoff or tree.stored.get(digest, float("-inf")) >= cutoff
        }
    leaves = {digest for repository in kept_whole for digest in repository.layers}
    leaves |= {digest for one in tree.repositories for digest, written in one.layers.items() if written >= cutoff}
    young = {digest for digest, written in tree.stored.items() if written >= cutoff}
    # A young blob may be a manifest whose link is just being written.
    tree.read_manifests(set(), {digest for digest in young if tree.blob(digest).stat().st_size <= MAX_SIZE})
    live = tree.reach(roots | young) | leaves
    live |= tree.aliased(live)

    revisions = {(one.name, digest) for one in tree.repositories for digest in one.revisions if digest not in live}
    return Verdict(
        live=live,
        stored=set(tree.stored),
        blobs=set(tree.stored) - live,
        revisions=revisions,
        layer_links={(one.name, digest) for one in tree.repositories for digest in one.layers if digest not in live},
        history={
            (one.name, tag, digest)
            for one in tree.repositories
            for tag, entries in one.history.items()
            for digest in entries
            if (one.name, digest) in revisions
        },
        damaged=damaged,
        broken=set(tree.broken()),
    )


class Tree:
    """All of a store but the layers."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.stored: dict[str, float] = {}
        self.repositories: list[Repository] = []
        self.manifests: dict[str, Reading | None] = {}
        """What was read; None for what is stored and is no manifest. Absent ones are not in here."""
        self.fixed(top)
        if self.fixed(top / "repositories"):
            self.find_repositories(top / "repositories", "")
        if self.fixed(top / "blobs"):
            self.find_blobs()

    # ---- the tree ----

    def fixed(self, directory: Path) -> bool:
        """Whether a directory of fixed name is there; anything else in its place stops the run."""
        if directory.is_dir() and not directory.is_symlink():
            return True
        if os.path.lexists(directory):
            raise Stop(directory)
        return False

    def entries(self, directory: Path) -> Iterator[os.DirEntry[str]]:
        """The subdirectories, where the layout has nothing but directories."""
        with os.scandir(directory) as listing:
            for entry in sorted(listing, key=lambda entry: entry.name):
                if entry.is_dir(follow_symlinks=False):
                    yield entry
                elif not entry.is_file(follow_symlinks=False):
                    raise Stop(entry.path)

    def regular(self, path: Path) -> bool:
        """Whether a file is there; anything else in its place stops the run."""
        for parent in (path.parent.parent, path.parent, path):
            if parent.is_symlink():
                raise Stop(parent)
        if path.exists() and not path.is_file():
            raise Stop(path)
        return path.exists()

    def find_repositories(self, directory: Path, name: str) -> None:
        for entry in os.scandir(directory):
            path = Path(entry.path)
            if entry.name.startswith("_"):
                continue
            if entry.is_dir(follow_symlinks=False):
                self.find_repositories(path, f"{name}/{entry.name}".lstrip("/"))
            elif not entry.is_file(follow_symlinks=False):
                raise Stop(path)
        has_manifests, has_layers = self.fixed(directory / "_manifests"), self.fixed(directory / "_layers")
        if has_manifests or has_layers:
            repository = Repository(name)
            self.repositories.append(repository)
            if has_manifests:
                self.read_revisions(repository, directory / "_manifests")
                self.read_tags(repository, directory / "_manifests")
            if has_layers:
                self.read_layers(repository, directory / "_layers")

    def subdirectory(self, directory: Path) -> bool:
        """Whether there is a directory; a plain file in its place is as good as nothing."""
        if directory.is_symlink() or (directory.exists() and not (directory.is_dir() or directory.is_file())):
            raise Stop(directory)
        return directory.is_dir()

    def digests(self, directory: Path) -> Iterator[tuple[str, Path]]:
        """``<alg>/<hex>`` directories and the digests that they stand for."""
        for algorithm in self.entries(directory):
            for entry in self.entries(Path(algorithm.path)):
                digest = f"{algorithm.name}:{entry.name}"
                if is_digest(digest):
                    yield digest, Path(entry.path)

    def read_revisions(self, repository: Repository, manifests: Path) -> None:
        if not self.subdirectory(manifests / "revisions"):
            return
        algorithms = {entry.name for entry in self.entries(manifests / "revisions")}
        repository.damaged |= not algorithms <= set(ALGORITHMS)
        for digest, directory in self.digests(manifests / "revisions"):
            if self.regular(directory / "link"):
                repository.revisions[digest] = (directory / "link").stat().st_mtime

    def read_tags(self, repository: Repository, manifests: Path) -> None:
        if not self.subdirectory(manifests / "tags"):
            return
        repository.tags = {}
        for entry in self.entries(manifests / "tags"):
            tag = Path(entry.path)
            history = {d for d, _ in self.digests(tag / "index")} if self.subdirectory(tag / "index") else set()
            repository.history[entry.name] = history
            if self.regular(tag / "current/link"):
                content = (tag / "current/link").read_bytes().decode("latin-1")
                repository.damaged |= not is_digest(content)
                repository.tags[entry.name] = [content] if is_digest(content) else []
                if is_digest(content):
                    repository.current[entry.name] = content
            else:
                repository.tags[entry.name] = sorted(history)

    def read_layers(self, repository: Repository, layers: Path) -> None:
        for algorithm in self.entries(layers):
            for entry in self.entries(Path(algorithm.path)):
                link = Path(entry.path) / "link"
                digest = f"{algorithm.name}:{entry.name}"
                known = is_digest(digest)
                if (algorithm.name in ALGORITHMS and not known) or not self.regular(link):
                    continue
                if known:
                    repository.layers[digest] = link.stat().st_mtime
                if algorithm.name != "sha256":
                    content = link.read_bytes().decode("latin-1")
                    repository.damaged |= not is_digest(content)
                    if is_digest(content):
                        repository.aliases.append((digest if known else None, content))

    def blob(self, digest: str) -> Path:
        algorithm, _, hexadecimal = digest.partition(":")
        return self.top / "blobs" / algorithm / hexadecimal[:2] / hexadecimal / "data"

    def find_blobs(self) -> None:
        for algorithm in self.entries(self.top / "blobs"):
            if algorithm.name in ALGORITHMS:
                for prefix in self.entries(Path(algorithm.path)):
                    for entry in self.entries(Path(prefix.path)):
                        digest = f"{algorithm.name}:{entry.name}"
                        if is_digest(digest) and entry.name[:2] == prefix.name and self.regular(self.blob(digest)):
                            self.stored[digest] = self.blob(digest).stat().st_mtime

    def tagged(self, name: str) -> str:
        repository, _, tag = name.rpartition(":")
        return next(one for one in self.repositories if one.name == repository).current[tag]

    # ---- manifests ----

    def read_manifests(self, expected: set[str], possible: set[str]) -> None:
        """Reads manifests and all that they lead to. What is only possibly one may turn out to be a blob."""
        open_ends = [(digest, True) for digest in expected] + [(digest, False) for digest in possible]
        while open_ends:
            digest, is_expected = open_ends.pop()
            known = self.manifests.get(digest)
            if digest not in self.stored or known is not None or (digest in self.manifests and not is_expected):
                continue
            raw = self.blob(digest).read_bytes()
            reading = read(raw, digest)
            if not is_expected and not looks_like_manifest(raw, digest, reading):
                self.manifests[digest] = None
                continue
            self.manifests[digest] = reading
            for role, other in reading.references:
                if role in {"child", "child or blob", "subject", "any"}:
                    open_ends.append((other, role == "child"))

    def references(self, digest: str) -> tuple[tuple[str, str], ...]:
        reading = self.manifests.get(digest)
        return reading.references if reading else ()

    def reach(self, roots: set[str]) -> set[str]:
        """Everything that roots lead to: down references, and between subjects and their linked referrers both ways."""
        referrers = defaultdict(set)
        linked = {digest for repository in self.repositories for digest in repository.revisions}
        for digest in linked & self.manifests.keys():
            for role, other in self.references(digest):
                if role == "subject":
                    referrers[other].add(digest)
        live: set[str] = set()
        open_ends = list(roots)
        while open_ends:
            digest = open_ends.pop()
            if digest not in live:
                live.add(digest)
                open_ends += [other for _, other in self.references(digest)]
                open_ends += referrers[digest]
        return live

    def aliased(self, live: set[str]) -> set[str]:
        """What live layer links of other algorithms stand for."""
        found: set[str] = set()
        while True:
            aliases = [alias for repository in self.repositories for alias in repository.aliases]
            more = {target for layer, target in aliases if layer is None or layer in live | found}
            if more <= found:
                return found
            found |= more

    # ---- findings ----

    def damaged_repositories(self) -> set[str]:
        damaged = set()
        for repository in self.repositories:
            # What an image names as config or layer is no manifest of it, even if a keep list makes it be read as one.
            reached = self.reach_down(repository.linked(), but=("config", "layer", "foreign"))
            readings = [self.manifests.get(digest) for digest in reached]
            lost_tag = any(digest not in self.stored for digest in repository.current.values())
            if repository.damaged or lost_tag or any(one and one.shape == "damaged" for one in readings):
                damaged.add(repository.name)
        return damaged

    def reach_down(self, starts: Iterable[str], *, but: Container[str] = ()) -> set[str]:
        """All that is reached by references of any role ``but`` these."""
        reached: set[str] = set()
        open_ends = list(starts)
        while open_ends:
            digest = open_ends.pop()
            if digest not in reached:
                reached.add(digest)
                found = self.references(digest)
                open_ends += [other for role, other in found if role not in but]
        return reached

    def broken(self) -> Iterator[tuple[str, str, str]]:
        targets = {layer: target for one in self.repositories for layer, target in one.aliases if layer}
        for repository in self.repositories:
            for tag, manifest in repository.current.items():
                if manifest not in self.stored:
                    yield repository.name, tag, manifest
                # Who pulls a tag goes down through indexes only: what an image names as a layer is a layer.
                for digest in self.reach_down([manifest], but=("config", "layer", "foreign", "subject")):
                    for role, other in self.references(digest):
                        is_stored = other in self.stored or targets.get(other) in self.stored
                        if role in {"config", "layer"} and not is_stored:
                            yield repository.name, tag, other


def looks_like_manifest(raw: bytes, digest: str, reading: Reading) -> bool:
    """Whether something that an index merely lists is worth being called a manifest."""
    algorithm, _, hexadecimal = digest.partition(":")
    authentic = hashlib.new(algorithm, raw).hexdigest() == hexadecimal
    is_object = raw.lstrip(b" \t\r\n").startswith(b"{") and len(raw) <= MAX_SIZE
    return is_object and not (authentic and reading.shape == "damaged")
