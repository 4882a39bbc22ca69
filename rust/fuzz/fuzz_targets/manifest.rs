//! `cargo +nightly fuzz run --fuzz-dir rust/fuzz manifest`: see [`regsweep_fuzz::manifest`].

#![no_main]

libfuzzer_sys::fuzz_target!(|content: &[u8]| regsweep_fuzz::manifest(content));
