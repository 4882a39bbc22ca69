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

    /// The place of a digest among them, which must be sorted.
    pub fn position(&self, digest: &Digest) -> Option<usize> {
        fn find<const LENGTH: usize>(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
            bytes.as_chunks::<LENGTH>().0.binary_search_by(|row| row.as_slice().cmp(wanted)).ok()
        }
        match self.algorithm {
            algorithm if algorithm != digest.algorithm() => None,
            Algorithm::Sha256 => find::<32>(&self.bytes, digest.bytes()),
            Algorithm::Sha384 => find::<48>(&self.bytes, digest.bytes()),
            Algorithm::Sha512 => find::<64>(&self.bytes, digest.bytes()),
        }
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

    /// Gives back memory that is not needed.
    pub fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_found_at_its_place_and_others_nowhere() {
        for algorithm in Algorithm::ALL {
            let mut packed = PackedDigests::new(algorithm);
            (0..100u8).for_each(|n| packed.push(&Digest::of(algorithm, &[n])));
            packed.sort();
            assert!(packed.iter().enumerate().all(|(place, digest)| packed.position(&digest) == Some(place)));
            assert!((100..200u8).all(|n| packed.position(&Digest::of(algorithm, &[n])).is_none()));
        }
        let sha512 = PackedDigests::new(Algorithm::Sha512);
        assert_eq!(sha512.position(&Digest::of(Algorithm::Sha256, b"")), None);
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
