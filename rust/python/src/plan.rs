//! Plans: rows written and read.

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;

use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use regsweep_core::plan;

use crate::errors::convert;
use crate::wait::run;

#[pyclass(frozen, module = "regsweep._core")]
pub(crate) struct Plan {
    pub(crate) plan: plan::Plan,
}

#[pymethods]
impl Plan {
    #[staticmethod]
    fn read(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let file = File::open(&path).map_err(|error| PyOSError::new_err((error.raw_os_error(), error.to_string())))?;
        let plan = convert(py, run(py, None, |_| plan::Plan::read(&mut BufReader::with_capacity(1 << 20, file))))?;
        Ok(Self { plan })
    }

    #[getter]
    const fn row_count(&self) -> u64 {
        self.plan.row_count
    }

    #[getter]
    const fn tag_count(&self) -> usize {
        self.plan.tag_count
    }
}
