//! Refusals in the words of Azure ("Blob Storage error codes" in its REST reference).

use crate::answer::Answer;
use crate::operation::{Call, Operation};
use crate::refusal::Refusal;
use crate::text::push_element;

/// The answer that refuses.
pub(crate) fn refuse(refusal: &Refusal, call: &Call) -> Answer {
    let (status, code, message) = match refusal {
        Refusal::NoBucket => (404, "ContainerNotFound", "The specified container does not exist."),
        Refusal::BucketExists => (409, "ContainerAlreadyExists", "The specified container already exists."),
        Refusal::BucketNotEmpty => (409, "ContainerBeingDeleted", "The specified container is being deleted."),
        Refusal::NoKey | Refusal::NoVersion | Refusal::NoUpload | Refusal::Deleted(_) | Refusal::IsMarker(_) => {
            (404, "BlobNotFound", "The specified blob does not exist.")
        }
        Refusal::Precondition => {
            (412, "ConditionNotMet", "The condition specified using HTTP conditional header(s) is not met.")
        }
        Refusal::NotModified => return Answer::new(304).header("x-ms-error-code", "ConditionNotMet"),
        Refusal::BadRange(size) => {
            let answer =
                error(416, "InvalidRange", "The range specified is invalid for the current size of the resource.");
            return answer.header("content-range", &format!("bytes */{size}"));
        }
        Refusal::MadeUp => (403, "AuthorizationPermissionMismatch", "The blobs of this container are made up."),
        Refusal::Unknown => (501, "NotImplemented", "The server does not do this."),
        Refusal::Throttled => {
            (503, "ServerBusy", "The server is currently unable to receive requests. Please retry your request.")
        }
        Refusal::Expired => (401, "InvalidAuthenticationInfo", "Lifetime validation failed. The token is expired."),
        Refusal::Scripted { status, code } => {
            let code = code.as_deref().unwrap_or_else(|| default_code(*status, call.operation));
            return error(*status, code, "As the test's script has it.");
        }
        Refusal::Other { status, code, message } => (*status, *code, message.as_ref()),
    };
    error(status, code, message)
}

/// An error, with whatever status.
fn error(status: u16, code: &str, message: &str) -> Answer {
    let mut body = b"<?xml version=\"1.0\" encoding=\"utf-8\"?><Error>".to_vec();
    push_element(&mut body, "Code", code.as_bytes());
    push_element(&mut body, "Message", message.as_bytes());
    body.extend_from_slice(b"</Error>");
    Answer::text(status, "application/xml", body).header("x-ms-error-code", code)
}

const fn default_code(status: u16, operation: Operation) -> &'static str {
    match (status, operation) {
        (401, _) => "InvalidAuthenticationInfo",
        (403, _) => "AuthorizationPermissionMismatch",
        (404, Operation::List | Operation::Versions) => "ContainerNotFound",
        (404, _) => "BlobNotFound",
        (412, _) => "ConditionNotMet",
        (429 | 503, _) => "ServerBusy",
        _ => "InternalError",
    }
}
