//! Rows in: what a plan names, to be compared with what is eligible now.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{self, BufRead};
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};

use super::{BLOB, COLUMNS, LAYER_LINK, MANIFEST, REFERRER_TAG, REPOSITORY, TAG, hex, unescape};
use crate::catalog::{Catalog, Target};
use crate::digest::{Algorithm, Digest};
use crate::error::{Error, Kind, Result};
use crate::mark::Marks;
use crate::mark::release::{Origin, Released, ReleasedRepository, subject_of_tag};
use crate::packed::PackedDigests;
use crate::store::Key;

/// What a plan names, to be compared with what is eligible now.
#[derive(Debug, Default)]
pub struct Plan {
    repositories: HashMap<Vec<u8>, PlannedRepository>,
    blobs: BTreeMap<(Algorithm, u8), PackedDigests>,
    /// How many rows there are.
    pub row_count: u64,
    /// How many tags it names.
    pub tag_count: usize,
}

#[derive(Debug, Default)]
struct PlannedRepository {
    tags: HashMap<Vec<u8>, PlannedTag>,
    revisions: BTreeSet<Digest>,
    layer_links: BTreeMap<Algorithm, PackedDigests>,
    whole: bool,
}

#[derive(Debug)]
struct PlannedTag {
    digest: Digest,
    written: SystemTime,
    follows: bool,
}

impl Plan {
    /// Reads a plan: lines that begin with `#` are its head and end, all others its rows.
    ///
    /// # Errors
    /// [`Kind::Argument`] where a row is not understood, or the rows are not those that were written;
    /// [`Kind::Io`] where it cannot be read.
    pub fn read(source: &mut dyn BufRead) -> Result<Self> {
        let mut lines = Lines { source, line: Vec::new(), position: 0, hasher: Sha256::new(), end: None, failed: None };
        let mut plan = Self::default();
        let mut reader = csv::ReaderBuilder::new().from_reader(&mut lines);
        let found = reader.headers().map_err(|_| broken(ROW))?.iter().eq(COLUMNS);
        if !found {
            return Err(broken("its column names are not understood"));
        }
        let mut record = csv::StringRecord::new();
        while reader.read_record(&mut record).map_err(|_| broken(ROW))? {
            plan.add(&record).ok_or_else(|| broken(ROW))?;
            plan.row_count += 1;
        }
        drop(reader);
        if let Some(error) = lines.failed {
            return Err(Error::io("read", &Key::new("the plan"), error));
        }
        let end = format!("# end: rows={} sha256={}", plan.row_count, hex(&lines.hasher.finalize()));
        if lines.end.as_deref() != Some(end.as_bytes()) {
            return Err(broken(CHANGED));
        }
        plan.sort();
        Ok(plan)
    }

    fn add(&mut self, record: &csv::StringRecord) -> Option<()> {
        let name = unescape(record.get(1)?)?;
        let digest = || record.get(3).and_then(|digest| Digest::parse(digest.as_bytes()));
        match record.get(0)? {
            kind @ (TAG | REFERRER_TAG) => {
                let written = humantime::parse_rfc3339(record.get(5)?).ok()?;
                let tag = PlannedTag { digest: digest()?, written, follows: kind == REFERRER_TAG };
                self.repositories.entry(name).or_default().tags.insert(unescape(record.get(2)?)?, tag);
                self.tag_count += 1;
            }
            REPOSITORY => self.repositories.entry(name).or_default().whole = true,
            MANIFEST => {
                self.repositories.entry(name).or_default().revisions.insert(digest()?);
            }
            LAYER_LINK => {
                let digest = digest()?;
                let links = &mut self.repositories.entry(name).or_default().layer_links;
                packed(links, digest.algorithm(), &digest);
            }
            BLOB => {
                let digest = digest()?;
                packed(&mut self.blobs, (digest.algorithm(), digest.prefix()), &digest);
            }
            _ => return None,
        }
        Some(())
    }

    fn sort(&mut self) {
        self.blobs.values_mut().for_each(PackedDigests::sort);
        for repository in self.repositories.values_mut() {
            repository.layer_links.values_mut().for_each(PackedDigests::sort);
        }
    }

    /// What the plan gives up of a store as it is now: tags only where they still are as they were.
    ///
    /// `times` are those of the tags' links, as [`crate::scan::tag_times`] gives them.
    pub fn released(&self, catalog: &Catalog, times: &[Vec<Option<SystemTime>>]) -> Released {
        let one = |(index, times): (usize, &Vec<Option<SystemTime>>)| {
            let planned = self.repositories.get(&catalog.repositories[index].name)?;
            Some((index, planned.released(catalog, index, times)))
        };
        times.iter().enumerate().filter_map(one).collect()
    }

    /// Takes everything out of what is eligible that the plan does not name.
    pub fn restrict(&self, marks: &mut Marks) {
        let catalog = std::sync::Arc::clone(&marks.catalog);
        let manifests = catalog.manifests();
        let of = |index: usize| self.repositories.get(&catalog.repositories[index].name);
        marks.revisions.retain(|place| {
            let id = catalog.repositories[place.repository].revisions[place.revision].manifest;
            of(place.repository).is_some_and(|planned| planned.revisions.contains(&manifests.digest(id)))
        });
        for links in &mut marks.layer_links.0 {
            let planned = of(links.repository).and_then(|planned| planned.layer_links.get(&links.digests.algorithm()));
            links.digests.retain(|_, digest| planned.is_some_and(|planned| planned.position(digest).is_some()));
        }
        marks.layer_links.0.retain(|links| !links.digests.is_empty());
        marks.blobs.retain(|digest| {
            let planned = self.blobs.get(&(digest.algorithm(), digest.prefix()));
            planned.is_some_and(|planned| planned.position(digest).is_some())
        });
    }
}

fn packed<Place: Ord>(all: &mut BTreeMap<Place, PackedDigests>, place: Place, digest: &Digest) {
    all.entry(place).or_insert_with(|| PackedDigests::new(digest.algorithm())).push(digest);
}

impl PlannedRepository {
    fn released(&self, catalog: &Catalog, index: usize, times: &[Option<SystemTime>]) -> ReleasedRepository {
        let manifests = catalog.manifests();
        let repository = &catalog.repositories[index];
        let mut released = ReleasedRepository { whole: self.whole, ..ReleasedRepository::default() };
        for (number, (tag, written)) in repository.tags.iter().flatten().zip(times).enumerate() {
            let (Some(planned), Target::Manifest(id)) = (self.tags.get(&tag.name), &tag.target) else { continue };
            if planned.digest != manifests.digest(*id) || *written != Some(planned.written) {
                continue;
            }
            let subject = subject_of_tag(&tag.name).filter(|_| planned.follows);
            if let Some(subject) = subject.and_then(|subject| manifests.find(&subject)) {
                released.following.insert(number, (subject, planned.written));
            } else {
                released.tags.insert(number, planned.written);
            }
        }
        for revision in &repository.revisions {
            if self.revisions.contains(&manifests.digest(revision.manifest)) {
                released.revisions.insert(revision.manifest, Origin::Planned);
            }
        }
        released
    }
}

const CHANGED: &str = "it was changed or cut off since it was written: make a new one, with a keep list if something \
                       is to stay";

fn broken(detail: &'static str) -> Error {
    Error::new(Kind::Argument, "read", &Key::new("the plan"), detail)
}

const ROW: &str = "a row of it is not understood";

/// The rows of a plan: all lines but comments, hashed as they pass.
struct Lines<'a> {
    source: &'a mut dyn BufRead,
    line: Vec<u8>,
    position: usize,
    hasher: Sha256,
    /// The last comment.
    end: Option<Vec<u8>>,
    failed: Option<io::Error>,
}

impl io::Read for Lines<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.position == self.line.len() {
            self.line.clear();
            self.position = 0;
            match self.source.read_until(b'\n', &mut self.line) {
                Ok(0) => return Ok(0),
                Ok(_) if self.line.starts_with(b"#") => {
                    self.end = Some(self.line.trim_ascii_end().to_vec());
                    self.line.clear();
                }
                Ok(_) => self.hasher.update(&self.line),
                Err(error) => {
                    // The reader of rows would take it for the end.
                    self.failed = Some(error);
                    return Ok(0);
                }
            }
        }
        let count = buffer.len().min(self.line.len() - self.position);
        buffer[..count].copy_from_slice(&self.line[self.position..self.position + count]);
        self.position += count;
        Ok(count)
    }
}
