//! Moving files between two directories of the same filesystem, through handles of both.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;

use super::{FsStore, again, failure, sys};
use crate::error::{Error, Result};
use crate::store::{Key, Place, Renamed, Renames};

/// The two directories of one [`Renames`], opened.
pub(super) struct Route<'a> {
    store: &'a FsStore,
    renames: &'a Renames,
    from: Result<Option<OwnedFd>>,
    to: Result<OwnedFd>,
}

/// An entry of an open directory: the place's own, or that of the directory with the name in it.
enum Handle<'a> {
    Directory(BorrowedFd<'a>),
    Holder(OwnedFd),
}

impl AsFd for Handle<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Directory(directory) => *directory,
            Self::Holder(holder) => holder.as_fd(),
        }
    }
}

impl<'a> Route<'a> {
    /// Opens both directories; the second one is made where it is missing.
    pub(super) fn open(store: &'a FsStore, renames: &'a Renames) -> Self {
        let from = store.directory("move", &renames.from.directory);
        let to = match from {
            Ok(Some(_)) => store.make_directories(&renames.to.directory),
            // Nothing will be moved, so that nothing has to be made.
            _ => Err(Error::io("move", &renames.to.directory, Errno::NOENT)),
        };
        Self { store, renames, from, to }
    }

    /// Moves what has this name.
    pub(super) fn rename(&self, name: &[u8]) -> Result<Renamed> {
        let Renames { from: from_place, to: to_place, .. } = self.renames;
        let from = match &self.from {
            Ok(Some(from)) => from,
            Ok(None) => return Ok(Renamed::Absent),
            Err(error) => return Err(again(error, "move", &from_place.key(name))),
        };
        let to = self.to.as_ref().map_err(|error| again(error, "move", &to_place.key(name)))?;
        let failed = |errno| failure("move", &from_place.key(name), errno);
        let from = match self.enter(from, from_place, name) {
            Ok(from) => from,
            Err(Errno::NOENT) => return Ok(Renamed::Absent),
            Err(errno) => return Err(failed(errno)),
        };
        let to = match self.enter(to, to_place, name) {
            // Mostly it is still there.
            Err(Errno::NOENT) => {
                sys::make_directory(to.as_fd(), name).map_err(failed)?;
                self.enter(to, to_place, name)
            }
            entered => entered,
        };
        let to = to.map_err(failed)?;
        match sys::rename(from.as_fd(), last(from_place, name), to.as_fd(), last(to_place, name)) {
            Ok(()) => Ok(Renamed::Moved),
            Err(Errno::EXIST) => Ok(Renamed::Occupied),
            Err(Errno::NOENT) => Ok(Renamed::Absent),
            Err(errno) => Err(failed(errno)),
        }
    }

    /// The directory that holds the entry itself.
    fn enter<'b>(&self, directory: &'b OwnedFd, place: &Place, name: &[u8]) -> Result<Handle<'b>, Errno> {
        if place.leaf.is_empty() {
            return Ok(Handle::Directory(directory.as_fd()));
        }
        self.store.beneath.open_holder(directory.as_fd(), name).map(Handle::Holder)
    }
}

/// What the entry itself is called.
fn last<'a>(place: &'a Place, name: &'a [u8]) -> &'a [u8] {
    if place.leaf.is_empty() { name } else { place.leaf.as_bytes() }
}

impl FsStore {
    /// Opens a directory, having made it and those above it where they were missing.
    pub(super) fn make_directories(&self, key: &Key) -> Result<OwnedFd> {
        if let Some(directory) = self.directory("move", key)? {
            return Ok(directory);
        }
        let (parent, name) = key.split_last();
        let parent = self.make_directories(&parent)?;
        sys::make_directory(parent.as_fd(), name).map_err(|errno| failure("make", key, errno))?;
        self.directory("move", key)?.ok_or_else(|| Error::io("move", key, Errno::NOENT))
    }
}
