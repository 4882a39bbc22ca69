//! Uploads: what of a push is here before its blob is complete, and those that nobody will finish.
//!
//! ```text
//! _uploads/<uuid>/startedat                   when it began; a request with the uuid begins by reading it
//!                 data                        grows with each request, and becomes the blob by a rename
//!                 hashstates/<alg>/<offset>   one for each request
//! ```
//!
//! The registry purges an upload by what `startedat` says alone, and takes its whole directory. Here the newest of its
//! files has to be as old, so that a push that goes on for days is none of ours; what is in there that the registry
//! does not write stays, and the upload with it; and each upload is looked at once more right before it is removed.
//!
//! `startedat` is the last file to go: what an interrupted run leaves is still an upload of that age. A request that
//! comes in between ends in an error of the registry (it compares the length of `data` with what it told the client,
//! and a blob with its digest), and the client begins anew.
//!
//! On S3 the registry's driver keeps `data` as a multipart upload until the push is complete: it is a part of the upload
//! like any file, and the first to go. Those that belong to no upload have a list of their own (`multipart`).

mod files;
mod multipart;

use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use crate::catalog::Note;
use crate::error::{Error, Kind, Result};
use crate::layout::distribution as layout;
use crate::progress::Control;
use crate::remove::Failure;
use crate::scan::{collect, directory_times, find_uploads};
use crate::store::{Entry, EntryKind, Group, Holder, Key, List, MultipartUpload, Read, Removal, Remove};
use files::{Found, Place, examine};
pub use multipart::Stray;

/// When an upload was started, as its `startedat` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    /// The text.
    pub text: String,
    /// The moment that it names.
    pub at: SystemTime,
}

/// An upload that is not finished.
#[derive(Clone, Debug)]
pub struct Upload {
    /// The repository's name.
    pub repository: Vec<u8>,
    /// The UUID by which registry and client know it.
    pub id: String,
    /// When it was started; nothing where that cannot be read. (The registry never purges such an upload.)
    pub started: Option<Started>,
    /// When the newest of its files, or of the parts of one, was written; where it has none, when its directory was
    /// changed.
    pub last_write: SystemTime,
    /// The sizes of its files and their parts together.
    pub size_bytes: u64,
    /// What is to be its `data`, where the store keeps that in parts: mostly one.
    pub multipart: Vec<MultipartUpload>,
    /// What is in its directory that the registry does not write.
    pub strange: Vec<Key>,
    /// When its directory was changed.
    directory_modified: SystemTime,
    /// Whether a listing named something in it that another look did not find: it is being written, or finished.
    unsettled: bool,
}

impl Upload {
    /// Its directory.
    pub fn key(&self) -> Key {
        uploads_of(&self.repository).join(&self.id)
    }

    /// Whether it was started, and last written to, before the cutoff, holds nothing strange, and is at rest.
    ///
    /// Where it cannot be read when it was started, its directory has to be as old as its files.
    pub fn is_stale(&self, cutoff: SystemTime) -> bool {
        let began = self.started.as_ref().map_or(self.directory_modified, |started| started.at);
        self.strange.is_empty() && !self.unsettled && began < cutoff && self.last_write < cutoff
    }
}

/// The uploads of a store.
#[derive(Debug)]
pub struct Uploads {
    /// By repository, the oldest first.
    pub uploads: Vec<Upload>,
    /// Multipart uploads that belong to none of them, by key.
    pub strays: Vec<Stray>,
    /// What was odd.
    pub notes: Vec<Note>,
}

/// What became of uploads that were to be removed.
#[derive(Debug, Default)]
pub struct RemovedUploads {
    /// How many are gone.
    pub upload_count: usize,
    /// How many multipart uploads that belonged to none were aborted.
    pub multipart_count: usize,
    /// The sizes of both in bytes.
    pub size_bytes: u64,
    /// How many were left because they were no longer as old, or held something strange.
    pub left_count: usize,
    /// How many somebody else had finished or removed.
    pub gone_count: usize,
    /// What could not be removed.
    pub failures: Vec<Failure>,
    /// Whether the run was asked to stop before it was through.
    pub interrupted: bool,
}

impl RemovedUploads {
    fn freed(&mut self, size_bytes: u64, control: &Control) {
        self.size_bytes += size_bytes;
        Control::count(&control.counters.removed, 1);
        control.counters.freed_bytes.fetch_add(size_bytes, Ordering::Relaxed);
    }
}

/// Lists the uploads of all repositories.
///
/// # Errors
/// Any failure to list, look or read; a symbolic link in the place of a directory of repositories.
pub fn list(store: &(impl List + Read), control: &Control) -> Result<Uploads> {
    // Before the look at their files: the registry writes `startedat` first, so that what belongs to none by then is left
    // over, and not just being begun.
    let mut multipart = multipart::find_all(store, control)?;
    store.survey(&[Key::new(layout::REPOSITORIES)], control)?;
    let (repositories, mut notes) = find_uploads(store, control)?;
    let directories: Vec<Key> = repositories.iter().map(|repository| uploads_of(repository)).collect();
    // Gone meanwhile is as good as empty.
    let listed = collect(store, &directories, control, |index, entry, found: &mut (Vec<String>, Vec<Note>)| {
        match upload_id(entry) {
            Some(id) => found.0.push(id),
            None => found.1.push(Note { key: directories[index].join(entry.name), reason: "not an upload" }),
        }
        Ok(())
    })?;
    let mut places = Vec::new();
    for (repository, (ids, odd)) in repositories.into_iter().zip(listed.into_iter().map(Option::unwrap_or_default)) {
        notes.extend(odd);
        places.extend(ids.into_iter().map(|id| Place { repository: repository.clone(), id }));
    }
    let mut uploads = Vec::with_capacity(places.len());
    for portion in places.chunks(PORTION) {
        for found in examine(store, portion, &mut multipart, control)?.into_iter().flatten() {
            note_oddities(&found, &mut notes);
            uploads.push(found.upload);
        }
    }
    for alike in uploads.chunk_by_mut(|one, other| one.repository == other.repository) {
        alike.sort_by(|one, other| began(one).cmp(&began(other)).then_with(|| one.id.cmp(&other.id)));
    }
    let strays = multipart::strays(multipart);
    notes.extend(strays.iter().filter_map(Stray::note));
    notes.sort();
    Ok(Uploads { uploads, strays, notes })
}

/// Removes those of the uploads, and aborts those of the strays, that are still stale when their turn comes.
///
/// No failure stops the rest.
pub fn remove(
    store: &(impl List + Read + Remove),
    uploads: &[Upload],
    strays: &[Stray],
    cutoff: SystemTime,
    control: &Control,
) -> RemovedUploads {
    let mut removed = RemovedUploads::default();
    for upload in uploads {
        let place = [Place { repository: upload.repository.clone(), id: upload.id.clone() }];
        let directory = uploads_of(&upload.repository).join(&upload.id);
        let outcome = look(store, &place, directory, control).and_then(|found| {
            match found {
                None => removed.gone_count += 1,
                Some(found) if !found.upload.is_stale(cutoff) => removed.left_count += 1,
                Some(found) => remove_one(store, &found, &mut removed, control)?,
            }
            Ok(())
        });
        match outcome {
            Ok(()) => {}
            Err(error) if error.kind() == Kind::Cancelled => {
                removed.interrupted = true;
                return removed;
            }
            Err(error) => removed.failures.push(Failure { key: error.key().clone(), error }),
        }
    }
    multipart::remove(store, strays, cutoff, &mut removed, control);
    removed
}

/// Looks at one upload once more.
fn look(store: &(impl List + Read), place: &[Place; 1], directory: Key, control: &Control) -> Result<Option<Found>> {
    control.check()?;
    let mut multipart = multipart::find(store, &[directory.join(layout::DATA)], control)?;
    store.survey(&[directory], control)?;
    Ok(examine(store, place, &mut multipart, control)?.pop().flatten())
}

/// Uploads looked at together.
const PORTION: usize = 1024;

fn uploads_of(repository: &[u8]) -> Key {
    Key::new(layout::REPOSITORIES).join(repository).join(layout::UPLOADS)
}

fn upload_id(entry: Entry<'_>) -> Option<String> {
    let is_one = entry.kind == EntryKind::Directory && layout::is_upload_id(entry.name);
    is_one.then(|| String::from_utf8_lossy(entry.name).into_owned())
}

fn began(upload: &Upload) -> Option<SystemTime> {
    upload.started.as_ref().map(|started| started.at)
}

fn note_oddities(found: &Found, notes: &mut Vec<Note>) {
    let upload = &found.upload;
    let reason = "not part of an upload: it stays, and so does the upload";
    notes.extend(upload.strange.iter().map(|key| Note { key: key.clone(), reason }));
    if upload.started.is_none() {
        let reason = match found.files.started_at {
            None => "an upload without startedat, which the registry never purges",
            Some(_) => "an upload whose startedat is no time, which the registry never purges",
        };
        notes.push(Note { key: upload.key(), reason });
    }
}

/// Removes what there is of one upload: parts, files, `startedat` last, then its directories. Ends where any of it stays.
fn remove_one(
    store: &(impl List + Remove),
    found: &Found,
    removed: &mut RemovedUploads,
    control: &Control,
) -> Result<()> {
    let Found { upload, files } = found;
    let key = upload.key();
    let aborted = multipart::abort(store, &upload.multipart, control)?.into_iter().zip(&upload.multipart);
    let failed = |(outcome, part): (Result<_>, &MultipartUpload)| {
        outcome.err().map(|error| Failure { key: part.key.clone(), error })
    };
    let failures: Vec<Failure> = aborted.filter_map(failed).collect();
    if !failures.is_empty() {
        removed.failures.extend(failures);
        return Ok(());
    }
    for groups in [files.written_later(), files.started_at.iter().cloned().collect()] {
        let failures = remove_files(store, &groups, control)?;
        if !failures.is_empty() {
            removed.failures.extend(failures);
            return Ok(());
        }
    }
    let names = files.algorithms.iter().map(|algorithm| algorithm.name()).collect();
    for group in [
        Group { directory: key.join(layout::HASH_STATES), names, leaf: "" },
        files::one_name(&key, layout::HASH_STATES),
        files::one_name(&uploads_of(&upload.repository), &upload.id),
    ] {
        let errors = store.remove_empty(&[group], control)?;
        if !errors.is_empty() {
            removed.failures.extend(errors.into_iter().map(|error| Failure { key: error.key().clone(), error }));
            return Ok(());
        }
    }
    if directory_times(store, std::slice::from_ref(&key), control)? != [None] {
        let detail = "something was written into it while it was removed; run again";
        return Err(Error::new(Kind::Changed, "remove", &key, detail));
    }
    removed.upload_count += 1;
    removed.freed(upload.size_bytes, control);
    Ok(())
}

fn remove_files(store: &impl Remove, groups: &[Group], control: &Control) -> Result<Vec<Failure>> {
    let failures: Mutex<Vec<Failure>> = Mutex::default();
    store.remove(groups, Holder::Keep, control, &|group, index, outcome| match outcome {
        Ok(Removal::Removed | Removal::Absent) => {}
        Ok(Removal::HolderStays(error)) | Err(error) => {
            let key = groups[group].key(index);
            failures.lock().expect("no thread panics while it counts").push(Failure { key, error });
        }
    })?;
    Ok(failures.into_inner().expect("no thread panics while it counts"))
}
