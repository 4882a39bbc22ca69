//! What passes between a running operation and whoever waits for it: counters out, a wish to stop in.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::error::{Error, Result};

/// Counters that only grow, bumped by workers per batch and read at any time.
#[derive(Debug, Default)]
pub struct Counters {
    /// Keys of a bucket listed.
    pub listed: AtomicU64,
    /// Repositories found.
    pub repositories: AtomicU64,
    /// Tags read.
    pub tags: AtomicU64,
    /// Manifests read.
    pub manifests: AtomicU64,
    /// Blobs listed.
    pub blobs: AtomicU64,
    /// Files removed.
    pub removed: AtomicU64,
    /// Bytes freed.
    pub freed_bytes: AtomicU64,
}

/// Shared by the workers of an operation and its caller.
#[derive(Debug, Default)]
pub struct Control {
    /// How far the operation is.
    pub counters: Counters,
    stop: AtomicBool,
}

impl Control {
    /// Asks the operation to end. It does so within one batch of work.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Whether an end was asked for.
    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Fails once an end was asked for.
    ///
    /// # Errors
    /// [`Kind::Cancelled`](crate::error::Kind::Cancelled).
    pub fn check(&self) -> Result<()> {
        if self.stopped() { Err(Error::cancelled()) } else { Ok(()) }
    }

    /// Adds to one of the counters.
    pub fn count(counter: &AtomicU64, by: usize) {
        counter.fetch_add(by as u64, Ordering::Relaxed);
    }
}
