//! `objects.list`, with and without versions.

use super::resource::ObjectWriter;
use crate::answer::Answer;
use crate::bucket::Contents;
use crate::faults::Strikes;
use crate::listing::{self, End, Listed, Query, Start};
use crate::operation::Call;
use crate::refusal::Refusal;
use crate::request::Request;
use crate::text::push_json;
use crate::token;
use crate::versions::{self, Order};

/// Objects and prefixes on a page at most.
const PAGE_KEYS: usize = 1000;
/// What an object takes in a listing, generously: where the body of a page starts from.
const OBJECT_BYTES: usize = 500;

fn query(request: &Request, call: &Call) -> Result<Query, Refusal> {
    let invalid = |name: &str| Refusal::other(400, "invalid", format!("Invalid argument: {name}"));
    let parameters = &request.parameters;
    // Google's own client sends parameters that it has no value for.
    let given = |name: &str| parameters.bytes(name).filter(|value| !value.is_empty()).map(<[u8]>::to_owned);
    let start = match parameters.text("pageToken").filter(|token| !token.is_empty()) {
        Some(text) => token::decode(text).ok_or_else(|| invalid("pageToken"))?,
        None => given("startOffset").map_or(Start::Beginning, Start::At),
    };
    let limit = match parameters.text("maxResults") {
        Some(text) => text.parse().ok().filter(|&limit| limit > 0).ok_or_else(|| invalid("maxResults"))?,
        None => PAGE_KEYS,
    };
    Ok(Query {
        prefix: call.key.clone(),
        delimiter: parameters.bytes_or_empty("delimiter"),
        start,
        end: given("endOffset"),
        limit: limit.min(PAGE_KEYS),
    })
}

/// A page of current objects.
pub(super) fn objects(
    contents: &Contents,
    request: &Request,
    call: &Call,
    strikes: &Strikes,
) -> Result<Answer, Refusal> {
    let query = query(request, call)?;
    let mut page = Page::new(call, query.limit);
    let end = listing::page(contents, &query, strikes, |item| match item {
        listing::Item::Object(listed) => page.writer.push(separated(&mut page.items), &listed, None),
        listing::Item::Prefix(prefix) => page.push_prefix(prefix),
    });
    Ok(page.answer(&end))
}

/// A page of objects with all their versions, oldest first.
pub(super) fn versions(
    contents: &Contents,
    request: &Request,
    call: &Call,
    strikes: &Strikes,
) -> Result<Answer, Refusal> {
    let query = query(request, call)?;
    let mut page = Page::new(call, query.limit);
    let end = versions::page(contents, &query, Order::OldestFirst, false, strikes, |item| match item {
        versions::Item::Prefix(prefix) => page.push_prefix(prefix),
        versions::Item::Version(key, version, _) => {
            let Some(listed) = Listed::new(key, version) else { return };
            // It was replaced when the next version was written, be that a marker of its deletion.
            let next = contents.versions(key).iter().find(|other| other.number > version.number);
            let deleted = next.map(|next| next.modified);
            page.writer.push(separated(&mut page.items), &listed, deleted);
        }
    });
    Ok(page.answer(&end))
}

/// A page as it is being written.
struct Page {
    writer: ObjectWriter,
    items: Vec<u8>,
    prefixes: Vec<u8>,
}

impl Page {
    fn new(call: &Call, limit: usize) -> Self {
        let items = Vec::with_capacity(limit * OBJECT_BYTES);
        Self { writer: ObjectWriter::new(&call.bucket), items, prefixes: Vec::new() }
    }

    fn push_prefix(&mut self, prefix: &[u8]) {
        let prefixes = separated(&mut self.prefixes);
        prefixes.push(b'"');
        push_json(prefixes, prefix);
        prefixes.push(b'"');
    }

    fn answer(self, end: &End) -> Answer {
        let mut body = br#"{"kind":"storage#objects""#.to_vec();
        if let Some(next) = &end.next {
            body.extend_from_slice(format!(",\"nextPageToken\":\"{}\"", token::encode(next)).as_bytes());
        }
        for (name, list) in [("prefixes", &self.prefixes), ("items", &self.items)] {
            if !list.is_empty() {
                body.extend_from_slice(format!(",\"{name}\":[").as_bytes());
                body.extend_from_slice(list);
                body.push(b']');
            }
        }
        body.push(b'}');
        Answer::text(200, "application/json; charset=UTF-8", body)
    }
}

/// The list, with a comma if there is something in it.
fn separated(list: &mut Vec<u8>) -> &mut Vec<u8> {
    if !list.is_empty() {
        list.push(b',');
    }
    list
}
