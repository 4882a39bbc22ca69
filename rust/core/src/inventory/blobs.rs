//! Every stored blob, looked at.

use std::collections::{BTreeMap, BTreeSet};

use crate::candidates::{PrefixBlobs, blob_of};
use crate::catalog::{Catalog, Note};
use crate::digest::{Algorithm, Digest};
use crate::error::{Error, Kind, Result};
use crate::layout::distribution as layout;
use crate::packed::PackedDigests;
use crate::progress::Control;
use crate::scan::{collect, collect_listed, look_at_groups, stat_all};
use crate::store::{Group, Key, List, Stat};

/// What a look at a blob gave.
enum Look {
    Stored(Stat),
    Absent,
    Failed(Error),
}

/// Makes sure that blobs are listed as they are now, for whoever has to know all of them.
pub(crate) fn refuse_report(store: &impl List, operation: &'static str) -> Result<()> {
    if store.nature().reported.is_none() {
        return Ok(());
    }
    let detail = "an inventory report tells what may be removed, and not what is stored: open the store without it";
    Err(Error::new(Kind::Argument, operation, &Key::root(), detail))
}

/// Lists all blobs, and looks at each. Those that cannot be looked at come by themselves.
pub(super) fn list(
    store: &impl List,
    catalog: &Catalog,
    notes: &mut Vec<Note>,
    control: &Control,
) -> Result<(Vec<PrefixBlobs>, BTreeMap<Digest, Error>)> {
    let places = list_digests(store, catalog, notes, control)?;
    let mut sizes: Vec<(Vec<u64>, Vec<i64>)> = vec![<_>::default(); places.len()];
    let mut unreadable = BTreeMap::new();
    let mut absent: Vec<(usize, usize, Digest)> = Vec::new();
    let groups: Vec<(Key, &PackedDigests)> = places.iter().map(|(_, key, digests)| (key.clone(), digests)).collect();
    look_at_groups(
        &groups,
        layout::DATA,
        |groups| look(store, groups, control),
        |place, digest, look| {
            let (sizes_bytes, modified) = &mut sizes[place];
            let stat = match look {
                Look::Stored(stat) => Some(stat),
                Look::Absent => {
                    absent.push((place, sizes_bytes.len(), digest));
                    None
                }
                Look::Failed(error) => {
                    unreadable.insert(digest, error);
                    None
                }
            };
            sizes_bytes.push(stat.map_or(0, |stat| stat.size_bytes));
            modified.push(stat.map_or(0, |stat| stat.modified_seconds()));
            Control::count(&control.counters.blobs, 1);
        },
    )?;
    drop(groups);
    let mut left_out: BTreeSet<Digest> = unreadable.keys().copied().collect();
    for (place, index, digest) in absent {
        match second_look(store, &digest, control)? {
            SecondLook::Stored(stat) => {
                sizes[place].0[index] = stat.size_bytes;
                sizes[place].1[index] = stat.modified_seconds();
                continue;
            }
            SecondLook::Dataless => {
                notes.push(Note { key: layout::blob(&digest), reason: "a blob's directory without data" });
            }
            SecondLook::Gone => {}
        }
        left_out.insert(digest);
    }
    let mut blobs = Vec::with_capacity(places.len());
    for ((prefix, _, digests), (sizes_bytes, modified)) in places.into_iter().zip(sizes) {
        let mut of_prefix = PrefixBlobs { prefix, digests, sizes_bytes, modified };
        if !left_out.is_empty() {
            of_prefix.retain(|_, digest| !left_out.contains(digest));
        }
        blobs.extend((!of_prefix.digests.is_empty()).then_some(of_prefix));
    }
    Ok((blobs, unreadable))
}

/// Lists all blobs, by prefix in order: the prefix, its directory, and the digests in order. What is no blob is noted.
pub(crate) fn list_digests(
    store: &impl List,
    catalog: &Catalog,
    notes: &mut Vec<Note>,
    control: &Control,
) -> Result<Vec<(u8, Key, PackedDigests)>> {
    let prefixes: Vec<(Algorithm, u8)> = catalog.prefixes.iter().copied().collect();
    let directories: Vec<Key> =
        prefixes.iter().map(|&(algorithm, prefix)| layout::blob_prefix(algorithm, prefix)).collect();
    let listed = collect_listed(store, &directories, control, |index, entry, found: &mut Listed| {
        if let Some(digest) = blob_of(&directories[index], prefixes[index], entry, &mut found.notes)? {
            found.digests.get_or_insert_with(|| PackedDigests::new(digest.algorithm())).push(&digest);
        }
        Ok(())
    })?;
    let mut places = Vec::new();
    for ((&(_, prefix), directory), found) in prefixes.iter().zip(directories).zip(listed) {
        notes.extend(found.notes);
        if let Some(mut digests) = found.digests {
            digests.sort();
            digests.shrink();
            places.push((prefix, directory, digests));
        }
    }
    Ok(places)
}

/// What the listing of a prefix shows.
#[derive(Default)]
struct Listed {
    digests: Option<PackedDigests>,
    notes: Vec<Note>,
}

/// What a blob's own directory shows where its content was not found.
enum SecondLook {
    /// It came in between, as an upload does.
    Stored(Stat),
    Dataless,
    Gone,
}

fn second_look(store: &impl List, digest: &Digest, control: &Control) -> Result<SecondLook> {
    let key = layout::blob(digest);
    let listed = collect(store, std::slice::from_ref(&key), control, |_, entry, has_data: &mut bool| {
        *has_data |= entry.name == layout::DATA.as_bytes();
        Ok(())
    })?;
    match listed[0] {
        None => return Ok(SecondLook::Gone),
        Some(false) => return Ok(SecondLook::Dataless),
        Some(true) => {}
    }
    let stat = stat_all(store, &Group::split(&key, "", [layout::DATA]), control)?.concat()[0];
    Ok(stat.map_or(SecondLook::Gone, SecondLook::Stored))
}

/// Looks at all files of the groups; one that cannot be looked at does not keep the others from it.
fn look(store: &impl List, groups: &[Group], control: &Control) -> Result<Vec<Vec<Look>>> {
    let seen = |stat: Option<Stat>| stat.map_or(Look::Absent, Look::Stored);
    match (stat_all(store, groups, control), groups) {
        (Ok(stats), _) => Ok(stats.into_iter().map(|stats| stats.into_iter().map(seen).collect()).collect()),
        (Err(error), [one]) if error.kind() == Kind::Io && one.names.len() == 1 => Ok(vec![vec![Look::Failed(error)]]),
        (Err(error), [one]) if error.kind() == Kind::Io => {
            let mut looks = Vec::with_capacity(one.names.len());
            for name in one.names.iter() {
                looks.extend(
                    look(store, &Group::split(&one.directory, one.leaf, [name]), control)?.into_iter().flatten(),
                );
            }
            Ok(vec![looks])
        }
        (Err(error), _) if error.kind() == Kind::Io => {
            let (first, second) = groups.split_at(groups.len() / 2);
            let mut looks = look(store, first, control)?;
            looks.extend(look(store, second, control)?);
            Ok(looks)
        }
        (Err(error), _) => Err(error),
    }
}
