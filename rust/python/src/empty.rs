//! Directories that nothing is left in: finding and removing them.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use regsweep_core::empty;

use crate::errors::{convert, exception};
use crate::remove::RemovalFailure;
use crate::store::Store;
use crate::text::name;
use crate::wait::{keep_unless_interrupted, run};

#[pyclass(frozen, get_all, module = "regsweep._core")]
pub(crate) struct EmptyDirectories {
    repositories: Vec<String>,
    directory_count: usize,
    failures: Vec<RemovalFailure>,
    interrupted: bool,
}

impl EmptyDirectories {
    fn of(found: &empty::Empty) -> Self {
        Self {
            repositories: found.repositories.iter().map(|repository| name(repository)).collect(),
            directory_count: found.directory_count,
            failures: found.failures.iter().map(RemovalFailure::of).collect(),
            interrupted: found.interrupted,
        }
    }
}

fn cutoff(older_than_seconds: f64) -> PyResult<SystemTime> {
    let age = Duration::try_from_secs_f64(older_than_seconds)
        .map_err(|error| PyValueError::new_err(format!("older_than_seconds: {error}")))?;
    Ok(SystemTime::now().checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH))
}

#[pyfunction]
#[pyo3(signature = (store, older_than_seconds, *, progress = None))]
pub(crate) fn find_empty(
    py: Python<'_>,
    store: &Bound<'_, Store>,
    older_than_seconds: f64,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<EmptyDirectories> {
    let store = Arc::clone(&store.get().store);
    let cutoff = cutoff(older_than_seconds)?;
    let found = convert(py, run(py, progress, |control| empty::find(&*store, cutoff, control)))?;
    Ok(EmptyDirectories::of(&found))
}

#[pyfunction]
#[pyo3(signature = (store, older_than_seconds, *, progress = None))]
pub(crate) fn remove_empty(
    py: Python<'_>,
    store: &Bound<'_, Store>,
    older_than_seconds: f64,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<EmptyDirectories> {
    let store = Arc::clone(&store.get().store);
    let cutoff = cutoff(older_than_seconds)?;
    let (removed, interruption) = run(py, progress, |control| empty::remove(&*store, cutoff, control));
    keep_unless_interrupted(py, interruption)?;
    removed.map(|removed| EmptyDirectories::of(&removed)).map_err(|error| exception(py, &error, None))
}
