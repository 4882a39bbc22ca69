//! Where what a run sets aside lies: beside the registry, below the same storage root.
//!
//! ```text
//! .regsweep/<run>/
//!   begun                     its time is when the run began, by the store's own clock
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
}
