//! Candidates: the stored blobs that are not live.
//!
//! Every prefix directory streams past the live set; its entries' names are the digests, so a live blob costs no
//! system call of its own. What is left is sorted, and only that is looked at: one `statx` each, for its size and
//! age. Kept are bare digests and sizes, forty bytes a candidate.

use std::collections::BTreeSet;
use std::time::SystemTime;

use crate::catalog::{Catalog, Note};
use crate::digest::{Algorithm, Digest};
use crate::error::Result;
use crate::layout::distribution as layout;
use crate::live_set::{Flag, LiveSet};
use crate::packed::PackedDigests;
use crate::progress::Control;
use crate::scan::{collect_listed, is_directory, look_at_groups, stat_all_as_told, stat_groups};
use crate::store::{Entry, Group, Key, List, Stat};

/// The eligible blobs of one prefix.
#[derive(Clone, Debug)]
pub struct PrefixBlobs {
    /// The prefix.
    pub prefix: u8,
    /// The digests, in order.
    pub digests: PackedDigests,
    /// Their sizes in bytes, in the same order.
    pub sizes_bytes: Vec<u64>,
    /// When they were written, in seconds since 1970, in the same order; empty where nobody asked for it.
    pub modified: Vec<i64>,
}

/// What is asked for when candidates are looked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    /// What was written at this moment or later is not eligible.
    pub(crate) cutoff: SystemTime,
    /// Whether to note when the others were written.
    pub(crate) with_times: bool,
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
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(usize, &Digest) -> bool) {
        let mut kept = Vec::with_capacity(self.sizes_bytes.len());
        let mut kept_modified = Vec::with_capacity(self.modified.len());
        self.digests.retain(|index, digest| {
            let keeps = keep(index, digest);
            if keeps {
                kept.push(self.sizes_bytes[index]);
                kept_modified.extend(self.modified.get(index));
            }
            keeps
        });
        self.sizes_bytes = kept;
        self.modified = kept_modified;
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
        self.retain(|digest| !live.contains(digest));
    }

    /// Keeps those for which `keep` holds.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&Digest) -> bool) {
        for blobs in &mut self.eligible {
            blobs.retain(|_, digest| keep(digest));
        }
        self.eligible.retain(|blobs| !blobs.digests.is_empty());
    }
}

/// What a look at all blobs has shown.
pub(crate) struct Found {
    pub(crate) blobs: Blobs,
    /// Too young to be eligible: digest and size in bytes.
    pub(crate) young: Vec<(Digest, u64)>,
    /// Not live, and nothing but a directory.
    pub(crate) dataless: BTreeSet<Digest>,
}

/// Blobs of a prefix between two reports of progress.
const COUNTED: usize = 256;

#[derive(Default)]
struct Dead {
    stored_count: usize,
    digests: Option<PackedDigests>,
    notes: Vec<Note>,
}

/// What a look at the candidates of one prefix has shown, in their order.
struct LookedAt {
    sizes_bytes: Vec<u64>,
    modified: Vec<i64>,
    /// The indexes of those that are not eligible after all.
    spared: Vec<usize>,
}

impl LookedAt {
    fn of(count: usize) -> Self {
        Self { sizes_bytes: Vec::with_capacity(count), modified: Vec::new(), spared: Vec::new() }
    }

    fn add(&mut self, stat: Option<Stat>, spared: bool, with_times: bool) {
        self.spared.extend(spared.then_some(self.sizes_bytes.len()));
        self.sizes_bytes.push(stat.map_or(0, |stat| stat.size_bytes));
        self.modified.extend(with_times.then(|| stat.map_or(0, |stat| stat.modified_seconds())));
    }
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
/// What was written at the cutoff or later is not eligible either; it is returned beside the rest, with its size. So
/// are blobs whose directories hold no data.
pub(crate) fn find(
    store: &impl List,
    catalog: &Catalog,
    live: &LiveSet,
    wanted: Wanted,
    notes: &mut Vec<Note>,
    control: &Control,
) -> Result<Found> {
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
    let mut looked_at: Vec<LookedAt> = dead.iter().map(|(.., digests)| LookedAt::of(digests.len())).collect();
    let (mut young, mut dataless) = (Vec::new(), BTreeSet::new());
    let places: Vec<(Key, &PackedDigests)> = dead.iter().map(|(_, key, digests)| (key.clone(), digests)).collect();
    let look = |groups: &[Group]| stat_all_as_told(store, groups, control);
    look_at_groups(&places, layout::DATA, look, |index, digest, stat| {
        let spared = match stat {
            None => {
                blobs.stored_count -= 1;
                dataless.insert(digest);
                true
            }
            Some(stat) if stat.modified >= wanted.cutoff => {
                young.push((digest, stat.size_bytes));
                true
            }
            Some(_) => false,
        };
        looked_at[index].add(stat, spared, wanted.with_times);
    })?;
    drop(places);
    for ((prefix, _, digests), LookedAt { sizes_bytes, modified, spared }) in dead.into_iter().zip(looked_at) {
        let mut eligible = PrefixBlobs { prefix, digests, sizes_bytes, modified };
        if !spared.is_empty() {
            eligible.retain(|index, _| spared.binary_search(&index).is_err());
        }
        blobs.eligible.extend((!eligible.digests.is_empty()).then_some(eligible));
    }
    Ok(Found { blobs, young, dataless })
}

/// What a second look at eligible blobs has shown.
#[derive(Debug, Default)]
pub(crate) struct LookedAgain {
    /// How many are gone.
    pub(crate) gone_count: usize,
    /// Those of another size or time than before: digest and size in bytes.
    pub(crate) changed: Vec<(Digest, u64)>,
}

/// Looks again at all eligible blobs, of which only a report has told so far, and takes out those that are not what it
/// says. Their times have to be known.
pub(crate) fn look_again(store: &impl List, blobs: &mut Blobs, control: &Control) -> Result<LookedAgain> {
    let mut again = LookedAgain::default();
    let mut spared: Vec<Vec<bool>> = Vec::with_capacity(blobs.eligible.len());
    let places: Vec<(Key, &PackedDigests)> = blobs
        .eligible
        .iter()
        .map(|blobs| (layout::blob_prefix(blobs.digests.algorithm(), blobs.prefix), &blobs.digests))
        .collect();
    spared.resize_with(places.len(), Vec::new);
    stat_groups(store, &places, layout::DATA, control, |index, digest, stat| {
        let (known, spared) = (&blobs.eligible[index], &mut spared[index]);
        let told = (known.sizes_bytes[spared.len()], known.modified.get(spared.len()).copied());
        spared.push(match stat {
            None => {
                again.gone_count += 1;
                true
            }
            Some(stat) if (stat.size_bytes, Some(stat.modified_seconds())) == told => false,
            Some(stat) => {
                again.changed.push((digest, stat.size_bytes));
                true
            }
        });
    })?;
    drop(places);
    for (blobs, spared) in blobs.eligible.iter_mut().zip(spared) {
        blobs.retain(|index, _| !spared[index]);
    }
    blobs.eligible.retain(|blobs| !blobs.digests.is_empty());
    Ok(again)
}
