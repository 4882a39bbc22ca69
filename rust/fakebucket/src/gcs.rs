//! Google Cloud Storage's JSON interface, as its API reference has it.
//!
//! Names of objects are one component of the path, with slashes encoded: `/storage/v1/b/<bucket>/o/<object>`. Uploads
//! and downloads have paths of their own, and requests are sent in batches as well.

mod list;
mod object;
mod resource;
mod upload;

use hyper::Method;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::bucket::{Bucket, Buckets, Versioning};
use crate::faults::Strikes;
use crate::multipart;
use crate::object::Version;
use crate::operation::{Call, Dialect, Operation};
use crate::refusal::Refusal;
use crate::request::Request;
use crate::text::percent_decode;

const API: &str = "/storage/v1/b";
const UPLOAD: &str = "/upload/storage/v1/b";
const DOWNLOAD: &str = "/download/storage/v1/b";
const BATCH: &str = "/batch/storage/v1";
const TOKEN: &str = "/token";
/// Requests in a batch at most.
const MOST_IN_BATCH: usize = 100;

/// Whether a request is for this interface.
pub(crate) fn is_meant(request: &Request) -> bool {
    let path = request.path.as_str();
    let is_below =
        |prefix: &str| path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    [API, UPLOAD, DOWNLOAD, BATCH].into_iter().any(is_below) || (path == TOKEN && request.method == Method::POST)
}

/// The components of a path that say what it is about.
struct Target {
    bucket: Option<String>,
    /// Whether it is about objects of the bucket, or one of them.
    has_objects: bool,
    object: Option<Vec<u8>>,
    /// Where to copy to.
    destination: Option<(String, Vec<u8>)>,
}

impl Target {
    fn of(request: &Request) -> Self {
        let path = [UPLOAD, DOWNLOAD, API].into_iter().find_map(|prefix| request.path.strip_prefix(prefix));
        let path = path.unwrap_or_default().trim_start_matches('/');
        let decode = |part: &str| percent_decode(part.as_bytes(), false);
        let text = |part: &str| String::from_utf8_lossy(&decode(part)).into_owned();
        let (bucket, rest) = path.split_once('/').unwrap_or((path, ""));
        let bucket = (!bucket.is_empty()).then(|| text(bucket));
        let objects = if rest == "o" { Some("") } else { rest.strip_prefix("o/") };
        let copy = ["/rewriteTo/b/", "/copyTo/b/"].into_iter().find_map(|verb| objects?.split_once(verb));
        let destination = copy.and_then(|(_, to)| to.split_once("/o/")).map(|(name, key)| (text(name), decode(key)));
        let object = copy.map(|(from, _)| from).or(objects).filter(|object| !object.is_empty()).map(decode);
        Self { bucket, has_objects: objects.is_some(), object, destination }
    }

    /// The source of a copy.
    fn source(self) -> Option<(String, Vec<u8>)> {
        self.bucket.zip(self.object)
    }
}

/// What a request asks for.
pub(crate) fn route(request: &Request) -> Call {
    let call = |operation, bucket, key| Call { dialect: Dialect::Gcs, operation, bucket, key };
    if request.path == TOKEN {
        return call(Operation::Token, String::new(), Vec::new());
    }
    if request.path.starts_with(BATCH) {
        return call(Operation::Batch, String::new(), Vec::new());
    }
    let target = Target::of(request);
    let is_upload = request.path.starts_with(UPLOAD);
    let (method, has) = (request.method.as_str(), |name: &str| request.parameters.has(name));
    let bucket = target.bucket.clone().unwrap_or_default();
    if let Some((bucket, key)) = target.destination {
        return call(if method == "POST" { Operation::Copy } else { Operation::Unknown }, bucket, key);
    }
    let operation = match (method, &target.bucket, target.has_objects, &target.object) {
        ("GET", None, ..) => Operation::ListBuckets,
        ("POST", None, ..) => {
            return call(Operation::CreateBucket, resource::bucket_name(request).unwrap_or_default(), Vec::new());
        }
        ("GET", Some(_), false, _) => Operation::HeadBucket,
        ("PATCH", Some(_), false, _) => Operation::SetBucketVersioning,
        ("DELETE", Some(_), false, _) => Operation::DeleteBucket,
        ("GET", Some(_), true, None) => {
            let all = request.parameters.text("versions") == Some("true");
            let operation = if all { Operation::Versions } else { Operation::List };
            return call(operation, bucket, request.parameters.bytes_or_empty("prefix"));
        }
        ("POST", Some(_), true, None) if is_upload => {
            return call(Operation::Put, bucket, upload::name(request).unwrap_or_default());
        }
        ("GET", Some(_), true, Some(_)) if request.parameters.text("alt") == Some("media") => Operation::Get,
        ("GET", Some(_), true, Some(_)) if !has("acl") => Operation::Head,
        ("DELETE", Some(_), true, Some(_)) => Operation::Delete,
        _ => Operation::Unknown,
    };
    call(operation, bucket, target.object.unwrap_or_default())
}

/// Does what a request asks for, batches aside.
pub(crate) fn perform(buckets: &Buckets, request: &Request, call: &Call, strikes: &Strikes) -> Result<Answer, Refusal> {
    let name = &call.bucket;
    let bucket = || buckets.get(name).ok_or(Refusal::NoBucket);
    match call.operation {
        Operation::Token => Ok(answer(&json!({"access_token": "t", "expires_in": 3600, "token_type": "Bearer"}))),
        Operation::ListBuckets => {
            let items: Vec<Value> = buckets
                .names()
                .iter()
                .filter_map(|name| buckets.get(name).map(|bucket| resource::bucket(name, &bucket)))
                .collect();
            Ok(answer(&json!({"kind": "storage#buckets", "items": items})))
        }
        Operation::CreateBucket if name.is_empty() => Err(Refusal::other(400, "required", "Required parameter: name")),
        Operation::CreateBucket if !buckets.create(name) => Err(Refusal::BucketExists),
        Operation::HeadBucket | Operation::CreateBucket => Ok(answer(&resource::bucket(name, &*bucket()?))),
        Operation::SetBucketVersioning => set_versioning(&*bucket()?, request, name),
        Operation::DeleteBucket if !bucket()?.read().is_empty() => Err(Refusal::BucketNotEmpty),
        Operation::DeleteBucket => {
            buckets.remove(name);
            Ok(Answer::new(204))
        }
        Operation::List => list::objects(&bucket()?.read(), request, call, strikes),
        Operation::Versions => list::versions(&bucket()?.read(), request, call, strikes),
        Operation::Get => object::media(&bucket()?.read(), request, call),
        Operation::Head => object::get(&bucket()?.read(), request, call),
        Operation::Put => upload::insert(buckets, &mut bucket()?.write(), request, call),
        Operation::Copy => object::copy(buckets, request, call),
        Operation::Delete => object::delete(buckets, &mut bucket()?.write(), request, call),
        _ => Err(Refusal::Unknown),
    }
}

fn set_versioning(bucket: &Bucket, request: &Request, name: &str) -> Result<Answer, Refusal> {
    let wanted = resource::parse(&request.body)?;
    if let Some(is_enabled) = wanted["versioning"]["enabled"].as_bool() {
        let mut contents = bucket.write();
        contents.versioning = match (is_enabled, contents.versioning) {
            (true, _) => Versioning::Enabled,
            (false, Versioning::Off) => Versioning::Off,
            (false, _) => Versioning::Suspended,
        };
    }
    Ok(answer(&resource::bucket(name, bucket)))
}

/// Carries each request of a batch out by `perform`, and answers all at once.
pub(crate) fn batch(request: &Request, perform: impl Fn(&Request) -> Answer) -> Result<Answer, Refusal> {
    let parts = multipart::parts(request).ok_or_else(|| Refusal::other(400, "badRequest", "Failed to parse batch"))?;
    if parts.len() > MOST_IN_BATCH {
        let message = "The batch request could not be processed: too many calls in the batch.";
        return Err(Refusal::other(400, "badRequest", message));
    }
    let answers = parts.iter().map(|part| {
        let id = part.headers.get("content-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
        let answer = match part.request() {
            Some(request) => perform(&request),
            None => Answer::new(400),
        };
        (format!("<response-{}", id.trim_start_matches('<')), answer)
    });
    Ok(multipart::answer(200, answers.collect()))
}

/// The answer that refuses.
pub(crate) fn refuse(refusal: &Refusal, call: &Call) -> Answer {
    let object = format!("{}/{}", call.bucket, String::from_utf8_lossy(&call.key));
    let (status, reason, message) = match refusal {
        Refusal::NoBucket => (404, "notFound", "The specified bucket does not exist.".to_owned()),
        Refusal::BucketExists => {
            (409, "conflict", "Your previous request to create the named bucket succeeded.".to_owned())
        }
        Refusal::BucketNotEmpty => (409, "conflict", "The bucket you tried to delete is not empty.".to_owned()),
        Refusal::NoKey | Refusal::NoVersion | Refusal::NoUpload | Refusal::Deleted(_) | Refusal::IsMarker(_) => {
            (404, "notFound", format!("No such object: {object}"))
        }
        Refusal::Precondition => {
            (412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold.".to_owned())
        }
        Refusal::NotModified => return Answer::new(304),
        Refusal::BadRange(size) => {
            let answer = error(416, "requestedRangeNotSatisfiable", "Request range not satisfiable");
            return answer.header("content-range", &format!("bytes */{size}"));
        }
        Refusal::MadeUp => (403, "forbidden", "The objects of this bucket are made up.".to_owned()),
        Refusal::Unknown => (501, "notImplemented", "The server does not do this.".to_owned()),
        Refusal::Throttled => (503, "backendError", "We encountered an internal error. Please try again.".to_owned()),
        Refusal::Expired => (401, "authError", "Invalid Credentials".to_owned()),
        Refusal::Scripted { status, code } => {
            let reason = code.as_deref().unwrap_or_else(|| default_reason(*status));
            return error(*status, reason, "As the test's script has it.");
        }
        Refusal::Other { status, code, message } => (*status, *code, message.to_string()),
    };
    error(status, reason, &message)
}

/// An error, with whatever status.
fn error(status: u16, reason: &str, message: &str) -> Answer {
    let errors = json!([{"domain": "global", "reason": reason, "message": message}]);
    let body = json!({"error": {"code": status, "message": message, "errors": errors}});
    Answer::text(status, "application/json; charset=UTF-8", body.to_string())
}

const fn default_reason(status: u16) -> &'static str {
    match status {
        401 => "authError",
        403 => "forbidden",
        404 => "notFound",
        412 => "conditionNotMet",
        429 => "rateLimitExceeded",
        503 => "backendError",
        _ => "internalError",
    }
}

fn answer(value: &Value) -> Answer {
    Answer::text(200, "application/json; charset=UTF-8", value.to_string())
}

/// Refuses where the conditions on generations do not hold; `current` is what is there. Those named otherwise than
/// `if…` are on the source of a copy.
fn check_generations(request: &Request, prefix: &str, current: Option<&Version>) -> Result<(), Refusal> {
    let number = |name: &str| -> Option<u64> { request.parameters.text(&format!("{prefix}{name}"))?.parse().ok() };
    let generation = current.map_or(0, |version| version.number);
    if number("GenerationMatch").is_some_and(|wanted| wanted != generation)
        || number("MetagenerationMatch").is_some_and(|wanted| wanted != u64::from(current.is_some()))
    {
        return Err(Refusal::Precondition);
    }
    if number("GenerationNotMatch").is_some_and(|unwanted| unwanted == generation) {
        return Err(if request.method == Method::GET { Refusal::NotModified } else { Refusal::Precondition });
    }
    Ok(())
}
