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
use crate::store::{Entry, Key, List};

/// The eligible blobs of one prefix.
#[derive(Clone, Debug)]
pub struct PrefixBlobs {
    /// The prefix.
    pub prefix: u8,
    /// The digests, in order.
    pub digests: PackedDigests,
    /// Their sizes in bytes, in the same order.
    pub sizes_bytes: Vec<u64>,
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
    /// Keeps those for which `keep` holds, given their index and digest.
    fn retain(&mut self, mut keep: impl FnMut(usize, &Digest) -> bool) {
        let mut kept = Vec::with_capacity(self.sizes_bytes.len());
        self.digests.retain(|index, digest| {
            let keeps = keep(index, digest);
            kept.extend(keeps.then(|| self.sizes_bytes[index]));
            keeps
        });
        self.sizes_bytes = kept;
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

    /// Whether this one is eligible.
    pub fn contains(&self, digest: &Digest) -> bool {
        let mut alike = self.eligible.iter().filter(|blobs| blobs.prefix == digest.prefix());
        alike.any(|blobs| blobs.digests.position(digest).is_some())
    }

    /// The bytes of all that are eligible.
    pub fn size_bytes(&self) -> u64 {
        self.eligible.iter().flat_map(|blobs| &blobs.sizes_bytes).sum()
    }

    /// Digest and size in bytes of each, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Digest, u64)> {
        self.eligible.iter().flat_map(|blobs| blobs.digests.iter().zip(blobs.sizes_bytes.iter().copied()))
    }

    /// Takes out what is live by now.
    pub(crate) fn spare_live(&mut self, live: &LiveSet) {
        for blobs in &mut self.eligible {
            blobs.retain(|_, digest| !live.contains(digest));
        }
        self.eligible.retain(|blobs| !blobs.digests.is_empty());
    }
}

/// Blobs of a prefix between two reports of progress.
const COUNTED: usize = 256;

#[derive(Default)]
struct Dead {
    stored_count: usize,
    digests: Option<PackedDigests>,
    notes: Vec<Note>,
}

/// The blob that an entry of a prefix directory is; what is none is noted.
pub(crate) fn blob_of(
    directory: &Key,
    (algorithm, prefix): (Algorithm, u8),
    entry: Entry<'_>,
    notes: &mut Vec<Note>,
) -> Result<Option<Digest>> {
    if !is_directory(directory, entry, notes)? {
        return Ok(None);
    }
    let digest = Digest::from_hex(algorithm, entry.name).filter(|digest| digest.prefix() == prefix);
    if digest.is_none() {
        notes.push(Note { key: directory.join(entry.name), reason: "not a digest of this prefix" });
    }
    Ok(digest)
}

/// Lists all blobs and finds those that are not live. Live ones get the flag [`Flag::Stored`].
///
/// What was written at the cutoff or later is not eligible either; it is returned beside the rest, with its size.
pub(crate) fn find(
    store: &impl List,
    catalog: &Catalog,
    live: &LiveSet,
    cutoff: SystemTime,
    notes: &mut Vec<Note>,
    control: &Control,
) -> Result<(Blobs, Vec<(Digest, u64)>)> {
    let prefixes: Vec<(Algorithm, u8)> = catalog.prefixes.iter().copied().collect();
    let directories: Vec<Key> =
        prefixes.iter().map(|&(algorithm, prefix)| layout::blob_prefix(algorithm, prefix)).collect();
    let listed = collect_listed(store, &directories, control, |index, entry, dead: &mut Dead| {
        let Some(digest) = blob_of(&directories[index], prefixes[index], entry, &mut dead.notes)? else {
            return Ok(());
        };
        dead.stored_count += 1;
        if dead.stored_count.is_multiple_of(COUNTED) {
            Control::count(&control.counters.blobs, COUNTED);
        }
        if live.view(digest.prefix()).flag(&digest, Flag::Stored).is_none() {
            dead.digests.get_or_insert_with(|| PackedDigests::new(digest.algorithm())).push(&digest);
        }
        Ok(())
    })?;
    let mut blobs = Blobs::default();
    let mut dead = Vec::new();
    for ((key, (_, prefix)), mut found) in directories.into_iter().zip(prefixes).zip(listed) {
        blobs.stored_count += found.stored_count;
        Control::count(&control.counters.blobs, found.stored_count % COUNTED);
        notes.append(&mut found.notes);
        if let Some(mut digests) = found.digests {
            digests.sort();
            digests.shrink();
            dead.push((prefix, key, digests));
        }
    }
    let mut sizes_bytes: Vec<Vec<u64>> = dead.iter().map(|(.., digests)| Vec::with_capacity(digests.len())).collect();
    let mut spared: Vec<Vec<usize>> = vec![Vec::new(); dead.len()];
    let mut young = Vec::new();
    let places: Vec<(Key, &PackedDigests)> = dead.iter().map(|(_, key, digests)| (key.clone(), digests)).collect();
    stat_groups(store, &places, layout::DATA, control, |index, digest, stat| {
        match stat {
            None => {
                blobs.stored_count -= 1;
                notes.push(Note { key: layout::blob(&digest), reason: "a blob's directory without data" });
                spared[index].push(sizes_bytes[index].len());
            }
            Some(stat) if stat.modified >= cutoff => {
                young.push((digest, stat.size_bytes));
                spared[index].push(sizes_bytes[index].len());
            }
            Some(_) => {}
        }
        sizes_bytes[index].push(stat.map_or(0, |stat| stat.size_bytes));
    })?;
    drop(places);
    for (((prefix, _, digests), sizes_bytes), spared) in dead.into_iter().zip(sizes_bytes).zip(spared) {
        let mut eligible = PrefixBlobs { prefix, digests, sizes_bytes };
        if !spared.is_empty() {
            eligible.retain(|index, _| spared.binary_search(&index).is_err());
        }
        blobs.eligible.extend((!eligible.digests.is_empty()).then_some(eligible));
    }
    Ok((blobs, young))
}
