//! Versions in the S3 interface.

mod support;

use regsweep_fakebucket::Server;
use support::{Raw, has, put, raw, server};

fn set_versioning(server: &Server, status: &str) {
    let body = format!("<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>");
    assert_eq!(raw(server, "PUT /bucket?versioning", &[], body.as_bytes()).status, 200);
}

fn versioned() -> Server {
    let server = server();
    put(&server, "a");
    set_versioning(&server, "Enabled");
    for key in ["a", "a", "b"] {
        put(&server, key);
    }
    server
}

fn versions(server: &Server, query: &str) -> Raw {
    raw(server, &format!("GET /bucket?versions&{query}"), &[], b"")
}

#[test]
fn a_bucket_says_whether_it_keeps_versions() {
    let server = server();
    let status = || raw(&server, "GET /bucket?versioning", &[], b"").elements("Status");
    assert!(status().is_empty());
    set_versioning(&server, "Enabled");
    assert_eq!(status(), ["Enabled"]);
    assert_eq!(raw(&server, "PUT /_control/buckets/bucket?versioning=false", &[], b"").status, 204);
    assert_eq!(status(), ["Suspended"]);
}

#[test]
fn all_versions_are_listed_newest_first() {
    let server = versioned();
    let all = versions(&server, "");
    assert_eq!(all.elements("Key"), ["a", "a", "a", "b"]);
    assert_eq!(all.elements("IsLatest"), ["true", "false", "false", "true"]);
    assert_eq!(all.elements("VersionId")[2], "null");

    let (mut found, mut query) = (Vec::new(), "max-keys=1".to_owned());
    loop {
        let page = versions(&server, &query);
        found.extend(page.elements("VersionId"));
        let Some(key) = page.elements("NextKeyMarker").pop() else { break };
        let id = page.elements("NextVersionIdMarker").remove(0);
        query = format!("max-keys=1&key-marker={key}&version-id-marker={id}");
    }
    assert_eq!(found, all.elements("VersionId"));
    assert_eq!(versions(&server, "key-marker=a").elements("Key"), ["b"]);
    assert_eq!(versions(&server, "version-id-marker=null").status, 400);
}

#[test]
fn a_deletion_leaves_a_marker_that_can_be_deleted() {
    let server = versioned();
    let deleted = raw(&server, "DELETE /bucket/a", &[], b"");
    let marker = deleted.header("x-amz-version-id").expect("a marker").to_owned();
    assert_eq!(deleted.header("x-amz-delete-marker"), Some("true"));
    let gone = raw(&server, "GET /bucket/a", &[], b"");
    assert_eq!((gone.status, gone.header("x-amz-delete-marker")), (404, Some("true")));
    assert_eq!(raw(&server, &format!("GET /bucket/a?versionId={marker}"), &[], b"").status, 405);
    assert_eq!(versions(&server, "").elements("DeleteMarker").len(), 1);
    assert_eq!(raw(&server, &format!("DELETE /bucket/a?versionId={marker}"), &[], b"").status, 204);
    assert!(has(&server.buckets().get("bucket").expect("the bucket"), "a"));
}

#[test]
fn versions_are_read_copied_and_deleted_by_id() {
    let server = versioned();
    let id = versions(&server, "").elements("VersionId")[1].clone();
    assert_eq!(
        raw(&server, &format!("GET /bucket/a?versionId={id}"), &[], b"").header("x-amz-version-id"),
        Some(id.as_str())
    );
    let source = format!("x-amz-copy-source: /bucket/a?versionId={id}");
    assert_eq!(raw(&server, "PUT /bucket/a", &[&source], b"").status, 200);
    let body = format!(
        "<Delete><Object><Key>a</Key><VersionId>{id}</VersionId></Object><Object><Key>b</Key></Object></Delete>"
    );
    let deleted = raw(&server, "POST /bucket?delete", &["x-amz-checksum-crc32: AAAAAA=="], body.as_bytes());
    assert_eq!((deleted.elements("VersionId"), deleted.elements("DeleteMarker").len()), (vec![id.clone()], 1));
    assert_eq!(raw(&server, &format!("GET /bucket/a?versionId={id}"), &[], b"").elements("Code"), ["NoSuchVersion"]);
    assert_eq!(raw(&server, "GET /bucket/a?versionId=null", &[], b"").status, 200);
}
