//! Manifests: what they refer to, read so that doubt always keeps.
//!
//! A document is believed only where there is one way to read it. Registries read manifests with Go's
//! `encoding/json`, which matches keys without regard to case, lets the last of two equal keys win and skips
//! what it does not know; clients use other parsers, with other rules. So a document counts as an image, an
//! index or a schema 1 manifest only if every reader would take it for the same one. Everything else is read by
//! one rule: each digest in it is referred to.
//!
//! | document | shape | references |
//! | --- | --- | --- |
//! | only known keys, each once, with the expected types | image, index, schema 1 | by their places |
//! | any other JSON object | unknown | every digest in every string and key, as [`Role::Any`] |
//! | anything else | damaged | every digest in the bytes, as [`Role::Any`] |
//!
//! Reading JSON exists twice: [`Parser`] walks the tape of simd-json, [`parse_plain`] a tree made by `serde_json`.
//! What the JSON means is decided once, in the `shape` module, generic over both. They give the same answer to
//! every input, and the tests and the fuzz target hold them to it. Where the two libraries accept different
//! documents (numbers beyond 64 bits, nesting), both readers refuse.

mod plain;
mod shape;
mod simd;

use std::borrow::Cow;

use memchr::{memchr, memmem};

use crate::digest::{Algorithm, Digest};

pub use plain::parse_plain;
pub use simd::Parser;

/// The longest manifest that a registry takes: 4 MiB, `maxManifestBodySize` in distribution's
/// `registry/handlers/manifests.go`. Anything longer is [`Shape::Damaged`] and not parsed.
pub const MAX_SIZE: usize = 4 << 20;

/// How deep a document may be nested, its outermost object included. Manifests need six levels; the limit is
/// far below what any of the JSON readers or a thread's stack would bear, so that they cannot differ in it.
const MAX_DEPTH: usize = 64;

/// 2^63: a document with a number of this size or more is damaged.
///
/// No manifest has one, and JSON readers do not agree about integers beyond 64 bits.
const HUGE: f64 = 9_223_372_036_854_775_808.0;

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

/// Whether `content` could be a manifest at all: its first byte that is not white space opens an object.
///
/// For a digest that may be a manifest or a blob ([`Role::ChildOrBlob`], [`Role::Any`]) this decides from the
/// first bytes whether the rest is worth reading.
pub fn looks_like_manifest(content: &[u8]) -> bool {
    content.iter().find(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r')) == Some(&b'{')
}

/// Appends every digest that stands anywhere in `bytes`, as [`Role::Any`], in order of position.
///
/// What stands around a digest does not matter: it may be part of a longer word, and longer hex counts by its
/// beginning. JSON escapes of ASCII characters are seen through (`\u0073ha256:` is a digest to every registry),
/// for a document that is damaged to us may be one that Go reads.
pub fn scan_digests(bytes: &[u8], references: &mut Vec<Reference>) {
    scan_spelled_out(&unescape_ascii(bytes), references);
}

/// [`scan_digests`] without the escapes.
fn scan_spelled_out(bytes: &[u8], references: &mut Vec<Reference>) {
    for position in memmem::find_iter(bytes, b"sha") {
        let found = Algorithm::ALL.into_iter().find_map(|algorithm| {
            let rest = bytes[position..].strip_prefix(algorithm.name().as_bytes())?.strip_prefix(b":")?;
            Digest::from_hex(algorithm, rest.get(..algorithm.length() * 2)?)
        });
        references.extend(found.map(|digest| Reference { role: Role::Any, digest }));
    }
}

/// Replaces `\uXXXX` by the character where that is ASCII, and leaves all else as it is.
///
/// This hides nothing: neither a digest that is spelled out nor any part of one contains a backslash.
fn unescape_ascii(bytes: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = memchr(b'\\', bytes) else { return Cow::Borrowed(bytes) };
    let mut out = Vec::with_capacity(bytes.len());
    let (plain, mut rest) = bytes.split_at(first);
    out.extend_from_slice(plain);
    while !rest.is_empty() {
        // `rest` begins with a backslash. Two of them are one escape, which must not lend its second half.
        let length = match rest {
            [b'\\', b'u', b'0', b'0', high @ b'0'..=b'7', low, ..] if low.is_ascii_hexdigit() => {
                let low = char::from(*low).to_digit(16).and_then(|low| u8::try_from(low).ok()).unwrap_or_default();
                out.push(((high - b'0') << 4) | low);
                6
            }
            [b'\\', b'\\', ..] => {
                out.extend_from_slice(b"\\\\");
                2
            }
            _ => {
                out.push(b'\\');
                1
            }
        };
        rest = &rest[length..];
        let next = memchr(b'\\', rest).unwrap_or(rest.len());
        out.extend_from_slice(&rest[..next]);
        rest = &rest[next..];
    }
    Cow::Owned(out)
}

/// The answer for a document that cannot be read, or is not one.
fn damaged(content: &[u8], references: &mut Vec<Reference>) -> Shape {
    scan_digests(content, references);
    Shape::Damaged
}

#[cfg(test)]
mod tests;
