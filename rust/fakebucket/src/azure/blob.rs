//! `Get Blob`, `Get Blob Properties`, `Put Blob`, `Copy Blob` and `Delete Blob`.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::list::{DEFAULT_CONTENT_TYPE, version_id};
use super::{ACCOUNT, blob_type, etag};
use crate::answer::Answer;
use crate::bucket::{Buckets, Contents, Versioning};
use crate::checksum;
use crate::moment::Moment;
use crate::object::{Content, Object, Version};
use crate::operation::Call;
use crate::reading;
use crate::refusal::Refusal;
use crate::request::Request;

/// What metadata's headers begin with.
const METADATA_PREFIX: &str = "x-ms-meta-";

/// The current version, or the one that is asked for.
fn find(contents: &Contents, key: &[u8], id: Option<&str>) -> Result<Version, Refusal> {
    let Some(id) = id else { return contents.current(key).ok_or(Refusal::NoKey) };
    let mut versions = contents.versions(key).iter().filter(|version| version.object.is_some());
    versions.find(|version| version_id(version.number) == id).cloned().ok_or(Refusal::NoKey)
}

fn object_of(version: &Version) -> Result<&Object, Refusal> {
    version.object.as_ref().ok_or(Refusal::NoKey)
}

/// Names the version, where versions are kept.
fn with_version(answer: Answer, contents: &Contents, version: &Version) -> Answer {
    if contents.versioning == Versioning::Off {
        return answer;
    }
    answer.header("x-ms-version-id", &version_id(version.number))
}

pub(super) fn read(contents: &Contents, request: &Request, call: &Call) -> Result<Answer, Refusal> {
    let version = find(contents, &call.key, request.parameters.text("versionid"))?;
    let object = object_of(&version)?;
    let mut answer = reading::answer(request, &object.content, &etag(version.number), version.modified)?
        .header("content-type", object.content_type.as_deref().unwrap_or(DEFAULT_CONTENT_TYPE))
        .header("x-ms-blob-type", blob_type(object.is_append_blob))
        .header("x-ms-lease-status", "unlocked")
        .header("x-ms-lease-state", "available")
        .header("x-ms-creation-time", &version.modified.rfc1123());
    if let Some(md5) = object.md5() {
        // Of the whole blob, whatever range is asked for.
        let name = if answer.status.as_u16() == 206 { "x-ms-blob-content-md5" } else { "content-md5" };
        answer = answer.header(name, &BASE64_STANDARD.encode(md5));
    }
    for (name, value) in &object.metadata {
        answer = answer.header(&format!("{METADATA_PREFIX}{name}"), value);
    }
    Ok(with_version(answer, contents, &version))
}

/// The content type and metadata that a request gives.
pub(super) fn described(request: &Request, object: Object) -> Object {
    let content_type = request.header("x-ms-blob-content-type").or_else(|| request.header("content-type"));
    Object { content_type: content_type.map(str::to_owned), metadata: request.headers_below(METADATA_PREFIX), ..object }
}

/// Refuses where a condition on what is there already does not hold.
fn check_conditions(contents: &Contents, request: &Request, key: &[u8]) -> Result<(), Refusal> {
    let current = contents.current(key).map(|version| etag(version.number));
    if request.header("if-none-match") == Some("*") && current.is_some() {
        return Err(Refusal::other(409, "BlobAlreadyExists", "The specified blob already exists."));
    }
    let names = |header: &str| {
        let list = request.header(header)?;
        Some(current.as_ref().is_some_and(|current| reading::names(list, current)))
    };
    if names("if-match") == Some(false) || names("if-none-match") == Some(true) {
        return Err(Refusal::Precondition);
    }
    Ok(())
}

/// Writes a blob if the request's conditions hold, and describes it.
pub(super) fn write(
    buckets: &Buckets,
    contents: &mut Contents,
    request: &Request,
    call: &Call,
    object: Object,
    status: u16,
) -> Result<Answer, Refusal> {
    check_conditions(contents, request, &call.key)?;
    let md5 = object.md5();
    let version = contents.put(&call.key, object, Moment::now(), buckets.next_number());
    let mut answer = Answer::new(status)
        .header("etag", &format!("\"{}\"", etag(version.number)))
        .header("last-modified", &version.modified.rfc1123())
        .header("x-ms-request-server-encrypted", "true");
    if let Some(md5) = md5 {
        answer = answer.header("content-md5", &BASE64_STANDARD.encode(md5));
    }
    Ok(with_version(answer, contents, &version))
}

pub(super) fn put(
    buckets: &Buckets,
    contents: &mut Contents,
    request: &Request,
    call: &Call,
) -> Result<Answer, Refusal> {
    let is_append_blob = match request.header("x-ms-blob-type") {
        Some("BlockBlob") => false,
        Some("AppendBlob") => true,
        _ => {
            let message = "An HTTP header that's mandatory for this request is not specified.";
            return Err(Refusal::other(400, "MissingRequiredHeader", message));
        }
    };
    checksum::check(request, &request.body)?;
    let mut object = described(request, Object { is_append_blob, ..Object::new(request.body.clone()) });
    if is_append_blob {
        object.etag = without_md5(&object.content, 0);
    }
    write(buckets, contents, request, call, object, 201)
}

/// `Copy Blob`, and `Put Blob From URL`: done at once.
pub(super) fn copy(buckets: &Buckets, request: &Request, call: &Call) -> Result<Answer, Refusal> {
    let bucket = buckets.get(&call.bucket).ok_or(Refusal::NoBucket)?;
    let invalid = || {
        Refusal::other(400, "InvalidHeaderValue", "The value for one of the HTTP headers is not in the correct format.")
    };
    let source = request.header("x-ms-copy-source").ok_or_else(invalid)?;
    let path = match source.split_once("://") {
        Some((_, rest)) => &rest[rest.find('/').ok_or_else(invalid)?..],
        None => source,
    };
    let source = Request::new(<_>::default(), path, <_>::default(), <_>::default());
    let (name, key) = source.bucket_and_key(ACCOUNT);
    let version = {
        let bucket = buckets.get(&name).ok_or(Refusal::NoBucket)?;
        find(&bucket.read(), &key, source.parameters.text("versionid"))?
    };
    let original = object_of(&version)?;
    let metadata = request.headers_below(METADATA_PREFIX);
    let metadata = if metadata.is_empty() { original.metadata.clone() } else { metadata };
    let status = if request.header("x-ms-blob-type").is_some() { 201 } else { 202 };
    let object = Object { metadata, ..original.clone() };
    let answer = write(buckets, &mut bucket.write(), request, call, object, status)?;
    Ok(answer.header("x-ms-copy-id", "00000000-0000-0000-0000-000000000000").header("x-ms-copy-status", "success"))
}

/// Deletes the current version, which stays as an older one where versions are kept; or an older version for good.
pub(super) fn delete(
    buckets: &Buckets,
    contents: &mut Contents,
    request: &Request,
    call: &Call,
) -> Result<Answer, Refusal> {
    let id = request.parameters.text("versionid");
    let version = find(contents, &call.key, id)?;
    let is_current = contents.current(&call.key).is_some_and(|current| current.number == version.number);
    if id.is_some() {
        if is_current {
            let message = "This operation is not permitted on the root blob.";
            return Err(Refusal::other(403, "OperationNotAllowedOnRootBlob", message));
        }
        contents.delete_version(&call.key, |other| other.number == version.number);
    } else {
        if request.header("if-match").is_some_and(|list| !reading::names(list, &etag(version.number))) {
            return Err(Refusal::Precondition);
        }
        contents.delete(&call.key, Moment::now(), buckets.next_number());
    }
    Ok(Answer::new(202)
        .header("x-ms-delete-type-permanent", if contents.versioning == Versioning::Off { "true" } else { "false" }))
}

/// The `ETag` of a blob that was put together from so many pieces: it has no MD5 unless the client gives one.
pub(super) fn without_md5(content: &Content, pieces: usize) -> String {
    format!("{}-{pieces}", content.etag())
}
