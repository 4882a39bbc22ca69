//! What each repository links: revisions, tags, and the layer links that stand for another digest.

use super::bulk::{Link, changed, collect_listed, read_links, stat_all};
use super::checksums;
use super::tree::{Place, is_directory, is_fixed_directory};
use crate::catalog::{Alias, Note, Repository, Revision, Tag, Target};
use crate::digest::{Algorithm, Digest};
use crate::error::Result;
use crate::layout::distribution as layout;
use crate::manifests::Manifests;
use crate::progress::Control;
use crate::store::{Entry, EntryKind, Group, Key, List, Read};

/// A directory of one repository.
struct Owned {
    repository: usize,
    key: Key,
}

fn keys(owned: &[Owned]) -> Vec<Key> {
    owned.iter().map(|owned| owned.key.clone()).collect()
}

/// The digests that name the directories of `<…>/<alg>`, and what else is there.
#[derive(Default)]
struct Hexes {
    digests: Vec<Digest>,
    notes: Vec<Note>,
}

fn add_hex(parent: &Key, algorithm: Algorithm, entry: Entry<'_>, hexes: &mut Hexes) -> Result<()> {
    if is_directory(parent, entry, &mut hexes.notes)? {
        match Digest::from_hex(algorithm, entry.name) {
            Some(digest) => hexes.digests.push(digest),
            None => hexes.notes.push(Note { key: parent.join(entry.name), reason: "not a digest" }),
        }
    }
    Ok(())
}

/// Groups the files `<directory>/<hex>/<leaf>` of some digests of one algorithm.
fn hex_groups(directory: &Key, digests: &[Digest]) -> Vec<Group> {
    Group::split(directory, layout::LINK, digests.iter().map(Digest::hex))
}

/// Reads all links of all repositories.
pub(super) fn resolve(
    store: &(impl List + Read),
    places: &[Place],
    notes: &mut Vec<Note>,
    manifests: &mut Manifests,
    control: &Control,
) -> Result<Vec<Repository>> {
    let repository = |place: &Place| Repository {
        name: place.name.clone(),
        has_manifests: place.has_manifests,
        ..Repository::default()
    };
    let mut repositories: Vec<Repository> = places.iter().map(repository).collect();
    let below = |below: &'static str, wanted: fn(&Place) -> bool| -> Vec<Owned> {
        let wanted = places.iter().enumerate().filter(|(_, place)| wanted(place));
        wanted.map(|(repository, _)| Owned { repository, key: repositories[repository].key(below) }).collect()
    };
    let manifest_directories = below(layout::MANIFESTS, |place| place.has_manifests);
    let layer_directories = below(layout::LAYERS, |place| place.has_layers);

    let (mut revision_directories, mut tag_directories) = (Vec::new(), Vec::new());
    for (owned, (mut has_revisions, mut has_tags, odd)) in
        manifest_directories.iter().zip(list_manifest_directories(store, &manifest_directories, control)?)
    {
        notes.extend(odd);
        let own = |name| Owned { repository: owned.repository, key: owned.key.join(name) };
        revision_directories.extend(std::mem::take(&mut has_revisions).then(|| own(layout::REVISIONS)));
        tag_directories.extend(std::mem::take(&mut has_tags).then(|| own(layout::TAGS)));
    }
    add_revisions(store, &revision_directories, &mut repositories, notes, manifests, control)?;
    if !store.nature().keeps_empty_directories {
        // There, a repository whose last tag was deleted has no directory of tags.
        for repository in repositories.iter_mut().filter(|repository| repository.has_manifests) {
            repository.tags = Some(Vec::new());
        }
    }
    add_tags(store, &tag_directories, &mut repositories, notes, manifests, control)?;
    add_aliases(store, &layer_directories, &mut repositories, notes, control)?;
    Ok(repositories)
}

type ManifestDirectory = (bool, bool, Vec<Note>);

fn list_manifest_directories(
    store: &impl List,
    directories: &[Owned],
    control: &Control,
) -> Result<Vec<ManifestDirectory>> {
    collect_listed(store, &keys(directories), control, |index, entry, found: &mut ManifestDirectory| {
        let parent = &directories[index].key;
        match entry.name {
            b"revisions" => found.0 = is_fixed_directory(parent, entry)?,
            b"tags" => found.1 = is_fixed_directory(parent, entry)?,
            name => found.2.push(Note { key: parent.join(name), reason: "not part of the registry's layout" }),
        }
        Ok(())
    })
}

/// The algorithm directories below each of `directories`; `unknown` says what to do with any other directory.
fn algorithm_directories(
    store: &impl List,
    directories: &[Owned],
    notes: &mut Vec<Note>,
    control: &Control,
    mut unknown: impl FnMut(usize, Key),
) -> Result<Vec<(Owned, Algorithm)>> {
    type Names = (Vec<Vec<u8>>, Vec<Note>);
    let listed = collect_listed(store, &keys(directories), control, |index, entry, found: &mut Names| {
        if is_directory(&directories[index].key, entry, &mut found.1)? {
            found.0.push(entry.name.to_vec());
        }
        Ok(())
    })?;
    let mut known = Vec::new();
    for (owned, (mut names, odd)) in directories.iter().zip(listed) {
        notes.extend(odd);
        names.sort();
        for name in names {
            let key = owned.key.join(&name);
            match Algorithm::from_name(&name) {
                Some(algorithm) => known.push((Owned { repository: owned.repository, key }, algorithm)),
                None => unknown(owned.repository, key),
            }
        }
    }
    Ok(known)
}

fn list_hexes(
    store: &impl List,
    directories: &[(Owned, Algorithm)],
    notes: &mut Vec<Note>,
    control: &Control,
) -> Result<Vec<Vec<Digest>>> {
    let keys: Vec<Key> = directories.iter().map(|(owned, _)| owned.key.clone()).collect();
    let listed = collect_listed(store, &keys, control, |index, entry, hexes| {
        add_hex(&keys[index], directories[index].1, entry, hexes)
    })?;
    Ok(listed
        .into_iter()
        .map(|mut hexes| {
            notes.append(&mut hexes.notes);
            hexes.digests.sort_unstable();
            hexes.digests
        })
        .collect())
}

/// Directories of manifest links looked at together: their names are many in a large registry.
const PORTION: usize = 512;

fn add_revisions(
    store: &impl List,
    directories: &[Owned],
    repositories: &mut [Repository],
    notes: &mut Vec<Note>,
    manifests: &mut Manifests,
    control: &Control,
) -> Result<()> {
    let algorithms = algorithm_directories(store, directories, notes, control, |repository, key| {
        let reason = "manifests under an algorithm that regsweep does not know";
        repositories[repository].damage.push(Note { key, reason });
    })?;
    let mut unlinked = Vec::new();
    for algorithms in algorithms.chunks(PORTION) {
        let hexes = list_hexes(store, algorithms, notes, control)?;
        let mut groups = Vec::new();
        let mut owners = Vec::new();
        for ((owned, _), digests) in algorithms.iter().zip(&hexes) {
            groups.extend(hex_groups(&owned.key, digests));
            owners.extend(digests.chunks(Group::SIZE).map(|digests| (owned.repository, digests)));
        }
        let stats = stat_all(store, &groups, control)?;
        for ((group, (repository, digests)), stats) in groups.iter().zip(&owners).zip(stats) {
            for (index, (digest, stat)) in digests.iter().zip(stats).enumerate() {
                match stat {
                    Some(stat) => repositories[*repository]
                        .revisions
                        .push(Revision { manifest: manifests.intern(digest, true), modified: stat.modified }),
                    None => unlinked.push(group.directory.join(group.names.get(index))),
                }
            }
        }
    }
    confirm_absent(store, &unlinked, layout::LINK, control)
}

/// The second witness: none of the directories lists `name`.
fn confirm_absent(store: &impl List, directories: &[Key], name: &str, control: &Control) -> Result<()> {
    collect_listed(store, directories, control, |index, entry, (): &mut ()| {
        if entry.name == name.as_bytes() {
            return Err(changed("find", &directories[index].join(name)));
        }
        Ok(())
    })?;
    Ok(())
}

fn add_tags(
    store: &(impl List + Read),
    directories: &[Owned],
    repositories: &mut [Repository],
    notes: &mut Vec<Note>,
    manifests: &mut Manifests,
    control: &Control,
) -> Result<()> {
    type Names = (Vec<Vec<u8>>, Vec<Note>);
    let listed = collect_listed(store, &keys(directories), control, |index, entry, found: &mut Names| {
        if is_directory(&directories[index].key, entry, &mut found.1)? {
            found.0.push(entry.name.to_vec());
        }
        Ok(())
    })?;
    let mut groups = Vec::new();
    let mut owners = Vec::new();
    for (owned, (mut names, odd)) in directories.iter().zip(listed) {
        notes.extend(odd);
        names.sort();
        repositories[owned.repository].tags = Some(Vec::with_capacity(names.len()));
        let split = Group::split(&owned.key, layout::CURRENT_LINK, names.iter().map(Vec::as_slice));
        owners.resize(owners.len() + split.len(), owned.repository);
        groups.extend(split);
    }
    let links = if store.nature().knows_checksums {
        checksums::read_tags(store, &groups, &owners, repositories, manifests, control)?
    } else {
        read_links(store, &groups, control)?
    };
    for ((group, &repository), links) in groups.iter().zip(&owners).zip(links) {
        Control::count(&control.counters.tags, links.len());
        for (index, link) in links.into_iter().enumerate() {
            let name = group.names.get(index).to_vec();
            let place = &mut repositories[repository];
            let target = match link {
                Link::Digest(digest) => Target::Manifest(manifests.intern(&digest, true)),
                Link::Malformed => {
                    let reason = "a tag's link that is empty or holds no digest";
                    place.damage.push(Note { key: group.key(index), reason });
                    Target::Unreadable
                }
                Link::Absent => {
                    let directory = group.directory.join(&name);
                    let reason = "a tag without current/link: what it has pointed to is kept";
                    notes.push(Note { key: directory.clone(), reason });
                    Target::Missing(history(store, &directory, notes, manifests, control)?)
                }
            };
            place.tags.get_or_insert_default().push(Tag { name, target });
        }
    }
    Ok(())
}

/// What a tag without `current/link` has pointed to, once its listing agrees that the link is not there.
fn history(
    store: &impl List,
    tag: &Key,
    notes: &mut Vec<Note>,
    manifests: &mut Manifests,
    control: &Control,
) -> Result<Vec<u32>> {
    let listed = collect_listed(store, std::slice::from_ref(tag), control, |_, entry, found: &mut (bool, bool)| {
        found.0 |= entry.name == layout::CURRENT.as_bytes();
        found.1 |= entry.name == layout::HISTORY.as_bytes();
        if entry.kind == EntryKind::Directory { Ok(()) } else { is_directory(tag, entry, &mut Vec::new()).map(drop) }
    })?;
    let (has_current, has_history) = listed[0];
    if has_current {
        confirm_absent(store, &[tag.join(layout::CURRENT)], layout::LINK, control)?;
    }
    if !has_history {
        return Ok(Vec::new());
    }
    let owned = [Owned { repository: 0, key: tag.join(layout::HISTORY) }];
    let mut odd = Vec::new();
    let algorithms = algorithm_directories(store, &owned, notes, control, |_, key| {
        odd.push(Note { key, reason: "an algorithm that regsweep does not know: left alone" });
    })?;
    notes.append(&mut odd);
    let hexes = list_hexes(store, &algorithms, notes, control)?;
    Ok(hexes.iter().flatten().map(|digest| manifests.intern(digest, true)).collect())
}

/// Layer links under sha256 hold their own digest: the registry stores everything under its sha256. Under any
/// other algorithm they hold the sha256 that the blob is stored under, and have to be read.
fn add_aliases(
    store: &(impl List + Read),
    directories: &[Owned],
    repositories: &mut [Repository],
    notes: &mut Vec<Note>,
    control: &Control,
) -> Result<()> {
    let mut strange = Vec::new();
    let algorithms =
        algorithm_directories(store, directories, notes, control, |repository, key| strange.push((repository, key)))?;
    for (owned, algorithm) in &algorithms {
        repositories[owned.repository].layer_algorithms.push(*algorithm);
    }
    let aliasing: Vec<(Owned, Algorithm)> =
        algorithms.into_iter().filter(|(_, algorithm)| *algorithm != Algorithm::Sha256).collect();
    let hexes = list_hexes(store, &aliasing, notes, control)?;
    for ((owned, _), digests) in aliasing.iter().zip(&hexes) {
        let groups = hex_groups(&owned.key, digests);
        let layers: Vec<Option<Digest>> = digests.iter().copied().map(Some).collect();
        read_aliases(store, &groups, &layers, &mut repositories[owned.repository], control)?;
    }
    for (repository, key) in strange {
        notes.push(Note { key: key.clone(), reason: "layers under an algorithm that regsweep does not know: kept" });
        let mut names =
            collect_listed(store, std::slice::from_ref(&key), control, |_, entry, names: &mut Vec<Vec<u8>>| {
                names.push(entry.name.to_vec());
                Ok(())
            })?
            .concat();
        names.sort();
        let groups = Group::split(&key, layout::LINK, names.iter().map(Vec::as_slice));
        read_aliases(store, &groups, &vec![None; names.len()], &mut repositories[repository], control)?;
    }
    Ok(())
}

fn read_aliases(
    store: &(impl List + Read),
    groups: &[Group],
    layers: &[Option<Digest>],
    repository: &mut Repository,
    control: &Control,
) -> Result<()> {
    let links = read_links(store, groups, control)?;
    let keys = groups.iter().flat_map(|group| {
        (0..group.names.len()).map(|index| (group.directory.join(group.names.get(index)), group.key(index)))
    });
    let mut absent = Vec::new();
    for ((link, (holder, key)), &layer) in links.into_iter().flatten().zip(keys).zip(layers) {
        match link {
            Link::Absent => absent.push(holder),
            Link::Digest(target) => repository.aliases.push(Alias { layer, target }),
            Link::Malformed => {
                repository.damage.push(Note { key, reason: "a layer's link that is empty or holds no digest" });
            }
        }
    }
    confirm_absent(store, &absent, layout::LINK, control)
}
