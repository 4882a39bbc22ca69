//! What one upload consists of.

use std::sync::Mutex;
use std::time::SystemTime;

use super::multipart::ByKey;
use super::{Started, Upload, uploads_of};
use crate::digest::Algorithm;
use crate::error::Result;
use crate::layout::distribution as layout;
use crate::progress::Control;
use crate::rfc3339;
use crate::scan::{collect, directory_times, stat_all};
use crate::store::{Content, EntryKind, Group, Key, List, Read};

/// Where an upload is, or was.
pub(super) struct Place {
    pub(super) repository: Vec<u8>,
    pub(super) id: String,
}

/// An upload, and what it consists of.
pub(super) struct Found {
    pub(super) upload: Upload,
    pub(super) files: Files,
}

/// What the registry has written for an upload.
#[derive(Default)]
pub(super) struct Files {
    pub(super) started_at: Option<Group>,
    data: Option<Group>,
    has_hash_states: bool,
    /// The algorithms of which there is a directory of hash states.
    pub(super) algorithms: Vec<Algorithm>,
    hash_states: Vec<Group>,
    strange: Vec<Key>,
    /// Whether a listing named something that another look did not find.
    unsettled: bool,
}

impl Files {
    /// All but `startedat`.
    pub(super) fn written_later(&self) -> Vec<Group> {
        self.hash_states.iter().chain(&self.data).cloned().collect()
    }

    fn all(&self) -> impl Iterator<Item = Group> {
        self.written_later().into_iter().chain(self.started_at.clone())
    }
}

/// One file or directory by itself.
pub(super) fn one_name(directory: &Key, name: &str) -> Group {
    Group { directory: directory.clone(), names: [name].into_iter().collect(), leaf: "" }
}

/// Looks at uploads, and takes what is theirs of the multipart uploads; nothing for one that is gone.
pub(super) fn examine(
    store: &(impl List + Read),
    places: &[Place],
    multipart: &mut ByKey,
    control: &Control,
) -> Result<Vec<Option<Found>>> {
    let keys: Vec<Key> = places.iter().map(|place| uploads_of(&place.repository).join(&place.id)).collect();
    let mut listed = list_files(store, &keys, control)?;
    list_hash_states(store, &keys, &mut listed, control)?;
    let times = directory_times(store, &keys, control)?;
    let mut started = read_started(store, &mut listed, control)?;

    let mut groups: Vec<Group> = Vec::new();
    let mut owners: Vec<usize> = Vec::new();
    for (index, files) in listed.iter().enumerate() {
        groups.extend(files.iter().flat_map(Files::all));
        owners.resize(groups.len(), index);
    }
    let mut newest: Vec<Option<SystemTime>> = vec![None; places.len()];
    let mut sizes_bytes = vec![0; places.len()];
    for (owner, stats) in owners.into_iter().zip(stat_all(store, &groups, control)?) {
        for stat in stats {
            match (stat, &mut listed[owner]) {
                (Some(stat), _) => {
                    newest[owner] = newest[owner].max(Some(stat.modified));
                    sizes_bytes[owner] += stat.size_bytes;
                }
                (None, Some(files)) => files.unsettled = true,
                (None, None) => {}
            }
        }
    }
    let found = listed.into_iter().enumerate().map(|(index, files)| {
        let (mut files, directory_modified) = (files?, times[index]?);
        let Place { repository, id } = &places[index];
        let multipart = multipart.remove(&keys[index].join(layout::DATA)).unwrap_or_default();
        let newest = multipart.iter().map(|upload| upload.last_write).chain(newest[index]).max();
        let upload = Upload {
            repository: repository.clone(),
            id: id.clone(),
            started: started[index].take(),
            last_write: newest.unwrap_or(directory_modified),
            size_bytes: sizes_bytes[index] + multipart.iter().map(|upload| upload.size_bytes).sum::<u64>(),
            multipart,
            strange: std::mem::take(&mut files.strange),
            directory_modified,
            unsettled: files.unsettled,
        };
        Some(Found { upload, files })
    });
    Ok(found.collect())
}

fn list_files(store: &impl List, keys: &[Key], control: &Control) -> Result<Vec<Option<Files>>> {
    collect(store, keys, control, |index, entry, files: &mut Files| {
        let key = &keys[index];
        match (entry.name, entry.kind) {
            (b"startedat", EntryKind::File) => files.started_at = Some(one_name(key, layout::STARTED_AT)),
            (b"data", EntryKind::File) => files.data = Some(one_name(key, layout::DATA)),
            (b"hashstates", EntryKind::Directory) => files.has_hash_states = true,
            (name, _) => files.strange.push(key.join(name)),
        }
        Ok(())
    })
}

fn list_hash_states(store: &impl List, keys: &[Key], listed: &mut [Option<Files>], control: &Control) -> Result<()> {
    let mut owned: Vec<(usize, Key)> = Vec::new();
    for (index, files) in listed.iter().enumerate() {
        if files.as_ref().is_some_and(|files| files.has_hash_states) {
            owned.push((index, keys[index].join(layout::HASH_STATES)));
        }
    }
    let directories: Vec<Key> = owned.iter().map(|(_, key)| key.clone()).collect();
    let found = collect(store, &directories, control, |index, entry, files: &mut Files| {
        match Algorithm::from_name(entry.name).filter(|_| entry.kind == EntryKind::Directory) {
            Some(algorithm) => files.algorithms.push(algorithm),
            None => files.strange.push(directories[index].join(entry.name)),
        }
        Ok(())
    })?;
    let mut below: Vec<(usize, Key)> = Vec::new();
    for ((owner, directory), found) in owned.iter().zip(found) {
        let Some(files) = &mut listed[*owner] else { continue };
        let Some(found) = found else {
            files.unsettled = true;
            continue;
        };
        below.extend(found.algorithms.iter().map(|algorithm| (*owner, directory.join(algorithm.name()))));
        files.algorithms = found.algorithms;
        files.strange.extend(found.strange);
    }
    let directories: Vec<Key> = below.iter().map(|(_, key)| key.clone()).collect();
    let found = collect(store, &directories, control, |index, entry, found: &mut (Vec<Vec<u8>>, Vec<Key>)| {
        if entry.kind == EntryKind::File && layout::is_offset(entry.name) {
            found.0.push(entry.name.to_vec());
        } else {
            found.1.push(directories[index].join(entry.name));
        }
        Ok(())
    })?;
    for ((owner, directory), found) in below.iter().zip(found) {
        let Some(files) = &mut listed[*owner] else { continue };
        let Some((names, strange)) = found else {
            files.unsettled = true;
            continue;
        };
        files.hash_states.extend(Group::split(directory, "", names));
        files.strange.extend(strange);
    }
    Ok(())
}

/// What a `startedat` held.
#[derive(Clone)]
enum Start {
    Absent,
    Unreadable,
    At(Started),
}

/// Reads when uploads were started. What is no time is read once more: the registry may just have been writing it.
fn read_started(store: &impl Read, listed: &mut [Option<Files>], control: &Control) -> Result<Vec<Option<Started>>> {
    let mut owners: Vec<usize> = Vec::new();
    let mut groups: Vec<Group> = Vec::new();
    for (index, files) in listed.iter().enumerate() {
        if let Some(group) = files.as_ref().and_then(|files| files.started_at.clone()) {
            owners.push(index);
            groups.push(group);
        }
    }
    let mut started = vec![None; listed.len()];
    for (index, start) in read_starts(store, &groups, control)?.into_iter().enumerate() {
        let start = match start {
            Start::Unreadable => read_starts(store, &groups[index..=index], control)?.remove(0),
            start => start,
        };
        match (start, &mut listed[owners[index]]) {
            (Start::At(start), _) => started[owners[index]] = Some(start),
            (Start::Absent, Some(files)) => files.unsettled = true,
            (Start::Absent | Start::Unreadable, _) => {}
        }
    }
    Ok(started)
}

fn read_starts(store: &impl Read, groups: &[Group], control: &Control) -> Result<Vec<Start>> {
    let starts = Mutex::new(vec![Start::Absent; groups.len()]);
    store.read(groups, layout::STARTED_AT_LIMIT, control, &|group, _, content| {
        let start = match content {
            Content::Absent => Start::Absent,
            Content::TooLarge(_) => Start::Unreadable,
            Content::Whole(text) => rfc3339::parse(text).map_or(Start::Unreadable, |at| {
                Start::At(Started { text: String::from_utf8_lossy(text).into_owned(), at })
            }),
        };
        starts.lock().expect("no thread panics while it gathers")[group] = start;
        Ok(())
    })?;
    Ok(starts.into_inner().expect("no thread panics while it gathers"))
}
