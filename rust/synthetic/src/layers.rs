//! Layers: those of the bases that images share, and those that nobody needs.

use std::io;

use regsweep_core::digest::{Algorithm, Digest};

use crate::options::Options;
use crate::random::Random;
use crate::tree::Tree;
use crate::{Made, in_parallel};

/// Streams that belong to the whole store lie above those of its repositories.
const BASES: u64 = 1 << 40;
const ORPHANS: u64 = 1 << 41;

/// One layer: a made-up digest and a size.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layer {
    pub(crate) digest: Digest,
    pub(crate) size_bytes: u64,
}

pub(crate) fn random_digest(random: &mut Random) -> Digest {
    Digest::from_bytes(Algorithm::Sha256, &random.bytes()).expect("32 bytes")
}

pub(crate) fn random_layer(random: &mut Random, options: &Options) -> Layer {
    let digest = random_digest(random);
    // From a hundredth of the middle to a hundred times as much, evenly over the orders of magnitude.
    let factor = 10f64.powf(random.unit() * 4.0 - 2.0);
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a size, roughly
    let size_bytes = (options.layer_bytes as f64 * factor) as u64 + 1;
    Layer { digest, size_bytes }
}

/// The layers of one base.
pub(crate) fn base(options: &Options, seed: &Random, number: usize) -> Vec<Layer> {
    let mut random = seed.part(BASES + number as u64);
    (0..options.shared_layers()).map(|_| random_layer(&mut random, options)).collect()
}

/// Writes the layers of all bases. Which of them a repository uses is its own affair, so one that no repository
/// happens to use counts as garbage.
pub(crate) fn write_shared(tree: &Tree<'_>, options: &Options, seed: &Random) -> io::Result<Made> {
    let used = crate::repository::used_bases(options, seed);
    in_parallel(options.bases, |number| {
        let mut made = Made::default();
        for layer in base(options, seed, number) {
            tree.write_layer(&layer.digest, layer.size_bytes)?;
            made.blobs += 1;
            made.bytes += layer.size_bytes;
            made.eligible_plain += u64::from(!used.linked.contains(&number));
            made.eligible_untagged += u64::from(!used.tagged.contains(&number));
        }
        Ok(made)
    })
}

/// Writes blobs that nothing refers to.
pub(crate) fn write_orphans(tree: &Tree<'_>, options: &Options, seed: &Random) -> io::Result<Made> {
    const PORTION: usize = 1000;
    in_parallel(options.orphans.div_ceil(PORTION), |portion| {
        let mut random = seed.part(ORPHANS + portion as u64);
        let mut made = Made::default();
        for _ in portion * PORTION..((portion + 1) * PORTION).min(options.orphans) {
            let layer = random_layer(&mut random, options);
            tree.write_layer(&layer.digest, layer.size_bytes)?;
            made.add(&Made {
                blobs: 1,
                bytes: layer.size_bytes,
                eligible_plain: 1,
                eligible_untagged: 1,
                ..Made::default()
            });
        }
        Ok(made)
    })
}
