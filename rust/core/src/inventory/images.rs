//! Which images lack something, and how large it ought to be.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Mutex;

use serde_json::Value;

use super::{Forgiving, Inventory};
use crate::digest::Digest;
use crate::error::Result;
use crate::layout::{distribution as layout, quarantine};
use crate::manifest::{MAX_SIZE, Reference};
use crate::manifests::ManifestId;
use crate::mark::broken::{self, BrokenImage, Missing};
use crate::progress::Control;
use crate::scan::stat_all;
use crate::store::{Content, Group, List, Read};

/// An image, and the blob for which it cannot be pulled.
#[derive(Clone, Debug)]
pub struct Affected {
    /// The blob, as it is stored or should be.
    pub digest: Digest,
    /// The image. What is missing of it may have another digest: that under which the blob was pushed.
    pub image: BrokenImage,
}

impl Inventory {
    /// The images of some repositories that refer to what is not stored, by tag where they have one.
    ///
    /// # Errors
    /// When references cannot be read back.
    pub fn missing(&self, repositories: impl Fn(usize) -> bool) -> Result<Vec<Affected>> {
        let aliases = broken::aliases(&self.catalog);
        let lacking = |digest: &Digest| {
            let stored = [Some(digest), aliases.get(digest)].into_iter().flatten().any(|digest| self.contains(digest));
            (!stored).then_some(*digest)
        };
        self.affected_by(lacking, repositories)
    }

    /// The images that need one of these blobs.
    ///
    /// # Errors
    /// When references cannot be read back.
    pub fn affected(&self, wrong: &HashSet<Digest>) -> Result<Vec<Affected>> {
        let aliases = broken::aliases(&self.catalog);
        let mut affected = self.affected_by(|digest| wrong_one(wrong, &aliases, digest), |_| true)?;
        // A manifest that no tag leads to is an image, too.
        let tagged: HashSet<(usize, Digest)> = affected.iter().map(|one| (one.image.repository, one.digest)).collect();
        let manifests = self.catalog.manifests();
        for (repository, links) in self.catalog.repositories.iter().enumerate() {
            for revision in &links.revisions {
                let digest = manifests.digest(revision.manifest);
                if wrong.contains(&digest) && !tagged.contains(&(repository, digest)) {
                    let role = Missing::Manifest;
                    let image = BrokenImage { repository, tag: None, manifest: digest, missing: digest, role };
                    affected.push(Affected { digest, image });
                }
            }
        }
        Ok(affected)
    }

    /// `lacking` gives the blob that is at fault for what a manifest refers to, if it is.
    fn affected_by(
        &self,
        lacking: impl Fn(&Digest) -> Option<Digest>,
        repositories: impl Fn(usize) -> bool,
    ) -> Result<Vec<Affected>> {
        let manifests = self.catalog.manifests();
        let references = broken::lacking(&manifests, |_| true, |digest| lacking(digest).is_some())?;
        let is_lacking = |id: ManifestId| lacking(&manifests.digest(id)).is_some();
        let images = broken::images(&self.catalog, &manifests, &references, repositories, is_lacking, |_| true);
        let affected = images.into_iter().filter_map(|image| {
            let digest = lacking(&image.missing)?;
            Some(Affected { digest, image })
        });
        Ok(affected.collect())
    }

    /// The sizes that manifests state for some blobs, the largest where they disagree; nothing for those that none
    /// names with a size, as for most manifests.
    ///
    /// # Errors
    /// Anything but a failure to read a manifest, which says nothing then.
    pub fn stated_sizes(
        &self,
        store: &(impl List + Read),
        wanted: &HashSet<Digest>,
        control: &Control,
    ) -> Result<BTreeMap<Digest, u64>> {
        let aliases = broken::aliases(&self.catalog);
        let manifests = self.catalog.manifests();
        let is_wanted = |digest: &Digest| wrong_one(wanted, &aliases, digest).is_some();
        let referring: HashMap<ManifestId, Vec<Reference>> = broken::lacking(&manifests, |_| true, is_wanted)?;
        let digests: Vec<Digest> = referring.keys().map(|&id| manifests.digest(id)).collect();
        let groups: Vec<Group> =
            digests.iter().flat_map(|digest| Group::split(&layout::blob(digest), "", [layout::DATA])).collect();
        let sizes: Mutex<BTreeMap<Digest, u64>> = Mutex::default();
        Forgiving::new(store).read(&groups, MAX_SIZE, control, &|group, _, content| {
            // One that does not match its digest states nothing.
            if let Content::Whole(bytes) = content
                && Digest::of(digests[group].algorithm(), bytes) == digests[group]
                && let Ok(document) = serde_json::from_slice::<Value>(bytes)
            {
                for_each_size(&document, &mut |digest, size_bytes| {
                    if let Some(digest) = wrong_one(wanted, &aliases, &digest) {
                        let mut sizes = sizes.lock().expect("no thread panics while it gathers");
                        let stated = sizes.entry(digest).or_default();
                        *stated = size_bytes.max(*stated);
                    }
                });
            }
            Ok(())
        })?;
        Ok(sizes.into_inner().expect("no thread panics while it gathers"))
    }

    /// Those of some blobs that a quarantine holds: they are not lost.
    ///
    /// # Errors
    /// Any failure to look.
    pub fn set_aside(&self, store: &impl List, wanted: &[Digest], control: &Control) -> Result<Vec<Digest>> {
        let mut found = Vec::new();
        for aside in &self.catalog.quarantines {
            let groups: Vec<Group> = wanted
                .iter()
                .flat_map(|digest| {
                    let directory = layout::blob_prefix(digest.algorithm(), digest.prefix());
                    Group::split(&quarantine::aside(&aside.tree, &directory), "", [digest.hex()])
                })
                .collect();
            let stats = stat_all(store, &groups, control)?.concat();
            found.extend(wanted.iter().zip(stats).filter_map(|(digest, stat)| stat.map(|_| *digest)));
        }
        Ok(found)
    }
}

/// The blob among `wrong` that a manifest means by a digest, directly or by an alias.
fn wrong_one(wrong: &HashSet<Digest>, aliases: &HashMap<Digest, Digest>, digest: &Digest) -> Option<Digest> {
    [Some(digest), aliases.get(digest)].into_iter().flatten().find(|digest| wrong.contains(digest)).copied()
}

/// Calls `visit` with each descriptor's digest and size, wherever in the document it stands.
fn for_each_size(value: &Value, visit: &mut impl FnMut(Digest, u64)) {
    match value {
        Value::Array(elements) => elements.iter().for_each(|element| for_each_size(element, visit)),
        Value::Object(members) => {
            let digest = members.get("digest").and_then(Value::as_str).and_then(|text| text.parse().ok());
            if let (Some(digest), Some(size_bytes)) = (digest, members.get("size").and_then(Value::as_u64)) {
                visit(digest, size_bytes);
            }
            members.values().for_each(|member| for_each_size(member, visit));
        }
        _ => {}
    }
}
