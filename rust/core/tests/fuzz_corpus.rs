//! The fuzz targets' properties without a fuzzer: the corpora as they are, then changed at random.
//!
//! `cargo fuzz` needs a nightly toolchain; this does not.

use std::fs;
use std::path::Path;

#[path = "../../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "a library elsewhere")]
mod checks;

/// How many changed inputs are tried. The fuzzer itself is the place for more.
const MUTATION_COUNT: usize = 6000;

/// Texts that matter to the readers, to be put anywhere.
const DICTIONARY: [&[u8]; 24] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\"",
    b"\\",
    b"\\u0073",
    b"\\ud800",
    b"null",
    b"1e999",
    b"-0",
    b"18446744073709551616",
    b"\xff",
    b"\0",
    "\u{17f}".as_bytes(),
    b"\"schemaVersion\":2,",
    b"\"subject\":",
    b"\"digest\":\"\",",
    b"\"Digest\":\"\",",
    b"\"manifests\":null,",
    b"sha256:",
    b"sha512:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
];

#[test]
fn manifest_corpus_holds() {
    replay("manifest", checks::manifest);
}

#[test]
fn link_corpus_holds() {
    replay("link", checks::link);
}

fn replay(target: &str, check: fn(&[u8])) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let mut paths: Vec<_> =
        fs::read_dir(&directory).expect("the corpus is there").map(|entry| entry.expect("readable").path()).collect();
    paths.sort();
    let seeds: Vec<_> = paths.iter().map(|path| fs::read(path).expect("readable")).collect();
    assert!(seeds.len() >= 12, "{} seeds in {}", seeds.len(), directory.display());
    for seed in &seeds {
        check(seed);
    }

    let mut random = Random(0x5eed);
    for _ in 0..MUTATION_COUNT {
        let mut content = seeds[random.below(seeds.len())].clone();
        for _ in 0..=random.below(4) {
            mutate(&mut content, &seeds, &mut random);
        }
        check(&content);
    }
}

/// One change: a byte, a cut, a repetition, a known text, or the end of another seed.
fn mutate(content: &mut Vec<u8>, seeds: &[Vec<u8>], random: &mut Random) {
    let at = random.below(content.len() + 1);
    let end = at + random.below((content.len() - at).min(100) + 1);
    match random.below(6) {
        0 if at < content.len() => content[at] = random.byte(),
        1 if at < content.len() => content[at] ^= 1 << random.below(8),
        2 => drop(content.drain(at..end)),
        3 => content.extend_from_within(at..end),
        4 => {
            let other = &seeds[random.below(seeds.len())];
            content.truncate(at);
            content.extend_from_slice(&other[random.below(other.len() + 1)..]);
        }
        _ => drop(content.splice(at..at, DICTIONARY[random.below(DICTIONARY.len())].iter().copied())),
    }
}

/// xorshift64: the same inputs on every machine, without a crate.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit).expect("small")).expect("below a usize")
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[4]
    }
}
