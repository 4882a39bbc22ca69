//! Filling, looking and scripting by HTTP, for tests in other languages.
//!
//! ```text
//! PUT    /_control/buckets/<name>[?versioning=true|false]   makes a bucket, or changes it
//! POST   /_control/buckets              {"bucket", "made_up": {"blobs", …}}: makes a bucket whose keys are made up
//! DELETE /_control/buckets/<name>                           removes it with all that is in it
//! POST   /_control/objects/<bucket>     lines of {"key", "content_base64" | "content" | "size", "last_modified"?,
//!                                       "etag"?, "content_type"?}
//! POST   /_control/load/<bucket>        {"directory", "root"?, "leading_slash"?}
//! GET    /_control/keys/<bucket>        lines of {"key", "size", "last_modified", "etag"}
//! GET    /_control/counts               {"s3.list": 3, …}; DELETE sets them back
//! GET    /_control/requests             [["s3.list", bucket, key or prefix, status], …]
//! GET    /_control/concurrency          {"most_in_flight": n}
//! PUT    /_control/recording?on=true|false
//! POST   /_control/faults               [{"match": {…}, "action": {…}}, …] are added; GET, DELETE
//! PUT    /_control/throttle             {"requests_per_second"?, "deleted_keys_per_second"?, "latency_ms"?}
//! ```

use std::path::PathBuf;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::json;

use crate::answer::Answer;
use crate::bucket::{Contents, Versioning};
use crate::faults::Rule;
use crate::load::load;
use crate::made_up::{self, MadeUp};
use crate::moment::Moment;
use crate::object::{Content, Object};
use crate::request::Request;
use crate::service::Service;
use crate::throttle::Limits;

/// What the paths begin with.
pub(crate) const PREFIX: &str = "/_control/";

/// Why something was not done, in words, with status 400.
type Outcome = Result<Answer, String>;

/// Answers a request that is not counted.
pub(crate) fn answer(service: &Service, request: &Request) -> Answer {
    let (what, bucket) = request.bucket_and_key(PREFIX.trim_end_matches('/'));
    let bucket = String::from_utf8_lossy(&bucket).into_owned();
    let outcome = match (request.method.as_str(), what.as_str(), bucket.as_str()) {
        ("PUT", "buckets", name) if !name.is_empty() => put_bucket(service, request, name),
        ("POST", "buckets", "") => make_up_bucket(service, request),
        ("DELETE", "buckets", name) if service.buckets.remove(name) => Ok(Answer::new(204)),
        ("DELETE", "buckets", name) => Err(format!("no bucket {name}")),
        ("POST", "objects", name) => put_objects(service, request, name),
        ("POST", "load", name) => load_directory(service, request, name),
        ("GET", "keys", name) => keys(service, name),
        ("GET", "counts", "") => Ok(json(&json!(service.journal.counts()))),
        ("DELETE", "counts", "") => {
            service.journal.reset();
            Ok(Answer::new(204))
        }
        ("GET", "requests", "") => Ok(requests(service)),
        ("GET", "concurrency", "") => Ok(json(&json!({"most_in_flight": service.journal.most_in_flight()}))),
        ("PUT", "recording", "") => {
            service.journal.set_recording(request.parameters.text("on") != Some("false"));
            Ok(Answer::new(204))
        }
        ("GET", "faults", "") => Ok(json(&json!(service.faults.all()))),
        ("POST", "faults", "") => add_faults(service, request),
        ("DELETE", "faults", "") => {
            service.faults.clear();
            Ok(Answer::new(204))
        }
        ("PUT", "throttle", "") => set_throttle(service, request),
        (method, ..) => Err(format!("nothing is known of {method} {}", request.path)),
    };
    outcome.unwrap_or_else(|message| Answer::text(400, "text/plain", message + "\n"))
}

fn json(value: &serde_json::Value) -> Answer {
    Answer::text(200, "application/json", value.to_string())
}

fn parse<'r, T: Deserialize<'r>>(body: &'r [u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| error.to_string())
}

fn put_bucket(service: &Service, request: &Request, name: &str) -> Outcome {
    let bucket = service.buckets.get_or_create(name);
    let mut contents = bucket.write();
    match request.parameters.text("versioning") {
        Some("true") => contents.versioning = Versioning::Enabled,
        Some("false") if contents.versioning == Versioning::Enabled => contents.versioning = Versioning::Suspended,
        Some("false") | None => {}
        Some(other) => return Err(format!("versioning is true or false, not {other}")),
    }
    Ok(Answer::new(204))
}

/// A bucket whose keys are made up.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MadeUpBucket {
    bucket: String,
    made_up: made_up::Options,
}

fn make_up_bucket(service: &Service, request: &Request) -> Outcome {
    let MadeUpBucket { bucket, made_up } = parse(&request.body)?;
    let made_up = MadeUp::new(made_up)?;
    let key_count = made_up.key_count();
    *service.buckets.get_or_create(&bucket).write() = Contents::made_up(made_up);
    Ok(json(&json!({"keys": key_count})))
}

/// An object as a line of JSON.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    key: String,
    content: Option<String>,
    content_base64: Option<String>,
    size: Option<u64>,
    last_modified: Option<String>,
    etag: Option<String>,
    content_type: Option<String>,
}

impl Line {
    fn object(self) -> Result<(String, Object, Moment), String> {
        let content = match (self.content, self.content_base64, self.size) {
            (Some(text), None, None) => Content::from(text),
            (None, Some(text), None) => BASE64_STANDARD.decode(text).map_err(|error| error.to_string())?.into(),
            (None, None, size) => Content::Zeros(size.unwrap_or_default()),
            _ => return Err(format!("{}: one of content, content_base64 and size", self.key)),
        };
        let modified = match self.last_modified {
            Some(text) => Moment::parse(&text).ok_or_else(|| format!("{text} is no time as in RFC 3339"))?,
            None => Moment::now(),
        };
        let mut object = Object { content_type: self.content_type, ..Object::new(content) };
        if let Some(etag) = self.etag {
            object.etag = etag;
        }
        Ok((self.key, object, modified))
    }
}

fn put_objects(service: &Service, request: &Request, name: &str) -> Outcome {
    let bucket = service.buckets.get(name).ok_or_else(|| format!("no bucket {name}"))?;
    let mut count = 0;
    for line in serde_json::Deserializer::from_slice(&request.body).into_iter::<Line>() {
        let (key, object, modified) = line.map_err(|error| error.to_string())?.object()?;
        bucket.write().put(key.as_bytes(), object, modified, service.buckets.next_number());
        count += 1;
    }
    Ok(json(&json!({"objects": count})))
}

/// What a directory is loaded as.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Load {
    directory: PathBuf,
    #[serde(default)]
    root: String,
    #[serde(default)]
    leading_slash: bool,
}

fn load_directory(service: &Service, request: &Request, name: &str) -> Outcome {
    let bucket = service.buckets.get(name).ok_or_else(|| format!("no bucket {name}"))?;
    let Load { directory, root, leading_slash } = parse(&request.body)?;
    let slash = if leading_slash { "/" } else { "" };
    let root = format!("{slash}{}", root.trim_matches('/'));
    let count = load(&service.buckets, &bucket, &directory, root.as_bytes())
        .map_err(|error| format!("{}: {error}", directory.display()))?;
    Ok(json(&json!({"objects": count})))
}

fn keys(service: &Service, name: &str) -> Outcome {
    let bucket = service.buckets.get(name).ok_or_else(|| format!("no bucket {name}"))?;
    let mut lines = String::new();
    bucket.read().each_from(b"", |listed| {
        let line = json!({
            "key": String::from_utf8_lossy(listed.key),
            "size": listed.size_bytes,
            "last_modified": listed.modified.rfc3339(6),
            "etag": listed.etag,
        });
        lines.push_str(&line.to_string());
        lines.push('\n');
        true
    });
    Ok(Answer::text(200, "application/x-ndjson", lines))
}

fn requests(service: &Service) -> Answer {
    let records = service.journal.records().into_iter().map(|record| {
        let name = format!("{}.{}", record.dialect.name(), record.operation.name());
        json!([name, record.bucket, String::from_utf8_lossy(&record.key), record.status])
    });
    json(&records.collect())
}

fn add_faults(service: &Service, request: &Request) -> Outcome {
    let rules: Vec<Rule> = parse(&request.body)?;
    rules.iter().try_for_each(Rule::check)?;
    for rule in rules {
        service.faults.add(rule);
    }
    Ok(Answer::new(204))
}

fn set_throttle(service: &Service, request: &Request) -> Outcome {
    service.throttle.set(parse::<Limits>(&request.body)?);
    Ok(Answer::new(204))
}
