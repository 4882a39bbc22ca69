//! What becomes of what runs have set aside: it comes back, all of it or what is live, or it is removed for good.
//!
//! Everything goes back by moves that never replace anything, data before the pointers to it, so that a run that ends
//! anywhere leaves no dangling pointer; doing it again finishes the work. What has its place taken by then was pushed
//! again: the newer one counts, and the old one stays aside.

use std::collections::BTreeMap;
use std::sync::Mutex;

use crate::catalog::{Catalog, Quarantine, RepositoryAside};
use crate::digest::{Algorithm, Digest};
use crate::error::{Kind, Result};
use crate::layout::{distribution as layout, quarantine};
use crate::mark::{Marks, list_quarantined};
use crate::packed::PackedDigests;
use crate::progress::Control;
use crate::remove::Failure;
use crate::scan::{collect, stat_all};
use crate::store::{EntryKind, Group, Holder, Key, List, Names, Place, Removal, Remove, Renamed, Renames};

/// What came back.
#[derive(Debug, Default)]
pub struct Restored {
    /// Blobs.
    pub blob_count: usize,
    /// Layer links.
    pub layer_link_count: usize,
    /// Manifest links.
    pub manifest_count: usize,
    /// Entries of tags' histories.
    pub tag_history_link_count: usize,
    /// Tags.
    pub tag_count: usize,
    /// What stayed aside, because something newer is in its place.
    pub replaced: Vec<Key>,
    /// What could not be moved.
    pub failures: Vec<Failure>,
    /// Whether the run was asked to stop before it was through.
    pub interrupted: bool,
}

/// Brings back everything that marking found live among what is set aside.
///
/// Blobs go back wherever they are live. Links go back to repositories that are in use or were pushed to since; one
/// that went as a whole stays away, although what it linked may live on elsewhere.
pub fn restore(store: &impl Remove, marks: &Marks, control: &Control) -> Restored {
    let catalog = &marks.catalog;
    let manifests = catalog.manifests();
    let mut restored = Restored::default();
    for (index, quarantine) in catalog.quarantines.iter().enumerate() {
        let blobs = marks.quarantined.iter().filter(|&&(owner, _)| owner == index).map(|(_, digest)| *digest);
        let mut moves = vec![blob_moves(quarantine, blobs)];
        let used: Vec<&RepositoryAside> =
            quarantine.repositories.iter().filter(|aside| is_in_use(catalog, quarantine, aside)).collect();
        moves.extend(link_moves(
            quarantine,
            &used,
            &|digest| marks.live.contains(digest),
            &|digest| manifests.find(digest).is_some_and(|id| marks.is_live(id)),
            &|aside, tag| has_tag(catalog, &aside.name, tag),
            catalog,
        ));
        let young = |aside: &&RepositoryAside| aside.tags.iter().any(|tag| quarantine.is_young(tag.modified));
        let tagged: Vec<&RepositoryAside> = quarantine.repositories.iter().filter(young).collect();
        moves.extend(tag_moves(quarantine, &tagged, true));
        if !bring_back(store, moves, &mut restored, control) {
            break;
        }
    }
    restored
}

/// Brings back everything that one run has set aside.
///
/// # Errors
/// When the quarantine cannot be listed; nothing was moved.
pub fn undo(
    store: &(impl List + Remove),
    catalog: &Catalog,
    quarantine: &Quarantine,
    control: &Control,
) -> Result<Restored> {
    let blobs = list_quarantined(store, quarantine, control, |_| true)?.concat();
    let all: Vec<&RepositoryAside> = quarantine.repositories.iter().collect();
    let mut moves = vec![blob_moves(quarantine, blobs.into_iter())];
    moves.extend(link_moves(quarantine, &all, &|_| true, &|_| true, &|_, _| true, catalog));
    moves.extend(tag_moves(quarantine, &all, false));
    let mut restored = Restored::default();
    bring_back(store, moves, &mut restored, control);
    Ok(restored)
}

/// Whether a repository is there for somebody: it has manifests or tags, or something was pushed into the quarantine.
fn is_in_use(catalog: &Catalog, quarantine: &Quarantine, aside: &RepositoryAside) -> bool {
    let here = catalog.repositories.iter().find(|repository| repository.name == aside.name);
    here.is_some_and(|one| !one.revisions.is_empty() || one.tags.as_ref().is_some_and(|tags| !tags.is_empty()))
        || !aside.young_layer_links.is_empty()
        || aside.revisions.iter().any(|one| quarantine.is_young(Some(one.modified)))
        || aside.tags.iter().any(|tag| quarantine.is_young(tag.modified))
}

fn has_tag(catalog: &Catalog, repository: &[u8], tag: &[u8]) -> bool {
    let mut here = catalog.repositories.iter().filter(|one| one.name == repository);
    here.any(|one| one.tags.iter().flatten().any(|one| one.name == tag))
}

/// What moves, and which count it goes to.
struct Moves {
    count: fn(&mut Restored) -> &mut usize,
    renames: Vec<Renames>,
    /// Whether the next moves try in another way what has its place taken.
    tried_again: bool,
}

impl Moves {
    fn new(count: fn(&mut Restored) -> &mut usize, renames: Vec<Renames>) -> Self {
        Self { count, renames, tried_again: false }
    }
}

fn back(quarantine: &Quarantine, directory: Key, leaf: &'static str, names: Names) -> Renames {
    let from = Place { directory: quarantine::place_of(&quarantine.tree, &directory), leaf: "" };
    Renames { names, from, to: Place { directory, leaf } }
}

fn blob_moves(quarantine: &Quarantine, blobs: impl Iterator<Item = Digest>) -> Moves {
    let mut by_prefix: BTreeMap<(Algorithm, u8), Names> = BTreeMap::new();
    for digest in blobs {
        by_prefix.entry((digest.algorithm(), digest.prefix())).or_default().push(digest.hex().as_ref());
    }
    let renames = by_prefix.into_iter().map(|((algorithm, prefix), names)| {
        back(quarantine, layout::blob_prefix(algorithm, prefix), layout::DATA, names)
    });
    Moves::new(|restored| &mut restored.blob_count, renames.collect())
}

/// Layer links, manifest links and histories, in this order.
fn link_moves(
    quarantine: &Quarantine,
    repositories: &[&RepositoryAside],
    wants_layer: &dyn Fn(&Digest) -> bool,
    wants_manifest: &dyn Fn(&Digest) -> bool,
    wants_history: &dyn Fn(&RepositoryAside, &[u8]) -> bool,
    catalog: &Catalog,
) -> [Moves; 3] {
    let manifests = catalog.manifests();
    let (mut layers, mut revisions, mut histories) = (Vec::new(), Vec::new(), Vec::new());
    for aside in repositories {
        let home = Key::new(layout::REPOSITORIES).join(&aside.name);
        let links = |directory: Key, digests: &PackedDigests, wanted: &dyn Fn(&Digest) -> bool| {
            let names: Names = digests.iter().filter(wanted).map(|digest| digest.hex()).collect();
            let directory = directory.join(digests.algorithm().name());
            (!names.is_empty()).then(|| back(quarantine, directory, layout::LINK, names))
        };
        for digests in &aside.layer_links {
            layers.extend(links(home.join(layout::LAYERS), digests, wants_layer));
        }
        let home = home.join(layout::MANIFESTS);
        let mut by_algorithm: BTreeMap<Algorithm, PackedDigests> = BTreeMap::new();
        for digest in aside.revisions.iter().map(|revision| manifests.digest(revision.manifest)) {
            let algorithm = digest.algorithm();
            by_algorithm.entry(algorithm).or_insert_with(|| PackedDigests::new(algorithm)).push(&digest);
        }
        for digests in by_algorithm.values() {
            revisions.extend(links(home.join(layout::REVISIONS), digests, wants_manifest));
        }
        for (tag, digests) in aside.history.iter().filter(|(tag, _)| wants_history(aside, tag)) {
            let directory = home.join(layout::TAGS).join(tag).join(layout::HISTORY);
            histories.extend(links(directory, digests, wants_manifest));
        }
    }
    [
        Moves::new(|restored| &mut restored.layer_link_count, layers),
        Moves::new(|restored| &mut restored.manifest_count, revisions),
        Moves::new(|restored| &mut restored.tag_history_link_count, histories),
    ]
}

/// A tag's directory goes back whole. Where a push has made it again and ended before it wrote `current/link`, the tag
/// is there only with its old `current`.
fn tag_moves(quarantine: &Quarantine, repositories: &[&RepositoryAside], only_young: bool) -> [Moves; 2] {
    let (mut whole, mut current) = (Vec::new(), Vec::new());
    for aside in repositories {
        let wanted = aside.tags.iter().filter(|tag| !only_young || quarantine.is_young(tag.modified));
        let names: Names = wanted.map(|tag| tag.name.as_slice()).collect();
        if names.is_empty() {
            continue;
        }
        let home = Key::new(layout::REPOSITORIES).join(&aside.name).join(layout::MANIFESTS).join(layout::TAGS);
        let away = Place { directory: quarantine::aside(&quarantine.tree, &home), leaf: layout::CURRENT };
        let to = Place { directory: home.clone(), leaf: layout::CURRENT };
        current.push(Renames { names: names.clone(), from: away, to });
        whole.push(back(quarantine, home, "", names));
    }
    let count: fn(&mut Restored) -> &mut usize = |restored| &mut restored.tag_count;
    [Moves { count, renames: whole, tried_again: true }, Moves::new(count, current)]
}

/// Makes the moves, one kind after the other; returns whether the run was not interrupted.
fn bring_back(store: &impl Remove, all: Vec<Moves>, restored: &mut Restored, control: &Control) -> bool {
    for Moves { count, renames, tried_again } in all {
        let outcomes: Mutex<Vec<(usize, usize, Result<Renamed>)>> = Mutex::default();
        let ended = store.rename(&renames, control, &|group, index, outcome| {
            Control::count(&control.counters.removed, 1);
            outcomes.lock().expect("no thread panics while it counts").push((group, index, outcome));
        });
        for (group, index, outcome) in outcomes.into_inner().expect("no thread panics while it counts") {
            match outcome {
                Ok(Renamed::Moved) => *count(restored) += 1,
                Ok(Renamed::Absent) => {}
                Ok(Renamed::Occupied) if tried_again => {}
                Ok(Renamed::Occupied) => {
                    restored.replaced.push(renames[group].to.key(renames[group].names.get(index)));
                }
                Err(error) => restored.failures.push(error.into()),
            }
        }
        if ended.is_err() {
            restored.interrupted = true;
            return false;
        }
    }
    true
}

/// What was removed for good.
#[derive(Debug, Default)]
pub struct Purged {
    /// Blobs.
    pub blob_count: usize,
    /// Their sizes in bytes.
    pub blob_bytes: u64,
    /// Links of all kinds.
    pub link_count: usize,
    /// What could not be removed.
    pub failures: Vec<Failure>,
    /// Whether the run was asked to stop before it was through.
    pub interrupted: bool,
}

/// Directories listed at once.
const PORTION: usize = 32;

/// Removes for good what a run has set aside, links before blobs, and then the directories that this leaves empty: of
/// the quarantine, and those in the registry that held the blobs and manifest links.
///
/// Asked for only after [`restore`] has brought back what is live without a failure: what of it is still aside by then
/// was pushed again.
///
/// # Errors
/// When the quarantine cannot be listed; what was removed until then is removed.
pub fn purge(store: &(impl List + Remove), quarantine: &Quarantine, control: &Control) -> Result<Purged> {
    let mut purge = Purge { store, tree: &quarantine.tree, control, purged: Purged::default() };
    let registry = quarantine::aside(&quarantine.tree, &Key::new(layout::ANCESTORS.join("/")));
    let mut ended = Ok(());
    for below in ["repositories", "blobs"] {
        ended = ended.and_then(|()| purge.empty(&registry.join(below)));
    }
    let mut ancestors = vec![quarantine.tree.clone()];
    for ancestor in layout::ANCESTORS {
        ancestors.push(ancestors[ancestors.len() - 1].join(ancestor));
    }
    ended = ended.and_then(|()| purge.remove_empty(ancestors));
    match ended {
        Err(error) if error.kind() == Kind::Cancelled => purge.purged.interrupted = true,
        ended => ended?,
    }
    Ok(purge.purged)
}

struct Purge<'a, Store> {
    store: &'a Store,
    tree: &'a Key,
    control: &'a Control,
    purged: Purged,
}

impl<Store: List + Remove> Purge<'_, Store> {
    /// Removes all that is in a directory, and the directory: the deepest first, so that a tag's history goes before
    /// what it points to. A tag without its `current/link` would be taken for one that is just being pushed.
    fn empty(&mut self, top: &Key) -> Result<()> {
        self.store.survey(std::slice::from_ref(top), self.control)?;
        let mut levels = vec![vec![top.clone()]];
        while let Some(level) = levels.last().filter(|level| !level.is_empty()) {
            levels.push(self.children(level)?);
        }
        for level in levels.into_iter().rev() {
            for portion in level.chunks(PORTION) {
                self.remove_files(&self.files(portion)?)?;
            }
            self.remove_empty(level)?;
        }
        Ok(())
    }

    /// The directories in directories.
    fn children(&self, directories: &[Key]) -> Result<Vec<Key>> {
        let listed = collect(self.store, directories, self.control, |index, entry, found: &mut Vec<Key>| {
            found.extend((entry.kind == EntryKind::Directory).then(|| directories[index].join(entry.name)));
            Ok(())
        })?;
        Ok(listed.into_iter().flatten().flatten().collect())
    }

    /// The files in directories, and whatever else is no directory.
    fn files(&self, directories: &[Key]) -> Result<Vec<Group>> {
        self.store.survey(directories, self.control)?;
        let listed = collect(self.store, directories, self.control, |_, entry, found: &mut Names| {
            if entry.kind != EntryKind::Directory {
                found.push(entry.name);
            }
            Ok(())
        })?;
        let found = directories.iter().zip(listed).filter_map(|(directory, names)| {
            let names = names.filter(|names| !names.is_empty())?;
            Some(Group { directory: directory.clone(), names, leaf: "" })
        });
        Ok(found.collect())
    }

    fn remove_files(&mut self, groups: &[Group]) -> Result<()> {
        let blobs = Key::new(layout::BLOBS);
        let is_blob: Vec<bool> = groups
            .iter()
            .map(|group| self.home(&group.directory).is_some_and(|home| home.starts_with(&blobs)))
            .collect();
        // Only blobs have a size that counts, and only they are many.
        let of_blobs: Vec<Group> =
            groups.iter().zip(&is_blob).filter(|&(_, &is_blob)| is_blob).map(|(group, _)| group.clone()).collect();
        let mut sizes = stat_all(self.store, &of_blobs, self.control).unwrap_or_default().into_iter();
        let sizes: Vec<Vec<u64>> = is_blob
            .iter()
            .map(|&is_blob| if is_blob { sizes.next() } else { None })
            .map(|stats| stats.into_iter().flatten().map(|stat| stat.map_or(0, |stat| stat.size_bytes)).collect())
            .collect();
        let outcomes: Mutex<Vec<(usize, usize, Result<Removal>)>> = Mutex::default();
        let ended = self.store.remove(groups, Holder::Keep, self.control, &|group, index, outcome| {
            Control::count(&self.control.counters.removed, 1);
            outcomes.lock().expect("no thread panics while it counts").push((group, index, outcome));
        });
        let mut emptied: BTreeMap<usize, Names> = BTreeMap::new();
        for (group, index, outcome) in outcomes.into_inner().expect("no thread panics while it counts") {
            match outcome {
                Ok(removal) => {
                    emptied.entry(group).or_default().push(groups[group].names.get(index));
                    if matches!(removal, Removal::Absent) {
                        continue;
                    }
                    if is_blob[group] {
                        self.purged.blob_count += 1;
                        self.purged.blob_bytes += sizes[group].get(index).copied().unwrap_or(0);
                    } else {
                        self.purged.link_count += 1;
                    }
                }
                Err(error) => self.purged.failures.push(error.into()),
            }
        }
        // What held these in the registry. A directory of layer links is where a push may be about to write.
        let holders: Vec<Group> = emptied
            .into_iter()
            .filter_map(|(group, names)| {
                let directory = self.home(&groups[group].directory)?;
                let holds = is_blob[group] || directory.contains(layout::REVISIONS);
                holds.then_some(Group { directory, names, leaf: "" })
            })
            .collect();
        ended?;
        let failures = self.store.remove_empty(&holders, self.control)?;
        self.purged.failures.extend(failures.into_iter().map(Failure::from));
        Ok(())
    }

    /// Removes directories, the deepest first.
    fn remove_empty(&mut self, mut directories: Vec<Key>) -> Result<()> {
        directories.sort_by_key(|key| std::cmp::Reverse(key.depth()));
        for alike in directories.chunk_by(|one, other| one.depth() == other.depth()) {
            let mut by_parent: BTreeMap<Key, Names> = BTreeMap::new();
            for key in alike {
                let (parent, name) = key.split_last();
                by_parent.entry(parent).or_default().push(name);
            }
            let groups: Vec<Group> =
                by_parent.into_iter().map(|(directory, names)| Group { directory, names, leaf: "" }).collect();
            let failures = self.store.remove_empty(&groups, self.control)?;
            self.purged.failures.extend(failures.into_iter().map(Failure::from));
        }
        Ok(())
    }

    /// The directory of the registry that one of the tree stands for.
    fn home(&self, directory: &Key) -> Option<Key> {
        directory.strip_prefix(self.tree)
    }
}
