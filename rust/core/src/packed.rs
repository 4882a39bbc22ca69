//! Digests of one algorithm, packed to their bare bytes.

use crate::digest::{Algorithm, Digest};

/// Many digests of one algorithm, in as many bytes as they have.
#[derive(Clone, Debug)]
pub struct PackedDigests {
    algorithm: Algorithm,
    bytes: Vec<u8>,
}

impl PackedDigests {
    /// None yet.
    pub const fn new(algorithm: Algorithm) -> Self {
        Self { algorithm, bytes: Vec::new() }
    }

    /// The algorithm of all of them.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Adds one of the same algorithm.
    pub fn push(&mut self, digest: &Digest) {
        debug_assert_eq!(digest.algorithm(), self.algorithm);
        self.bytes.extend_from_slice(digest.bytes());
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.bytes.len() / self.algorithm.length()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// All of them in order.
    pub fn iter(&self) -> impl Iterator<Item = Digest> {
        let raw = self.bytes.chunks_exact(self.algorithm.length());
        raw.map(|bytes| Digest::from_bytes(self.algorithm, bytes).expect("as many bytes as were packed"))
    }

    /// Sorts them.
    pub fn sort(&mut self) {
        match self.algorithm {
            Algorithm::Sha256 => self.bytes.as_chunks_mut::<32>().0.sort_unstable(),
            Algorithm::Sha384 => self.bytes.as_chunks_mut::<48>().0.sort_unstable(),
            Algorithm::Sha512 => self.bytes.as_chunks_mut::<64>().0.sort_unstable(),
        }
    }

    /// Keeps those for which `keep` holds, given their index and digest, in their order.
    pub fn retain(&mut self, mut keep: impl FnMut(usize, &Digest) -> bool) {
        let length = self.algorithm.length();
        let mut kept = 0;
        for index in 0..self.len() {
            let place = index * length..(index + 1) * length;
            let digest = Digest::from_bytes(self.algorithm, &self.bytes[place.clone()]).expect("as many as packed");
            if keep(index, &digest) {
                self.bytes.copy_within(place, kept);
                kept += length;
            }
        }
        self.bytes.truncate(kept);
    }

    /// Whether a digest is among them. They must be sorted.
    pub fn contains_sorted(&self, digest: &Digest) -> bool {
        fn find<const LENGTH: usize>(bytes: &[u8], wanted: &[u8]) -> bool {
            let rows = bytes.as_chunks::<LENGTH>().0;
            rows.binary_search_by(|row| row.as_slice().cmp(wanted)).is_ok()
        }
        digest.algorithm() == self.algorithm
            && match self.algorithm {
                Algorithm::Sha256 => find::<32>(&self.bytes, digest.bytes()),
                Algorithm::Sha384 => find::<48>(&self.bytes, digest.bytes()),
                Algorithm::Sha512 => find::<64>(&self.bytes, digest.bytes()),
            }
    }

    /// Gives back memory that is not needed.
    pub fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sorted_is_found_and_nothing_else() {
        for algorithm in Algorithm::ALL {
            let mut packed = PackedDigests::new(algorithm);
            (0..100u8).for_each(|n| packed.push(&Digest::of(algorithm, &[n])));
            packed.sort();
            assert!((0..100u8).all(|n| packed.contains_sorted(&Digest::of(algorithm, &[n]))));
            assert!(!(100..200u8).any(|n| packed.contains_sorted(&Digest::of(algorithm, &[n]))));
        }
    }

    #[test]
    fn retaining_keeps_order_and_passes_every_digest_once() {
        let all: Vec<Digest> = (0..100u8).map(|n| Digest::of(Algorithm::Sha384, &[n])).collect();
        let mut packed = PackedDigests::new(Algorithm::Sha384);
        for digest in &all {
            packed.push(digest);
        }
        let mut seen = Vec::new();
        packed.retain(|index, digest| {
            seen.push(*digest);
            index % 3 == 0
        });
        assert_eq!(seen, all);
        assert_eq!(packed.iter().collect::<Vec<_>>(), all.iter().copied().step_by(3).collect::<Vec<_>>());
    }
}
