//! Every distinct manifest of a registry: what it is, and what it refers to.
//!
//! Each digest that is, or may be, a manifest has a number. The references that may lead to other manifests are
//! kept as numbers, a graph to walk; the many that lead to configs and layers only lie packed in [`References`].

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::digest::{Algorithm, Digest};
use crate::manifest::{Role, Shape};
use crate::references::{References, Span};

/// The number of a manifest in its [`Manifests`].
pub type ManifestId = u32;

/// What is known of a digest that may be a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Not looked at yet.
    Unread,
    /// Not stored, as two witnesses say.
    Absent,
    /// Stored, and no manifest: an index may list layers, too.
    Blob,
    /// Read.
    Read(Shape),
}

/// An edge of the manifest graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Why the one refers to the other.
    pub role: Role,
    /// The manifest (or blob) referred to.
    pub target: ManifestId,
}

/// A digest as it is kept: nearly all are short, and there are very many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Packed {
    Sha256([u8; 32]),
    /// The place of any other among the long ones.
    Long(u32),
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    digest: Packed,
    state: State,
    /// Whether whoever refers to it says that it is a manifest, so that anything else there is damage.
    expected: bool,
    references: Span,
    edges: (u32, u32),
}

impl Packed {
    fn unpack(self, long: &[Digest]) -> Digest {
        match self {
            Self::Sha256(bytes) => Digest::sha256(bytes),
            Self::Long(place) => long[place as usize],
        }
    }
}

/// The manifests of a catalog.
#[derive(Debug, Default)]
pub struct Manifests {
    entries: Vec<Entry>,
    long: Vec<Digest>,
    index: HashTable<ManifestId>,
    // Seeded anew in each run: whoever pushes manifests chooses digests, and must not choose their slots.
    hasher: DefaultHashBuilder,
    edges: Vec<Edge>,
    /// The references of all of them, in document order.
    pub references: References,
}

impl Manifests {
    /// The number of a digest, given to it now if it had none. `expected`: a manifest, and nothing else.
    ///
    /// # Panics
    /// Beyond four thousand million manifests.
    pub fn intern(&mut self, digest: &Digest, expected: bool) -> ManifestId {
        let hash = self.hasher.hash_one(digest);
        if let Some(&id) = self.index.find(hash, |&id| self.digest(id) == *digest) {
            let entry = &mut self.entries[id as usize];
            if expected && !entry.expected {
                entry.expected = true;
                // Content that may be a blob is judged anew once somebody calls it a manifest.
                if entry.state == State::Blob {
                    entry.state = State::Unread;
                }
            }
            return id;
        }
        let id = ManifestId::try_from(self.entries.len()).expect("fewer manifests than numbers");
        let packed = self.pack(digest);
        self.entries.push(Entry {
            digest: packed,
            state: State::Unread,
            expected,
            references: Span::default(),
            edges: (0, 0),
        });
        let (entries, long, hasher) = (&self.entries, &self.long, &self.hasher);
        self.index.insert_unique(hash, id, |&id| hasher.hash_one(entries[id as usize].digest.unpack(long)));
        id
    }

    fn pack(&mut self, digest: &Digest) -> Packed {
        if digest.algorithm() == Algorithm::Sha256
            && let Ok(bytes) = digest.bytes().try_into()
        {
            return Packed::Sha256(bytes);
        }
        self.long.push(*digest);
        Packed::Long(u32::try_from(self.long.len() - 1).expect("fewer manifests than numbers"))
    }

    /// The number of a digest, if it has one.
    pub fn find(&self, digest: &Digest) -> Option<ManifestId> {
        self.index.find(self.hasher.hash_one(digest), |&id| self.digest(id) == *digest).copied()
    }

    /// Notes what a digest turned out to be.
    ///
    /// # Panics
    /// Beyond four thousand million edges.
    pub fn settle(&mut self, id: ManifestId, state: State, references: Span, edges: &[Edge]) {
        let index = |length: usize| u32::try_from(length).expect("fewer edges than numbers");
        let start = index(self.edges.len());
        self.edges.extend_from_slice(edges);
        let entry = &mut self.entries[id as usize];
        entry.state = state;
        entry.references = references;
        entry.edges = (start, index(self.edges.len()));
    }

    /// How many numbers are given.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no number is given.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many manifests were read.
    pub fn read_count(&self) -> usize {
        self.entries.iter().filter(|entry| matches!(entry.state, State::Read(_))).count()
    }

    /// All numbers.
    pub fn ids(&self) -> std::ops::Range<ManifestId> {
        0..ManifestId::try_from(self.entries.len()).expect("fewer manifests than numbers")
    }

    /// The digest of a number.
    pub fn digest(&self, id: ManifestId) -> Digest {
        self.entries[id as usize].digest.unpack(&self.long)
    }

    /// What is known of it.
    pub fn state(&self, id: ManifestId) -> State {
        self.entries[id as usize].state
    }

    /// Whether it must be a manifest.
    pub fn is_expected(&self, id: ManifestId) -> bool {
        self.entries[id as usize].expected
    }

    /// Where its references lie.
    pub fn span(&self, id: ManifestId) -> Span {
        self.entries[id as usize].references
    }

    /// What it refers to that is, or may be, a manifest.
    pub fn edges(&self, id: ManifestId) -> &[Edge] {
        let (start, end) = self.entries[id as usize].edges;
        &self.edges[start as usize..end as usize]
    }
}
