//! A store in memory: the plainest thing that honours the contract, for tests of everything above it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard};
use std::time::SystemTime;

use super::{
    Content, Entries, EntryKind, Group, Holder, Key, List, ListVisitor, Page, Read, ReadVisitor, Removal, Remove,
    RemoveVisitor, RenameVisitor, Renamed, Renames, Stat, StatVisitor, TimeVisitor,
};
use crate::error::{Error, Kind, Result};
use crate::progress::Control;

#[derive(Clone, Debug)]
enum Node {
    Directory { modified: SystemTime },
    File { content: Vec<u8>, modified: SystemTime },
    Other(EntryKind),
}

/// Directories, files and oddities, by key.
#[derive(Debug, Default)]
pub struct MemoryStore {
    nodes: Mutex<BTreeMap<Key, Node>>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn nodes(&self) -> MutexGuard<'_, BTreeMap<Key, Node>> {
        self.nodes.lock().expect("no thread panics while it holds the nodes")
    }

    /// Writes a file, and the directories above it.
    pub fn write(&self, key: impl AsRef<[u8]>, content: impl AsRef<[u8]>, modified: SystemTime) {
        self.place(&Key::new(key), Node::File { content: content.as_ref().to_vec(), modified });
    }

    /// Makes an empty directory, as of 1970, and those above it.
    pub fn make_directory(&self, key: impl AsRef<[u8]>) {
        self.set_directory_time(key, SystemTime::UNIX_EPOCH);
    }

    /// Sets the time of a directory, which is made if it is not there. What is put into it later sets another.
    pub fn set_directory_time(&self, key: impl AsRef<[u8]>, modified: SystemTime) {
        self.place(&Key::new(key), Node::Directory { modified });
    }

    /// Puts a symbolic link or a special file into the tree.
    pub fn put_oddity(&self, key: impl AsRef<[u8]>, kind: EntryKind) {
        self.place(&Key::new(key), Node::Other(kind));
    }

    /// Takes something away, with all below it.
    pub fn take(&self, key: impl AsRef<[u8]>) {
        let key = Key::new(key);
        let below = key.join("");
        self.nodes().retain(|other, _| other != &key && !is_below(other, &below));
    }

    /// All files, with their contents and times.
    pub fn contents(&self) -> BTreeMap<Key, (Vec<u8>, SystemTime)> {
        let file = |(key, node): (&Key, &Node)| match node {
            Node::File { content, modified } => Some((key.clone(), (content.clone(), *modified))),
            Node::Directory { .. } | Node::Other(_) => None,
        };
        self.nodes().iter().filter_map(file).collect()
    }

    /// The keys of all files.
    pub fn files(&self) -> BTreeSet<Key> {
        self.nodes().iter().filter(|(_, node)| matches!(node, Node::File { .. })).map(|(key, _)| key.clone()).collect()
    }

    fn place(&self, key: &Key, node: Node) {
        let mut nodes = self.nodes();
        let bytes = key.as_bytes();
        let written = match node {
            Node::File { modified, .. } => modified,
            _ => SystemTime::UNIX_EPOCH,
        };
        let mut is_new = !nodes.contains_key(key);
        // From below: a directory is as young as the last that was put into it.
        for (end, _) in bytes.iter().enumerate().rev().filter(|&(_, &byte)| byte == b'/') {
            let above = Key::new(&bytes[..end]);
            let was_there = nodes.contains_key(&above);
            let directory = nodes.entry(above).or_insert(Node::Directory { modified: written });
            if let Node::Directory { modified } = directory
                && is_new
            {
                *modified = written.max(*modified);
            }
            is_new = !was_there;
        }
        nodes.insert(key.clone(), node);
    }
}

fn is_below(key: &Key, directory: &Key) -> bool {
    let (key, directory) = (key.as_bytes(), directory.as_bytes());
    directory.is_empty() || (key.len() > directory.len() && key.starts_with(directory) && key[directory.len()] == b'/')
}

/// The node at `key`, refusing to pass through anything but directories.
fn resolve<'a>(nodes: &'a BTreeMap<Key, Node>, operation: &'static str, key: &Key) -> Result<Option<&'a Node>> {
    let bytes = key.as_bytes();
    for (end, _) in bytes.iter().enumerate().filter(|&(_, &byte)| byte == b'/') {
        match nodes.get(&Key::new(&bytes[..end])) {
            None => return Ok(None),
            Some(Node::Directory { .. }) => {}
            Some(_) => return Err(Error::new(Kind::Layout, operation, key, "not a directory on the way")),
        }
    }
    Ok(nodes.get(key))
}

fn each_file(
    groups: &[Group],
    control: &Control,
    mut visit: impl FnMut(usize, usize, &Key) -> Result<()>,
) -> Result<()> {
    for (group_index, group) in groups.iter().enumerate() {
        for index in 0..group.names.len() {
            control.check()?;
            visit(group_index, index, &group.key(index))?;
        }
    }
    Ok(())
}

impl List for MemoryStore {
    fn list(&self, directories: &[Key], control: &Control, visit: &ListVisitor<'_>) -> Result<()> {
        for (index, key) in directories.iter().enumerate() {
            control.check()?;
            let nodes = self.nodes();
            match resolve(&nodes, "list", key)? {
                None if key != &Key::root() => {
                    drop(nodes);
                    visit(index, Page::Absent)?;
                    continue;
                }
                None | Some(Node::Directory { .. }) => {}
                Some(_) => return Err(Error::new(Kind::Layout, "list", key, "not a directory")),
            }
            let mut entries = Entries::default();
            let skip = if key.as_bytes().is_empty() { 0 } else { key.as_bytes().len() + 1 };
            for (child, node) in nodes.iter().filter(|(child, _)| is_inside(child, key)) {
                let name = &child.as_bytes()[skip..];
                if !name.contains(&b'/') {
                    let kind = match node {
                        Node::Directory { .. } => EntryKind::Directory,
                        Node::File { .. } => EntryKind::File,
                        Node::Other(kind) => *kind,
                    };
                    entries.push(name, kind);
                }
            }
            drop(nodes);
            if !entries.is_empty() {
                visit(index, Page::Entries(&entries))?;
            }
            visit(index, Page::End)?;
        }
        Ok(())
    }

    fn stat(&self, groups: &[Group], control: &Control, visit: &StatVisitor<'_>) -> Result<()> {
        each_file(groups, control, |group, index, key| {
            let stat = match resolve(&self.nodes(), "stat", key)? {
                None => None,
                Some(Node::File { content, modified }) => {
                    Some(Stat { size_bytes: content.len() as u64, modified: *modified, md5: None })
                }
                Some(_) => return Err(Error::new(Kind::Layout, "stat", key, "not a file")),
            };
            visit(group, index, stat)
        })
    }

    fn directory_times(&self, directories: &[Key], control: &Control, visit: &TimeVisitor<'_>) -> Result<()> {
        for (index, key) in directories.iter().enumerate() {
            control.check()?;
            let modified = match resolve(&self.nodes(), "stat", key)? {
                None => None,
                Some(Node::Directory { modified }) => Some(*modified),
                Some(_) => return Err(Error::new(Kind::Layout, "stat", key, "not a directory")),
            };
            visit(index, modified)?;
        }
        Ok(())
    }
}

impl Read for MemoryStore {
    fn read(&self, groups: &[Group], limit: usize, control: &Control, visit: &ReadVisitor<'_>) -> Result<()> {
        each_file(groups, control, |group, index, key| {
            let content = match resolve(&self.nodes(), "read", key)? {
                None => return visit(group, index, Content::Absent),
                Some(Node::File { content, .. }) => content.clone(),
                Some(_) => return Err(Error::new(Kind::Layout, "read", key, "not a file")),
            };
            if content.len() > limit {
                visit(group, index, Content::TooLarge(&content[..limit]))
            } else {
                visit(group, index, Content::Whole(&content))
            }
        })
    }
}

impl Remove for MemoryStore {
    fn remove(&self, groups: &[Group], holder: Holder, control: &Control, visit: &RemoveVisitor<'_>) -> Result<()> {
        each_file(groups, control, |group, index, key| {
            let mut nodes = self.nodes();
            let outcome = match resolve(&nodes, "remove", key) {
                Err(error) => Err(error),
                Ok(None) => Ok(Removal::Absent),
                Ok(Some(Node::Directory { .. })) => Err(Error::new(Kind::Layout, "remove", key, "a directory")),
                Ok(Some(_)) => {
                    nodes.remove(key);
                    Ok(Removal::Removed)
                }
            };
            if holder == Holder::RemoveIfEmpty && !groups[group].leaf.is_empty() {
                remove_if_empty(&mut nodes, &groups[group].directory.join(groups[group].names.get(index)));
            }
            drop(nodes);
            visit(group, index, outcome);
            Ok(())
        })
    }

    fn rename(&self, renames: &[Renames], control: &Control, visit: &RenameVisitor<'_>) -> Result<()> {
        for (number, renames) in renames.iter().enumerate() {
            for index in 0..renames.names.len() {
                control.check()?;
                let name = renames.names.get(index);
                visit(number, index, self.rename_one(&renames.from.key(name), &renames.to.key(name)));
            }
        }
        Ok(())
    }

    fn remove_empty(&self, groups: &[Group], control: &Control) -> Result<Vec<Error>> {
        for group in groups {
            for name in group.names.iter() {
                control.check()?;
                remove_if_empty(&mut self.nodes(), &group.directory.join(name));
            }
        }
        Ok(Vec::new())
    }
}

fn remove_if_empty(nodes: &mut BTreeMap<Key, Node>, key: &Key) {
    if matches!(nodes.get(key), Some(Node::Directory { .. })) && !nodes.keys().any(|other| is_inside(other, key)) {
        nodes.remove(key);
    }
}

fn is_inside(key: &Key, directory: &Key) -> bool {
    key != directory && is_below(key, directory)
}

impl MemoryStore {
    fn rename_one(&self, from: &Key, to: &Key) -> Result<Renamed> {
        let nodes = self.nodes();
        let Some(node) = resolve(&nodes, "move", from)?.cloned() else { return Ok(Renamed::Absent) };
        if resolve(&nodes, "move", to)?.is_some() {
            return Ok(Renamed::Occupied);
        }
        let below: Vec<(Key, Node)> = nodes
            .iter()
            .filter(|(key, _)| is_inside(key, from))
            .map(|(key, node)| (to.join(&key.as_bytes()[from.as_bytes().len() + 1..]), node.clone()))
            .collect();
        drop(nodes);
        self.take(from.as_bytes());
        self.place(to, node);
        for (key, node) in below {
            self.place(&key, node);
        }
        Ok(Renamed::Moved)
    }
}
