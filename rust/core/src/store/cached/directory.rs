//! The directory that keeps blobs: one file each, named by its digest, written whole or not at all.
//!
//! ```text
//! <directory>/sha256/ab/ab12…      the content, nothing else
//! ```
//!
//! Any number of runs, on any number of machines, may share it: files appear by a rename and are never changed, and
//! whoever reads one checks it against its name. What does not match is removed and counts as not there. Nothing that
//! goes wrong with it is worth more than a request: errors are as good as absence.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use crate::digest::{Algorithm, Digest};

/// A file that was used is marked as used when that was not done for so long: writing a time for every read would cost
/// more than the read.
const MARKED_AFTER: Duration = Duration::from_secs(24 * 60 * 60);
/// Where it has grown too large it is emptied down to this share, so that not every run has to.
const KEPT_SHARE: f64 = 0.8;
/// Temporary files that nobody renamed are litter after this.
const LITTER_AFTER: Duration = Duration::from_secs(60 * 60);
const TEMPORARY: &str = ".tmp";

/// A directory that keeps blobs.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    limit_bytes: u64,
    written_bytes: AtomicU64,
    hits: AtomicU64,
}

impl Directory {
    /// Keeps up to about so many bytes in a directory, which is made when something is written.
    pub const fn new(path: PathBuf, limit_bytes: u64) -> Self {
        Self { path, limit_bytes, written_bytes: AtomicU64::new(0), hits: AtomicU64::new(0) }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many blobs came from here.
    pub fn hit_count(&self) -> u64 {
        self.hits.load(Ordering::Relaxed)
    }

    pub(super) fn file(&self, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        let hex: &[u8] = hex.as_ref();
        let text = std::str::from_utf8(hex).expect("hex digits are text");
        self.path.join(digest.algorithm().name()).join(&text[..2]).join(text)
    }

    /// Puts a blob into `buffer`, in place of what it held. Tells whether it is here, of this size, and what its name says.
    pub(super) fn read(&self, digest: &Digest, size_bytes: u64, buffer: &mut Vec<u8>) -> bool {
        let path = self.file(digest);
        let Ok(file) = fs::File::open(&path) else { return false };
        buffer.clear();
        // No more than one byte more than there should be, whatever was put there.
        let read = (&file).take(size_bytes + 1).read_to_end(buffer).is_ok();
        if !read || buffer.len() as u64 != size_bytes || Digest::of(digest.algorithm(), buffer) != *digest {
            discard(&path);
            return false;
        }
        let now = SystemTime::now();
        let marked = file.metadata().and_then(|found| found.modified());
        if marked.is_ok_and(|marked| now.duration_since(marked).is_ok_and(|age| age > MARKED_AFTER)) {
            let _ = fs::File::options().append(true).open(&path).and_then(|file| file.set_modified(now));
        }
        self.hits.fetch_add(1, Ordering::Relaxed);
        true
    }

    /// Keeps a blob, if its content is what its name says.
    pub(super) fn write(&self, digest: &Digest, content: &[u8]) {
        if Digest::of(digest.algorithm(), content) != *digest || content.len() as u64 > self.limit_bytes {
            return;
        }
        let path = self.file(digest);
        let Some(parent) = path.parent() else { return };
        if write_whole(parent, &path, content).is_ok() {
            self.written_bytes.fetch_add(content.len() as u64, Ordering::Relaxed);
        }
    }

    /// Removes what was not used for longest, where there is more than is to be kept and this run has added to it.
    ///
    /// Looks at every file, a few microseconds each.
    pub fn trim(&self) {
        if self.written_bytes.swap(0, Ordering::Relaxed) == 0 {
            return;
        }
        let now = SystemTime::now();
        let (mut found, mut total) = (Vec::new(), 0);
        for algorithm in Algorithm::ALL {
            for shard in entries(&self.path.join(algorithm.name())) {
                for entry in entries(&shard.path()) {
                    let Ok(metadata) = entry.metadata() else { continue };
                    let used = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                    let is_litter = entry.file_name().to_string_lossy().ends_with(TEMPORARY);
                    if !is_litter {
                        total += metadata.len();
                        found.push((used, metadata.len(), entry.path()));
                    } else if now.duration_since(used).is_ok_and(|age| age > LITTER_AFTER) {
                        discard(&entry.path());
                    }
                }
            }
        }
        if total <= self.limit_bytes {
            return;
        }
        #[allow(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "about"
        )]
        let kept = (self.limit_bytes as f64 * KEPT_SHARE) as u64;
        found.sort_unstable();
        for (_, size_bytes, path) in found {
            if total <= kept {
                return;
            }
            discard(&path);
            total -= size_bytes;
        }
    }
}

/// Writes a file that is there whole or not at all, and the directory where it is missing.
fn write_whole(parent: &Path, path: &Path, content: &[u8]) -> std::io::Result<()> {
    let mut builder = tempfile::Builder::new();
    let builder = builder.prefix("").suffix(TEMPORARY);
    let mut file = builder.tempfile_in(parent).or_else(|_| {
        fs::create_dir_all(parent)?;
        builder.tempfile_in(parent)
    })?;
    file.write_all(content)?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

/// Removes a file of the cache; where it cannot, the file stays until the next time.
fn discard(path: &Path) {
    #[allow(clippy::disallowed_methods, reason = "a copy on this machine, and nothing of a registry")]
    let _ = fs::remove_file(path);
}

fn entries(directory: &Path) -> impl Iterator<Item = fs::DirEntry> {
    fs::read_dir(directory).into_iter().flatten().flatten()
}
