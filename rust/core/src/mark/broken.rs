//! Broken images: what is live and not there.
//!
//! After the blobs were listed, members of the live set that no listing has shown are missing. Only when there are
//! any is it worked out which tags they belong to.

use std::collections::{HashMap, HashSet};

use super::Closure;
use crate::catalog::{Catalog, Target};
use crate::digest::Digest;
use crate::error::Result;
use crate::live_set::{Flag, LiveSet};
use crate::manifest::{Reference, Role};
use crate::manifests::{ManifestId, Manifests, State};

/// What an image misses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Missing {
    /// The manifest that the tag names.
    Manifest,
    /// Something that a manifest refers to.
    Reference(Role),
}

/// A live image that misses something.
#[derive(Clone, Debug)]
pub struct BrokenImage {
    /// Index of the repository.
    pub repository: usize,
    /// The tag; nothing for a manifest without one.
    pub tag: Option<Vec<u8>>,
    /// The manifest that refers to what is missing.
    pub manifest: Digest,
    /// What is missing.
    pub missing: Digest,
    /// As what it is wanted.
    pub role: Missing,
}

impl BrokenImage {
    /// Whether it is damage: a tag cannot be pulled. Indexes may be sparse, and foreign layers lie elsewhere.
    pub const fn counts(&self) -> bool {
        self.tag.is_some() && matches!(self.role, Missing::Manifest | Missing::Reference(Role::Config | Role::Layer))
    }
}

pub(super) fn find(
    catalog: &Catalog,
    manifests: &Manifests,
    closure: &Closure,
    live: &LiveSet,
) -> Result<Vec<BrokenImage>> {
    let absent_tagged = |id: ManifestId| manifests.state(id) == State::Absent;
    let all_stored = live.count_without(Flag::Stored) == 0;
    let missing = if all_stored { HashMap::new() } else { missing_by_manifest(catalog, manifests, closure, live)? };
    let mut broken = Vec::new();
    for (index, repository) in catalog.repositories.iter().enumerate() {
        let mut tagged: HashSet<ManifestId> = HashSet::new();
        for tag in repository.tags.iter().flatten() {
            let Target::Manifest(id) = tag.target else { continue };
            if absent_tagged(id) {
                let digest = *manifests.digest(id);
                let role = Missing::Manifest;
                broken.push(BrokenImage {
                    repository: index,
                    tag: Some(tag.name.clone()),
                    manifest: digest,
                    missing: digest,
                    role,
                });
            }
            if !missing.is_empty() {
                add(&mut broken, index, Some(&tag.name), id, manifests, &missing, &mut tagged);
            }
        }
        if !missing.is_empty() {
            for revision in repository.revisions.iter().filter(|revision| closure.is_live(revision.manifest)) {
                if !tagged.contains(&revision.manifest) {
                    add(&mut broken, index, None, revision.manifest, manifests, &missing, &mut tagged);
                }
            }
        }
    }
    Ok(broken)
}

/// For each live manifest, the references that no listing has shown.
fn missing_by_manifest(
    catalog: &Catalog,
    manifests: &Manifests,
    closure: &Closure,
    live: &LiveSet,
) -> Result<HashMap<ManifestId, Vec<Reference>>> {
    let aliases: HashMap<Digest, Digest> = catalog
        .repositories
        .iter()
        .flat_map(|repository| &repository.aliases)
        .filter_map(|alias| alias.layer.map(|layer| (layer, alias.target)))
        .collect();
    let is_missing = |digest: &Digest| {
        let stored = |digest: &Digest| live.view(digest.prefix()).has_flag(digest, Flag::Stored);
        let lies_elsewhere = aliases.get(digest).is_some_and(|target| stored(target) == Some(true));
        stored(digest) == Some(false) && !lies_elsewhere
    };
    let mut missing: HashMap<ManifestId, Vec<Reference>> = HashMap::new();
    let mut buffer = Vec::new();
    for id in manifests.ids().filter(|&id| closure.is_live(id)) {
        manifests.references.for_each(manifests.span(id), &mut buffer, |reference| {
            if reference.role != Role::Subject && is_missing(&reference.digest) {
                missing.entry(id).or_default().push(reference);
            }
        })?;
    }
    Ok(missing)
}

/// Everything missing of what one image reaches.
fn add(
    broken: &mut Vec<BrokenImage>,
    repository: usize,
    tag: Option<&[u8]>,
    image: ManifestId,
    manifests: &Manifests,
    missing: &HashMap<ManifestId, Vec<Reference>>,
    tagged: &mut HashSet<ManifestId>,
) {
    let mut seen = HashSet::from([image]);
    let mut open = vec![image];
    while let Some(id) = open.pop() {
        tagged.insert(id);
        for reference in missing.get(&id).into_iter().flatten() {
            broken.push(BrokenImage {
                repository,
                tag: tag.map(<[u8]>::to_vec),
                manifest: *manifests.digest(id),
                missing: reference.digest,
                role: Missing::Reference(reference.role),
            });
        }
        let children = manifests.edges(id).iter().filter(|edge| edge.role != Role::Subject);
        open.extend(children.map(|edge| edge.target).filter(|&child| seen.insert(child)));
    }
}
