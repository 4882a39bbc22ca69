//! What tags point to, told by checksums: nothing has to be read whose content is known by its MD5.
//!
//! A tag's link holds one digest, and that is nearly always one of the repository's manifests or one of the tag's own
//! history. Where the link's checksum is that of such a digest's text, it says so. Nothing else proves anything: not that
//! there is only one manifest or one entry of history, and not a checksum that is of nothing known. Those links are read.

use std::collections::HashMap;

use md5::{Digest as _, Md5};

use super::bulk::{Link, collect, read_links, stat_all};
use crate::catalog::Repository;
use crate::digest::{Algorithm, Digest};
use crate::error::Result;
use crate::layout::distribution as layout;
use crate::manifests::Manifests;
use crate::progress::Control;
use crate::store::{Group, Key, List, Read, Stat};

type Checksum = [u8; 16];

fn of_link(digest: &Digest) -> Checksum {
    Md5::digest(digest.to_string().as_bytes()).into()
}

/// As [`read_links`] for `current/link` of tags, each group in the repository of the same place in `owners`.
pub(super) fn read_tags(
    store: &(impl List + Read),
    groups: &[Group],
    owners: &[usize],
    repositories: &[Repository],
    manifests: &Manifests,
    control: &Control,
) -> Result<Vec<Vec<Link>>> {
    let stats = stat_all(store, groups, control)?;
    let mut links: Vec<Vec<Link>> = groups.iter().map(|group| vec![Link::Absent; group.names.len()]).collect();
    let mut unknown: Vec<(usize, usize)> = Vec::new();
    let mut of_repository = (usize::MAX, HashMap::new());
    for (number, (&owner, stats)) in owners.iter().zip(&stats).enumerate() {
        if of_repository.0 != owner {
            let digests = repositories[owner].revisions.iter().map(|revision| manifests.digest(revision.manifest));
            of_repository = (owner, digests.map(|digest| (of_link(&digest), digest)).collect());
        }
        for (index, stat) in stats.iter().enumerate() {
            match stat.and_then(|stat| known(&stat, &of_repository.1)) {
                Some(digest) => links[number][index] = Link::Digest(digest),
                None => unknown.push((number, index)),
            }
        }
    }
    let unknown = match_histories(store, groups, &stats, &unknown, &mut links, control)?;
    let single = |&(number, index): &(usize, usize)| {
        let group = &groups[number];
        Group {
            directory: group.directory.clone(),
            names: [group.names.get(index)].into_iter().collect(),
            leaf: group.leaf,
        }
    };
    let rest: Vec<Group> = unknown.iter().map(single).collect();
    for ((number, index), link) in unknown.into_iter().zip(read_links(store, &rest, control)?.concat()) {
        links[number][index] = link;
    }
    Ok(links)
}

/// The digest that a link of this size and checksum holds.
fn known(stat: &Stat, digests: &HashMap<Checksum, Digest>) -> Option<Digest> {
    let digest = digests.get(&stat.md5?)?;
    (digest.to_string().len() as u64 == stat.size_bytes).then_some(*digest)
}

/// Tries the histories of tags; returns those that remain unknown.
fn match_histories(
    store: &impl List,
    groups: &[Group],
    stats: &[Vec<Option<Stat>>],
    unknown: &[(usize, usize)],
    links: &mut [Vec<Link>],
    control: &Control,
) -> Result<Vec<(usize, usize)>> {
    let stat = |&(number, index): &(usize, usize)| stats[number][index].filter(|stat| stat.md5.is_some());
    let (tried, mut left): (Vec<(usize, usize)>, _) = unknown.iter().copied().partition(|place| stat(place).is_some());
    let history = |&(number, index): &(usize, usize)| {
        let group = &groups[number];
        group.directory.join(group.names.get(index)).join(layout::HISTORY)
    };
    let directories: Vec<Key> =
        tried.iter().flat_map(|place| Algorithm::ALL.map(|algorithm| history(place).join(algorithm.name()))).collect();
    let listed = collect(store, &directories, control, |index, entry, digests: &mut Vec<Digest>| {
        digests.extend(Digest::from_hex(Algorithm::ALL[index % Algorithm::ALL.len()], entry.name));
        Ok(())
    })?;
    for (place, digests) in tried.into_iter().zip(listed.chunks(Algorithm::ALL.len())) {
        let digests = digests.iter().flatten().flatten().map(|digest| (of_link(digest), *digest)).collect();
        match stat(&place).and_then(|stat| known(&stat, &digests)) {
            Some(digest) => links[place.0][place.1] = Link::Digest(digest),
            None => left.push(place),
        }
    }
    left.sort_unstable();
    Ok(left)
}
