//! What a scan found, and marking it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use regsweep_core::catalog::{self, Target};
use regsweep_core::digest::Digest;
use regsweep_core::images;
use regsweep_core::mark::release::{release, subject_of_tag};
use regsweep_core::mark::{Keep, Options, Released, mark};
use regsweep_core::plan::{Rules, keep_only_given_up};
use regsweep_core::scan::tag_times;
use regsweep_core::store::any::AnyStore;

use crate::choices::{Decided, decided};
use crate::errors::convert;
use crate::marks::Marks;
use crate::plan::Plan;
use crate::text::{at_seconds, name, seconds};
use crate::wait::run;

#[pyclass(frozen, get_all, module = "regsweep._core")]
pub(crate) struct TagRow {
    name: String,
    digest: Option<String>,
    pushed: Option<f64>,
    carries_referrers: bool,
}

#[pyclass(frozen, module = "regsweep._core")]
pub(crate) struct Catalog {
    store: Arc<AnyStore>,
    catalog: Arc<catalog::Catalog>,
}

impl Catalog {
    pub(crate) const fn new(store: Arc<AnyStore>, catalog: Arc<catalog::Catalog>) -> Self {
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

    /// When the scan began, in seconds since 1970.
    #[getter]
    fn started(&self) -> f64 {
        seconds(self.catalog.started)
    }

    #[getter]
    fn quarantine_count(&self) -> usize {
        self.catalog.quarantines.len()
    }

    fn repositories(&self) -> Vec<String> {
        self.catalog.repositories.iter().map(|repository| name(&repository.name)).collect()
    }

    #[pyo3(signature = (*, progress = None))]
    fn tags(&self, py: Python<'_>, progress: Option<&Bound<'_, PyAny>>) -> PyResult<Vec<Vec<TagRow>>> {
        let (store, catalog) = (&self.store, &self.catalog);
        let times = convert(py, run(py, progress, |control| tag_times(&**store, catalog, control)))?;
        let manifests = catalog.manifests();
        let row = |(tag, time): (&catalog::Tag, Option<SystemTime>)| {
            let digest = match tag.target {
                Target::Manifest(id) => Some(manifests.digest(id).to_string()),
                Target::Unreadable | Target::Missing(_) => None,
            };
            let carries_referrers = subject_of_tag(&tag.name).is_some();
            TagRow { name: name(&tag.name), digest, pushed: time.map(seconds), carries_referrers }
        };
        let rows = catalog.repositories.iter().zip(times);
        Ok(rows.map(|(repository, times)| repository.tags.iter().flatten().zip(times).map(row).collect()).collect())
    }

    fn images(&self, repository: usize, tags: Vec<usize>) -> PyResult<Vec<(Vec<String>, Vec<String>)>> {
        let found = images::images(&self.catalog, repository, &tags);
        let found = found.ok_or_else(|| PyValueError::new_err("there is no such repository or tag"))?;
        let texts = |digests: &[Digest]| digests.iter().map(ToString::to_string).collect();
        Ok(found.iter().map(|image| (texts(&image.manifests), texts(&image.configs))).collect())
    }

    #[pyo3(signature = (digests, *, progress = None))]
    fn read_blobs(
        &self,
        py: Python<'_>,
        digests: Vec<String>,
        progress: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Vec<Option<Vec<u8>>>> {
        let parse = |text: &String| text.parse().map_err(|error| PyValueError::new_err(format!("{text}: {error}")));
        let digests = digests.iter().map(parse).collect::<PyResult<Vec<_>>>()?;
        let store = &self.store;
        convert(py, run(py, progress, |control| images::read_blobs(&**store, &digests, control)))
    }

    #[pyo3(
        signature = (*, delete_untagged = false, min_age_seconds = 0.0, keep = Vec::new(),
                     accept_damage = Vec::new(), cutoff = None, choices = None, only_choices = false,
                     with_times = false, progress = None),
        text_signature = "($self, *, delete_untagged=False, min_age_seconds=0.0, keep=(), \
                          accept_damage=(), cutoff=None, choices=None, only_choices=False, with_times=False, \
                          progress=None)"
    )]
    #[allow(clippy::too_many_arguments, reason = "all but the first are named by the caller")]
    fn mark(
        &self,
        py: Python<'_>,
        delete_untagged: bool,
        min_age_seconds: f64,
        keep: Vec<String>,
        accept_damage: Vec<String>,
        cutoff: Option<i64>,
        choices: Option<Vec<Bound<'_, PyAny>>>,
        only_choices: bool,
        with_times: bool,
        progress: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Marks> {
        let min_age = Duration::try_from_secs_f64(min_age_seconds)
            .map_err(|error| PyValueError::new_err(format!("min_age_seconds: {error}")))?;
        let parse = |text: &String| {
            Keep::parse(text)
                .ok_or_else(|| PyValueError::new_err(format!("keep: {text:?} is neither a digest nor repository:tag")))
        };
        let mut options = Options {
            delete_untagged,
            min_age,
            keep: keep.iter().map(parse).collect::<PyResult<_>>()?,
            accept_damage: accept_damage.into_iter().map(String::into_bytes).collect::<BTreeSet<_>>(),
            cutoff: cutoff.map(at_seconds),
            released: Released::default(),
            with_times,
        };
        let Decided { choices, mut rules } = decided(&self.catalog, choices.unwrap_or_default())?;
        if delete_untagged {
            "--delete-untagged".clone_into(&mut rules.untagged);
        }
        let (store, catalog) = (&self.store, Arc::clone(&self.catalog));
        let marks = run(py, progress, |control| {
            if !choices.is_empty() {
                let times = tag_times(&**store, &catalog, control)?;
                let cutoff = options.cutoff(catalog.started);
                options.released = release(&catalog, &times, &choices, cutoff);
            }
            let mut marks = mark(&**store, catalog, options, control)?;
            if only_choices {
                keep_only_given_up(&mut marks)?;
            }
            Ok(marks)
        });
        Ok(Marks::new(Arc::clone(store), convert(py, marks)?, rules))
    }

    #[pyo3(
        signature = (plan, *, cutoff, accept_damage = Vec::new(), progress = None),
        text_signature = "($self, plan, *, cutoff, accept_damage=(), progress=None)"
    )]
    fn mark_plan(
        &self,
        py: Python<'_>,
        plan: &Bound<'_, Plan>,
        cutoff: i64,
        accept_damage: Vec<String>,
        progress: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Marks> {
        let plan = &plan.get().plan;
        let accept_damage = accept_damage.into_iter().map(String::into_bytes).collect();
        let (store, catalog) = (&self.store, Arc::clone(&self.catalog));
        let marks = run(py, progress, |control| {
            let times = tag_times(&**store, &catalog, control)?;
            let released = plan.released(&catalog, &times);
            let cutoff = Some(at_seconds(cutoff));
            let mut marks =
                mark(&**store, catalog, Options { cutoff, released, accept_damage, ..Options::default() }, control)?;
            plan.restrict(&mut marks);
            Ok(marks)
        });
        Ok(Marks::new(Arc::clone(store), convert(py, marks)?, Rules::default()))
    }
}
