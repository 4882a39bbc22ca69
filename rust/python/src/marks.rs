//! What is live and what is eligible.

use std::sync::{Arc, RwLock, RwLockReadGuard};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use regsweep_core::catalog;
use regsweep_core::digest::Digest;
use regsweep_core::lines::{self, Format};
use regsweep_core::manifest::Role;
use regsweep_core::mark;
use regsweep_core::mark::broken::{self, Missing};
use regsweep_core::plan::{self, Rules};
use regsweep_core::store::any::AnyStore;

use crate::descriptor::Descriptor;
use crate::errors::convert;
use crate::text::name;
use crate::wait::run;

#[pyclass(frozen, module = "regsweep._core")]
pub(crate) struct Marks {
    pub(crate) store: Arc<AnyStore>,
    // Written only while removing: a pointer that cannot be removed makes more live.
    #[allow(clippy::struct_field_names, reason = "it is the core's")]
    pub(crate) marks: RwLock<mark::Marks>,
    rules: Rules,
}

impl Marks {
    pub(crate) const fn new(store: Arc<AnyStore>, marks: mark::Marks, rules: Rules) -> Self {
        Self { store, marks: RwLock::new(marks), rules }
    }

    pub(crate) fn get(&self) -> RwLockReadGuard<'_, mark::Marks> {
        self.marks.read().expect("no thread panics while it removes")
    }
}

#[pyclass(frozen, get_all, module = "regsweep._core")]
pub(crate) struct Damage {
    repository: Option<String>,
    tag: Option<String>,
    digest: Option<String>,
    key: String,
    reason: &'static str,
    accepted: bool,
}

#[pyclass(frozen, get_all, module = "regsweep._core")]
pub(crate) struct BrokenImage {
    repository: String,
    tag: Option<String>,
    manifest: String,
    missing: String,
    role: &'static str,
    counts: bool,
}

impl BrokenImage {
    pub(crate) fn of(repository: String, image: &broken::BrokenImage) -> Self {
        Self {
            repository,
            tag: image.tag.as_deref().map(name),
            manifest: image.manifest.to_string(),
            missing: image.missing.to_string(),
            role: role_name(image.role),
            counts: image.counts(),
        }
    }
}

#[pyclass(frozen, get_all, module = "regsweep._core")]
pub(crate) struct Note {
    key: String,
    reason: &'static str,
}

impl Note {
    pub(crate) fn of(note: &catalog::Note) -> Self {
        Self { key: note.key.to_string(), reason: note.reason }
    }
}

pub(crate) const fn role_name(role: Missing) -> &'static str {
    match role {
        Missing::Manifest => "manifest",
        Missing::Reference(Role::Config) => "config",
        Missing::Reference(Role::Layer) => "layer",
        Missing::Reference(Role::ForeignLayer) => "foreign layer",
        Missing::Reference(Role::Child | Role::ChildOrBlob) => "child",
        Missing::Reference(Role::Subject) => "subject",
        Missing::Reference(Role::Any) => "any",
    }
}

#[pymethods]
impl Marks {
    #[getter]
    fn delete_untagged(&self) -> bool {
        self.get().options.delete_untagged
    }

    #[getter]
    fn marked_count(&self) -> usize {
        self.get().marked_count
    }

    #[getter]
    fn blob_count(&self) -> usize {
        self.get().blobs.stored_count
    }

    #[getter]
    fn eligible_blob_count(&self) -> usize {
        self.get().blobs.len()
    }

    #[getter]
    fn eligible_blob_bytes(&self) -> u64 {
        self.get().blobs.size_bytes()
    }

    #[getter]
    fn eligible_manifest_count(&self) -> usize {
        self.get().revisions.len()
    }

    #[getter]
    fn eligible_layer_link_count(&self) -> usize {
        self.get().layer_links.len()
    }

    #[getter]
    fn eligible_tag_count(&self) -> usize {
        self.get().tags.len()
    }

    #[getter]
    fn whole_repository_count(&self) -> usize {
        self.get().whole.len()
    }

    /// Live blobs that lie in quarantines: how many.
    #[getter]
    fn quarantined_live_count(&self) -> usize {
        self.get().quarantined.len()
    }

    /// Repository and tag of every tag that goes, in order.
    fn eligible_tags(&self) -> Vec<(String, String)> {
        let marks = self.get();
        let named = |tag: &mark::EligibleTag| {
            let repository = &marks.catalog.repositories[tag.repository];
            let tag = repository.tags.iter().flatten().nth(tag.tag).map_or_else(String::new, |tag| name(&tag.name));
            (repository.display_name(), tag)
        };
        marks.tags.iter().map(named).collect()
    }

    /// Repositories that had tags and would keep none of them.
    fn emptied_repositories(&self) -> Vec<String> {
        let marks = self.get();
        let groups = marks.tags.chunk_by(|one, other| one.repository == other.repository);
        groups
            .map(|tags| (&marks.catalog.repositories[tags[0].repository], tags.len()))
            .filter(|(repository, count)| repository.tags.as_ref().is_some_and(|tags| tags.len() == *count))
            .map(|(repository, _)| repository.display_name())
            .collect()
    }

    fn write_plan(&self, py: Python<'_>, descriptor: i32) -> PyResult<(u64, String)> {
        let written = convert(
            py,
            run(py, None, |control| plan::write(&self.get(), &self.rules, &mut Descriptor::new(descriptor, control))),
        )?;
        Ok((written.row_count, written.sha256))
    }

    #[getter]
    fn newer_than_tags_count(&self) -> usize {
        self.get().newer_than_tags
    }

    #[getter]
    fn damaged(&self) -> Vec<Damage> {
        let marks = self.get();
        let convert = |damage: &mark::Damage| Damage {
            repository: damage.repository.map(|index| marks.catalog.repositories[index].display_name()),
            tag: damage.tag.as_deref().map(name),
            digest: damage.digest.map(|digest| digest.to_string()),
            key: damage.key.to_string(),
            reason: damage.reason,
            accepted: damage.accepted,
        };
        marks.damaged.iter().map(convert).collect()
    }

    #[getter]
    fn broken(&self) -> Vec<BrokenImage> {
        let marks = self.get();
        let repository = |index: usize| marks.catalog.repositories[index].display_name();
        marks.broken.iter().map(|image| BrokenImage::of(repository(image.repository), image)).collect()
    }

    #[getter]
    fn notes(&self) -> Vec<Note> {
        self.get().notes.iter().map(Note::of).collect()
    }

    #[pyo3(signature = (start = 0, count = None))]
    fn eligible_blobs(&self, start: usize, count: Option<usize>) -> Vec<(String, u64)> {
        let marks = self.get();
        let some = marks.blobs.iter().skip(start).take(count.unwrap_or(usize::MAX));
        some.map(|(digest, size)| (digest.to_string(), size)).collect()
    }

    fn eligible_manifests(&self) -> Vec<(String, String)> {
        self.get().eligible_manifests().map(|(repository, digest)| (repository, digest.to_string())).collect()
    }

    fn eligible_layer_links(&self) -> Vec<(String, String)> {
        let marks = self.get();
        let repository = |index: usize| marks.catalog.repositories[index].display_name();
        marks.layer_links.iter().map(|(index, digest)| (repository(index), digest.to_string())).collect()
    }

    fn is_live(&self, digest: &str) -> PyResult<bool> {
        let digest: Digest = digest.parse().map_err(|error| PyValueError::new_err(format!("{digest}: {error}")))?;
        Ok(self.get().live.contains(&digest))
    }

    fn write_lines(&self, py: Python<'_>, descriptor: i32, compat: u8) -> PyResult<()> {
        let format = match compat {
            2 => Format::Two,
            3 => Format::Three,
            _ => return Err(PyValueError::new_err("compat must be 2 or 3")),
        };
        convert(
            py,
            run(py, None, |control| lines::write(&self.get(), format, &mut Descriptor::new(descriptor, control))),
        )
    }
}
