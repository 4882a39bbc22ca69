//! Layer links: which of them nothing needs, and which are too young to say.

use std::collections::BTreeSet;
use std::time::SystemTime;

use crate::catalog::Catalog;
use crate::digest::{Algorithm, Digest};
use crate::error::Result;
use crate::layout::distribution as layout;
use crate::live_set::{LiveSet, View};
use crate::packed::PackedDigests;
use crate::progress::Control;
use crate::scan::{collect_listed, is_directory, stat_groups};
use crate::store::{Key, List};

/// Layer links of one repository under one algorithm.
#[derive(Clone, Debug)]
pub struct RepositoryLinks {
    /// Index of the repository.
    pub repository: usize,
    /// What the links' paths name, in order.
    pub digests: PackedDigests,
    /// Whether the repository goes as such, and with it the links to what lives on elsewhere.
    pub whole: bool,
}

/// Layer links by repository and algorithm, in order.
#[derive(Clone, Debug, Default)]
pub struct LayerLinks(pub Vec<RepositoryLinks>);

impl LayerLinks {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.iter().map(|links| links.digests.len()).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Index of the repository and digest of each.
    pub fn iter(&self) -> impl Iterator<Item = (usize, Digest)> {
        self.0.iter().flat_map(|links| links.digests.iter().map(|digest| (links.repository, digest)))
    }

    /// Those that are not live.
    #[must_use]
    pub(crate) fn without_live(mut self, live: &LiveSet) -> Self {
        for links in self.0.iter_mut().filter(|links| !links.whole) {
            links.digests.retain(|_, digest| !live.contains(digest));
        }
        self.0.retain(|links| !links.digests.is_empty());
        self
    }
}

/// The directory of a repository's layer links under one algorithm.
pub(crate) fn directory(catalog: &Catalog, repository: usize, algorithm: Algorithm) -> Key {
    catalog.repositories[repository].key(layout::LAYERS).join(algorithm.name())
}

/// Lists the layer links of some repositories for which `wanted` holds, each list sorted.
fn list(
    store: &impl List,
    catalog: &Catalog,
    repositories: impl Iterator<Item = usize>,
    control: &Control,
    wanted: impl Fn(usize, &Digest) -> bool + Sync,
) -> Result<Vec<RepositoryLinks>> {
    let places: Vec<(usize, Algorithm)> = repositories
        .flat_map(|repository| {
            let algorithms = &catalog.repositories[repository].layer_algorithms;
            algorithms.iter().map(move |&algorithm| (repository, algorithm))
        })
        .collect();
    let directories: Vec<Key> =
        places.iter().map(|&(repository, algorithm)| directory(catalog, repository, algorithm)).collect();
    let listed = collect_listed(store, &directories, control, |index, entry, found: &mut Option<PackedDigests>| {
        let (repository, algorithm) = places[index];
        // What is no digest's directory was reported by nobody and harms nobody.
        if is_directory(&directories[index], entry, &mut Vec::new())?
            && let Some(digest) = Digest::from_hex(algorithm, entry.name)
            && wanted(repository, &digest)
        {
            found.get_or_insert_with(|| PackedDigests::new(algorithm)).push(&digest);
        }
        Ok(())
    })?;
    let found = places.iter().zip(listed).filter_map(|(&(repository, _), found)| {
        found.map(|mut digests| {
            digests.sort();
            digests.shrink();
            RepositoryLinks { repository, digests, whole: false }
        })
    });
    Ok(found.collect())
}

/// All layer links of some repositories.
pub(crate) fn list_all(
    store: &impl List,
    catalog: &Catalog,
    repositories: &BTreeSet<usize>,
    control: &Control,
) -> Result<LayerLinks> {
    list(store, catalog, repositories.iter().copied(), control, |_, _| true).map(LayerLinks)
}

/// Puts everything into the live set that these repositories have layer links for.
pub(super) fn keep_all(
    store: &impl List,
    catalog: &Catalog,
    repositories: &BTreeSet<usize>,
    live: &LiveSet,
    control: &Control,
) -> Result<()> {
    for (_, digest) in list_all(store, catalog, repositories, control)?.iter() {
        live.insert(&digest);
    }
    Ok(())
}

/// The layer links to what is not live, and all of repositories that go as a whole (`whole`). A young one makes its blob
/// live instead, in whatever repository, and is put into `young` with the index of its own.
///
/// A link whose blob is gone is among them: nothing else would ever remove it.
pub(super) fn find(
    store: &impl List,
    catalog: &Catalog,
    cutoff: SystemTime,
    live: &LiveSet,
    whole: &BTreeSet<usize>,
    young: &mut Vec<(usize, Digest)>,
    control: &Control,
) -> Result<LayerLinks> {
    let dead = {
        // Locked once and not for each of what may be many millions of links.
        let views: Vec<View<'_>> = live.views().collect();
        let is_dead = |repository, digest: &Digest| {
            !views[usize::from(digest.prefix())].contains(digest) || whole.contains(&repository)
        };
        list(store, catalog, 0..catalog.repositories.len(), control, is_dead)?
    };
    let directories: Vec<(Key, &PackedDigests)> = dead
        .iter()
        .map(|links| (directory(catalog, links.repository, links.digests.algorithm()), &links.digests))
        .collect();
    let mut kept: Vec<RepositoryLinks> = Vec::with_capacity(dead.len());
    stat_groups(store, &directories, layout::LINK, control, |index, digest, stat| {
        // A directory without a link is what the reference leaves when it removes one.
        let Some(stat) = stat else { return };
        if stat.modified >= cutoff {
            live.insert(&digest);
            young.push((dead[index].repository, digest));
            return;
        }
        let RepositoryLinks { repository, digests, .. } = &dead[index];
        match kept.last_mut() {
            Some(last) if last.repository == *repository && last.digests.algorithm() == digests.algorithm() => {
                last.digests.push(&digest);
            }
            _ => {
                let mut first = PackedDigests::new(digests.algorithm());
                first.push(&digest);
                let whole = whole.contains(repository);
                kept.push(RepositoryLinks { repository: *repository, digests: first, whole });
            }
        }
    })?;
    Ok(LayerLinks(kept))
}
