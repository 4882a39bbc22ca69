//! Requests, taken apart as far as all services agree.

use bytes::Bytes;
use hyper::{HeaderMap, Method};

use crate::text::percent_decode;

/// A request with its whole body.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    /// As it came, percent-encoded.
    pub(crate) path: String,
    pub(crate) parameters: Parameters,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Request {
    /// Takes a target (`/path?query`) apart.
    pub(crate) fn new(method: Method, target: &str, headers: HeaderMap, body: Bytes) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Self { method, path: path.to_owned(), parameters: Parameters::parse(query), headers, body }
    }

    /// A header's value, if it is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The values of all headers whose names begin so, with the rest of the name.
    pub(crate) fn headers_below(&self, prefix: &str) -> Vec<(String, String)> {
        let below = |(name, value): (&hyper::header::HeaderName, &hyper::header::HeaderValue)| {
            let rest = name.as_str().strip_prefix(prefix)?;
            Some((rest.to_owned(), value.to_str().ok()?.to_owned()))
        };
        self.headers.iter().filter_map(below).collect()
    }

    /// The path below `prefix`: what is before its first slash, decoded, and what is after it, decoded too.
    pub(crate) fn bucket_and_key(&self, prefix: &str) -> (String, Vec<u8>) {
        let path = self.path.strip_prefix(prefix).unwrap_or(&self.path);
        let path = path.strip_prefix('/').unwrap_or(path);
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        let bucket = String::from_utf8_lossy(&percent_decode(bucket.as_bytes(), false)).into_owned();
        (bucket, percent_decode(key.as_bytes(), false))
    }
}

/// What is behind the question mark, decoded.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parameters(Vec<(Vec<u8>, Vec<u8>)>);

impl Parameters {
    fn parse(query: &str) -> Self {
        let decode = |part: &str| percent_decode(part.as_bytes(), true);
        let pairs = query.split('&').filter(|part| !part.is_empty()).map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (decode(name), decode(value))
        });
        Self(pairs.collect())
    }

    /// The value of a parameter, in bytes.
    pub(crate) fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|(other, _)| other == name.as_bytes()).map(|(_, value)| value.as_slice())
    }

    /// The value of a parameter, if it is text.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.bytes(name).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// The value of a parameter; nothing where it is missing.
    pub(crate) fn bytes_or_empty(&self, name: &str) -> Vec<u8> {
        self.bytes(name).unwrap_or_default().to_owned()
    }

    /// Whether a parameter is there, with a value or without.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.bytes(name).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(target: &str) -> Request {
        Request::new(Method::GET, target, HeaderMap::new(), Bytes::new())
    }

    #[test]
    fn a_path_is_a_bucket_and_a_key() {
        for (target, bucket, key) in [
            ("/", "", ""),
            ("/b", "b", ""),
            ("/b/", "b", ""),
            ("/b//a", "b", "/a"),
            ("/b/a%2Fc/d+e?x=/y", "b", "a/c/d+e"),
        ] {
            assert_eq!(request(target).bucket_and_key(""), (bucket.to_owned(), key.as_bytes().to_owned()), "{target}");
        }
        assert_eq!(request("/account/c//a").bucket_and_key("/account").1, b"/a");
    }

    #[test]
    fn parameters_are_decoded_and_may_lack_a_value() {
        let parameters = request("/b?prefix=a+b%2F&delete&x=1=2").parameters;
        assert_eq!(parameters.text("prefix"), Some("a b/"));
        assert_eq!((parameters.has("delete"), parameters.has("deleted")), (true, false));
        assert_eq!(parameters.text("x"), Some("1=2"));
    }
}
