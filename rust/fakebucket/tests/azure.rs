//! The Azure interface, as the `object_store` crate and plain requests see it.

mod support;

use futures_util::{StreamExt, TryStreamExt};
use object_store::azure::{MicrosoftAzure, MicrosoftAzureBuilder};
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use regsweep_fakebucket::bucket::Versioning;
use regsweep_fakebucket::{Dialect, Operation, Server};
use support::{fault, fill, has, listed, no_retries, put, raw, server, wait};

const LIST: &str = "GET /devstoreaccount1/bucket?restype=container&comp=list";
const BLOCK_BLOB: &str = "x-ms-blob-type: BlockBlob";

fn client(server: &Server) -> MicrosoftAzure {
    support::without_tls(MicrosoftAzureBuilder::new())
        .with_account("devstoreaccount1")
        .with_endpoint(format!("{}/devstoreaccount1", server.url()))
        .with_allow_http(true)
        .with_container_name("bucket")
        // Any key: nothing is checked.
        .with_access_key("a2V5")
        .with_retry(no_retries())
        .build()
        .expect("a client")
}

#[test]
fn all_blobs_come_in_pages() {
    let server = server();
    let keys = fill(&server, 5_100);
    assert_eq!(listed(&client(&server), None).expect("a listing"), keys);
    assert_eq!(server.journal().count(Dialect::Azure, Operation::List), 2);
    let offset = Path::from(keys[5_000].as_str());
    let rest: Vec<_> = wait(client(&server).list_with_offset(None, &offset).try_collect()).expect("a listing");
    assert_eq!(rest.len(), 99);
    let page = raw(&server, &format!("{LIST}&maxresults=2"), &[], b"");
    assert_eq!((page.elements("Name").len(), page.elements("NextMarker").len()), (2, 1));
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
fn blobs_are_put_read_copied_and_deleted() {
    let server = server();
    let client = client(&server);
    let (path, copy) = (Path::from("a key/ü+&"), Path::from("copy"));
    wait(async {
        let put = client.put_opts(&path, "content".into(), PutMode::Create.into()).await.expect("created");
        assert!(put.e_tag.as_deref().is_some_and(|etag| etag.starts_with("\"0x8D")));
        let again = client.put_opts(&path, "other".into(), PutMode::Create.into()).await;
        assert!(matches!(again, Err(Error::AlreadyExists { .. })));
        let update = PutOptions::from(PutMode::Update(put.clone().into()));
        client.put_opts(&path, "updated".into(), update.clone()).await.expect("updated");
        assert!(matches!(client.put_opts(&path, "x".into(), update).await, Err(Error::Precondition { .. })));
        assert_eq!(client.get(&path).await.expect("got").bytes().await.expect("bytes"), "updated");
        assert_eq!(client.get_range(&path, 2..4).await.expect("a part"), "da");
        client.copy(&path, &copy).await.expect("copied");
        assert!(matches!(client.copy_if_not_exists(&path, &copy).await, Err(Error::AlreadyExists { .. })));
        client.delete(&path).await.expect("deleted");
        assert!(matches!(client.head(&path).await, Err(Error::NotFound { .. })));
        assert_eq!(client.head(&copy).await.expect("the copy").size, 7);
    });
}

#[test]
fn thousands_are_deleted_in_batches() {
    let server = server();
    let keys = fill(&server, 2_500);
    let client = client(&server);
    let paths: Vec<_> = keys[..2_400].iter().map(|key| Ok(Path::from(key.as_str()))).collect();
    let deleted: Vec<Path> =
        wait(client.delete_stream(futures_util::stream::iter(paths).boxed()).try_collect()).expect("deleted");
    assert_eq!(deleted.len(), 2_400);
    assert_eq!(listed(&client, None).expect("a listing"), keys[2_400..]);
    assert_eq!(server.journal().count(Dialect::Azure, Operation::Batch), 10);
    assert_eq!(server.journal().count(Dialect::Azure, Operation::BatchPart), 2_400);
}

#[test]
fn single_deletions_of_a_batch_fail() {
    let server = server();
    put(&server, "a");
    put(&server, "b");
    fault(
        &server,
        r#"{"match": {"operation": "batch"}, "action": {"per_key_error": {"code": "AccessDenied", "keys_contain": "b"}}}"#,
    );
    let client = client(&server);
    let paths = ["a", "b", "none"].map(|key| Ok(Path::from(key)));
    let results: Vec<_> = wait(client.delete_stream(futures_util::stream::iter(paths).boxed()).collect());
    assert!(results[0].is_ok() && results[1].is_err());
    assert!(matches!(results[2], Err(Error::NotFound { .. })));
    let bucket = server.buckets().get("bucket").expect("the bucket");
    assert_eq!((has(&bucket, "a"), has(&bucket, "b")), (false, true));
}

#[test]
fn a_listing_says_what_is_known_of_a_blob() {
    let server = server();
    assert_eq!(
        raw(&server, "PUT /devstoreaccount1/bucket//a/b", &[BLOCK_BLOB, "x-ms-meta-run: 7"], b"content").status,
        201
    );
    let page = raw(&server, &format!("{LIST}&prefix=%2Fa&include=metadata,deleted"), &[], b"");
    assert_eq!(page.elements("Name"), ["/a/b"]);
    assert_eq!(page.elements("Content-MD5"), ["mgNkuembtIDdJeHwKEyFVQ=="]);
    assert_eq!((page.elements("BlobType"), page.elements("run")), (vec!["BlockBlob".to_owned()], vec!["7".to_owned()]));
    assert!(page.elements("Last-Modified")[0].ends_with(" GMT"));
    let head = raw(&server, "HEAD /devstoreaccount1/bucket//a/b", &[], b"");
    assert_eq!(head.header("etag").map(|etag| etag.trim_matches('"')), Some(page.elements("Etag")[0].as_str()));
    assert_eq!((head.header("content-length"), head.header("x-ms-meta-run")), (Some("7"), Some("7")));
}

#[test]
fn older_versions_are_kept_and_deleted() {
    let server = server();
    server.buckets().get_or_create("bucket").write().versioning = Versioning::Enabled;
    put(&server, "a");
    put(&server, "a");
    let versions = || raw(&server, &format!("{LIST}&include=versions"), &[], b"");
    let ids = versions().elements("VersionId");
    assert_eq!((ids.len(), versions().elements("IsCurrentVersion").len()), (2, 1));
    let blob = |method: &str, id: &str| {
        raw(&server, &format!("{method} /devstoreaccount1/bucket/a?versionid={id}"), &[], b"").status
    };
    assert_eq!(blob("DELETE", &ids[1]), 403);
    assert_eq!(raw(&server, "DELETE /devstoreaccount1/bucket/a", &[], b"").status, 202);
    assert_eq!(raw(&server, "GET /devstoreaccount1/bucket/a", &[], b"").status, 404);
    assert_eq!((versions().elements("VersionId").len(), versions().elements("IsCurrentVersion").len()), (2, 0));
    assert_eq!((blob("GET", &ids[1]), blob("DELETE", &ids[1]), blob("GET", &ids[1])), (200, 202, 404));
    assert_eq!(versions().elements("VersionId"), ids[..1]);
}

#[test]
fn blobs_are_put_together_from_blocks_and_appended_to() {
    let server = server();
    let block = |id: &str, content: &[u8]| {
        raw(&server, &format!("PUT /devstoreaccount1/bucket/a?comp=block&blockid={id}"), &[], content).status
    };
    assert_eq!((block("MQ%3D%3D", b"one"), block("Mg%3D%3D", b"two")), (201, 201));
    let commit = |list: &str| {
        let body = format!("<?xml version=\"1.0\"?><BlockList>{list}</BlockList>");
        raw(&server, "PUT /devstoreaccount1/bucket/a?comp=blocklist", &[], body.as_bytes()).status
    };
    assert_eq!(commit("<Latest>Mw==</Latest>"), 400);
    assert_eq!(commit("<Latest>Mg==</Latest><Uncommitted>MQ==</Uncommitted>"), 201);
    assert_eq!(raw(&server, "GET /devstoreaccount1/bucket/a", &[], b"").body, "twoone");
    assert_eq!(raw(&server, LIST, &[], b"").elements("Content-MD5"), [""]);

    assert_eq!(raw(&server, "PUT /devstoreaccount1/bucket/b", &["x-ms-blob-type: AppendBlob"], b"").status, 201);
    let append = |position: &str| {
        let position = format!("x-ms-blob-condition-appendpos: {position}");
        raw(&server, "PUT /devstoreaccount1/bucket/b?comp=appendblock", &[&position], b"text").status
    };
    assert_eq!((append("0"), append("0"), append("4")), (201, 412, 201));
    assert_eq!(raw(&server, LIST, &[], b"").elements("BlobType"), ["BlockBlob", "AppendBlob"]);
    assert_eq!(raw(&server, "GET /devstoreaccount1/bucket/b", &[], b"").body, "texttext");
}

#[test]
fn refusals_have_codes() {
    let server = server();
    fault(&server, r#"{"match": {"key_contains": "busy"}, "action": {"status": 503}}"#);
    fault(&server, r#"{"match": {"key_contains": "expired"}, "action": {"expired_token": true}}"#);
    for (line, status, code) in [
        ("GET /devstoreaccount1/none/a", 404, "ContainerNotFound"),
        ("GET /devstoreaccount1/bucket/none", 404, "BlobNotFound"),
        ("DELETE /devstoreaccount1/bucket/none", 404, "BlobNotFound"),
        ("PUT /devstoreaccount1/bucket/a", 400, "MissingRequiredHeader"),
        ("GET /devstoreaccount1/bucket/busy", 503, "ServerBusy"),
        ("GET /devstoreaccount1/bucket/expired", 401, "InvalidAuthenticationInfo"),
        ("GET /devstoreaccount1/bucket?restype=container&comp=list&maxresults=0", 400, "OutOfRangeQueryParameterValue"),
        ("PUT /devstoreaccount1/bucket?restype=container", 409, "ContainerAlreadyExists"),
        ("GET /devstoreaccount1/bucket/a?comp=tags", 501, "NotImplemented"),
    ] {
        let answer = raw(&server, line, &[], b"");
        assert_eq!((answer.status, answer.elements("Code")), (status, vec![code.to_owned()]), "{line}");
        assert_eq!(answer.header("x-ms-error-code"), Some(code), "{line}");
    }
}

#[test]
fn containers_are_made_and_removed() {
    let server = server();
    let other =
        |method: &str| raw(&server, &format!("{method} /devstoreaccount1/other?restype=container"), &[], b"").status;
    assert_eq!((other("GET"), other("PUT"), other("HEAD")), (404, 201, 200));
    assert_eq!(raw(&server, "GET /devstoreaccount1/?comp=list", &[], b"").elements("Name"), ["bucket", "other"]);
    assert_eq!((other("DELETE"), other("DELETE")), (202, 404));
}

#[test]
fn batches_have_one_to_256_requests() {
    let server = server();
    let batch = |count: usize| {
        let part = "--b\r\nContent-ID: 0\r\n\r\nDELETE /bucket/a HTTP/1.1\r\n\r\n\r\n";
        let body = format!("{}--b--", part.repeat(count));
        let line = "POST /devstoreaccount1/bucket?restype=container&comp=batch";
        raw(&server, line, &["Content-Type: multipart/mixed; boundary=b"], body.as_bytes()).status
    };
    assert_eq!((batch(0), batch(1), batch(256), batch(257)), (400, 202, 202, 400));
}
