//! Rows in: what a plan names, to be compared with what is eligible now.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::BufRead;
use std::time::SystemTime;

use super::{BLOB, LAYER_LINK, MANIFEST, REFERRER_TAG, REPOSITORY, TAG, table, unescape};
use crate::catalog::{Catalog, Target};
use crate::digest::{Algorithm, Digest};
use crate::error::Result;
use crate::mark::release::{Origin, Released, ReleasedRepository, subject_of_tag};
use crate::mark::{EligibleTag, Marks};
use crate::packed::PackedDigests;

/// What a plan names, to be compared with what is eligible now.
#[derive(Debug, Default)]
pub struct Plan {
    repositories: HashMap<Vec<u8>, PlannedRepository>,
    blobs: BTreeMap<(Algorithm, u8), PackedDigests>,
    /// How many rows there are.
    pub row_count: u64,
    /// How many tags it names.
    pub tag_count: usize,
}

#[derive(Debug, Default)]
struct PlannedRepository {
    tags: HashMap<Vec<u8>, PlannedTag>,
    revisions: BTreeSet<Digest>,
    layer_links: BTreeMap<Algorithm, PackedDigests>,
    whole: bool,
}

/// A tag as a plan names it.
#[derive(Debug)]
pub(super) struct PlannedTag {
    digest: Digest,
    written: SystemTime,
    follows: bool,
}

/// What one row names. Repositories and tags are given by their names.
#[derive(Debug)]
pub(super) enum Item {
    /// A tag of a repository.
    Tag(Vec<u8>, Vec<u8>, PlannedTag),
    /// A repository, as a whole.
    Repository(Vec<u8>),
    /// A manifest's link in a repository.
    Manifest(Vec<u8>, Digest),
    /// A layer link of a repository.
    LayerLink(Vec<u8>, Digest),
    /// A blob.
    Blob(Digest),
}

impl Item {
    /// What a row names; nothing where it is not understood.
    pub(super) fn parse(record: &csv::StringRecord) -> Option<Self> {
        let repository = unescape(record.get(1)?)?;
        let digest = || record.get(3).and_then(|digest| Digest::parse(digest.as_bytes()));
        match record.get(0)? {
            kind @ (TAG | REFERRER_TAG) => {
                let written = humantime::parse_rfc3339(record.get(5)?).ok()?;
                let tag = PlannedTag { digest: digest()?, written, follows: kind == REFERRER_TAG };
                Some(Self::Tag(repository, unescape(record.get(2)?)?, tag))
            }
            REPOSITORY => Some(Self::Repository(repository)),
            MANIFEST => Some(Self::Manifest(repository, digest()?)),
            LAYER_LINK => Some(Self::LayerLink(repository, digest()?)),
            BLOB => Some(Self::Blob(digest()?)),
            _ => None,
        }
    }

    fn repository(&self) -> Option<&[u8]> {
        match self {
            Self::Tag(name, ..) | Self::Repository(name) | Self::Manifest(name, _) | Self::LayerLink(name, _) => {
                Some(name)
            }
            Self::Blob(_) => None,
        }
    }
}

impl Plan {
    /// Reads a plan: lines that begin with `#` are its head and end, all others its rows.
    ///
    /// # Errors
    /// [`Kind::Argument`](crate::error::Kind) where a row is not understood, or the rows are not those that were written;
    /// [`Kind::Io`](crate::error::Kind) where it cannot be read.
    pub fn read(source: &mut dyn BufRead) -> Result<Self> {
        let mut plan = Self::default();
        plan.row_count = table::read(source, |record| {
            plan.add(Item::parse(record).ok_or_else(table::not_understood)?);
            Ok(())
        })?;
        plan.sort();
        Ok(plan)
    }

    /// What is eligible, as a plan would name it.
    pub(super) fn of(marks: &Marks) -> Self {
        let catalog = &marks.catalog;
        let manifests = catalog.manifests();
        let name = |repository: usize| catalog.repositories[repository].name.clone();
        let mut plan = Self::default();
        for &EligibleTag { repository, tag: index } in &marks.tags {
            let tag = catalog.repositories[repository].tags.iter().flatten().nth(index);
            let written = marks.options.released.of(repository).and_then(|released| released.written(index));
            let (Some(tag), Some(written)) = (tag, written) else { continue };
            let Target::Manifest(id) = tag.target else { continue };
            let planned = PlannedTag { digest: manifests.digest(id), written, follows: false };
            plan.add(Item::Tag(name(repository), tag.name.clone(), planned));
        }
        for &repository in &marks.whole {
            plan.add(Item::Repository(name(repository)));
        }
        for place in &marks.revisions {
            let revision = catalog.repositories[place.repository].revisions[place.revision];
            plan.add(Item::Manifest(name(place.repository), manifests.digest(revision.manifest)));
        }
        for (repository, digest) in marks.layer_links.iter() {
            plan.add(Item::LayerLink(name(repository), digest));
        }
        for (digest, _) in marks.blobs.iter() {
            plan.add(Item::Blob(digest));
        }
        plan.sort();
        plan
    }

    fn add(&mut self, item: Item) {
        match item {
            Item::Tag(repository, name, tag) => {
                self.repositories.entry(repository).or_default().tags.insert(name, tag);
                self.tag_count += 1;
            }
            Item::Repository(name) => self.repositories.entry(name).or_default().whole = true,
            Item::Manifest(repository, digest) => {
                self.repositories.entry(repository).or_default().revisions.insert(digest);
            }
            Item::LayerLink(repository, digest) => {
                let links = &mut self.repositories.entry(repository).or_default().layer_links;
                packed(links, digest.algorithm(), &digest);
            }
            Item::Blob(digest) => packed(&mut self.blobs, (digest.algorithm(), digest.prefix()), &digest),
        }
    }

    /// Whether it names this: a tag only as it was, with its time.
    pub(super) fn names(&self, item: &Item) -> bool {
        let has = |digests: Option<&PackedDigests>, digest| digests.is_some_and(|all| all.position(digest).is_some());
        let of = |repository| self.repositories.get(repository);
        match item {
            Item::Tag(repository, name, tag) => {
                let planned = of(repository).and_then(|planned| planned.tags.get(name));
                planned.is_some_and(|planned| planned.digest == tag.digest && planned.written == tag.written)
            }
            Item::Repository(repository) => of(repository).is_some_and(|planned| planned.whole),
            Item::Manifest(repository, digest) => {
                of(repository).is_some_and(|planned| planned.revisions.contains(digest))
            }
            Item::LayerLink(repository, digest) => {
                has(of(repository).and_then(|planned| planned.layer_links.get(&digest.algorithm())), digest)
            }
            Item::Blob(digest) => has(self.blobs.get(&(digest.algorithm(), digest.prefix())), digest),
        }
    }

    /// Whether this is part of a repository that it names as a whole, or that repository.
    pub(super) fn names_whole(&self, item: &Item) -> bool {
        let of = |repository| self.repositories.get(repository);
        item.repository().and_then(of).is_some_and(|planned| planned.whole)
    }

    fn sort(&mut self) {
        self.blobs.values_mut().for_each(PackedDigests::sort);
        for repository in self.repositories.values_mut() {
            repository.layer_links.values_mut().for_each(PackedDigests::sort);
        }
    }

    /// What the plan gives up of a store as it is now: tags only where they still are as they were.
    ///
    /// `times` are those of the tags' links, as [`crate::scan::tag_times`] gives them.
    pub fn released(&self, catalog: &Catalog, times: &[Vec<Option<SystemTime>>]) -> Released {
        let one = |(index, times): (usize, &Vec<Option<SystemTime>>)| {
            let planned = self.repositories.get(&catalog.repositories[index].name)?;
            Some((index, planned.released(catalog, index, times)))
        };
        times.iter().enumerate().filter_map(one).collect()
    }

    /// Takes everything out of what is eligible that the plan does not name.
    pub fn restrict(&self, marks: &mut Marks) {
        let catalog = std::sync::Arc::clone(&marks.catalog);
        let manifests = catalog.manifests();
        let of = |index: usize| self.repositories.get(&catalog.repositories[index].name);
        marks.revisions.retain(|place| {
            let id = catalog.repositories[place.repository].revisions[place.revision].manifest;
            of(place.repository).is_some_and(|planned| planned.revisions.contains(&manifests.digest(id)))
        });
        for links in &mut marks.layer_links.0 {
            let planned = of(links.repository).and_then(|planned| planned.layer_links.get(&links.digests.algorithm()));
            links.digests.retain(|_, digest| planned.is_some_and(|planned| planned.position(digest).is_some()));
        }
        marks.layer_links.0.retain(|links| !links.digests.is_empty());
        marks.blobs.retain(|digest| {
            let planned = self.blobs.get(&(digest.algorithm(), digest.prefix()));
            planned.is_some_and(|planned| planned.position(digest).is_some())
        });
    }
}

fn packed<Place: Ord>(all: &mut BTreeMap<Place, PackedDigests>, place: Place, digest: &Digest) {
    all.entry(place).or_insert_with(|| PackedDigests::new(digest.algorithm())).push(digest);
}

impl PlannedRepository {
    fn released(&self, catalog: &Catalog, index: usize, times: &[Option<SystemTime>]) -> ReleasedRepository {
        let manifests = catalog.manifests();
        let repository = &catalog.repositories[index];
        let mut released = ReleasedRepository { whole: self.whole, ..ReleasedRepository::default() };
        for (number, (tag, written)) in repository.tags.iter().flatten().zip(times).enumerate() {
            let (Some(planned), Target::Manifest(id)) = (self.tags.get(&tag.name), &tag.target) else { continue };
            if planned.digest != manifests.digest(*id) || *written != Some(planned.written) {
                continue;
            }
            let subject = subject_of_tag(&tag.name).filter(|_| planned.follows);
            if let Some(subject) = subject.and_then(|subject| manifests.find(&subject)) {
                released.following.insert(number, (subject, planned.written));
            } else {
                released.tags.insert(number, planned.written);
            }
        }
        for revision in &repository.revisions {
            if self.revisions.contains(&manifests.digest(revision.manifest)) {
                released.revisions.insert(revision.manifest, Origin::Planned);
            }
        }
        released
    }
}
