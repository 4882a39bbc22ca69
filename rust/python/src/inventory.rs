//! What is stored, and what ought to be.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::SystemTime;

use pyo3::exceptions::{PyIndexError, PyValueError};
use pyo3::prelude::*;
use regsweep_core::digest::Digest;
use regsweep_core::inventory::{self, Affected};
use regsweep_core::live_set::LiveSet;
use regsweep_core::store::any::AnyStore;

use crate::errors::convert;
use crate::marks::{BrokenImage, Note};
use crate::wait::run;

/// What an inventory is limited to.
struct Within {
    repositories: BTreeSet<usize>,
    reached: LiveSet,
}

#[pyclass(frozen, module = "regsweep._core")]
pub(crate) struct Inventory {
    store: Arc<AnyStore>,
    taken: Arc<inventory::Inventory>,
    within: Option<Within>,
    blob_count: usize,
    size_bytes: u64,
}

impl Inventory {
    pub(crate) fn take(py: Python<'_>, store: &Arc<AnyStore>, progress: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let taken = run(py, progress, |control| inventory::Inventory::take(&**store, SystemTime::now(), control));
        Ok(Self::new(Arc::clone(store), Arc::new(convert(py, taken)?), None))
    }

    fn new(store: Arc<AnyStore>, taken: Arc<inventory::Inventory>, within: Option<Within>) -> Self {
        let mut limited = Self { store, taken, within, blob_count: 0, size_bytes: 0 };
        for blobs in limited.taken.blobs() {
            for (digest, &size_bytes) in blobs.digests.iter().zip(&blobs.sizes_bytes) {
                if limited.holds(&digest) {
                    limited.blob_count += 1;
                    limited.size_bytes += size_bytes;
                }
            }
        }
        limited
    }

    fn holds(&self, digest: &Digest) -> bool {
        self.within.as_ref().is_none_or(|within| within.reached.contains(digest))
    }

    fn images(&self, affected: &[Affected]) -> Vec<(String, BrokenImage)> {
        let image = |one: &Affected| BrokenImage::of(self.taken.repository_name(one.image.repository), &one.image);
        affected.iter().map(|one| (one.digest.to_string(), image(one))).collect()
    }
}

fn parse(digests: &[String]) -> PyResult<Vec<Digest>> {
    let parse = |text: &String| text.parse().map_err(|error| PyValueError::new_err(format!("{text}: {error}")));
    digests.iter().map(parse).collect()
}

#[pymethods]
impl Inventory {
    fn repositories(&self) -> Vec<String> {
        self.taken.repositories().collect()
    }

    fn within(&self, py: Python<'_>, repositories: Vec<usize>) -> PyResult<Self> {
        let repositories: BTreeSet<usize> = repositories.into_iter().collect();
        if repositories.last().is_some_and(|&index| index >= self.taken.repositories().count()) {
            return Err(PyIndexError::new_err("there is no such repository"));
        }
        let reached = convert(py, run(py, None, |_| self.taken.reached_by(&repositories)))?;
        let within = Some(Within { repositories, reached });
        Ok(Self::new(Arc::clone(&self.store), Arc::clone(&self.taken), within))
    }

    #[getter]
    fn blob_count(&self) -> usize {
        self.blob_count
    }

    #[getter]
    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    #[getter]
    fn batch_count(&self) -> usize {
        self.taken.blobs().len()
    }

    fn batch(&self, number: usize) -> PyResult<Vec<(String, u64, i64)>> {
        let blobs = self.taken.blobs().get(number);
        let blobs = blobs.ok_or_else(|| PyIndexError::new_err("there is no such batch"))?;
        let rows = blobs.digests.iter().zip(&blobs.sizes_bytes).zip(&blobs.modified);
        let rows = rows.filter(|((digest, _), _)| self.holds(digest));
        Ok(rows.map(|((digest, &size_bytes), &modified)| (digest.to_string(), size_bytes, modified)).collect())
    }

    #[getter]
    fn unreadable(&self) -> Vec<(String, String)> {
        let unreadable = self.taken.unreadable.iter().filter(|(digest, _)| self.holds(digest));
        unreadable.map(|(digest, error)| (digest.to_string(), error.to_string())).collect()
    }

    #[getter]
    fn unreadable_links(&self) -> Vec<(String, String)> {
        self.taken.unreadable_links.iter().map(|(key, error)| (key.to_string(), error.to_string())).collect()
    }

    #[getter]
    fn damaged(&self) -> Vec<Note> {
        self.taken.damaged.iter().map(Note::of).collect()
    }

    #[getter]
    fn notes(&self) -> Vec<Note> {
        self.taken.notes.iter().map(Note::of).collect()
    }

    fn missing(&self, py: Python<'_>) -> PyResult<Vec<(String, BrokenImage)>> {
        let wanted = |index| self.within.as_ref().is_none_or(|within| within.repositories.contains(&index));
        let missing = convert(py, run(py, None, |_| self.taken.missing(wanted)))?;
        Ok(self.images(&missing))
    }

    fn affected(&self, py: Python<'_>, digests: Vec<String>) -> PyResult<Vec<(String, BrokenImage)>> {
        let wrong: HashSet<Digest> = parse(&digests)?.into_iter().collect();
        let affected = convert(py, run(py, None, |_| self.taken.affected(&wrong)))?;
        Ok(self.images(&affected))
    }

    fn stated_sizes(&self, py: Python<'_>, digests: Vec<String>) -> PyResult<HashMap<String, u64>> {
        let wanted: HashSet<Digest> = parse(&digests)?.into_iter().collect();
        let sizes = run(py, None, |control| self.taken.stated_sizes(&*self.store, &wanted, control));
        Ok(convert(py, sizes)?.into_iter().map(|(digest, size_bytes)| (digest.to_string(), size_bytes)).collect())
    }

    fn set_aside(&self, py: Python<'_>, digests: Vec<String>) -> PyResult<Vec<String>> {
        let wanted = parse(&digests)?;
        let found = convert(py, run(py, None, |control| self.taken.set_aside(&*self.store, &wanted, control)))?;
        Ok(found.iter().map(ToString::to_string).collect())
    }
}
