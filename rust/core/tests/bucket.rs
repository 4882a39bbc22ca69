//! Buckets, on an object store in this process that does what it is told: the same answers as from memory, by as few
//! requests as there can be, and nothing worse than an error whatever goes wrong.
#![allow(clippy::unwrap_used)]

mod model;
mod served;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use model::{build, old, pieces};
use proptest::prelude::*;
use regsweep_core::catalog::Target;
use regsweep_core::digest::{Algorithm, Digest};
use regsweep_core::error::{Kind, Result};
use regsweep_core::layout::{distribution as layout, quarantine as layout_quarantine};
use regsweep_core::mark::Marks;
use regsweep_core::progress::Control;
use regsweep_core::quarantine;
use regsweep_core::remove::{self, Destination};
use regsweep_core::scan::{scan, scan_quarantines};
use regsweep_core::store::bucket::{Bucket, Condition, Options};
use regsweep_core::store::cached::{Cached, Directory};
use regsweep_core::store::{
    Content, Group, Holder, Key, List, Page, Place, Read, Removal, Remove, Renamed, Renames, Stat,
};
use regsweep_fakebucket::faults::{Action, PerKeyError, TruncatedPage};
use regsweep_fakebucket::object::Object;
use regsweep_fakebucket::throttle::Limits;
use regsweep_fakebucket::{Dialect, Operation};
use served::{Fixture, begin, dialects, first_tag, run, sample};

/// All that a mark has found, in words.
fn findings(marks: &Marks) -> String {
    // By name: a repository that holds nothing is one in memory, and none in a bucket.
    let named = |(index, digest): (usize, Digest)| (marks.catalog.repositories[index].display_name(), digest);
    let links: Vec<_> = marks.layer_links.iter().map(named).collect();
    let manifests: Vec<_> = marks.eligible_manifests().collect();
    let blobs: Vec<_> = marks.blobs.iter().collect();
    let catalog = &marks.catalog;
    let of = |id: u32| catalog.manifests().digest(id);
    let tags: Vec<String> = catalog
        .repositories
        .iter()
        .flat_map(|repository| repository.tags.iter().flatten().map(|tag| (repository.display_name(), tag)))
        .map(|(repository, tag)| match &tag.target {
            Target::Manifest(id) => format!("{repository}:{} {}", String::from_utf8_lossy(&tag.name), of(*id)),
            other => format!("{repository}:{} {other:?}", String::from_utf8_lossy(&tag.name)),
        })
        .collect();
    format!(
        "{} {} {blobs:?} {manifests:?} {links:?} {tags:?} {:?} {}",
        marks.marked_count,
        marks.blobs.stored_count,
        marks.notes,
        marks.damaged.len(),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_bucket_is_marked_as_the_same_store_in_memory_is(
        pieces in pieces(), delete_untagged: bool, dialect in dialects()
    ) {
        let (store, _, _) = build(&pieces);
        let fixture = Fixture::of(&store).speaking(dialect);
        let expected = run(&store, delete_untagged).unwrap();
        let found = run(&fixture.open(), delete_untagged).unwrap();
        prop_assert_eq!(findings(&found), findings(&expected));
        // Everything in one page, what earlier runs have set aside in another, and each manifest once.
        // On Azure, two more tell how names are spelled.
        prop_assert_eq!(fixture.requests(Operation::List), if dialect == Dialect::Azure { 4 } else { 2 });
        prop_assert_eq!(fixture.requests(Operation::Get), expected.catalog.manifests().read_count() as u64);
        prop_assert_eq!(fixture.requests(Operation::Head), 0);
    }

    #[test]
    fn what_is_removed_from_a_bucket_is_what_is_removed_from_memory(
        pieces in pieces(), delete_untagged: bool, dialect in dialects()
    ) {
        let (store, _, _) = build(&pieces);
        let fixture = Fixture::of(&store).speaking(dialect);
        let bucket = fixture.open();
        let (nowhere, control) = (Destination::Nowhere(None), Control::default());
        let in_memory = remove::remove_eligible(&store, &mut run(&store, delete_untagged).unwrap(), nowhere, &control);
        let marks = &mut run(&bucket, delete_untagged).unwrap();
        let removed = remove::remove_eligible(&bucket, marks, nowhere, &control).unwrap();
        prop_assert_eq!(removed.blob_bytes, in_memory.unwrap().blob_bytes);
        prop_assert!(removed.failures.is_empty());
        prop_assert_eq!(fixture.keys(), store.files().iter().map(ToString::to_string).collect::<BTreeSet<_>>());
        // One for each kind of link, and one for blobs.
        prop_assert!(fixture.requests(Operation::DeleteObjects) + fixture.requests(Operation::Batch) <= 4);
    }
}

fn digest(number: u64) -> Digest {
    Digest::of(Algorithm::Sha256, &number.to_le_bytes())
}

/// Nothing but names: what a listing is made of.
fn large(fixture: &Fixture, blobs: u64, repositories: u64, layers: u64) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    for number in 0..blobs {
        keys.insert(format!("{}/data", layout::blob(&digest(number))));
    }
    for repository in 0..repositories {
        // One of them with most of what there is.
        for layer in 0..if repository == 3 { layers * repositories } else { layers } {
            let hex = digest(layer).to_string().replace("sha256:", "");
            keys.insert(format!("{}/team/app-{repository:04}/_layers/sha256/{hex}/link", layout::REPOSITORIES));
        }
    }
    for key in &keys {
        fixture.put(key, b"x");
    }
    keys
}

fn walk(store: &Bucket, directory: &str, found: &mut BTreeSet<String>) {
    let listed: Mutex<Vec<(String, bool)>> = Mutex::default();
    let key = Key::new(directory);
    let control = Control::default();
    store
        .list(std::slice::from_ref(&key), &control, &|_, page| {
            if let Page::Entries(entries) = page {
                let is_directory = |kind| kind == regsweep_core::store::EntryKind::Directory;
                let entries = entries.iter().map(|entry| (key.join(entry.name).to_string(), is_directory(entry.kind)));
                listed.lock().unwrap().extend(entries);
            }
            Ok(())
        })
        .unwrap();
    for (key, is_directory) in listed.into_inner().unwrap() {
        if is_directory { walk(store, &key, found) } else { assert!(found.insert(key), "a key twice") }
    }
}

#[test]
fn a_large_bucket_is_listed_whole_side_by_side_by_hardly_more_pages_than_it_has() {
    let fixture = Fixture::new();
    let keys = large(&fixture, 60_000, 100, 200);
    let pages = keys.len().div_ceil(1000) as u64;
    // As far away as a bucket is.
    fixture.server.throttle().set(Limits { latency_ms: 5, ..Limits::default() });
    let bucket = fixture.open();
    bucket.survey(&[Key::new(".regsweep"), Key::new(layout::TOP)], &Control::default()).unwrap();
    let requests = fixture.requests(Operation::List);
    assert_eq!(bucket.listed_count(), keys.len());
    assert!(requests * 10 <= pages * 11, "{requests} requests for {pages} pages");
    assert!(fixture.server.journal().most_in_flight() >= 3, "one after the other");
    let mut found = BTreeSet::new();
    walk(&bucket, "", &mut found);
    assert_eq!(found, keys);
    assert_eq!(fixture.requests(Operation::List), requests, "all of it from what was seen");
}

#[test]
fn what_was_not_surveyed_is_listed_when_it_is_asked_for() {
    let fixture = Fixture::new();
    let keys = large(&fixture, 40, 3, 5);
    fixture.put("docker/registry/v2//odd", b"x");
    let bucket = fixture.open();
    let mut found = BTreeSet::new();
    walk(&bucket, "", &mut found);
    assert_eq!(found, keys);
    let absent = Mutex::new(0);
    let visit = |_: usize, page: Page<'_>| {
        *absent.lock().unwrap() += usize::from(matches!(page, Page::Absent));
        Ok(())
    };
    bucket.list(&[Key::new("docker/nothing"), Key::root()], &Control::default(), &visit).unwrap();
    assert_eq!(absent.into_inner().unwrap(), 1);
}

#[test]
fn both_looks_at_an_object_tell_the_same_time() {
    let fixture = Fixture::new().speaking(Dialect::Gcs);
    // Google tells microseconds.
    fixture.put_now("docker/registry/v2/one", b"x");
    let (bucket, control) = (fixture.open(), Control::default());
    let group = Group::split(&Key::new("docker/registry/v2"), "", ["one"]);
    let look = || {
        let seen = Mutex::new(None);
        let visit = |_, _, stat: Option<Stat>| {
            *seen.lock().unwrap() = stat;
            Ok(())
        };
        bucket.stat(&group, &control, &visit).unwrap();
        seen.into_inner().unwrap().unwrap()
    };
    let now = look();
    bucket.survey(&[Key::new("docker/registry")], &control).unwrap();
    assert_eq!(look().modified, now.modified);
}

#[test]
fn a_second_run_lists_and_reads_nothing() {
    let (store, _, _) = build(&sample());
    for dialect in [Dialect::S3, Dialect::Gcs, Dialect::Azure] {
        a_second_run_lists(&Fixture::of(&store).speaking(dialect));
    }
}

fn a_second_run_lists(fixture: &Fixture) {
    let cache = tempfile::tempdir().unwrap();
    let open = || Cached::new(fixture.open(), Some(Directory::new(cache.path().to_owned(), 1 << 30)));
    let first = run(&open(), true).unwrap();
    assert!(fixture.requests(Operation::Get) > 0);
    fixture.server.journal().reset();
    let second = run(&open(), true).unwrap();
    assert_eq!(findings(&first), findings(&second));
    let asked: Vec<String> = fixture.server.journal().counts().into_keys().collect();
    assert_eq!(asked, [format!("{}.list", fixture.dialect.name())]);
}

/// Ten images in two repositories, all tagged.
#[test]
fn only_a_checksum_of_a_known_digest_saves_reading_a_tag() {
    let (store, _, _) = build(&sample());
    let expected = findings(&run(&store, true).unwrap());
    for etag in ["d41d8cd98f00b204e9800998ecf8427e-1", "not-a-checksum", "00000000000000000000000000000000"] {
        let fixture = Fixture::of(&store);
        let tag = first_tag(&fixture);
        let content = store.contents()[&Key::new(&tag)].0.clone();
        fixture.put_object(&tag, Object { etag: etag.to_owned(), ..Object::new(content) });
        let marks = run(&fixture.open(), true).unwrap();
        assert_eq!(findings(&marks), expected, "{etag}");
        let manifests = marks.catalog.manifests().read_count() as u64;
        assert_eq!(fixture.requests(Operation::Get), manifests + 1, "{etag}: one tag is read");
    }
}

#[test]
fn a_tag_that_points_elsewhere_than_its_lone_history_says_is_read() {
    let (store, _, _) = build(&sample());
    let fixture = Fixture::of(&store);
    let tag = first_tag(&fixture);
    let other = digest(77).to_string();
    fixture.put(&tag, other.as_bytes());
    let marks = run(&fixture.open(), true).unwrap();
    assert!(findings(&marks).contains(&other), "the tag's real target");
}

#[test]
fn passing_trouble_is_sat_out() {
    let (store, _, _) = build(&sample());
    let expected = findings(&run(&store, true).unwrap());
    let troubles: [(&str, Action); 9] = [
        ("list", Action { status: Some(503), code: Some("SlowDown".into()), ..Action::default() }),
        ("get", Action { status: Some(429), ..Action::default() }),
        ("get", Action { status: Some(500), ..Action::default() }),
        ("list", Action { truncate_body: Some(100), ..Action::default() }),
        ("get", Action { truncate_body: Some(10), ..Action::default() }),
        ("list", Action { truncated_page: Some(TruncatedPage::Cut), ..Action::default() }),
        ("list", Action { slow_down_in_200: true, ..Action::default() }),
        ("get", Action { expired_token: true, ..Action::default() }),
        ("get", Action { slow_body_ms: 50, lose_response: true, ..Action::default() }),
    ];
    for (operation, action) in troubles {
        let fixture = Fixture::of(&store);
        fixture.fault(operation, "", 1, action.clone());
        let bucket = fixture.open();
        let marks = run(&bucket, true).unwrap();
        assert_eq!(findings(&marks), expected, "{operation}: {action:?}");
        assert_eq!(fixture.server.faults().all()[0].struck, 1, "{action:?}");
    }
}

#[test]
fn lasting_trouble_ends_the_run() {
    let (store, _, _) = build(&sample());
    let troubles: [(&str, Action); 7] = [
        ("list", Action { status: Some(503), ..Action::default() }),
        ("get", Action { status: Some(500), ..Action::default() }),
        ("get", Action { status: Some(403), code: Some("AccessDenied".into()), ..Action::default() }),
        ("list", Action { expired_token: true, ..Action::default() }),
        ("list", Action { truncated_page: Some(TruncatedPage::Cut), ..Action::default() }),
        ("list", Action { slow_down_in_200: true, ..Action::default() }),
        ("get", Action { truncate_body: Some(10), ..Action::default() }),
    ];
    for (operation, action) in troubles {
        let fixture = Fixture::of(&store);
        fixture.fault(operation, "", u64::MAX, action.clone());
        let error = run(&fixture.open(), true).unwrap_err();
        assert_eq!(error.kind(), Kind::Io, "{operation}: {action:?}: {error}");
    }
}

#[test]
fn a_manifest_that_one_request_does_not_find_is_no_absence() {
    let (store, _, _) = build(&sample());
    let fixture = Fixture::of(&store);
    fixture.fault("get", "blobs/", u64::MAX, Action { vanish: true, ..Action::default() });
    let error = run(&fixture.open(), true).unwrap_err();
    assert_eq!(error.kind(), Kind::Changed, "{error}");
}

#[test]
fn a_manifest_that_a_listing_leaves_out_is_no_absence() {
    let (store, _, _) = build(&sample());
    let marks = run(&store, true).unwrap();
    let id = marks.catalog.repositories[0].revisions[0].manifest;
    let manifest = marks.catalog.manifests().digest(id);
    let fixture = Fixture::of(&store);
    let hex = manifest.to_string().replace("sha256:", "");
    // The large listing leaves it out; the one that asks for nothing else does not.
    fixture.fault("list", &hex, 2, Action { omit_from_listing: true, ..Action::default() });
    let found = run(&fixture.open(), true);
    if let Ok(found) = found {
        assert!(!found.blobs.contains(&manifest));
        assert!(found.live.contains(&manifest), "its image stays");
    }
}

#[test]
fn each_key_of_a_removal_has_its_own_outcome() {
    let fixture = Fixture::new();
    let names: Vec<String> = (0..2500).map(|number| format!("{number:04}")).collect();
    for name in &names {
        fixture.put(&format!("d/{name}/link"), b"x");
    }
    let per_key = |code: &str, keys: &str| Action {
        per_key_error: Some(PerKeyError { code: code.into(), keys_contain: keys.into() }),
        ..Action::default()
    };
    fixture.fault("delete_objects", "", u64::MAX, per_key("AccessDenied", "/0007/"));
    fixture.fault("delete_objects", "", 2, per_key("SlowDown", "/1"));
    fixture.fault("delete_objects", "", 1, Action { lose_response: true, ..Action::default() });
    let group = Group { directory: Key::new("d"), names: names.iter().collect(), leaf: "link" };
    let outcomes: Mutex<BTreeMap<usize, bool>> = Mutex::default();
    let visit = |_: usize, index: usize, outcome: Result<Removal>| {
        let removed = matches!(outcome, Ok(Removal::Removed));
        assert!(outcomes.lock().unwrap().insert(index, removed).is_none(), "a key twice");
    };
    fixture.open().remove(&[group], Holder::Keep, &Control::default(), &visit).unwrap();
    let outcomes = outcomes.into_inner().unwrap();
    assert_eq!(outcomes.len(), 2500);
    let failed: Vec<usize> = outcomes.into_iter().filter(|(_, removed)| !removed).map(|(index, _)| index).collect();
    assert_eq!(failed, [7]);
    assert_eq!(fixture.keys(), BTreeSet::from(["d/0007/link".to_owned()]));
}

#[test]
fn a_removal_of_many_takes_one_request_for_a_thousand() {
    let fixture = Fixture::new();
    let names: Vec<String> = (0..7300).map(|number| format!("{number:04}")).collect();
    for name in &names {
        fixture.put(&format!("d/{name}/link"), b"x");
    }
    let groups = Group::split(&Key::new("d"), "link", &names);
    fixture.open().remove(&groups, Holder::Keep, &Control::default(), &|_, _, outcome| drop(outcome.unwrap())).unwrap();
    assert_eq!(fixture.requests(Operation::DeleteObjects), 8);
    assert!(fixture.keys().is_empty());
}

#[test]
fn objects_are_written_on_conditions() {
    for dialect in [Dialect::S3, Dialect::Gcs, Dialect::Azure] {
        written_on_conditions(&Fixture::new().speaking(dialect));
    }
}

fn written_on_conditions(fixture: &Fixture) {
    let (bucket, control) = (fixture.open(), Control::default());
    let key = Key::new(".regsweep/lock");
    assert_eq!(bucket.read_object(&key, &control).unwrap(), None);
    let first = bucket.write_object(&key, b"one", &Condition::Absent, &control).unwrap().unwrap();
    assert_eq!(bucket.write_object(&key, b"two", &Condition::Absent, &control).unwrap(), None);
    assert_eq!(bucket.read_object(&key, &control).unwrap(), Some((b"one".to_vec(), first.clone())));
    let changed = Condition::Version(first);
    assert!(bucket.write_object(&key, b"two", &changed, &control).unwrap().is_some());
    assert_eq!(bucket.write_object(&key, b"three", &changed, &control).unwrap(), None);
    assert_eq!(bucket.read_object(&key, &control).unwrap().unwrap().0, b"two");
}

#[test]
fn a_bucket_that_is_not_there_is_an_error_and_not_an_empty_one() {
    let fixture = Fixture::new();
    let bucket = Bucket::open(&Options { bucket: "nobody".to_owned(), ..fixture.options() }).unwrap();
    let error = run(&bucket, true).unwrap_err();
    assert!(error.to_string().contains("NoSuchBucket"), "{error}");
}

#[test]
fn a_wish_to_stop_is_heard_while_a_request_is_under_way() {
    let (store, _, _) = build(&sample());
    let fixture = Fixture::of(&store);
    fixture.fault("list", "", 1, Action { delay_ms: 600_000, ..Action::default() });
    let bucket = fixture.open();
    let control = Control::default();
    std::thread::scope(|scope| {
        let scanning = scope.spawn(|| scan(&bucket, old(), &control));
        while fixture.server.journal().most_in_flight() == 0 {
            std::thread::yield_now();
        }
        control.stop();
        assert_eq!(scanning.join().unwrap().unwrap_err().kind(), Kind::Cancelled);
    });
}

#[test]
fn large_objects_are_read_as_far_as_they_are_wanted() {
    let fixture = Fixture::new();
    fixture.put("a/large", &[7; 100]);
    fixture.put("a/just", &[7; 10]);
    fixture.put("a/empty", b"");
    let bucket = fixture.open();
    for surveyed in [false, true] {
        if surveyed {
            bucket.survey(&[Key::new("a")], &Control::default()).unwrap();
        }
        let groups = Group::split(&Key::new("a"), "", ["large", "just", "empty", "nothing"]);
        let seen: Mutex<BTreeMap<usize, String>> = Mutex::default();
        bucket
            .read(&groups, 10, &Control::default(), &|_, index, content| {
                let text = match content {
                    Content::Absent => "absent".to_owned(),
                    Content::Whole(bytes) => format!("whole {}", bytes.len()),
                    Content::TooLarge(bytes) => format!("beginning {}", bytes.len()),
                };
                seen.lock().unwrap().insert(index, text);
                Ok(())
            })
            .unwrap();
        let seen: Vec<String> = seen.into_inner().unwrap().into_values().collect();
        assert_eq!(seen, ["beginning 10", "whole 10", "whole 0", "absent"], "{surveyed}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_set_aside_comes_back_or_goes(pieces in pieces(), undone: bool, dialect in dialects()) {
        let (store, _, tagged) = build(&pieces);
        let fixture = Fixture::of(&store).speaking(dialect);
        let before = fixture.keys();
        let (bucket, control) = (fixture.open(), Control::default());
        begin(&bucket, b"run");
        let tree = layout_quarantine::tree(b"run");
        let marks = &mut run(&bucket, true).unwrap();
        let removed = remove::remove_eligible(&bucket, marks, Destination::Quarantine(&tree), &control).unwrap();
        prop_assert!(removed.failures.is_empty(), "{:?}", removed.failures);
        prop_assert_eq!(removed.blob_count, marks.blobs.len());
        // Everything that was there is there still, here or aside.
        prop_assert_eq!(fixture.keys().len(), before.len() + 1);
        if undone {
            let catalog = scan_quarantines(&bucket, old(), &control).unwrap();
            let restored = quarantine::undo(&bucket, &catalog, &catalog.quarantines[0], &control).unwrap();
            prop_assert!(restored.failures.is_empty() && restored.replaced.is_empty());
            let mut expected = before;
            expected.insert(".regsweep/run/begun".to_owned());
            prop_assert_eq!(fixture.keys(), expected);
        } else {
            let marks = run(&bucket, false).unwrap();
            prop_assert!(marks.quarantined.is_empty());
            let restored = quarantine::restore(&bucket, &marks, &control);
            prop_assert_eq!(restored.blob_count + restored.manifest_count, 0);
            let purged = quarantine::purge(&bucket, &marks.catalog.quarantines[0], &control).unwrap();
            prop_assert!(purged.failures.is_empty());
            prop_assert_eq!(purged.blob_count, removed.blob_count);
            prop_assert_eq!(purged.blob_bytes, removed.blob_bytes);
            let left: BTreeSet<String> = fixture.keys().into_iter().filter(|key| key.starts_with(".regsweep")).collect();
            prop_assert_eq!(left, BTreeSet::from([".regsweep/run/begun".to_owned()]));
            let stored = fixture.keys().iter().filter(|key| key.ends_with("/data")).count();
            prop_assert_eq!(stored, tagged.len());
        }
    }
}

#[test]
fn what_is_needed_again_comes_back_from_aside() {
    let (store, _, _) = build(&sample());
    let fixture = Fixture::of(&store);
    let (bucket, control) = (fixture.open(), Control::default());
    let tag = first_tag(&fixture);
    let link = store.contents()[&Key::new(&tag)].0.clone();
    // The tag is deleted, and its image set aside; then it is pushed again by a client that was told "there".
    for key in fixture.keys().iter().filter(|key| key.starts_with(tag.strip_suffix("/current/link").unwrap())) {
        fixture.delete(key);
    }
    begin(&bucket, b"run");
    let tree = layout_quarantine::tree(b"run");
    let marks = &mut run(&bucket, true).unwrap();
    let removed = remove::remove_eligible(&bucket, marks, Destination::Quarantine(&tree), &control).unwrap();
    assert!(removed.blob_count > 0 && removed.manifest_count == 1);
    fixture.put(&tag, &link);
    let marks = run(&bucket, false).unwrap();
    let restored = quarantine::restore(&bucket, &marks, &control);
    assert!(restored.failures.is_empty());
    // All but the three that nothing has ever needed.
    assert_eq!((restored.blob_count, restored.manifest_count), (removed.blob_count - 3, 1));
    assert!(run(&bucket, true).unwrap().broken.iter().all(|image| !image.counts()));
}

#[test]
fn an_object_moves_also_where_its_answers_are_lost_and_never_over_another() {
    let fixture = Fixture::new();
    for (key, content) in
        [("a/one/link", "1"), ("a/two/link", "2"), ("a/three/link", "3"), ("b/two", "other"), ("b/three", "3")]
    {
        fixture.put(key, content.as_bytes());
    }
    fixture.fault("copy", "", 1, Action { lose_response: true, ..Action::default() });
    fixture.fault("delete_objects", "", 1, Action { lose_response: true, ..Action::default() });
    let renames = Renames {
        names: ["one", "two", "three", "four"].iter().collect(),
        from: Place { directory: Key::new("a"), leaf: "link" },
        to: Place { directory: Key::new("b"), leaf: "" },
    };
    let outcomes: Mutex<BTreeMap<usize, Renamed>> = Mutex::default();
    let visit = |_: usize, index: usize, outcome: Result<Renamed>| {
        outcomes.lock().unwrap().insert(index, outcome.unwrap());
    };
    fixture.open().rename(&[renames], &Control::default(), &visit).unwrap();
    let outcomes: Vec<Renamed> = outcomes.into_inner().unwrap().into_values().collect();
    // What lies in its place already and is the same was copied by a run that ended there.
    assert_eq!(outcomes, [Renamed::Moved, Renamed::Occupied, Renamed::Moved, Renamed::Absent]);
    let left = ["a/two/link", "b/one", "b/three", "b/two"];
    assert_eq!(fixture.keys(), left.iter().map(|key| (*key).to_owned()).collect());
}
