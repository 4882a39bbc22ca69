//! `GetObject`, `HeadObject` and `PutObject`.

use bytes::Bytes;

use crate::answer::Answer;
use crate::bucket::{Buckets, Contents, Versioning};
use crate::moment::Moment;
use crate::object::{Object, Version};
use crate::operation::{Call, Dialect};
use crate::reading;
use crate::refusal::Refusal;
use crate::request::Request;
use crate::{checksum, chunked};

const DEFAULT_CONTENT_TYPE: &str = "binary/octet-stream";
/// What metadata's headers begin with.
const METADATA_PREFIX: &str = "x-amz-meta-";

/// The version that is asked for, which has an object.
pub(super) fn find(contents: &Contents, key: &[u8], version_id: Option<&str>) -> Result<Version, Refusal> {
    if let Some(id) = version_id {
        let version = contents.versions(key).iter().find(|version| version.has_id(id)).ok_or(Refusal::NoVersion)?;
        return if version.object.is_some() {
            Ok(version.clone())
        } else {
            Err(Refusal::IsMarker(version.clone().into()))
        };
    }
    contents.current(key).ok_or_else(|| match contents.newest(key) {
        Some(marker) => Refusal::Deleted(marker.clone().into()),
        None => Refusal::NoKey,
    })
}

/// The object in a version that was found to have one.
pub(super) fn object_of(version: &Version) -> Result<&Object, Refusal> {
    version.object.as_ref().ok_or(Refusal::NoKey)
}

pub(super) fn read(contents: &Contents, request: &Request, call: &Call) -> Result<Answer, Refusal> {
    let version = find(contents, &call.key, request.parameters.text("versionId"))?;
    let object = object_of(&version)?;
    let mut answer = reading::answer(request, &object.content, &object.etag, version.modified)?;
    answer = answer.header("content-type", object.content_type.as_deref().unwrap_or(DEFAULT_CONTENT_TYPE));
    for (name, value) in &object.metadata {
        answer = answer.header(&format!("{METADATA_PREFIX}{name}"), value);
    }
    Ok(with_version(answer, contents.versioning, &version, call.dialect))
}

/// Names the version in an answer, as each interface does.
pub(super) fn with_version(answer: Answer, versioning: Versioning, version: &Version, dialect: Dialect) -> Answer {
    if dialect == Dialect::GcsXml {
        let answer =
            answer.header("x-goog-generation", &version.number.to_string()).header("x-goog-metageneration", "1");
        let size = version.object.as_ref().map_or(0, |object| object.content.size_bytes());
        return answer.header("x-goog-stored-content-length", &size.to_string());
    }
    if versioning == Versioning::Off { answer } else { answer.header("x-amz-version-id", &version.id()) }
}

/// What is uploaded, checked as far as the request has checksums.
pub(super) fn body(request: &Request) -> Result<Bytes, Refusal> {
    let is_framed = request.header("x-amz-content-sha256").is_some_and(|value| value.starts_with("STREAMING-"));
    let body = if is_framed {
        let message = "The request body terminated unexpectedly";
        chunked::decode(&request.body).ok_or_else(|| Refusal::other(400, "IncompleteBody", message))?
    } else {
        request.body.clone()
    };
    checksum::check(request, &body)?;
    Ok(body)
}

/// The content type and metadata that a request gives.
pub(super) fn described(request: &Request, object: Object) -> Object {
    let content_type = request.header("content-type").map(str::to_owned);
    Object { content_type, metadata: request.headers_below(METADATA_PREFIX), ..object }
}

/// Refuses where a condition on what is there already does not hold.
pub(super) fn check_conditions(contents: &Contents, request: &Request, key: &[u8]) -> Result<(), Refusal> {
    let current = contents.current(key);
    let etag = current.as_ref().and_then(|version| version.object.as_ref()).map(|object| object.etag.as_str());
    if let Some(list) = request.header("if-none-match")
        && etag.is_some_and(|etag| reading::names(list, etag))
    {
        return Err(Refusal::Precondition);
    }
    if let Some(list) = request.header("if-match") {
        let etag = etag.ok_or(Refusal::NoKey)?;
        if !reading::names(list, etag) {
            return Err(Refusal::Precondition);
        }
    }
    if let Some(generation) = request.header("x-goog-if-generation-match") {
        let number = current.as_ref().map_or(0, |version| version.number);
        if generation != number.to_string() {
            return Err(Refusal::Precondition);
        }
    }
    Ok(())
}

pub(super) fn put(
    buckets: &Buckets,
    contents: &mut Contents,
    request: &Request,
    call: &Call,
) -> Result<Answer, Refusal> {
    let object = described(request, Object::new(body(request)?));
    check_conditions(contents, request, &call.key)?;
    let etag = format!("\"{}\"", object.etag);
    let version = contents.put(&call.key, object, Moment::now(), buckets.next_number());
    Ok(with_version(Answer::new(200).header("etag", &etag), contents.versioning, &version, call.dialect))
}
