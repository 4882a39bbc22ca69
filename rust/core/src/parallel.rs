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
/// The caller's thread is one of them. Each starts the next one as it takes its first item, so that work which is
/// soon done (a warm cache, a small store) never pays for the many threads that waiting for a disk needs.
///
/// # Errors
/// Of the failures seen, the one with the lowest index. Other items may or may not have run.
pub(crate) fn for_each<Scratch: Default>(
    jobs: usize,
    count: usize,
    control: &Control,
    work: impl Fn(usize, &mut Scratch) -> Result<()> + Sync,
) -> Result<()> {
    let queue = Queue { count, next: AtomicUsize::new(0), failed: AtomicBool::new(false), failure: Mutex::new(None) };
    let work = |index, scratch: &mut Scratch| control.check().and_then(|()| work(index, scratch));
    thread::scope(|scope| queue.drain(scope, jobs.saturating_sub(1), &work));
    match queue.failure.into_inner().expect("no thread panics while it holds the failure") {
        Some((_, error)) => Err(error),
        None => Ok(()),
    }
}

struct Queue {
    count: usize,
    next: AtomicUsize,
    failed: AtomicBool,
    failure: Mutex<Option<(usize, Error)>>,
}

impl Queue {
    fn take(&self) -> Option<usize> {
        let open = !self.failed.load(Ordering::Relaxed) && self.next.load(Ordering::Relaxed) < self.count;
        open.then(|| self.next.fetch_add(1, Ordering::Relaxed)).filter(|&index| index < self.count)
    }

    /// Works until nothing is left, having started another thread of up to `more`.
    fn drain<'scope, Scratch: Default>(
        &'scope self,
        scope: &'scope thread::Scope<'scope, '_>,
        more: usize,
        work: &'scope (impl Fn(usize, &mut Scratch) -> Result<()> + Sync),
    ) {
        let Some(mut index) = self.take() else { return };
        if more > 0 && self.next.load(Ordering::Relaxed) < self.count {
            // Where no more threads are to be had (a container's limit), those that run do the work.
            let _ = thread::Builder::new().spawn_scoped(scope, move || self.drain(scope, more - 1, work));
        }
        let mut scratch = Scratch::default();
        loop {
            if let Err(error) = work(index, &mut scratch) {
                self.fail(index, error);
            }
            match self.take() {
                Some(next) => index = next,
                None => return,
            }
        }
    }

    fn fail(&self, index: usize, error: Error) {
        self.failed.store(true, Ordering::Relaxed);
        let mut first = self.failure.lock().expect("no thread panics while it holds the failure");
        if first.as_ref().is_none_or(|(earlier, _)| index < *earlier) {
            *first = Some((index, error));
        }
    }
}
