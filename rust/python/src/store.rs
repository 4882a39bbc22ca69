//! Opening and scanning.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use regsweep_core::scan::{scan, scan_quarantines};
use regsweep_core::store::any::AnyStore;
use regsweep_core::store::bucket::{Bucket, Condition, DEFAULT_JOBS};
use regsweep_core::store::cached::{Cached, Directory};
use regsweep_core::store::fs::FsStore;
use regsweep_core::store::{EntryKind, Key, List, Page};

use crate::bucket;
use crate::catalog::Catalog;
use crate::errors::{convert, exception, unusable};
use crate::inventory::Inventory;
use crate::text::{name, seconds};
use crate::uploads::Uploads;
use crate::wait::run;

#[pyclass(frozen, module = "regsweep._core")]
pub(crate) struct Store {
    pub(crate) store: Arc<AnyStore>,
}

impl Store {
    fn bucket(&self) -> PyResult<&Bucket> {
        match &*self.store {
            AnyStore::Bucket(store) => Ok(store.inner()),
            AnyStore::Fs(_) => Err(PyValueError::new_err("a store on a filesystem has files, not objects")),
        }
    }
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
        Ok(Self { store: Arc::new(AnyStore::Fs(store)) })
    }

    #[staticmethod]
    #[pyo3(
        signature = (options, *, jobs = None, max_requests_per_second = None, cache_directory = None,
                     cache_bytes = 1 << 30, inventory = None),
        text_signature = "(options, *, jobs=None, max_requests_per_second=None, cache_directory=None, \
                          cache_bytes=1073741824, inventory=None)"
    )]
    fn open_bucket(
        py: Python<'_>,
        options: &Bound<'_, PyDict>,
        jobs: Option<usize>,
        max_requests_per_second: Option<f64>,
        cache_directory: Option<PathBuf>,
        cache_bytes: u64,
        inventory: Option<String>,
    ) -> PyResult<Self> {
        let mut options = bucket::options(options)?;
        if jobs == Some(0) {
            return Err(PyValueError::new_err("jobs must be at least 1"));
        }
        if max_requests_per_second.is_some_and(|rate| !(rate.is_finite() && rate > 0.0)) {
            return Err(PyValueError::new_err("max_requests_per_second must be more than 0"));
        }
        options.jobs = jobs.unwrap_or(DEFAULT_JOBS);
        options.max_requests_per_second = max_requests_per_second;
        options.inventory = inventory;
        let bucket = py.detach(|| Bucket::open(&options)).map_err(|error| unusable(py, &error, &options))?;
        let cache = cache_directory.map(|path| Directory::new(path, cache_bytes));
        Ok(Self { store: Arc::new(AnyStore::Bucket(Box::new(Cached::new(bucket, cache)))) })
    }

    #[getter]
    fn root(&self) -> &OsStr {
        match &*self.store {
            AnyStore::Fs(store) => store.path().as_os_str(),
            AnyStore::Bucket(store) => OsStr::new(store.inner().url()),
        }
    }

    #[getter]
    fn jobs(&self) -> usize {
        match &*self.store {
            AnyStore::Fs(store) => store.jobs(),
            AnyStore::Bucket(store) => store.inner().jobs(),
        }
    }

    /// Of when the report is that a scan has taken for a list of the blobs, in seconds since 1970.
    #[getter]
    fn reported(&self) -> Option<f64> {
        self.store.nature().reported.map(seconds)
    }

    /// What was asked of a bucket so far, by kind; nothing on a filesystem.
    #[getter]
    fn requests(&self) -> Option<BTreeMap<&'static str, u64>> {
        let AnyStore::Bucket(store) = &*self.store else { return None };
        let requests = store.inner().requests();
        let counters = [
            ("list", &requests.list),
            ("get", &requests.get),
            ("put", &requests.put),
            ("copy", &requests.copy),
            ("remove", &requests.remove),
            ("throttled", &requests.throttled),
            ("repeated", &requests.repeated),
        ];
        let mut found: BTreeMap<_, _> =
            counters.into_iter().map(|(name, counter)| (name, counter.load(Ordering::Relaxed))).collect();
        found.insert("cached", store.cache().map_or(0, Directory::hit_count));
        Some(found)
    }

    fn read_object<'py>(&self, py: Python<'py>, key: &str) -> PyResult<Option<(Bound<'py, PyBytes>, String)>> {
        let bucket = self.bucket()?;
        let found = convert(py, run(py, None, |control| bucket.read_object(&Key::new(key), control)))?;
        Ok(found.map(|(content, version)| (PyBytes::new(py, &content), version)))
    }

    fn read_range<'py>(
        &self,
        py: Python<'py>,
        key: &str,
        start: u64,
        length: u64,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let bucket = self.bucket()?;
        let range = start..start.saturating_add(length);
        let found = convert(py, run(py, None, |control| bucket.read_range(&Key::new(key), &range, control)))?;
        Ok(found.map(|bytes| PyBytes::new(py, &bytes)))
    }

    fn object_time(&self, py: Python<'_>, key: &str) -> PyResult<Option<f64>> {
        let bucket = self.bucket()?;
        Ok(convert(py, run(py, None, |control| bucket.object_time(&Key::new(key), control)))?.map(seconds))
    }

    #[pyo3(
        signature = (key, content, *, if_absent = false, if_version = None),
        text_signature = "($self, key, content, *, if_absent=False, if_version=None)"
    )]
    fn write_object(
        &self,
        py: Python<'_>,
        key: &str,
        content: Vec<u8>,
        if_absent: bool,
        if_version: Option<String>,
    ) -> PyResult<Option<String>> {
        let bucket = self.bucket()?;
        let condition = match (if_absent, if_version) {
            (false, None) => Condition::Always,
            (true, None) => Condition::Absent,
            (false, Some(version)) => Condition::Version(version),
            (true, Some(_)) => return Err(PyValueError::new_err("if_absent and if_version exclude each other")),
        };
        convert(py, run(py, None, |control| bucket.write_object(&Key::new(key), &content, &condition, control)))
    }

    /// Whether what is removed from the bucket leaves a delete marker, so that it can be had back.
    fn keeps_versions(&self, py: Python<'_>) -> PyResult<bool> {
        let bucket = self.bucket()?;
        convert(py, run(py, None, |control| bucket.keeps_versions(control)))
    }

    /// What goes into the quarantine of a run is from now on hidden by delete markers.
    fn hide_for(&self, run_name: &str) -> PyResult<()> {
        self.bucket()?.hide_for(run_name.as_bytes());
        Ok(())
    }

    /// Forgets what a run has hidden, once nothing is any more.
    fn forget_hidden(&self, py: Python<'_>, run_name: &str) -> PyResult<()> {
        let bucket = self.bucket()?;
        convert(py, run(py, None, |control| bucket.forget_hidden(run_name.as_bytes(), control)))
    }

    /// The names of what is in a directory, and whether each is one itself.
    fn list_directory(&self, py: Python<'_>, key: &str) -> PyResult<Vec<(String, bool)>> {
        let store = &self.store;
        let listed = run(py, None, |control| {
            let found: Mutex<Vec<(String, bool)>> = Mutex::default();
            store.list(&[Key::new(key)], control, &|_, page| {
                if let Page::Entries(entries) = page {
                    let mut found = found.lock().expect("no thread panics while it gathers");
                    found.extend(entries.iter().map(|entry| (name(entry.name), entry.kind == EntryKind::Directory)));
                }
                Ok(())
            })?;
            Ok(found.into_inner().expect("no thread panics while it gathers"))
        });
        convert(py, listed)
    }

    #[pyo3(signature = (*, progress = None))]
    fn scan(&self, py: Python<'_>, progress: Option<&Bound<'_, PyAny>>) -> PyResult<Catalog> {
        let store = &self.store;
        let catalog = convert(
            py,
            run(py, progress, |control| {
                let catalog = scan(&**store, SystemTime::now(), control);
                if let AnyStore::Bucket(store) = &**store {
                    store.cache().map(Directory::trim);
                }
                catalog
            }),
        )?;
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
