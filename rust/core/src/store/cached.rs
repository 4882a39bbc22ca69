//! A store whose small blobs are kept on this machine once they have been read.
//!
//! What has a digest for its name never changes, so what was read of it once need not be asked for again: by this run,
//! the next, or one on another registry that has the same image. What is kept is checked against its digest whenever it
//! is used, and whether it is still *there* is never taken from here but from the store.

mod directory;

pub use directory::Directory;

use super::{
    AbortVisitor, Content, Group, Holder, Key, List, ListVisitor, MultipartUpload, Nature, Read, ReadVisitor, Remove,
    RemoveVisitor, RenameVisitor, Renames, StatVisitor, TimeVisitor,
};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::layout::distribution as layout;
use crate::parallel::{cores, for_each};
use crate::progress::Control;
use crate::scan::stat_all_as_told;

/// A store with a cache before it, or without one.
#[derive(Debug)]
pub struct Cached<S> {
    store: S,
    cache: Option<Directory>,
}

impl<S> Cached<S> {
    /// Puts a cache before a store; none at all changes nothing.
    pub const fn new(store: S, cache: Option<Directory>) -> Self {
        Self { store, cache }
    }

    /// The store behind it.
    pub const fn inner(&self) -> &S {
        &self.store
    }

    /// The cache.
    pub const fn cache(&self) -> Option<&Directory> {
        self.cache.as_ref()
    }
}

/// The digest that the file at `index` is named by, where it is a blob.
fn digest(group: &Group, index: usize) -> Option<Digest> {
    let (algorithm, prefix) = layout::parse_blob_prefix(&group.directory)?;
    let is_content = group.leaf.is_empty() || group.leaf == layout::DATA;
    Digest::from_hex(algorithm, group.names.get(index)).filter(|digest| is_content && digest.prefix() == prefix)
}

/// Files of groups that still have to be asked for, in groups of their own, and where each comes from.
#[derive(Default)]
struct Rest {
    groups: Vec<Group>,
    places: Vec<Vec<(usize, usize)>>,
}

impl Rest {
    fn of(groups: &[Group], answered: &[Vec<bool>]) -> Self {
        let mut rest = Self::default();
        for (number, (group, answered)) in groups.iter().zip(answered).enumerate() {
            let open: Vec<usize> = (0..group.names.len()).filter(|&index| !answered[index]).collect();
            if !open.is_empty() {
                let names = open.iter().map(|&index| group.names.get(index)).collect();
                rest.groups.push(Group { directory: group.directory.clone(), names, leaf: group.leaf });
                rest.places.push(open.into_iter().map(|index| (number, index)).collect());
            }
        }
        rest
    }
}

impl<S: List + Read> Cached<S> {
    /// Hands out what is kept of what is stored; returns which that was.
    fn read_kept(
        &self,
        cache: &Directory,
        groups: &[Group],
        limit: usize,
        control: &Control,
        visit: &ReadVisitor<'_>,
    ) -> Result<Vec<Vec<bool>>> {
        // Only a digest's presence in the store makes its content count. A report that has been overtaken keeps too much.
        let stats = stat_all_as_told(&self.store, groups, control)?;
        let answered: Vec<std::sync::Mutex<Vec<bool>>> =
            groups.iter().map(|group| std::sync::Mutex::new(vec![false; group.names.len()])).collect();
        for_each(cores() * 2, groups.len(), control, |number, buffer: &mut Vec<u8>| {
            let group = &groups[number];
            let mut kept = vec![false; group.names.len()];
            for (index, kept) in kept.iter_mut().enumerate() {
                let Some(stat) = stats[number][index] else { continue };
                let Some(digest) = digest(group, index) else { continue };
                let is_small = usize::try_from(stat.size_bytes).is_ok_and(|size| size <= limit);
                if is_small && cache.read(&digest, stat.size_bytes, buffer) {
                    visit(number, index, Content::Whole(buffer))?;
                    *kept = true;
                }
            }
            *answered[number].lock().expect("no thread panics while it notes an answer") = kept;
            Ok(())
        })?;
        Ok(answered
            .into_iter()
            .map(|one| one.into_inner().expect("no thread panics while it notes an answer"))
            .collect())
    }
}

impl<S: List + Read> Read for Cached<S> {
    fn read(&self, groups: &[Group], limit: usize, control: &Control, visit: &ReadVisitor<'_>) -> Result<()> {
        let blobs = groups.iter().any(|group| layout::parse_blob_prefix(&group.directory).is_some());
        let Some(cache) = self.cache.as_ref().filter(|_| blobs) else {
            return self.store.read(groups, limit, control, visit);
        };
        let answered = self.read_kept(cache, groups, limit, control, visit)?;
        let rest = Rest::of(groups, &answered);
        self.store.read(&rest.groups, limit, control, &|group, index, content| {
            let (number, place) = rest.places[group][index];
            if let (Content::Whole(bytes), Some(digest)) = (&content, digest(&groups[number], place)) {
                cache.write(&digest, bytes);
            }
            visit(number, place, content)
        })
    }
}

impl<S: List> List for Cached<S> {
    fn survey(&self, directories: &[Key], control: &Control) -> Result<()> {
        self.store.survey(directories, control)
    }

    fn nature(&self) -> Nature {
        self.store.nature()
    }

    fn list(&self, directories: &[Key], control: &Control, visit: &ListVisitor<'_>) -> Result<()> {
        self.store.list(directories, control, visit)
    }

    fn stat(&self, groups: &[Group], control: &Control, visit: &StatVisitor<'_>) -> Result<()> {
        self.store.stat(groups, control, visit)
    }

    fn stat_as_told(&self, groups: &[Group], control: &Control, visit: &StatVisitor<'_>) -> Result<()> {
        self.store.stat_as_told(groups, control, visit)
    }

    fn multipart_uploads(&self, places: &[Key], control: &Control) -> Result<Vec<MultipartUpload>> {
        self.store.multipart_uploads(places, control)
    }

    fn directory_times(&self, directories: &[Key], control: &Control, visit: &TimeVisitor<'_>) -> Result<()> {
        self.store.directory_times(directories, control, visit)
    }
}

impl<S: Remove> Remove for Cached<S> {
    fn remove(&self, groups: &[Group], holder: Holder, control: &Control, visit: &RemoveVisitor<'_>) -> Result<()> {
        self.store.remove(groups, holder, control, visit)
    }

    fn rename(&self, renames: &[Renames], control: &Control, visit: &RenameVisitor<'_>) -> Result<()> {
        self.store.rename(renames, control, visit)
    }

    fn remove_empty(&self, groups: &[Group], control: &Control) -> Result<Vec<Error>> {
        self.store.remove_empty(groups, control)
    }

    fn abort(&self, uploads: &[MultipartUpload], control: &Control, visit: &AbortVisitor<'_>) -> Result<()> {
        self.store.abort(uploads, control, visit)
    }
}

#[cfg(test)]
mod tests;
