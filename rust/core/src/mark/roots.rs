//! What is live for its own sake, and why.
//!
//! The one place that says which tags and manifest links are roots: marking starts from them, and who asks why
//! something is live is told of them. (Keep lists, layer links and young blobs make digests live that need not be
//! manifests; marking has them elsewhere.)

use std::collections::BTreeSet;

use super::{Options, quarantined};
use crate::catalog::{Catalog, Note, Repository, Target};
use crate::manifests::ManifestId;

/// Why something is live for its own sake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RootKind {
    /// A tag points to it.
    Tag,
    /// A tag without `current/link` has pointed to it.
    TagHistory,
    /// A repository links it, and nothing gives that up.
    ManifestLink,
    /// A repository links it that has no `tags` directory, which says nothing of which are tagged.
    UntoldManifestLink,
    /// A repository links it of which everything stays, because it is damaged.
    DamagedManifestLink,
    /// A damaged repository has a layer link to it.
    DamagedLayerLink,
    /// The keep list names it.
    KeepList,
    /// A manifest link to it is young.
    YoungManifestLink,
    /// It is young itself.
    YoungBlob,
    /// A layer link to it is young.
    YoungLayerLink,
    /// A layer link under an algorithm that regsweep does not know holds it.
    UnknownAlgorithm,
    /// A link to it, or a tag, was written after a run had set that aside: through a handle opened before.
    YoungQuarantinedLink,
}

/// Why something is live for its own sake, and by whom. Sorts by kind, then as repositories and tags do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Root {
    /// Why.
    pub kind: RootKind,
    /// Index of the repository, where it is a repository's.
    pub repository: Option<u32>,
    /// Index of the tag in it, where it is a tag.
    pub tag: Option<u32>,
}

impl Root {
    /// A root that is no repository's.
    pub(crate) const fn new(kind: RootKind) -> Self {
        Self { kind, repository: None, tag: None }
    }

    /// A root of a repository.
    pub(crate) fn of_repository(kind: RootKind, repository: usize) -> Self {
        Self { kind, repository: Some(number(repository)), tag: None }
    }

    /// A root that lies in a quarantine, of a repository of this name.
    pub(crate) fn aside(catalog: &Catalog, name: &[u8]) -> Self {
        let repository = catalog.repositories.iter().position(|repository| repository.name == name);
        Self { kind: RootKind::YoungQuarantinedLink, repository: repository.map(number), tag: None }
    }

    fn of_tag(kind: RootKind, repository: usize, tag: usize) -> Self {
        Self { kind, repository: Some(number(repository)), tag: Some(number(tag)) }
    }
}

fn number(index: usize) -> u32 {
    u32::try_from(index).expect("fewer repositories and tags than numbers")
}

/// Calls `visit` with each manifest that a tag or a link makes a root; with some more than once, for they have several
/// reasons. `kept_whole`: the damaged repositories, of which nothing is given up.
pub(crate) fn for_each(
    catalog: &Catalog,
    options: &Options,
    kept_whole: &BTreeSet<usize>,
    mut visit: impl FnMut(ManifestId, Root),
) {
    let cutoff = options.cutoff(catalog.started);
    for (index, repository) in catalog.repositories.iter().enumerate() {
        let released = options.released.of(index);
        for (tag_index, tag) in repository.tags.iter().flatten().enumerate() {
            if released.is_some_and(|released| released.gives_up_tag(tag_index)) {
                continue;
            }
            match &tag.target {
                Target::Manifest(id) => visit(*id, Root::of_tag(RootKind::Tag, index, tag_index)),
                Target::Missing(history) => {
                    for &id in history {
                        visit(id, Root::of_tag(RootKind::TagHistory, index, tag_index));
                    }
                }
                Target::Unreadable => {}
            }
        }
        for revision in &repository.revisions {
            let stays = !released.is_some_and(|released| released.revisions.contains_key(&revision.manifest));
            let kind = if stays && is_untold(options, index, repository) {
                RootKind::UntoldManifestLink
            } else if stays && !options.delete_untagged {
                RootKind::ManifestLink
            } else if kept_whole.contains(&index) {
                RootKind::DamagedManifestLink
            } else if revision.modified >= cutoff {
                RootKind::YoungManifestLink
            } else {
                continue;
            };
            visit(revision.manifest, Root::of_repository(kind, index));
        }
    }
    quarantined::for_each_young(catalog, |id, name| visit(id, Root::aside(catalog, name)));
}

/// Whether untagged manifests are to go and nothing says which those are: an empty `tags` says that there are no tags,
/// none at all says nothing.
fn is_untold(options: &Options, index: usize, repository: &Repository) -> bool {
    (options.delete_untagged || options.released.of(index).is_some_and(|released| released.untold))
        && repository.tags.is_none()
        && !repository.revisions.is_empty()
}

/// Notes the repositories that keep their untagged manifests although those are to go.
pub(super) fn note_untold(catalog: &Catalog, options: &Options, notes: &mut Vec<Note>) {
    let all = catalog.repositories.iter().enumerate();
    for (_, repository) in all.filter(|&(index, repository)| is_untold(options, index, repository)) {
        let reason = "no tags directory: its manifests are kept, although untagged ones are to go";
        notes.push(Note { key: repository.key("_manifests"), reason });
    }
}
