//! Copying within a bucket: by one request what is small enough for it, and in parts what is not (on S3).
//!
//! ```text
//! CreateMultipartUpload            to which parts are copied
//! UploadPartCopy                   a range each, some side by side
//! CompleteMultipartUpload          not over an object that is there
//! AbortMultipartUpload             instead, where anything went wrong or something is in the way
//! ```
//!
//! Nothing is to be seen of the copy until it is complete. Who breaks off before that, without the time for the last, leaves
//! what `regsweep uploads` shows and aborts.
//!
//! Metadata, tags and the storage class of an object are not copied along: the registry reads none of them. Its driver
//! gives every object the content type that is given here, and goes by the sizes and times of listings.

use std::ops::Range;
use std::sync::Mutex;

use super::client::{Purpose, Reading};
use super::moves::Object;
use super::parts::{MOST_PARTS, Multipart};
use super::{Bucket, is_missing_key};
use crate::error::{Error, Kind, Result};
use crate::parallel::for_each;
use crate::progress::Control;

/// How large objects are copied where the service can do so in parts.
#[derive(Clone, Copy, Debug)]
pub struct Copying {
    /// The most that one request copies whole. S3 refuses more than 5 GiB.
    pub whole_bytes: u64,
    /// What is copied by one request otherwise; more where that would make too many. S3 refuses less than 5 MiB.
    pub part_bytes: u64,
}

impl Default for Copying {
    /// Less than S3 allows: it answers once it has copied, and a request that takes more than a minute is given up.
    fn default() -> Self {
        Self { whole_bytes: 1 << 30, part_bytes: 512 << 20 }
    }
}

/// Parts of one object that are copied side by side. As many objects are copied at once as there are jobs.
const PARTS_AT_ONCE: usize = 4;

impl Copying {
    /// The ranges of an object of this size, in order.
    fn ranges(&self, size_bytes: u64) -> Vec<Range<u64>> {
        let part = self.part_bytes.max(size_bytes.div_ceil(u64::from(MOST_PARTS))).max(1);
        let starts = (0..size_bytes.div_ceil(part)).map(|number| number * part);
        starts.map(|start| start..(start + part).min(size_bytes)).collect()
    }
}

/// There was something to copy when it was looked at.
fn vanished(object: &Object) -> Error {
    Error::new(Kind::Changed, "move", &object.from, "it was there a moment ago, and is not now")
}

impl Bucket {
    /// Makes a copy of an object where nothing else is. Whether something was in the way, which may be a copy of which the
    /// answer was lost, is for the caller to look.
    pub(super) fn copy(&self, object: &Object, control: &Control) -> Result<()> {
        match self.client().dialect().multipart() {
            Some(dialect) if object.stat.size_bytes > self.copying.whole_bytes => {
                self.copy_in_parts(dialect, object, control)
            }
            _ => self.copy_whole(object, control),
        }
    }

    fn copy_whole(&self, object: &Object, control: &Control) -> Result<()> {
        let (from, to) = (self.full(&object.from), self.full(&object.to));
        let dialect = self.client().dialect();
        let is_there = self.client().send(
            Purpose::Copy,
            &object.from,
            control,
            || dialect.copy(&from, &to),
            |answer| {
                match answer.status.as_u16() {
                    // S3 says "200" before it has copied, and then whether it has.
                    200 if !dialect.explain(&answer.body).0.is_empty() => Reading::Again("the copy failed".to_owned()),
                    200..300 | 409 | 412 => Reading::Done(true),
                    404 if is_missing_key(&dialect.explain(&answer.body).0) => Reading::Done(false),
                    _ => Reading::Refused,
                }
            },
        )?;
        if is_there { Ok(()) } else { Err(vanished(object)) }
    }

    fn copy_in_parts(&self, dialect: &dyn Multipart, object: &Object, control: &Control) -> Result<()> {
        let to = self.full(&object.to);
        let create = || dialect.create_upload(&to);
        let id = self.client().send(Purpose::Copy, &object.from, control, create, |answer| {
            if !answer.status.is_success() {
                return Reading::Refused;
            }
            match dialect.read_created(&answer.body) {
                Ok(id) => Reading::Done(id),
                Err(malformed) => Reading::Again(malformed.0.to_owned()),
            }
        })?;
        let upload = Parts { dialect, object, to: &to, id: &id };
        let etags = self.copy_parts(&upload, control);
        let completed = etags.and_then(|etags| self.complete(&upload, &etags, control));
        if !matches!(completed, Ok(true)) {
            // Once, also where the run is to end; what is left then is found by `uploads`.
            self.client().send_once(Purpose::Abort, || dialect.abort_upload(&to, &id));
        }
        completed.map(drop)
    }

    /// Copies all parts; gives back their tags in order.
    fn copy_parts(&self, upload: &Parts<'_>, control: &Control) -> Result<Vec<String>> {
        let Parts { dialect, object, to, id } = *upload;
        let from = self.full(&object.from);
        let ranges = self.copying.ranges(object.stat.size_bytes);
        let etags: Vec<Mutex<String>> = ranges.iter().map(|_| Mutex::default()).collect();
        for_each(PARTS_AT_ONCE.min(self.jobs()), ranges.len(), control, |index, (): &mut ()| {
            let number = u32::try_from(index + 1).expect("there are no more parts than S3 takes");
            let copy = || dialect.copy_part(&from, to, id, number, &ranges[index]);
            let etag = self.client().send(Purpose::Copy, &object.from, control, copy, |answer| {
                match answer.status.as_u16() {
                    // As for a whole copy, "200" may come with an error.
                    200 => match dialect.read_copied_part(&answer.body) {
                        Ok(etag) => Reading::Done(Some(etag)),
                        Err(malformed) => Reading::Again(malformed.0.to_owned()),
                    },
                    404 if self.client().dialect().explain(&answer.body).0 == "NoSuchKey" => Reading::Done(None),
                    _ => Reading::Refused,
                }
            })?;
            let mut slot = etags[index].lock().expect("no thread panics while it notes a tag");
            *slot = etag.ok_or_else(|| vanished(object))?;
            Ok(())
        })?;
        let etags = etags.into_iter();
        Ok(etags.map(|etag| etag.into_inner().expect("no thread panics while it notes a tag")).collect())
    }

    /// Makes an object of all parts; tells whether nothing is left of the upload.
    fn complete(&self, upload: &Parts<'_>, etags: &[String], control: &Control) -> Result<bool> {
        let Parts { dialect, object, to, id } = *upload;
        let complete = || dialect.complete_upload(to, id, etags);
        self.client().send(Purpose::Copy, &object.to, control, complete, |answer| match answer.status.as_u16() {
            200 if dialect.is_completed(&answer.body) => Reading::Done(true),
            200 => Reading::Again("the copy was not completed".to_owned()),
            409 | 412 => Reading::Done(false),
            // Completed already, and the answer was lost. If it is not, there is no copy: the caller looks.
            _ if self.is_upload_gone(answer) => Reading::Done(true),
            _ => Reading::Refused,
        })
    }
}

/// A copy that is being made in parts.
#[derive(Clone, Copy)]
struct Parts<'a> {
    dialect: &'a dyn Multipart,
    object: &'a Object,
    /// The key that it is to have, whole.
    to: &'a [u8],
    id: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_cut_into_no_more_parts_than_there_may_be() {
        let ranges = Copying { whole_bytes: 0, part_bytes: 4 }.ranges(10);
        assert_eq!(ranges, [0..4, 4..8, 8..10]);
        for size_bytes in [1, 5 << 30, (5 << 30) + 1, 5 << 40, 50_000_000_000_000] {
            let ranges = Copying::default().ranges(size_bytes);
            assert!(ranges.len() <= 10_000, "{size_bytes}");
            assert!(ranges.iter().all(|range| range.end - range.start <= 5 << 30), "{size_bytes}");
            assert!(ranges.windows(2).all(|pair| pair[0].end == pair[1].start), "{size_bytes}");
            assert_eq!((ranges[0].start, ranges[ranges.len() - 1].end), (0, size_bytes));
        }
    }
}
