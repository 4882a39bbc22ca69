//! Places in a store.

use std::fmt;

/// The place of something in a store: a path below the storage root, `/` between components, none leading.
///
/// Bytes, not text: a directory on disk can have any name.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Key(Vec<u8>);

impl Key {
    /// The storage root itself.
    pub const fn root() -> Self {
        Self(Vec::new())
    }

    /// A key from its text.
    pub fn new(path: impl AsRef<[u8]>) -> Self {
        Self(path.as_ref().to_vec())
    }

    /// The key of `name` (which may hold several components) under this one.
    #[must_use]
    pub fn join(&self, name: impl AsRef<[u8]>) -> Self {
        let name = name.as_ref();
        let mut joined = Vec::with_capacity(self.0.len() + 1 + name.len());
        joined.extend_from_slice(&self.0);
        if !joined.is_empty() && !name.is_empty() {
            joined.push(b'/');
        }
        joined.extend_from_slice(name);
        Self(joined)
    }

    /// The directory that holds it, and its name there.
    pub fn split_last(&self) -> (Self, &[u8]) {
        match self.0.iter().rposition(|&byte| byte == b'/') {
            Some(slash) => (Self(self.0[..slash].to_vec()), &self.0[slash + 1..]),
            None => (Self::root(), &self.0),
        }
    }

    /// Whether it is this directory, or lies in it.
    pub fn starts_with(&self, directory: &Self) -> bool {
        self.strip_prefix(directory).is_some()
    }

    /// Its path below a directory; nothing where it does not lie in there.
    pub fn strip_prefix(&self, directory: &Self) -> Option<Self> {
        let rest = self.0.strip_prefix(directory.as_bytes())?;
        match (rest, directory.0.is_empty()) {
            ([], _) | (_, true) => Some(Self::new(rest)),
            ([b'/', rest @ ..], _) => Some(Self::new(rest)),
            _ => None,
        }
    }

    /// How many components it has.
    pub fn depth(&self) -> usize {
        if self.0.is_empty() { 0 } else { self.0.split(|&byte| byte == b'/').count() }
    }

    /// Whether one of its components has this name.
    pub fn contains(&self, name: &str) -> bool {
        self.0.split(|&byte| byte == b'/').any(|component| component == name.as_bytes())
    }

    /// The bytes of the path.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { f.write_str("the storage root") } else { f.write_str(&String::from_utf8_lossy(&self.0)) }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.0))
    }
}
