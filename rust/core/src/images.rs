//! What tags' images consist of, and what their configs say of them: found and read.

use std::collections::HashSet;
use std::sync::Mutex;

use crate::catalog::{Catalog, Target};
use crate::digest::Digest;
use crate::error::Result;
use crate::layout::distribution as layout;
use crate::manifest::{MAX_SIZE, Role};
use crate::manifests::{ManifestId, Manifests};
use crate::progress::Control;
use crate::store::{Content, Group, Read};

/// What the images of tags consist of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// The manifest, and those of all platforms of an index, in the order in which it names them.
    pub manifests: Vec<Digest>,
    /// Their configs.
    pub configs: Vec<Digest>,
}

/// The images of tags, by the tags' indexes in their repository. Nothing where there is no such repository or tag.
pub fn images(catalog: &Catalog, repository: usize, tags: &[usize]) -> Option<Vec<Image>> {
    let all = catalog.repositories.get(repository)?.tags.as_ref()?;
    let manifests = catalog.manifests();
    let of_tag = |&tag: &usize| match all.get(tag)?.target {
        Target::Manifest(id) => Some(below(&manifests, id)),
        Target::Unreadable | Target::Missing(_) => Some(Image::default()),
    };
    tags.iter().map(of_tag).collect()
}

fn below(manifests: &Manifests, id: ManifestId) -> Image {
    let mut found = Image::default();
    let mut buffer = Vec::new();
    let mut seen = HashSet::from([id]);
    let mut open = vec![id];
    while let Some(id) = open.pop() {
        found.manifests.push(manifests.digest(id));
        // What cannot be read back says nothing, and what says nothing stays.
        let _ = manifests.references.for_each(manifests.span(id), &mut buffer, |reference| {
            found.configs.extend((reference.role == Role::Config).then_some(reference.digest));
        });
        let children = manifests.edges(id).iter().rev().filter(|edge| edge.role != Role::Subject);
        open.extend(children.map(|edge| edge.target).filter(|&child| seen.insert(child)));
    }
    found
}

/// Reads blobs, in the order of the digests; nothing for what is not stored, is larger than a manifest may be, or does
/// not match its digest.
///
/// # Errors
/// Any failure to read.
pub fn read_blobs(store: &impl Read, digests: &[Digest], control: &Control) -> Result<Vec<Option<Vec<u8>>>> {
    let groups: Vec<Group> = digests
        .iter()
        .flat_map(|digest| {
            let directory = layout::blob_prefix(digest.algorithm(), digest.prefix());
            Group::split(&directory, layout::DATA, [digest.hex()])
        })
        .collect();
    let found: Mutex<Vec<Option<Vec<u8>>>> = Mutex::new(vec![None; digests.len()]);
    store.read(&groups, MAX_SIZE, control, &|index, _, content| {
        if let Content::Whole(bytes) = content
            && Digest::of(digests[index].algorithm(), bytes) == digests[index]
        {
            found.lock().expect("no thread panics while it gathers")[index] = Some(bytes.to_vec());
        }
        Ok(())
    })?;
    Ok(found.into_inner().expect("no thread panics while it gathers"))
}
