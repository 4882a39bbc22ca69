//! Sorting more keys than fit into memory: by portions, and these merged.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::sync::Arc;
use std::time::SystemTime;

use crate::error::Result;
use crate::progress::Control;
use crate::spill::Spill;
use crate::store::Stat;
use crate::store::bucket::snapshot::{Run, Snapshot};

/// Bytes that a thread sorts at once, keys and all. A hundred million blobs make some two thousand portions of them at the
/// most, each of which takes the memory of one block when they are merged; fewer where files are in order.
const PORTION: usize = 8 << 20;

/// What is known of a key, and where in a portion it is.
#[derive(Clone, Copy, Debug)]
struct Record {
    start: usize,
    end: usize,
    size_bytes: u64,
    modified: SystemTime,
}

/// Sorts what one thread has read.
#[derive(Debug)]
pub(super) struct Sorter {
    spill: Arc<Spill>,
    keys: Vec<u8>,
    records: Vec<Record>,
    portion: usize,
    runs: Vec<Run>,
}

impl Sorter {
    pub(super) fn new(spill: &Arc<Spill>) -> Self {
        Self::by_portions(spill, PORTION)
    }

    pub(super) fn by_portions(spill: &Arc<Spill>, portion: usize) -> Self {
        let spill = Arc::clone(spill);
        Self { spill, keys: Vec::new(), records: Vec::new(), portion, runs: Vec::new() }
    }

    /// Adds a key, in whatever order.
    pub(super) fn push(&mut self, key: &[u8], stat: &Stat) {
        let record = Record {
            start: self.keys.len(),
            end: self.keys.len() + key.len(),
            size_bytes: stat.size_bytes,
            modified: stat.modified,
        };
        self.keys.extend_from_slice(key);
        self.records.push(record);
        if self.keys.len() + self.records.len() * size_of::<Record>() >= self.portion {
            self.sort();
        }
    }

    /// Puts what was added into a run: the last one where all of it is greater, and a new one otherwise.
    fn sort(&mut self) {
        let keys = &self.keys;
        // Of a key that is there twice, the younger object first.
        self.records.sort_unstable_by(|one, other| {
            keys[one.start..one.end].cmp(&keys[other.start..other.end]).then(other.modified.cmp(&one.modified))
        });
        self.records.dedup_by(|later, first| keys[later.start..later.end] == keys[first.start..first.end]);
        let Some(first) = self.records.first() else { return };
        if self.runs.last().is_none_or(|run| run.last() >= &keys[first.start..first.end]) {
            self.runs.push(Run::new(&self.spill));
        }
        let run = self.runs.last_mut().expect("one was added where there was none");
        for record in &self.records {
            let stat = Stat { size_bytes: record.size_bytes, modified: record.modified, md5: None };
            run.push(&keys[record.start..record.end], &stat);
        }
        self.keys.clear();
        self.records.clear();
    }

    /// The runs, each in order.
    pub(super) fn finish(mut self) -> Vec<Run> {
        self.sort();
        self.runs
    }
}

/// Keys between two looks whether the run is to end.
const CHECKED: usize = 1 << 16;

/// Makes one run of many, which are in `from`. Of a key that is in several, the youngest object counts: what is told of an
/// object may only make it seem younger than it is.
pub(super) fn merge(runs: Vec<Run>, from: &Arc<Spill>, to: &Arc<Spill>, control: &Control) -> Result<Run> {
    let single = |run| Snapshot::new(Arc::clone(from), vec![run]);
    let sorted: Vec<Snapshot> = runs.into_iter().map(single).collect::<Result<_>>()?;
    let mut cursors = Vec::with_capacity(sorted.len());
    let mut heads = BinaryHeap::with_capacity(sorted.len());
    for snapshot in &sorted {
        let mut cursor = snapshot.cursor();
        cursor.seek(b"")?;
        if let Some((key, stat)) = cursor.current() {
            heads.push(Reverse((key.to_vec(), Reverse(stat.modified), cursors.len())));
        }
        cursors.push(cursor);
    }
    let mut merged = Run::new(to);
    let mut count = 0_usize;
    while let Some(mut head) = heads.peek_mut() {
        let Reverse((key, modified, number)) = &mut *head;
        let cursor = &mut cursors[*number];
        if let Some((_, stat)) = cursor.current().filter(|_| merged.last() < key.as_slice()) {
            merged.push(key, &stat);
        }
        count += 1;
        if count.is_multiple_of(CHECKED) {
            control.check()?;
        }
        cursor.advance()?;
        match cursor.current() {
            Some((next, stat)) => {
                key.clear();
                key.extend_from_slice(next);
                *modified = Reverse(stat.modified);
            }
            None => drop(PeekMut::pop(head)),
        }
    }
    Ok(merged)
}
