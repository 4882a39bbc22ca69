//! Listing a bucket a page at a time, which is the same in all services but for how it is written.
//!
//! Keys come in order of bytes. What they have in common up to a delimiter is given once, as a prefix, and counts as
//! one. A page ends when it is full and one more would follow, and the next one starts after the last key or prefix.

use crate::bucket::Contents;
use crate::faults::Strikes;
use crate::moment::Moment;
use crate::object::{Object, Version};
use crate::text::contains;

/// Where a listing starts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Start {
    /// With the first key.
    #[default]
    Beginning,
    /// With this key, if it is there.
    At(Vec<u8>),
    /// With the key after this one.
    After(Vec<u8>),
    /// With the first key after all that begin with this.
    AfterPrefix(Vec<u8>),
    /// Among versions: with what comes after the one of this number.
    AfterVersion(Vec<u8>, u64),
}

impl Start {
    /// The least key that may be listed; none if there cannot be any.
    pub(crate) fn lower_bound(&self) -> Option<Vec<u8>> {
        match self {
            Self::Beginning => Some(Vec::new()),
            Self::At(key) | Self::AfterVersion(key, _) => Some(key.clone()),
            Self::After(key) => Some([key, [0].as_slice()].concat()),
            Self::AfterPrefix(prefix) => after_prefix(prefix),
        }
    }
}

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query {
    pub(crate) prefix: Vec<u8>,
    /// Empty: no prefixes in common.
    pub(crate) delimiter: Vec<u8>,
    pub(crate) start: Start,
    /// Keys from here on are left out.
    pub(crate) end: Option<Vec<u8>>,
    /// Keys and prefixes on a page.
    pub(crate) limit: usize,
}

/// A key in a listing, as it is shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Listed<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) size_bytes: u64,
    pub(crate) modified: Moment,
    pub(crate) etag: &'a str,
    pub(crate) number: u64,
    /// What Google and Azure make entity tags of.
    pub(crate) tag: u64,
    pub(crate) content_type: Option<&'a str>,
    pub(crate) metadata: &'a [(String, String)],
    pub(crate) is_append_blob: bool,
}

impl<'a> Listed<'a> {
    /// How a version of a key is listed; a delete marker is not.
    pub(crate) fn new(key: &'a [u8], version: &'a Version) -> Option<Self> {
        let Object { content, etag, content_type, metadata, is_append_blob } = version.object.as_ref()?;
        let (modified, number) = (version.modified, version.number);
        let (size_bytes, content_type) = (content.size_bytes(), content_type.as_deref());
        let is_append_blob = *is_append_blob;
        Some(Self { key, size_bytes, modified, etag, number, tag: number, content_type, metadata, is_append_blob })
    }
}

/// What a page is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Item<'a> {
    Object(Listed<'a>),
    /// What the keys that follow begin with, delimiter included.
    Prefix(&'a [u8]),
}

/// What a page ends with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct End {
    /// Keys and prefixes on the page.
    pub(crate) count: usize,
    /// Where the next page starts (after a key or a prefix), if there is one.
    pub(crate) next: Option<Start>,
}

/// What a visitor wants after a key.
enum Step {
    Next,
    /// Go on with the first key that is not below this.
    From(Vec<u8>),
    Stop,
}

/// Gives a page of a bucket to `push`, with keys left out and entity tags replaced as the faults say.
pub(crate) fn page(contents: &Contents, query: &Query, strikes: &Strikes, mut push: impl FnMut(Item<'_>)) -> End {
    let mut end = End::default();
    let Some(first) = query.start.lower_bound() else { return end };
    let mut last = Start::Beginning;
    walk(contents, first.max(query.prefix.clone()), |listed| {
        let key = listed.key;
        if !key.starts_with(&query.prefix) || query.end.as_deref().is_some_and(|end| key >= end) {
            return Step::Stop;
        }
        if strikes.omit.iter().any(|needle| contains(key, needle)) {
            return Step::Next;
        }
        if end.count == query.limit {
            // A page for nothing has nothing to go on from, and S3 says that it is the last.
            end.next = (query.limit > 0).then(|| std::mem::take(&mut last));
            return Step::Stop;
        }
        end.count += 1;
        if let Some(length) = common_length(key, &query.prefix, &query.delimiter) {
            let prefix = &key[..length];
            push(Item::Prefix(prefix));
            last = Start::AfterPrefix(prefix.to_owned());
            return after_prefix(prefix).map_or(Step::Stop, Step::From);
        }
        if strikes.has_wrong_etag(key) {
            let etag = wrong_etag(listed.etag);
            push(Item::Object(Listed { etag: &etag, tag: listed.tag + 1, ..listed }));
        } else {
            push(Item::Object(listed));
        }
        if end.count == query.limit {
            last = Start::After(key.to_owned());
        }
        Step::Next
    });
    end
}

/// Another `ETag` that looks like one of a simple upload.
fn wrong_etag(etag: &str) -> String {
    Object::new(etag.to_owned()).etag
}

/// The length of what a key has in common with others, delimiter included.
pub(crate) fn common_length(key: &[u8], prefix: &[u8], delimiter: &[u8]) -> Option<usize> {
    if delimiter.is_empty() {
        return None;
    }
    let rest = &key[prefix.len()..];
    let position = rest.windows(delimiter.len()).position(|window| window == delimiter)?;
    Some(prefix.len() + position + delimiter.len())
}

/// The least string above all that begin with `prefix`.
pub(crate) fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let length = prefix.iter().rposition(|&byte| byte != u8::MAX)? + 1;
    let mut next = prefix[..length].to_owned();
    next[length - 1] += 1;
    Some(next)
}

/// Shows current objects in order, from a key on.
fn walk(contents: &Contents, first: Vec<u8>, mut visit: impl FnMut(Listed<'_>) -> Step) {
    let mut from = Some(first);
    while let Some(first) = from.take() {
        contents.each_from(&first, |listed| match visit(listed) {
            Step::Next => true,
            Step::Stop => false,
            Step::From(next) => {
                from = Some(next);
                false
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(keys: &[&str]) -> Contents {
        let mut contents = Contents::default();
        for (number, key) in keys.iter().enumerate() {
            contents.put(key.as_bytes(), Object::new((*key).to_owned()), Moment::default(), number as u64);
        }
        contents
    }

    fn texts(contents: &Contents, query: &Query) -> (Vec<String>, Option<Start>) {
        let mut texts = Vec::new();
        let end = page(contents, query, &Strikes::default(), |item| {
            let text = match item {
                Item::Object(listed) => listed.key,
                Item::Prefix(prefix) => prefix,
            };
            texts.push(String::from_utf8(text.to_owned()).expect("text"));
        });
        assert_eq!(end.count, texts.len());
        (texts, end.next)
    }

    fn all(contents: &Contents, mut query: Query) -> Vec<String> {
        let mut found = Vec::new();
        loop {
            let (texts, next) = texts(contents, &query);
            found.extend(texts);
            match next {
                Some(next) => query.start = next,
                None => return found,
            }
        }
    }

    #[test]
    fn pages_of_any_size_give_every_key_once() {
        let keys = ["a", "a/b", "a/c", "a0", "b//c", "ä"];
        let contents = bucket(&keys);
        for limit in 1..8 {
            assert_eq!(all(&contents, Query { limit, ..Query::default() }), keys, "{limit}");
        }
    }

    #[test]
    fn pages_of_any_size_give_every_prefix_once() {
        let contents = bucket(&["a", "a/b", "a/c", "a0", "b//c", "b/d/e", "c"]);
        for limit in 1..8 {
            let query =
                |prefix: &[u8]| Query { prefix: prefix.into(), delimiter: b"/".into(), limit, ..Query::default() };
            assert_eq!(all(&contents, query(b"")), ["a", "a/", "a0", "b/", "c"], "{limit}");
            assert_eq!(all(&contents, query(b"b/")), ["b//", "b/d/"], "{limit}");
        }
    }

    #[test]
    fn a_listing_starts_and_ends_where_it_is_told() {
        let contents = bucket(&["a", "b", "b/c", "c", "d"]);
        let keys = |start: Start, end: Option<&str>| {
            let end = end.map(|end| end.as_bytes().to_owned());
            texts(&contents, &Query { start, end, limit: 10, ..Query::default() }).0
        };
        assert_eq!(keys(Start::After("b".into()), None), ["b/c", "c", "d"]);
        assert_eq!(keys(Start::At("b".into()), Some("d")), ["b", "b/c", "c"]);
        assert_eq!(keys(Start::AfterPrefix("b".into()), None), ["c", "d"]);
        assert_eq!(keys(Start::AfterPrefix(vec![u8::MAX]), None), [""; 0]);
    }

    #[test]
    fn a_wrong_etag_looks_like_a_right_one() {
        let etag = "5d41402abc4b2a76b9719d911017c592";
        assert_eq!(wrong_etag(etag).len(), etag.len());
        assert_ne!(wrong_etag(etag), etag);
    }

    #[test]
    fn a_page_for_nothing_is_the_last() {
        assert_eq!(texts(&bucket(&["a"]), &Query::default()), (Vec::new(), None));
    }

    #[test]
    fn a_full_page_with_nothing_behind_it_is_the_last() {
        assert_eq!(texts(&bucket(&["a", "b"]), &Query { limit: 2, ..Query::default() }).1, None);
    }
}
