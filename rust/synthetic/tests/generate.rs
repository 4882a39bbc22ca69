//! What is generated is what was asked for, and what regsweep makes of it is what was foretold.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use regsweep_core::digest::{Algorithm, Digest};
use regsweep_core::mark::{self, Marks};
use regsweep_core::progress::Control;
use regsweep_core::scan::scan;
use regsweep_core::store::fs::FsStore;
use regsweep_synthetic::{Made, Options, PRESETS, Progress, generate};

fn made(root: &Path, options: &Options) -> Made {
    generate(root, options, &Progress::default()).unwrap()
}

fn marks(root: &Path, delete_untagged: bool) -> Marks {
    let store = FsStore::open(root, None).unwrap();
    let control = Control::default();
    let catalog = Arc::new(scan(&store, SystemTime::now(), &control).unwrap());
    mark::mark(&store, catalog, mark::Options { delete_untagged, ..mark::Options::default() }, &control).unwrap()
}

fn everything() -> Options {
    Options { sha512: 2, deleted: 0.3, ..Options::default() }
}

/// Every file with its size and, where it is small, its content.
fn tree(root: &Path) -> BTreeMap<String, (u64, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let (path, kind) = entry.map(|entry| (entry.path(), entry.file_type().unwrap())).unwrap();
            let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
            if kind.is_dir() {
                open.push(path);
                found.insert(name, (0, Vec::new()));
            } else {
                let size = fs::metadata(&path).unwrap().len();
                let content = if size < 100_000 { fs::read(&path).unwrap() } else { Vec::new() };
                found.insert(name, (size, content));
            }
        }
    }
    found
}

#[test]
fn counts_are_what_a_scan_finds() {
    let root = tempfile::tempdir().unwrap();
    let made = made(root.path(), &everything());
    let plain = marks(root.path(), false);
    assert_eq!(plain.catalog.repositories.len() as u64, made.repositories);
    assert_eq!(plain.catalog.tag_count() as u64, made.tags);
    assert_eq!(plain.catalog.revision_count() as u64, made.revisions);
    assert_eq!(plain.blobs.stored_count as u64, made.blobs);
    assert!(plain.damaged.is_empty() && plain.broken.is_empty() && plain.notes.is_empty(), "{:?}", plain.notes);
}

#[test]
fn what_is_garbage_is_foretold() {
    let root = tempfile::tempdir().unwrap();
    let made = made(root.path(), &everything());
    let plain = marks(root.path(), false);
    assert_eq!(plain.blobs.len() as u64, made.eligible_plain);
    assert!(made.eligible_plain > 200, "more than the orphans: deleted images, too");
    let untagged = marks(root.path(), true);
    assert_eq!(untagged.blobs.len() as u64, made.eligible_untagged);
    assert_eq!(untagged.revisions.len() as u64, made.eligible_revisions);
}

#[test]
fn the_same_seed_makes_the_same_store() {
    let options = Options { repositories: 4, images: 6, orphans: 10, ..everything() };
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    assert_eq!(made(one.path(), &options), made(other.path(), &options));
    assert_eq!(tree(one.path()), tree(other.path()));
    let third = tempfile::tempdir().unwrap();
    made(third.path(), &Options { seed: 2, ..options });
    assert_ne!(tree(one.path()), tree(third.path()));
}

#[test]
fn manifests_and_configs_hash_to_their_names() {
    let root = tempfile::tempdir().unwrap();
    made(root.path(), &Options { repositories: 2, images: 5, orphans: 0, layer_bytes: 1 << 30, ..Options::default() });
    let mut documents = 0;
    for (name, (_, content)) in tree(root.path()) {
        if name.ends_with("/data") && content.first() == Some(&b'{') {
            let hex = name.rsplit('/').nth(1).unwrap();
            assert_eq!(Digest::of(Algorithm::Sha256, &content).hex().to_string(), hex);
            documents += 1;
        }
    }
    assert!(documents > 10);
}

#[test]
fn one_repository_can_dwarf_the_others() {
    let root = tempfile::tempdir().unwrap();
    let options = Options { repositories: 3, images: 2, huge_images: 40, tagged: 1.0, ..Options::default() };
    let made = made(root.path(), &options);
    assert_eq!(made.tags, 44);
    let mut tags: Vec<usize> =
        marks(root.path(), false).catalog.repositories.iter().map(|one| one.tags.as_ref().unwrap().len()).collect();
    tags.sort_unstable();
    assert_eq!(tags, [2, 2, 40]);
    assert_eq!(marks(root.path(), true).blobs.len() as u64, made.eligible_untagged);
}

#[test]
fn presets_exist_and_nonsense_is_refused() {
    for preset in PRESETS {
        assert!(Options::preset(preset).is_some(), "{preset}");
    }
    assert!(Options::from_json(r#"{"preset": "enormous"}"#).unwrap_err().contains("one-repository"));
    assert!(Options::from_json(r#"{"layer": 3}"#).unwrap_err().contains("unknown field"));
    let changed = Options::from_json(r#"{"preset": "1m", "images": 7}"#).unwrap();
    assert_eq!((changed.repositories, changed.images), (500, 7));
    let root = tempfile::tempdir().unwrap();
    let refused = |options| generate(root.path(), &options, &Progress::default()).unwrap_err().to_string();
    assert!(refused(Options { tagged: 1.5, ..Options::default() }).contains("tagged is 1.5"));
    fs::write(root.path().join("something"), "").unwrap();
    assert!(refused(Options::default()).contains("not empty"));
}

#[test]
fn a_wish_to_stop_ends_it() {
    let root = tempfile::tempdir().unwrap();
    let progress = Progress::default();
    progress.stop.store(true, Ordering::Relaxed);
    let error = generate(root.path(), &Options::default(), &progress).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::Interrupted);
}
