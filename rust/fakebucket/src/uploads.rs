//! Uploads in parts: S3's by numbers, Azure's by block names.

use std::collections::BTreeMap;

use md5::{Digest, Md5};

use crate::moment::Moment;
use crate::object::{Content, Object, md5_of};
use crate::text::hex;

/// All uploads under way in a bucket.
#[derive(Debug, Default)]
pub(crate) struct Uploads {
    /// By key and upload id, as they are listed.
    pub(crate) by_key: BTreeMap<(Vec<u8>, String), Upload>,
    /// Blocks of Azure's that no block list has named yet, by blob and block id.
    pub(crate) blocks: BTreeMap<Vec<u8>, BTreeMap<String, Content>>,
}

/// An upload under way.
#[derive(Debug)]
pub(crate) struct Upload {
    pub(crate) started: Moment,
    /// The object that it will be, without content.
    pub(crate) described: Object,
    pub(crate) parts: BTreeMap<u32, UploadedPart>,
}

/// A part of it.
#[derive(Clone, Debug)]
pub(crate) struct UploadedPart {
    pub(crate) content: Content,
    pub(crate) etag: String,
    pub(crate) modified: Moment,
}

impl UploadedPart {
    pub(crate) fn new(content: Content) -> Self {
        Self { etag: content.etag(), content, modified: Moment::now() }
    }
}

/// The `ETag` of an object that was uploaded in parts: the MD5 of the parts' MD5s, and how many they are.
pub(crate) fn etag_of_parts<'a>(parts: impl Iterator<Item = &'a UploadedPart>) -> String {
    let mut hash = Md5::new();
    let mut count = 0;
    for part in parts {
        // Parts of very many zeros have no real MD5.
        match md5_of(&part.etag) {
            Some(md5) => hash.update(md5),
            None => hash.update(&part.etag),
        }
        count += 1;
    }
    format!("{}-{count}", hex(&hash.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_etag_of_parts_is_a_hash_of_hashes() {
        // `(printf hello | md5sum; printf world | md5sum) | cut -c1-32 | xxd -r -p | md5sum`
        let parts = ["hello", "world"].map(|text| UploadedPart::new(text.into()));
        assert_eq!(etag_of_parts(parts.iter()), "065947336a2f2a95ba8899f3675c3be6-2");
    }
}
