//! Marking: from a catalog to what is live, and from that to what is eligible for removal.
//!
//! ```text
//! roots      tags, revisions (all, or the young ones), keep list    ─┐
//! damage     what cannot be understood keeps what its repositories link ─┤ numbers of manifests
//! closure    children, subjects, referrers, transitively            ─┘
//! leaves     configs and layers of live manifests                   ─┐
//! links      aliases, young layer links                             ─┤ digests, in the live set
//! candidates blobs and links that nothing above reached             ─┘
//! ```
//!
//! Liveness is global and by digest. Nothing here can remove anything: it takes stores that list and read.

pub mod broken;
mod closure;
mod damage;
mod layers;
mod quarantined;
pub mod release;
mod roots;
mod young;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::candidates::{self, Blobs};
use crate::catalog::{Catalog, Note, Target};
use crate::digest::{Algorithm, Digest};
use crate::error::{Error, Kind, Result};
use crate::layout::distribution as layout;
use crate::live_set::{Batch, LiveSet};
use crate::manifests::{ManifestId, Manifests, State};
use crate::parallel::{cores, for_each};
use crate::progress::Control;
use crate::scan;
use crate::store::{Key, List, Read};
use broken::BrokenImage;

pub(crate) use closure::Closure;
pub use damage::Damage;
pub use layers::LayerLinks;
pub(crate) use layers::list_all as list_layer_links;
pub(crate) use quarantined::{list_blobs as list_quarantined, young_layers as young_layers_aside};
pub use release::Released;
pub(crate) use roots::for_each as for_each_root;
pub use roots::{Root, RootKind};

/// Something that is live because the operator says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keep {
    /// A digest, stored here or not.
    Digest(Digest),
    /// A tag of a repository; it must exist.
    Tag {
        /// The repository's name.
        repository: Vec<u8>,
        /// The tag.
        tag: Vec<u8>,
    },
}

impl Keep {
    /// A keep-list entry from its text: a digest, or `repository:tag`.
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(digest) = text.parse() {
            return Some(Self::Digest(digest));
        }
        let (repository, tag) = text.rsplit_once(':')?;
        let plausible = !repository.is_empty() && !tag.is_empty() && !tag.contains('/');
        plausible.then(|| Self::Tag { repository: repository.into(), tag: tag.into() })
    }
}

/// How to mark.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Only tags are roots; otherwise every manifest link is one.
    pub delete_untagged: bool,
    /// Nothing younger at the time of the scan is eligible, nor what it needs. Zero still spares what is written
    /// while the run goes on.
    pub min_age: Duration,
    /// What is live in any case.
    pub keep: Vec<Keep>,
    /// Repositories whose damage keeps no more than what can be read of it.
    pub accept_damage: BTreeSet<Vec<u8>>,
    /// Instead of the minimum age: what was written at this moment or later is too young. A plan carries it.
    pub cutoff: Option<SystemTime>,
    /// Tags and manifest links that are no roots, although everything else of their kind is.
    pub released: Released,
    /// Whether to note when eligible blobs were written, which takes eight bytes each.
    pub with_times: bool,
}

impl Options {
    /// Files written at this moment or later are too young to touch.
    pub fn cutoff(&self, started: SystemTime) -> SystemTime {
        self.cutoff.unwrap_or_else(|| started.checked_sub(self.min_age).unwrap_or(SystemTime::UNIX_EPOCH))
    }

    /// Whether manifest links are removed for any other reason than that their manifest is gone.
    fn gives_up_manifests(&self) -> bool {
        self.delete_untagged || !self.released.is_empty()
    }
}

/// A tag that is to go, by its place in the catalog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EligibleTag {
    /// Index of the repository.
    pub repository: usize,
    /// Index of the tag in it.
    pub tag: usize,
}

/// A manifest link that nothing keeps, by its place in the catalog.
#[derive(Clone, Copy, Debug)]
pub struct EligibleRevision {
    /// Index of the repository.
    pub repository: usize,
    /// Index of the revision in it.
    pub revision: usize,
}

/// What is live and what is not.
#[derive(Debug)]
pub struct Marks {
    /// What was marked.
    pub catalog: Arc<Catalog>,
    /// How.
    pub options: Options,
    /// Every live digest.
    pub live: LiveSet,
    /// How many there are.
    pub marked_count: usize,
    /// The eligible blobs.
    pub blobs: Blobs,
    /// The tags that are to go, in order.
    pub tags: Vec<EligibleTag>,
    /// The repositories that go as a whole, by index.
    pub whole: BTreeSet<usize>,
    /// The eligible manifest links, in order.
    pub revisions: Vec<EligibleRevision>,
    /// The eligible layer links.
    pub layer_links: LayerLinks,
    /// What could not be understood.
    pub damaged: Vec<Damage>,
    /// Which images miss something.
    pub broken: Vec<BrokenImage>,
    /// What else was odd, in marking and in the scan.
    pub notes: Vec<Note>,
    /// How many eligible manifest links are more than a day younger than any tag of the registry.
    pub newer_than_tags: usize,
    /// Blobs that only their age keeps, and young manifests that only theirs makes roots.
    pub(crate) young_blobs: Vec<Digest>,
    /// Layer links, by index of the repository, that keep what nothing else does because they are young.
    pub(crate) young_layer_links: Vec<(usize, Digest)>,
    /// Live blobs that lie in a quarantine only, by the index of that: what a confirmation brings back.
    pub quarantined: Vec<(usize, Digest)>,
    closure: Closure,
}

impl Marks {
    /// Whether a manifest was marked for its own sake: by a tag, a link, its age or the keep list.
    pub(crate) fn is_root(&self, id: ManifestId) -> bool {
        self.closure.is_root(id)
    }

    /// Whether a manifest is live.
    pub(crate) fn is_live(&self, id: ManifestId) -> bool {
        self.closure.is_live(id)
    }

    /// The linked artifacts that are about a manifest: live if it is.
    pub(crate) fn referrers(&self, id: ManifestId) -> &[ManifestId] {
        self.closure.referrers(id)
    }

    /// The repositories of which everything stays, because something in them could not be understood.
    pub(crate) fn kept_whole(&self) -> BTreeSet<usize> {
        damage::kept_whole(&self.damaged)
    }

    /// Marks manifests, and all that they reach, after the fact: links to them could not be removed.
    ///
    /// # Errors
    /// When references cannot be read back.
    pub(crate) fn keep_reachable(&mut self, ids: impl IntoIterator<Item = ManifestId>) -> Result<()> {
        let manifests = self.catalog.manifests();
        for id in ids {
            self.closure.add_root(&manifests, id);
        }
        mark_reached(&self.catalog, &manifests, &mut self.closure, &self.live, &Control::default())
    }

    /// Keeps eligible blobs that turn out to be younger than was known, as those that are young from the beginning: with
    /// all that they reach, and the links to it.
    ///
    /// # Errors
    /// When one cannot be read, or references cannot be read back.
    pub(crate) fn keep_young(
        &mut self,
        store: &(impl List + Read),
        young: &[(Digest, u64)],
        control: &Control,
    ) -> Result<()> {
        if young.is_empty() {
            return Ok(());
        }
        for (digest, _) in young {
            self.live.insert(digest);
        }
        young::keep_reachable_from(store, &self.catalog, young, &mut self.closure, &self.live, control)?;
        self.blobs.spare_live(&self.live);
        let (repositories, closure, whole) = (&self.catalog.repositories, &self.closure, &self.whole);
        self.revisions.retain(|place| {
            let manifest = repositories[place.repository].revisions[place.revision].manifest;
            whole.contains(&place.repository) || !closure.is_live(manifest)
        });
        Ok(())
    }

    /// Repository and digest of every eligible manifest link, in order.
    pub fn eligible_manifests(&self) -> impl Iterator<Item = (String, Digest)> {
        let manifests = self.catalog.manifests();
        self.revisions.iter().map(move |place| {
            let repository = &self.catalog.repositories[place.repository];
            (repository.display_name(), manifests.digest(repository.revisions[place.revision].manifest))
        })
    }

    /// What a layer stands for that was marked after the fact is live, too.
    pub(crate) fn keep_aliases(&self) {
        mark_aliases(&self.catalog, &self.live);
    }

    /// The directory of a repository's layer links under one algorithm.
    pub(crate) fn layer_directory(&self, repository: usize, algorithm: Algorithm) -> Key {
        layers::directory(&self.catalog, repository, algorithm)
    }
}

/// Marks a catalog and finds what is eligible for removal.
///
/// # Errors
/// Any failure to list or read; a keep-list tag that the store does not have.
pub fn mark(
    store: &(impl List + Read),
    catalog: Arc<Catalog>,
    mut options: Options,
    control: &Control,
) -> Result<Marks> {
    let kept = resolve_keep(&catalog, &options.keep)?;
    let kept_ids: Vec<ManifestId> = catalog.grow(|manifests| {
        let ids = kept.iter().map(|digest| manifests.intern(digest, false)).collect();
        scan::load(store, manifests, &catalog.prefixes, &catalog.quarantines, control).map(|()| ids)
    })?;
    let cutoff = options.cutoff(catalog.started);
    let mut notes = catalog.notes.clone();
    let manifests = catalog.manifests();
    let damage = damage::find(&catalog, &options.accept_damage);
    // What is damaged keeps its tags, too.
    options.released.spare(&damage.kept_whole);
    let mut closure = Closure::new(&catalog, &manifests, &options.released);
    for id in kept_ids {
        closure.add_root(&manifests, id);
    }
    roots::for_each(&catalog, &options, &damage.kept_whole, |id, _| closure.add_root(&manifests, id));
    roots::note_untold(&catalog, &options, &mut notes);
    let mut young_blobs = Vec::new();
    // Without a minimum age the link's time is enough, which the scan has seen: it is written after the blob.
    let look_at_blobs = !options.min_age.is_zero() || options.cutoff.is_some();
    if options.gives_up_manifests() && look_at_blobs {
        young_blobs = young::add_young_manifests(store, &catalog, cutoff, &mut closure, control)?;
    }

    let live = LiveSet::default();
    for digest in &kept {
        live.insert(digest);
    }
    layers::keep_all(store, &catalog, &damage.kept_whole, &live, control)?;
    for (_, digest) in quarantined::young_layers(&catalog) {
        live.insert(&digest);
    }
    mark_reached(&catalog, &manifests, &mut closure, &live, control)?;
    let reached = live.len();
    let whole = options.released.whole(&catalog, cutoff, &kept, |id| closure.is_live(id));
    let mut young_layer_links = Vec::new();
    let layer_links = layers::find(store, &catalog, cutoff, &live, &whole, &mut young_layer_links, control)?;
    if live.len() > reached {
        mark_reached(&catalog, &manifests, &mut closure, &live, control)?;
    }
    let layer_links = layer_links.without_live(&live);
    drop(manifests);
    let reported = store.nature().reported.is_some();
    // By its time it is seen whether a blob is still the one that a report has told of.
    let wanted = candidates::Wanted { cutoff, with_times: options.with_times || reported };
    let candidates::Found { mut blobs, young, mut dataless } =
        candidates::find(store, &catalog, &live, wanted, &mut notes, control)?;
    let layer_links = if young.is_empty() {
        layer_links
    } else {
        young::keep_reachable_from(store, &catalog, &young, &mut closure, &live, control)?;
        blobs.spare_live(&live);
        layer_links.without_live(&live)
    };
    young_blobs.extend(young.iter().map(|(digest, _)| *digest));

    let manifests = catalog.manifests();
    let revisions = eligible_revisions(&catalog, &closure, &whole, &mut notes);
    let newer_than_tags = young::count_newer_than_tags(store, &catalog, &revisions, control)?;
    let quarantined = quarantined::find_live(store, &catalog, &live, &mut dataless, control)?;
    let reason = "a blob's directory without data";
    notes.extend(dataless.iter().map(|digest| Note { key: layout::blob(digest), reason }));
    let tags = options.released.tags(|id| closure.is_live(id));
    if reported {
        broken::look_for_untold(store, &catalog, &manifests, &closure, &live, control)?;
    }
    let broken = broken::find(&catalog, &manifests, &closure, &live)?;
    drop(manifests);
    notes.sort();
    Ok(Marks {
        marked_count: live.len(),
        options,
        live,
        blobs,
        tags,
        whole,
        revisions,
        layer_links,
        damaged: damage.found,
        broken,
        notes,
        newer_than_tags,
        young_blobs,
        young_layer_links,
        quarantined,
        closure,
        catalog,
    })
}

/// The digests that a keep list names.
pub(crate) fn resolve_keep(catalog: &Catalog, keep: &[Keep]) -> Result<Vec<Digest>> {
    let tags: HashMap<&[u8], usize> =
        catalog.repositories.iter().enumerate().map(|(index, repository)| (&*repository.name, index)).collect();
    let manifests = catalog.manifests();
    let resolve = |entry: &Keep| match entry {
        Keep::Digest(digest) => Ok(*digest),
        Keep::Tag { repository, tag } => {
            let unknown = || {
                let key = Key::new(repository).join(tag);
                Error::new(Kind::Argument, "keep", &key, "the store has no such tag: keep it by its digest")
            };
            let place = &catalog.repositories[*tags.get(&**repository).ok_or_else(unknown)?];
            let found = place.tags.iter().flatten().find(|other| other.name == *tag);
            match found.map(|tag| &tag.target) {
                Some(Target::Manifest(id)) => Ok(manifests.digest(*id)),
                _ => Err(unknown()),
            }
        }
    };
    keep.iter().map(resolve).collect()
}

/// Brings the live set up to the closure, and the closure up to the live set, until neither grows.
fn mark_reached(
    catalog: &Catalog,
    manifests: &Manifests,
    closure: &mut Closure,
    live: &LiveSet,
    control: &Control,
) -> Result<()> {
    loop {
        mark_leaves(manifests, closure, live, control)?;
        mark_aliases(catalog, live);
        if !closure.add_referred(manifests, live) {
            return Ok(());
        }
    }
}

/// Puts every live manifest and all that it refers to into the live set.
fn mark_leaves(manifests: &Manifests, closure: &Closure, live: &LiveSet, control: &Control) -> Result<()> {
    const BATCH: usize = 1024;
    let count = manifests.len();
    for_each(cores(), count.div_ceil(BATCH), control, |index, (found, buffer): &mut (Batch, Vec<u8>)| {
        let ids = manifests.ids().skip(index * BATCH).take(BATCH);
        for id in ids.filter(|&id| closure.is_live(id)) {
            if !matches!(manifests.state(id), State::Absent | State::Unread) {
                found.push(&manifests.digest(id));
            }
            manifests.references.for_each(manifests.span(id), buffer, |reference| {
                // A subject that is stored is live as a manifest of its own; one that is not is no blob.
                if reference.role != crate::manifest::Role::Subject {
                    found.push(&reference.digest);
                }
            })?;
        }
        live.insert_batch(found);
        Ok(())
    })
}

/// What a live layer's link stands for is live, too.
fn mark_aliases(catalog: &Catalog, live: &LiveSet) {
    loop {
        let mut grown = false;
        for alias in catalog.aliases() {
            if alias.layer.is_none_or(|layer| live.contains(&layer)) {
                grown |= live.insert(&alias.target);
            }
        }
        if !grown {
            break;
        }
    }
}

fn eligible_revisions(
    catalog: &Catalog,
    closure: &Closure,
    whole: &BTreeSet<usize>,
    notes: &mut Vec<Note>,
) -> Vec<EligibleRevision> {
    let manifests = catalog.manifests();
    let mut eligible = Vec::new();
    for (repository_index, repository) in catalog.repositories.iter().enumerate() {
        for (index, revision) in repository.revisions.iter().enumerate() {
            if manifests.state(revision.manifest) == State::Absent {
                let key = repository.key("_manifests").join(manifests.digest(revision.manifest).to_string());
                notes.push(Note { key, reason: "a manifest link whose manifest is gone" });
            }
            if !closure.is_live(revision.manifest) || whole.contains(&repository_index) {
                eligible.push(EligibleRevision { repository: repository_index, revision: index });
            }
        }
    }
    eligible
}
