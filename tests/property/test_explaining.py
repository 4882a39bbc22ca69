"""There is a chain for just what is live, on any store, and every chain is there on the disk, step by step."""

from __future__ import annotations

import tempfile
import time
from itertools import islice, pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from support import oracle, strategies
from support.oracle import Repository, Tree
from support.oracle_documents import is_digest
from support.store_builder import TOP, Store

import regsweep

ANY_STORE = st.one_of(strategies.stores(), strategies.damaged_stores())
# What a relation is called in the oracle's reading of a document.
ROLES = {
    "config": {"config"},
    "layer": {"layer"},
    "foreign layer": {"foreign"},
    "child": {"child", "child or blob"},
    "subject": {"subject"},
    "any": {"any"},
}
MANY = 200


class Checker:
    """Holds explanations against a naive second reading of the tree."""

    def __init__(
        self, root: Path, *, delete_untagged: bool, min_age: float, keep: list[str], accept_damage: list[str]
    ) -> None:
        self.delete_untagged = delete_untagged
        self.cutoff = time.time() - min_age if min_age else float("inf")
        self.tree = Tree(root / TOP)
        self.keep = {digest if is_digest(digest) else self.tree.tagged(digest) for digest in keep}
        # Whatever is stored may be read as a manifest by somebody: a keep list, a young blob.
        self.tree.read_manifests({digest for one in self.tree.repositories for digest in one.linked()}, self.keep)
        self.damaged = self.tree.damaged_repositories() - set(accept_damage)
        self.tree.read_manifests(set(), {d for d, written in self.tree.stored.items() if written >= self.cutoff})
        self.repositories = {one.name: one for one in self.tree.repositories}

    def targets(self, digest: str) -> set[str]:
        """What alias links say that a digest is stored as."""
        found: set[str] = set()
        open_ends = {digest}
        while open_ends:
            aliases = {target for one in self.tree.repositories for layer, target in one.aliases if layer in open_ends}
            open_ends = aliases - found
            found |= aliases
        return found - {digest}

    def check(self, chain: regsweep.Chain, digest: str) -> None:
        steps = chain.steps
        assert steps[-1].digest == digest
        assert steps[0].relation is None
        assert len({step.digest for step in steps}) == len(steps), "a chain that goes in circles"
        self.check_root(chain, steps[0].digest)
        for before, step in pairwise(steps):
            self.check_step(before.digest, step)

    def check_root(self, chain: regsweep.Chain, digest: str) -> None:
        repository = self.repositories[chain.repository] if chain.repository is not None else Repository("")
        match chain.kind:
            case "tag":
                assert repository.current[str(chain.tag)] == digest
            case "tag-history":
                assert chain.tag not in repository.current
                assert digest in repository.history[str(chain.tag)]
            case "manifest-link":
                assert not self.delete_untagged
                assert digest in repository.revisions
            case "untold-manifest-link":
                assert repository.tags is None
                assert digest in repository.revisions
            case "damaged-manifest-link":
                assert repository.name in self.damaged
                assert digest in repository.revisions
            case "damaged-layer-link":
                assert repository.name in self.damaged
                assert digest in repository.layers
            case "keep-list":
                assert digest in self.keep
            case "young-manifest-link":
                assert repository.revisions[digest] >= self.cutoff
            case "young-blob":
                assert self.tree.stored[digest] >= self.cutoff
            case "young-layer-link":
                assert repository.layers[digest] >= self.cutoff
            case "unknown-algorithm-link":
                assert (None, digest) in repository.aliases
            case other:
                raise AssertionError(other)

    def check_step(self, before: str, step: regsweep.ChainStep) -> None:
        if step.relation == "referrer":
            assert ("subject", before) in self.tree.references(step.digest)
            assert any(step.digest in one.revisions for one in self.tree.repositories)
        elif step.relation == "alias":
            assert (before, step.digest) in self.repositories[str(step.repository)].aliases
        else:
            roles = {role for role, other in self.tree.references(before) if other == step.digest}
            assert roles & ROLES[str(step.relation)]


def check_store(
    store: Store,
    *,
    delete_untagged: bool,
    min_age: float = 0,
    keep: list[str] | None = None,
    accept_damage: list[str] | None = None,
) -> None:
    keep, accept_damage = keep or [], accept_damage or []
    with tempfile.TemporaryDirectory() as directory:
        root = store.write(Path(directory))
        catalog = regsweep.open(root).scan()
        marks = catalog.mark(delete_untagged=delete_untagged, min_age=min_age, keep=keep, accept_damage=accept_damage)
        verdict = oracle.judge(
            root, delete_untagged=delete_untagged, min_age_seconds=min_age, keep=keep, accept_damage=accept_damage
        )
        checker = Checker(
            root, delete_untagged=delete_untagged, min_age=min_age, keep=keep, accept_damage=accept_damage
        )
        eligible = {digest for digest, _ in marks.eligible_blobs()}
        assert eligible == verdict.blobs
        named = {other for digest in checker.tree.manifests for _, other in checker.tree.references(digest)}
        for digest in sorted(verdict.stored | named):
            answer = marks.why(digest)
            assert isinstance(answer, regsweep.DigestExplanation)
            chains = list(islice(answer.chains(), MANY))
            if digest in verdict.stored:
                assert answer.verdict == ("garbage" if digest in eligible else "live")
                assert answer.size_bytes == checker.tree.blob(digest).stat().st_size
            else:
                elsewhere = answer.stored_as is not None
                assert elsewhere == bool(checker.targets(digest) & verdict.stored)
                assert answer.verdict in (("live", "garbage") if elsewhere else ("missing", "absent"))
                assert answer.size_bytes is None
                assert not marks.is_live(digest) or chains
            assert bool(chains) == (answer.verdict in ("live", "missing"))
            check_chains(checker, answer, chains)


def check_chains(checker: Checker, answer: regsweep.DigestExplanation, chains: list[regsweep.Chain]) -> None:
    assert answer.chain_count is not None
    assert len(chains) == min(answer.chain_count, MANY)
    lengths = [len(chain.steps) for chain in chains]
    assert lengths == sorted(lengths)
    texts = {(c.kind, c.repository, c.tag, *((s.relation, s.repository, s.digest) for s in c.steps)) for c in chains}
    assert len(texts) == len(chains), "a chain twice"
    for chain in chains:
        checker.check(chain, answer.digest)
    keepers = {(one.kind, one.repository, one.tag, one.digest) for one in answer.keepers()}
    assert sum(answer.keeper_counts.values()) == len(keepers)
    if len(chains) < MANY:
        assert {(c.kind, c.repository, c.tag, c.steps[0].digest) for c in chains} == keepers
    if chains:
        assert answer.dead_links == []
    for repository, digest in answer.dead_links:
        assert checker.delete_untagged
        assert digest in checker.repositories[repository].revisions


@strategies.examples(1)
@given(store=strategies.stores(), delete_untagged=st.booleans())
def test_stores_as_registries_leave_them(store: Store, delete_untagged: bool) -> None:
    check_store(store, delete_untagged=delete_untagged)


@strategies.examples(1)
@given(store=strategies.damaged_stores(), delete_untagged=st.booleans())
def test_damaged_stores(store: Store, delete_untagged: bool) -> None:
    check_store(store, delete_untagged=delete_untagged)


@strategies.examples(1)
@given(store=strategies.aged_stores(), delete_untagged=st.booleans())
def test_what_the_young_keep(store: Store, delete_untagged: bool) -> None:
    check_store(store, delete_untagged=delete_untagged, min_age=3600)


@strategies.examples(1)
@given(store=ANY_STORE, data=st.data())
def test_what_is_listed(store: Store, data: st.DataObject) -> None:
    texts = {content.decode("latin-1") for content in store.files.values()}
    digests = sorted(text for text in texts if is_digest(text))
    keep = data.draw(st.lists(st.sampled_from(digests), max_size=3)) if digests else []
    check_store(store, delete_untagged=True, keep=keep)


@strategies.examples(1)
@given(store=strategies.damaged_stores(), accepted=st.lists(st.sampled_from(strategies.NAMES)))
def test_accepted_damage(store: Store, accepted: list[str]) -> None:
    check_store(store, delete_untagged=True, accept_damage=accepted)


@strategies.examples(2)
@given(store=ANY_STORE)
def test_of_a_tag_it_is_said_what_it_has_for_itself_as_by_usage(store: Store) -> None:
    with tempfile.TemporaryDirectory() as directory:
        root = store.write(Path(directory))
        marks = regsweep.open(root).scan().mark()
        for row in marks.usage(tags=True).tags:
            if row.tag is None:
                continue
            answer = marks.why(f"{row.repository}:{row.tag}")
            assert isinstance(answer, regsweep.TagExplanation)
            assert (answer.repository, answer.tag) == (row.repository, row.tag)
            assert (answer.total_blob_count, answer.total_bytes) == (row.blob_count, row.total_bytes)
            assert (answer.unique_blob_count, answer.unique_bytes) == (row.unique_blob_count, row.unique_bytes)
            assert len({part.digest for part in answer.parts}) == len(answer.parts)


@strategies.examples(1)
@given(store=ANY_STORE)
def test_of_a_repository_it_is_said_what_it_takes_as_by_usage(store: Store) -> None:
    with tempfile.TemporaryDirectory() as directory:
        root = store.write(Path(directory))
        marks = regsweep.open(root).scan().mark(delete_untagged=True)
        rows = {row.name: row for row in regsweep.open(root).scan().mark().usage().repositories}
        eligible = [name for name, _ in marks.eligible_manifests()]
        for name, row in rows.items():
            answer = marks.why(name)
            assert isinstance(answer, regsweep.RepositoryExplanation)
            assert (answer.total_bytes, answer.unique_bytes) == (row.total_bytes, row.unique_bytes)
            assert (answer.tag_count, answer.kept_whole) == (row.tag_count, row.damaged)
            assert answer.eligible_manifest_count == eligible.count(name)
