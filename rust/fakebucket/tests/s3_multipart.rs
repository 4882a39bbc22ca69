//! Uploads in parts in the S3 interface.

mod support;

use object_store::ObjectStoreExt;
use object_store::aws::AmazonS3Builder;
use object_store::path::Path;
use regsweep_fakebucket::Server;
use support::{no_retries, raw, server, wait};

fn create(server: &Server, key: &str) -> String {
    raw(server, &format!("POST /bucket/{key}?uploads"), &["x-amz-meta-run: 7"], b"").elements("UploadId").remove(0)
}

fn upload(server: &Server, id: &str, number: usize, content: &[u8]) -> String {
    let answer = raw(server, &format!("PUT /bucket/a?uploadId={id}&partNumber={number}"), &[], content);
    answer.header("etag").expect("an ETag").to_owned()
}

fn complete(server: &Server, id: &str, parts: &[(usize, &str)]) -> support::Raw {
    let part = |(number, etag): &(usize, &str)| {
        format!("<Part><PartNumber>{number}</PartNumber><ETag>{}</ETag></Part>", etag.replace('"', "&quot;"))
    };
    let parts: String = parts.iter().map(part).collect();
    let body = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
    raw(server, &format!("POST /bucket/a?uploadId={id}"), &[], body.as_bytes())
}

#[test]
fn parts_become_an_object() {
    let server = server();
    let id = create(&server, "a");
    let first = upload(&server, &id, 1, &vec![b'x'; 5 << 20]);
    let last = upload(&server, &id, 2, b"end");
    let parts = raw(&server, &format!("GET /bucket/a?uploadId={id}&max-parts=1"), &[], b"");
    assert_eq!(
        (parts.elements("Size"), parts.elements("NextPartNumberMarker")),
        (vec!["5242880".to_owned()], vec!["1".to_owned()])
    );

    let completed = complete(&server, &id, &[(1, &first), (2, &last)]);
    assert!(completed.elements("ETag")[0].ends_with("-2&quot;"), "{completed:?}");
    let head = raw(&server, "HEAD /bucket/a", &[], b"");
    assert_eq!((head.header("content-length"), head.header("x-amz-meta-run")), (Some("5242883"), Some("7")));
    assert_eq!(complete(&server, &id, &[(1, &first)]).elements("Code"), ["NoSuchUpload"]);
}

#[test]
fn what_does_not_fit_together_is_refused() {
    let server = server();
    let id = create(&server, "a");
    let (first, last) = (upload(&server, &id, 1, b"short"), upload(&server, &id, 2, b"end"));
    for (parts, code) in [
        (vec![(1, first.as_str()), (2, last.as_str())], "EntityTooSmall"),
        (vec![(2, last.as_str()), (1, first.as_str())], "InvalidPartOrder"),
        (vec![(1, last.as_str())], "InvalidPart"),
        (vec![(3, first.as_str())], "InvalidPart"),
        (vec![], "MalformedXML"),
    ] {
        assert_eq!(complete(&server, &id, &parts).elements("Code"), [code]);
    }
    assert_eq!(raw(&server, &format!("PUT /bucket/a?uploadId={id}&partNumber=0"), &[], b"").status, 400);
    assert_eq!(raw(&server, "PUT /bucket/a?uploadId=none&partNumber=1", &[], b"").status, 404);
}

#[test]
fn what_is_too_large_for_a_copy_is_copied_in_parts() {
    let server = server();
    let line = br#"{"key": "large", "size": 6442450944}"#;
    assert_eq!(raw(&server, "POST /_control/objects/bucket", &[], line).status, 200);
    let id = create(&server, "a");
    let copy = |number: usize, range: &str| {
        let line = format!("PUT /bucket/a?uploadId={id}&partNumber={number}");
        raw(
            &server,
            &line,
            &["x-amz-copy-source: bucket/large", &format!("x-amz-copy-source-range: bytes={range}")],
            b"",
        )
    };
    let etags = [copy(1, "0-5368709119"), copy(2, "5368709120-6442450943")]
        .map(|part| part.elements("ETag").remove(0).replace("&quot;", "\""));
    assert_eq!(complete(&server, &id, &[(1, &etags[0]), (2, &etags[1])]).status, 200);
    assert_eq!(raw(&server, "HEAD /bucket/a", &[], b"").header("content-length"), Some("6442450944"));
    assert_eq!(copy(1, "0-6442450943").status, 400);
}

#[test]
fn uploads_are_listed_and_given_up() {
    let server = server();
    let ids = [create(&server, "a"), create(&server, "a"), create(&server, "b")];
    let list = |query: &str| raw(&server, &format!("GET /bucket?uploads&{query}"), &[], b"");
    assert_eq!(list("").elements("UploadId"), ids);
    let first = list("max-uploads=1");
    let (key, id) = (first.elements("NextKeyMarker").remove(0), first.elements("NextUploadIdMarker").remove(0));
    assert_eq!(list(&format!("key-marker={key}&upload-id-marker={id}")).elements("UploadId"), ids[1..]);
    assert_eq!(list("prefix=b").elements("UploadId"), ids[2..]);
    let abort = || raw(&server, &format!("DELETE /bucket/a?uploadId={}", ids[0]), &[], b"").status;
    assert_eq!((abort(), abort()), (204, 404));
}

#[test]
fn a_client_uploads_in_parts() {
    let server = server();
    let client = support::without_tls(AmazonS3Builder::new())
        .with_endpoint(server.url())
        .with_allow_http(true)
        .with_bucket_name("bucket")
        .with_access_key_id("any")
        .with_secret_access_key("any")
        .with_retry(no_retries())
        .build()
        .expect("a client");
    wait(async {
        let path = Path::from("a");
        let mut upload = client.put_multipart(&path).await.expect("begun");
        upload.put_part(vec![1; 5 << 20].into()).await.expect("a part");
        upload.put_part("end".into()).await.expect("a part");
        upload.complete().await.expect("completed");
        assert_eq!(client.head(&path).await.expect("the object").size, (5 << 20) + 3);
    });
}
