use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Seek as _, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use flate2::Compression;
use flate2::write::GzEncoder;
use md5::{Digest as _, Md5};
use serde_json::{Value, json};

use super::manifest::Manifest;
use super::sort::{self, Sorter};
use super::source::Source;
use super::{Format, csv, parquet, snapshot};
use crate::columns::tests::{Cell, write};
use crate::error::{Error, Kind, Result};
use crate::key::Key;
use crate::progress::Control;
use crate::store::Stat;
use crate::store::bucket::{Options, Provider};

const SCHEMA: &str = "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag";
const PARQUET: &str = "message s3.inventory { required binary bucket (UTF8); required binary key (UTF8); \
    optional boolean is_latest; optional boolean is_delete_marker; optional int64 size; \
    optional int64 last_modified_date (TIMESTAMP(MILLIS,true)); }";

fn manifest() -> Value {
    json!({
        "sourceBucket": "registry",
        "destinationBucket": "arn:aws:s3:::reports",
        "version": "2016-11-30",
        "creationTimestamp": "1795419332250",
        "fileFormat": "CSV",
        "fileSchema": SCHEMA,
        "files": [{"key": "r/registry/all/data/a.csv.gz", "size": 3, "MD5checksum": "d41d8cd98f00b204e9800998ecf8427e"}],
    })
}

fn parse(manifest: &Value) -> Result<Manifest, String> {
    Manifest::parse(manifest.to_string().as_bytes(), "registry")
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

#[test]
fn a_manifest_says_of_when_it_is_and_which_files_there_are() {
    let found = parse(&manifest()).unwrap();
    assert_eq!(found.created, at(1_795_419_332) + Duration::from_millis(250));
    assert!(matches!(found.format, Format::Csv(_)));
    assert_eq!((found.files[0].size_bytes, found.files[0].md5[0]), (3, 0xd4));
    let mut other = manifest();
    other["sourceBucket"] = json!("arn:aws:s3:::registry");
    other["creationTimestamp"] = json!(1000);
    other["fileFormat"] = json!("Parquet");
    other["fileSchema"] = json!(PARQUET);
    let found = parse(&other).unwrap();
    assert_eq!(found.created, at(1));
    assert!(matches!(found.format, Format::Parquet));
}

#[test]
fn a_manifest_that_cannot_be_used_is_refused_with_the_reason() {
    let orc = "struct<bucket:string,key:string,size:bigint,last_modified_date:timestamp>";
    for (field, value, reason) in [
        ("sourceBucket", json!("other"), "it is of the bucket other, and the store is in registry"),
        ("fileFormat", json!("ORC"), "ORC"),
        ("fileFormat", json!("Avro"), "Avro"),
        ("fileSchema", json!("Bucket, Key, LastModifiedDate"), "no column Size"),
        ("fileSchema", json!("Bucket, Key, Size"), "no column LastModifiedDate"),
        ("fileSchema", json!("Bucket, Size, LastModifiedDate"), "no column Key"),
        ("creationTimestamp", json!("yesterday"), "creationTimestamp"),
        ("files", json!([{"key": "a", "size": 1, "MD5checksum": "abc"}]), "MD5"),
        ("files", json!([{"key": "a", "size": 1}]), "MD5checksum"),
        ("files", Value::Null, "no manifest"),
    ] {
        let mut other = manifest();
        other[field] = value;
        let found = parse(&other).unwrap_err();
        assert!(found.contains(reason), "{field}: {found}");
    }
    let mut other = manifest();
    (other["fileFormat"], other["fileSchema"]) = (json!("ORC"), json!(orc));
    assert!(parse(&other).unwrap_err().contains("ORC"));
    (other["fileFormat"], other["fileSchema"]) = (json!("Parquet"), json!(PARQUET.replace("size", "length")));
    assert!(parse(&other).unwrap_err().contains("no column Size"));
    for content in ["", "[]", "{}", "{\"sourceBucket\": \"registry\""] {
        assert!(Manifest::parse(content.as_bytes(), "registry").unwrap_err().contains("no manifest"), "{content}");
    }
}

type Objects = Vec<(String, u64, SystemTime)>;

fn gathered(read: impl FnOnce(&mut dyn FnMut(&[u8], &Stat) -> Result<()>) -> Result<()>) -> Result<Objects> {
    let mut found = Vec::new();
    read(&mut |key, stat| {
        found.push((String::from_utf8(key.to_vec()).unwrap(), stat.size_bytes, stat.modified));
        Ok(())
    })?;
    Ok(found)
}

fn packed(text: &str) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(text.as_bytes()).unwrap();
    packer.finish().unwrap()
}

fn file(content: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(content).unwrap();
    file.rewind().unwrap();
    file
}

fn csv_objects(content: &[u8]) -> Result<Objects> {
    let Format::Csv(columns) = parse(&manifest()).unwrap().format else { panic!("it is CSV") };
    gathered(|visit| csv::read(file(content), &columns, &Key::new("a.csv.gz"), visit))
}

#[test]
fn rows_of_csv_are_objects_but_for_older_versions_and_delete_markers() {
    let text = "\"registry\",\"a/b\",\"v2\",\"true\",\"false\",\"7\",\"2026-11-23T07:35:32.000Z\",\"x\"\n\
        \"registry\",\"a/b\",\"v1\",\"false\",\"false\",\"8\",\"2026-11-22T07:35:32.000Z\",\"x\"\n\
        \"registry\",\"gone\",\"v3\",\"true\",\"true\",\"\",\"2026-11-23T07:35:32.000Z\",\"\"\n\
        \"registry\",\"%C3%BC+b%2Bc%20d%2Fe,\"\"f\",\"\",\"true\",\"false\",\"0\",\"2026-11-23T07:35:32.5Z\",\"x\"\n";
    let time = at(1_795_419_332);
    let expected =
        vec![("a/b".to_owned(), 7, time), ("ü b+c d/e,\"f".to_owned(), 0, time + Duration::from_millis(500))];
    assert_eq!(csv_objects(&packed(text)).unwrap(), expected);
    let (one, other) = text.split_at(text.find("\"registry\",\"gone").unwrap());
    let members = [packed(one), packed(other)].concat();
    assert_eq!(csv_objects(&members).unwrap(), expected, "gzip of several members");
}

#[test]
fn csv_that_is_not_understood_is_an_error() {
    let good = "\"registry\",\"a\",\"\",\"true\",\"false\",\"7\",\"2026-11-23T07:35:32.000Z\",\"x\"\n";
    assert_eq!(csv_objects(&packed(good)).unwrap().len(), 1);
    for (bad, reason) in [
        (good.replace("\"7\"", "\"\""), "line 2"),
        (good.replace("\"7\"", "\"-7\""), "\"-7\""),
        (good.replace("2026-11-23T07:35:32.000Z", "yesterday"), "yesterday"),
        (good.replace(",\"x\"", ""), "it has 7 fields and not 8"),
    ] {
        let error = csv_objects(&packed(&format!("{good}{bad}"))).unwrap_err();
        assert!(error.to_string().contains(reason) && error.to_string().contains("a.csv.gz"), "{error}");
    }
    assert!(csv_objects(good.as_bytes()).is_err(), "not packed");
    let whole = packed(&good.repeat(1000));
    assert!(csv_objects(&whole[..whole.len() - 9]).is_err(), "cut off");
}

fn parquet_objects(file: File) -> Result<Objects> {
    gathered(|visit| parquet::read(file, &Key::new("a.parquet"), visit))
}

fn row(key: &'static str, latest: Cell, marker: Cell, size: Cell, time: Cell) -> Vec<Cell> {
    vec![Cell::Text("registry"), Cell::Text(key), latest, marker, size, time]
}

#[test]
fn rows_of_parquet_are_objects_but_for_older_versions_and_delete_markers() {
    use Cell::{Flag, None, Number};
    let rows = [
        row("a+b%20c", Flag(true), Flag(false), Number(7), Number(1_795_419_332_250)),
        row("old", Flag(false), Flag(false), Number(8), Number(1)),
        row("gone", Flag(true), Flag(true), None, Number(1)),
        row("d", None, None, Number(0), Number(2000)),
    ];
    let expected =
        vec![("a+b%20c".to_owned(), 7, at(1_795_419_332) + Duration::from_millis(250)), ("d".to_owned(), 0, at(2))];
    for compression in [::parquet::basic::Compression::SNAPPY, ::parquet::basic::Compression::UNCOMPRESSED] {
        assert_eq!(parquet_objects(write(PARQUET, &rows, 3, compression)).unwrap(), expected);
    }
}

#[test]
fn parquet_that_is_not_understood_is_an_error() {
    use Cell::{Flag, None, Number};
    let snappy = ::parquet::basic::Compression::SNAPPY;
    let rows = |size, time| [row("a", Flag(true), Flag(false), size, time)];
    for (bad, reason) in [
        (write(PARQUET, &rows(None, Number(1)), 1, snappy), "no key, size or time"),
        (write(PARQUET, &rows(Number(-1), Number(1)), 1, snappy), "no key, size or time"),
        (write(PARQUET, &rows(Number(1), None), 1, snappy), "no key, size or time"),
        (
            write(&PARQUET.replace("last_modified", "modified"), &rows(Number(1), Number(1)), 1, snappy),
            "lastmodifieddate",
        ),
        (write(&PARQUET.replace(" (TIMESTAMP(MILLIS,true))", ""), &rows(Number(1), Number(1)), 1, snappy), "times"),
        (file(b"PAR1 or so"), "a.parquet"),
    ] {
        let error = parquet_objects(bad).unwrap_err();
        assert!(error.to_string().contains(reason) && error.to_string().contains("a.parquet"), "{error}");
    }
}

#[test]
fn keys_in_any_order_are_sorted_and_of_two_objects_the_younger_counts() {
    let control = Control::default();
    let (portions, spill) = (snapshot::spill(), snapshot::spill());
    let mut expected: BTreeMap<String, SystemTime> = BTreeMap::new();
    // A multiplier without a common factor goes through all of them.
    let all: Vec<u64> = (0..20_000).map(|number| number * 7919 % 20_011).collect();
    let mut sorters = [Sorter::by_portions(&portions, 4096), Sorter::by_portions(&portions, 1 << 20)];
    for (place, number) in all.iter().enumerate() {
        let key = format!("blobs/{:05}/data", number % 15_000);
        let modified = at(1000 + number);
        let youngest = expected.entry(key.clone()).or_insert(modified);
        *youngest = modified.max(*youngest);
        sorters[place % 2].push(key.as_bytes(), &Stat { size_bytes: 1, modified, md5: None });
    }
    let runs: Vec<_> = sorters.into_iter().flat_map(Sorter::finish).collect();
    assert!(runs.len() > 10, "the test is to merge many");
    let merged = sort::merge(runs, &portions, &spill, &control).unwrap();
    let snapshot = snapshot::Snapshot::new(Arc::clone(&spill), vec![merged]).unwrap();
    let mut found = BTreeMap::new();
    let mut cursor = snapshot.cursor();
    cursor.seek(b"").unwrap();
    while let Some((key, stat)) = cursor.current() {
        assert!(found.insert(String::from_utf8(key.to_vec()).unwrap(), stat.modified).is_none(), "a key twice");
        cursor.advance().unwrap();
    }
    assert_eq!(found, expected);
}

#[test]
fn keys_in_order_are_one_run_whatever_their_number() {
    let portions = snapshot::spill();
    let mut sorter = Sorter::by_portions(&portions, 4096);
    for number in 0..5000 {
        sorter.push(format!("{number:05}").as_bytes(), &Stat { size_bytes: 1, modified: at(1), md5: None });
    }
    assert_eq!(sorter.finish().len(), 1);
}

fn options() -> Options {
    Options::new(Provider::S3 { region: "r".into(), keys: None, path_style: true }, "registry")
}

/// A report in a directory, with one file of this content, and what its manifest says of that.
fn downloaded(directory: &Path, content: &[u8], says: impl FnOnce(&mut Value)) -> Source {
    let mut manifest = manifest();
    let md5 = faster_hex::hex_string(&Md5::digest(content));
    manifest["files"] = json!([{"key": "r/registry/all/data/a.csv.gz", "size": content.len(), "MD5checksum": md5}]);
    says(&mut manifest["files"][0]);
    fs::create_dir_all(directory.join("data")).unwrap();
    fs::create_dir_all(directory.join("2026-11-23T01-00Z")).unwrap();
    fs::write(directory.join("data/a.csv.gz"), content).unwrap();
    let path = directory.join("2026-11-23T01-00Z/manifest.json");
    fs::write(&path, manifest.to_string()).unwrap();
    Source::open(path.to_str().unwrap(), &options()).unwrap()
}

fn fetched(source: &Source) -> Result<File, Error> {
    let control = Control::default();
    let content = source.manifest(&control).unwrap();
    source.file(&Manifest::parse(&content, "registry").unwrap().files[0], &control)
}

#[test]
fn a_file_of_another_size_or_checksum_than_the_manifest_says_is_refused() {
    let content = b"some content";
    for (field, value, reason) in [
        ("size", json!(11), "size"),
        ("size", json!(13), "size"),
        ("MD5checksum", json!("d41d8cd98f00b204e9800998ecf8427e"), "MD5"),
        ("key", json!("r/registry/all/data/b.csv.gz"), "not there"),
        ("key", json!("../../etc"), "not there"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let error = fetched(&downloaded(directory.path(), content, |entry| entry[field] = value)).unwrap_err();
        assert_eq!(error.kind(), Kind::Argument);
        assert!(error.to_string().contains(reason), "{error}");
    }
    let directory = tempfile::tempdir().unwrap();
    let mut file = fetched(&downloaded(directory.path(), content, |_| ())).unwrap();
    let mut found = Vec::new();
    std::io::Read::read_to_end(&mut file, &mut found).unwrap();
    assert_eq!(found, content);
}

#[test]
fn a_manifest_is_named_by_a_url_of_s3_or_a_path() {
    for bad in ["s3://", "s3://b", "s3://b/", "s3:///k", "https://b/k", "gs://b/k", "s3://b/k?x=y"] {
        assert!(Source::open(bad, &options()).is_err(), "{bad}");
    }
    let source = Source::open("s3://reports/a/manifest.json", &options()).unwrap();
    assert_eq!(source.place().to_string(), "s3://reports/a/manifest.json");
    assert!(matches!(Source::open("a/manifest.json", &options()).unwrap(), Source::Directory(_)));
    let error = Source::open("/nowhere/manifest.json", &options()).unwrap().manifest(&Control::default()).unwrap_err();
    assert_eq!(error.kind(), Kind::Io);
}
