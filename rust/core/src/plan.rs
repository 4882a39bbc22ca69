//! Plans as rows: what is to be removed, one thing a row, in a form that people, data tools and `apply` read.
//!
//! ```text
//! # …                                                    the head, written by the caller
//! kind,repository,tag,digest,size_bytes,modified,age_seconds,reason,rule
//! tag,team/app,v1,sha256:…,,2026-01-02T03:04:05.123456789Z,1234567,pushed 40d ago,ci: delete
//! manifest,team/app,v1,sha256:…,,…,its tag v1 goes,ci: delete
//! layer-link,team/app,,sha256:…,,,,nothing live needs it,
//! blob,team/app,v1,sha256:…,4096,…,only what goes needs it,ci: delete
//! # end: rows=4 sha256=…
//! ```
//!
//! The kinds are `tag`, `referrer-tag` (it goes with what its content is about), `repository` (it goes as a whole),
//! `manifest` (a manifest's link in a repository, with the entries of tags' histories that name it), `layer-link` and
//! `blob`. Only blobs have a size. A row of a blob names the first repository, tag and rule that give it up.
//!
//! Names can be any bytes on a disk. What is not printable, and the backslash, is written as `\xNN`.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::io::{self, BufRead, Write};
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};

use crate::catalog::{Catalog, Target};
use crate::digest::{Algorithm, Digest};
use crate::error::{Error, Kind, Result};
use crate::manifests::{ManifestId, State};
use crate::mark::release::{Origin, Released, ReleasedRepository, subject_of_tag};
use crate::mark::{EligibleRevision, Marks};
use crate::packed::PackedDigests;
use crate::store::{Key, Stat};

const COLUMNS: [&str; 9] =
    ["kind", "repository", "tag", "digest", "size_bytes", "modified", "age_seconds", "reason", "rule"];

const TAG: &str = "tag";
const REFERRER_TAG: &str = "referrer-tag";
const REPOSITORY: &str = "repository";
const MANIFEST: &str = "manifest";
const LAYER_LINK: &str = "layer-link";
const BLOB: &str = "blob";

/// Which rules gave things up, in words.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// For tags, by repository and index: the rule and the reason.
    pub tags: HashMap<(usize, usize), (String, String)>,
    /// For repositories, by index: the policy that counts for it.
    pub policies: HashMap<usize, String>,
    /// What gives up manifests without a tag where no policy does.
    pub untagged: String,
}

/// What was written: how many rows, and the SHA-256 of their bytes, in hex.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Rows below the column names.
    pub row_count: u64,
    /// Of the column names and all rows.
    pub sha256: String,
}

/// Writes the column names and a row for everything eligible.
///
/// # Errors
/// When `out` cannot be written, or references cannot be read back.
pub fn write(marks: &Marks, rules: &Rules, out: &mut dyn Write) -> Result<Written> {
    let mut rows = Rows {
        marks,
        rules,
        out: csv::WriterBuilder::new().buffer_capacity(256 * 1024).from_writer(Hashing::new(out)),
        now: marks.catalog.started,
        count: 0,
    };
    rows.write_record(&COLUMNS)?;
    rows.count = 0;
    rows.tags()?;
    rows.manifests()?;
    let givers = Givers::find(marks)?;
    rows.layer_links(&givers)?;
    rows.blobs(&givers)?;
    let row_count = rows.count;
    let hashing = rows.out.into_inner().map_err(|error| Error::output(io::Error::other(error.to_string())))?;
    Ok(Written { row_count, sha256: hex(&hashing.hasher.finalize()) })
}

struct Hashing<Out> {
    out: Out,
    hasher: Sha256,
}

impl<Out> Hashing<Out> {
    fn new(out: Out) -> Self {
        Self { out, hasher: Sha256::new() }
    }
}

impl<Out: Write> Write for Hashing<Out> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.hasher.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut text = Vec::new();
    crate::digest::push_hex(bytes, &mut text);
    String::from_utf8(text).expect("hex is text")
}

/// Takes everything out of what is eligible that was not given up: garbage that happened to be there.
///
/// # Errors
/// When references cannot be read back.
pub fn keep_only_given_up(marks: &mut Marks) -> Result<()> {
    let givers = Givers::find(marks)?;
    for links in marks.layer_links.0.iter_mut().filter(|links| !links.whole) {
        links.digests.retain(|_, digest| givers.0.contains_key(&key(digest)));
    }
    marks.layer_links.0.retain(|links| !links.digests.is_empty());
    marks.blobs.retain(|digest| givers.0.contains_key(&key(digest)));
    Ok(())
}

/// Of every digest that something given up refers to: the first manifest link that does. Known by 64 bits of a digest,
/// as rows are words for people.
struct Givers(HashMap<u64, u32>);

impl Givers {
    fn find(marks: &Marks) -> Result<Self> {
        let manifests = marks.catalog.manifests();
        let mut givers = HashMap::new();
        let mut buffer = Vec::new();
        let mut seen: BTreeSet<ManifestId> = BTreeSet::new();
        for (index, place) in marks.revisions.iter().enumerate() {
            let index = u32::try_from(index).expect("fewer manifest links than numbers");
            let revision = marks.catalog.repositories[place.repository].revisions[place.revision];
            let mut open = vec![revision.manifest];
            while let Some(id) = open.pop() {
                if marks.is_live(id) || !seen.insert(id) {
                    continue;
                }
                givers.entry(key(manifests.digest(id))).or_insert(index);
                manifests.references.for_each(manifests.span(id), &mut buffer, |reference| {
                    if !marks.live.contains(&reference.digest) {
                        givers.entry(key(&reference.digest)).or_insert(index);
                    }
                })?;
                let children = manifests.edges(id).iter().filter(|edge| edge.role != crate::manifest::Role::Subject);
                open.extend(children.map(|edge| edge.target));
            }
        }
        Ok(Self(givers))
    }

    fn of(&self, marks: &Marks, digest: &Digest) -> Option<EligibleRevision> {
        self.0.get(&key(digest)).map(|&index| marks.revisions[index as usize])
    }
}

fn key(digest: &Digest) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&digest.bytes()[..8]);
    u64::from_le_bytes(bytes)
}

struct Rows<'a, Out: Write> {
    marks: &'a Marks,
    rules: &'a Rules,
    out: csv::Writer<Hashing<Out>>,
    now: SystemTime,
    count: u64,
}

/// One row, in the order of the columns.
#[derive(Default)]
struct Row<'a> {
    kind: &'static str,
    repository: &'a [u8],
    tag: &'a [u8],
    digest: Option<Digest>,
    size_bytes: Option<u64>,
    modified: Option<SystemTime>,
    reason: &'a str,
    rule: &'a str,
}

impl<'a, Out: Write> Rows<'a, Out> {
    fn write_record(&mut self, fields: &[&str]) -> Result<()> {
        self.count += 1;
        self.out.write_record(fields).map_err(|error| Error::output(io::Error::other(error.to_string())))
    }

    fn write(&mut self, row: &Row<'_>) -> Result<()> {
        let text = |value: Option<u64>| value.map_or_else(String::new, |value| value.to_string());
        let age = row.modified.map(|modified| self.now.duration_since(modified).unwrap_or_default().as_secs());
        let modified = row.modified.map_or_else(String::new, |time| humantime::format_rfc3339(time).to_string());
        let digest = row.digest.map_or_else(String::new, |digest| digest.to_string());
        self.write_record(&[
            row.kind,
            &escape(row.repository),
            &escape(row.tag),
            &digest,
            &text(row.size_bytes),
            &modified,
            &text(age),
            row.reason,
            row.rule,
        ])
    }

    fn tags(&mut self) -> Result<()> {
        let marks = self.marks;
        let manifests = marks.catalog.manifests();
        for tag in &marks.tags {
            let repository = &marks.catalog.repositories[tag.repository];
            let found = repository.tags.iter().flatten().nth(tag.tag);
            let (Some(found), Some(released)) = (found, marks.options.released.of(tag.repository)) else { continue };
            let Target::Manifest(id) = found.target else { continue };
            let follows = released.following.contains_key(&tag.tag);
            let (rule, reason) = match self.rules.tags.get(&(tag.repository, tag.tag)) {
                Some((rule, reason)) => (rule.clone(), reason.as_str()),
                None if follows => (self.policy_rule(tag.repository, "referrers"), "what it is about goes"),
                None => (self.policy_rule(tag.repository, "referrers"), "what it is about is gone"),
            };
            self.write(&Row {
                kind: if follows { REFERRER_TAG } else { TAG },
                repository: &repository.name,
                tag: &found.name,
                digest: Some(*manifests.digest(id)),
                modified: released.written(tag.tag),
                reason,
                rule: &rule,
                ..Row::default()
            })?;
        }
        for &repository in &marks.whole {
            let name = &marks.catalog.repositories[repository].name;
            self.write(&Row { kind: REPOSITORY, repository: name, reason: "named", ..Row::default() })?;
        }
        Ok(())
    }

    fn manifests(&mut self) -> Result<()> {
        let marks = self.marks;
        let manifests = marks.catalog.manifests();
        for place in &marks.revisions {
            let repository = &marks.catalog.repositories[place.repository];
            let revision = repository.revisions[place.revision];
            let (tag, rule, mut reason) = self.given_up(place);
            if manifests.state(revision.manifest) == State::Absent {
                "its manifest is gone".clone_into(&mut reason);
            }
            self.write(&Row {
                kind: MANIFEST,
                repository: &repository.name,
                tag,
                digest: Some(*manifests.digest(revision.manifest)),
                modified: Some(revision.modified),
                reason: &reason,
                rule: &rule,
                ..Row::default()
            })?;
        }
        Ok(())
    }

    /// The tag, the rule and the reason of a manifest link.
    fn given_up(&self, place: &EligibleRevision) -> (&'a [u8], String, String) {
        let repository = &self.marks.catalog.repositories[place.repository];
        let revision = repository.revisions[place.revision];
        let released = self.marks.options.released.of(place.repository);
        let origin = released.and_then(|released| released.revisions.get(&revision.manifest)).copied();
        let rule = |part: &str| self.policy_rule(place.repository, part);
        match origin {
            Some(Origin::Tag(index)) => {
                let name = repository.tags.iter().flatten().nth(index).map_or(&b""[..], |tag| &tag.name);
                let rule = self.rules.tags.get(&(place.repository, index)).map(|(rule, _)| rule.clone());
                (name, rule.unwrap_or_default(), format!("its tag {} goes", escape(name)))
            }
            Some(Origin::Untagged) => (b"", rule("untagged"), "no tag leads to it".to_owned()),
            Some(Origin::Orphan) => (b"", rule("referrers"), "what it is about is gone".to_owned()),
            Some(Origin::Follows) => (b"", rule("referrers"), "what it is about goes".to_owned()),
            Some(Origin::Repository) => (b"", String::new(), "its repository goes".to_owned()),
            Some(Origin::Planned) | None => (b"", self.rules.untagged.clone(), "no tag leads to it".to_owned()),
        }
    }

    fn policy_rule(&self, repository: usize, part: &str) -> String {
        self.rules.policies.get(&repository).map_or_else(String::new, |policy| format!("{policy}: {part}"))
    }

    fn layer_links(&mut self, givers: &Givers) -> Result<()> {
        let marks = self.marks;
        for links in &marks.layer_links.0 {
            let name = &marks.catalog.repositories[links.repository].name;
            for digest in links.digests.iter() {
                let rule = givers.of(marks, &digest).map_or_else(String::new, |place| self.given_up(&place).1);
                let reason = if links.whole { "its repository goes" } else { "nothing live needs it" };
                let digest = Some(digest);
                self.write(&Row { kind: LAYER_LINK, repository: name, digest, reason, rule: &rule, ..Row::default() })?;
            }
        }
        Ok(())
    }

    fn blobs(&mut self, givers: &Givers) -> Result<()> {
        let marks = self.marks;
        for blobs in &marks.blobs.eligible {
            for (index, (digest, &size)) in blobs.digests.iter().zip(&blobs.sizes_bytes).enumerate() {
                let modified = blobs.modified.get(index).copied().map(Stat::time_of_seconds);
                let giver = givers.of(marks, &digest);
                let (tag, rule, reason) = match &giver {
                    Some(place) => {
                        let (tag, rule, _) = self.given_up(place);
                        (tag, rule, "only what goes needs it")
                    }
                    None => (&b""[..], String::new(), "nothing refers to it"),
                };
                let repository = giver.map_or(&b""[..], |place| &marks.catalog.repositories[place.repository].name);
                self.write(&Row {
                    kind: BLOB,
                    repository,
                    tag,
                    digest: Some(digest),
                    size_bytes: Some(size),
                    modified,
                    reason,
                    rule: &rule,
                })?;
            }
        }
        Ok(())
    }
}

/// A name as text; nearly always as it is.
pub fn escape(name: &[u8]) -> Cow<'_, str> {
    let plain = |character: char| !character.is_control() && character != '\\';
    match std::str::from_utf8(name) {
        Ok(text) if text.chars().all(plain) => Cow::Borrowed(text),
        _ => {
            let mut text = String::with_capacity(name.len() + 8);
            for chunk in name.utf8_chunks() {
                for character in chunk.valid().chars() {
                    if plain(character) {
                        text.push(character);
                    } else {
                        character.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| push_escaped(byte, &mut text));
                    }
                }
                chunk.invalid().iter().for_each(|&byte| push_escaped(byte, &mut text));
            }
            Cow::Owned(text)
        }
    }
}

fn push_escaped(byte: u8, text: &mut String) {
    write!(text, "\\x{byte:02x}").expect("a string takes all that it is given");
}

fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut name = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        if byte == b'\\' {
            let digits = after.strip_prefix(b"x")?.get(..2)?;
            name.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
            rest = &after[3..];
        } else {
            name.push(byte);
            rest = after;
        }
    }
    Some(name)
}

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
            of(place.repository).is_some_and(|planned| planned.revisions.contains(manifests.digest(id)))
        });
        for links in &mut marks.layer_links.0 {
            let planned = of(links.repository).and_then(|planned| planned.layer_links.get(&links.digests.algorithm()));
            links.digests.retain(|_, digest| planned.is_some_and(|planned| planned.contains_sorted(digest)));
        }
        marks.layer_links.0.retain(|links| !links.digests.is_empty());
        marks.blobs.retain(|digest| {
            let planned = self.blobs.get(&(digest.algorithm(), digest.prefix()));
            planned.is_some_and(|planned| planned.contains_sorted(digest))
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
            if planned.digest != *manifests.digest(*id) || *written != Some(planned.written) {
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
            if self.revisions.contains(manifests.digest(revision.manifest)) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_survives_being_written() {
        for name in [&b"team/app"[..], b"\xff\xfe", b"a\\b", b"a\nb,\"c\"", "ü".as_bytes(), b""] {
            assert_eq!(unescape(&escape(name)).as_deref(), Some(name), "{name:?}");
            assert!(!escape(name).contains(['\n', '\r']));
        }
        assert_eq!(unescape("\\"), None);
        assert_eq!(unescape("\\x1"), None);
    }
}
