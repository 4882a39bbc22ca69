//! `objects.get`, `objects.delete`, `objects.copy` and `objects.rewrite`.

use serde_json::{Value, json};

use super::resource::{self, DEFAULT_CONTENT_TYPE};
use super::{Target, check_generations};
use crate::answer::Answer;
use crate::bucket::{Buckets, Contents};
use crate::listing::Listed;
use crate::moment::Moment;
use crate::object::{Object, Version};
use crate::operation::Call;
use crate::reading;
use crate::refusal::Refusal;
use crate::request::Request;

/// The current version, or the one whose generation is given by the parameter.
fn find(contents: &Contents, key: &[u8], request: &Request, parameter: &str) -> Result<Version, Refusal> {
    let Some(generation) = request.parameters.text(parameter) else {
        return contents.current(key).ok_or(Refusal::NoKey);
    };
    let versions = contents.versions(key).iter();
    let mut with_object = versions.filter(|version| version.object.is_some());
    with_object.find(|version| version.number.to_string() == generation).cloned().ok_or(Refusal::NoKey)
}

fn described(call: &Call, version: &Version) -> Result<Vec<u8>, Refusal> {
    let listed = Listed::new(&call.key, version).ok_or(Refusal::NoKey)?;
    Ok(resource::object(&call.bucket, &listed))
}

/// What is known of an object.
pub(super) fn get(contents: &Contents, request: &Request, call: &Call) -> Result<Answer, Refusal> {
    let version = find(contents, &call.key, request, "generation")?;
    check_generations(request, "if", Some(&version))?;
    let body = described(call, &version)?;
    Ok(Answer::text(200, "application/json; charset=UTF-8", body).header("etag", &resource::etag(version.number)))
}

/// An object's content.
pub(super) fn media(contents: &Contents, request: &Request, call: &Call) -> Result<Answer, Refusal> {
    let version = find(contents, &call.key, request, "generation")?;
    check_generations(request, "if", Some(&version))?;
    let object = version.object.as_ref().ok_or(Refusal::NoKey)?;
    let answer = reading::answer(request, &object.content, &resource::etag(version.number), version.modified)?;
    let content_type = object.content_type.as_deref().unwrap_or(DEFAULT_CONTENT_TYPE);
    let size = object.content.size_bytes().to_string();
    Ok(answer
        .header("content-type", content_type)
        .header("x-goog-generation", &version.number.to_string())
        .header("x-goog-metageneration", "1")
        .header("x-goog-stored-content-length", &size))
}

/// Deletes the current version, which stays as an older one where versions are kept; or one version for good.
pub(super) fn delete(
    buckets: &Buckets,
    contents: &mut Contents,
    request: &Request,
    call: &Call,
) -> Result<Answer, Refusal> {
    let version = find(contents, &call.key, request, "generation")?;
    check_generations(request, "if", Some(&version))?;
    let was_newest = contents.newest(&call.key).is_some_and(|newest| newest.number == version.number);
    if request.parameters.has("generation") {
        contents.delete_version(&call.key, |other| other.number == version.number);
        // What is older does not become current again.
        if was_newest && !contents.versions(&call.key).is_empty() {
            contents.delete(&call.key, Moment::now(), buckets.next_number());
        }
    } else {
        contents.delete(&call.key, Moment::now(), buckets.next_number());
    }
    Ok(Answer::new(204))
}

/// Copies in one go, whatever the size.
pub(super) fn copy(buckets: &Buckets, request: &Request, call: &Call) -> Result<Answer, Refusal> {
    let (source_bucket, source_key) = Target::of(request).source().ok_or(Refusal::NoKey)?;
    let bucket = buckets.get(&call.bucket).ok_or(Refusal::NoBucket)?;
    let source = buckets.get(&source_bucket).ok_or(Refusal::NoBucket)?;
    let version = find(&source.read(), &source_key, request, "sourceGeneration")?;
    check_generations(request, "ifSource", Some(&version))?;
    let original = version.object.as_ref().ok_or(Refusal::NoKey)?;
    let wanted = resource::parse(&request.body)?;
    let object = with_resource(Object { etag: original.content.etag(), ..original.clone() }, &wanted);

    let mut contents = bucket.write();
    check_generations(request, "if", contents.current(&call.key).as_ref())?;
    let version = contents.put(&call.key, object, Moment::now(), buckets.next_number());
    let body = described(call, &version)?;
    if !request.path.contains("/rewriteTo/") {
        return Ok(Answer::text(200, "application/json; charset=UTF-8", body));
    }
    let size = version.object.as_ref().map_or(0, |object| object.content.size_bytes()).to_string();
    let resource = resource::parse(&body)?;
    Ok(super::answer(&json!({
        "kind": "storage#rewriteResponse",
        "totalBytesRewritten": size,
        "objectSize": size,
        "done": true,
        "resource": resource,
    })))
}

/// The object with what a resource says of it.
pub(super) fn with_resource(object: Object, resource: &Value) -> Object {
    let content_type = resource["contentType"].as_str().map(str::to_owned).or(object.content_type);
    let metadata = resource["metadata"].as_object().map(|pairs| {
        let pairs = pairs.iter().filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
        pairs.collect()
    });
    Object { content_type, metadata: metadata.unwrap_or(object.metadata), ..object }
}
