//! Inventory reports, on an object store in this process: the same answers as from a listing while the report is true, and
//! nothing worse than garbage that stays where it is not true any more.
#![allow(clippy::unwrap_used)]

mod model;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use flate2::Compression;
use flate2::write::GzEncoder;
use md5::{Digest as _, Md5};
use model::{build, old, pieces};
use proptest::prelude::*;
use regsweep_core::digest::{Algorithm, Digest};
use regsweep_core::error::{Kind, Result};
use regsweep_core::inventory::Inventory;
use regsweep_core::layout::{distribution as layout, quarantine as layout_quarantine};
use regsweep_core::mark::{Marks, Options as Marking, mark};
use regsweep_core::progress::Control;
use regsweep_core::quarantine;
use regsweep_core::remove::{self, Destination, Removed};
use regsweep_core::scan::scan;
use regsweep_core::store::bucket::{Bucket, Condition, Options, Patience, Provider, Secret};
use regsweep_core::store::memory::MemoryStore;
use regsweep_core::store::{Group, List, Read};
use regsweep_core::usage;
use regsweep_fakebucket::moment::Moment;
use regsweep_fakebucket::object::Object;
use regsweep_fakebucket::{Dialect, Operation, Server};

const BUCKET: &str = "registry";
const REPORTS: &str = "reports";
const ROOT: &str = "some/root";
const MANIFEST: &str = "s3://reports/r/registry/all/2020-09-14T01-00Z/manifest.json";
/// When the scans of these tests begin, long after everything was written.
const NOW: Duration = Duration::from_secs(100_000_000);

/// A bucket, and what has been put into it: size in bytes and seconds after [`old`].
struct Fixture {
    server: Server,
    objects: Mutex<BTreeMap<String, (usize, u64)>>,
    number: Mutex<u64>,
}

impl Fixture {
    fn new() -> Self {
        let server = Server::start(regsweep_fakebucket::Options::default()).unwrap();
        server.buckets().create(BUCKET);
        server.buckets().create(REPORTS);
        Self { server, objects: Mutex::default(), number: Mutex::default() }
    }

    fn of(store: &MemoryStore) -> Self {
        let fixture = Self::new();
        for (key, (content, _)) in store.contents() {
            fixture.put(&key.to_string(), &content, 0);
        }
        fixture
    }

    /// Writes an object so many seconds after [`old`].
    fn put(&self, key: &str, content: &[u8], seconds: u64) {
        self.put_into(BUCKET, &format!("{ROOT}/{key}"), content, seconds);
        self.objects.lock().unwrap().insert(key.to_owned(), (content.len(), seconds));
    }

    fn put_blob(&self, content: &[u8], seconds: u64) -> Digest {
        let digest = Digest::of(Algorithm::Sha256, content);
        self.put(&data(&digest), content, seconds);
        digest
    }

    fn put_into(&self, bucket: &str, key: &str, content: &[u8], seconds: u64) {
        let mut number = self.number.lock().unwrap();
        *number += 1;
        let time = old().duration_since(SystemTime::UNIX_EPOCH).unwrap() + Duration::from_secs(seconds);
        let modified = Moment::from_microseconds(i64::try_from(time.as_micros()).unwrap());
        let bucket = self.server.buckets().get(bucket).unwrap();
        bucket.write().put(key.as_bytes(), Object::new(content.to_vec()), modified, *number);
    }

    fn delete(&self, key: &str) {
        let bucket = self.server.buckets().get(BUCKET).unwrap();
        assert!(bucket.write().delete(format!("{ROOT}/{key}").as_bytes(), Moment::now(), 0).is_some());
        self.objects.lock().unwrap().remove(key).unwrap();
    }

    /// Lets the service make a report of what there is now: in three files, and in none of them in order.
    fn report(&self) {
        self.report_of("registry");
    }

    fn report_of(&self, bucket: &str) {
        let mut rows = vec![Vec::new(); 3];
        for (number, (key, (size, seconds))) in self.objects.lock().unwrap().iter().rev().enumerate() {
            let time = humantime::format_rfc3339_millis(old() + Duration::from_secs(*seconds));
            let row = &mut rows[number * number % 3];
            writeln!(row, "\"{BUCKET}\",\"{ROOT}/{key}\",\"{size}\",\"{time}\"").unwrap();
        }
        let mut files = Vec::new();
        for (number, rows) in rows.iter().enumerate() {
            let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
            packer.write_all(rows).unwrap();
            let content = packer.finish().unwrap();
            let key = format!("r/registry/all/data/{number}.csv.gz");
            self.put_into(REPORTS, &key, &content, 0);
            let md5 = faster_hex::hex_string(&Md5::digest(&content));
            files.push(serde_json::json!({"key": key, "size": content.len(), "MD5checksum": md5}));
        }
        let manifest = serde_json::json!({
            "sourceBucket": bucket, "creationTimestamp": "1600000000000", "fileFormat": "CSV",
            "fileSchema": "Bucket, Key, Size, LastModifiedDate", "files": files,
        });
        let key = MANIFEST.strip_prefix("s3://reports/").unwrap();
        self.put_into(REPORTS, key, manifest.to_string().as_bytes(), 0);
    }

    fn options(&self) -> Options {
        let keys = Some(("key".to_owned(), Secret("secret".to_owned()), None));
        let provider = Provider::S3 { region: "us-east-1".to_owned(), keys, path_style: true };
        let first_wait = Duration::from_millis(1);
        Options {
            root: ROOT.to_owned(),
            endpoint: Some(self.server.url()),
            patience: Patience { first_wait, tries: 4, throttled: Duration::from_millis(1500) },
            jobs: 16,
            ..Options::new(provider, BUCKET)
        }
    }

    fn open(&self) -> Bucket {
        Bucket::open(&self.options()).unwrap()
    }

    fn open_with_report(&self) -> Bucket {
        Bucket::open(&Options { inventory: Some(MANIFEST.to_owned()), ..self.options() }).unwrap()
    }

    fn lists(&self) -> u64 {
        self.server.journal().count(Dialect::S3, Operation::List)
    }

    fn keys(&self) -> BTreeSet<String> {
        let bucket = self.server.buckets().get(BUCKET).unwrap();
        let bucket = bucket.read();
        let keys = bucket.current_keys().map(|key| String::from_utf8(key.to_vec()).unwrap());
        keys.map(|key| key.strip_prefix(ROOT).unwrap()[1..].to_owned()).collect()
    }
}

fn data(digest: &Digest) -> String {
    layout::blob(digest).join(layout::DATA).to_string()
}

fn run_with(store: &(impl List + Read), marking: Marking) -> Result<Marks> {
    let control = Control::default();
    mark(store, Arc::new(scan(store, old() + NOW, &control)?), marking, &control)
}

fn run(store: &(impl List + Read), delete_untagged: bool) -> Result<Marks> {
    run_with(store, Marking { delete_untagged, ..Marking::default() })
}

fn remove(store: &Bucket, marks: &mut Marks) -> Removed {
    remove::remove_eligible(store, marks, Destination::Nowhere(None), &Control::default()).unwrap()
}

/// What would go, and what is odd.
fn findings(marks: &Marks) -> String {
    let named = |(index, digest): (usize, Digest)| (marks.catalog.repositories[index].display_name(), digest);
    format!(
        "{} {} {:?} {:?} {:?} {:?} {:?}",
        marks.marked_count,
        marks.blobs.stored_count,
        marks.blobs.iter().collect::<Vec<_>>(),
        marks.eligible_manifests().collect::<Vec<_>>(),
        marks.layer_links.iter().map(named).collect::<Vec<_>>(),
        marks.notes,
        marks.broken.len(),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_report_that_is_true_gives_the_answers_of_a_listing(pieces in pieces(), delete_untagged: bool) {
        let (store, _, _) = build(&pieces);
        let fixture = Fixture::of(&store);
        fixture.report();
        let expected = run(&fixture.open(), delete_untagged).unwrap();
        prop_assert_eq!(findings(&run(&fixture.open_with_report(), delete_untagged).unwrap()), findings(&expected));
    }

    #[test]
    fn what_goes_by_a_report_is_what_goes_by_a_listing(pieces in pieces(), delete_untagged: bool) {
        let (store, _, _) = build(&pieces);
        let fixture = Fixture::of(&store);
        fixture.report();
        let in_memory = run(&store, delete_untagged);
        let removed =
            remove::remove_eligible(&store, &mut in_memory.unwrap(), Destination::Nowhere(None), &Control::default());
        let bucket = fixture.open_with_report();
        let found = remove(&bucket, &mut run(&bucket, delete_untagged).unwrap());
        prop_assert_eq!(found.blob_bytes, removed.unwrap().blob_bytes);
        prop_assert_eq!((found.failures.len(), found.gone_blob_count, found.changed_blob_count), (0, 0, 0));
        prop_assert_eq!(fixture.keys(), store.files().iter().map(ToString::to_string).collect::<BTreeSet<_>>());
    }

    #[test]
    fn however_old_a_report_is_nothing_live_goes(
        before in pieces(), after in pieces(), delete_untagged: bool, aside: bool
    ) {
        let (store, _, _) = build(&before);
        let fixture = Fixture::of(&store);
        fixture.report();
        // Everything is another store since: what is in both was written again, and what is only in the old one is gone.
        let (store, plain, tagged) = build(&after);
        for key in fixture.keys().difference(&store.files().iter().map(ToString::to_string).collect()) {
            fixture.delete(key);
        }
        for (key, (content, _)) in store.contents() {
            fixture.put(&key.to_string(), &content, 1000);
        }
        let bucket = fixture.open_with_report();
        let marks = &mut run(&bucket, delete_untagged).unwrap();
        prop_assert!(marks.broken.iter().all(|image| !image.counts()), "{:?}", marks.broken);
        begin(&bucket, b"run");
        let tree = layout_quarantine::tree(b"run");
        let destination = if aside { Destination::Quarantine(&tree) } else { Destination::Nowhere(None) };
        let removed = remove::remove_eligible(&bucket, marks, destination, &Control::default()).unwrap();
        prop_assert!(removed.failures.is_empty(), "{:?}", removed.failures);
        prop_assert_eq!(removed.blob_count, 0);
        for digest in if delete_untagged { tagged } else { plain } {
            prop_assert!(fixture.keys().contains(&data(&digest)));
        }
    }
}

/// Ten images in two repositories, all tagged.
fn sample() -> Vec<model::Piece> {
    let piece = |number: u8| model::Piece {
        repository: number % 2,
        layers: vec![number, number / 2],
        children: Vec::new(),
        subject: None,
        tagged: true,
        linked: true,
    };
    (0..10).map(piece).collect()
}

/// A store of [`sample`] of which there is a report.
fn reported() -> Fixture {
    let fixture = Fixture::of(&build(&sample()).0);
    fixture.report();
    fixture
}

/// Pushes an image of one layer with a tag; its blobs.
fn push(fixture: &Fixture, layer: &[u8], seconds: u64) -> [Digest; 3] {
    let layer = fixture.put_blob(layer, seconds);
    let config = fixture.put_blob(b"{}", seconds);
    let manifest = fixture.put_blob(manifest_of(&config, &layer).as_bytes(), seconds);
    for (path, digest) in [
        (format!("_layers/sha256/{}/link", layer.hex()), layer),
        (format!("_layers/sha256/{}/link", config.hex()), config),
        (format!("_manifests/revisions/sha256/{}/link", manifest.hex()), manifest),
        (format!("_manifests/tags/new/index/sha256/{}/link", manifest.hex()), manifest),
        ("_manifests/tags/new/current/link".to_owned(), manifest),
    ] {
        fixture.put(&format!("{}/pushed/{path}", layout::REPOSITORIES), digest.to_string().as_bytes(), seconds);
    }
    [layer, config, manifest]
}

fn manifest_of(config: &Digest, layer: &Digest) -> String {
    let descriptor = |digest: &Digest| format!(r#"{{"mediaType":"application/x","digest":"{digest}","size":1}}"#);
    let (config, layer) = (descriptor(config), descriptor(layer));
    format!(r#"{{"schemaVersion":2,"mediaType":"{}","config":{config},"layers":[{layer}]}}"#, model::IMAGE)
}

#[test]
fn what_was_pushed_since_is_no_candidate_and_not_missing() {
    let fixture = reported();
    let pushed = push(&fixture, b"a new layer", 500);
    let orphan = fixture.put_blob(b"a new orphan", 500);
    let bucket = fixture.open_with_report();
    let marks = &mut run(&bucket, true).unwrap();
    assert!(marks.broken.is_empty(), "{:?}", marks.broken);
    assert!(pushed.iter().all(|digest| marks.live.contains(digest)));
    assert!(!marks.blobs.contains(&orphan) && marks.blobs.len() == 3);
    let removed = remove(&bucket, marks);
    assert_eq!((removed.blob_count, removed.changed_blob_count), (3, 0));
    assert!(fixture.keys().contains(&data(&orphan)));
}

#[test]
fn what_is_really_missing_is_told_by_a_look() {
    let fixture = reported();
    let [layer, ..] = push(&fixture, b"a new layer", 500);
    fixture.delete(&data(&layer));
    let marks = run(&fixture.open_with_report(), true).unwrap();
    assert_eq!(marks.broken.iter().map(|image| image.missing).collect::<Vec<_>>(), [layer]);
}

#[test]
fn a_candidate_that_was_written_since_stays_with_all_that_it_reaches() {
    let fixture = Fixture::of(&build(&sample()).0);
    let layer = fixture.put_blob(b"an old layer", 0);
    let config = fixture.put_blob(b"{}", 0);
    let manifest = fixture.put_blob(manifest_of(&config, &layer).as_bytes(), 0);
    fixture.report();
    // The rest of a push under way: its layers are there, and its links follow.
    fixture.put_blob(manifest_of(&config, &layer).as_bytes(), 700);
    let bucket = fixture.open_with_report();
    let marks = &mut run(&bucket, true).unwrap();
    assert_eq!(marks.blobs.len(), 6, "a dry run shows what the report says");
    let removed = remove(&bucket, marks);
    assert_eq!((removed.changed_blob_count, removed.gone_blob_count, removed.blob_count), (1, 0, 3));
    for digest in [layer, config, manifest] {
        assert!(fixture.keys().contains(&data(&digest)));
    }
}

#[test]
fn an_untagged_manifest_that_was_written_since_keeps_its_link() {
    let fixture = Fixture::of(&build(&sample()).0);
    let [layer, config, manifest] = push(&fixture, b"an old layer", 0);
    for key in fixture.keys().into_iter().filter(|key| key.contains("/pushed/_manifests/tags/")) {
        fixture.delete(&key);
    }
    fixture.report();
    fixture.put_blob(manifest_of(&config, &layer).as_bytes(), 700);
    let bucket = fixture.open_with_report();
    let marks = &mut run(&bucket, true).unwrap();
    assert_eq!(marks.eligible_manifests().count(), 1);
    let before = fixture.keys();
    let removed = remove(&bucket, marks);
    assert_eq!((removed.changed_blob_count, removed.manifest_count, removed.layer_link_count), (1, 0, 0));
    let hex = manifest.hex().to_string();
    let links = before.iter().filter(|key| key.contains("/pushed/") || key.contains(&hex));
    assert!(links.clone().count() > 3 && links.into_iter().all(|key| fixture.keys().contains(key)));
}

#[test]
fn what_is_gone_since_is_counted_and_ends_nothing() {
    let fixture = reported();
    let listed = run(&fixture.open(), true).unwrap();
    let (digest, _) = listed.blobs.iter().next().unwrap();
    fixture.delete(&data(&digest));
    // And a manifest, whose link stayed.
    let catalog = &listed.catalog;
    let manifest = catalog.manifests().digest(catalog.repositories[0].revisions[0].manifest);
    fixture.delete(&data(&manifest));
    let bucket = fixture.open_with_report();
    let marks = &mut run(&bucket, false).unwrap();
    assert!(
        marks.notes.iter().any(|note| note.reason == "a manifest link whose manifest is gone"),
        "{:?}",
        marks.notes
    );
    let removed = remove(&bucket, marks);
    assert_eq!((removed.gone_blob_count, removed.changed_blob_count), (2, 0));
    assert!(removed.failures.is_empty());
    assert_eq!(removed.blob_count, marks.blobs.len());
}

/// Begins a run as the journal does.
fn begin(bucket: &Bucket, run: &[u8]) {
    let begun = layout_quarantine::run(run).join(layout_quarantine::BEGUN);
    bucket.write_object(&begun, b"", &Condition::Always, &Control::default()).unwrap();
}

#[test]
fn what_was_set_aside_since_comes_back_although_the_report_has_it_in_its_place() {
    let fixture = Fixture::of(&build(&sample()).0);
    let [layer, _, manifest] = push(&fixture, b"an old layer", 0);
    let tag = format!("{}/pushed/_manifests/tags/new/current/link", layout::REPOSITORIES);
    fixture.report();
    for key in fixture.keys().into_iter().filter(|key| key.contains("/pushed/_manifests/tags/")) {
        fixture.delete(&key);
    }
    let (bucket, control) = (fixture.open_with_report(), Control::default());
    begin(&bucket, b"run");
    let tree = layout_quarantine::tree(b"run");
    let marks = &mut run(&bucket, true).unwrap();
    let removed = remove::remove_eligible(&bucket, marks, Destination::Quarantine(&tree), &control).unwrap();
    assert!(removed.failures.is_empty() && removed.manifest_count == 1);
    assert!(!fixture.keys().contains(&data(&layer)));
    // Pushed again by a client that was told that all is there.
    fixture.put(&tag, manifest.to_string().as_bytes(), 900);
    let marks = run(&bucket, false).unwrap();
    let restored = quarantine::restore(&bucket, &marks, &control);
    assert!(restored.failures.is_empty());
    assert_eq!(restored.blob_count, 3);
    assert!(fixture.keys().contains(&data(&layer)));
}

/// Blobs that nothing needs, of which a report tells, in a registry of one image.
fn many(count: u64) -> (Fixture, Vec<Digest>) {
    let fixture = Fixture::new();
    push(&fixture, b"a layer", 0);
    let blobs = (0..count).map(|number| fixture.put_blob(&number.to_le_bytes(), 0)).collect();
    fixture.report();
    (fixture, blobs)
}

#[test]
fn blobs_are_not_listed_where_a_report_tells_of_them() {
    let (fixture, blobs) = many(12_000);
    let bucket = fixture.open_with_report();
    let marks = run(&bucket, false).unwrap();
    assert_eq!(marks.blobs.len(), blobs.len());
    // What is set aside, what comes before the blobs (with a page that shows some), what comes after them.
    assert_eq!(fixture.lists(), 3);
    assert_eq!(bucket.listed_count(), fixture.keys().len());
}

#[test]
fn a_second_look_takes_the_pages_that_show_what_is_looked_for_and_no_others() {
    let (fixture, blobs) = many(12_000);
    let bucket = fixture.open_with_report();
    let mut sorted = blobs;
    sorted.sort_unstable();
    let looked_at = |digests: &[Digest]| {
        let mut by_prefix: BTreeMap<u8, Vec<&Digest>> = BTreeMap::new();
        for digest in digests {
            by_prefix.entry(digest.prefix()).or_default().push(digest);
        }
        let groups: Vec<Group> = by_prefix
            .iter()
            .flat_map(|(&prefix, digests)| {
                let directory = layout::blob_prefix(Algorithm::Sha256, prefix);
                Group::split(&directory, layout::DATA, digests.iter().map(|digest| digest.hex()))
            })
            .collect();
        let (before, found) = (fixture.lists(), Mutex::new((0_usize, 0_usize)));
        bucket
            .stat(&groups, &Control::default(), &|_, _, stat| {
                let mut found = found.lock().unwrap();
                *(if stat.is_some() { &mut found.0 } else { &mut found.1 }) += 1;
                Ok(())
            })
            .unwrap();
        (found.into_inner().unwrap(), fixture.lists() - before)
    };
    let absent: Vec<Digest> =
        (0..50_u64).map(|number| Digest::of(Algorithm::Sha256, &(1 << 40 | number).to_le_bytes())).collect();
    // All of them: chains begin at some keys, and each may read one page over its end.
    let (found, requests) = looked_at(&sorted);
    assert_eq!(found, (12_000, 0));
    assert!(requests <= 12_000_u64.div_ceil(250), "{requests}");
    // One of a hundred: ten to a page.
    let some: Vec<Digest> = sorted.iter().copied().step_by(100).collect();
    let (found, requests) = looked_at(&some);
    assert_eq!(found, (120, 0));
    assert!(requests <= 13, "{requests}");
    // Few, far from one another: one each.
    let few: Vec<Digest> = sorted.iter().copied().step_by(3000).collect();
    assert_eq!(looked_at(&few), ((4, 0), 4));
    assert_eq!(looked_at(&few[..1]), ((1, 0), 1));
    let (found, requests) = looked_at(&absent);
    assert_eq!(found, (0, 50));
    assert!(requests <= 14, "{requests}");
}

#[test]
fn a_report_that_cannot_be_used_ends_the_run_before_it_begins() {
    let fixture = reported();
    let refused = |reason: &str| {
        let error = run(&fixture.open_with_report(), true).unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
        assert_eq!((error.kind(), fixture.lists()), (Kind::Argument, 0), "{error}");
    };
    fixture.report_of("other");
    refused("it is of the bucket other, and the store is in registry");
    let all = std::mem::take(&mut *fixture.objects.lock().unwrap());
    let links = |(key, _): &(String, _)| !key.starts_with(layout::BLOBS);
    *fixture.objects.lock().unwrap() = all.into_iter().filter(links).collect();
    fixture.report();
    refused("it shows no blob of this store, nothing below some/root/docker/registry/v2/blobs/");
    fixture.put_into(REPORTS, "r/registry/all/data/1.csv.gz", b"tampered with", 0);
    refused("another size");
    let reports = fixture.server.buckets().get(REPORTS).unwrap();
    assert!(reports.write().delete(b"r/registry/all/data/1.csv.gz", Moment::now(), 0).is_some());
    refused("the manifest names it, and it is not there");
    let manifest = MANIFEST.strip_prefix("s3://reports/").unwrap();
    assert!(reports.write().delete(manifest.as_bytes(), Moment::now(), 0).is_some());
    refused("there is no such object");
}

#[test]
fn reports_are_of_buckets_on_s3() {
    let fixture = Fixture::new();
    let provider = Provider::Azure {
        account: "a".to_owned(),
        keys: regsweep_core::store::bucket::AzureKeys::SharedKey(Secret("a2V5".to_owned())),
        leading_slash: None,
    };
    let options = Options { provider, inventory: Some(MANIFEST.to_owned()), ..fixture.options() };
    assert!(Bucket::open(&options).unwrap_err().0.contains("Amazon S3"));
}

#[test]
fn whoever_has_to_know_all_blobs_takes_no_report() {
    let fixture = reported();
    let (bucket, control) = (fixture.open_with_report(), Control::default());
    let marks = run(&bucket, false).unwrap();
    let measured = usage::measure(&bucket, &marks, usage::Request::default(), &control).unwrap_err();
    let taken = Inventory::take(&bucket, old() + NOW, &control).unwrap_err();
    assert_eq!((measured.kind(), taken.kind()), (Kind::Argument, Kind::Argument));
    assert!(taken.to_string().contains("open the store without it"), "{taken}");
}

#[test]
fn what_else_lies_below_blobs_is_left_alone() {
    let fixture = Fixture::of(&build(&sample()).0);
    let odd = ["blobs/~odd", "blobs/~", "blobs", "blobs0", "blobs/sha256/readme", "blobs/md5/ab/abc/data"];
    for name in odd {
        fixture.put(&format!("docker/registry/v2/{name}"), b"x", 0);
    }
    fixture.report();
    let marks = run(&fixture.open(), true).map(|marks| findings(&marks)).map_err(|error| error.to_string());
    let told = run(&fixture.open_with_report(), true).map(|marks| findings(&marks)).map_err(|error| error.to_string());
    assert_eq!(told, marks);
}
