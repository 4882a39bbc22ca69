//! Scanning, marking and sweeping of container-registry storage.
//!
//! Pure: no Python, no terminal, no process exit. Progress, clock and cancellation are passed in.

pub mod catalog;
pub mod digest;
pub mod error;
pub mod layout;
pub mod live_set;
pub mod manifest;
pub mod manifests;
mod parallel;
pub mod progress;
pub mod references;
pub mod scan;
pub mod store;
