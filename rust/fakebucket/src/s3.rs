//! S3, path style, as its API reference has it; and Google's XML interface, which is the same but for some headers.
//!
//! Which operation a request is follows from its method, its path, its parameters and one header.

mod copy;
mod delete;
mod errors;
mod list;
mod multipart;
mod object;
mod versions;

use hyper::Method;

use crate::answer::Answer;
use crate::bucket::Buckets;
use crate::faults::Strikes;
use crate::operation::{Call, Dialect, Operation};
use crate::refusal::Refusal;
use crate::request::Request;
use crate::text::push_element;
pub(crate) use delete::key_count;
pub(crate) use errors::refuse;

const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// What a request asks for.
pub(crate) fn route(request: &Request) -> Call {
    let (bucket, mut key) = request.bucket_and_key("");
    let operation = if bucket.is_empty() {
        if request.method == Method::GET { Operation::ListBuckets } else { Operation::Unknown }
    } else if key.is_empty() {
        let operation = bucket_operation(request);
        if matches!(operation, Operation::List | Operation::Versions | Operation::ListUploads) {
            key = request.parameters.bytes_or_empty("prefix");
        }
        operation
    } else {
        object_operation(request)
    };
    let is_google = request.headers.keys().any(|name| name.as_str().starts_with("x-goog-"))
        || request.header("authorization").is_some_and(|value| value.starts_with("Bearer "));
    Call { dialect: if is_google { Dialect::GcsXml } else { Dialect::S3 }, operation, bucket, key }
}

fn bucket_operation(request: &Request) -> Operation {
    let has = |name: &str| request.parameters.has(name);
    match request.method.as_str() {
        "GET" if has("versioning") => Operation::BucketVersioning,
        "GET" if has("location") => Operation::BucketLocation,
        "GET" if has("versions") => Operation::Versions,
        "GET" if has("uploads") => Operation::ListUploads,
        "GET" => Operation::List,
        "HEAD" => Operation::HeadBucket,
        "PUT" if has("versioning") => Operation::SetBucketVersioning,
        "PUT" => Operation::CreateBucket,
        "DELETE" => Operation::DeleteBucket,
        "POST" if has("delete") => Operation::DeleteObjects,
        _ => Operation::Unknown,
    }
}

fn object_operation(request: &Request) -> Operation {
    let has = |name: &str| request.parameters.has(name);
    let is_copy = copy::source_header(request).is_some();
    match request.method.as_str() {
        "GET" if has("uploadId") => Operation::ListParts,
        "GET" => Operation::Get,
        "HEAD" => Operation::Head,
        "PUT" if has("uploadId") && is_copy => Operation::UploadPartCopy,
        "PUT" if has("uploadId") => Operation::UploadPart,
        "PUT" if is_copy => Operation::Copy,
        "PUT" => Operation::Put,
        "POST" if has("uploads") => Operation::CreateUpload,
        "POST" if has("uploadId") => Operation::CompleteUpload,
        "DELETE" if has("uploadId") => Operation::AbortUpload,
        "DELETE" => Operation::Delete,
        _ => Operation::Unknown,
    }
}

/// Does what a request asks for.
pub(crate) fn perform(buckets: &Buckets, request: &Request, call: &Call, strikes: &Strikes) -> Result<Answer, Refusal> {
    let name = &call.bucket;
    let bucket = || buckets.get(name).ok_or(Refusal::NoBucket);
    match call.operation {
        Operation::ListBuckets => Ok(list_buckets(buckets)),
        Operation::CreateBucket if buckets.create(name) => Ok(Answer::new(200).header("location", &format!("/{name}"))),
        Operation::CreateBucket => Err(Refusal::BucketExists),
        Operation::DeleteBucket if !bucket()?.read().is_empty() => Err(Refusal::BucketNotEmpty),
        Operation::DeleteBucket => {
            buckets.remove(name);
            Ok(Answer::new(204))
        }
        Operation::HeadBucket => bucket().map(|_| Answer::new(200).header("x-amz-bucket-region", "us-east-1")),
        Operation::BucketLocation => bucket().map(|_| xml(200, "LocationConstraint", |_| {})),
        Operation::BucketVersioning => Ok(versions::versioning(bucket()?.read().versioning)),
        Operation::SetBucketVersioning => versions::set_versioning(&mut bucket()?.write(), request),
        Operation::Versions => versions::versions(&bucket()?.read(), request, call, strikes),
        Operation::List => list::keys(&bucket()?.read(), request, call, strikes),
        Operation::Get | Operation::Head => object::read(&bucket()?.read(), request, call),
        Operation::Put => object::put(buckets, &mut bucket()?.write(), request, call),
        Operation::Copy => copy::copy(buckets, request, call),
        Operation::Delete => delete::one(buckets, &mut bucket()?.write(), request, call),
        Operation::DeleteObjects => delete::many(buckets, &mut bucket()?.write(), request, strikes),
        Operation::CreateUpload => Ok(multipart::create(buckets, &mut bucket()?.write(), request, call)),
        Operation::UploadPart => multipart::upload_part(&mut bucket()?.write(), request, call),
        Operation::UploadPartCopy => multipart::upload_part_copy(buckets, request, call),
        Operation::CompleteUpload => multipart::complete(buckets, &mut bucket()?.write(), request, call),
        Operation::AbortUpload => multipart::abort(&mut bucket()?.write(), request, call),
        Operation::ListUploads => Ok(multipart::list_uploads(&bucket()?.read(), request, call)),
        Operation::ListParts => multipart::list_parts(&bucket()?.read(), request, call),
        Operation::Batch | Operation::BatchPart | Operation::Token | Operation::Unknown => Err(Refusal::Unknown),
    }
}

/// An XML answer with one element at its root.
fn xml(status: u16, root: &str, write: impl FnOnce(&mut Vec<u8>)) -> Answer {
    let mut body = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{root} xmlns=\"{NAMESPACE}\">").into_bytes();
    write(&mut body);
    body.extend_from_slice(format!("</{root}>").as_bytes());
    Answer::text(status, "application/xml", body)
}

fn list_buckets(buckets: &Buckets) -> Answer {
    xml(200, "ListAllMyBucketsResult", |body| {
        body.extend_from_slice(b"<Buckets>");
        for name in buckets.names() {
            body.extend_from_slice(b"<Bucket>");
            push_element(body, "Name", name.as_bytes());
            body.extend_from_slice(b"<CreationDate>2026-01-01T00:00:00.000Z</CreationDate></Bucket>");
        }
        body.extend_from_slice(b"</Buckets>");
    })
}
