//! The S3 interface, as the `object_store` crate and plain requests see it.

mod support;

use futures_util::{StreamExt, TryStreamExt};
use object_store::aws::{AmazonS3, AmazonS3Builder, S3ConditionalPut};
use object_store::path::Path;
use object_store::{Error, GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutMode};
use regsweep_fakebucket::{Dialect, Operation, Server};
use support::{fill, has, listed, no_retries, put, raw, server, wait};

fn client(server: &Server) -> AmazonS3 {
    support::without_tls(AmazonS3Builder::new())
        .with_endpoint(server.url())
        .with_allow_http(true)
        .with_region("us-east-1")
        .with_bucket_name("bucket")
        .with_access_key_id("any")
        .with_secret_access_key("any")
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_retry(no_retries())
        .build()
        .expect("a client")
}

#[test]
fn all_keys_come_in_pages() {
    let server = server();
    let keys = fill(&server, 2_600);
    assert_eq!(listed(&client(&server), None).expect("a listing"), keys);
    assert_eq!(listed(&client(&server), Some("objects")).expect("a listing"), keys);
    assert_eq!(server.journal().count(Dialect::S3, Operation::List), 6);
}

#[test]
fn a_listing_goes_on_from_an_offset() {
    let server = server();
    let keys = fill(&server, 1_500);
    let metas: Vec<_> =
        wait(client(&server).list_with_offset(None, &Path::from(keys[99].as_str())).try_collect()).expect("a listing");
    let found: Vec<String> =
        metas.into_iter().map(|meta: object_store::ObjectMeta| meta.location.to_string()).collect();
    assert_eq!(found, keys[100..]);
}

#[test]
fn a_delimiter_gives_directories() {
    let server = server();
    for key in ["a/1", "a/2", "b", "c/d/e"] {
        put(&server, key);
    }
    let result = wait(client(&server).list_with_delimiter(None)).expect("a listing");
    assert_eq!(result.common_prefixes, [Path::from("a"), Path::from("c")]);
    assert_eq!(result.objects.len(), 1);
}

#[test]
fn objects_are_put_read_copied_and_deleted() {
    let server = server();
    let client = client(&server);
    let (path, copy) = (Path::from("a key/ü+&"), Path::from("copy"));
    wait(async {
        let put = client.put(&path, "content".into()).await.expect("put");
        assert_eq!(put.e_tag.as_deref(), Some("\"9a0364b9e99bb480dd25e1f0284c8555\""));
        let got = client.get(&path).await.expect("got");
        assert_eq!((got.meta.size, got.meta.e_tag.clone()), (7, put.e_tag.clone()));
        assert_eq!(got.bytes().await.expect("bytes"), "content");
        let options = GetOptions { range: Some(GetRange::Suffix(3)), ..GetOptions::default() };
        let part = client.get_opts(&path, options).await.expect("a part");
        assert_eq!(part.bytes().await.expect("bytes"), "ent");
        client.copy(&path, &copy).await.expect("copied");
        client.delete(&path).await.expect("deleted");
        assert!(matches!(client.head(&path).await, Err(Error::NotFound { .. })));
        assert_eq!(client.head(&copy).await.expect("the copy").size, 7);
    });
}

#[test]
fn conditions_on_what_is_there_hold() {
    let server = server();
    let client = client(&server);
    let path = Path::from("lock");
    wait(async {
        let create = client.put_opts(&path, "1".into(), PutMode::Create.into());
        let first = create.await.expect("created");
        let again = client.put_opts(&path, "2".into(), PutMode::Create.into()).await;
        assert!(matches!(again, Err(Error::AlreadyExists { .. })));
        let update = |version: object_store::PutResult| PutMode::Update(version.into());
        client.put_opts(&path, "3".into(), update(first.clone()).into()).await.expect("updated");
        let stale = client.put_opts(&path, "4".into(), update(first).into()).await;
        assert!(matches!(stale, Err(Error::Precondition { .. })));
    });
}

#[test]
fn thousands_are_deleted_in_bulk() {
    let server = server();
    let keys = fill(&server, 2_500);
    let client = client(&server);
    let paths: Vec<_> = keys[..2_400].iter().map(|key| Ok(Path::from(key.as_str()))).collect();
    let deleted: Vec<Path> =
        wait(client.delete_stream(futures_util::stream::iter(paths).boxed()).try_collect()).expect("deleted");
    assert_eq!(deleted.len(), 2_400);
    assert_eq!(listed(&client, None).expect("a listing"), keys[2_400..]);
    assert_eq!(server.journal().count(Dialect::S3, Operation::DeleteObjects), 3);
    assert_eq!(server.journal().counts()["deleted_keys"], 2_400);
}

#[test]
fn a_bulk_deletion_needs_a_checksum_and_takes_a_thousand_keys() {
    let server = server();
    let body = |count: usize| format!("<Delete>{}</Delete>", "<Object><Key>a</Key></Object>".repeat(count));
    let delete = |headers: &[&str], count| raw(&server, "POST /bucket?delete", headers, body(count).as_bytes());
    assert_eq!(delete(&[], 1).elements("Code"), ["InvalidRequest"]);
    let checksum = ["x-amz-checksum-crc32: AAAAAA=="];
    assert_eq!(delete(&checksum, 1000).elements("Deleted").len(), 1000);
    assert_eq!(delete(&checksum, 1001).elements("Code"), ["MalformedXML"]);
    assert_eq!(delete(&["Content-MD5: AAAAAAAAAAAAAAAAAAAAAA=="], 1).elements("Code"), ["BadDigest"]);
    let quiet = b"<Delete><Quiet>true</Quiet><Object><Key>a</Key></Object></Delete>";
    assert_eq!(raw(&server, "POST /bucket?delete", &checksum, quiet).elements("Deleted").len(), 0);
}

#[test]
fn the_older_listing_goes_on_from_a_marker() {
    let server = server();
    for key in ["a", "b/1", "b/2", "c", "d/1"] {
        put(&server, key);
    }
    let first = raw(&server, "GET /bucket?delimiter=%2F&max-keys=2", &[], b"");
    assert_eq!((first.elements("Key"), first.elements("NextMarker")), (vec!["a".to_owned()], vec!["b/".to_owned()]));
    let second = raw(&server, "GET /bucket?delimiter=%2F&max-keys=2&marker=b%2F", &[], b"");
    assert_eq!(
        (second.elements("Key"), second.elements("IsTruncated")),
        (vec!["c".to_owned()], vec!["false".to_owned()])
    );
    let below = raw(&server, "GET /bucket?prefix=b%2F&delimiter=%2F&marker=b%2F", &[], b"");
    assert_eq!(below.elements("Key"), ["b/1", "b/2"]);
    let flat = raw(&server, "GET /bucket?max-keys=2", &[], b"");
    assert_eq!((flat.elements("Key").len(), flat.elements("NextMarker").len()), (2, 0));
}

#[test]
fn keys_are_encoded_when_asked_for() {
    let server = server();
    put(&server, "a b&<ü>");
    let plain = raw(&server, "GET /bucket?list-type=2", &[], b"");
    assert_eq!(plain.elements("Key"), ["a b&amp;&lt;ü&gt;"]);
    let encoded = raw(&server, "GET /bucket?list-type=2&encoding-type=url", &[], b"");
    assert_eq!(encoded.elements("Key"), ["a+b%26%3C%C3%BC%3E"]);
    assert_eq!(raw(&server, "GET /bucket?encoding-type=other", &[], b"").status, 400);
}

#[test]
fn refusals_have_codes() {
    let server = server();
    put(&server, "a");
    for (line, status, code) in [
        ("GET /none/a", 404, "NoSuchBucket"),
        ("GET /none?list-type=2", 404, "NoSuchBucket"),
        ("GET /bucket/none", 404, "NoSuchKey"),
        ("GET /bucket?list-type=2&continuation-token=x", 400, "InvalidArgument"),
        ("GET /bucket?max-keys=x", 400, "InvalidArgument"),
        ("PUT /bucket", 409, "BucketAlreadyOwnedByYou"),
        ("DELETE /bucket", 409, "BucketNotEmpty"),
        ("PATCH /bucket/a", 501, "NotImplemented"),
    ] {
        let answer = raw(&server, line, &[], b"");
        assert_eq!((answer.status, answer.elements("Code")), (status, vec![code.to_owned()]), "{line}");
    }
    assert_eq!(raw(&server, "HEAD /bucket/none", &[], b"").status, 404);
    assert_eq!(raw(&server, "DELETE /bucket/none", &[], b"").status, 204);
    assert_eq!(raw(&server, "GET /bucket/a", &["Range: bytes=5-"], b"").status, 416);
}

#[test]
fn what_is_too_large_or_the_same_is_not_copied() {
    let server = server();
    let lines = r#"{"key": "large", "size": 5368709121}{"key": "most", "size": 5368709120}"#;
    assert_eq!(raw(&server, "POST /_control/objects/bucket", &[], lines.as_bytes()).status, 200);
    let copy = |to: &str, from: &str, more: &str| {
        raw(&server, &format!("PUT /bucket/{to}"), &[&format!("x-amz-copy-source: /bucket/{from}"), more], b"").status
    };
    assert_eq!(copy("copy", "large", "x-any: any"), 400);
    assert_eq!(copy("copy", "most", "x-any: any"), 200);
    assert_eq!(copy("most", "most", "x-any: any"), 400);
    assert_eq!(copy("most", "most", "x-amz-metadata-directive: REPLACE"), 200);
    assert_eq!(copy("copy", "most", "x-amz-copy-source-if-match: \"other\""), 412);
    assert_eq!(copy("copy", "none", "x-any: any"), 404);
}

#[test]
fn uploads_are_unframed_and_keep_their_metadata() {
    let server = server();
    let framed = ["x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER", "x-amz-meta-run: 7", "Content-Type: a/b"];
    assert_eq!(raw(&server, "PUT /bucket/a", &framed, b"5\r\nhello\r\n0\r\n\r\n").status, 200);
    let got = raw(&server, "GET /bucket/a", &[], b"");
    assert_eq!(
        (got.body.as_str(), got.header("x-amz-meta-run"), got.header("content-type")),
        ("hello", Some("7"), Some("a/b"))
    );
}

#[test]
fn keys_may_begin_with_a_slash() {
    let server = server();
    assert_eq!(raw(&server, "PUT /bucket//a", &[], b"content").status, 200);
    assert!(has(&server.buckets().get("bucket").expect("the bucket"), "/a"));
    assert_eq!(raw(&server, "GET /bucket?list-type=2&prefix=%2F", &[], b"").elements("Key"), ["/a"]);
}
