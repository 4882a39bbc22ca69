//! Refusals in the words of S3 ("Error responses" in its API reference).

use crate::answer::Answer;
use crate::operation::{Call, Dialect};
use crate::refusal::Refusal;
use crate::text::push_element;

/// The answer that refuses.
pub(crate) fn refuse(refusal: &Refusal, call: &Call) -> Answer {
    let (status, code, message) = words(refusal, call.dialect);
    if status == 304 {
        return Answer::new(304);
    }
    let answer = Answer::text(status, "application/xml", error_body(&code, message, call));
    match refusal {
        Refusal::Deleted(version) | Refusal::IsMarker(version) => {
            answer.header("x-amz-delete-marker", "true").header("x-amz-version-id", &version.id())
        }
        Refusal::BadRange(size) => answer.header("content-range", &format!("bytes */{size}")),
        _ => answer,
    }
}

fn error_body(code: &str, message: &str, call: &Call) -> Vec<u8> {
    let mut body = b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>".to_vec();
    push_element(&mut body, "Code", code.as_bytes());
    push_element(&mut body, "Message", message.as_bytes());
    push_element(&mut body, "BucketName", call.bucket.as_bytes());
    if !call.key.is_empty() {
        push_element(&mut body, "Key", &call.key);
    }
    body.extend_from_slice(b"<RequestId>FAKEBUCKET</RequestId><HostId>fakebucket</HostId></Error>");
    body
}

fn words(refusal: &Refusal, dialect: Dialect) -> (u16, String, &str) {
    let (status, code, message) = match refusal {
        Refusal::NoBucket => (404, "NoSuchBucket", "The specified bucket does not exist"),
        Refusal::BucketExists => (409, "BucketAlreadyOwnedByYou", "You already own a bucket of this name."),
        Refusal::BucketNotEmpty => (409, "BucketNotEmpty", "The bucket you tried to delete is not empty"),
        Refusal::NoKey | Refusal::Deleted(_) => (404, "NoSuchKey", "The specified key does not exist."),
        Refusal::IsMarker(_) => (405, "MethodNotAllowed", "The specified method is not allowed against this resource."),
        Refusal::NoVersion => (404, "NoSuchVersion", "The specified version does not exist."),
        Refusal::NoUpload => (404, "NoSuchUpload", "The specified upload does not exist."),
        Refusal::Precondition => {
            (412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
        }
        Refusal::NotModified => (304, "NotModified", ""),
        Refusal::BadRange(_) => (416, "InvalidRange", "The requested range is not satisfiable"),
        Refusal::MadeUp => (403, "AccessDenied", "The keys of this bucket are made up."),
        Refusal::Throttled => (503, "SlowDown", "Please reduce your request rate."),
        Refusal::Expired if dialect == Dialect::GcsXml => (401, "AuthenticationRequired", "Authentication required."),
        Refusal::Expired => (403, "ExpiredToken", "The provided token has expired."),
        Refusal::Unknown => {
            (501, "NotImplemented", "A header you provided implies functionality that is not implemented")
        }
        Refusal::Scripted { status, code } => {
            let code = code.clone().unwrap_or_else(|| default_code(*status).to_owned());
            return (*status, code, "As the test's script has it.");
        }
        Refusal::Other { status, code, message } => (*status, *code, message.as_ref()),
    };
    (status, code.to_owned(), message)
}

/// The code that S3 has with a status most often.
const fn default_code(status: u16) -> &'static str {
    match status {
        400 => "InvalidRequest",
        401 | 403 => "AccessDenied",
        404 => "NoSuchKey",
        409 => "OperationAborted",
        412 => "PreconditionFailed",
        429 => "TooManyRequests",
        503 => "SlowDown",
        _ => "InternalError",
    }
}
