//! A store of whatever kind it turns out to be.

use super::bucket::Bucket;
use super::cached::Cached;
use super::fs::FsStore;
use super::{
    AbortVisitor, Group, Holder, Key, List, ListVisitor, MultipartUpload, Nature, Read, ReadVisitor, Remove,
    RemoveVisitor, RenameVisitor, Renames, StatVisitor, TimeVisitor,
};
use crate::error::{Error, Result};
use crate::progress::Control;

/// A store on a filesystem or in a bucket.
#[derive(Debug)]
pub enum AnyStore {
    /// On a filesystem.
    Fs(FsStore),
    /// In a bucket.
    Bucket(Box<Cached<Bucket>>),
}

/// Calls the same of whatever store it is.
macro_rules! each {
    ($self:ident, $store:ident => $call:expr) => {
        match $self {
            AnyStore::Fs($store) => $call,
            AnyStore::Bucket($store) => $call,
        }
    };
}

impl List for AnyStore {
    fn survey(&self, directories: &[Key], control: &Control) -> Result<()> {
        each!(self, store => store.survey(directories, control))
    }

    fn nature(&self) -> Nature {
        each!(self, store => store.nature())
    }

    fn list(&self, directories: &[Key], control: &Control, visit: &ListVisitor<'_>) -> Result<()> {
        each!(self, store => store.list(directories, control, visit))
    }

    fn stat(&self, groups: &[Group], control: &Control, visit: &StatVisitor<'_>) -> Result<()> {
        each!(self, store => store.stat(groups, control, visit))
    }

    fn stat_as_told(&self, groups: &[Group], control: &Control, visit: &StatVisitor<'_>) -> Result<()> {
        each!(self, store => store.stat_as_told(groups, control, visit))
    }

    fn multipart_uploads(&self, places: &[Key], control: &Control) -> Result<Vec<MultipartUpload>> {
        each!(self, store => store.multipart_uploads(places, control))
    }

    fn directory_times(&self, directories: &[Key], control: &Control, visit: &TimeVisitor<'_>) -> Result<()> {
        each!(self, store => store.directory_times(directories, control, visit))
    }
}

impl Read for AnyStore {
    fn read(&self, groups: &[Group], limit: usize, control: &Control, visit: &ReadVisitor<'_>) -> Result<()> {
        each!(self, store => store.read(groups, limit, control, visit))
    }
}

impl Remove for AnyStore {
    fn remove(&self, groups: &[Group], holder: Holder, control: &Control, visit: &RemoveVisitor<'_>) -> Result<()> {
        each!(self, store => store.remove(groups, holder, control, visit))
    }

    fn rename(&self, renames: &[Renames], control: &Control, visit: &RenameVisitor<'_>) -> Result<()> {
        each!(self, store => store.rename(renames, control, visit))
    }

    fn remove_empty(&self, groups: &[Group], control: &Control) -> Result<Vec<Error>> {
        each!(self, store => store.remove_empty(groups, control))
    }

    fn abort(&self, uploads: &[MultipartUpload], control: &Control, visit: &AbortVisitor<'_>) -> Result<()> {
        each!(self, store => store.abort(uploads, control, visit))
    }
}
