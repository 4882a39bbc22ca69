//! `cargo +nightly fuzz run --fuzz-dir rust/fuzz link`: see [`regsweep_fuzz::link`].

#![no_main]

libfuzzer_sys::fuzz_target!(|content: &[u8]| regsweep_fuzz::link(content));
