//! How much memory the allocator lets threads keep for themselves.

use pyo3::prelude::*;

/// Enough for threads that wait for a disk most of the time; with glibc's eight a core, what they have freed and keep
/// came to 10 MB (measured on two cores, five million blobs), and more on larger machines.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const ARENAS: i32 = 2;

#[pyfunction]
pub(crate) fn use_few_arenas() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[allow(unsafe_code)]
    // SAFETY: takes two numbers and sets a limit for arenas that are made from now on; it may be called at any time.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, ARENAS);
    }
}
