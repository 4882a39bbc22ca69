//! How much is stored, and by whom.

use std::time::SystemTime;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use regsweep_core::catalog::{Catalog, Quarantine, Target};
use regsweep_core::usage::{self, Amount, Request, Share, measure};

use crate::errors::convert;
use crate::marks::Marks;
use crate::text::{moment, name};
use crate::wait::run;

#[pyclass(frozen, get_all, module = "regsweep._core")]
pub(crate) struct RepositoryUsage {
    name: String,
    repository_count: usize,
    tag_count: usize,
    manifest_count: usize,
    blob_count: usize,
    total_bytes: u64,
    unique_blob_count: usize,
    unique_bytes: u64,
    shared_bytes: u64,
    damaged: bool,
}

#[pyclass(frozen, get_all, module = "regsweep._core")]
pub(crate) struct TagUsage {
    repository: String,
    tag: Option<String>,
    digest: Option<String>,
    manifest_count: usize,
    blob_count: usize,
    total_bytes: u64,
    unique_blob_count: usize,
    unique_bytes: u64,
    shared_bytes: u64,
}

#[pyclass(frozen, get_all, module = "regsweep._core")]
pub(crate) struct QuarantineUsage {
    run: String,
    since: Option<SystemTime>,
    blob_count: usize,
    size_bytes: u64,
}

#[pyclass(frozen, module = "regsweep._core")]
pub(crate) struct Usage {
    stored: Amount,
    reached: Amount,
    garbage: Amount,
    spared: Amount,
    quarantines: Vec<Py<QuarantineUsage>>,
    repositories: Vec<Py<RepositoryUsage>>,
    tags: Vec<Py<TagUsage>>,
}

#[pymethods]
impl Usage {
    #[getter]
    fn stored_blob_count(&self) -> usize {
        self.stored.blob_count
    }

    #[getter]
    fn stored_bytes(&self) -> u64 {
        self.stored.size_bytes
    }

    #[getter]
    fn reached_blob_count(&self) -> usize {
        self.reached.blob_count
    }

    #[getter]
    fn reached_bytes(&self) -> u64 {
        self.reached.size_bytes
    }

    #[getter]
    fn garbage_blob_count(&self) -> usize {
        self.garbage.blob_count
    }

    #[getter]
    fn garbage_bytes(&self) -> u64 {
        self.garbage.size_bytes
    }

    #[getter]
    fn spared_blob_count(&self) -> usize {
        self.spared.blob_count
    }

    #[getter]
    fn spared_bytes(&self) -> u64 {
        self.spared.size_bytes
    }

    #[getter]
    fn quarantines(&self, py: Python<'_>) -> Vec<Py<QuarantineUsage>> {
        self.quarantines.iter().map(|row| row.clone_ref(py)).collect()
    }

    #[getter]
    fn repositories(&self, py: Python<'_>) -> Vec<Py<RepositoryUsage>> {
        self.repositories.iter().map(|row| row.clone_ref(py)).collect()
    }

    #[getter]
    fn tags(&self, py: Python<'_>) -> Vec<Py<TagUsage>> {
        self.tags.iter().map(|row| row.clone_ref(py)).collect()
    }
}

const fn shared_bytes(share: &Share) -> u64 {
    share.total.without(share.unique).size_bytes
}

fn repository_row(row: &usage::RepositoryUsage) -> RepositoryUsage {
    RepositoryUsage {
        name: name(&row.name),
        repository_count: row.repository_count,
        tag_count: row.tag_count,
        manifest_count: row.share.manifest_count,
        blob_count: row.share.total.blob_count,
        total_bytes: row.share.total.size_bytes,
        unique_blob_count: row.share.unique.blob_count,
        unique_bytes: row.share.unique.size_bytes,
        shared_bytes: shared_bytes(&row.share),
        damaged: row.damaged,
    }
}

fn quarantine_row(quarantine: &Quarantine, amount: Amount) -> QuarantineUsage {
    QuarantineUsage {
        run: name(&quarantine.run),
        since: quarantine.begun().map(moment),
        blob_count: amount.blob_count,
        size_bytes: amount.size_bytes,
    }
}

fn tag_row(catalog: &Catalog, row: &usage::TagUsage) -> TagUsage {
    let repository = &catalog.repositories[row.repository];
    let tag = row.tag.and_then(|tag| repository.tags.as_ref()?.get(tag));
    let target = tag.and_then(|tag| match tag.target {
        Target::Manifest(id) => Some(catalog.manifests().digest(id).to_string()),
        Target::Unreadable | Target::Missing(_) => None,
    });
    TagUsage {
        repository: repository.display_name(),
        tag: tag.map(|tag| name(&tag.name)),
        digest: target,
        manifest_count: row.share.manifest_count,
        blob_count: row.share.total.blob_count,
        total_bytes: row.share.total.size_bytes,
        unique_blob_count: row.share.unique.blob_count,
        unique_bytes: row.share.unique.size_bytes,
        shared_bytes: shared_bytes(&row.share),
    }
}

#[pyfunction]
#[pyo3(signature = (marks, *, depth = None, tags = false, progress = None))]
pub(crate) fn measure_usage(
    py: Python<'_>,
    marks: &Bound<'_, Marks>,
    depth: Option<usize>,
    tags: bool,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<Usage> {
    if depth == Some(0) {
        return Err(PyValueError::new_err("depth must be at least 1"));
    }
    let marks = marks.get();
    let request = Request { depth, tags };
    let usage = convert(py, run(py, progress, |control| measure(&*marks.store, &marks.get(), request, control)))?;
    let marks = marks.get();
    let repositories = usage.repositories.iter().map(|row| Py::new(py, repository_row(row)));
    let tags = usage.tags.iter().map(|row| Py::new(py, tag_row(&marks.catalog, row)));
    // Of a run that was purged, or that removed at once, the directory is still there.
    let holding = |(_, amount): &(&Quarantine, &Amount)| amount.blob_count > 0;
    let quarantines = marks.catalog.quarantines.iter().zip(&usage.quarantined).filter(holding);
    let quarantines = quarantines.map(|(quarantine, amount)| Py::new(py, quarantine_row(quarantine, *amount)));
    let usage::Usage { stored, reached, garbage, spared, .. } = usage;
    Ok(Usage {
        stored,
        reached,
        garbage,
        spared,
        quarantines: quarantines.collect::<PyResult<_>>()?,
        repositories: repositories.collect::<PyResult<_>>()?,
        tags: tags.collect::<PyResult<_>>()?,
    })
}
