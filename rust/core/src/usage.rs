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
//! is damaged, all that it links). What just one holder reaches is unique to it, and shared otherwise. Repositories are
//! roots as in the plain mode of marking: by their links and tags, and where they are damaged by all layer links, too.
//! Tags are roots as if untagged manifests were to go: what is about an image that a tag reaches is reached by it.
//!
//! A blob that is referred to and not stored takes no room; whether a layer is foreign makes no difference. What a
//! repository or tag shares only with garbage is unique to it, for garbage keeps nothing.
//!
//! What lies in quarantines takes room of its own, and is none of the above: the registry does not have it.

mod contents;
mod start;
mod walk;

use std::collections::{BTreeSet, HashMap};

use crate::catalog::{Catalog, Target};
use crate::error::{Error, Kind, Result};
use crate::graph::{Aliases, Graph, gather};
use crate::manifests::ManifestId;
use crate::mark::{Marks, list_quarantined};
use crate::progress::Control;
use crate::scan::stat_all;
use crate::store::{Key, List};
use crate::stored::Stored;
use contents::Contents;
use start::{Loose, Start};
use walk::{Follow, Walk};

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
    /// What each quarantine holds, in the catalog's order. A blob that was uploaded again counts here and there.
    pub quarantined: Vec<Amount>,
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
    let walk = || Walk::new(manifests.len(), &graph, &blobs, &contents);

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
    let quarantined = measure_quarantines(store, catalog, control)?;
    let spared = stored.without(reached).without(garbage);
    Ok(Usage { stored, reached, garbage, spared, quarantined, repositories, tags })
}

/// Lists and looks at all blobs that are set aside.
fn measure_quarantines(store: &impl List, catalog: &Catalog, control: &Control) -> Result<Vec<Amount>> {
    let measure = |quarantine| {
        let mut amount = Amount::default();
        for digests in list_quarantined(store, quarantine, control, |_| true)? {
            let stats = stat_all(store, &quarantine.blob_groups(&digests), control)?;
            stats.into_iter().flatten().flatten().for_each(|stat| amount.add(stat.size_bytes));
        }
        Ok(amount)
    };
    catalog.quarantines.iter().map(measure).collect()
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
