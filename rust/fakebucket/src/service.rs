//! What happens to a request, whoever asks: it is counted, delayed, struck by faults, carried out, and answered.

use std::time::Instant;

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::{Response, StatusCode};

use crate::answer::{Answer, AnswerBody, Cut};
use crate::bucket::Buckets;
use crate::faults::{Faults, Strikes, TruncatedPage};
use crate::journal::Journal;
use crate::operation::{Call, Dialect, Operation};
use crate::refusal::Refusal;
use crate::request::Request;
use crate::throttle::Throttle;
use crate::{azure, control, gcs, s3};

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
        let is_listing = matches!(call.operation, Operation::List | Operation::Versions);
        let is_cut = |page| page == TruncatedPage::Cut || !call.dialect.can_lack_a_token();
        if is_listing && strikes.truncated_page.is_some_and(is_cut) {
            let size = answer.content.size_bytes();
            answer.content = answer.content.part(0..size - size / 4);
        }
        self.journal.write(&call, answer.status.as_u16());
        Ok(answer.header(call.dialect.request_id_header(), "fakebucket").send(strikes.spoil))
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
            return slow_down_in_200(call);
        } else if call.operation.writes() && self.is_made_up(&call.bucket) {
            Refusal::MadeUp
        } else {
            match self.perform(request, call, strikes) {
                Ok(answer) => return answer,
                Err(refusal) => refusal,
            }
        };
        refuse(&refusal, call)
    }

    fn perform(&self, request: &Request, call: &Call, strikes: &Strikes) -> Result<Answer, Refusal> {
        let buckets = &self.buckets;
        let part = |request: &Request| self.answer_part(request, strikes);
        match (call.dialect, call.operation) {
            (Dialect::S3 | Dialect::GcsXml, _) => s3::perform(buckets, request, call, strikes),
            (Dialect::Gcs, Operation::Batch) => gcs::batch(request, part),
            (Dialect::Gcs, _) => gcs::perform(buckets, request, call, strikes),
            (Dialect::Azure, Operation::Batch) => azure::batch(request, part),
            (Dialect::Azure, _) => azure::perform(buckets, request, call, strikes),
        }
    }

    /// Answers one of the requests in a batch. Faults of the batch strike its keys, and its own faults the request.
    fn answer_part(&self, request: &Request, of_batch: &Strikes) -> Answer {
        let call = route(request);
        let strikes = self.faults.strike(&request.method, &call);
        let answer = match of_batch.key_error(&call.key).or_else(|| strikes.key_error(&call.key)) {
            Some(error) => {
                let (status, code) = (error.status(), Some(error.code.clone()));
                refuse(&Refusal::Scripted { status, code }, &call)
            }
            None => self.decide(request, &call, &strikes),
        };
        self.journal.write(&Call { operation: Operation::BatchPart, ..call }, answer.status.as_u16());
        answer
    }

    fn is_made_up(&self, bucket: &str) -> bool {
        self.buckets.get(bucket).is_some_and(|bucket| bucket.read().is_made_up())
    }
}

/// Who asks for what.
fn route(request: &Request) -> Call {
    if azure::is_meant(request) {
        azure::route(request)
    } else if gcs::is_meant(request) {
        gcs::route(request)
    } else {
        s3::route(request)
    }
}

fn refuse(refusal: &Refusal, call: &Call) -> Answer {
    match call.dialect {
        Dialect::S3 | Dialect::GcsXml => s3::refuse(refusal, call),
        Dialect::Gcs => gcs::refuse(refusal, call),
        Dialect::Azure => azure::refuse(refusal, call),
    }
}

/// An error in the body, and success in the status.
fn slow_down_in_200(call: &Call) -> Answer {
    let answer = refuse(&Refusal::Throttled, call);
    Answer { status: StatusCode::OK, ..answer }
}
