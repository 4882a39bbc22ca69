//! What a scan found, and marking it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use regsweep_core::catalog;
use regsweep_core::mark::{Keep, Options, mark};
use regsweep_core::store::fs::FsStore;

use crate::errors::convert;
use crate::marks::Marks;
use crate::wait::run;

#[pyclass(frozen, module = "regsweep._core")]
pub(crate) struct Catalog {
    store: Arc<FsStore>,
    catalog: Arc<catalog::Catalog>,
}

impl Catalog {
    pub(crate) const fn new(store: Arc<FsStore>, catalog: Arc<catalog::Catalog>) -> Self {
        Self { store, catalog }
    }
}

#[pymethods]
impl Catalog {
    #[getter]
    fn repository_count(&self) -> usize {
        self.catalog.repositories.len()
    }

    #[getter]
    fn tag_count(&self) -> usize {
        self.catalog.tag_count()
    }

    #[getter]
    fn revision_count(&self) -> usize {
        self.catalog.revision_count()
    }

    #[getter]
    fn manifest_count(&self) -> usize {
        self.catalog.manifests().read_count()
    }

    #[getter]
    fn database_in_use(&self) -> bool {
        self.catalog.database_in_use
    }

    #[pyo3(
        signature = (*, delete_untagged = false, min_age_seconds = 0.0, keep = Vec::new(),
                     accept_damage = Vec::new(), progress = None),
        text_signature = "($self, *, delete_untagged=False, min_age_seconds=0.0, keep=(), \
                          accept_damage=(), progress=None)"
    )]
    fn mark(
        &self,
        py: Python<'_>,
        delete_untagged: bool,
        min_age_seconds: f64,
        keep: Vec<String>,
        accept_damage: Vec<String>,
        progress: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Marks> {
        let min_age = Duration::try_from_secs_f64(min_age_seconds)
            .map_err(|error| PyValueError::new_err(format!("min_age_seconds: {error}")))?;
        let parse = |text: &String| {
            Keep::parse(text)
                .ok_or_else(|| PyValueError::new_err(format!("keep: {text:?} is neither a digest nor repository:tag")))
        };
        let options = Options {
            delete_untagged,
            min_age,
            keep: keep.iter().map(parse).collect::<PyResult<_>>()?,
            accept_damage: accept_damage.into_iter().map(String::into_bytes).collect::<BTreeSet<_>>(),
        };
        let (store, catalog) = (&self.store, Arc::clone(&self.catalog));
        let marks = convert(py, run(py, progress, |control| mark(&**store, catalog, options, control)))?;
        Ok(Marks::new(Arc::clone(store), marks))
    }
}
