//! The property above all others: for any tree and any scripted fault, nothing reachable is removed.
//!
//! Trees are built from a small model whose live blobs are known by construction, and put into memory; one fault
//! then hits one operation of a scan, a mark or a removal.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use proptest::collection::vec;
use proptest::prelude::*;
use regsweep_core::digest::{Algorithm, Digest};
use regsweep_core::error::Result;
use regsweep_core::layout::distribution as layout;
use regsweep_core::mark::{Marks, Options, mark};
use regsweep_core::progress::Control;
use regsweep_core::remove::{self, Destination, Removed};
use regsweep_core::scan::scan;
use regsweep_core::store::layers::{Fault, Faulty, Operation};
use regsweep_core::store::memory::MemoryStore;
use regsweep_core::store::{Key, List, Read, Remove};

const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// One manifest of the model. Numbers choose among what came before, modulo how much there is.
#[derive(Clone, Debug)]
struct Piece {
    repository: u8,
    layers: Vec<u8>,
    children: Vec<u8>,
    subject: Option<u8>,
    tagged: bool,
    linked: bool,
}

fn pieces() -> impl Strategy<Value = Vec<Piece>> {
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

struct Manifest {
    digest: Digest,
    blobs: Vec<Digest>,
    edges: Vec<usize>,
    subject: Option<usize>,
    tagged: bool,
    linked: bool,
}

fn old() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000)
}

fn put_blob(store: &MemoryStore, content: &[u8]) -> Digest {
    let digest = Digest::of(Algorithm::Sha256, content);
    store.write(layout::blob(&digest).join("data").as_bytes(), content, old());
    digest
}

fn link(store: &MemoryStore, path: &str, digest: &Digest) {
    store.write(format!("{}/{path}", layout::REPOSITORIES), digest.to_string(), old());
}

/// Builds the store of a model, with three orphans, and says which digests are live in plain mode and with `-m`.
fn build(pieces: &[Piece]) -> (MemoryStore, BTreeSet<Digest>, BTreeSet<Digest>) {
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
fn live(manifests: &[Manifest], root: impl Fn(&Manifest) -> bool) -> BTreeSet<Digest> {
    let reached = reach(manifests, manifests.iter().map(root).collect());
    let live = manifests.iter().zip(reached).filter(|(_, live)| *live);
    live.flat_map(|(manifest, _)| manifest.blobs.iter().copied().chain([manifest.digest])).collect()
}

fn reach(manifests: &[Manifest], mut reached: Vec<bool>) -> Vec<bool> {
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

fn run(store: &(impl List + Read), delete_untagged: bool) -> Result<Marks> {
    let control = Control::default();
    let catalog = Arc::new(scan(store, old() + Duration::from_secs(100_000_000), &control)?);
    mark(store, catalog, Options { delete_untagged, ..Options::default() }, &control)
}

fn remove_eligible(store: &(impl List + Read + Remove), marks: &mut Marks) -> Removed {
    remove::remove_eligible(store, marks, Destination::Nowhere(None), &Control::default()).unwrap()
}

fn eligible(marks: &Marks) -> BTreeSet<Digest> {
    marks.blobs.iter().map(|(digest, _)| digest).collect()
}

fn stored(store: &MemoryStore) -> BTreeSet<Digest> {
    let digest = |key: &Key| {
        let text = key.to_string();
        let hex = text.strip_suffix("/data")?.rsplit('/').next()?.to_owned();
        Digest::from_hex(Algorithm::Sha256, hex.as_bytes())
    };
    store.files().iter().filter_map(digest).collect()
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        1 => Just(Fault::Error(ErrorKind::Other)),
        1 => Just(Fault::Error(ErrorKind::NotFound)),
        3 => Just(Fault::Vanish),
        1 => (0..80usize).prop_map(Fault::Short),
    ]
}

/// A script in which the operation of that number, of that kind, goes wrong; and `again` more after it.
fn script(kind: Operation, number: usize, again: usize, fault: Fault) -> impl Fn(Operation, &Key) -> Option<Fault> {
    let count = AtomicUsize::new(0);
    move |operation, _| {
        if operation != kind {
            return None;
        }
        let this = count.fetch_add(1, Ordering::Relaxed);
        (this >= number && this <= number + again).then_some(fault)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn without_faults_just_the_unreachable_is_eligible(pieces in pieces(), delete_untagged: bool) {
        let (store, plain, tagged) = build(&pieces);
        let marks = run(&store, delete_untagged).unwrap();
        let live = if delete_untagged { &tagged } else { &plain };
        let dead: BTreeSet<Digest> = stored(&store).difference(live).copied().collect();
        prop_assert_eq!(eligible(&marks), dead);
        prop_assert!(marks.damaged.is_empty());
    }

    #[test]
    fn whatever_goes_wrong_while_marking_nothing_reachable_is_eligible(
        pieces in pieces(),
        delete_untagged: bool,
        kind in prop_oneof![Just(Operation::List), Just(Operation::Stat), Just(Operation::Read)],
        number in 0..40usize,
        again in 0..2usize,
        fault in fault(),
    ) {
        let (store, plain, tagged) = build(&pieces);
        let store = Faulty::new(store, script(kind, number, again, fault));
        if let Ok(marks) = run(&store, delete_untagged) {
            let live = if delete_untagged { tagged } else { plain };
            let wrong: Vec<Digest> = eligible(&marks).intersection(&live).copied().collect();
            prop_assert!(wrong.is_empty(), "eligible although live: {:?}", wrong);
        }
    }

    #[test]
    fn whatever_goes_wrong_while_removing_the_next_run_finishes(
        pieces in pieces(),
        delete_untagged: bool,
        number in 0..30usize,
        again in 0..4usize,
    ) {
        let (reference, plain, tagged) = build(&pieces);
        remove_eligible(&reference, &mut run(&reference, delete_untagged).unwrap());
        let live = if delete_untagged { tagged } else { plain };
        prop_assert_eq!(&stored(&reference), &live);

        let (store, _, _) = build(&pieces);
        let mut marks = run(&store, delete_untagged).unwrap();
        let fault = Fault::Error(ErrorKind::PermissionDenied);
        let store = Faulty::new(store, script(Operation::Remove, number, again, fault));
        let removed = remove_eligible(&store, &mut marks);
        let store = store.inner();
        prop_assert!(stored(store).is_superset(&live));
        // Every manifest link that is still there still has its manifest.
        for key in store.files() {
            let text = key.to_string();
            if let Some((_, hex)) = text.strip_suffix("/link").and_then(|text| text.split_once("/revisions/sha256/")) {
                let digest = Digest::from_hex(Algorithm::Sha256, hex.as_bytes()).unwrap();
                prop_assert!(stored(store).contains(&digest), "a link without its manifest");
            }
        }
        let mut rest = run(store, delete_untagged).unwrap();
        prop_assert_eq!(removed.failures.is_empty(), rest.blobs.is_empty() && rest.revisions.is_empty() && rest.layer_links.is_empty());
        remove_eligible(store, &mut rest);
        prop_assert_eq!(stored(store), live);
        prop_assert_eq!(store.files(), reference.files());
    }
}
