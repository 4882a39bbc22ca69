//! The core's error as a Python exception.

use pyo3::create_exception;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use regsweep_core::error::{Error, Kind};
use regsweep_core::store::bucket::{Options, Unusable};

create_exception!(regsweep._core, CoreError, PyException, "Scanning or marking failed; nothing was removed.");

/// The exception for a core error: the interruption that caused it, or a `CoreError` with its place.
pub(crate) fn exception(py: Python<'_>, error: &Error, interruption: Option<PyErr>) -> PyErr {
    if let Some(interruption) = interruption {
        return interruption;
    }
    let kind = match error.kind() {
        Kind::Cancelled => "cancelled",
        Kind::Io => "io",
        Kind::Layout => "layout",
        Kind::Changed => "changed",
        Kind::Output => "output",
        Kind::Argument => "argument",
    };
    core_error(py, error.to_string(), kind, error.operation(), &error.key().to_string())
}

/// The exception for a bucket that cannot be used as it is described.
pub(crate) fn unusable(py: Python<'_>, error: &Unusable, options: &Options) -> PyErr {
    core_error(py, error.to_string(), "argument", "open", &options.url())
}

fn core_error(py: Python<'_>, text: String, kind: &str, operation: &str, key: &str) -> PyErr {
    let exception = CoreError::new_err(text);
    let value = exception.value(py);
    let filled = value
        .setattr("kind", kind)
        .and_then(|()| value.setattr("operation", operation))
        .and_then(|()| value.setattr("key", key));
    filled.err().unwrap_or(exception)
}

/// The result of an operation, or its exception.
pub(crate) fn convert<T>(py: Python<'_>, (result, interruption): (Result<T, Error>, Option<PyErr>)) -> PyResult<T> {
    match result {
        Ok(value) => interruption.map_or(Ok(value), Err),
        Err(error) => Err(exception(py, &error, interruption)),
    }
}
