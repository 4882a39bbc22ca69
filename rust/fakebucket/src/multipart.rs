//! Bodies of several parts (RFC 2046, section 5.1), and requests and answers as parts of them: what batches are made of.

use bytes::Bytes;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{HeaderMap, Method};
use memchr::memmem;

use crate::answer::Answer;
use crate::object::Content;
use crate::request::Request;

/// One part.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// The parts of a request's body; none if it is not made of parts.
pub(crate) fn parts(request: &Request) -> Option<Vec<Part>> {
    let boundary = request.header("content-type")?.split(';').find_map(|part| part.trim().strip_prefix("boundary="))?;
    let delimiter = format!("--{}", boundary.trim_matches('"'));
    let body = &request.body;
    let mut starts = memmem::find_iter(body, &delimiter)
        // Only at the beginning of a line.
        .filter(|&start| start == 0 || body[start - 1] == b'\n')
        .peekable();
    let mut parts = Vec::new();
    while let Some(start) = starts.next() {
        let rest = &body[start + delimiter.len()..];
        if rest.starts_with(b"--") {
            return Some(parts);
        }
        let first = start + delimiter.len() + memchr::memchr(b'\n', rest)? + 1;
        let end = *starts.peek()?;
        let part = body.get(first..end)?;
        let part = part.strip_suffix(b"\r\n").or_else(|| part.strip_suffix(b"\n")).unwrap_or(part);
        let (headers, content) = head(part)?;
        parts.push(Part { headers, body: body.slice_ref(content) });
    }
    None
}

/// Headers up to an empty line, and what is behind it.
fn head(text: &[u8]) -> Option<(HeaderMap, &[u8])> {
    let mut headers = HeaderMap::new();
    let mut rest = text;
    while let Some(end) = memchr::memchr(b'\n', rest) {
        let line = std::str::from_utf8(&rest[..end]).ok()?.trim_end();
        rest = &rest[end + 1..];
        let Some((name, value)) = line.split_once(':') else {
            return line.is_empty().then_some((headers, rest));
        };
        headers.insert(HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_str(value.trim()).ok()?);
    }
    // A part may end with its headers.
    Some((headers, rest))
}

impl Part {
    /// The request that this part is.
    pub(crate) fn request(&self) -> Option<Request> {
        let end = memchr::memchr(b'\n', &self.body)?;
        let mut line = std::str::from_utf8(&self.body[..end]).ok()?.split_ascii_whitespace();
        let method = Method::from_bytes(line.next()?.as_bytes()).ok()?;
        let (headers, body) = head(&self.body[end + 1..])?;
        Some(Request::new(method, line.next()?, headers, self.body.slice_ref(body)))
    }
}

/// An answer made of answers, each with the number or name of the part that it is for.
pub(crate) fn answer(status: u16, answers: Vec<(String, Answer)>) -> Answer {
    const BOUNDARY: &str = "batch_fakebucket";
    let mut body = Vec::new();
    for (id, answer) in answers {
        let reason = answer.status.canonical_reason().unwrap_or_default();
        let head = format!(
            "--{BOUNDARY}\r\nContent-Type: application/http\r\nContent-ID: {id}\r\n\r\nHTTP/1.1 {} {reason}\r\n",
            answer.status.as_u16()
        );
        body.extend_from_slice(head.as_bytes());
        for (name, value) in &answer.headers {
            for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
                body.extend_from_slice(part);
            }
        }
        body.extend_from_slice(format!("Content-Length: {}\r\n\r\n", answer.content.size_bytes()).as_bytes());
        if let Content::Bytes(content) = &answer.content {
            body.extend_from_slice(content);
        }
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    Answer::new(status).body(body).header("content-type", &format!("multipart/mixed; boundary={BOUNDARY}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(content_type: &str, body: &'static str) -> Request {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", content_type.parse().expect("a value"));
        Request::new(Method::POST, "/batch", headers, Bytes::from_static(body.as_bytes()))
    }

    #[test]
    fn parts_have_headers_and_bodies() {
        let body = "preamble\r\n--b\r\nContent-Type: a/b\r\n\r\nfirst --b\r\n\r\n--b\r\n\r\n\r\n--b--\r\n";
        for content_type in ["multipart/related; boundary=b", "multipart/mixed; boundary=\"b\"; type=x"] {
            let parts = parts(&request(content_type, body)).expect("parts");
            assert_eq!(parts.iter().map(|part| &part.body[..]).collect::<Vec<_>>(), [&b"first --b\r\n"[..], b""]);
            assert_eq!(parts[0].headers["content-type"], "a/b");
        }
    }

    #[test]
    fn parts_are_requests() {
        let body = "--b\r\nContent-ID: 1\r\n\r\nDELETE /x?y=1 HTTP/1.1\r\nA: b\r\n\r\n\r\n--b\r\n\r\nGET /z HTTP/1.1\r\n\r\n--b--";
        let parts = parts(&request("multipart/mixed; boundary=b", body)).expect("parts");
        let requests: Vec<Request> = parts.iter().filter_map(Part::request).collect();
        assert_eq!((requests[0].path.as_str(), requests[0].header("a")), ("/x", Some("b")));
        assert_eq!(requests[1].method, Method::GET);
    }

    #[test]
    fn what_does_not_end_is_nothing() {
        for body in ["", "--b\r\n\r\n", "--b\r\n\r\ntext\r\n--c--"] {
            assert!(parts(&request("multipart/mixed; boundary=b", body)).is_none(), "{body:?}");
        }
        assert!(parts(&request("text/plain", "--b--")).is_none());
    }
}
