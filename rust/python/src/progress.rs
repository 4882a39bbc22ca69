//! A look at the counters of a running operation.

use std::sync::atomic::{AtomicU64, Ordering};

use pyo3::prelude::*;
use regsweep_core::progress::Control;

#[pyclass(frozen, get_all, module = "regsweep._core")]
pub(crate) struct Progress {
    listed: u64,
    repositories: u64,
    tags: u64,
    manifests: u64,
    blobs: u64,
    removed: u64,
    freed_bytes: u64,
}

impl Progress {
    pub(crate) fn of(control: &Control) -> Self {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &control.counters;
        Self {
            listed: read(&counters.listed),
            repositories: read(&counters.repositories),
            tags: read(&counters.tags),
            manifests: read(&counters.manifests),
            blobs: read(&counters.blobs),
            removed: read(&counters.removed),
            freed_bytes: read(&counters.freed_bytes),
        }
    }
}
