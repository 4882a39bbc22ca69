//! Nothing is lost on the way into a quarantine, and everything finds its way back: for any tree, any decision, any
//! fault, any end in the middle, and whatever is pushed meanwhile.
#![allow(clippy::unwrap_used)]

mod model;

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use model::{Piece, build, link, old, pieces, put_blob, script, stored};
use proptest::prelude::*;
use regsweep_core::catalog::Catalog;
use regsweep_core::digest::{Algorithm, Digest};
use regsweep_core::layout::{distribution as layout, quarantine as places};
use regsweep_core::mark::release::{Choice, Referrers, UntaggedRule, release};
use regsweep_core::mark::{Marks, Options, mark};
use regsweep_core::plan;
use regsweep_core::progress::Control;
use regsweep_core::quarantine::{Restored, purge, restore, undo};
use regsweep_core::remove::{Destination, Removed, remove_eligible};
use regsweep_core::scan::{scan, scan_quarantines, tag_times};
use regsweep_core::store::layers::{Fault, Faulty, Operation};
use regsweep_core::store::memory::MemoryStore;
use regsweep_core::store::{Key, List, Read, Remove};

const RUN: &[u8] = b"run";

/// A decision on all repositories: tags whose number is odd or even go, or none; and untagged manifests, or not.
#[derive(Clone, Debug)]
struct Decision {
    tags: Option<bool>,
    untagged: bool,
    whole: Option<usize>,
    referrers: Referrers,
}

fn decisions() -> impl Strategy<Value = Decision> {
    let referrers = prop_oneof![Just(Referrers::Follow), Just(Referrers::Keep), Just(Referrers::DeleteOrphans)];
    (any::<Option<bool>>(), any::<bool>(), proptest::option::weighted(0.2, 0..3usize), referrers)
        .prop_map(|(tags, untagged, whole, referrers)| Decision { tags, untagged, whole, referrers })
}

/// The moment of all that the tests do; everything in the model is far older.
fn now() -> SystemTime {
    old() + Duration::from_secs(100_000_000)
}

fn scanned(store: &(impl List + Read)) -> Arc<Catalog> {
    Arc::new(scan(store, now(), &Control::default()).unwrap())
}

fn choices(catalog: &Catalog, decision: &Decision) -> BTreeMap<usize, Choice> {
    let choice = |(index, repository): (usize, &regsweep_core::catalog::Repository)| {
        let tags = 0..repository.tags.as_ref().map_or(0, Vec::len);
        let goes = |tag: &usize| decision.tags.is_some_and(|odd| (tag % 2 == 1) == odd);
        let choice = Choice {
            tags: tags.filter(goes).collect(),
            untagged: decision.untagged.then_some(UntaggedRule { before: now(), keep: 1 }),
            referrers: decision.referrers,
            whole: decision.whole == Some(index),
        };
        (index, choice)
    };
    catalog.repositories.iter().enumerate().map(choice).collect()
}

fn decided(store: &(impl List + Read), decision: &Decision) -> Marks {
    let control = Control::default();
    let catalog = scanned(store);
    let times = tag_times(store, &catalog, &control).unwrap();
    let released = release(&catalog, &times, &choices(&catalog, decision), now());
    mark(store, catalog, Options { released, cutoff: Some(now()), ..Options::default() }, &control).unwrap()
}

/// Begins a run as the journal does: what is written from now on is younger than the run.
fn begin(store: &MemoryStore) {
    store.write(places::run(RUN).join(places::BEGUN).as_bytes(), "", now());
}

fn set_aside(store: &(impl List + Read + Remove), marks: &mut Marks, control: &Control) -> Removed {
    let tree = places::tree(RUN);
    remove_eligible(store, marks, Destination::Quarantine(&tree), control).unwrap()
}

fn plain(store: &(impl List + Read)) -> Marks {
    mark(store, scanned(store), Options { cutoff: Some(now()), ..Options::default() }, &Control::default()).unwrap()
}

fn bring_all_back(store: &MemoryStore) -> Restored {
    let control = Control::default();
    let catalog = scan_quarantines(store, now(), &control).unwrap();
    undo(store, &catalog, &catalog.quarantines[0], &control).unwrap()
}

/// Everything below the registry: contents and times.
fn registry(store: &MemoryStore) -> BTreeMap<Key, (Vec<u8>, SystemTime)> {
    let top = Key::new("docker");
    store.contents().into_iter().filter(|(key, _)| key.starts_with(&top)).collect()
}

/// Every tag and every manifest link leads to what is stored, down to the last layer.
fn assert_whole(store: &MemoryStore, pieces: &[Piece]) {
    let marks = plain(store);
    let broken: Vec<_> = marks.broken.iter().filter(|image| image.counts()).collect();
    assert!(broken.is_empty() && marks.damaged.is_empty(), "{broken:?} {:?}", marks.damaged);
    assert!(marks.quarantined.is_empty(), "live and still aside: {:?}", marks.quarantined);
    // Not by a mark's word alone: in the model everything live was stored once.
    let here = here(store);
    let lost: Vec<Digest> =
        ever_stored(pieces).filter(|digest| marks.live.contains(digest) && !here.contains(digest)).collect();
    assert!(lost.is_empty(), "live and not in the registry: {lost:?}");
}

fn ever_stored(pieces: &[Piece]) -> impl Iterator<Item = Digest> {
    stored(&build(pieces).0).into_iter()
}

/// The digests that are stored in the registry itself.
fn here(store: &MemoryStore) -> BTreeSet<Digest> {
    let top = Key::new(layout::BLOBS);
    let digest = |key: &Key| {
        let text = key.to_string();
        Digest::from_hex(Algorithm::Sha256, text.strip_suffix("/data")?.rsplit('/').next()?.as_bytes())
    };
    store.files().iter().filter(|key| key.starts_with(&top)).filter_map(digest).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_run_undone_leaves_every_file_with_its_time(pieces in pieces(), decision in decisions()) {
        let (store, ..) = build(&pieces);
        let before = registry(&store);
        begin(&store);
        let mut marks = decided(&store, &decision);
        let removed = set_aside(&store, &mut marks, &Control::default());
        prop_assert!(removed.failures.is_empty(), "{:?}", removed.failures);
        assert_whole(&store, &pieces);
        let restored = bring_all_back(&store);
        prop_assert!(restored.failures.is_empty() && restored.replaced.is_empty());
        prop_assert_eq!(registry(&store), before);
    }

    #[test]
    fn a_second_decision_finds_nothing(pieces in pieces(), decision in decisions()) {
        let (store, ..) = build(&pieces);
        begin(&store);
        // One of the newest untagged images and the odd of what is left would be others the second time.
        let decision = Decision { tags: None, ..decision };
        set_aside(&store, &mut decided(&store, &decision), &Control::default());
        let again = decided(&store, &decision);
        prop_assert!(again.blobs.is_empty() && again.revisions.is_empty() && again.tags.is_empty(), "{:?}", again.revisions);
        prop_assert!(again.layer_links.is_empty());
    }

    #[test]
    fn a_plan_names_just_what_is_eligible_and_gives_up_no_more(pieces in pieces(), decision in decisions()) {
        let (store, ..) = build(&pieces);
        let marks = decided(&store, &decision);
        let text = written(&marks);
        let read = plan::Plan::read(&mut text.as_slice()).unwrap();

        let control = Control::default();
        let catalog = scanned(&store);
        let times = tag_times(&store, &catalog, &control).unwrap();
        let released = read.released(&catalog, &times);
        let options = Options { released, cutoff: Some(now()), ..Options::default() };
        let mut planned = mark(&store, catalog, options, &control).unwrap();
        read.restrict(&mut planned);
        let eligible = |marks: &Marks| marks.blobs.iter().map(|(digest, _)| digest).collect::<Vec<_>>();
        prop_assert_eq!(eligible(&planned), eligible(&marks));
        prop_assert_eq!(planned.revisions.len(), marks.revisions.len());
        prop_assert_eq!(planned.layer_links.len(), marks.layer_links.len());
        prop_assert_eq!(&planned.tags, &marks.tags);

        // A row less, a byte changed: not the plan that was written.
        let lines: Vec<&str> = std::str::from_utf8(&text).unwrap().lines().collect();
        if lines.len() > 2 {
            let cut = [&lines[..1], &lines[2..]].concat().join("\n");
            prop_assert!(plan::Plan::read(&mut cut.as_bytes()).is_err());
        }
    }

    #[test]
    fn a_narrowed_plan_has_the_rows_of_what_is_dead_still_and_on_no_earlier_list(
        pieces in pieces(),
        decision in decisions(),
        kept in 0..4usize,
    ) {
        let (store, ..) = build(&pieces);
        let planned = decided(&store, &decision);
        let text = written(&planned);
        let rows = |text: &[u8]| -> BTreeSet<String> {
            let text = std::str::from_utf8(text).unwrap();
            text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
        };
        let narrowed = |marks: &Marks, earlier: &[&plan::Plan]| {
            let mut out = Vec::new();
            let narrowed = plan::narrow(&mut text.as_slice(), marks, earlier, &mut out).unwrap();
            (ended(out, &narrowed.written), narrowed)
        };

        // Nothing has changed: all of it.
        let (same, all) = narrowed(&intersect(&store, &planned), &[]);
        prop_assert_eq!(&same, &text);
        prop_assert_eq!(all.totals.blob_count, planned.blobs.len() as u64);
        prop_assert_eq!(all.totals.blob_bytes, planned.blobs.size_bytes());
        prop_assert_eq!(all.totals.tag_count, planned.tags.len() as u64);

        // A tag leads to one of the manifests now: just what it reaches is left out, and reading it gives the same marks.
        let revision = planned.revisions.get(kept).map(|place| {
            planned.catalog.repositories[place.repository].revisions[place.revision].manifest
        });
        if let Some(id) = revision {
            let digest = planned.catalog.manifests().digest(id);
            let key = "docker/registry/v2/repositories/pushed/again/_manifests/tags/now/current/link";
            store.write(key.as_bytes(), digest.to_string().into_bytes(), now());
        }
        let fresh = intersect(&store, &planned);
        let (less, part) = narrowed(&fresh, &[]);
        prop_assert!(rows(&less).is_subset(&rows(&text)));
        prop_assert_eq!(part.totals.blob_count, fresh.blobs.len() as u64);
        prop_assert_eq!(part.totals.manifest_count, fresh.revisions.len() as u64);
        prop_assert_eq!(part.totals.layer_link_count, fresh.layer_links.len() as u64);
        let list = plan::Plan::read(&mut less.as_slice()).unwrap();

        // What is on that list is named by it, and by no other than the rest.
        let whole = !planned.whole.is_empty();
        let (rest, twice) = narrowed(&intersect(&store, &planned), &[&list]);
        if !whole {
            prop_assert_eq!(twice.written.row_count, 0);
            prop_assert_eq!(twice.earlier, part.totals);
            prop_assert_eq!(rows(&rest).len(), 1, "the column names");
        }
        let beyond = plan::count_beyond(&mut text.as_slice(), &[&list]).unwrap();
        prop_assert_eq!(beyond, (rows(&text).len() - rows(&less).len()) as u64);
    }

    #[test]
    fn whatever_fails_while_moving_everything_reachable_stays_and_the_next_try_finishes(
        pieces in pieces(),
        decision in decisions(),
        number in 0..30usize,
        again in 0..4usize,
    ) {
        let (reference, ..) = build(&pieces);
        begin(&reference);
        set_aside(&reference, &mut decided(&reference, &decision), &Control::default());

        let (store, ..) = build(&pieces);
        begin(&store);
        let mut marks = decided(&store, &decision);
        let fault = Fault::Error(ErrorKind::PermissionDenied);
        let store = Faulty::new(store, script(Operation::Rename, number, again, fault));
        let removed = set_aside(&store, &mut marks, &Control::default());
        let store = store.inner();
        assert_whole(store, &pieces);
        // The same plan once more: what is named by the first marks and still there.
        let (before, ..) = build(&pieces);
        let planned = decided(&before, &decision);
        let mut rest = intersect(store, &planned);
        set_aside(store, &mut rest, &Control::default());
        if removed.kept_tags.is_empty() {
            prop_assert_eq!(registry(store), registry(&reference));
        }
        bring_all_back(store);
        prop_assert_eq!(registry(store), registry(&before));
    }

    #[test]
    fn an_end_anywhere_can_be_undone_and_gone_on_with(
        pieces in pieces(),
        decision in decisions(),
        moves in 0..40usize,
        go_on: bool,
    ) {
        let (before, ..) = build(&pieces);
        let (store, ..) = build(&pieces);
        begin(&store);
        let mut marks = decided(&store, &decision);
        let planned = decided(&before, &decision);
        let control = Control::default();
        let count = AtomicUsize::new(0);
        let stopping = Faulty::new(store, |operation, _: &Key| {
            if operation == Operation::Rename && count.fetch_add(1, Ordering::Relaxed) >= moves {
                control.stop();
                return Some(Fault::Error(ErrorKind::Interrupted));
            }
            None
        });
        set_aside(&stopping, &mut marks, &control);
        let store = stopping.inner();
        assert_whole(store, &pieces);
        if go_on {
            set_aside(store, &mut intersect(store, &planned), &Control::default());
            assert_whole(store, &pieces);
        }
        bring_all_back(store);
        prop_assert_eq!(registry(store), registry(&before));
    }

    #[test]
    fn whatever_is_pushed_meanwhile_is_whole_once_confirmed(
        pieces in pieces(),
        decision in decisions(),
        pushes in prop::collection::vec((0..3u8, any::<prop::sample::Index>(), any::<bool>()), 1..4),
    ) {
        let (before, ..) = build(&pieces);
        let all: Vec<(Digest, Vec<u8>)> = manifests(&before);
        let (store, ..) = build(&pieces);
        begin(&store);
        set_aside(&store, &mut decided(&store, &decision), &Control::default());
        for (number, (repository, manifest, stale)) in pushes.iter().enumerate() {
            let (digest, content) = manifest.get(&all);
            // Through a stale cache the registry takes the manifest's blob for stored and writes only the links.
            if !stale {
                put_blob(&store, content);
            }
            let revision = format!("r{repository}/_manifests/revisions/sha256/{}/link", digest.hex());
            link(&store, &revision, digest);
            link(&store, &format!("r{repository}/_manifests/tags/new{number}/current/link"), digest);
        }
        let control = Control::default();
        let restored = restore(&store, &plain(&store), &control);
        prop_assert!(restored.failures.is_empty(), "{:?}", restored.failures);
        assert_whole(&store, &pieces);
        // The purge has a mark of its own, and takes nothing that is live.
        let marks = plain(&store);
        let live: BTreeSet<Digest> = here(&store).into_iter().filter(|digest| marks.live.contains(digest)).collect();
        let catalog = scan_quarantines(&store, now(), &control).unwrap();
        let purged = purge(&store, &catalog.quarantines[0], &control).unwrap();
        prop_assert!(purged.failures.is_empty(), "{:?}", purged.failures);
        prop_assert!(here(&store).is_superset(&live));
        assert_whole(&store, &pieces);
        let left: Vec<Key> =
            store.files().into_iter().filter(|key| key.starts_with(&places::tree(RUN))).collect();
        prop_assert!(left.is_empty(), "{:?}", left);
    }

    #[test]
    fn a_link_written_through_an_old_handle_counts_as_pushed(
        pieces in pieces(),
        decision in decisions(),
        which in any::<prop::sample::Index>(),
    ) {
        let (store, ..) = build(&pieces);
        begin(&store);
        set_aside(&store, &mut decided(&store, &decision), &Control::default());
        let aside: Vec<Key> = store.files().into_iter().filter(is_pointer).collect();
        if aside.is_empty() {
            return Ok(());
        }
        // 2.8 writes a link in place: the file that it has opened lies in the quarantine by now.
        let key = which.get(&aside);
        let content = store.contents()[key].0.clone();
        store.write(key.as_bytes(), content, now() + Duration::from_secs(1));
        restore(&store, &plain(&store), &Control::default());
        prop_assert!(!store.files().contains(key), "{key:?} did not come back");
        assert_whole(&store, &pieces);
    }
}

/// A link that was set aside and says that something was pushed.
fn is_pointer(key: &Key) -> bool {
    let text = key.to_string();
    key.starts_with(&places::tree(RUN))
        && (text.contains("/revisions/") || text.contains("/_layers/") || text.ends_with("/current/link"))
}

/// A plan without a head.
fn written(marks: &Marks) -> Vec<u8> {
    let mut text = Vec::new();
    let written = plan::write(marks, &plan::Rules::default(), &mut text).unwrap();
    ended(text, &written)
}

fn ended(mut text: Vec<u8>, written: &plan::Written) -> Vec<u8> {
    text.extend(format!("# end: rows={} sha256={}\n", written.row_count, written.sha256).into_bytes());
    text
}

/// What was planned and is eligible now.
fn intersect(store: &(impl List + Read), planned: &Marks) -> Marks {
    let read = plan::Plan::read(&mut written(planned).as_slice()).unwrap();
    let control = Control::default();
    let catalog = scanned(store);
    let times = tag_times(store, &catalog, &control).unwrap();
    let options = Options { released: read.released(&catalog, &times), cutoff: Some(now()), ..Options::default() };
    let mut marks = mark(store, catalog, options, &control).unwrap();
    read.restrict(&mut marks);
    marks
}

fn manifests(store: &MemoryStore) -> Vec<(Digest, Vec<u8>)> {
    let contents = store.contents();
    let content = |digest: &Digest| contents[&layout::blob(digest).join("data")].0.clone();
    let is_manifest = |digest: &Digest| content(digest).starts_with(b"{\"schemaVersion\"");
    stored(store).into_iter().filter(is_manifest).map(|digest| (digest, content(&digest))).collect()
}
