//! Multipart uploads: how they are spoken of, finding those that nobody has finished, and aborting them. Only S3 has such.
//!
//! A listing of them tells what is to become of each and when it was begun; of its parts it tells nothing, so that each is
//! asked for those. One that is finished or aborted in between is none.

use std::cell::Cell;
use std::ops::Range;
use std::sync::Mutex;
use std::time::SystemTime;

use super::Bucket;
use super::client::{Purpose, Reading};
use super::dialect::{Answer, Malformed, Signed};
use crate::error::{Error, Kind, Result};
use crate::key::Key;
use crate::parallel::for_each;
use crate::progress::Control;
use crate::store::{AbortVisitor, MultipartUpload, Removal};

/// The most parts of an upload.
pub(super) const MOST_PARTS: u32 = 10_000;

/// An upload as a listing names it. Its key is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Begun {
    pub(super) key: Vec<u8>,
    pub(super) id: String,
    pub(super) initiated: SystemTime,
}

/// Where a listing of uploads goes on: after all of a key, or after one of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct UploadMarker {
    pub(super) key: Vec<u8>,
    pub(super) id: Option<String>,
}

/// A page of uploads.
#[derive(Debug, Default)]
pub(super) struct UploadPage {
    pub(super) uploads: Vec<Begun>,
    pub(super) truncated: bool,
    pub(super) next: Option<UploadMarker>,
}

impl UploadPage {
    /// What is wrong with it, if anything.
    fn fault(&self, prefix: &[u8], after: &UploadMarker) -> Option<&'static str> {
        if !self.uploads.iter().all(|upload| upload.key.starts_with(prefix)) {
            return Some("a listing of multipart uploads names a key that was not asked for");
        }
        let goes_on = self.next.as_ref().is_some_and(|next| next != after && next.key >= after.key);
        (self.truncated && !goes_on).then_some("a listing of multipart uploads says that it goes on, and not where")
    }
}

/// A page of the parts of one upload: what all of them are together.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct PartPage {
    pub(super) size_bytes: u64,
    pub(super) newest: Option<SystemTime>,
    pub(super) truncated: bool,
    /// The number of the part after which it goes on.
    pub(super) next: Option<u32>,
}

/// How a service is asked for uploads in parts.
pub(super) trait Multipart: Sync {
    /// Asks for a page of the uploads whose keys begin with a text.
    fn list_uploads<'a>(&'a self, prefix: &'a [u8], after: &'a UploadMarker) -> Signed<'a>;

    /// Reads the page that was asked for.
    fn read_uploads(&self, body: &[u8], page: &mut UploadPage) -> Result<(), Malformed>;

    /// Asks for a page of the parts of an upload, those of greater numbers.
    fn list_parts<'a>(&'a self, key: &'a [u8], id: &'a str, after: u32) -> Signed<'a>;

    /// Reads the page that was asked for.
    fn read_parts(&self, body: &[u8], page: &mut PartPage) -> Result<(), Malformed>;

    /// Asks for an upload to begin.
    fn create_upload<'a>(&'a self, key: &'a [u8]) -> Signed<'a>;

    /// Reads the id of the one that has begun.
    fn read_created(&self, body: &[u8]) -> Result<String, Malformed>;

    /// Asks for a part to be copied from an object. Parts are numbered from 1 to [`MOST_PARTS`].
    fn copy_part<'a>(
        &'a self,
        from: &'a [u8],
        to: &'a [u8],
        id: &'a str,
        number: u32,
        range: &Range<u64>,
    ) -> Signed<'a>;

    /// Reads the tag of the part that was copied.
    fn read_copied_part(&self, body: &[u8]) -> Result<String, Malformed>;

    /// Asks for an object to be made of parts, whose tags are in the order of their numbers, all of them. Where the service
    /// can, not over an object that is there.
    fn complete_upload<'a>(&'a self, key: &'a [u8], id: &'a str, etags: &[String]) -> Signed<'a>;

    /// Whether an answer of success says that it was made.
    fn is_completed(&self, body: &[u8]) -> bool;

    /// Asks for the end of an upload and all of its parts.
    fn abort_upload<'a>(&'a self, key: &'a [u8], id: &'a str) -> Signed<'a>;
}

impl Bucket {
    /// See [`crate::store::List::multipart_uploads`].
    pub(super) fn find_multipart(&self, places: &[Key], control: &Control) -> Result<Vec<MultipartUpload>> {
        let Some(dialect) = self.client().dialect().multipart() else { return Ok(Vec::new()) };
        let begun: Mutex<Vec<(Key, Begun)>> = Mutex::default();
        for_each(self.jobs(), places.len(), control, |index, (): &mut ()| {
            // Without a slash behind it: MinIO tells only what is asked for by its whole key.
            let (place, prefix) = (&places[index], self.full(&places[index]));
            let mut after = UploadMarker::default();
            loop {
                let page = self.upload_page(dialect, place, &prefix, &after, control)?;
                let of_place = page.uploads.into_iter().filter_map(|one| Some((self.key_in(place, &one.key)?, one)));
                begun.lock().expect("no thread panics while it adds uploads").extend(of_place);
                match page.next.filter(|_| page.truncated) {
                    Some(next) => after = next,
                    None => return Ok(()),
                }
            }
        })?;
        let mut begun = begun.into_inner().expect("no thread panics while it adds uploads");
        begun.sort_by(|(one, one_begun), (other, other_begun)| {
            one.cmp(other).then_with(|| one_begun.initiated.cmp(&other_begun.initiated))
        });
        let found: Vec<Mutex<Option<MultipartUpload>>> = begun.iter().map(|_| Mutex::default()).collect();
        for_each(self.jobs(), begun.len(), control, |index, (): &mut ()| {
            let (key, begun) = &begun[index];
            *found[index].lock().expect("no thread panics while it notes an upload") =
                self.with_parts(dialect, key, begun, control)?;
            Ok(())
        })?;
        let found = found.into_iter();
        Ok(found.filter_map(|one| one.into_inner().expect("no thread panics while it notes an upload")).collect())
    }

    /// The key of what is in a place, or below it. What only begins alike is neither.
    fn key_in(&self, place: &Key, full: &[u8]) -> Option<Key> {
        let prefix = self.full(place);
        let key = place.as_bytes().iter().chain(full.strip_prefix(prefix.as_slice())?).copied();
        Some(Key::new(key.collect::<Vec<u8>>())).filter(|key| key.starts_with(place))
    }

    fn upload_page(
        &self,
        dialect: &dyn Multipart,
        place: &Key,
        prefix: &[u8],
        after: &UploadMarker,
        control: &Control,
    ) -> Result<UploadPage> {
        let make = || dialect.list_uploads(prefix, after);
        self.client().send(Purpose::List, place, control, make, |answer| {
            if !answer.status.is_success() {
                return Reading::Refused;
            }
            let mut page = UploadPage::default();
            match dialect.read_uploads(&answer.body, &mut page) {
                Err(malformed) => Reading::Again(malformed.0.to_owned()),
                Ok(()) => match page.fault(prefix, after) {
                    Some(fault) => Reading::Again(fault.to_owned()),
                    None => Reading::Done(page),
                },
            }
        })
    }

    /// An upload with what its parts say; nothing where it is none any more.
    fn with_parts(
        &self,
        dialect: &dyn Multipart,
        key: &Key,
        begun: &Begun,
        control: &Control,
    ) -> Result<Option<MultipartUpload>> {
        let (mut size_bytes, mut last_write, mut after) = (0, begun.initiated, 0);
        loop {
            let make = || dialect.list_parts(&begun.key, &begun.id, after);
            let page = self.client().send(Purpose::List, key, control, make, |answer| {
                if self.is_upload_gone(answer) {
                    return Reading::Done(None);
                }
                if !answer.status.is_success() {
                    return Reading::Refused;
                }
                let mut page = PartPage::default();
                match dialect.read_parts(&answer.body, &mut page) {
                    Err(malformed) => Reading::Again(malformed.0.to_owned()),
                    Ok(()) if page.truncated && page.next.is_none_or(|next| next <= after) => {
                        Reading::Again("a listing of parts says that it goes on, and not where".to_owned())
                    }
                    Ok(()) => Reading::Done(Some(page)),
                }
            })?;
            let Some(page) = page else { return Ok(None) };
            size_bytes += page.size_bytes;
            last_write = page.newest.map_or(last_write, |newest| newest.max(last_write));
            match page.next.filter(|_| page.truncated) {
                Some(next) => after = next,
                None => break,
            }
        }
        let Begun { id, initiated, .. } = begun.clone();
        Ok(Some(MultipartUpload { key: key.clone(), id, initiated, last_write, size_bytes }))
    }

    /// See [`crate::store::Remove::abort`].
    pub(super) fn abort_all(
        &self,
        uploads: &[MultipartUpload],
        control: &Control,
        visit: &AbortVisitor<'_>,
    ) -> Result<()> {
        for_each(self.jobs(), uploads.len(), control, |index, (): &mut ()| {
            let upload = &uploads[index];
            match self.abort_one(&upload.key, &upload.id, control) {
                Err(error) if error.kind() == Kind::Cancelled => Err(error),
                outcome => {
                    visit(index, outcome);
                    Ok(())
                }
            }
        })
    }

    fn abort_one(&self, key: &Key, id: &str, control: &Control) -> Result<Removal> {
        let detail = "this service keeps no multipart uploads";
        let missing = || Error::new(Kind::Argument, "abort", key, detail);
        let dialect = self.client().dialect().multipart().ok_or_else(missing)?;
        let (full, tries) = (self.full(key), Cell::new(0));
        let make = || {
            tries.set(tries.get() + 1);
            dialect.abort_upload(&full, id)
        };
        self.client().send(Purpose::Abort, key, control, make, |answer| match answer.status.as_u16() {
            200..300 => Reading::Done(Removal::Removed),
            // An answer that was lost on its way may have been about the end of it.
            _ if self.is_upload_gone(answer) && tries.get() > 1 => Reading::Done(Removal::Removed),
            _ if self.is_upload_gone(answer) => Reading::Done(Removal::Absent),
            _ => Reading::Refused,
        })
    }

    /// Whether an answer says that there is no such upload (any more).
    pub(super) fn is_upload_gone(&self, answer: &Answer) -> bool {
        answer.status.as_u16() == 404 && self.client().dialect().explain(&answer.body).0 == "NoSuchUpload"
    }
}
