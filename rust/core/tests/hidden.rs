//! What is set aside in a bucket that keeps versions: hidden where it is, shown again as it was, or removed with all its
//! versions, whatever happens in between.
#![allow(clippy::unwrap_used)]

mod model;
mod served;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use model::{build, old, pieces};
use proptest::prelude::*;
use regsweep_core::error::Result;
use regsweep_core::layout::quarantine as layout_quarantine;
use regsweep_core::progress::Control;
use regsweep_core::quarantine::{self, Restored};
use regsweep_core::remove::{self, Destination, Removed};
use regsweep_core::scan::scan_quarantines;
use regsweep_core::store::bucket::Bucket;
use regsweep_core::store::{Group, Holder, Key, List, Place, Removal, Remove, Renamed, Renames, Stat};
use regsweep_fakebucket::bucket::Versioning;
use regsweep_fakebucket::faults::{Action, PerKeyError};
use regsweep_fakebucket::object::Version;
use regsweep_fakebucket::{Dialect, Operation};
use served::{BUCKET, Fixture, ROOT, begin, first_tag, run, sample};

const RUN: &[u8] = b"run";

fn hiding(fixture: &Fixture) -> Bucket {
    let bucket = fixture.open();
    begin(&bucket, RUN);
    bucket.hide_for(RUN);
    bucket
}

fn set_aside(bucket: &Bucket) -> Removed {
    let tree = layout_quarantine::tree(RUN);
    let marks = &mut run(bucket, true).unwrap();
    remove::remove_eligible(bucket, marks, Destination::Quarantine(&tree), &Control::default()).unwrap()
}

fn undo(bucket: &Bucket) -> Restored {
    let control = Control::default();
    let catalog = scan_quarantines(bucket, old(), &control).unwrap();
    quarantine::undo(bucket, &catalog, &catalog.quarantines[0], &control).unwrap()
}

/// The registry's keys, each with its version and time.
fn registry(fixture: &Fixture) -> BTreeMap<String, Version> {
    let keys = fixture.keys().into_iter().filter(|key| key.starts_with("docker/"));
    let bucket = fixture.server.buckets().get(BUCKET).unwrap();
    keys.map(|key| (key.clone(), bucket.read().current(format!("{ROOT}/{key}").as_bytes()).unwrap())).collect()
}

fn version_count(fixture: &Fixture, key: &str) -> usize {
    fixture.server.buckets().get(BUCKET).unwrap().read().versions(format!("{ROOT}/{key}").as_bytes()).len()
}

fn names(versions: &BTreeMap<String, Version>) -> BTreeSet<String> {
    versions.keys().cloned().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_hidden_is_shown_as_it_was_or_goes_with_all_versions(pieces in pieces(), undone: bool, reopened: bool) {
        let (store, _, tagged) = build(&pieces);
        let fixture = Fixture::of(&store).versioned();
        let before = registry(&fixture);
        let (mut bucket, control) = (hiding(&fixture), Control::default());
        let removed = set_aside(&bucket);
        prop_assert!(removed.failures.is_empty(), "{:?}", removed.failures);
        prop_assert_eq!(fixture.requests(Operation::Copy), 0);
        let hidden = &names(&before) - &names(&registry(&fixture));
        prop_assert_eq!(hidden.iter().filter(|key| key.ends_with("/data")).count(), removed.blob_count);
        if reopened {
            bucket = fixture.open();
        }
        if undone {
            let restored = undo(&bucket);
            prop_assert!(restored.failures.is_empty() && restored.replaced.is_empty());
            prop_assert_eq!(restored.blob_count, removed.blob_count);
            // The same versions, with their times.
            prop_assert_eq!(format!("{:?}", registry(&fixture)), format!("{before:?}"));
        } else {
            let marks = run(&bucket, false).unwrap();
            prop_assert!(marks.quarantined.is_empty());
            let restored = quarantine::restore(&bucket, &marks, &control);
            prop_assert_eq!(restored.blob_count + restored.manifest_count, 0);
            let purged = quarantine::purge(&bucket, &marks.catalog.quarantines[0], &control).unwrap();
            prop_assert!(purged.failures.is_empty(), "{:?}", purged.failures);
            prop_assert_eq!(purged.blob_count, removed.blob_count);
            prop_assert_eq!(purged.blob_bytes, removed.blob_bytes);
            for key in &hidden {
                prop_assert_eq!(version_count(&fixture, key), 0, "{}", key);
            }
            let stored = fixture.keys().iter().filter(|key| key.ends_with("/data")).count();
            prop_assert_eq!(stored, tagged.len());
        }
        bucket.forget_hidden(RUN, &control).unwrap();
        let own: Vec<String> = fixture.keys().into_iter().filter(|key| key.starts_with(".regsweep")).collect();
        prop_assert_eq!(own, [".regsweep/run/begun"]);
        // Nothing is left that could be shown or purged.
        let restored = undo(&fixture.open());
        prop_assert_eq!(restored.blob_count + restored.manifest_count + restored.failures.len(), 0);
    }
}

#[test]
fn what_is_needed_again_is_shown() {
    let (store, _, _) = build(&sample());
    let fixture = Fixture::of(&store).versioned();
    let tag = first_tag(&fixture);
    let link = store.contents()[&Key::new(&tag)].0.clone();
    for key in fixture.keys().iter().filter(|key| key.starts_with(tag.strip_suffix("/current/link").unwrap())) {
        fixture.delete(key);
    }
    let removed = set_aside(&hiding(&fixture));
    assert!(removed.blob_count > 0 && removed.manifest_count == 1);
    fixture.put_now(&tag, &link);
    let (bucket, control) = (fixture.open(), Control::default());
    let marks = run(&bucket, false).unwrap();
    assert!(marks.broken.iter().all(|image| !image.counts()), "what is hidden is not lost");
    let restored = quarantine::restore(&bucket, &marks, &control);
    assert!(restored.failures.is_empty());
    // All but the three that nothing has ever needed.
    assert_eq!((restored.blob_count, restored.manifest_count), (removed.blob_count - 3, 1));
    assert!(run(&fixture.open(), true).unwrap().broken.iter().all(|image| !image.counts()));
    // What was shown is no longer aside, and a purge leaves it.
    let before = registry(&fixture);
    let bucket = fixture.open();
    let catalog = scan_quarantines(&bucket, old(), &control).unwrap();
    let purged = quarantine::purge(&bucket, &catalog.quarantines[0], &control).unwrap();
    assert_eq!((purged.blob_count, purged.failures.len()), (3, 0));
    assert_eq!(names(&registry(&fixture)), names(&before));
}

/// A blob that nothing needs, with its key.
fn with_garbage() -> (Fixture, String) {
    let (store, _, _) = build(&sample());
    let fixture = Fixture::of(&store).versioned();
    let hex = "ab".repeat(32);
    let key = format!("docker/registry/v2/blobs/sha256/ab/{hex}/data");
    fixture.put(&key, b"nobody needs it");
    (fixture, key)
}

#[test]
fn what_was_pushed_again_stays_and_what_it_replaced_is_purged() {
    let (fixture, key) = with_garbage();
    let removed = set_aside(&hiding(&fixture));
    assert_eq!(removed.failures.len(), 0);
    assert_eq!(version_count(&fixture, &key), 2);
    fixture.put_now(&key, b"nobody needs it");
    let bucket = fixture.open();
    let restored = undo(&bucket);
    assert_eq!(restored.replaced.iter().filter(|replaced| replaced.to_string() == key).count(), 1);
    let control = Control::default();
    let catalog = scan_quarantines(&bucket, old(), &control).unwrap();
    let purged = quarantine::purge(&bucket, &catalog.quarantines[0], &control).unwrap();
    assert_eq!((purged.blob_count, purged.failures.len()), (1, 0));
    assert_eq!(version_count(&fixture, &key), 1);
    assert!(fixture.keys().contains(&key));
}

#[test]
fn what_somebody_else_has_removed_since_is_not_shown() {
    let (fixture, key) = with_garbage();
    set_aside(&hiding(&fixture));
    fixture.put_now(&key, b"another content");
    fixture.delete(&key);
    let restored = undo(&fixture.open());
    assert!(restored.replaced.iter().any(|replaced| replaced.to_string() == key));
    assert!(!fixture.keys().contains(&key));
    // What was aside goes. What came after is not regsweep's.
    let (bucket, control) = (fixture.open(), Control::default());
    let catalog = scan_quarantines(&bucket, old(), &control).unwrap();
    assert_eq!(quarantine::purge(&bucket, &catalog.quarantines[0], &control).unwrap().failures.len(), 0);
    assert_eq!(version_count(&fixture, &key), 2);
}

#[test]
fn a_run_that_ended_before_it_hid_anything_has_nothing_aside() {
    let (fixture, key) = with_garbage();
    let before = registry(&fixture);
    let error = Action { status: Some(403), ..Action::default() };
    fixture.fault("delete_objects", "", 1000, error);
    let removed = set_aside(&hiding(&fixture));
    assert!(!removed.failures.is_empty() && removed.blob_count == 0);
    fixture.server.faults().clear();
    let marks = run(&fixture.open(), false).unwrap();
    assert_eq!(marks.catalog.quarantines[0].prefixes.len(), 0, "nothing is to be seen there");
    let (bucket, control) = (fixture.open(), Control::default());
    let catalog = scan_quarantines(&bucket, old(), &control).unwrap();
    let purged = quarantine::purge(&bucket, &catalog.quarantines[0], &control).unwrap();
    assert_eq!((purged.blob_count, purged.failures.len()), (0, 0));
    assert_eq!(format!("{:?}", registry(&fixture)), format!("{before:?}"));
    // The same run goes on where it was.
    let removed = set_aside(&hiding(&fixture));
    assert!(removed.failures.is_empty() && removed.blob_count > 0);
    assert!(!fixture.keys().contains(&key));
    assert_eq!(undo(&fixture.open()).failures.len(), 0);
    assert_eq!(format!("{:?}", registry(&fixture)), format!("{before:?}"));
}

#[test]
fn two_markers_hide_no_more_than_one() {
    let (fixture, key) = with_garbage();
    let before = registry(&fixture);
    let lost = Action { lose_response: true, ..Action::default() };
    fixture.fault("delete_objects", "", 3, lost);
    let removed = set_aside(&hiding(&fixture));
    assert!(removed.failures.is_empty());
    assert!(version_count(&fixture, &key) > 2, "asked for again");
    assert_eq!(undo(&fixture.open()).failures.len(), 0);
    assert_eq!(format!("{:?}", registry(&fixture)), format!("{before:?}"));
}

#[test]
fn a_key_that_cannot_be_hidden_is_named_and_stays() {
    let (fixture, key) = with_garbage();
    let error = PerKeyError { keys_contain: key.clone(), code: "AccessDenied".to_owned() };
    fixture.fault("delete_objects", "", 1000, Action { per_key_error: Some(error), ..Action::default() });
    let removed = set_aside(&hiding(&fixture));
    let failed: Vec<String> = removed.failures.iter().map(|failure| failure.key.to_string()).collect();
    assert_eq!(failed, std::slice::from_ref(&key));
    assert!(fixture.keys().contains(&key));
}

#[test]
fn a_bucket_that_keeps_versions_no_more_ends_the_run() {
    let (fixture, key) = with_garbage();
    let bucket = hiding(&fixture);
    fixture.server.buckets().get(BUCKET).unwrap().write().versioning = Versioning::Off;
    let removed = set_aside(&bucket);
    assert_eq!(removed.blob_count, 0);
    let said = removed.failures.iter().map(|failure| failure.error.to_string()).collect::<Vec<_>>().join("\n");
    assert!(said.contains("keep versions"), "{said}");
    assert!(!fixture.keys().contains(&key) || !said.contains(&key));
}

#[test]
fn whether_versions_are_kept_is_tried() {
    let control = Control::default();
    let keeps = |fixture: &Fixture| fixture.open().keeps_versions(&control).unwrap();
    let fixture = Fixture::new();
    assert!(!keeps(&fixture));
    let fixture = fixture.versioned();
    assert!(keeps(&fixture));
    assert!(fixture.keys().is_empty(), "nothing is left of it");
    let other = Fixture::new().versioned().speaking(Dialect::Gcs);
    assert!(!keeps(&other), "not in a way that regsweep can use");
    // Somebody who must not look, or must not remove versions.
    for operation in ["versions", "bucket_versioning", "delete_objects"] {
        fixture.fault(operation, "", 1, Action { status: Some(403), ..Action::default() });
        assert!(!keeps(&fixture), "{operation}");
    }
}

#[test]
fn what_is_not_understood_stops() {
    let (fixture, _) = with_garbage();
    set_aside(&hiding(&fixture));
    fixture.put_now(".regsweep/run/hidden/00000000", b"something else");
    assert!(run(&fixture.open(), false).is_err());
    let purged = scan_quarantines(&fixture.open(), old(), &Control::default());
    assert!(purged.is_err());
}

fn outcomes(bucket: &Bucket, renames: Renames) -> Vec<Result<Renamed>> {
    let outcomes: Mutex<BTreeMap<usize, Result<Renamed>>> = Mutex::default();
    let visit = |_: usize, index: usize, outcome| drop(outcomes.lock().unwrap().insert(index, outcome));
    bucket.rename(&[renames], &Control::default(), &visit).unwrap();
    outcomes.into_inner().unwrap().into_values().collect()
}

fn stat(bucket: &Bucket, directory: &Key, name: &str) -> Option<Stat> {
    let found = Mutex::new(None);
    let groups = Group::split(directory, "current/link", [name]);
    bucket
        .stat(&groups, &Control::default(), &|_, _, stat| {
            *found.lock().unwrap() = stat;
            Ok(())
        })
        .unwrap();
    found.into_inner().unwrap()
}

#[test]
fn a_tag_that_was_pushed_at_the_last_moment_is_seen_and_goes_back() {
    let (store, _, _) = build(&sample());
    let fixture = Fixture::of(&store).versioned();
    let link = first_tag(&fixture);
    let tag = Key::new(link.strip_suffix("/current/link").unwrap());
    let (directory, name) = tag.split_last();
    let name = String::from_utf8(name.to_vec()).unwrap();
    let tree = layout_quarantine::tree(RUN);
    let away = Place { directory: layout_quarantine::aside(&tree, &directory), leaf: "" };
    let home = Place { directory: directory.clone(), leaf: "" };
    // Somebody removed an entry of its history long ago: that does not come back.
    let history = format!("{directory}/{name}/index/sha256/{}/link", "cd".repeat(32));
    fixture.put(&history, b"old");
    fixture.delete(&history);

    let bucket = hiding(&fixture);
    run(&bucket, true).unwrap();
    let before = stat(&bucket, &directory, &name).unwrap();
    let content = store.contents()[&Key::new(&link)].0.clone();
    fixture.put_now(&link, &content);
    let there = Renames { names: [&name].into_iter().collect(), from: home.clone(), to: away.clone() };
    assert!(matches!(outcomes(&bucket, there.clone())[..], [Ok(Renamed::Moved)]));
    assert_eq!(stat(&bucket, &directory, &name), None);
    let after = stat(&bucket, &away.directory, &name).unwrap();
    assert_ne!(before.modified, after.modified, "the one that was pushed");
    let back = Renames { names: [&name].into_iter().collect(), from: away.clone(), to: home };
    assert!(matches!(outcomes(&bucket, back.clone())[..], [Ok(Renamed::Moved)]));
    assert_eq!(stat(&bucket, &directory, &name).unwrap(), after);
    assert!(!fixture.keys().contains(&history));

    // Where the run ends in between, the next look sees that it is younger than the run.
    assert!(matches!(outcomes(&bucket, there)[..], [Ok(Renamed::Moved)]));
    let marks = run(&fixture.open(), false).unwrap();
    let quarantine = &marks.catalog.quarantines[0];
    let aside = &quarantine.repositories[0].tags[0];
    assert_eq!(aside.modified, Some(after.modified));
    assert!(quarantine.has_times);
}

#[test]
fn many_are_hidden_and_shown_and_purged_by_few_requests() {
    let fixture = Fixture::new().versioned();
    let count = 5_000;
    let name = |number: u32| format!("{:064x}", u128::from(number) << 100);
    let directory = Key::new("docker/registry/v2/blobs/sha256/00");
    // Between those that are hidden there are others.
    for number in 0..count {
        fixture.put(&format!("{directory}/{}/data", name(number)), b"x");
        fixture.put(&format!("{directory}/{}f/data", &name(number)[..63]), b"x");
    }
    let bucket = hiding(&fixture);
    let tree = layout_quarantine::tree(RUN);
    let away = Place { directory: layout_quarantine::aside(&tree, &directory), leaf: "" };
    let home = Place { directory: directory.clone(), leaf: "data" };
    let hide = Renames { names: (0..count).map(name).collect(), from: home.clone(), to: away.clone() };
    let top = [Key::new(".regsweep"), Key::new("docker/registry")];
    bucket.survey(&top, &Control::default()).unwrap();
    let listed = fixture.requests(Operation::List);
    assert!(outcomes(&bucket, hide).iter().all(|outcome| matches!(outcome, Ok(Renamed::Moved))));
    assert_eq!(fixture.requests(Operation::DeleteObjects), 5);
    assert_eq!(fixture.requests(Operation::List), listed);

    let bucket = fixture.open();
    bucket.survey(&top, &Control::default()).unwrap();
    let back = Renames { names: (0..count / 2).map(name).collect(), from: away.clone(), to: home };
    assert!(outcomes(&bucket, back).iter().all(|outcome| matches!(outcome, Ok(Renamed::Moved))));
    assert_eq!(fixture.requests(Operation::DeleteObjects), 8);

    let bucket = fixture.open();
    bucket.survey(&top, &Control::default()).unwrap();
    let groups = Group::split(&away.directory, "", (0..count).map(name));
    let seen: Mutex<BTreeMap<String, usize>> = Mutex::default();
    bucket
        .remove(&groups, Holder::Keep, &Control::default(), &|_, _, outcome: Result<Removal>| {
            *seen.lock().unwrap().entry(format!("{:?}", outcome.unwrap())).or_default() += 1;
        })
        .unwrap();
    let seen = seen.into_inner().unwrap();
    assert_eq!(seen, BTreeMap::from([("Absent".to_owned(), 2500), ("Removed".to_owned(), 2500)]));
    // What was hidden, and then what hid it.
    assert_eq!(fixture.requests(Operation::DeleteObjects), 14);
    let left = fixture.keys().iter().filter(|key| key.starts_with("docker/")).count();
    assert_eq!(left, 7_500);
}
