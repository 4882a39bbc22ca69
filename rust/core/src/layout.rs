//! What keys mean. No I/O.

pub mod distribution;
pub mod quarantine;
