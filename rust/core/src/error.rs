//! The one error of the core: a kind to decide by, and the place where it happened.

use std::fmt;
use std::io;

use crate::key::Key;

/// What kind of failure it was. Callers decide by this, never by the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The caller asked for an end (Ctrl-C). Nothing is half done.
    Cancelled,
    /// The store could not answer: an I/O error, missing permission, a listing that failed half way.
    Io,
    /// The store holds something where the layout forbids it: a symlink, a FIFO, a file for a directory.
    Layout,
    /// The store changed under the run in a way that leaves doubt.
    Changed,
    /// What was found could not be written out.
    Output,
    /// An argument makes no sense for this store.
    Argument,
}

/// A failure while scanning or marking. Whatever it is, nothing has been removed.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    operation: &'static str,
    key: Key,
    detail: Option<&'static str>,
    source: Option<io::Error>,
}

/// A result of the core.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An I/O error at `key` during `operation` (an infinitive: "list", "read").
    pub fn io(operation: &'static str, key: &Key, source: impl Into<io::Error>) -> Self {
        Self { kind: Kind::Io, operation, key: key.clone(), detail: None, source: Some(source.into()) }
    }

    /// A failure with a fixed explanation instead of a source.
    pub fn new(kind: Kind, operation: &'static str, key: &Key, detail: &'static str) -> Self {
        Self { kind, operation, key: key.clone(), detail: Some(detail), source: None }
    }

    /// An argument that makes no sense, with an explanation that names what was found.
    pub fn refused(operation: &'static str, key: &Key, explanation: impl Into<String>) -> Self {
        let source = Some(io::Error::other(explanation.into()));
        Self { kind: Kind::Argument, operation, key: key.clone(), detail: None, source }
    }

    /// The output could not be written.
    pub fn output(source: io::Error) -> Self {
        Self { kind: Kind::Output, operation: "write", key: Key::new("the output"), detail: None, source: Some(source) }
    }

    /// The run was asked to stop.
    pub fn cancelled() -> Self {
        Self::new(Kind::Cancelled, "run", &Key::root(), "interrupted")
    }

    /// What kind of failure it was.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// What was being done.
    pub const fn operation(&self) -> &'static str {
        self.operation
    }

    /// The key at which it happened, relative to the storage root.
    pub const fn key(&self) -> &Key {
        &self.key
    }

    /// The operating system's error, where there was one.
    pub const fn io_source(&self) -> Option<&io::Error> {
        self.source.as_ref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} {}", self.operation, self.key)?;
        if let Some(detail) = self.detail {
            write!(f, ": {detail}")?;
        }
        if let Some(source) = &self.source {
            write!(f, ": {source}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}
