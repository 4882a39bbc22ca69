//! A repository: its images, tags and links.

use std::collections::BTreeSet;
use std::io;

use crate::Made;
use crate::image::{self, Plan};
use crate::layers::{base, random_digest};
use crate::options::Options;
use crate::random::Random;
use crate::tree::{Links, Tree};

/// The directories of a repository's links.
pub(crate) struct Directories {
    pub(crate) layers: Links,
    /// Layers pushed by their sha512 digest, if this repository has any left to make.
    pub(crate) aliases: Option<Links>,
    pub(crate) revisions: Links,
}

/// The bases on which images that are linked, or tagged, are built.
pub(crate) struct UsedBases {
    pub(crate) linked: BTreeSet<usize>,
    pub(crate) tagged: BTreeSet<usize>,
}

pub(crate) fn used_bases(options: &Options, seed: &Random) -> UsedBases {
    let mut used = UsedBases { linked: BTreeSet::new(), tagged: BTreeSet::new() };
    for repository in 0..options.repositories {
        for plan in plans(options, &seed.part(repository as u64), repository) {
            if !plan.deleted {
                used.linked.insert(plan.base);
            }
            if plan.tagged {
                used.tagged.insert(plan.base);
            }
        }
    }
    used
}

fn plans(options: &Options, repository: &Random, index: usize) -> impl Iterator<Item = Plan> {
    (0..options.images_of(index)).map(|number| Plan::new(options, repository, number).0)
}

/// A name of one to three components; numbers keep them apart.
fn name(number: usize) -> String {
    match number % 4 {
        0 => format!("library/app-{number}"),
        1 => format!("team{}/service_{number}", number / 16),
        2 => format!("team{}/web/page.{number}", number / 16),
        _ => format!("tool{number}"),
    }
}

/// Writes one repository.
pub(crate) fn write(tree: &Tree<'_>, options: &Options, seed: &Random, index: usize) -> io::Result<Made> {
    let mut random = seed.part(index as u64);
    let name = name(index);
    let mut directories = Directories {
        layers: tree.links(&format!("{name}/_layers/sha256"))?,
        aliases: None,
        revisions: tree.links(&format!("{name}/_manifests/revisions/sha256"))?,
    };
    tree.links(&format!("{name}/_uploads"))?;
    let tags = tree.links(&format!("{name}/_manifests/tags"))?;
    let repository = random.clone();
    let mut made = Made { repositories: 1, ..Made::default() };

    let bases: BTreeSet<usize> = plans(options, &repository, index).map(|plan| plan.base).collect();
    for layer in bases.iter().flat_map(|&number| base(options, seed, number)) {
        directories.layers.write(&layer.digest, &layer.digest)?;
        made.layer_links += 1;
    }
    for _ in 0..options.dangling {
        let digest = random_digest(&mut random);
        directories.layers.write(&digest, &digest)?;
        made.layer_links += 1;
    }
    let mut previous = None;
    for number in 0..options.images_of(index) {
        directories.aliases = match number {
            number if number >= options.sha512 => None,
            _ => Some(tree.links(&format!("{name}/_layers/sha512"))?),
        };
        let (plan, digest, image) = image::write(tree, &directories, options, seed, &repository, number)?;
        made.add(&image);
        if plan.tagged {
            let mut history = vec![digest];
            history.extend(previous.filter(|_| plan.overwrites));
            tags.write_tag(&format!("v1.{number}"), &digest, &history)?;
            made.tags += 1;
        }
        previous = (!plan.tagged && !plan.deleted).then_some(digest);
    }
    Ok(made)
}
