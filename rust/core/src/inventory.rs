//! An inventory: every blob that is stored, with its size and age, and everything that ought to be.
//!
//! ```text
//! scan       repositories, tags and manifests; one that cannot be read counts as damaged    ─┐ before the blobs are
//! list       every blob, one `statx` each; its content is somebody else's business          ─┤ listed, for they are
//! compare    what manifests refer to, with what is stored                                   ─┘ pushed before them
//! ```
//!
//! This is for looking after storage, not for collecting: where a disk fails, a collection must stop, and an inventory
//! must go on. So it holds its catalog for itself. It takes about fifty bytes a blob.

mod blobs;
mod forgiving;
mod images;

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use crate::candidates::PrefixBlobs;
use crate::catalog::{Catalog, Note, Repository, Target};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::layout::distribution as layout;
use crate::live_set::{Batch, LiveSet};
use crate::manifests::{ManifestId, State};
use crate::progress::Control;
use crate::scan::scan;
use crate::store::{Key, List, Read};
use forgiving::Forgiving;

pub(crate) use blobs::{list_digests, refuse_report};
pub use images::Affected;

/// All that is stored, and all that ought to be.
#[derive(Debug)]
pub struct Inventory {
    catalog: Catalog,
    /// By algorithm and prefix, in order.
    blobs: Vec<PrefixBlobs>,
    /// Blobs that are there and cannot be looked at, and why.
    pub unreadable: BTreeMap<Digest, Error>,
    /// Links that cannot be read, and why.
    pub unreadable_links: BTreeMap<Key, Error>,
    /// Links that cannot be understood, so that what they lead to is not known.
    pub damaged: Vec<Note>,
    /// What else is odd.
    pub notes: Vec<Note>,
}

impl Inventory {
    /// Takes the inventory of a store.
    ///
    /// # Errors
    /// Any failure to list a directory, or to look at a link; anything where the layout has none. What cannot be read,
    /// and blobs that cannot be looked at, are part of the answer.
    pub fn take(store: &(impl List + Read), started: SystemTime, control: &Control) -> Result<Self> {
        let forgiving = Forgiving::new(store);
        let catalog = scan(&forgiving, started, control)?;
        let mut notes = catalog.notes.clone();
        refuse_report(store, "look at all blobs of")?;
        let (blobs, unreadable) = blobs::list(store, &catalog, &mut notes, control)?;
        let manifests = catalog.manifests();
        for repository in &catalog.repositories {
            for revision in repository.revisions.iter().filter(|one| manifests.state(one.manifest) == State::Absent) {
                let key = repository.key("_manifests").join(manifests.digest(revision.manifest).to_string());
                notes.push(Note { key, reason: "a manifest link whose manifest is gone" });
            }
        }
        drop(manifests);
        notes.sort();
        // Manifests among them are blobs: whoever reads all blobs meets them again.
        let is_link = |key: &Key| !key.as_bytes().starts_with(layout::BLOBS.as_bytes());
        let unreadable_links: BTreeMap<Key, Error> =
            forgiving.into_failures().into_iter().filter(|(key, _)| is_link(key)).collect();
        let damaged = catalog.repositories.iter().flat_map(|repository| &repository.damage);
        let damaged = damaged.filter(|note| !unreadable_links.contains_key(&note.key)).cloned().collect();
        Ok(Self { catalog, blobs, unreadable, unreadable_links, damaged, notes })
    }

    /// The repositories' names, by index.
    pub fn repositories(&self) -> impl Iterator<Item = String> {
        self.catalog.repositories.iter().map(Repository::display_name)
    }

    /// The name of one of them.
    pub fn repository_name(&self, index: usize) -> String {
        self.catalog.repositories[index].display_name()
    }

    /// The stored blobs by prefix, in the order of their digests.
    pub fn blobs(&self) -> &[PrefixBlobs] {
        &self.blobs
    }

    /// Whether a blob is stored, readable or not.
    pub fn contains(&self, digest: &Digest) -> bool {
        let prefix = (digest.algorithm(), digest.prefix());
        let place = self.blobs.binary_search_by_key(&prefix, |blobs| (blobs.digests.algorithm(), blobs.prefix));
        place.is_ok_and(|place| self.blobs[place].digests.position(digest).is_some())
            || self.unreadable.contains_key(digest)
    }

    /// Everything that some repositories reach by their tags and manifest links, and what of it stands for something
    /// else.
    ///
    /// # Errors
    /// When references cannot be read back.
    pub fn reached_by(&self, repositories: &BTreeSet<usize>) -> Result<LiveSet> {
        let manifests = self.catalog.manifests();
        let mut open: Vec<ManifestId> = Vec::new();
        for &index in repositories {
            let repository = &self.catalog.repositories[index];
            open.extend(repository.revisions.iter().map(|revision| revision.manifest));
            for tag in repository.tags.iter().flatten() {
                match &tag.target {
                    Target::Manifest(id) => open.push(*id),
                    Target::Missing(history) => open.extend(history),
                    Target::Unreadable => {}
                }
            }
        }
        let reached = LiveSet::default();
        let (mut found, mut buffer) = (Batch::default(), Vec::new());
        let mut seen = vec![false; manifests.len()];
        while let Some(id) = open.pop() {
            if std::mem::replace(&mut seen[id as usize], true) {
                continue;
            }
            found.push(&manifests.digest(id));
            manifests.references.for_each(manifests.span(id), &mut buffer, |reference| {
                found.push(&reference.digest);
            })?;
            open.extend(manifests.edges(id).iter().map(|edge| edge.target));
        }
        reached.insert_batch(&mut found);
        for alias in self.catalog.aliases() {
            if alias.layer.is_some_and(|layer| reached.contains(&layer)) {
                reached.insert(&alias.target);
            }
        }
        Ok(reached)
    }
}
