//! What hostile or odd stores do to explanations and to the measuring of usage.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use regsweep_core::digest::{Algorithm, Digest};
use regsweep_core::error::Kind;
use regsweep_core::layout::distribution as layout;
use regsweep_core::mark::{Marks, Options, RootKind, mark};
use regsweep_core::progress::Control;
use regsweep_core::scan::scan;
use regsweep_core::store::memory::MemoryStore;
use regsweep_core::usage::{Request, measure};
use regsweep_core::why::{
    Chain, Cursor, Explanation, Relation, Resolved, Subject, Verdict, contents_of_tag, explain, resolve,
};

const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

fn old() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000)
}

fn put(store: &MemoryStore, content: &[u8]) -> Digest {
    let digest = Digest::of(Algorithm::Sha256, content);
    put_as(store, &digest, content);
    digest
}

fn put_as(store: &MemoryStore, digest: &Digest, content: &[u8]) {
    store.write(layout::blob(digest).join(layout::DATA).as_bytes(), content, old());
}

/// Stores something that was written after the scan began.
fn put_late(store: &MemoryStore, content: &[u8]) -> Digest {
    let digest = Digest::of(Algorithm::Sha256, content);
    store.write(layout::blob(&digest).join(layout::DATA).as_bytes(), content, old() + Duration::from_secs(5_000));
    digest
}

fn link(store: &MemoryStore, repository: &str, below: &str, digest: &Digest) {
    store.write(format!("{}/{repository}/{below}/link", layout::REPOSITORIES), digest.to_string(), old());
}

fn link_manifest(store: &MemoryStore, repository: &str, digest: &Digest) {
    link(store, repository, &format!("_manifests/revisions/sha256/{}", digest.hex()), digest);
    store.make_directory(format!("{}/{repository}/_manifests/tags", layout::REPOSITORIES));
}

fn tag(store: &MemoryStore, repository: &str, tag: &str, digest: &Digest) {
    link(store, repository, &format!("_manifests/tags/{tag}/current"), digest);
}

fn descriptor(media_type: &str, digest: &Digest) -> String {
    format!(r#"{{"mediaType":"{media_type}","digest":"{digest}","size":1}}"#)
}

fn image(store: &MemoryStore, layers: &[Digest], subject: Option<&Digest>) -> Digest {
    put(store, image_text(&put(store, b"{}"), layers, subject).as_bytes())
}

fn image_text(config: &Digest, layers: &[Digest], subject: Option<&Digest>) -> String {
    let layers: Vec<String> = layers.iter().map(|layer| descriptor("application/x", layer)).collect();
    let subject = subject.map(|subject| format!(r#","subject":{}"#, descriptor(IMAGE, subject))).unwrap_or_default();
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{IMAGE}","config":{},"layers":[{}]{subject}}}"#,
        descriptor("application/y", config),
        layers.join(",")
    )
}

fn index(store: &MemoryStore, children: &[(&str, Digest)]) -> Digest {
    let children: Vec<String> = children.iter().map(|(media_type, child)| descriptor(media_type, child)).collect();
    let text = format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{}]}}"#, children.join(","));
    put(store, text.as_bytes())
}

fn marks(store: &MemoryStore, delete_untagged: bool) -> Marks {
    let control = Control::default();
    let catalog = Arc::new(scan(store, old() + Duration::from_secs(1_000), &control).unwrap());
    mark(store, catalog, Options { delete_untagged, ..Options::default() }, &control).unwrap()
}

fn why(store: &MemoryStore, marks: &Marks, digest: Digest) -> Explanation {
    explain(store, marks, digest, &Control::default()).unwrap().unwrap()
}

fn chains(explanation: &Explanation) -> Vec<Chain> {
    let mut cursor = Cursor::default();
    std::iter::from_fn(|| explanation.chains.next(&mut cursor)).collect()
}

#[test]
fn manifests_that_name_each_other_are_explained_and_measured() {
    // Only damaged ones can: neither matches its digest.
    let store = MemoryStore::new();
    let (one, other) = (Digest::of(Algorithm::Sha256, b"one"), Digest::of(Algorithm::Sha256, b"other"));
    let layer = put(&store, b"layer");
    put_as(&store, &one, format!("{{broken {other}").as_bytes());
    put_as(&store, &other, format!("{{broken {one} {other} {layer}").as_bytes());
    link_manifest(&store, "r", &one);
    tag(&store, "r", "t", &one);
    let marks = marks(&store, true);
    let found = chains(&why(&store, &marks, layer));
    assert!(found.iter().all(|chain| chain.steps.last().unwrap().digest == layer));
    let kinds: Vec<RootKind> = found.iter().map(|chain| chain.root.kind).collect();
    assert_eq!(kinds, [RootKind::Tag, RootKind::DamagedManifestLink]);
    assert_eq!(found[0].steps.iter().map(|step| step.digest).collect::<Vec<_>>(), [one, other, layer]);
    assert_eq!(chains(&why(&store, &marks, one)).len(), 2);

    let contents = contents_of_tag(&store, &marks, (0, 0), 3, &Control::default()).unwrap();
    assert_eq!(contents.parts.iter().map(|part| part.step.digest).collect::<Vec<_>>(), [one, other, layer]);
}

#[test]
fn deeply_nested_indexes_have_one_chain() {
    const DEPTH: usize = 5_000;
    let store = MemoryStore::new();
    let layer = put(&store, b"layer");
    let mut top = (IMAGE, image(&store, &[layer], None));
    for _ in 0..DEPTH {
        top = (INDEX, index(&store, &[top]));
    }
    link_manifest(&store, "r", &top.1);
    tag(&store, "r", "t", &top.1);
    let marks = marks(&store, true);
    let explanation = why(&store, &marks, layer);
    assert_eq!(explanation.chains.count(), Some(1));
    assert_eq!(chains(&explanation)[0].steps.len(), DEPTH + 2);
}

#[test]
fn a_chain_goes_from_a_subject_to_what_is_about_it() {
    let store = MemoryStore::new();
    let (base, signature) = (put(&store, b"base"), put(&store, b"signature"));
    let subject = image(&store, &[base], None);
    let artifact = image(&store, &[signature], Some(&subject));
    link_manifest(&store, "r", &subject);
    link_manifest(&store, "r", &artifact);
    tag(&store, "r", "t", &subject);
    let marks = marks(&store, true);
    let found = chains(&why(&store, &marks, signature));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].root.kind, RootKind::Tag);
    let steps: Vec<_> = found[0].steps.iter().map(|step| (step.relation, step.digest)).collect();
    let reference = |role| Some(Relation::Reference(role));
    assert_eq!(
        steps,
        [
            (None, subject),
            (Some(Relation::Referrer), artifact),
            (reference(regsweep_core::manifest::Role::Layer), signature)
        ]
    );
}

#[test]
fn garbage_is_told_with_the_untagged_manifest_that_refers_to_it() {
    let store = MemoryStore::new();
    let layer = put(&store, b"layer");
    let untagged = image(&store, &[layer], None);
    link_manifest(&store, "r", &untagged);
    tag(&store, "r", "t", &image(&store, &[], None));
    let orphan = put(&store, b"orphan");

    let explanation = why(&store, &marks(&store, true), layer);
    assert_eq!((explanation.verdict, explanation.dead_links.as_slice()), (Verdict::Garbage, &[(0, untagged)][..]));
    assert!(chains(&explanation).is_empty());
    let explanation = why(&store, &marks(&store, false), layer);
    assert_eq!((explanation.verdict, explanation.dead_links.len()), (Verdict::Live, 0));
    let explanation = why(&store, &marks(&store, false), orphan);
    assert_eq!((explanation.verdict, explanation.dead_links.len()), (Verdict::Garbage, 0));
    let unknown = Digest::of(Algorithm::Sha256, b"nowhere");
    assert!(explain(&store, &marks(&store, false), unknown, &Control::default()).unwrap().is_none());
}

#[test]
fn what_was_written_since_the_marks_were_made_is_not_called_garbage() {
    let store = MemoryStore::new();
    tag(&store, "r", "t", &image(&store, &[], None));
    let marks = marks(&store, true);
    let late = put_late(&store, b"late");
    let explanation = why(&store, &marks, late);
    assert_eq!(explanation.verdict, Verdict::Live);
    assert_eq!(chains(&explanation)[0].root.kind, RootKind::YoungBlob);
}

#[test]
fn a_young_manifest_that_nobody_links_yet_keeps_its_old_layers() {
    let store = MemoryStore::new();
    tag(&store, "r", "t", &image(&store, &[], None));
    let layer = put(&store, b"layer");
    let young = put_late(&store, image_text(&put(&store, b"{}"), &[layer], None).as_bytes());
    for delete_untagged in [false, true] {
        let found = chains(&why(&store, &marks(&store, delete_untagged), layer));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].root.kind, RootKind::YoungBlob);
        assert_eq!(found[0].steps.iter().map(|step| step.digest).collect::<Vec<_>>(), [young, layer]);
    }
}

#[test]
fn names_are_resolved_and_abbreviations_have_to_be_of_one_digest() {
    let store = MemoryStore::new();
    let top = image(&store, &[], None);
    tag(&store, "abcdef", "1.0", &top);
    let orphan = put(&store, b"orphan");
    // Two that differ in the seventh hex digit.
    let mut near = orphan.bytes().to_vec();
    near[3] ^= 0xff;
    let near = Digest::from_bytes(Algorithm::Sha256, &near).unwrap();
    put_as(&store, &near, b"near");
    let marks = marks(&store, false);
    let resolved = |text: &str| resolve(&store, &marks, text.as_bytes(), &Control::default()).unwrap();
    let found = |subject| Resolved::Found(subject);
    assert_eq!(resolved("abcdef"), found(Subject::Repository(0)));
    assert_eq!(resolved("abcdef:1.0"), found(Subject::Tag(0, 0)));
    assert_eq!(resolved(&format!("abcdef@{top}")), found(Subject::Digest(top)));
    assert_eq!(resolved(&top.to_string()), found(Subject::Digest(top)));
    assert_eq!(resolved(&top.hex().to_string()[..6]), found(Subject::Digest(top)));
    assert_eq!(resolved(&orphan.hex().to_string()[..7]), found(Subject::Digest(orphan)));
    let mut both = vec![orphan, near];
    both.sort();
    assert_eq!(resolved(&orphan.hex().to_string()[..6]), Resolved::Ambiguous(both));
    for unknown in ["abcdef:2.0", "team", "sha256:000000", "abc", ""] {
        assert!(matches!(resolved(unknown), Resolved::Unknown(_)), "{unknown}");
    }
}

#[test]
fn usage_is_measured_by_marks_that_keep_untagged_manifests() {
    let store = MemoryStore::new();
    tag(&store, "r", "t", &image(&store, &[], None));
    let error = measure(&store, &marks(&store, true), Request::default(), &Control::default()).unwrap_err();
    assert_eq!(error.kind(), Kind::Argument);
}

#[test]
fn what_is_too_young_to_be_garbage_is_neither_that_nor_reached() {
    let store = MemoryStore::new();
    tag(&store, "r", "t", &image(&store, &[], None));
    put(&store, b"orphan");
    put_late(&store, b"late!");
    let usage = measure(&store, &marks(&store, false), Request::default(), &Control::default()).unwrap();
    assert_eq!((usage.spared.blob_count, usage.spared.size_bytes), (1, 5));
    assert_eq!((usage.garbage.blob_count, usage.garbage.size_bytes), (1, 6));
    assert_eq!(usage.stored.blob_count, 4);
}

#[test]
fn a_blobs_directory_without_data_takes_no_room() {
    let store = MemoryStore::new();
    let layer = put(&store, b"layer");
    let top = image(&store, &[layer], None);
    tag(&store, "r", "t", &top);
    store.take(layout::blob(&layer).join(layout::DATA).as_bytes());
    let usage =
        measure(&store, &marks(&store, false), Request { tags: true, depth: None }, &Control::default()).unwrap();
    assert_eq!(usage.stored.blob_count, 2);
    assert_eq!(usage.tags[0].share.total.blob_count, 2);
    assert_eq!(usage.tags[0].share.manifest_count, 1);
}
