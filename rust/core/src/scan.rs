//! Scanning: from a store to a [`Catalog`].
//!
//! ```text
//! tree       repositories, by listing directory by directory      ─┐ names only
//! links      revisions (is `link` there?), tags, aliases          ─┤ one small call each
//! quarantine what earlier runs have set aside                      ─┤ nothing where there is none
//! read       every distinct manifest, then what those name, …     ─┘ until nothing new is named
//! ```
//!
//! Whatever goes wrong here ends the run before anything is removed. And *absent* is never taken from one witness:
//! a file or directory that one call does not find must be missing from the listing of its directory, too.
//! (The reference takes a single "not found" for the end of a repository and then sweeps the rest of it.)

mod bulk;
mod checksums;
mod links;
mod quarantine;
mod read;
mod tree;

use std::time::SystemTime;

use crate::catalog::Catalog;
use crate::error::Result;
use crate::layout::{distribution as layout, quarantine as quarantine_layout};
use crate::manifests::Manifests;
use crate::progress::Control;
use crate::store::{Group, Key, List, Read};

pub(crate) use bulk::{
    Link, collect, collect_listed, directory_times, look_at_groups, read_links, stat_all, stat_all_as_told, stat_blobs,
    stat_blobs_as_told, stat_groups,
};
pub(crate) use read::load;
pub(crate) use tree::{find_uploads, is_directory};

/// Scans a store in the distribution layout.
///
/// # Errors
/// Any failure to list, stat or read; anything where the layout has none; a store that changes meanwhile.
pub fn scan(store: &(impl List + Read), started: SystemTime, control: &Control) -> Result<Catalog> {
    store.survey(&[Key::new(quarantine_layout::TOP), Key::new(layout::TOP)], control)?;
    let mut manifests = Manifests::default();
    let mut tree = tree::find(store, control)?;
    let repositories = links::resolve(store, &tree.repositories, &mut tree.notes, &mut manifests, control)?;
    let quarantines = if tree.has_quarantines { quarantine::find(store, &mut manifests, control)? } else { Vec::new() };
    load(store, &mut manifests, &tree.prefixes, &quarantines, control)?;
    // What is young is judged by the store's times, so that its clock counts where it is the slower one.
    let started = started.checked_sub(store.nature().clock_lag).unwrap_or(SystemTime::UNIX_EPOCH);
    let mut catalog = Catalog::new(started, manifests);
    catalog.repositories = repositories;
    catalog.prefixes = tree.prefixes;
    catalog.quarantines = quarantines;
    catalog.notes = tree.notes;
    catalog.notes.sort();
    catalog.database_in_use = tree.database_in_use;
    Ok(catalog)
}

/// Finds only what earlier runs have set aside: a catalog with nothing but its quarantines.
///
/// # Errors
/// Any failure to list or read.
pub fn scan_quarantines(store: &(impl List + Read), started: SystemTime, control: &Control) -> Result<Catalog> {
    store.survey(&[Key::new(quarantine_layout::TOP)], control)?;
    let mut manifests = Manifests::default();
    let quarantines = quarantine::find(store, &mut manifests, control)?;
    let mut catalog = Catalog::new(started, manifests);
    catalog.quarantines = quarantines;
    Ok(catalog)
}

/// When the links of all tags were written, by repository and tag in the catalog's order; nothing for a tag without one.
///
/// # Errors
/// Any failure to look.
pub fn tag_times(store: &impl List, catalog: &Catalog, control: &Control) -> Result<Vec<Vec<Option<SystemTime>>>> {
    let mut groups = Vec::new();
    let mut owners = Vec::new();
    for (index, repository) in catalog.repositories.iter().enumerate() {
        let directory = repository.key(layout::MANIFESTS).join(layout::TAGS);
        let names = repository.tags.iter().flatten().map(|tag| tag.name.as_slice());
        groups.extend(Group::split(&directory, layout::CURRENT_LINK, names));
        owners.resize(groups.len(), index);
    }
    let mut times: Vec<Vec<Option<SystemTime>>> = vec![Vec::new(); catalog.repositories.len()];
    for (owner, stats) in owners.into_iter().zip(stat_all(store, &groups, control)?) {
        times[owner].extend(stats.into_iter().map(|stat| stat.map(|stat| stat.modified)));
    }
    Ok(times)
}
