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
use crate::progress::Control;
use crate::scan::stat_blobs;
use crate::store::List;

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
    let missing = unseen(catalog, manifests, closure, live)?;
    let absent = |id: ManifestId| manifests.state(id) == State::Absent;
    Ok(images(catalog, manifests, &missing, |_| true, absent, |id| closure.is_live(id)))
}

/// What no listing has shown, by the live manifests that refer to it.
fn unseen(
    catalog: &Catalog,
    manifests: &Manifests,
    closure: &Closure,
    live: &LiveSet,
) -> Result<HashMap<ManifestId, Vec<Reference>>> {
    if live.count_without(Flag::Stored) == 0 {
        return Ok(HashMap::new());
    }
    let aliases = aliases(catalog);
    lacking(
        manifests,
        |id| closure.is_live(id),
        |digest| {
            let stored = |digest: &Digest| live.view(digest.prefix()).has_flag(digest, Flag::Stored);
            let lies_elsewhere = aliases.get(digest).is_some_and(|target| stored(target) == Some(true));
            stored(digest) == Some(false) && !lies_elsewhere
        },
    )
}

/// Looks for what a report of the blobs does not show, before it is called missing: most of it was pushed since.
pub(super) fn look_for_untold(
    store: &impl List,
    catalog: &Catalog,
    manifests: &Manifests,
    closure: &Closure,
    live: &LiveSet,
    control: &Control,
) -> Result<()> {
    let untold = unseen(catalog, manifests, closure, live)?;
    let aliases = aliases(catalog);
    let names = untold.values().flatten().map(|reference| reference.digest);
    let names = names.flat_map(|digest| [Some(digest), aliases.get(&digest).copied()]).flatten();
    stat_blobs(store, names.collect(), control, |digest, stat| {
        if stat.is_some() {
            live.view(digest.prefix()).flag(&digest, Flag::Stored);
        }
    })
}

/// What layer links stand for that hold another digest than they are named by.
pub(crate) fn aliases(catalog: &Catalog) -> HashMap<Digest, Digest> {
    let aliases = catalog.repositories.iter().flat_map(|repository| &repository.aliases);
    aliases.filter_map(|alias| alias.layer.map(|layer| (layer, alias.target))).collect()
}

/// For each manifest that counts, the references to what is lacking; a subject is none.
pub(crate) fn lacking(
    manifests: &Manifests,
    counts: impl Fn(ManifestId) -> bool,
    is_lacking: impl Fn(&Digest) -> bool,
) -> Result<HashMap<ManifestId, Vec<Reference>>> {
    let mut found: HashMap<ManifestId, Vec<Reference>> = HashMap::new();
    let mut buffer = Vec::new();
    for id in manifests.ids().filter(|&id| counts(id)) {
        manifests.references.for_each(manifests.span(id), &mut buffer, |reference| {
            if reference.role != Role::Subject && is_lacking(&reference.digest) {
                found.entry(id).or_default().push(reference);
            }
        })?;
    }
    Ok(found)
}

/// The images of some repositories that lack something: tags first, then linked manifests that no tag of theirs reaches.
///
/// `lacking`: what [`lacking`] found. `is_lacking`: whether a tag's own manifest is. `counts`: whether a link to a
/// manifest counts that no tag leads to.
pub(crate) fn images(
    catalog: &Catalog,
    manifests: &Manifests,
    lacking: &HashMap<ManifestId, Vec<Reference>>,
    repositories: impl Fn(usize) -> bool,
    is_lacking: impl Fn(ManifestId) -> bool,
    counts: impl Fn(ManifestId) -> bool,
) -> Vec<BrokenImage> {
    let mut broken = Vec::new();
    for (index, repository) in catalog.repositories.iter().enumerate().filter(|&(index, _)| repositories(index)) {
        let mut tagged: HashSet<ManifestId> = HashSet::new();
        for tag in repository.tags.iter().flatten() {
            let Target::Manifest(id) = tag.target else { continue };
            if is_lacking(id) {
                let digest = manifests.digest(id);
                let role = Missing::Manifest;
                broken.push(BrokenImage {
                    repository: index,
                    tag: Some(tag.name.clone()),
                    manifest: digest,
                    missing: digest,
                    role,
                });
            }
            if !lacking.is_empty() {
                add(&mut broken, index, Some(&tag.name), id, manifests, lacking, &mut tagged);
            }
        }
        if !lacking.is_empty() {
            for revision in repository.revisions.iter().filter(|revision| counts(revision.manifest)) {
                if !tagged.contains(&revision.manifest) {
                    add(&mut broken, index, None, revision.manifest, manifests, lacking, &mut tagged);
                }
            }
        }
    }
    broken
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
                manifest: manifests.digest(id),
                missing: reference.digest,
                role: Missing::Reference(reference.role),
            });
        }
        let children = manifests.edges(id).iter().filter(|edge| edge.role != Role::Subject);
        open.extend(children.map(|edge| edge.target).filter(|&child| seen.insert(child)));
    }
}
