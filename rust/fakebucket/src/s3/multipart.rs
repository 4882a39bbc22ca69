//! Uploads in parts: `CreateMultipartUpload`, `UploadPart`, `UploadPartCopy`, `CompleteMultipartUpload`,
//! `AbortMultipartUpload`, `ListMultipartUploads`, `ListParts`.

use super::copy::Source;
use super::object::{body, check_conditions, described, object_of, with_version};
use super::xml;
use crate::answer::Answer;
use crate::bucket::{Buckets, Contents};
use crate::moment::Moment;
use crate::object::{Content, Object};
use crate::operation::Call;
use crate::reading::{Bounds, names};
use crate::refusal::Refusal;
use crate::request::Request;
use crate::text::push_element;
use crate::uploads::{Upload, UploadedPart, etag_of_parts};
use crate::xml::{Tag, read};

/// What every part but the last must have.
const SMALLEST_PART_BYTES: u64 = 5 << 20;
/// What a part may have.
const LARGEST_PART_BYTES: u64 = 5 << 30;
const MOST_PARTS: u32 = 10_000;
/// Uploads or parts on a page.
const PAGE_ENTRIES: usize = 1000;

pub(super) fn create(buckets: &Buckets, contents: &mut Contents, request: &Request, call: &Call) -> Answer {
    let id = format!("{:016x}", buckets.next_number());
    let described = described(request, Object::default());
    let upload = Upload { started: Moment::now(), described, parts: <_>::default() };
    contents.uploads.by_key.insert((call.key.clone(), id.clone()), upload);
    xml(200, "InitiateMultipartUploadResult", |body| {
        push_element(body, "Bucket", call.bucket.as_bytes());
        push_element(body, "Key", &call.key);
        push_element(body, "UploadId", id.as_bytes());
    })
}

/// The key and the id that an upload is held under.
fn name(request: &Request, call: &Call) -> (Vec<u8>, String) {
    (call.key.clone(), request.parameters.text("uploadId").unwrap_or_default().to_owned())
}

fn find<'c>(contents: &'c mut Contents, request: &Request, call: &Call) -> Result<&'c mut Upload, Refusal> {
    contents.uploads.by_key.get_mut(&name(request, call)).ok_or(Refusal::NoUpload)
}

fn part_number(request: &Request) -> Result<u32, Refusal> {
    let number = request.parameters.text("partNumber").and_then(|text| text.parse().ok());
    let message = "Part number must be an integer between 1 and 10000, inclusive";
    number
        .filter(|number| (1..=MOST_PARTS).contains(number))
        .ok_or_else(|| Refusal::other(400, "InvalidArgument", message))
}

pub(super) fn upload_part(contents: &mut Contents, request: &Request, call: &Call) -> Result<Answer, Refusal> {
    let (number, part) = (part_number(request)?, UploadedPart::new(Content::Bytes(body(request)?)));
    let answer = Answer::new(200).header("etag", &format!("\"{}\"", part.etag));
    find(contents, request, call)?.parts.insert(number, part);
    Ok(answer)
}

pub(super) fn upload_part_copy(buckets: &Buckets, request: &Request, call: &Call) -> Result<Answer, Refusal> {
    let bucket = buckets.get(&call.bucket).ok_or(Refusal::NoBucket)?;
    let number = part_number(request)?;
    let version = Source::of(request)?.find(buckets, request)?;
    let source = &object_of(&version)?.content;
    let content = match request.header("x-amz-copy-source-range") {
        None => source.clone(),
        Some(text) => {
            let size = source.size_bytes();
            let range = Bounds::parse(text).and_then(|bounds| bounds.within(size)).ok_or(Refusal::BadRange(size))?;
            source.part(range)
        }
    };
    if content.size_bytes() > LARGEST_PART_BYTES {
        let message =
            "The specified copy source is larger than the maximum allowable size for a copy source: 5368709120";
        return Err(Refusal::other(400, "InvalidRequest", message));
    }
    let part = UploadedPart::new(content);
    let answer = xml(200, "CopyPartResult", |body| {
        push_element(body, "LastModified", part.modified.whole_seconds().rfc3339(3).as_bytes());
        push_element(body, "ETag", format!("\"{}\"", part.etag).as_bytes());
    });
    find(&mut bucket.write(), request, call)?.parts.insert(number, part);
    Ok(answer)
}

/// The numbers and entity tags that a completion names.
fn wanted_parts(body: &[u8]) -> Option<Vec<(u32, String)>> {
    let mut wanted = Vec::new();
    let (mut number, mut etag) = (None, None);
    read(body, |tag| {
        match tag {
            Tag::Open("Part") => (number, etag) = (None, None),
            Tag::Close("PartNumber", text) => number = Some(text.trim().parse().ok()?),
            Tag::Close("ETag", text) => etag = Some(text.trim().to_owned()),
            Tag::Close("Part", _) => wanted.push((number.take()?, etag.take()?)),
            Tag::Open(_) | Tag::Close(..) => {}
        }
        Some(())
    })?;
    (!wanted.is_empty()).then_some(wanted)
}

pub(super) fn complete(
    buckets: &Buckets,
    contents: &mut Contents,
    request: &Request,
    call: &Call,
) -> Result<Answer, Refusal> {
    let malformed = "The XML you provided was not well-formed or did not validate against our published schema";
    let wanted = wanted_parts(&request.body).ok_or_else(|| Refusal::other(400, "MalformedXML", malformed))?;
    check_conditions(contents, request, &call.key)?;
    let upload = find(contents, request, call)?;
    if !wanted.is_sorted_by(|(first, _), (second, _)| first < second) {
        return Err(Refusal::other(400, "InvalidPartOrder", "The list of parts was not in ascending order."));
    }
    let mut parts = Vec::with_capacity(wanted.len());
    for (number, etag) in &wanted {
        let missing = "One or more of the specified parts could not be found.";
        let part = upload.parts.get(number).filter(|part| names(etag, &part.etag));
        parts.push(part.ok_or_else(|| Refusal::other(400, "InvalidPart", missing))?);
    }
    if parts.iter().rev().skip(1).any(|part| part.content.size_bytes() < SMALLEST_PART_BYTES) {
        let message = "Your proposed upload is smaller than the minimum allowed object size.";
        return Err(Refusal::other(400, "EntityTooSmall", message));
    }
    let content = Content::join(parts.iter().map(|part| &part.content));
    let object = Object { content, etag: etag_of_parts(parts.iter().copied()), ..upload.described.clone() };
    let etag = format!("\"{}\"", object.etag);
    contents.uploads.by_key.remove(&name(request, call));
    let version = contents.put(&call.key, object, Moment::now(), buckets.next_number());
    let answer = xml(200, "CompleteMultipartUploadResult", |body| {
        push_element(body, "Location", format!("/{}/{}", call.bucket, String::from_utf8_lossy(&call.key)).as_bytes());
        push_element(body, "Bucket", call.bucket.as_bytes());
        push_element(body, "Key", &call.key);
        push_element(body, "ETag", etag.as_bytes());
    });
    Ok(with_version(answer, contents.versioning, &version, call.dialect))
}

pub(super) fn abort(contents: &mut Contents, request: &Request, call: &Call) -> Result<Answer, Refusal> {
    contents.uploads.by_key.remove(&name(request, call)).map(|_| Answer::new(204)).ok_or(Refusal::NoUpload)
}

/// How many entries are asked for.
fn limit(request: &Request, parameter: &str) -> usize {
    let wanted = request.parameters.text(parameter).and_then(|text| text.parse().ok());
    wanted.unwrap_or(PAGE_ENTRIES).clamp(1, PAGE_ENTRIES)
}

pub(super) fn list_uploads(contents: &Contents, request: &Request, call: &Call) -> Answer {
    let (key_marker, id_marker) =
        (request.parameters.bytes_or_empty("key-marker"), request.parameters.text("upload-id-marker"));
    let is_behind = |(key, id): &(Vec<u8>, String)| match id_marker.filter(|marker| !marker.is_empty()) {
        Some(marker) => (key.as_slice(), id.as_str()) > (key_marker.as_slice(), marker),
        None => key_marker.is_empty() || *key > key_marker,
    };
    let limit = limit(request, "max-uploads");
    let found: Vec<_> = (contents.uploads.by_key.iter())
        .filter(|(name, _)| name.0.starts_with(&call.key) && is_behind(name))
        .take(limit + 1)
        .collect();
    let (page, is_truncated) = (&found[..found.len().min(limit)], found.len() > limit);
    xml(200, "ListMultipartUploadsResult", |body| {
        push_element(body, "Bucket", call.bucket.as_bytes());
        push_element(body, "Prefix", &call.key);
        push_element(body, "KeyMarker", &key_marker);
        push_element(body, "UploadIdMarker", id_marker.unwrap_or_default().as_bytes());
        if let Some(((key, id), _)) = page.last().filter(|_| is_truncated) {
            push_element(body, "NextKeyMarker", key);
            push_element(body, "NextUploadIdMarker", id.as_bytes());
        }
        push_element(body, "MaxUploads", limit.to_string().as_bytes());
        push_element(body, "IsTruncated", is_truncated.to_string().as_bytes());
        for ((key, id), upload) in page {
            body.extend_from_slice(b"<Upload>");
            push_element(body, "Key", key);
            push_element(body, "UploadId", id.as_bytes());
            push_element(body, "StorageClass", b"STANDARD");
            push_element(body, "Initiated", upload.started.whole_seconds().rfc3339(3).as_bytes());
            body.extend_from_slice(b"</Upload>");
        }
    })
}

pub(super) fn list_parts(contents: &Contents, request: &Request, call: &Call) -> Result<Answer, Refusal> {
    let upload = contents.uploads.by_key.get(&name(request, call)).ok_or(Refusal::NoUpload)?;
    let marker: u32 = request.parameters.text("part-number-marker").and_then(|text| text.parse().ok()).unwrap_or(0);
    let limit = limit(request, "max-parts");
    let found: Vec<_> = upload.parts.range(marker + 1..).take(limit + 1).collect();
    let (page, is_truncated) = (&found[..found.len().min(limit)], found.len() > limit);
    Ok(xml(200, "ListPartsResult", |body| {
        push_element(body, "Bucket", call.bucket.as_bytes());
        push_element(body, "Key", &call.key);
        push_element(body, "UploadId", name(request, call).1.as_bytes());
        push_element(body, "PartNumberMarker", marker.to_string().as_bytes());
        if let Some((number, _)) = page.last().filter(|_| is_truncated) {
            push_element(body, "NextPartNumberMarker", number.to_string().as_bytes());
        }
        push_element(body, "MaxParts", limit.to_string().as_bytes());
        push_element(body, "IsTruncated", is_truncated.to_string().as_bytes());
        for (number, part) in page {
            body.extend_from_slice(b"<Part>");
            push_element(body, "PartNumber", number.to_string().as_bytes());
            push_element(body, "LastModified", part.modified.whole_seconds().rfc3339(3).as_bytes());
            push_element(body, "ETag", format!("\"{}\"", part.etag).as_bytes());
            push_element(body, "Size", part.content.size_bytes().to_string().as_bytes());
            body.extend_from_slice(b"</Part>");
        }
    }))
}
