//! Made-up buckets, seen from outside.

mod support;

use support::{Raw, raw, server};

fn make_up(server: &regsweep_fakebucket::Server) {
    let body =
        br#"{"bucket": "made-up", "made_up": {"blobs": 3000, "repositories": 10, "layer_links_per_repository": 30,
        "revisions_per_repository": 4, "tags_per_repository": 2, "root": "x", "seed": 1,
        "last_modified": "2026-11-23T07:35:32Z"}}"#;
    assert_eq!(raw(server, "POST /_control/buckets", &[], body).body, r#"{"keys":3380}"#);
}

fn list(server: &regsweep_fakebucket::Server, query: &str) -> Raw {
    raw(server, &format!("GET /made-up?list-type=2&{query}"), &[], b"")
}

#[test]
fn all_keys_come_in_pages() {
    let server = server();
    make_up(&server);
    let mut keys = Vec::new();
    let mut page = list(&server, "");
    loop {
        keys.extend(page.elements("Key"));
        let Some(token) = page.elements("NextContinuationToken").pop() else { break };
        page = list(&server, &format!("continuation-token={token}"));
    }
    assert_eq!(keys.len(), 3380);
    assert!(keys.is_sorted() && keys.iter().all(|key| key.starts_with("x/docker/registry/v2/")));
    assert_eq!(list(&server, &format!("start-after={}", keys[3000])).elements("Key"), keys[3001..]);
}

#[test]
fn a_delimiter_gives_directories() {
    let server = server();
    make_up(&server);
    let prefixes =
        |prefix: &str| list(&server, &format!("prefix=x/docker/registry/v2/{prefix}&delimiter=/")).elements("Prefix");
    assert_eq!(prefixes("blobs/sha256/").len(), 1 + 256);
    let repository = "x/docker/registry/v2/repositories/group-000000000/app-000000003/";
    let below = [repository.to_owned(), format!("{repository}_layers/"), format!("{repository}_manifests/")];
    assert_eq!(prefixes("repositories/group-000000000/app-000000003/"), below);
}

#[test]
fn links_are_read_and_nothing_is_written() {
    let server = server();
    make_up(&server);
    let links = list(&server, "prefix=x/docker/registry/v2/repositories/");
    let (key, etag) = (&links.elements("Key")[0], &links.elements("ETag")[0]);
    let link = raw(&server, &format!("GET /made-up/{key}"), &[], b"");
    assert!(link.body.starts_with("sha256:") && link.body.len() == 71);
    assert_eq!(link.header("etag").map(|etag| etag.replace('"', "&quot;")).as_ref(), Some(etag));
    let blob = list(&server, "max-keys=1").elements("Key").remove(0);
    assert_eq!(raw(&server, &format!("GET /made-up/{blob}"), &[], b"").status, 404);
    assert_eq!(raw(&server, "PUT /made-up/a", &[], b"").status, 403);
}
