//! A plain client for requests that no library sends, and helpers for those that one does.

#![allow(dead_code)] // every test file uses some of it

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use futures_util::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, RetryConfig};
use regsweep_fakebucket::bucket::Bucket;
use regsweep_fakebucket::faults::Rule;
use regsweep_fakebucket::moment::Moment;
use regsweep_fakebucket::object::Object;
use regsweep_fakebucket::{Options, Server};

/// A server with an empty bucket named `bucket`.
pub(crate) fn server() -> Server {
    let server = Server::start(Options::default()).expect("a free port");
    server.buckets().create("bucket");
    server
}

/// Puts an object with its own key for content into a bucket.
pub(crate) fn put(server: &Server, key: &str) {
    let bucket = server.buckets().get_or_create("bucket");
    let number = server.buckets().next_number();
    bucket.write().put(key.as_bytes(), Object::new(key.to_owned()), Moment::now(), number);
}

/// `count` keys with a number each.
pub(crate) fn fill(server: &Server, count: usize) -> Vec<String> {
    let keys: Vec<String> = (0..count).map(|number| format!("objects/{number:05}")).collect();
    for key in &keys {
        put(server, key);
    }
    keys
}

/// Adds a fault.
pub(crate) fn fault(server: &Server, rule: &str) {
    server.faults().add(serde_json::from_str::<Rule>(rule).expect("a rule"));
}

/// Whether a key is there.
pub(crate) fn has(bucket: &Bucket, key: &str) -> bool {
    bucket.read().current(key.as_bytes()).is_some()
}

/// No second tries: a test wants to see the first.
pub(crate) fn no_retries() -> RetryConfig {
    RetryConfig { max_retries: 0, retry_timeout: Duration::from_secs(10), ..RetryConfig::default() }
}

/// Runs what waits.
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

/// All keys below a prefix.
pub(crate) fn listed(store: &dyn ObjectStore, prefix: Option<&str>) -> object_store::Result<Vec<String>> {
    let prefix = prefix.map(Path::from);
    let metas: Vec<ObjectMeta> = wait(store.list(prefix.as_ref()).try_collect())?;
    Ok(metas.into_iter().map(|meta| meta.location.to_string()).collect())
}

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Raw {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
    /// Whether as much came as was announced.
    pub(crate) is_whole: bool,
}

impl Raw {
    /// The text between tags, for each element of that name.
    pub(crate) fn elements(&self, name: &str) -> Vec<String> {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        let texts = self.body.split(&open).skip(1);
        texts.map(|rest| rest.split(&close).next().unwrap_or_default().to_owned()).collect()
    }

    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let named = |line: &&str| line.split(':').next().is_some_and(|found| found.eq_ignore_ascii_case(name));
        self.head.lines().find(named).and_then(|line| line.split_once(": ")).map(|(_, value)| value)
    }
}

/// Sends a request and reads until the connection ends. None: no answer came.
pub(crate) fn try_raw(server: &Server, line: &str, headers: &[&str], body: &[u8]) -> Option<Raw> {
    let mut stream = TcpStream::connect(server.address()).expect("a server");
    let mut request = format!("{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    for header in headers {
        request.push_str(header);
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    stream.write_all(body).expect("sent");
    let mut answer = Vec::new();
    // A connection that is reset has given what it has given.
    let _ = stream.read_to_end(&mut answer);
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8(answer[..end].to_owned()).expect("text");
    let body = String::from_utf8_lossy(&answer[end + 4..]).into_owned();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let length = answer.len() - end - 4;
    let mut raw = Raw { status, head, body, is_whole: true };
    raw.is_whole = raw.header("content-length").is_none_or(|announced| announced == length.to_string());
    Some(raw)
}

/// Sends a request that is answered.
pub(crate) fn raw(server: &Server, line: &str, headers: &[&str], body: &[u8]) -> Raw {
    try_raw(server, line, headers, body).expect("an answer")
}

/// A client's builder, ready to be built: even without TLS a client wants to know how TLS would be done.
pub(crate) fn without_tls<B>(builder: B) -> B {
    // The first to install one wins; there is only this.
    let _ = rustls::crypto::ring::default_provider().install_default();
    builder
}
