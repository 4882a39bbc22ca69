//! `List Blobs`, with and without versions, and `List Containers`.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::{CONTAINER_MODIFIED, blob_type, etag};
use crate::answer::Answer;
use crate::bucket::{Buckets, Contents, Versioning};
use crate::faults::Strikes;
use crate::listing::{self, End, Listed, Query, Start};
use crate::moment::{Moment, Writer};
use crate::object::md5_of;
use crate::operation::Call;
use crate::refusal::Refusal;
use crate::request::Request;
use crate::text::{push_element, push_number, push_xml};
use crate::token;
use crate::versions::{self, Order};

/// Blobs and prefixes on a page at most.
const PAGE_BLOBS: usize = 5000;
/// What a blob takes in a listing, generously: where the body of a page starts from.
const BLOB_BYTES: usize = 750;
/// What a blob without one is said to be.
pub(super) const DEFAULT_CONTENT_TYPE: &str = "application/octet-stream";

/// Whether a listing is to include something.
pub(super) fn includes(request: &Request, what: &str) -> bool {
    request.parameters.text("include").is_some_and(|list| list.split(',').any(|included| included.trim() == what))
}

fn query(request: &Request, call: &Call) -> Result<Query, Refusal> {
    let out_of_range = "One of the query parameters specified in the request URI is outside the permissible range.";
    let parameters = &request.parameters;
    let start = match parameters.text("marker").filter(|marker| !marker.is_empty()) {
        Some(marker) => token::decode(marker)
            .ok_or_else(|| Refusal::other(400, "OutOfRangeInput", "One of the request inputs is out of range."))?,
        None => parameters.bytes("startFrom").map_or(Start::Beginning, |name| Start::At(name.to_owned())),
    };
    let limit: usize = match parameters.text("maxresults") {
        Some(text) => text
            .parse()
            .ok()
            .filter(|&limit| limit > 0)
            .ok_or_else(|| Refusal::other(400, "OutOfRangeQueryParameterValue", out_of_range))?,
        None => PAGE_BLOBS,
    };
    let delimiter = parameters.bytes_or_empty("delimiter");
    Ok(Query { prefix: call.key.clone(), delimiter, start, end: None, limit: limit.min(PAGE_BLOBS) })
}

/// A page of current blobs.
pub(super) fn blobs(contents: &Contents, request: &Request, call: &Call, strikes: &Strikes) -> Result<Answer, Refusal> {
    let query = query(request, call)?;
    let mut page = Page::new(contents, request, query.limit);
    let end = listing::page(contents, &query, strikes, |item| match item {
        listing::Item::Object(listed) => page.push_blob(&listed, true),
        listing::Item::Prefix(prefix) => page.push_prefix(prefix),
    });
    Ok(page.answer(request, call, &query, &end))
}

/// A page of blobs with all their versions, oldest first.
pub(super) fn versions(
    contents: &Contents,
    request: &Request,
    call: &Call,
    strikes: &Strikes,
) -> Result<Answer, Refusal> {
    let query = query(request, call)?;
    let mut page = Page::new(contents, request, query.limit);
    let end = versions::page(contents, &query, Order::OldestFirst, false, strikes, |item| match item {
        versions::Item::Prefix(prefix) => page.push_prefix(prefix),
        versions::Item::Version(key, version, is_latest) => {
            if let Some(listed) = Listed::new(key, version) {
                page.push_blob(&listed, is_latest);
            }
        }
    });
    Ok(page.answer(request, call, &query, &end))
}

/// A page as it is being written. Blobs and prefixes come as they are in order.
struct Page {
    body: Vec<u8>,
    times: Writer,
    has_versions: bool,
    has_metadata: bool,
}

impl Page {
    fn new(contents: &Contents, request: &Request, limit: usize) -> Self {
        Self {
            body: Vec::with_capacity(limit.min(PAGE_BLOBS) * BLOB_BYTES),
            times: Writer::new(Moment::rfc1123),
            has_versions: contents.versioning != Versioning::Off,
            has_metadata: includes(request, "metadata"),
        }
    }

    fn push_prefix(&mut self, prefix: &[u8]) {
        self.body.extend_from_slice(b"<BlobPrefix><Name>");
        push_xml(&mut self.body, prefix);
        self.body.extend_from_slice(b"</Name></BlobPrefix>");
    }

    fn push_blob(&mut self, listed: &Listed<'_>, is_current: bool) {
        let out = &mut self.body;
        out.extend_from_slice(b"<Blob><Name>");
        push_xml(out, listed.key);
        out.extend_from_slice(b"</Name>");
        if self.has_versions {
            push_element(out, "VersionId", version_id(listed.number).as_bytes());
            if is_current {
                out.extend_from_slice(b"<IsCurrentVersion>true</IsCurrentVersion>");
            }
        }
        let modified = self.times.text(listed.modified.whole_seconds());
        out.extend_from_slice(b"<Properties><Creation-Time>");
        out.extend_from_slice(modified);
        out.extend_from_slice(b"</Creation-Time><Last-Modified>");
        out.extend_from_slice(modified);
        out.extend_from_slice(b"</Last-Modified><Etag>");
        out.extend_from_slice(etag(listed.tag).as_bytes());
        out.extend_from_slice(b"</Etag><Content-Length>");
        push_number(out, listed.size_bytes);
        out.extend_from_slice(b"</Content-Length><Content-Type>");
        push_xml(out, listed.content_type.unwrap_or(DEFAULT_CONTENT_TYPE).as_bytes());
        out.extend_from_slice(b"</Content-Type><Content-Encoding /><Content-Language /><Content-MD5>");
        if let Some(md5) = md5_of(listed.etag) {
            let mut text = [0; 24];
            let length = BASE64_STANDARD.encode_slice(md5, &mut text).expect("16 bytes are 24 characters");
            out.extend_from_slice(&text[..length]);
        }
        out.extend_from_slice(b"</Content-MD5><Cache-Control /><BlobType>");
        out.extend_from_slice(blob_type(listed.is_append_blob).as_bytes());
        out.extend_from_slice(
            b"</BlobType><LeaseStatus>unlocked</LeaseStatus><LeaseState>available</LeaseState></Properties>",
        );
        if self.has_metadata {
            out.extend_from_slice(b"<Metadata>");
            for (name, value) in listed.metadata {
                push_element(out, name, value.as_bytes());
            }
            out.extend_from_slice(b"</Metadata>");
        }
        out.extend_from_slice(b"</Blob>");
    }

    fn answer(self, request: &Request, call: &Call, query: &Query, end: &End) -> Answer {
        let mut body = b"<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults ContainerName=\"".to_vec();
        push_xml(&mut body, call.bucket.as_bytes());
        body.extend_from_slice(b"\">");
        push_element(&mut body, "Prefix", &query.prefix);
        push_element(&mut body, "Marker", request.parameters.bytes("marker").unwrap_or_default());
        push_element(&mut body, "MaxResults", query.limit.to_string().as_bytes());
        if !query.delimiter.is_empty() {
            push_element(&mut body, "Delimiter", &query.delimiter);
        }
        body.extend_from_slice(b"<Blobs>");
        body.extend_from_slice(&self.body);
        body.extend_from_slice(b"</Blobs>");
        match &end.next {
            Some(next) => push_element(&mut body, "NextMarker", token::encode(next).as_bytes()),
            None => body.extend_from_slice(b"<NextMarker />"),
        }
        body.extend_from_slice(b"</EnumerationResults>");
        Answer::text(200, "application/xml", body)
    }
}

/// The name of a version: when it was written.
pub(super) fn version_id(number: u64) -> String {
    Moment::from_microseconds(i64::try_from(number).unwrap_or(i64::MAX)).rfc3339(7)
}

pub(super) fn containers(buckets: &Buckets) -> Answer {
    let mut body = b"<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults><Containers>".to_vec();
    for name in buckets.names() {
        body.extend_from_slice(b"<Container>");
        push_element(&mut body, "Name", name.as_bytes());
        body.extend_from_slice(b"<Properties>");
        push_element(&mut body, "Last-Modified", CONTAINER_MODIFIED.as_bytes());
        body.extend_from_slice(b"<Etag>0x8D0000000000000</Etag></Properties></Container>");
    }
    body.extend_from_slice(b"</Containers><NextMarker /></EnumerationResults>");
    Answer::text(200, "application/xml", body)
}
