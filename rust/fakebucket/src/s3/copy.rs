//! `CopyObject`.

use super::object::{check_conditions, described, find, object_of, with_version};
use super::xml;
use crate::answer::Answer;
use crate::bucket::Buckets;
use crate::moment::Moment;
use crate::object::{Object, Version};
use crate::operation::Call;
use crate::reading;
use crate::refusal::Refusal;
use crate::request::Request;
use crate::text::{percent_decode, push_element};

/// What `CopyObject` copies at most.
const LARGEST_COPY_BYTES: u64 = 5 << 30;

/// What names the source of a copy, by S3's header or Google's.
pub(super) fn source_header(request: &Request) -> Option<&str> {
    request.header("x-amz-copy-source").or_else(|| request.header("x-goog-copy-source"))
}

/// What is to be copied: `[/]bucket/key[?versionId=id]`, percent-encoded.
pub(super) struct Source {
    pub(super) bucket: String,
    pub(super) key: Vec<u8>,
    version_id: Option<String>,
}

impl Source {
    pub(super) fn of(request: &Request) -> Result<Self, Refusal> {
        let invalid = || Refusal::other(400, "InvalidArgument", "Copy Source must mention the source bucket and key");
        let text = source_header(request).ok_or_else(invalid)?;
        let (path, version_id) = match text.split_once("?versionId=") {
            Some((path, id)) => (path, Some(id.to_owned())),
            None => (text, request.header("x-goog-copy-source-generation").map(str::to_owned)),
        };
        let path = percent_decode(path.as_bytes(), false);
        let path = path.strip_prefix(b"/").unwrap_or(&path);
        let slash = path.iter().position(|&byte| byte == b'/').ok_or_else(invalid)?;
        let bucket = String::from_utf8_lossy(&path[..slash]).into_owned();
        Ok(Self { bucket, key: path[slash + 1..].to_owned(), version_id })
    }

    /// The version to copy, if it is as the request wants it.
    pub(super) fn find(&self, buckets: &Buckets, request: &Request) -> Result<Version, Refusal> {
        let bucket = buckets.get(&self.bucket).ok_or(Refusal::NoBucket)?;
        let version = find(&bucket.read(), &self.key, self.version_id.as_deref())?;
        let etag = &object_of(&version)?.etag;
        let holds =
            |name: &str, expected: bool| request.header(name).is_none_or(|list| reading::names(list, etag) == expected);
        if !holds("x-amz-copy-source-if-match", true) || !holds("x-amz-copy-source-if-none-match", false) {
            return Err(Refusal::Precondition);
        }
        Ok(version)
    }
}

pub(super) fn copy(buckets: &Buckets, request: &Request, call: &Call) -> Result<Answer, Refusal> {
    let bucket = buckets.get(&call.bucket).ok_or(Refusal::NoBucket)?;
    let source = Source::of(request)?;
    let version = source.find(buckets, request)?;
    let original = object_of(&version)?;
    if original.content.size_bytes() > LARGEST_COPY_BYTES {
        let message =
            "The specified copy source is larger than the maximum allowable size for a copy source: 5368709120";
        return Err(Refusal::other(400, "InvalidRequest", message));
    }
    let is_replaced = request.header("x-amz-metadata-directive") == Some("REPLACE");
    if !is_replaced && source.version_id.is_none() && (&source.bucket, &source.key) == (&call.bucket, &call.key) {
        let message = "This copy request is illegal because it is trying to copy an object to itself without changing \
                       the object's metadata, storage class, website redirect location or encryption attributes.";
        return Err(Refusal::other(400, "InvalidRequest", message));
    }
    let copied = Object::new(original.content.clone());
    let object = if is_replaced {
        described(request, copied)
    } else {
        let (content_type, metadata) = (original.content_type.clone(), original.metadata.clone());
        Object { content_type, metadata, ..copied }
    };

    let mut contents = bucket.write();
    check_conditions(&contents, request, &call.key)?;
    let version = contents.put(&call.key, object, Moment::now(), buckets.next_number());
    let answer = xml(200, "CopyObjectResult", |body| push_copied(body, &version));
    Ok(with_version(answer, contents.versioning, &version, call.dialect))
}

/// What an answer says of a copy.
pub(super) fn push_copied(body: &mut Vec<u8>, version: &Version) {
    push_element(body, "LastModified", version.modified.whole_seconds().rfc3339(3).as_bytes());
    let etag = version.object.as_ref().map_or("", |object| object.etag.as_str());
    push_element(body, "ETag", format!("\"{etag}\"").as_bytes());
}
