//! What one listing of a bucket has shown: all keys in order, with size, time and checksum, small enough to keep.
//!
//! ```text
//! runs, made side by side         blocks of some 16 KiB            first keys, in memory
//! (a…f] (f…m] (m…]         ─→     packed, spilled past 8 MiB  ─→   binary search, then through one block
//! ```
//!
//! Directories are what keys have in common up to a slash, as everywhere with buckets. Listing one steps from child to
//! child and over whatever lies below each, block by block.

use std::sync::Arc;

use super::record;
use crate::error::{Error, Kind, Result};
use crate::key::Key;
use crate::spill::{Kept, Spill};
use crate::store::{EntryKind, Stat};

/// Bytes of a block, which a lookup reads through. Larger ones take less memory for their first keys.
const BLOCK: usize = 16 * 1024;
/// Bytes of blocks kept in memory.
const RESIDENT_LIMIT: usize = 8 * 1024 * 1024;

#[derive(Debug)]
struct Block {
    first: Box<[u8]>,
    kept: Kept,
    length: usize,
}

/// Packs the keys of one range, in order, by one thread.
#[derive(Debug)]
pub(super) struct Run {
    spill: Arc<Spill>,
    blocks: Vec<Block>,
    first: Vec<u8>,
    last: Vec<u8>,
    bytes: Vec<u8>,
    count: usize,
}

impl Run {
    pub(super) fn new(spill: &Arc<Spill>) -> Self {
        let spill = Arc::clone(spill);
        Self { spill, blocks: Vec::new(), first: Vec::new(), last: Vec::new(), bytes: Vec::new(), count: 0 }
    }

    /// Adds a key greater than all before.
    pub(super) fn push(&mut self, key: &[u8], stat: &Stat) {
        if self.bytes.len() >= BLOCK {
            self.finish_block();
        }
        if self.bytes.is_empty() {
            self.first.clear();
            self.first.extend_from_slice(key);
            self.last.clear();
        }
        record::push(&self.last, key, stat, &mut self.bytes);
        self.last.clear();
        self.last.extend_from_slice(key);
        self.count += 1;
    }

    /// The last key; nothing's, before there is one.
    pub(super) fn last(&self) -> &[u8] {
        &self.last
    }

    fn finish_block(&mut self) {
        if !self.bytes.is_empty() {
            let length = self.bytes.len();
            let kept = self.spill.keep(std::mem::take(&mut self.bytes));
            self.blocks.push(Block { first: self.first.as_slice().into(), kept, length });
        }
    }
}

/// All keys below some prefixes, as they were listed.
#[derive(Debug)]
pub(super) struct Snapshot {
    spill: Arc<Spill>,
    blocks: Vec<Block>,
    count: usize,
}

/// Where runs put their bytes.
pub(super) fn spill() -> Arc<Spill> {
    Arc::new(Spill::new(RESIDENT_LIMIT))
}

impl Snapshot {
    /// Puts runs together.
    ///
    /// # Errors
    /// When their ranges overlap: nothing could be found in such a snapshot with certainty.
    pub(super) fn new(spill: Arc<Spill>, mut runs: Vec<Run>) -> Result<Self> {
        runs.iter_mut().for_each(Run::finish_block);
        runs.retain(|run| run.count > 0);
        runs.sort_unstable_by(|one, other| one.blocks[0].first.cmp(&other.blocks[0].first));
        if let Some(pair) = runs.windows(2).find(|pair| pair[0].last.as_slice() >= &*pair[1].blocks[0].first) {
            let detail = "two parts of a listing hold the same keys: the store does not list in the order of its keys";
            return Err(Error::new(Kind::Io, "list", &Key::new(&pair[0].last), detail));
        }
        let count = runs.iter().map(|run| run.count).sum();
        let mut blocks: Vec<Block> = runs.into_iter().flat_map(|run| run.blocks).collect();
        blocks.shrink_to_fit();
        Ok(Self { spill, blocks, count })
    }

    /// How many keys there are.
    pub(super) const fn len(&self) -> usize {
        self.count
    }

    /// A place in it to look from.
    pub(super) fn cursor(&self) -> Cursor<'_> {
        Cursor { snapshot: self, block: None, bytes: Vec::new(), position: 0, key: Vec::new(), stat: None }
    }
}

/// A place in a snapshot: at a key, or past the last.
pub(super) struct Cursor<'a> {
    snapshot: &'a Snapshot,
    /// The block that `bytes` holds.
    block: Option<usize>,
    bytes: Vec<u8>,
    /// Where the record after the current one begins.
    position: usize,
    key: Vec<u8>,
    stat: Option<Stat>,
}

impl Cursor<'_> {
    /// The key here and what is known of it; nothing past the last.
    pub(super) fn current(&self) -> Option<(&[u8], Stat)> {
        self.stat.map(|stat| (self.key.as_slice(), stat))
    }

    /// Goes to the next key.
    pub(super) fn advance(&mut self) -> Result<()> {
        if self.position == self.bytes.len() {
            return self.enter(self.block.map_or(0, |block| block + 1));
        }
        let (stat, next) = record::read(&self.bytes, self.position, &mut self.key);
        (self.stat, self.position) = (Some(stat), next);
        Ok(())
    }

    /// Goes to the first key that is not less than `target`.
    pub(super) fn seek(&mut self, target: &[u8]) -> Result<()> {
        let blocks = &self.snapshot.blocks;
        let ahead = self.stat.is_some() && self.key.as_slice() <= target;
        let here = |block: usize| blocks.get(block + 1).is_none_or(|next| &*next.first > target);
        if !(ahead && self.block.is_some_and(here)) {
            let block = blocks.partition_point(|block| &*block.first <= target);
            self.enter(block.saturating_sub(1))?;
        }
        while self.stat.is_some() && self.key.as_slice() < target {
            self.advance()?;
        }
        Ok(())
    }

    /// Goes to the first key of a block, or past the last.
    fn enter(&mut self, number: usize) -> Result<()> {
        self.key.clear();
        let Some(block) = self.snapshot.blocks.get(number) else {
            self.bytes.clear();
            (self.block, self.stat, self.position) = (Some(number), None, 0);
            return Ok(());
        };
        if self.block != Some(number) || self.bytes.is_empty() {
            self.snapshot.spill.copy(&block.kept, block.length, &mut self.bytes)?;
            self.block = Some(number);
        }
        let (stat, next) = record::read(&self.bytes, 0, &mut self.key);
        (self.stat, self.position) = (Some(stat), next);
        Ok(())
    }

    /// What is known of a key; nothing where it was not listed.
    pub(super) fn find(&mut self, key: &[u8]) -> Result<Option<Stat>> {
        self.seek(key)?;
        Ok(self.current().filter(|(found, _)| *found == key).map(|(_, stat)| stat))
    }

    /// Steps through the children of a directory, whose prefix ends in a slash (or is empty). Tells whether anything at
    /// all begins with that prefix.
    pub(super) fn children(
        &mut self,
        prefix: &[u8],
        mut visit: impl FnMut(&[u8], EntryKind) -> Result<()>,
    ) -> Result<bool> {
        self.seek(prefix)?;
        let mut exists = false;
        let mut child = Vec::new();
        while let Some((key, _)) = self.current().filter(|(key, _)| key.starts_with(prefix)) {
            exists = true;
            let rest = &key[prefix.len()..];
            match memchr::memchr(b'/', rest) {
                // What some tools leave to make an empty directory visible is the directory itself.
                None if rest.is_empty() => self.advance()?,
                None => {
                    visit(rest, EntryKind::File)?;
                    self.advance()?;
                }
                // A name that is empty: "a//b". Nothing of a registry is in there.
                Some(0) => self.leave(&[prefix, b"/"].concat(), &mut child)?,
                Some(slash) => {
                    child.clear();
                    child.extend_from_slice(&key[..=prefix.len() + slash]);
                    visit(&rest[..slash], EntryKind::Directory)?;
                    let directory = std::mem::take(&mut child);
                    self.leave(&directory, &mut child)?;
                    child = directory;
                }
            }
        }
        Ok(exists)
    }

    /// Goes past everything below a directory: step by step, for most hold one key, and by a search from the end of the
    /// block.
    fn leave(&mut self, directory: &[u8], past: &mut Vec<u8>) -> Result<()> {
        while self.current().is_some_and(|(key, _)| key.starts_with(directory)) {
            if self.position == self.bytes.len() {
                past.clear();
                past.extend_from_slice(&directory[..directory.len() - 1]);
                // The character after the slash.
                past.push(b'0');
                return self.seek(past);
            }
            self.advance()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::{Duration, SystemTime};

    use super::*;

    fn stat(number: u64) -> Stat {
        let modified = SystemTime::UNIX_EPOCH + Duration::from_millis(1_000_000 + number);
        Stat {
            size_bytes: number,
            modified,
            md5: number.is_multiple_of(3).then_some([7; 16]).filter(|_| number <= 256),
        }
    }

    fn registry(count: u64) -> BTreeMap<Vec<u8>, Stat> {
        let hex = |number: u64| format!("{:016x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15)).repeat(4);
        let mut all = BTreeMap::new();
        for number in 0..count {
            let hex = hex(number);
            all.insert(format!("v2/blobs/sha256/{}/{hex}/data", &hex[..2]).into_bytes(), stat(number));
            let repository = number % 50;
            all.insert(format!("v2/repositories/r{repository}/_layers/sha256/{hex}/link").into_bytes(), stat(71));
        }
        for odd in ["v2/", "v2/blobs", "v2/blobs/", "v2//double/x", "v2/repositories/a/", "v2/repositories0", "v3"] {
            all.insert(odd.into(), stat(1));
        }
        all
    }

    fn snapshot(all: &BTreeMap<Vec<u8>, Stat>, run_count: usize) -> Snapshot {
        let spill = spill();
        let keys: Vec<_> = all.iter().collect();
        let mut runs: Vec<Run> = keys
            .chunks(keys.len().div_ceil(run_count))
            .map(|some| {
                let mut run = Run::new(&spill);
                for (key, stat) in some {
                    run.push(key, stat);
                }
                run
            })
            .collect();
        runs.reverse();
        Snapshot::new(spill, runs).unwrap()
    }

    fn children(all: &BTreeMap<Vec<u8>, Stat>, prefix: &str) -> Vec<(String, EntryKind)> {
        let mut found = Vec::new();
        for key in all.keys().filter_map(|key| key.strip_prefix(prefix.as_bytes())) {
            let text = String::from_utf8(key.to_vec()).unwrap();
            let child = match text.split_once('/') {
                Some((name, _)) => (name.to_owned(), EntryKind::Directory),
                None => (text, EntryKind::File),
            };
            if !child.0.is_empty() && !found.contains(&child) {
                found.push(child);
            }
        }
        found
    }

    #[test]
    fn every_key_is_found_and_no_other() {
        let all = registry(3000);
        let snapshot = snapshot(&all, 7);
        assert_eq!(snapshot.len(), all.len());
        assert!(snapshot.blocks.len() > 10, "the test is to cross blocks");
        let mut cursor = snapshot.cursor();
        for (key, stat) in all.iter().rev().chain(&all) {
            assert_eq!(cursor.find(key).unwrap(), Some(*stat), "{}", String::from_utf8_lossy(key));
            assert_eq!(cursor.find(&[key, &b"!"[..]].concat()).unwrap(), None);
        }
        assert_eq!(cursor.find(b"").unwrap(), None);
        assert_eq!(cursor.find(b"zzz").unwrap(), None);
    }

    #[test]
    fn directories_are_what_keys_have_in_common() {
        let all = registry(2000);
        let snapshot = snapshot(&all, 5);
        let mut cursor = snapshot.cursor();
        for prefix in
            ["", "v2/", "v2/blobs/", "v2/blobs/sha256/", "v2/repositories/", "v2/repositories/r7/_layers/sha256/"]
        {
            let mut found = Vec::new();
            let exists = cursor.children(prefix.as_bytes(), |name, kind| {
                found.push((String::from_utf8(name.to_vec()).unwrap(), kind));
                Ok(())
            });
            assert!(exists.unwrap(), "{prefix}");
            assert_eq!(found, children(&all, prefix), "{prefix}");
        }
        let nothing = |_: &[u8], _| panic!("nothing is in there");
        assert!(!cursor.children(b"v2/repositories/absent/", nothing).unwrap());
        assert!(cursor.children(b"v2/repositories/a/", nothing).unwrap(), "a marker makes a directory");
    }

    #[test]
    fn runs_that_overlap_are_refused() {
        let spill = spill();
        let run = |keys: [&str; 2]| {
            let mut run = Run::new(&spill);
            for key in keys {
                run.push(key.as_bytes(), &stat(1));
            }
            run
        };
        assert!(Snapshot::new(Arc::clone(&spill), vec![run(["c", "d"]), run(["a", "b"])]).is_ok());
        assert!(Snapshot::new(Arc::clone(&spill), vec![run(["a", "c"]), run(["b", "d"])]).is_err());
        assert!(Snapshot::new(Arc::clone(&spill), vec![run(["a", "b"]), run(["b", "c"])]).is_err());
    }

    #[test]
    fn an_empty_bucket_has_nothing() {
        let snapshot = Snapshot::new(spill(), Vec::new()).unwrap();
        let mut cursor = snapshot.cursor();
        assert_eq!(cursor.find(b"a").unwrap(), None);
        assert!(!cursor.children(b"", |_, _| Ok(())).unwrap());
    }
}
