//! The lines that the reference collector prints, to the byte, in an order that does not change from run to run.
//!
//! Two formats (`registry/storage/garbagecollect.go`, `MarkAndSweep`, of 2.8 and of 3.x). 2.8 names every reference
//! of every manifest; 3.x names what it meets for the first time, and goes down into it there and then. The order
//! of the marking lines is the reference's own (repositories and manifests as its walk meets them); the order of
//! the sweeping lines is random there and sorted here.

use std::collections::{BTreeSet, HashSet};
use std::hint::black_box;
use std::io::Write;

use crate::catalog::{Repository, Target};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::live_set::{Flag, View};
use crate::manifest::{Reference, Role};
use crate::manifests::{ManifestId, Manifests, State};
use crate::mark::Marks;

/// Whose lines to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// As 2.8 does.
    Two,
    /// As 3.x does.
    Three,
}

/// Bytes gathered before they are written: a million lines must not be a million calls.
const CHUNK: usize = 256 * 1024;

/// Writes all lines of a collection.
///
/// # Errors
/// When `out` cannot be written, or references cannot be read back.
pub fn write(marks: &Marks, format: Format, out: &mut dyn Write) -> Result<()> {
    let manifests = marks.catalog.manifests();
    marks.live.clear(Flag::Printed);
    let all_tagged = marks.catalog.repositories.iter().flat_map(tagged);
    let mut lines = Lines {
        marks,
        live: marks.live.views().collect(),
        manifests: &manifests,
        format,
        out,
        text: Vec::with_capacity(CHUNK + CHUNK / 4),
        buffer: Vec::new(),
        tagged: if marks.options.delete_untagged { all_tagged.collect() } else { HashSet::new() },
        descended: HashSet::new(),
    };
    for repository in &marks.catalog.repositories {
        lines.repository(repository)?;
    }
    if format == Format::Three {
        lines.eligible_manifests()?;
    }
    lines.summary()?;
    for (digest, _) in marks.blobs.iter() {
        lines.digest_line(b"blob eligible for deletion: ", &digest)?;
    }
    if format == Format::Three {
        for (repository, digest) in marks.layer_links.iter() {
            lines.text.extend_from_slice(&marks.catalog.repositories[repository].name);
            lines.digest_line(b": layer link eligible for deletion: ", &digest)?;
        }
    }
    lines.flush()
}

struct Lines<'a> {
    marks: &'a Marks,
    /// By first byte: locking for every line would cost more than the line.
    live: Vec<View<'a>>,
    manifests: &'a Manifests,
    format: Format,
    out: &'a mut dyn Write,
    text: Vec<u8>,
    buffer: Vec<u8>,
    /// With `-m`: what any tag leads to.
    tagged: HashSet<ManifestId>,
    /// 2.8's format: the children that were gone down into.
    descended: HashSet<ManifestId>,
}

impl Lines<'_> {
    fn flush(&mut self) -> Result<()> {
        self.out.write_all(&self.text).and_then(|()| self.out.flush()).map_err(Error::output)?;
        self.text.clear();
        Ok(())
    }

    fn view(&self, digest: &Digest) -> &View<'_> {
        &self.live[usize::from(digest.prefix())]
    }

    fn end_line(&mut self) -> Result<()> {
        self.text.push(b'\n');
        if self.text.len() >= CHUNK { self.flush() } else { Ok(()) }
    }

    fn digest_line(&mut self, before: &[u8], digest: &Digest) -> Result<()> {
        self.text.extend_from_slice(before);
        digest.push_text(&mut self.text);
        self.end_line()
    }

    fn repository(&mut self, repository: &Repository) -> Result<()> {
        // 3.x does not see a repository that has only layers.
        if !repository.has_manifests && self.format == Format::Three {
            return Ok(());
        }
        self.text.extend_from_slice(&repository.name);
        self.end_line()?;
        let untold = self.marks.options.delete_untagged && repository.tags.is_none();
        let tagged_here: BTreeSet<ManifestId> = tagged(repository).collect();
        for revision in &repository.revisions {
            let id = revision.manifest;
            if self.format == Format::Two && !self.marks.is_live(id) {
                self.digest_line(b"manifest eligible for deletion: ", &self.manifests.digest(id))?;
            }
            // The reference passes over a link whose manifest is gone.
            if self.manifests.state(id) == State::Absent {
                continue;
            }
            if untold && self.format == Format::Three {
                self.text.extend_from_slice(b"manifest tags path of repository ");
                self.text.extend_from_slice(&repository.name);
                self.text.extend_from_slice(b" does not exist");
                self.end_line()?;
            }
            // What a tag of another repository keeps is marked there.
            let elsewhere = !untold && self.tagged.contains(&id) && !tagged_here.contains(&id);
            if self.marks.is_root(id) && !elsewhere {
                self.manifest(repository, id)?;
            }
        }
        for id in without_link(repository, tagged_here) {
            if matches!(self.manifests.state(id), State::Read(_)) {
                self.manifest(repository, id)?;
            }
        }
        Ok(())
    }

    /// The line of a manifest that is a root, and those of what it refers to.
    fn manifest(&mut self, repository: &Repository, root: ManifestId) -> Result<()> {
        let digest = self.manifests.digest(root);
        self.text.extend_from_slice(&repository.name);
        self.text.extend_from_slice(b": marking manifest ");
        digest.push_text(&mut self.text);
        self.text.push(b' ');
        self.end_line()?;
        self.view(&digest).flag(&digest, Flag::Printed);
        // Depth first by hand: indexes may be nested deeper than a stack.
        let mut open = vec![self.references(root)?.into_iter()];
        while let Some(references) = open.last_mut() {
            let Some(reference) = references.next() else {
                open.pop();
                continue;
            };
            if let Some(below) = self.reference(repository, reference)? {
                open.push(self.references(below)?.into_iter());
            }
        }
        Ok(())
    }

    fn references(&mut self, id: ManifestId) -> Result<Vec<Reference>> {
        let mut references = Vec::new();
        self.manifests.references.for_each(self.manifests.span(id), &mut self.buffer, |reference| {
            references.push(reference);
        })?;
        // All looked at before any is written about: the processor then waits for memory once, not for each.
        for reference in &references {
            black_box(self.view(&reference.digest).has_flag(&reference.digest, Flag::Printed));
        }
        Ok(references)
    }

    /// The line of one reference, if it has one; and what to go down into next.
    fn reference(&mut self, repository: &Repository, reference: Reference) -> Result<Option<ManifestId>> {
        let Reference { role, digest } = reference;
        let may_lead_on = !matches!(role, Role::Config | Role::Layer | Role::ForeignLayer);
        let id = may_lead_on.then(|| self.manifests.find(&digest)).flatten();
        let below = id.filter(|&id| matches!(self.manifests.state(id), State::Read(_)));
        // The reference knows nothing of subjects: they have a line only if nothing else gives them one.
        if role == Role::Subject && below.is_none_or(|id| self.marks.is_root(id)) {
            return Ok(None);
        }
        let first = self.view(&digest).flag(&digest, Flag::Printed) == Some(false);
        if self.format == Format::Two || first {
            self.text.extend_from_slice(&repository.name);
            self.digest_line(b": marking blob ", &digest)?;
        }
        Ok(match self.format {
            Format::Three => below.filter(|_| first),
            Format::Two => below.filter(|&id| !self.marks.is_root(id) && self.descended.insert(id)),
        })
    }

    fn eligible_manifests(&mut self) -> Result<()> {
        for place in &self.marks.revisions {
            let repository = &self.marks.catalog.repositories[place.repository];
            let id = repository.revisions[place.revision].manifest;
            self.text.extend_from_slice(b"manifest eligible for deletion: {");
            self.text.extend_from_slice(&repository.name);
            self.text.push(b' ');
            self.manifests.digest(id).push_text(&mut self.text);
            self.text.extend_from_slice(b" [");
            for (index, tag) in repository.tags.iter().flatten().enumerate() {
                if index > 0 {
                    self.text.push(b' ');
                }
                self.text.extend_from_slice(&tag.name);
            }
            self.text.extend_from_slice(b"]}");
            self.end_line()?;
        }
        Ok(())
    }

    fn summary(&mut self) -> Result<()> {
        let summary = format!(
            "\n{} blobs marked, {} blobs and {} manifests eligible for deletion",
            self.marks.marked_count,
            self.marks.blobs.len(),
            self.marks.revisions.len()
        );
        self.text.extend_from_slice(summary.as_bytes());
        self.end_line()
    }
}

/// What the tags of a repository lead to.
fn tagged(repository: &Repository) -> impl Iterator<Item = ManifestId> {
    let targets = repository.tags.iter().flatten().flat_map(|tag| match &tag.target {
        Target::Manifest(id) => std::slice::from_ref(id),
        Target::Missing(history) => history,
        Target::Unreadable => &[],
    });
    targets.copied()
}

/// Of what its tags lead to: what the repository has no link to. Roots all the same.
fn without_link(repository: &Repository, mut tagged: BTreeSet<ManifestId>) -> BTreeSet<ManifestId> {
    for revision in &repository.revisions {
        tagged.remove(&revision.manifest);
    }
    tagged
}
