//! Scanning: from a store to a [`Catalog`].
//!
//! ```text
//! tree       repositories, by listing directory by directory      ─┐ names only
//! links      revisions (is `link` there?), tags, aliases          ─┤ one small call each
//! read       every distinct manifest, then what those name, …     ─┘ until nothing new is named
//! ```
//!
//! Whatever goes wrong here ends the run before anything is removed. And *absent* is never taken from one witness:
//! a file or directory that one call does not find must be missing from the listing of its directory, too.
//! (The reference takes a single "not found" for the end of a repository and then sweeps the rest of it.)

mod bulk;
mod links;
mod read;
mod tree;

use std::time::SystemTime;

use crate::catalog::Catalog;
use crate::error::Result;
use crate::manifests::Manifests;
use crate::progress::Control;
use crate::store::{List, Read};

pub(crate) use bulk::{collect, collect_listed, stat_all, stat_blobs, stat_groups};
pub(crate) use read::load;
pub(crate) use tree::is_directory;

/// Scans a store in the distribution layout.
///
/// # Errors
/// Any failure to list, stat or read; anything where the layout has none; a store that changes meanwhile.
pub fn scan(store: &(impl List + Read), started: SystemTime, control: &Control) -> Result<Catalog> {
    let mut manifests = Manifests::default();
    let mut tree = tree::find(store, control)?;
    let repositories = links::resolve(store, &tree.repositories, &mut tree.notes, &mut manifests, control)?;
    load(store, &mut manifests, &tree.prefixes, control)?;
    let mut catalog = Catalog::new(started, manifests);
    catalog.repositories = repositories;
    catalog.prefixes = tree.prefixes;
    catalog.notes = tree.notes;
    catalog.notes.sort();
    catalog.database_in_use = tree.database_in_use;
    Ok(catalog)
}
