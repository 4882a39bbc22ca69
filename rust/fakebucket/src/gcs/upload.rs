//! `objects.insert`: the content alone (`uploadType=media`), or a resource and the content (`multipart`).

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde_json::Value;

use super::object::with_resource;
use super::{check_generations, resource};
use crate::answer::Answer;
use crate::bucket::{Buckets, Contents};
use crate::listing::Listed;
use crate::moment::Moment;
use crate::multipart;
use crate::object::Object;
use crate::operation::Call;
use crate::refusal::Refusal;
use crate::request::Request;

/// What is uploaded.
struct Upload {
    resource: Value,
    content: Bytes,
    content_type: Option<String>,
}

impl Upload {
    fn of(request: &Request) -> Result<Self, Refusal> {
        let text = |value: &hyper::header::HeaderValue| value.to_str().ok().map(str::to_owned);
        match request.parameters.text("uploadType") {
            Some("multipart") => {
                let parts = multipart::parts(request);
                let [description, media] = parts.as_deref().unwrap_or_default() else {
                    return Err(Refusal::other(400, "badContent", "Malformed multipart body."));
                };
                let content_type = media.headers.get("content-type").and_then(text);
                Ok(Self { resource: resource::parse(&description.body)?, content: media.body.clone(), content_type })
            }
            Some("media") => Ok(Self {
                resource: Value::Null,
                content: request.body.clone(),
                content_type: request.headers.get("content-type").and_then(text),
            }),
            _ => Err(Refusal::Unknown),
        }
    }
}

/// The name of the object to be made: a parameter, or in the resource.
pub(super) fn name(request: &Request) -> Option<Vec<u8>> {
    if let Some(name) = request.parameters.bytes("name") {
        return Some(name.to_owned());
    }
    let Upload { resource, .. } = Upload::of(request).ok()?;
    resource["name"].as_str().map(|name| name.as_bytes().to_owned())
}

pub(super) fn insert(
    buckets: &Buckets,
    contents: &mut Contents,
    request: &Request,
    call: &Call,
) -> Result<Answer, Refusal> {
    if call.key.is_empty() {
        return Err(Refusal::other(400, "required", "Required parameter: name"));
    }
    let Upload { resource, content, content_type } = Upload::of(request)?;
    let object = with_resource(Object { content_type, ..Object::new(content) }, &resource);
    if let Some(expected) = resource["md5Hash"].as_str()
        && object.md5().map(|md5| BASE64_STANDARD.encode(md5)).as_deref() != Some(expected)
    {
        return Err(Refusal::other(400, "invalid", "Provided MD5 hash does not match calculated MD5 hash."));
    }
    check_generations(request, "if", contents.current(&call.key).as_ref())?;
    let version = contents.put(&call.key, object, Moment::now(), buckets.next_number());
    let listed = Listed::new(&call.key, &version).ok_or(Refusal::NoKey)?;
    Ok(Answer::text(200, "application/json; charset=UTF-8", resource::object(&call.bucket, &listed)))
}
