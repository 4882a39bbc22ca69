//! `Put Block`, `Put Block List` and `Append Block`: uploads in parts.

use super::blob::{described, without_md5, write};
use crate::answer::Answer;
use crate::bucket::{Buckets, Contents};
use crate::checksum;
use crate::object::{Content, Object};
use crate::operation::Call;
use crate::refusal::Refusal;
use crate::request::Request;
use crate::xml::{Tag, read};

pub(super) fn put(contents: &mut Contents, request: &Request, call: &Call) -> Result<Answer, Refusal> {
    checksum::check(request, &request.body)?;
    let message = "The specified block ID is invalid.";
    let id = request.parameters.text("blockid").ok_or_else(|| Refusal::other(400, "InvalidBlockId", message))?;
    let blocks = contents.uploads.blocks.entry(call.key.clone()).or_default();
    blocks.insert(id.to_owned(), Content::Bytes(request.body.clone()));
    Ok(Answer::new(201).header("x-ms-request-server-encrypted", "true"))
}

/// The ids that a block list names. Blocks that an earlier list has committed are not held.
fn wanted(body: &[u8]) -> Option<Vec<String>> {
    let mut wanted = Vec::new();
    read(body, |tag| {
        if let Tag::Close("Uncommitted" | "Latest" | "Committed", text) = tag {
            wanted.push(text.trim().to_owned());
        }
        Some(())
    })?;
    Some(wanted)
}

pub(super) fn commit(
    buckets: &Buckets,
    contents: &mut Contents,
    request: &Request,
    call: &Call,
) -> Result<Answer, Refusal> {
    let malformed = || Refusal::other(400, "InvalidXmlDocument", "XML specified is not syntactically valid.");
    let wanted = wanted(&request.body).ok_or_else(malformed)?;
    let uploaded = contents.uploads.blocks.get(&call.key).cloned().unwrap_or_default();
    let blocks = wanted.iter().map(|id| uploaded.get(id)).collect::<Option<Vec<_>>>();
    let blocks =
        blocks.ok_or_else(|| Refusal::other(400, "InvalidBlockList", "The specified block list is invalid."))?;
    let content = Content::join(blocks.iter().copied());
    let etag = without_md5(&content, blocks.len());
    let object = described(request, Object { content, etag, ..Object::default() });
    let answer = write(buckets, contents, request, call, object, 201)?;
    contents.uploads.blocks.remove(&call.key);
    Ok(answer)
}

pub(super) fn append(
    buckets: &Buckets,
    contents: &mut Contents,
    request: &Request,
    call: &Call,
) -> Result<Answer, Refusal> {
    let current = contents.current(&call.key).and_then(|version| version.object).ok_or(Refusal::NoKey)?;
    if !current.is_append_blob {
        return Err(Refusal::other(409, "InvalidBlobType", "The blob type is invalid for this operation."));
    }
    let offset = current.content.size_bytes();
    let position = request.header("x-ms-blob-condition-appendpos").and_then(|text| text.parse().ok());
    if position.is_some_and(|position: u64| position != offset) {
        let message = "The append position condition specified was not met.";
        return Err(Refusal::other(412, "AppendPositionConditionNotMet", message));
    }
    let content = Content::join([&current.content, &Content::Bytes(request.body.clone())].into_iter());
    let etag = without_md5(&content, 1);
    let object = Object { content, etag, ..current };
    let answer = write(buckets, contents, request, call, object, 201)?;
    Ok(answer.header("x-ms-blob-append-offset", &offset.to_string()).header("x-ms-blob-committed-block-count", "1"))
}
