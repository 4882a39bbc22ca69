//! Times the phases of a dry run on a store, with the peak of memory so far.
//!
//! `cargo run --release --example phases -- ROOT [-m] [JOBS]`

#![allow(clippy::print_stdout)]

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use regsweep_core::lines::{Format, write};
use regsweep_core::mark::{Options, mark};
use regsweep_core::progress::Control;
use regsweep_core::scan::scan;
use regsweep_core::store::fs::FsStore;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (flags, words): (Vec<&String>, Vec<&String>) = arguments.iter().partition(|word| word.starts_with('-'));
    let root = words.first().ok_or("usage: phases ROOT [-m] [JOBS]")?;
    let jobs = words.get(1).map(|jobs| jobs.parse()).transpose()?;
    let control = Control::default();
    let mut begin = Instant::now();
    let mut lap = || std::mem::replace(&mut begin, Instant::now()).elapsed();
    let store = FsStore::open(root.as_ref(), jobs)?;
    let catalog = Arc::new(scan(&store, SystemTime::now(), &control)?);
    let scanned = (lap(), peak_mib());
    let options = Options { delete_untagged: !flags.is_empty(), ..Options::default() };
    let marks = mark(&store, catalog, options, &control)?;
    let marked = (lap(), peak_mib());
    write(&marks, Format::Three, &mut std::io::sink())?;
    let written = (lap(), peak_mib());
    println!(
        "scan {:.2?} ({} MiB), mark {:.2?} ({} MiB), lines {:.2?} ({} MiB); {} blobs, {} marked, {} eligible",
        scanned.0,
        scanned.1,
        marked.0,
        marked.1,
        written.0,
        written.1,
        marks.blobs.stored_count,
        marks.marked_count,
        marks.blobs.len()
    );
    Ok(())
}

/// The process's peak of resident memory so far.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0) / 1024
}
