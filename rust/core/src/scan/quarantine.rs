//! What earlier runs have set aside: listed like the registry's own tree, from which it differs in that names are files.

use std::time::SystemTime;

use super::bulk::{Link, collect, collect_listed, read_links, stat_all, stat_groups};
use super::tree::{self, Place, Tree};
use crate::catalog::{Alias, Quarantine, RepositoryAside, Revision, TagAside};
use crate::digest::{Algorithm, Digest};
use crate::error::Result;
use crate::layout::{distribution as layout, quarantine};
use crate::manifests::Manifests;
use crate::packed::PackedDigests;
use crate::progress::Control;
use crate::store::{EntryKind, Group, Key, List, Read, SetsAside};

/// Finds the quarantines of a store, in the order of their runs' names.
pub(super) fn find(
    store: &(impl List + Read),
    manifests: &mut Manifests,
    control: &Control,
) -> Result<Vec<Quarantine>> {
    let runs = directories(store, &Key::new(quarantine::TOP), control)?;
    runs.into_iter().map(|run| read_run(store, run, manifests, control)).collect()
}

fn read_run(
    store: &(impl List + Read),
    run: Vec<u8>,
    manifests: &mut Manifests,
    control: &Control,
) -> Result<Quarantine> {
    let tree = quarantine::tree(&run);
    let begun = Group::split(&quarantine::run(&run), "", [quarantine::BEGUN]);
    let begun = stat_all(store, &begun, control)?.concat()[0];
    let mut found = Tree::default();
    let registry = quarantine::aside(&tree, &Key::new(layout::ANCESTORS.join("/")));
    if is_there(store, &registry, control)? {
        tree::find_below(store, &registry, &mut found, control)?;
    }
    let hidden = quarantine::run(&run).join(quarantine::HIDDEN);
    let has_times = store.nature().sets_aside == SetsAside::ByMoving || is_there(store, &hidden, control)?;
    let mut quarantine = Quarantine {
        run,
        tree,
        // Without the file nothing says what is young, so all of it counts as young and comes back.
        begun: begun.map_or(SystemTime::UNIX_EPOCH, |stat| stat.modified),
        has_times,
        prefixes: found.prefixes,
        repositories: Vec::new(),
    };
    for place in found.repositories {
        let repository = read_repository(store, &quarantine, place, manifests, control)?;
        quarantine.repositories.push(repository);
    }
    Ok(quarantine)
}

fn read_repository(
    store: &(impl List + Read),
    quarantine: &Quarantine,
    place: Place,
    manifests: &mut Manifests,
    control: &Control,
) -> Result<RepositoryAside> {
    let directory = quarantine::aside(&quarantine.tree, &Key::new(layout::REPOSITORIES).join(&place.name));
    let mut aside = RepositoryAside { name: place.name, ..RepositoryAside::default() };
    if place.has_manifests {
        let directory = directory.join(layout::MANIFESTS);
        for (key, digests) in by_algorithm(store, &directory.join(layout::REVISIONS), control)? {
            stat_groups(store, &[(key, &digests)], "", control, |_, digest, stat| {
                aside.revisions.extend(
                    stat.map(|stat| Revision { manifest: manifests.intern(&digest, true), modified: stat.modified }),
                );
            })?;
        }
        let tags = directory.join(layout::TAGS);
        for name in directories(store, &tags, control)? {
            aside.tags.push(read_tag(store, &tags, name, manifests, control)?);
        }
        for tag in directories(store, &directory.join(layout::HISTORY), control)? {
            let history = by_algorithm(store, &directory.join(layout::HISTORY).join(&tag), control)?;
            aside.history.extend(history.into_iter().map(|(_, digests)| (tag.clone(), digests)));
        }
    }
    if place.has_layers {
        for (key, digests) in by_algorithm(store, &directory.join(layout::LAYERS), control)? {
            stat_groups(store, &[(key.clone(), &digests)], "", control, |_, digest, stat| {
                let young = stat.is_some_and(|stat| quarantine.is_young(Some(stat.modified)));
                aside.young_layer_links.extend(young.then_some(digest));
            })?;
            if digests.algorithm() != Algorithm::Sha256 {
                aside.aliases.extend(read_aliases(store, &key, &digests, control)?);
            }
            aside.layer_links.push(digests);
        }
    }
    Ok(aside)
}

fn read_tag(
    store: &(impl List + Read),
    tags: &Key,
    name: Vec<u8>,
    manifests: &mut Manifests,
    control: &Control,
) -> Result<TagAside> {
    let link = Group::split(tags, layout::CURRENT_LINK, [&name]);
    let modified = stat_all(store, &link, control)?.concat()[0].map(|stat| stat.modified);
    let target = match read_links(store, &link, control)?.concat()[0] {
        Link::Digest(digest) => Some(manifests.intern(&digest, true)),
        Link::Absent | Link::Malformed => None,
    };
    Ok(TagAside { name, target, modified })
}

/// Layer links that hold another digest than their names say.
fn read_aliases(store: &impl Read, key: &Key, digests: &PackedDigests, control: &Control) -> Result<Vec<Alias>> {
    let groups = Group::split(key, "", digests.iter().map(|digest| digest.hex()));
    let links = read_links(store, &groups, control)?.into_iter().flatten();
    let aliases = digests.iter().zip(links).filter_map(|(layer, link)| match link {
        Link::Digest(target) => Some(Alias { layer: Some(layer), target }),
        Link::Absent | Link::Malformed => None,
    });
    Ok(aliases.collect())
}

/// The files `<directory>/<alg>/<hex>`, by algorithm: their directory, and their digests in order.
fn by_algorithm(store: &impl List, directory: &Key, control: &Control) -> Result<Vec<(Key, PackedDigests)>> {
    let mut found = Vec::new();
    for name in directories(store, directory, control)? {
        let Some(algorithm) = Algorithm::from_name(&name) else { continue };
        let key = directory.join(name);
        let listed =
            collect_listed(store, std::slice::from_ref(&key), control, |_, entry, digests: &mut Vec<Digest>| {
                let is_file = entry.kind == EntryKind::File;
                digests.extend(Digest::from_hex(algorithm, entry.name).filter(|_| is_file));
                Ok(())
            })?;
        let mut digests = PackedDigests::new(algorithm);
        listed.iter().flatten().for_each(|digest| digests.push(digest));
        digests.sort();
        found.push((key, digests));
    }
    Ok(found)
}

fn is_there(store: &impl List, directory: &Key, control: &Control) -> Result<bool> {
    Ok(collect(store, std::slice::from_ref(directory), control, |_, _, (): &mut ()| Ok(()))?[0].is_some())
}

/// The names of the directories in a directory, in order; none where it does not exist.
fn directories(store: &impl List, directory: &Key, control: &Control) -> Result<Vec<Vec<u8>>> {
    let listed = collect(store, std::slice::from_ref(directory), control, |_, entry, names: &mut Vec<Vec<u8>>| {
        if tree::is_directory(directory, entry, &mut Vec::new())? {
            names.push(entry.name.to_vec());
        }
        Ok(())
    })?;
    let mut names: Vec<Vec<u8>> = listed.into_iter().flatten().flatten().collect();
    names.sort();
    Ok(names)
}
