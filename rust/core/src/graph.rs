//! What leads to what, for questions that sets cannot answer.
//!
//! Marking asks whether something is reached, and forgets from where. Who asks how much a repository holds, or why a
//! digest stays, follows the same edges one by one. Some of them a scan keeps (children, subjects). The others are
//! found by reading all references once more, in memory or from the spill:
//!
//! ```text
//! artifact              ⇄  the manifest that it is about, as long as a repository links it
//! image                 →  another manifest that it names among its layers
//! layer by its sha512   →  the blob that an alias link of that name holds
//! ```

use std::collections::HashMap;
use std::sync::Mutex;

use crate::catalog::Catalog;
use crate::digest::Digest;
use crate::error::Result;
use crate::manifest::{Reference, Role};
use crate::manifests::{ManifestId, Manifests, State};
use crate::mark::Marks;
use crate::parallel::{cores, for_each};
use crate::progress::Control;

/// Manifests that a thread reads the references of before it takes the next.
const BATCH: usize = 1024;

/// What a pass over all references gathers, by batches of manifests.
pub(crate) struct Gathered<T>(Vec<T>);

impl<T> Gathered<T> {
    /// What was gathered from the manifests of one batch, and the number of this one among them.
    pub(crate) fn batch_of(&self, id: ManifestId) -> (&T, usize) {
        let id = id as usize;
        (&self.0[id / BATCH], id % BATCH)
    }

    /// All batches in the manifests' order.
    pub(crate) fn into_batches(self) -> impl Iterator<Item = T> {
        self.0.into_iter()
    }

    /// All batches in the manifests' order.
    pub(crate) fn batches(&self) -> impl Iterator<Item = &T> {
        self.0.iter()
    }
}

/// Calls `visit` with every manifest and its references, in document order, from many threads; each batch of manifests,
/// in their order, gathers for itself.
///
/// # Errors
/// When references cannot be read back.
pub(crate) fn gather<T: Default + Send>(
    manifests: &Manifests,
    control: &Control,
    visit: impl Fn(ManifestId, &[Reference], &mut T) + Sync,
) -> Result<Gathered<T>> {
    let slots: Vec<Mutex<T>> = (0..manifests.len().div_ceil(BATCH)).map(|_| Mutex::default()).collect();
    for_each(cores(), slots.len(), control, |index, (references, buffer): &mut (Vec<Reference>, Vec<u8>)| {
        let mut gathered = T::default();
        for id in manifests.ids().skip(index * BATCH).take(BATCH) {
            references.clear();
            manifests.references.for_each(manifests.span(id), buffer, |reference| references.push(reference))?;
            visit(id, references, &mut gathered);
        }
        *slots[index].lock().expect("no thread panics while it gathers") = gathered;
        Ok(())
    })?;
    let finished = slots.into_iter().map(|slot| slot.into_inner().expect("no thread panics while it gathers"));
    Ok(Gathered(finished.collect()))
}

/// Whether a scan keeps edges for references of this role. (It tries what they name as manifests.)
pub(crate) const fn has_edge(role: Role) -> bool {
    !matches!(role, Role::Config | Role::Layer | Role::ForeignLayer)
}

/// Whether a digest that a manifest itself is stored under was marked: one that is absent only lends its name.
pub(crate) fn is_there(manifests: &Manifests, id: ManifestId) -> bool {
    !matches!(manifests.state(id), State::Absent | State::Unread)
}

/// What layer links stand for that hold another digest than they are named by.
///
/// Each with the index of its repository; none for a link that is set aside, which counts all the same.
pub(crate) struct Aliases(HashMap<Digest, Vec<(Option<usize>, Digest)>>);

impl Aliases {
    /// Those of all repositories.
    pub(crate) fn of(catalog: &Catalog) -> Self {
        let mut aliases: HashMap<Digest, Vec<(Option<usize>, Digest)>> = HashMap::new();
        for (repository, alias) in catalog.aliases_by_repository() {
            if let Some(layer) = alias.layer {
                aliases.entry(layer).or_default().push((repository, alias.target));
            }
        }
        Self(aliases)
    }

    /// What links of this name hold, with the index of each one's repository.
    pub(crate) fn targets(&self, layer: &Digest) -> &[(Option<usize>, Digest)] {
        // Asked for every layer, and hardly any registry has one.
        if self.0.is_empty() { &[] } else { self.0.get(layer).map_or(&[], Vec::as_slice) }
    }

    /// Calls `visit` with everything that a digest stands for, by one link or by several in a row.
    pub(crate) fn for_each_target(&self, layer: &Digest, mut visit: impl FnMut(&Digest)) {
        let mut found: Vec<Digest> = self.targets(layer).iter().map(|&(_, target)| target).collect();
        let mut next = 0;
        while let Some(target) = found.get(next).copied() {
            next += 1;
            visit(&target);
            for &(_, further) in self.targets(&target) {
                if !found.contains(&further) {
                    found.push(further);
                }
            }
        }
    }
}

/// The manifests that each manifest leads to.
pub(crate) struct Graph<'a> {
    manifests: &'a Manifests,
    marks: &'a Marks,
    /// Those that it leads to as if they were mere blobs.
    as_blobs: HashMap<ManifestId, Vec<ManifestId>>,
}

impl<'a> Graph<'a> {
    /// The graph of what was marked. `as_blobs`: manifests, and others that they name as config or layer, by their own
    /// name or an alias.
    pub(crate) fn new(
        marks: &'a Marks,
        manifests: &'a Manifests,
        as_blobs: impl IntoIterator<Item = (ManifestId, ManifestId)>,
    ) -> Self {
        let mut grouped: HashMap<ManifestId, Vec<ManifestId>> = HashMap::new();
        for (from, to) in as_blobs {
            grouped.entry(from).or_default().push(to);
        }
        Self { manifests, marks, as_blobs: grouped }
    }

    /// What a manifest refers to: children, its subject, manifests among its layers. Some may come twice.
    pub(crate) fn references(&self, id: ManifestId) -> impl Iterator<Item = ManifestId> {
        let as_blobs = if self.as_blobs.is_empty() { None } else { self.as_blobs.get(&id) };
        let edges = self.manifests.edges(id).iter().map(|edge| edge.target);
        edges.chain(as_blobs.into_iter().flatten().copied())
    }

    /// The linked artifacts that are about a manifest.
    pub(crate) fn referrers(&self, id: ManifestId) -> &[ManifestId] {
        self.marks.referrers(id)
    }
}
