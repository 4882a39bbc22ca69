//! What a store is to be like.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The shape of a synthetic store. Shares are from 0 to 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Chooses everything that is random.
    pub seed: u64,
    /// How many repositories.
    pub repositories: usize,
    /// Images per repository, single and multi-platform ones together.
    pub images: usize,
    /// Images of the first repository, if that is more: one repository that dwarfs the others.
    pub huge_images: usize,
    /// Of the images: how many have a tag of their own.
    pub tagged: f64,
    /// Of the tagged images: how many have taken their tag over from another image, which is in the tag's history.
    pub overwritten: f64,
    /// Layers per image, shared and own together.
    pub layers: usize,
    /// Of an image's layers: how many it shares with the other images of its base.
    pub shared: f64,
    /// Base images whose layers all repositories share.
    pub bases: usize,
    /// Of the images: how many are indexes of two platforms with an attestation for each.
    pub indexes: f64,
    /// Of the tagged images: how many have an artifact (a signature) that is about them.
    pub referrers: f64,
    /// Of the untagged images: how many were deleted by the API, which leaves a directory without a link.
    pub deleted: f64,
    /// Blobs that nothing refers to, in the whole store.
    pub orphans: usize,
    /// Layer links per repository whose blob is gone.
    pub dangling: usize,
    /// Layers per repository that were pushed by their sha512 digest.
    pub sha512: usize,
    /// The middle of the layers' sizes in bytes; they spread over four orders of magnitude.
    pub layer_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 1,
            repositories: 10,
            images: 20,
            huge_images: 0,
            tagged: 0.6,
            overwritten: 0.2,
            layers: 8,
            shared: 0.4,
            bases: 5,
            indexes: 0.15,
            referrers: 0.15,
            deleted: 0.1,
            orphans: 200,
            dangling: 2,
            sha512: 0,
            layer_bytes: 4 << 20,
        }
    }
}

/// Shapes by name.
pub const PRESETS: [&str; 6] = ["small", "100k", "1m", "1m-sweep", "5m", "one-repository"];

impl Options {
    /// The shape of that name; see [`PRESETS`].
    pub fn preset(name: &str) -> Option<Self> {
        // 10 blobs an image in all (7 layers of its own, 1 config, 1 manifest, and what indexes add): plain images
        // with few extras, the shape of the baselines that the reference was measured on.
        let plain = Self {
            images: 50,
            tagged: 0.5,
            layers: 11,
            shared: 0.28,
            bases: 20,
            indexes: 0.0,
            referrers: 0.0,
            overwritten: 0.1,
            deleted: 0.0,
            orphans: 0,
            dangling: 0,
            ..Self::default()
        };
        Some(match name {
            "small" => Self::default(),
            "100k" => Self { repositories: 200, ..plain },
            "1m" => Self { repositories: 500, images: 200, ..plain },
            "1m-sweep" => Self { repositories: 350, images: 200, orphans: 300_000, ..plain },
            "5m" => Self { repositories: 2000, images: 250, ..plain },
            "one-repository" => Self { repositories: 1, images: 5000, ..plain },
            _ => return None,
        })
    }

    /// Options from a JSON object: its `preset`, if it names one, changed by its other members.
    ///
    /// # Errors
    /// Says what is wrong with the text.
    pub fn from_json(text: &str) -> Result<Self, String> {
        let mut changes: Map<String, Value> = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let base = match changes.remove("preset") {
            None => Self::default(),
            Some(name) => name
                .as_str()
                .and_then(Self::preset)
                .ok_or_else(|| format!("{name} is no preset; there are {}", PRESETS.join(", ")))?,
        };
        let mut merged = serde_json::to_value(base).map_err(|error| error.to_string())?;
        merged.as_object_mut().expect("options are an object").append(&mut changes);
        serde_json::from_value(merged).map_err(|error| error.to_string())
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        let shares = [
            ("tagged", self.tagged),
            ("overwritten", self.overwritten),
            ("shared", self.shared),
            ("indexes", self.indexes),
            ("referrers", self.referrers),
            ("deleted", self.deleted),
        ];
        for (name, share) in shares {
            if !(0.0..=1.0).contains(&share) {
                return Err(format!("{name} is {share}: a share is from 0 to 1"));
            }
        }
        if self.shared > 0.0 && self.bases == 0 {
            return Err("layers are to be shared, and there are no bases".to_owned());
        }
        Ok(())
    }

    /// How many images a repository has.
    pub(crate) fn images_of(&self, repository: usize) -> usize {
        if repository == 0 { self.images.max(self.huge_images) } else { self.images }
    }

    /// How many of an image's layers come from its base.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)] // a handful
    pub(crate) fn shared_layers(&self) -> usize {
        (self.layers as f64 * self.shared).round() as usize
    }
}
