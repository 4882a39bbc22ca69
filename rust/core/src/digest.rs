//! Content digests, the identity of everything in a registry.
//!
//! A digest is parsed before it becomes a path, and nothing that fails to parse here is ever used as one.
//! Grammar: OCI image specification, `descriptor.md`, "Digests", narrowed to the three algorithms that
//! registries accept (`github.com/opencontainers/go-digest`, `algorithm.go`): lower-case hex of exactly the
//! algorithm's length.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use faster_hex::{hex_decode, hex_encode};
use sha2::{Digest as _, Sha256, Sha384, Sha512};

/// A digest algorithm that registries store content under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Algorithm {
    /// SHA-256, what nearly everything is stored under.
    Sha256 = 0,
    /// SHA-384.
    Sha384 = 1,
    /// SHA-512.
    Sha512 = 2,
}

impl Algorithm {
    /// Every algorithm, in the order in which their names sort.
    pub const ALL: [Self; 3] = [Self::Sha256, Self::Sha384, Self::Sha512];

    /// The name as it stands in digests and in storage paths.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }

    /// The length of a digest in bytes.
    pub const fn length(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// The algorithm of that name, if it is one of the three.
    pub fn from_name(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name().as_bytes() == name)
    }
}

/// A parsed digest: an algorithm and its bytes.
///
/// Sorts by algorithm name, then by hex, which is the order in which a registry lists its directories.
#[derive(Clone, Copy)]
pub struct Digest {
    algorithm: Algorithm,
    // Bytes past the algorithm's length are always zero.
    bytes: [u8; 64],
}

/// The text was not a digest that a registry would accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidDigest;

impl fmt::Display for InvalidDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a sha256, sha384 or sha512 digest in lower-case hex")
    }
}

impl std::error::Error for InvalidDigest {}

/// The most bytes that the text of a digest can have (`sha512:` and 128 hex digits).
pub const MAX_TEXT_LENGTH: usize = 7 + 128;

impl Digest {
    /// A digest from raw bytes, if there are as many as the algorithm has.
    pub fn from_bytes(algorithm: Algorithm, bytes: &[u8]) -> Option<Self> {
        if bytes.len() != algorithm.length() {
            return None;
        }
        let mut all = [0; 64];
        all[..bytes.len()].copy_from_slice(bytes);
        Some(Self { algorithm, bytes: all })
    }

    /// A SHA-256 digest.
    pub fn sha256(bytes: [u8; 32]) -> Self {
        let mut all = [0; 64];
        all[..32].copy_from_slice(&bytes);
        Self { algorithm: Algorithm::Sha256, bytes: all }
    }

    /// A digest from the hex that names its directory.
    pub fn from_hex(algorithm: Algorithm, hex: &[u8]) -> Option<Self> {
        let length = algorithm.length();
        if hex.len() != length * 2 {
            return None;
        }
        let mut bytes = [0; 64];
        hex_decode(hex, &mut bytes[..length]).ok()?;
        // The decoder takes capitals, a registry does not. All are looked at, for that makes vector code.
        let capitals = hex.iter().fold(false, |capitals, digit| capitals | digit.is_ascii_uppercase());
        if capitals {
            return None;
        }
        Some(Self { algorithm, bytes })
    }

    /// A digest from its text, which must be nothing but the digest (no newline).
    pub fn parse(text: &[u8]) -> Option<Self> {
        let colon = text.iter().take(8).position(|&byte| byte == b':')?;
        Self::from_hex(Algorithm::from_name(&text[..colon])?, &text[colon + 1..])
    }

    /// The digest of some content.
    pub fn of(algorithm: Algorithm, content: &[u8]) -> Self {
        let mut bytes = [0; 64];
        match algorithm {
            Algorithm::Sha256 => bytes[..32].copy_from_slice(&Sha256::digest(content)),
            Algorithm::Sha384 => bytes[..48].copy_from_slice(&Sha384::digest(content)),
            Algorithm::Sha512 => bytes[..64].copy_from_slice(&Sha512::digest(content)),
        }
        Self { algorithm, bytes }
    }

    /// The algorithm.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The digest's bytes, as many as the algorithm has.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.algorithm.length()]
    }

    /// The first byte, which names the blob prefix (`blobs/sha256/<two hex>`).
    pub const fn prefix(&self) -> u8 {
        self.bytes[0]
    }

    /// Appends the hex to `out`.
    pub fn push_hex(&self, out: &mut Vec<u8>) {
        push_hex(self.bytes(), out);
    }

    /// Appends the whole text, `sha256:<hex>`, to `out`.
    pub fn push_text(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.algorithm.name().as_bytes());
        out.push(b':');
        self.push_hex(out);
    }

    /// The hex, without the algorithm: the name of the digest's directory.
    pub fn hex(&self) -> Hex {
        let mut hex = Hex { digits: [0; 128], length: self.algorithm.length() * 2 };
        hex_encode(self.bytes(), &mut hex.digits[..hex.length]).expect("there is room for two digits a byte");
        hex
    }
}

/// The hex of a digest. Needs no allocation: there are as many as blobs.
#[derive(Clone, Copy)]
pub struct Hex {
    digits: [u8; 128],
    length: usize,
}

impl AsRef<[u8]> for Hex {
    fn as_ref(&self) -> &[u8] {
        &self.digits[..self.length]
    }
}

impl fmt::Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(str::from_utf8(self.as_ref()).map_err(|_| fmt::Error)?)
    }
}

/// Appends the lower-case hex of `bytes` to `out`.
pub fn push_hex(bytes: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + bytes.len() * 2, 0);
    hex_encode(bytes, &mut out[start..]).expect("there is room for two digits a byte");
}

impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        self.algorithm == other.algorithm && self.bytes() == other.bytes()
    }
}

impl Eq for Digest {}

impl Hash for Digest {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bytes().hash(state);
    }
}

impl Ord for Digest {
    fn cmp(&self, other: &Self) -> Ordering {
        self.algorithm.cmp(&other.algorithm).then_with(|| self.bytes().cmp(other.bytes()))
    }
}

impl PartialOrd for Digest {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm.name(), self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        Self::parse(text.as_bytes()).ok_or(InvalidDigest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips_for_every_algorithm() {
        for algorithm in Algorithm::ALL {
            let digest = Digest::of(algorithm, b"content");
            assert_eq!(digest.to_string().parse(), Ok(digest));
            assert_eq!(digest.to_string().len(), algorithm.name().len() + 1 + algorithm.length() * 2);
        }
    }

    #[test]
    fn sha256_of_nothing_is_the_known_one() {
        assert_eq!(
            Digest::of(Algorithm::Sha256, b"").to_string(),
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }

    #[test]
    fn what_a_registry_refuses_is_no_digest() {
        let hex = "0".repeat(64);
        for text in [
            String::new(),
            hex.clone(),
            format!("sha256:{hex}\n"),
            format!(" sha256:{hex}"),
            format!("sha256:{}", "A".repeat(64)),
            format!("sha256:{}", "g".repeat(64)),
            format!("sha256:{}", &hex[1..]),
            format!("sha256:{hex}0"),
            format!("SHA256:{hex}"),
            format!("md5:{}", "0".repeat(32)),
            format!("sha512:{hex}"),
            "sha256:../../../../etc/passwd".to_owned(),
        ] {
            assert_eq!(text.parse::<Digest>(), Err(InvalidDigest), "{text:?}");
        }
    }

    #[test]
    fn order_is_that_of_directory_names() {
        let mut digests: Vec<Digest> =
            (0..50u8).flat_map(|n| Algorithm::ALL.map(|algorithm| Digest::of(algorithm, &[n]))).collect();
        let mut texts: Vec<String> = digests.iter().map(ToString::to_string).collect();
        digests.sort();
        texts.sort();
        assert_eq!(digests.iter().map(ToString::to_string).collect::<Vec<_>>(), texts);
    }
}
