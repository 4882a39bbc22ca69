//! What age has to do with it: the young protect what they reach, and a guard that compares tags and manifests.

use std::time::{Duration, SystemTime};

use super::closure::Closure;
use super::{EligibleRevision, mark_reached};
use crate::catalog::{Catalog, Revision};
use crate::digest::Digest;
use crate::error::Result;
use crate::layout::distribution as layout;
use crate::live_set::LiveSet;
use crate::manifest::MAX_SIZE;
use crate::packed::PackedDigests;
use crate::progress::Control;
use crate::scan::{self, stat_groups};
use crate::store::{Group, List, Read};

/// Every manifest whose link is young is a root; with `look_at_blobs` also one whose blob is.
pub(super) fn add_young_revisions(
    store: &impl List,
    catalog: &Catalog,
    cutoff: SystemTime,
    look_at_blobs: bool,
    closure: &mut Closure,
    control: &Control,
) -> Result<()> {
    let manifests = catalog.manifests();
    let mut old = Vec::new();
    for Revision { manifest, modified } in catalog.repositories.iter().flat_map(|repository| &repository.revisions) {
        if *modified >= cutoff {
            closure.add_root(&manifests, *manifest);
        } else if !closure.is_live(*manifest) {
            old.push(*manifests.digest(*manifest));
        }
    }
    if !look_at_blobs {
        return Ok(());
    }
    old.sort_unstable();
    old.dedup();
    let mut groups: Vec<PackedDigests> = Vec::new();
    for alike in old.chunk_by(|one, other| (one.algorithm(), one.prefix()) == (other.algorithm(), other.prefix())) {
        let mut packed = PackedDigests::new(alike[0].algorithm());
        for digest in alike {
            packed.push(digest);
        }
        groups.push(packed);
    }
    let prefix = |packed: &PackedDigests| packed.iter().next().map_or(0, |digest| digest.prefix());
    let directories: Vec<_> =
        groups.iter().map(|packed| (layout::blob_prefix(packed.algorithm(), prefix(packed)), packed)).collect();
    stat_groups(store, &directories, layout::DATA, control, |_, digest, stat| {
        if stat.is_some_and(|stat| stat.modified >= cutoff)
            && let Some(id) = manifests.find(&digest)
        {
            closure.add_root(&manifests, id);
        }
    })
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
