//! From holder to holder, over all that each reaches.

use super::contents::Contents;
use super::start::Start;
use super::{Amount, Share};
use crate::graph::{Gathered, Graph};
use crate::manifests::ManifestId;
use crate::stored::{BlobNumber, Stored};

/// What leads on from a manifest.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Follow {
    /// What it refers to. All that repositories need, for they link the artifacts themselves.
    References,
    /// The artifacts that are about it as well.
    Referrers,
}

const NOBODY: u32 = u32::MAX;
/// Set in what a blob keeps of its last holder, once there was another.
const SHARED: u32 = 1 << 31;

/// Goes from holder to holder.
pub(super) struct Walk<'a> {
    graph: &'a Graph<'a>,
    blobs: &'a Stored,
    contents: &'a Gathered<Contents>,
    /// Of each manifest: the last holder that reached it.
    reached: Vec<u32>,
    /// Of each blob: the last holder that reached it, and whether there was another.
    holders: Vec<u32>,
    open: Vec<ManifestId>,
    pub(super) shares: Vec<Share>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        manifest_count: usize,
        graph: &'a Graph<'a>,
        blobs: &'a Stored,
        contents: &'a Gathered<Contents>,
    ) -> Self {
        Self {
            graph,
            blobs,
            contents,
            reached: vec![NOBODY; manifest_count],
            holders: vec![NOBODY; blobs.len()],
            open: Vec::new(),
            shares: Vec::new(),
        }
    }

    /// Whether one of the holders from a number on has reached a manifest.
    pub(super) fn was_reached_since(&self, first: usize, id: ManifestId) -> bool {
        self.reached[id as usize] != NOBODY && self.reached[id as usize] as usize >= first
    }

    /// Goes over all that a new holder reaches, and gives back its number.
    pub(super) fn reach(&mut self, start: &Start, follow: Follow) -> usize {
        let holder = u32::try_from(self.shares.len()).ok().filter(|&holder| holder < SHARED - 1);
        let holder = holder.expect("fewer holders than numbers");
        let mut share = Share::default();
        for &blob in &start.blobs {
            self.hold(blob, holder, &mut share);
        }
        self.open.extend(&start.manifests);
        while let Some(id) = self.open.pop() {
            if std::mem::replace(&mut self.reached[id as usize], holder) == holder {
                continue;
            }
            share.manifest_count += usize::from(Contents::is_stored_manifest(self.contents, id));
            for &blob in Contents::of(self.contents, id) {
                self.hold(blob, holder, &mut share);
            }
            self.open.extend(self.graph.references(id));
            if follow == Follow::Referrers {
                self.open.extend(self.graph.referrers(id));
            }
        }
        self.shares.push(share);
        holder as usize
    }

    fn hold(&mut self, blob: BlobNumber, holder: u32, share: &mut Share) {
        let last = &mut self.holders[blob as usize];
        *last = match *last {
            NOBODY => holder,
            last if last & !SHARED == holder => return,
            _ => holder | SHARED,
        };
        share.total.add(self.blobs.size_bytes(blob));
    }

    /// What each holder has, and what all of them have.
    pub(super) fn finish(mut self) -> (Vec<Share>, Amount) {
        let mut all = Amount::default();
        for (number, &holder) in (0..).zip(&self.holders) {
            if holder != NOBODY {
                let size_bytes = self.blobs.size_bytes(number);
                all.add(size_bytes);
                if holder & SHARED == 0 {
                    self.shares[holder as usize].unique.add(size_bytes);
                }
            }
        }
        (self.shares, all)
    }
}
