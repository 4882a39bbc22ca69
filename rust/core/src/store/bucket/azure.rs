//! Azure Blob Storage: List Blobs, Get Blob, and Blob Batch for removals, each of whose parts is signed by itself.

use std::ops::Range;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, IF_NONE_MATCH, RANGE};
use http::{HeaderValue, Method};
use object_store::azure::{AzureAuthorizer, AzureCredential, AzureCredentialProvider};
use object_store::client::HttpRequest;
use percent_encoding::percent_decode;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use super::dialect::{
    Answer, Condition, Dialect, Doomed, KeyOutcome, Malformed, Signed, add_condition, encode_path, encode_query, etag,
    range_header, request,
};
use super::multipart;
use super::page::{Page, Query, Start};
use super::xml::{self, Element};
use crate::store::Stat;

/// A container on Azure.
#[derive(Debug)]
pub(super) struct Azure {
    /// The URL of the container, without a slash at its end.
    base: String,
    account: String,
    credentials: AzureCredentialProvider,
}

impl Azure {
    pub(super) fn new(base: String, account: String, credentials: AzureCredentialProvider) -> Self {
        Self { base, account, credentials }
    }

    fn authorize(&self, credential: &AzureCredential, mut request: HttpRequest) -> object_store::Result<HttpRequest> {
        // Its signature covers the length, unless there is nothing.
        let length = request.body().content_length();
        if length > 0 {
            request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        AzureAuthorizer::new(credential, &self.account).try_authorize(&mut request)?;
        Ok(request)
    }

    fn sign(&self, request: HttpRequest) -> Signed<'_> {
        Box::pin(async move {
            let credential = self.credentials.get_credential().await?;
            self.authorize(&credential, request)
        })
    }

    fn blob(&self, key: &[u8]) -> String {
        format!("{}/{}", self.base, encode_path(key))
    }
}

impl Dialect for Azure {
    fn starts_anywhere(&self) -> bool {
        false
    }

    fn page_size(&self) -> usize {
        5000
    }

    fn removal_size(&self) -> usize {
        256
    }

    fn list<'a>(&'a self, query: &'a Query) -> Signed<'a> {
        let limit = query.limit.map(|limit| limit.to_string());
        let mut pairs: Vec<(&str, &[u8])> =
            vec![("restype", b"container"), ("comp", b"list"), ("prefix", &query.prefix)];
        if let Start::Token(token) = &query.start {
            pairs.push(("marker", token.as_bytes()));
        }
        if query.delimited {
            pairs.push(("delimiter", b"/"));
        }
        pairs.extend(limit.as_ref().map(|limit| ("maxresults", limit.as_bytes())));
        self.sign(request(Method::GET, &format!("{}{}", self.base, encode_query(&pairs)), Vec::new()))
    }

    fn read_page(&self, _query: &Query, body: &[u8], page: &mut Page) -> Result<(), Malformed> {
        let mut blob = Blob::default();
        let (mut is_list, mut in_prefix) = (false, false);
        // Some services begin with a byte order mark.
        let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
        xml::read(body, |element| {
            match element {
                Element::Opens(b"EnumerationResults") => is_list = true,
                Element::Opens(b"Blob") => blob = Blob::default(),
                Element::Opens(b"BlobPrefix") => in_prefix = true,
                Element::Opens(_) => {}
                Element::Closes(name, text, encoded) => match name {
                    b"Name" => blob.name = if encoded { percent_decode(text).collect() } else { text.to_vec() },
                    b"Last-Modified" => blob.modified = time(text),
                    b"Content-Length" => {
                        blob.size_bytes = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
                    }
                    b"Content-MD5" => blob.md5 = BASE64_STANDARD.decode(text).ok().and_then(|md5| md5.try_into().ok()),
                    // What is appended to keeps the checksum that it was made with.
                    b"BlobType" => blob.in_blocks = text == b"BlockBlob",
                    b"Blob" => page.push(&blob.name, blob.stat()?),
                    b"BlobPrefix" => {
                        page.prefixes.push(&blob.name);
                        in_prefix = false;
                    }
                    b"NextMarker" => {
                        page.token = (!text.is_empty()).then(|| String::from_utf8_lossy(text).into_owned());
                    }
                    _ => {}
                },
            }
            Ok(())
        })?;
        page.truncated = page.token.is_some();
        if is_list && !in_prefix { Ok(()) } else { Err(Malformed("the store's answer is no listing")) }
    }

    fn get<'a>(&'a self, key: &'a [u8], range: Option<Range<u64>>) -> Signed<'a> {
        let mut request = request(Method::GET, &self.blob(key), Vec::new());
        if let Some(range) = range {
            request.headers_mut().insert(RANGE, range_header(&range));
        }
        self.sign(request)
    }

    fn put<'a>(&'a self, key: &'a [u8], content: &[u8], condition: &Condition) -> Signed<'a> {
        let mut request = request(Method::PUT, &self.blob(key), content.to_vec());
        request.headers_mut().insert("x-ms-blob-type", HeaderValue::from_static("BlockBlob"));
        request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(content.len()));
        add_condition(&mut request, condition);
        self.sign(request)
    }

    fn copy<'a>(&'a self, from: &'a [u8], to: &'a [u8]) -> Signed<'a> {
        let mut request = request(Method::PUT, &self.blob(to), Vec::new());
        let headers = request.headers_mut();
        headers.insert("x-ms-copy-source", self.blob(from).parse().expect("a URL is a header's value"));
        headers.insert(IF_NONE_MATCH, HeaderValue::from_static("*"));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(0));
        self.sign(request)
    }

    fn version(&self, answer: &Answer) -> Option<String> {
        etag(answer)
    }

    fn remove(&self, keys: Vec<Doomed>) -> Signed<'_> {
        Box::pin(async move {
            let credential = self.credentials.get_credential().await?;
            let part = |doomed: &Doomed| {
                let mut request = request(Method::DELETE, &self.blob(&doomed.key), Vec::new());
                request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(0));
                self.authorize(&credential, request)
            };
            let parts = keys.iter().map(part).collect::<object_store::Result<Vec<_>>>()?;
            let (body, kind) = multipart::body(&parts);
            let mut request = request(Method::POST, &format!("{}?restype=container&comp=batch", self.base), body);
            request.headers_mut().insert(CONTENT_TYPE, kind.parse().expect("a content type is a header's value"));
            self.authorize(&credential, request)
        })
    }

    fn read_removal(&self, answer: &Answer, keys: &[Doomed]) -> Result<Vec<KeyOutcome>, Malformed> {
        multipart::read(answer, keys.len(), |body| self.explain(body))
    }

    fn explain(&self, body: &[u8]) -> (String, String) {
        xml::error(body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body))
    }
}

/// One blob of a listing, while it is being read.
#[derive(Default)]
struct Blob {
    name: Vec<u8>,
    modified: Option<std::time::SystemTime>,
    md5: Option<[u8; 16]>,
    size_bytes: Option<u64>,
    in_blocks: bool,
}

impl Blob {
    fn stat(&self) -> Result<Stat, Malformed> {
        let (Some(modified), Some(size_bytes)) = (self.modified, self.size_bytes) else {
            return Err(Malformed("a listing names a key without its size and time"));
        };
        Ok(Stat { size_bytes, modified, md5: self.md5.filter(|_| self.in_blocks) })
    }
}

/// A time as HTTP writes it: `Mon, 23 Nov 2026 07:35:32 GMT`.
fn time(text: &[u8]) -> Option<std::time::SystemTime> {
    OffsetDateTime::parse(std::str::from_utf8(text).ok()?, &Rfc2822).ok().map(Into::into)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, SystemTime};

    use object_store::StaticCredentialProvider;

    use super::*;

    fn azure() -> Azure {
        let credential = AzureCredential::BearerToken("t".to_owned());
        Azure::new("http://127.0.0.1:1/a/c".into(), "a".into(), Arc::new(StaticCredentialProvider::new(credential)))
    }

    #[test]
    fn a_page_is_read_whole_or_not_at_all() {
        let blob = |name: &str, kind: &str| {
            format!(
                "<Blob>{name}<Properties><Last-Modified>Mon, 23 Nov 2026 07:35:32 GMT</Last-Modified>\
                 <Etag>0x8D1</Etag><Content-Length>71</Content-Length><Content-MD5>1B2M2Y8AsgTpgAmY7PhCfg==</Content-MD5>\
                 <BlobType>{kind}</BlobType></Properties></Blob>"
            )
        };
        let body = format!(
            "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults><Prefix>x</Prefix><Blobs>{}{}\
             <BlobPrefix><Name>c/</Name></BlobPrefix></Blobs><NextMarker>2!4</NextMarker></EnumerationResults>",
            blob("<Name>/a&amp;b</Name>", "BlockBlob"),
            blob("<Name Encoded=\"true\">b%0a</Name>", "AppendBlob"),
        );
        let query = Query { prefix: Vec::new(), start: Start::After(Vec::new()), delimited: false, limit: None };
        let mut page = Page::default();
        azure().read_page(&query, body.as_bytes(), &mut page).unwrap();
        assert_eq!(page.keys.iter().collect::<Vec<_>>(), [&b"/a&b"[..], b"b\n"]);
        assert_eq!(page.prefixes.get(0), b"c/");
        assert_eq!(page.token.as_deref(), Some("2!4"));
        assert_eq!(page.stats[0].modified, SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_419_332));
        assert!(page.stats[0].md5.is_some() && page.stats[1].md5.is_none());
        assert!(azure().read_page(&query, &body.as_bytes()[..body.len() - 3], &mut Page::default()).is_err());
        assert!(azure().read_page(&query, b"<Error/>", &mut Page::default()).is_err());
    }
}
