//! Multipart uploads on S3: which are found, which belong to whom, which are stale, and that no other is ever aborted.
#![allow(clippy::unwrap_used)]

mod model;
mod served;

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use proptest::collection::vec;
use proptest::prelude::*;
use regsweep_core::digest::{Algorithm, Digest};
use regsweep_core::error::Kind;
use regsweep_core::layout::distribution as layout;
use regsweep_core::progress::Control;
use regsweep_core::store::bucket::Bucket;
use regsweep_core::store::{Key, List};
use regsweep_core::uploads::{RemovedUploads, Uploads, list, remove};
use regsweep_fakebucket::faults::Action;
use regsweep_fakebucket::moment::Moment;
use regsweep_fakebucket::object::{Content, Object};
use regsweep_fakebucket::{Dialect, Operation};
use served::{BUCKET, Fixture, ROOT};

const STARTED: &str = "2026-11-01T00:00:00Z";
const DAY: Duration = Duration::from_secs(86_400);

fn started() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_793_491_200)
}

fn cutoff() -> SystemTime {
    started() + 7 * DAY
}

fn young() -> SystemTime {
    cutoff() + DAY
}

/// The directory of an upload.
fn session(number: usize) -> String {
    format!("{}/team/app/_uploads/01a20754-e05f-7328-9a1a-{number:012x}", layout::REPOSITORIES)
}

fn blob() -> String {
    layout::blob(&Digest::of(Algorithm::Sha256, b"large")).join(layout::DATA).to_string()
}

trait Plant {
    fn put_at(&self, key: &str, content: &str, modified: SystemTime);
    /// An upload in parts of one part, or of none.
    fn begin(&self, key: &str, id: &str, initiated: SystemTime, part: Option<SystemTime>);
    fn uploads(&self) -> BTreeSet<String>;
}

impl Plant for Fixture {
    fn put_at(&self, key: &str, content: &str, modified: SystemTime) {
        let number = self.server.buckets().next_number();
        let bucket = self.server.buckets().get(BUCKET).unwrap();
        let object = Object::new(content.to_owned());
        bucket.write().put(format!("{ROOT}/{key}").as_bytes(), object, modified.into(), number);
    }

    fn begin(&self, key: &str, id: &str, initiated: SystemTime, part: Option<SystemTime>) {
        let bucket = self.server.buckets().get(BUCKET).unwrap();
        let parts = part.map(|modified| (Content::Zeros(5 << 20), Moment::from(modified)));
        bucket.write().begin_upload(format!("{ROOT}/{key}").as_bytes(), id, initiated.into(), parts);
    }

    fn uploads(&self) -> BTreeSet<String> {
        let bucket = self.server.buckets().get(BUCKET).unwrap();
        let bucket = bucket.read();
        bucket.uploads().map(|(_, id)| id.to_owned()).collect()
    }
}

fn found(bucket: &Bucket) -> Uploads {
    list(bucket, &Control::default()).unwrap()
}

fn purge(bucket: &Bucket) -> RemovedUploads {
    let found = found(bucket);
    remove(bucket, &found.uploads, &found.strays, cutoff(), &Control::default())
}

fn ids(ids: &[&str]) -> BTreeSet<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

/// A session as the registry's driver leaves it after one request, its files of one time and its part of another.
fn begin_session(fixture: &Fixture, number: usize, files: SystemTime, part: SystemTime) -> String {
    let place = session(number);
    fixture.put_at(&format!("{place}/startedat"), STARTED, files);
    fixture.put_at(&format!("{place}/hashstates/sha256/0"), "state", files);
    fixture.begin(&format!("{place}/data"), &format!("session-{number}"), started(), Some(part));
    place
}

#[test]
fn what_the_driver_keeps_in_parts_belongs_to_its_upload() {
    let fixture = Fixture::new();
    begin_session(&fixture, 1, started(), started() + DAY);
    let Uploads { uploads, strays, notes } = found(&fixture.open());
    let [upload] = &uploads[..] else { panic!("one upload") };
    assert!(strays.is_empty() && notes.is_empty());
    assert_eq!(upload.size_bytes, (5 << 20) + 25);
    assert_eq!(upload.last_write, started() + DAY);
    let [part] = &upload.multipart[..] else { panic!("one in parts") };
    assert_eq!((part.id.as_str(), part.initiated, part.size_bytes), ("session-1", started(), 5 << 20));
}

#[test]
fn a_stale_upload_goes_with_its_parts_and_one_that_still_gets_parts_stays_whole() {
    let fixture = Fixture::new();
    begin_session(&fixture, 1, started(), started() + DAY);
    let going_on = begin_session(&fixture, 2, started(), young());
    begin_session(&fixture, 3, young(), started());
    let removed = purge(&fixture.open());
    assert_eq!((removed.upload_count, removed.multipart_count, removed.failures.len()), (1, 0, 0));
    assert_eq!(removed.size_bytes, (5 << 20) + 25);
    assert_eq!(fixture.uploads(), ids(&["session-2", "session-3"]));
    assert_eq!(fixture.keys().iter().filter(|key| key.starts_with(&going_on)).count(), 2);
    assert_eq!(fixture.keys().len(), 4);
}

#[test]
fn what_the_registry_has_forgotten_is_aborted_once_it_is_old() {
    let fixture = Fixture::new();
    fixture.begin(&format!("{}/data", session(1)), "old", started(), Some(started() + DAY));
    fixture.begin(&format!("{}/data", session(1)), "old-without-parts", started(), None);
    fixture.begin(&format!("{}/data", session(2)), "old-with-a-young-part", started(), Some(young()));
    fixture.begin(&format!("{}/data", session(3)), "young", young(), None);
    fixture.begin(&format!("{}/data", session(4)), "at-the-cutoff", started(), Some(cutoff()));
    fixture.begin(&blob(), "copy-of-a-blob", started(), Some(started()));
    fixture.begin(&format!(".regsweep/run/tree/{}", blob().replace("/data", "")), "aside", started(), None);
    let bucket = fixture.open();
    let shown = found(&bucket);
    assert!(shown.uploads.is_empty());
    assert_eq!(shown.strays.len(), 7);
    let stale: BTreeSet<String> =
        shown.strays.iter().filter(|one| one.is_stale(cutoff())).map(|one| one.upload.id.clone()).collect();
    assert_eq!(stale, ids(&["old", "old-without-parts", "copy-of-a-blob", "aside"]));
    let removed = purge(&bucket);
    assert_eq!((removed.multipart_count, removed.upload_count, removed.left_count), (4, 0, 3));
    assert_eq!(removed.size_bytes, 2 * (5 << 20));
    assert_eq!(fixture.uploads(), ids(&["old-with-a-young-part", "young", "at-the-cutoff"]));
}

#[test]
fn what_is_none_of_the_registrys_is_named_and_left_alone() {
    let fixture = Fixture::new();
    let strange = [
        format!("{}/team/app/_uploads/no-uuid/data", layout::REPOSITORIES),
        format!("{}/startedat", session(1)),
        format!("{}/sha256/00/data", layout::BLOBS),
        format!("{}/team/app/_manifests/tags/v1/current/link", layout::REPOSITORIES),
        ".regsweep/lock".to_owned(),
    ];
    for (number, key) in strange.iter().enumerate() {
        fixture.begin(key, &number.to_string(), started(), None);
    }
    // Not below the registry's directory, though its key begins alike.
    fixture.begin("docker/registry-of-another/data", "another", started(), None);
    fixture.begin("backup.tar", "backup", started(), None);
    let bucket = fixture.open();
    let shown = found(&bucket);
    let named: BTreeSet<String> = shown.notes.iter().map(|note| note.key.to_string()).collect();
    assert!(strange.iter().all(|key| named.contains(key)), "{named:?}");
    assert_eq!(shown.strays.len(), strange.len());
    assert!(shown.strays.iter().all(|stray| !stray.is_known && !stray.is_stale(young())));
    // Not even where they are asked for.
    let removed = remove(&bucket, &[], &shown.strays, young(), &Control::default());
    assert_eq!((removed.multipart_count, removed.left_count), (0, strange.len()));
    assert_eq!(fixture.uploads().len(), strange.len() + 2);
}

#[test]
fn what_changes_after_the_listing_is_left_or_gone() {
    let fixture = Fixture::new();
    for number in 1..=4 {
        fixture.begin(&format!("{}/data", session(number)), &format!("session-{number}"), started(), None);
    }
    let bucket = fixture.open();
    let shown = found(&bucket);
    // One gets a part, of one there is a file after all, and one is finished.
    fixture.begin(&format!("{}/data", session(1)), "session-1", started(), Some(young()));
    fixture.put_at(&format!("{}/hashstates/sha256/0", session(2)), "state", started());
    let key = Key::new(format!("{}/data", session(3)));
    let [upload] = &bucket.multipart_uploads(&[key], &Control::default()).unwrap()[..] else { panic!("one") };
    regsweep_core::store::Remove::abort(&bucket, std::slice::from_ref(upload), &Control::default(), &|_, _| {})
        .unwrap();
    let removed = remove(&bucket, &[], &shown.strays, cutoff(), &Control::default());
    assert_eq!((removed.multipart_count, removed.left_count, removed.gone_count), (1, 2, 1));
    assert_eq!(fixture.uploads(), ids(&["session-1", "session-2"]));
}

#[test]
fn all_pages_count_and_each_is_asked_for_its_parts_once() {
    let fixture = Fixture::new();
    for number in 0..2300 {
        // Several of the same key, over the end of a page.
        fixture.begin(&format!("{}/data", session(number / 7)), &format!("{number:04}"), started(), Some(started()));
    }
    let bucket = fixture.open();
    assert_eq!(found(&bucket).strays.len(), 2300);
    // Those below `.regsweep` are a listing of their own.
    assert_eq!(fixture.requests(Operation::ListUploads), 4);
    assert_eq!(fixture.requests(Operation::ListParts), 2300);
    let removed = purge(&bucket);
    assert_eq!((removed.multipart_count, removed.failures.len()), (2300, 0));
    assert!(fixture.uploads().is_empty());
}

#[test]
fn what_cannot_be_aborted_is_a_count_and_keeps_its_upload() {
    let fixture = Fixture::new();
    let place = begin_session(&fixture, 1, started(), started());
    fixture.begin(&format!("{}/data", session(2)), "forgotten", started(), None);
    fixture.begin(&blob(), "copy", started(), None);
    let denied = || Action { status: Some(403), ..Action::default() };
    fixture.fault("abort_upload", &place, 1, denied());
    fixture.fault("abort_upload", &session(2), 1, denied());
    let bucket = fixture.open();
    let removed = purge(&bucket);
    let failed: BTreeSet<String> = removed.failures.iter().map(|failure| failure.key.to_string()).collect();
    assert_eq!(failed, BTreeSet::from([format!("{place}/data"), format!("{}/data", session(2))]));
    assert_eq!((removed.upload_count, removed.multipart_count), (0, 1));
    assert!(fixture.keys().contains(&format!("{place}/startedat")), "the next run finds it");
    assert_eq!(fixture.keys().len(), 2);
    let again = purge(&bucket);
    assert_eq!((again.upload_count, again.multipart_count, again.failures.len()), (1, 1, 0));
    assert!(fixture.uploads().is_empty() && fixture.keys().is_empty());
}

#[test]
fn an_answer_that_is_lost_is_asked_for_again() {
    let fixture = Fixture::new();
    fixture.begin(&blob(), "copy", started(), None);
    for operation in ["list_uploads", "list_parts", "abort_upload"] {
        fixture.fault(operation, "", 1, Action { lose_response: true, ..Action::default() });
    }
    let removed = purge(&fixture.open());
    assert_eq!((removed.multipart_count, removed.gone_count, removed.failures.len()), (1, 0, 0));
}

#[test]
fn a_listing_that_fails_is_an_error_and_nothing_is_removed() {
    for operation in ["list_uploads", "list_parts"] {
        let fixture = Fixture::new();
        begin_session(&fixture, 1, started(), started());
        fixture.fault(operation, "", u64::MAX, Action { status: Some(403), ..Action::default() });
        let error = list(&fixture.open(), &Control::default()).unwrap_err();
        assert_eq!(error.kind(), Kind::Io, "{operation}");
    }
}

#[test]
fn a_look_that_fails_before_a_removal_is_a_count() {
    let fixture = Fixture::new();
    begin_session(&fixture, 1, started(), started());
    fixture.begin(&blob(), "copy", started(), None);
    let bucket = fixture.open();
    let shown = found(&bucket);
    fixture.fault("list_uploads", "", 2, Action { status: Some(403), ..Action::default() });
    let removed = remove(&bucket, &shown.uploads, &shown.strays, cutoff(), &Control::default());
    assert_eq!((removed.failures.len(), removed.upload_count + removed.multipart_count), (2, 0));
    assert_eq!(fixture.uploads().len(), 2);
}

#[test]
fn other_services_are_not_asked() {
    for dialect in [Dialect::Gcs, Dialect::Azure] {
        let fixture = Fixture::new().speaking(dialect);
        fixture.begin(&blob(), "copy", started(), None);
        assert!(found(&fixture.open()).strays.is_empty());
        assert_eq!(fixture.requests(Operation::ListUploads), 0);
    }
}

/// Where an upload in parts may be, and how old it, its parts and the files of its session are.
#[derive(Clone, Debug)]
struct Piece {
    place: usize,
    is_young: bool,
    young_part: Option<bool>,
    /// Whether there are files of a session, and whether they are young.
    young_files: Option<bool>,
}

fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    let piece = (0..4_usize, any::<bool>(), any::<Option<bool>>(), any::<Option<bool>>())
        .prop_map(|(place, is_young, young_part, young_files)| Piece { place, is_young, young_part, young_files });
    vec(piece, 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn only_what_is_old_throughout_is_ever_aborted(pieces in pieces(), fails in 0..4_u64) {
        let fixture = Fixture::new();
        let time = |is_young| if is_young { young() } else { started() };
        let mut kept = BTreeSet::new();
        let mut doomed = BTreeSet::new();
        for (number, piece) in pieces.iter().enumerate() {
            let key = match piece.place {
                0 => format!("{}/data", session(number)),
                1 => blob(),
                2 => format!(".regsweep/run/tree/{number}"),
                _ => format!("docker/registry/strange-{number}"),
            };
            fixture.begin(&key, &number.to_string(), time(piece.is_young), piece.young_part.map(time));
            let mut is_old = !piece.is_young && piece.young_part != Some(true) && piece.place != 3;
            if let Some(is_young) = piece.young_files.filter(|_| piece.place == 0) {
                fixture.put_at(&format!("{}/startedat", session(number)), STARTED, time(is_young));
                is_old &= !is_young;
            }
            if is_old { doomed.insert(number.to_string()) } else { kept.insert(number.to_string()) };
        }
        if fails > 0 {
            fixture.fault("abort_upload", "", fails, Action { status: Some(403), ..Action::default() });
        }
        let removed = purge(&fixture.open());
        let left = fixture.uploads();
        prop_assert!(kept.is_subset(&left), "{left:?} {kept:?}");
        prop_assert_eq!(left.len() - kept.len(), removed.failures.len());
        prop_assert_eq!(removed.failures.len(), doomed.len().min(usize::try_from(fails).unwrap()));
        fixture.server.faults().clear();
        let again = purge(&fixture.open());
        prop_assert_eq!(again.failures.len(), 0);
        prop_assert_eq!(fixture.uploads(), kept);
    }
}
