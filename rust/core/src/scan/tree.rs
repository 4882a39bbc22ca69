//! Finding the repositories and blob prefixes: listings from the root down, each directory named by its parent.

use std::collections::BTreeSet;

use super::bulk::{collect, collect_listed};
use crate::catalog::Note;
use crate::digest::Algorithm;
use crate::error::{Error, Kind, Result};
use crate::layout::{distribution as layout, quarantine};
use crate::progress::Control;
use crate::store::{Entry, EntryKind, Key, List};

/// A directory that is a repository.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) name: Vec<u8>,
    pub(super) has_manifests: bool,
    pub(super) has_layers: bool,
}

/// What the upper part of the tree holds.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub(super) repositories: Vec<Place>,
    pub(super) prefixes: BTreeSet<(Algorithm, u8)>,
    pub(super) notes: Vec<Note>,
    pub(super) database_in_use: bool,
    /// Whether runs have set something aside.
    pub(super) has_quarantines: bool,
}

/// Where the layout has a directory, only a directory will do.
///
/// A symbolic link there may lead to more of the registry, so nothing can be said about what is live.
/// Returns whether the entry is a directory; a plain file in such a place is noted and left alone.
pub(crate) fn is_directory(parent: &Key, entry: Entry<'_>, notes: &mut Vec<Note>) -> Result<bool> {
    match entry.kind {
        EntryKind::Directory => Ok(true),
        EntryKind::File => {
            notes.push(Note { key: parent.join(entry.name), reason: "a file where the layout has directories" });
            Ok(false)
        }
        EntryKind::Symlink | EntryKind::Special => Err(misplaced(parent, entry)),
    }
}

/// As [`is_directory`], for a place of fixed name: a file in it is no stray file but a broken layout.
pub(super) fn is_fixed_directory(parent: &Key, entry: Entry<'_>) -> Result<bool> {
    if entry.kind == EntryKind::Directory { Ok(true) } else { Err(misplaced(parent, entry)) }
}

fn misplaced(parent: &Key, entry: Entry<'_>) -> Error {
    let detail = match entry.kind {
        EntryKind::Symlink => "a symbolic link stands where the registry's layout has a directory",
        _ => "something else stands where the registry's layout has a directory",
    };
    Error::new(Kind::Layout, "scan", &parent.join(entry.name), detail)
}

#[derive(Default)]
struct Children {
    names: Vec<Vec<u8>>,
    notes: Vec<Note>,
}

/// The directories among the children of one directory.
fn subdirectories(store: &impl List, directory: &Key, control: &Control) -> Result<Children> {
    let mut listed =
        collect_listed(store, std::slice::from_ref(directory), control, |_, entry, all: &mut Children| {
            if is_directory(directory, entry, &mut all.notes)? {
                all.names.push(entry.name.to_vec());
            }
            Ok(())
        })?;
    Ok(listed.pop().unwrap_or_default())
}

pub(super) fn find(store: &impl List, control: &Control) -> Result<Tree> {
    let mut tree = Tree::default();
    let mut here = Key::root();
    for ancestor in layout::ANCESTORS {
        // Beside the registry there may be anything at all, so look only for the one name.
        let parent = here.clone();
        let listed = collect_listed(store, &[here.clone()], control, |_, entry, found: &mut (bool, bool, bool)| {
            if entry.name == ancestor.as_bytes() {
                found.0 = is_fixed_directory(&parent, entry)?;
            }
            found.1 |= entry.name == b"lockfiles" && parent.as_bytes() == b"docker/registry";
            if entry.name == quarantine::TOP.as_bytes() && parent == Key::root() {
                found.2 = is_fixed_directory(&parent, entry)?;
            }
            Ok(())
        })?;
        let (present, lockfiles, quarantines) = listed[0];
        tree.has_quarantines |= quarantines;
        if lockfiles {
            tree.database_in_use = has_database_marker(store, control)?;
        }
        here = here.join(ancestor);
        if !present {
            tree.notes.push(Note { key: here, reason: "nothing here: an empty registry, or not a storage root" });
            return Ok(tree);
        }
    }
    if !find_below(store, &here, &mut tree, control)? {
        tree.notes.push(Note { key: Key::new(layout::REPOSITORIES), reason: "there are no repositories" });
    }
    Control::count(&control.counters.repositories, tree.repositories.len());
    Ok(tree)
}

/// Finds what is in the directory of a registry, which exists. Tells whether it has repositories.
pub(super) fn find_below(store: &impl List, registry: &Key, tree: &mut Tree, control: &Control) -> Result<bool> {
    let listed = collect_listed(
        store,
        std::slice::from_ref(registry),
        control,
        |_, entry, found: &mut (bool, bool, Vec<Note>)| {
            match entry.name {
                b"repositories" => found.0 = is_fixed_directory(registry, entry)?,
                b"blobs" => found.1 = is_fixed_directory(registry, entry)?,
                name => found.2.push(Note { key: registry.join(name), reason: "not part of the registry's layout" }),
            }
            Ok(())
        },
    )?;
    let (has_repositories, has_blobs, ref notes) = listed[0];
    tree.notes.extend_from_slice(notes);
    if has_repositories {
        find_repositories(store, &registry.join("repositories"), tree, control)?;
    }
    if has_blobs {
        find_prefixes(store, &registry.join("blobs"), tree, control)?;
    }
    Ok(has_repositories)
}

fn has_database_marker(store: &impl List, control: &Control) -> Result<bool> {
    let directory = Key::new(layout::LOCKFILES);
    let listed = collect_listed(store, &[directory], control, |_, entry, found: &mut bool| {
        *found |= entry.name == layout::DATABASE_IN_USE.as_bytes();
        Ok(())
    })?;
    Ok(listed == [true])
}

/// What one directory below `repositories/` holds.
#[derive(Default)]
struct Level {
    has_manifests: bool,
    has_layers: bool,
    uploads: Option<EntryKind>,
    children: Vec<Vec<u8>>,
    notes: Vec<Note>,
}

/// Walks down `repositories/`, one level of all of it at a time, handing on each directory's name and what it holds.
fn walk(store: &impl List, top: &Key, control: &Control, mut visit: impl FnMut(Vec<u8>, Level)) -> Result<()> {
    let mut names: Vec<Vec<u8>> = vec![Vec::new()];
    while !names.is_empty() {
        let keys: Vec<Key> = names.iter().map(|name| top.join(name)).collect();
        let levels = collect_listed(store, &keys, control, |index, entry, level: &mut Level| {
            let parent = &keys[index];
            match entry.name {
                b"_manifests" => level.has_manifests = is_fixed_directory(parent, entry)?,
                b"_layers" => level.has_layers = is_fixed_directory(parent, entry)?,
                b"_uploads" => level.uploads = Some(entry.kind),
                [b'_', ..] => {
                    level
                        .notes
                        .push(Note { key: parent.join(entry.name), reason: "not part of the registry's layout" });
                }
                name => {
                    if is_directory(parent, entry, &mut level.notes)? {
                        level.children.push(name.to_vec());
                    }
                }
            }
            Ok(())
        })?;
        let mut next = Vec::new();
        for (name, mut level) in names.into_iter().zip(levels) {
            let children = std::mem::take(&mut level.children).into_iter();
            next.extend(children.map(|child| Key::new(&name).join(child).as_bytes().to_vec()));
            visit(name, level);
        }
        names = next;
    }
    Ok(())
}

fn find_repositories(store: &impl List, top: &Key, tree: &mut Tree, control: &Control) -> Result<()> {
    walk(store, top, control, |name, level| {
        tree.notes.extend(level.notes);
        if level.has_manifests || level.has_layers {
            if !layout::is_valid_repository_name(&name) {
                tree.notes.push(Note { key: top.join(&name), reason: "not a name that a registry serves" });
            }
            tree.repositories.push(Place { name, has_manifests: level.has_manifests, has_layers: level.has_layers });
        }
    })?;
    tree.repositories.sort_by(|one, other| walk_order(&one.name).cmp(walk_order(&other.name)));
    Ok(())
}

/// The repositories that have a place for uploads, in order; before the first push is through, it is all they have.
///
/// Where that place is no directory, it is noted.
pub(crate) fn find_uploads(store: &impl List, control: &Control) -> Result<(Vec<Vec<u8>>, Vec<Note>)> {
    let top = Key::new(layout::REPOSITORIES);
    let (mut names, mut notes) = (Vec::new(), Vec::new());
    if collect(store, std::slice::from_ref(&top), control, |_, _, (): &mut ()| Ok(()))? == [None] {
        notes.push(Note { key: top, reason: "there are no repositories" });
        return Ok((names, notes));
    }
    walk(store, &top, control, |name, level| match level.uploads {
        None => {}
        Some(EntryKind::Directory) if !name.is_empty() => names.push(name),
        Some(_) => {
            let key = top.join(&name).join(layout::UPLOADS);
            notes.push(Note { key, reason: "not a place for uploads as the registry makes them" });
        }
    })?;
    names.sort_by(|one, other| walk_order(one).cmp(walk_order(other)));
    Ok((names, notes))
}

/// The order in which the reference meets repositories: depth first, children by name, and a repository where its
/// `_manifests` is met. So "a/b" comes before "a-b", and "a/1" before "a" itself.
fn walk_order(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    name.split(|&byte| byte == b'/').chain([layout::MANIFESTS.as_bytes()])
}

fn find_prefixes(store: &impl List, blobs: &Key, tree: &mut Tree, control: &Control) -> Result<()> {
    let children = subdirectories(store, blobs, control)?;
    tree.notes.extend(children.notes);
    for name in children.names {
        let directory = blobs.join(&name);
        let Some(algorithm) = Algorithm::from_name(&name) else {
            tree.notes.push(Note { key: directory, reason: "an algorithm that regsweep does not know: left alone" });
            continue;
        };
        let prefixes = subdirectories(store, &directory, control)?;
        tree.notes.extend(prefixes.notes);
        for name in prefixes.names {
            match layout::parse_prefix(&name) {
                Some(prefix) => {
                    tree.prefixes.insert((algorithm, prefix));
                }
                None => tree.notes.push(Note { key: directory.join(name), reason: "not a blob prefix" }),
            }
        }
    }
    Ok(())
}
