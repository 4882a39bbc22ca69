//! What a page gives to go on from: opaque to clients, and the same in all services.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use crate::listing::Start;

/// What all tokens begin with, so that others are known as such.
const MARK: &str = "1";

pub(crate) fn encode(start: &Start) -> String {
    let number;
    let (kind, number, text): (u8, &[u8], &[u8]) = match start {
        Start::Beginning => (b'b', &[], &[]),
        Start::At(key) => (b'a', &[], key),
        Start::After(key) => (b'k', &[], key),
        Start::AfterPrefix(prefix) => (b'p', &[], prefix),
        Start::AfterVersion(key, version) => {
            number = version.to_be_bytes();
            (b'v', &number, key)
        }
    };
    format!("{MARK}{}", BASE64_URL_SAFE_NO_PAD.encode([&[kind], number, text].concat()))
}

/// None: not one of ours.
pub(crate) fn decode(token: &str) -> Option<Start> {
    let decoded = BASE64_URL_SAFE_NO_PAD.decode(token.strip_prefix(MARK)?).ok()?;
    let (kind, text) = decoded.split_first()?;
    match kind {
        b'b' => Some(Start::Beginning),
        b'a' => Some(Start::At(text.to_owned())),
        b'k' => Some(Start::After(text.to_owned())),
        b'p' => Some(Start::AfterPrefix(text.to_owned())),
        b'v' => {
            text.split_first_chunk().map(|(number, key)| Start::AfterVersion(key.into(), u64::from_be_bytes(*number)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_says_where_to_go_on() {
        for start in [
            Start::Beginning,
            Start::At(b"a".into()),
            Start::After("ä/<".into()),
            Start::AfterPrefix(b"a/".into()),
            Start::AfterVersion(b"a".into(), 7),
        ] {
            assert_eq!(decode(&encode(&start)), Some(start));
        }
        for text in ["", "nonsense", "1", "1dg"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
