//! Candidates: the stored blobs that are not live.
//!
//! Every prefix directory streams past the live set; its entries' names are the digests, so a live blob costs no
//! system call of its own. What is left is sorted, and only that is looked at: one `statx` each, for its size and
//! age. Kept are bare digests and sizes, forty bytes a candidate.

use std::time::SystemTime;

use crate::catalog::{Catalog, Note};
use crate::digest::{Algorithm, Digest};
use crate::error::Result;
use crate::layout::distribution as layout;
use crate::live_set::{Flag, LiveSet};
use crate::packed::PackedDigests;
use crate::progress::Control;
use crate::scan::{collect_listed, is_directory, stat_groups};
use crate::store::{Key, List};

/// The eligible blobs of one prefix.
#[derive(Clone, Debug)]
pub struct PrefixBlobs {
    /// The prefix.
    pub prefix: u8,
    /// The digests, in order.
    pub digests: PackedDigests,
    /// Their sizes in bytes, in the same order.
    pub sizes_bytes: Vec<u64>,
    /// When they were last written, as long as that still matters.
    modified: Vec<SystemTime>,
}

/// All eligible blobs, and how many blobs there are.
#[derive(Clone, Debug, Default)]
pub struct Blobs {
    /// How many blobs the store lists.
    pub stored_count: usize,
    /// The eligible ones by prefix, in order.
    pub eligible: Vec<PrefixBlobs>,
}

impl PrefixBlobs {
    const fn new(algorithm: Algorithm, prefix: u8) -> Self {
        Self { prefix, digests: PackedDigests::new(algorithm), sizes_bytes: Vec::new(), modified: Vec::new() }
    }

    /// Those for which `keep` holds.
    fn filter(self, mut keep: impl FnMut(&Digest, u64, Option<SystemTime>) -> bool) -> Self {
        let mut left = Self::new(self.digests.algorithm(), self.prefix);
        for (index, (digest, &size)) in self.digests.iter().zip(&self.sizes_bytes).enumerate() {
            let modified = self.modified.get(index).copied();
            if keep(&digest, size, modified) {
                left.digests.push(&digest);
                left.sizes_bytes.push(size);
                left.modified.extend(modified);
            }
        }
        left
    }
}

impl Blobs {
    /// How many are eligible.
    pub fn len(&self) -> usize {
        self.eligible.iter().map(|blobs| blobs.digests.len()).sum()
    }

    /// Whether none is eligible.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes of all that are eligible.
    pub fn size_bytes(&self) -> u64 {
        self.eligible.iter().flat_map(|blobs| &blobs.sizes_bytes).sum()
    }

    /// Digest and size in bytes of each, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Digest, u64)> {
        self.eligible.iter().flat_map(|blobs| blobs.digests.iter().zip(blobs.sizes_bytes.iter().copied()))
    }

    /// Takes out what was written at the cutoff or later; ages do not matter from then on.
    pub(crate) fn take_young(&mut self, cutoff: SystemTime) -> Vec<(Digest, u64)> {
        let mut young = Vec::new();
        self.retain(|digest, size, modified| {
            let old = modified.is_some_and(|modified| modified < cutoff);
            if !old {
                young.push((*digest, size));
            }
            old
        });
        for blobs in &mut self.eligible {
            blobs.modified = Vec::new();
        }
        young
    }

    /// Takes out what is live by now.
    pub(crate) fn spare_live(&mut self, live: &LiveSet) {
        self.retain(|digest, _, _| !live.contains(digest));
    }

    fn retain(&mut self, mut keep: impl FnMut(&Digest, u64, Option<SystemTime>) -> bool) {
        let all = std::mem::take(&mut self.eligible).into_iter().map(|blobs| blobs.filter(&mut keep));
        self.eligible = all.filter(|blobs| !blobs.digests.is_empty()).collect();
    }
}

#[derive(Default)]
struct Dead {
    stored_count: usize,
    digests: Option<PackedDigests>,
    notes: Vec<Note>,
}

/// Lists all blobs and finds those that are not live. Live ones get the flag [`Flag::Stored`].
pub(crate) fn find(
    store: &impl List,
    catalog: &Catalog,
    live: &LiveSet,
    with_times: bool,
    notes: &mut Vec<Note>,
    control: &Control,
) -> Result<Blobs> {
    let prefixes: Vec<(Algorithm, u8)> = catalog.prefixes.iter().copied().collect();
    let directories: Vec<Key> =
        prefixes.iter().map(|&(algorithm, prefix)| layout::blob_prefix(algorithm, prefix)).collect();
    let listed = collect_listed(store, &directories, control, |index, entry, dead: &mut Dead| {
        let (algorithm, prefix) = prefixes[index];
        if !is_directory(&directories[index], entry, &mut dead.notes)? {
            return Ok(());
        }
        let Some(digest) = Digest::from_hex(algorithm, entry.name).filter(|digest| digest.prefix() == prefix) else {
            dead.notes.push(Note { key: directories[index].join(entry.name), reason: "not a digest of this prefix" });
            return Ok(());
        };
        dead.stored_count += 1;
        if live.view(prefix).flag(&digest, Flag::Stored).is_none() {
            dead.digests.get_or_insert_with(|| PackedDigests::new(algorithm)).push(&digest);
        }
        Ok(())
    })?;
    let mut blobs = Blobs::default();
    let mut eligible = Vec::new();
    let mut dead = Vec::new();
    for ((key, (algorithm, prefix)), mut found) in directories.into_iter().zip(prefixes).zip(listed) {
        blobs.stored_count += found.stored_count;
        notes.append(&mut found.notes);
        if let Some(mut digests) = found.digests {
            digests.sort();
            digests.shrink();
            dead.push((key, digests));
            eligible.push(PrefixBlobs::new(algorithm, prefix));
        }
    }
    Control::count(&control.counters.blobs, blobs.stored_count);
    let places: Vec<(Key, &PackedDigests)> = dead.iter().map(|(key, digests)| (key.clone(), digests)).collect();
    stat_groups(store, &places, layout::DATA, control, |index, digest, stat| {
        let Some(stat) = stat else {
            blobs.stored_count -= 1;
            notes.push(Note { key: layout::blob(&digest), reason: "a blob's directory without data" });
            return;
        };
        let blobs = &mut eligible[index];
        blobs.digests.push(&digest);
        blobs.sizes_bytes.push(stat.size_bytes);
        if with_times {
            blobs.modified.push(stat.modified);
        }
    })?;
    blobs.eligible = eligible;
    blobs.eligible.retain(|blobs| !blobs.digests.is_empty());
    Ok(blobs)
}
