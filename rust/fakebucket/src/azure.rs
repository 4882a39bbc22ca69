//! Azure Blob, as its REST reference has it, of one account that is named like the emulator's.
//!
//! `/devstoreaccount1/<container>/<name>`, where a name may begin with a slash.

mod batch;
mod blob;
mod blocks;
mod errors;
mod list;

use crate::answer::Answer;
use crate::bucket::Buckets;
use crate::faults::Strikes;
use crate::operation::{Call, Dialect, Operation};
use crate::refusal::Refusal;
use crate::request::Request;
pub(crate) use batch::batch;
pub(crate) use errors::refuse;

/// The account, which all paths begin with.
const ACCOUNT: &str = "/devstoreaccount1";
/// When containers were made and last changed, as far as anybody is told.
const CONTAINER_MODIFIED: &str = "Thu, 01 Jan 2026 00:00:00 GMT";

/// Whether a request is for this interface.
pub(crate) fn is_meant(request: &Request) -> bool {
    request.path.strip_prefix(ACCOUNT).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// What a request asks for.
pub(crate) fn route(request: &Request) -> Call {
    let (bucket, mut key) = request.bucket_and_key(ACCOUNT);
    let component = request.parameters.text("comp");
    let is_container = request.parameters.text("restype") == Some("container");
    let method = request.method.as_str();
    let operation = match (method, component) {
        ("POST", Some("batch")) => Operation::Batch,
        ("GET", Some("list")) if bucket.is_empty() => Operation::ListBuckets,
        ("GET", Some("list")) if is_container => {
            key = request.parameters.bytes_or_empty("prefix");
            if list::includes(request, "versions") { Operation::Versions } else { Operation::List }
        }
        ("GET" | "HEAD", None) if is_container => Operation::HeadBucket,
        ("PUT", None) if is_container => Operation::CreateBucket,
        ("DELETE", None) if is_container => Operation::DeleteBucket,
        _ if bucket.is_empty() || key.is_empty() => Operation::Unknown,
        ("GET", None) => Operation::Get,
        ("HEAD", None) => Operation::Head,
        ("PUT", None) if request.header("x-ms-copy-source").is_some() => Operation::Copy,
        ("PUT", None) => Operation::Put,
        ("PUT", Some("block" | "appendblock")) => Operation::UploadPart,
        ("PUT", Some("blocklist")) => Operation::CompleteUpload,
        ("DELETE", None) => Operation::Delete,
        _ => Operation::Unknown,
    };
    Call { dialect: Dialect::Azure, operation, bucket, key }
}

/// Does what a request asks for, batches aside.
pub(crate) fn perform(buckets: &Buckets, request: &Request, call: &Call, strikes: &Strikes) -> Result<Answer, Refusal> {
    let name = &call.bucket;
    let bucket = || buckets.get(name).ok_or(Refusal::NoBucket);
    match call.operation {
        Operation::ListBuckets => Ok(list::containers(buckets)),
        Operation::CreateBucket if buckets.create(name) => Ok(container(Answer::new(201))),
        Operation::CreateBucket => Err(Refusal::BucketExists),
        Operation::HeadBucket => bucket().map(|_| container(Answer::new(200))),
        Operation::DeleteBucket if buckets.remove(name) => Ok(Answer::new(202)),
        Operation::DeleteBucket => Err(Refusal::NoBucket),
        Operation::List => list::blobs(&bucket()?.read(), request, call, strikes),
        Operation::Versions => list::versions(&bucket()?.read(), request, call, strikes),
        Operation::Get | Operation::Head => blob::read(&bucket()?.read(), request, call),
        Operation::Put => blob::put(buckets, &mut bucket()?.write(), request, call),
        Operation::Copy => blob::copy(buckets, request, call),
        Operation::Delete => blob::delete(buckets, &mut bucket()?.write(), request, call),
        Operation::UploadPart if request.parameters.text("comp") == Some("appendblock") => {
            blocks::append(buckets, &mut bucket()?.write(), request, call)
        }
        Operation::UploadPart => blocks::put(&mut bucket()?.write(), request, call),
        Operation::CompleteUpload => blocks::commit(buckets, &mut bucket()?.write(), request, call),
        _ => Err(Refusal::Unknown),
    }
}

/// With what is known of a container.
fn container(answer: Answer) -> Answer {
    answer
        .header("etag", "\"0x8D0000000000000\"")
        .header("last-modified", CONTAINER_MODIFIED)
        .header("x-ms-lease-status", "unlocked")
        .header("x-ms-lease-state", "available")
}

/// The entity tag of a version, without quotes.
fn etag(number: u64) -> String {
    format!("0x8D{number:013X}")
}

/// What kind of blob it is.
const fn blob_type(is_append_blob: bool) -> &'static str {
    if is_append_blob { "AppendBlob" } else { "BlockBlob" }
}
