//! How much is stored, and by whom: what each repository and each tag reaches, and what nothing else reaches.
//!
//! ```text
//! stored      every blob, its size and its number                       44 bytes each, with what follows
//! contents    of each manifest: the numbers of its blobs                4 bytes a reference
//! walk        holder by holder over what its links reach; each blob     4 bytes a blob
//!             keeps the last holder that reached it, and whether it is the only one
//! ```
//!
//! A holder is a repository (or a group of them), or a tag, or all of a repository that no tag of it reaches (of one that
//! is damaged, all that it links). What just one holder reaches is unique to it, and shared otherwise. Repositories are roots as in the plain mode of marking: by
//! their links and tags, and where they are damaged by all layer links, too. Tags are roots as if untagged manifests
//! were to go: what is about an image that a tag reaches is reached by it.
//!
//! A blob that is referred to and not stored takes no room; whether a layer is foreign makes no difference. What a
//! repository or tag shares only with garbage is unique to it, for garbage keeps nothing.

use std::collections::{BTreeSet, HashMap};

use crate::catalog::{Catalog, Target};
use crate::digest::Digest;
use crate::error::{Error, Kind, Result};
use crate::graph::{Aliases, Gathered, Graph, gather, has_edge, is_there};
use crate::manifest::{Reference, Role};
use crate::manifests::{ManifestId, Manifests, State};
use crate::mark::{Marks, list_layer_links};
use crate::progress::Control;
use crate::store::{Key, List};
use crate::stored::{BlobNumber, Stored};

/// Blobs and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// How many.
    pub blob_count: usize,
    /// Their sizes together.
    pub size_bytes: u64,
}

impl Amount {
    pub(crate) fn add(&mut self, size_bytes: u64) {
        self.blob_count += 1;
        self.size_bytes += size_bytes;
    }

    /// What is left when a part of it is taken away.
    #[must_use]
    pub const fn without(self, part: Self) -> Self {
        Self {
            blob_count: self.blob_count.saturating_sub(part.blob_count),
            size_bytes: self.size_bytes.saturating_sub(part.size_bytes),
        }
    }
}

/// What one holder reaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// Each stored blob once, manifests among them.
    pub total: Amount,
    /// What nothing else reaches.
    pub unique: Amount,
    /// How many of the blobs are manifests.
    pub manifest_count: usize,
}

/// What a repository takes, or a group of them.
#[derive(Clone, Debug)]
pub struct RepositoryUsage {
    /// The repository's name, or what the names of the group have in common.
    pub name: Vec<u8>,
    /// How many repositories there are in the group.
    pub repository_count: usize,
    /// How many tags they have.
    pub tag_count: usize,
    /// Whether one of them is damaged, so that everything it links counts.
    pub damaged: bool,
    /// What it reaches.
    pub share: Share,
}

/// What a tag takes, or all of a repository that no tag of it reaches.
#[derive(Clone, Copy, Debug)]
pub struct TagUsage {
    /// Index of the repository.
    pub repository: usize,
    /// Index of the tag in it; nothing for what is untagged.
    pub tag: Option<usize>,
    /// What it reaches.
    pub share: Share,
}

/// What everything takes.
#[derive(Clone, Debug)]
pub struct Usage {
    /// All blobs.
    pub stored: Amount,
    /// Those that a repository reaches.
    pub reached: Amount,
    /// Those that a collection in plain mode would remove.
    pub garbage: Amount,
    /// The rest, which stays although no repository reaches it: what is young or on the keep list, and what that needs.
    pub spared: Amount,
    /// By repository or group, in the catalog's order.
    pub repositories: Vec<RepositoryUsage>,
    /// By tag, in the catalog's order, a repository's untagged rest after its tags where anything of it is stored; empty
    /// where nobody asked.
    pub tags: Vec<TagUsage>,
}

/// What to measure.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request {
    /// Put repositories together by so many components of their names.
    pub depth: Option<usize>,
    /// Whether to measure tags, too.
    pub tags: bool,
}

/// Measures a store that was marked in plain mode: what only untagged manifests reach is not garbage here.
///
/// # Errors
/// [`Kind::Argument`] for marks of another mode; any failure to list or look at blobs, or to read references back.
pub fn measure(store: &impl List, marks: &Marks, request: Request, control: &Control) -> Result<Usage> {
    if marks.options.delete_untagged {
        let detail = "what repositories reach is measured by marks that keep untagged manifests";
        return Err(Error::new(Kind::Argument, "measure", &Key::root(), detail));
    }
    measure_all(store, marks, request, control)
}

/// As [`measure`], by any marks: repositories and tags reach the same by all of them.
pub(crate) fn measure_all(store: &impl List, marks: &Marks, request: Request, control: &Control) -> Result<Usage> {
    let catalog = &*marks.catalog;
    let cutoff = marks.options.cutoff(catalog.started);
    let (mut stored, mut garbage) = (Amount::default(), Amount::default());
    let blobs = Stored::read(store, catalog, control, |digest, stat| {
        stored.add(stat.size_bytes);
        // What was written since the marks were made is not in them.
        if stat.modified < cutoff && !marks.live.contains(digest) {
            garbage.add(stat.size_bytes);
        }
    })?;
    let manifests = catalog.manifests();
    let aliases = Aliases::of(catalog);
    let contents = gather(&manifests, control, |id, references, contents: &mut Contents| {
        contents.add(&manifests, &aliases, &blobs, id, references);
    })?;
    let as_blobs = contents.batches().flat_map(|batch| batch.as_blobs.iter().copied());
    let graph = Graph::new(marks, &manifests, as_blobs);
    let kept_whole = marks.kept_whole();
    let loose = Loose::find(store, marks, &manifests, &aliases, &blobs, control)?;
    let walk = || Walk::new(&manifests, &graph, &blobs, &contents);

    let mut by_repository = walk();
    let groups = group(catalog, request.depth);
    for (_, members) in &groups {
        control.check()?;
        let mut start = Start::default();
        for &index in members {
            start.add_links(catalog, index, |_| true);
            start.add_tags(catalog, index);
            start.add_loose(&loose, index);
        }
        by_repository.reach(&start, Follow::References);
    }
    let (shares, reached) = by_repository.finish();
    let repositories = groups.into_iter().zip(shares).map(|((name, members), share)| RepositoryUsage {
        name,
        repository_count: members.len(),
        tag_count: members.iter().map(|&index| catalog.repositories[index].tags.as_ref().map_or(0, Vec::len)).sum(),
        damaged: members.iter().any(|index| kept_whole.contains(index)),
        share,
    });
    let repositories = repositories.collect();
    let mut tags = Vec::new();
    if request.tags {
        tags = measure_tags(catalog, &kept_whole, &loose, walk(), control)?;
    }
    Ok(Usage { stored, reached, garbage, spared: stored.without(reached).without(garbage), repositories, tags })
}

/// Puts repositories together by the first components of their names, in the order in which groups are met.
fn group(catalog: &Catalog, depth: Option<usize>) -> Vec<(Vec<u8>, Vec<usize>)> {
    let mut groups: Vec<(Vec<u8>, Vec<usize>)> = Vec::new();
    let mut places: HashMap<&[u8], usize> = HashMap::new();
    for (index, repository) in catalog.repositories.iter().enumerate() {
        let slashes = repository.name.iter().enumerate().filter(|&(_, &byte)| byte == b'/');
        let end = depth.and_then(|depth| slashes.map(|(end, _)| end).nth(depth.saturating_sub(1)));
        let name = &repository.name[..end.unwrap_or(repository.name.len())];
        let place = *places.entry(name).or_insert_with(|| {
            groups.push((name.to_vec(), Vec::new()));
            groups.len() - 1
        });
        groups[place].1.push(index);
    }
    groups
}

/// A row of the answer, before all holders are known.
struct Row {
    repository: usize,
    tag: Option<usize>,
    /// Who reaches what the tag does; nobody where it leads nowhere.
    holder: Option<usize>,
    /// Whether another tag here points to the same manifest, so that neither has anything for itself.
    twice: bool,
}

fn measure_tags(
    catalog: &Catalog,
    kept_whole: &BTreeSet<usize>,
    loose: &Loose,
    mut walk: Walk<'_>,
    control: &Control,
) -> Result<Vec<TagUsage>> {
    let mut rows: Vec<Row> = Vec::with_capacity(catalog.tag_count());
    for (index, repository) in catalog.repositories.iter().enumerate() {
        control.check()?;
        let first_holder = walk.shares.len();
        let mut first_rows: HashMap<ManifestId, usize> = HashMap::new();
        for (number, tag) in repository.tags.iter().flatten().enumerate() {
            let mut row = Row { repository: index, tag: Some(number), holder: None, twice: false };
            match &tag.target {
                Target::Manifest(id) => {
                    let first = *first_rows.entry(*id).or_insert(rows.len());
                    if let Some(first) = rows.get_mut(first) {
                        first.twice = true;
                        (row.holder, row.twice) = (first.holder, true);
                    } else {
                        row.holder = Some(walk.reach(&Start::of(&[*id]), Follow::Referrers));
                    }
                }
                Target::Missing(history) => row.holder = Some(walk.reach(&Start::of(history), Follow::Referrers)),
                Target::Unreadable => {}
            }
            rows.push(row);
        }
        let mut rest = Start::default();
        // What a damaged repository links stays, whether a tag reaches it or not.
        let is_whole = kept_whole.contains(&index);
        rest.add_links(catalog, index, |id| is_whole || !walk.was_reached_since(first_holder, id));
        rest.add_loose(loose, index);
        let holder = walk.reach(&rest, Follow::Referrers);
        if walk.shares[holder].total.blob_count > 0 {
            rows.push(Row { repository: index, tag: None, holder: Some(holder), twice: false });
        }
    }
    let (shares, _) = walk.finish();
    let answer = |Row { repository, tag, holder, twice }: Row| {
        let mut share = holder.map_or_else(Share::default, |holder| shares[holder]);
        if twice {
            share.unique = Amount::default();
        }
        TagUsage { repository, tag, share }
    };
    Ok(rows.into_iter().map(answer).collect())
}

/// Of a batch of manifests: which stored blobs each is and names as config or layer.
#[derive(Default)]
struct Contents {
    blobs: Vec<BlobNumber>,
    /// Where each manifest's end.
    ends: Vec<u32>,
    as_blobs: Vec<(ManifestId, ManifestId)>,
}

impl Contents {
    fn add(
        &mut self,
        manifests: &Manifests,
        aliases: &Aliases,
        blobs: &Stored,
        id: ManifestId,
        references: &[Reference],
    ) {
        let digest = manifests.digest(id);
        if is_there(manifests, id) {
            self.blobs.extend(blobs.number(digest));
            aliases.for_each_target(digest, |target| self.add_blob(manifests, blobs, id, target));
        }
        for reference in references {
            if !has_edge(reference.role) {
                self.add_blob(manifests, blobs, id, &reference.digest);
            }
            if reference.role != Role::Subject {
                aliases.for_each_target(&reference.digest, |target| self.add_blob(manifests, blobs, id, target));
            }
        }
        self.ends.push(u32::try_from(self.blobs.len()).expect("a batch of manifests names fewer blobs than numbers"));
    }

    fn add_blob(&mut self, manifests: &Manifests, blobs: &Stored, id: ManifestId, digest: &Digest) {
        self.blobs.extend(blobs.number(digest));
        self.as_blobs.extend(manifests.find(digest).map(|other| (id, other)));
    }

    fn of(contents: &Gathered<Self>, id: ManifestId) -> &[BlobNumber] {
        let (batch, index) = contents.batch_of(id);
        let start = if index == 0 { 0 } else { batch.ends[index - 1] };
        &batch.blobs[start as usize..batch.ends[index] as usize]
    }
}

/// What repositories keep by layer links alone: all of it where they are damaged, and what lies under an algorithm that
/// regsweep does not know. By the index of the repository.
struct Loose(HashMap<usize, Start>);

impl Loose {
    fn find(
        store: &impl List,
        marks: &Marks,
        manifests: &Manifests,
        aliases: &Aliases,
        blobs: &Stored,
        control: &Control,
    ) -> Result<Self> {
        let catalog = &*marks.catalog;
        let links = list_layer_links(store, catalog, &marks.kept_whole(), control)?;
        let unknown = catalog.repositories.iter().enumerate().flat_map(|(index, repository)| {
            let unknown = repository.aliases.iter().filter(|alias| alias.layer.is_none());
            unknown.map(move |alias| (index, alias.target))
        });
        let mut found: HashMap<usize, Start> = HashMap::new();
        for (index, digest) in links.iter().chain(unknown) {
            let start = found.entry(index).or_default();
            let mut add = |digest: &Digest| {
                start.blobs.extend(blobs.number(digest));
                start.manifests.extend(manifests.find(digest));
            };
            add(&digest);
            aliases.for_each_target(&digest, add);
        }
        Ok(Self(found))
    }
}

/// Where a holder begins.
#[derive(Default)]
struct Start {
    manifests: Vec<ManifestId>,
    blobs: Vec<BlobNumber>,
}

impl Start {
    fn of(manifests: &[ManifestId]) -> Self {
        Self { manifests: manifests.to_vec(), blobs: Vec::new() }
    }

    fn add_links(&mut self, catalog: &Catalog, repository: usize, wanted: impl Fn(ManifestId) -> bool) {
        let linked = catalog.repositories[repository].revisions.iter().map(|revision| revision.manifest);
        self.manifests.extend(linked.filter(|&id| wanted(id)));
    }

    fn add_tags(&mut self, catalog: &Catalog, repository: usize) {
        for tag in catalog.repositories[repository].tags.iter().flatten() {
            match &tag.target {
                Target::Manifest(id) => self.manifests.push(*id),
                Target::Missing(history) => self.manifests.extend(history),
                Target::Unreadable => {}
            }
        }
    }

    fn add_loose(&mut self, loose: &Loose, repository: usize) {
        if let Some(start) = loose.0.get(&repository) {
            self.manifests.extend(&start.manifests);
            self.blobs.extend(&start.blobs);
        }
    }
}

/// What leads on from a manifest.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Follow {
    /// What it refers to. All that repositories need, for they link the artifacts themselves.
    References,
    /// The artifacts that are about it as well.
    Referrers,
}

const NOBODY: u32 = u32::MAX;
/// Set in what a blob keeps of its last holder, once there was another.
const SHARED: u32 = 1 << 31;

/// Goes from holder to holder.
struct Walk<'a> {
    manifests: &'a Manifests,
    graph: &'a Graph<'a>,
    blobs: &'a Stored,
    contents: &'a Gathered<Contents>,
    /// Of each manifest: the last holder that reached it.
    reached: Vec<u32>,
    /// Of each blob: the last holder that reached it, and whether there was another.
    holders: Vec<u32>,
    open: Vec<ManifestId>,
    shares: Vec<Share>,
}

impl<'a> Walk<'a> {
    fn new(
        manifests: &'a Manifests,
        graph: &'a Graph<'a>,
        blobs: &'a Stored,
        contents: &'a Gathered<Contents>,
    ) -> Self {
        Self {
            manifests,
            graph,
            blobs,
            contents,
            reached: vec![NOBODY; manifests.len()],
            holders: vec![NOBODY; blobs.len()],
            open: Vec::new(),
            shares: Vec::new(),
        }
    }

    /// Whether one of the holders from a number on has reached a manifest.
    fn was_reached_since(&self, first: usize, id: ManifestId) -> bool {
        self.reached[id as usize] != NOBODY && self.reached[id as usize] as usize >= first
    }

    /// Goes over all that a new holder reaches, and gives back its number.
    fn reach(&mut self, start: &Start, follow: Follow) -> usize {
        let holder = u32::try_from(self.shares.len()).ok().filter(|&holder| holder < SHARED - 1);
        let holder = holder.expect("fewer holders than numbers");
        let mut share = Share::default();
        for &blob in &start.blobs {
            self.hold(blob, holder, &mut share);
        }
        self.open.extend(&start.manifests);
        while let Some(id) = self.open.pop() {
            if std::mem::replace(&mut self.reached[id as usize], holder) == holder {
                continue;
            }
            share.manifest_count += usize::from(matches!(self.manifests.state(id), State::Read(_)));
            for &blob in Contents::of(self.contents, id) {
                self.hold(blob, holder, &mut share);
            }
            self.open.extend(self.graph.references(id));
            if follow == Follow::Referrers {
                self.open.extend(self.graph.referrers(id));
            }
        }
        self.shares.push(share);
        holder as usize
    }

    fn hold(&mut self, blob: BlobNumber, holder: u32, share: &mut Share) {
        let last = &mut self.holders[blob as usize];
        *last = match *last {
            NOBODY => holder,
            last if last & !SHARED == holder => return,
            _ => holder | SHARED,
        };
        share.total.add(self.blobs.size_bytes(blob));
    }

    /// What each holder has, and what all of them have.
    fn finish(mut self) -> (Vec<Share>, Amount) {
        let mut all = Amount::default();
        for (number, &holder) in (0..).zip(&self.holders) {
            if holder != NOBODY {
                let size_bytes = self.blobs.size_bytes(number);
                all.add(size_bytes);
                if holder & SHARED == 0 {
                    self.shares[holder as usize].unique.add(size_bytes);
                }
            }
        }
        (self.shares, all)
    }
}
