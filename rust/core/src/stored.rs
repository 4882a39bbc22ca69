//! Every stored blob with its size, numbered.
//!
//! For questions about all of a registry only: a collection looks at no live blob. A blob takes its digest's bytes and
//! eight for the size; the numbers are places in sorted lists, so finding one takes a binary search and no table.

use crate::catalog::Catalog;
use crate::digest::{Algorithm, Digest};
use crate::error::Result;
use crate::inventory::{list_digests, refuse_report};
use crate::layout::distribution as layout;
use crate::packed::PackedDigests;
use crate::progress::Control;
use crate::scan::stat_groups;
use crate::store::{Key, List, Stat};

/// The number of a stored blob.
pub(crate) type BlobNumber = u32;

/// All stored blobs.
pub(crate) struct Stored {
    /// By algorithm and first byte: the number of the first one, and all of them in order.
    prefixes: Vec<(BlobNumber, PackedDigests)>,
    sizes_bytes: Vec<u64>,
}

fn place(algorithm: Algorithm, prefix: u8) -> usize {
    (algorithm as usize) << 8 | usize::from(prefix)
}

impl Stored {
    /// Lists all blobs and looks at each, with one `statx`; hands each to `visit` in the order of their digests.
    ///
    /// What a listing names and a look does not find is not stored.
    ///
    /// # Errors
    /// Any failure to list or look.
    pub(crate) fn read(
        store: &impl List,
        catalog: &Catalog,
        control: &Control,
        mut visit: impl FnMut(&Digest, Stat),
    ) -> Result<Self> {
        refuse_report(store, "measure")?;
        // Marking has noted what is odd in there.
        let found = list_digests(store, catalog, &mut Vec::new(), control)?;
        let mut sizes_bytes = Vec::with_capacity(found.iter().map(|(.., digests)| digests.len()).sum());
        let mut absent: Vec<Vec<Digest>> = vec![Vec::new(); found.len()];
        let groups: Vec<(Key, &PackedDigests)> = found.iter().map(|(_, key, digests)| (key.clone(), digests)).collect();
        stat_groups(store, &groups, layout::DATA, control, |index, digest, stat| {
            Control::count(&control.counters.blobs, 1);
            if let Some(stat) = stat {
                sizes_bytes.push(stat.size_bytes);
                visit(&digest, stat);
            } else {
                absent[index].push(digest);
            }
        })?;
        drop(groups);
        let none = || (0, PackedDigests::new(Algorithm::Sha256));
        let mut stored = Self { prefixes: (0..3 << 8).map(|_| none()).collect(), sizes_bytes };
        let mut first = 0;
        for ((prefix, _, mut digests), absent) in found.into_iter().zip(absent) {
            let place = place(digests.algorithm(), prefix);
            if !absent.is_empty() {
                digests.retain(|_, digest| absent.binary_search(digest).is_err());
            }
            let count = BlobNumber::try_from(digests.len()).expect("fewer blobs than numbers");
            stored.prefixes[place] = (first, digests);
            first = first.checked_add(count).expect("fewer blobs than numbers");
        }
        Ok(stored)
    }

    /// How many there are.
    pub(crate) const fn len(&self) -> usize {
        self.sizes_bytes.len()
    }

    /// The number of a blob; nothing where it is not stored.
    pub(crate) fn number(&self, digest: &Digest) -> Option<BlobNumber> {
        let (first, digests) = &self.prefixes[place(digest.algorithm(), digest.prefix())];
        digests.position(digest).map(|position| first + BlobNumber::try_from(position).expect("fewer than all blobs"))
    }

    /// The size of a blob in bytes: the file's length, holes included.
    pub(crate) fn size_bytes(&self, number: BlobNumber) -> u64 {
        self.sizes_bytes[number as usize]
    }
}
