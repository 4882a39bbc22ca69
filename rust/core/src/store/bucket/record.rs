//! How listed objects are packed: each key by what it does not share with the one before, long hex in half its length.
//!
//! ```text
//! shared  length  (literal-length literal  hex-length hex)…  size  milliseconds<<1|has-md5  [md5]
//! ```
//!
//! All numbers are LEB128. A blob's key and what is known of it take some 45 bytes instead of 250.

use std::ops::Range;
use std::time::{Duration, SystemTime};

use crate::store::Stat;

/// Hex runs shorter than this are not worth their length byte.
const SHORTEST_HEX: usize = 16;
/// Checksums of larger objects are of no use to anyone: only links are known by theirs.
const LARGEST_WITH_MD5: u64 = 256;

fn push_number(mut number: u64, to: &mut Vec<u8>) {
    loop {
        let low = u8::try_from(number & 0x7f).expect("seven bits");
        number >>= 7;
        if number == 0 {
            return to.push(low);
        }
        to.push(low | 0x80);
    }
}

/// Reads what was packed, in order. What it reads was written by this module, so that it panics where it is cut short.
#[derive(Clone, Copy)]
struct Source<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Source<'a> {
    fn number(&mut self) -> u64 {
        let (mut number, mut shift) = (0, 0);
        loop {
            let byte = self.bytes[self.position];
            self.position += 1;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return number;
            }
            shift += 7;
        }
    }

    fn length(&mut self) -> usize {
        usize::try_from(self.number()).expect("lengths were lengths when they were written")
    }

    fn take(&mut self, length: usize) -> &'a [u8] {
        let taken = &self.bytes[self.position..self.position + length];
        self.position += length;
        taken
    }
}

const fn is_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

/// The first long run of lower-case hex digits, an even number of them; nothing at the end where there is none.
fn long_hex(bytes: &[u8]) -> Range<usize> {
    let mut start = 0;
    while start + SHORTEST_HEX <= bytes.len() {
        let run = bytes[start..].iter().take_while(|&&byte| is_hex(byte)).count();
        if run >= SHORTEST_HEX {
            return start..start + (run & !1);
        }
        start += run + 1;
    }
    bytes.len()..bytes.len()
}

/// How many bytes two keys begin with alike. Most share what takes long to compare byte by byte.
fn shared(one: &[u8], other: &[u8]) -> usize {
    const WIDTH: usize = 16;
    let alike = one.chunks_exact(WIDTH).zip(other.chunks_exact(WIDTH)).take_while(|(one, other)| one == other).count();
    let from = alike * WIDTH;
    from + one[from..].iter().zip(&other[from..]).take_while(|(one, other)| one == other).count()
}

/// The time in whole milliseconds since 1970, which is as exactly as any store's listing tells it.
fn milliseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX >> 1)
}

/// The time as [`read`] will give it.
pub(super) fn in_milliseconds(time: SystemTime) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(milliseconds(time))
}

/// Appends a record for `key`, which follows `previous` (empty at the beginning of a block).
pub(super) fn push(previous: &[u8], key: &[u8], stat: &Stat, to: &mut Vec<u8>) {
    let shared = shared(previous, key);
    let mut rest = &key[shared..];
    push_number(shared as u64, to);
    push_number(rest.len() as u64, to);
    while !rest.is_empty() {
        let run = long_hex(rest);
        push_number(run.start as u64, to);
        to.extend_from_slice(&rest[..run.start]);
        if run.is_empty() {
            break;
        }
        push_number(run.len() as u64, to);
        let packed = to.len();
        to.resize(packed + run.len() / 2, 0);
        faster_hex::hex_decode(&rest[run.clone()], &mut to[packed..]).expect("an even number of hex digits");
        rest = &rest[run.end..];
    }
    push_number(stat.size_bytes, to);
    let md5 = stat.md5.filter(|_| stat.size_bytes <= LARGEST_WITH_MD5);
    push_number(milliseconds(stat.modified) << 1 | u64::from(md5.is_some()), to);
    to.extend(md5.into_iter().flatten());
}

/// Reads the record at `position`: makes `key`, which holds the key before, the key, and returns its stat and where the
/// next record begins.
pub(super) fn read(bytes: &[u8], position: usize, key: &mut Vec<u8>) -> (Stat, usize) {
    let mut source = Source { bytes, position };
    key.truncate(source.length());
    let mut rest = source.length();
    while rest > 0 {
        let literal = source.length();
        key.extend_from_slice(source.take(literal));
        rest -= literal;
        if rest == 0 {
            break;
        }
        let hex = source.length();
        let start = key.len();
        key.resize(start + hex, 0);
        faster_hex::hex_encode(source.take(hex / 2), &mut key[start..]).expect("there is room for it");
        rest -= hex;
    }
    let size_bytes = source.number();
    let time = source.number();
    let md5 = (time & 1 == 1).then(|| source.take(16).try_into().expect("sixteen bytes were taken"));
    let modified = SystemTime::UNIX_EPOCH + Duration::from_millis(time >> 1);
    (Stat { size_bytes, modified, md5 }, source.position)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stats() -> impl Strategy<Value = Stat> {
        (any::<u64>(), 0u64..1 << 50, proptest::option::of(any::<[u8; 16]>())).prop_map(|(size, time, md5)| Stat {
            size_bytes: size >> (time % 64),
            modified: SystemTime::UNIX_EPOCH + Duration::from_millis(time),
            md5,
        })
    }

    proptest! {
        #[test]
        fn what_was_packed_comes_back(all in proptest::collection::vec(("[a-f0-9/._-]{0,90}", stats()), 0..20)) {
            let mut bytes = Vec::new();
            let mut previous: &[u8] = b"";
            for (key, stat) in &all {
                push(previous, key.as_bytes(), stat, &mut bytes);
                previous = key.as_bytes();
            }
            let (mut key, mut position) = (Vec::new(), 0);
            for (expected, stat) in &all {
                let (found, next) = read(&bytes, position, &mut key);
                prop_assert_eq!(&key, expected.as_bytes());
                let md5 = stat.md5.filter(|_| stat.size_bytes <= LARGEST_WITH_MD5);
                prop_assert_eq!(found, Stat { md5, ..*stat });
                position = next;
            }
            prop_assert_eq!(position, bytes.len());
        }
    }

    #[test]
    fn a_blob_takes_few_bytes() {
        let key = |hex: &str| format!("docker/registry/v2/blobs/sha256/{}/{}/data", &hex[..2], hex.repeat(4));
        let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let stat = Stat { size_bytes: 1 << 24, modified, md5: Some([1; 16]) };
        let (one, other) = (key("0123456789abcdef"), key("0323456789abcdef"));
        let mut bytes = Vec::new();
        push(one.as_bytes(), other.as_bytes(), &stat, &mut bytes);
        assert!(bytes.len() <= 56, "{}", bytes.len());
    }
}
