//! Uploads that are not finished: listing and removing them.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use regsweep_core::store::any::AnyStore;
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
    strange: Vec<String>,
}

impl Upload {
    fn of(upload: &uploads::Upload) -> Self {
        Self {
            repository: name(&upload.repository),
            id: upload.id.clone(),
            key: upload.key().to_string(),
            started: upload.started.as_ref().map(|started| started.text.clone()),
            last_write: moment(upload.last_write),
            size_bytes: upload.size_bytes,
            strange: upload.strange.iter().map(ToString::to_string).collect(),
        }
    }
}

#[pyclass(frozen, module = "regsweep._core")]
pub(crate) struct Uploads {
    store: Arc<AnyStore>,
    listed: SystemTime,
    found: uploads::Uploads,
    all: Vec<Py<Upload>>,
}

impl Uploads {
    pub(crate) fn list(py: Python<'_>, store: &Arc<AnyStore>, progress: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let listed = SystemTime::now();
        let found = convert(py, run(py, progress, |control| uploads::list(&**store, control)))?;
        let all = found.uploads.iter().map(|upload| Py::new(py, Upload::of(upload))).collect::<PyResult<_>>()?;
        Ok(Self { store: Arc::clone(store), listed, found, all })
    }

    fn cutoff(&self, older_than_seconds: f64) -> PyResult<SystemTime> {
        let age = Duration::try_from_secs_f64(older_than_seconds)
            .map_err(|error| PyValueError::new_err(format!("older_than_seconds: {error}")))?;
        Ok(self.listed.checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH))
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
    fn notes(&self) -> Vec<Note> {
        self.found.notes.iter().map(Note::of).collect()
    }

    fn stale(&self, py: Python<'_>, older_than_seconds: f64) -> PyResult<Vec<Py<Upload>>> {
        let cutoff = self.cutoff(older_than_seconds)?;
        let stale = self.found.uploads.iter().zip(&self.all).filter(|(upload, _)| upload.is_stale(cutoff));
        Ok(stale.map(|(_, row)| row.clone_ref(py)).collect())
    }
}

#[pyclass(frozen, get_all, module = "regsweep._core")]
pub(crate) struct RemovedUploads {
    upload_count: usize,
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
        uploads::remove(&*uploads.store, &stale, cutoff, control)
    });
    keep_unless_interrupted(py, interruption)?;
    Ok(RemovedUploads {
        upload_count: removed.upload_count,
        size_bytes: removed.size_bytes,
        left_count: removed.left_count,
        gone_count: removed.gone_count,
        failures: removed.failures.iter().map(RemovalFailure::of).collect(),
        interrupted: removed.interrupted,
    })
}
