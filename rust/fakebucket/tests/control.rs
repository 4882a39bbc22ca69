//! Filling and looking by HTTP.

mod support;

use support::{raw, server};

#[test]
fn a_bucket_is_made_filled_listed_and_removed() {
    let server = server();
    let status = |line: &str, body: &str| raw(&server, line, &[], body.as_bytes()).status;
    assert_eq!(status("PUT /_control/buckets/other", ""), 204);
    let lines = concat!(
        r#"{"key": "a", "content": "text", "last_modified": "2026-11-23T07:35:32Z"}"#,
        "\n",
        r#"{"key": "b", "content_base64": "AAE=", "etag": "abc-2", "content_type": "a/b"}"#,
    );
    assert_eq!(status("POST /_control/objects/other", lines), 200);
    let keys = raw(&server, "GET /_control/keys/other", &[], b"").body;
    let keys: Vec<serde_json::Value> = keys.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(keys[0]["last_modified"], "2026-11-23T07:35:32.000000Z");
    assert_eq!((&keys[1]["key"], &keys[1]["size"], &keys[1]["etag"]), (&"b".into(), &2.into(), &"abc-2".into()));
    assert_eq!(status("DELETE /_control/buckets/other", ""), 204);
    assert_eq!(status("GET /_control/keys/other", ""), 400);
}

#[test]
fn what_is_not_understood_is_refused() {
    let server = server();
    for (line, body) in [
        ("POST /_control/objects/bucket", r#"{"key": "a", "contents": "x"}"#),
        ("POST /_control/objects/bucket", r#"{"key": "a", "size": 1, "content": "x"}"#),
        ("POST /_control/objects/bucket", r#"{"key": "a", "last_modified": "yesterday"}"#),
        ("POST /_control/objects/none", ""),
        ("POST /_control/faults", r#"[{"action": {"stauts": 500}}]"#),
        ("POST /_control/faults", r#"[{"match": {"operation": "lits"}, "action": {"status": 500}}]"#),
        ("PUT /_control/throttle", r#"{"requests": 1}"#),
        ("PUT /_control/buckets/bucket?versioning=on", ""),
        ("GET /_control/anything", ""),
    ] {
        assert_eq!(raw(&server, line, &[], body.as_bytes()).status, 400, "{line} {body}");
    }
}

#[test]
fn a_directory_is_loaded_below_a_root() {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(directory.path().join("a")).expect("a directory");
    std::fs::write(directory.path().join("a/b"), "content").expect("a file");
    let server = server();
    let body = serde_json::json!({"directory": directory.path(), "root": "/x/", "leading_slash": true}).to_string();
    assert_eq!(raw(&server, "POST /_control/load/bucket", &[], body.as_bytes()).body, r#"{"objects":1}"#);
    assert_eq!(raw(&server, "GET /bucket//x/a/b", &[], b"").body, "content");
}

#[test]
fn requests_are_counted_by_name() {
    let server = server();
    raw(&server, "GET /bucket?list-type=2&prefix=a", &[], b"");
    raw(&server, "GET /bucket/none", &[], b"");
    assert_eq!(raw(&server, "GET /_control/counts", &[], b"").body, r#"{"s3.get":1,"s3.list":1}"#);
    let requests = r#"[["s3.list","bucket","a",200],["s3.get","bucket","none",404]]"#;
    assert_eq!(raw(&server, "GET /_control/requests", &[], b"").body, requests);
    assert_eq!(raw(&server, "GET /_control/concurrency", &[], b"").body, r#"{"most_in_flight":1}"#);
    assert_eq!(raw(&server, "PUT /_control/recording?on=false", &[], b"").status, 204);
    assert_eq!(raw(&server, "DELETE /_control/counts", &[], b"").status, 204);
    raw(&server, "GET /bucket/none", &[], b"");
    assert_eq!(raw(&server, "GET /_control/requests", &[], b"").body, "[]");
}
