use std::time::{Duration, SystemTime};

use super::*;
use crate::store::memory::MemoryStore;

const HOME: &str = "docker/registry/v2/repositories";
const BLOBS: &str = "docker/registry/v2/blobs/sha256";

fn cutoff() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000)
}

fn hex(number: u8) -> String {
    format!("{number:064x}")
}

fn blob(number: u8) -> String {
    format!("{BLOBS}/00/{}", hex(number))
}

/// A repository as `apply` leaves it: directories of links, and none of the links.
fn emptied(store: &MemoryStore, name: &str) {
    for place in ["_layers/sha256", "_manifests/revisions/sha256", "_manifests/tags/v1/index/sha256"] {
        store.make_directory(format!("{HOME}/{name}/{place}/{}", hex(1)));
    }
    store.make_directory(format!("{HOME}/{name}/_manifests/tags/v1/current"));
    store.make_directory(format!("{HOME}/{name}/_uploads"));
}

fn directories(store: &MemoryStore) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![Key::new("docker")];
    while let Some(key) = open.pop() {
        let listed = collect(store, std::slice::from_ref(&key), &Control::default(), |_, entry, names: &mut Names| {
            names.push(entry.name);
            Ok(())
        });
        for names in listed.into_iter().flatten().flatten() {
            open.extend(names.iter().map(|name| key.join(name)));
            found.push(key.to_string());
        }
    }
    found.sort();
    found
}

/// What goes, having shown that looking finds the same and removes nothing, and that a second time finds nothing.
fn removed(store: &MemoryStore) -> Vec<String> {
    let control = Control::default();
    let before = directories(store);
    let files = store.contents();
    let found = find(store, cutoff(), &control).expect("a store that can be listed");
    assert_eq!(directories(store), before);
    let removed = remove(store, cutoff(), &control).expect("a store that can be listed");
    assert_eq!((found.directory_count, &found.repositories), (removed.directory_count, &removed.repositories));
    assert_eq!(remove(store, cutoff(), &control).expect("a store that can be listed").directory_count, 0);
    let after = directories(store);
    assert_eq!(before.len() - after.len(), removed.directory_count);
    assert_eq!(store.contents(), files);
    before.into_iter().filter(|key| !after.contains(key)).collect()
}

#[test]
fn a_repository_that_holds_nothing_goes_with_what_led_to_it() {
    let store = MemoryStore::new();
    emptied(&store, "team/app");
    store.make_directory(HOME);
    store.make_directory(BLOBS);
    let found = find(&store, cutoff(), &Control::default()).expect("a store that can be listed");
    assert_eq!(found.repositories, [b"team/app"]);
    removed(&store);
    let left: Vec<String> = directories(&store).into_iter().filter(|key| key.contains("v2/")).collect();
    assert_eq!(left, ["docker/registry/v2/blobs", BLOBS, HOME]);
}

#[test]
fn of_a_repository_that_stays_only_what_held_one_thing_goes() {
    let store = MemoryStore::new();
    emptied(&store, "app");
    store.write(format!("{HOME}/app/_manifests/revisions/sha256/{}/link", hex(2)), "sha256:…", SystemTime::UNIX_EPOCH);
    let gone = removed(&store);
    let index = format!("{HOME}/app/_manifests/tags/v1/index");
    let mut expected = vec![
        format!("{HOME}/app/_layers/sha256/{}", hex(1)),
        format!("{HOME}/app/_manifests/revisions/sha256/{}", hex(1)),
        format!("{HOME}/app/_manifests/tags/v1"),
        format!("{HOME}/app/_manifests/tags/v1/current"),
        index.clone(),
        format!("{index}/sha256"),
        format!("{index}/sha256/{}", hex(1)),
    ];
    expected.sort();
    assert_eq!(gone, expected);
}

#[test]
fn what_has_changed_since_the_cutoff_stays_and_so_does_what_holds_it() {
    let store = MemoryStore::new();
    emptied(&store, "app");
    let young = format!("{HOME}/app/_layers/sha256/{}", hex(3));
    store.set_directory_time(&young, cutoff());
    store.set_directory_time(blob(1), cutoff());
    store.make_directory(blob(2));
    let gone = removed(&store);
    assert!(gone.contains(&blob(2)) && !gone.contains(&blob(1)));
    assert!(directories(&store).contains(&young));
    assert!(directories(&store).contains(&format!("{HOME}/app/_manifests/tags")));
}

#[test]
fn what_the_layout_does_not_have_is_not_looked_into() {
    let store = MemoryStore::new();
    for strange in [
        "app/_trash/old",
        "app/_layers/md5/abc",
        "app/_layers/sha256/abc",
        "app/_manifests/other",
        "app/_uploads/01a20754-e05f-7328-9a1a-000000000000/hashstates",
        "_dot",
    ] {
        store.make_directory(format!("{HOME}/{strange}"));
    }
    store.make_directory(format!("{BLOBS}/zz/{}", hex(1)));
    store.make_directory("docker/registry/v2/other");
    assert_eq!(removed(&store), Vec::<String>::new());
}

#[test]
fn links_to_elsewhere_stay() {
    let store = MemoryStore::new();
    emptied(&store, "app");
    store.put_oddity(format!("{HOME}/app/_manifests/tags/v1/current/link"), EntryKind::Symlink);
    assert!(!removed(&store).contains(&format!("{HOME}/app/_manifests/tags/v1")));
}
