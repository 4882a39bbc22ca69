//! Which stored blobs each manifest is and names.

use crate::digest::Digest;
use crate::graph::{Aliases, Gathered, has_edge, is_there};
use crate::manifest::{Reference, Role};
use crate::manifests::{ManifestId, Manifests, State};
use crate::stored::{BlobNumber, Stored};

/// Of a batch of manifests: which stored blobs each is and names as config or layer.
#[derive(Default)]
pub(super) struct Contents {
    blobs: Vec<BlobNumber>,
    /// Where each manifest's end.
    ends: Vec<u32>,
    /// Whether each is a manifest that is stored: one that was read may be set aside.
    is_stored: Vec<bool>,
    pub(super) as_blobs: Vec<(ManifestId, ManifestId)>,
}

impl Contents {
    pub(super) fn add(
        &mut self,
        manifests: &Manifests,
        aliases: &Aliases,
        blobs: &Stored,
        id: ManifestId,
        references: &[Reference],
    ) {
        let digest = manifests.digest(id);
        let number = blobs.number(&digest);
        self.is_stored.push(number.is_some() && matches!(manifests.state(id), State::Read(_)));
        if is_there(manifests, id) {
            self.blobs.extend(number);
            aliases.for_each_target(&digest, |target| self.add_blob(manifests, blobs, id, target));
        }
        for reference in references {
            if !has_edge(reference.role) {
                self.add_blob(manifests, blobs, id, &reference.digest);
            }
            if reference.role != Role::Subject {
                aliases.for_each_target(&reference.digest, |target| self.add_blob(manifests, blobs, id, target));
            }
        }
        self.ends.push(u32::try_from(self.blobs.len()).expect("a batch of manifests names fewer blobs than numbers"));
    }

    fn add_blob(&mut self, manifests: &Manifests, blobs: &Stored, id: ManifestId, digest: &Digest) {
        self.blobs.extend(blobs.number(digest));
        self.as_blobs.extend(manifests.find(digest).map(|other| (id, other)));
    }

    pub(super) fn of(contents: &Gathered<Self>, id: ManifestId) -> &[BlobNumber] {
        let (batch, index) = contents.batch_of(id);
        let start = if index == 0 { 0 } else { batch.ends[index - 1] };
        &batch.blobs[start as usize..batch.ends[index] as usize]
    }
    pub(super) fn is_stored_manifest(contents: &Gathered<Self>, id: ManifestId) -> bool {
        let (batch, index) = contents.batch_of(id);
        batch.is_stored[index]
    }
}
