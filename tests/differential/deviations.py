"""Where the reference collectors and regsweep part: each documented deviation as a question to a store.

The names are those of ``docs/compatibility.md``. A store to which none applies must give the same result, to the byte;
one to which some apply must lose nothing to regsweep that the reference would keep. The answers come from the oracle's
reading of the tree: neither collector is asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from support import oracle
from support.oracle import Repository, Tree, Verdict


def applying(root: Path, major: int, *, delete_untagged: bool) -> set[str]:
    """The deviations that this store shows with this reference collector."""
    verdict = oracle.judge(root, delete_untagged=delete_untagged)
    tree = Tree(root / "docker/registry/v2")
    tree.read_manifests({digest for repository in tree.repositories for digest in repository.linked()}, set())
    return set(_Look(tree, verdict, major, delete_untagged).all())


class _Look:
    def __init__(self, tree: Tree, verdict: Verdict, major: int, delete_untagged: bool) -> None:
        self.tree = tree
        self.verdict = verdict
        self.major = major
        self.delete_untagged = delete_untagged
        # The order in which the reference meets them: a repository where its `_manifests` is met.
        self.repositories = sorted(tree.repositories, key=lambda one: [*one.name.split("/"), "_manifests"])
        self.linked = {digest for repository in tree.repositories for digest in repository.revisions}

    def roots(self, repository: Repository) -> set[str]:
        if not self.delete_untagged:
            return set(repository.revisions)
        return set(repository.current.values()) & set(repository.revisions)

    def is_manifest(self, digest: str) -> bool:
        return self.tree.manifests.get(digest) is not None

    def all(self) -> Iterator[str]:
        yield from self.in_repositories()
        yield from self.in_documents()
        if self.delete_untagged and self.major == 2:
            parents = (digest for digest in self.tree.manifests if digest in self.verdict.live)
            if any(self.is_manifest(other) for parent in parents for _, other in self.tree.references(parent)):
                yield "index-children"
        if any(self.children_elsewhere()):
            yield "children-elsewhere"
        if self.major == 3 and any(self.late_layer_links()):
            yield "layer-links-last"

    def in_repositories(self) -> Iterator[str]:
        if self.verdict.damaged:
            yield "damage-keeps"
        for repository in self.repositories:
            directory = self.tree.top / "repositories" / repository.name
            if not (directory / "_layers").is_dir() or not (directory / "_manifests").is_dir():
                yield "missing-directories"
            if repository.tags is None and repository.revisions and self.delete_untagged:
                yield "no-tags-directory"
            if repository.aliases:
                yield "sha512-layers"
            if not set(repository.current.values()) <= set(repository.revisions) & self.verdict.stored:
                yield "tags-are-roots"
            targets = {
                one for tag, found in (repository.tags or {}).items() for one in found if self.is_lost(tag, repository)
            }
            if targets and (self.delete_untagged or not targets <= set(repository.revisions)):
                yield "tag-without-link"
            if self.delete_untagged:
                if not set(repository.revisions) <= self.verdict.stored:
                    yield "dangling-manifest-links"
                untagged = set(repository.revisions) - set(repository.current.values())
                if self.major == 2 and untagged & self.verdict.live:
                    yield "liveness-is-global"
            if not set(repository.layers) <= self.verdict.stored:
                yield "dangling-layer-links"

    @staticmethod
    def is_lost(tag: str, repository: Repository) -> bool:
        return tag not in repository.current

    def in_documents(self) -> Iterator[str]:
        for digest, reading in self.tree.manifests.items():
            if reading is None:
                continue
            if reading.shape == "unknown":
                yield "unknown-documents"
            if reading.shape == "schema1" and self.major == 3:
                yield "schema1"
            if any(role == "subject" for role, _ in reading.references) and (
                self.delete_untagged or any(other not in self.linked for _, other in self.tree.references(digest))
            ):
                yield "referrers"

    def children_elsewhere(self) -> Iterator[str]:
        """Manifests that an index reaches in a repository that has no link to them."""
        for repository in self.repositories:
            # In plain mode 2.8 takes every linked manifest for a root of its own, and prints no more of it here.
            plain2 = self.major == 2 and not self.delete_untagged
            links = self.linked if plain2 else set(repository.revisions)
            for parent in self.tree.reach_down(self.roots(repository)):
                for _, other in self.tree.references(parent):
                    if self.is_manifest(other) and other not in links:
                        yield other

    def late_layer_links(self) -> Iterator[str]:
        """Layers that are live only because of a repository that 3.x meets later."""
        roots: set[str] = set()
        for repository in self.repositories:
            roots |= self.roots(repository)
            yield from set(repository.layers) & self.verdict.live - self.tree.reach(roots)
