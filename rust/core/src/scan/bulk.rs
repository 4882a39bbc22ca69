//! Bulk calls whose answers are gathered in order.

use std::sync::Mutex;
use std::time::SystemTime;

use crate::digest::Digest;
use crate::error::{Error, Kind, Result};
use crate::layout::distribution as layout;
use crate::packed::PackedDigests;
use crate::progress::Control;
use crate::store::{Content, Entry, Group, Key, List, Page, Read, Stat, StatVisitor};

enum Listing<T> {
    Begun(T),
    Complete(T),
    Absent,
}

/// Lists directories, letting `add` gather what each holds. Nothing for a directory that does not exist.
pub(crate) fn collect<T: Default + Send>(
    store: &(impl List + ?Sized),
    directories: &[Key],
    control: &Control,
    add: impl Fn(usize, Entry<'_>, &mut T) -> Result<()> + Sync,
) -> Result<Vec<Option<T>>> {
    let slots: Vec<Mutex<Listing<T>>> = directories.iter().map(|_| Mutex::new(Listing::Begun(T::default()))).collect();
    store.list(directories, control, &|index, page| {
        let mut slot = slots[index].lock().expect("no thread panics while it gathers");
        match page {
            Page::Absent => *slot = Listing::Absent,
            Page::Entries(entries) => {
                if let Listing::Begun(gathered) = &mut *slot {
                    for entry in entries.iter() {
                        add(index, entry, gathered)?;
                    }
                }
            }
            Page::End => {
                if let Listing::Begun(gathered) = &mut *slot {
                    *slot = Listing::Complete(std::mem::take(gathered));
                }
            }
        }
        Ok(())
    })?;
    let finished = slots.into_iter().zip(directories).map(|(slot, key)| {
        match slot.into_inner().expect("no thread panics while it gathers") {
            Listing::Complete(gathered) => Ok(Some(gathered)),
            Listing::Absent => Ok(None),
            Listing::Begun(_) => Err(Error::new(Kind::Io, "list", key, "the listing did not reach its end")),
        }
    });
    finished.collect()
}

/// As [`collect`], for directories that a listing has just named: one that is gone means that the store changes.
pub(crate) fn collect_listed<T: Default + Send>(
    store: &(impl List + ?Sized),
    directories: &[Key],
    control: &Control,
    add: impl Fn(usize, Entry<'_>, &mut T) -> Result<()> + Sync,
) -> Result<Vec<T>> {
    let gathered = collect(store, directories, control, add)?;
    gathered.into_iter().zip(directories).map(|(found, key)| found.ok_or_else(|| changed("list", key))).collect()
}

/// Something that a listing named was not found, or the other way round.
pub(crate) fn changed(operation: &'static str, key: &Key) -> Error {
    Error::new(
        Kind::Changed,
        operation,
        key,
        "a listing names it and a look finds nothing: the store changes meanwhile or misbehaves; run again",
    )
}

/// When directories were changed; nothing for those that are gone.
pub(crate) fn directory_times(
    store: &(impl List + ?Sized),
    keys: &[Key],
    control: &Control,
) -> Result<Vec<Option<SystemTime>>> {
    let times = Mutex::new(vec![None; keys.len()]);
    store.directory_times(keys, control, &|index, modified| {
        times.lock().expect("no thread panics while it gathers")[index] = modified;
        Ok(())
    })?;
    Ok(times.into_inner().expect("no thread panics while it gathers"))
}

/// Sizes and times of all files of the groups.
pub(crate) fn stat_all(
    store: &(impl List + ?Sized),
    groups: &[Group],
    control: &Control,
) -> Result<Vec<Vec<Option<Stat>>>> {
    gather_stats(groups, |visit| store.stat(groups, control, visit))
}

/// As [`stat_all`], by what a report has told where there is one.
pub(crate) fn stat_all_as_told(
    store: &(impl List + ?Sized),
    groups: &[Group],
    control: &Control,
) -> Result<Vec<Vec<Option<Stat>>>> {
    gather_stats(groups, |visit| store.stat_as_told(groups, control, visit))
}

fn gather_stats(groups: &[Group], look: impl FnOnce(&StatVisitor<'_>) -> Result<()>) -> Result<Vec<Vec<Option<Stat>>>> {
    let slots: Vec<Mutex<Vec<Option<Stat>>>> =
        groups.iter().map(|group| Mutex::new(vec![None; group.names.len()])).collect();
    look(&|group, index, stat| {
        slots[group].lock().expect("no thread panics while it gathers")[index] = stat;
        Ok(())
    })?;
    Ok(slots.into_iter().map(|slot| slot.into_inner().expect("no thread panics while it gathers")).collect())
}

/// Looks at `<directory>/<hex>/<leaf>` for packed digests of each directory, handing on the answers in order.
///
/// Works through them in portions, so that a million names never exist at once.
pub(crate) fn stat_groups(
    store: &(impl List + ?Sized),
    directories: &[(Key, &PackedDigests)],
    leaf: &'static str,
    control: &Control,
    visit: impl FnMut(usize, Digest, Option<Stat>),
) -> Result<()> {
    look_at_groups(directories, leaf, |groups| stat_all(store, groups, control), visit)
}

/// As [`stat_groups`], with another way to look at groups.
pub(crate) fn look_at_groups<T>(
    directories: &[(Key, &PackedDigests)],
    leaf: &'static str,
    look: impl Fn(&[Group]) -> Result<Vec<Vec<T>>>,
    mut visit: impl FnMut(usize, Digest, T),
) -> Result<()> {
    const PORTION: usize = 128;
    let mut groups: Vec<Group> = Vec::new();
    let mut owners: Vec<(usize, Vec<Digest>)> = Vec::new();
    let mut flush = |groups: &mut Vec<Group>, owners: &mut Vec<(usize, Vec<Digest>)>| -> Result<()> {
        for ((index, digests), found) in owners.iter().zip(look(groups)?) {
            for (digest, found) in digests.iter().zip(found) {
                visit(*index, *digest, found);
            }
        }
        groups.clear();
        owners.clear();
        Ok(())
    };
    for (index, (directory, digests)) in directories.iter().enumerate() {
        let mut digests = digests.iter().peekable();
        while digests.peek().is_some() {
            let some: Vec<Digest> = digests.by_ref().take(Group::SIZE).collect();
            groups.extend(Group::split(directory, leaf, some.iter().map(Digest::hex)));
            owners.push((index, some));
            if groups.len() >= PORTION {
                flush(&mut groups, &mut owners)?;
            }
        }
    }
    flush(&mut groups, &mut owners)
}

/// Looks at some blobs, each once, handing on the answers in the digests' order.
pub(crate) fn stat_blobs(
    store: &(impl List + ?Sized),
    digests: Vec<Digest>,
    control: &Control,
    visit: impl FnMut(Digest, Option<Stat>),
) -> Result<()> {
    look_at_blobs(digests, |groups| stat_all(store, groups, control), visit)
}

/// As [`stat_blobs`], by what a report has told where there is one.
pub(crate) fn stat_blobs_as_told(
    store: &(impl List + ?Sized),
    digests: Vec<Digest>,
    control: &Control,
    visit: impl FnMut(Digest, Option<Stat>),
) -> Result<()> {
    look_at_blobs(digests, |groups| stat_all_as_told(store, groups, control), visit)
}

fn look_at_blobs(
    mut digests: Vec<Digest>,
    look: impl Fn(&[Group]) -> Result<Vec<Vec<Option<Stat>>>>,
    mut visit: impl FnMut(Digest, Option<Stat>),
) -> Result<()> {
    digests.sort_unstable();
    digests.dedup();
    let of_prefix = |digest: &Digest| (digest.algorithm(), digest.prefix());
    let mut prefixes: Vec<(Key, PackedDigests)> = Vec::new();
    for alike in digests.chunk_by(|one, other| of_prefix(one) == of_prefix(other)) {
        let (algorithm, prefix) = of_prefix(&alike[0]);
        let mut packed = PackedDigests::new(algorithm);
        for digest in alike {
            packed.push(digest);
        }
        prefixes.push((layout::blob_prefix(algorithm, prefix), packed));
    }
    let directories: Vec<_> = prefixes.iter().map(|(key, packed)| (key.clone(), packed)).collect();
    look_at_groups(&directories, layout::DATA, look, |_, digest, stat| visit(digest, stat))
}

/// What a link file held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Link {
    /// There is no such file.
    #[default]
    Absent,
    /// A digest.
    Digest(Digest),
    /// Anything else.
    Malformed,
}

/// Reads all links of the groups. What is no digest is read once more: the registry may just have been writing it.
pub(crate) fn read_links(store: &(impl Read + ?Sized), groups: &[Group], control: &Control) -> Result<Vec<Vec<Link>>> {
    let mut links = read_links_once(store, groups, control)?;
    for (group, links) in groups.iter().zip(&mut links) {
        for (index, link) in links.iter_mut().enumerate() {
            if *link == Link::Malformed {
                let again = Group::split(&group.directory, group.leaf, [group.names.get(index)]);
                *link = read_links_once(store, &again, control)?[0][0];
            }
        }
    }
    Ok(links)
}

fn read_links_once(store: &(impl Read + ?Sized), groups: &[Group], control: &Control) -> Result<Vec<Vec<Link>>> {
    let slots: Vec<Mutex<Vec<Link>>> =
        groups.iter().map(|group| Mutex::new(vec![Link::Absent; group.names.len()])).collect();
    store.read(groups, layout::LINK_LIMIT, control, &|group, index, content| {
        let link = match content {
            Content::Absent => Link::Absent,
            Content::Whole(bytes) => Digest::parse(bytes).map_or(Link::Malformed, Link::Digest),
            Content::TooLarge(_) => Link::Malformed,
        };
        slots[group].lock().expect("no thread panics while it gathers")[index] = link;
        Ok(())
    })?;
    Ok(slots.into_iter().map(|slot| slot.into_inner().expect("no thread panics while it gathers")).collect())
}
