//! What the JSON of a manifest means: the one place where a document is believed or not.
//!
//! First the document is read strictly ([`read_strictly`]): every key known, every key once, every type as
//! expected. The first surprise throws away what was collected and the document is read by the other rule, which
//! knows no surprises ([`read_conservatively`]).

use super::{Reference, Role, Shape, scan_digests};
use crate::digest::Digest;

/// A JSON value that is read in place, whatever parser made it.
///
/// Objects give all their members in order, those with equal keys too.
pub(super) trait Value<'v>: Copy {
    type Elements: Iterator<Item = Self>;
    type Members: Iterator<Item = (&'v str, Self)>;

    fn view(self) -> View<'v, Self>;
}

/// What a [`Value`] is.
pub(super) enum View<'v, V: Value<'v>> {
    Null,
    /// An integer that is not negative.
    Integer(u64),
    String(&'v str),
    Array(V::Elements),
    Object(V::Members),
    /// `true`, `false` and all other numbers: nothing that a manifest has a use for.
    Other,
}

/// Decides what a document is and appends its references. `None` if it is no object.
pub(super) fn classify<'v, V: Value<'v>>(document: V, references: &mut Vec<Reference>) -> Option<Shape> {
    let View::Object(members) = document.view() else { return None };
    let start = references.len();
    if let Some(shape) = read_strictly::<V>(members, references) {
        return Some(shape);
    }
    references.truncate(start);
    read_conservatively(document, references);
    Some(Shape::Unknown)
}

/// Appends every digest in every string and key; those below a top-level `subject` once more as the subject, so
/// that a referrer of a type that is not known still follows what it is about.
fn read_conservatively<'v, V: Value<'v>>(document: V, references: &mut Vec<Reference>) {
    collect_digests(document, references);
    let View::Object(members) = document.view() else { return };
    let end = references.len();
    for (key, value) in members {
        if folds_to(key, "subject") {
            collect_digests(value, references);
        }
    }
    for reference in &mut references[end..] {
        reference.role = Role::Subject;
    }
}

fn collect_digests<'v, V: Value<'v>>(value: V, references: &mut Vec<Reference>) {
    match value.view() {
        View::String(text) => scan_digests(text.as_bytes(), references),
        View::Array(elements) => elements.for_each(|element| collect_digests(element, references)),
        View::Object(members) => {
            for (key, member) in members {
                scan_digests(key.as_bytes(), references);
                collect_digests(member, references);
            }
        }
        View::Null | View::Integer(_) | View::Other => {}
    }
}

/// What a media type says that its document is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum MediaType {
    Image,
    Index,
    Schema1,
}

impl MediaType {
    fn of(text: &str) -> Option<Self> {
        match text {
            "application/vnd.oci.image.manifest.v1+json" | "application/vnd.docker.distribution.manifest.v2+json" => {
                Some(Self::Image)
            }
            "application/vnd.oci.image.index.v1+json" | "application/vnd.docker.distribution.manifest.list.v2+json" => {
                Some(Self::Index)
            }
            "application/vnd.docker.distribution.manifest.v1+json"
            | "application/vnd.docker.distribution.manifest.v1+prettyjws" => Some(Self::Schema1),
            _ => None,
        }
    }
}

/// Each known top-level key with its value, where it was found.
struct TopLevel<V> {
    schema_version: Option<V>,
    media_type: Option<V>,
    artifact_type: Option<V>,
    annotations: Option<V>,
    config: Option<V>,
    layers: Option<V>,
    manifests: Option<V>,
    subject: Option<V>,
    fs_layers: Option<V>,
    name: Option<V>,
    tag: Option<V>,
    architecture: Option<V>,
    history: Option<V>,
    signatures: Option<V>,
}

impl<V> TopLevel<V> {
    const EMPTY: Self = Self {
        schema_version: None,
        media_type: None,
        artifact_type: None,
        annotations: None,
        config: None,
        layers: None,
        manifests: None,
        subject: None,
        fs_layers: None,
        name: None,
        tag: None,
        architecture: None,
        history: None,
        signatures: None,
    };
}

impl<'v, V: Value<'v>> TopLevel<V> {
    /// Nothing if there is a key that is not known or is there twice. No check for other cases of known keys is
    /// needed here: they are not known.
    fn read(members: V::Members) -> Option<Self> {
        let mut top = Self::EMPTY;
        for (key, value) in members {
            let slot = match key {
                "schemaVersion" => &mut top.schema_version,
                "mediaType" => &mut top.media_type,
                "artifactType" => &mut top.artifact_type,
                "annotations" => &mut top.annotations,
                "config" => &mut top.config,
                "layers" => &mut top.layers,
                "manifests" => &mut top.manifests,
                "subject" => &mut top.subject,
                "fsLayers" => &mut top.fs_layers,
                "name" => &mut top.name,
                "tag" => &mut top.tag,
                "architecture" => &mut top.architecture,
                "history" => &mut top.history,
                "signatures" => &mut top.signatures,
                _ => return None,
            };
            if slot.replace(value).is_some() {
                return None;
            }
        }
        Some(top)
    }

    /// Whether only keys of images and indexes are there.
    fn is_schema2(&self) -> bool {
        self.fs_layers.is_none()
            && self.name.is_none()
            && self.tag.is_none()
            && self.architecture.is_none()
            && self.history.is_none()
            && self.signatures.is_none()
            && is_string(self.artifact_type)
            && is_string_map(self.annotations)
    }

    fn is_image(&self) -> bool {
        self.is_schema2() && self.manifests.is_none()
    }

    fn is_index(&self) -> bool {
        self.is_schema2() && self.config.is_none() && self.layers.is_none()
    }

    fn is_schema1(&self) -> bool {
        self.artifact_type.is_none()
            && self.annotations.is_none()
            && self.config.is_none()
            && self.layers.is_none()
            && self.manifests.is_none()
            && self.subject.is_none()
            && [self.name, self.tag, self.architecture].into_iter().all(is_string)
            && [self.history, self.signatures]
                .into_iter()
                .all(|value| elements(value).is_some_and(|mut all| !all.any(holds_digest)))
    }
}

/// Appends the references of a document that can be read in only one way, in the order in which the registry's
/// collector visits them. `None`, with some of them appended, if this is not such a document.
///
/// An image without a configuration, and a descriptor with an empty or malformed digest, are not. (The reference
/// collector marks such a text as it stands and counts it; no blob can have that name.)
fn read_strictly<'v, V: Value<'v>>(members: V::Members, references: &mut Vec<Reference>) -> Option<Shape> {
    let top = TopLevel::<V>::read(members)?;
    let View::Integer(version) = top.schema_version?.view() else { return None };
    let media_type = match string(top.media_type)? {
        // Without a media type the collector looks whether there are `manifests`.
        "" if version == 1 => MediaType::Schema1,
        "" if top.manifests.is_some_and(|value| !matches!(value.view(), View::Null)) => MediaType::Index,
        "" => MediaType::Image,
        text => MediaType::of(text)?,
    };
    match (version, media_type) {
        (2, MediaType::Image) if top.is_image() => {
            push(Role::Config, &descriptor(top.config?)?, references);
            for layer in elements(top.layers)? {
                let layer = descriptor(layer)?;
                let role = if layer.is_foreign() { Role::ForeignLayer } else { Role::Layer };
                push(role, &layer, references);
            }
            push_subject(top.subject, references)?;
            Some(Shape::Image)
        }
        (2, MediaType::Index) if top.is_index() => {
            for entry in elements(top.manifests)? {
                let entry = descriptor(entry)?;
                push(entry.child_role(), &entry, references);
            }
            push_subject(top.subject, references)?;
            Some(Shape::Index)
        }
        (1, MediaType::Schema1) if top.is_schema1() => {
            for layer in elements(Some(top.fs_layers?))? {
                references.push(Reference { role: Role::Layer, digest: blob_sum(layer)? });
            }
            Some(Shape::Schema1)
        }
        _ => None,
    }
}

fn push(role: Role, descriptor: &Descriptor<'_>, references: &mut Vec<Reference>) {
    references.push(Reference { role, digest: descriptor.digest });
}

fn push_subject<'v, V: Value<'v>>(subject: Option<V>, references: &mut Vec<Reference>) -> Option<()> {
    if let Some(subject) = subject.filter(|value| !matches!(value.view(), View::Null)) {
        push(Role::Subject, &descriptor(subject)?, references);
    }
    Some(())
}

/// What matters of a descriptor (OCI image specification, `descriptor.md`).
struct Descriptor<'v> {
    digest: Digest,
    media_type: &'v str,
    has_urls: bool,
}

impl Descriptor<'_> {
    /// Whether the layer may be stored elsewhere only.
    fn is_foreign(&self) -> bool {
        self.has_urls
            || self.media_type.starts_with("application/vnd.docker.image.rootfs.foreign.")
            || self.media_type.starts_with("application/vnd.oci.image.layer.nondistributable.")
    }

    /// The role as an entry of an index. Indexes of build caches list layers, and some carry no media type.
    fn child_role(&self) -> Role {
        match MediaType::of(self.media_type) {
            Some(MediaType::Image | MediaType::Index) => Role::Child,
            Some(MediaType::Schema1) | None => Role::ChildOrBlob,
        }
    }
}

/// The keys that descriptors are known to have.
const DESCRIPTOR_KEYS: [&str; 8] =
    ["mediaType", "digest", "size", "urls", "annotations", "data", "platform", "artifactType"];

/// Reads a descriptor. `None` if it can be read in more than one way.
///
/// Keys that are not known may be there, even twice, as long as there is no digest in what they hold.
fn descriptor<'v, V: Value<'v>>(value: V) -> Option<Descriptor<'v>> {
    let View::Object(members) = value.view() else { return None };
    let mut known = [None; DESCRIPTOR_KEYS.len()];
    for (key, value) in members {
        let slot = match key {
            "mediaType" => 0,
            "digest" => 1,
            "size" => 2,
            "urls" => 3,
            "annotations" => 4,
            "data" => 5,
            "platform" => 6,
            "artifactType" => 7,
            _ if DESCRIPTOR_KEYS.iter().any(|known| folds_to(key, known)) => return None,
            _ if Digest::parse(key.as_bytes()).is_some() || holds_digest(value) => return None,
            _ => continue,
        };
        if known[slot].replace(value).is_some() {
            return None;
        }
    }
    let [media_type, digest, size, urls, annotations, data, platform, artifact_type] = known;
    let mut has_urls = false;
    for url in elements(urls)? {
        let View::String(_) = url.view() else { return None };
        has_urls = true;
    }
    let expected = is_integer(size)
        && is_string(data)
        && is_string(artifact_type)
        && is_string_map(annotations)
        && platform
            .is_none_or(|platform| matches!(platform.view(), View::Null | View::Object(_)) && !holds_digest(platform));
    if !expected {
        return None;
    }
    let View::String(text) = digest?.view() else { return None };
    Some(Descriptor { digest: Digest::parse(text.as_bytes())?, media_type: string(media_type)?, has_urls })
}

/// Reads an element of `fsLayers`, which is nothing but its `blobSum`.
fn blob_sum<'v, V: Value<'v>>(value: V) -> Option<Digest> {
    let View::Object(members) = value.view() else { return None };
    let mut digest = None;
    for (key, value) in members {
        if key != "blobSum" {
            return None;
        }
        let View::String(text) = value.view() else { return None };
        if digest.replace(Digest::parse(text.as_bytes())?).is_some() {
            return None;
        }
    }
    digest
}

/// Whether a string or key somewhere in the value is a digest.
fn holds_digest<'v, V: Value<'v>>(value: V) -> bool {
    match value.view() {
        View::String(text) => Digest::parse(text.as_bytes()).is_some(),
        View::Array(mut elements) => elements.any(holds_digest),
        View::Object(mut members) => {
            members.any(|(key, value)| Digest::parse(key.as_bytes()).is_some() || holds_digest(value))
        }
        View::Null | View::Integer(_) | View::Other => false,
    }
}

/// The string, empty where there is none; `None` where there is something else.
fn string<'v, V: Value<'v>>(value: Option<V>) -> Option<&'v str> {
    match value.map(V::view) {
        None | Some(View::Null) => Some(""),
        Some(View::String(text)) => Some(text),
        Some(_) => None,
    }
}

/// The elements of an array, if there is one; `None` where there is something else.
fn elements<'v, V: Value<'v>>(value: Option<V>) -> Option<std::iter::Flatten<std::option::IntoIter<V::Elements>>> {
    match value.map(V::view) {
        None | Some(View::Null) => Some(None.into_iter().flatten()),
        Some(View::Array(elements)) => Some(Some(elements).into_iter().flatten()),
        Some(_) => None,
    }
}

fn is_string<'v, V: Value<'v>>(value: Option<V>) -> bool {
    string(value).is_some()
}

fn is_integer<'v, V: Value<'v>>(value: Option<V>) -> bool {
    matches!(value.map(V::view), None | Some(View::Null | View::Integer(_)))
}

/// Whether this is an object of strings, as annotations are. What they say refers to nothing.
fn is_string_map<'v, V: Value<'v>>(value: Option<V>) -> bool {
    match value.map(V::view) {
        None | Some(View::Null) => true,
        Some(View::Object(mut members)) => members.all(|(_, value)| is_string(Some(value))),
        Some(_) => false,
    }
}

/// Whether Go's `encoding/json` takes `key` for the field `name`, which is all ASCII letters: letters match in
/// either case, and Unicode folds two more characters to ASCII (`foldRune` in `encoding/json/fold.go`).
fn folds_to(key: &str, name: &str) -> bool {
    let mut rest = name.chars();
    let all = key.chars().all(|found| {
        let folded = match found {
            '\u{17f}' => 's',
            '\u{212a}' => 'k',
            other => other.to_ascii_lowercase(),
        };
        rest.next().is_some_and(|wanted| wanted.to_ascii_lowercase() == folded)
    });
    all && rest.next().is_none()
}
