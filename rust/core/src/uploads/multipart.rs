//! Multipart uploads of S3, in which the registry's driver writes whatever is large.
//!
//! ```text
//! _uploads/<uuid>/data           a push under way: its parts, from its beginning until its blob is complete
//! blobs/<alg>/…/<hex>/data       a large blob, while it is copied to its place
//! .regsweep/<run>/tree/…         the same by regsweep itself
//! ```
//!
//! The first belong to an upload as its files do, as long as the registry has one ([`super::Upload::multipart`]). The
//! others, and those that the registry has forgotten, are [`Stray`]: a registry that purges an upload removes its files and
//! leaves its parts, and no request can ever get at them again, for each begins by reading `startedat`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::SystemTime;

use super::RemovedUploads;
use crate::catalog::Note;
use crate::error::{Kind, Result};
use crate::layout::{distribution as layout, quarantine};
use crate::progress::Control;
use crate::remove::Failure;
use crate::scan::collect;
use crate::store::{Key, List, MultipartUpload, Removal, Remove};

/// A multipart upload that belongs to no upload which the registry has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stray {
    /// What the store knows of it.
    pub upload: MultipartUpload,
    /// Whether the registry or regsweep makes such. Of any other, nobody here knows what it is for.
    pub is_known: bool,
}

impl Stray {
    fn of(upload: MultipartUpload) -> Self {
        let key = &upload.key;
        let is_aside = quarantine::split_tree(key).is_some_and(|(_, place)| !place.as_bytes().is_empty());
        let is_known = is_aside || layout::is_blob_data(key) || layout::parse_upload_data(key).is_some();
        Self { upload, is_known }
    }

    /// Whether it was begun, and last written to, before the cutoff, and is one that is known.
    pub fn is_stale(&self, cutoff: SystemTime) -> bool {
        self.is_known && self.upload.last_write < cutoff
    }

    pub(super) fn note(&self) -> Option<Note> {
        let reason = "a multipart upload of something that the registry does not write: left alone";
        (!self.is_known).then(|| Note { key: self.upload.key.clone(), reason })
    }
}

/// Multipart uploads by the file that they are to become.
pub(super) type ByKey = BTreeMap<Key, Vec<MultipartUpload>>;

/// Finds all multipart uploads below the registry's directory and regsweep's own.
pub(super) fn find_all(store: &impl List, control: &Control) -> Result<ByKey> {
    find(store, &[Key::new(quarantine::TOP), Key::new(layout::TOP)], control)
}

/// Finds those of some files.
pub(super) fn find(store: &impl List, places: &[Key], control: &Control) -> Result<ByKey> {
    let mut found = ByKey::new();
    for upload in store.multipart_uploads(places, control)? {
        found.entry(upload.key.clone()).or_default().push(upload);
    }
    Ok(found)
}

/// What is left once every upload has taken what is its own.
pub(super) fn strays(rest: ByKey) -> Vec<Stray> {
    rest.into_values().flatten().map(Stray::of).collect()
}

/// Aborts those that are still stale, and still belong to no upload, when their turn comes.
pub(super) fn remove(
    store: &(impl List + Remove),
    strays: &[Stray],
    cutoff: SystemTime,
    removed: &mut RemovedUploads,
    control: &Control,
) {
    for strays in strays.chunks(super::PORTION) {
        match remove_some(store, strays, cutoff, removed, control) {
            Ok(()) => {}
            Err(error) if error.kind() == Kind::Cancelled => {
                removed.interrupted = true;
                return;
            }
            Err(error) => removed.failures.push(Failure { key: error.key().clone(), error }),
        }
    }
}

fn remove_some(
    store: &(impl List + Remove),
    strays: &[Stray],
    cutoff: SystemTime,
    removed: &mut RemovedUploads,
    control: &Control,
) -> Result<()> {
    let keys: BTreeSet<Key> = strays.iter().map(|stray| stray.upload.key.clone()).collect();
    let keys: Vec<Key> = keys.into_iter().collect();
    // As when they were listed: first what is there of them, then whether the registry has anything of their uploads.
    let now = find(store, &keys, control)?;
    let taken = belonging(store, &keys, control)?;
    let mut doomed = Vec::with_capacity(strays.len());
    for Stray { upload, .. } in strays {
        let now = now.get(&upload.key).and_then(|alike| alike.iter().find(|one| one.id == upload.id));
        match now.cloned().map(Stray::of) {
            None => removed.gone_count += 1,
            Some(now) if taken.contains(&now.upload.key) || !now.is_stale(cutoff) => removed.left_count += 1,
            Some(now) => doomed.push(now.upload),
        }
    }
    for (upload, outcome) in doomed.iter().zip(abort(store, &doomed, control)?) {
        match outcome {
            Ok(Removal::Absent) => removed.gone_count += 1,
            Ok(Removal::Removed | Removal::HolderStays(_)) => {
                removed.multipart_count += 1;
                removed.freed(upload.size_bytes, control);
            }
            Err(error) => removed.failures.push(Failure { key: upload.key.clone(), error }),
        }
    }
    Ok(())
}

/// Those of the files that belong to an upload of which the registry has anything.
fn belonging(store: &impl List, keys: &[Key], control: &Control) -> Result<BTreeSet<Key>> {
    let of_uploads = keys.iter().filter(|key| layout::parse_upload_data(key).is_some());
    let (owned, directories): (Vec<&Key>, Vec<Key>) = of_uploads.map(|key| (key, key.split_last().0)).unzip();
    store.survey(&directories, control)?;
    let found = collect(store, &directories, control, |_, _, (): &mut ()| Ok(()))?;
    Ok(owned.into_iter().zip(found).filter(|(_, found)| found.is_some()).map(|(key, _)| key.clone()).collect())
}

/// Aborts them all; what became of each.
///
/// # Errors
/// Only [`Kind::Cancelled`].
pub(super) fn abort(
    store: &impl Remove,
    doomed: &[MultipartUpload],
    control: &Control,
) -> Result<Vec<Result<Removal>>> {
    let outcomes: Mutex<Vec<Result<Removal>>> = Mutex::new(doomed.iter().map(|_| Ok(Removal::Absent)).collect());
    store.abort(doomed, control, &|index, outcome| {
        outcomes.lock().expect("no thread panics while it notes an outcome")[index] = outcome;
    })?;
    Ok(outcomes.into_inner().expect("no thread panics while it notes an outcome"))
}
