//! Damage: what cannot be understood, and the repositories that therefore keep everything they link.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::catalog::{Catalog, Target};
use crate::digest::Digest;
use crate::layout::distribution as layout;
use crate::manifest::Shape;
use crate::manifests::{ManifestId, Manifests, State};
use crate::store::Key;

/// Something that could not be understood.
#[derive(Clone, Debug)]
pub struct Damage {
    /// Index of the repository that it concerns; nothing for a manifest that no repository reaches.
    pub repository: Option<usize>,
    /// The tag that leads to it, where it is a tag's.
    pub tag: Option<Vec<u8>>,
    /// The manifest, where it is one.
    pub digest: Option<Digest>,
    /// Where it lies.
    pub key: Key,
    /// What is wrong.
    pub reason: &'static str,
    /// Whether the operator has accepted the damage of that repository.
    pub accepted: bool,
}

/// All damage, and what follows from it.
pub(super) struct Found {
    pub(super) found: Vec<Damage>,
    /// The repositories of which everything stays.
    pub(super) kept_whole: BTreeSet<usize>,
}

pub(super) fn find(catalog: &Catalog, accepted: &BTreeSet<Vec<u8>>) -> Found {
    let manifests = catalog.manifests();
    let damaged: Vec<ManifestId> =
        manifests.ids().filter(|&id| manifests.state(id) == State::Read(Shape::Damaged)).collect();
    let leads = leading_to(&manifests, &damaged);
    let mut found = Vec::new();
    let mut told: HashSet<ManifestId> = HashSet::new();
    for (index, repository) in catalog.repositories.iter().enumerate() {
        let accepted = accepted.contains(&repository.name);
        let damage = |tag: Option<&[u8]>, digest, key, reason| Damage {
            repository: Some(index),
            tag: tag.map(<[u8]>::to_vec),
            digest,
            key,
            reason,
            accepted,
        };
        found.extend(repository.damage.iter().map(|note| damage(None, None, note.key.clone(), note.reason)));
        for tag in repository.tags.iter().flatten() {
            if let Target::Manifest(id) = tag.target
                && manifests.state(id) == State::Absent
            {
                let digest = manifests.digest(id);
                let reason = "a tag whose manifest is gone: push it again, or accept the damage";
                found.push(damage(Some(&tag.name), Some(digest), layout::blob(&digest), reason));
            }
        }
        let mut reached: Vec<ManifestId> =
            linked(catalog, index).filter_map(|id| leads.get(&id)).flatten().copied().collect();
        reached.sort_unstable();
        reached.dedup();
        for id in reached {
            told.insert(id);
            let digest = manifests.digest(id);
            found.push(damage(None, Some(digest), layout::blob(&digest).join(layout::DATA), DAMAGED));
        }
    }
    for &id in damaged.iter().filter(|id| !told.contains(id)) {
        let digest = manifests.digest(id);
        let key = layout::blob(&digest).join(layout::DATA);
        found.push(Damage { repository: None, tag: None, digest: Some(digest), key, reason: DAMAGED, accepted: false });
    }
    let kept_whole = kept_whole(&found);
    Found { found, kept_whole }
}

/// The repositories of which everything stays, by what is damaged.
pub(super) fn kept_whole(found: &[Damage]) -> BTreeSet<usize> {
    found.iter().filter(|damage| !damage.accepted).filter_map(|damage| damage.repository).collect()
}

const DAMAGED: &str = "a manifest that is cut off, too large, not JSON, or does not match its digest";

/// Everything that a repository links: its manifests and what its tags lead to.
fn linked(catalog: &Catalog, repository: usize) -> impl Iterator<Item = ManifestId> {
    let repository = &catalog.repositories[repository];
    let tagged = repository.tags.iter().flatten().flat_map(|tag| match &tag.target {
        Target::Manifest(id) => std::slice::from_ref(id),
        Target::Missing(history) => history,
        Target::Unreadable => &[],
    });
    repository.revisions.iter().map(|revision| revision.manifest).chain(tagged.copied())
}

/// For every manifest from which damaged ones are reached: which.
fn leading_to(manifests: &Manifests, damaged: &[ManifestId]) -> HashMap<ManifestId, Vec<ManifestId>> {
    let mut leads: HashMap<ManifestId, Vec<ManifestId>> = HashMap::new();
    if damaged.is_empty() {
        return leads;
    }
    let mut sources: HashMap<ManifestId, Vec<ManifestId>> = HashMap::new();
    for id in manifests.ids() {
        for edge in manifests.edges(id) {
            sources.entry(edge.target).or_default().push(id);
        }
    }
    for &end in damaged {
        let mut seen = HashSet::from([end]);
        let mut open = vec![end];
        while let Some(id) = open.pop() {
            leads.entry(id).or_default().push(end);
            open.extend(sources.get(&id).into_iter().flatten().copied().filter(|&source| seen.insert(source)));
        }
    }
    leads
}
