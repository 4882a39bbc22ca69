"""What the library finds live and eligible is what the oracle says, on any store: whole, damaged, young or old."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from support import oracle, strategies
from support.oracle_documents import is_digest
from support.store_builder import Store, snapshot

import regsweep

ANY_STORE = st.one_of(strategies.stores(), strategies.damaged_stores())


def check_against_oracle(
    store: Store,
    *,
    delete_untagged: bool,
    min_age: float = 0,
    keep: list[str] | None = None,
    accept_damage: list[str] | None = None,
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        root = store.write(Path(directory))
        before = snapshot(root)
        marks = (
            regsweep.open(root)
            .scan()
            .mark(delete_untagged=delete_untagged, min_age=min_age, keep=keep or [], accept_damage=accept_damage or [])
        )
        expected = oracle.judge(
            root,
            delete_untagged=delete_untagged,
            min_age_seconds=min_age,
            keep=keep or [],
            accept_damage=accept_damage or [],
        )
        eligible = {digest for digest, _ in marks.eligible_blobs()}
        assert not eligible & expected.live, "something live is to go"
        assert eligible == expected.blobs
        assert set(marks.eligible_manifests()) == expected.revisions
        assert set(marks.eligible_layer_links()) == expected.layer_links
        assert all(marks.is_live(digest) for digest in expected.live & expected.stored)
        assert {damage.repository for damage in marks.damaged if damage.repository} == expected.damaged
        broken = {(image.repository, image.tag, image.missing) for image in marks.broken if image.counts}
        assert broken == expected.broken
        assert snapshot(root) == before, "marking changed the store"


@strategies.examples(2)
@given(store=strategies.stores(), delete_untagged=st.booleans())
def test_stores_as_registries_leave_them(store: Store, delete_untagged: bool) -> None:
    check_against_oracle(store, delete_untagged=delete_untagged)


@strategies.examples(2)
@given(store=strategies.damaged_stores(), delete_untagged=st.booleans())
def test_damaged_stores(store: Store, delete_untagged: bool) -> None:
    check_against_oracle(store, delete_untagged=delete_untagged)


@strategies.examples(2)
@given(store=strategies.aged_stores(), delete_untagged=st.booleans())
def test_the_young_protect_what_they_reach(store: Store, delete_untagged: bool) -> None:
    check_against_oracle(store, delete_untagged=delete_untagged, min_age=3600)


@strategies.examples(1.5)
@given(store=ANY_STORE, data=st.data())
def test_what_is_listed_is_kept(store: Store, data: st.DataObject) -> None:
    digests = sorted({content.decode() for path, content in store.files.items() if is_digest(text_of(content))})
    keep = data.draw(st.lists(st.sampled_from(digests), max_size=3)) if digests else []
    check_against_oracle(store, delete_untagged=True, keep=keep)


@strategies.examples(1.5)
@given(store=strategies.damaged_stores(), accepted=st.lists(st.sampled_from(strategies.NAMES)))
def test_accepted_damage_protects_no_more_than_can_be_read(store: Store, accepted: list[str]) -> None:
    check_against_oracle(store, delete_untagged=True, accept_damage=accepted)


def text_of(content: bytes) -> str:
    return content.decode("latin-1")
