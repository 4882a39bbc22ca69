//! What age has to do with it: the young protect what they reach, and a guard that compares tags and manifests.

use std::time::{Duration, SystemTime};

use super::closure::Closure;
use super::{EligibleRevision, mark_reached};
use crate::catalog::Catalog;
use crate::digest::Digest;
use crate::error::Result;
use crate::layout::distribution as layout;
use crate::live_set::LiveSet;
use crate::manifest::MAX_SIZE;
use crate::progress::Control;
use crate::scan::{self, stat_blobs_as_told};
use crate::store::{Group, List, Read};

/// Every linked manifest whose blob is young is a root. Returns those that nothing else had made live.
pub(super) fn add_young_manifests(
    store: &impl List,
    catalog: &Catalog,
    cutoff: SystemTime,
    closure: &mut Closure,
    control: &Control,
) -> Result<Vec<Digest>> {
    let manifests = catalog.manifests();
    let linked = catalog.repositories.iter().flat_map(|repository| &repository.revisions);
    let dead = linked.filter(|revision| !closure.is_live(revision.manifest));
    let dead: Vec<Digest> = dead.map(|revision| manifests.digest(revision.manifest)).collect();
    let mut young = Vec::new();
    // A report will do: what was pushed since has a link that says so, and is looked at again before it goes.
    stat_blobs_as_told(store, dead, control, |digest, stat| {
        if stat.is_some_and(|stat| stat.modified >= cutoff)
            && let Some(id) = manifests.find(&digest)
        {
            closure.add_root(&manifests, id);
            young.push(digest);
        }
    })?;
    Ok(young)
}

/// A young blob may be a manifest whose link is just being written: what it would reach stays, too.
pub(super) fn keep_reachable_from(
    store: &(impl List + Read),
    catalog: &Catalog,
    young: &[(Digest, u64)],
    closure: &mut Closure,
    live: &LiveSet,
    control: &Control,
) -> Result<()> {
    let ids = catalog.grow(|manifests| {
        let small = young.iter().filter(|(_, size)| usize::try_from(*size).is_ok_and(|size| size <= MAX_SIZE));
        let ids: Vec<_> = small.map(|(digest, _)| manifests.intern(digest, false)).collect();
        scan::load(store, manifests, &catalog.prefixes, &catalog.quarantines, control).map(|()| ids)
    })?;
    let manifests = catalog.manifests();
    for id in ids {
        closure.add_root(&manifests, id);
    }
    mark_reached(catalog, &manifests, closure, live, control)
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How many eligible manifest links are more than a day younger than the youngest tag link of the registry.
///
/// Three or more look like a registry whose tags are not in its storage (Harbor, since the end of 2025). Only then
/// are tags looked at one by one, and only until one of them is young enough to dispel that: the answer is exact
/// from three up, and otherwise 0.
pub(super) fn count_newer_than_tags(
    store: &impl List,
    catalog: &Catalog,
    eligible: &[EligibleRevision],
    control: &Control,
) -> Result<usize> {
    let mut times: Vec<SystemTime> = eligible
        .iter()
        .map(|place| catalog.repositories[place.repository].revisions[place.revision].modified)
        .collect();
    times.sort_unstable();
    let Some(third) = times.len().checked_sub(3).map(|index| times[index]) else { return Ok(0) };
    let mut newest = None;
    for repository in &catalog.repositories {
        let directory = repository.key(layout::MANIFESTS).join(layout::TAGS);
        let names = repository.tags.iter().flatten().map(|tag| tag.name.as_slice());
        for group in Group::split(&directory, layout::CURRENT_LINK, names) {
            let times = scan::stat_all(store, &[group], control)?.into_iter().flatten().flatten();
            newest = newest.max(times.map(|stat| stat.modified).max());
            if newest.is_some_and(|newest| newest + DAY >= third) {
                return Ok(0);
            }
        }
    }
    Ok(times.iter().filter(|&&time| newest.is_none_or(|newest| newest + DAY < time)).count())
}
