//! Scanning, marking and sweeping of container-registry storage.
//!
//! Pure: no Python, no terminal, no process exit. Progress, clock and cancellation are passed in.

pub mod digest;
pub mod error;
pub mod manifest;
pub mod progress;
pub mod store;
