//! What has been asked of the server: counters, the last requests, and how many were in flight at once.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};

use crate::operation::{Call, Dialect, Operation};

/// How many requests are remembered.
const REMEMBERED_REQUESTS: usize = 100_000;

/// One request that was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Who asked.
    pub dialect: Dialect,
    /// For what.
    pub operation: Operation,
    /// In which bucket.
    pub bucket: String,
    /// For which key, or for keys with which prefix.
    pub key: Vec<u8>,
    /// How it was answered; 0: the answer was lost on purpose.
    pub status: u16,
}

#[derive(Debug, Default)]
struct Entries {
    counts: BTreeMap<(Dialect, Operation), u64>,
    deleted_keys: u64,
    records: VecDeque<Record>,
}

/// Counts and remembers requests.
#[derive(Debug)]
pub struct Journal {
    entries: Mutex<Entries>,
    is_recording: AtomicBool,
    in_flight: AtomicUsize,
    most_in_flight: AtomicUsize,
}

impl Journal {
    pub(crate) fn new(is_recording: bool) -> Self {
        Self {
            entries: Mutex::default(),
            is_recording: AtomicBool::new(is_recording),
            in_flight: AtomicUsize::new(0),
            most_in_flight: AtomicUsize::new(0),
        }
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().expect("nobody panics while writing the journal")
    }

    /// How often something was asked for.
    pub fn count(&self, dialect: Dialect, operation: Operation) -> u64 {
        self.entries().counts.get(&(dialect, operation)).copied().unwrap_or_default()
    }

    /// All counters that are not 0, by name: `s3.list`. `deleted_keys` are those that bulk deletions were given.
    pub fn counts(&self) -> BTreeMap<String, u64> {
        let entries = self.entries();
        let name = |(&(dialect, operation), &count): (&(Dialect, Operation), &u64)| {
            (format!("{}.{}", dialect.name(), operation.name()), count)
        };
        let mut counts: BTreeMap<String, u64> = entries.counts.iter().map(name).collect();
        if entries.deleted_keys > 0 {
            counts.insert("deleted_keys".to_owned(), entries.deleted_keys);
        }
        counts
    }

    /// The last 100,000 requests, oldest first.
    pub fn records(&self) -> Vec<Record> {
        self.entries().records.iter().cloned().collect()
    }

    /// The most requests that were being answered at the same time.
    pub fn most_in_flight(&self) -> usize {
        self.most_in_flight.load(Ordering::Relaxed)
    }

    /// Whether requests are remembered one by one; they are counted in any case.
    pub fn set_recording(&self, is_recording: bool) {
        self.is_recording.store(is_recording, Ordering::Relaxed);
    }

    /// Forgets everything.
    pub fn reset(&self) {
        *self.entries() = Entries::default();
        self.most_in_flight.store(self.in_flight.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// Says that a request has come; it is in flight until what is returned is dropped.
    pub(crate) fn begin(&self) -> InFlight<'_> {
        let now = self.in_flight.fetch_add(1, Ordering::Relaxed) + 1;
        self.most_in_flight.fetch_max(now, Ordering::Relaxed);
        InFlight(self)
    }

    /// Says how a request was answered.
    pub(crate) fn write(&self, call: &Call, status: u16) {
        let mut entries = self.entries();
        *entries.counts.entry((call.dialect, call.operation)).or_default() += 1;
        if self.is_recording.load(Ordering::Relaxed) {
            if entries.records.len() == REMEMBERED_REQUESTS {
                entries.records.pop_front();
            }
            let Call { dialect, operation, bucket, key } = call.clone();
            entries.records.push_back(Record { dialect, operation, bucket, key, status });
        }
    }

    /// Counts the keys of a bulk deletion.
    pub(crate) fn add_deleted_keys(&self, count: u64) {
        self.entries().deleted_keys += count;
    }
}

/// A request in flight.
pub(crate) struct InFlight<'a>(&'a Journal);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(operation: Operation) -> Call {
        Call { dialect: Dialect::S3, operation, bucket: "b".to_owned(), key: b"k".to_vec() }
    }

    #[test]
    fn requests_are_counted_and_remembered() {
        let journal = Journal::new(true);
        journal.write(&call(Operation::List), 200);
        journal.set_recording(false);
        journal.write(&call(Operation::List), 503);
        assert_eq!(journal.count(Dialect::S3, Operation::List), 2);
        assert_eq!(journal.counts().get("s3.list"), Some(&2));
        assert_eq!(journal.records().iter().map(|record| record.status).collect::<Vec<_>>(), [200]);
        journal.reset();
        assert!(journal.counts().is_empty() && journal.records().is_empty());
    }

    #[test]
    fn the_most_in_flight_is_remembered() {
        let journal = Journal::new(false);
        drop((journal.begin(), journal.begin()));
        drop(journal.begin());
        assert_eq!(journal.most_in_flight(), 2);
        journal.reset();
        assert_eq!(journal.most_in_flight(), 0);
    }
}
