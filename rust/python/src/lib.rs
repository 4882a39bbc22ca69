//! The Python face of the core: one file per verb, each converting in, running with the interpreter released, and
//! converting out. Types and documentation are in `python/regsweep/_core.pyi`.
#![allow(missing_docs, clippy::needless_pass_by_value, clippy::unnecessary_wraps)]

mod arenas;
mod bucket;
mod catalog;
mod choices;
mod descriptor;
mod empty;
mod errors;
mod inventory;
mod marks;
mod plan;
mod progress;
mod quarantine;
mod remove;
mod store;
mod synthetic;
mod text;
mod uploads;
mod usage;
mod wait;
mod why;
mod yaml;

use pyo3::prelude::*;

#[pymodule]
mod _core {
    #[pymodule_export]
    use crate::arenas::use_few_arenas;
    #[pymodule_export]
    use crate::catalog::{Catalog, TagRow};
    #[pymodule_export]
    use crate::empty::{EmptyDirectories, find_empty, remove_empty};
    #[pymodule_export]
    use crate::errors::CoreError;
    #[pymodule_export]
    use crate::inventory::Inventory;
    #[pymodule_export]
    use crate::marks::{BrokenImage, Damage, Marks, Note};
    #[pymodule_export]
    use crate::plan::{Plan, count_rows_beyond, narrow_plan};
    #[pymodule_export]
    use crate::progress::Progress;
    #[pymodule_export]
    use crate::quarantine::{Purged, Restored, purge, restore, undo};
    #[pymodule_export]
    use crate::remove::{RemovalFailure, Removed, remove_eligible};
    #[pymodule_export]
    use crate::store::Store;
    #[pymodule_export]
    use crate::synthetic::generate_store;
    #[pymodule_export]
    use crate::uploads::{MultipartUpload, RemovedUploads, Upload, Uploads, remove_uploads};
    #[pymodule_export]
    use crate::usage::{QuarantineUsage, RepositoryUsage, TagUsage, Usage, measure_usage};
    #[pymodule_export]
    use crate::why::{
        Aside, AsideExplanation, Chain, ChainStep, Chains, DigestExplanation, Keeper, RepositoryExplanation,
        TagExplanation, TagPart, Unresolved, explain,
    };
    #[pymodule_export]
    use crate::yaml::{YamlSyntaxError, compose_yaml};

    #[pymodule_export]
    #[allow(non_upper_case_globals)]
    const __version__: &str = env!("CARGO_PKG_VERSION");
}
