//! The JSON of configs, manifests and indexes, as registries' clients write it.

use regsweep_core::digest::Digest;
use serde_json::{Value, json};

use crate::layers::Layer;

const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const IN_TOTO: &str = "application/vnd.in-toto+json";
const SIGNATURE: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
const EMPTY: &str = "application/vnd.oci.empty.v1+json";

/// A stored document.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stored {
    pub(crate) digest: Digest,
    pub(crate) size_bytes: usize,
}

fn descriptor(media_type: &str, digest: &Digest, size_bytes: u64) -> Value {
    json!({"mediaType": media_type, "digest": digest.to_string(), "size": size_bytes})
}

fn text(document: &Value) -> Vec<u8> {
    serde_json::to_vec_pretty(document).expect("a document of strings and numbers")
}

pub(crate) fn config(architecture: &str, name: &str, layers: &[Layer]) -> Vec<u8> {
    let diff_ids: Vec<String> = layers.iter().map(|layer| layer.digest.to_string()).collect();
    text(&json!({
        "architecture": architecture,
        "os": "linux",
        "config": {"Env": ["PATH=/usr/local/bin:/usr/bin:/bin"], "Labels": {"name": name}},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "history": [{"created_by": "synthetic"}],
    }))
}

pub(crate) fn image(config: &Stored, layers: &[Layer]) -> Vec<u8> {
    let layers: Vec<Value> = layers.iter().map(|layer| descriptor(LAYER, &layer.digest, layer.size_bytes)).collect();
    text(&json!({
        "schemaVersion": 2,
        "mediaType": IMAGE,
        "config": descriptor(CONFIG, &config.digest, config.size_bytes as u64),
        "layers": layers,
    }))
}

/// An attestation: an image in form, that only an index names.
pub(crate) fn attestation(config: &Stored, layer: &Layer) -> Vec<u8> {
    text(&json!({
        "schemaVersion": 2,
        "mediaType": IMAGE,
        "config": descriptor(CONFIG, &config.digest, config.size_bytes as u64),
        "layers": [{
            "mediaType": IN_TOTO,
            "digest": layer.digest.to_string(),
            "size": layer.size_bytes,
            "annotations": {"in-toto.io/predicate-type": "https://slsa.dev/provenance/v0.2"},
        }],
    }))
}

/// An index of platforms and of their attestations, in pairs.
pub(crate) fn index(platforms: &[(&str, Stored, Stored)]) -> Vec<u8> {
    let mut manifests = Vec::new();
    for (architecture, image, _) in platforms {
        let mut entry = descriptor(IMAGE, &image.digest, image.size_bytes as u64);
        entry["platform"] = json!({"architecture": architecture, "os": "linux"});
        manifests.push(entry);
    }
    for (_, image, attestation) in platforms {
        let mut entry = descriptor(IMAGE, &attestation.digest, attestation.size_bytes as u64);
        entry["platform"] = json!({"architecture": "unknown", "os": "unknown"});
        entry["annotations"] = json!({
            "vnd.docker.reference.digest": image.digest.to_string(),
            "vnd.docker.reference.type": "attestation-manifest",
        });
        manifests.push(entry);
    }
    text(&json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}))
}

/// A signature: an artifact about an image or index.
pub(crate) fn signature(subject: &Stored, is_index: bool, config: &Stored, layer: &Layer) -> Vec<u8> {
    text(&json!({
        "schemaVersion": 2,
        "mediaType": IMAGE,
        "artifactType": SIGNATURE,
        "config": descriptor(EMPTY, &config.digest, config.size_bytes as u64),
        "layers": [descriptor(SIGNATURE, &layer.digest, layer.size_bytes)],
        "subject": descriptor(if is_index { INDEX } else { IMAGE }, &subject.digest, subject.size_bytes as u64),
    }))
}
