//! Names that are hashes, and so spread evenly: what a page of them says about how many follow, and where to cut.

/// Shortest run of hex digits that is taken for a hash.
const SHORTEST: usize = 32;
/// Digits that are looked at: far more than there are places to cut.
const DIGITS: usize = 12;

/// A directory whose children are named by hashes, maybe below two digits of them (`ab/ab12…`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spread<'a> {
    /// With its slash.
    pub(super) directory: &'a [u8],
    sharded: bool,
}

const fn is_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

/// The directory of hashes that a key lies in, and where in it, from 0 to 1.
pub(super) fn of(key: &[u8]) -> Option<(Spread<'_>, f64)> {
    let mut start = 0_usize;
    for component in key.split(|&byte| byte == b'/') {
        if component.len() >= SHORTEST && component.iter().all(|&byte| is_hex(byte)) {
            let shard = start.checked_sub(3).map(|shard| &key[shard..start]);
            let sharded = shard.is_some_and(|shard| shard[..2] == component[..2] && shard[2] == b'/')
                && (start == 3 || key[start - 4] == b'/');
            let directory = &key[..if sharded { start - 3 } else { start }];
            return Some((Spread { directory, sharded }, place(component)));
        }
        start += component.len() + 1;
    }
    None
}

#[allow(clippy::cast_precision_loss, reason = "48 bits fit")]
fn place(hash: &[u8]) -> f64 {
    let digit = |byte: u8| u64::from(if byte.is_ascii_digit() { byte - b'0' } else { byte - b'a' + 10 });
    let number = hash.iter().take(DIGITS).fold(0, |number, &byte| number << 4 | digit(byte));
    number as f64 / (1_u64 << (4 * DIGITS)) as f64
}

impl Spread<'_> {
    /// The text that divides the keys of the directory at a place from 0 to 1. [`of`] says where that is.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "48 bits fit"
    )]
    pub(super) fn at(&self, place: f64) -> Vec<u8> {
        let number = (place.clamp(0.0, 1.0) * (1_u64 << (4 * DIGITS)) as f64) as u64;
        let digits = format!("{:0DIGITS$x}", number.min((1 << (4 * DIGITS)) - 1));
        let mut key = self.directory.to_vec();
        if self.sharded {
            key.extend_from_slice(&digits.as_bytes()[..2]);
            key.push(b'/');
        }
        key.extend_from_slice(digits.as_bytes());
        // As long as a hash, so that it is taken for one.
        key.resize(key.len() + SHORTEST - DIGITS, b'0');
        key
    }

    /// What hashes of the directory begin with, by so many of their first digits.
    pub(super) fn prefixes(&self, digits: u32) -> impl Iterator<Item = Vec<u8>> {
        let width = digits as usize;
        (0..16_usize.pow(digits)).map(move |number| [self.directory, format!("{number:0width$x}").as_bytes()].concat())
    }

    /// Text behind every hash of the directory, and before most that is none.
    pub(super) fn end(&self) -> Vec<u8> {
        [self.directory, b"g"].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_found_with_or_without_their_shard() {
        let hash = "80".to_owned() + &"0".repeat(62);
        let sharded = format!("r/blobs/sha256/80/{hash}/data");
        let (spread, place) = of(sharded.as_bytes()).unwrap();
        assert_eq!((spread.directory, spread.sharded, place), (&b"r/blobs/sha256/"[..], true, 0.5));
        assert!(spread.at(0.25).starts_with(b"r/blobs/sha256/40/400000000000"));
        assert!(spread.at(1.0).starts_with(b"r/blobs/sha256/ff/ffffffffffff"));
        assert_eq!(of(&spread.at(0.25)), Some((spread, 0.25)));
        let plain = format!("a/_layers/sha256/{hash}/link");
        let (spread, place) = of(plain.as_bytes()).unwrap();
        assert_eq!((spread.directory, spread.sharded, place), (&b"a/_layers/sha256/"[..], false, 0.5));
        assert_eq!(of(&spread.at(0.75)), Some((spread, 0.75)));
        assert!(spread.end() > spread.at(1.0));
        assert_eq!(spread.prefixes(2).nth(0x1f).unwrap(), b"a/_layers/sha256/1f");
        assert_eq!(spread.prefixes(1).count(), 16);
        for other in ["", "a/b", "docker/registry/v2/repositories/deadbeef/_layers", "blobs/sha256/ab/abc/data"] {
            assert_eq!(of(other.as_bytes()), None, "{other}");
        }
        let (spread, _) = of(hash.as_bytes()).unwrap();
        assert_eq!((spread.directory, spread.sharded), (&b""[..], false));
    }
}
