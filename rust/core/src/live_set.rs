//! The set of live digests, in about twelve bytes each.
//!
//! A member is kept as 62 bits of its digest beside the byte that chooses its shard. Two digests that agree in all
//! of these are one member: the worst that can come of it is that a dead blob is kept. (A thousand million members
//! and a hundred million dead blobs: one chance in ten thousand that it happens to any of them.) Nothing is ever
//! removed because it is *in* a set like this.
//!
//! 256 shards by first byte, as blobs lie on disk, each an open table that grows by half: a listing of a prefix
//! takes its shard's lock once for a page of names, and marking threads rarely meet. Two bits of every slot are
//! free for what happens to the member later: seen in a listing, printed.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{RwLock, RwLockReadGuard};

use crate::digest::Digest;

/// Something noted of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Flag {
    /// A listing of the blobs has shown it.
    Stored = 1,
    /// A line of output has named it.
    Printed = 2,
}

const FLAGS: u64 = 3;
const EMPTY: u64 = 0;

/// A set of digests that may hold a few more than were put in, never fewer.
#[derive(Debug)]
pub struct LiveSet {
    shards: Vec<RwLock<Shard>>,
    multiplier: u64,
}

/// The members that share a first byte.
#[derive(Debug, Default)]
pub struct Shard {
    slots: Box<[AtomicU64]>,
    len: usize,
}

impl Default for LiveSet {
    fn default() -> Self {
        // Odd, and unknown outside this run: who pushes manifests chooses digests, and must not choose slots.
        let multiplier = RandomState::new().hash_one(0x5eed) | 1;
        Self { shards: (0..256).map(|_| RwLock::default()).collect(), multiplier }
    }
}

fn fingerprint(digest: &Digest) -> u64 {
    let mut middle = [0; 8];
    middle.copy_from_slice(&digest.bytes()[1..9]);
    let mixed = u64::from_le_bytes(middle) ^ (0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(digest.algorithm() as u64));
    (mixed & !FLAGS).max(FLAGS + 1)
}

impl Shard {
    fn slot(&self, fingerprint: u64, multiplier: u64) -> Option<&AtomicU64> {
        let mut index = place(fingerprint, multiplier, self.slots.len());
        loop {
            let slot = self.slots.get(index)?;
            match slot.load(Ordering::Relaxed) {
                EMPTY => return None,
                member if member & !FLAGS == fingerprint => return Some(slot),
                _ => index = if index + 1 == self.slots.len() { 0 } else { index + 1 },
            }
        }
    }

    fn insert(&mut self, fingerprint: u64, multiplier: u64) -> bool {
        // At most four fifths full, so that probing stays short.
        if (self.len + 1) * 5 > self.slots.len() * 4 {
            self.grow(multiplier);
        }
        let added = Self::place_member(&mut self.slots, fingerprint, multiplier);
        self.len += usize::from(added);
        added
    }

    fn place_member(slots: &mut [AtomicU64], member: u64, multiplier: u64) -> bool {
        let mut index = place(member & !FLAGS, multiplier, slots.len());
        loop {
            let slot = slots[index].get_mut();
            if *slot == EMPTY {
                *slot = member;
                return true;
            }
            if *slot & !FLAGS == member & !FLAGS {
                return false;
            }
            index = if index + 1 == slots.len() { 0 } else { index + 1 };
        }
    }

    fn grow(&mut self, multiplier: u64) {
        let size = (self.slots.len() + self.slots.len() / 2).max(16);
        let mut grown: Box<[AtomicU64]> = (0..size).map(|_| AtomicU64::new(EMPTY)).collect();
        for slot in &mut self.slots {
            let member = *slot.get_mut();
            if member != EMPTY {
                Self::place_member(&mut grown, member, multiplier);
            }
        }
        self.slots = grown;
    }
}

/// Spreads fingerprints over any number of slots: the high half of a product, no division.
fn place(fingerprint: u64, multiplier: u64, slots: usize) -> usize {
    let mixed = fingerprint.wrapping_mul(multiplier);
    let mixed = mixed ^ (mixed >> 32);
    usize::try_from((u128::from(mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15)) * slots as u128) >> 64)
        .expect("below the number of slots")
}

/// Digests to be added together: one shard after the other, which is several times faster than in any order.
#[derive(Debug, Default)]
pub struct Batch(Vec<(u8, u64)>);

impl Batch {
    /// Adds a digest to what is to be added.
    pub fn push(&mut self, digest: &Digest) {
        self.0.push((digest.prefix(), fingerprint(digest)));
    }
}

/// One shard, locked for looking up many digests that share their first byte.
pub struct View<'a> {
    shard: RwLockReadGuard<'a, Shard>,
    multiplier: u64,
}

impl View<'_> {
    /// Whether the digest is live. Its first byte must be the view's.
    pub fn contains(&self, digest: &Digest) -> bool {
        self.shard.slot(fingerprint(digest), self.multiplier).is_some()
    }

    /// Sets a flag of a member; returns whether it was set before, or nothing for no member.
    pub fn flag(&self, digest: &Digest, flag: Flag) -> Option<bool> {
        let slot = self.shard.slot(fingerprint(digest), self.multiplier)?;
        Some(slot.fetch_or(flag as u64, Ordering::Relaxed) & flag as u64 != 0)
    }

    /// Whether a member has a flag; nothing for no member.
    pub fn has_flag(&self, digest: &Digest, flag: Flag) -> Option<bool> {
        let slot = self.shard.slot(fingerprint(digest), self.multiplier)?;
        Some(slot.load(Ordering::Relaxed) & flag as u64 != 0)
    }
}

impl LiveSet {
    /// Adds a digest; returns whether it was new.
    ///
    /// # Panics
    /// When a thread panicked while adding to the same shard.
    pub fn insert(&self, digest: &Digest) -> bool {
        let mut shard =
            self.shards[usize::from(digest.prefix())].write().expect("no thread panics while it adds to a shard");
        shard.insert(fingerprint(digest), self.multiplier)
    }

    /// Adds a batch, and leaves it empty.
    ///
    /// # Panics
    /// When a thread panicked while adding to one of the shards.
    pub fn insert_batch(&self, batch: &mut Batch) {
        batch.0.sort_unstable_by_key(|&(prefix, _)| prefix);
        for alike in batch.0.chunk_by(|one, other| one.0 == other.0) {
            let shard = &self.shards[usize::from(alike[0].0)];
            let mut shard = shard.write().expect("no thread panics while it adds to a shard");
            for &(_, fingerprint) in alike {
                shard.insert(fingerprint, self.multiplier);
            }
        }
        batch.0.clear();
    }

    /// The members that share a first byte.
    ///
    /// # Panics
    /// When a thread panicked while adding to the shard.
    pub fn view(&self, prefix: u8) -> View<'_> {
        let shard = self.shards[usize::from(prefix)].read().expect("no thread panics while it adds to a shard");
        View { shard, multiplier: self.multiplier }
    }

    /// Whether the digest is live.
    pub fn contains(&self, digest: &Digest) -> bool {
        self.view(digest.prefix()).contains(digest)
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.views().map(|view| view.shard.len).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many members lack a flag.
    pub fn count_without(&self, flag: Flag) -> usize {
        let lacks = |slot: &&AtomicU64| {
            let member = slot.load(Ordering::Relaxed);
            member != EMPTY && member & flag as u64 == 0
        };
        self.views().map(|view| view.shard.slots.iter().filter(lacks).count()).sum()
    }

    /// Takes a flag from all members.
    pub fn clear(&self, flag: Flag) {
        for view in self.views() {
            for slot in &view.shard.slots {
                slot.fetch_and(!(flag as u64), Ordering::Relaxed);
            }
        }
    }

    /// Views of all members, by first byte. While they exist nothing can be added.
    pub fn views(&self) -> impl Iterator<Item = View<'_>> {
        (0..=255).map(|prefix| self.view(prefix))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Algorithm;

    fn digest(number: u32) -> Digest {
        Digest::of(Algorithm::ALL[number as usize % 3], &number.to_le_bytes())
    }

    #[test]
    fn what_was_put_in_is_found_and_little_else() {
        let set = LiveSet::default();
        for number in 0..20_000 {
            assert!(set.insert(&digest(number)));
        }
        for number in 0..20_000 {
            assert!(!set.insert(&digest(number)));
            assert!(set.contains(&digest(number)));
        }
        assert_eq!(set.len(), 20_000);
        assert_eq!((20_000..60_000).filter(|&number| set.contains(&digest(number))).count(), 0);
    }

    #[test]
    fn a_batch_adds_what_single_digests_add() {
        let (one, other) = (LiveSet::default(), LiveSet::default());
        let mut batch = Batch::default();
        for number in 0..10_000 {
            one.insert(&digest(number % 7_000));
            batch.push(&digest(number % 7_000));
            if number % 3_000 == 0 {
                other.insert_batch(&mut batch);
            }
        }
        other.insert_batch(&mut batch);
        assert_eq!((one.len(), other.len()), (7_000, 7_000));
        assert!((0..7_000).all(|number| other.contains(&digest(number))));
    }

    #[test]
    fn flags_stay_with_their_member_while_the_set_grows() {
        let set = LiveSet::default();
        for number in 0..5_000 {
            set.insert(&digest(number));
            if number % 2 == 0 {
                assert_eq!(set.view(digest(number).prefix()).flag(&digest(number), Flag::Stored), Some(false));
            }
        }
        for number in 0..5_000 {
            let view = set.view(digest(number).prefix());
            assert_eq!(view.has_flag(&digest(number), Flag::Stored), Some(number % 2 == 0));
            assert_eq!(view.has_flag(&digest(number), Flag::Printed), Some(false));
        }
        assert_eq!(set.count_without(Flag::Stored), 2_500);
        assert_eq!(set.view(digest(9_999).prefix()).flag(&digest(9_999), Flag::Stored), None);
    }

    #[test]
    fn the_same_bytes_under_two_algorithms_are_two_members() {
        let set = LiveSet::default();
        let long = digest(2);
        let short = Digest::from_bytes(Algorithm::Sha256, &long.bytes()[..32]).unwrap();
        set.insert(&long);
        assert!(!set.contains(&short));
    }
}
