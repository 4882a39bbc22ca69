//! What GET and HEAD have in common everywhere: conditions and ranges, as HTTP has them (RFC 9110, sections 13, 14).

use std::ops::Range;

use crate::answer::Answer;
use crate::moment::Moment;
use crate::object::Content;
use crate::refusal::Refusal;
use crate::request::Request;

/// Starts the answer to GET or HEAD: the content or the part of it that is asked for, with what describes it.
pub(crate) fn answer(request: &Request, content: &Content, etag: &str, modified: Moment) -> Result<Answer, Refusal> {
    check_conditions(request, etag, modified)?;
    let size = content.size_bytes();
    let range = request.header("x-ms-range").or_else(|| request.header("range")).map(Bounds::parse);
    let answer = match range {
        None | Some(None) => Answer::new(200).body(content.clone()),
        Some(Some(bounds)) => {
            let Range { start, end } = bounds.within(size).ok_or(Refusal::BadRange(size))?;
            let content_range = format!("bytes {start}-{}/{size}", end - 1);
            Answer::new(206).body(content.part(start..end)).header("content-range", &content_range)
        }
    };
    let answer = answer.header("etag", &format!("\"{}\"", etag.trim_matches('"')));
    Ok(answer.header("last-modified", &modified.rfc1123()).header("accept-ranges", "bytes"))
}

fn check_conditions(request: &Request, etag: &str, modified: Moment) -> Result<(), Refusal> {
    let since = |name: &str| request.header(name).and_then(Moment::parse_http);
    if let Some(wanted) = request.header("if-match") {
        if !names(wanted, etag) {
            return Err(Refusal::Precondition);
        }
    } else if since("if-unmodified-since").is_some_and(|since| modified.seconds() > since.seconds()) {
        return Err(Refusal::Precondition);
    }
    if let Some(known) = request.header("if-none-match") {
        if names(known, etag) {
            return Err(Refusal::NotModified);
        }
    } else if since("if-modified-since").is_some_and(|since| modified.seconds() <= since.seconds()) {
        return Err(Refusal::NotModified);
    }
    Ok(())
}

/// Whether a list of entity tags, quoted or not, has this one.
pub(crate) fn names(list: &str, etag: &str) -> bool {
    let plain = |etag: &str| etag.trim().trim_start_matches("W/").trim_matches('"').to_owned();
    list.split(',').map(plain).any(|other| other == "*" || other == plain(etag))
}

/// A range as it is written; only the first of several counts.
pub(crate) enum Bounds {
    FromTo(u64, Option<u64>),
    Last(u64),
}

impl Bounds {
    /// None: not a range, and to be passed over.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (first, last) = text.strip_prefix("bytes=")?.split(',').next()?.trim().split_once('-')?;
        if first.is_empty() {
            return last.parse().ok().map(Self::Last);
        }
        let last = if last.is_empty() { None } else { Some(last.parse().ok()?) };
        let first = first.parse().ok()?;
        last.is_none_or(|last| first <= last).then_some(Self::FromTo(first, last))
    }

    /// The part of so many bytes; none if there is nothing of it.
    pub(crate) fn within(&self, size: u64) -> Option<Range<u64>> {
        let range = match *self {
            Self::FromTo(first, last) => first..last.map_or(size, |last| last.saturating_add(1).min(size)),
            Self::Last(count) => size.saturating_sub(count)..size,
        };
        (range.start < range.end).then_some(range)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use hyper::{HeaderMap, Method};

    fn read(headers: &[(&'static str, &str)]) -> Result<(u16, u64), Refusal> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().expect("a value"));
        }
        let request = Request::new(Method::GET, "/b/k", map, Bytes::new());
        let modified = Moment::parse("2026-11-23T07:35:32Z").expect("a moment");
        let answer = answer(&request, &Content::from("0123456789"), "abc", modified)?;
        Ok((answer.status.as_u16(), answer.content.size_bytes()))
    }

    #[test]
    fn ranges_are_cut_to_what_there_is() {
        for (range, expected) in [
            ("bytes=0-3", (206, 4)),
            ("bytes=8-", (206, 2)),
            ("bytes=8-100", (206, 2)),
            ("bytes=-3", (206, 3)),
            ("bytes=-30", (206, 10)),
            ("bytes=4-2", (200, 10)),
            ("lines=1-2", (200, 10)),
        ] {
            assert_eq!(read(&[("range", range)]).ok(), Some(expected), "{range}");
        }
        assert!(matches!(read(&[("range", "bytes=10-")]), Err(Refusal::BadRange(10))));
    }

    #[test]
    fn conditions_are_on_the_etag_or_the_time() {
        for headers in [
            ("if-match", "\"abc\""),
            ("if-match", "*"),
            ("if-none-match", "\"xyz\""),
            ("if-unmodified-since", "Mon, 23 Nov 2026 07:35:32 GMT"),
            ("if-modified-since", "Mon, 23 Nov 2026 07:35:31 GMT"),
        ] {
            assert!(read(&[headers]).is_ok(), "{headers:?}");
        }
        assert!(matches!(read(&[("if-match", "\"xyz\"")]), Err(Refusal::Precondition)));
        assert!(matches!(read(&[("if-none-match", "\"x\", \"abc\"")]), Err(Refusal::NotModified)));
        let time = "Mon, 23 Nov 2026 07:35:31 GMT";
        assert!(matches!(read(&[("if-unmodified-since", time)]), Err(Refusal::Precondition)));
        let time = "Mon, 23 Nov 2026 07:35:32 GMT";
        assert!(matches!(read(&[("if-modified-since", time)]), Err(Refusal::NotModified)));
    }
}
