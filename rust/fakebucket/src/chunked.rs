//! The framing `aws-chunked`: what the SDKs send when they sign or checksum an upload while it goes out
//! ("Signature calculations: transferring payload in multiple chunks" in the documentation of S3).

use bytes::Bytes;

/// Takes the frames off: `<hex size>[;chunk-signature=…]\r\n<bytes>\r\n`, to a chunk of size 0 and trailers that are
/// passed over. None if it is not framed so.
pub(crate) fn decode(body: &[u8]) -> Option<Bytes> {
    let mut decoded = Vec::with_capacity(body.len());
    let mut rest = body;
    loop {
        let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
        let head = std::str::from_utf8(&rest[..end]).ok()?;
        let size = usize::from_str_radix(head.split(';').next()?.trim(), 16).ok()?;
        rest = &rest[end + 2..];
        if size == 0 {
            return Some(decoded.into());
        }
        decoded.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size..)?.strip_prefix(b"\r\n")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_signatures_and_trailers_come_off() {
        let body = b"5;chunk-signature=ab\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32:AA==\r\n\r\n";
        assert_eq!(decode(body).as_deref(), Some(b"hello world".as_slice()));
        assert_eq!(decode(b"0;chunk-signature=ab\r\n\r\n").as_deref(), Some(b"".as_slice()));
    }

    #[test]
    fn a_body_that_is_cut_off_is_nothing() {
        for body in ["", "5\r\nhel", "5\r\nhello", "5\r\nhello\r\n", "x\r\n"] {
            assert_eq!(decode(body.as_bytes()), None, "{body:?}");
        }
    }
}
