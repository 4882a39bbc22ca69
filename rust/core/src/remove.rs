//! Removing what marking found eligible, for good or into a quarantine. With `quarantine`, which brings back and purges,
//! and `uploads`, the only place that asks a store to remove or move anything.
//!
//! ```text
//! tags → tag-history links → manifest links → layer links → blobs
//! ```
//!
//! Pointers go before what they point to, so that a run that ends anywhere leaves garbage and never a dangling
//! pointer; the next run finishes. No failure stops the rest: it is counted and named. But where a pointer could
//! not be removed, whatever it reaches is marked live after all and stays.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use crate::candidates;
use crate::catalog::{Tag, Target};
use crate::digest::{Algorithm, Digest};
use crate::error::{Error, Kind, Result};
use crate::layout::{distribution as layout, quarantine};
use crate::manifests::ManifestId;
use crate::mark::Marks;
use crate::progress::Control;
use crate::scan::{Link, collect, collect_listed, read_links, stat_all};
use crate::store::{Group, Holder, Key, List, Names, Place, Read, Removal, Remove, Renamed, Renames, SetsAside};

/// Something that should be gone and is not.
#[derive(Debug)]
pub struct Failure {
    /// Where it is.
    pub key: Key,
    /// Why it is still there.
    pub error: Error,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { key: error.key().clone(), error }
    }
}

/// What was really removed.
#[derive(Debug, Default)]
pub struct Removed {
    /// Blobs.
    pub blob_count: usize,
    /// Their sizes in bytes.
    pub blob_bytes: u64,
    /// Tags.
    pub tag_count: usize,
    /// Manifest links.
    pub manifest_count: usize,
    /// Layer links.
    pub layer_link_count: usize,
    /// Entries of tags' histories.
    pub tag_history_link_count: usize,
    /// Eligible blobs that stayed because a pointer to them could not be removed.
    pub kept_behind_failures: usize,
    /// Eligible blobs of a report that somebody else had removed since.
    pub gone_blob_count: usize,
    /// Eligible blobs of a report that were written since, and stayed with all that they reach.
    pub changed_blob_count: usize,
    /// Tags that were written to while they were on their way out, and stayed.
    pub kept_tags: Vec<Key>,
    /// What could not be removed.
    pub failures: Vec<Failure>,
    /// Whether the run was asked to stop before it was through.
    pub interrupted: bool,
}

/// Where what is removed goes.
#[derive(Clone, Copy, Debug)]
pub enum Destination<'a> {
    /// Nowhere. Only tags, of which there may be some only where a tree is given, are set aside there: a tag's
    /// directory cannot be looked at and removed at once.
    Nowhere(Option<&'a Key>),
    /// Into the tree of a run, from which it can be brought back.
    Quarantine(&'a Key),
}

/// Removes everything eligible.
///
/// # Errors
/// [`Kind::Layout`], with nothing removed: the histories of tags, which are listed first, are not what they should be.
/// [`Kind::Argument`]: tags are to go, and the destination has no place for them.
pub fn remove_eligible(
    store: &(impl List + Read + Remove),
    marks: &mut Marks,
    destination: Destination<'_>,
    control: &Control,
) -> Result<Removed> {
    let mut run = Run { store, destination, control, removed: Removed::default(), stuck: BTreeSet::new() };
    let ended = run.remove_all(marks);
    let mut removed = run.removed;
    match ended {
        Ok(()) => {}
        Err(error) if error.kind() == Kind::Cancelled => removed.interrupted = true,
        Err(error) if matches!(error.kind(), Kind::Layout | Kind::Argument) => return Err(error),
        Err(error) => removed.failures.push(error.into()),
    }
    removed.failures.sort_by(|one, other| one.key.cmp(&other.key));
    Ok(removed)
}

/// One removal on its way.
struct Run<'a, Store> {
    store: &'a Store,
    destination: Destination<'a>,
    control: &'a Control,
    removed: Removed,
    /// Manifests whose pointers could not be removed, by the index of the repository.
    stuck: BTreeSet<(usize, ManifestId)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Removed,
    Absent,
    Failed,
}

impl<Store: List + Read + Remove> Run<'_, Store> {
    fn remove_all(&mut self, marks: &mut Marks) -> Result<()> {
        self.look_again(marks)?;
        let histories = self.find_histories(marks)?;
        self.set_tags_aside(marks)?;
        self.remove_histories(marks, histories)?;
        self.remove_revisions(marks)?;
        marks.keep_reachable(self.stuck.iter().map(|&(_, id)| id))?;
        self.remove_layer_links(marks)?;
        marks.keep_aliases();
        self.remove_blobs(marks)
    }

    /// What only a report has told of is looked at before anything goes.
    fn look_again(&mut self, marks: &mut Marks) -> Result<()> {
        if self.store.nature().reported.is_none() {
            return Ok(());
        }
        let again = candidates::look_again(self.store, &mut marks.blobs, self.control)?;
        (self.removed.gone_blob_count, self.removed.changed_blob_count) = (again.gone_count, again.changed.len());
        marks.keep_young(self.store, &again.changed, self.control)
    }

    /// Removes groups, handing what happened to each file to `visit` with what its group came with: its index there and
    /// the outcome. One portion after the other, each but the last of [`PORTION`] files.
    fn remove_groups<T: Send + Sync>(
        &mut self,
        groups: impl IntoIterator<Item = (Group, T)>,
        holder: Holder,
        size: impl Fn(&T, usize) -> u64 + Sync,
        mut visit: impl FnMut(&mut Self, &T, usize, Outcome),
    ) -> Result<()> {
        let mut parts: Vec<Part<T>> = Vec::new();
        let mut held = 0;
        for (group, of) in groups {
            let of = Arc::new(of);
            let mut start = 0;
            while start < group.names.len() {
                let count = (group.names.len() - start).min(PORTION - held);
                let names = (start..start + count).map(|index| group.names.get(index)).collect();
                let some = Group { directory: group.directory.clone(), names, leaf: group.leaf };
                parts.push(Part { group: some, start, of: Arc::clone(&of) });
                start += count;
                held += count;
                if held == PORTION {
                    self.remove_parts(&std::mem::take(&mut parts), holder, &size, &mut visit)?;
                    held = 0;
                }
            }
        }
        self.remove_parts(&parts, holder, &size, &mut visit)
    }

    fn remove_parts<T: Send + Sync>(
        &mut self,
        parts: &[Part<T>],
        holder: Holder,
        size: &(impl Fn(&T, usize) -> u64 + Sync),
        visit: &mut impl FnMut(&mut Self, &T, usize, Outcome),
    ) -> Result<()> {
        let groups: Vec<Group> = parts.iter().map(|part| part.group.clone()).collect();
        let size = |group: usize, index: usize| size(&parts[group].of, parts[group].start + index);
        self.remove_some(&groups, holder, size, |run, group, index, outcome| {
            visit(run, &parts[group].of, parts[group].start + index, outcome);
        })
    }

    fn remove_some(
        &mut self,
        groups: &[Group],
        holder: Holder,
        size: impl Fn(usize, usize) -> u64 + Sync,
        mut visit: impl FnMut(&mut Self, usize, usize, Outcome),
    ) -> Result<()> {
        if groups.is_empty() {
            return Ok(());
        }
        let outcomes: Mutex<Vec<(usize, usize, Result<Removal>)>> = Mutex::default();
        let note = |group: usize, index: usize, outcome: Result<Removal>| {
            if matches!(outcome, Ok(Removal::Removed | Removal::HolderStays(_))) {
                Control::count(&self.control.counters.removed, 1);
                self.control.counters.freed_bytes.fetch_add(size(group, index), Ordering::Relaxed);
            }
            outcomes.lock().expect("no thread panics while it counts").push((group, index, outcome));
        };
        let ended = match self.destination {
            Destination::Nowhere(_) => self.store.remove(groups, holder, self.control, &note),
            Destination::Quarantine(tree) => {
                let renames: Vec<Renames> = groups.iter().map(|group| set_aside(tree, group)).collect();
                self.store.rename(&renames, self.control, &|group, index, outcome| {
                    let key = || groups[group].key(index);
                    note(group, index, outcome.and_then(|renamed| moved(renamed, key)));
                })
            }
        };
        for (group, index, outcome) in outcomes.into_inner().expect("no thread panics while it counts") {
            let outcome = match outcome {
                Ok(Removal::Removed) => Outcome::Removed,
                Ok(Removal::Absent) => Outcome::Absent,
                Ok(Removal::HolderStays(error)) => {
                    self.removed.failures.push(error.into());
                    Outcome::Removed
                }
                Err(error) => {
                    self.removed.failures.push(Failure { key: groups[group].key(index), error });
                    Outcome::Failed
                }
            };
            visit(self, group, index, outcome);
        }
        ended
    }

    /// Moves the directories of tags away, each whole, and looks at what was moved. One that was written to meanwhile
    /// goes back.
    fn set_tags_aside(&mut self, marks: &Marks) -> Result<()> {
        if marks.tags.is_empty() {
            return Ok(());
        }
        let (Destination::Quarantine(tree) | Destination::Nowhere(Some(tree))) = self.destination else {
            return Err(Error::new(
                Kind::Argument,
                "remove",
                &Key::root(),
                "tags are to go, and only a run can do that",
            ));
        };
        for tags in marks.tags.chunk_by(|one, other| one.repository == other.repository) {
            let index = tags[0].repository;
            let repository = &marks.catalog.repositories[index];
            let home = Place { directory: repository.key(layout::MANIFESTS).join(layout::TAGS), leaf: "" };
            let away = Place { directory: quarantine::aside(tree, &home.directory), leaf: "" };
            let wanted: Vec<WantedTag> = tags.iter().filter_map(|tag| WantedTag::find(marks, index, tag.tag)).collect();
            let wanted = self.still_as_planned(index, &home, wanted)?;
            let names: Names = wanted.iter().map(|tag| tag.name).collect();
            let there = Renames { names, from: home.clone(), to: away.clone() };
            let moved = self.rename(&there)?;
            let mut back = Vec::new();
            for (tag, outcome) in wanted.iter().zip(moved) {
                match outcome {
                    Some(Ok(Renamed::Moved)) if self.is_unchanged(&away.directory, tag)? => self.removed.tag_count += 1,
                    Some(Ok(Renamed::Moved)) => back.push(tag),
                    Some(Ok(Renamed::Absent)) | None => {}
                    Some(Ok(Renamed::Occupied)) => self.fail_tag(index, tag, occupied(&home.key(tag.name))),
                    Some(Err(error)) => self.fail_tag(index, tag, error),
                }
            }
            let returning = Renames { names: back.iter().map(|tag| tag.name).collect(), from: away, to: home.clone() };
            for (tag, outcome) in back.into_iter().zip(self.rename(&returning)?) {
                // Where it was pushed anew meanwhile, the newer one counts.
                self.removed.kept_tags.push(home.key(tag.name));
                self.stuck.insert((index, tag.target));
                if let Some(Err(error)) = outcome {
                    self.removed.failures.push(error.into());
                }
            }
        }
        Ok(())
    }

    /// Where what is moved has another time afterwards, tags are looked at before: one that was written to since stays.
    fn still_as_planned<'a>(
        &mut self,
        repository: usize,
        home: &Place,
        wanted: Vec<WantedTag<'a>>,
    ) -> Result<Vec<WantedTag<'a>>> {
        if self.keeps_times() {
            return Ok(wanted);
        }
        // Nothing that was seen before counts.
        self.store.survey(&[], self.control)?;
        let links = Group::split(&home.directory, layout::CURRENT_LINK, wanted.iter().map(|tag| tag.name));
        let stats = stat_all(self.store, &links, self.control)?.concat();
        let mut unwritten = Vec::with_capacity(wanted.len());
        for (tag, stat) in wanted.into_iter().zip(stats) {
            // What is gone is found to be so when it is to be moved.
            if stat.is_none_or(|stat| stat.modified == tag.written) {
                unwritten.push(tag);
            } else {
                self.removed.kept_tags.push(home.key(tag.name));
                self.stuck.insert((repository, tag.target));
            }
        }
        Ok(unwritten)
    }

    /// Whether what was set aside still has the time when it was written.
    fn keeps_times(&self) -> bool {
        self.store.nature().sets_aside != SetsAside::ByCopying
    }

    fn fail_tag(&mut self, repository: usize, tag: &WantedTag<'_>, error: Error) {
        self.removed.failures.push(error.into());
        self.stuck.insert((repository, tag.target));
    }

    fn rename(&self, renames: &Renames) -> Result<Vec<Option<Result<Renamed>>>> {
        let outcomes: Mutex<Vec<Option<Result<Renamed>>>> =
            Mutex::new((0..renames.names.len()).map(|_| None).collect());
        self.store.rename(std::slice::from_ref(renames), self.control, &|_, index, outcome| {
            outcomes.lock().expect("no thread panics while it counts")[index] = Some(outcome);
        })?;
        Ok(outcomes.into_inner().expect("no thread panics while it counts"))
    }

    /// Whether a tag that was moved away still points where it did, and was not written to in between. What cannot be
    /// read may have been.
    fn is_unchanged(&self, directory: &Key, tag: &WantedTag<'_>) -> Result<bool> {
        let link = Group::split(directory, layout::CURRENT_LINK, [tag.name]);
        let control = self.control;
        control.check()?;
        let (Ok(links), Ok(stats)) = (read_links(self.store, &link, control), stat_all(self.store, &link, control))
        else {
            return Ok(false);
        };
        let unwritten = stats.concat()[0].is_some_and(|stat| stat.modified == tag.written || !self.keeps_times());
        Ok(unwritten && links.concat()[0] == Link::Digest(tag.digest))
    }

    /// Entries of tags' histories that name eligible manifests of the same repository.
    fn find_histories(&mut self, marks: &Marks) -> Result<Vec<History>> {
        let manifests = marks.catalog.manifests();
        let wanted: Vec<Wanted> = eligible(marks)
            .into_iter()
            .map(|(repository, ids)| (repository, ids.into_iter().map(|id| manifests.digest(id)).collect()))
            .collect();
        match list_history(self.store, marks, &wanted, self.control) {
            Ok(all) => return Ok(all),
            Err(error) if matches!(error.kind(), Kind::Cancelled | Kind::Layout) => return Err(error),
            Err(_) => {}
        }
        // Somewhere in there. One by one, so that it stops no more than its own repository.
        let mut found = Vec::new();
        for one in &wanted {
            match list_history(self.store, marks, std::slice::from_ref(one), self.control) {
                Ok(some) => found.extend(some),
                Err(error) if error.kind() == Kind::Cancelled => return Err(error),
                Err(error) => {
                    // What these tags have pointed to is unknown, so all of it stays.
                    self.removed.failures.push(error.into());
                    self.stuck.extend(one.1.iter().filter_map(|digest| Some((one.0, manifests.find(digest)?))));
                }
            }
        }
        Ok(found)
    }

    fn remove_histories(&mut self, marks: &Marks, found: Vec<History>) -> Result<()> {
        let manifests = marks.catalog.manifests();
        self.remove_groups(
            found.into_iter().map(|history| (history.group.clone(), history)),
            Holder::RemoveIfEmpty,
            |_, _| 0,
            |run, History { repository, digests, .. }, index, outcome| match outcome {
                Outcome::Removed => run.removed.tag_history_link_count += 1,
                Outcome::Absent => {}
                Outcome::Failed => {
                    run.stuck.extend(manifests.find(&digests[index]).map(|id| (*repository, id)));
                }
            },
        )
    }

    fn remove_revisions(&mut self, marks: &Marks) -> Result<()> {
        let catalog = &marks.catalog;
        let manifests = catalog.manifests();
        let mut groups = Vec::new();
        for (repository, ids) in eligible(marks) {
            let revisions = catalog.repositories[repository].key(layout::MANIFESTS).join(layout::REVISIONS);
            let ids: Vec<ManifestId> = ids.into_iter().filter(|&id| !self.stuck.contains(&(repository, id))).collect();
            let algorithm = |id| manifests.digest(id).algorithm();
            for ids in ids.chunk_by(|&one, &other| algorithm(one) == algorithm(other)) {
                let directory = revisions.join(algorithm(ids[0]).name());
                let group = link_group(directory, ids.iter().map(|&id| manifests.digest(id)));
                groups.push((group, (repository, ids.to_vec())));
            }
        }
        self.remove_groups(
            groups,
            Holder::RemoveIfEmpty,
            |_, _| 0,
            |run, (repository, ids), index, outcome| match outcome {
                Outcome::Removed => run.removed.manifest_count += 1,
                Outcome::Absent => {}
                Outcome::Failed => {
                    run.stuck.insert((*repository, ids[index]));
                }
            },
        )
    }

    /// Only the `link` goes, as in 3.x: the directory is where the registry may be about to write the next one.
    fn remove_layer_links(&mut self, marks: &Marks) -> Result<()> {
        let mut groups = Vec::new();
        let stuck: BTreeSet<usize> = self.stuck.iter().map(|&(repository, _)| repository).collect();
        for links in &marks.layer_links.0 {
            // Of a repository that goes as a whole and could not, the links that something needs stay.
            let whole = links.whole && !stuck.contains(&links.repository);
            let dead: Vec<Digest> =
                links.digests.iter().filter(|digest| whole || !marks.live.contains(digest)).collect();
            if !dead.is_empty() {
                let directory = marks.layer_directory(links.repository, links.digests.algorithm());
                groups.push((link_group(directory, &dead), dead));
            }
        }
        self.remove_groups(
            groups,
            Holder::Keep,
            |_, _| 0,
            |run, dead, index, outcome| match outcome {
                Outcome::Removed => run.removed.layer_link_count += 1,
                Outcome::Absent => {}
                Outcome::Failed => {
                    marks.live.insert(&dead[index]);
                }
            },
        )
    }

    fn remove_blobs(&mut self, marks: &Marks) -> Result<()> {
        let mut kept = 0;
        let groups = marks.blobs.eligible.iter().map(|blobs| {
            let mut names = Names::default();
            let mut sizes_bytes = Vec::new();
            for (digest, &size) in blobs.digests.iter().zip(&blobs.sizes_bytes) {
                if marks.live.contains(&digest) {
                    kept += 1;
                    continue;
                }
                names.push(digest.hex().as_ref());
                sizes_bytes.push(size);
            }
            let directory = layout::blob_prefix(blobs.digests.algorithm(), blobs.prefix);
            (Group { directory, names, leaf: layout::DATA }, sizes_bytes)
        });
        let ended = self.remove_groups(
            groups,
            Holder::RemoveIfEmpty,
            |sizes, index| sizes[index],
            |run, sizes, index, outcome| {
                if outcome == Outcome::Removed {
                    run.removed.blob_count += 1;
                    run.removed.blob_bytes += sizes[index];
                }
            },
        );
        self.removed.kept_behind_failures += kept;
        ended
    }
}

/// Some files of a group, from `start` on, and what the group came with.
struct Part<T> {
    group: Group,
    start: usize,
    of: Arc<T>,
}

/// Names whose fate is held at once: what can go wrong takes more room than a name. A multiple of what a bucket removes by
/// one request (S3 1,000, Azure 256, Google 100), so that only the last request of each kind is not full.
const PORTION: usize = 32_000;

/// From where it is to where a tree keeps it.
fn set_aside(tree: &Key, group: &Group) -> Renames {
    Renames {
        names: group.names.clone(),
        from: Place { directory: group.directory.clone(), leaf: group.leaf },
        to: Place { directory: quarantine::place_of(tree, &group.directory), leaf: "" },
    }
}

fn moved(renamed: Renamed, key: impl Fn() -> Key) -> Result<Removal> {
    match renamed {
        Renamed::Moved => Ok(Removal::Removed),
        Renamed::Absent => Ok(Removal::Absent),
        Renamed::Occupied => Err(occupied(&key())),
    }
}

fn occupied(key: &Key) -> Error {
    Error::new(Kind::Changed, "move", key, "the run has set something aside from here before")
}

/// One group of all links `<directory>/<hex>/link`, whatever their number: two threads in one directory only get
/// into each other's way when they remove.
fn link_group(directory: Key, digests: impl IntoIterator<Item = impl Borrow<Digest>>) -> Group {
    Group { directory, names: digests.into_iter().map(|digest| digest.borrow().hex()).collect(), leaf: layout::LINK }
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

/// A tag that is to go, as it was when that was decided.
struct WantedTag<'a> {
    name: &'a [u8],
    target: ManifestId,
    digest: Digest,
    written: SystemTime,
}

impl<'a> WantedTag<'a> {
    fn find(marks: &'a Marks, repository: usize, index: usize) -> Option<Self> {
        let tag = marks.catalog.repositories[repository].tags.as_ref()?.get(index)?;
        let Target::Manifest(target) = tag.target else { return None };
        let digest = marks.catalog.manifests().digest(target);
        let written = marks.options.released.of(repository)?.written(index)?;
        Some(Self { name: &tag.name, target, digest, written })
    }
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
    // A tag that goes takes its history with it.
    let going: HashSet<(usize, usize)> = marks.tags.iter().map(|tag| (tag.repository, tag.tag)).collect();
    for one in wanted {
        let repository = &marks.catalog.repositories[one.0];
        let tags = repository.key(layout::MANIFESTS).join(layout::TAGS);
        let staying = |(index, _): &(usize, &Tag)| !going.contains(&(one.0, *index));
        for (_, tag) in repository.tags.iter().flatten().enumerate().filter(staying) {
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
