//! The edges that make digests live, backwards: from each to what refers to it.
//!
//! Of manifests all edges are here, twelve bytes each. Of the many configs and layers only those that were asked for:
//! they have numbers beyond the manifests', as have the digests that alias links name or hold.

use std::collections::HashMap;

use crate::catalog::Catalog;
use crate::digest::Digest;
use crate::error::Result;
use crate::graph::{gather, has_edge, is_there};
use crate::manifest::{Role, Shape};
use crate::manifests::{ManifestId, Manifests, State};
use crate::mark::{Marks, Root, RootKind, for_each_root, list_layer_links, resolve_keep, young_layers_aside};
use crate::progress::Control;
use crate::store::List;

/// A manifest by its number, or a number beyond for another digest.
pub(super) type Node = u32;

/// How one digest makes another live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Relation {
    /// A manifest refers to it.
    Reference(Role),
    /// An artifact that is about it.
    Referrer,
    /// A layer link of the repository with this index holds it, or one that is set aside.
    Alias(Option<u32>),
}

impl Relation {
    pub(super) fn alias(repository: Option<usize>) -> Self {
        Self::Alias(repository.map(|index| u32::try_from(index).expect("fewer repositories than numbers")))
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Edge {
    to: Node,
    from: Node,
    relation: Relation,
}

/// All manifests and some other digests, with what leads to them.
pub(super) struct Edges<'a> {
    manifests: &'a Manifests,
    others: Vec<Digest>,
    numbers: HashMap<Digest, Node>,
    /// In order.
    all: Vec<Edge>,
    roots: Vec<(Node, Root)>,
    as_blobs: Vec<(ManifestId, ManifestId)>,
}

impl<'a> Edges<'a> {
    /// The edges that lead to all manifests, and to the digests asked for.
    ///
    /// # Errors
    /// When references cannot be read back, or the layer links of damaged repositories cannot be listed.
    pub(super) fn find(
        store: &impl List,
        marks: &Marks,
        manifests: &'a Manifests,
        wanted: &[Digest],
        control: &Control,
    ) -> Result<Self> {
        let catalog = &*marks.catalog;
        let (others, numbers) = (Vec::new(), HashMap::new());
        let (all, roots, as_blobs) = (Vec::new(), Vec::new(), Vec::new());
        let mut found = Self { manifests, others, numbers, all, roots, as_blobs };
        let aliasing = catalog.aliases().flat_map(|alias| [Some(alias.target), alias.layer]).flatten();
        for digest in wanted.iter().copied().chain(aliasing) {
            found.add_node(&digest);
        }
        found.add_edges(marks, control)?;
        found.add_roots(store, marks, control)?;
        Ok(found)
    }

    fn add_node(&mut self, digest: &Digest) {
        if self.node(digest).is_none() {
            let number = self.manifests.len() + self.others.len();
            self.numbers.insert(*digest, Node::try_from(number).expect("fewer digests than numbers"));
            self.others.push(*digest);
        }
    }

    /// The number of a digest, if it has one.
    pub(super) fn node(&self, digest: &Digest) -> Option<Node> {
        self.manifests.find(digest).or_else(|| self.numbers.get(digest).copied())
    }

    /// The digest of a number.
    pub(super) fn digest(&self, node: Node) -> Digest {
        match self.others.get((node as usize).wrapping_sub(self.manifests.len())) {
            Some(other) => *other,
            None => self.manifests.digest(node),
        }
    }

    /// What a digest is, where it is a manifest that was read.
    pub(super) fn shape(&self, node: Node) -> Option<Shape> {
        match ((node as usize) < self.manifests.len()).then(|| self.manifests.state(node)) {
            Some(State::Read(shape)) => Some(shape),
            _ => None,
        }
    }

    /// How many numbers there are.
    pub(super) fn len(&self) -> usize {
        self.manifests.len() + self.others.len()
    }

    fn add_edges(&mut self, marks: &Marks, control: &Control) -> Result<()> {
        let found = gather(self.manifests, control, |id, references, found: &mut Vec<Edge>| {
            // What is tried as a manifest anyway is among the edges of the catalog.
            for reference in references.iter().filter(|reference| !has_edge(reference.role)) {
                if let Some(to) = self.node(&reference.digest) {
                    found.push(Edge { to, from: id, relation: Relation::Reference(reference.role) });
                }
            }
        })?;
        self.all = found.into_batches().flatten().collect();
        let as_blobs = self.all.iter().filter(|edge| (edge.to as usize) < self.manifests.len());
        self.as_blobs = as_blobs.map(|edge| (edge.from, edge.to)).collect();
        for id in self.manifests.ids() {
            let references = self.manifests.edges(id).iter();
            self.all.extend(references.map(|edge| Edge {
                to: edge.target,
                from: id,
                relation: Relation::Reference(edge.role),
            }));
            let referrers = marks.referrers(id).iter();
            self.all.extend(referrers.map(|&to| Edge { to, from: id, relation: Relation::Referrer }));
        }
        for (repository, alias) in marks.catalog.aliases_by_repository() {
            let ends = alias.layer.filter(|layer| self.stands_for_others(marks, layer));
            if let Some((from, to)) = ends.and_then(|layer| self.node(&layer)).zip(self.node(&alias.target)) {
                self.all.push(Edge { to, from, relation: Relation::alias(repository) });
            }
        }
        self.all.sort_unstable();
        // A manifest may name a digest in several places: as config and as layer, for instance.
        let is_reference = |edge: &Edge| matches!(edge.relation, Relation::Reference(_));
        self.all.dedup_by(|later, earlier| {
            (later.to, later.from) == (earlier.to, earlier.from)
                && (later == earlier || is_reference(later) && is_reference(earlier))
        });
        Ok(())
    }

    /// Whether alias links of this name count: that of a manifest which is not stored is no live digest for the sake of a
    /// tag or link, only if something refers to it.
    fn stands_for_others(&self, marks: &Marks, layer: &Digest) -> bool {
        let name_only = self.manifests.find(layer).is_some_and(|id| !is_there(self.manifests, id));
        !name_only || marks.live.contains(layer)
    }

    fn add_roots(&mut self, store: &impl List, marks: &Marks, control: &Control) -> Result<()> {
        let catalog: &Catalog = &marks.catalog;
        let kept_whole = marks.kept_whole();
        let mut roots: Vec<(Node, Root)> = Vec::new();
        for_each_root(catalog, &marks.options, &kept_whole, |id, root| roots.push((id, root)));
        let kept = resolve_keep(catalog, &marks.options.keep)?.into_iter();
        let kept = kept.map(|digest| (digest, Root::new(RootKind::KeepList)));
        let young = marks.young_blobs.iter().map(|digest| (*digest, Root::new(RootKind::YoungBlob)));
        let of_repository = |kind| move |(index, digest)| (digest, Root::of_repository(kind, index));
        let young_links = marks.young_layer_links.iter().copied().map(of_repository(RootKind::YoungLayerLink));
        let damaged = list_layer_links(store, catalog, &kept_whole, control)?;
        let damaged = damaged.iter().map(of_repository(RootKind::DamagedLayerLink));
        let unknown = catalog.repositories.iter().enumerate().flat_map(|(index, repository)| {
            let unknown = repository.aliases.iter().filter(|alias| alias.layer.is_none());
            unknown.map(move |alias| (alias.target, Root::of_repository(RootKind::UnknownAlgorithm, index)))
        });
        let aside = young_layers_aside(catalog).map(|(name, digest)| (digest, Root::aside(catalog, name)));
        let by_digest = kept.chain(young).chain(young_links).chain(damaged).chain(unknown).chain(aside);
        roots.extend(by_digest.filter_map(|(digest, root)| Some((self.node(&digest)?, root))));
        self.roots = roots;
        self.sort_roots();
        Ok(())
    }

    /// Adds a reason for something to be live.
    pub(super) fn add_root(&mut self, node: Node, root: Root) {
        self.roots.push((node, root));
        self.sort_roots();
    }

    fn sort_roots(&mut self) {
        self.roots.sort_unstable();
        self.roots.dedup();
    }

    /// Manifests, and others that they name as config or layer.
    pub(super) fn as_blobs(&self) -> impl Iterator<Item = (ManifestId, ManifestId)> {
        self.as_blobs.iter().copied()
    }

    /// What leads to a digest, and how.
    pub(super) fn to(&self, node: Node) -> impl Iterator<Item = (Node, Relation)> {
        let start = self.all.partition_point(|edge| edge.to < node);
        self.all[start..].iter().take_while(move |edge| edge.to == node).map(|edge| (edge.from, edge.relation))
    }

    /// Why a digest is live for its own sake.
    pub(super) fn roots_of(&self, node: Node) -> impl Iterator<Item = Root> {
        let start = self.roots.partition_point(|(other, _)| *other < node);
        self.roots[start..].iter().take_while(move |(other, _)| *other == node).map(|&(_, root)| root)
    }

    /// A digest and all that leads to it, near ones first. `met` holds one mark for each number, all of them below
    /// `mark`, and has this one for them afterwards.
    pub(super) fn all_above(&self, node: Node, met: &mut [u32], mark: u32) -> Vec<Node> {
        let mut found = vec![node];
        met[node as usize] = mark;
        let mut next = 0;
        while let Some(&node) = found.get(next) {
            next += 1;
            for (from, _) in self.to(node) {
                if std::mem::replace(&mut met[from as usize], mark) != mark {
                    found.push(from);
                }
            }
        }
        found
    }
}
