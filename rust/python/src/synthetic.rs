//! Making synthetic stores.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use regsweep_core::progress::Control;
use regsweep_synthetic::{Made, Options, generate};

use crate::wait::run;

#[pyfunction]
#[pyo3(signature = (root, options, *, progress = None))]
pub(crate) fn generate_store(
    py: Python<'_>,
    root: PathBuf,
    options: &str,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<String> {
    let options = Options::from_json(options).map_err(PyValueError::new_err)?;
    let (made, interruption) = run(py, progress, |control| make(&root, &options, control));
    if let Some(error) = interruption {
        return Err(error);
    }
    let made = made.map_err(|error| match error.kind() {
        ErrorKind::InvalidInput => PyValueError::new_err(error.to_string()),
        _ => PyOSError::new_err(error.to_string()),
    })?;
    serde_json::to_string(&made).map_err(|error| PyRuntimeError::new_err(error.to_string()))
}

/// Carries counters and the wish to stop across: the generator knows nothing of the core's operations.
fn make(root: &std::path::Path, options: &Options, control: &Control) -> std::io::Result<Made> {
    let progress = regsweep_synthetic::Progress::default();
    thread::scope(|scope| {
        let making = scope.spawn(|| generate(root, options, &progress));
        while !making.is_finished() {
            thread::sleep(Duration::from_millis(50));
            progress.stop.store(control.stopped(), Ordering::Relaxed);
            control.counters.blobs.store(progress.blobs.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        making.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
