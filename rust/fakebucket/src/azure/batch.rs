//! `Blob Batch`: many deletions in one request.

use super::ACCOUNT;
use crate::answer::Answer;
use crate::multipart;
use crate::refusal::Refusal;
use crate::request::Request;

/// Requests in a batch at most.
const MOST_IN_BATCH: usize = 256;

/// Carries each request of a batch out by `perform`, and answers all at once.
pub(crate) fn batch(request: &Request, perform: impl Fn(&Request) -> Answer) -> Result<Answer, Refusal> {
    let invalid = "The value for one of the HTTP headers is not in the correct format, or the body is not.";
    let parts = multipart::parts(request).ok_or_else(|| Refusal::other(400, "InvalidInput", invalid))?;
    if parts.is_empty() || parts.len() > MOST_IN_BATCH {
        let message = "The batch operation exceeds the maximum of 256 requests, or has none.";
        return Err(Refusal::other(400, "ExceedsMaxBatchRequestCount", message));
    }
    let answers = parts.iter().map(|part| {
        let id = part.headers.get("content-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
        let answer = match part.request() {
            Some(request) => perform(&with_account(request)),
            None => Answer::new(400),
        };
        (id.to_owned(), answer)
    });
    Ok(multipart::answer(202, answers.collect()))
}

/// With the account in the path: clients of real accounts, which have it in the host's name, leave it out.
fn with_account(request: Request) -> Request {
    if super::is_meant(&request) {
        return request;
    }
    Request { path: format!("{ACCOUNT}/{}", request.path.trim_start_matches('/')), ..request }
}
