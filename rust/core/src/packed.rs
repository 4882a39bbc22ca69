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

    /// Gives back memory that is not needed.
    pub fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
    }
}
