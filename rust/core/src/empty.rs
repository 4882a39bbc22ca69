//! Directories that nothing is left in: of layer links and blobs that were removed, of tags, of repositories.
//!
//! Only directories in the layout's own places count, that have not changed since the cutoff, and whose directories
//! are as old and as empty. The layout's inner directories (`_layers`, `_manifests/tags`, `sha256` …) go only with the
//! repository or tag that they belong to: a registry answers otherwise where one of them is missing. What is under
//! `_uploads` belongs to [`crate::uploads`].
//!
//! Nothing can be lost: a directory goes by `rmdir`, which takes none with anything in it. A push that is about to
//! write into such a directory at this moment may end in an error, and the client begins anew.

mod place;

use std::collections::BTreeMap;
use std::time::SystemTime;

use crate::error::{Kind, Result};
use crate::layout::distribution as layout;
use crate::progress::Control;
use crate::remove::Failure;
use crate::scan::{collect, directory_times};
use crate::store::{EntryKind, Group, Key, List, Names, Remove};
use place::Place;

/// What is empty, or was removed.
#[derive(Debug, Default)]
pub struct Empty {
    /// The names of repositories, in the order in which they were found.
    pub repositories: Vec<Vec<u8>>,
    /// Directories of all kinds, those of repositories among them.
    pub directory_count: usize,
    /// What could not be removed.
    pub failures: Vec<Failure>,
    /// Whether the run was asked to stop before it was through.
    pub interrupted: bool,
}

/// Finds what is empty and was so at the cutoff.
///
/// # Errors
/// Any failure to list or look.
pub fn find(store: &impl List, cutoff: SystemTime, control: &Control) -> Result<Empty> {
    let mut nothing = |keys: &[Key], _: &mut Empty| Ok(vec![true; keys.len()]);
    let mut walk = Walk { store, cutoff, control, found: Empty::default(), remove: &mut nothing };
    walk.all()?;
    Ok(walk.found)
}

/// Removes what [`find`] would find now.
///
/// # Errors
/// Any failure to list or look; what was removed until then is removed.
pub fn remove(store: &(impl List + Remove), cutoff: SystemTime, control: &Control) -> Result<Empty> {
    let mut remove = |keys: &[Key], found: &mut Empty| remove_directories(store, keys, found, control);
    let mut walk = Walk { store, cutoff, control, found: Empty::default(), remove: &mut remove };
    match walk.all() {
        Err(error) if error.kind() == Kind::Cancelled => walk.found.interrupted = true,
        ended => ended?,
    }
    Ok(walk.found)
}

/// Directories looked at together that hold one file, or few.
const PORTION_OF_UNITS: usize = 1024;
/// Directories looked at together that may hold very many directories.
const PORTION: usize = 32;

/// Removes directories of one depth, as far as they are empty; returns which are gone.
fn remove_directories(
    store: &(impl List + Remove),
    keys: &[Key],
    found: &mut Empty,
    control: &Control,
) -> Result<Vec<bool>> {
    let mut by_parent: BTreeMap<Key, Names> = BTreeMap::new();
    for key in keys {
        let (parent, name) = key.split_last();
        by_parent.entry(parent).or_default().push(name);
    }
    let groups: Vec<Group> =
        by_parent.into_iter().flat_map(|(directory, names)| Group::split(&directory, "", names.iter())).collect();
    let failures = store.remove_empty(&groups, control)?;
    found.failures.extend(failures.into_iter().map(Failure::from));
    // What is no longer empty is passed over without a word.
    Ok(directory_times(store, keys, control)?.iter().map(Option::is_none).collect())
}

type RemoveDirectories<'a> = dyn FnMut(&[Key], &mut Empty) -> Result<Vec<bool>> + 'a;

struct Walk<'a, Store: ?Sized> {
    store: &'a Store,
    cutoff: SystemTime,
    control: &'a Control,
    found: Empty,
    remove: &'a mut RemoveDirectories<'a>,
}

/// What a directory came to.
enum Outcome {
    /// Something is in it, or it is too young.
    Stays,
    /// There is nothing in it but these empty directories, which go when what they belong to does; the deepest last.
    Hollow(Vec<Key>),
    /// It is gone.
    Gone,
}

#[derive(Default)]
struct Children {
    directories: Names,
    /// Whether there is anything else.
    others: bool,
}

/// A directory in one that was listed, by their indices.
struct Child {
    parent: usize,
    index: usize,
}

impl Child {
    fn key(&self, keys: &[Key], listed: &[Option<Children>]) -> Key {
        let names = listed[self.parent].as_ref().map(|children| children.directories.get(self.index));
        keys[self.parent].join(names.unwrap_or_default())
    }

    /// Tells the directory that it is in.
    fn tell(&self, key: Key, outcome: Outcome, hollow: &mut [Option<Vec<Key>>]) {
        match (outcome, &mut hollow[self.parent]) {
            (Outcome::Stays, parent) => *parent = None,
            (Outcome::Hollow(inner), Some(parent)) => {
                parent.push(key);
                parent.extend(inner);
            }
            (Outcome::Hollow(_), None) | (Outcome::Gone, _) => {}
        }
    }
}

fn children_of(keys: &[Key], listed: &[Option<Children>], units: bool) -> Vec<Child> {
    let all = listed.iter().enumerate().flat_map(|(parent, children)| {
        let count = children.as_ref().map_or(0, |children| children.directories.len());
        (0..count).map(move |index| Child { parent, index })
    });
    all.filter(|child| (Place::of(&child.key(keys, listed)) == Some(Place::Unit)) == units).collect()
}

impl<Store: List + ?Sized> Walk<'_, Store> {
    fn all(&mut self) -> Result<()> {
        if !self.store.nature().keeps_empty_directories {
            return Ok(());
        }
        self.visit(&[Key::new(layout::REPOSITORIES), Key::new(layout::BLOBS)])?;
        Ok(())
    }

    /// Looks at directories of one depth and at all that is in them.
    fn visit(&mut self, keys: &[Key]) -> Result<Vec<Outcome>> {
        let listed = collect(self.store, keys, self.control, |index, entry, children: &mut Children| {
            let known = entry.kind == EntryKind::Directory && Place::of(&keys[index].join(entry.name)).is_some();
            if known {
                children.directories.push(entry.name);
            } else {
                children.others = true;
            }
            Ok(())
        })?;
        // Before anything in them goes, which changes their times.
        let old = self.are_old(keys, &listed)?;
        let mut hollow: Vec<Option<Vec<Key>>> = old.into_iter().map(|old| old.then(Vec::new)).collect();
        for (units, size) in [(false, PORTION), (true, PORTION_OF_UNITS)] {
            for portion in children_of(keys, &listed, units).chunks(size) {
                let directories: Vec<Key> = portion.iter().map(|child| child.key(keys, &listed)).collect();
                let outcomes = self.visit(&directories)?;
                for ((child, key), outcome) in portion.iter().zip(directories).zip(outcomes) {
                    child.tell(key, outcome, &mut hollow);
                }
            }
        }
        self.settle(keys, &listed, hollow)
    }

    /// Whether directories hold nothing but directories and have not changed since the cutoff.
    fn are_old(&self, keys: &[Key], listed: &[Option<Children>]) -> Result<Vec<bool>> {
        let bare: Vec<usize> =
            (0..keys.len()).filter(|&index| listed[index].as_ref().is_some_and(|children| !children.others)).collect();
        let directories: Vec<Key> = bare.iter().map(|&index| keys[index].clone()).collect();
        let mut old = vec![false; keys.len()];
        for (index, time) in bare.into_iter().zip(directory_times(self.store, &directories, self.control)?) {
            old[index] = time.is_some_and(|time| time < self.cutoff);
        }
        Ok(old)
    }

    /// Removes what may go by itself.
    fn settle(
        &mut self,
        keys: &[Key],
        listed: &[Option<Children>],
        hollow: Vec<Option<Vec<Key>>>,
    ) -> Result<Vec<Outcome>> {
        let mut outcomes = Vec::with_capacity(keys.len());
        let mut going = Vec::new();
        for (index, hollow) in hollow.into_iter().enumerate() {
            outcomes.push(match hollow {
                _ if listed[index].is_none() => Outcome::Gone,
                None => Outcome::Stays,
                Some(inner) if Place::of(&keys[index]) == Some(Place::Inner) => Outcome::Hollow(inner),
                Some(inner) => {
                    going.push((index, inner));
                    Outcome::Stays
                }
            });
        }
        let depth = |key: &Key| std::cmp::Reverse(key.depth());
        let mut inner: Vec<&Key> = going.iter().flat_map(|(_, inner)| inner).collect();
        inner.sort_by_key(|key| depth(key));
        for alike in inner.chunk_by(|one, other| one.depth() == other.depth()) {
            let alike: Vec<Key> = alike.iter().map(|&key| key.clone()).collect();
            self.act(&alike)?;
        }
        let tops: Vec<Key> = going.iter().map(|&(index, _)| keys[index].clone()).collect();
        for ((index, inner), gone) in going.iter().zip(self.act(&tops)?) {
            if gone {
                outcomes[*index] = Outcome::Gone;
                self.found.repositories.extend(repository(&keys[*index], inner));
            }
        }
        Ok(outcomes)
    }

    fn act(&mut self, keys: &[Key]) -> Result<Vec<bool>> {
        let gone = (self.remove)(keys, &mut self.found)?;
        let count = gone.iter().filter(|&&gone| gone).count();
        self.found.directory_count += count;
        Control::count(&self.control.counters.removed, count);
        Ok(gone)
    }
}

/// The name of the repository that a directory was.
fn repository(key: &Key, inner: &[Key]) -> Option<Vec<u8>> {
    let had_any = inner.iter().any(|inner| inner.split_last().0 == *key);
    let name = key.strip_prefix(&Key::new(layout::REPOSITORIES)).filter(|_| Place::of(key) == Some(Place::Path));
    name.filter(|_| had_any).map(|name| name.as_bytes().to_vec())
}

#[cfg(test)]
mod tests;
