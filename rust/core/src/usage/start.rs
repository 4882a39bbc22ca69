//! Where holders begin: with what they link.

use std::collections::HashMap;

use crate::catalog::{Catalog, Target};
use crate::digest::Digest;
use crate::error::Result;
use crate::graph::Aliases;
use crate::manifests::{ManifestId, Manifests};
use crate::mark::{Marks, list_layer_links};
use crate::progress::Control;
use crate::store::List;
use crate::stored::{BlobNumber, Stored};

/// Where a holder begins.
#[derive(Default)]
pub(super) struct Start {
    pub(super) manifests: Vec<ManifestId>,
    pub(super) blobs: Vec<BlobNumber>,
}

impl Start {
    pub(super) fn of(manifests: &[ManifestId]) -> Self {
        Self { manifests: manifests.to_vec(), blobs: Vec::new() }
    }

    pub(super) fn add_links(&mut self, catalog: &Catalog, repository: usize, wanted: impl Fn(ManifestId) -> bool) {
        let linked = catalog.repositories[repository].revisions.iter().map(|revision| revision.manifest);
        self.manifests.extend(linked.filter(|&id| wanted(id)));
    }

    pub(super) fn add_tags(&mut self, catalog: &Catalog, repository: usize) {
        for tag in catalog.repositories[repository].tags.iter().flatten() {
            match &tag.target {
                Target::Manifest(id) => self.manifests.push(*id),
                Target::Missing(history) => self.manifests.extend(history),
                Target::Unreadable => {}
            }
        }
    }

    pub(super) fn add_loose(&mut self, loose: &Loose, repository: usize) {
        if let Some(start) = loose.0.get(&repository) {
            self.manifests.extend(&start.manifests);
            self.blobs.extend(&start.blobs);
        }
    }
}

/// What repositories keep by layer links alone: all of it where they are damaged, and what lies under an algorithm that
/// regsweep does not know. By the index of the repository.
pub(super) struct Loose(HashMap<usize, Start>);

impl Loose {
    pub(super) fn find(
        store: &impl List,
        marks: &Marks,
        manifests: &Manifests,
        aliases: &Aliases,
        blobs: &Stored,
        control: &Control,
    ) -> Result<Self> {
        let catalog = &*marks.catalog;
        let links = list_layer_links(store, catalog, &marks.kept_whole(), control)?;
        let unknown = catalog.repositories.iter().enumerate().flat_map(|(index, repository)| {
            let unknown = repository.aliases.iter().filter(|alias| alias.layer.is_none());
            unknown.map(move |alias| (index, alias.target))
        });
        let mut found: HashMap<usize, Start> = HashMap::new();
        for (index, digest) in links.iter().chain(unknown) {
            let start = found.entry(index).or_default();
            let mut add = |digest: &Digest| {
                start.blobs.extend(blobs.number(digest));
                start.manifests.extend(manifests.find(digest));
            };
            add(&digest);
            aliases.for_each_target(&digest, add);
        }
        Ok(Self(found))
    }
}
