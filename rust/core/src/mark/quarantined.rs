//! What lies in quarantines: what of it counts, and what of it is live.
//!
//! What a run has set aside is part of no repository any more. It counts in two ways: a link that was written after
//! the run began was pushed through a handle opened before (2.8 writes links in place), so it is as good as one in
//! the registry; and a manifest that lies there can be read, so that what refers to it still reaches through it.

use std::collections::BTreeSet;

use crate::catalog::{Catalog, Quarantine};
use crate::digest::{Algorithm, Digest};
use crate::error::Result;
use crate::layout::{distribution as layout, quarantine};
use crate::live_set::{Flag, LiveSet};
use crate::manifests::ManifestId;
use crate::progress::Control;
use crate::scan::{collect, stat_all};
use crate::store::{EntryKind, Group, Key, List};

/// Calls `visit` with the manifests whose links, or tags, were written after their run began, and the repository's name.
pub(super) fn for_each_young(catalog: &Catalog, mut visit: impl FnMut(ManifestId, &[u8])) {
    for quarantine in &catalog.quarantines {
        for repository in &quarantine.repositories {
            let links = repository.revisions.iter().filter(|link| quarantine.is_young(Some(link.modified)));
            let tags = repository.tags.iter().filter(|tag| quarantine.is_young(tag.modified));
            for id in links.map(|link| link.manifest).chain(tags.filter_map(|tag| tag.target)) {
                visit(id, &repository.name);
            }
        }
    }
}

/// The blobs of layer links that were written after their run began, and the repository's name.
pub(crate) fn young_layers(catalog: &Catalog) -> impl Iterator<Item = (&[u8], Digest)> {
    let repositories = catalog.quarantines.iter().flat_map(|quarantine| &quarantine.repositories);
    repositories.flat_map(|aside| aside.young_layer_links.iter().map(|digest| (aside.name.as_slice(), *digest)))
}

/// The live blobs that are nowhere but set aside; they get the flag [`Flag::Stored`]. Takes out of `dataless` what is set
/// aside.
pub(super) fn find_live(
    store: &impl List,
    catalog: &Catalog,
    live: &LiveSet,
    dataless: &mut BTreeSet<Digest>,
    control: &Control,
) -> Result<Vec<(usize, Digest)>> {
    let mut found = Vec::new();
    for (index, quarantine) in catalog.quarantines.iter().enumerate() {
        let blobs =
            list_blobs(store, quarantine, control, |digest| live.contains(digest) || dataless.contains(digest))?;
        let mut groups = Vec::new();
        let mut members = Vec::new();
        for digests in &blobs {
            let alive: Vec<Digest> = digests.iter().copied().filter(|digest| live.contains(digest)).collect();
            for digest in digests {
                dataless.remove(digest);
            }
            for some in alive.chunks(Group::SIZE) {
                let directory = layout::blob_prefix(some[0].algorithm(), some[0].prefix());
                groups.extend(Group::split(&directory, layout::DATA, some.iter().map(Digest::hex)));
                members.push(some.to_vec());
            }
        }
        // A listing of the registry's blobs does not tell: the directory of what was set aside is still there.
        for (digest, stat) in members.into_iter().flatten().zip(stat_all(store, &groups, control)?.concat()) {
            live.view(digest.prefix()).flag(&digest, Flag::Stored);
            found.extend(stat.is_none().then_some((index, digest)));
        }
    }
    Ok(found)
}

/// The blobs of a quarantine for which `wanted` holds, by prefix in order.
pub(crate) fn list_blobs(
    store: &impl List,
    quarantine: &Quarantine,
    control: &Control,
    wanted: impl Fn(&Digest) -> bool + Sync,
) -> Result<Vec<Vec<Digest>>> {
    let prefixes: Vec<(Algorithm, u8)> = quarantine.prefixes.iter().copied().collect();
    let directories: Vec<Key> = prefixes
        .iter()
        .map(|&(algorithm, prefix)| quarantine::aside(&quarantine.tree, &layout::blob_prefix(algorithm, prefix)))
        .collect();
    let listed = collect(store, &directories, control, |index, entry, found: &mut Vec<Digest>| {
        let digest = Digest::from_hex(prefixes[index].0, entry.name);
        found.extend(digest.filter(|digest| entry.kind == EntryKind::File && wanted(digest)));
        Ok(())
    })?;
    Ok(listed
        .into_iter()
        .flatten()
        .map(|mut digests| {
            digests.sort_unstable();
            digests
        })
        .collect())
}
