//! Why something is not done. Each service has words of its own for each of these.

use std::borrow::Cow;

use crate::object::Version;

/// Why a request is not carried out.
#[derive(Clone, Debug)]
pub(crate) enum Refusal {
    NoBucket,
    BucketExists,
    BucketNotEmpty,
    NoKey,
    /// The newest version is this delete marker.
    Deleted(Box<Version>),
    /// The version asked for is this delete marker.
    IsMarker(Box<Version>),
    NoVersion,
    NoUpload,
    /// A condition of the request does not hold.
    Precondition,
    /// What the client has is still what there is.
    NotModified,
    /// The object ends before the range begins: its size.
    BadRange(u64),
    /// What a made-up bucket has cannot be changed.
    MadeUp,
    /// Not something that the server does.
    Unknown,
    Throttled,
    Expired,
    /// By a fault's script.
    Scripted {
        status: u16,
        code: Option<String>,
    },
    /// What only one service says.
    Other {
        status: u16,
        code: &'static str,
        message: Cow<'static, str>,
    },
}

impl Refusal {
    pub(crate) fn other(status: u16, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::Other { status, code, message: message.into() }
    }
}
