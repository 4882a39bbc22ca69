//! Objects that are too large to be copied by one request are copied in parts: the same comes of it, whatever goes wrong.
#![allow(clippy::unwrap_used)]

mod model;
mod served;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use regsweep_core::error::{Kind, Result};
use regsweep_core::progress::Control;
use regsweep_core::store::bucket::{Bucket, Copying, Options};
use regsweep_core::store::{Key, Place, Remove, Renamed, Renames};
use regsweep_core::uploads;
use regsweep_fakebucket::faults::Action;
use regsweep_fakebucket::object::{Content, Object};
use regsweep_fakebucket::{Dialect, Operation};
use served::{BUCKET, Fixture, ROOT};

/// What a part of S3 has at least.
const PART: u64 = 5 << 20;
const HOME: &str = "docker/registry/v2/blobs/sha256/00";
const ASIDE: &str = ".regsweep/run/tree/docker/registry/v2/blobs/sha256/00";

fn opened(fixture: &Fixture) -> Bucket {
    let copying = Copying { whole_bytes: PART, part_bytes: PART };
    Bucket::open(&Options { copying, ..fixture.options() }).unwrap()
}

/// Bytes that differ from part to part.
fn content(size: u64) -> Vec<u8> {
    (0..size).map(|position| u8::try_from(position * 31 / 1000 % 251).unwrap()).collect()
}

fn stored(fixture: &Fixture, key: &str) -> Option<Content> {
    let bucket = fixture.server.buckets().get(BUCKET).unwrap();
    let version = bucket.read().current(format!("{ROOT}/{key}").as_bytes())?;
    Some(version.object.unwrap().content)
}

fn is_stored(fixture: &Fixture, key: &str, expected: &[u8]) -> bool {
    matches!(stored(fixture, key), Some(Content::Bytes(bytes)) if bytes == expected)
}

fn unfinished(fixture: &Fixture) -> usize {
    fixture.server.buckets().get(BUCKET).unwrap().read().uploads().count()
}

/// Sets some blobs aside.
fn set_aside(bucket: &Bucket, names: &[&str], control: &Control) -> Result<Vec<Result<Renamed>>> {
    let renames = Renames {
        names: names.iter().collect(),
        from: Place { directory: Key::new(HOME), leaf: "data" },
        to: Place { directory: Key::new(ASIDE), leaf: "" },
    };
    let outcomes: Mutex<BTreeMap<usize, Result<Renamed>>> = Mutex::default();
    let visit = |_: usize, index: usize, outcome| drop(outcomes.lock().unwrap().insert(index, outcome));
    bucket.rename(&[renames], control, &visit)?;
    Ok(outcomes.into_inner().unwrap().into_values().collect())
}

fn one(bucket: &Bucket) -> Result<Renamed> {
    set_aside(bucket, &["blob"], &Control::default()).unwrap().remove(0)
}

fn keys(names: &[String]) -> BTreeSet<String> {
    names.iter().cloned().collect()
}

#[test]
fn what_s3_does_not_copy_whole_is_copied_in_parts() {
    let fixture = Fixture::new();
    for (name, size_bytes) in [("large", 6 << 30), ("larger", (6 << 30) + 1), ("small", 1 << 20)] {
        fixture.put_object(&format!("{HOME}/{name}/data"), Object::new(Content::Zeros(size_bytes)));
    }
    let outcomes = set_aside(&fixture.open(), &["large", "larger", "small"], &Control::default()).unwrap();
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(Renamed::Moved))), "{outcomes:?}");
    assert_eq!(fixture.keys(), keys(&["large", "larger", "small"].map(|name| format!("{ASIDE}/{name}"))));
    assert_eq!(stored(&fixture, &format!("{ASIDE}/larger")).unwrap().size_bytes(), (6 << 30) + 1);
    assert_eq!((fixture.requests(Operation::UploadPartCopy), fixture.requests(Operation::Copy)), (12 + 13, 1));
    assert_eq!((fixture.requests(Operation::CompleteUpload), fixture.requests(Operation::AbortUpload)), (2, 0));
}

#[test]
fn only_what_is_larger_than_one_request_may_be_is_copied_in_parts() {
    for (size, requests) in [(PART - 1, 0), (PART, 0), (PART + 1, 2), (2 * PART, 2), (2 * PART + 1, 3)] {
        let fixture = Fixture::new();
        let bytes = content(size);
        fixture.put(&format!("{HOME}/blob/data"), &bytes);
        assert_eq!(one(&opened(&fixture)).unwrap(), Renamed::Moved);
        assert!(is_stored(&fixture, &format!("{ASIDE}/blob"), &bytes), "{size}");
        assert_eq!(fixture.requests(Operation::UploadPartCopy), requests, "{size}");
    }
}

#[test]
fn other_services_copy_whole() {
    for dialect in [Dialect::Gcs, Dialect::Azure] {
        let fixture = Fixture::new().speaking(dialect);
        fixture.put(&format!("{HOME}/blob/data"), &content(2 * PART));
        assert_eq!(one(&opened(&fixture)).unwrap(), Renamed::Moved);
        assert_eq!(fixture.keys(), keys(&[format!("{ASIDE}/blob")]));
    }
}

#[test]
fn an_answer_that_is_lost_or_an_error_in_passing_changes_nothing() {
    let spoilt = [
        Action { lose_response: true, ..Action::default() },
        Action { slow_down_in_200: true, ..Action::default() },
        Action { status: Some(500), ..Action::default() },
        Action { truncate_body: Some(20), ..Action::default() },
    ];
    let bytes = content(3 * PART + 7);
    for operation in ["create_upload", "upload_part_copy", "complete_upload", "delete_objects"] {
        for action in &spoilt {
            let fixture = Fixture::new();
            fixture.put(&format!("{HOME}/blob/data"), &bytes);
            fixture.fault(operation, "", 1, action.clone());
            let outcome = one(&opened(&fixture));
            assert!(matches!(outcome, Ok(Renamed::Moved)), "{operation} {action:?} {outcome:?}");
            assert!(is_stored(&fixture, &format!("{ASIDE}/blob"), &bytes), "{operation} {action:?}");
            assert_eq!(fixture.keys().len(), 1, "{operation} {action:?}");
            // Of one whose beginning was lost nobody knows; it is found later.
            if operation != "create_upload" {
                assert_eq!(unfinished(&fixture), 0, "{operation} {action:?}");
            }
        }
    }
}

#[test]
fn a_copy_that_fails_leaves_what_was_there_and_nothing_else() {
    for operation in ["create_upload", "upload_part_copy", "complete_upload"] {
        let fixture = Fixture::new();
        let bytes = content(3 * PART + 7);
        fixture.put(&format!("{HOME}/blob/data"), &bytes);
        fixture.fault(operation, "", 1, Action { status: Some(403), ..Action::default() });
        assert_eq!(one(&opened(&fixture)).unwrap_err().kind(), Kind::Io, "{operation}");
        assert!(is_stored(&fixture, &format!("{HOME}/blob/data"), &bytes), "{operation}");
        assert_eq!((fixture.keys().len(), unfinished(&fixture)), (1, 0), "{operation}");
        assert_eq!(one(&opened(&fixture)).unwrap(), Renamed::Moved, "{operation}");
    }
}

#[test]
fn nothing_is_written_over_something_that_came_in_between() {
    let bytes = content(2 * PART);
    for (there, expected) in [(&b"another"[..], Renamed::Occupied), (&bytes, Renamed::Moved)] {
        let fixture = Fixture::new();
        let aside = format!("{ASIDE}/blob");
        fixture.put(&format!("{HOME}/blob/data"), &bytes);
        fixture.put(&aside, there);
        // The looks before, at what is to move and at its place, do not show it.
        fixture.fault("list", &aside, 2, Action { omit_from_listing: true, ..Action::default() });
        assert_eq!(one(&opened(&fixture)).unwrap(), expected);
        assert_eq!(fixture.requests(Operation::CompleteUpload), 1);
        assert!(is_stored(&fixture, &aside, there));
        assert_eq!(stored(&fixture, &format!("{HOME}/blob/data")).is_some(), expected == Renamed::Occupied);
        assert_eq!(unfinished(&fixture), 0);
    }
}

#[test]
fn what_is_gone_when_it_is_copied_is_an_error() {
    let fixture = Fixture::new();
    fixture.put(&format!("{HOME}/blob/data"), &content(2 * PART));
    fixture.fault("upload_part_copy", "", 1, Action { status: Some(404), ..Action::default() });
    assert_eq!(one(&opened(&fixture)).unwrap_err().kind(), Kind::Changed);
    assert_eq!((fixture.keys().len(), unfinished(&fixture)), (1, 0));
}

#[test]
fn a_wish_to_stop_is_heard_and_leaves_no_parts() {
    let fixture = Fixture::new();
    fixture.put(&format!("{HOME}/blob/data"), &content(2 * PART));
    fixture.fault("upload_part_copy", "", 2, Action { delay_ms: 600_000, ..Action::default() });
    let (bucket, control) = (opened(&fixture), Control::default());
    std::thread::scope(|scope| {
        let moving = scope.spawn(|| set_aside(&bucket, &["blob"], &control));
        while fixture.requests(Operation::CreateUpload) == 0 {
            std::thread::yield_now();
        }
        control.stop();
        assert_eq!(moving.join().unwrap().unwrap_err().kind(), Kind::Cancelled);
    });
    assert_eq!((fixture.keys().len(), unfinished(&fixture)), (1, 0));
}

#[test]
fn what_a_run_has_left_is_shown_as_its_own() {
    let fixture = Fixture::new();
    fixture.put(&format!("{HOME}/blob/data"), &content(2 * PART));
    fixture.fault("create_upload", "", 1, Action { lose_response: true, ..Action::default() });
    assert_eq!(one(&opened(&fixture)).unwrap(), Renamed::Moved);
    let found = uploads::list(&fixture.open(), &Control::default()).unwrap();
    let [stray] = &found.strays[..] else { panic!("one") };
    assert_eq!((stray.upload.key.to_string(), stray.is_known), (format!("{ASIDE}/blob"), true));
}
