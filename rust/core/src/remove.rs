//! Removing what marking found eligible. The only place that asks a store to remove anything.
//!
//! ```text
//! tag-history links → manifest links → layer links → blobs
//! ```
//!
//! Pointers go before what they point to, so that a run that ends anywhere leaves garbage and never a dangling
//! pointer; the next run finishes. No failure stops the rest: it is counted and named. But where a pointer could
//! not be removed, whatever it reaches is marked live after all and stays.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Mutex;

use crate::digest::{Algorithm, Digest};
use crate::error::{Error, Kind, Result};
use crate::layout::distribution as layout;
use crate::manifests::ManifestId;
use crate::mark::Marks;
use crate::progress::Control;
use crate::scan::{collect, collect_listed};
use crate::store::{Group, Holder, Key, List, Names, Removal, Remove};

/// Something that should be gone and is not.
#[derive(Debug)]
pub struct Failure {
    /// Where it is.
    pub key: Key,
    /// Why it is still there.
    pub error: Error,
}

/// What was really removed.
#[derive(Debug, Default)]
pub struct Removed {
    /// Blobs.
    pub blob_count: usize,
    /// Their sizes in bytes.
    pub blob_bytes: u64,
    /// Manifest links.
    pub manifest_count: usize,
    /// Layer links.
    pub layer_link_count: usize,
    /// Entries of tags' histories.
    pub tag_history_link_count: usize,
    /// Eligible blobs that stayed because a pointer to them could not be removed.
    pub kept_behind_failures: usize,
    /// What could not be removed.
    pub failures: Vec<Failure>,
    /// Whether the run was asked to stop before it was through.
    pub interrupted: bool,
}

/// Removes everything eligible.
///
/// # Errors
/// [`Kind::Layout`], with nothing removed: the histories of tags, which are listed first, are not what they should be.
pub fn remove_eligible(store: &(impl List + Remove), marks: &mut Marks, control: &Control) -> Result<Removed> {
    let mut removed = Removed::default();
    match remove_all(store, marks, control, &mut removed) {
        Ok(()) => {}
        Err(error) if error.kind() == Kind::Cancelled => removed.interrupted = true,
        Err(error) if error.kind() == Kind::Layout => return Err(error),
        Err(error) => removed.failures.push(Failure { key: error.key().clone(), error }),
    }
    removed.failures.sort_by(|one, other| one.key.cmp(&other.key));
    Ok(removed)
}

fn remove_all(store: &(impl List + Remove), marks: &mut Marks, control: &Control, removed: &mut Removed) -> Result<()> {
    let mut stuck: BTreeSet<(usize, ManifestId)> = BTreeSet::new();
    remove_history(store, marks, control, removed, &mut stuck)?;
    remove_revisions(store, marks, control, removed, &mut stuck)?;
    marks.keep_reachable(stuck.iter().map(|&(_, id)| id))?;
    remove_layer_links(store, marks, control, removed)?;
    marks.keep_aliases();
    remove_blobs(store, marks, control, removed)
}

/// Removes groups, handing what happened to each file to `visit` in order.
fn remove_groups(
    store: &impl Remove,
    groups: &[Group],
    holder: Holder,
    control: &Control,
    removed: &mut Removed,
    size: impl Fn(usize, usize) -> u64 + Sync,
    mut visit: impl FnMut(&mut Removed, usize, usize, Outcome),
) -> Result<()> {
    let outcomes: Mutex<Vec<(usize, usize, Result<Removal>)>> = Mutex::default();
    let ended = store.remove(groups, holder, control, &|group, index, outcome| {
        if matches!(outcome, Ok(Removal::Removed | Removal::HolderStays(_))) {
            Control::count(&control.counters.removed, 1);
            control.counters.freed_bytes.fetch_add(size(group, index), std::sync::atomic::Ordering::Relaxed);
        }
        outcomes.lock().expect("no thread panics while it counts").push((group, index, outcome));
    });
    for (group, index, outcome) in outcomes.into_inner().expect("no thread panics while it counts") {
        let outcome = match outcome {
            Ok(Removal::Removed) => Outcome::Removed,
            Ok(Removal::Absent) => Outcome::Absent,
            Ok(Removal::HolderStays(error)) => {
                removed.failures.push(Failure { key: error.key().clone(), error });
                Outcome::Removed
            }
            Err(error) => {
                removed.failures.push(Failure { key: groups[group].key(index), error });
                Outcome::Failed
            }
        };
        visit(removed, group, index, outcome);
    }
    ended
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Removed,
    Absent,
    Failed,
}

/// One group of all links `<directory>/<hex>/link`, whatever their number: two threads in one directory only get
/// into each other's way when they remove.
fn link_group<'a>(directory: Key, digests: impl IntoIterator<Item = &'a Digest>) -> Group {
    Group { directory, names: digests.into_iter().map(Digest::hex).collect(), leaf: layout::LINK }
}

/// The eligible manifests by repository.
fn eligible(marks: &Marks) -> BTreeMap<usize, Vec<ManifestId>> {
    let mut by_repository: BTreeMap<usize, Vec<ManifestId>> = BTreeMap::new();
    for place in &marks.revisions {
        let id = marks.catalog.repositories[place.repository].revisions[place.revision].manifest;
        by_repository.entry(place.repository).or_default().push(id);
    }
    by_repository
}

/// Entries of tags' histories that name eligible manifests of the same repository.
fn remove_history(
    store: &(impl List + Remove),
    marks: &Marks,
    control: &Control,
    removed: &mut Removed,
    stuck: &mut BTreeSet<(usize, ManifestId)>,
) -> Result<()> {
    let manifests = marks.catalog.manifests();
    let wanted: Vec<Wanted> = eligible(marks)
        .into_iter()
        .map(|(repository, ids)| (repository, ids.into_iter().map(|id| *manifests.digest(id)).collect()))
        .collect();
    let mut found = Vec::new();
    match list_history(store, marks, &wanted, control) {
        Ok(all) => found = all,
        Err(error) if matches!(error.kind(), Kind::Cancelled | Kind::Layout) => return Err(error),
        // Somewhere in there. One by one, so that it stops no more than its own repository.
        Err(_) => {
            for one in &wanted {
                match list_history(store, marks, std::slice::from_ref(one), control) {
                    Ok(some) => found.extend(some),
                    Err(error) if error.kind() == Kind::Cancelled => return Err(error),
                    Err(error) => {
                        // What these tags have pointed to is unknown, so all of it stays.
                        removed.failures.push(Failure { key: error.key().clone(), error });
                        stuck.extend(one.1.iter().filter_map(|digest| Some((one.0, manifests.find(digest)?))));
                    }
                }
            }
        }
    }
    let groups: Vec<Group> = found.iter().map(|history| history.group.clone()).collect();
    let count = |removed: &mut Removed, group: usize, index: usize, outcome| match outcome {
        Outcome::Removed => removed.tag_history_link_count += 1,
        Outcome::Absent => {}
        Outcome::Failed => {
            let History { repository, digests, .. } = &found[group];
            stuck.extend(manifests.find(&digests[index]).map(|id| (*repository, id)));
        }
    };
    remove_groups(store, &groups, Holder::RemoveIfEmpty, control, removed, |_, _| 0, count)
}

/// A repository by its index, and its eligible manifests.
type Wanted = (usize, HashSet<Digest>);

/// Links in the history of one tag that are to go.
struct History {
    repository: usize,
    group: Group,
    digests: Vec<Digest>,
}

fn list_history(store: &impl List, marks: &Marks, wanted: &[Wanted], control: &Control) -> Result<Vec<History>> {
    let mut owners: Vec<&Wanted> = Vec::new();
    let mut histories: Vec<Key> = Vec::new();
    for one in wanted {
        let repository = &marks.catalog.repositories[one.0];
        let tags = repository.key(layout::MANIFESTS).join(layout::TAGS);
        for tag in repository.tags.iter().flatten() {
            owners.push(one);
            histories.push(tags.join(&tag.name).join(layout::HISTORY));
        }
    }
    let listed = collect(store, &histories, control, |index, entry, found: &mut Vec<(Key, Algorithm)>| {
        let algorithm = Algorithm::from_name(entry.name);
        found.extend(algorithm.map(|algorithm| (histories[index].join(entry.name), algorithm)));
        Ok(())
    })?;
    let places: Vec<(&Wanted, Key, Algorithm)> = owners
        .into_iter()
        .zip(listed)
        .flat_map(|(owner, found)| found.into_iter().flatten().map(move |(key, algorithm)| (owner, key, algorithm)))
        .collect();
    let directories: Vec<Key> = places.iter().map(|(_, key, _)| key.clone()).collect();
    let listed = collect_listed(store, &directories, control, |index, entry, found: &mut Vec<Digest>| {
        let ((_, wanted), _, algorithm) = places[index];
        found.extend(Digest::from_hex(algorithm, entry.name).filter(|digest| wanted.contains(digest)));
        Ok(())
    })?;
    let found = places.into_iter().zip(listed).filter(|(_, digests)| !digests.is_empty());
    Ok(found
        .map(|(((repository, _), key, _), digests)| History {
            repository: *repository,
            group: link_group(key, &digests),
            digests,
        })
        .collect())
}

fn remove_revisions(
    store: &impl Remove,
    marks: &Marks,
    control: &Control,
    removed: &mut Removed,
    stuck: &mut BTreeSet<(usize, ManifestId)>,
) -> Result<()> {
    let catalog = &marks.catalog;
    let manifests = catalog.manifests();
    let mut groups = Vec::new();
    let mut members: Vec<(usize, Vec<ManifestId>)> = Vec::new();
    for (repository, ids) in eligible(marks) {
        let revisions = catalog.repositories[repository].key(layout::MANIFESTS).join(layout::REVISIONS);
        let ids: Vec<ManifestId> = ids.into_iter().filter(|&id| !stuck.contains(&(repository, id))).collect();
        for ids in ids.chunk_by(|&one, &other| manifests.digest(one).algorithm() == manifests.digest(other).algorithm())
        {
            let directory = revisions.join(manifests.digest(ids[0]).algorithm().name());
            groups.push(link_group(directory, ids.iter().map(|&id| manifests.digest(id))));
            members.push((repository, ids.to_vec()));
        }
    }
    let count = |removed: &mut Removed, group: usize, index: usize, outcome| match outcome {
        Outcome::Removed => removed.manifest_count += 1,
        Outcome::Absent => {}
        Outcome::Failed => {
            let (repository, ids) = &members[group];
            stuck.insert((*repository, ids[index]));
        }
    };
    remove_groups(store, &groups, Holder::RemoveIfEmpty, control, removed, |_, _| 0, count)
}

/// Only the `link` goes, as in 3.x: the directory is where the registry may be about to write the next one.
fn remove_layer_links(store: &impl Remove, marks: &Marks, control: &Control, removed: &mut Removed) -> Result<()> {
    let mut groups = Vec::new();
    let mut members: Vec<Vec<Digest>> = Vec::new();
    for links in &marks.layer_links.0 {
        let dead: Vec<Digest> = links.digests.iter().filter(|digest| !marks.live.contains(digest)).collect();
        if !dead.is_empty() {
            let directory = marks.layer_directory(links.repository, links.digests.algorithm());
            groups.push(link_group(directory, &dead));
            members.push(dead);
        }
    }
    let count = |removed: &mut Removed, group: usize, index: usize, outcome| match outcome {
        Outcome::Removed => removed.layer_link_count += 1,
        Outcome::Absent => {}
        Outcome::Failed => {
            marks.live.insert(&members[group][index]);
        }
    };
    remove_groups(store, &groups, Holder::Keep, control, removed, |_, _| 0, count)
}

/// Names held at once while blobs are removed.
const PORTION: usize = 32 * 1024;

fn remove_blobs(store: &impl Remove, marks: &Marks, control: &Control, removed: &mut Removed) -> Result<()> {
    let mut groups: Vec<Group> = Vec::new();
    let mut sizes: Vec<Vec<u64>> = Vec::new();
    let mut held = 0;
    let mut prefixes = marks.blobs.eligible.iter().peekable();
    while let Some(blobs) = prefixes.next() {
        let mut names = Names::default();
        let mut sizes_bytes = Vec::new();
        for (digest, &size) in blobs.digests.iter().zip(&blobs.sizes_bytes) {
            if marks.live.contains(&digest) {
                removed.kept_behind_failures += 1;
                continue;
            }
            names.push(digest.hex().as_ref());
            sizes_bytes.push(size);
        }
        held += names.len();
        let directory = layout::blob_prefix(blobs.digests.algorithm(), blobs.prefix);
        groups.push(Group { directory, names, leaf: layout::DATA });
        sizes.push(sizes_bytes);
        if held >= PORTION || prefixes.peek().is_none() {
            let size = |group: usize, index: usize| sizes[group][index];
            let count = |removed: &mut Removed, group: usize, index: usize, outcome| {
                if outcome == Outcome::Removed {
                    removed.blob_count += 1;
                    removed.blob_bytes += size(group, index);
                }
            };
            remove_groups(store, &groups, Holder::RemoveIfEmpty, control, removed, size, count)?;
            groups.clear();
            sizes.clear();
            held = 0;
        }
    }
    Ok(())
}
