//! The layout of CNCF Distribution (`registry/storage/paths.go`, version 2), which GitLab's and Harbor's share.
//!
//! ```text
//! docker/registry/
//!   lockfiles/database-in-use                      GitLab: tags are in a database, not here
//!   v2/
//!     repositories/<name>/                         <name> may hold slashes; repositories may nest
//!       _manifests/revisions/<alg>/<hex>/link      a manifest of this repository
//!       _manifests/tags/<tag>/current/link         what the tag points to
//!       _manifests/tags/<tag>/index/<alg>/<hex>/link   what it has pointed to
//!       _layers/<alg>/<hex>/link                   a layer or config of this repository
//!       _uploads/<uuid>/data                       what of a push under way is here already
//!       _uploads/<uuid>/startedat                  when it began
//!       _uploads/<uuid>/hashstates/<alg>/<offset>  how far it is hashed
//!     blobs/<alg>/<two hex>/<hex>/data             every content, manifests among them
//! ```
//!
//! A `link` holds a digest and nothing else, no newline.

use crate::digest::{Algorithm, Digest};
use crate::store::Key;

/// The directories above everything, each the parent of the next.
pub const ANCESTORS: [&str; 3] = ["docker", "registry", "v2"];
/// The directory of a registry, with what GitLab's has beside the layout itself.
pub const TOP: &str = "docker/registry";
/// Of the registry's directory: where GitLab leaves its markers.
pub const LOCKFILES: &str = "docker/registry/lockfiles";
/// The marker of a registry whose tags are in a database.
pub const DATABASE_IN_USE: &str = "database-in-use";
/// The directory of all repositories.
pub const REPOSITORIES: &str = "docker/registry/v2/repositories";
/// The directory of all blobs.
pub const BLOBS: &str = "docker/registry/v2/blobs";

/// Below a repository: what makes it one.
pub const MANIFESTS: &str = "_manifests";
/// Below a repository: its layer links.
pub const LAYERS: &str = "_layers";
/// Below a repository: pushes under way.
pub const UPLOADS: &str = "_uploads";
/// Below `_manifests`.
pub const REVISIONS: &str = "revisions";
/// Below `_manifests`.
pub const TAGS: &str = "tags";
/// Below a tag: the directory that holds its link.
pub const CURRENT: &str = "current";
/// Below a tag: what it has pointed to.
pub const HISTORY: &str = "index";
/// The file that holds a digest.
pub const LINK: &str = "link";
/// The file that holds a blob.
pub const DATA: &str = "data";
/// Below `tags/<tag>`: the file that says what the tag points to.
pub const CURRENT_LINK: &str = "current/link";

/// Of an upload: when it began, as RFC 3339 writes it.
pub const STARTED_AT: &str = "startedat";
/// Of an upload: the directory of its hash states.
pub const HASH_STATES: &str = "hashstates";
/// The most bytes of `startedat` worth reading: more than any time in RFC 3339 has that a registry writes.
pub const STARTED_AT_LIMIT: usize = 64;

/// The most bytes of a link worth reading: one more than any digest has.
pub const LINK_LIMIT: usize = crate::digest::MAX_TEXT_LENGTH + 1;

/// The directory of the blobs that share a prefix.
pub fn blob_prefix(algorithm: Algorithm, prefix: u8) -> Key {
    let mut path = Vec::with_capacity(BLOBS.len() + 10);
    path.extend_from_slice(BLOBS.as_bytes());
    path.push(b'/');
    path.extend_from_slice(algorithm.name().as_bytes());
    path.push(b'/');
    crate::digest::push_hex(&[prefix], &mut path);
    Key::new(path)
}

/// The directory of one blob.
pub fn blob(digest: &Digest) -> Key {
    blob_prefix(digest.algorithm(), digest.prefix()).join(digest.hex())
}

/// The algorithm and prefix of a directory of blobs, in the registry or in a tree that is laid out like it.
pub fn parse_blob_prefix(directory: &Key) -> Option<(Algorithm, u8)> {
    let (parent, prefix) = directory.split_last();
    let (parent, algorithm) = parent.split_last();
    let (_, blobs) = parent.split_last();
    (blobs == b"blobs").then_some(())?;
    Some((Algorithm::from_name(algorithm)?, parse_prefix(prefix)?))
}

/// The prefix that a directory below `blobs/<alg>` stands for: two lower-case hex digits.
pub fn parse_prefix(name: &[u8]) -> Option<u8> {
    let mut padded = [b'0'; 64];
    padded.get_mut(..2)?.copy_from_slice(name.get(..2)?);
    (name.len() == 2).then(|| Digest::from_hex(Algorithm::Sha256, &padded)).flatten().map(|digest| digest.prefix())
}

/// Whether the name is an upload's: a UUID as both lines of the registry write it (RFC 9562, section 4).
pub fn is_upload_id(name: &[u8]) -> bool {
    let hex = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
    let mut groups = name.split(|&byte| byte == b'-');
    let matches = |length| groups.next().is_some_and(|group| group.len() == length && group.iter().all(hex));
    [8, 4, 4, 4, 12].into_iter().all(matches) && groups.next().is_none()
}

/// The repository and UUID of the upload whose `data` this is.
pub fn parse_upload_data(key: &Key) -> Option<(Key, &[u8])> {
    let path = key.as_bytes().strip_suffix(DATA.as_bytes())?.strip_suffix(b"/")?;
    let (directory, id) = path.split_at(memchr::memrchr(b'/', path)?);
    let repository = directory.strip_suffix(UPLOADS.as_bytes())?.strip_suffix(b"/")?;
    let repository = Key::new(repository).strip_prefix(&Key::new(REPOSITORIES))?;
    (is_upload_id(&id[1..]) && !repository.as_bytes().is_empty()).then_some((repository, &id[1..]))
}

/// Whether it is the place of a blob's content.
pub fn is_blob_data(key: &Key) -> bool {
    let (holder, leaf) = key.split_last();
    let (directory, hex) = holder.split_last();
    let digest = parse_blob_prefix(&directory).and_then(|(algorithm, _)| Digest::from_hex(algorithm, hex));
    leaf == DATA.as_bytes() && digest.is_some_and(|digest| blob(&digest) == holder)
}

/// Whether the name is a hash state's: an offset in bytes.
pub fn is_offset(name: &[u8]) -> bool {
    (1..=19).contains(&name.len()) && name.iter().all(u8::is_ascii_digit)
}

/// Whether registries accept the name (distribution/reference, `path-component` joined by slashes).
pub fn is_valid_repository_name(name: &[u8]) -> bool {
    let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let valid_component = |component: &[u8]| {
        let mut runs = component.split(|&byte| alphanumeric(byte)).filter(|separator| !separator.is_empty());
        component.first().is_some_and(|&byte| alphanumeric(byte))
            && component.last().is_some_and(|&byte| alphanumeric(byte))
            && runs.all(|run| matches!(run, b"." | b"_" | b"__") || run.iter().all(|&byte| byte == b'-'))
    };
    name.len() <= 255 && name.split(|&byte| byte == b'/').all(valid_component)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_lies_under_its_first_byte() {
        let digest = Digest::of(Algorithm::Sha256, b"");
        assert_eq!(blob(&digest).to_string(), format!("docker/registry/v2/blobs/sha256/e3/{}", digest.hex()));
    }

    #[test]
    fn directories_of_blobs_are_known() {
        let key = blob_prefix(Algorithm::Sha512, 0xe3);
        assert_eq!(parse_blob_prefix(&key), Some((Algorithm::Sha512, 0xe3)));
        assert_eq!(
            parse_blob_prefix(&Key::new(".regsweep/run/tree").join(key.as_bytes())),
            Some((Algorithm::Sha512, 0xe3))
        );
        for other in ["", "blobs", "blobs/sha256", "blobs/md5/e3", "blobs/sha256/e33", "layers/sha256/e3"] {
            assert_eq!(parse_blob_prefix(&Key::new(other)), None, "{other}");
        }
    }

    #[test]
    fn only_two_lower_case_hex_digits_are_a_prefix() {
        assert_eq!(parse_prefix(b"e3"), Some(0xe3));
        for name in ["", "e", "E3", "e3b", "zz", ".."] {
            assert_eq!(parse_prefix(name.as_bytes()), None, "{name}");
        }
    }

    #[test]
    fn uploads_are_named_by_a_uuid_and_their_hash_states_by_an_offset() {
        assert!(is_upload_id(b"01a20754-e05f-7328-9a1a-92aea8b45b2f"));
        for name in [
            "",
            "01a20754e05f73289a1a92aea8b45b2f",
            "01A20754-E05F-7328-9A1A-92AEA8B45B2F",
            "01a20754-e05f-7328-9a1a-92aea8b45b2",
            "01a20754-e05f-7328-9a1a-92aea8b45b2f-",
            "01a20754-e05f-7328-9a1a92aea8b45b2f-0",
            "{01a20754-e05f-7328-9a1a-92aea8b45b2f}",
        ] {
            assert!(!is_upload_id(name.as_bytes()), "{name}");
        }
        assert!(is_offset(b"0") && is_offset(b"9223372036854775807"));
        assert!(!is_offset(b"") && !is_offset(b"-1") && !is_offset(b"10.0f3a.tmp") && !is_offset(&[b'0'; 20]));
    }

    #[test]
    fn what_is_written_in_parts_is_told_by_its_place() {
        let id = "01a20754-e05f-7328-9a1a-92aea8b45b2f";
        let data = |path: &str| {
            let key = Key::new(path);
            parse_upload_data(&key).map(|(repository, id)| (repository.to_string(), id.to_vec()))
        };
        let upload = format!("{REPOSITORIES}/a/b/_uploads/{id}");
        assert_eq!(data(&format!("{upload}/data")), Some(("a/b".to_owned(), id.as_bytes().to_vec())));
        for other in [
            format!("{upload}/startedat"),
            format!("{REPOSITORIES}/_uploads/{id}/data"),
            format!("{REPOSITORIES}/a/_layers/{id}/data"),
            format!("{REPOSITORIES}/a_uploads/{id}/data"),
            format!("{REPOSITORIES}/a/_uploads/other/data"),
            format!("{REPOSITORIES}/a/_uploads/data"),
            format!("elsewhere/a/_uploads/{id}/data"),
            "data".to_owned(),
        ] {
            assert_eq!(data(&other), None, "{other}");
        }
        let blob = blob(&Digest::of(Algorithm::Sha256, b""));
        assert!(is_blob_data(&blob.join(DATA)));
        let elsewhere = blob.to_string().replace("/e3/", "/e4/");
        let aside = format!(".regsweep/run/tree/{blob}");
        for other in [blob.to_string(), format!("{elsewhere}/data"), format!("{aside}/data"), format!("{blob}/link")] {
            assert!(!is_blob_data(&Key::new(&other)), "{other}");
        }
    }

    #[test]
    fn repository_names_follow_the_reference_grammar() {
        for name in ["a", "library/alpine", "a.b_c__d-e--f/0", "1/2/3"] {
            assert!(is_valid_repository_name(name.as_bytes()), "{name}");
        }
        for name in ["", "A", "a/", "/a", "a//b", "a..b", "a___b", "-a", "a-", "a_/b", "a b", "ü"] {
            assert!(!is_valid_repository_name(name.as_bytes()), "{name}");
        }
        assert!(!is_valid_repository_name("a".repeat(256).as_bytes()));
    }
}
