//! A small model of stores whose live blobs are known by construction, shared by the property tests.
#![allow(dead_code, clippy::unwrap_used, unreachable_pub, missing_docs)]

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use proptest::collection::vec;
use proptest::prelude::*;
use regsweep_core::digest::{Algorithm, Digest};
use regsweep_core::layout::distribution as layout;
use regsweep_core::store::Key;
use regsweep_core::store::layers::{Fault, Operation};
use regsweep_core::store::memory::MemoryStore;

pub const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// One manifest of the model. Numbers choose among what came before, modulo how much there is.
#[derive(Clone, Debug)]
pub struct Piece {
    pub repository: u8,
    pub layers: Vec<u8>,
    pub children: Vec<u8>,
    pub subject: Option<u8>,
    pub tagged: bool,
    pub linked: bool,
}

pub fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    let piece = (
        0..3u8,
        vec(any::<u8>(), 0..4),
        vec(any::<u8>(), 0..3),
        proptest::option::weighted(0.2, any::<u8>()),
        any::<bool>(),
        proptest::bool::weighted(0.9),
    )
        .prop_map(|(repository, layers, children, subject, tagged, linked)| Piece {
            repository,
            layers,
            children,
            subject,
            tagged,
            linked,
        });
    vec(piece, 1..10)
}

pub struct Manifest {
    pub digest: Digest,
    pub blobs: Vec<Digest>,
    pub edges: Vec<usize>,
    pub subject: Option<usize>,
    pub tagged: bool,
    pub linked: bool,
}

pub fn old() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000)
}

pub fn put_blob(store: &MemoryStore, content: &[u8]) -> Digest {
    let digest = Digest::of(Algorithm::Sha256, content);
    store.write(layout::blob(&digest).join("data").as_bytes(), content, old());
    digest
}

pub fn link(store: &MemoryStore, path: &str, digest: &Digest) {
    store.write(format!("{}/{path}", layout::REPOSITORIES), digest.to_string(), old());
}

/// Builds the store of a model, with three orphans, and says which digests are live in plain mode and with `-m`.
pub fn build(pieces: &[Piece]) -> (MemoryStore, BTreeSet<Digest>, BTreeSet<Digest>) {
    let store = MemoryStore::new();
    let mut manifests: Vec<Manifest> = Vec::new();
    let descriptor =
        |media: &str, digest: &Digest| format!(r#"{{"mediaType":"{media}","digest":"{digest}","size":1}}"#);
    for number in 0..3u8 {
        put_blob(&store, &[b'o', number]);
    }
    for (number, piece) in pieces.iter().enumerate() {
        let repository = format!("r{}", piece.repository);
        let subject = piece.subject.filter(|_| number > 0).map(|subject| usize::from(subject) % number);
        let edges: BTreeSet<usize> =
            piece.children.iter().filter(|_| number > 0).map(|&child| usize::from(child) % number).collect();
        let about = subject
            .map(|subject| format!(r#","subject":{}"#, descriptor(IMAGE, &manifests[subject].digest)))
            .unwrap_or_default();
        let (content, blobs) = if edges.is_empty() {
            let mut blobs: Vec<Digest> =
                piece.layers.iter().map(|&layer| put_blob(&store, &[b'l', layer % 6])).collect();
            let config = put_blob(&store, format!(r#"{{"n":{number}}}"#).as_bytes());
            let layers: Vec<String> = blobs.iter().map(|layer| descriptor("application/x", layer)).collect();
            let config_text = descriptor("application/y", &config);
            blobs.push(config);
            let layers = layers.join(",");
            let text = format!(
                r#"{{"schemaVersion":2,"mediaType":"{IMAGE}","config":{config_text},"layers":[{layers}]{about}}}"#
            );
            (text, blobs)
        } else {
            let children: Vec<String> = edges
                .iter()
                .map(|&child| {
                    let media = if manifests[child].edges.is_empty() { IMAGE } else { INDEX };
                    descriptor(media, &manifests[child].digest)
                })
                .collect();
            let children = children.join(",");
            let note = format!(r#","annotations":{{"n":"{number}"}}"#);
            let text = format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{children}]{about}{note}}}"#);
            (text, Vec::new())
        };
        let digest = put_blob(&store, content.as_bytes());
        for blob in &blobs {
            link(&store, &format!("{repository}/_layers/sha256/{}/link", blob.hex()), blob);
        }
        // What is tagged is linked: a tag without its link is a case of its own.
        let linked = piece.linked || piece.tagged;
        if linked {
            link(&store, &format!("{repository}/_manifests/revisions/sha256/{}/link", digest.hex()), &digest);
        }
        store.make_directory(format!("{}/{repository}/_manifests/tags", layout::REPOSITORIES));
        if piece.tagged {
            let tag = format!("{repository}/_manifests/tags/t{number}");
            link(&store, &format!("{tag}/current/link"), &digest);
            link(&store, &format!("{tag}/index/sha256/{}/link", digest.hex()), &digest);
        }
        let edges = edges.into_iter().collect();
        manifests.push(Manifest { digest, blobs, edges, subject, tagged: piece.tagged, linked });
    }
    let plain = live(&manifests, |manifest| manifest.linked);
    let tagged = live(&manifests, |manifest| manifest.tagged);
    (store, plain, tagged)
}

/// Everything that the roots reach: by brute force, until nothing changes.
pub fn live(manifests: &[Manifest], root: impl Fn(&Manifest) -> bool) -> BTreeSet<Digest> {
    let reached = reach(manifests, manifests.iter().map(root).collect());
    let live = manifests.iter().zip(reached).filter(|(_, live)| *live);
    live.flat_map(|(manifest, _)| manifest.blobs.iter().copied().chain([manifest.digest])).collect()
}

pub fn reach(manifests: &[Manifest], mut reached: Vec<bool>) -> Vec<bool> {
    loop {
        let before = reached.clone();
        for (number, manifest) in manifests.iter().enumerate() {
            if reached[number] {
                manifest.edges.iter().chain(&manifest.subject).for_each(|&target| reached[target] = true);
            }
            // An artifact that no repository links hangs on nothing but what leads to it.
            reached[number] |= manifest.linked && manifest.subject.is_some_and(|subject| reached[subject]);
        }
        if reached == before {
            return reached;
        }
    }
}

pub fn stored(store: &MemoryStore) -> BTreeSet<Digest> {
    let digest = |key: &Key| {
        let text = key.to_string();
        let hex = text.strip_suffix("/data")?.rsplit('/').next()?.to_owned();
        Digest::from_hex(Algorithm::Sha256, hex.as_bytes())
    };
    store.files().iter().filter_map(digest).collect()
}

/// A script in which the operation of that number, of that kind, goes wrong; and `again` more after it.
pub fn script(kind: Operation, number: usize, again: usize, fault: Fault) -> impl Fn(Operation, &Key) -> Option<Fault> {
    let count = AtomicUsize::new(0);
    move |operation, _| {
        if operation != kind {
            return None;
        }
        let this = count.fetch_add(1, Ordering::Relaxed);
        (this >= number && this <= number + again).then_some(fault)
    }
}
