//! Times the phases of a dry run on a store: `cargo run --release --example phases -- ROOT [-m] [JOBS]`.
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
    let scanned = lap();
    let options = Options { delete_untagged: !flags.is_empty(), ..Options::default() };
    let marks = mark(&store, catalog, options, &control)?;
    let marked = lap();
    write(&marks, Format::Three, &mut std::io::sink())?;
    let written = lap();
    println!(
        "scan {:?}, mark {:?}, lines {:?}; {} blobs, {} marked, {} eligible",
        scanned,
        marked,
        written,
        marks.blobs.stored_count,
        marks.marked_count,
        marks.blobs.len()
    );
    Ok(())
}
