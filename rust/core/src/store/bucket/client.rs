//! Requests on their way: leave to send, signing, waiting, trying again.
//!
//! The seam is synchronous, so each thread waits for its own request; the requests themselves run on a private runtime.
//! What the store calls too much is tried again for as long as it takes within [`Patience`]; what fails otherwise (a
//! connection, a 5xx, a body that breaks off, an answer that is not one) some times.

use std::fmt;
use std::future::Future;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http::StatusCode;
use object_store::client::{HttpClient, HttpErrorKind, HttpResponse};
use time::OffsetDateTime;
use tokio::runtime::Runtime;

use super::clock::Clock;
use super::dialect::{Answer, Dialect, Signed};
use super::throttle::{Ended, Throttle};
use crate::error::{Error, Result};
use crate::key::Key;
use crate::progress::Control;

/// How long a request is tried again.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// The wait before the second try; it doubles each time, up to a hundred times as long.
    pub first_wait: Duration,
    /// How often what fails is tried in all.
    pub tries: u32,
    /// For how long what is throttled is tried.
    pub throttled: Duration,
}

impl Default for Patience {
    /// About a minute and a half for failures, a quarter of an hour for a store that has too much to do.
    fn default() -> Self {
        Self { first_wait: Duration::from_millis(150), tries: 10, throttled: Duration::from_secs(15 * 60) }
    }
}

/// Requests that were sent, by what they cost.
#[derive(Debug, Default)]
pub struct Requests {
    /// Pages of listings.
    pub list: AtomicU64,
    /// Objects, or parts of them, that were read.
    pub get: AtomicU64,
    /// Objects of regsweep's own that were written.
    pub put: AtomicU64,
    /// Copies within the bucket.
    pub copy: AtomicU64,
    /// Removals, each of one key or many, and aborts of multipart uploads.
    pub remove: AtomicU64,
    /// Those of all kinds that the store refused because there were too many.
    pub throttled: AtomicU64,
    /// Those of all kinds that failed and were sent again.
    pub repeated: AtomicU64,
}

/// What a request is for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    List,
    Get,
    Put,
    Copy,
    Remove,
    Abort,
}

impl Purpose {
    /// For messages: an infinitive.
    const fn operation(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Get => "read",
            Self::Put => "write",
            Self::Copy => "copy",
            Self::Remove => "remove",
            Self::Abort => "abort",
        }
    }
}

/// What was made of an answer.
pub(super) enum Reading<T> {
    Done(T),
    /// It is not what it should be, and may be the next time.
    Again(String),
    /// The store says, in whatever words, that it has too much to do.
    Busy(String),
    /// It is an error that is none of the passing ones.
    Refused,
}

/// Sends requests to one bucket.
pub(super) struct Client {
    runtime: Runtime,
    http: HttpClient,
    dialect: Box<dyn Dialect>,
    throttle: Throttle,
    patience: Patience,
    pub(super) requests: Requests,
    pub(super) clock: Clock,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("dialect", &self.dialect).finish_non_exhaustive()
    }
}

/// Why one try did not do.
enum Trouble {
    Cancelled,
    /// The store has too much to do.
    Throttled(io::Error),
    Passing(io::Error),
    Final(io::Error),
}

/// How often a run that is to end is noticed while a request is under way.
const LOOK: Duration = Duration::from_millis(100);
/// A token that has expired is asked for anew so often.
const EXPIRED_TRIES: u32 = 3;

impl Client {
    pub(super) fn new(
        runtime: Runtime,
        http: HttpClient,
        dialect: Box<dyn Dialect>,
        throttle: Throttle,
        patience: Patience,
    ) -> Self {
        Self { runtime, http, dialect, throttle, patience, requests: Requests::default(), clock: Clock::default() }
    }

    pub(super) fn dialect(&self) -> &dyn Dialect {
        &*self.dialect
    }

    /// Sends a request until it is answered, and reads the answer.
    ///
    /// `make` is called for every try, for signatures have a time. `read` gets answers that are no passing trouble.
    ///
    /// # Errors
    /// The last trouble, when patience ends; at once where trying again cannot help.
    pub(super) fn send<'a, T>(
        &'a self,
        purpose: Purpose,
        key: &Key,
        control: &Control,
        make: impl Fn() -> Signed<'a>,
        mut read: impl FnMut(&Answer) -> Reading<T>,
    ) -> Result<T> {
        let begun = Instant::now();
        let mut tries = 0;
        let mut wait = self.patience.first_wait;
        loop {
            tries += 1;
            let trouble = match self.try_once(purpose, control, &make, &mut read, tries) {
                Ok(done) => return Ok(done),
                Err(trouble) => trouble,
            };
            let (error, again) = match trouble {
                Trouble::Cancelled => return Err(Error::cancelled()),
                Trouble::Final(error) => (error, false),
                Trouble::Passing(error) => (error, tries < self.patience.tries),
                Trouble::Throttled(error) => (error, begun.elapsed() < self.patience.throttled),
            };
            if !again {
                return Err(Error::io(purpose.operation(), key, error));
            }
            self.requests.repeated.fetch_add(1, Ordering::Relaxed);
            // Neither all at once nor all at the same moment.
            pause(wait.mul_f64(0.5 + fastrand::f64()), control)?;
            wait = (wait * 2).min(self.patience.first_wait * 100);
        }
    }

    /// Sends a request once, whether the run is to end or not, and whatever comes of it: for what tidies up.
    pub(super) fn send_once<'a>(&'a self, purpose: Purpose, make: impl Fn() -> Signed<'a>) {
        let _ = self.try_once(purpose, &Control::default(), &make, &mut |_| Reading::Done(()), 1);
    }

    fn try_once<'a, T>(
        &'a self,
        purpose: Purpose,
        control: &Control,
        make: &impl Fn() -> Signed<'a>,
        read: &mut impl FnMut(&Answer) -> Reading<T>,
        tries: u32,
    ) -> Result<T, Trouble> {
        let leave = self.throttle.enter(control).map_err(|_| Trouble::Cancelled)?;
        let counter = match purpose {
            Purpose::List => &self.requests.list,
            Purpose::Get => &self.requests.get,
            Purpose::Put => &self.requests.put,
            Purpose::Copy => &self.requests.copy,
            Purpose::Remove | Purpose::Abort => &self.requests.remove,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        let answer = self.wait_for(self.exchange(make()), control)?;
        let (code, message) = if answer.status.is_success() {
            match read(&answer) {
                Reading::Done(done) => {
                    leave.end(Ended::Well);
                    return Ok(done);
                }
                Reading::Refused => self.dialect.explain(&answer.body),
                Reading::Busy(reason) => ("SlowDown".to_owned(), reason),
                Reading::Again(reason) => {
                    // S3 says "200" before it knows, and then what went wrong.
                    let (code, message) = self.dialect.explain(&answer.body);
                    if code.is_empty() { ("InternalError".to_owned(), reason) } else { (code, message) }
                }
            }
        } else {
            self.dialect.explain(&answer.body)
        };
        let error = refusal(answer.status, &code, &message);
        match judge(answer.status, &code) {
            Verdict::Throttled => {
                leave.end(Ended::Throttled);
                self.requests.throttled.fetch_add(1, Ordering::Relaxed);
                Err(Trouble::Throttled(error))
            }
            Verdict::Passing => Err(Trouble::Passing(error)),
            Verdict::Expired if tries < EXPIRED_TRIES => Err(Trouble::Passing(error)),
            Verdict::Expired => Err(Trouble::Final(error)),
            Verdict::Other => {
                leave.end(Ended::Well);
                match read(&answer) {
                    Reading::Done(done) => Ok(done),
                    Reading::Again(_) | Reading::Busy(_) | Reading::Refused => Err(Trouble::Final(error)),
                }
            }
        }
    }

    async fn exchange(&self, request: Signed<'_>) -> Result<Answer, Trouble> {
        let request = request.await.map_err(|error| Trouble::Final(io::Error::other(error)))?;
        let failed = |error: object_store::client::HttpError| {
            let kind = match error.kind() {
                HttpErrorKind::Timeout => io::ErrorKind::TimedOut,
                HttpErrorKind::Connect => io::ErrorKind::NotConnected,
                _ => io::ErrorKind::Other,
            };
            Trouble::Passing(io::Error::new(kind, Chain(Box::new(error))))
        };
        let response: HttpResponse = self.http.execute(request).await.map_err(failed)?;
        let (parts, body) = response.into_parts();
        self.clock.note(&parts.headers, OffsetDateTime::now_utc());
        let body = body.bytes().await.map_err(failed)?;
        Ok(Answer { status: parts.status, headers: parts.headers, body })
    }

    /// Runs a request on the runtime while this thread waits, and looks whether the run is to end.
    fn wait_for<T>(&self, request: impl Future<Output = Result<T, Trouble>>, control: &Control) -> Result<T, Trouble> {
        self.runtime.block_on(async {
            let mut request = std::pin::pin!(request);
            loop {
                match tokio::time::timeout(LOOK, &mut request).await {
                    Ok(done) => return done,
                    Err(_) if control.stopped() => return Err(Trouble::Cancelled),
                    Err(_) => {}
                }
            }
        })
    }
}

/// Waits, unless the run is to end.
pub(super) fn pause(wait: Duration, control: &Control) -> Result<()> {
    let until = Instant::now() + wait;
    loop {
        control.check()?;
        match until.checked_duration_since(Instant::now()) {
            Some(left) if !left.is_zero() => std::thread::sleep(left.min(LOOK)),
            _ => return Ok(()),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Throttled,
    Passing,
    /// Credentials that were good a while ago.
    Expired,
    Other,
}

/// What a status and an error's code are a sign of. All three services' codes, for none means two things.
fn judge(status: StatusCode, code: &str) -> Verdict {
    match code {
        "SlowDown"
        | "SlowDownRead"
        | "SlowDownWrite"
        | "ServerBusy"
        | "TooManyRequests"
        | "Throttling"
        | "ThrottlingException"
        | "RequestLimitExceeded"
        | "BandwidthLimitExceeded"
        | "rateLimitExceeded"
        | "userRateLimitExceeded" => return Verdict::Throttled,
        "ExpiredToken"
        | "ExpiredTokenException"
        | "TokenRefreshRequired"
        | "RequestTimeTooSkewed"
        | "InvalidAuthenticationInfo"
        | "authError" => return Verdict::Expired,
        "InternalError" | "RequestTimeout" | "OperationTimedOut" | "backendError" | "internalError" => {
            return Verdict::Passing;
        }
        _ => {}
    }
    match status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => Verdict::Throttled,
        StatusCode::REQUEST_TIMEOUT => Verdict::Passing,
        StatusCode::UNAUTHORIZED => Verdict::Expired,
        status if status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED => Verdict::Passing,
        _ => Verdict::Other,
    }
}

fn refusal(status: StatusCode, code: &str, message: &str) -> io::Error {
    let kind = match status {
        StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => io::ErrorKind::PermissionDenied,
        StatusCode::NOT_FOUND => io::ErrorKind::NotFound,
        _ => io::ErrorKind::Other,
    };
    let mut text = if status.is_success() { String::new() } else { format!("{status}") };
    for part in [code, message].into_iter().filter(|part| !part.is_empty()) {
        text.push_str(if text.is_empty() { "" } else { ": " });
        text.push_str(part);
    }
    io::Error::new(kind, text)
}

/// An error with its causes in one line: what a connection failed of is three errors deep.
#[derive(Debug)]
struct Chain(Box<dyn std::error::Error + Send + Sync>);

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut said = self.0.to_string();
        let mut source = self.0.source();
        while let Some(error) = source {
            let text = error.to_string();
            if !said.contains(&text) {
                write!(f, ": {text}")?;
                said = text;
            }
            source = error.source();
        }
        Ok(())
    }
}

impl std::error::Error for Chain {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_told_from_what_does_not() {
        for (status, code, expected) in [
            (503, "", Verdict::Throttled),
            (503, "SlowDown", Verdict::Throttled),
            (429, "", Verdict::Throttled),
            (403, "rateLimitExceeded", Verdict::Throttled),
            (200, "SlowDown", Verdict::Throttled),
            (200, "InternalError", Verdict::Passing),
            (500, "", Verdict::Passing),
            (502, "", Verdict::Passing),
            (400, "RequestTimeout", Verdict::Passing),
            (400, "ExpiredToken", Verdict::Expired),
            (401, "", Verdict::Expired),
            (403, "AccessDenied", Verdict::Other),
            (404, "NoSuchKey", Verdict::Other),
            (501, "NotImplemented", Verdict::Other),
            (301, "PermanentRedirect", Verdict::Other),
        ] {
            assert_eq!(judge(StatusCode::from_u16(status).unwrap(), code), expected, "{status} {code}");
        }
    }
}
