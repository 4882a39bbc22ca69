//! Inventory reports of Amazon S3: a list of a bucket's objects that the service has made, in place of a listing of blobs.
//!
//! ```text
//! source    manifest.json and data files, from a bucket or a directory; each file compared with its MD5
//! manifest  of which bucket, of when, in which format: what is not understood is refused
//! csv, parquet   rows: key, size, time
//! sort      files are in no order: sorted by portions, then merged       ─→ a run of the snapshot
//! ```
//!
//! A report is of some day. It says which blobs are worth a look ([`List::stat_as_told`](crate::store::List)), and of
//! nothing else that it is there, or is not. Links are never taken from it.

mod csv;
mod manifest;
mod parquet;
mod sort;
mod source;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use super::options::{Options, Provider, Unusable};
use super::snapshot::{self, Run, Snapshot};
use super::walk::{self, Range};
use super::{Bucket, Key, Result, Stat};
use crate::error::Error;
use crate::layout::distribution as layout;
use crate::parallel::{cores, for_each};
use crate::progress::Control;
use crate::spill::Spill;
use manifest::{Format, Manifest};
use sort::Sorter;
use source::Source;

/// A report that is used, and what it was found to be.
#[derive(Debug)]
pub(super) struct Inventory {
    source: Source,
    /// Of which bucket it has to be.
    bucket: String,
    /// Of when it is, once it was read.
    created: Mutex<Option<SystemTime>>,
}

/// What of a bucket is taken from a report: what begins like its blobs, up to a name that no blob has.
#[derive(Debug)]
struct Part {
    prefix: Vec<u8>,
    last: Vec<u8>,
}

impl Part {
    fn of(bucket: &Bucket) -> Self {
        let prefix = bucket.prefix(&Key::new(layout::BLOBS));
        // Behind all names of algorithms. What follows is listed, whatever it is.
        let last = [prefix.as_slice(), b"~"].concat();
        Self { prefix, last }
    }

    fn contains(&self, key: &[u8]) -> bool {
        key.starts_with(&self.prefix) && key <= self.last.as_slice()
    }

    /// What is to be listed below a prefix: all but this part.
    fn around(&self, prefix: Vec<u8>) -> Vec<Range> {
        if !self.prefix.starts_with(&prefix) {
            return vec![Range::all(prefix)];
        }
        let behind = Range { after: self.last.clone(), ..Range::all(prefix.clone()) };
        let before = Range { until: Some(self.prefix.clone()), ..Range::all(prefix) };
        if before.prefix == self.prefix { vec![behind] } else { vec![before, behind] }
    }
}

/// Threads that read files at once: reading is all computing, and each has a portion to sort in memory.
const MOST_READERS: usize = 4;

impl Inventory {
    /// The report that the options name; nothing where they name none.
    ///
    /// # Errors
    /// When it is not named as it should be, or the bucket is not on S3.
    pub(super) fn open(options: &Options) -> Result<Option<Self>, Unusable> {
        let Some(name) = &options.inventory else { return Ok(None) };
        if !matches!(options.provider, Provider::S3 { .. }) {
            let text =
                format!("{name}: inventory reports are Amazon S3's, and {} is none of its buckets", options.url());
            return Err(Unusable(text));
        }
        let source = Source::open(name, options)?;
        Ok(Some(Self { source, bucket: options.bucket.clone(), created: Mutex::default() }))
    }

    /// Of when it is; nothing before it was read.
    pub(super) fn created(&self) -> Option<SystemTime> {
        *self.created.lock().expect("no thread panics while it notes a time")
    }

    /// Reads the report.
    fn read(&self, part: &Part, spill: &Arc<Spill>, control: &Control) -> Result<Run> {
        let place = self.source.place();
        let content = self.source.manifest(control)?;
        let manifest = Manifest::parse(&content, &self.bucket)
            .map_err(|explanation| Error::refused("use the inventory report", &place, explanation))?;
        // Sorted by portions first: what this takes of a temporary file is given back at the end.
        let portions = snapshot::spill();
        let pool: Mutex<Vec<Sorter>> = Mutex::default();
        let blob_count = AtomicUsize::new(0);
        let take = || pool.lock().expect("no thread panics while it holds the pool").pop();
        for_each(cores().min(MOST_READERS), manifest.files.len(), control, |index, (): &mut ()| {
            let file = &manifest.files[index];
            let content = self.source.file(file, control)?;
            let mut sorter = take().unwrap_or_else(|| Sorter::new(&portions));
            let (mut rows, mut blobs) = (0, 0);
            let mut visit = |key: &[u8], stat: &Stat| {
                rows += 1;
                if part.contains(key) {
                    blobs += usize::from(key.ends_with(b"/data"));
                    sorter.push(key, stat);
                }
                if rows % COUNTED == 0 {
                    Control::count(&control.counters.listed, COUNTED);
                    return control.check();
                }
                Ok(())
            };
            let key = Key::new(&file.key);
            match &manifest.format {
                Format::Csv(columns) => csv::read(content, columns, &key, &mut visit)?,
                Format::Parquet => parquet::read(content, &key, &mut visit)?,
            }
            Control::count(&control.counters.listed, rows % COUNTED);
            blob_count.fetch_add(blobs, Ordering::Relaxed);
            pool.lock().expect("no thread panics while it holds the pool").push(sorter);
            Ok(())
        })?;
        if blob_count.into_inner() == 0 {
            let explanation = format!(
                "it shows no blob of this store, nothing below {}: a report of the whole bucket, or of a prefix that \
                 holds the blobs, is wanted",
                String::from_utf8_lossy(&part.prefix)
            );
            return Err(Error::refused("use the inventory report", &place, explanation));
        }
        let sorters = pool.into_inner().expect("no thread panics while it holds the pool");
        let run = sort::merge(sorters.into_iter().flat_map(Sorter::finish).collect(), &portions, spill, control)?;
        *self.created.lock().expect("no thread panics while it notes a time") = Some(manifest.created);
        Ok(run)
    }
}

/// Rows between two reports of progress.
const COUNTED: usize = 4096;

impl Bucket {
    /// Whether what is known of a place is from a report, which others may have overtaken.
    pub(super) fn is_told(&self, key: &Key) -> bool {
        self.inventory.is_some() && key.starts_with(&Key::new(layout::BLOBS))
    }

    /// Whether it is a single blob's directory, for which no report is a witness.
    pub(super) fn is_told_blob(&self, key: &Key) -> bool {
        let (holder, _) = key.split_last();
        self.is_told(key) && layout::parse_blob_prefix(&holder).is_some()
    }

    /// Everything below some directories: blobs from the report, if there is one, and the rest as it is listed now.
    pub(super) fn look_at_all(&self, directories: &[Key], control: &Control) -> Result<Snapshot> {
        let blobs = Key::new(layout::BLOBS);
        let prefixes = directories.iter().map(|directory| self.prefix(directory));
        let inventory = self.inventory.as_ref();
        let Some(inventory) = inventory.filter(|_| directories.iter().any(|one| blobs.starts_with(one))) else {
            return walk::walk(&self.client, &prefixes.collect::<Vec<_>>(), self.jobs, control);
        };
        let part = Part::of(self);
        let spill = snapshot::spill();
        // First, so that everything else is younger, and a report that is refused costs no listing.
        let told = inventory.read(&part, &spill, control)?;
        let ranges = prefixes.flat_map(|prefix| part.around(prefix)).collect();
        let mut runs = walk::walk_ranges(&self.client, ranges, &spill, self.jobs, control)?;
        runs.push(told);
        Snapshot::new(spill, runs)
    }
}
