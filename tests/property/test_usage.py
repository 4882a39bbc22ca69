"""What repositories and tags take is what a naive second reading of the tree says, on any store."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from hypothesis import given
from hypothesis import strategies as st
from support import oracle, strategies
from support.oracle import Repository, Tree
from support.store_builder import TOP, Store

import regsweep

Name = TypeVar("Name")
ANY_STORE = st.one_of(strategies.stores(), strategies.damaged_stores())
# Where two repositories have to work together to keep something, removing either frees what neither has for itself.
PLAIN_KINDS = tuple(kind for kind in strategies.KINDS if kind not in {"sha512 layer", "manifest as layer"})


class Expected:
    """Who reaches what in a store, as sets of digests."""

    def __init__(self, root: Path) -> None:
        self.tree = Tree(root / TOP)
        self.tree.read_manifests({digest for one in self.tree.repositories for digest in one.linked()}, set())
        self.damaged = self.tree.damaged_repositories()
        self.linked = {digest for one in self.tree.repositories for digest in one.revisions}
        self.repositories = {
            one.name: self.reach({*one.linked(), *self.loose(one)}, referrers=False) for one in self.tree.repositories
        }
        self.tags: dict[tuple[str, str | None], set[str]] = {}
        for one in self.tree.repositories:
            mine: dict[tuple[str, str | None], set[str]] = {
                (one.name, tag): self.reach(targets) for tag, targets in (one.tags or {}).items()
            }
            untagged = set(one.revisions).difference(*(mine.values() if one.name not in self.damaged else ()))
            rest = self.reach(untagged | self.loose(one))
            self.tags |= mine
            if rest & set(self.tree.stored):
                self.tags[one.name, None] = rest

    def loose(self, repository: Repository) -> set[str]:
        """What a repository keeps by layer links alone."""
        found = set(repository.layers) if repository.name in self.damaged else set()
        return found | {target for layer, target in repository.aliases if layer is None}

    def reach(self, starts: Iterable[str], *, referrers: bool = True) -> set[str]:
        """All that digests lead to; what is about them, too, as long as a repository links it."""
        reached: set[str] = set()
        open_ends = list(starts)
        while open_ends:
            digest = open_ends.pop()
            if digest in reached:
                continue
            reached.add(digest)
            open_ends += [other for _, other in self.tree.references(digest)]
            open_ends += [t for one in self.tree.repositories for layer, t in one.aliases if layer == digest]
            if referrers:
                open_ends += [one for one in self.linked if ("subject", digest) in self.tree.references(one)]
        return reached

    def amount(self, digests: Iterable[str]) -> tuple[int, int]:
        stored = [digest for digest in digests if digest in self.tree.stored]
        return len(stored), sum(self.tree.blob(digest).stat().st_size for digest in stored)


def unique(name: Name, reached: dict[Name, set[str]]) -> set[str]:
    return reached[name].difference(*(other for holder, other in reached.items() if holder != name))


def measure(root: Path, *, depth: int | None = None) -> regsweep.Usage:
    return regsweep.open(root).scan().mark().usage(tags=depth is None, depth=depth)


@strategies.examples(3)
@given(store=ANY_STORE)
def test_repositories_and_tags_have_what_they_reach(store: Store) -> None:
    with tempfile.TemporaryDirectory() as directory:
        root = store.write(Path(directory))
        usage, expected = measure(root), Expected(root)
        assert {row.name for row in usage.repositories} == set(expected.repositories)
        for row in usage.repositories:
            assert (row.blob_count, row.total_bytes) == expected.amount(expected.repositories[row.name]), row.name
            alone = unique(row.name, expected.repositories)
            assert (row.unique_blob_count, row.unique_bytes) == expected.amount(alone), row.name
            assert row.shared_bytes == row.total_bytes - row.unique_bytes
            assert row.damaged == (row.name in expected.damaged)
        assert {(row.repository, row.tag) for row in usage.tags} == set(expected.tags)
        for tag in usage.tags:
            name = (tag.repository, tag.tag)
            assert (tag.blob_count, tag.total_bytes) == expected.amount(expected.tags[name]), name
            assert (tag.unique_blob_count, tag.unique_bytes) == expected.amount(unique(name, expected.tags)), name


@strategies.examples(2)
@given(store=ANY_STORE)
def test_the_whole_is_the_sum_of_what_is_reached_and_of_garbage(store: Store) -> None:
    with tempfile.TemporaryDirectory() as directory:
        root = store.write(Path(directory))
        usage, expected, verdict = measure(root), Expected(root), oracle.judge(root)
        assert (usage.stored_blob_count, usage.stored_bytes) == expected.amount(verdict.stored)
        assert (usage.garbage_blob_count, usage.garbage_bytes) == expected.amount(verdict.blobs)
        reached = set().union(*expected.repositories.values())
        assert (usage.reached_blob_count, usage.reached_bytes) == expected.amount(reached)
        assert (usage.spared_blob_count, usage.spared_bytes) == (0, 0)
        assert usage.stored_bytes == usage.reached_bytes + usage.garbage_bytes


@strategies.examples(2)
@given(store=ANY_STORE, depth=st.integers(1, 3))
def test_a_group_has_what_any_of_it_reaches_each_blob_once(store: Store, depth: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        root = store.write(Path(directory))
        usage, expected = measure(root, depth=depth), Expected(root)
        groups: dict[str, set[str]] = {}
        for name, reached in expected.repositories.items():
            groups.setdefault("/".join(name.split("/")[:depth]), set()).update(reached)
        assert {row.name for row in usage.repositories} == set(groups)
        assert sum(row.repository_count for row in usage.repositories) == len(expected.repositories)
        assert usage.tags == []
        for row in usage.repositories:
            assert (row.blob_count, row.total_bytes) == expected.amount(groups[row.name])
            assert (row.unique_blob_count, row.unique_bytes) == expected.amount(unique(row.name, groups))


@strategies.examples(2)
@given(store=strategies.stores(PLAIN_KINDS), data=st.data())
def test_removing_a_repository_frees_what_is_unique_to_it(store: Store, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as directory:
        root = store.write(Path(directory) / "before")
        usage = measure(root)
        rows = {row.name: row for row in usage.repositories}
        if not rows:
            return
        name = data.draw(st.sampled_from(sorted(rows)))
        repository = store.repository(name)
        for below in ("_layers", "_manifests", "_uploads"):
            store.remove(repository.path(below))
        after = measure(store.write(Path(directory) / "after"))
        assert after.garbage_bytes - usage.garbage_bytes == rows[name].unique_bytes
        assert after.garbage_blob_count - usage.garbage_blob_count == rows[name].unique_blob_count


@strategies.examples(2)
@given(store=strategies.stores(PLAIN_KINDS), data=st.data())
def test_removing_a_tag_with_all_that_is_untagged_frees_at_least_what_is_unique_to_it(
    store: Store, data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        root = store.write(Path(directory) / "before")
        rows = {(row.repository, row.tag): row for row in measure(root).tags if row.tag is not None}
        if not rows:
            return
        name, tag = data.draw(st.sampled_from(sorted(rows, key=str)))
        before = {digest for digest, _ in eligible(root)}
        store.repository(name).delete_tag(str(tag))
        freed = [size for digest, size in eligible(store.write(Path(directory) / "after")) if digest not in before]
        assert sum(freed) >= rows[name, tag].unique_bytes
        assert len(freed) >= rows[name, tag].unique_blob_count


def eligible(root: Path) -> list[tuple[str, int]]:
    return regsweep.open(root).scan().mark(delete_untagged=True).eligible_blobs()
