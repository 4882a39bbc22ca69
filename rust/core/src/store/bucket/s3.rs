//! Amazon S3 and what speaks its language: `ListObjectsV2`, `GetObject`, `DeleteObjects`, signed by AWS's version 4.

mod multipart;
mod versions;

use std::collections::HashMap;
use std::ops::Range;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::header::{CONTENT_TYPE, IF_NONE_MATCH, RANGE};
use http::{HeaderValue, Method};
use md5::{Digest as _, Md5};
use object_store::aws::{AwsAuthorizer, AwsCredentialProvider};
use object_store::client::HttpRequest;

use super::dialect::{
    Answer, Condition, Dialect, Doomed, KeyOutcome, Malformed, Signed, add_condition, encode_path, encode_query, etag,
    range_header, request,
};
use super::page::{Page, Query, Start, md5_of_etag};
use super::parts::Multipart;
use super::versions::Versions;
use super::xml::{self, Element};
use crate::rfc3339;
use crate::store::Stat;

/// A bucket on S3.
#[derive(Debug)]
pub(super) struct S3 {
    /// The URL of the bucket, without a slash at its end.
    base: String,
    bucket: String,
    region: String,
    credentials: AwsCredentialProvider,
}

impl S3 {
    pub(super) fn new(base: String, bucket: String, region: String, credentials: AwsCredentialProvider) -> Self {
        Self { base, bucket, region, credentials }
    }

    /// The header that names what is copied.
    fn copy_source(&self, from: &[u8]) -> HeaderValue {
        let source = format!("/{}/{}", self.bucket, encode_path(from));
        source.parse().expect("encoded text is a header's value")
    }

    fn sign(&self, mut request: HttpRequest) -> Signed<'_> {
        Box::pin(async move {
            let credential = self.credentials.get_credential().await?;
            AwsAuthorizer::new(&credential, "s3", &self.region).try_authorize(&mut request, None)?;
            Ok(request)
        })
    }
}

impl Dialect for S3 {
    fn starts_anywhere(&self) -> bool {
        true
    }

    fn page_size(&self) -> usize {
        1000
    }

    fn removal_size(&self) -> usize {
        1000
    }

    fn list<'a>(&'a self, query: &'a Query) -> Signed<'a> {
        let limit = query.limit.map(|limit| limit.to_string());
        let mut pairs: Vec<(&str, &[u8])> = vec![("list-type", b"2"), ("prefix", &query.prefix)];
        match &query.start {
            Start::After(key) if key.is_empty() => {}
            Start::After(key) => pairs.push(("start-after", key)),
            Start::Token(token) => pairs.push(("continuation-token", token.as_bytes())),
        }
        if query.delimited {
            pairs.push(("delimiter", b"/"));
        }
        pairs.extend(limit.as_ref().map(|limit| ("max-keys", limit.as_bytes())));
        self.sign(request(Method::GET, &format!("{}/{}", self.base, encode_query(&pairs)), Vec::new()))
    }

    fn read_page(&self, _query: &Query, body: &[u8], page: &mut Page) -> Result<(), Malformed> {
        let mut object = Object::default();
        let mut is_list = false;
        let mut in_prefixes = false;
        xml::read(body, |element| {
            match element {
                Element::Opens(b"ListBucketResult") => is_list = true,
                Element::Opens(b"Contents") => object.clear(),
                Element::Opens(b"CommonPrefixes") => in_prefixes = true,
                Element::Opens(_) => {}
                Element::Closes(name, text, _) => match name {
                    b"Key" => {
                        object.key.clear();
                        object.key.extend_from_slice(text);
                    }
                    b"LastModified" => object.modified = rfc3339::parse(text),
                    b"ETag" => object.md5 = md5_of_etag(text),
                    b"Size" => object.size_bytes = number(text),
                    b"Contents" => page.push(&object.key, object.stat()?),
                    b"Prefix" if in_prefixes => page.prefixes.push(text),
                    b"CommonPrefixes" => in_prefixes = false,
                    b"IsTruncated" => page.truncated = text == b"true",
                    b"NextContinuationToken" => page.token = Some(String::from_utf8_lossy(text).into_owned()),
                    b"KeyCount" => page.announced = number(text).and_then(|count| usize::try_from(count).ok()),
                    _ => {}
                },
            }
            Ok(())
        })?;
        if is_list { Ok(()) } else { Err(Malformed("the store's answer is no listing")) }
    }

    fn get<'a>(&'a self, key: &'a [u8], range: Option<Range<u64>>) -> Signed<'a> {
        let mut request = request(Method::GET, &format!("{}/{}", self.base, encode_path(key)), Vec::new());
        if let Some(range) = range {
            request.headers_mut().insert(RANGE, range_header(&range));
        }
        self.sign(request)
    }

    fn put<'a>(&'a self, key: &'a [u8], content: &[u8], condition: &Condition) -> Signed<'a> {
        let mut request = request(Method::PUT, &format!("{}/{}", self.base, encode_path(key)), content.to_vec());
        add_condition(&mut request, condition);
        self.sign(request)
    }

    fn copy<'a>(&'a self, from: &'a [u8], to: &'a [u8]) -> Signed<'a> {
        let mut request = request(Method::PUT, &format!("{}/{}", self.base, encode_path(to)), Vec::new());
        let headers = request.headers_mut();
        headers.insert("x-amz-copy-source", self.copy_source(from));
        // S3 honours it since 2025; what does not know it copies in any case.
        headers.insert(IF_NONE_MATCH, HeaderValue::from_static("*"));
        self.sign(request)
    }

    fn version(&self, answer: &Answer) -> Option<String> {
        etag(answer)
    }

    fn remove(&self, keys: Vec<Doomed>) -> Signed<'_> {
        let mut body = b"<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">".to_vec();
        for doomed in keys {
            body.extend_from_slice(b"<Object><Key>");
            xml::escape(&doomed.key, &mut body);
            body.extend_from_slice(b"</Key>");
            if let Some(version) = doomed.version {
                body.extend_from_slice(b"<VersionId>");
                xml::escape(version.as_bytes(), &mut body);
                body.extend_from_slice(b"</VersionId>");
            }
            body.extend_from_slice(b"</Object>");
        }
        body.extend_from_slice(b"</Delete>");
        let checksum = BASE64_STANDARD.encode(Md5::digest(&body));
        let mut request = request(Method::POST, &format!("{}/?delete=", self.base), body);
        let headers = request.headers_mut();
        headers.insert("content-md5", checksum.parse().expect("base64 is a header's value"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
        self.sign(request)
    }

    fn read_removal(&self, answer: &Answer, keys: &[Doomed]) -> Result<Vec<KeyOutcome>, Malformed> {
        let mut outcomes: HashMap<Doomed, KeyOutcome> = HashMap::with_capacity(keys.len());
        let (mut doomed, mut code, mut message) = (Doomed::key(Vec::new()), String::new(), String::new());
        let (mut is_result, mut is_marker) = (false, false);
        let text = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
        xml::read(&answer.body, |element| {
            match element {
                Element::Opens(b"DeleteResult") => is_result = true,
                Element::Opens(b"Deleted" | b"Error") => {
                    (doomed, code, message) = (Doomed::key(Vec::new()), String::new(), String::new());
                    is_marker = false;
                }
                Element::Opens(_) => {}
                Element::Closes(name, content, _) => match name {
                    b"Key" => doomed.key = content.to_vec(),
                    b"VersionId" => doomed.version = Some(text(content)).filter(|version| !version.is_empty()),
                    b"DeleteMarker" => is_marker = content == b"true",
                    b"Code" => code = text(content),
                    b"Message" => message = text(content),
                    b"Deleted" => {
                        // Of a version that was removed it tells whether it was a marker.
                        let outcome = if is_marker && doomed.version.is_none() {
                            KeyOutcome::Hidden
                        } else {
                            KeyOutcome::Removed
                        };
                        outcomes.insert(doomed.clone(), outcome);
                    }
                    b"Error" => drop(outcomes.insert(doomed.clone(), failed(&code, &message))),
                    _ => {}
                },
            }
            Ok(())
        })?;
        if !is_result {
            return Err(Malformed("the store's answer does not say what was removed"));
        }
        let unsaid = || KeyOutcome::Again("the store did not say what became of it".to_owned());
        Ok(keys.iter().map(|doomed| outcomes.remove(doomed).unwrap_or_else(unsaid)).collect())
    }

    fn versions(&self) -> Option<&dyn Versions> {
        Some(self)
    }

    fn multipart(&self) -> Option<&dyn Multipart> {
        Some(self)
    }

    fn explain(&self, body: &[u8]) -> (String, String) {
        xml::error(body)
    }
}

/// One object of a listing, while it is being read.
#[derive(Default)]
struct Object {
    key: Vec<u8>,
    modified: Option<std::time::SystemTime>,
    md5: Option<[u8; 16]>,
    size_bytes: Option<u64>,
}

impl Object {
    /// Forgets what was read, keeping the memory.
    fn clear(&mut self) {
        self.key.clear();
        (self.modified, self.md5, self.size_bytes) = (None, None, None);
    }

    fn stat(&self) -> Result<Stat, Malformed> {
        let (Some(modified), Some(size_bytes)) = (self.modified, self.size_bytes) else {
            return Err(Malformed("a listing names a key without its size and time"));
        };
        Ok(Stat { size_bytes, modified, md5: self.md5 })
    }
}

fn number(text: &[u8]) -> Option<u64> {
    let digit = |number: u64, byte: &u8| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    };
    (!text.is_empty()).then(|| text.iter().try_fold(0, digit)).flatten()
}

fn failed(code: &str, message: &str) -> KeyOutcome {
    let text = format!("{code}: {message}");
    match code {
        "NoSuchKey" | "NoSuchVersion" => KeyOutcome::Absent,
        "SlowDown" | "InternalError" | "ServiceUnavailable" | "OperationAborted" => KeyOutcome::Again(text),
        _ => KeyOutcome::Failed(text),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use object_store::StaticCredentialProvider;
    use object_store::aws::AwsCredential;

    use super::*;

    pub(super) fn s3() -> S3 {
        let credential = AwsCredential { key_id: "k".into(), secret_key: "s".into(), token: Some("t".into()) };
        S3::new(
            "http://127.0.0.1:1/b".into(),
            "b".into(),
            "us-east-1".into(),
            Arc::new(StaticCredentialProvider::new(credential)),
        )
    }

    #[test]
    fn a_page_is_read_whole_or_not_at_all() {
        let body = "<?xml version=\"1.0\"?><ListBucketResult><IsTruncated>true</IsTruncated><KeyCount>2</KeyCount>\
            <Contents><Key>a&amp;b</Key><LastModified>2026-11-23T07:35:32.250Z</LastModified>\
            <ETag>&quot;d41d8cd98f00b204e9800998ecf8427e&quot;</ETag><Size>5</Size></Contents>\
            <CommonPrefixes><Prefix>c/</Prefix></CommonPrefixes>\
            <NextContinuationToken>1/x=</NextContinuationToken><Prefix></Prefix></ListBucketResult>";
        let query = Query { prefix: Vec::new(), start: Start::After(Vec::new()), delimited: false, limit: None };
        let mut page = Page::default();
        s3().read_page(&query, body.as_bytes(), &mut page).unwrap();
        assert_eq!((page.keys.get(0), page.prefixes.get(0)), (&b"a&b"[..], &b"c/"[..]));
        assert_eq!((page.truncated, page.token.as_deref(), page.announced), (true, Some("1/x="), Some(2)));
        assert_eq!((page.stats[0].size_bytes, page.stats[0].md5.is_some()), (5, true));
        assert!(s3().read_page(&query, &body.as_bytes()[..body.len() - 1], &mut Page::default()).is_err());
        assert!(s3().read_page(&query, b"<Error><Code>SlowDown</Code></Error>", &mut Page::default()).is_err());
        let untimed = body.replace("LastModified", "Modified");
        assert!(s3().read_page(&query, untimed.as_bytes(), &mut Page::default()).is_err());
    }

    #[test]
    fn every_key_has_its_own_outcome() {
        let body = "<DeleteResult><Deleted><Key>a</Key></Deleted><Error><Key>b</Key><Code>AccessDenied</Code>\
            <Message>no</Message></Error><Error><Key>c</Key><Code>SlowDown</Code><Message>x</Message></Error></DeleteResult>";
        let answer = |body: &str| Answer {
            status: http::StatusCode::OK,
            headers: http::HeaderMap::new(),
            body: body.to_owned().into(),
        };
        let keys = [b"a", b"b", b"c", b"d"].map(|key| Doomed::key(key.to_vec()));
        let outcomes = s3().read_removal(&answer(body), &keys).unwrap();
        assert_eq!(outcomes[0], KeyOutcome::Removed);
        assert_eq!(outcomes[1], KeyOutcome::Failed("AccessDenied: no".into()));
        assert!(matches!(outcomes[2], KeyOutcome::Again(_)) && matches!(outcomes[3], KeyOutcome::Again(_)));
        assert!(s3().read_removal(&answer("<Error><Code>SlowDown</Code></Error>"), &keys).is_err());
    }

    #[test]
    fn a_marker_that_was_left_is_told_from_one_that_was_removed() {
        let body = "<DeleteResult><Deleted><Key>a</Key><DeleteMarker>true</DeleteMarker>\
            <DeleteMarkerVersionId>1</DeleteMarkerVersionId></Deleted><Deleted><Key>a</Key><VersionId>2</VersionId>\
            <DeleteMarker>true</DeleteMarker><DeleteMarkerVersionId>2</DeleteMarkerVersionId></Deleted></DeleteResult>";
        let answer =
            Answer { status: http::StatusCode::OK, headers: http::HeaderMap::new(), body: body.to_owned().into() };
        let version = |id: &str| Doomed { key: b"a".to_vec(), version: Some(id.to_owned()) };
        let keys = [version("2"), Doomed::key(b"a".to_vec()), version("3")];
        let outcomes = s3().read_removal(&answer, &keys).unwrap();
        assert_eq!(outcomes[..2], [KeyOutcome::Removed, KeyOutcome::Hidden]);
        assert!(matches!(outcomes[2], KeyOutcome::Again(_)));
    }
}
