//! What a question is about: a digest, in full or abbreviated, a repository, or a tag of one.

use std::collections::BTreeSet;

use super::aside;
use crate::candidates::blob_of;
use crate::catalog::Catalog;
use crate::digest::{Algorithm, Digest};
use crate::error::Result;
use crate::graph::gather;
use crate::layout::distribution as layout;
use crate::mark::{Marks, list_quarantined};
use crate::progress::Control;
use crate::scan::collect_listed;
use crate::store::{Key, List};

/// Hex digits that an abbreviation needs. Fewer mean too much in any registry but a small one.
const LEAST_DIGITS: usize = 6;

/// What a question is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A digest.
    Digest(Digest),
    /// A repository, by index.
    Repository(usize),
    /// A tag, by the index of its repository and its own.
    Tag(usize, usize),
    /// The name of a repository, or of a tag, that only lies in quarantines.
    Aside(Vec<u8>, Option<Vec<u8>>),
}

/// What became of a question's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// It is about this.
    Found(Subject),
    /// These digests begin so.
    Ambiguous(Vec<Digest>),
    /// The store has nothing of that name: why it can be none.
    Unknown(&'static str),
}

/// Finds what a text names: `sha256:<hex>`, its beginning or that of the hex (at least six digits), `repository`,
/// `repository:tag`, or `repository@digest`, which is the digest. A repository of that name comes before hex.
///
/// # Errors
/// Any failure to list blobs, or to read references back.
pub fn resolve(store: &impl List, marks: &Marks, text: &[u8], control: &Control) -> Result<Resolved> {
    let found = |subject: Subject| Ok(Resolved::Found(subject));
    let text = match text.iter().position(|&byte| byte == b'@') {
        Some(at) if text[at + 1..].contains(&b':') => &text[at + 1..],
        _ => text,
    };
    if let Some(digest) = Digest::parse(text) {
        return found(Subject::Digest(digest));
    }
    let catalog: &Catalog = &marks.catalog;
    let repository = |name: &[u8]| catalog.repositories.iter().position(|repository| repository.name == name);
    let abbreviation = Abbreviation::parse(text);
    // A repository may be called "sha256", but nobody would abbreviate a digest by a tag.
    if abbreviation.as_ref().is_none_or(|abbreviation| abbreviation.algorithm.is_none()) {
        if let Some(index) = repository(text) {
            return found(Subject::Repository(index));
        }
        if aside::is_known(catalog, text, None) {
            return found(Subject::Aside(text.to_vec(), None));
        }
        if let Some(colon) = text.iter().rposition(|&byte| byte == b':') {
            let (name, tag) = (&text[..colon], &text[colon + 1..]);
            let index = repository(name);
            let mut tags = index.into_iter().flat_map(|index| catalog.repositories[index].tags.iter().flatten());
            if let Some((index, tag)) = index.zip(tags.position(|other| other.name == tag)) {
                return found(Subject::Tag(index, tag));
            }
            if aside::is_known(catalog, name, Some(tag)) {
                return found(Subject::Aside(name.to_vec(), Some(tag.to_vec())));
            }
            if index.is_some() {
                return Ok(Resolved::Unknown("the repository has no such tag"));
            }
        }
    }
    let Some(abbreviation) = abbreviation else {
        return Ok(Resolved::Unknown("there is no such repository, and it is no digest (six hex digits at least)"));
    };
    let mut digests: Vec<Digest> = abbreviation.find(store, marks, control)?.into_iter().collect();
    match (digests.len(), digests.pop()) {
        (1, Some(digest)) => found(Subject::Digest(digest)),
        (_, None) => Ok(Resolved::Unknown("no digest in the store begins like that")),
        (_, Some(last)) => {
            digests.push(last);
            Ok(Resolved::Ambiguous(digests))
        }
    }
}

/// The beginning of a digest.
struct Abbreviation {
    algorithm: Option<Algorithm>,
    bytes: Vec<u8>,
    /// Of an odd number of hex digits the last.
    half: Option<u8>,
}

impl Abbreviation {
    fn parse(text: &[u8]) -> Option<Self> {
        let (algorithm, hex) = match text.iter().position(|&byte| byte == b':') {
            Some(colon) => (Some(Algorithm::from_name(&text[..colon])?), &text[colon + 1..]),
            None => (None, text),
        };
        let nibble = |&digit: &u8| match digit {
            b'0'..=b'9' => Some(digit - b'0'),
            b'a'..=b'f' => Some(digit - b'a' + 10),
            _ => None,
        };
        let nibbles = hex.iter().map(nibble).collect::<Option<Vec<u8>>>()?;
        let (pairs, half) = nibbles.as_chunks::<2>();
        let bytes = pairs.iter().map(|[high, low]| high << 4 | low).collect();
        (nibbles.len() >= LEAST_DIGITS).then(|| Self { algorithm, bytes, half: half.first().copied() })
    }

    fn fits(&self, digest: &Digest) -> bool {
        let rest = digest.bytes().strip_prefix(self.bytes.as_slice());
        self.algorithm.is_none_or(|algorithm| algorithm == digest.algorithm())
            && rest.is_some_and(|rest| self.half.is_none_or(|half| rest.first().is_some_and(|byte| byte >> 4 == half)))
    }

    /// All digests that begin so: stored ones and those set aside, and those that something in the store names.
    fn find(&self, store: &impl List, marks: &Marks, control: &Control) -> Result<BTreeSet<Digest>> {
        let catalog: &Catalog = &marks.catalog;
        let manifests = catalog.manifests();
        let prefixes = catalog.prefixes.iter().copied().filter(|&(algorithm, prefix)| {
            prefix == self.bytes[0] && self.algorithm.is_none_or(|wanted| wanted == algorithm)
        });
        let prefixes: Vec<(Algorithm, u8)> = prefixes.collect();
        let directories: Vec<Key> =
            prefixes.iter().map(|&(algorithm, prefix)| layout::blob_prefix(algorithm, prefix)).collect();
        let stored = collect_listed(store, &directories, control, |index, entry, found: &mut Vec<Digest>| {
            let digest = blob_of(&directories[index], prefixes[index], entry, &mut Vec::new())?;
            found.extend(digest.filter(|digest| self.fits(digest)));
            Ok(())
        })?;
        let named = gather(&manifests, control, |id, references, found: &mut Vec<Digest>| {
            let all = references.iter().map(|reference| reference.digest).chain([manifests.digest(id)]);
            found.extend(all.filter(|digest| self.fits(digest)));
        })?;
        let linked = catalog.aliases().flat_map(|alias| [Some(alias.target), alias.layer]).flatten();
        let linked = linked.chain(marks.layer_links.iter().map(|(_, digest)| digest));
        let linked = linked.filter(|digest| self.fits(digest));
        let mut found: BTreeSet<Digest> =
            stored.into_iter().flatten().chain(named.into_batches().flatten()).chain(linked).collect();
        for quarantine in &catalog.quarantines {
            let aside = list_quarantined(store, quarantine, control, |digest| self.fits(digest))?;
            found.extend(aside.into_iter().flatten());
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_abbreviated_by_six_hex_digits_or_more() {
        let digest = Digest::of(Algorithm::Sha256, b"");
        for text in ["sha256:e3b0c4", "e3b0c44", "e3b0c442", &digest.to_string(), &digest.hex().to_string()] {
            assert!(Abbreviation::parse(text.as_bytes()).unwrap().fits(&digest), "{text}");
        }
        for text in ["sha256:e3b0c5", "e3b0c45", "sha512:e3b0c4", &"e3b0c44".repeat(10)] {
            assert!(!Abbreviation::parse(text.as_bytes()).unwrap().fits(&digest), "{text}");
        }
        for text in ["", "e3b0c", "sha256:", "md5:e3b0c44", "E3B0C44", "e3b0c4x"] {
            assert!(Abbreviation::parse(text.as_bytes()).is_none(), "{text}");
        }
    }
}
