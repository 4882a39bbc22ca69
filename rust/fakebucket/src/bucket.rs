//! Buckets: their keys and versions, and what the services do to them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::listing::Listed;
use crate::made_up::MadeUp;
use crate::moment::Moment;
use crate::object::{Content, Object, Version};
use crate::uploads::{Upload, UploadedPart, Uploads};

/// Whether a bucket keeps what is written over and deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Versioning {
    /// It never did.
    #[default]
    Off,
    /// It does.
    Enabled,
    /// It did: older versions are kept, new ones replace the one named `null`.
    Suspended,
}

/// All buckets.
#[derive(Debug)]
pub struct Buckets {
    buckets: RwLock<BTreeMap<String, Arc<Bucket>>>,
    next_number: AtomicU64,
}

impl Default for Buckets {
    fn default() -> Self {
        let now = u64::try_from(Moment::now().microseconds()).unwrap_or_default();
        Self { buckets: RwLock::default(), next_number: AtomicU64::new(now) }
    }
}

impl Buckets {
    /// The bucket of that name.
    pub fn get(&self, name: &str) -> Option<Arc<Bucket>> {
        self.buckets.read().expect("nobody panics while holding the buckets").get(name).cloned()
    }

    /// The bucket of that name, made if there is none.
    pub fn get_or_create(&self, name: &str) -> Arc<Bucket> {
        let mut buckets = self.buckets.write().expect("nobody panics while holding the buckets");
        Arc::clone(buckets.entry(name.to_owned()).or_default())
    }

    /// Makes a bucket; false if it is there already.
    pub fn create(&self, name: &str) -> bool {
        let mut buckets = self.buckets.write().expect("nobody panics while holding the buckets");
        if buckets.contains_key(name) {
            return false;
        }
        buckets.insert(name.to_owned(), Arc::default());
        true
    }

    /// Removes a bucket with all that is in it; false if there is none.
    pub fn remove(&self, name: &str) -> bool {
        self.buckets.write().expect("nobody panics while holding the buckets").remove(name).is_some()
    }

    /// The names of all buckets, sorted.
    pub fn names(&self) -> Vec<String> {
        self.buckets.read().expect("nobody panics while holding the buckets").keys().cloned().collect()
    }

    /// A number that no version has yet.
    pub fn next_number(&self) -> u64 {
        self.next_number.fetch_add(1, Ordering::Relaxed)
    }
}

/// A bucket, which many threads may use.
#[derive(Debug, Default)]
pub struct Bucket {
    contents: RwLock<Contents>,
}

impl Bucket {
    /// To look.
    pub fn read(&self) -> RwLockReadGuard<'_, Contents> {
        self.contents.read().expect("nobody panics while holding a bucket")
    }

    /// To change.
    pub fn write(&self) -> RwLockWriteGuard<'_, Contents> {
        self.contents.write().expect("nobody panics while holding a bucket")
    }
}

/// What is in a bucket.
#[derive(Debug, Default)]
pub struct Contents {
    /// Whether old versions are kept.
    pub versioning: Versioning,
    /// What is listed in place of keys that are held.
    made_up: Option<MadeUp>,
    /// What is being uploaded in parts.
    pub(crate) uploads: Uploads,
    /// The versions of each key, oldest first, never none.
    keys: BTreeMap<Vec<u8>, Vec<Version>>,
}

/// What a deletion did.
#[derive(Clone, Debug)]
pub struct Deletion {
    /// The version that was removed, or the delete marker that was put on top.
    pub version: Version,
    /// Whether a marker was put on top, rather than something removed.
    pub marked: bool,
}

impl Contents {
    /// Contents that are made up and cannot be changed.
    pub fn made_up(made_up: MadeUp) -> Self {
        Self { made_up: Some(made_up), ..Self::default() }
    }

    /// Whether the contents are made up.
    pub const fn is_made_up(&self) -> bool {
        self.made_up.is_some()
    }

    /// The current version of a key, unless it is a delete marker.
    pub fn current(&self, key: &[u8]) -> Option<Version> {
        if let Some(made_up) = &self.made_up {
            return made_up.current(key);
        }
        self.newest(key).filter(|version| version.object.is_some()).cloned()
    }

    /// The newest version of a key, delete marker or not.
    pub(crate) fn newest(&self, key: &[u8]) -> Option<&Version> {
        self.keys.get(key).and_then(|versions| versions.last())
    }

    /// All versions of a key, oldest first.
    pub fn versions(&self, key: &[u8]) -> &[Version] {
        self.keys.get(key).map_or(&[], Vec::as_slice)
    }

    /// Keys and their versions from one key on, in order of bytes.
    fn starting_at(&self, first: &[u8]) -> impl Iterator<Item = (&[u8], &[Version])> {
        use std::ops::Bound;
        let range = self.keys.range::<[u8], _>((Bound::Included(first), Bound::Unbounded));
        range.map(|(key, versions)| (key.as_slice(), versions.as_slice()))
    }

    /// The keys that have an object now, in order of bytes.
    pub fn current_keys(&self) -> impl Iterator<Item = &[u8]> {
        let current = self.keys.iter().filter(|(_, versions)| versions.last().is_some_and(|one| one.object.is_some()));
        current.map(|(key, _)| key.as_slice())
    }

    /// Shows current objects in order from a key on, for as long as `visit` says so.
    pub(crate) fn each_from(&self, first: &[u8], mut visit: impl FnMut(Listed<'_>) -> bool) {
        if let Some(made_up) = &self.made_up {
            made_up.each_from(first, visit);
            return;
        }
        for (key, versions) in self.starting_at(first) {
            if let Some(listed) = versions.last().and_then(|version| Listed::new(key, version))
                && !visit(listed)
            {
                return;
            }
        }
    }

    /// Shows keys with all their versions, oldest first, from a key on, for as long as `visit` says so.
    pub(crate) fn each_key_from(&self, first: &[u8], mut visit: impl FnMut(&[u8], &[Version]) -> bool) {
        if let Some(made_up) = &self.made_up {
            made_up.each_from(first, |listed| {
                let Listed { size_bytes, etag, number, modified, .. } = listed;
                let object = Object { content: Content::Zeros(size_bytes), etag: etag.to_owned(), ..Object::default() };
                visit(listed.key, &[Version { number, is_null: true, modified, object: Some(object) }])
            });
            return;
        }
        for (key, versions) in self.starting_at(first) {
            if !visit(key, versions) {
                return;
            }
        }
    }

    /// Whether no key has any version.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.made_up.as_ref().is_none_or(|made_up| made_up.key_count() == 0)
    }

    /// Writes an object.
    pub fn put(&mut self, key: &[u8], object: Object, modified: Moment, number: u64) -> Version {
        self.push(key, Some(object), modified, number)
    }

    /// Begins an upload in parts at a time of one's own, with parts that came at theirs.
    pub fn begin_upload(
        &mut self,
        key: &[u8],
        id: &str,
        started: Moment,
        parts: impl IntoIterator<Item = (Content, Moment)>,
    ) {
        let parts =
            parts.into_iter().map(|(content, modified)| UploadedPart { modified, ..UploadedPart::new(content) });
        let parts = (1..).zip(parts).collect();
        let upload = Upload { started, described: Object::default(), parts };
        self.uploads.by_key.insert((key.to_owned(), id.to_owned()), upload);
    }

    /// Key and id of all uploads in parts that are under way.
    pub fn uploads(&self) -> impl Iterator<Item = (&[u8], &str)> {
        self.uploads.by_key.keys().map(|(key, id)| (key.as_slice(), id.as_str()))
    }

    /// Deletes as S3 does without a version: puts a marker on top where versions are kept, or else removes.
    pub fn delete(&mut self, key: &[u8], modified: Moment, number: u64) -> Option<Deletion> {
        if self.versioning == Versioning::Off {
            let version = self.keys.remove(key)?.pop()?;
            return Some(Deletion { version, marked: false });
        }
        Some(Deletion { version: self.push(key, None, modified, number), marked: true })
    }

    /// Removes one version for good.
    pub(crate) fn delete_version(&mut self, key: &[u8], is_it: impl Fn(&Version) -> bool) -> Option<Deletion> {
        let versions = self.keys.get_mut(key)?;
        let position = versions.iter().position(is_it)?;
        let version = versions.remove(position);
        if versions.is_empty() {
            self.keys.remove(key);
        }
        Some(Deletion { version, marked: false })
    }

    fn push(&mut self, key: &[u8], object: Option<Object>, modified: Moment, number: u64) -> Version {
        let is_null = self.versioning != Versioning::Enabled;
        let version = Version { number, is_null, modified, object };
        if let Some(versions) = self.keys.get_mut(key) {
            if is_null {
                versions.retain(|version| !version.is_null);
            }
            versions.push(version.clone());
        } else {
            self.keys.insert(key.to_owned(), vec![version.clone()]);
        }
        version
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(versioning: Versioning) -> Contents {
        let mut contents = Contents { versioning, ..Contents::default() };
        contents.put(b"key", Object::new("one"), Moment::default(), 1);
        contents.put(b"key", Object::new("two"), Moment::default(), 2);
        contents
    }

    fn numbers(contents: &Contents) -> Vec<u64> {
        contents.versions(b"key").iter().map(|version| version.number).collect()
    }

    #[test]
    fn without_versioning_the_last_write_is_all_there_is() {
        let mut contents = filled(Versioning::Off);
        assert_eq!(numbers(&contents), [2]);
        assert!(contents.delete(b"key", Moment::default(), 3).is_some_and(|deletion| !deletion.marked));
        assert!(contents.is_empty() && contents.delete(b"key", Moment::default(), 4).is_none());
    }

    #[test]
    fn with_versioning_a_deletion_is_one_more_version() {
        let mut contents = filled(Versioning::Enabled);
        assert!(contents.delete(b"key", Moment::default(), 3).is_some_and(|deletion| deletion.marked));
        assert!(contents.current(b"key").is_none());
        assert_eq!(numbers(&contents), [1, 2, 3]);
        contents.delete_version(b"key", |version| version.number == 3).expect("the marker");
        assert_eq!(contents.current(b"key").map(|version| version.number), Some(2));
    }

    #[test]
    fn suspended_versioning_replaces_only_the_null_version() {
        let mut contents = filled(Versioning::Enabled);
        contents.versioning = Versioning::Suspended;
        contents.put(b"key", Object::new("three"), Moment::default(), 3);
        contents.put(b"key", Object::new("four"), Moment::default(), 4);
        assert_eq!(numbers(&contents), [1, 2, 4]);
        contents.delete(b"key", Moment::default(), 5);
        assert_eq!(numbers(&contents), [1, 2, 5]);
        assert_eq!(contents.versions(b"key").iter().map(Version::id).next_back().as_deref(), Some("null"));
    }
}
