//! Running the core beside the interpreter: work in a thread of its own, signals and progress in the calling one.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;
use regsweep_core::progress::Control;

use crate::progress::Progress;

/// How often the interpreter is asked for signals and told of progress.
const TICK: Duration = Duration::from_millis(100);

/// Does `work` with the interpreter released.
///
/// Returns what the work gave, and the exception that asked it to stop (Ctrl-C, or one from `progress`), if any:
/// the work has ended by then, early or not.
pub(crate) fn run<T: Send>(
    py: Python<'_>,
    progress: Option<&Bound<'_, PyAny>>,
    work: impl FnOnce(&Control) -> T + Send,
) -> (T, Option<PyErr>) {
    let control = Control::default();
    let done = AtomicBool::new(false);
    let waiting = thread::current();
    let mut interruption = None;
    let result = thread::scope(|scope| {
        let worker = scope.spawn(|| {
            // Also when the work panics: nobody is left waiting.
            let _wake = Wake { done: &done, waiting: &waiting };
            work(&control)
        });
        while !done.load(Ordering::Acquire) {
            py.detach(|| thread::park_timeout(TICK));
            if done.load(Ordering::Acquire) || interruption.is_some() {
                continue;
            }
            let told = py.check_signals().and_then(|()| match progress {
                Some(progress) => progress.call1((Progress::of(&control),)).map(drop),
                None => Ok(()),
            });
            if let Err(error) = told {
                control.stop();
                interruption = Some(error);
            }
        }
        py.detach(|| worker.join())
    });
    match result {
        Ok(result) => (result, interruption),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// After Ctrl-C the caller still has to learn what was done: only other exceptions of progress callbacks count.
pub(crate) fn keep_unless_interrupted(py: Python<'_>, interruption: Option<PyErr>) -> PyResult<()> {
    interruption.filter(|error| !error.is_instance_of::<PyKeyboardInterrupt>(py)).map_or(Ok(()), Err)
}

struct Wake<'a> {
    done: &'a AtomicBool,
    waiting: &'a thread::Thread,
}

impl Drop for Wake<'_> {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Release);
        self.waiting.unpark();
    }
}
