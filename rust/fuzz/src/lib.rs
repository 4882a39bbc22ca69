//! What must hold for any bytes that storage may contain.
//!
//! The fuzz targets call these functions, and so does the ordinary test
//! `rust/core/tests/fuzz_corpus.rs`, which includes this file and replays the corpora.

use std::str::FromStr;

use regsweep_core::digest::Digest;
use regsweep_core::manifest::{Parser, Reference, Shape, parse_plain};
use serde_json::Value;

/// Both readers give the same answer, twice, and each digest in a descriptor is among the references.
///
/// # Panics
/// Where that does not hold.
pub fn manifest(content: &[u8]) {
    let mut parser = Parser::new();
    let (mut first, mut again, mut plain) = (Vec::new(), Vec::new(), Vec::new());
    let shape = parser.parse(content, &mut first);
    assert_eq!((parser.parse(content, &mut again), &again), (shape, &first), "the same parser, {}", quote(content));
    assert_eq!((parse_plain(content, &mut plain), &plain), (shape, &first), "the plain reader, {}", quote(content));

    match serde_json::from_slice(content) {
        Ok(Value::Object(document)) => {
            for digest in descriptors(&document).flat_map(digests) {
                let is_found = first.iter().any(|reference: &Reference| reference.digest == digest);
                assert!(is_found, "{digest} is missed in {}", quote(content));
            }
        }
        // What is no document for a plain reader must not be one for us.
        _ => assert_eq!(shape, Shape::Damaged, "{}", quote(content)),
    }
}

/// Any bytes are a digest, which prints as they are, or none.
///
/// # Panics
/// Where that does not hold.
pub fn link(content: &[u8]) {
    let digest = Digest::parse(content);
    if let Some(digest) = digest {
        assert_eq!(digest.to_string().as_bytes(), content);
        assert_eq!(Digest::from_bytes(digest.algorithm(), digest.bytes()), Some(digest));
        assert_eq!(Digest::from_hex(digest.algorithm(), digest.hex().as_ref()), Some(digest));
    }
    if let Ok(text) = str::from_utf8(content) {
        assert_eq!(Digest::from_str(text).ok(), digest);
    }
}

/// Everything that Go's `encoding/json` would take for a descriptor.
fn descriptors(document: &serde_json::Map<String, Value>) -> impl Iterator<Item = &Value> {
    document.iter().flat_map(|(key, value)| match (fold(key).as_str(), value) {
        ("config" | "subject", value) => std::slice::from_ref(value),
        ("layers" | "manifests" | "fslayers", Value::Array(values)) => values,
        _ => &[],
    })
}

fn digests(descriptor: &Value) -> impl Iterator<Item = Digest> {
    let members = descriptor.as_object().into_iter().flatten();
    members
        .filter(|(key, _)| matches!(fold(key).as_str(), "digest" | "blobsum"))
        .filter_map(|(_, text)| text.as_str()?.parse().ok())
}

/// Upper case takes ſ to S, lower case takes the Kelvin sign to k.
fn fold(key: &str) -> String {
    key.to_uppercase().to_lowercase()
}

fn quote(content: &[u8]) -> String {
    format!("b\"{}\"", content.escape_ascii())
}
