//! One contract for every store, and for decorators that are to change nothing.
//!
//! Also for buckets of real servers, where `REGSWEEP_CONTRACT_BUCKETS` names them (`tests/buckets/test_contract.py` does):
//! a JSON list of `{"provider", "endpoint", "bucket"}` and, for Azure, `"access_key"`, for S3 `"access_key_id"` and
//! `"secret_access_key"`, for Google `"key"`.
#![allow(clippy::unwrap_used)]

mod model;
mod served;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use regsweep_core::error::Kind;
use regsweep_core::progress::Control;
use regsweep_core::store::bucket::{AzureKeys, Bucket, Condition, GcsKeys, Options, Provider, Secret};
use regsweep_core::store::fs::FsStore;
use regsweep_core::store::layers::{Fault, Faulty, Operation};
use regsweep_core::store::memory::MemoryStore;
use regsweep_core::store::{
    self, Content, EntryKind, Group, Holder, Key, List, Page, Place, Read, Removal, Remove, Renames, SetsAside,
};
use regsweep_fakebucket::Dialect;
use served::Fixture;

trait Store: List + Read + Remove {}
impl<S: List + Read + Remove> Store for S {}

const FILES: [(&str, &str); 6] = [
    ("a/one/link", "first"),
    ("a/two/link", ""),
    ("a/two/other", "kept"),
    ("a/three/current/link", "deep"),
    ("b/large/data", "0123456789"),
    ("b/four/data", "12345678"),
];

fn written() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::new(1_600_000_000, 123_456_789)
}

fn on_disk(root: &Path) {
    for (key, content) in FILES {
        let path = root.join(key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        std::fs::File::open(&path).unwrap().set_modified(written()).unwrap();
    }
    std::fs::create_dir(root.join("empty")).unwrap();
}

fn in_memory() -> MemoryStore {
    let store = MemoryStore::new();
    for (key, content) in FILES {
        store.write(key, content, written());
    }
    store.make_directory("empty");
    store
}

fn in_bucket(options: &Options) -> Bucket {
    let bucket = Bucket::open(options).unwrap();
    for (key, content) in FILES {
        let (key, content) = (Key::new(key), content.as_bytes());
        bucket.write_object(&key, content, &Condition::Always, &Control::default()).unwrap();
    }
    bucket
}

/// The buckets of real servers, each below a root of its own every time.
fn real_buckets() -> Vec<(String, Options)> {
    static ROOTS: AtomicU32 = AtomicU32::new(0);
    let Ok(named) = std::env::var("REGSWEEP_CONTRACT_BUCKETS") else { return Vec::new() };
    let named: Vec<serde_json::Value> = serde_json::from_str(&named).unwrap();
    let one = |named: serde_json::Value| {
        let text = |name: &str| named[name].as_str().unwrap_or_else(|| panic!("{name} in {named}")).to_owned();
        let provider = match text("provider").as_str() {
            "s3" => {
                let keys = Some((text("access_key_id"), Secret(text("secret_access_key")), None));
                Provider::S3 { region: "us-east-1".to_owned(), keys, path_style: true }
            }
            "gcs" => Provider::Gcs(GcsKeys::ServiceAccount(Secret(text("key")))),
            _ => Provider::Azure {
                account: "devstoreaccount1".to_owned(),
                keys: AzureKeys::SharedKey(Secret(text("access_key"))),
                leading_slash: Some(false),
            },
        };
        let root = format!("contract/{}", ROOTS.fetch_add(1, Ordering::Relaxed));
        let endpoint = Some(text("endpoint"));
        (text("endpoint"), Options { root, endpoint, ..Options::new(provider, text("bucket")) })
    };
    named.into_iter().map(one).collect()
}

/// What differs in a bucket: no directories, no times of one's own, and no telling whether what was removed was there.
fn is_bucket(store: &dyn Store) -> bool {
    !store.nature().keeps_empty_directories
}

/// What a directory looks like once nothing is in it.
fn emptied(store: &dyn Store) -> Option<Names> {
    (!is_bucket(store)).then(Names::default)
}

/// Runs a check on every kind of store, each with a tree of its own.
fn on_every_store(check: impl Fn(&dyn Store, &str)) {
    let none = |_: Operation, _: &Key| None::<Fault>;
    check(&in_memory(), "memory");
    check(&Faulty::new(in_memory(), none), "faulty without faults");
    for jobs in [1, 4] {
        let root = tempfile::tempdir().unwrap();
        on_disk(root.path());
        check(&FsStore::open(root.path(), Some(jobs)).unwrap(), "filesystem");
        let root = tempfile::tempdir().unwrap();
        on_disk(root.path());
        check(&FsStore::open(root.path(), Some(jobs)).unwrap().stepwise(), "filesystem, step by step");
    }
    for dialect in [Dialect::S3, Dialect::Gcs, Dialect::Azure] {
        let fixture = Fixture::new().speaking(dialect);
        let bucket = in_bucket(&fixture.options());
        check(&bucket, dialect.name());
        let fixture = Fixture::new().speaking(dialect);
        let bucket = in_bucket(&fixture.options());
        bucket.survey(&[Key::root()], &Control::default()).unwrap();
        check(&bucket, &format!("{}, surveyed", dialect.name()));
    }
    for (name, options) in real_buckets() {
        check(&in_bucket(&options), &name);
    }
}

fn group(directory: &str, leaf: &'static str, names: &[&str]) -> Group {
    Group::split(&Key::new(directory), leaf, names.iter().map(|name| name.as_bytes())).remove(0)
}

type Names = BTreeMap<String, EntryKind>;
type Listed = Vec<Option<Names>>;

fn list(store: &dyn Store, directories: &[&str]) -> Listed {
    let keys: Vec<Key> = directories.iter().map(Key::new).collect();
    let found: Mutex<BTreeMap<usize, (Names, u8)>> = Mutex::default();
    store
        .list(&keys, &Control::default(), &|index, page| {
            let mut found = found.lock().unwrap();
            let (entries, end) = found.entry(index).or_default();
            match page {
                Page::Absent => *end = 2,
                Page::Entries(page) => {
                    for entry in page.iter() {
                        let name = String::from_utf8(entry.name.to_vec()).unwrap();
                        assert!(entries.insert(name, entry.kind).is_none(), "an entry twice");
                    }
                }
                Page::End => *end = 1,
            }
            Ok(())
        })
        .unwrap();
    let found = found.into_inner().unwrap();
    (0..keys.len())
        .map(|index| match &found[&index] {
            (entries, 1) => Some(entries.clone()),
            (_, 2) => None,
            _ => panic!("a listing without an end"),
        })
        .collect()
}

fn read(store: &dyn Store, groups: &[Group], limit: usize) -> BTreeMap<(usize, usize), Option<(bool, String)>> {
    let found = Mutex::new(BTreeMap::new());
    store
        .read(groups, limit, &Control::default(), &|group, index, content| {
            let content = match content {
                Content::Absent => None,
                Content::Whole(bytes) => Some((true, String::from_utf8(bytes.to_vec()).unwrap())),
                Content::TooLarge(bytes) => Some((false, String::from_utf8(bytes.to_vec()).unwrap())),
            };
            assert!(found.lock().unwrap().insert((group, index), content).is_none(), "a file twice");
            Ok(())
        })
        .unwrap();
    found.into_inner().unwrap()
}

#[test]
fn listings_give_direct_children_and_say_when_they_are_complete() {
    on_every_store(|store, name| {
        let listed = list(store, &["", "a", "a/two", "empty", "missing", "a/missing/deeper"]);
        let names = |entries: &Option<Names>| {
            entries.as_ref().map(|entries| entries.keys().cloned().collect::<Vec<_>>().join(" "))
        };
        let empty = !is_bucket(store);
        let top = if empty { "a b empty" } else { "a b" };
        let expected = [Some(top), Some("one three two"), Some("link other"), empty.then_some(""), None, None];
        assert_eq!(
            listed.iter().map(names).collect::<Vec<_>>(),
            expected.map(|names| names.map(str::to_owned)),
            "{name}"
        );
        assert_eq!(listed[2].as_ref().unwrap()["link"], EntryKind::File);
        assert_eq!(listed[1].as_ref().unwrap()["two"], EntryKind::Directory);
    });
}

#[test]
fn stat_tells_size_and_time_to_the_nanosecond() {
    on_every_store(|store, name| {
        let groups = [group("a", "link", &["one", "two", "nobody"]), group("nowhere", "link", &["one"])];
        let found = Mutex::new(BTreeMap::new());
        store
            .stat(&groups, &Control::default(), &|group, index, stat| {
                found.lock().unwrap().insert((group, index), stat);
                Ok(())
            })
            .unwrap();
        let found = found.into_inner().unwrap();
        assert_eq!(found.len(), 4, "{name}");
        assert_eq!(found[&(0, 0)].unwrap().size_bytes, 5);
        let age = found[&(0, 0)].unwrap().age(SystemTime::now());
        assert!(found[&(0, 0)].unwrap().modified == written() || is_bucket(store) && age < Duration::from_secs(600));
        assert_eq!(found[&(0, 1)].unwrap().size_bytes, 0);
        assert_eq!((found[&(0, 2)], found[&(1, 0)]), (None, None));
    });
}

#[test]
fn reads_give_whole_files_and_the_beginning_of_larger_ones() {
    on_every_store(|store, name| {
        let groups = [group("a", "current/link", &["three", "one"]), group("b", "data", &["large", "four", "none"])];
        let found = read(store, &groups, 8);
        let some = |whole, text: &str| Some((whole, text.to_owned()));
        assert_eq!(found[&(0, 0)], some(true, "deep"), "{name}");
        assert_eq!(found[&(0, 1)], None);
        assert_eq!(found[&(1, 0)], some(false, "01234567"));
        assert_eq!(found[&(1, 1)], some(true, "12345678"), "a file of just the limit is whole");
        assert_eq!(found[&(1, 2)], None);
        assert_eq!(read(store, &[group("a", "link", &["two"])], 8)[&(0, 0)], some(true, ""));
    });
}

/// What became of each file. A store that does not tell an absent one from others has removed it, too.
fn remove(store: &dyn Store, groups: &[Group], holder: Holder) -> Vec<String> {
    let outcomes = Mutex::new(BTreeMap::new());
    store
        .remove(groups, holder, &Control::default(), &|group, index, outcome| {
            let outcome = match outcome {
                Ok(Removal::Removed) => "removed".to_owned(),
                Ok(Removal::Absent) if is_bucket(store) => "removed".to_owned(),
                Ok(Removal::Absent) => "absent".to_owned(),
                Ok(Removal::HolderStays(error)) | Err(error) => format!("{:?}", error.kind()),
            };
            outcomes.lock().unwrap().insert((group, index), outcome);
        })
        .unwrap();
    outcomes.into_inner().unwrap().into_values().collect()
}

fn absent(store: &dyn Store) -> &'static str {
    if is_bucket(store) { "removed" } else { "absent" }
}

#[test]
fn removing_takes_the_file_and_its_holder_only_if_nothing_else_is_in_it() {
    on_every_store(|store, name| {
        let groups = [group("a", "link", &["one", "two", "nobody"]), group("nowhere", "link", &["x"])];
        assert_eq!(
            remove(store, &groups, Holder::RemoveIfEmpty),
            ["removed", "removed", absent(store), absent(store)],
            "{name}"
        );
        let left = list(store, &["a", "a/two"]);
        assert_eq!(left[0].as_ref().unwrap().keys().collect::<Vec<_>>(), ["three", "two"]);
        assert_eq!(left[1].as_ref().unwrap().keys().collect::<Vec<_>>(), ["other"]);
        // Once more: nothing left to do, and no harm done.
        assert_eq!(remove(store, &groups, Holder::RemoveIfEmpty), [absent(store); 4]);
    });
}

#[test]
fn without_a_leaf_the_name_itself_is_the_file() {
    on_every_store(|store, name| {
        let groups = [group("a/one", "", &["link", "nobody"])];
        assert_eq!(read(store, &groups, 8)[&(0, 0)], Some((true, "first".to_owned())), "{name}");
        assert_eq!(remove(store, &groups, Holder::RemoveIfEmpty), ["removed", absent(store)], "{name}");
        assert_eq!(list(store, &["a/one"]), [emptied(store)]);
    });
}

#[test]
fn removing_keeps_the_holder_when_told_to() {
    on_every_store(|store, name| {
        assert_eq!(remove(store, &[group("a", "link", &["one"])], Holder::Keep), ["removed"], "{name}");
        assert_eq!(list(store, &["a/one"]), [emptied(store)]);
    });
}

fn place(directory: &str, leaf: &'static str) -> Place {
    Place { directory: Key::new(directory), leaf }
}

fn rename(store: &dyn Store, names: &[&str], from: Place, to: Place) -> Vec<String> {
    let names: store::Names = names.iter().collect();
    let outcomes = Mutex::new(BTreeMap::new());
    store
        .rename(&[Renames { names, from, to }], &Control::default(), &|group, index, outcome| {
            let outcome = outcome.map_or_else(|error| format!("{:?}", error.kind()), |renamed| format!("{renamed:?}"));
            outcomes.lock().unwrap().insert((group, index), outcome);
        })
        .unwrap();
    outcomes.into_inner().unwrap().into_values().collect()
}

#[test]
fn moving_there_and_back_changes_nothing_and_makes_the_directories_it_needs() {
    on_every_store(|store, name| {
        let (home, away) = (place("a", "link"), place(".kept/run/a", ""));
        let names = ["one", "two", "nobody"];
        assert_eq!(rename(store, &names, home.clone(), away.clone()), ["Moved", "Moved", "Absent"], "{name}");
        assert_eq!(list(store, &["a/one"]), [emptied(store)], "the directory stays");
        assert_eq!(list(store, &[".kept/run/a"])[0].as_ref().unwrap()["one"], EntryKind::File);
        assert_eq!(rename(store, &["one", "two"], away.clone(), home.clone()), ["Moved", "Moved"], "{name}");
        assert_eq!(read(store, &[group("a", "link", &["one"])], 8)[&(0, 0)], Some((true, "first".to_owned())));
        let stat = Mutex::new(None);
        store
            .stat(&[group("a", "link", &["one"])], &Control::default(), &|_, _, found| {
                *stat.lock().unwrap() = found;
                Ok(())
            })
            .unwrap();
        let modified = stat.into_inner().unwrap().unwrap().modified;
        let goes_with_it = store.nature().sets_aside == SetsAside::ByMoving;
        assert_eq!(modified == written(), goes_with_it, "{name}: the time");
        // Also where the directory of the name is gone meanwhile.
        assert_eq!(rename(store, &["one"], home.clone(), away.clone()), ["Moved"]);
        assert_eq!(store.remove_empty(&[group("a", "", &["one"])], &Control::default()).unwrap().len(), 0);
        assert_eq!(rename(store, &["one"], away, home), ["Moved"]);
        assert_eq!(read(store, &[group("a", "link", &["one"])], 8)[&(0, 0)], Some((true, "first".to_owned())));
    });
}

#[test]
fn moving_never_goes_over_what_is_there() {
    on_every_store(|store, name| {
        assert_eq!(rename(store, &["one"], place("a", "link"), place("a/two", "other")), ["Moved"], "{name}");
        assert_eq!(rename(store, &["two"], place("a", "link"), place("a", "other")), ["Occupied"], "{name}");
        assert_eq!(read(store, &[group("a", "other", &["two"])], 8)[&(0, 0)], Some((true, "kept".to_owned())));
        assert_eq!(read(store, &[group("a", "link", &["two"])], 8)[&(0, 0)], Some((true, String::new())));
        assert_eq!(rename(store, &["two"], place("a", ""), place("a", "")), ["Occupied"], "{name}");
    });
}

#[test]
fn directories_move_with_all_that_is_in_them() {
    on_every_store(|store, name| {
        let (home, away) = (place("a", ""), place("away/a", ""));
        assert_eq!(rename(store, &["three", "nobody"], home.clone(), away.clone()), ["Moved", "Absent"], "{name}");
        assert_eq!(list(store, &["a/three"]), [None]);
        assert_eq!(
            read(store, &[group("away/a", "current/link", &["three"])], 8)[&(0, 0)],
            Some((true, "deep".to_owned()))
        );
        assert_eq!(rename(store, &["three"], away, home), ["Moved"], "{name}");
        assert_eq!(read(store, &[group("a", "current/link", &["three"])], 8)[&(0, 0)], Some((true, "deep".to_owned())));
    });
}

#[test]
fn only_empty_directories_are_removed_as_such() {
    on_every_store(|store, name| {
        let groups =
            [group("", "", &["empty", "nothing"]), group("a", "", &["two"]), group("missing", "", &["deeper"])];
        let failures = store.remove_empty(&groups, &Control::default()).unwrap();
        assert!(failures.is_empty(), "{name}: {failures:?}");
        store.remove_empty(&[group("a/one", "", &["link"])], &Control::default()).unwrap();
        let listed = list(store, &["empty", "a/two", "a/one"]);
        assert_eq!(listed[0], None, "{name}");
        assert_eq!(listed[1].as_ref().unwrap().len(), 2);
        assert!(listed[2].as_ref().unwrap().contains_key("link"), "a file is no empty directory");
    });
}

#[test]
fn directories_tell_when_they_were_changed() {
    on_every_store(|store, name| {
        let keys = ["a/two", "missing", "a/missing"].map(Key::new);
        let found = Mutex::new(BTreeMap::new());
        store
            .directory_times(&keys, &Control::default(), &|index, modified| {
                found.lock().unwrap().insert(index, modified.is_some());
                Ok(())
            })
            .unwrap();
        assert_eq!(found.into_inner().unwrap(), BTreeMap::from([(0, true), (1, false), (2, false)]), "{name}");
        let refused = store.directory_times(&[Key::new("a/one/link")], &Control::default(), &|_, _| Ok(()));
        assert_eq!(refused.is_err(), !is_bucket(store), "{name}: a file in a directory's place is an error");
    });
}

#[test]
fn a_wish_to_stop_ends_every_operation() {
    on_every_store(|store, name| {
        let control = Control::default();
        control.stop();
        let groups = [group("a", "link", &["one", "two"])];
        let cancelled = |result: regsweep_core::error::Result<()>| result.unwrap_err().kind() == Kind::Cancelled;
        assert!(cancelled(store.stat(&groups, &control, &|_, _, _| Ok(()))), "{name}");
        assert!(cancelled(store.read(&groups, 8, &control, &|_, _, _| Ok(()))), "{name}");
        assert!(cancelled(store.list(&[Key::new("a")], &control, &|_, _| Ok(()))), "{name}");
        assert!(cancelled(store.directory_times(&[Key::new("a")], &control, &|_, _| Ok(()))), "{name}");
        assert!(cancelled(store.remove(&groups, Holder::RemoveIfEmpty, &control, &|_, _, _| {})), "{name}");
        let names: store::Names = ["one"].iter().collect();
        let renames = [Renames { names, from: place("a", "link"), to: place("away", "") }];
        assert!(cancelled(store.rename(&renames, &control, &|_, _, _| {})), "{name}");
        assert!(cancelled(store.remove_empty(&[group("", "", &["empty"])], &control).map(drop)), "{name}");
        assert_eq!(read(store, &groups, 8)[&(0, 0)], Some((true, "first".to_owned())), "nothing was removed");
    });
}

#[test]
fn a_file_in_a_directorys_place_is_an_error_and_not_an_absence() {
    on_every_store(|store, name| {
        let control = Control::default();
        let groups = [group("a", "link/deeper", &["one"])];
        if is_bucket(store) {
            // Both can be there, and each is what it is.
            assert_eq!(read(store, &groups, 8)[&(0, 0)], None, "{name}");
            assert_eq!(list(store, &["a/one/link"]), [None], "{name}");
            return;
        }
        assert!(store.read(&groups, 8, &control, &|_, _, _| Ok(())).is_err(), "{name}");
        assert!(store.stat(&groups, &control, &|_, _, _| Ok(())).is_err(), "{name}");
        assert!(store.list(&[Key::new("a/one/link")], &control, &|_, _| Ok(())).is_err(), "{name}");
    });
}
