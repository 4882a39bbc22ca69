//! Uploads that are not finished: listing and removing them.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use regsweep_core::store::any::AnyStore;
use regsweep_core::store::{self, List};
use regsweep_core::uploads;

use crate::errors::convert;
use crate::marks::Note;
use crate::remove::RemovalFailure;
use crate::text::{moment, name};
use crate::wait::{keep_unless_interrupted, run};

#[pyclass(frozen, get_all, module = "regsweep._core")]
pub(crate) struct Upload {
    repository: String,
    id: String,
    key: String,
    started: Option<String>,
    last_write: SystemTime,
    size_bytes: u64,
    multipart: Vec<Py<MultipartUpload>>,
    strange: Vec<String>,
}

impl Upload {
    fn of(py: Python<'_>, upload: &uploads::Upload) -> PyResult<Self> {
        let part = |part| Py::new(py, MultipartUpload::of(part, true));
        Ok(Self {
            repository: name(&upload.repository),
            id: upload.id.clone(),
            key: upload.key().to_string(),
            started: upload.started.as_ref().map(|started| started.text.clone()),
            last_write: moment(upload.last_write),
            size_bytes: upload.size_bytes,
            multipart: upload.multipart.iter().map(part).collect::<PyResult<_>>()?,
            strange: upload.strange.iter().map(ToString::to_string).collect(),
        })
    }
}

#[pyclass(frozen, get_all, module = "regsweep._core")]
pub(crate) struct MultipartUpload {
    key: String,
    id: String,
    initiated: SystemTime,
    last_write: SystemTime,
    size_bytes: u64,
    is_known: bool,
}

impl MultipartUpload {
    fn of(upload: &store::MultipartUpload, is_known: bool) -> Self {
        Self {
            key: upload.key.to_string(),
            id: upload.id.clone(),
            initiated: moment(upload.initiated),
            last_write: moment(upload.last_write),
            size_bytes: upload.size_bytes,
            is_known,
        }
    }
}

#[pyclass(frozen, module = "regsweep._core")]
pub(crate) struct Uploads {
    store: Arc<AnyStore>,
    listed: SystemTime,
    /// The same by the store's clock, which is what a bucket says times by.
    listed_there: SystemTime,
    found: uploads::Uploads,
    all: Vec<Py<Upload>>,
    strays: Vec<Py<MultipartUpload>>,
}

impl Uploads {
    pub(crate) fn list(py: Python<'_>, store: &Arc<AnyStore>, progress: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let listed = SystemTime::now();
        let found = convert(py, run(py, progress, |control| uploads::list(&**store, control)))?;
        let all = found.uploads.iter().map(|upload| Py::new(py, Upload::of(py, upload)?)).collect::<PyResult<_>>()?;
        let stray = |stray: &uploads::Stray| Py::new(py, MultipartUpload::of(&stray.upload, stray.is_known));
        let strays = found.strays.iter().map(stray).collect::<PyResult<_>>()?;
        let listed_there = listed.checked_sub(store.nature().clock_lag).unwrap_or(SystemTime::UNIX_EPOCH);
        Ok(Self { store: Arc::clone(store), listed, listed_there, found, all, strays })
    }

    fn cutoff(&self, older_than_seconds: f64) -> PyResult<SystemTime> {
        let age = Duration::try_from_secs_f64(older_than_seconds)
            .map_err(|error| PyValueError::new_err(format!("older_than_seconds: {error}")))?;
        Ok(self.listed_there.checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH))
    }
}

#[pymethods]
impl Uploads {
    #[getter]
    fn listed(&self) -> SystemTime {
        self.listed
    }

    #[getter]
    fn all(&self, py: Python<'_>) -> Vec<Py<Upload>> {
        self.all.iter().map(|upload| upload.clone_ref(py)).collect()
    }

    #[getter]
    fn multipart(&self, py: Python<'_>) -> Vec<Py<MultipartUpload>> {
        self.strays.iter().map(|stray| stray.clone_ref(py)).collect()
    }

    #[getter]
    fn notes(&self) -> Vec<Note> {
        self.found.notes.iter().map(Note::of).collect()
    }

    fn stale(&self, py: Python<'_>, older_than_seconds: f64) -> PyResult<Vec<Py<Upload>>> {
        let cutoff = self.cutoff(older_than_seconds)?;
        let stale = self.found.uploads.iter().zip(&self.all).filter(|(upload, _)| upload.is_stale(cutoff));
        Ok(stale.map(|(_, row)| row.clone_ref(py)).collect())
    }

    fn stale_multipart(&self, py: Python<'_>, older_than_seconds: f64) -> PyResult<Vec<Py<MultipartUpload>>> {
        let cutoff = self.cutoff(older_than_seconds)?;
        let stale = self.found.strays.iter().zip(&self.strays).filter(|(stray, _)| stray.is_stale(cutoff));
        Ok(stale.map(|(_, row)| row.clone_ref(py)).collect())
    }
}

#[pyclass(frozen, get_all, module = "regsweep._core")]
pub(crate) struct RemovedUploads {
    upload_count: usize,
    multipart_count: usize,
    size_bytes: u64,
    left_count: usize,
    gone_count: usize,
    failures: Vec<RemovalFailure>,
    interrupted: bool,
}

#[pyfunction]
#[pyo3(signature = (uploads, older_than_seconds, *, progress = None))]
pub(crate) fn remove_uploads(
    py: Python<'_>,
    uploads: &Bound<'_, Uploads>,
    older_than_seconds: f64,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<RemovedUploads> {
    let uploads = uploads.get();
    let cutoff = uploads.cutoff(older_than_seconds)?;
    let (removed, interruption) = run(py, progress, |control| {
        let stale: Vec<_> = uploads.found.uploads.iter().filter(|upload| upload.is_stale(cutoff)).cloned().collect();
        let strays: Vec<_> = uploads.found.strays.iter().filter(|stray| stray.is_stale(cutoff)).cloned().collect();
        uploads::remove(&*uploads.store, &stale, &strays, cutoff, control)
    });
    keep_unless_interrupted(py, interruption)?;
    Ok(RemovedUploads {
        upload_count: removed.upload_count,
        multipart_count: removed.multipart_count,
        size_bytes: removed.size_bytes,
        left_count: removed.left_count,
        gone_count: removed.gone_count,
        failures: removed.failures.iter().map(RemovalFailure::of).collect(),
        interrupted: removed.interrupted,
    })
}
