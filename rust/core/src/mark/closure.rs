//! Which manifests are live: everything that the roots reach.
//!
//! One state per manifest: marked is visited. (The reference keeps the two apart, by registry and by repository,
//! and loses the layers of images that two repositories share.) An artifact hangs on its subject both ways: it
//! keeps what it is about, and it is kept by it as long as some repository links it. (An artifact that only an
//! untagged index names can be asked for by nobody. Were it kept for its subject, the next run, which no longer
//! meets that index, would remove it.)

use std::collections::HashMap;

use super::Released;
use crate::catalog::Catalog;
use crate::live_set::LiveSet;
use crate::manifest::Role;
use crate::manifests::{ManifestId, Manifests};

const LIVE: u8 = 1;
const ROOT: u8 = 2;

/// The live manifests.
#[derive(Debug)]
pub(crate) struct Closure {
    states: Vec<u8>,
    /// The linked artifacts that are about a manifest.
    referrers: HashMap<ManifestId, Vec<ManifestId>>,
}

impl Closure {
    pub(super) fn new(catalog: &Catalog, manifests: &Manifests, released: &Released) -> Self {
        let mut referrers: HashMap<ManifestId, Vec<ManifestId>> = HashMap::new();
        let mut seen = vec![false; manifests.len()];
        let aside = catalog.quarantines.iter().flat_map(|quarantine| &quarantine.repositories);
        let here = catalog.repositories.iter().flat_map(|repository| &repository.revisions);
        for revision in here.chain(aside.flat_map(|repository| &repository.revisions)) {
            let id = revision.manifest;
            if !std::mem::replace(&mut seen[id as usize], true) {
                for edge in manifests.edges(id).iter().filter(|edge| edge.role == Role::Subject) {
                    referrers.entry(edge.target).or_default().push(id);
                }
            }
        }
        for (subject, target) in released.following(catalog) {
            referrers.entry(subject).or_default().push(target);
        }
        Self { states: vec![0; manifests.len()], referrers }
    }

    /// Marks a manifest for its own sake, and all that it reaches.
    pub(super) fn add_root(&mut self, manifests: &Manifests, id: ManifestId) {
        // More may have been read since.
        self.states.resize(manifests.len(), 0);
        self.states[id as usize] |= ROOT;
        self.add(manifests, id);
    }

    /// Marks a manifest, and all that it reaches, because something refers to it.
    fn add(&mut self, manifests: &Manifests, id: ManifestId) {
        let mut open = vec![id];
        while let Some(id) = open.pop() {
            let state = &mut self.states[id as usize];
            if *state & LIVE == 0 {
                *state |= LIVE;
                open.extend(manifests.edges(id).iter().map(|edge| edge.target));
                if let Some(referrers) = self.referrers.get(&id) {
                    // Untagged, and yet wanted for its own sake: it has a line of its own in the output.
                    for &referrer in referrers {
                        self.states[referrer as usize] |= ROOT;
                    }
                    open.extend(referrers);
                }
            }
        }
    }

    /// Marks the manifests that something live refers to as if they were mere blobs: an image may name a manifest
    /// among its layers. Returns whether there were any.
    pub(super) fn add_referred(&mut self, manifests: &Manifests, live: &LiveSet) -> bool {
        self.states.resize(manifests.len(), 0);
        let mut grown = false;
        for id in manifests.ids() {
            if !self.is_live(id) && live.contains(&manifests.digest(id)) {
                self.add(manifests, id);
                grown = true;
            }
        }
        grown
    }

    /// The linked artifacts that are about a manifest.
    pub(crate) fn referrers(&self, id: ManifestId) -> &[ManifestId] {
        self.referrers.get(&id).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn is_live(&self, id: ManifestId) -> bool {
        self.states.get(id as usize).is_some_and(|state| state & LIVE != 0)
    }

    pub(crate) fn is_root(&self, id: ManifestId) -> bool {
        self.states.get(id as usize).is_some_and(|state| state & ROOT != 0)
    }
}
