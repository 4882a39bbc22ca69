//! Small pieces of text: percent-encoding, hex, and what has to be escaped in XML and JSON.

const HEX: &[u8; 16] = b"0123456789abcdef";
const UPPER_HEX: &[u8; 16] = b"0123456789ABCDEF";

/// Undoes percent-encoding. What is not a valid escape stays as it is; a plus is a space in queries only.
pub(crate) fn percent_decode(text: &[u8], plus_is_space: bool) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, others @ ..] = rest {
        let escape = match (first, others) {
            (b'%', [high, low, ..]) => hex_digit(*high).zip(hex_digit(*low)),
            _ => None,
        };
        if let Some((high, low)) = escape {
            decoded.push(high << 4 | low);
            rest = &others[2..];
            continue;
        }
        decoded.push(if plus_is_space && *first == b'+' { b' ' } else { *first });
        rest = others;
    }
    decoded
}

const fn hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// Percent-encodes as S3 does it for `encoding-type=url`: like Java's `URLEncoder`, but for the slash.
pub(crate) fn push_url_encoded(out: &mut Vec<u8>, text: &[u8]) {
    for &byte in text {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' | b'/' => out.push(byte),
            b' ' => out.push(b'+'),
            _ => {
                out.extend_from_slice(&[b'%', UPPER_HEX[usize::from(byte >> 4)], UPPER_HEX[usize::from(byte & 15)]]);
            }
        }
    }
}

/// Escapes text for XML, in elements and attributes. Characters that XML 1.0 cannot have become references to them all
/// the same, which is what S3 does.
pub(crate) fn push_xml(out: &mut Vec<u8>, text: &[u8]) {
    let special = |byte: &u8| matches!(byte, b'&' | b'<' | b'>' | b'"' | b'\'') || *byte < b' ';
    let mut rest = text;
    while let Some(position) = rest.iter().position(special) {
        out.extend_from_slice(&rest[..position]);
        match rest[position] {
            b'&' => out.extend_from_slice(b"&amp;"),
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            b'"' => out.extend_from_slice(b"&quot;"),
            b'\'' => out.extend_from_slice(b"&apos;"),
            other => out.extend_from_slice(format!("&#x{other:x};").as_bytes()),
        }
        rest = &rest[position + 1..];
    }
    out.extend_from_slice(rest);
}

/// `<name>text</name>`, the text escaped.
pub(crate) fn push_element(out: &mut Vec<u8>, name: &str, text: &[u8]) {
    for part in [b"<", name.as_bytes(), b">"] {
        out.extend_from_slice(part);
    }
    push_xml(out, text);
    for part in [b"</", name.as_bytes(), b">"] {
        out.extend_from_slice(part);
    }
}

/// A number in decimal digits.
pub(crate) fn push_number(out: &mut Vec<u8>, number: u64) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    let mut rest = number;
    loop {
        start -= 1;
        digits[start] = b'0' + u8::try_from(rest % 10).expect("a digit");
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

/// Bytes in small hex digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = Vec::new();
    push_hex(&mut text, bytes);
    String::from_utf8(text).expect("hex digits")
}

/// Bytes in small hex digits, into a place of twice their length.
pub(crate) fn write_hex(out: &mut [u8], bytes: &[u8]) {
    for (pair, byte) in out.as_chunks_mut::<2>().0.iter_mut().zip(bytes) {
        *pair = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
    }
}

/// Bytes in small hex digits.
pub(crate) fn push_hex(out: &mut Vec<u8>, bytes: &[u8]) {
    let start = out.len();
    out.resize(start + bytes.len() * 2, 0);
    write_hex(&mut out[start..], bytes);
}

/// The bytes that so many hex digits stand for.
pub(crate) fn unhex<const LENGTH: usize>(text: &[u8]) -> Option<[u8; LENGTH]> {
    let mut bytes = [0; LENGTH];
    let (pairs, []) = text.as_chunks::<2>() else { return None };
    if pairs.len() != LENGTH {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(pairs) {
        *byte = hex_digit(pair[0])? << 4 | hex_digit(pair[1])?;
    }
    Some(bytes)
}

/// Escapes text for a JSON string. What is no UTF-8 becomes the replacement character.
pub(crate) fn push_json(out: &mut Vec<u8>, text: &[u8]) {
    let special = |byte: &u8| matches!(byte, b'"' | b'\\') || *byte < b' ';
    let lossy = String::from_utf8_lossy(text);
    let mut rest = lossy.as_bytes();
    while let Some(position) = rest.iter().position(special) {
        out.extend_from_slice(&rest[..position]);
        match rest[position] {
            byte @ (b'"' | b'\\') => out.extend_from_slice(&[b'\\', byte]),
            other => out.extend_from_slice(format!("\\u{other:04x}").as_bytes()),
        }
        rest = &rest[position + 1..];
    }
    out.extend_from_slice(rest);
}

/// Whether `needle` is somewhere in `text`; an empty one is everywhere.
pub(crate) fn contains(text: &[u8], needle: &[u8]) -> bool {
    memchr::memmem::find(text, needle).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pushed(push: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        push(&mut out);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn percent_escapes_are_undone_and_others_left() {
        assert_eq!(percent_decode(b"a%2Fb%2", false), b"a/b%2");
        assert_eq!(percent_decode(b"%e2%82%AC+%zz", false), "€+%zz".as_bytes());
        assert_eq!(percent_decode(b"a+b%2B", true), b"a b+");
    }

    #[test]
    fn keys_in_a_listing_are_encoded_as_s3_encodes_them() {
        assert_eq!(pushed(|out| push_url_encoded(out, "a b/c+~ü&*".as_bytes())), "a+b/c%2B%7E%C3%BC%26*");
    }

    #[test]
    fn xml_has_five_escapes_and_references_to_control_characters() {
        assert_eq!(pushed(|out| push_xml(out, b"a<b>&\"'\r\x01")), "a&lt;b&gt;&amp;&quot;&apos;&#xd;&#x1;");
    }

    #[test]
    fn numbers_and_hex() {
        for number in [0, 7, 10, 1_234_567_890, u64::MAX] {
            assert_eq!(pushed(|out| push_number(out, number)), number.to_string());
        }
        assert_eq!(hex(&[0, 0xab]), "00ab");
        assert_eq!(unhex(b"00aB"), Some([0, 0xab]));
        assert_eq!((unhex::<1>(b"0"), unhex::<1>(b"0g"), unhex::<1>(b"0000")), (None, None, None));
        assert!(contains(b"abc", b"") && contains(b"abc", b"bc") && !contains(b"abc", b"ac"));
    }

    #[test]
    fn json_has_quotes_backslashes_and_control_characters_escaped() {
        assert_eq!(pushed(|out| push_json(out, b"a\"\\\n\x01/\xff")), "a\\\"\\\\\\u000a\\u0001/\u{fffd}");
    }
}
