//! Why something stays, or goes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use pyo3::prelude::*;
use regsweep_core::catalog::Catalog;
use regsweep_core::digest::Digest;
use regsweep_core::error::Result;
use regsweep_core::manifest::Shape;
use regsweep_core::mark::broken::Missing;
use regsweep_core::mark::{self, Root, RootKind};
use regsweep_core::progress::Control;
use regsweep_core::store::List;
use regsweep_core::why::{
    self, Cursor, Explanation, NameAside, Relation, RepositorySummary, Resolved, Subject, TagContents, Verdict,
    contents_of_tag, explain_aside, resolve, summarize_repository,
};

use crate::errors::convert;
use crate::marks::{Marks, role_name};
use crate::text::{moment, name};
use crate::wait::run;

#[pyclass(frozen, get_all, module = "regsweep._core")]
pub(crate) struct Keeper {
    kind: &'static str,
    repository: Option<String>,
    tag: Option<String>,
    digest: String,
}

#[pyclass(frozen, get_all, module = "regsweep._core")]
#[derive(Clone)]
pub(crate) struct ChainStep {
    relation: Option<&'static str>,
    repository: Option<String>,
    digest: String,
    content: &'static str,
}

#[pyclass(frozen, get_all, module = "regsweep._core")]
pub(crate) struct Chain {
    kind: &'static str,
    repository: Option<String>,
    tag: Option<String>,
    steps: Vec<ChainStep>,
}

/// Hands out chains one by one.
#[pyclass(frozen, module = "regsweep._core")]
pub(crate) struct Chains {
    explained: Arc<Explained>,
    cursor: Mutex<Cursor>,
}

struct Explained {
    explanation: Explanation,
    catalog: Arc<Catalog>,
}

#[pyclass(frozen, module = "regsweep._core")]
pub(crate) struct DigestExplanation(Arc<Explained>);

#[pyclass(frozen, get_all, module = "regsweep._core")]
pub(crate) struct TagPart {
    depth: usize,
    relation: Option<&'static str>,
    digest: String,
    content: &'static str,
    size_bytes: Option<u64>,
    quarantined_in: Option<String>,
    others: Vec<Py<Keeper>>,
    other_count: usize,
}

#[pyclass(frozen, get_all, module = "regsweep._core")]
pub(crate) struct TagExplanation {
    repository: String,
    tag: String,
    current: bool,
    total_blob_count: usize,
    total_bytes: u64,
    unique_blob_count: usize,
    unique_bytes: u64,
    parts: Vec<Py<TagPart>>,
    asides: Vec<Py<Aside>>,
}

#[pyclass(frozen, get_all, module = "regsweep._core")]
pub(crate) struct RepositoryExplanation {
    repository: String,
    tag_count: usize,
    manifest_link_count: usize,
    untagged_count: usize,
    eligible_manifest_count: usize,
    eligible_layer_link_count: usize,
    kept_whole: bool,
    manifest_count: usize,
    total_blob_count: usize,
    total_bytes: u64,
    unique_blob_count: usize,
    unique_bytes: u64,
    asides: Vec<Py<Aside>>,
}

#[pyclass(frozen, get_all, module = "regsweep._core")]
pub(crate) struct Aside {
    run: String,
    since: Option<SystemTime>,
    size_bytes: Option<u64>,
    tags: Vec<(String, String, Option<String>)>,
    manifest_links: Vec<(String, String)>,
    layer_links: Vec<(String, String)>,
}

#[pyclass(frozen, get_all, module = "regsweep._core")]
pub(crate) struct AsideExplanation {
    repository: String,
    tag: Option<String>,
    asides: Vec<Py<Aside>>,
}

#[pyclass(frozen, get_all, module = "regsweep._core")]
pub(crate) struct Unresolved {
    reason: &'static str,
    matches: Vec<String>,
}

const fn kind_name(kind: RootKind) -> &'static str {
    match kind {
        RootKind::Tag => "tag",
        RootKind::TagHistory => "tag-history",
        RootKind::ManifestLink => "manifest-link",
        RootKind::UntoldManifestLink => "untold-manifest-link",
        RootKind::DamagedManifestLink => "damaged-manifest-link",
        RootKind::DamagedLayerLink => "damaged-layer-link",
        RootKind::KeepList => "keep-list",
        RootKind::YoungManifestLink => "young-manifest-link",
        RootKind::YoungBlob => "young-blob",
        RootKind::YoungLayerLink => "young-layer-link",
        RootKind::UnknownAlgorithm => "unknown-algorithm-link",
        RootKind::YoungQuarantinedLink => "young-quarantined-link",
    }
}

const fn content_name(shape: Option<Shape>) -> &'static str {
    match shape {
        Some(Shape::Image) => "image",
        Some(Shape::Index) => "index",
        Some(Shape::Schema1) => "schema1",
        Some(Shape::Unknown) => "unknown",
        Some(Shape::Damaged) => "damaged",
        None => "blob",
    }
}

const fn relation_name(relation: Relation) -> &'static str {
    match relation {
        Relation::Reference(role) => role_name(Missing::Reference(role)),
        Relation::Referrer => "referrer",
        Relation::Alias(_) => "alias",
    }
}

const fn verdict_name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Live => "live",
        Verdict::Missing => "missing",
        Verdict::Garbage => "garbage",
        Verdict::Quarantined => "quarantined",
        Verdict::Absent => "absent",
    }
}

/// The names of a root's repository and tag.
fn root_names(catalog: &Catalog, root: Root) -> (Option<String>, Option<String>) {
    let repository = root.repository.map(|index| &catalog.repositories[index as usize]);
    let tag = root.tag.and_then(|tag| repository?.tags.as_ref()?.get(tag as usize));
    (repository.map(regsweep_core::catalog::Repository::display_name), tag.map(|tag| name(&tag.name)))
}

fn keeper(catalog: &Catalog, keeper: &why::Keeper) -> Keeper {
    let (repository, tag) = root_names(catalog, keeper.root);
    Keeper { kind: kind_name(keeper.root.kind), repository, tag, digest: keeper.digest.to_string() }
}

fn step(catalog: &Catalog, step: &why::Step) -> ChainStep {
    let repository = match step.relation {
        Some(Relation::Alias(Some(index))) => Some(catalog.repositories[index as usize].display_name()),
        _ => None,
    };
    ChainStep {
        relation: step.relation.map(relation_name),
        repository,
        digest: step.digest.to_string(),
        content: content_name(step.shape),
    }
}

#[pymethods]
impl Chains {
    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__(&self) -> Option<Chain> {
        let Explained { explanation, catalog } = &*self.explained;
        let mut cursor = self.cursor.lock().expect("no thread panics while it seeks a chain");
        let chain = explanation.chains.next(&mut cursor)?;
        let (repository, tag) = root_names(catalog, chain.root);
        let steps = chain.steps.iter().map(|one| step(catalog, one)).collect();
        Some(Chain { kind: kind_name(chain.root.kind), repository, tag, steps })
    }
}

#[pymethods]
impl DigestExplanation {
    #[getter]
    fn digest(&self) -> String {
        self.0.explanation.digest.to_string()
    }

    #[getter]
    fn content(&self) -> &'static str {
        content_name(self.0.explanation.shape)
    }

    #[getter]
    fn size_bytes(&self) -> Option<u64> {
        self.0.explanation.stored.map(|stat| stat.size_bytes)
    }

    #[getter]
    fn stored_as(&self) -> Option<String> {
        self.0.explanation.stored_as.map(|digest| digest.to_string())
    }

    #[getter]
    fn verdict(&self) -> &'static str {
        verdict_name(self.0.explanation.verdict)
    }

    #[getter]
    fn chain_count(&self) -> Option<u64> {
        self.0.explanation.chains.count()
    }

    fn chains(&self) -> Chains {
        Chains { explained: Arc::clone(&self.0), cursor: Mutex::default() }
    }

    #[getter]
    fn keeper_counts(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for keeper in &self.0.explanation.keepers {
            *counts.entry(kind_name(keeper.root.kind)).or_default() += 1;
        }
        counts
    }

    #[pyo3(signature = (start = 0, count = None))]
    fn keepers(&self, start: usize, count: Option<usize>) -> Vec<Keeper> {
        let some = self.0.explanation.keepers.iter().skip(start).take(count.unwrap_or(usize::MAX));
        some.map(|one| keeper(&self.0.catalog, one)).collect()
    }

    #[getter]
    fn dead_links(&self) -> Vec<(String, String)> {
        let name = |index: usize| self.0.catalog.repositories[index].display_name();
        let links = self.0.explanation.dead_links.iter();
        links.map(|&(index, digest)| (name(index), digest.to_string())).collect()
    }

    #[getter]
    fn comes_back(&self) -> bool {
        self.0.explanation.comes_back()
    }

    #[getter]
    fn asides(&self, py: Python<'_>) -> PyResult<Vec<Py<Aside>>> {
        asides(py, &self.0.catalog, &self.0.explanation.asides)
    }

    #[getter]
    fn dead_layer_links(&self) -> Vec<String> {
        let links = self.0.explanation.dead_layer_links.iter();
        links.map(|&index| self.0.catalog.repositories[index].display_name()).collect()
    }
}

/// What a question's text turned out to be about.
enum Answer {
    Digest(Box<Explanation>),
    Tag(TagContents),
    Repository(RepositorySummary),
    Aside(NameAside),
    Ambiguous(Vec<Digest>),
    Unknown(&'static str),
}

fn answer(store: &impl List, marks: &mark::Marks, subject: &[u8], others: usize, control: &Control) -> Result<Answer> {
    Ok(match resolve(store, marks, subject, control)? {
        Resolved::Ambiguous(digests) => Answer::Ambiguous(digests),
        Resolved::Unknown(reason) => Answer::Unknown(reason),
        Resolved::Found(Subject::Digest(digest)) => match why::explain(store, marks, digest, control)? {
            Some(explanation) => Answer::Digest(Box::new(explanation)),
            None => Answer::Unknown("it is not stored, and nothing refers to it"),
        },
        Resolved::Found(Subject::Tag(repository, tag)) => {
            Answer::Tag(contents_of_tag(store, marks, (repository, tag), others, control)?)
        }
        Resolved::Found(Subject::Repository(index)) => {
            Answer::Repository(summarize_repository(store, marks, index, control)?)
        }
        Resolved::Found(Subject::Aside(repository, tag)) => Answer::Aside(explain_aside(marks, repository, tag)),
    })
}

#[pyfunction]
#[pyo3(signature = (marks, subject, *, others = 3, progress = None))]
pub(crate) fn explain(
    py: Python<'_>,
    marks: &Bound<'_, Marks>,
    subject: &[u8],
    others: usize,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<Py<PyAny>> {
    let marks = marks.get();
    let work = |control: &Control| answer(&*marks.store, &marks.get(), subject, others, control);
    let answer = convert(py, run(py, progress, work))?;
    let catalog = Arc::clone(&marks.get().catalog);
    match answer {
        Answer::Digest(explanation) => {
            let explained = Explained { explanation: *explanation, catalog };
            Ok(Py::new(py, DigestExplanation(Arc::new(explained)))?.into_any())
        }
        Answer::Tag(contents) => Ok(Py::new(py, tag_explanation(py, &catalog, &contents)?)?.into_any()),
        Answer::Repository(summary) => Ok(Py::new(py, repository_explanation(py, &catalog, &summary)?)?.into_any()),
        Answer::Aside(NameAside { repository, tag, asides: found }) => {
            let (repository, tag) = (name(&repository), tag.as_deref().map(name));
            let explanation = AsideExplanation { repository, tag, asides: asides(py, &catalog, &found)? };
            Ok(Py::new(py, explanation)?.into_any())
        }
        Answer::Ambiguous(digests) => {
            let matches = digests.iter().map(ToString::to_string).collect();
            Ok(Py::new(py, Unresolved { reason: "several digests begin like that", matches })?.into_any())
        }
        Answer::Unknown(reason) => Ok(Py::new(py, Unresolved { reason, matches: Vec::new() })?.into_any()),
    }
}

fn tag_explanation(py: Python<'_>, catalog: &Catalog, contents: &TagContents) -> PyResult<TagExplanation> {
    let repository = &catalog.repositories[contents.repository];
    let tag = repository.tags.as_ref().and_then(|tags| tags.get(contents.tag));
    let part = |part: &why::Part| {
        let others = part.others.iter().map(|other| Py::new(py, keeper(catalog, other)));
        let part = TagPart {
            depth: part.depth,
            relation: part.step.relation.map(relation_name),
            digest: part.step.digest.to_string(),
            content: content_name(part.step.shape),
            size_bytes: part.size_bytes,
            quarantined_in: part.quarantine.map(|index| name(&catalog.quarantines[index].run)),
            others: others.collect::<PyResult<_>>()?,
            other_count: part.other_count,
        };
        Py::new(py, part)
    };
    Ok(TagExplanation {
        repository: repository.display_name(),
        tag: tag.map_or_else(String::new, |tag| name(&tag.name)),
        current: contents.is_current,
        total_blob_count: contents.total.blob_count,
        total_bytes: contents.total.size_bytes,
        unique_blob_count: contents.unique.blob_count,
        unique_bytes: contents.unique.size_bytes,
        parts: contents.parts.iter().map(part).collect::<PyResult<_>>()?,
        asides: asides(py, catalog, &contents.asides)?,
    })
}

fn repository_explanation(
    py: Python<'_>,
    catalog: &Catalog,
    summary: &RepositorySummary,
) -> PyResult<RepositoryExplanation> {
    let repository = &catalog.repositories[summary.repository];
    Ok(RepositoryExplanation {
        repository: repository.display_name(),
        tag_count: repository.tags.as_ref().map_or(0, Vec::len),
        manifest_link_count: summary.manifest_link_count,
        untagged_count: summary.untagged_count,
        eligible_manifest_count: summary.eligible_manifest_count,
        eligible_layer_link_count: summary.eligible_layer_link_count,
        kept_whole: summary.kept_whole,
        manifest_count: summary.share.manifest_count,
        total_blob_count: summary.share.total.blob_count,
        total_bytes: summary.share.total.size_bytes,
        unique_blob_count: summary.share.unique.blob_count,
        unique_bytes: summary.share.unique.size_bytes,
        asides: asides(py, catalog, &summary.asides)?,
    })
}

fn asides(py: Python<'_>, catalog: &Catalog, all: &[why::Aside]) -> PyResult<Vec<Py<Aside>>> {
    let links =
        |links: &[(Vec<u8>, Digest)]| links.iter().map(|(one, digest)| (name(one), digest.to_string())).collect();
    let tag = |tag: &why::TagAside| {
        let target = tag.target.as_ref().map(ToString::to_string);
        (name(&tag.repository), name(&tag.tag), target)
    };
    let convert = |aside: &why::Aside| {
        let quarantine = &catalog.quarantines[aside.quarantine];
        let aside = Aside {
            run: name(&quarantine.run),
            since: quarantine.begun().map(moment),
            size_bytes: aside.size_bytes,
            tags: aside.tags.iter().map(tag).collect(),
            manifest_links: links(&aside.manifest_links),
            layer_links: links(&aside.layer_links),
        };
        Py::new(py, aside)
    };
    all.iter().map(convert).collect()
}
