//! Google Cloud Storage by its JSON API, whose listings say what the XML one does not: the content type.

use std::borrow::Cow;
use std::ops::Range;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, RANGE};
use http::{HeaderValue, Method};
use object_store::client::HttpRequest;
use object_store::gcp::GcpCredentialProvider;
use serde::Deserialize;

use super::dialect::{
    Answer, Condition, Dialect, Doomed, KeyOutcome, Malformed, Signed, encode_component, encode_query, range_header,
    request,
};
use super::multipart;
use super::page::{Page, Query, Start};
use crate::rfc3339;
use crate::store::Stat;

/// What the registry's driver writes while an upload goes on, and takes for nothing (`gcs.go`: `uploadSessionContentType`).
const UPLOAD_SESSION: &str = "application/x-docker-upload-session";
/// What of a listing is asked for. Everything else would be most of it.
const FIELDS: &[u8] = b"items(name,size,updated,md5Hash,contentType),prefixes,nextPageToken";

/// A bucket on Google Cloud Storage.
#[derive(Debug)]
pub(super) struct Gcs {
    /// The URL of the service, without a slash at its end.
    endpoint: String,
    bucket: String,
    credentials: GcpCredentialProvider,
}

#[derive(Deserialize)]
struct Listing<'a> {
    #[serde(borrow, default)]
    items: Vec<Item<'a>>,
    #[serde(borrow, default)]
    prefixes: Vec<Cow<'a, str>>,
    #[serde(rename = "nextPageToken")]
    token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    size: Cow<'a, str>,
    #[serde(borrow)]
    updated: Cow<'a, str>,
    #[serde(borrow)]
    md5_hash: Option<Cow<'a, str>>,
    #[serde(borrow)]
    content_type: Option<Cow<'a, str>>,
}

impl Item<'_> {
    fn stat(&self) -> Option<Stat> {
        let md5 = self.md5_hash.as_ref().and_then(|text| BASE64_STANDARD.decode(text.as_bytes()).ok());
        Some(Stat {
            size_bytes: self.size.parse().ok()?,
            modified: rfc3339::parse(self.updated.as_bytes())?,
            md5: md5.and_then(|md5| md5.try_into().ok()),
        })
    }
}

#[derive(Deserialize)]
struct Failure {
    error: Explanation,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Explanation {
    message: String,
    errors: Vec<Reason>,
}

#[derive(Deserialize)]
struct Reason {
    reason: String,
}

impl Gcs {
    pub(super) fn new(endpoint: String, bucket: String, credentials: GcpCredentialProvider) -> Self {
        Self { endpoint, bucket, credentials }
    }

    fn sign(&self, mut request: HttpRequest) -> Signed<'_> {
        Box::pin(async move {
            let credential = self.credentials.get_credential().await?;
            // A key may say that no token is to be asked for, which is what emulators want.
            if !credential.bearer.is_empty() {
                let bearer = HeaderValue::from_str(&format!("Bearer {}", credential.bearer));
                let unusable = |error| object_store::Error::Generic { store: "GCS", source: Box::new(error) };
                let mut bearer = bearer.map_err(unusable)?;
                bearer.set_sensitive(true);
                request.headers_mut().insert(AUTHORIZATION, bearer);
            }
            Ok(request)
        })
    }

    fn object(&self, key: &[u8], query: &str) -> String {
        let bucket = encode_component(self.bucket.as_bytes());
        format!("{}/storage/v1/b/{bucket}/o/{}{query}", self.endpoint, encode_component(key))
    }
}

impl Dialect for Gcs {
    fn starts_anywhere(&self) -> bool {
        true
    }

    fn page_size(&self) -> usize {
        1000
    }

    fn removal_size(&self) -> usize {
        100
    }

    fn list<'a>(&'a self, query: &'a Query) -> Signed<'a> {
        let limit = query.limit.map(|limit| limit.to_string());
        let mut pairs: Vec<(&str, &[u8])> = vec![("prefix", &query.prefix), ("fields", FIELDS)];
        match &query.start {
            Start::After(key) if key.is_empty() => {}
            Start::After(key) => pairs.push(("startOffset", key)),
            Start::Token(token) => pairs.push(("pageToken", token.as_bytes())),
        }
        if query.delimited {
            pairs.push(("delimiter", b"/"));
        }
        pairs.extend(limit.as_ref().map(|limit| ("maxResults", limit.as_bytes())));
        let bucket = encode_component(self.bucket.as_bytes());
        let url = format!("{}/storage/v1/b/{bucket}/o{}", self.endpoint, encode_query(&pairs));
        self.sign(request(Method::GET, &url, Vec::new()))
    }

    fn read_page(&self, query: &Query, body: &[u8], page: &mut Page) -> Result<(), Malformed> {
        let listing: Listing<'_> =
            serde_json::from_slice(body).map_err(|_| Malformed("the store's answer is no listing, or cut off"))?;
        // The offset is where it begins; what is wanted comes after.
        let after = if let Start::After(key) = &query.start { key.as_slice() } else { b"" };
        for item in listing.items.iter().filter(|item| item.name.as_bytes() > after || after.is_empty()) {
            if item.content_type.as_deref() != Some(UPLOAD_SESSION) {
                let stat = item.stat().ok_or(Malformed("a listing names a key without its size and time"))?;
                page.push(item.name.as_bytes(), stat);
            }
        }
        listing.prefixes.iter().for_each(|prefix| page.prefixes.push(prefix.as_bytes()));
        page.truncated = listing.token.is_some();
        page.token = listing.token;
        Ok(())
    }

    fn get<'a>(&'a self, key: &'a [u8], range: Option<Range<u64>>) -> Signed<'a> {
        let mut request = request(Method::GET, &self.object(key, "?alt=media"), Vec::new());
        if let Some(range) = range {
            request.headers_mut().insert(RANGE, range_header(&range));
        }
        self.sign(request)
    }

    fn put<'a>(&'a self, key: &'a [u8], content: &[u8], condition: &Condition) -> Signed<'a> {
        let mut pairs: Vec<(&str, &[u8])> = vec![("uploadType", b"media"), ("name", key)];
        match condition {
            Condition::Always => {}
            Condition::Absent => pairs.push(("ifGenerationMatch", b"0")),
            Condition::Version(generation) => pairs.push(("ifGenerationMatch", generation.as_bytes())),
        }
        let bucket = encode_component(self.bucket.as_bytes());
        let url = format!("{}/upload/storage/v1/b/{bucket}/o{}", self.endpoint, encode_query(&pairs));
        let mut request = request(Method::POST, &url, content.to_vec());
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        self.sign(request)
    }

    fn copy<'a>(&'a self, from: &'a [u8], to: &'a [u8]) -> Signed<'a> {
        // One call is enough within a bucket, whatever the size (objects.rewrite may need several between locations).
        let bucket = encode_component(self.bucket.as_bytes());
        let target = format!("/copyTo/b/{bucket}/o/{}?ifGenerationMatch=0", encode_component(to));
        let mut request = request(Method::POST, &self.object(from, &target), Vec::new());
        request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(0));
        self.sign(request)
    }

    fn version(&self, answer: &Answer) -> Option<String> {
        #[derive(Deserialize)]
        struct Written {
            generation: String,
        }
        // A read says it in a header, a write in the description of what was written.
        let header = answer.headers.get("x-goog-generation").and_then(|value| value.to_str().ok()).map(str::to_owned);
        header.or_else(|| serde_json::from_slice::<Written>(&answer.body).ok().map(|written| written.generation))
    }

    fn remove(&self, keys: Vec<Doomed>) -> Signed<'_> {
        let mut parts: Vec<HttpRequest> =
            keys.iter().map(|doomed| request(Method::DELETE, &self.object(&doomed.key, ""), Vec::new())).collect();
        if let [_] = parts.as_slice() {
            return self.sign(parts.remove(0));
        }
        let (body, kind) = multipart::body(&parts);
        let mut request = request(Method::POST, &format!("{}/batch/storage/v1", self.endpoint), body);
        request.headers_mut().insert(CONTENT_TYPE, kind.parse().expect("a content type is a header's value"));
        self.sign(request)
    }

    fn read_removal(&self, answer: &Answer, keys: &[Doomed]) -> Result<Vec<KeyOutcome>, Malformed> {
        let explain = |body: &[u8]| self.explain(body);
        if keys.len() == 1 {
            return Ok(vec![multipart::outcome(answer.status.as_u16(), &answer.body, &explain)]);
        }
        multipart::read(answer, keys.len(), explain)
    }

    fn explain(&self, body: &[u8]) -> (String, String) {
        let Ok(Failure { error }) = serde_json::from_slice(body) else { return (String::new(), String::new()) };
        let reason = error.errors.into_iter().next().map(|reason| reason.reason);
        (reason.unwrap_or_default(), error.message)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use object_store::StaticCredentialProvider;
    use object_store::gcp::GcpCredential;

    use super::*;

    fn query(start: Start) -> Query {
        Query { prefix: Vec::new(), start, delimited: false, limit: None }
    }

    fn gcs() -> Gcs {
        let credential = GcpCredential { bearer: "t".to_owned() };
        Gcs::new("http://127.0.0.1:1".into(), "b".into(), Arc::new(StaticCredentialProvider::new(credential)))
    }

    #[test]
    fn sessions_of_uploads_are_nothing() {
        let body = r#"{"nextPageToken":"t","prefixes":["p/"],"items":[
            {"name":"a","size":"71","updated":"2026-11-23T07:35:32.250Z","md5Hash":"1B2M2Y8AsgTpgAmY7PhCfg=="},
            {"name":"b","size":"9","updated":"2026-11-23T07:35:32Z","contentType":"application/x-docker-upload-session"},
            {"name":"c","size":"0","updated":"2026-11-23T07:35:32Z","contentType":"application/octet-stream"}]}"#;
        let gcs = gcs();
        let mut page = Page::default();
        gcs.read_page(&query(Start::After(Vec::new())), body.as_bytes(), &mut page).unwrap();
        assert_eq!(page.keys.iter().collect::<Vec<_>>(), [b"a", b"c"]);
        assert_eq!((page.stats[0].size_bytes, page.stats[0].md5.unwrap()[0]), (71, 0xd4));
        assert_eq!((page.truncated, page.token.as_deref()), (true, Some("t")));
        page.clear();
        gcs.read_page(&query(Start::After(b"a".to_vec())), body.as_bytes(), &mut page).unwrap();
        assert_eq!(page.keys.iter().collect::<Vec<_>>(), [b"c"]);
        assert!(gcs.read_page(&query(Start::After(Vec::new())), &body.as_bytes()[..99], &mut page).is_err());
        assert!(gcs.read_page(&query(Start::After(Vec::new())), b"{}", &mut page).is_ok(), "an empty bucket");
    }

    #[test]
    fn errors_say_what_is_wrong() {
        let gcs = gcs();
        let body = r#"{"error":{"code":429,"message":"slow","errors":[{"reason":"rateLimitExceeded"}]}}"#;
        assert_eq!(gcs.explain(body.as_bytes()), ("rateLimitExceeded".into(), "slow".into()));
        assert_eq!(gcs.explain(b"Not Found"), (String::new(), String::new()));
    }
}
