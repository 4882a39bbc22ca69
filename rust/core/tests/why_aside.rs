//! Explanations and quarantines: for any tree and any decision there is a chain for just what stays, what was set aside
//! is told as that, and said to come back just if a confirmation brings it back.
#![allow(clippy::unwrap_used)]

mod model;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use model::{Piece, build, link, old, pieces, put_blob, stored};
use proptest::prelude::*;
use regsweep_core::catalog::Repository;
use regsweep_core::digest::Digest;
use regsweep_core::layout::{distribution as layout, quarantine as places};
use regsweep_core::mark::release::{Choice, Referrers, UntaggedRule, release};
use regsweep_core::mark::{Marks, Options, RootKind, mark};
use regsweep_core::progress::Control;
use regsweep_core::quarantine::restore;
use regsweep_core::remove::{Destination, remove_eligible};
use regsweep_core::scan::{scan, tag_times};
use regsweep_core::store::Key;
use regsweep_core::store::memory::MemoryStore;
use regsweep_core::usage::{Request, measure};
use regsweep_core::why::{
    Aside, Cursor, Explanation, Resolved, Subject, TagAside, Verdict, contents_of_tag, explain, explain_aside, resolve,
    summarize_repository,
};

const RUN: &[u8] = b"run";

/// The moment of all that the tests do; everything in the model is far older.
fn now() -> SystemTime {
    old() + Duration::from_secs(100_000_000)
}

/// Marks as a policy does by which tags of odd or even numbers go, or none, and all that no tag leads to.
fn decided(store: &MemoryStore, odd: Option<bool>, whole: bool) -> Marks {
    let control = Control::default();
    let catalog = Arc::new(scan(store, now(), &control).unwrap());
    let times = tag_times(store, &catalog, &control).unwrap();
    let choice = |(index, repository): (usize, &Repository)| {
        let tags = 0..repository.tags.as_ref().map_or(0, Vec::len);
        let choice = Choice {
            tags: tags.filter(|tag| odd.is_some_and(|odd| (tag % 2 == 1) == odd)).collect(),
            untagged: Some(UntaggedRule { before: now(), keep: 0 }),
            referrers: Referrers::Follow,
            whole: whole && index == 0,
        };
        (index, choice)
    };
    let choices: BTreeMap<usize, Choice> = catalog.repositories.iter().enumerate().map(choice).collect();
    let released = release(&catalog, &times, &choices, now());
    mark(store, catalog, Options { released, cutoff: Some(now()), ..Options::default() }, &control).unwrap()
}

fn plain(store: &MemoryStore) -> Marks {
    let control = Control::default();
    let catalog = Arc::new(scan(store, now(), &control).unwrap());
    mark(store, catalog, Options { cutoff: Some(now()), ..Options::default() }, &control).unwrap()
}

fn set_aside(store: &MemoryStore, mut marks: Marks) {
    store.write(places::run(RUN).join(places::BEGUN).as_bytes(), "", now());
    let tree = places::tree(RUN);
    let removed = remove_eligible(store, &mut marks, Destination::Quarantine(&tree), &Control::default()).unwrap();
    assert!(removed.failures.is_empty(), "{:?}", removed.failures);
}

fn why(store: &MemoryStore, marks: &Marks, digest: Digest) -> Option<Explanation> {
    explain(store, marks, digest, &Control::default()).unwrap()
}

fn first_root(explanation: &Explanation) -> Option<RootKind> {
    explanation.chains.next(&mut Cursor::default()).map(|chain| chain.root.kind)
}

/// Files of blobs below a directory, and their sizes together.
fn blobs_below(store: &MemoryStore, directory: &Key) -> (usize, u64) {
    let contents = store.contents();
    let blobs = contents.iter().filter(|(key, _)| key.starts_with(directory));
    blobs.fold((0, 0), |(count, bytes), (_, (content, _))| (count + 1, bytes + content.len() as u64))
}

fn blobs_aside() -> Key {
    places::aside(&places::tree(RUN), &Key::new(layout::BLOBS))
}

fn is_aside(store: &MemoryStore, digest: &Digest) -> bool {
    let directory = places::aside(&places::tree(RUN), &layout::blob_prefix(digest.algorithm(), digest.prefix()));
    store.files().contains(&directory.join(digest.hex()))
}

/// Pushes what a client and a registry with a stale cache, or none, would write of manifests that were set aside.
fn push(store: &MemoryStore, before: &MemoryStore, pushes: &[(u8, prop::sample::Index, bool)]) {
    let contents = before.contents();
    let content = |digest: &Digest| contents[&layout::blob(digest).join("data")].0.clone();
    let is_manifest = |digest: &Digest| content(digest).starts_with(b"{\"schemaVersion\"");
    let manifests: Vec<Digest> = stored(before).into_iter().filter(is_manifest).collect();
    for (number, (repository, which, stale)) in pushes.iter().enumerate() {
        let digest = which.get(&manifests);
        if !stale {
            put_blob(store, &content(digest));
        }
        link(store, &format!("r{repository}/_manifests/revisions/sha256/{}/link", digest.hex()), digest);
        link(store, &format!("r{repository}/_manifests/tags/new{number}/current/link"), digest);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn there_is_a_chain_for_just_what_a_decision_leaves(pieces in pieces(), odd: Option<bool>, whole: bool) {
        let (store, ..) = build(&pieces);
        let marks = decided(&store, odd, whole);
        for digest in stored(&store) {
            let explanation = why(&store, &marks, digest).unwrap();
            let stays = !marks.blobs.contains(&digest);
            prop_assert_eq!(explanation.verdict, if stays { Verdict::Live } else { Verdict::Garbage });
            prop_assert_eq!(first_root(&explanation).is_some(), stays);
            let given_up = |index: u32, tag: u32| {
                let released = marks.options.released.of(index as usize);
                released.is_some_and(|released| released.gives_up_tag(tag as usize))
            };
            for keeper in explanation.keepers {
                let tag = keeper.root.repository.zip(keeper.root.tag);
                prop_assert!(!tag.is_some_and(|(repository, tag)| given_up(repository, tag)), "{:?}", keeper);
            }
        }
    }

    #[test]
    fn what_lies_aside_is_said_to_come_back_just_if_a_confirmation_brings_it_back(
        pieces in pieces(),
        odd: Option<bool>,
        whole: bool,
        pushes in prop::collection::vec((0..3u8, any::<prop::sample::Index>(), any::<bool>()), 0..3),
        through_old_handle: Option<prop::sample::Index>,
    ) {
        let (before, ..) = build(&pieces);
        let (store, ..) = build(&pieces);
        set_aside(&store, decided(&store, odd, whole));
        push(&store, &before, &pushes);
        let pointers: Vec<Key> = store.files().into_iter().filter(is_pointer).collect();
        if let Some(which) = through_old_handle.filter(|_| !pointers.is_empty()) {
            let key = which.get(&pointers);
            let content = store.contents()[key].0.clone();
            store.write(key.as_bytes(), content, now() + Duration::from_secs(1));
        }
        let marks = plain(&store);
        let mut told = BTreeMap::new();
        for digest in stored(&before) {
            let explanation = why(&store, &marks, digest).unwrap();
            let is_here = stored(&store).contains(&digest);
            prop_assert_eq!(explanation.verdict == Verdict::Quarantined, !is_here);
            let sizes: Vec<Option<u64>> = explanation.asides.iter().map(|aside| aside.size_bytes).collect();
            prop_assert_eq!(sizes.iter().any(Option::is_some), is_aside(&store, &digest));
            told.insert(digest, is_here || explanation.comes_back());
        }
        let usage = measure(&store, &marks, Request { tags: true, depth: None }, &Control::default()).unwrap();
        let amounts: Vec<(usize, u64)> =
            usage.quarantined.iter().map(|amount| (amount.blob_count, amount.size_bytes)).collect();
        prop_assert_eq!(amounts, vec![blobs_below(&store, &blobs_aside())]);
        let stored_amount = (usage.stored.blob_count, usage.stored.size_bytes);
        prop_assert_eq!(stored_amount, blobs_below(&store, &Key::new(layout::BLOBS)));

        restore(&store, &marks, &Control::default());
        let here = stored(&store);
        let back: BTreeMap<Digest, bool> = told.keys().map(|digest| (*digest, here.contains(digest))).collect();
        prop_assert_eq!(told, back);
    }
}

/// A link that was set aside and says that something was pushed.
fn is_pointer(key: &Key) -> bool {
    let text = key.to_string();
    key.starts_with(&places::tree(RUN))
        && (text.contains("/revisions/") || text.contains("/_layers/") || text.ends_with("/current/link"))
}

/// A repository `r0` with tags `t0` and `t1` of an image each.
fn two_images() -> MemoryStore {
    let piece = |layer| Piece {
        repository: 0,
        layers: vec![layer],
        children: Vec::new(),
        subject: None,
        tagged: true,
        linked: true,
    };
    build(&[piece(0), piece(1)]).0
}

fn resolved(store: &MemoryStore, marks: &Marks, text: &str) -> Resolved {
    resolve(store, marks, text.as_bytes(), &Control::default()).unwrap()
}

#[test]
fn names_and_abbreviations_are_found_in_quarantines() {
    let store = two_images();
    let layer = Digest::of(regsweep_core::digest::Algorithm::Sha256, b"l\x01");
    set_aside(&store, decided(&store, Some(true), false));
    let marks = plain(&store);
    assert_eq!(resolved(&store, &marks, &layer.hex().to_string()[..8]), Resolved::Found(Subject::Digest(layer)));
    let aside = |tag: Option<&str>| Subject::Aside(b"r0".to_vec(), tag.map(|tag| tag.as_bytes().to_vec()));
    assert_eq!(resolved(&store, &marks, "r0:t0"), Resolved::Found(Subject::Tag(0, 0)));
    assert_eq!(resolved(&store, &marks, "r0:t1"), Resolved::Found(aside(Some("t1"))));
    assert!(matches!(resolved(&store, &marks, "r0:t2"), Resolved::Unknown(_)));

    // The repository's directories are gone, too, as `empty` leaves it: only files make directories here.
    let home = Key::new(layout::REPOSITORIES).join("r0");
    let emptied = MemoryStore::new();
    for (key, (content, time)) in store.contents() {
        if !key.starts_with(&home) {
            emptied.write(key.as_bytes(), content, time);
        }
    }
    let marks = plain(&emptied);
    assert_eq!(resolved(&emptied, &marks, "r0"), Resolved::Found(aside(None)));
    let asides = explain_aside(&marks, b"r0".to_vec(), None).asides;
    assert_eq!((asides.len(), asides[0].tags.len(), asides[0].manifest_links.len()), (1, 1, 1));
}

#[test]
fn a_tag_that_was_pushed_again_is_told_with_the_one_that_lies_aside() {
    let store = two_images();
    let target = |store: &MemoryStore, tag: usize| {
        let marks = plain(store);
        let contents = contents_of_tag(store, &marks, (0, tag), 0, &Control::default()).unwrap();
        (contents.parts[0].step.digest, contents)
    };
    let (first, _) = target(&store, 0);
    let (second, _) = target(&store, 1);
    set_aside(&store, decided(&store, Some(true), false));
    link(&store, "r0/_manifests/tags/t1/current/link", &first);
    let (now_first, contents) = target(&store, 1);
    assert_eq!(now_first, first);
    let earlier = TagAside { repository: b"r0".to_vec(), tag: b"t1".to_vec(), target: Some(second) };
    assert_eq!(contents.asides, [Aside { tags: vec![earlier], ..Aside::default() }]);

    // Pushed through a stale cache: the tag is there, and what it needs comes back.
    link(&store, "r0/_manifests/tags/t1/current/link", &second);
    let (_, contents) = target(&store, 1);
    assert!(contents.parts.iter().any(|part| part.quarantine == Some(0) && part.size_bytes.is_none()));
    assert!(contents.parts.iter().all(|part| part.size_bytes.is_some() != part.quarantine.is_some()));
    let summary = summarize_repository(&store, &plain(&store), 0, &Control::default()).unwrap();
    assert_eq!((summary.asides.len(), summary.asides[0].tags.len()), (1, 1));
}

#[test]
fn a_link_that_was_written_in_quarantine_is_a_root_of_its_own() {
    let store = two_images();
    set_aside(&store, decided(&store, Some(true), false));
    let pointer = store.files().into_iter().find(|key| is_pointer(key) && key.to_string().contains("/revisions/"));
    let pointer = pointer.unwrap();
    let name = pointer.split_last().1.to_vec();
    let digest = Digest::from_hex(regsweep_core::digest::Algorithm::Sha256, &name).unwrap();
    assert_eq!(first_root(&why(&store, &plain(&store), digest).unwrap()), None);
    store.write(pointer.as_bytes(), digest.to_string(), now() + Duration::from_secs(1));
    let explanation = why(&store, &plain(&store), digest).unwrap();
    assert_eq!((explanation.verdict, explanation.comes_back()), (Verdict::Quarantined, true));
    assert_eq!(first_root(&explanation), Some(RootKind::YoungQuarantinedLink));
    assert_eq!(explanation.keepers[0].root.repository, Some(0));
}
