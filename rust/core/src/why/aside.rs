//! What runs have set aside of something, so that it can be brought back.

use crate::catalog::{Catalog, Quarantine, RepositoryAside};
use crate::digest::Digest;
use crate::error::Result;
use crate::manifests::Manifests;
use crate::progress::Control;
use crate::scan::stat_all;
use crate::store::List;

/// What one run has set aside of what was asked about. Links are given with the names of their repositories.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aside {
    /// Index of the quarantine.
    pub quarantine: usize,
    /// The size of the blob in bytes, where a blob was asked about and lies there.
    pub size_bytes: Option<u64>,
    /// Tags, and what they pointed to, where that can be understood.
    pub tags: Vec<TagAside>,
    /// Manifest links.
    pub manifest_links: Vec<(Vec<u8>, Digest)>,
    /// Layer links.
    pub layer_links: Vec<(Vec<u8>, Digest)>,
}

/// A tag that a run has set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagAside {
    /// The repository's name.
    pub repository: Vec<u8>,
    /// The tag.
    pub tag: Vec<u8>,
    /// What it pointed to.
    pub target: Option<Digest>,
}

/// What was asked about.
#[derive(Clone, Copy)]
pub(super) enum Asked<'a> {
    /// A digest: whatever leads to it directly.
    Digest(&'a Digest),
    /// A tag of a repository.
    Tag(&'a [u8], &'a [u8]),
    /// All of a repository.
    Repository(&'a [u8]),
}

impl Asked<'_> {
    fn concerns_repository(self, name: &[u8]) -> bool {
        match self {
            Self::Digest(_) => true,
            Self::Tag(repository, _) | Self::Repository(repository) => repository == name,
        }
    }

    fn concerns_tag(self, name: &[u8], target: Option<Digest>) -> bool {
        match self {
            Self::Digest(digest) => target == Some(*digest),
            Self::Tag(_, tag) => tag == name,
            Self::Repository(_) => true,
        }
    }

    fn concerns_link(self, target: &Digest) -> bool {
        match self {
            Self::Digest(digest) => target == digest,
            Self::Tag(..) => false,
            Self::Repository(_) => true,
        }
    }
}

impl Aside {
    fn is_empty(&self) -> bool {
        self.size_bytes.is_none()
            && self.tags.is_empty()
            && self.manifest_links.is_empty()
            && self.layer_links.is_empty()
    }

    fn add_links(&mut self, manifests: &Manifests, repository: &RepositoryAside, asked: Asked<'_>) {
        for tag in &repository.tags {
            let target = tag.target.map(|id| manifests.digest(id));
            if asked.concerns_tag(&tag.name, target) {
                self.tags.push(TagAside { repository: repository.name.clone(), tag: tag.name.clone(), target });
            }
        }
        let with_name = |digest| (repository.name.clone(), digest);
        let linked = repository.revisions.iter().map(|link| manifests.digest(link.manifest));
        self.manifest_links.extend(linked.filter(|digest| asked.concerns_link(digest)).map(with_name));
        for links in &repository.layer_links {
            match asked {
                Asked::Digest(digest) => self.layer_links.extend(links.position(digest).map(|_| with_name(*digest))),
                Asked::Tag(..) => {}
                Asked::Repository(_) => self.layer_links.extend(links.iter().map(with_name)),
            }
        }
    }
}

/// What lies in quarantines of what was asked about, by run. Only links: [`add_blob`] looks for a blob itself.
pub(super) fn find(catalog: &Catalog, manifests: &Manifests, asked: Asked<'_>) -> Vec<Aside> {
    let of_run = |(quarantine, run): (usize, &Quarantine)| {
        let mut aside = Aside { quarantine, ..Aside::default() };
        for repository in run.repositories.iter().filter(|repository| asked.concerns_repository(&repository.name)) {
            aside.add_links(manifests, repository, asked);
        }
        aside
    };
    let all = catalog.quarantines.iter().enumerate().map(of_run);
    all.filter(|aside| !aside.is_empty()).collect()
}

/// Notes which of the runs hold the blob of a digest.
///
/// # Errors
/// Any failure to look.
pub(super) fn add_blob(
    store: &impl List,
    catalog: &Catalog,
    digest: &Digest,
    asides: &mut Vec<Aside>,
    control: &Control,
) -> Result<()> {
    let prefix = (digest.algorithm(), digest.prefix());
    for (quarantine, run) in catalog.quarantines.iter().enumerate() {
        if !run.prefixes.contains(&prefix) {
            continue;
        }
        let Some(stat) = stat_all(store, &run.blob_groups(&[*digest]), control)?.concat()[0] else { continue };
        let place = asides.partition_point(|aside| aside.quarantine < quarantine);
        if asides.get(place).is_none_or(|aside| aside.quarantine != quarantine) {
            asides.insert(place, Aside { quarantine, ..Aside::default() });
        }
        asides[place].size_bytes = Some(stat.size_bytes);
    }
    Ok(())
}

/// Whether a run holds something of a repository, or a tag of it.
pub(super) fn is_known(catalog: &Catalog, repository: &[u8], tag: Option<&[u8]>) -> bool {
    let mut aside = catalog.quarantines.iter().flat_map(|run| &run.repositories).filter(|one| one.name == repository);
    aside.any(|one| tag.is_none_or(|tag| one.tags.iter().any(|other| other.name == tag)))
}
