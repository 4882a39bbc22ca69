//! Answers, and the bodies they go out with: whole, or spoilt on purpose.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{HeaderMap, Response, StatusCode};
use tokio::time::Sleep;

use crate::object::Content;

/// How many bytes of zeros are handed out at once.
const ZEROS: &[u8] = &[0; 64 << 10];
/// What has been written before a body breaks off must reach the client first.
const FLUSH_PAUSE: Duration = Duration::from_millis(20);

/// An answer that is not on its way yet.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) content: Content,
}

impl Answer {
    /// An answer without a body.
    pub(crate) fn new(status: u16) -> Self {
        let status = StatusCode::from_u16(status).expect("a status");
        Self { status, ..Self::default() }
    }

    /// An answer with a text in a body.
    pub(crate) fn text(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let mut answer = Self::new(status).body(body.into());
        answer.headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        answer
    }

    /// With a header; a value that no header can have is left out.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value.as_bytes()))
        {
            self.headers.insert(name, value);
        }
        self
    }

    /// With a body.
    pub(crate) fn body(mut self, content: impl Into<Content>) -> Self {
        self.content = content.into();
        self
    }

    /// The answer as it goes out.
    pub(crate) fn send(self, spoil: Spoil) -> Response<AnswerBody> {
        let size_bytes = self.content.size_bytes();
        let mut response = Response::new(AnswerBody::new(self.content, spoil));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        if self.status != StatusCode::NO_CONTENT && self.status != StatusCode::NOT_MODIFIED {
            response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(size_bytes));
        }
        response
    }
}

/// What becomes of a body on its way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spoil {
    /// The connection is closed after so many bytes.
    pub(crate) cut_after_bytes: Option<u64>,
    /// A wait in the middle.
    pub(crate) pause: Duration,
}

/// The body of an answer.
pub(crate) struct AnswerBody {
    content: Content,
    sent_bytes: u64,
    spoil: Spoil,
    wait: Option<Pin<Box<Sleep>>>,
}

/// Ends a connection in the middle of a body.
#[derive(Debug)]
pub(crate) struct Cut;

impl std::fmt::Display for Cut {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the answer is cut off on purpose")
    }
}

impl std::error::Error for Cut {}

impl AnswerBody {
    fn new(content: Content, spoil: Spoil) -> Self {
        Self { content, sent_bytes: 0, spoil, wait: None }
    }

    /// Where the next piece must end.
    fn next_stop(&self) -> u64 {
        let size = self.content.size_bytes();
        let end = self.spoil.cut_after_bytes.map_or(size, |cut| cut.min(size));
        let middle = size / 2;
        if self.spoil.pause.is_zero() || self.sent_bytes >= middle { end } else { end.min(middle) }
    }

    fn is_cut_off(&self) -> bool {
        self.spoil.cut_after_bytes.is_some_and(|cut| self.sent_bytes >= cut)
    }

    fn next_piece(&mut self) -> Bytes {
        let stop = self.next_stop();
        let piece = match self.content.part(self.sent_bytes..stop) {
            Content::Bytes(bytes) => bytes,
            Content::Zeros(size) => {
                Bytes::from_static(&ZEROS[..usize::try_from(size).unwrap_or(usize::MAX).min(ZEROS.len())])
            }
        };
        self.sent_bytes += piece.len() as u64;
        piece
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if let Some(wait) = self.wait.as_mut() {
            ready!(wait.as_mut().poll(context));
            self.wait = None;
            if self.is_cut_off() {
                return Poll::Ready(Some(Err(Cut)));
            }
        }
        if self.sent_bytes == self.content.size_bytes() {
            return Poll::Ready(None);
        }
        if self.is_cut_off() {
            self.wait = Some(Box::pin(tokio::time::sleep(FLUSH_PAUSE)));
            return self.poll_frame(context);
        }
        let piece = self.next_piece();
        if self.sent_bytes == self.content.size_bytes() / 2 && !self.spoil.pause.is_zero() {
            self.wait = Some(Box::pin(tokio::time::sleep(self.spoil.pause)));
        }
        if piece.is_empty() { self.poll_frame(context) } else { Poll::Ready(Some(Ok(Frame::data(piece)))) }
    }

    fn is_end_stream(&self) -> bool {
        self.sent_bytes == self.content.size_bytes()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.content.size_bytes() - self.sent_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    fn run(content: impl Into<Content>, spoil: Spoil) -> Result<usize, Cut> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let mut body = AnswerBody::new(content.into(), spoil);
        runtime.expect("a runtime").block_on(async {
            let mut length = 0;
            while let Some(frame) = body.frame().await {
                length += frame?.into_data().map_or(0, |data| data.len());
            }
            Ok(length)
        })
    }

    #[test]
    fn a_body_comes_whole() {
        assert_eq!(run("text", Spoil::default()).ok(), Some(4));
        assert_eq!(run("", Spoil::default()).ok(), Some(0));
        assert_eq!(run(Content::Zeros(200_000), Spoil::default()).ok(), Some(200_000));
        let pause = Duration::from_millis(1);
        assert_eq!(run("text", Spoil { pause, ..Spoil::default() }).ok(), Some(4));
        assert_eq!(run("t", Spoil { pause, ..Spoil::default() }).ok(), Some(1));
    }

    #[test]
    fn a_body_that_is_cut_off_ends_with_an_error() {
        for cut in [0, 1, 3] {
            assert!(run("text", Spoil { cut_after_bytes: Some(cut), ..Spoil::default() }).is_err(), "{cut}");
        }
        assert_eq!(run("text", Spoil { cut_after_bytes: Some(4), ..Spoil::default() }).ok(), Some(4));
    }
}
