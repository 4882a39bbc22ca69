use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use super::*;
use crate::digest::Algorithm;
use crate::store::Key;
use crate::store::layers::{Fault, Faulty, Operation};
use crate::store::memory::MemoryStore;

fn blobs(contents: &[&str]) -> (MemoryStore, Vec<Group>) {
    let store = MemoryStore::new();
    let written = SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000);
    let mut groups = Vec::new();
    for content in contents {
        let digest = Digest::of(Algorithm::Sha256, content.as_bytes());
        store.write(layout::blob(&digest).join(layout::DATA).to_string(), *content, written);
        groups.extend(Group::split(
            &layout::blob_prefix(Algorithm::Sha256, digest.prefix()),
            layout::DATA,
            [digest.hex()],
        ));
    }
    (store, groups)
}

type Seen = Vec<Option<String>>;

/// Reads all groups from a store that has these contents, and says which of them it was asked for.
fn read(contents: &[&str], cache: &Directory, groups: &[Group]) -> (Seen, Vec<String>) {
    let asked: Mutex<Vec<String>> = Mutex::default();
    let watched = Faulty::new(blobs(contents).0, |operation, key: &Key| {
        if operation == Operation::Read {
            asked.lock().unwrap().push(key.to_string());
        }
        None::<Fault>
    });
    let cached = Cached::new(watched, Some(Directory::new(cache.path().to_owned(), 1 << 20)));
    let seen: Mutex<Seen> = Mutex::new(vec![None; groups.len()]);
    cached
        .read(groups, 100, &Control::default(), &|group, _, content| {
            seen.lock().unwrap()[group] = match content {
                Content::Absent => None,
                Content::Whole(bytes) | Content::TooLarge(bytes) => Some(String::from_utf8(bytes.to_vec()).unwrap()),
            };
            Ok(())
        })
        .unwrap();
    drop(cached);
    (seen.into_inner().unwrap(), asked.into_inner().unwrap())
}

fn some(texts: &[&str]) -> Seen {
    texts.iter().map(|text| Some((*text).to_owned())).collect()
}

#[test]
fn what_was_read_once_is_not_asked_for_again() {
    let directory = tempfile::tempdir().unwrap();
    let cache = Directory::new(directory.path().join("cache"), 1 << 20);
    let contents = ["one", "two", ""];
    let groups = blobs(&contents).1;
    for expected in [3, 0] {
        let (seen, asked) = read(&contents, &cache, &groups);
        assert_eq!((seen, asked.len()), (some(&contents), expected));
    }
}

#[test]
fn what_the_store_does_not_have_is_not_there_whatever_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let cache = Directory::new(directory.path().to_owned(), 1 << 20);
    let groups = blobs(&["one"]).1;
    read(&["one"], &cache, &groups);
    assert_eq!(read(&[], &cache, &groups).0, [None]);
}

#[test]
fn what_is_damaged_in_the_cache_is_read_anew() {
    let groups = blobs(&["manifest"]).1;
    for damage in ["", "manifesu", "manifest and more"] {
        let directory = tempfile::tempdir().unwrap();
        let cache = Directory::new(directory.path().to_owned(), 1 << 20);
        read(&["manifest"], &cache, &groups);
        let file = cache.file(&Digest::of(Algorithm::Sha256, b"manifest"));
        std::fs::write(&file, damage).unwrap();
        let (seen, asked) = read(&["manifest"], &cache, &groups);
        assert_eq!((seen, asked.len()), (some(&["manifest"]), 1), "{damage:?}");
        assert_eq!(std::fs::read(&file).unwrap(), b"manifest", "mended");
    }
}

#[test]
fn what_is_not_what_its_name_says_is_not_kept() {
    let directory = tempfile::tempdir().unwrap();
    let cache = Directory::new(directory.path().to_owned(), 1 << 20);
    let digest = Digest::of(Algorithm::Sha256, b"one");
    cache.write(&digest, b"other");
    assert!(!cache.file(&digest).exists());
}

#[test]
fn a_cache_that_cannot_be_written_does_no_harm() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "in the way").unwrap();
    let groups = blobs(&["one"]).1;
    let cache = Directory::new(file, 1 << 20);
    assert_eq!(read(&["one"], &cache, &groups).0, some(&["one"]));
    assert_eq!(read(&["one"], &cache, &groups).1.len(), 1);
}

#[test]
fn the_least_recently_used_goes_first_and_litter_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let cache = Directory::new(directory.path().to_owned(), 100);
    let contents: Vec<String> = (10..20).map(|number| format!("content {number}!")).collect();
    let digest = |text: &String| Digest::of(Algorithm::Sha256, text.as_bytes());
    let now = SystemTime::now();
    for (age, text) in contents.iter().enumerate() {
        cache.write(&digest(text), text.as_bytes());
        let used = now - Duration::from_secs(1000 * age as u64);
        std::fs::File::options().append(true).open(cache.file(&digest(text))).unwrap().set_modified(used).unwrap();
    }
    let litter = cache.file(&digest(&contents[0])).with_file_name("x.tmp");
    std::fs::write(&litter, "").unwrap();
    std::fs::File::options().append(true).open(&litter).unwrap().set_modified(now - LITTER_AFTER_TEST).unwrap();
    cache.trim();
    let left: Vec<bool> = contents.iter().map(|text| cache.file(&digest(text)).exists()).collect();
    let expected: Vec<bool> = (0..10).map(|age| age < 7).collect();
    assert_eq!(left, expected, "80 of 100 bytes, eleven each");
    assert!(!litter.exists());
}

const LITTER_AFTER_TEST: Duration = Duration::from_secs(2 * 60 * 60);
