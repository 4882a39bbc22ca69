//! What the three services have in common, and each says in its own way.

use std::fmt;
use std::future::Future;
use std::ops::Range;
use std::pin::Pin;

use bytes::Bytes;
use http::header::{ETAG, IF_MATCH, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use object_store::client::{HttpRequest, HttpRequestBody};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use super::page::{Page, Query};
use super::parts::Multipart;
use super::versions::Versions;

/// An answer, read to its end.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// What is to be removed: a key, or one version of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Doomed {
    pub(super) key: Vec<u8>,
    pub(super) version: Option<String>,
}

impl Doomed {
    /// A key, whatever its version.
    pub(super) const fn key(key: Vec<u8>) -> Self {
        Self { key, version: None }
    }
}

/// What became of one key of a bulk removal.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum KeyOutcome {
    Removed,
    /// It was there or was not; a delete marker hides it now.
    Hidden,
    /// There was no such key, as far as the store tells.
    Absent,
    /// The store had too much to do, or failed: worth another try.
    Again(String),
    Failed(String),
}

/// What has to hold for a write to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Nothing.
    Always,
    /// There is no such object.
    Absent,
    /// It is still of this version.
    Version(String),
}

/// A body that is not what the service's documentation says.
#[derive(Debug)]
pub(super) struct Malformed(pub(super) &'static str);

pub(super) type Signed<'a> = Pin<Box<dyn Future<Output = object_store::Result<HttpRequest>> + Send + 'a>>;

/// One service: its requests and how its answers are read. Keys are whole, with whatever root they have.
pub(super) trait Dialect: fmt::Debug + Send + Sync {
    /// Whether a listing can begin after any key. Otherwise only a prefix says where.
    fn starts_anywhere(&self) -> bool;

    /// The most keys of a page.
    fn page_size(&self) -> usize;

    /// The most keys that one request removes.
    fn removal_size(&self) -> usize;

    /// Asks for a page of a listing.
    fn list<'a>(&'a self, query: &'a Query) -> Signed<'a>;

    /// Reads the page that a query asked for.
    fn read_page(&self, query: &Query, body: &[u8], page: &mut Page) -> Result<(), Malformed>;

    /// Asks for an object, or some bytes of it.
    fn get<'a>(&'a self, key: &'a [u8], range: Option<Range<u64>>) -> Signed<'a>;

    /// Asks for an object to be written.
    fn put<'a>(&'a self, key: &'a [u8], content: &[u8], condition: &Condition) -> Signed<'a>;

    /// Asks for a copy within the bucket, which is made before the answer comes. Where the service can, not over an object
    /// that is there.
    fn copy<'a>(&'a self, from: &'a [u8], to: &'a [u8]) -> Signed<'a>;

    /// What tells the version of an object that was read or written from all others of its key.
    fn version(&self, answer: &Answer) -> Option<String>;

    /// Asks for the removal of some keys, no more than [`Dialect::removal_size`].
    fn remove(&self, keys: Vec<Doomed>) -> Signed<'_>;

    /// Reads what became of each key.
    fn read_removal(&self, answer: &Answer, keys: &[Doomed]) -> Result<Vec<KeyOutcome>, Malformed>;

    /// Where regsweep can use what the service keeps of removed objects: how.
    fn versions(&self) -> Option<&dyn Versions> {
        None
    }

    /// Where the service keeps uploads in parts that nobody has finished: how it is asked for them.
    fn multipart(&self) -> Option<&dyn Multipart> {
        None
    }

    /// Code and explanation of an answer that is an error.
    fn explain(&self, body: &[u8]) -> (String, String);
}

/// What stays as it is in a path: RFC 3986's unreserved characters, and the slash (which AWS's signature wants, too).
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');
/// What stays as it is in a query, or in one component of a path.
const COMPONENT: &AsciiSet = &PATH.add(b'/');

pub(super) fn encode_path(path: &[u8]) -> String {
    percent_encode(path, PATH).to_string()
}

pub(super) fn encode_component(text: &[u8]) -> String {
    percent_encode(text, COMPONENT).to_string()
}

/// A query string, with its question mark.
pub(super) fn encode_query(pairs: &[(&str, &[u8])]) -> String {
    let mut query = String::new();
    for (name, value) in pairs {
        query.push(if query.is_empty() { '?' } else { '&' });
        query.push_str(name);
        query.push('=');
        query.push_str(&encode_component(value));
    }
    query
}

/// An unsigned request.
pub(super) fn request(method: Method, url: &str, body: Vec<u8>) -> HttpRequest {
    let mut request = HttpRequest::new(HttpRequestBody::from(body));
    *request.method_mut() = method;
    *request.uri_mut() = url.parse().expect("made of an endpoint that parsed and of encoded text");
    request
}

/// The headers by which S3 and Azure know a condition.
pub(super) fn add_condition(request: &mut HttpRequest, condition: &Condition) {
    match condition {
        Condition::Always => {}
        Condition::Absent => drop(request.headers_mut().insert(IF_NONE_MATCH, HeaderValue::from_static("*"))),
        Condition::Version(version) => {
            // What is no header's value was no version that a store has given out: nothing has it.
            let value = version.parse().unwrap_or(HeaderValue::from_static("\"\""));
            request.headers_mut().insert(IF_MATCH, value);
        }
    }
}

/// The version that S3 and Azure give an object.
pub(super) fn etag(answer: &Answer) -> Option<String> {
    answer.headers.get(ETAG)?.to_str().ok().map(str::to_owned)
}

/// The header that asks for some bytes only.
pub(super) fn range_header(range: &Range<u64>) -> http::HeaderValue {
    let last = range.end.saturating_sub(1);
    format!("bytes={}-{last}", range.start).parse().expect("digits are a header's value")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_encoded_for_where_it_stands() {
        assert_eq!(encode_path(b"a/b c+d~%\xc3\xbc"), "a/b%20c%2Bd~%25%C3%BC");
        assert_eq!(encode_component(b"a/b c"), "a%2Fb%20c");
        assert_eq!(encode_query(&[("prefix", b"a/b"), ("delimiter", b"/")]), "?prefix=a%2Fb&delimiter=%2F");
        assert_eq!(encode_query(&[]), "");
        assert_eq!(range_header(&(0..100)), "bytes=0-99");
    }
}
