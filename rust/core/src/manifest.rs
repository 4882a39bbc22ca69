//! Manifests: what they refer to, read so that doubt always keeps.

use crate::digest::Digest;

/// Why a manifest refers to a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Role {
    /// The image configuration.
    Config = 0,
    /// A layer, or a schema 1 `blobSum`.
    Layer = 1,
    /// A layer that need not be stored here (`urls`, foreign and non-distributable media types).
    ForeignLayer = 2,
    /// An entry of an index with the media type of a manifest.
    Child = 3,
    /// An entry of an index with any other media type, or none: a manifest or a blob.
    ChildOrBlob = 4,
    /// The manifest that this one is about.
    Subject = 5,
    /// A digest found somewhere in a document that is not fully understood: a manifest or a blob.
    Any = 6,
}

/// One digest that a manifest refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// Why.
    pub role: Role,
    /// What.
    pub digest: Digest,
}

/// What a document turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shape {
    /// An OCI image manifest or Docker image manifest v2 schema 2.
    Image,
    /// An OCI image index or Docker manifest list.
    Index,
    /// Docker image manifest v2 schema 1, whose signed bytes do not hash to its digest.
    Schema1,
    /// JSON whose meaning is not fully known: every digest in it is referred to.
    Unknown,
    /// Not JSON, or not to be trusted as such: every digest in its bytes is referred to.
    Damaged,
}
