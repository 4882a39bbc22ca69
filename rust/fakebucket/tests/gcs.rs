//! Google's interfaces: JSON as plain requests see it, XML as the `object_store` crate does.

mod support;

use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt};
use object_store::gcp::{GcpCredential, GoogleCloudStorage, GoogleCloudStorageBuilder};
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, StaticCredentialProvider};
use regsweep_fakebucket::bucket::Versioning;
use regsweep_fakebucket::{Dialect, Operation, Server};
use serde_json::Value;
use support::{Raw, fault, fill, has, listed, no_retries, put, raw, server, wait};

fn client(server: &Server) -> GoogleCloudStorage {
    let credential = GcpCredential { bearer: "any".to_owned() };
    support::without_tls(GoogleCloudStorageBuilder::new())
        .with_base_url(&server.url())
        .with_credentials(Arc::new(StaticCredentialProvider::new(credential)))
        .with_bucket_name("bucket")
        .with_client_options(object_store::ClientOptions::new().with_allow_http(true))
        .with_retry(no_retries())
        .build()
        .expect("a client")
}

fn json(answer: &Raw) -> Value {
    serde_json::from_str(&answer.body).expect("JSON")
}

fn list(server: &Server, query: &str) -> Value {
    json(&raw(server, &format!("GET /storage/v1/b/bucket/o?{query}"), &[], b""))
}

fn names(page: &Value) -> Vec<&str> {
    page["items"].as_array().into_iter().flatten().filter_map(|item| item["name"].as_str()).collect()
}

#[test]
fn the_xml_interface_lists_in_pages() {
    let server = server();
    let keys = fill(&server, 2_600);
    assert_eq!(listed(&client(&server), None).expect("a listing"), keys);
    assert_eq!(server.journal().count(Dialect::GcsXml, Operation::List), 3);
    let offset = Path::from(keys[2_500].as_str());
    let rest: Vec<_> = wait(client(&server).list_with_offset(None, &offset).try_collect()).expect("a listing");
    assert_eq!(rest.len(), 99);
    let directories = wait(client(&server).list_with_delimiter(None)).expect("a listing").common_prefixes;
    assert_eq!(directories, [Path::from("objects")]);
}

#[test]
fn the_xml_interface_puts_reads_copies_and_deletes() {
    let server = server();
    let client = client(&server);
    let (path, copy) = (Path::from("a key/ü"), Path::from("copy"));
    wait(async {
        let put = client.put_opts(&path, "content".into(), PutMode::Create.into()).await.expect("created");
        assert!(put.version.is_some());
        let again = client.put_opts(&path, "other".into(), PutMode::Create.into()).await;
        assert!(matches!(again, Err(Error::AlreadyExists { .. })));
        assert_eq!(client.get(&path).await.expect("got").bytes().await.expect("bytes"), "content");
        client.copy(&path, &copy).await.expect("copied");
        let onto = client.copy_if_not_exists(&path, &copy).await;
        assert!(matches!(onto, Err(Error::AlreadyExists { .. })));
        client.delete(&path).await.expect("deleted");
        assert!(matches!(client.head(&path).await, Err(Error::NotFound { .. })));
        assert_eq!(client.head(&copy).await.expect("the copy").size, 7);
    });
}

#[test]
fn the_xml_interface_deletes_one_by_one() {
    let server = server();
    let keys = fill(&server, 50);
    let client = client(&server);
    let paths: Vec<_> = keys.iter().map(|key| Ok(Path::from(key.as_str()))).collect();
    let deleted: Vec<Path> =
        wait(client.delete_stream(futures_util::stream::iter(paths).boxed()).try_collect()).expect("deleted");
    assert_eq!(deleted.len(), 50);
    assert_eq!(server.journal().count(Dialect::GcsXml, Operation::Delete), 50);
}

#[test]
fn json_lists_in_pages_between_offsets() {
    let server = server();
    let keys = fill(&server, 2_600);
    let (mut found, mut page) = (Vec::new(), list(&server, ""));
    loop {
        found.extend(names(&page).into_iter().map(str::to_owned));
        let Some(token) = page["nextPageToken"].as_str() else { break };
        page = list(&server, &format!("pageToken={token}"));
    }
    assert_eq!(found, keys);
    let part = list(&server, &format!("startOffset={}&endOffset={}", keys[5], keys[9]));
    assert_eq!(names(&part), keys[5..9]);
    assert_eq!(names(&list(&server, "maxResults=2")).len(), 2);
    assert_eq!(names(&list(&server, "startOffset=&endOffset=&pageToken=")).len(), 1000);
}

#[test]
fn json_says_what_is_known_of_an_object() {
    let server = server();
    for key in ["a/1", "a/2", "b\"ü"] {
        put(&server, key);
    }
    let page = list(&server, "delimiter=/&fields=items(name)");
    assert_eq!(page["prefixes"], serde_json::json!(["a/"]));
    let item = &page["items"][0];
    assert_eq!((&item["name"], &item["size"]), (&"b\"ü".into(), &"4".into()));
    for field in ["updated", "timeCreated", "md5Hash", "contentType", "generation", "etag"] {
        assert!(item[field].is_string(), "{field}");
    }
    let one = raw(&server, "GET /storage/v1/b/bucket/o/b%22%C3%BC", &[], b"");
    assert_eq!(&json(&one), item);
    let media = raw(&server, "GET /download/storage/v1/b/bucket/o/a%2F1?alt=media", &["Range: bytes=1-"], b"");
    assert_eq!((media.status, media.body.as_str()), (206, "/1"));
    assert!(media.header("x-goog-generation").is_some());
}

#[test]
fn json_uploads_in_two_ways_under_conditions() {
    let server = server();
    let upload = |query: &str, content_type: &str, body: &str| {
        let line = format!("POST /upload/storage/v1/b/bucket/o?{query}");
        raw(&server, &line, &[&format!("Content-Type: {content_type}")], body.as_bytes())
    };
    let media = upload("uploadType=media&name=a%2Fb&ifGenerationMatch=0", "text/plain", "content");
    assert_eq!((&json(&media)["name"], &json(&media)["contentType"]), (&"a/b".into(), &"text/plain".into()));
    assert_eq!(upload("uploadType=media&name=a%2Fb&ifGenerationMatch=0", "text/plain", "other").status, 412);
    let parts = "--x\r\nContent-Type: application/json\r\n\r\n{\"name\": \"c\", \"contentType\": \"d/e\", \"metadata\": {\"f\": \"g\"}}\
                 \r\n--x\r\nContent-Type: text/plain\r\n\r\ncontent\r\n--x--\r\n";
    let multipart = json(&upload("uploadType=multipart", "multipart/related; boundary=x", parts));
    assert_eq!((&multipart["name"], &multipart["contentType"]), (&"c".into(), &"d/e".into()));
    assert_eq!((&multipart["size"], &multipart["metadata"]["f"]), (&"7".into(), &"g".into()));
    assert_eq!(upload("uploadType=resumable&name=a", "text/plain", "").status, 501);
}

#[test]
fn json_copies_and_rewrites() {
    let server = server();
    put(&server, "a/b");
    let rewritten = raw(&server, "POST /storage/v1/b/bucket/o/a%2Fb/rewriteTo/b/bucket/o/c%2Fd", &[], b"");
    assert_eq!((&json(&rewritten)["done"], &json(&rewritten)["resource"]["name"]), (&true.into(), &"c/d".into()));
    let copied = raw(&server, "POST /storage/v1/b/bucket/o/a%2Fb/copyTo/b/bucket/o/e?ifGenerationMatch=0", &[], b"");
    assert_eq!(json(&copied)["name"], "e");
    let again = raw(&server, "POST /storage/v1/b/bucket/o/a%2Fb/copyTo/b/bucket/o/e?ifGenerationMatch=0", &[], b"");
    assert_eq!(again.status, 412);
    assert_eq!(names(&list(&server, "")), ["a/b", "c/d", "e"]);
}

/// The answers of a batch of deletions, by status.
fn batch(server: &Server, keys: &[&str]) -> (u16, Vec<u16>) {
    use std::fmt::Write;
    let mut body = String::new();
    for (number, key) in keys.iter().enumerate() {
        write!(
            body,
            "--b\r\nContent-Type: application/http\r\nContent-ID: <x+{number}>\r\n\r\n\
             DELETE /storage/v1/b/bucket/o/{key} HTTP/1.1\r\nContent-Length: 0\r\n\r\n\r\n"
        )
        .expect("a string takes all");
    }
    body.push_str("--b--\r\n");
    let answer = raw(server, "POST /batch/storage/v1", &["Content-Type: multipart/mixed; boundary=b"], body.as_bytes());
    let statuses =
        answer.body.lines().filter_map(|line| line.strip_prefix("HTTP/1.1 ")?.split(' ').next()?.parse().ok());
    if answer.status == 200 {
        assert!(answer.body.contains("Content-ID: <response-x+0>"));
    }
    (answer.status, statuses.collect())
}

#[test]
fn json_deletes_in_batches_of_a_hundred() {
    let server = server();
    put(&server, "a");
    put(&server, "b");
    fault(
        &server,
        r#"{"match": {"operation": "batch"}, "action": {"per_key_error": {"code": "SlowDown", "keys_contain": "b"}}}"#,
    );
    fault(&server, r#"{"match": {"operation": "delete", "key_contains": "c"}, "action": {"status": 429}}"#);
    assert_eq!(batch(&server, &["a", "b", "c", "none"]), (200, vec![204, 503, 429, 404]));
    assert!(!has(&server.buckets().get("bucket").expect("the bucket"), "a"));
    assert_eq!(batch(&server, &["x"; 101]).0, 400);
    assert_eq!(server.journal().count(Dialect::Gcs, Operation::BatchPart), 4);
    assert_eq!(server.journal().counts()["gcs.batch"], 2);
}

#[test]
fn older_generations_are_kept_and_deleted() {
    let server = server();
    server.buckets().get_or_create("bucket").write().versioning = Versioning::Enabled;
    put(&server, "a");
    put(&server, "a");
    assert_eq!(raw(&server, "DELETE /storage/v1/b/bucket/o/a", &[], b"").status, 204);
    assert_eq!(raw(&server, "GET /storage/v1/b/bucket/o/a", &[], b"").status, 404);
    let all = list(&server, "versions=true");
    assert_eq!(names(&all), ["a", "a"]);
    let generation = all["items"][1]["generation"].as_str().expect("a generation").to_owned();
    assert!(all["items"][1]["timeDeleted"].is_string());
    let old =
        |method: &str| raw(&server, &format!("{method} /storage/v1/b/bucket/o/a?generation={generation}"), &[], b"");
    assert_eq!((old("GET").status, old("DELETE").status, old("GET").status), (200, 204, 404));
    assert_eq!(names(&list(&server, "versions=true")), ["a"]);
    assert_eq!(json(&raw(&server, "GET /storage/v1/b/bucket", &[], b""))["versioning"]["enabled"], true);
}

#[test]
fn a_deleted_generation_does_not_bring_back_an_older_one() {
    let server = server();
    server.buckets().get_or_create("bucket").write().versioning = Versioning::Enabled;
    put(&server, "a");
    put(&server, "a");
    let current = json(&raw(&server, "GET /storage/v1/b/bucket/o/a", &[], b""));
    let generation = current["generation"].as_str().expect("a generation");
    let delete = format!("DELETE /storage/v1/b/bucket/o/a?generation={generation}");
    assert_eq!(raw(&server, &delete, &[], b"").status, 204);
    assert_eq!(raw(&server, "GET /storage/v1/b/bucket/o/a", &[], b"").status, 404);
    assert_eq!(names(&list(&server, "versions=true")), ["a"]);
}

#[test]
fn json_errors_have_reasons() {
    let server = server();
    fill(&server, 3);
    fault(&server, r#"{"match": {"operation": "list", "nth": 1}, "action": {"status": 503}}"#);
    fault(&server, r#"{"match": {"operation": "list", "nth": 2}, "action": {"expired_token": true}}"#);
    fault(&server, r#"{"match": {"operation": "list", "nth": 3}, "action": {"slow_down_in_200": true}}"#);
    fault(&server, r#"{"match": {"operation": "list", "nth": 4}, "action": {"truncated_page": true}}"#);
    let list = || raw(&server, "GET /storage/v1/b/bucket/o", &[], b"");
    for (status, reason) in [(503, "backendError"), (401, "authError"), (200, "backendError")] {
        let answer = list();
        assert_eq!((answer.status, &json(&answer)["error"]["errors"][0]["reason"]), (status, &reason.into()));
    }
    assert!(serde_json::from_str::<Value>(&list().body).is_err());
    assert_eq!(json(&raw(&server, "GET /storage/v1/b/none/o", &[], b""))["error"]["code"], 404);
    assert_eq!(json(&raw(&server, "POST /token", &[], b"grant_type=x"))["access_token"], "t");
}

#[test]
fn buckets_are_made_and_removed() {
    let server = server();
    assert_eq!(raw(&server, "POST /storage/v1/b?project=p", &[], br#"{"name": "other"}"#).status, 200);
    assert_eq!(raw(&server, "POST /storage/v1/b?project=p", &[], br#"{"name": "other"}"#).status, 409);
    let enable = raw(&server, "PATCH /storage/v1/b/other", &[], br#"{"versioning": {"enabled": true}}"#);
    assert_eq!(json(&enable)["versioning"]["enabled"], true);
    let buckets = json(&raw(&server, "GET /storage/v1/b?project=p", &[], b""));
    assert_eq!(buckets["items"].as_array().map(Vec::len), Some(2));
    assert_eq!(raw(&server, "DELETE /storage/v1/b/other", &[], b"").status, 204);
    assert_eq!(raw(&server, "GET /storage/v1/b/other", &[], b"").status, 404);
}
