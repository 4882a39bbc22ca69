//! Reading manifests, and then those that they name, until nothing new is named.
//!
//! Each distinct digest is read once, by the number it has in [`Manifests`], grouped by blob prefix so that a
//! filesystem opens each prefix once. Content is checked against its digest before it is believed; what does not
//! match is read again (it may just be being written) and then taken for damaged. A blob that is not found is looked
//! for in every quarantine, and must be missing from its directory's listing too.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Mutex;

use super::bulk::{changed, collect, stat_all_as_told};
use crate::catalog::Quarantine;
use crate::digest::{Algorithm, Digest};
use crate::error::Result;
use crate::layout::{distribution as layout, quarantine};
use crate::manifest::{MAX_SIZE, Parser, Reference, Role, Shape, looks_like_manifest, scan_digests};
use crate::manifests::{Edge, ManifestId, Manifests, State};
use crate::progress::Control;
use crate::references::{Span, Writer};
use crate::store::{Content, Group, Key, List, Read, Stat};

/// Reads every manifest that is not read yet, and all that they lead to.
///
/// # Errors
/// Any failure to read; a blob that one look finds and another does not.
pub(crate) fn load(
    store: &(impl List + Read + ?Sized),
    manifests: &mut Manifests,
    prefixes: &BTreeSet<(Algorithm, u8)>,
    quarantines: &[Quarantine],
    control: &Control,
) -> Result<()> {
    loop {
        let ids: Vec<ManifestId> = manifests.ids().filter(|&id| manifests.state(id) == State::Unread).collect();
        if ids.is_empty() {
            return Ok(());
        }
        for ids in ids.chunks(PORTION) {
            load_some(store, manifests, ids, prefixes, quarantines, control)?;
        }
    }
}

/// Manifests read at once: the names and findings of all of a large registry's take more memory than their graph.
const PORTION: usize = 64 * 1024;

fn load_some(
    store: &(impl List + Read + ?Sized),
    manifests: &mut Manifests,
    ids: &[ManifestId],
    prefixes: &BTreeSet<(Algorithm, u8)>,
    quarantines: &[Quarantine],
    control: &Control,
) -> Result<()> {
    let mut found = read_twice(store, manifests, ids, &registry_place, control)?;
    for quarantine in quarantines {
        let absent: Vec<ManifestId> = absent(&found)
            .filter(|&id| {
                let digest = manifests.digest(id);
                quarantine.prefixes.contains(&(digest.algorithm(), digest.prefix()))
            })
            .collect();
        let aside =
            |algorithm, prefix| (quarantine::aside(&quarantine.tree, &layout::blob_prefix(algorithm, prefix)), "");
        let brought: HashMap<ManifestId, Found> = read_twice(store, manifests, &absent, &aside, control)?
            .into_iter()
            .filter(|found| found.state != State::Absent)
            .map(|found| (found.id, found))
            .collect();
        if !brought.is_empty() {
            found.retain(|found| !brought.contains_key(&found.id));
            found.extend(brought.into_values());
        }
    }
    confirm_absent(store, manifests, absent(&found).collect(), prefixes, control)?;
    // By number, so that what is found next is numbered alike in every run.
    found.sort_unstable_by_key(|found| found.id);
    for found in found {
        let edges: Vec<Edge> = found
            .leads_to
            .iter()
            .map(|reference| Edge {
                role: reference.role,
                target: manifests.intern(&reference.digest, reference.role == Role::Child),
            })
            .collect();
        manifests.settle(found.id, found.state, found.span, &edges);
    }
    Ok(())
}

/// Where the blobs of a prefix are looked for: the directory, and what follows their names there.
type PlaceOf<'a> = dyn Fn(Algorithm, u8) -> (Key, &'static str) + 'a;

fn registry_place(algorithm: Algorithm, prefix: u8) -> (Key, &'static str) {
    (layout::blob_prefix(algorithm, prefix), layout::DATA)
}

/// Digests in groups of files, and which are in each.
fn grouped(manifests: &Manifests, ids: &[ManifestId], place: &PlaceOf<'_>) -> (Vec<Group>, Vec<Vec<ManifestId>>) {
    let mut by_prefix: BTreeMap<(Algorithm, u8), Vec<ManifestId>> = BTreeMap::new();
    for &id in ids {
        let digest = manifests.digest(id);
        by_prefix.entry((digest.algorithm(), digest.prefix())).or_default().push(id);
    }
    let (mut groups, mut members) = (Vec::new(), Vec::new());
    for ((algorithm, byte), alike) in by_prefix {
        let names = alike.iter().map(|&id| manifests.digest(id).hex());
        let (directory, leaf) = place(algorithm, byte);
        groups.extend(Group::split(&directory, leaf, names));
        members.extend(alike.chunks(Group::SIZE).map(<[ManifestId]>::to_vec));
    }
    (groups, members)
}

/// Those that nobody calls a manifest and that are too large for one, where sizes are known without a look at each: layers
/// of a build cache, which an index lists like manifests. Reading them would come to the same.
fn find_large(
    store: &(impl List + ?Sized),
    manifests: &Manifests,
    ids: &[ManifestId],
    place: &PlaceOf<'_>,
    control: &Control,
) -> Result<BTreeSet<ManifestId>> {
    let mut large = BTreeSet::new();
    if store.nature().knows_checksums {
        let unexpected: Vec<ManifestId> = ids.iter().copied().filter(|&id| !manifests.is_expected(id)).collect();
        let (groups, members) = grouped(manifests, &unexpected, place);
        for (ids, stats) in members.iter().zip(stat_all_as_told(store, &groups, control)?) {
            let is_large = |stat: Option<Stat>| stat.is_some_and(|stat| stat.size_bytes > MAX_SIZE as u64);
            large.extend(ids.iter().zip(stats).filter(|(_, stat)| is_large(*stat)).map(|(&id, _)| id));
        }
    }
    Ok(large)
}

/// Reads manifests, and those that seem damaged once more.
fn read_twice(
    store: &(impl List + Read + ?Sized),
    manifests: &Manifests,
    ids: &[ManifestId],
    place: &PlaceOf<'_>,
    control: &Control,
) -> Result<Vec<Found>> {
    let large = find_large(store, manifests, ids, place, control)?;
    let ids: Vec<ManifestId> = ids.iter().copied().filter(|id| !large.contains(id)).collect();
    let first = read_all(store, manifests, &ids, Attempt::First, place, control)?;
    let second = read_all(store, manifests, &first.doubtful(), Attempt::Second, place, control)?;
    let blob = |id| Found { id, state: State::Blob, span: Span::default(), leads_to: Vec::new() };
    Ok(large.into_iter().map(blob).chain(first.settled()).chain(second.settled()).collect())
}

fn absent(found: &[Found]) -> impl Iterator<Item = ManifestId> {
    found.iter().filter(|found| found.state == State::Absent).map(|found| found.id)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Attempt {
    First,
    Second,
}

/// What became of one digest.
struct Found {
    id: ManifestId,
    state: State,
    span: Span,
    /// The references that may be manifests themselves.
    leads_to: Vec<Reference>,
}

/// What one thread uses from file to file, and what it has found.
#[derive(Default)]
struct Reader {
    parser: Parser,
    references: Vec<Reference>,
    writer: Writer,
    found: Vec<Found>,
    doubtful: Vec<ManifestId>,
}

#[derive(Default)]
struct Answers(Vec<Reader>);

impl Answers {
    fn doubtful(&self) -> Vec<ManifestId> {
        let mut all: Vec<ManifestId> = self.0.iter().flat_map(|reader| reader.doubtful.iter().copied()).collect();
        all.sort_unstable();
        all
    }

    fn settled(self) -> impl Iterator<Item = Found> {
        self.0.into_iter().flat_map(|reader| reader.found)
    }
}

fn read_all(
    store: &(impl Read + ?Sized),
    manifests: &Manifests,
    ids: &[ManifestId],
    attempt: Attempt,
    place: &PlaceOf<'_>,
    control: &Control,
) -> Result<Answers> {
    let (groups, members) = grouped(manifests, ids, place);
    let pool: Mutex<Vec<Reader>> = Mutex::default();
    let take = || pool.lock().expect("no thread panics while it holds the pool").pop().unwrap_or_default();
    let give = |reader| pool.lock().expect("no thread panics while it holds the pool").push(reader);
    store.read(&groups, MAX_SIZE, control, &|group, index, content| {
        let mut reader = take();
        reader.read(manifests, members[group][index], &content, attempt);
        give(reader);
        if index + 1 == members[group].len() {
            Control::count(&control.counters.manifests, members[group].len());
        }
        Ok(())
    })?;
    let mut readers = pool.into_inner().expect("no thread panics while it holds the pool");
    for reader in &mut readers {
        manifests.references.finish(&mut reader.writer);
    }
    Ok(Answers(readers))
}

impl Reader {
    fn read(&mut self, manifests: &Manifests, id: ManifestId, content: &Content<'_>, attempt: Attempt) {
        let (digest, expected) = (manifests.digest(id), manifests.is_expected(id));
        self.references.clear();
        let state = match content {
            Content::Absent => State::Absent,
            // Larger than a registry accepts as a manifest: whoever named it as one meets damage.
            Content::TooLarge(beginning) if expected => {
                scan_digests(beginning, &mut self.references);
                State::Read(Shape::Damaged)
            }
            Content::TooLarge(_) => State::Blob,
            Content::Whole(bytes) => {
                let authentic = Digest::of(digest.algorithm(), bytes) == digest;
                if !expected && !looks_like_manifest(bytes) {
                    // What a read has cut off looks like nothing, too.
                    if !authentic && attempt == Attempt::First {
                        self.doubtful.push(id);
                        return;
                    }
                    State::Blob
                } else {
                    match self.parser.parse(bytes, &mut self.references) {
                        Shape::Damaged if authentic && !expected => State::Blob,
                        // Its signatures are inside, so it is named by the digest of a part of it.
                        shape if authentic || shape == Shape::Schema1 => State::Read(shape),
                        _ if attempt == Attempt::First => {
                            self.doubtful.push(id);
                            return;
                        }
                        _ => {
                            // Whatever it may once have referred to, and as what, is not known.
                            for reference in &mut self.references {
                                reference.role = Role::Any;
                            }
                            scan_digests(bytes, &mut self.references);
                            State::Read(Shape::Damaged)
                        }
                    }
                }
            }
        };
        if state == State::Blob {
            self.references.clear();
        }
        let span = manifests.references.append(&mut self.writer, &self.references);
        let leads_to = self.references.iter().filter(|reference| may_be_manifest(reference.role)).copied().collect();
        self.found.push(Found { id, state, span, leads_to });
    }
}

const fn may_be_manifest(role: Role) -> bool {
    matches!(role, Role::Child | Role::ChildOrBlob | Role::Subject | Role::Any)
}

/// The second witness: no listing of a prefix or blob directory knows of the blobs that were not found.
fn confirm_absent(
    store: &(impl List + ?Sized),
    manifests: &Manifests,
    absent: Vec<ManifestId>,
    prefixes: &BTreeSet<(Algorithm, u8)>,
    control: &Control,
) -> Result<()> {
    let mut by_prefix: HashMap<(Algorithm, u8), Vec<Digest>> = HashMap::new();
    for digest in absent.into_iter().map(|id| manifests.digest(id)) {
        let prefix = (digest.algorithm(), digest.prefix());
        // A prefix that the tree does not list holds nothing.
        if prefixes.contains(&prefix) {
            by_prefix.entry(prefix).or_default().push(digest);
        }
    }
    let mut looked_for: Vec<((Algorithm, u8), Vec<Digest>)> = by_prefix.into_iter().collect();
    for (_, digests) in &mut looked_for {
        digests.sort_unstable();
    }
    let directories: Vec<Key> =
        looked_for.iter().map(|((algorithm, prefix), _)| layout::blob_prefix(*algorithm, *prefix)).collect();
    let listed = super::bulk::collect_listed(store, &directories, control, |index, entry, found: &mut Vec<Digest>| {
        let ((algorithm, _), digests) = &looked_for[index];
        if let Some(digest) = Digest::from_hex(*algorithm, entry.name) {
            found.extend(digests.binary_search(&digest).is_ok().then_some(digest));
        }
        Ok(())
    })?;
    // A directory without `data` is what an interrupted upload or removal leaves.
    let holders: Vec<Key> = listed.iter().flatten().map(layout::blob).collect();
    collect(store, &holders, control, |index, entry, (): &mut ()| {
        if entry.name == layout::DATA.as_bytes() {
            return Err(changed("find", &holders[index].join(layout::DATA)));
        }
        Ok(())
    })?;
    Ok(())
}
