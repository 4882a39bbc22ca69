//! Listing a bucket with all versions of its keys. Like a listing of keys, and a version counts as one.

use crate::bucket::Contents;
use crate::faults::Strikes;
use crate::listing::{End, Query, Start, after_prefix, common_length};
use crate::object::Version;
use crate::text::contains;

/// In which order the versions of one key come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// As S3 has them.
    NewestFirst,
    /// As Google and Azure have them.
    OldestFirst,
}

/// What a page is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Item<'a> {
    /// A key's version or delete marker, and whether there is no newer one.
    Version(&'a [u8], &'a Version, bool),
    Prefix(&'a [u8]),
}

/// Gives a page to `push`. Delete markers are left out unless they are wanted.
pub(crate) fn page(
    contents: &Contents,
    query: &Query,
    order: Order,
    with_markers: bool,
    strikes: &Strikes,
    mut push: impl FnMut(Item<'_>),
) -> End {
    let mut end = End::default();
    let mut last = Start::Beginning;
    let mut from = query.start.lower_bound().map(|first| first.max(query.prefix.clone()));
    while let Some(first) = from.take() {
        contents.each_key_from(&first, |key, versions| {
            if !key.starts_with(&query.prefix) || query.end.as_deref().is_some_and(|end| key >= end) {
                return false;
            }
            let mut ordered: Vec<&Version> =
                versions.iter().filter(|version| is_listed(version, with_markers)).collect();
            if order == Order::NewestFirst {
                ordered.reverse();
            }
            if let Start::AfterVersion(start, number) = &query.start
                && start == key
            {
                ordered.retain(|version| match order {
                    Order::NewestFirst => version.number < *number,
                    Order::OldestFirst => version.number > *number,
                });
            }
            if ordered.is_empty() || strikes.omit.iter().any(|part| contains(key, part)) {
                return true;
            }
            let prefix = common_length(key, &query.prefix, &query.delimiter).map(|length| &key[..length]);
            for version in ordered {
                if end.count == query.limit {
                    end.next = (query.limit > 0).then(|| std::mem::take(&mut last));
                    return false;
                }
                end.count += 1;
                if let Some(prefix) = prefix {
                    push(Item::Prefix(prefix));
                    last = Start::AfterPrefix(prefix.to_owned());
                    from = after_prefix(prefix);
                    return false;
                }
                let is_latest = versions.last().is_some_and(|newest| newest.number == version.number);
                push(Item::Version(key, version, is_latest));
                last = Start::AfterVersion(key.to_owned(), version.number);
            }
            true
        });
    }
    end
}

const fn is_listed(version: &Version, with_markers: bool) -> bool {
    with_markers || version.object.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bucket::Versioning;
    use crate::moment::Moment;
    use crate::object::Object;

    /// `a` written twice, `b/1` and `b/2` once, `c` written and deleted: numbers 0 to 5.
    fn bucket() -> Contents {
        let mut contents = Contents::default();
        contents.versioning = Versioning::Enabled;
        for (number, key) in ["a", "a", "b/1", "b/2", "c"].into_iter().enumerate() {
            contents.put(key.as_bytes(), Object::new(key), Moment::default(), number as u64);
        }
        contents.delete(b"c", Moment::default(), 5);
        contents
    }

    fn all(order: Order, with_markers: bool, delimiter: &[u8], limit: usize) -> Vec<String> {
        let contents = bucket();
        let mut query = Query { delimiter: delimiter.into(), limit, ..Query::default() };
        let mut found = Vec::new();
        loop {
            let end = page(&contents, &query, order, with_markers, &Strikes::default(), |item| {
                found.push(match item {
                    Item::Version(key, version, is_latest) => {
                        let latest = if is_latest { "!" } else { "" };
                        format!("{}{}{latest}", String::from_utf8_lossy(key), version.number)
                    }
                    Item::Prefix(prefix) => String::from_utf8_lossy(prefix).into_owned(),
                });
            });
            let Some(next) = end.next else { return found };
            query.start = next;
        }
    }

    #[test]
    fn pages_of_any_size_give_every_version_once() {
        for limit in 1..8 {
            let newest_first = all(Order::NewestFirst, true, b"", limit);
            assert_eq!(newest_first, ["a1!", "a0", "b/12!", "b/23!", "c5!", "c4"], "{limit}");
            assert_eq!(all(Order::OldestFirst, false, b"", limit), ["a0", "a1!", "b/12!", "b/23!", "c4"], "{limit}");
            assert_eq!(all(Order::OldestFirst, false, b"/", limit), ["a0", "a1!", "b/", "c4"], "{limit}");
        }
    }
}
