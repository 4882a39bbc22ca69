//! What a tag reaches, and what else keeps each part of it; and a summary of a repository.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::aside::{self, Aside, Asked};
use super::edges::{Edges, Relation};
use super::{Keeper, Step, keepers};
use crate::catalog::{Catalog, Repository, Target};
use crate::digest::Digest;
use crate::error::Result;
use crate::graph::{Aliases, Graph};
use crate::manifests::{ManifestId, Manifests};
use crate::mark::{Marks, RootKind};
use crate::progress::Control;
use crate::scan::stat_blobs;
use crate::store::List;
use crate::usage::{Amount, Request, Share, measure_all};

/// One digest that a tag reaches.
#[derive(Clone, Debug)]
pub struct Part {
    /// How many steps it was first met below the tag.
    pub depth: usize,
    /// How it was met, and what it is.
    pub step: Step,
    /// Its size in bytes; nothing where it is not stored.
    pub size_bytes: Option<u64>,
    /// Index of the quarantine in which it lies, where it is not stored and comes back from there.
    pub quarantine: Option<usize>,
    /// The first of what else keeps it, in order.
    pub others: Vec<Keeper>,
    /// How many there are.
    pub other_count: usize,
}

/// What a tag points to and reaches.
#[derive(Clone, Debug)]
pub struct TagContents {
    /// Index of the repository.
    pub repository: usize,
    /// Index of the tag in it.
    pub tag: usize,
    /// Whether it points to something now; otherwise what it has pointed to counts.
    pub is_current: bool,
    /// Each digest once: below what refers to it, in the order of the documents; artifacts after what they are about.
    pub parts: Vec<Part>,
    /// Earlier tags of this name, which runs have set aside.
    pub asides: Vec<Aside>,
    /// What of it is stored.
    pub total: Amount,
    /// What nothing else keeps.
    pub unique: Amount,
}

/// What a repository links and takes.
#[derive(Clone, Debug)]
pub struct RepositorySummary {
    /// Index of the repository.
    pub repository: usize,
    /// How many manifests it links.
    pub manifest_link_count: usize,
    /// How many of them no tag of it reaches.
    pub untagged_count: usize,
    /// How many of its manifest links keep nothing and go.
    pub eligible_manifest_count: usize,
    /// How many of its layer links go.
    pub eligible_layer_link_count: usize,
    /// Whether everything that it links stays, because it is damaged.
    pub kept_whole: bool,
    /// What it reaches.
    pub share: Share,
    /// What runs have set aside of it.
    pub asides: Vec<Aside>,
}

/// Works out what a tag reaches. What else keeps a part: other tags, keep lists, age, damage, and links to manifests
/// that no tag of the linking repository reaches, or of a damaged one; so many of them are named as `limit` says.
///
/// # Errors
/// Any failure to look at blobs, to list the layer links of damaged repositories, or to read references back.
pub fn contents_of_tag(
    store: &impl List,
    marks: &Marks,
    (repository, tag): (usize, usize),
    limit: usize,
    control: &Control,
) -> Result<TagContents> {
    let catalog: &Catalog = &marks.catalog;
    let manifests = catalog.manifests();
    let steps = reached(marks, &manifests, &catalog.repositories[repository], tag)?;
    let wanted: Vec<Digest> = steps.iter().map(|(_, _, digest)| *digest).collect();
    let edges = Edges::find(store, marks, &manifests, &wanted, control)?;
    let graph = Graph::new(marks, &manifests, edges.as_blobs());
    let mut tagged = Tagged::new(marks, &graph);
    let mut sizes: HashMap<Digest, u64> = HashMap::new();
    stat_blobs(store, wanted, control, |digest, stat| {
        sizes.extend(stat.map(|stat| (digest, stat.size_bytes)));
    })?;
    let target = catalog.repositories[repository].tags.as_ref().map(|tags| &tags[tag].target);
    let is_current = matches!(target, Some(Target::Manifest(_)));
    let (total, unique) = (Amount::default(), Amount::default());
    let asides = asides_of_tag(catalog, &manifests, repository, tag);
    let mut contents = TagContents { repository, tag, is_current, parts: Vec::new(), asides, total, unique };
    let aside: HashMap<Digest, usize> = marks.quarantined.iter().map(|&(run, digest)| (digest, run)).collect();
    let mut met = vec![0; edges.len()];
    for (mark, (depth, relation, digest)) in (1..).zip(steps) {
        control.check()?;
        let node = edges.node(&digest).expect("a digest that was asked for has a number");
        let mut others = keepers(&edges, &edges.all_above(node, &mut met, mark));
        others.retain(|keeper| !is_of_tag(keeper, repository, tag) && !tagged.speaks_for(&manifests, keeper));
        let size_bytes = sizes.get(&digest).copied();
        if let Some(size_bytes) = size_bytes {
            contents.total.add(size_bytes);
            if others.is_empty() {
                contents.unique.add(size_bytes);
            }
        }
        let other_count = others.len();
        others.truncate(limit);
        let step = Step { relation, digest, shape: edges.shape(node) };
        let quarantine = aside.get(&digest).copied().filter(|_| size_bytes.is_none());
        contents.parts.push(Part { depth, step, size_bytes, quarantine, others, other_count });
    }
    Ok(contents)
}

fn asides_of_tag(catalog: &Catalog, manifests: &Manifests, repository: usize, tag: usize) -> Vec<Aside> {
    let repository = &catalog.repositories[repository];
    let name = repository.tags.as_ref().map(|tags| tags[tag].name.as_slice());
    name.map_or_else(Vec::new, |name| aside::find(catalog, manifests, Asked::Tag(&repository.name, name)))
}

fn targets(repository: &Repository, tag: usize) -> &[ManifestId] {
    match repository.tags.as_ref().map(|tags| &tags[tag].target) {
        Some(Target::Manifest(id)) => std::slice::from_ref(id),
        Some(Target::Missing(history)) => history,
        Some(Target::Unreadable) | None => &[],
    }
}

/// Everything that a tag reaches: how deep, how, what.
fn reached(
    marks: &Marks,
    manifests: &Manifests,
    repository: &Repository,
    tag: usize,
) -> Result<Vec<(usize, Option<Relation>, Digest)>> {
    let aliases = Aliases::of(&marks.catalog);
    let mut found = Vec::new();
    let mut seen: HashSet<Digest> = HashSet::new();
    let mut buffer = Vec::new();
    let targets = targets(repository, tag).iter().rev();
    let mut open: Vec<(usize, Option<Relation>, Digest)> = targets.map(|&id| (0, None, manifests.digest(id))).collect();
    while let Some((depth, relation, digest)) = open.pop() {
        if !seen.insert(digest) {
            continue;
        }
        found.push((depth, relation, digest));
        let below = open.len();
        let mut add = |relation, digest| open.push((depth + 1, Some(relation), digest));
        let id = manifests.find(&digest);
        if let Some(id) = id {
            manifests.references.for_each(manifests.span(id), &mut buffer, |reference| {
                add(Relation::Reference(reference.role), reference.digest);
            })?;
        }
        for &(index, target) in aliases.targets(&digest) {
            add(Relation::alias(index), target);
        }
        for &referrer in id.map_or(&[][..], |id| marks.referrers(id)) {
            add(Relation::Referrer, manifests.digest(referrer));
        }
        // The first is to be met first.
        open[below..].reverse();
    }
    Ok(found)
}

fn is_of_tag(keeper: &Keeper, repository: usize, tag: usize) -> bool {
    let is = |index: Option<u32>, wanted: usize| index.is_some_and(|index| index as usize == wanted);
    is(keeper.root.repository, repository) && is(keeper.root.tag, tag)
}

/// Which manifests the tags of a repository reach, worked out for those repositories that it is asked of.
struct Tagged<'a> {
    catalog: &'a Catalog,
    graph: &'a Graph<'a>,
    /// What these link stays, whether a tag reaches it or not.
    kept_whole: BTreeSet<usize>,
    by_repository: HashMap<u32, HashSet<ManifestId>>,
}

impl<'a> Tagged<'a> {
    fn new(marks: &'a Marks, graph: &'a Graph<'a>) -> Self {
        Self { catalog: &marks.catalog, graph, kept_whole: marks.kept_whole(), by_repository: HashMap::new() }
    }

    /// Whether something is kept by a link to what a tag of the same repository reaches: the tag says it already.
    fn speaks_for(&mut self, manifests: &Manifests, keeper: &Keeper) -> bool {
        let by_link = matches!(keeper.root.kind, RootKind::ManifestLink | RootKind::YoungManifestLink);
        let Some(repository) = keeper.root.repository.filter(|_| by_link) else { return false };
        !self.kept_whole.contains(&(repository as usize))
            && manifests.find(&keeper.digest).is_some_and(|id| self.of(repository).contains(&id))
    }

    fn of(&mut self, repository: u32) -> &HashSet<ManifestId> {
        self.by_repository.entry(repository).or_insert_with(|| {
            let tags = self.catalog.repositories[repository as usize].tags.iter().flatten();
            let mut open: Vec<ManifestId> = Vec::new();
            for tag in tags {
                match &tag.target {
                    Target::Manifest(id) => open.push(*id),
                    Target::Missing(history) => open.extend(history),
                    Target::Unreadable => {}
                }
            }
            let mut reached = HashSet::new();
            while let Some(id) = open.pop() {
                if reached.insert(id) {
                    open.extend(self.graph.references(id));
                    open.extend(self.graph.referrers(id));
                }
            }
            reached
        })
    }
}

/// Sums up a repository.
///
/// # Errors
/// Any failure to list or look at blobs, or to read references back.
pub fn summarize_repository(
    store: &impl List,
    marks: &Marks,
    repository: usize,
    control: &Control,
) -> Result<RepositorySummary> {
    let catalog: &Catalog = &marks.catalog;
    let usage = measure_all(store, marks, Request::default(), control)?;
    let manifests = catalog.manifests();
    let edges = Edges::find(store, marks, &manifests, &[], control)?;
    let graph = Graph::new(marks, &manifests, edges.as_blobs());
    let mut tagged = Tagged::new(marks, &graph);
    let tagged = tagged.of(u32::try_from(repository).expect("fewer repositories than numbers"));
    let links = &catalog.repositories[repository].revisions;
    Ok(RepositorySummary {
        repository,
        manifest_link_count: links.len(),
        untagged_count: links.iter().filter(|link| !tagged.contains(&link.manifest)).count(),
        eligible_manifest_count: marks.revisions.iter().filter(|link| link.repository == repository).count(),
        eligible_layer_link_count: marks.layer_links.iter().filter(|&(index, _)| index == repository).count(),
        kept_whole: marks.kept_whole().contains(&repository),
        share: usage.repositories[repository].share,
        asides: aside::find(catalog, &manifests, Asked::Repository(&catalog.repositories[repository].name)),
    })
}
