//! `ListObjectsV2` and, for older clients, `ListObjects`.

use super::NAMESPACE;
use crate::answer::Answer;
use crate::bucket::Contents;
use crate::faults::{Strikes, TruncatedPage};
use crate::listing::{Item, Listed, Query, Start, page};
use crate::moment::Writer;
use crate::operation::Call;
use crate::refusal::Refusal;
use crate::request::Request;
use crate::text::{push_element, push_number, push_url_encoded, push_xml};
use crate::token;

/// Keys on a page at most.
pub(super) const PAGE_KEYS: usize = 1000;
/// What a key takes in a listing, generously: where the body of a page starts from.
const KEY_BYTES: usize = 350;

/// A page of keys, in either version.
pub(super) fn keys(contents: &Contents, request: &Request, call: &Call, strikes: &Strikes) -> Result<Answer, Refusal> {
    let is_v2 = request.parameters.text("list-type") == Some("2");
    let encoding = Encoding::of(request)?;
    let query = Query {
        prefix: call.key.clone(),
        delimiter: request.parameters.bytes_or_empty("delimiter"),
        start: start(request, is_v2)?,
        end: None,
        limit: limit(request)?,
    };
    let mut writer = PageWriter::new(&query, encoding, !is_v2);
    let end = page(contents, &query, strikes, |item| writer.push(item));
    let is_truncated = end.next.is_some() || strikes.truncated_page == Some(TruncatedPage::NoToken);
    let next = end.next.filter(|_| strikes.truncated_page.is_none());

    let mut body = Vec::with_capacity(writer.objects.len() + writer.prefixes.len() + 2048);
    body.extend_from_slice(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult xmlns=\"");
    body.extend_from_slice(NAMESPACE.as_bytes());
    body.extend_from_slice(b"\">");
    push_element(&mut body, "Name", call.bucket.as_bytes());
    encoding.element(&mut body, "Prefix", &query.prefix);
    if is_v2 {
        push_v2(&mut body, request, encoding, end.count, next.as_ref());
    } else {
        push_v1(&mut body, request, encoding, &query, next.as_ref());
    }
    push_element(&mut body, "MaxKeys", query.limit.to_string().as_bytes());
    if !query.delimiter.is_empty() {
        encoding.element(&mut body, "Delimiter", &query.delimiter);
    }
    if encoding == Encoding::Url {
        push_element(&mut body, "EncodingType", b"url");
    }
    push_element(&mut body, "IsTruncated", is_truncated.to_string().as_bytes());
    body.extend_from_slice(&writer.objects);
    body.extend_from_slice(&writer.prefixes);
    body.extend_from_slice(b"</ListBucketResult>");
    Ok(Answer::text(200, "application/xml", body))
}

fn push_v2(body: &mut Vec<u8>, request: &Request, encoding: Encoding, count: usize, next: Option<&Start>) {
    if let Some(start_after) = request.parameters.bytes("start-after") {
        encoding.element(body, "StartAfter", start_after);
    }
    if let Some(token) = request.parameters.bytes("continuation-token") {
        push_element(body, "ContinuationToken", token);
    }
    if let Some(next) = next {
        push_element(body, "NextContinuationToken", token::encode(next).as_bytes());
    }
    push_element(body, "KeyCount", count.to_string().as_bytes());
}

fn push_v1(body: &mut Vec<u8>, request: &Request, encoding: Encoding, query: &Query, next: Option<&Start>) {
    encoding.element(body, "Marker", request.parameters.bytes("marker").unwrap_or_default());
    // Only with a delimiter; without one, clients go on from the last key.
    if let Some(Start::After(last) | Start::AfterPrefix(last)) = next
        && !query.delimiter.is_empty()
    {
        encoding.element(body, "NextMarker", last);
    }
}

/// Where the page starts. A marker that is a common prefix, as `NextMarker` may be one, stands for all below it.
fn start(request: &Request, is_v2: bool) -> Result<Start, Refusal> {
    let parameters = &request.parameters;
    if is_v2 {
        let after = |key: &[u8]| if key.is_empty() { Start::Beginning } else { Start::After(key.to_owned()) };
        return match parameters.text("continuation-token") {
            Some(token) => token::decode(token)
                .ok_or_else(|| Refusal::other(400, "InvalidArgument", "The continuation token provided is incorrect")),
            None => Ok(after(parameters.bytes("start-after").unwrap_or_default())),
        };
    }
    let (marker, delimiter) = (parameters.bytes_or_empty("marker"), parameters.bytes_or_empty("delimiter"));
    let is_below_prefix = parameters.bytes("prefix").unwrap_or_default() != marker;
    Ok(if marker.is_empty() {
        Start::Beginning
    } else if !delimiter.is_empty() && marker.ends_with(&delimiter) && is_below_prefix {
        Start::AfterPrefix(marker)
    } else {
        Start::After(marker)
    })
}

/// How many keys are asked for: up to 1,000, whatever is asked for.
pub(super) fn limit(request: &Request) -> Result<usize, Refusal> {
    match request.parameters.text("max-keys") {
        None | Some("") => Ok(PAGE_KEYS),
        Some(text) => match text.parse::<usize>() {
            Ok(limit) => Ok(limit.min(PAGE_KEYS)),
            Err(_) => {
                Err(Refusal::other(400, "InvalidArgument", "Provided max-keys not an integer or within integer range"))
            }
        },
    }
}

/// How keys are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Plain,
    Url,
}

impl Encoding {
    pub(super) fn of(request: &Request) -> Result<Self, Refusal> {
        match request.parameters.text("encoding-type") {
            None => Ok(Self::Plain),
            Some("url") => Ok(Self::Url),
            Some(_) => Err(Refusal::other(400, "InvalidArgument", "Invalid Encoding Method specified in Request")),
        }
    }

    pub(super) fn push(self, out: &mut Vec<u8>, key: &[u8]) {
        match self {
            Self::Plain => push_xml(out, key),
            Self::Url => push_url_encoded(out, key),
        }
    }

    pub(super) fn element(self, out: &mut Vec<u8>, name: &str, key: &[u8]) {
        out.extend_from_slice(format!("<{name}>").as_bytes());
        self.push(out, key);
        out.extend_from_slice(format!("</{name}>").as_bytes());
    }
}

/// Writes keys and prefixes; prefixes come after all keys.
struct PageWriter {
    objects: Vec<u8>,
    prefixes: Vec<u8>,
    encoding: Encoding,
    with_owner: bool,
    times: Writer,
}

impl PageWriter {
    fn new(query: &Query, encoding: Encoding, with_owner: bool) -> Self {
        let times = Writer::new(|moment| moment.whole_seconds().rfc3339(3));
        let objects = Vec::with_capacity(query.limit * KEY_BYTES);
        Self { objects, prefixes: Vec::new(), encoding, with_owner, times }
    }

    fn push(&mut self, item: Item<'_>) {
        match item {
            Item::Object(listed) => self.push_object(&listed),
            Item::Prefix(prefix) => {
                self.prefixes.extend_from_slice(b"<CommonPrefixes><Prefix>");
                self.encoding.push(&mut self.prefixes, prefix);
                self.prefixes.extend_from_slice(b"</Prefix></CommonPrefixes>");
            }
        }
    }

    fn push_object(&mut self, listed: &Listed<'_>) {
        let out = &mut self.objects;
        out.extend_from_slice(b"<Contents><Key>");
        self.encoding.push(out, listed.key);
        out.extend_from_slice(b"</Key><LastModified>");
        out.extend_from_slice(self.times.text(listed.modified));
        out.extend_from_slice(b"</LastModified><ETag>&quot;");
        push_xml(out, listed.etag.as_bytes());
        out.extend_from_slice(b"&quot;</ETag><Size>");
        push_number(out, listed.size_bytes);
        out.extend_from_slice(b"</Size>");
        if self.with_owner {
            out.extend_from_slice(b"<Owner><ID>fakebucket</ID></Owner>");
        }
        out.extend_from_slice(b"<StorageClass>STANDARD</StorageClass></Contents>");
    }
}
