//! Scanning, marking and sweeping of container-registry storage.
//!
//! Pure: no Python, no terminal, no process exit. Progress, clock and cancellation are passed in.

pub mod candidates;
pub mod catalog;
pub mod columns;
pub mod digest;
pub mod empty;
pub mod error;
mod graph;
pub mod images;
pub mod inventory;
pub mod key;
pub mod layout;
pub mod lines;
pub mod live_set;
pub mod manifest;
pub mod manifests;
pub mod mark;
pub mod packed;
mod parallel;
pub mod plan;
pub mod progress;
pub mod quarantine;
pub mod references;
pub mod remove;
pub mod rfc3339;
pub mod scan;
mod spill;
pub mod store;
mod stored;
pub mod uploads;
pub mod usage;
pub mod why;
