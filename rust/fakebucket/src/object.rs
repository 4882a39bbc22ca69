//! What a bucket holds: contents, objects, and the versions of a key.

use std::ops::Range;

use bytes::Bytes;
use md5::{Digest, Md5};

use crate::moment::Moment;
use crate::text::{hex, unhex};

/// The largest content of zeros whose MD5 is really computed; that of a larger one is made up.
const HASHED_ZEROS_BYTES: u64 = 1 << 20;

/// The bytes of an object.
#[derive(Clone, Debug)]
pub enum Content {
    /// Bytes in memory.
    Bytes(Bytes),
    /// So many zeros, which take no memory.
    Zeros(u64),
}

impl Content {
    /// Length in bytes.
    pub const fn size_bytes(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Zeros(size) => *size,
        }
    }

    /// A part; the range must lie within.
    pub(crate) fn part(&self, range: Range<u64>) -> Self {
        match self {
            Self::Bytes(bytes) => {
                let end = |position: u64| usize::try_from(position).expect("within what is in memory");
                Self::Bytes(bytes.slice(end(range.start)..end(range.end)))
            }
            Self::Zeros(_) => Self::Zeros(range.end - range.start),
        }
    }

    /// Several contents one after another. Zeros stay zeros if there is nothing else.
    pub(crate) fn join<'a>(parts: impl Iterator<Item = &'a Self> + Clone) -> Self {
        if parts.clone().all(|part| matches!(part, Self::Zeros(_))) {
            return Self::Zeros(parts.map(Self::size_bytes).sum());
        }
        let mut joined = Vec::new();
        for part in parts {
            match part {
                Self::Bytes(bytes) => joined.extend_from_slice(bytes),
                Self::Zeros(size) => {
                    let size = usize::try_from(*size).expect("what is joined fits into memory");
                    joined.resize(joined.len() + size, 0);
                }
            }
        }
        joined.into()
    }

    /// The `ETag` that a simple upload has: the MD5 in hex. For many zeros, one such as a multipart upload has.
    pub(crate) fn etag(&self) -> String {
        match self {
            Self::Bytes(bytes) => hex(&Md5::digest(bytes)),
            Self::Zeros(size) if *size <= HASHED_ZEROS_BYTES => {
                hex(&Md5::digest(vec![0; usize::try_from(*size).expect("a small size")]))
            }
            Self::Zeros(size) => format!("{}-2", hex(&Md5::digest(size.to_le_bytes()))),
        }
    }
}

impl Default for Content {
    fn default() -> Self {
        Self::Zeros(0)
    }
}

impl<T: Into<Bytes>> From<T> for Content {
    fn from(bytes: T) -> Self {
        Self::Bytes(bytes.into())
    }
}

/// An object as it was uploaded.
#[derive(Clone, Debug, Default)]
pub struct Object {
    /// Its bytes.
    pub content: Content,
    /// Without quotes. The MD5 in hex after a simple upload, and anything else after others.
    pub etag: String,
    /// As the client gave it; every service has a default of its own.
    pub content_type: Option<String>,
    /// Names (small letters, without the service's prefix) and values, as the client gave them.
    pub metadata: Vec<(String, String)>,
    /// Whether it is one of Azure's append blobs, as the registry's uploads are there.
    pub is_append_blob: bool,
}

impl Object {
    /// An object as a simple upload makes it.
    pub fn new(content: impl Into<Content>) -> Self {
        let content = content.into();
        Self { etag: content.etag(), content, ..Self::default() }
    }

    /// The MD5 of the content, where the `ETag` is one.
    pub(crate) fn md5(&self) -> Option<[u8; 16]> {
        md5_of(&self.etag)
    }
}

/// The MD5 that an `ETag` is, if it looks like one.
pub(crate) fn md5_of(etag: &str) -> Option<[u8; 16]> {
    unhex(etag.as_bytes())
}

/// One version of a key. Without versioning there is just one, whose S3 name is `null`.
#[derive(Clone, Debug)]
pub struct Version {
    /// Unique in the server and growing: microseconds since 1970, more or less. The generation of Google.
    pub number: u64,
    /// Whether S3 knows it as `null`: written while versioning was not enabled.
    pub is_null: bool,
    /// When it was written.
    pub modified: Moment,
    /// None: a delete marker.
    pub object: Option<Object>,
}

impl Version {
    /// The name that S3 gives to this version.
    pub(crate) fn id(&self) -> String {
        if self.is_null { "null".to_owned() } else { format!("{:016x}.fakebucket", self.number) }
    }

    /// The number in a name that S3 gave to a version; none in `null`.
    pub(crate) fn number_of(id: &str) -> Option<u64> {
        u64::from_str_radix(id.split_once('.')?.0, 16).ok()
    }

    /// Whether `id` is how S3 names this version.
    pub(crate) fn has_id(&self, id: &str) -> bool {
        self.id() == id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_simple_upload_has_the_md5_of_its_content_for_an_etag() {
        let object = Object::new("hello");
        assert_eq!(object.etag, "5d41402abc4b2a76b9719d911017c592");
        assert_eq!(object.md5().expect("a hash").len(), 16);
        assert_eq!(Object::new(Content::Zeros(3)).etag, Object::new(vec![0; 3]).etag);
    }

    #[test]
    fn many_zeros_have_an_etag_that_is_no_hash() {
        let object = Object::new(Content::Zeros(6 << 30));
        assert!(object.etag.ends_with("-2") && object.md5().is_none());
        assert_eq!(object.content.part(5..7).size_bytes(), 2);
    }
}
