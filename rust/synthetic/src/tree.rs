//! Writing the files of a store: each directory through a handle of its parent, no `fsync`, nothing twice.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::Ordering;

use regsweep_core::digest::{Algorithm, Digest, push_hex};
use regsweep_core::layout::distribution as layout;
use rustix::fs::{Mode, OFlags, mkdirat, open, openat};
use rustix::io::Errno;

use crate::Progress;

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
const FILE: OFlags = OFlags::WRONLY.union(OFlags::CREATE).union(OFlags::EXCL).union(OFlags::CLOEXEC);

/// A store being written.
pub(crate) struct Tree<'a> {
    repositories: OwnedFd,
    /// The 256 prefixes of sha256, by number.
    prefixes: Vec<OwnedFd>,
    progress: &'a Progress,
}

/// A directory of links by digest.
pub(crate) struct Links(OwnedFd);

impl<'a> Tree<'a> {
    pub(crate) fn create(root: &Path, progress: &'a Progress) -> io::Result<Self> {
        fs::create_dir_all(root)?;
        if fs::read_dir(root)?.next().is_some() {
            let message = format!("{} is not empty", root.display());
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
        }
        let repositories = root.join(layout::REPOSITORIES);
        let blobs = root.join(layout::BLOBS).join("sha256");
        fs::create_dir_all(&repositories)?;
        fs::create_dir_all(&blobs)?;
        let blobs = open(&blobs, DIRECTORY, Mode::empty())?;
        let mut prefixes = Vec::with_capacity(256);
        for prefix in 0..=255u8 {
            let mut name = Vec::new();
            push_hex(&[prefix], &mut name);
            prefixes.push(make_directory(blobs.as_fd(), &name)?);
        }
        Ok(Self { repositories: open(&repositories, DIRECTORY, Mode::empty())?, prefixes, progress })
    }

    fn counted(&self) -> io::Result<()> {
        if self.progress.stop.load(Ordering::Relaxed) {
            return Err(io::Error::from(io::ErrorKind::Interrupted));
        }
        self.progress.blobs.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn new_blob(&self, digest: &Digest) -> io::Result<OwnedFd> {
        self.counted()?;
        let mut path = Vec::with_capacity(70);
        digest.push_hex(&mut path);
        let prefix = self.prefixes[usize::from(digest.prefix())].as_fd();
        mkdirat(prefix, path.as_slice(), Mode::from_raw_mode(0o755))?;
        path.extend_from_slice(b"/data");
        Ok(openat(prefix, path.as_slice(), FILE, Mode::from_raw_mode(0o644))?)
    }

    /// Stores a document under its digest.
    pub(crate) fn write_document(&self, content: &[u8]) -> io::Result<Digest> {
        let digest = Digest::of(Algorithm::Sha256, content);
        write_all(&self.new_blob(&digest)?, content)?;
        Ok(digest)
    }

    /// Stores a layer: a hole of that size.
    pub(crate) fn write_layer(&self, digest: &Digest, size_bytes: u64) -> io::Result<()> {
        Ok(rustix::fs::ftruncate(&self.new_blob(digest)?, size_bytes)?)
    }

    /// The directory of something in a repository, made with all above it.
    pub(crate) fn links(&self, path: &str) -> io::Result<Links> {
        let mut reached: Option<OwnedFd> = None;
        for component in path.split('/') {
            let from = reached.as_ref().map_or(self.repositories.as_fd(), AsFd::as_fd);
            reached = Some(make_directory(from, component.as_bytes())?);
        }
        Ok(Links(reached.expect("a path has components")))
    }
}

impl Links {
    /// Writes `<hex of name>/link`, holding `target`.
    pub(crate) fn write(&self, name: &Digest, target: &Digest) -> io::Result<()> {
        let mut path = Vec::with_capacity(140);
        name.push_hex(&mut path);
        mkdirat(&self.0, path.as_slice(), Mode::from_raw_mode(0o755))?;
        path.extend_from_slice(b"/link");
        self.write_at(&path, target)
    }

    /// Makes the directory of a link without the link, as deleting by the API leaves it.
    pub(crate) fn write_deleted(&self, name: &Digest) -> io::Result<()> {
        let mut path = Vec::with_capacity(64);
        name.push_hex(&mut path);
        Ok(mkdirat(&self.0, path.as_slice(), Mode::from_raw_mode(0o755))?)
    }

    /// Writes a tag: what it points to now, and everything that it has pointed to.
    pub(crate) fn write_tag(&self, tag: &str, current: &Digest, history: &[Digest]) -> io::Result<()> {
        let directory = make_directory(self.0.as_fd(), tag.as_bytes())?;
        let here = Self(make_directory(directory.as_fd(), b"current")?);
        here.write_at(b"link", current)?;
        let index = make_directory(directory.as_fd(), b"index")?;
        let index = Self(make_directory(index.as_fd(), b"sha256")?);
        history.iter().try_for_each(|digest| index.write(digest, digest))
    }

    fn write_at(&self, path: &[u8], target: &Digest) -> io::Result<()> {
        let mut text = Vec::with_capacity(140);
        target.push_text(&mut text);
        write_all(&openat(&self.0, path, FILE, Mode::from_raw_mode(0o644))?, &text)
    }
}

fn make_directory(parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<OwnedFd> {
    match mkdirat(parent, name, Mode::from_raw_mode(0o755)) {
        Ok(()) | Err(Errno::EXIST) => Ok(openat(parent, name, DIRECTORY, Mode::empty())?),
        Err(errno) => Err(errno.into()),
    }
}

fn write_all(file: &OwnedFd, mut content: &[u8]) -> io::Result<()> {
    while !content.is_empty() {
        let count = rustix::io::write(file, content)?;
        content = &content[count..];
    }
    Ok(())
}
