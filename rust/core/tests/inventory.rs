//! Inventories: what is stored, what images lack, and that a failing disk does not end the look at it.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io::ErrorKind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use regsweep_core::digest::{Algorithm, Digest};
use regsweep_core::error::Kind;
use regsweep_core::inventory::{Affected, Inventory};
use regsweep_core::layout::distribution as layout;
use regsweep_core::manifest::Role;
use regsweep_core::mark::broken::Missing;
use regsweep_core::progress::Control;
use regsweep_core::store::layers::{Fault, Faulty, Operation};
use regsweep_core::store::memory::MemoryStore;
use regsweep_core::store::{EntryKind, Key, List, Read};

const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

fn written() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
}

fn digest(content: &str) -> Digest {
    Digest::of(Algorithm::Sha256, content.as_bytes())
}

fn data(digest: &Digest) -> String {
    layout::blob(digest).join("data").to_string()
}

fn put(store: &MemoryStore, content: &str) -> Digest {
    let digest = digest(content);
    store.write(data(&digest), content, written());
    digest
}

fn link(store: &MemoryStore, path: &str, digest: &Digest) {
    store.write(format!("{}/{path}/link", layout::REPOSITORIES), digest.to_string(), written());
}

fn descriptor(media: &str, digest: &Digest, size: usize) -> String {
    format!(r#"{{"mediaType":"{media}","digest":"{digest}","size":{size}}}"#)
}

/// Pushes a manifest; with a tag, if one is given.
fn push(store: &MemoryStore, repository: &str, tag: Option<&str>, document: &str) -> Digest {
    let digest = put(store, document);
    link(store, &format!("{repository}/_manifests/revisions/sha256/{}", digest.hex()), &digest);
    store.make_directory(format!("{}/{repository}/_manifests/tags", layout::REPOSITORIES));
    if let Some(tag) = tag {
        link(store, &format!("{repository}/_manifests/tags/{tag}/current"), &digest);
    }
    digest
}

/// Pushes an image of one layer, whose size the manifest states truly.
fn image(store: &MemoryStore, repository: &str, tag: Option<&str>, layer: &str) -> Digest {
    let config = put(store, &format!("config of {layer}"));
    put(store, layer);
    let document = image_document(&config, &digest(layer), layer.len());
    push(store, repository, tag, &document)
}

fn image_document(config: &Digest, layer: &Digest, size: usize) -> String {
    let (config, layer) = (descriptor("x", config, 1), descriptor("y", layer, size));
    format!(r#"{{"schemaVersion":2,"mediaType":"{IMAGE}","config":{config},"layers":[{layer}]}}"#)
}

fn index(store: &MemoryStore, repository: &str, tag: &str, children: &[Digest]) -> Digest {
    let children: Vec<String> = children.iter().map(|child| descriptor(IMAGE, child, 5)).collect();
    let children = children.join(",");
    let document = format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{children}]}}"#);
    push(store, repository, Some(tag), &document)
}

fn take(store: &(impl List + Read)) -> Inventory {
    Inventory::take(store, written(), &Control::default()).unwrap()
}

fn names(inventory: &Inventory, affected: &[Affected]) -> BTreeSet<String> {
    let name = |one: &Affected| {
        let repository = inventory.repository_name(one.image.repository);
        let tag = one.image.tag.as_ref().map_or("-".to_owned(), |tag| String::from_utf8(tag.clone()).unwrap());
        format!("{repository}:{tag}")
    };
    affected.iter().map(name).collect()
}

fn set<const LENGTH: usize>(names: [&str; LENGTH]) -> BTreeSet<String> {
    names.map(str::to_owned).into()
}

#[test]
fn every_blob_is_listed_with_its_size_in_the_order_of_digests() {
    let store = MemoryStore::new();
    image(&store, "app", Some("1"), "a layer");
    put(&store, "an orphan");
    let long = Digest::of(Algorithm::Sha512, b"sha512");
    store.write(data(&long), "sha512", written());
    store.write("docker/registry/v2/blobs/sha256/00/README", "", written());
    let inventory = take(&store);
    let mut found = Vec::new();
    for blobs in inventory.blobs() {
        for (number, digest) in blobs.digests.iter().enumerate() {
            assert_eq!(digest.prefix(), blobs.prefix);
            assert_eq!(blobs.modified[number], 1_700_000_000);
            found.push((digest, blobs.sizes_bytes[number]));
        }
    }
    assert_eq!(found.len(), 5);
    assert!(found.is_sorted());
    assert!(found.contains(&(digest("an orphan"), 9)) && found.contains(&(long, 6)));
    assert!(found.iter().all(|(digest, _)| inventory.contains(digest)));
    assert!(!inventory.contains(&digest("nothing")));
    assert_eq!(inventory.notes.len(), 1);
}

#[test]
fn missing_is_what_manifests_name_and_nothing_stores() {
    let store = MemoryStore::new();
    image(&store, "app", Some("whole"), "kept");
    image(&store, "app", Some("layer"), "lost layer");
    image(&store, "app", Some("config"), "other");
    image(&store, "app", None, "lost untagged");
    let gone = image(&store, "app", Some("manifest"), "unreachable");
    store.take(layout::blob(&digest("lost layer")).as_bytes());
    store.take(layout::blob(&digest("config of other")).as_bytes());
    store.take(layout::blob(&gone).as_bytes());
    // All that an interrupted removal leaves; the names in a prefix's listing do not show it.
    store.take(data(&digest("lost untagged")));
    let inventory = take(&store);
    let missing = inventory.missing(|_| true).unwrap();
    assert_eq!(names(&inventory, &missing), set(["app:-", "app:config", "app:layer", "app:manifest"]));
    let roles: BTreeMap<Digest, Missing> = missing.iter().map(|one| (one.digest, one.image.role)).collect();
    assert_eq!(roles[&digest("lost layer")], Missing::Reference(Role::Layer));
    assert_eq!(roles[&digest("config of other")], Missing::Reference(Role::Config));
    assert_eq!(roles[&gone], Missing::Manifest);
    assert_eq!(roles[&digest("lost untagged")], Missing::Reference(Role::Layer));
    let reasons: Vec<&str> = inventory.notes.iter().map(|note| note.reason).collect();
    assert!(reasons.contains(&"a blob's directory without data"));
    assert!(reasons.contains(&"a manifest link whose manifest is gone"));
}

#[test]
fn children_that_were_never_pushed_do_not_count_as_damage() {
    let store = MemoryStore::new();
    let child = image(&store, "multi", None, "here");
    index(&store, "multi", "latest", &[child, digest("elsewhere")]);
    let inventory = take(&store);
    let missing = inventory.missing(|_| true).unwrap();
    assert_eq!(missing.len(), 1);
    assert!(!missing[0].image.counts());
}

#[test]
fn a_layer_pushed_by_its_sha512_is_stored_and_affected_as_its_sha256() {
    let store = MemoryStore::new();
    let (config, layer) = (put(&store, "config"), put(&store, "layer"));
    let named = Digest::of(Algorithm::Sha512, b"layer");
    link(&store, &format!("alias/_layers/sha512/{}", named.hex()), &layer);
    push(&store, "alias", Some("1"), &image_document(&config, &named, 77));
    let inventory = take(&store);
    assert!(inventory.missing(|_| true).unwrap().is_empty());
    let affected = inventory.affected(&HashSet::from([layer])).unwrap();
    assert_eq!(names(&inventory, &affected), set(["alias:1"]));
    assert_eq!((affected[0].digest, affected[0].image.missing), (layer, named));
    let sizes = inventory.stated_sizes(&store, &HashSet::from([layer]), &Control::default()).unwrap();
    assert_eq!(sizes, BTreeMap::from([(layer, 77)]));
    let reached = inventory.reached_by(&BTreeSet::from([0])).unwrap();
    assert!(reached.contains(&layer) && reached.contains(&config));
    store.take(layout::blob(&layer).as_bytes());
    assert_eq!(take(&store).missing(|_| true).unwrap()[0].digest, named);
}

#[test]
fn affected_are_the_images_that_lead_to_a_blob_in_every_repository() {
    let store = MemoryStore::new();
    let child = image(&store, "build", None, "shared layer");
    index(&store, "multi", "latest", &[child]);
    image(&store, "app", Some("1"), "shared layer");
    image(&store, "app", Some("2"), "another layer");
    let untagged = image(&store, "app", None, "third layer");
    let inventory = take(&store);
    let affected = |digest: Digest| names(&inventory, &inventory.affected(&HashSet::from([digest])).unwrap());
    // Where a linked manifest has no tag, it is named by itself.
    assert_eq!(affected(digest("shared layer")), set(["app:1", "build:-", "multi:latest"]));
    assert_eq!(affected(child), set(["app:1", "build:-", "multi:latest"]));
    assert_eq!(affected(digest("another layer")), set(["app:2"]));
    assert_eq!(affected(untagged), set(["app:-"]));
    assert_eq!(affected(digest("an orphan")), set([]));
}

#[test]
fn the_largest_size_that_a_sound_manifest_states_counts() {
    let store = MemoryStore::new();
    let (config, layer) = (put(&store, "config"), put(&store, "layer"));
    for size in [5, 9, 7] {
        push(&store, "app", None, &image_document(&config, &layer, size));
    }
    let damaged = push(&store, "app", None, &image_document(&config, &layer, 5000));
    let bytes = image_document(&config, &layer, 6000);
    store.write(data(&damaged), bytes, written());
    let orphan = put(&store, "orphan");
    let inventory = take(&store);
    let sizes = inventory.stated_sizes(&store, &HashSet::from([layer, orphan]), &Control::default()).unwrap();
    assert_eq!(sizes, BTreeMap::from([(layer, 9)]));
}

#[test]
fn what_repositories_reach_is_all_below_their_tags_and_links_and_nothing_else() {
    let store = MemoryStore::new();
    let child = image(&store, "build", None, "deep");
    let top = index(&store, "multi", "latest", &[child]);
    image(&store, "app", Some("1"), "other");
    let inventory = take(&store);
    let number = inventory.repositories().position(|name| name == "multi").unwrap();
    let reached = inventory.reached_by(&BTreeSet::from([number])).unwrap();
    for wanted in [top, child, digest("deep"), digest("config of deep")] {
        assert!(reached.contains(&wanted));
    }
    assert_eq!(reached.len(), 4);
    store.take(layout::blob(&digest("deep")).as_bytes());
    store.take(layout::blob(&digest("other")).as_bytes());
    let inventory = take(&store);
    let missing = inventory.missing(|index| index == number).unwrap();
    assert_eq!(names(&inventory, &missing), set(["multi:latest"]));
}

/// A store in which one operation on one key fails.
fn failing(
    store: MemoryStore,
    failing: Operation,
    key: String,
) -> Faulty<MemoryStore, impl Fn(Operation, &Key) -> Option<Fault> + Sync> {
    Faulty::new(store, move |operation, at: &Key| {
        (operation == failing && at.to_string() == key).then_some(Fault::Error(ErrorKind::Other))
    })
}

#[test]
fn a_blob_that_cannot_be_looked_at_is_named_and_the_others_are_listed() {
    let store = MemoryStore::new();
    image(&store, "app", Some("1"), "a layer");
    for number in 0..1000 {
        put(&store, &number.to_string());
    }
    let store = failing(store, Operation::Stat, data(&digest("a layer")));
    let inventory = take(&store);
    assert_eq!(inventory.unreadable.keys().collect::<Vec<_>>(), [&digest("a layer")]);
    assert_eq!(inventory.blobs().iter().map(|blobs| blobs.digests.len()).sum::<usize>(), 1002);
    assert!(inventory.missing(|_| true).unwrap().is_empty(), "it is not missing");
}

#[test]
fn a_manifest_that_cannot_be_read_affects_what_leads_to_it() {
    let store = MemoryStore::new();
    let child = image(&store, "multi", None, "layer");
    index(&store, "multi", "latest", &[child]);
    image(&store, "app", Some("1"), "other");
    let inventory = take(&failing(store, Operation::Read, data(&child)));
    assert!(inventory.missing(|_| true).unwrap().is_empty());
    let affected = inventory.affected(&HashSet::from([child])).unwrap();
    assert_eq!(names(&inventory, &affected), set(["multi:latest"]));
    assert!(inventory.unreadable_links.is_empty());
}

#[test]
fn links_that_cannot_be_read_or_understood_are_named() {
    let store = MemoryStore::new();
    image(&store, "app", Some("unreadable"), "layer");
    image(&store, "app", Some("empty"), "layer");
    let place = |tag: &str| format!("{}/app/_manifests/tags/{tag}/current/link", layout::REPOSITORIES);
    store.write(place("empty"), "", written());
    let inventory = take(&failing(store, Operation::Read, place("unreadable")));
    assert_eq!(inventory.unreadable_links.keys().map(ToString::to_string).collect::<Vec<_>>(), [place("unreadable")]);
    assert_eq!(inventory.damaged.iter().map(|note| note.key.to_string()).collect::<Vec<_>>(), [place("empty")]);
}

#[test]
fn a_directory_that_cannot_be_listed_ends_it() {
    let layer = digest("layer");
    for directory in [
        "docker/registry/v2/repositories/app".to_owned(),
        layout::blob_prefix(Algorithm::Sha256, layer.prefix()).to_string(),
    ] {
        let store = MemoryStore::new();
        image(&store, "app", Some("1"), "layer");
        let store = failing(store, Operation::List, directory);
        assert_eq!(Inventory::take(&store, written(), &Control::default()).unwrap_err().kind(), Kind::Io);
    }
}

#[test]
fn a_symbolic_link_in_a_blobs_place_ends_it() {
    for place in [data(&digest("layer")), layout::blob(&digest("layer")).to_string()] {
        let store = MemoryStore::new();
        image(&store, "app", Some("1"), "layer");
        store.take(&place);
        store.put_oddity(&place, EntryKind::Symlink);
        let error = Inventory::take(&store, written(), &Control::default()).unwrap_err();
        assert_eq!(error.kind(), Kind::Layout);
        assert!(error.key().to_string().starts_with(&layout::blob(&digest("layer")).to_string()));
    }
}

#[test]
fn a_blob_that_comes_between_two_looks_is_stored() {
    let store = MemoryStore::new();
    image(&store, "app", Some("1"), "layer");
    let looks = AtomicUsize::new(0);
    let script = |operation, key: &Key| {
        let is_it = operation == Operation::Stat && key.to_string() == data(&digest("layer"));
        (is_it && looks.fetch_add(1, Ordering::Relaxed) == 0).then_some(Fault::Vanish)
    };
    let inventory = take(&Faulty::new(store, script));
    assert!(inventory.contains(&digest("layer")) && inventory.missing(|_| true).unwrap().is_empty());
    let place = inventory.blobs().iter().find(|blobs| blobs.prefix == digest("layer").prefix()).unwrap();
    let number = place.digests.iter().position(|one| one == digest("layer")).unwrap();
    assert_eq!(place.sizes_bytes[number], 5);
}

#[test]
fn what_a_quarantine_holds_is_missing_and_known_to_be_aside() {
    let store = MemoryStore::new();
    image(&store, "app", Some("1"), "layer");
    let (aside, lost) = (digest("layer"), digest("config of layer"));
    store.take(layout::blob(&aside).as_bytes());
    store.take(layout::blob(&lost).as_bytes());
    let prefix = layout::blob_prefix(Algorithm::Sha256, aside.prefix());
    store.write(".regsweep/run/begun", "", written());
    store.write(format!(".regsweep/run/tree/{prefix}/{}", aside.hex()), "layer", written());
    let inventory = take(&store);
    let missing: Vec<Digest> = inventory.missing(|_| true).unwrap().iter().map(|one| one.digest).collect();
    assert_eq!(missing.len(), 2);
    assert_eq!(inventory.set_aside(&store, &missing, &Control::default()).unwrap(), [aside]);
}
