//! `DeleteObject` and `DeleteObjects`.

use super::object::body;
use super::xml;
use crate::answer::Answer;
use crate::bucket::{Buckets, Contents, Deletion};
use crate::checksum;
use crate::faults::Strikes;
use crate::moment::Moment;
use crate::operation::{Call, Dialect};
use crate::refusal::Refusal;
use crate::request::Request;
use crate::text::push_element;
use crate::xml::{Tag, read};

/// Keys in a bulk deletion at most.
const MOST_KEYS: usize = 1000;

fn delete(buckets: &Buckets, contents: &mut Contents, key: &[u8], version_id: Option<&str>) -> Option<Deletion> {
    match version_id {
        Some(id) => contents.delete_version(key, |version| version.has_id(id)),
        None => contents.delete(key, Moment::now(), buckets.next_number()),
    }
}

/// Deletes one key. That there is none is no error, except with Google.
pub(super) fn one(
    buckets: &Buckets,
    contents: &mut Contents,
    request: &Request,
    call: &Call,
) -> Result<Answer, Refusal> {
    let version_id = request.parameters.text("versionId");
    let deletion = delete(buckets, contents, &call.key, version_id);
    if deletion.is_none() && call.dialect == Dialect::GcsXml {
        return Err(Refusal::NoKey);
    }
    let mut answer = Answer::new(204);
    if let Some(Deletion { version, marked }) = deletion {
        if version.object.is_none() {
            answer = answer.header("x-amz-delete-marker", "true");
        }
        if marked || version_id.is_some() {
            answer = answer.header("x-amz-version-id", &version.id());
        }
    } else if let Some(id) = version_id {
        answer = answer.header("x-amz-version-id", id);
    }
    Ok(answer)
}

/// What a bulk deletion asks for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wanted {
    keys: Vec<(String, Option<String>)>,
    is_quiet: bool,
}

impl Wanted {
    fn parse(body: &[u8]) -> Option<Self> {
        let mut wanted = Self::default();
        let (mut key, mut version_id) = (None, None);
        read(body, |tag| {
            match tag {
                Tag::Open("Object") => (key, version_id) = (None, None),
                Tag::Close("Key", text) => key = Some(text.to_owned()),
                Tag::Close("VersionId", text) => version_id = Some(text.to_owned()).filter(|id| !id.is_empty()),
                Tag::Close("Object", _) => wanted.keys.push((key.take()?, version_id.take())),
                Tag::Close("Quiet", text) => wanted.is_quiet = text.trim() == "true",
                Tag::Open(_) | Tag::Close(..) => {}
            }
            Some(())
        })?;
        let is_valid =
            (1..=MOST_KEYS).contains(&wanted.keys.len()) && wanted.keys.iter().all(|(key, _)| !key.is_empty());
        is_valid.then_some(wanted)
    }
}

/// How many keys a bulk deletion has, more or less: without reading it properly.
pub(crate) fn key_count(body: &[u8]) -> usize {
    body.windows(5).filter(|window| window == b"<Key>").count()
}

/// Deletes many keys, with a result for each.
pub(super) fn many(
    buckets: &Buckets,
    contents: &mut Contents,
    request: &Request,
    strikes: &Strikes,
) -> Result<Answer, Refusal> {
    if !checksum::has_any(request) {
        return Err(Refusal::other(400, "InvalidRequest", "Missing required header for this request: Content-MD5"));
    }
    let body = body(request)?;
    let malformed = "The XML you provided was not well-formed or did not validate against our published schema";
    let wanted = Wanted::parse(&body).ok_or_else(|| Refusal::other(400, "MalformedXML", malformed))?;
    Ok(xml(200, "DeleteResult", |body| {
        for (key, version_id) in &wanted.keys {
            if let Some(error) = strikes.key_error(key.as_bytes()) {
                body.extend_from_slice(b"<Error>");
                push_element(body, "Key", key.as_bytes());
                push_version_id(body, version_id.as_deref());
                push_element(body, "Code", error.code.as_bytes());
                push_element(body, "Message", message(&error.code).as_bytes());
                body.extend_from_slice(b"</Error>");
                continue;
            }
            let deletion = delete(buckets, contents, key.as_bytes(), version_id.as_deref());
            if !wanted.is_quiet {
                body.extend_from_slice(b"<Deleted>");
                push_element(body, "Key", key.as_bytes());
                push_version_id(body, version_id.as_deref());
                if let Some(Deletion { version, .. }) = deletion
                    && version.object.is_none()
                {
                    push_element(body, "DeleteMarker", b"true");
                    push_element(body, "DeleteMarkerVersionId", version.id().as_bytes());
                }
                body.extend_from_slice(b"</Deleted>");
            }
        }
    }))
}

fn push_version_id(body: &mut Vec<u8>, version_id: Option<&str>) {
    if let Some(id) = version_id {
        push_element(body, "VersionId", id.as_bytes());
    }
}

fn message(code: &str) -> &'static str {
    match code {
        "AccessDenied" => "Access Denied",
        "SlowDown" => "Please reduce your request rate.",
        _ => "We encountered an internal error. Please try again.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bulk_deletion_has_keys_and_versions() {
        let body = b"<Delete xmlns='x'><Quiet>true</Quiet><Object><Key>a &amp;b</Key></Object>\
                     <Object><Key>c</Key><VersionId>null</VersionId></Object></Delete>";
        let keys = vec![("a &b".to_owned(), None), ("c".to_owned(), Some("null".to_owned()))];
        assert_eq!(Wanted::parse(body), Some(Wanted { keys, is_quiet: true }));
    }

    #[test]
    fn a_bulk_deletion_has_one_to_a_thousand_keys() {
        let body = |count| format!("<Delete>{}</Delete>", "<Object><Key>a</Key></Object>".repeat(count)).into_bytes();
        assert!(Wanted::parse(&body(1000)).is_some());
        assert_eq!(key_count(&body(1000)), 1000);
        for count in [0, 1001] {
            assert_eq!(Wanted::parse(&body(count)), None, "{count}");
        }
        assert_eq!(Wanted::parse(b"<Delete><Object><VersionId>1</VersionId></Object></Delete>"), None);
    }
}
