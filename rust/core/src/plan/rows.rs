//! Rows out: a row for everything eligible, with the reason why it goes.

use std::collections::{BTreeSet, HashMap};
use std::io::Write;
use std::time::SystemTime;

use super::table::{Table, Written};
use super::{BLOB, LAYER_LINK, MANIFEST, REFERRER_TAG, REPOSITORY, TAG, escape};
use crate::catalog::Target;
use crate::digest::Digest;
use crate::error::Result;
use crate::manifests::{ManifestId, State};
use crate::mark::release::Origin;
use crate::mark::{EligibleRevision, Marks};
use crate::store::Stat;

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

/// Writes the column names and a row for everything eligible.
///
/// # Errors
/// When `out` cannot be written, or references cannot be read back.
pub fn write(marks: &Marks, rules: &Rules, out: &mut dyn Write) -> Result<Written> {
    let mut rows = Rows { marks, rules, table: Table::begin(out)?, now: marks.catalog.started };
    rows.tags()?;
    rows.manifests()?;
    let givers = Givers::find(marks)?;
    rows.layer_links(&givers)?;
    rows.blobs(&givers)?;
    rows.table.end()
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
                givers.entry(key(&manifests.digest(id))).or_insert(index);
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
    table: Table<Out>,
    now: SystemTime,
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
    fn write(&mut self, row: &Row<'_>) -> Result<()> {
        let text = |value: Option<u64>| value.map_or_else(String::new, |value| value.to_string());
        let age = row.modified.map(|modified| self.now.duration_since(modified).unwrap_or_default().as_secs());
        let modified = row.modified.map_or_else(String::new, |time| humantime::format_rfc3339(time).to_string());
        let digest = row.digest.map_or_else(String::new, |digest| digest.to_string());
        self.table.write([
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
                digest: Some(manifests.digest(id)),
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
                digest: Some(manifests.digest(revision.manifest)),
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
