//! `ListObjectVersions`, and what a bucket's versioning is set to.

use super::list::{Encoding, limit};
use super::xml;
use crate::answer::Answer;
use crate::bucket::{Contents, Versioning};
use crate::faults::{Strikes, TruncatedPage};
use crate::listing::{Query, Start};
use crate::object::Version;
use crate::operation::Call;
use crate::refusal::Refusal;
use crate::request::Request;
use crate::text::{push_element, push_number};
use crate::versions::{Item, Order, page};
use crate::xml::{Tag, read};

/// A page of versions and delete markers, newest first.
pub(super) fn versions(
    contents: &Contents,
    request: &Request,
    call: &Call,
    strikes: &Strikes,
) -> Result<Answer, Refusal> {
    let encoding = Encoding::of(request)?;
    let query = Query {
        prefix: call.key.clone(),
        delimiter: request.parameters.bytes_or_empty("delimiter"),
        start: start(contents, request)?,
        end: None,
        limit: limit(request)?,
    };
    let (mut versions, mut prefixes) = (Vec::new(), Vec::new());
    let end = page(contents, &query, Order::NewestFirst, true, strikes, |item| match item {
        Item::Version(key, version, is_latest) => push_version(&mut versions, encoding, key, version, is_latest),
        Item::Prefix(prefix) => {
            prefixes.extend_from_slice(b"<CommonPrefixes>");
            encoding.element(&mut prefixes, "Prefix", prefix);
            prefixes.extend_from_slice(b"</CommonPrefixes>");
        }
    });
    let is_truncated = end.next.is_some() || strikes.truncated_page == Some(TruncatedPage::NoToken);
    let next = end.next.filter(|_| strikes.truncated_page.is_none());
    Ok(xml(200, "ListVersionsResult", |body| {
        push_element(body, "Name", call.bucket.as_bytes());
        encoding.element(body, "Prefix", &query.prefix);
        encoding.element(body, "KeyMarker", request.parameters.bytes("key-marker").unwrap_or_default());
        push_element(body, "VersionIdMarker", request.parameters.bytes("version-id-marker").unwrap_or_default());
        match &next {
            Some(Start::AfterVersion(key, number)) => {
                encoding.element(body, "NextKeyMarker", key);
                let version = contents.versions(key).iter().find(|version| version.number == *number);
                push_element(
                    body,
                    "NextVersionIdMarker",
                    version.map_or_else(|| "null".to_owned(), Version::id).as_bytes(),
                );
            }
            Some(Start::AfterPrefix(prefix)) => encoding.element(body, "NextKeyMarker", prefix),
            _ => {}
        }
        push_element(body, "MaxKeys", query.limit.to_string().as_bytes());
        if !query.delimiter.is_empty() {
            encoding.element(body, "Delimiter", &query.delimiter);
        }
        if encoding == Encoding::Url {
            push_element(body, "EncodingType", b"url");
        }
        push_element(body, "IsTruncated", is_truncated.to_string().as_bytes());
        body.extend_from_slice(&versions);
        body.extend_from_slice(&prefixes);
    }))
}

/// Where the page starts: after a version, after all versions of a key, or after all below a common prefix.
fn start(contents: &Contents, request: &Request) -> Result<Start, Refusal> {
    let parameters = &request.parameters;
    let (key, id) = (parameters.bytes_or_empty("key-marker"), parameters.text("version-id-marker"));
    let delimiter = parameters.bytes_or_empty("delimiter");
    match id.filter(|id| !id.is_empty()) {
        Some(_) if key.is_empty() => {
            Err(Refusal::other(400, "InvalidArgument", "A version-id marker cannot be specified without a key marker."))
        }
        Some(id) => match contents.versions(&key).iter().find(|version| version.has_id(id)) {
            Some(version) => Ok(Start::AfterVersion(key, version.number)),
            // Deleted since, or of a made-up bucket, where a key has just one.
            None => match Version::number_of(id) {
                Some(number) => Ok(Start::AfterVersion(key, number)),
                None => Ok(Start::After(key)),
            },
        },
        None if key.is_empty() => Ok(Start::Beginning),
        None if !delimiter.is_empty() && key.ends_with(&delimiter) => Ok(Start::AfterPrefix(key)),
        None => Ok(Start::After(key)),
    }
}

fn push_version(out: &mut Vec<u8>, encoding: Encoding, key: &[u8], version: &Version, is_latest: bool) {
    let name = if version.object.is_some() { "Version" } else { "DeleteMarker" };
    out.extend_from_slice(format!("<{name}>").as_bytes());
    encoding.element(out, "Key", key);
    push_element(out, "VersionId", version.id().as_bytes());
    push_element(out, "IsLatest", is_latest.to_string().as_bytes());
    push_element(out, "LastModified", version.modified.whole_seconds().rfc3339(3).as_bytes());
    if let Some(object) = &version.object {
        push_element(out, "ETag", format!("\"{}\"", object.etag).as_bytes());
        out.extend_from_slice(b"<Size>");
        push_number(out, object.content.size_bytes());
        out.extend_from_slice(b"</Size><StorageClass>STANDARD</StorageClass>");
    }
    out.extend_from_slice(b"<Owner><ID>fakebucket</ID></Owner>");
    out.extend_from_slice(format!("</{name}>").as_bytes());
}

/// `GetBucketVersioning`.
pub(super) fn versioning(versioning: Versioning) -> Answer {
    xml(200, "VersioningConfiguration", |body| match versioning {
        Versioning::Off => {}
        Versioning::Enabled => push_element(body, "Status", b"Enabled"),
        Versioning::Suspended => push_element(body, "Status", b"Suspended"),
    })
}

/// `PutBucketVersioning`.
pub(super) fn set_versioning(contents: &mut Contents, request: &Request) -> Result<Answer, Refusal> {
    let mut wanted = None;
    let is_read = read(&request.body, |tag| {
        if let Tag::Close("Status", text) = tag {
            wanted = Some(match text.trim() {
                "Enabled" => Versioning::Enabled,
                "Suspended" => Versioning::Suspended,
                _ => return None,
            });
        }
        Some(())
    });
    let malformed = "The XML you provided was not well-formed or did not validate against our published schema";
    let wanted = is_read.and(wanted).ok_or_else(|| Refusal::other(400, "MalformedXML", malformed))?;
    contents.versioning = wanted;
    Ok(Answer::new(200))
}
