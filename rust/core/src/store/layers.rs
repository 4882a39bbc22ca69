//! Stores around stores.

use std::io;

use super::{
    AbortVisitor, Content, Group, Holder, Key, List, ListVisitor, MultipartUpload, Names, Nature, Page, Read,
    ReadVisitor, Remove, RemoveVisitor, RenameVisitor, Renames, StatVisitor, TimeVisitor,
};
use crate::error::{Error, Result};
use crate::progress::Control;

/// What goes wrong at one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The operation fails with an I/O error of this kind.
    Error(io::ErrorKind),
    /// The store says that nothing is there.
    Vanish,
    /// Only so many bytes of the content arrive (a listing ends after its first entries, without its end).
    Short(usize),
}

/// An operation that may go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Listing a directory.
    List,
    /// Looking at a file.
    Stat,
    /// Reading a file.
    Read,
    /// Removing a file.
    Remove,
    /// Moving something away from the key.
    Rename,
}

/// A store on which a script says what goes wrong, for tests.
pub struct Faulty<S, F> {
    store: S,
    script: F,
}

impl<S, F: Fn(Operation, &Key) -> Option<Fault> + Sync> Faulty<S, F> {
    /// Wraps `store`; `script` is asked before every answer that is handed out.
    pub const fn new(store: S, script: F) -> Self {
        Self { store, script }
    }

    /// The store inside.
    pub const fn inner(&self) -> &S {
        &self.store
    }

    fn fault(&self, operation: Operation, key: &Key) -> Option<Fault> {
        (self.script)(operation, key)
    }
}

fn error(operation: &'static str, key: &Key, kind: io::ErrorKind) -> Error {
    Error::io(operation, key, io::Error::from(kind))
}

impl<S: List, F: Fn(Operation, &Key) -> Option<Fault> + Sync> List for Faulty<S, F> {
    fn survey(&self, directories: &[Key], control: &Control) -> Result<()> {
        self.store.survey(directories, control)
    }

    fn nature(&self) -> Nature {
        self.store.nature()
    }

    fn list(&self, directories: &[Key], control: &Control, visit: &ListVisitor<'_>) -> Result<()> {
        for (index, directory) in directories.iter().enumerate() {
            match self.fault(Operation::List, directory) {
                None => self.store.list(std::slice::from_ref(directory), control, &|_, page| visit(index, page))?,
                Some(Fault::Error(kind)) => return Err(error("list", directory, kind)),
                Some(Fault::Vanish) => visit(index, Page::Absent)?,
                Some(Fault::Short(_)) => {
                    self.store.list(std::slice::from_ref(directory), control, &|_, page| match page {
                        Page::End => Err(error("list", directory, io::ErrorKind::UnexpectedEof)),
                        page => visit(index, page),
                    })?;
                }
            }
        }
        Ok(())
    }

    fn stat(&self, groups: &[Group], control: &Control, visit: &StatVisitor<'_>) -> Result<()> {
        self.store.stat(groups, control, &|group, index, stat| {
            let key = groups[group].key(index);
            match self.fault(Operation::Stat, &key) {
                Some(Fault::Error(kind)) => Err(error("stat", &key, kind)),
                Some(Fault::Vanish) => visit(group, index, None),
                Some(Fault::Short(_)) | None => visit(group, index, stat),
            }
        })
    }

    fn multipart_uploads(&self, places: &[Key], control: &Control) -> Result<Vec<MultipartUpload>> {
        self.store.multipart_uploads(places, control)
    }

    fn directory_times(&self, directories: &[Key], control: &Control, visit: &TimeVisitor<'_>) -> Result<()> {
        self.store.directory_times(directories, control, &|index, modified| {
            let key = &directories[index];
            match self.fault(Operation::Stat, key) {
                Some(Fault::Error(kind)) => Err(error("stat", key, kind)),
                Some(Fault::Vanish) => visit(index, None),
                Some(Fault::Short(_)) | None => visit(index, modified),
            }
        })
    }
}

impl<S: Read, F: Fn(Operation, &Key) -> Option<Fault> + Sync> Read for Faulty<S, F> {
    fn read(&self, groups: &[Group], limit: usize, control: &Control, visit: &ReadVisitor<'_>) -> Result<()> {
        self.store.read(groups, limit, control, &|group, index, content| {
            let key = groups[group].key(index);
            match (self.fault(Operation::Read, &key), content) {
                (Some(Fault::Error(kind)), _) => Err(error("read", &key, kind)),
                (Some(Fault::Vanish), _) => visit(group, index, Content::Absent),
                (Some(Fault::Short(length)), Content::Whole(bytes)) => {
                    visit(group, index, Content::Whole(&bytes[..length.min(bytes.len())]))
                }
                (_, content) => visit(group, index, content),
            }
        })
    }
}

impl<S: Remove, F: Fn(Operation, &Key) -> Option<Fault> + Sync> Remove for Faulty<S, F> {
    fn remove(&self, groups: &[Group], holder: Holder, control: &Control, visit: &RemoveVisitor<'_>) -> Result<()> {
        for (group_index, group) in groups.iter().enumerate() {
            for index in 0..group.names.len() {
                control.check()?;
                let key = group.key(index);
                if let Some(Fault::Error(kind)) = self.fault(Operation::Remove, &key) {
                    visit(group_index, index, Err(error("remove", &key, kind)));
                    continue;
                }
                let names = Names::from_iter([group.names.get(index)]);
                let one = Group { directory: group.directory.clone(), names, leaf: group.leaf };
                self.store.remove(&[one], holder, control, &|_, _, outcome| visit(group_index, index, outcome))?;
            }
        }
        Ok(())
    }

    fn rename(&self, renames: &[Renames], control: &Control, visit: &RenameVisitor<'_>) -> Result<()> {
        for (number, all) in renames.iter().enumerate() {
            for index in 0..all.names.len() {
                control.check()?;
                let name = all.names.get(index);
                let key = all.from.key(name);
                if let Some(Fault::Error(kind)) = self.fault(Operation::Rename, &key) {
                    visit(number, index, Err(error("move", &key, kind)));
                    continue;
                }
                let one = Renames { names: Names::from_iter([name]), from: all.from.clone(), to: all.to.clone() };
                self.store.rename(&[one], control, &|_, _, outcome| visit(number, index, outcome))?;
            }
        }
        Ok(())
    }

    fn remove_empty(&self, groups: &[Group], control: &Control) -> Result<Vec<Error>> {
        self.store.remove_empty(groups, control)
    }

    fn abort(&self, uploads: &[MultipartUpload], control: &Control, visit: &AbortVisitor<'_>) -> Result<()> {
        self.store.abort(uploads, control, visit)
    }
}
