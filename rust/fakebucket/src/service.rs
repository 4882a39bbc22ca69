//! What happens to a request, whoever asks: it is counted, delayed, struck by faults, carried out, and answered.

use std::time::Instant;

use http_body_util::BodyExt as _;
use hyper::Response;
use hyper::body::Incoming;

use crate::answer::{Answer, AnswerBody, Cut};
use crate::bucket::Buckets;
use crate::control;
use crate::faults::{Faults, Strikes, TruncatedPage};
use crate::journal::Journal;
use crate::operation::{Call, Operation};
use crate::refusal::Refusal;
use crate::request::Request;
use crate::s3;
use crate::throttle::Throttle;

/// Everything that a server has besides its connections.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) buckets: Buckets,
    pub(crate) faults: Faults,
    pub(crate) throttle: Throttle,
    pub(crate) journal: Journal,
}

impl Service {
    pub(crate) fn new(is_recording: bool) -> Self {
        let journal = Journal::new(is_recording);
        Self { buckets: Buckets::default(), faults: Faults::default(), throttle: Throttle::default(), journal }
    }

    /// Answers a request, or fails to: then the connection is closed.
    pub(crate) async fn answer(&self, request: hyper::Request<Incoming>) -> Result<Response<AnswerBody>, Cut> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
        let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
        let request = Request::new(head.method, target, head.headers, body);
        if request.path.starts_with(control::PREFIX) {
            return Ok(control::answer(self, &request).send(<_>::default()));
        }

        let _in_flight = self.journal.begin();
        let call = route(&request);
        let strikes = self.faults.strike(&request.method, &call);
        let delay = self.throttle.latency() + strikes.delay;
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let mut answer = self.decide(&request, &call, &strikes);
        if strikes.lose_response {
            self.journal.write(&call, 0);
            return Err(Cut);
        }
        if strikes.truncated_page == Some(TruncatedPage::Cut) {
            let size = answer.content.size_bytes();
            answer.content = answer.content.part(0..size - size / 4);
        }
        self.journal.write(&call, answer.status.as_u16());
        Ok(answer.header("x-amz-request-id", "FAKEBUCKET").send(strikes.spoil))
    }

    /// Carries a request out, unless something is to go wrong with it.
    fn decide(&self, request: &Request, call: &Call, strikes: &Strikes) -> Answer {
        let deleted_keys = match call.operation {
            Operation::Delete => 1,
            Operation::DeleteObjects => s3::key_count(&request.body),
            _ => 0,
        };
        self.journal.add_deleted_keys(deleted_keys as u64);
        let refusal = if !self.throttle.admits(Instant::now(), deleted_keys) {
            Refusal::Throttled
        } else if let Some((status, code)) = &strikes.status {
            Refusal::Scripted { status: *status, code: code.clone() }
        } else if strikes.expired_token {
            Refusal::Expired
        } else if strikes.vanish {
            Refusal::NoKey
        } else if strikes.slow_down_in_200 {
            return Answer::text(200, "application/xml", s3::slow_down_body(call));
        } else if call.operation.writes() && self.is_made_up(&call.bucket) {
            Refusal::MadeUp
        } else {
            match s3::perform(&self.buckets, request, call, strikes) {
                Ok(answer) => return answer,
                Err(refusal) => refusal,
            }
        };
        s3::refuse(&refusal, call)
    }

    fn is_made_up(&self, bucket: &str) -> bool {
        self.buckets.get(bucket).is_some_and(|bucket| bucket.read().is_made_up())
    }
}

/// Who asks for what.
fn route(request: &Request) -> Call {
    s3::route(request)
}
