//! What a scan found: repositories, their tags and links, and every manifest they lead to.
//!
//! Blobs are not in it. They are listed when candidates are looked for, prefix by prefix, and never held whole.

use std::collections::BTreeSet;
use std::sync::{RwLock, RwLockReadGuard};
use std::time::SystemTime;

use crate::digest::{Algorithm, Digest};
use crate::layout::{distribution as layout, quarantine};
use crate::manifests::{ManifestId, Manifests};
use crate::packed::PackedDigests;
use crate::store::{Group, Key};

/// Something odd that was left alone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Note {
    /// Where.
    pub key: Key,
    /// What is odd about it.
    pub reason: &'static str,
}

/// A link to a manifest in a repository.
#[derive(Clone, Copy, Debug)]
pub struct Revision {
    /// The manifest.
    pub manifest: ManifestId,
    /// When the link was written.
    pub modified: SystemTime,
}

/// What a tag leads to.
#[derive(Clone, Debug)]
pub enum Target {
    /// A manifest, stored or not.
    Manifest(ManifestId),
    /// The link is empty or holds no digest: damage.
    Unreadable,
    /// There is no `current/link`: a push between two writes, or one that ended there. What it has pointed to.
    Missing(Vec<ManifestId>),
}

/// A tag of a repository.
#[derive(Clone, Debug)]
pub struct Tag {
    /// Its name, as the directory has it.
    pub name: Vec<u8>,
    /// What it leads to.
    pub target: Target,
}

/// A layer link that holds another digest than its path names: where a blob pushed by its sha512 digest lies.
#[derive(Clone, Copy, Debug)]
pub struct Alias {
    /// The digest that manifests name. None for an algorithm that regsweep does not know: always live.
    pub layer: Option<Digest>,
    /// The digest under which the blob is stored.
    pub target: Digest,
}

/// One repository.
#[derive(Clone, Debug, Default)]
pub struct Repository {
    /// Its path below `repositories/`.
    pub name: Vec<u8>,
    /// Whether it has `_manifests`, by which 3.x knows a repository.
    pub has_manifests: bool,
    /// Its manifest links, by digest.
    pub revisions: Vec<Revision>,
    /// Its tags by name; nothing where it has no `tags` directory.
    pub tags: Option<Vec<Tag>>,
    /// The algorithms whose layer links it has.
    pub layer_algorithms: Vec<Algorithm>,
    /// Its aliasing layer links.
    pub aliases: Vec<Alias>,
    /// What in its tree could not be understood, so that everything it links stays.
    pub damage: Vec<Note>,
}

impl Repository {
    /// Its name for people.
    pub fn display_name(&self) -> String {
        String::from_utf8_lossy(&self.name).into_owned()
    }

    /// The key of its directory, or of something in it.
    pub fn key(&self, below: &str) -> Key {
        Key::new(layout::REPOSITORIES).join(&self.name).join(below)
    }
}

/// A tag that a run has set aside.
#[derive(Clone, Debug)]
pub struct TagAside {
    /// Its name.
    pub name: Vec<u8>,
    /// What it pointed to; nothing where its link cannot be understood.
    pub target: Option<ManifestId>,
    /// When its link was written; nothing where it has none.
    pub modified: Option<SystemTime>,
}

/// What a run has set aside of one repository.
#[derive(Clone, Debug, Default)]
pub struct RepositoryAside {
    /// Its path below `repositories/`.
    pub name: Vec<u8>,
    /// Its manifest links.
    pub revisions: Vec<Revision>,
    /// Its tags.
    pub tags: Vec<TagAside>,
    /// Entries of tags' histories, by tag.
    pub history: Vec<(Vec<u8>, PackedDigests)>,
    /// Its layer links, by algorithm.
    pub layer_links: Vec<PackedDigests>,
    /// Those of them that were written after the run began.
    pub young_layer_links: Vec<Digest>,
    /// Its aliasing layer links.
    pub aliases: Vec<Alias>,
}

/// What a run has set aside, so that it can be brought back.
#[derive(Clone, Debug)]
pub struct Quarantine {
    /// The run's name.
    pub run: Vec<u8>,
    /// Where it lies.
    pub tree: Key,
    /// When the run began, by the store's own clock. A link that is written in place may be written through a handle
    /// that was opened before the link was moved: one that is younger than this was pushed, and counts.
    pub begun: SystemTime,
    /// Whether what was set aside has the time that it had before, so that what is younger was written since.
    pub has_times: bool,
    /// The blob prefixes that exist in there.
    pub prefixes: BTreeSet<(Algorithm, u8)>,
    /// Links, by repository.
    pub repositories: Vec<RepositoryAside>,
}

impl Quarantine {
    /// When the run began; nothing where that is not known any more.
    pub fn begun(&self) -> Option<SystemTime> {
        (self.begun != SystemTime::UNIX_EPOCH).then_some(self.begun)
    }

    /// Whether a link was written after the run began; also where nothing says when it was.
    pub fn is_young(&self, modified: Option<SystemTime>) -> bool {
        match self.begun() {
            None => true,
            Some(begun) => self.has_times && modified.is_none_or(|modified| modified >= begun),
        }
    }

    /// Where blobs of one prefix lie in there.
    pub(crate) fn blob_groups(&self, digests: &[Digest]) -> Vec<Group> {
        let Some(first) = digests.first() else { return Vec::new() };
        let directory = quarantine::aside(&self.tree, &layout::blob_prefix(first.algorithm(), first.prefix()));
        Group::split(&directory, "", digests.iter().map(Digest::hex))
    }
}

/// The result of a scan.
#[derive(Debug)]
pub struct Catalog {
    /// The repositories, parents before children, siblings by name: the order in which the reference walks.
    pub repositories: Vec<Repository>,
    /// The blob prefixes that exist.
    pub prefixes: BTreeSet<(Algorithm, u8)>,
    /// What earlier runs have set aside and not yet removed.
    pub quarantines: Vec<Quarantine>,
    /// What was odd.
    pub notes: Vec<Note>,
    /// A GitLab registry keeps its tags in a database.
    pub database_in_use: bool,
    /// When the scan began. What is younger is none of this run's business.
    pub started: SystemTime,
    // Only grows: marking may look up digests that no link of the store named.
    manifests: RwLock<Manifests>,
}

impl Catalog {
    /// Puts the parts of a finished scan together.
    pub(crate) fn new(started: SystemTime, manifests: Manifests) -> Self {
        Self {
            repositories: Vec::new(),
            prefixes: BTreeSet::new(),
            quarantines: Vec::new(),
            notes: Vec::new(),
            database_in_use: false,
            started,
            manifests: RwLock::new(manifests),
        }
    }

    /// The manifests, to look at.
    ///
    /// # Panics
    /// When a thread panicked while it added some.
    pub fn manifests(&self) -> RwLockReadGuard<'_, Manifests> {
        self.manifests.read().expect("no thread panics while it adds manifests")
    }

    /// Lets `add` add manifests.
    pub(crate) fn grow<T>(&self, add: impl FnOnce(&mut Manifests) -> T) -> T {
        add(&mut self.manifests.write().expect("no thread panics while it adds manifests"))
    }

    /// All aliasing layer links, those that are set aside among them.
    pub fn aliases(&self) -> impl Iterator<Item = &Alias> {
        self.aliases_by_repository().map(|(_, alias)| alias)
    }

    /// All aliasing layer links with the index of their repository; none for those that are set aside.
    pub(crate) fn aliases_by_repository(&self) -> impl Iterator<Item = (Option<usize>, &Alias)> {
        let here = self.repositories.iter().enumerate();
        let here =
            here.flat_map(|(index, repository)| repository.aliases.iter().map(move |alias| (Some(index), alias)));
        let aside = self.quarantines.iter().flat_map(|quarantine| &quarantine.repositories);
        here.chain(aside.flat_map(|repository| &repository.aliases).map(|alias| (None, alias)))
    }

    /// How many tags there are.
    pub fn tag_count(&self) -> usize {
        self.repositories.iter().map(|repository| repository.tags.as_ref().map_or(0, Vec::len)).sum()
    }

    /// How many manifest links there are.
    pub fn revision_count(&self) -> usize {
        self.repositories.iter().map(|repository| repository.revisions.len()).sum()
    }
}
