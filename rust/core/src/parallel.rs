//! Threads that take numbered items from a shared counter until none is left or one fails.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use crate::error::{Error, Result};
use crate::progress::Control;

/// Threads for work that computes and does not wait.
pub(crate) fn cores() -> usize {
    thread::available_parallelism().map_or(2, usize::from)
}

/// Runs `work` for every index below `count`, on up to `jobs` threads, each with a `Scratch` of its own.
///
/// # Errors
/// Of the failures seen, the one with the lowest index. Other items may or may not have run.
pub(crate) fn for_each<Scratch: Default>(
    jobs: usize,
    count: usize,
    control: &Control,
    work: impl Fn(usize, &mut Scratch) -> Result<()> + Sync,
) -> Result<()> {
    let next = AtomicUsize::new(0);
    let failed = AtomicBool::new(false);
    let failure: Mutex<Option<(usize, Error)>> = Mutex::new(None);
    let run = || {
        let mut scratch = Scratch::default();
        while !failed.load(Ordering::Relaxed) {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count {
                break;
            }
            if let Err(error) = control.check().and_then(|()| work(index, &mut scratch)) {
                failed.store(true, Ordering::Relaxed);
                let mut first = failure.lock().expect("no thread panics while it holds the failure");
                if first.as_ref().is_none_or(|(earlier, _)| index < *earlier) {
                    *first = Some((index, error));
                }
            }
        }
    };
    let threads = jobs.min(count);
    if threads <= 1 {
        run();
    } else {
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(run);
            }
        });
    }
    match failure.into_inner().expect("no thread panics while it holds the failure") {
        Some((_, error)) => Err(error),
        None => Ok(()),
    }
}
