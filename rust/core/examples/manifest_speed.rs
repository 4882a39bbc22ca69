//! Times both manifest readers on the shapes that registries hold: `cargo run --release --example manifest_speed`.
//!
//! Best of many rounds, one thread, the document warm in the cache: what a mark pays beyond reading the file.

#![allow(clippy::print_stdout)]

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, Instant};

use regsweep_core::digest::{Algorithm, Digest};
use regsweep_core::manifest::{Parser, parse_plain, scan_digests};

const ROUNDS: usize = 60;
const PER_ROUND: u32 = 2000;

fn main() {
    let mut parser = Parser::new();
    println!("{:28}{:>8}{:>12}{:>12}{:>12}", "document", "bytes", "simd ns", "plain ns", "scan ns");
    for (name, content) in [
        ("image, 5 layers", image(5, "")),
        ("image, 8 layers, indented", image(8, "\n      ")),
        ("image, 40 layers, indented", image(40, "\n      ")),
        ("index, 12 entries", index(12)),
        ("unknown, 5 layers", image(5, "").replace("\"layers\"", "\"blobs\"")),
    ] {
        let content = content.as_bytes();
        let mut references = Vec::new();
        let simd = best(|| {
            references.clear();
            black_box(parser.parse(black_box(content), &mut references));
        });
        let plain = best(|| {
            references.clear();
            black_box(parse_plain(black_box(content), &mut references));
        });
        let scan = best(|| {
            references.clear();
            scan_digests(black_box(content), &mut references);
        });
        println!("{name:28}{:>8}{simd:>12}{plain:>12}{scan:>12}", content.len());
    }
}

/// Nanoseconds per call in the best round.
fn best(mut call: impl FnMut()) -> u128 {
    let round = |_| {
        let start = Instant::now();
        (0..PER_ROUND).for_each(|_| call());
        start.elapsed()
    };
    (0..ROUNDS).map(round).min().map_or(0, |best: Duration| best.as_nanos() / u128::from(PER_ROUND))
}

fn descriptor(n: usize, media_type: &str, space: &str) -> String {
    let digest = Digest::of(Algorithm::Sha256, &n.to_le_bytes());
    let size = 1000 + n * 7919;
    format!("{{{space}\"mediaType\":\"{media_type}\",{space}\"size\":{size},{space}\"digest\":\"{digest}\"{space}}}")
}

fn image(layer_count: usize, space: &str) -> String {
    let layers: Vec<_> =
        (1..=layer_count).map(|n| descriptor(n, "application/vnd.docker.image.rootfs.diff.tar.gzip", space)).collect();
    format!(
        "{{\"schemaVersion\":2,\"mediaType\":\"application/vnd.docker.distribution.manifest.v2+json\",\
         \"config\":{},\"layers\":[{}]}}",
        descriptor(0, "application/vnd.docker.container.image.v1+json", space),
        layers.join(",")
    )
}

fn index(entry_count: usize) -> String {
    let mut entries = String::new();
    for n in 0..entry_count {
        let entry = descriptor(n, "application/vnd.oci.image.manifest.v1+json", "");
        let platform = r#","platform":{"architecture":"arm64","os":"linux","variant":"v8"}}"#;
        let separator = if n == 0 { "" } else { "," };
        let _ = write!(entries, "{separator}{}{platform}", &entry[..entry.len() - 1]);
    }
    format!(
        "{{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\"manifests\":[{entries}]}}"
    )
}
