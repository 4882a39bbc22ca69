//! Why a digest stays, or goes: every chain of references from something that is live for its own sake.
//!
//! ```text
//! root (tag, link, keep list, age, damage) → manifest → … → digest
//! ```
//!
//! Marking only keeps what is reached. Here the same edges are followed backwards, from the digest that was asked about
//! to the roots that marking has started from: there is a chain just if marking has found it live. What only its age
//! keeps is told by what marking has seen then, and only where nothing else keeps it.

mod aside;
mod contents;
mod edges;
mod subject;
mod ways;

use std::collections::{HashMap, HashSet};

use crate::catalog::Catalog;
use crate::digest::Digest;
use crate::error::Result;
use crate::graph::Aliases;
use crate::manifest::Shape;
use crate::mark::{Marks, Root, RootKind};
use crate::progress::Control;
use crate::scan::stat_blobs;
use crate::store::{List, Stat};

pub use aside::{Aside, TagAside};
pub use contents::{Part, RepositorySummary, TagContents, contents_of_tag, summarize_repository};
pub use edges::Relation;
pub use subject::{Resolved, Subject, resolve};
pub use ways::Cursor;

use aside::Asked;
use edges::{Edges, Node};
use ways::Ways;

/// What becomes of a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Stored, and something keeps it.
    Live,
    /// Something needs it, and it is neither stored nor set aside.
    Missing,
    /// Stored, and nothing keeps it.
    Garbage,
    /// Not stored any more: a run has set it aside. Whether something keeps it says whether it comes back.
    Quarantined,
    /// Neither stored nor set aside, and nothing that is live needs it.
    Absent,
}

/// One step of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// How the digest before it leads to this one; nothing for the first, which the root is about.
    pub relation: Option<Relation>,
    /// The digest.
    pub digest: Digest,
    /// What it is, where it is a manifest.
    pub shape: Option<Shape>,
}

/// What keeps a digest, from the root down to the digest itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// Why the first digest is live for its own sake.
    pub root: Root,
    /// From the first digest to the one that was asked about; the same one where that is live for its own sake.
    pub steps: Vec<Step>,
}

/// Every chain that keeps a digest. A chain does not go in circles: among manifests that keep each other it takes only
/// steps that bring it nearer to the digest.
#[derive(Debug)]
pub struct Chains {
    ways: Ways,
    nodes: Vec<(Digest, Option<Shape>)>,
    relations: Vec<Vec<Relation>>,
    roots: Vec<Root>,
}

/// Something that keeps a digest: a root, and the digest that it makes live for its own sake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Keeper {
    /// The root.
    pub root: Root,
    /// What it is about.
    pub digest: Digest,
}

/// What is known of a digest.
#[derive(Debug)]
pub struct Explanation {
    /// The digest.
    pub digest: Digest,
    /// What it is, where it is a manifest.
    pub shape: Option<Shape>,
    /// Size in bytes and time, where it is stored.
    pub stored: Option<Stat>,
    /// Another digest under which it is stored, by an alias link: that of a layer which was pushed by its sha512.
    pub stored_as: Option<Digest>,
    /// What becomes of it.
    pub verdict: Verdict,
    /// All that keeps it.
    pub chains: Chains,
    /// Where chains begin, in order.
    pub keepers: Vec<Keeper>,
    /// Manifest links that lead to it and keep nothing, by index of the repository: those that go with it.
    pub dead_links: Vec<(usize, Digest)>,
    /// Repositories, by index, with layer links to it that go with it.
    pub dead_layer_links: Vec<usize>,
    /// What runs have set aside of it: its blob, and links to it.
    pub asides: Vec<Aside>,
}

impl Explanation {
    /// Whether a confirmation of the runs that have set it aside finds it needed. It asks for no keep list and takes
    /// every manifest link for a root; what only age keeps here need not be young by its clock.
    pub fn comes_back(&self) -> bool {
        let lasts = |kind| !matches!(kind, RootKind::KeepList | RootKind::YoungBlob | RootKind::YoungLayerLink);
        self.keepers.iter().any(|keeper| lasts(keeper.root.kind)) || !self.dead_links.is_empty()
    }
}

/// What is known of a repository, or a tag of one, that is only in quarantines any more.
#[derive(Clone, Debug)]
pub struct NameAside {
    /// The repository's name.
    pub repository: Vec<u8>,
    /// The tag, if it was asked about.
    pub tag: Option<Vec<u8>>,
    /// What runs have set aside of it.
    pub asides: Vec<Aside>,
}

impl Chains {
    fn find(edges: &Edges<'_>, above: &[Node]) -> Self {
        let places: HashMap<Node, u32> = above.iter().copied().zip(0..).collect();
        let steps = |&node: &Node| edges.to(node).map(|(from, relation)| (places[&from], relation)).unzip();
        let (sources, relations): (Vec<Vec<u32>>, Vec<Vec<Relation>>) = above.iter().map(steps).unzip();
        let mut roots: Vec<Root> = above.iter().flat_map(|&node| edges.roots_of(node)).collect();
        roots.sort_unstable();
        roots.dedup();
        let numbers: HashMap<Root, u32> = roots.iter().copied().zip(0..).collect();
        let beginnings = above.iter().map(|&node| edges.roots_of(node).map(|root| numbers[&root]).collect());
        let ways = Ways::new(&sources, beginnings.collect());
        let nodes = above.iter().map(|&node| (edges.digest(node), edges.shape(node))).collect();
        Self { ways, nodes, relations, roots }
    }

    /// How many there are; nothing where that is more than a 64-bit number can say.
    pub const fn count(&self) -> Option<u64> {
        self.ways.count()
    }

    /// The next chain, shortest first; nothing after the last. Those of equal length come in an order that depends on
    /// nothing but the store.
    pub fn next(&self, cursor: &mut Cursor) -> Option<Chain> {
        let way = self.ways.next(cursor)?;
        let step = |(node, step): (u32, Option<u32>)| {
            let (digest, shape) = self.nodes[node as usize];
            let relation = step.map(|step| self.relations[node as usize][step as usize]);
            Step { relation, digest, shape }
        };
        Some(Chain { root: self.roots[way.beginning as usize], steps: way.nodes.into_iter().map(step).collect() })
    }
}

/// Explains a digest by what was marked. Nothing for one that is not stored and that nothing refers to.
///
/// # Errors
/// Any failure to look at it, to list the layer links of damaged repositories, or to read references back.
pub fn explain(store: &impl List, marks: &Marks, digest: Digest, control: &Control) -> Result<Option<Explanation>> {
    let catalog: &Catalog = &marks.catalog;
    let manifests = catalog.manifests();
    let (stored, stored_as) = find_stored(store, catalog, digest, control)?;
    let mut edges = Edges::find(store, marks, &manifests, &[digest], control)?;
    let Some(node) = edges.node(&digest) else { return Ok(None) };
    // What was written since the marks were made is not in them, and was not judged.
    let is_young = |stat: Stat| stat.modified >= marks.options.cutoff(catalog.started);
    if stored.is_some_and(is_young) && !marks.blobs.contains(&digest) {
        edges.add_root(node, Root::new(RootKind::YoungBlob));
    }
    let above = edges.all_above(node, &mut vec![0; edges.len()], 1);
    let chains = Chains::find(&edges, &above);
    let keepers = keepers(&edges, &above);
    let dead_layer_links: Vec<usize> =
        marks.layer_links.iter().filter(|(_, other)| *other == digest).map(|(index, _)| index).collect();
    let is_stored = stored.is_some() || stored_as.is_some();
    let mut asides = aside::find(catalog, &manifests, Asked::Digest(&digest));
    aside::add_blob(store, catalog, &digest, &mut asides, control)?;
    let is_named = above.len() > 1 || !keepers.is_empty() || !dead_layer_links.is_empty() || !asides.is_empty();
    if !is_stored && !is_named && manifests.find(&digest).is_none() {
        return Ok(None);
    }
    let verdict = match (is_stored, keepers.is_empty()) {
        (true, false) => Verdict::Live,
        (true, true) => Verdict::Garbage,
        (false, _) if asides.iter().any(|aside| aside.size_bytes.is_some()) => Verdict::Quarantined,
        (false, false) => Verdict::Missing,
        (false, true) => Verdict::Absent,
    };
    let mut dead_links = Vec::new();
    if keepers.is_empty() {
        let above: HashSet<Node> = above.iter().copied().collect();
        for (index, repository) in catalog.repositories.iter().enumerate() {
            let linked = repository.revisions.iter().map(|revision| revision.manifest);
            dead_links.extend(linked.filter(|id| above.contains(id)).map(|id| (index, manifests.digest(id))));
        }
    }
    let shape = edges.shape(node);
    Ok(Some(Explanation {
        digest,
        shape,
        stored,
        stored_as,
        verdict,
        chains,
        keepers,
        dead_links,
        dead_layer_links,
        asides,
    }))
}

/// Says what runs have set aside of a repository, or of a tag.
pub fn explain_aside(marks: &Marks, repository: Vec<u8>, tag: Option<Vec<u8>>) -> NameAside {
    let asked = match &tag {
        Some(tag) => Asked::Tag(&repository, tag),
        None => Asked::Repository(&repository),
    };
    let asides = aside::find(&marks.catalog, &marks.catalog.manifests(), asked);
    NameAside { repository, tag, asides }
}

/// Looks for a digest: under its own name, and under those that alias links give for it.
fn find_stored(
    store: &impl List,
    catalog: &Catalog,
    digest: Digest,
    control: &Control,
) -> Result<(Option<Stat>, Option<Digest>)> {
    let mut names = vec![digest];
    Aliases::of(catalog).for_each_target(&digest, |target| names.push(*target));
    let (mut stored, mut stored_as) = (None, None);
    stat_blobs(store, names, control, |name, stat| {
        if name == digest {
            stored = stat;
        } else if stat.is_some() {
            stored_as = Some(name);
        }
    })?;
    Ok((stored, stored_as.filter(|_| stored.is_none())))
}

/// The roots of some digests, in order.
fn keepers(edges: &Edges<'_>, above: &[Node]) -> Vec<Keeper> {
    let of_node = |&node: &Node| edges.roots_of(node).map(move |root| Keeper { root, digest: edges.digest(node) });
    let mut keepers: Vec<Keeper> = above.iter().flat_map(of_node).collect();
    keepers.sort_unstable();
    keepers
}
