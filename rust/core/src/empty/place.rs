//! What a directory is to the layout, by its path alone.

use crate::digest::{Algorithm, Digest};
use crate::layout::distribution as layout;
use crate::store::Key;

/// What goes by itself, and what does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A repository, or what leads to one.
    Path,
    /// A tag, or what holds one link or blob.
    Unit,
    /// A part of what is above it.
    Inner,
}

impl Place {
    /// Nothing for what the layout does not have, or what is not to be looked into.
    pub(super) fn of(key: &Key) -> Option<Self> {
        if let Some(path) = key.strip_prefix(&Key::new(layout::BLOBS)) {
            return Self::of_blobs(&components(&path));
        }
        let path = key.strip_prefix(&Key::new(layout::REPOSITORIES))?;
        let path = components(&path);
        let Some(start) = path.iter().position(|name| name.starts_with(b"_")) else {
            return Some(if path.is_empty() { Self::Inner } else { Self::Path });
        };
        // The directory of all repositories is none.
        if start == 0 {
            return None;
        }
        let below = &path[start + 1..];
        match path[start] {
            name if name == layout::UPLOADS.as_bytes() => below.is_empty().then_some(Self::Inner),
            name if name == layout::LAYERS.as_bytes() => Self::of_links(below),
            name if name == layout::MANIFESTS.as_bytes() => Self::of_manifests(below),
            _ => None,
        }
    }

    fn of_blobs(path: &[&[u8]]) -> Option<Self> {
        match *path {
            [] => Some(Self::Inner),
            [algorithm] => Algorithm::from_name(algorithm).map(|_| Self::Inner),
            [algorithm, prefix] => (Algorithm::from_name(algorithm).is_some()
                && layout::parse_prefix(prefix).is_some())
            .then_some(Self::Inner),
            [algorithm, _, hex] => digest(algorithm, hex),
            _ => None,
        }
    }

    fn of_manifests(path: &[&[u8]]) -> Option<Self> {
        match *path {
            [] => Some(Self::Inner),
            [name, ref below @ ..] if name == layout::REVISIONS.as_bytes() => Self::of_links(below),
            [name] if name == layout::TAGS.as_bytes() => Some(Self::Inner),
            [name, _] if name == layout::TAGS.as_bytes() => Some(Self::Unit),
            [name, _, part] if name == layout::TAGS.as_bytes() && part == layout::CURRENT.as_bytes() => {
                Some(Self::Inner)
            }
            [name, _, part, ref below @ ..]
                if name == layout::TAGS.as_bytes() && part == layout::HISTORY.as_bytes() =>
            {
                Self::of_links(below)
            }
            _ => None,
        }
    }

    fn of_links(path: &[&[u8]]) -> Option<Self> {
        match *path {
            [] => Some(Self::Inner),
            [algorithm] => Algorithm::from_name(algorithm).map(|_| Self::Inner),
            [algorithm, hex] => digest(algorithm, hex),
            _ => None,
        }
    }
}

fn digest(algorithm: &[u8], hex: &[u8]) -> Option<Place> {
    Digest::from_hex(Algorithm::from_name(algorithm)?, hex).map(|_| Place::Unit)
}

fn components(path: &Key) -> Vec<&[u8]> {
    path.as_bytes().split(|&byte| byte == b'/').filter(|name| !name.is_empty()).collect()
}
