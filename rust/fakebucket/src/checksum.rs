//! Checksums that clients send along.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use md5::{Digest, Md5};

use crate::refusal::Refusal;
use crate::request::Request;

/// Refuses a body that is not what `Content-MD5` says. Other checksums are not computed.
pub(crate) fn check(request: &Request, body: &[u8]) -> Result<(), Refusal> {
    let Some(text) = request.header("content-md5") else { return Ok(()) };
    let expected = BASE64_STANDARD.decode(text).ok().filter(|hash| hash.len() == 16);
    let expected =
        expected.ok_or_else(|| Refusal::other(400, "InvalidDigest", "The Content-MD5 you specified is not valid."))?;
    if Md5::digest(body).as_slice() == expected {
        return Ok(());
    }
    Err(Refusal::other(400, "BadDigest", "The Content-MD5 you specified did not match what we received."))
}

/// Whether a request has any checksum of its body.
pub(crate) fn has_any(request: &Request) -> bool {
    let is_checksum = |name: &str| name == "content-md5" || name.starts_with("x-amz-checksum-");
    request.headers.keys().any(|name| is_checksum(name.as_str()))
        || request.header("x-amz-trailer").is_some_and(|trailer| trailer.starts_with("x-amz-checksum-"))
}
