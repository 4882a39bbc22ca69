//! Single objects: what regsweep itself keeps in a bucket, and parts of blobs that are too large to be held whole.
//!
//! Nothing of it goes by what was seen before, and nothing of it changes that.

use std::ops::Range;
use std::time::SystemTime;

use bytes::Bytes;

use super::client::{Purpose, Reading};
use super::dialect::Condition;
use super::{Bucket, is_missing_key};
use crate::error::Result;
use crate::key::Key;
use crate::progress::Control;

impl Bucket {
    /// Reads an object and its version; nothing where there is none. Nothing that was seen before counts.
    ///
    /// # Errors
    /// Any failure to read.
    pub fn read_object(&self, key: &Key, control: &Control) -> Result<Option<(Vec<u8>, String)>> {
        self.settle(control)?;
        let full = self.full(key);
        let dialect = self.client().dialect();
        self.client().send(
            Purpose::Get,
            key,
            control,
            || dialect.get(&full, None),
            |answer| match answer.status.as_u16() {
                200 => match dialect.version(answer) {
                    Some(version) => Reading::Done(Some((answer.body.to_vec(), version))),
                    None => Reading::Again("the store does not tell the version of an object".to_owned()),
                },
                404 if is_missing_key(&dialect.explain(&answer.body).0) => Reading::Done(None),
                _ => Reading::Refused,
            },
        )
    }

    /// Reads some bytes of an object: less than wanted where it ends, none behind its end; nothing where there is no such
    /// object.
    ///
    /// # Errors
    /// Any failure to read.
    pub fn read_range(&self, key: &Key, range: &Range<u64>, control: &Control) -> Result<Option<Bytes>> {
        self.settle(control)?;
        self.get(key, Some(range), control)
    }

    /// When an object was written; nothing where there is none. Nothing that was seen before counts.
    ///
    /// # Errors
    /// Any failure to look.
    pub fn object_time(&self, key: &Key, control: &Control) -> Result<Option<SystemTime>> {
        self.settle(control)?;
        Ok(self.stat_now(key, control)?.map(|stat| stat.modified))
    }

    /// Writes an object; returns its version, or nothing where the condition does not hold. That may also be because an
    /// answer was lost and the object is there already as it was to be.
    ///
    /// For what is regsweep's own: what was seen of the registry counts as before.
    ///
    /// # Errors
    /// Any failure to write.
    pub fn write_object(
        &self,
        key: &Key,
        content: &[u8],
        condition: &Condition,
        control: &Control,
    ) -> Result<Option<String>> {
        self.settle(control)?;
        let full = self.full(key);
        let dialect = self.client().dialect();
        self.client().send(
            Purpose::Put,
            key,
            control,
            || dialect.put(&full, content, condition),
            |answer| {
                match answer.status.as_u16() {
                    200 | 201 => match dialect.version(answer) {
                        Some(version) => Reading::Done(Some(version)),
                        None => Reading::Again("the store does not tell the version of an object".to_owned()),
                    },
                    // S3: 409 where another write is on its way.
                    409 | 412 if *condition != Condition::Always => Reading::Done(None),
                    _ => Reading::Refused,
                }
            },
        )
    }
}
