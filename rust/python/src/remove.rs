//! Removing what is eligible.

use std::sync::Arc;

use pyo3::prelude::*;
use regsweep_core::layout::quarantine;
use regsweep_core::remove::{self, Destination, Failure};

use crate::errors::exception;
use crate::marks::Marks;
use crate::wait::{keep_unless_interrupted, run};

#[pyclass(frozen, get_all, module = "regsweep._core")]
#[derive(Clone)]
pub(crate) struct RemovalFailure {
    key: String,
    error: String,
}

impl RemovalFailure {
    pub(crate) fn of(failure: &Failure) -> Self {
        Self { key: failure.key.to_string(), error: failure.error.to_string() }
    }
}

#[pyclass(frozen, get_all, module = "regsweep._core")]
#[derive(Default)]
pub(crate) struct Removed {
    blob_count: usize,
    blob_bytes: u64,
    tag_count: usize,
    manifest_count: usize,
    layer_link_count: usize,
    tag_history_link_count: usize,
    kept_behind_failures_count: usize,
    gone_blob_count: usize,
    changed_blob_count: usize,
    kept_tags: Vec<String>,
    failures: Vec<RemovalFailure>,
    interrupted: bool,
}

#[pymethods]
impl Removed {
    /// Nothing was removed.
    #[new]
    fn nothing() -> Self {
        Self::default()
    }
}

#[pyfunction]
#[pyo3(signature = (marks, *, run_name = None, permanently = false, progress = None))]
pub(crate) fn remove_eligible(
    py: Python<'_>,
    marks: &Bound<'_, Marks>,
    run_name: Option<&str>,
    permanently: bool,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<Removed> {
    let marks = marks.get();
    let store = Arc::clone(&marks.store);
    let (removed, interruption) = run(py, progress, |control| {
        let mut marks = marks.marks.write().expect("no thread panics while it removes");
        let tree = run_name.map(|run| quarantine::tree(run.as_bytes()));
        let destination = match &tree {
            Some(tree) if !permanently => Destination::Quarantine(tree),
            tree => Destination::Nowhere(tree.as_ref()),
        };
        remove::remove_eligible(&*store, &mut marks, destination, control)
    });
    keep_unless_interrupted(py, interruption)?;
    let removed = removed.map_err(|error| exception(py, &error, None))?;
    Ok(Removed {
        blob_count: removed.blob_count,
        blob_bytes: removed.blob_bytes,
        tag_count: removed.tag_count,
        manifest_count: removed.manifest_count,
        layer_link_count: removed.layer_link_count,
        tag_history_link_count: removed.tag_history_link_count,
        kept_behind_failures_count: removed.kept_behind_failures,
        gone_blob_count: removed.gone_blob_count,
        changed_blob_count: removed.changed_blob_count,
        kept_tags: removed.kept_tags.iter().map(ToString::to_string).collect(),
        failures: removed.failures.iter().map(RemovalFailure::of).collect(),
        interrupted: removed.interrupted,
    })
}
