//! Opening and scanning.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use regsweep_core::scan::{scan, scan_quarantines};
use regsweep_core::store::fs::FsStore;

use crate::catalog::Catalog;
use crate::errors::{convert, exception};
use crate::inventory::Inventory;
use crate::text::name;
use crate::uploads::Uploads;
use crate::wait::run;

#[pyclass(frozen, module = "regsweep._core")]
pub(crate) struct Store {
    pub(crate) store: Arc<FsStore>,
}

#[pymethods]
impl Store {
    #[new]
    #[pyo3(signature = (root, *, jobs = None))]
    fn new(py: Python<'_>, root: PathBuf, jobs: Option<usize>) -> PyResult<Self> {
        if jobs == Some(0) {
            return Err(PyValueError::new_err("jobs must be at least 1"));
        }
        let store = FsStore::open(&root, jobs).map_err(|error| exception(py, &error, None))?;
        Ok(Self { store: Arc::new(store) })
    }

    #[getter]
    fn root(&self) -> &OsStr {
        self.store.path().as_os_str()
    }

    #[getter]
    fn jobs(&self) -> usize {
        self.store.jobs()
    }

    #[pyo3(signature = (*, progress = None))]
    fn scan(&self, py: Python<'_>, progress: Option<&Bound<'_, PyAny>>) -> PyResult<Catalog> {
        let store = &self.store;
        let catalog = convert(py, run(py, progress, |control| scan(&**store, SystemTime::now(), control)))?;
        Ok(Catalog::new(Arc::clone(store), Arc::new(catalog)))
    }

    #[pyo3(signature = (*, progress = None))]
    fn quarantines(&self, py: Python<'_>, progress: Option<&Bound<'_, PyAny>>) -> PyResult<Vec<String>> {
        let store = &self.store;
        let catalog = convert(py, run(py, progress, |control| scan_quarantines(&**store, SystemTime::now(), control)))?;
        Ok(catalog.quarantines.iter().map(|quarantine| name(&quarantine.run)).collect())
    }

    #[pyo3(signature = (*, progress = None))]
    fn uploads(&self, py: Python<'_>, progress: Option<&Bound<'_, PyAny>>) -> PyResult<Uploads> {
        Uploads::list(py, &self.store, progress)
    }

    #[pyo3(signature = (*, progress = None))]
    fn inventory(&self, py: Python<'_>, progress: Option<&Bound<'_, PyAny>>) -> PyResult<Inventory> {
        Inventory::take(py, &self.store, progress)
    }
}
