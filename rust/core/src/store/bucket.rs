//! A store in a bucket: S3, Google Cloud Storage, Azure.
//!
//! ```text
//! List, Read, Remove      the seam, synchronous and in bulk
//!   walk → snapshot       one listing of everything, side by side; answers come from it until something is removed
//!   client                leave, signing, waiting, trying again
//!     dialect: s3 …       what a request and an answer look like
//!   object_store          credentials, signatures, HTTP
//! ```
//!
//! A bucket has no directories: they are what keys have in common up to a slash, and are gone with the last key. A
//! listing tells size, time and often a checksum of every key, so that only contents are ever asked for one by one.
//! What the listing does not show is asked for again, by another request: absence takes two witnesses here, too.

mod azure;
mod client;
mod clock;
mod copies;
mod dialect;
mod gcs;
mod hidden;
mod inventory;
mod look;
mod moves;
mod multipart;
mod objects;
mod options;
mod page;
mod parts;
mod record;
mod removal;
mod s3;
mod snapshot;
mod spread;
mod throttle;
mod versions;
mod walk;
mod xml;

use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock, RwLock};
use std::time::SystemTime;

use bytes::Bytes;
pub use client::{Patience, Requests};
pub use copies::Copying;
pub use dialect::Condition;
pub use options::{AzureKeys, DEFAULT_JOBS, GcsKeys, Options, Provider, Secret, Unusable};

use super::{
    AbortVisitor, Content, Entries, EntryKind, Group, Holder, Key, List, ListVisitor, MultipartUpload, Nature, Page,
    Read, ReadVisitor, Removal, Remove, RemoveVisitor, RenameVisitor, Renames, SetsAside, Stat, StatVisitor,
    TimeVisitor,
};
use crate::error::{Error, Kind, Result};
use crate::layout::{distribution as layout, quarantine};
use crate::parallel::{cores, for_each};
use crate::progress::Control;
use client::{Client, Purpose, Reading};
use dialect::{Doomed, KeyOutcome};
use hidden::Aside;
use inventory::Inventory;
use options::LeadingSlash;
use page::{Query, Start};
use snapshot::{Cursor, Snapshot};
use throttle::Throttle;

/// A bucket, or what lies below a prefix of one.
#[derive(Debug)]
pub struct Bucket {
    url: String,
    client: Client,
    /// What stands before every key: empty, or with a slash at its end. Not set as long as it is not known.
    root: OnceLock<Vec<u8>>,
    /// What it may be.
    spellings: [Vec<u8>; 2],
    jobs: usize,
    copying: Copying,
    looked: RwLock<Option<Arc<Looked>>>,
    /// The last look, although something was changed since: what is hidden is hidden as it was seen.
    seen: RwLock<Option<Arc<Looked>>>,
    aside: Mutex<Aside>,
    /// What a survey takes for a listing of blobs.
    inventory: Option<Inventory>,
}

/// A look at some directories.
#[derive(Debug)]
struct Looked {
    directories: Vec<Key>,
    snapshot: Snapshot,
    /// In place of that: everything below `.regsweep`, where something is only to be seen there.
    tree: Option<Arc<Snapshot>>,
}

impl Looked {
    fn covers(&self, key: &Key) -> bool {
        self.directories.iter().any(|directory| key.starts_with(directory))
    }

    /// A place to look for a key from, or for what is in a directory.
    fn cursor(&self, key: &Key) -> Cursor<'_> {
        match &self.tree {
            Some(tree) if key.starts_with(&Key::new(quarantine::TOP)) => tree.cursor(),
            _ => self.snapshot.cursor(),
        }
    }

    /// Whether all that was looked at lies in there.
    fn is_below(&self, key: &Key) -> bool {
        self.directories.iter().any(|directory| directory.starts_with(key))
    }
}

/// Entries handed over at once.
const ENTRIES: usize = 1024;

impl Bucket {
    /// Makes ready to use a bucket. Nothing is asked of it yet.
    ///
    /// # Errors
    /// What is wrong with the options.
    pub fn open(options: &Options) -> Result<Self, Unusable> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(cores().min(4))
            .thread_name("regsweep-io")
            .enable_all()
            .build()
            .map_err(|error| Unusable(format!("no threads for requests: {error}")))?;
        let inventory = Inventory::open(options)?;
        let jobs = options.jobs.max(1);
        let throttle = Throttle::new(jobs, options.max_requests_per_second);
        // Clients look for the runtime that they are to run on.
        let entered = runtime.enter();
        let (http, dialect) = (options.http()?, options.dialect()?);
        drop(entered);
        let client = Client::new(runtime, http, dialect, throttle, options.patience);
        let root = match options.leading_slash() {
            LeadingSlash::Unknown => OnceLock::new(),
            slash => OnceLock::from(options.prefix(slash == LeadingSlash::Yes)),
        };
        let spellings = [false, true].map(|slash| options.prefix(slash));
        Ok(Self {
            url: options.url(),
            client,
            root,
            spellings,
            jobs,
            copying: options.copying,
            looked: RwLock::default(),
            seen: RwLock::default(),
            aside: Mutex::default(),
            inventory,
        })
    }

    /// Finds out whether names begin with a slash, as the registry's driver for Azure wrote them before 3.0.
    fn settle(&self, control: &Control) -> Result<()> {
        if self.root.get().is_some() {
            return Ok(());
        }
        let mut there = [false; 2];
        for (there, spelling) in there.iter_mut().zip(&self.spellings) {
            *there = self.first_below([spelling, layout::TOP.as_bytes(), b"/"].concat(), control)?.is_some();
        }
        if there == [true, true] {
            let detail = "the container holds the registry of a 2.8, whose names begin with a slash, beside that of a 3.x: \
                          say which of them is meant";
            return Err(Error::new(Kind::Argument, "open", &Key::root(), detail));
        }
        let [plain, slashed] = &self.spellings;
        // Where another thread was first it has found the same.
        let _ = self.root.set(if there[1] { slashed.clone() } else { plain.clone() });
        Ok(())
    }

    /// How an operator would name it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// How many requests are under way at once, at the most.
    pub const fn jobs(&self) -> usize {
        self.jobs
    }

    /// What was asked of the store so far.
    pub const fn requests(&self) -> &Requests {
        &self.client.requests
    }

    /// How many keys the last look has shown.
    pub fn listed_count(&self) -> usize {
        self.looked().map_or(0, |looked| looked.snapshot.len())
    }

    const fn client(&self) -> &Client {
        &self.client
    }

    fn looked(&self) -> Option<Arc<Looked>> {
        self.looked.read().expect("no thread panics while it looks").clone()
    }

    /// What was seen is not what is there any more.
    fn forget(&self) {
        let looked = self.looked.write().expect("no thread panics while it looks").take();
        if self.hides() && looked.is_some() {
            *self.seen.write().expect("no thread panics while it looks") = looked;
        }
    }

    /// What was seen, whatever has become of it.
    fn seen(&self) -> Option<Arc<Looked>> {
        self.looked().or_else(|| self.seen.read().expect("no thread panics while it looks").clone())
    }

    /// The key in the bucket.
    fn full(&self, key: &Key) -> Vec<u8> {
        let root = self.root.get().expect("every operation settles first");
        [root, key.as_bytes()].concat()
    }

    /// What the keys below a directory begin with.
    fn prefix(&self, directory: &Key) -> Vec<u8> {
        let mut prefix = self.full(directory);
        prefix.extend((!directory.as_bytes().is_empty()).then_some(b'/'));
        prefix
    }

    fn list_looked(
        &self,
        cursor: &mut Cursor<'_>,
        index: usize,
        directory: &Key,
        visit: &ListVisitor<'_>,
    ) -> Result<()> {
        let mut entries = Entries::default();
        let exists = cursor.children(&self.prefix(directory), |name, kind| {
            entries.push(name, kind);
            if entries.len() == ENTRIES {
                visit(index, Page::Entries(&entries))?;
                entries.clear();
            }
            Ok(())
        })?;
        // The root is there even where nothing is in it.
        finish(index, exists || directory.as_bytes().is_empty(), &entries, visit)
    }

    fn list_now(&self, index: usize, directory: &Key, control: &Control, visit: &ListVisitor<'_>) -> Result<()> {
        let prefix = self.prefix(directory);
        let start = Start::After(Vec::new());
        let mut query = Query { prefix, start, delimited: true, limit: None };
        let (mut found, mut exists, mut last) = (page::Page::default(), false, Vec::new());
        loop {
            walk::page(&self.client, &query, &last, control, &mut found)?;
            exists |= found.last().is_some();
            last = found.last().map_or(last, <[u8]>::to_vec);
            let mut entries = Entries::default();
            let name = |key: &[u8]| key.get(query.prefix.len()..).unwrap_or_default().to_vec();
            for key in found.keys.iter().map(name).filter(|name| !name.is_empty()) {
                entries.push(&key, EntryKind::File);
            }
            for prefix in found.prefixes.iter().map(name) {
                if let Some(child) = prefix.strip_suffix(b"/").filter(|child| !child.is_empty()) {
                    entries.push(child, EntryKind::Directory);
                }
            }
            if !found.truncated {
                return finish(index, exists || directory.as_bytes().is_empty(), &entries, visit);
            }
            visit(index, Page::Entries(&entries))?;
            query.start = found.token.take().map_or_else(|| Start::After(last.clone()), Start::Token);
        }
    }

    /// Looks at one key by a listing, whose times are those of all other listings.
    fn stat_now(&self, key: &Key, control: &Control) -> Result<Option<Stat>> {
        let full = self.full(key);
        let first = self.first_below(full.clone(), control)?;
        Ok(first.filter(|(key, _)| *key == full).map(|(_, stat)| stat))
    }

    /// The first key that begins with a text. A page without keys is no end where it says that it goes on, as Azure's may.
    fn first_below(&self, prefix: Vec<u8>, control: &Control) -> Result<Option<(Vec<u8>, Stat)>> {
        let start = Start::After(Vec::new());
        let mut query = Query { prefix, start, delimited: false, limit: Some(1) };
        let mut found = page::Page::default();
        loop {
            walk::page(&self.client, &query, b"", control, &mut found)?;
            if let Some((key, stat)) = found.keys.iter().zip(&found.stats).next() {
                return Ok(Some((key.to_vec(), *stat)));
            }
            match found.token.take() {
                Some(token) => query.start = Start::Token(token),
                None => return Ok(None),
            }
        }
    }

    /// Reads an object, of which so many bytes are known to be there, or nothing is known.
    fn read_one(
        &self,
        key: &Key,
        size_bytes: Option<u64>,
        limit: usize,
        control: &Control,
        visit: impl FnOnce(Content<'_>) -> Result<()>,
    ) -> Result<()> {
        // One byte more tells whether that is all.
        let most = limit as u64 + 1;
        let range = size_bytes.is_none_or(|size| size >= most).then_some(0..most);
        give(self.get(key, range.as_ref(), control)?, limit, visit)
    }

    /// An object, or some bytes of it.
    fn get(&self, key: &Key, range: Option<&Range<u64>>, control: &Control) -> Result<Option<Bytes>> {
        let full = self.full(key);
        let dialect = self.client.dialect();
        self.client.send(
            Purpose::Get,
            key,
            control,
            || dialect.get(&full, range.cloned()),
            |answer| {
                match answer.status.as_u16() {
                    200 | 206 => Reading::Done(Some(answer.body.clone())),
                    404 if is_missing_key(&dialect.explain(&answer.body).0) => Reading::Done(None),
                    // It ends before the first of these bytes.
                    416 => Reading::Done(Some(Bytes::new())),
                    _ => Reading::Refused,
                }
            },
        )
    }
}

/// Not a bucket that is missing: that is no absence of a key.
fn is_missing_key(code: &str) -> bool {
    !matches!(code, "NoSuchBucket" | "ContainerNotFound" | "ResourceNotFound" | "AccountNotFound")
}

fn give(body: Option<Bytes>, limit: usize, visit: impl FnOnce(Content<'_>) -> Result<()>) -> Result<()> {
    match body {
        None => visit(Content::Absent),
        Some(body) if body.len() > limit => visit(Content::TooLarge(&body[..limit])),
        Some(body) => visit(Content::Whole(&body)),
    }
}

fn finish(index: usize, exists: bool, entries: &Entries, visit: &ListVisitor<'_>) -> Result<()> {
    if !exists {
        return visit(index, Page::Absent);
    }
    if !entries.is_empty() {
        visit(index, Page::Entries(entries))?;
    }
    visit(index, Page::End)
}

/// Index of the group and index in it of each file of the groups.
fn files(groups: &[Group]) -> Vec<(usize, usize)> {
    let all = groups.iter().enumerate();
    all.flat_map(|(group, files)| (0..files.names.len()).map(move |index| (group, index))).collect()
}

impl List for Bucket {
    fn survey(&self, directories: &[Key], control: &Control) -> Result<()> {
        self.settle(control)?;
        self.forget();
        *self.seen.write().expect("no thread panics while it looks") = None;
        let snapshot = self.look_at_all(directories, control)?;
        let mut looked = Looked { directories: directories.to_vec(), snapshot, tree: None };
        if directories.contains(&Key::new(quarantine::TOP)) {
            self.look_aside(&looked, control)?;
        }
        looked.tree = self.tree();
        *self.looked.write().expect("no thread panics while it looks") = Some(Arc::new(looked));
        Ok(())
    }

    fn nature(&self) -> Nature {
        Nature {
            knows_checksums: true,
            keeps_empty_directories: false,
            sets_aside: if self.hides() { SetsAside::ByHiding } else { SetsAside::ByCopying },
            clock_lag: self.client.clock.lag(),
            reported: self.inventory.as_ref().and_then(Inventory::created),
        }
    }

    fn list(&self, directories: &[Key], control: &Control, visit: &ListVisitor<'_>) -> Result<()> {
        self.settle(control)?;
        let looked = self.looked();
        let seen = |key: &Key| {
            let looked = looked.as_ref().filter(|looked| looked.covers(key) || looked.is_below(key));
            looked.filter(|_| !self.is_told_blob(key))
        };
        // What was seen takes no waiting; what was not does.
        let jobs = if directories.iter().all(|key| seen(key).is_some()) { cores() } else { self.jobs };
        for_each(jobs, directories.len(), control, |index, (): &mut ()| match seen(&directories[index]) {
            Some(looked) => {
                self.list_looked(&mut looked.cursor(&directories[index]), index, &directories[index], visit)
            }
            None => self.list_now(index, &directories[index], control, visit),
        })
    }

    fn stat(&self, groups: &[Group], control: &Control, visit: &StatVisitor<'_>) -> Result<()> {
        self.settle(control)?;
        let looked = self.looked();
        let (mut seen, mut unseen, mut told) = (Vec::new(), Vec::new(), Vec::new());
        for (number, group) in groups.iter().enumerate() {
            let files = (0..group.names.len()).map(|index| (number, index));
            match &looked {
                _ if self.is_told(&group.directory) => told.extend(files),
                Some(looked) if looked.covers(&group.directory) => seen.push(number),
                _ => unseen.extend(files),
            }
        }
        self.look_again(groups, &told, control, visit)?;
        if let Some(looked) = &looked {
            for_each(cores(), seen.len(), control, |item, (): &mut ()| {
                let number = seen[item];
                let group = &groups[number];
                let mut cursor = looked.cursor(&group.directory);
                (0..group.names.len()).try_for_each(|index| {
                    let stat = cursor.find(&self.full(&group.key(index)))?;
                    visit(number, index, stat)
                })
            })?;
        }
        for_each(self.jobs, unseen.len(), control, |item, (): &mut ()| {
            let (group, index) = unseen[item];
            let key = groups[group].key(index);
            let stat = if self.is_aside(&key) { self.stat_aside(&key, control) } else { self.stat_now(&key, control) };
            visit(group, index, stat?)
        })
    }

    fn stat_as_told(&self, groups: &[Group], control: &Control, visit: &StatVisitor<'_>) -> Result<()> {
        self.settle(control)?;
        match self.looked().filter(|_| self.inventory.is_some()) {
            Some(looked) => self.stat_told(&looked, groups, control, visit),
            None => self.stat(groups, control, visit),
        }
    }

    fn multipart_uploads(&self, places: &[Key], control: &Control) -> Result<Vec<MultipartUpload>> {
        self.settle(control)?;
        self.find_multipart(places, control)
    }

    /// A bucket's directory has the time of what was written last of all that is in it.
    fn directory_times(&self, directories: &[Key], control: &Control, visit: &TimeVisitor<'_>) -> Result<()> {
        self.settle(control)?;
        for_each(self.jobs, directories.len(), control, |index, (): &mut ()| {
            let prefix = self.prefix(&directories[index]);
            let looked = self.looked().filter(|looked| looked.covers(&directories[index]));
            let looked = if let Some(looked) = looked {
                looked
            } else {
                let snapshot = walk::walk(&self.client, std::slice::from_ref(&prefix), 1, control)?;
                Arc::new(Looked { directories: Vec::new(), snapshot, tree: None })
            };
            let mut cursor = looked.cursor(&directories[index]);
            cursor.seek(&prefix)?;
            let mut newest: Option<SystemTime> = None;
            while let Some((_, stat)) = cursor.current().filter(|(key, _)| key.starts_with(&prefix)) {
                newest = newest.max(Some(stat.modified));
                cursor.advance()?;
            }
            visit(index, newest)
        })
    }
}

impl Read for Bucket {
    fn read(&self, groups: &[Group], limit: usize, control: &Control, visit: &ReadVisitor<'_>) -> Result<()> {
        self.settle(control)?;
        let looked = self.looked();
        let files = files(groups);
        for_each(self.jobs, files.len(), control, |item, (): &mut ()| {
            let (group, index) = files[item];
            let key = groups[group].key(index);
            if self.is_aside(&key) {
                return give(self.get_aside(&key, control)?, limit, |content| visit(group, index, content));
            }
            let seen = looked.as_ref().filter(|looked| looked.covers(&key));
            let size_bytes = match seen {
                None => None,
                // Read whatever was told of it. That it is not there takes two witnesses, of which a report is none.
                Some(_) if self.is_told(&key) => {
                    return self.read_one(&key, None, limit, control, |content| match content {
                        Content::Absent if self.stat_now(&key, control)?.is_some() => {
                            let detail = "a listing names it and a read finds nothing: run again";
                            Err(Error::new(Kind::Changed, "read", &key, detail))
                        }
                        content => visit(group, index, content),
                    });
                }
                Some(looked) => match looked.cursor(&key).find(&self.full(&key))? {
                    Some(stat) => Some(stat.size_bytes),
                    // The second witness: a listing of nothing but this.
                    None if self.stat_now(&key, control)?.is_none() => return visit(group, index, Content::Absent),
                    None => None,
                },
            };
            if size_bytes == Some(0) {
                return visit(group, index, Content::Whole(b""));
            }
            self.read_one(&key, size_bytes, limit, control, |content| visit(group, index, content))
        })
    }
}

impl Remove for Bucket {
    /// The directory that held a file is gone with the last of its files, whether wanted or not.
    fn remove(&self, groups: &[Group], _holder: Holder, control: &Control, visit: &RemoveVisitor<'_>) -> Result<()> {
        self.settle(control)?;
        self.forget();
        let (aside, files): (Vec<_>, Vec<_>) =
            files(groups).into_iter().partition(|&(group, index)| self.is_aside(&groups[group].key(index)));
        let key = |&(group, index): &(usize, usize)| groups[group].key(index);
        let report = |file: &(usize, usize), outcome: KeyOutcome| {
            let outcome = match outcome {
                KeyOutcome::Removed | KeyOutcome::Hidden => Ok(Removal::Removed),
                KeyOutcome::Absent => Ok(Removal::Absent),
                KeyOutcome::Again(text) | KeyOutcome::Failed(text) => {
                    Err(Error::io("remove", &key(file), std::io::Error::other(text)))
                }
            };
            visit(file.0, file.1, outcome);
        };
        // An error that is none of a key's own is that of each.
        let all = |chunk: &[(usize, usize)], outcomes: Result<Vec<KeyOutcome>>| match outcomes {
            Err(error) if error.kind() == Kind::Cancelled => Err(error),
            Err(error) => {
                let text = error.io_source().map_or_else(|| error.to_string(), ToString::to_string);
                for file in chunk {
                    report(file, KeyOutcome::Failed(text.clone()));
                }
                Ok(())
            }
            Ok(outcomes) => {
                chunk.iter().zip(outcomes).for_each(|(file, outcome)| report(file, outcome));
                Ok(())
            }
        };
        let size = self.client.dialect().removal_size();
        let chunks: Vec<&[(usize, usize)]> = files.chunks(size).collect();
        for_each(self.jobs, chunks.len(), control, |item, (): &mut ()| {
            let chunk = chunks[item];
            let keys: Vec<Doomed> = chunk.iter().map(|file| Doomed::key(self.full(&key(file)))).collect();
            all(chunk, self.remove_some(&keys, &key(&chunk[0]), control))
        })?;
        let aside_keys: Vec<Key> = aside.iter().map(key).collect();
        all(&aside, self.purge_aside(&aside_keys, control))
    }

    fn rename(&self, renames: &[Renames], control: &Control, visit: &RenameVisitor<'_>) -> Result<()> {
        self.settle(control)?;
        self.forget();
        self.rename_all(renames, control, visit)
    }

    /// There are no empty directories in a bucket.
    fn remove_empty(&self, _groups: &[Group], control: &Control) -> Result<Vec<Error>> {
        control.check().map(|()| Vec::new())
    }

    fn abort(&self, uploads: &[MultipartUpload], control: &Control, visit: &AbortVisitor<'_>) -> Result<()> {
        self.settle(control)?;
        self.abort_all(uploads, control, visit)
    }
}
