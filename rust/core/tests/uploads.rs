//! Uploads: what is listed, what is stale, and that nothing else is ever removed, whatever goes wrong.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use proptest::collection::vec;
use proptest::prelude::*;
use regsweep_core::error::Kind;
use regsweep_core::layout::distribution as layout;
use regsweep_core::progress::Control;
use regsweep_core::store::layers::{Fault, Faulty, Operation};
use regsweep_core::store::memory::MemoryStore;
use regsweep_core::store::{EntryKind, Key, List, Read, Remove};
use regsweep_core::uploads::{RemovedUploads, Upload, Uploads, list, remove};

const DAY: Duration = Duration::from_secs(86_400);
const STARTED: &str = "2026-11-01T00:00:00Z";

/// The moment that [`STARTED`] names.
fn started() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_793_491_200)
}

fn cutoff() -> SystemTime {
    started() + 7 * DAY
}

fn young() -> SystemTime {
    cutoff() + DAY
}

fn id(number: usize) -> String {
    format!("01a20754-e05f-7328-9a1a-{number:012x}")
}

fn place(repository: &str, number: usize) -> String {
    format!("{}/{repository}/_uploads/{}", layout::REPOSITORIES, id(number))
}

/// An upload as the registry leaves it after one request with content.
fn put(store: &MemoryStore, repository: &str, number: usize, modified: SystemTime) -> String {
    let place = place(repository, number);
    store.write(format!("{place}/startedat"), STARTED, started());
    store.write(format!("{place}/data"), [0; 1000], modified);
    for offset in ["0", "1000"] {
        store.write(format!("{place}/hashstates/sha256/{offset}"), [0; 108], modified);
    }
    place
}

fn uploads(store: &(impl List + Read)) -> Uploads {
    list(store, &Control::default()).unwrap()
}

fn purge(store: &(impl List + Read + Remove)) -> RemovedUploads {
    remove(store, &uploads(store).uploads, &[], cutoff(), &Control::default())
}

fn stale(store: &MemoryStore) -> Vec<String> {
    uploads(store).uploads.iter().filter(|upload| upload.is_stale(cutoff())).map(place_of).collect()
}

fn place_of(upload: &Upload) -> String {
    upload.key().to_string()
}

#[test]
fn an_upload_is_listed_with_what_its_files_say() {
    let store = MemoryStore::new();
    put(&store, "library/app", 1, started() + DAY);
    let Uploads { uploads, notes, .. } = uploads(&store);
    let [upload] = &uploads[..] else { panic!("one upload") };
    assert_eq!((upload.repository.as_slice(), upload.id.clone()), (&b"library/app"[..], id(1)));
    let start = upload.started.as_ref().unwrap();
    assert_eq!((start.text.as_str(), start.at), (STARTED, started()));
    assert_eq!(upload.last_write, started() + DAY);
    assert_eq!(upload.size_bytes, 1000 + 2 * 108 + 20);
    assert!(upload.strange.is_empty() && notes.is_empty());
}

#[test]
fn an_empty_registry_has_no_uploads() {
    let Uploads { uploads, notes, .. } = uploads(&MemoryStore::new());
    assert!(uploads.is_empty());
    assert_eq!(notes[0].reason, "there are no repositories");
}

#[test]
fn uploads_come_by_repository_and_the_oldest_first() {
    let store = MemoryStore::new();
    for (repository, number, start) in
        [("b", 1, "2026-11-02T00:00:00Z"), ("b", 2, STARTED), ("a/nested", 3, STARTED), ("a", 4, STARTED)]
    {
        let place = put(&store, repository, number, started());
        store.write(format!("{place}/startedat"), start, started());
    }
    let found: Vec<String> = uploads(&store).uploads.iter().map(|upload| upload.id.clone()).collect();
    assert_eq!(found, [id(4), id(3), id(2), id(1)]);
}

#[test]
fn stale_is_what_began_and_was_last_written_before_the_cutoff() {
    let store = MemoryStore::new();
    let old = put(&store, "old", 1, started() + DAY);
    put(&store, "goes-on", 2, young());
    let hashed = put(&store, "hashed-lately", 3, started());
    store.write(format!("{hashed}/hashstates/sha256/2000"), [0; 108], young());
    let begun = put(&store, "begun-lately", 4, started());
    store.write(format!("{begun}/startedat"), "2026-11-09T00:00:00Z", started());
    let at_cutoff = put(&store, "just-at-the-cutoff", 5, cutoff());
    assert_eq!(stale(&store), [old]);
    assert_eq!(purge(&store).upload_count, 1);
    assert!(store.files().contains(&Key::new(at_cutoff).join("data")));
}

#[test]
fn without_a_readable_start_the_directory_has_to_be_old_too() {
    for damaged in [Some(""), Some("yesterday"), Some("2026-11-01T00:00:00Z\n"), None] {
        let store = MemoryStore::new();
        let place = put(&store, "app", 1, started());
        match damaged {
            Some(text) => store.write(format!("{place}/startedat"), text, started()),
            None => store.take(format!("{place}/startedat")),
        }
        assert_eq!(uploads(&store).notes.len(), 1, "{damaged:?} is reported");
        store.set_directory_time(&place, young());
        assert!(stale(&store).is_empty(), "{damaged:?}");
        store.set_directory_time(&place, started());
        assert_eq!(stale(&store).len(), 1, "{damaged:?}");
        store.write(format!("{place}/data"), "more", young());
        store.set_directory_time(&place, started());
        assert!(stale(&store).is_empty(), "{damaged:?}");
    }
}

#[test]
fn an_upload_directory_that_is_just_being_filled_is_not_stale() {
    let store = MemoryStore::new();
    store.set_directory_time(place("app", 1), young());
    assert!(stale(&store).is_empty());
    store.set_directory_time(place("app", 1), started());
    assert_eq!(stale(&store).len(), 1);
    assert_eq!(purge(&store).upload_count, 1);
    assert!(uploads(&store).uploads.is_empty());
}

#[test]
fn what_the_registry_does_not_write_stays_and_the_upload_with_it() {
    for strange in [
        "notes.txt",
        "startedat.01a20754-e05f-7328-9a1a-92aea8b45b2f.tmp",
        "deeper/data",
        "hashstates/0",
        "hashstates/md5/0",
        "hashstates/sha256/half",
        "hashstates/sha256/0.tmp",
        "hashstates/sha256/0/deeper",
    ] {
        let store = MemoryStore::new();
        let place = put(&store, "app", 1, started());
        store.take(format!("{place}/{strange}"));
        store.take(format!("{place}/hashstates/sha256/0"));
        store.write(format!("{place}/{strange}"), "", started());
        let before = store.files();
        assert!(uploads(&store).notes.iter().any(|note| note.key.to_string().starts_with(&place)), "{strange}");
        assert_eq!(stale(&store), [""; 0], "{strange}");
        let removed = purge(&store);
        assert_eq!((removed.upload_count, removed.left_count, store.files()), (0, 1, before), "{strange}");
    }
}

#[test]
fn oddities_in_an_uploads_place_are_noted_and_left_alone() {
    for kind in [EntryKind::Symlink, EntryKind::Special] {
        let store = MemoryStore::new();
        let old = put(&store, "app", 1, started());
        let linked = put(&store, "app", 2, started());
        store.put_oddity(format!("{linked}/data"), kind);
        store.put_oddity(place("app", 3), kind);
        store.put_oddity(format!("{}/other/_uploads", layout::REPOSITORIES), kind);
        store.write(format!("{}/app/_uploads/README", layout::REPOSITORIES), "", started());
        assert_eq!(uploads(&store).notes.len(), 4);
        assert_eq!(stale(&store), [old]);
        assert_eq!(purge(&store).upload_count, 1);
        assert_eq!(uploads(&store).notes.len(), 4);
    }
}

#[test]
fn a_symbolic_link_among_the_repositories_stops_the_listing() {
    let store = MemoryStore::new();
    put(&store, "app", 1, started());
    store.put_oddity(format!("{}/linked", layout::REPOSITORIES), EntryKind::Symlink);
    assert_eq!(list(&store, &Control::default()).unwrap_err().kind(), Kind::Layout);
}

#[test]
fn an_upload_that_goes_on_after_the_listing_is_left() {
    let store = MemoryStore::new();
    let place = put(&store, "app", 1, started());
    put(&store, "app", 2, started());
    put(&store, "app", 3, started());
    let listed = uploads(&store).uploads;
    store.write(format!("{place}/data"), "more", young());
    store.take(self::place("app", 3));
    let removed = remove(&store, &listed, &[], cutoff(), &Control::default());
    assert_eq!((removed.upload_count, removed.left_count, removed.gone_count), (1, 1, 1));
    assert!(removed.failures.is_empty());
    assert_eq!(uploads(&store).uploads.iter().map(place_of).collect::<Vec<_>>(), [place]);
}

#[test]
fn a_start_that_is_just_being_written_is_read_again() {
    let store = MemoryStore::new();
    let place = put(&store, "app", 1, started());
    store.write(format!("{place}/startedat"), "2026-11-09T00:00:00Z", started());
    let listed = uploads(&store).uploads;
    let reads = AtomicUsize::new(0);
    let script = |operation, _: &Key| {
        (operation == Operation::Read && reads.fetch_add(1, Ordering::Relaxed) == 0).then_some(Fault::Short(0))
    };
    let removed = remove(&Faulty::new(store, script), &listed, &[], cutoff(), &Control::default());
    assert_eq!((removed.upload_count, removed.left_count, reads.into_inner()), (0, 1, 2));
}

#[test]
fn the_start_is_the_last_file_to_go_and_stays_behind_a_failure() {
    for failing in ["data", "hashstates/sha256/0"] {
        let script = |operation, key: &Key| {
            let fails = operation == Operation::Remove && key.to_string().ends_with(failing);
            fails.then_some(Fault::Error(ErrorKind::PermissionDenied))
        };
        let store = MemoryStore::new();
        let place = put(&store, "app", 1, started());
        put(&store, "other", 2, started());
        let store = Faulty::new(store, script);
        let removed = purge(&store);
        assert_eq!(removed.failures.len(), 2, "{failing}: one of each upload");
        assert_eq!(removed.upload_count, 0);
        assert!(store.inner().files().contains(&Key::new(&place).join("startedat")));
        assert_eq!(stale(store.inner()).len(), 2, "{failing}: the next run takes them up again");
        assert_eq!(purge(store.inner()).upload_count, 2);
    }
}

#[test]
fn a_wish_to_stop_ends_between_two_uploads() {
    let store = MemoryStore::new();
    for number in 0..5 {
        put(&store, "app", number, started());
    }
    let listed = uploads(&store).uploads;
    let control = Control::default();
    control.stop();
    let removed = remove(&store, &listed, &[], cutoff(), &control);
    assert!(removed.interrupted);
    assert_eq!((removed.upload_count, stale(&store).len()), (0, 5));
}

/// One upload of the model: how old its start and its files are, in days before and after the cutoff, and what else.
#[derive(Clone, Debug)]
struct Piece {
    repository: u8,
    begun: Option<i8>,
    data: Option<i8>,
    hash_states: Vec<i8>,
    directory: i8,
    strange: bool,
}

fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    let days = || -3..3i8;
    let piece = (
        0..3u8,
        proptest::option::weighted(0.8, days()),
        proptest::option::weighted(0.8, days()),
        vec(days(), 0..3),
        days(),
        proptest::bool::weighted(0.1),
    )
        .prop_map(|(repository, begun, data, hash_states, directory, strange)| Piece {
            repository,
            begun,
            data,
            hash_states,
            directory,
            strange,
        });
    vec(piece, 1..8)
}

fn at(days: i8) -> SystemTime {
    let distance = u32::from(days.unsigned_abs()) * DAY;
    if days < 0 { cutoff() - distance } else { cutoff() + distance }
}

/// Builds the store of a model, and says which files may go.
fn build(pieces: &[Piece]) -> (MemoryStore, BTreeSet<Key>) {
    let store = MemoryStore::new();
    let mut may_go = BTreeSet::new();
    store.write(format!("{}/r0/_manifests/tags/a/current/link", layout::REPOSITORIES), "x", started());
    for (number, piece) in pieces.iter().enumerate() {
        let place = place(&format!("r{}", piece.repository), number);
        let mut files = Vec::new();
        let mut write = |name: String, content: String, days| {
            store.write(format!("{place}/{name}"), content, at(days));
            files.push(Key::new(format!("{place}/{name}")));
        };
        let mut ages = vec![piece.begun.unwrap_or(piece.directory)];
        if let Some(days) = piece.begun {
            let day = 8 + i32::from(days);
            write("startedat".to_owned(), format!("2026-11-{day:02}T00:00:00Z"), -3);
        }
        if let Some(days) = piece.data {
            write("data".to_owned(), "content".to_owned(), days);
            ages.push(days);
        }
        for (offset, &days) in piece.hash_states.iter().enumerate() {
            write(format!("hashstates/sha256/{offset}"), "state".to_owned(), days);
            ages.push(days);
        }
        if piece.strange {
            store.write(format!("{place}/strange"), "", at(-3));
        }
        store.set_directory_time(&place, at(piece.directory));
        if !piece.strange && ages.iter().all(|&days| days < 0) {
            may_go.extend(files);
        }
    }
    (store, may_go)
}

const FAULTS: [Fault; 4] =
    [Fault::Error(ErrorKind::Other), Fault::Vanish, Fault::Short(0), Fault::Error(ErrorKind::PermissionDenied)];

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, ..ProptestConfig::default() })]

    #[test]
    fn all_that_is_stale_goes_and_nothing_else(pieces in pieces()) {
        let (store, may_go) = build(&pieces);
        let before = store.files();
        let removed = purge(&store);
        prop_assert!(removed.failures.is_empty());
        let gone: BTreeSet<Key> = before.difference(&store.files()).cloned().collect();
        prop_assert_eq!(gone, may_go);
        prop_assert_eq!(stale(&store).len(), 0);
    }

    #[test]
    fn one_fault_never_makes_anything_else_go(pieces in pieces(), fault in 0..FAULTS.len(), when in 0..120usize) {
        let (store, may_go) = build(&pieces);
        let before = store.files();
        let asked = AtomicUsize::new(0);
        let script = |_: Operation, _: &Key| {
            (asked.fetch_add(1, Ordering::Relaxed) == when).then_some(FAULTS[fault])
        };
        let store = Faulty::new(store, script);
        if let Ok(found) = list(&store, &Control::default()) {
            // However much was said to be stale before: what counts is the look right before the removal.
            let removed = remove(&store, &found.uploads, &[], cutoff(), &Control::default());
            let left = store.inner().files();
            prop_assert!(before.difference(&left).all(|key| may_go.contains(key)), "{:?}", removed);
        } else {
            prop_assert_eq!(&before, &store.inner().files());
        }
        // The next run finishes.
        purge(store.inner());
        let left = store.inner().files();
        let gone: BTreeSet<Key> = before.difference(&left).cloned().collect();
        prop_assert!(gone.is_subset(&may_go));
        prop_assert!(may_go.difference(&gone).next().is_none());
    }
}
