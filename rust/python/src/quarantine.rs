//! What runs have set aside: listed, brought back, removed for good.

use std::sync::Arc;
use std::time::SystemTime;

use pyo3::prelude::*;
use regsweep_core::catalog;
use regsweep_core::error::{Error, Kind};
use regsweep_core::quarantine::{self, Purged as CorePurged, Restored as CoreRestored};
use regsweep_core::scan::scan_quarantines;

use crate::errors::exception;
use crate::marks::Marks;
use crate::remove::RemovalFailure;
use crate::store::Store;
use crate::wait::{keep_unless_interrupted, run};

#[pyclass(frozen, get_all, module = "regsweep._core")]
pub(crate) struct Restored {
    blob_count: usize,
    layer_link_count: usize,
    manifest_count: usize,
    tag_history_link_count: usize,
    tag_count: usize,
    replaced: Vec<String>,
    failures: Vec<RemovalFailure>,
    interrupted: bool,
}

impl From<CoreRestored> for Restored {
    fn from(restored: CoreRestored) -> Self {
        Self {
            blob_count: restored.blob_count,
            layer_link_count: restored.layer_link_count,
            manifest_count: restored.manifest_count,
            tag_history_link_count: restored.tag_history_link_count,
            tag_count: restored.tag_count,
            replaced: restored.replaced.iter().map(ToString::to_string).collect(),
            failures: restored.failures.iter().map(RemovalFailure::of).collect(),
            interrupted: restored.interrupted,
        }
    }
}

#[pyclass(frozen, get_all, module = "regsweep._core")]
pub(crate) struct Purged {
    blob_count: usize,
    blob_bytes: u64,
    link_count: usize,
    failures: Vec<RemovalFailure>,
    interrupted: bool,
}

impl From<CorePurged> for Purged {
    fn from(purged: CorePurged) -> Self {
        Self {
            blob_count: purged.blob_count,
            blob_bytes: purged.blob_bytes,
            link_count: purged.link_count,
            failures: purged.failures.iter().map(RemovalFailure::of).collect(),
            interrupted: purged.interrupted,
        }
    }
}

#[pyfunction]
#[pyo3(signature = (marks, *, progress = None))]
pub(crate) fn restore(
    py: Python<'_>,
    marks: &Bound<'_, Marks>,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<Restored> {
    let marks = marks.get();
    let store = Arc::clone(&marks.store);
    let (restored, interruption) = run(py, progress, |control| {
        let marks = marks.marks.read().expect("no thread panics while it removes");
        quarantine::restore(&*store, &marks, control)
    });
    keep_unless_interrupted(py, interruption)?;
    Ok(restored.into())
}

#[pyfunction]
#[pyo3(signature = (store, run_name, *, progress = None))]
pub(crate) fn undo(
    py: Python<'_>,
    store: &Bound<'_, Store>,
    run_name: &str,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<Restored> {
    let store = Arc::clone(&store.get().store);
    let (restored, interruption) = run(py, progress, |control| {
        let catalog = scan_quarantines(&*store, SystemTime::now(), control)?;
        quarantine::undo(&*store, &catalog, find(&catalog, run_name)?, control)
    });
    keep_unless_interrupted(py, interruption)?;
    Ok(restored.map_err(|error| exception(py, &error, None))?.into())
}

#[pyfunction]
#[pyo3(signature = (store, run_name, *, progress = None))]
pub(crate) fn purge(
    py: Python<'_>,
    store: &Bound<'_, Store>,
    run_name: &str,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<Purged> {
    let store = Arc::clone(&store.get().store);
    let (purged, interruption) = run(py, progress, |control| {
        let catalog = scan_quarantines(&*store, SystemTime::now(), control)?;
        quarantine::purge(&*store, find(&catalog, run_name)?, control)
    });
    keep_unless_interrupted(py, interruption)?;
    Ok(purged.map_err(|error| exception(py, &error, None))?.into())
}

fn find<'a>(catalog: &'a catalog::Catalog, run_name: &str) -> Result<&'a catalog::Quarantine, Error> {
    let found = catalog.quarantines.iter().find(|quarantine| quarantine.run == run_name.as_bytes());
    let missing = || {
        let key = regsweep_core::layout::quarantine::run(run_name.as_bytes());
        Error::new(Kind::Argument, "find", &key, "there is no such run")
    };
    found.ok_or_else(missing)
}
