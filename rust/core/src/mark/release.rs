//! What a policy, a person or a plan gives up: tags and manifest links that are no roots although they are there.
//!
//! Giving something up never makes it dead. It only takes away one reason to live: what is young, what a kept tag
//! or another repository reaches, and what the keep list names stays all the same.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::SystemTime;

use super::EligibleTag;
use crate::catalog::{Catalog, Repository, Revision, Target};
use crate::digest::{Algorithm, Digest};
use crate::manifest::Role;
use crate::manifests::{ManifestId, Manifests};

/// Why a manifest link is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A tag that goes led to it: the tag's index in its repository.
    Tag(usize),
    /// No tag leads to it.
    Untagged,
    /// What it is about is not there.
    Orphan,
    /// It is about something, and stays as long as that does.
    Follows,
    /// All of its repository goes.
    Repository,
    /// A plan says so.
    Planned,
}

/// What is given up of one repository.
#[derive(Clone, Debug, Default)]
pub struct ReleasedRepository {
    /// Tags, by index: when their links were written.
    pub tags: BTreeMap<usize, SystemTime>,
    /// Tags that carry what is about a manifest (`sha256-<hex>`, `sha256-<hex>.sig`), by index: they go with it.
    pub following: BTreeMap<usize, (ManifestId, SystemTime)>,
    /// Manifest links.
    pub revisions: HashMap<ManifestId, Origin>,
    /// Whether the repository is to go as such, with links to what lives on elsewhere.
    pub whole: bool,
    /// Whether manifests without a tag were to go and stay, for there is no `tags` directory: nothing says what is tagged.
    pub untold: bool,
}

impl ReleasedRepository {
    /// Whether a tag is no root.
    pub fn gives_up_tag(&self, tag: usize) -> bool {
        self.tags.contains_key(&tag) || self.following.contains_key(&tag)
    }

    /// When the link of a tag that is given up was written.
    pub fn written(&self, tag: usize) -> Option<SystemTime> {
        self.tags.get(&tag).copied().or_else(|| self.following.get(&tag).map(|&(_, written)| written))
    }
}

/// What is given up, by the index of the repository.
#[derive(Clone, Debug, Default)]
pub struct Released(BTreeMap<usize, ReleasedRepository>);

impl FromIterator<(usize, ReleasedRepository)> for Released {
    fn from_iter<Iter: IntoIterator<Item = (usize, ReleasedRepository)>>(repositories: Iter) -> Self {
        Self(repositories.into_iter().collect())
    }
}

impl Released {
    /// What is given up of a repository.
    pub fn of(&self, repository: usize) -> Option<&ReleasedRepository> {
        self.0.get(&repository)
    }

    /// Whether nothing is given up.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes back what is given up of these repositories.
    pub(super) fn spare(&mut self, repositories: &BTreeSet<usize>) {
        self.0.retain(|repository, _| !repositories.contains(repository));
    }

    /// Manifests, and what hangs on them by a tag that only carries what is about them.
    pub(super) fn following(&self, catalog: &Catalog) -> impl Iterator<Item = (ManifestId, ManifestId)> {
        self.0.iter().flat_map(|(&repository, released)| {
            let repository = &catalog.repositories[repository];
            released
                .following
                .iter()
                .filter_map(move |(&tag, &(subject, _))| target(repository, tag).map(|target| (subject, target)))
        })
    }

    /// The tags that go, in order.
    pub(super) fn tags(&self, is_live: impl Fn(ManifestId) -> bool) -> Vec<EligibleTag> {
        let mut tags = Vec::new();
        for (&repository, released) in &self.0 {
            let dead = released.following.iter().filter(|(_, (subject, _))| !is_live(*subject)).map(|(&tag, _)| tag);
            let mut all: Vec<usize> = released.tags.keys().copied().chain(dead).collect();
            all.sort_unstable();
            tags.extend(all.into_iter().map(|tag| EligibleTag { repository, tag }));
        }
        tags
    }

    /// The repositories that go as such: those of which nothing stays for its own sake.
    pub(super) fn whole(
        &self,
        catalog: &Catalog,
        cutoff: SystemTime,
        kept: &[Digest],
        is_live: impl Fn(ManifestId) -> bool,
    ) -> BTreeSet<usize> {
        let manifests = catalog.manifests();
        let goes = |index: usize, released: &ReleasedRepository| {
            let repository = &catalog.repositories[index];
            let tag_goes = |tag| {
                released.tags.contains_key(&tag)
                    || released.following.get(&tag).is_some_and(|(subject, _)| !is_live(*subject))
            };
            let stays = |id: ManifestId| kept.contains(&manifests.digest(id));
            released.whole
                && (0..repository.tags.as_ref().map_or(0, Vec::len)).all(tag_goes)
                && repository.revisions.iter().all(|one| one.modified < cutoff && !stays(one.manifest))
        };
        self.0.iter().filter(|&(&index, released)| goes(index, released)).map(|(&index, _)| index).collect()
    }
}

fn target(repository: &Repository, tag: usize) -> Option<ManifestId> {
    match repository.tags.as_ref()?.get(tag)?.target {
        Target::Manifest(id) => Some(id),
        Target::Unreadable | Target::Missing(_) => None,
    }
}

/// What becomes of artifacts that are about a manifest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Referrers {
    /// They go with it; without it they are judged like any other manifest.
    #[default]
    Follow,
    /// They stay, and with them what they are about.
    Keep,
    /// They go with it, and those go whose subject is not there any more.
    DeleteOrphans,
}

/// Which manifests without a tag go.
#[derive(Clone, Copy, Debug)]
pub struct UntaggedRule {
    /// Those whose link was written before.
    pub before: SystemTime,
    /// But for so many of the newest.
    pub keep: usize,
}

/// What is decided on one repository.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// The tags that go, by index.
    pub tags: BTreeSet<usize>,
    /// Which manifests without a tag go; none where nothing is said.
    pub untagged: Option<UntaggedRule>,
    /// What becomes of artifacts.
    pub referrers: Referrers,
    /// Whether all of it goes.
    pub whole: bool,
}

/// Works out what decisions on repositories give up. What was written at the cutoff or later is not given up.
///
/// `times` are those of the tags' links, as [`crate::scan::tag_times`] gives them.
pub fn release(
    catalog: &Catalog,
    times: &[Vec<Option<SystemTime>>],
    choices: &BTreeMap<usize, Choice>,
    cutoff: SystemTime,
) -> Released {
    let manifests = catalog.manifests();
    let linked: HashSet<ManifestId> =
        catalog.repositories.iter().flat_map(|one| &one.revisions).map(|one| one.manifest).collect();
    let one = |(&index, choice): (&usize, &Choice)| {
        let chooser = Chooser {
            repository: &catalog.repositories[index],
            times: &times[index],
            manifests: &manifests,
            linked: &linked,
            choice,
            cutoff,
        };
        (index, chooser.release())
    };
    choices.iter().map(one).collect()
}

struct Chooser<'a> {
    repository: &'a Repository,
    times: &'a [Option<SystemTime>],
    manifests: &'a Manifests,
    linked: &'a HashSet<ManifestId>,
    choice: &'a Choice,
    cutoff: SystemTime,
}

impl Chooser<'_> {
    fn release(&self) -> ReleasedRepository {
        let mut released = ReleasedRepository { whole: self.choice.whole, ..ReleasedRepository::default() };
        for (index, tag) in self.repository.tags.iter().flatten().enumerate() {
            let Target::Manifest(_) = tag.target else { continue };
            // What has no time, or a young one, was pushed just now.
            let Some(written) = self.times[index].filter(|&written| written < self.cutoff) else { continue };
            if self.choice.tags.contains(&index) || self.choice.whole {
                released.tags.insert(index, written);
            } else if let Some(subject) = subject_of_tag(&tag.name).filter(|_| self.choice.referrers != Referrers::Keep)
            {
                let linked = self.manifests.find(&subject).filter(|id| self.linked.contains(id));
                if let Some(subject) = linked {
                    released.following.insert(index, (subject, written));
                } else if self.choice.referrers == Referrers::DeleteOrphans {
                    released.tags.insert(index, written);
                }
            }
        }
        self.release_manifests(&mut released);
        released
    }

    fn release_manifests(&self, released: &mut ReleasedRepository) {
        if self.repository.tags.is_none() && !self.choice.whole {
            // An empty `tags` says that there are no tags. None at all says nothing.
            released.untold = self.choice.untagged.is_some() || self.choice.referrers == Referrers::DeleteOrphans;
            return;
        }
        let mut origins: HashMap<ManifestId, Origin> = HashMap::new();
        for &tag in released.tags.keys() {
            for id in self.reach(target(self.repository, tag)) {
                origins.entry(id).or_insert(Origin::Tag(tag));
            }
        }
        for &tag in released.following.keys() {
            for id in self.reach(target(self.repository, tag)) {
                origins.entry(id).or_insert(Origin::Follows);
            }
        }
        let all_tags = 0..self.repository.tags.as_ref().map_or(0, Vec::len);
        let tagged = self.reach(all_tags.filter_map(|tag| target(self.repository, tag)));
        let mut untagged = Vec::new();
        for revision in &self.repository.revisions {
            let id = revision.manifest;
            match self.about(id) {
                // Tagged for its own sake, or part of something that is.
                _ if tagged.contains(&id) => {}
                Some(true) if self.choice.referrers != Referrers::Keep => {
                    origins.insert(id, Origin::Follows);
                }
                Some(false) if self.choice.referrers == Referrers::DeleteOrphans => {
                    origins.insert(id, Origin::Orphan);
                }
                Some(_) if self.choice.referrers == Referrers::Keep => {}
                _ => untagged.push(revision),
            }
        }
        if let Some(rule) = self.choice.untagged {
            // Only what is not part of another one counts: an index with three platforms is one image.
            let parts = self.reach_below(untagged.iter().map(|revision| revision.manifest));
            let mut images: Vec<_> = untagged.iter().filter(|revision| !parts.contains(&revision.manifest)).collect();
            images.sort_by_key(|revision| std::cmp::Reverse(revision.modified));
            // Of equal times all, for nothing says which of those to take.
            let last = images.get(rule.keep.saturating_sub(1)).filter(|_| rule.keep > 0).map(|last| last.modified);
            let stays = |revision: &Revision| match last {
                Some(last) => revision.modified >= last && !parts.contains(&revision.manifest),
                None => rule.keep > 0,
            };
            for revision in untagged {
                if revision.modified < rule.before && !stays(revision) {
                    origins.insert(revision.manifest, Origin::Untagged);
                }
            }
        }
        for revision in &self.repository.revisions {
            let origin = origins.get(&revision.manifest).copied();
            if let Some(origin) = origin.or(self.choice.whole.then_some(Origin::Repository)) {
                released.revisions.insert(revision.manifest, origin);
            }
        }
    }

    /// Whether what a manifest is about is linked somewhere; nothing for a manifest that is about nothing.
    fn about(&self, id: ManifestId) -> Option<bool> {
        let mut subjects = self.manifests.edges(id).iter().filter(|edge| edge.role == Role::Subject).peekable();
        subjects.peek()?;
        Some(subjects.any(|edge| self.linked.contains(&edge.target)))
    }

    /// Manifests and the children of indexes below them.
    fn reach(&self, starts: impl IntoIterator<Item = ManifestId>) -> HashSet<ManifestId> {
        let mut reached = HashSet::new();
        let mut open: Vec<ManifestId> = starts.into_iter().collect();
        while let Some(id) = open.pop() {
            if reached.insert(id) {
                open.extend(self.children(id));
            }
        }
        reached
    }

    /// Only what is below.
    fn reach_below(&self, starts: impl IntoIterator<Item = ManifestId>) -> HashSet<ManifestId> {
        self.reach(starts.into_iter().flat_map(|id| self.children(id).collect::<Vec<_>>()))
    }

    fn children(&self, id: ManifestId) -> impl Iterator<Item = ManifestId> {
        let edges = self.manifests.edges(id).iter();
        edges.filter(move |edge| edge.role != Role::Subject && edge.target != id).map(|edge| edge.target)
    }
}

/// The digest of what a tag's content is about, by the tag's name: `sha256-<hex>` is the fallback of the distribution
/// specification ("Referrers tag schema"), `sha256-<hex>.sig`, `.att` and `.sbom` are cosign's.
pub fn subject_of_tag(name: &[u8]) -> Option<Digest> {
    let dash = name.iter().position(|&byte| byte == b'-')?;
    let algorithm = Algorithm::from_name(&name[..dash])?;
    let (hex, suffix) = name[dash + 1..].split_at_checked(algorithm.length() * 2)?;
    if !matches!(suffix, [] | [b'.', ..]) {
        return None;
    }
    Digest::from_hex(algorithm, hex)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_of_signatures_and_the_fallback_name_their_subject() {
        let digest = Digest::of(Algorithm::Sha256, b"x");
        let hex = digest.hex();
        for name in [format!("sha256-{hex}"), format!("sha256-{hex}.sig"), format!("sha256-{hex}.att")] {
            assert_eq!(subject_of_tag(name.as_bytes()), Some(digest), "{name}");
        }
        for name in ["latest", "sha256-", "sha256-abc", "v1-2", "-"] {
            assert_eq!(subject_of_tag(name.as_bytes()), None, "{name}");
        }
        assert_eq!(subject_of_tag(format!("sha256-{hex}0").as_bytes()), None);
        assert_eq!(subject_of_tag(format!("sha512-{hex}").as_bytes()), None);
    }
}
