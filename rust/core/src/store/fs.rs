//! A store on a Linux filesystem: directory handles, raw `getdents64`, one thread pool per bulk call.
//!
//! Every file is reached from a handle of the storage root without following a symbolic link anywhere below it
//! (see [`sys`]). Work is handed to threads item by item from a shared counter: an item is one directory to list
//! or one group of files, so one huge directory of small files still occupies every thread.
//!
//! More threads than cores: on a cold cache they wait for the disk most of the time.

mod rename;
mod sys;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rustix::io::Errno;

use super::{
    Content, EntryKind, Group, Holder, Key, List, ListVisitor, Page, Read, ReadVisitor, Removal, Remove, RemoveVisitor,
    RenameVisitor, Renames, Stat, StatVisitor, TimeVisitor,
};
use crate::error::{Error, Kind, Result};
use crate::parallel::{cores, for_each};
use crate::progress::Control;
use crate::store::Entries;
use sys::{Beneath, Opened};

/// A storage root on a filesystem.
#[derive(Debug)]
pub struct FsStore {
    path: PathBuf,
    root: OwnedFd,
    beneath: Beneath,
    jobs: usize,
}

/// Threads that remove at once. Removing is bound by the journal and by the parent directory's lock, not by
/// waiting: measured (see `docs/benchmarks.md`), a few are best and many are worse than one.
const REMOVING_THREADS: usize = 4;

/// Threads used when the caller names no number: enough to keep a disk busy on a cold cache, where even two cores
/// gain from 32 (`docs/benchmarks.md`). On a warm one most of them are never started.
pub fn default_jobs() -> usize {
    (cores() * 4).clamp(32, 64)
}

/// What a thread keeps from item to item. The buffer grows to what was needed; there is one per thread.
#[derive(Default)]
struct Scratch {
    buffer: Vec<u8>,
    entries: Entries,
}

impl FsStore {
    /// Opens the storage root: the directory that holds `docker/registry/v2`. It may itself be a symbolic link.
    ///
    /// # Errors
    /// When it is not a directory, or cannot be opened.
    pub fn open(path: &Path, jobs: Option<usize>) -> Result<Self> {
        let root = sys::open_root(path).map_err(|errno| Error::io("open", &Key::root(), errno))?;
        let beneath = Beneath::detect(root.as_fd());
        Ok(Self { path: path.to_owned(), root, beneath, jobs: jobs.unwrap_or_else(default_jobs).max(1) })
    }

    /// The same store, resolving paths step by step as on kernels without `openat2`: the twin to test against.
    #[must_use]
    pub fn stepwise(mut self) -> Self {
        self.beneath = Beneath::stepwise();
        self
    }

    /// The storage root.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many threads scan at once.
    pub const fn jobs(&self) -> usize {
        self.jobs
    }

    fn directory(&self, operation: &'static str, key: &Key) -> Result<Option<OwnedFd>> {
        match self.beneath.open_directory(self.root.as_fd(), key.as_bytes()) {
            Ok(directory) => Ok(Some(directory)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(failure(operation, key, errno)),
        }
    }
}

/// Sorts out what an error number says about the tree.
fn failure(operation: &'static str, key: &Key, errno: Errno) -> Error {
    match errno {
        Errno::LOOP | Errno::XDEV => {
            Error::new(Kind::Layout, operation, key, "a symbolic link stands where the registry's layout has none")
        }
        Errno::NOTDIR => Error::new(Kind::Layout, operation, key, "something else stands where a directory belongs"),
        Errno::NXIO => Error::new(Kind::Layout, operation, key, SPECIAL),
        errno => Error::io(operation, key, io::Error::from(errno)),
    }
}

const SPECIAL: &str = "something else stands where a regular file belongs";

impl List for FsStore {
    fn list(&self, directories: &[Key], control: &Control, visit: &ListVisitor<'_>) -> Result<()> {
        for_each(self.jobs, directories.len(), control, |index, scratch: &mut Scratch| {
            let key = &directories[index];
            let Some(directory) = self.directory("list", key)? else {
                return visit(index, Page::Absent);
            };
            let Scratch { buffer, entries } = scratch;
            sys::for_each_page(directory.as_fd(), buffer, entries, |page| {
                control.check()?;
                visit(index, Page::Entries(page))
            })
            .map_err(|stop| stop.into_error(|errno| failure("list", key, errno)))?;
            visit(index, Page::End)
        })
    }

    fn stat(&self, groups: &[Group], control: &Control, visit: &StatVisitor<'_>) -> Result<()> {
        for_each(self.jobs, groups.len(), control, |group_index, scratch: &mut Scratch| {
            let group = &groups[group_index];
            let directory = self.directory("stat", &group.directory)?;
            for index in 0..group.names.len() {
                let stat = match &directory {
                    None => None,
                    Some(directory) => stat(directory.as_fd(), group, index, &mut scratch.buffer)?,
                };
                visit(group_index, index, stat)?;
            }
            Ok(())
        })
    }

    fn directory_times(&self, directories: &[Key], control: &Control, visit: &TimeVisitor<'_>) -> Result<()> {
        for_each(self.jobs, directories.len(), control, |index, (): &mut ()| {
            let key = &directories[index];
            let Some(directory) = self.directory("stat", key)? else { return visit(index, None) };
            let (_, stat) = sys::stat(directory.as_fd(), b".").map_err(|errno| failure("stat", key, errno))?;
            visit(index, Some(stat.modified))
        })
    }
}

fn stat(directory: BorrowedFd<'_>, group: &Group, index: usize, path: &mut Vec<u8>) -> Result<Option<Stat>> {
    sys::relative_path(group.names.get(index), group.leaf, path);
    match sys::stat(directory, path) {
        Ok((EntryKind::File, stat)) => Ok(Some(stat)),
        Ok(_) => Err(Error::new(Kind::Layout, "stat", &group.key(index), SPECIAL)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(failure("stat", &group.key(index), errno)),
    }
}

impl Read for FsStore {
    fn read(&self, groups: &[Group], limit: usize, control: &Control, visit: &ReadVisitor<'_>) -> Result<()> {
        for_each(self.jobs, groups.len(), control, |group_index, scratch: &mut Scratch| {
            let group = &groups[group_index];
            let directory = self.directory("read", &group.directory)?;
            let mut path = Vec::new();
            for index in 0..group.names.len() {
                let Some(directory) = &directory else {
                    visit(group_index, index, Content::Absent)?;
                    continue;
                };
                sys::relative_path(group.names.get(index), group.leaf, &mut path);
                let opened = self.beneath.read_file(directory.as_fd(), &path, limit, &mut scratch.buffer);
                match opened {
                    Ok(Opened::Whole(length)) => {
                        visit(group_index, index, Content::Whole(&scratch.buffer[..length]))?;
                    }
                    Ok(Opened::TooLarge) => {
                        visit(group_index, index, Content::TooLarge(&scratch.buffer[..limit]))?;
                    }
                    Ok(Opened::NotAFile) => {
                        return Err(Error::new(Kind::Layout, "read", &group.key(index), SPECIAL));
                    }
                    Err(Errno::NOENT) => visit(group_index, index, Content::Absent)?,
                    Err(errno) => return Err(failure("read", &group.key(index), errno)),
                }
                if index % 64 == 0 {
                    control.check()?;
                }
            }
            Ok(())
        })
    }
}

impl Remove for FsStore {
    fn remove(&self, groups: &[Group], holder: Holder, control: &Control, visit: &RemoveVisitor<'_>) -> Result<()> {
        for_each(self.jobs.min(REMOVING_THREADS), groups.len(), control, |group_index, (): &mut ()| {
            let group = &groups[group_index];
            let directory = self.directory("remove", &group.directory);
            for index in 0..group.names.len() {
                // Between two files, never inside one removal.
                control.check()?;
                let outcome = match &directory {
                    Ok(Some(directory)) => self.remove_one(directory.as_fd(), group, index, holder),
                    Ok(None) => Ok(Removal::Absent),
                    Err(error) => Err(again(error, "remove", &group.key(index))),
                };
                visit(group_index, index, outcome);
            }
            Ok(())
        })
    }

    fn rename(&self, renames: &[Renames], control: &Control, visit: &RenameVisitor<'_>) -> Result<()> {
        for_each(self.jobs.min(REMOVING_THREADS), renames.len(), control, |group_index, (): &mut ()| {
            let renames = &renames[group_index];
            let route = rename::Route::open(self, renames);
            for index in 0..renames.names.len() {
                // Between two files, never inside one move.
                control.check()?;
                visit(group_index, index, route.rename(renames.names.get(index)));
            }
            Ok(())
        })
    }

    fn remove_empty(&self, groups: &[Group], control: &Control) -> Result<Vec<Error>> {
        let failures: Mutex<Vec<Error>> = Mutex::default();
        let fail = |error| failures.lock().expect("no thread panics while it counts").push(error);
        for_each(self.jobs.min(REMOVING_THREADS), groups.len(), control, |index, (): &mut ()| {
            let group = &groups[index];
            let directory = match self.directory("remove", &group.directory) {
                Ok(Some(directory)) => directory,
                Ok(None) => return Ok(()),
                Err(error) => {
                    fail(error);
                    return Ok(());
                }
            };
            for name in group.names.iter() {
                control.check()?;
                if let Err(errno) = sys::remove_empty_directory(directory.as_fd(), name) {
                    fail(failure("remove", &group.directory.join(name), errno));
                }
            }
            Ok(())
        })?;
        Ok(failures.into_inner().expect("no thread panics while it counts"))
    }
}

/// What happened to a directory, as what happened to something in it.
fn again(error: &Error, operation: &'static str, key: &Key) -> Error {
    let copy = |source: &io::Error| {
        source.raw_os_error().map_or_else(|| io::Error::from(source.kind()), io::Error::from_raw_os_error)
    };
    Error::io(operation, key, error.io_source().map_or_else(|| io::Error::other(error.to_string()), copy))
}

impl FsStore {
    /// Removes one file through a handle of its own directory, so that nothing swapped in meanwhile is followed.
    fn remove_one(&self, parent: BorrowedFd<'_>, group: &Group, index: usize, holder: Holder) -> Result<Removal> {
        let name = group.names.get(index);
        let failed = |errno| failure("remove", &group.key(index), errno);
        if group.leaf.is_empty() {
            return match sys::remove_file(parent, name) {
                Ok(()) => Ok(Removal::Removed),
                Err(Errno::NOENT) => Ok(Removal::Absent),
                Err(errno) => Err(failed(errno)),
            };
        }
        let removed = match self.beneath.open_holder(parent, name) {
            Ok(directory) => match sys::remove_file(directory.as_fd(), group.leaf.as_bytes()) {
                Ok(()) => true,
                Err(Errno::NOENT) => false,
                Err(errno) => return Err(failed(errno)),
            },
            Err(Errno::NOENT) => return Ok(Removal::Absent),
            Err(errno) => return Err(failed(errno)),
        };
        if holder == Holder::RemoveIfEmpty {
            match sys::remove_empty_directory(parent, name) {
                Ok(()) => {}
                Err(errno) if removed => {
                    return Ok(Removal::HolderStays(failure("remove", &group.directory.join(name), errno)));
                }
                Err(errno) => return Err(failed(errno)),
            }
        }
        Ok(if removed { Removal::Removed } else { Removal::Absent })
    }
}

#[cfg(test)]
mod tests;
