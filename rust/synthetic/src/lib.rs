//! Synthetic registry stores: realistic in shape, seeded, and as large as wanted.
//!
//! Everything is laid out as CNCF Distribution 2 does it (`regsweep_core::layout::distribution`). Manifests and
//! configs are real documents stored under their real digests. Layers are sparse files under made-up digests: a
//! collector never reads them, and they take no room on disk whatever size they claim. What [`generate`] makes is
//! the same for the same [`Options`], byte for byte, however many threads make it.

mod documents;
mod image;
mod layers;
mod options;
mod random;
mod repository;
mod tree;

use std::io;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;

use serde::Serialize;

pub use options::{Options, PRESETS};
use random::Random;
use tree::Tree;

/// What a store was made of, and what a collector should make of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Made {
    /// Repositories.
    pub repositories: u64,
    /// Tags.
    pub tags: u64,
    /// Manifest links, deleted ones not counted.
    pub revisions: u64,
    /// Manifests stored, indexes and artifacts among them.
    pub manifests: u64,
    /// Layer links.
    pub layer_links: u64,
    /// Blobs of all kinds.
    pub blobs: u64,
    /// The sizes of all blobs together.
    pub bytes: u64,
    /// Blobs that nothing links: what a plain collection removes.
    pub eligible_plain: u64,
    /// Blobs that nothing tagged reaches: what a collection with `--delete-untagged` removes.
    pub eligible_untagged: u64,
    /// Manifest links that `--delete-untagged` removes.
    pub eligible_revisions: u64,
}

impl Made {
    fn add(&mut self, other: &Self) {
        self.repositories += other.repositories;
        self.tags += other.tags;
        self.revisions += other.revisions;
        self.manifests += other.manifests;
        self.layer_links += other.layer_links;
        self.blobs += other.blobs;
        self.bytes += other.bytes;
        self.eligible_plain += other.eligible_plain;
        self.eligible_untagged += other.eligible_untagged;
        self.eligible_revisions += other.eligible_revisions;
    }
}

/// How far the making of a store is, and whether it is to go on.
#[derive(Debug, Default)]
pub struct Progress {
    /// Blobs written so far.
    pub blobs: AtomicU64,
    /// Set to end early.
    pub stop: std::sync::atomic::AtomicBool,
}

/// Makes a store under `root`, which must be empty or not exist.
///
/// # Errors
/// When the root is not empty, when something cannot be written, or when told to stop (`Interrupted`).
pub fn generate(root: &Path, options: &Options, progress: &Progress) -> io::Result<Made> {
    options.check().map_err(|message| io::Error::new(io::ErrorKind::InvalidInput, message))?;
    let tree = Tree::create(root, progress)?;
    let seed = Random::new(options.seed);
    let mut made = layers::write_shared(&tree, options, &seed)?;
    let rest = in_parallel(options.repositories, |index| repository::write(&tree, options, &seed, index))?;
    made.add(&rest);
    made.add(&layers::write_orphans(&tree, options, &seed)?);
    Ok(made)
}

/// Runs `work` for every number below `count` on all cores and adds up what was made.
fn in_parallel(count: usize, work: impl Fn(usize) -> io::Result<Made> + Sync) -> io::Result<Made> {
    let next = AtomicUsize::new(0);
    let total: Mutex<io::Result<Made>> = Mutex::new(Ok(Made::default()));
    let threads = thread::available_parallelism().map_or(2, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= count {
                        break;
                    }
                    let made = work(index);
                    let mut total = total.lock().expect("no thread panics while it adds");
                    match (&mut *total, made) {
                        (Ok(total), Ok(made)) => total.add(&made),
                        (Ok(_), Err(error)) => *total = Err(error),
                        (Err(_), _) => break,
                    }
                }
            });
        }
    });
    total.into_inner().expect("no thread panics while it adds")
}
