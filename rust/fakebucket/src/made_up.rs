//! Buckets that hold the keys of a registry without holding anything.
//!
//! Every key follows from its position, and positions are in order of keys, so that a listing starts anywhere after a
//! binary search and goes on without a look at memory:
//!
//! ```text
//! <root>/docker/registry/v2/blobs/sha256/<ab>/<hex>/data                               one for each blob
//! <root>/docker/registry/v2/repositories/<name>/_layers/sha256/<hex>/link              layer links,
//! <root>/docker/registry/v2/repositories/<name>/_manifests/revisions/sha256/<hex>/link revisions,
//! <root>/docker/registry/v2/repositories/<name>/_manifests/tags/<tag>/current/link     and for each tag two,
//! <root>/docker/registry/v2/repositories/<name>/_manifests/tags/<tag>/index/sha256/<hex>/link  in each repository
//! ```
//!
//! The digests of blobs are spread evenly: the first 64 bits are the blob's number times the distance of two, and a
//! hash below that distance; the other bits are a hash. Links name such digests, each repository from all over the
//! range; no two revisions name the same. Links have contents, blobs have none.

use std::ops::Range;

use md5::{Digest, Md5};
use serde::Deserialize;

use crate::listing::Listed;
use crate::moment::Moment;
use crate::object::{Object, Version};
use crate::text::{push_hex, write_hex};

/// `sha256:` and 64 digits.
const LINK_BYTES: usize = 71;
/// Repositories in a group, by whose number their names begin.
const GROUP_REPOSITORIES: u64 = 100;

/// What a made-up bucket has.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Blobs.
    pub blobs: u64,
    /// Repositories.
    pub repositories: u64,
    /// Layer links in each; not more than blobs.
    pub layer_links_per_repository: u64,
    /// Revisions in each; not more than blobs, in all together.
    pub revisions_per_repository: u64,
    /// Tags in each; none without revisions.
    pub tags_per_repository: u64,
    /// What the keys begin with; nothing: with `docker/`.
    pub root: String,
    /// Other digests and sizes for each.
    pub seed: u64,
    /// Of all keys, RFC 3339; none: 1970.
    pub last_modified: Option<String>,
}

/// A made-up bucket.
#[derive(Clone, Debug)]
pub struct MadeUp {
    options: Options,
    modified: Moment,
    blobs_prefix: Vec<u8>,
    repositories_prefix: Vec<u8>,
    /// How far the first 64 bits of two digests are apart.
    spacing: u64,
}

/// What is at a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// A blob, by number.
    Blob(u64),
    /// A link in a repository to a blob.
    Link { repository: u64, kind: Kind, blob: u64 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Layer,
    Revision,
    /// Of the tag with this number.
    Current(u64),
    /// Of the tag with this number.
    History(u64),
}

impl MadeUp {
    /// Checks what is asked for.
    ///
    /// # Errors
    /// When there are links to more blobs than there are, or tags without revisions, or the time is none: says which.
    pub fn new(options: Options) -> Result<Self, String> {
        let Options { blobs, repositories, layer_links_per_repository, revisions_per_repository, .. } = options;
        let revisions = repositories.checked_mul(revisions_per_repository);
        if layer_links_per_repository > blobs || revisions.is_none_or(|revisions| revisions > blobs) {
            return Err("more layer links in a repository, or revisions in all, than blobs".to_owned());
        }
        if options.tags_per_repository > 0 && revisions_per_repository == 0 {
            return Err("tags without revisions".to_owned());
        }
        let modified = match &options.last_modified {
            Some(text) => Moment::parse(text).ok_or_else(|| format!("{text} is no time as in RFC 3339"))?,
            None => Moment::default(),
        };
        let separator = if options.root.is_empty() { "" } else { "/" };
        let prefix = |below: &str| format!("{}{separator}docker/registry/v2/{below}", options.root).into_bytes();
        Ok(Self {
            modified,
            blobs_prefix: prefix("blobs/sha256/"),
            repositories_prefix: prefix("repositories/"),
            spacing: u64::MAX / blobs.max(1),
            options,
        })
    }

    const fn keys_per_repository(&self) -> u64 {
        let Options { layer_links_per_repository, revisions_per_repository, tags_per_repository, .. } = self.options;
        layer_links_per_repository + revisions_per_repository + 2 * tags_per_repository
    }

    /// How many keys there are.
    pub const fn key_count(&self) -> u64 {
        self.options.blobs + self.options.repositories * self.keys_per_repository()
    }

    fn place(&self, position: u64) -> Place {
        let Options { blobs, repositories, .. } = self.options;
        let Options { layer_links_per_repository: layers, revisions_per_repository: revisions, .. } = self.options;
        let Some(behind) = position.checked_sub(blobs) else { return Place::Blob(position) };
        let (repository, number) = (behind / self.keys_per_repository(), behind % self.keys_per_repository());
        let revision = |number: u64| share(number * repositories + repository, revisions * repositories, blobs).start;
        let Some(behind) = number.checked_sub(layers) else {
            let among = share(number, layers, blobs);
            let blob = among.start + self.hash(repository, number) % (among.end - among.start);
            return Place::Link { repository, kind: Kind::Layer, blob };
        };
        let Some(behind) = behind.checked_sub(revisions) else {
            return Place::Link { repository, kind: Kind::Revision, blob: revision(behind) };
        };
        let tag = behind / 2;
        let kind = if behind.is_multiple_of(2) { Kind::Current(tag) } else { Kind::History(tag) };
        let blob = revision(share(tag, self.options.tags_per_repository, revisions).start);
        Place::Link { repository, kind, blob }
    }

    /// A number for two numbers, by the finalizer of `SplitMix64`.
    const fn hash(&self, first: u64, second: u64) -> u64 {
        let seed = self.options.seed.wrapping_mul(0xd6e8_feb8_6659_fd93);
        mix(mix(first.wrapping_add(seed)).wrapping_add(second))
    }

    fn digest(&self, blob: u64) -> [u8; 32] {
        let mut digest = [0; 32];
        let mut random = self.hash(blob, 0);
        let first = blob * self.spacing + random % self.spacing;
        for (part, bytes) in digest.as_chunks_mut::<8>().0.iter_mut().enumerate() {
            *bytes = if part == 0 { first } else { random }.to_be_bytes();
            random = mix(random);
        }
        digest
    }

    /// From 1 KB to 64 MB, small ones as often as large ones.
    const fn size_bytes(&self, blob: u64) -> u64 {
        let random = self.hash(blob, 1);
        let power = 1 << (10 + random % 16);
        power + (random >> 8) % power
    }

    /// Writes the key at a position.
    fn write_key(&self, place: Place, key: &mut Vec<u8>) {
        key.clear();
        match place {
            Place::Blob(blob) => {
                let digest = self.digest(blob);
                key.extend_from_slice(&self.blobs_prefix);
                push_hex(key, &digest[..1]);
                key.push(b'/');
                push_hex(key, &digest);
                key.extend_from_slice(b"/data");
            }
            Place::Link { repository, kind, blob } => {
                key.extend_from_slice(&self.repositories_prefix);
                key.extend_from_slice(b"group-");
                push_padded(key, repository / GROUP_REPOSITORIES);
                key.extend_from_slice(b"/app-");
                push_padded(key, repository);
                match kind {
                    Kind::Layer => key.extend_from_slice(b"/_layers/sha256/"),
                    Kind::Revision => key.extend_from_slice(b"/_manifests/revisions/sha256/"),
                    Kind::Current(tag) | Kind::History(tag) => {
                        key.extend_from_slice(b"/_manifests/tags/build-");
                        push_padded(key, tag);
                    }
                }
                match kind {
                    Kind::Current(_) => key.extend_from_slice(b"/current"),
                    Kind::History(_) => key.extend_from_slice(b"/index/sha256/"),
                    Kind::Layer | Kind::Revision => {}
                }
                if !matches!(kind, Kind::Current(_)) {
                    push_hex(key, &self.digest(blob));
                }
                key.extend_from_slice(b"/link");
            }
        }
    }

    fn link(&self, blob: u64) -> [u8; LINK_BYTES] {
        let mut link = [0; LINK_BYTES];
        link[..7].copy_from_slice(b"sha256:");
        write_hex(&mut link[7..], &self.digest(blob));
        link
    }

    /// The first position whose key is not less than this.
    fn seek(&self, key: &[u8]) -> u64 {
        let mut buffer = Vec::with_capacity(256);
        let Range { mut start, mut end } = 0..self.key_count();
        while start < end {
            let middle = start + (end - start) / 2;
            self.write_key(self.place(middle), &mut buffer);
            if buffer.as_slice() < key { start = middle + 1 } else { end = middle }
        }
        start
    }

    /// Shows keys in order from one on, for as long as `visit` says so.
    pub(crate) fn each_from(&self, first: &[u8], mut visit: impl FnMut(Listed<'_>) -> bool) {
        let mut key = Vec::with_capacity(256);
        let mut etag = [0; 34];
        for position in self.seek(first)..self.key_count() {
            let place = self.place(position);
            self.write_key(place, &mut key);
            let (size_bytes, etag) = match place {
                // What was uploaded in parts, as the registry does it, has the number of parts behind a hash.
                Place::Blob(blob) => {
                    write_hex(&mut etag[..16], &self.hash(blob, 2).to_be_bytes());
                    write_hex(&mut etag[16..32], &self.hash(blob, 3).to_be_bytes());
                    etag[32..].copy_from_slice(b"-1");
                    (self.size_bytes(blob), etag.as_slice())
                }
                Place::Link { blob, .. } => {
                    write_hex(&mut etag[..32], &Md5::digest(self.link(blob)));
                    (LINK_BYTES as u64, &etag[..32])
                }
            };
            let etag = std::str::from_utf8(etag).expect("hex digits");
            let (modified, number) = (self.modified, position + 1);
            let listed = Listed {
                key: &key,
                size_bytes,
                modified,
                etag,
                number,
                tag: number,
                content_type: None,
                metadata: &[],
                is_append_blob: false,
            };
            if !visit(listed) {
                return;
            }
        }
    }

    /// The link at a key; none if there is a blob or nothing.
    pub(crate) fn current(&self, key: &[u8]) -> Option<Version> {
        let position = self.seek(key);
        if position == self.key_count() {
            return None;
        }
        let place = self.place(position);
        let mut found = Vec::new();
        self.write_key(place, &mut found);
        match place {
            Place::Link { blob, .. } if found == key => {
                let object = Some(Object::new(self.link(blob).to_vec()));
                Some(Version { number: position + 1, is_null: true, modified: self.modified, object })
            }
            Place::Link { .. } | Place::Blob(_) => None,
        }
    }
}

/// The `number`th of `parts` parts of `whole`, which are as equal as can be. None is empty where there are not more
/// parts than there is to share.
fn share(number: u64, parts: u64, whole: u64) -> Range<u64> {
    let end_of = |number: u64| {
        let end = u128::from(number) * u128::from(whole) / u128::from(parts);
        u64::try_from(end).expect("not more than the whole")
    };
    end_of(number)..end_of(number + 1)
}

const fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// A number in nine digits, so that names are in order of numbers.
fn push_padded(out: &mut Vec<u8>, number: u64) {
    let mut digits = [b'0'; 9];
    let mut rest = number;
    for digit in digits.iter_mut().rev() {
        *digit += u8::try_from(rest % 10).expect("a digit");
        rest /= 10;
    }
    out.extend_from_slice(&digits);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made_up(blobs: u64, root: &str) -> MadeUp {
        MadeUp::new(Options {
            blobs,
            repositories: 205,
            layer_links_per_repository: 7,
            revisions_per_repository: 3,
            tags_per_repository: 5,
            root: root.to_owned(),
            seed: 7,
            last_modified: Some("2026-11-23T07:35:32Z".to_owned()),
        })
        .expect("options that fit")
    }

    fn keys(made_up: &MadeUp, first: &str) -> Vec<String> {
        let mut keys = Vec::new();
        made_up.each_from(first.as_bytes(), |listed| {
            keys.push(String::from_utf8(listed.key.to_owned()).expect("text"));
            true
        });
        keys
    }

    #[test]
    fn keys_are_in_order_and_none_comes_twice() {
        let made_up = made_up(1000, "x");
        let keys = keys(&made_up, "");
        assert_eq!(keys.len() as u64, made_up.key_count());
        assert!(keys.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(keys.iter().filter(|key| key.ends_with("/data")).count(), 1000);
    }

    #[test]
    fn a_listing_starts_anywhere() {
        let made_up = made_up(1000, "");
        let all = keys(&made_up, "");
        for position in (0..all.len()).step_by(97) {
            assert_eq!(keys(&made_up, &all[position]), all[position..]);
            assert_eq!(keys(&made_up, &format!("{}\0", all[position])), all[position + 1..]);
        }
        assert_eq!(keys(&made_up, "e"), [""; 0]);
    }

    #[test]
    fn links_lead_to_blobs_and_have_the_md5_of_their_content() {
        let made_up = made_up(1000, "/root");
        let all = keys(&made_up, "");
        let mut links = 0;
        made_up.each_from(b"", |listed| {
            let version = made_up.current(listed.key);
            assert_eq!(version.is_some(), listed.key.ends_with(b"/link"));
            if let Some(object) = version.and_then(|version| version.object) {
                let crate::object::Content::Bytes(bytes) = &object.content else { panic!("a link has bytes") };
                let hex = std::str::from_utf8(&bytes[7..]).expect("hex digits");
                let blob = format!("/root/docker/registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2]);
                assert!(all.binary_search(&blob).is_ok(), "{blob}");
                assert_eq!((object.etag.as_str(), bytes.len() as u64), (listed.etag, listed.size_bytes));
                links += 1;
            }
            true
        });
        assert_eq!(links, 205 * (7 + 3 + 10));
    }

    #[test]
    fn no_two_revisions_name_the_same() {
        let made_up = made_up(615, "");
        let mut all = keys(&made_up, "");
        all.retain(|key| key.contains("/_manifests/revisions/"));
        let mut digests: Vec<&str> = all.iter().filter_map(|key| key.rsplit('/').nth(1)).collect();
        digests.sort_unstable();
        digests.dedup();
        assert_eq!(digests.len(), 615);
    }

    #[test]
    fn hundreds_of_millions_take_no_memory() {
        let options =
            Options { blobs: 500_000_000, repositories: 1, layer_links_per_repository: 2, ..Options::default() };
        let made_up = MadeUp::new(options).expect("options that fit");
        let mut seen = Vec::new();
        made_up.each_from(b"docker/registry/v2/blobs/sha256/80/", |listed| {
            seen.push(listed.key.to_owned());
            seen.len() < 3
        });
        assert!(seen.iter().all(|key| key.starts_with(b"docker/registry/v2/blobs/sha256/80/800000")), "{seen:?}");
        assert_eq!(keys(&made_up, "docker/registry/v2/repositories/").len(), 2);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for options in [
            Options { repositories: 1, layer_links_per_repository: 1, ..Options::default() },
            Options { blobs: 3, repositories: 2, revisions_per_repository: 2, ..Options::default() },
            Options { blobs: 3, repositories: 2, tags_per_repository: 1, ..Options::default() },
            Options { last_modified: Some("now".to_owned()), ..Options::default() },
        ] {
            assert!(MadeUp::new(options.clone()).is_err(), "{options:?}");
        }
        assert_eq!(MadeUp::new(Options::default()).expect("nothing").key_count(), 0);
    }
}
