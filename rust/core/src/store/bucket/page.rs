//! One page of a listing, as the three dialects hand it out.

use super::record;
use crate::store::{Names, Stat};

/// Where a listing begins, or goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// After this key; the empty one is before all.
    After(Vec<u8>),
    /// Where the page before ended, in the store's words.
    Token(String),
}

/// What is wanted of a listing.
#[derive(Clone, Debug)]
pub(super) struct Query {
    /// What all keys begin with: any text, not only whole names.
    pub(super) prefix: Vec<u8>,
    pub(super) start: Start,
    /// Whether what lies below a slash behind the prefix is put together.
    pub(super) delimited: bool,
    /// The most keys wanted; nothing for as many as the store gives at once.
    pub(super) limit: Option<usize>,
}

/// One page.
#[derive(Debug, Default)]
pub(super) struct Page {
    /// Keys in order.
    pub(super) keys: Names,
    /// What is known of each.
    pub(super) stats: Vec<Stat>,
    /// What was put together, each with its slash.
    pub(super) prefixes: Names,
    /// Whether there is more.
    pub(super) truncated: bool,
    /// Where it goes on, in the store's words.
    pub(super) token: Option<String>,
    /// How many keys the page says that it has.
    pub(super) announced: Option<usize>,
}

impl Page {
    pub(super) fn clear(&mut self) {
        self.keys.clear();
        self.stats.clear();
        self.prefixes.clear();
        self.truncated = false;
        self.token = None;
        self.announced = None;
    }

    pub(super) fn push(&mut self, key: &[u8], stat: Stat) {
        self.keys.push(key);
        // As exactly as it is kept, so that two looks at one object are alike.
        self.stats.push(Stat { modified: record::in_milliseconds(stat.modified), ..stat });
    }

    /// The last key or prefix.
    pub(super) fn last(&self) -> Option<&[u8]> {
        let last = |names: &'_ Names| names.len().checked_sub(1);
        let key = last(&self.keys).map(|index| self.keys.get(index));
        let prefix = last(&self.prefixes).map(|index| self.prefixes.get(index));
        key.max(prefix)
    }

    /// What is wrong with it, if anything: keys have to be in order, behind those that came before, and all there.
    pub(super) fn fault(&self, query: &Query, after: &[u8]) -> Option<&'static str> {
        if self.announced.is_some_and(|announced| announced != self.keys.len() + self.prefixes.len()) {
            return Some("a page of the listing does not hold as many keys as it says");
        }
        let mut previous = after;
        for key in self.keys.iter() {
            if !key.starts_with(&query.prefix) {
                return Some("a listing names a key that was not asked for");
            }
            if key <= previous {
                return Some("a listing is not in the order of its keys: regsweep cannot tell whether it is complete");
            }
            previous = key;
        }
        if self.truncated && self.token.is_none() && self.last().is_none() {
            return Some("a listing says that it goes on, and not where");
        }
        None
    }
}

/// The checksum that an `ETag` is, where it looks like one: of an object that was not uploaded in parts.
pub(super) fn md5_of_etag(etag: &[u8]) -> Option<[u8; 16]> {
    let hex = etag.strip_prefix(b"\"").and_then(|etag| etag.strip_suffix(b"\"")).unwrap_or(etag);
    let mut md5 = [0; 16];
    (hex.len() == 32).then(|| faster_hex::hex_decode(hex, &mut md5).ok()).flatten().map(|()| md5)
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    fn page(keys: &[&str]) -> Page {
        let mut page = Page::default();
        let stat = Stat { size_bytes: 0, modified: SystemTime::UNIX_EPOCH, md5: None };
        for key in keys {
            page.push(key.as_bytes(), stat);
        }
        page
    }

    #[test]
    fn pages_that_cannot_be_trusted_are_told() {
        let query = Query { prefix: b"a/".into(), start: Start::After(Vec::new()), delimited: false, limit: None };
        assert_eq!(page(&["a/b", "a/c"]).fault(&query, b""), None);
        assert!(page(&["a/c", "a/b"]).fault(&query, b"").is_some());
        assert!(page(&["a/b", "a/b"]).fault(&query, b"").is_some());
        assert!(page(&["a/b"]).fault(&query, b"a/b").is_some(), "the same page once more");
        assert!(page(&["b"]).fault(&query, b"").is_some());
        assert!(Page { announced: Some(3), ..page(&["a/b", "a/c"]) }.fault(&query, b"").is_some());
        assert!(Page { truncated: true, ..page(&[]) }.fault(&query, b"").is_some());
    }

    #[test]
    fn only_a_checksum_counts_as_one() {
        let md5 = "\"d41d8cd98f00b204e9800998ecf8427e\"";
        assert_eq!(md5_of_etag(md5.as_bytes()).map(|md5| md5[0]), Some(0xd4));
        for other in [
            "",
            "\"\"",
            "\"d41d8cd98f00b204e9800998ecf8427e-2\"",
            "0x8D4BCC2E4835CD0",
            "\"zz1d8cd98f00b204e9800998ecf8427e\"",
        ] {
            assert_eq!(md5_of_etag(other.as_bytes()), None, "{other}");
        }
    }
}
