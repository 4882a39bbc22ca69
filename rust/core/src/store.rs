//! Where the bytes are. A store knows directories, names and contents, and nothing of registries.
//!
//! Three small traits, bulk and synchronous: the caller hands over everything it wants of one kind at once, the
//! store spreads it over whatever parallelism suits it (threads and directory handles on a filesystem; requests in
//! flight on a bucket) and calls the visitor back, from many threads and in no order. Code that plans takes
//! [`List`] and [`Read`]; only `remove` takes [`Remove`], so a dry run holds nothing that could remove.

pub mod any;
pub mod bucket;
pub mod cached;
pub mod fs;
pub mod layers;
pub mod memory;

use std::time::{Duration, SystemTime};

use crate::error::{Error, Result};
pub use crate::key::Key;
use crate::progress::Control;

/// What a directory entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A directory (in a bucket: a common prefix).
    Directory,
    /// A regular file (in a bucket: an object).
    File,
    /// A symbolic link. Never followed.
    Symlink,
    /// A FIFO, a socket, a device.
    Special,
}

/// One child of a listed directory.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// The name, one component.
    pub name: &'a [u8],
    /// What it is.
    pub kind: EntryKind,
}

/// Some entries of one directory, packed together.
#[derive(Clone, Debug, Default)]
pub struct Entries {
    names: Names,
    kinds: Vec<EntryKind>,
}

impl Entries {
    /// Adds an entry.
    pub fn push(&mut self, name: &[u8], kind: EntryKind) {
        self.names.push(name);
        self.kinds.push(kind);
    }

    /// Forgets all entries, keeping the memory.
    pub fn clear(&mut self) {
        self.names.clear();
        self.kinds.clear();
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.kinds.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }

    /// The entries in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = Entry<'_>> {
        self.names.iter().zip(&self.kinds).map(|(name, &kind)| Entry { name, kind })
    }
}

/// A piece of one directory's listing.
#[derive(Clone, Copy, Debug)]
pub enum Page<'a> {
    /// There is no such directory; no other page follows.
    Absent,
    /// Some of the entries, in no order.
    Entries(&'a Entries),
    /// The listing is complete. Without this page it is not.
    End,
}

/// Size and time of a stored file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// The length of the content in bytes.
    pub size_bytes: u64,
    /// When the content was last written.
    pub modified: SystemTime,
    /// The MD5 checksum of the content, where the store tells it at no cost.
    pub md5: Option<[u8; 16]>,
}

impl Stat {
    /// The time that [`Stat::modified_seconds`] stands for.
    pub fn time_of_seconds(seconds: i64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
    }

    /// When it was written, in whole seconds since 1970; never before.
    pub fn modified_seconds(&self) -> i64 {
        let since = self.modified.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    }

    /// How long before `now` it was written; nothing if that lies in the future.
    pub fn age(&self, now: SystemTime) -> Duration {
        now.duration_since(self.modified).unwrap_or_default()
    }
}

/// Many names packed together.
#[derive(Clone, Debug, Default)]
pub struct Names {
    bytes: Vec<u8>,
    ends: Vec<u32>,
}

impl Names {
    /// Adds a name.
    ///
    /// # Panics
    /// When the names together pass 4 GiB; groups are kept far smaller.
    pub fn push(&mut self, name: &[u8]) {
        self.bytes.extend_from_slice(name);
        self.ends.push(u32::try_from(self.bytes.len()).expect("a group of names stays far below 4 GiB"));
    }

    /// Forgets all names, keeping the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// How many names there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The name at `index`.
    pub fn get(&self, index: usize) -> &[u8] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] as usize };
        &self.bytes[start..self.ends[index] as usize]
    }

    /// All names in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(|index| self.get(index))
    }
}

impl<Name: AsRef<[u8]>> FromIterator<Name> for Names {
    fn from_iter<Iter: IntoIterator<Item = Name>>(names: Iter) -> Self {
        let mut packed = Self::default();
        for name in names {
            packed.push(name.as_ref());
        }
        packed
    }
}

/// Files alike in place: `<directory>/<name>/<leaf>` for every name, or `<directory>/<name>` where the leaf is empty.
///
/// That is the shape of everything in a registry's tree, and it lets a filesystem open the directory once.
#[derive(Clone, Debug)]
pub struct Group {
    /// The directory that holds the names.
    pub directory: Key,
    /// The names, one component each.
    pub names: Names,
    /// What follows each name, for instance `link`, `data` or `current/link`; may be empty.
    pub leaf: &'static str,
}

impl Group {
    /// The most names to put into one group, so that a large directory still spreads over all threads.
    pub const SIZE: usize = 256;

    /// The key of the file at `index`.
    pub fn key(&self, index: usize) -> Key {
        self.directory.join(self.names.get(index)).join(self.leaf)
    }

    /// Cuts `names` of one directory into groups of at most [`Group::SIZE`].
    pub fn split(directory: &Key, leaf: &'static str, names: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Vec<Self> {
        let mut groups: Vec<Self> = Vec::new();
        for name in names {
            if groups.last().is_none_or(|group| group.names.len() >= Self::SIZE) {
                groups.push(Self { directory: directory.clone(), names: Names::default(), leaf });
            }
            if let Some(group) = groups.last_mut() {
                group.names.push(name.as_ref());
            }
        }
        groups
    }
}

/// What reading a file gave.
#[derive(Debug)]
pub enum Content<'a> {
    /// Nothing is stored there.
    Absent,
    /// The content. A file that is being written meanwhile may give only part of it: verify what matters.
    Whole(&'a [u8]),
    /// More than the limit is stored there; nothing of it is given but its beginning.
    TooLarge(&'a [u8]),
}

/// Receives the pages of listings: index of the directory, page. An error stops the whole listing.
pub type ListVisitor<'a> = dyn Fn(usize, Page<'_>) -> Result<()> + Sync + 'a;
/// Receives stats: index of the group, index in the group, what is there. An error stops.
pub type StatVisitor<'a> = dyn Fn(usize, usize, Option<Stat>) -> Result<()> + Sync + 'a;
/// Receives times of directories: index of the directory, when it was changed. An error stops.
pub type TimeVisitor<'a> = dyn Fn(usize, Option<SystemTime>) -> Result<()> + Sync + 'a;
/// Receives contents: index of the group, index in the group, the content. An error stops.
pub type ReadVisitor<'a> = dyn Fn(usize, usize, Content<'_>) -> Result<()> + Sync + 'a;
/// Receives outcomes of removals: index of the group, index in the group, outcome. Nothing stops.
pub type RemoveVisitor<'a> = dyn Fn(usize, usize, Result<Removal>) + Sync + 'a;

/// A multipart upload that nobody has finished: what is to be a file, in parts. S3 keeps it apart from files, and no listing
/// of those shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MultipartUpload {
    /// The file that it is to become. Several may be for the same.
    pub key: Key,
    /// What the store calls it.
    pub id: String,
    /// When it was begun, by the store's clock.
    pub initiated: SystemTime,
    /// When its newest part came; where it has none, when it was begun. Never before that.
    pub last_write: SystemTime,
    /// The sizes of its parts together.
    pub size_bytes: u64,
}

/// How a store gets things out of the registry's way, so that they can come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetsAside {
    /// They move, and keep their time. Whoever has them open can still write to them.
    ByMoving,
    /// They are copied, and have the time of that. Nothing can be written into a copy by accident.
    ByCopying,
    /// They are hidden where they are, and keep their time.
    ByHiding,
}

/// What one store does and another does not. By default, what a filesystem does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nature {
    /// Whether looking at a file after [`List::survey`] costs nothing, and tells a checksum where the store has one.
    pub knows_checksums: bool,
    /// Whether a directory is there without anything in it. In a bucket it is not, so that nothing tells an empty one from
    /// none.
    pub keeps_empty_directories: bool,
    /// How it sets things aside.
    pub sets_aside: SetsAside,
    /// How far the store's clock, which its times are by, is behind this machine's, as far as that is known.
    pub clock_lag: Duration,
    /// Of when the list of blobs is, where that is not from a look but from a report: then what [`List::list`] and
    /// [`List::stat_as_told`] say of blobs may not be so any more.
    pub reported: Option<SystemTime>,
}

impl Default for Nature {
    fn default() -> Self {
        Self {
            knows_checksums: false,
            keeps_empty_directories: true,
            sets_aside: SetsAside::ByMoving,
            clock_lag: Duration::ZERO,
            reported: None,
        }
    }
}

/// Listing and looking at what is there.
pub trait List: Sync {
    /// Takes a look at everything below some directories, where the store can see it all at once (a bucket lists it). From
    /// then on it answers from that look, until the next or until it removes something. Where every answer is a look of
    /// its own anyway, there is nothing to do.
    ///
    /// # Errors
    /// The first failure of a listing.
    fn survey(&self, directories: &[Key], control: &Control) -> Result<()> {
        let _ = (directories, control);
        Ok(())
    }

    /// What can be expected of it, as far as that is known by now.
    fn nature(&self) -> Nature {
        Nature::default()
    }

    /// Lists the direct children of each directory.
    ///
    /// # Errors
    /// The first failure of a listing, or of the visitor; also where a directory's place holds something else.
    fn list(&self, directories: &[Key], control: &Control, visit: &ListVisitor<'_>) -> Result<()>;

    /// Finds size and time of every file of the groups.
    ///
    /// # Errors
    /// The first failure; also where a file's place, or a directory on the way, holds a symlink or special file.
    fn stat(&self, groups: &[Group], control: &Control, visit: &StatVisitor<'_>) -> Result<()>;

    /// As [`List::stat`], but of what a report has told to the last [`List::survey`] that is believed. Enough to look for
    /// candidates, and not to remove one: ask [`List::stat`] before.
    ///
    /// # Errors
    /// As for [`List::stat`].
    fn stat_as_told(&self, groups: &[Group], control: &Control, visit: &StatVisitor<'_>) -> Result<()> {
        self.stat(groups, control, visit)
    }

    /// Finds the multipart uploads of the files named, and of all files below the directories named, by key. No place may
    /// lie below another. Nothing where the store keeps none; always a look of its own.
    ///
    /// # Errors
    /// The first failure of a listing.
    fn multipart_uploads(&self, places: &[Key], control: &Control) -> Result<Vec<MultipartUpload>> {
        let _ = places;
        control.check().map(|()| Vec::new())
    }

    /// Finds when each directory last gained or lost an entry; nothing for one that does not exist.
    ///
    /// # Errors
    /// As for [`List::list`].
    fn directory_times(&self, directories: &[Key], control: &Control, visit: &TimeVisitor<'_>) -> Result<()>;
}

/// Reading contents.
pub trait Read: Sync {
    /// Reads every file of the groups, up to `limit` bytes each.
    ///
    /// # Errors
    /// The first failure; also where a file's place, or a directory on the way, holds a symlink or special file.
    fn read(&self, groups: &[Group], limit: usize, control: &Control, visit: &ReadVisitor<'_>) -> Result<()>;
}

/// What became of a file that was to be removed.
#[derive(Debug)]
pub enum Removal {
    /// It is gone.
    Removed,
    /// It is gone; the directory that held it should have gone too, and could not.
    HolderStays(Error),
    /// It was gone already.
    Absent,
}

/// Whether the directory that held a removed file goes with it, once empty. Means nothing where the leaf is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// `<directory>/<name>` goes too if nothing else is in it.
    RemoveIfEmpty,
    /// `<directory>/<name>` stays.
    Keep,
}

/// Where files alike in place lie, one for each name: `<directory>/<name>/<leaf>`, or `<directory>/<name>` itself where
/// the leaf is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The directory that holds the names.
    pub directory: Key,
    /// What follows each name, one component, or nothing.
    pub leaf: &'static str,
}

impl Place {
    /// The key of what has this name here.
    pub fn key(&self, name: &[u8]) -> Key {
        let entry = self.directory.join(name);
        if self.leaf.is_empty() { entry } else { entry.join(self.leaf) }
    }
}

/// Files, or directories with all that is in them, that move from one place to another under the same names.
#[derive(Clone, Debug)]
pub struct Renames {
    /// The names, one component each.
    pub names: Names,
    /// Where they are.
    pub from: Place,
    /// Where they are to be. The directories that this takes are made.
    pub to: Place,
}

/// Receives outcomes of aborts: index of the multipart upload, outcome. Nothing stops.
pub type AbortVisitor<'a> = dyn Fn(usize, Result<Removal>) + Sync + 'a;

/// What became of something that was to be moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renamed {
    /// It is in its new place, with its time and content.
    Moved,
    /// It was not there.
    Absent,
    /// Something else is in its new place: both stay where they are.
    Occupied,
}

/// Receives outcomes of moves: index of the renames, index of the name, outcome. Nothing stops.
pub type RenameVisitor<'a> = dyn Fn(usize, usize, Result<Renamed>) + Sync + 'a;

/// Removing and moving. Only `crate::remove`, `crate::quarantine` and `crate::uploads` ask for this.
pub trait Remove: Sync {
    /// Removes every file of the groups. Each outcome goes to the visitor; no failure stops the rest.
    ///
    /// # Errors
    /// Only [`Kind::Cancelled`](crate::error::Kind::Cancelled): what was not yet visited was not removed.
    fn remove(&self, groups: &[Group], holder: Holder, control: &Control, visit: &RemoveVisitor<'_>) -> Result<()>;

    /// Moves everything named, never over something that is there. Each outcome goes to the visitor; no failure stops
    /// the rest.
    ///
    /// # Errors
    /// Only [`Kind::Cancelled`](crate::error::Kind::Cancelled): what was not yet visited was not moved.
    fn rename(&self, renames: &[Renames], control: &Control, visit: &RenameVisitor<'_>) -> Result<()>;

    /// Removes the directories `<directory>/<name>` of the groups, whatever their leaf, where they are empty. What is
    /// not empty or not there is passed over. Returns what could not be removed.
    ///
    /// # Errors
    /// Only [`Kind::Cancelled`](crate::error::Kind::Cancelled).
    fn remove_empty(&self, groups: &[Group], control: &Control) -> Result<Vec<Error>>;

    /// Aborts multipart uploads: their parts are removed, and they can no longer become files. Each outcome goes to the
    /// visitor; no failure stops the rest.
    ///
    /// # Errors
    /// Only [`Kind::Cancelled`](crate::error::Kind::Cancelled): what was not yet visited was not aborted.
    fn abort(&self, uploads: &[MultipartUpload], control: &Control, visit: &AbortVisitor<'_>) -> Result<()> {
        // Whoever keeps none has shown none.
        (0..uploads.len()).for_each(|index| visit(index, Ok(Removal::Absent)));
        control.check()
    }
}
