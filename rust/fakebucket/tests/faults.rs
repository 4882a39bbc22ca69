//! Every fault, seen from outside.

mod support;

use support::{fault, fill, has, put, raw, server, try_raw};

const LIST: &str = "GET /bucket?list-type=2";

#[test]
fn a_status_is_answered_and_nothing_done() {
    let server = server();
    fault(&server, r#"{"match": {"operation": "put", "nth": 1}, "action": {"status": 503}}"#);
    fault(&server, r#"{"match": {"operation": "put", "nth": 2}, "action": {"status": 500, "code": "Odd"}}"#);
    let put = || raw(&server, "PUT /bucket/a", &[], b"content");
    assert_eq!((put().elements("Code"), put().elements("Code")), (vec!["SlowDown".to_owned()], vec!["Odd".to_owned()]));
    assert!(!has(&server.buckets().get("bucket").expect("the bucket"), "a"));
    assert_eq!(put().status, 200);
    assert_eq!(server.faults().all()[0].struck, 1);
}

#[test]
fn a_body_breaks_off() {
    let server = server();
    put(&server, "objects/00000");
    fault(&server, r#"{"match": {"operation": "get"}, "action": {"truncate_body": 4}}"#);
    let got = raw(&server, "GET /bucket/objects/00000", &[], b"");
    assert_eq!((got.status, got.body.as_str(), got.is_whole), (200, "obje", false));
}

#[test]
fn a_page_says_that_it_is_not_the_last_and_not_how_to_go_on() {
    let server = server();
    fill(&server, 1_200);
    fault(&server, r#"{"match": {"operation": "list"}, "action": {"truncated_page": true}}"#);
    let page = raw(&server, LIST, &[], b"");
    assert_eq!(
        (page.elements("IsTruncated"), page.elements("NextContinuationToken").len()),
        (vec!["true".to_owned()], 0)
    );
}

#[test]
fn a_page_ends_early() {
    let server = server();
    fill(&server, 10);
    fault(&server, r#"{"match": {"operation": "list"}, "action": {"truncated_page": "cut"}}"#);
    let page = raw(&server, LIST, &[], b"");
    assert!(page.is_whole && !page.body.contains("</ListBucketResult>"));
}

#[test]
fn single_keys_of_a_bulk_deletion_fail() {
    let server = server();
    let bucket = server.buckets().get("bucket").expect("the bucket");
    put(&server, "a");
    put(&server, "b");
    fault(&server, r#"{"action": {"per_key_error": {"code": "AccessDenied", "keys_contain": "b"}}}"#);
    let body = b"<Delete><Object><Key>a</Key></Object><Object><Key>b</Key></Object></Delete>";
    let answer = raw(&server, "POST /bucket?delete", &["x-amz-checksum-crc32: AAAAAA=="], body);
    assert_eq!((answer.status, answer.elements("Code")), (200, vec!["AccessDenied".to_owned()]));
    assert_eq!(answer.elements("Deleted"), ["<Key>a</Key>"]);
    assert_eq!((has(&bucket, "a"), has(&bucket, "b")), (false, true));
}

#[test]
fn an_error_comes_with_status_200() {
    let server = server();
    put(&server, "a");
    fault(&server, r#"{"match": {"operation": "copy"}, "action": {"slow_down_in_200": true}}"#);
    let answer = raw(&server, "PUT /bucket/b", &["x-amz-copy-source: /bucket/a"], b"");
    assert_eq!((answer.status, answer.elements("Code")), (200, vec!["SlowDown".to_owned()]));
    assert!(!has(&server.buckets().get("bucket").expect("the bucket"), "b"));
}

#[test]
fn credentials_expire() {
    let server = server();
    fault(&server, r#"{"match": {"times": 1}, "action": {"expired_token": true}}"#);
    let answer = raw(&server, LIST, &[], b"");
    assert_eq!((answer.status, answer.elements("Code")), (403, vec!["ExpiredToken".to_owned()]));
    assert_eq!(raw(&server, LIST, &[], b"").status, 200);
}

#[test]
fn answers_and_bodies_are_late_and_whole() {
    let server = server();
    put(&server, "a");
    fault(&server, r#"{"action": {"delay_ms": 5, "slow_body_ms": 5}}"#);
    let got = raw(&server, "GET /bucket/a", &[], b"");
    assert_eq!((got.body.as_str(), got.is_whole), ("a", true));
}

#[test]
fn a_listing_shows_another_etag() {
    let server = server();
    put(&server, "a");
    put(&server, "b");
    let before = raw(&server, LIST, &[], b"").elements("ETag");
    fault(&server, r#"{"match": {"key_contains": "b"}, "action": {"wrong_etag": true}}"#);
    let after = raw(&server, LIST, &[], b"").elements("ETag");
    assert_eq!((before[0] == after[0], before[1] == after[1]), (true, false));
    let etag = raw(&server, "GET /bucket/b", &[], b"").header("etag").expect("an ETag").trim_matches('"').to_owned();
    assert_eq!(before[1], format!("&quot;{etag}&quot;"));
}

#[test]
fn an_answer_is_lost_after_the_deed() {
    let server = server();
    fault(&server, r#"{"match": {"operation": "put"}, "action": {"lose_response": true}}"#);
    assert!(try_raw(&server, "PUT /bucket/a", &[], b"content").is_none());
    assert!(has(&server.buckets().get("bucket").expect("the bucket"), "a"));
    assert_eq!(server.journal().records()[0].status, 0);
}

#[test]
fn what_is_there_is_said_not_to_be() {
    let server = server();
    put(&server, "a");
    fault(&server, r#"{"match": {"key_contains": "a", "operation": "get"}, "action": {"vanish": true}}"#);
    let answer = raw(&server, "GET /bucket/a", &[], b"");
    assert_eq!((answer.status, answer.elements("Code")), (404, vec!["NoSuchKey".to_owned()]));
    assert_eq!(raw(&server, "HEAD /bucket/a", &[], b"").status, 200);
}

#[test]
fn a_listing_leaves_keys_out() {
    let server = server();
    fill(&server, 3);
    fault(&server, r#"{"match": {"key_contains": "00001"}, "action": {"omit_from_listing": true}}"#);
    assert_eq!(raw(&server, LIST, &[], b"").elements("Key"), ["objects/00000", "objects/00002"]);
}

#[test]
fn too_many_requests_are_told_to_slow_down() {
    let server = server();
    let limits = r#"{"requests_per_second": 1, "latency_ms": 1}"#;
    assert_eq!(raw(&server, "PUT /_control/throttle", &[], limits.as_bytes()).status, 204);
    assert_eq!(raw(&server, LIST, &[], b"").status, 200);
    let refused = (0..20).map(|_| raw(&server, LIST, &[], b"")).find(|answer| answer.status == 503);
    assert_eq!(refused.expect("one too many").elements("Code"), ["SlowDown"]);
}
