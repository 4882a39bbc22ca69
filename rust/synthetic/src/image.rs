//! One image of a repository: its documents and layers, and what it adds to the counts.

use std::io;

use regsweep_core::digest::{Algorithm, Digest};

use crate::Made;
use crate::documents::{self, Stored};
use crate::layers::{Layer, base, random_layer};
use crate::options::Options;
use crate::random::Random;
use crate::repository::Directories;
use crate::tree::Tree;

/// What an image is to be, decided before anything is written: a matter of its number alone.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::struct_excessive_bools)] // five independent draws
pub(crate) struct Plan {
    /// The base whose layers it shares.
    pub(crate) base: usize,
    pub(crate) tagged: bool,
    pub(crate) overwrites: bool,
    pub(crate) is_index: bool,
    pub(crate) has_signature: bool,
    pub(crate) deleted: bool,
}

impl Plan {
    pub(crate) fn new(options: &Options, repository: &Random, number: usize) -> (Self, Random) {
        let mut random = repository.part(number as u64);
        // A repository is built on few of the bases: on one mostly, sometimes on another.
        let favourite = repository.clone().below(options.bases.max(1));
        let base = if random.chance(0.9) { favourite } else { random.below(options.bases.max(1)) };
        let tagged = random.chance(options.tagged);
        let plan = Self {
            base,
            tagged,
            overwrites: tagged && random.chance(options.overwritten),
            is_index: random.chance(options.indexes),
            has_signature: tagged && random.chance(options.referrers),
            deleted: !tagged && random.chance(options.deleted),
        };
        (plan, random)
    }
}

/// Counts what is written for one image, knowing whether a collection would remove it.
struct Writer<'a> {
    tree: &'a Tree<'a>,
    directories: &'a Directories,
    options: &'a Options,
    plan: Plan,
    made: Made,
}

impl Writer<'_> {
    fn count_blob(&mut self, size_bytes: u64) {
        self.made.blobs += 1;
        self.made.bytes += size_bytes;
        self.made.eligible_plain += u64::from(self.plan.deleted);
        self.made.eligible_untagged += u64::from(!self.plan.tagged);
    }

    fn document(&mut self, content: &[u8]) -> io::Result<Stored> {
        let digest = self.tree.write_document(content)?;
        self.count_blob(content.len() as u64);
        Ok(Stored { digest, size_bytes: content.len() })
    }

    fn config(&mut self, content: &[u8]) -> io::Result<Stored> {
        let config = self.document(content)?;
        self.link_layer(&config.digest)?;
        Ok(config)
    }

    fn link_layer(&mut self, digest: &Digest) -> io::Result<()> {
        self.made.layer_links += 1;
        self.directories.layers.write(digest, digest)
    }

    fn layer(&mut self, layer: &Layer) -> io::Result<()> {
        self.tree.write_layer(&layer.digest, layer.size_bytes)?;
        self.count_blob(layer.size_bytes);
        self.link_layer(&layer.digest)
    }

    /// Stores a manifest and links it.
    fn manifest(&mut self, content: &[u8]) -> io::Result<Stored> {
        let manifest = self.document(content)?;
        self.made.manifests += 1;
        if self.plan.deleted {
            self.directories.revisions.write_deleted(&manifest.digest)?;
        } else {
            self.made.revisions += 1;
            self.made.eligible_revisions += u64::from(!self.plan.tagged);
            self.directories.revisions.write(&manifest.digest, &manifest.digest)?;
        }
        Ok(manifest)
    }

    /// A single-platform image. Its base's layers are there already.
    fn platform(
        &mut self,
        architecture: &str,
        name: &str,
        shared: &[Layer],
        random: &mut Random,
    ) -> io::Result<Stored> {
        let own = self.options.layers - shared.len();
        let mut layers = shared.to_vec();
        for _ in 0..own {
            let layer = random_layer(random, self.options);
            self.layer(&layer)?;
            layers.push(layer);
        }
        if let Some(aliases) = &self.directories.aliases
            && let Some(layer) = layers.last_mut().filter(|_| own > 0)
        {
            let pushed = Digest::of(Algorithm::Sha512, layer.digest.bytes());
            aliases.write(&pushed, &layer.digest)?;
            self.made.layer_links += 1;
            layer.digest = pushed;
        }
        let config = self.config(&documents::config(architecture, name, &layers))?;
        self.manifest(&documents::image(&config, &layers))
    }

    fn index(&mut self, name: &str, shared: &[Layer], random: &mut Random) -> io::Result<Stored> {
        let mut platforms = Vec::new();
        for architecture in ["amd64", "arm64"] {
            let image = self.platform(architecture, name, shared, random)?;
            let statement = random_layer(random, self.options);
            self.layer(&statement)?;
            let config = self.config(&documents::config("unknown", name, &[statement]))?;
            let attestation = self.manifest(&documents::attestation(&config, &statement))?;
            platforms.push((architecture, image, attestation));
        }
        self.manifest(&documents::index(&platforms))
    }

    fn signature(&mut self, subject: &Stored, name: &str, random: &mut Random) -> io::Result<()> {
        let payload = random_layer(random, self.options);
        self.layer(&payload)?;
        let config = self.config(&documents::config("unknown", &format!("{name} signature"), &[payload]))?;
        self.manifest(&documents::signature(subject, self.plan.is_index, &config, &payload)).map(drop)
    }
}

/// Writes an image, with what is about it; returns its digest.
pub(crate) fn write(
    tree: &Tree<'_>,
    directories: &Directories,
    options: &Options,
    seed: &Random,
    repository: &Random,
    number: usize,
) -> io::Result<(Plan, Digest, Made)> {
    let (plan, mut random) = Plan::new(options, repository, number);
    let name = format!("image {number} {:016x}", random.next());
    let shared = base(options, seed, plan.base);
    let mut writer = Writer { tree, directories, options, plan, made: Made::default() };
    let image = if plan.is_index {
        writer.index(&name, &shared, &mut random)?
    } else {
        writer.platform("amd64", &name, &shared, &mut random)?
    };
    if plan.has_signature {
        writer.signature(&image, &name, &mut random)?;
    }
    Ok((plan, image.digest, writer.made))
}
