//! How fast a server lists to a client that does nothing but count keys.
//!
//! ```text
//! cargo run --release -p regsweep-fakebucket --example bare_lister -- [BLOBS [CONNECTIONS [ADDRESS BUCKET]]]
//! ```
//!
//! Without an address, lists so many made-up blobs of a server in the same process. The blobs are shared out by the
//! first two digits of their digests; every connection takes the next prefix when it is done with one, and goes on
//! from the last key of each page.

use std::error::Error;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use memchr::memmem::{Finder, rfind};
use regsweep_fakebucket::bucket::Contents;
use regsweep_fakebucket::made_up::{self, MadeUp};
use regsweep_fakebucket::{Options, Server};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let blobs = arguments.first().map_or(Ok(1_000_000), |text| text.parse())?;
    let connections: usize = arguments.get(1).map_or(Ok(4), |text| text.parse())?;
    let server;
    let (address, bucket) = if let [_, _, address, bucket] = arguments.as_slice() {
        (address.parse()?, bucket.clone())
    } else {
        server = Server::start(Options { record_requests: false, ..Options::default() })?;
        let made_up = MadeUp::new(made_up::Options { blobs, ..made_up::Options::default() })?;
        *server.buckets().get_or_create("bucket").write() = Contents::made_up(made_up);
        (server.address(), "bucket".to_owned())
    };
    let (next, keys, pages) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let start = Instant::now();
    thread::scope(|scope| {
        let list = || -> Outcome<()> {
            let mut connection = Connection::open(address)?;
            loop {
                let prefix = next.fetch_add(1, Ordering::Relaxed);
                if prefix > 0xff {
                    return Ok(());
                }
                let prefix = format!("docker/registry/v2/blobs/sha256/{prefix:02x}/");
                connection.list(&bucket, &prefix, |count| {
                    keys.fetch_add(count, Ordering::Relaxed);
                    pages.fetch_add(1, Ordering::Relaxed);
                })?;
            }
        };
        let threads: Vec<_> = (0..connections).map(|_| scope.spawn(list)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("no thread panics"))
    })?;
    let seconds = start.elapsed().as_secs_f64();
    let (keys, pages) = (keys.into_inner(), pages.into_inner());
    #[allow(clippy::cast_precision_loss)] // a rate to three digits
    let rate = keys as f64 / seconds;
    writeln!(std::io::stdout(), "{keys} keys in {pages} pages, {seconds:.2} s: {rate:.0} keys/s")?;
    Ok(())
}

/// A connection that is used for one request after another.
struct Connection {
    stream: TcpStream,
    answer: Vec<u8>,
}

impl Connection {
    fn open(address: SocketAddr) -> Outcome<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, answer: vec![0; 1 << 20] })
    }

    /// Goes through all pages of a prefix and says how many keys each has.
    fn list(&mut self, bucket: &str, prefix: &str, mut found: impl FnMut(u64)) -> Outcome<()> {
        let (key_tag, truncated) = (Finder::new("<Key>"), Finder::new("<IsTruncated>true"));
        let mut start_after = String::new();
        loop {
            let target = format!("/{bucket}?list-type=2&prefix={prefix}&start-after={start_after}");
            write!(self.stream, "GET {target} HTTP/1.1\r\nHost: bare\r\n\r\n")?;
            let body = self.read_body()?;
            found(key_tag.find_iter(body).count() as u64);
            if truncated.find(body).is_none() {
                return Ok(());
            }
            let last = rfind(body, b"<Key>").ok_or("a page that is not the last has keys")? + "<Key>".len();
            let end = body[last..].iter().position(|&byte| byte == b'<').ok_or("a key ends")?;
            start_after = String::from_utf8(body[last..last + end].to_owned())?;
        }
    }

    fn read_body(&mut self) -> Outcome<&[u8]> {
        let (mut filled, mut wanted) = (0, None);
        while wanted.is_none_or(|(_, end)| filled < end) {
            let count = self.stream.read(&mut self.answer[filled..])?;
            if count == 0 {
                return Err("the connection has ended, or the answer is too large".into());
            }
            filled += count;
            if wanted.is_none() {
                wanted = head(&self.answer[..filled])?;
            }
        }
        let (start, end) = wanted.unwrap_or_default();
        Ok(&self.answer[start..end])
    }
}

/// Where the body starts and ends, once the head is there.
fn head(answer: &[u8]) -> Outcome<Option<(usize, usize)>> {
    let Some(end) = memchr::memmem::find(answer, b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(&answer[..end])?;
    if !head.starts_with("HTTP/1.1 200") {
        return Err(head.into());
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).ok_or("a length")?;
    Ok(Some((end + 4, end + 4 + length.parse::<usize>()?)))
}
