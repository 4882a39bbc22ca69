//! Objects and buckets as JSON.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::bucket::{Bucket, Versioning};
use crate::listing::Listed;
use crate::moment::{Moment, Writer};
use crate::object::md5_of;
use crate::refusal::Refusal;
use crate::request::Request;
use crate::text::{push_json, push_number};

/// What an object without one is said to be.
pub(super) const DEFAULT_CONTENT_TYPE: &str = "application/octet-stream";

/// Writes objects one after another.
pub(super) struct ObjectWriter {
    bucket: Vec<u8>,
    times: Writer,
}

impl ObjectWriter {
    pub(super) fn new(bucket: &str) -> Self {
        let mut escaped = Vec::new();
        push_json(&mut escaped, bucket.as_bytes());
        Self { bucket: escaped, times: Writer::new(|moment| moment.rfc3339(3)) }
    }

    /// `deleted`: when it was written over or deleted, if it is no current version.
    pub(super) fn push(&mut self, out: &mut Vec<u8>, listed: &Listed<'_>, deleted: Option<Moment>) {
        out.extend_from_slice(br#"{"kind":"storage#object","name":""#);
        push_json(out, listed.key);
        out.extend_from_slice(br#"","bucket":""#);
        out.extend_from_slice(&self.bucket);
        out.extend_from_slice(br#"","generation":""#);
        push_number(out, listed.number);
        out.extend_from_slice(br#"","metageneration":"1","contentType":""#);
        push_json(out, listed.content_type.unwrap_or(DEFAULT_CONTENT_TYPE).as_bytes());
        out.extend_from_slice(br#"","storageClass":"STANDARD","size":""#);
        push_number(out, listed.size_bytes);
        if let Some(md5) = md5_of(listed.etag) {
            out.extend_from_slice(br#"","md5Hash":""#);
            push_base64(out, &md5);
        }
        out.extend_from_slice(br#"","etag":""#);
        push_base64(out, &listed.tag.to_be_bytes());
        for name in ["timeCreated", "updated"] {
            out.extend_from_slice(b"\",\"");
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b"\":\"");
            out.extend_from_slice(self.times.text(listed.modified));
        }
        if let Some(deleted) = deleted {
            out.extend_from_slice(format!("\",\"timeDeleted\":\"{}", deleted.rfc3339(3)).as_bytes());
        }
        out.push(b'"');
        if !listed.metadata.is_empty() {
            let metadata: serde_json::Map<String, Value> =
                listed.metadata.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
            out.extend_from_slice(format!(",\"metadata\":{}", Value::from(metadata)).as_bytes());
        }
        out.push(b'}');
    }
}

/// At most 16 bytes.
fn push_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    let mut text = [0; 24];
    let length = BASE64_STANDARD.encode_slice(bytes, &mut text).expect("16 bytes are 24 characters");
    out.extend_from_slice(&text[..length]);
}

/// An object by itself.
pub(super) fn object(bucket: &str, listed: &Listed<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    ObjectWriter::new(bucket).push(&mut out, listed, None);
    out
}

/// The entity tag that goes with [`ObjectWriter`]'s.
pub(super) fn etag(number: u64) -> String {
    BASE64_STANDARD.encode(number.to_be_bytes())
}

pub(super) fn bucket(name: &str, bucket: &Bucket) -> Value {
    json!({
        "kind": "storage#bucket",
        "id": name,
        "name": name,
        "location": "US",
        "storageClass": "STANDARD",
        "metageneration": "1",
        "timeCreated": "2026-01-01T00:00:00.000Z",
        "updated": "2026-01-01T00:00:00.000Z",
        "versioning": {"enabled": bucket.read().versioning == Versioning::Enabled},
    })
}

/// A body in JSON; nothing is an empty object.
pub(super) fn parse(body: &[u8]) -> Result<Value, Refusal> {
    if body.is_empty() {
        return Ok(json!({}));
    }
    serde_json::from_slice(body).map_err(|_| Refusal::other(400, "parseError", "Parse Error"))
}

/// The name of a bucket to be made.
pub(super) fn bucket_name(request: &Request) -> Option<String> {
    parse(&request.body).ok()?["name"].as_str().map(str::to_owned)
}
