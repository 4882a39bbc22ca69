//! What a policy or a person has decided on repositories, from Python.

use std::collections::BTreeMap;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use regsweep_core::catalog::Catalog;
use regsweep_core::mark::release::{Choice, Referrers, UntaggedRule};
use regsweep_core::plan::Rules;

use crate::text::at_seconds;

/// Decisions by the index of the repository, and their rules in words.
pub(crate) struct Decided {
    pub(crate) choices: BTreeMap<usize, Choice>,
    pub(crate) rules: Rules,
}

#[derive(FromPyObject)]
struct Given {
    repository: usize,
    policy: String,
    /// Index, rule and reason.
    tags: Vec<(usize, String, String)>,
    /// Written before (seconds since 1970), and how many of the newest stay.
    untagged: Option<(i64, usize)>,
    referrers: String,
    whole: bool,
}

pub(crate) fn decided(catalog: &Catalog, given: Vec<Bound<'_, PyAny>>) -> PyResult<Decided> {
    let mut decided = Decided { choices: BTreeMap::new(), rules: Rules::default() };
    for one in given {
        let Given { repository, policy, tags, untagged, referrers, whole } = one.extract()?;
        let found = catalog.repositories.get(repository);
        let tag_count = found
            .ok_or_else(|| PyValueError::new_err(format!("choices: there is no repository {repository}")))?
            .tags
            .as_ref()
            .map_or(0, Vec::len);
        if tags.iter().any(|&(tag, ..)| tag >= tag_count) {
            return Err(PyValueError::new_err(format!("choices: repository {repository} has {tag_count} tags")));
        }
        let referrers = match referrers.as_str() {
            "follow" => Referrers::Follow,
            "keep" => Referrers::Keep,
            "delete-orphans" => Referrers::DeleteOrphans,
            _ => return Err(PyValueError::new_err(format!("choices: referrers cannot be {referrers:?}"))),
        };
        let choice = Choice {
            tags: tags.iter().map(|&(tag, ..)| tag).collect(),
            untagged: untagged.map(|(before, keep)| UntaggedRule { before: at_seconds(before), keep }),
            referrers,
            whole,
        };
        decided.rules.policies.insert(repository, policy);
        for (tag, rule, reason) in tags {
            decided.rules.tags.insert((repository, tag), (rule, reason));
        }
        decided.choices.insert(repository, choice);
    }
    Ok(decided)
}
