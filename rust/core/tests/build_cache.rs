//! Indexes that list layers, as build caches do: in a bucket, what is too large for a manifest is not read to find that out,
//! and nothing else comes of it than of a store in memory, which reads everything.
#![allow(clippy::unwrap_used)]

mod model;
mod served;

use model::{link, put_blob};
use proptest::collection::vec;
use proptest::prelude::*;
use regsweep_core::digest::{Algorithm, Digest};
use regsweep_core::mark::Marks;
use regsweep_core::store::memory::MemoryStore;
use regsweep_fakebucket::Operation;
use served::{Fixture, dialects, run};

/// What a registry takes for a manifest at the most.
const LARGEST: usize = 4 << 20;

#[derive(Clone, Copy, Debug)]
enum Content {
    /// What no manifest begins with.
    Layer(usize),
    /// JSON that names a blob, filled up.
    Document(usize),
}

#[derive(Clone, Debug)]
struct Child {
    content: Content,
    /// Whether an index calls it a manifest.
    is_expected: bool,
    /// Whether an index lists it without saying what it is.
    is_listed: bool,
    is_stored: bool,
}

fn children() -> impl Strategy<Value = Vec<Child>> {
    let size = prop_oneof![Just(200), Just(LARGEST), Just(LARGEST + 1)];
    let content = (any::<bool>(), size)
        .prop_map(|(is_document, size)| if is_document { Content::Document(size) } else { Content::Layer(size) });
    let child = (content, any::<bool>(), any::<bool>(), proptest::bool::weighted(0.9))
        .prop_map(|(content, is_expected, is_listed, is_stored)| Child { content, is_expected, is_listed, is_stored });
    vec(child, 1..4)
}

fn bytes(content: Content, number: usize, named: &Digest) -> Vec<u8> {
    let (head, end, size) = match content {
        Content::Layer(size) => (format!("layer {number} of {named} "), "", size),
        Content::Document(size) => (format!(r#"{{"number":{number},"of":"{named}","fill":""#), r#""}"#, size),
    };
    let fill = "x".repeat(size - head.len() - end.len());
    format!("{head}{fill}{end}").into_bytes()
}

/// A store of two tagged indexes, one of which calls its children manifests, and what each child names.
fn build(children: &[Child]) -> MemoryStore {
    let store = MemoryStore::new();
    let (mut expected, mut listed) = (Vec::new(), Vec::new());
    for (number, child) in children.iter().enumerate() {
        let named = put_blob(&store, format!("named by {number}").as_bytes());
        let content = bytes(child.content, number, &named);
        let digest = Digest::of(Algorithm::Sha256, &content);
        if child.is_stored {
            put_blob(&store, &content);
        }
        let entry = |media: &str| format!(r#"{{{media}"digest":"{digest}","size":{}}}"#, content.len());
        expected.extend(child.is_expected.then(|| entry(&format!(r#""mediaType":"{}","#, model::IMAGE))));
        listed.extend(child.is_listed.then(|| entry(r#""mediaType":"application/vnd.buildkit.layer","#)));
    }
    for (tag, entries) in [("expected", expected), ("listed", listed)] {
        let index = format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{}],"annotations":{{"tag":"{tag}"}}}}"#,
            model::INDEX,
            entries.join(",")
        );
        let digest = put_blob(&store, index.as_bytes());
        link(&store, &format!("app/_manifests/revisions/sha256/{}/link", digest.hex()), &digest);
        link(&store, &format!("app/_manifests/tags/{tag}/current/link"), &digest);
    }
    store
}

fn findings(marks: &Marks) -> String {
    let blobs: Vec<_> = marks.blobs.iter().collect();
    let damaged = marks.damaged.len();
    let broken: Vec<_> = marks.broken.iter().map(|image| (image.counts(), image.missing)).collect();
    format!("{} {} {blobs:?} {damaged} {broken:?} {:?}", marks.marked_count, marks.blobs.stored_count, marks.notes)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_too_large_for_a_manifest_is_not_read_and_changes_nothing(
        children in children(), delete_untagged: bool, dialect in dialects()
    ) {
        let store = build(&children);
        let fixture = Fixture::of(&store).speaking(dialect);
        let expected = run(&store, delete_untagged).unwrap();
        let found = run(&fixture.open(), delete_untagged).unwrap();
        prop_assert_eq!(findings(&found), findings(&expected));
        // The two indexes, once each what is called a manifest or may be one, and what those name that are read as one.
        let mut reads = 2;
        for child in children.iter().filter(|child| child.is_stored) {
            let is_large = matches!(child.content, Content::Layer(size) | Content::Document(size) if size > LARGEST);
            let may_be_one = child.is_expected || (child.is_listed && !is_large);
            let is_read_as_one = may_be_one && (child.is_expected || matches!(child.content, Content::Document(_)));
            reads += u64::from(may_be_one) + u64::from(is_read_as_one);
        }
        prop_assert_eq!(fixture.requests(Operation::Get), reads);
    }
}
