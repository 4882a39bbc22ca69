//! An object store in memory for tests and benchmarks, that speaks S3, Google Cloud Storage and Azure Blob.
//!
//! One set of buckets is shared by all interfaces. Which one a client speaks follows from the path:
//!
//! ```text
//! /<bucket>/<key>                                S3, path style, and Google's XML interface
//! /storage/v1/…  /upload/…  /download/…  /batch/…  /token     Google's JSON interface
//! /devstoreaccount1/<container>/<name>           Azure
//! /_control/…                                    filling, faults, counters
//! ```
//!
//! No credentials are checked. What the services promise and refuse is imitated as far as clients can rely on it; what
//! goes wrong with them now and then is scripted ([`faults`]).

mod answer;
mod azure;
pub mod bucket;
mod checksum;
mod chunked;
mod control;
pub mod faults;
mod gcs;
pub mod journal;
mod listing;
mod load;
pub mod made_up;
pub mod moment;
mod multipart;
pub mod object;
mod operation;
mod reading;
mod refusal;
mod request;
mod s3;
mod server;
mod service;
mod text;
pub mod throttle;
mod token;
mod uploads;
mod versions;
mod xml;

pub use load::load;
pub use operation::{Dialect, Operation};
pub use server::{Options, Server};
