//! Where what a run sets aside lies: beside the registry, below the same storage root.
//!
//! ```text
//! .regsweep/<run>/
//!   begun                     its time is when the run began, by the store's own clock
//!   hidden/<number>           in a bucket that keeps versions: what was hidden where it was, instead of being moved
//!   tree/docker/registry/v2/
//!     blobs/<alg>/<two hex>/<hex>                      what was `<hex>/data`
//!     repositories/<name>/_manifests/revisions/<alg>/<hex>    what was `<hex>/link`
//!     repositories/<name>/_layers/<alg>/<hex>                 likewise
//!     repositories/<name>/_manifests/tags/<tag>/              the whole directory
//!     repositories/<name>/_manifests/index/<tag>/<alg>/<hex>  what was `tags/<tag>/index/<alg>/<hex>/link`
//! ```
//!
//! Files move and the directories that held them stay: the registry may be creating a file in one just now. A tag's
//! directory moves whole, because a registry lists as a tag whatever directory it finds.

use super::distribution as layout;
use crate::store::Key;

/// Below the storage root: everything of regsweep's own.
pub const TOP: &str = ".regsweep";
/// Below a run: the file whose time says when it began.
pub const BEGUN: &str = "begun";
/// Below a run: what it has set aside.
pub const TREE: &str = "tree";

/// Below a run: what says which files were hidden where they were, and shown again.
pub const HIDDEN: &str = "hidden";

/// The directory of a run.
pub fn run(name: &[u8]) -> Key {
    Key::new(TOP).join(name)
}

/// Where a run keeps what it has set aside.
pub fn tree(run_name: &[u8]) -> Key {
    run(run_name).join(TREE)
}

/// The place in a tree that stands for a directory of the registry.
pub fn aside(tree: &Key, directory: &Key) -> Key {
    tree.join(directory.as_bytes())
}

/// The place in a tree where files from a directory of the registry go: [`aside`], but for tags' histories, which would
/// otherwise lie in the place of a tag.
pub fn place_of(tree: &Key, directory: &Key) -> Key {
    match split_history(directory) {
        Some((repository, tag, algorithm)) => history(tree, repository, tag).join(algorithm),
        None => aside(tree, directory),
    }
}

/// The run in whose tree a file or directory lies, and its place in there.
pub fn split_tree(key: &Key) -> Option<(&[u8], Key)> {
    let rest = key.as_bytes().strip_prefix(TOP.as_bytes())?.strip_prefix(b"/")?;
    let run = rest.split(|&byte| byte == b'/').next()?;
    Some((run, key.strip_prefix(&tree(run))?))
}

/// Where a file has come from that lies in a tree: the opposite of what [`place_of`] is for. Nothing for what is no file
/// that a run sets aside.
pub fn home_of(place: &Key) -> Option<Key> {
    if place.starts_with(&Key::new(layout::BLOBS)) {
        let below = place.strip_prefix(&Key::new(layout::BLOBS))?;
        return (below.depth() == 3).then(|| place.join(layout::DATA));
    }
    let path = place.as_bytes();
    let at = |marker: &str| memchr::memmem::find(path, marker.as_bytes()).map(|start| start + marker.len());
    if at("/_manifests/tags/").is_some() {
        return Some(place.clone());
    }
    if let Some(start) = at("/_manifests/index/") {
        let mut rest = path[start..].split(|&byte| byte == b'/');
        let (tag, algorithm, hex) = (rest.next()?, rest.next()?, rest.next()?);
        let manifests = Key::new(&path[..start - "/index/".len()]);
        let history = manifests.join(layout::TAGS).join(tag).join(layout::HISTORY);
        return rest.next().is_none().then(|| history.join(algorithm).join(hex).join(layout::LINK));
    }
    let start = at("/_manifests/revisions/").or_else(|| at("/_layers/"))?;
    let is_link = memchr::memchr_iter(b'/', &path[start..]).count() == 1;
    is_link.then(|| place.join(layout::LINK))
}

/// Where the history of a tag is kept.
pub fn history(tree: &Key, repository: &[u8], tag: &[u8]) -> Key {
    let manifests = Key::new(repository).join(layout::MANIFESTS);
    aside(tree, &manifests).join(layout::HISTORY).join(tag)
}

/// `<repository>/_manifests/tags/<tag>/index/<alg>`, taken apart.
fn split_history(directory: &Key) -> Option<(&[u8], &[u8], &[u8])> {
    let marker = b"/_manifests/tags/";
    let path = directory.as_bytes();
    let start = memchr::memmem::find(path, marker)?;
    let mut rest = path[start + marker.len()..].split(|&byte| byte == b'/');
    let (tag, index, algorithm) = (rest.next()?, rest.next()?, rest.next()?);
    (index == layout::HISTORY.as_bytes() && rest.next().is_none()).then_some((&path[..start], tag, algorithm))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_kept_under_its_own_path_but_for_histories() {
        let tree = tree(b"run");
        let place = |directory: &str| place_of(&tree, &Key::new(directory)).to_string();
        let top = ".regsweep/run/tree/docker/registry/v2/repositories/a/b";
        let home = "docker/registry/v2/repositories/a/b";
        assert_eq!(place(&format!("{home}/_layers/sha256")), format!("{top}/_layers/sha256"));
        assert_eq!(place(&format!("{home}/_manifests/tags")), format!("{top}/_manifests/tags"));
        assert_eq!(
            place(&format!("{home}/_manifests/tags/v1/index/sha256")),
            format!("{top}/_manifests/index/v1/sha256")
        );
    }

    #[test]
    fn whatever_is_set_aside_says_where_it_comes_from() {
        let tree = tree(b"run");
        let home = "docker/registry/v2/repositories/a/b";
        let files = [
            ("docker/registry/v2/blobs/sha256/ab", "abcd", "data"),
            (&format!("{home}/_layers/sha256"), "abcd", "link"),
            (&format!("{home}/_manifests/revisions/sha512"), "abcd", "link"),
            (&format!("{home}/_manifests/tags/v1/index/sha256"), "abcd", "link"),
            (&format!("{home}/_manifests/tags/v1/current"), "link", ""),
        ];
        for (directory, name, leaf) in files {
            let directory = Key::new(directory);
            let aside = place_of(&tree, &directory).join(name);
            let (run, place) = split_tree(&aside).unwrap();
            assert_eq!((run, home_of(&place)), (&b"run"[..], Some(directory.join(name).join(leaf))));
        }
        // A tag's directory goes as a whole, with its history.
        let whole = Key::new(format!("{home}/_manifests/tags/v1/index/sha256/abcd/link"));
        assert_eq!(home_of(&whole), Some(whole.clone()));
        for other in ["docker/registry/v2/blobs/sha256", "docker/registry/v2/blobs/sha256/ab/abcd/x", home] {
            assert_eq!(home_of(&Key::new(other)), None, "{other}");
        }
        assert!(split_tree(&Key::new(".regsweep/run/plan")).is_none());
        assert!(split_tree(&Key::new("docker/registry/v2")).is_none());
    }
}
