//! What a bucket keeps of what was removed: for each key its versions, and the markers that hide them.
//!
//! A removal leaves a delete marker as the newest version, so that the key seems gone. Removing the marker shows it again
//! as it was, with its time. The versions of many keys are found by as few pages as there can be: from one wanted key to
//! the next where a page ends in between.

use std::cmp::Reverse;
use std::io::ErrorKind;
use std::sync::Mutex;
use std::time::Duration;

use super::Bucket;
use super::client::{Purpose, Reading, pause};
use super::dialect::{Condition, Doomed, KeyOutcome, Malformed, Signed};
use crate::error::{Error, Kind, Result};
use crate::key::Key;
use crate::layout::quarantine;
use crate::parallel::for_each;
use crate::progress::Control;
use crate::store::{Names, Stat};

/// One version of a key.
#[derive(Clone, Debug)]
pub(super) struct Version {
    pub(super) id: String,
    /// Whether it is nothing but the note that the key was removed.
    pub(super) is_marker: bool,
    /// Whether nothing is newer.
    pub(super) is_latest: bool,
    pub(super) stat: Stat,
}

/// Where a listing of versions begins: after all versions of a key, or after one of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) key: Vec<u8>,
    pub(super) version: Option<String>,
}

/// A page of versions, in the order of their keys. In which order those of one key are differs.
#[derive(Debug, Default)]
pub(super) struct VersionPage {
    pub(super) keys: Names,
    pub(super) versions: Vec<Version>,
    pub(super) truncated: bool,
    /// Where it goes on.
    pub(super) next: Option<Position>,
}

impl VersionPage {
    pub(super) fn push(&mut self, key: &[u8], version: Version) {
        self.keys.push(key);
        self.versions.push(version);
    }

    /// What is wrong with it, if anything.
    fn fault(&self, prefix: &[u8], after: &Position) -> Option<&'static str> {
        let is_wanted = |key: &[u8]| {
            let begun = if after.version.is_some() { key >= &after.key[..] } else { key > &after.key[..] };
            key.starts_with(prefix) && begun
        };
        if !self.keys.iter().all(is_wanted) {
            return Some("a listing of versions names a key that was not asked for");
        }
        let goes_on = self.next.as_ref().is_some_and(|next| next != after);
        (self.truncated && !goes_on).then_some("a listing of versions says that it goes on, and not where")
    }
}

/// How a service is asked for versions.
pub(super) trait Versions {
    /// Asks for a page of versions.
    fn list_versions<'a>(&'a self, prefix: &'a [u8], after: &'a Position) -> Signed<'a>;

    /// Reads the page that was asked for.
    fn read_versions(&self, body: &[u8], page: &mut VersionPage) -> Result<(), Malformed>;

    /// Asks for one version of an object.
    fn get_version<'a>(&'a self, key: &'a [u8], version: &str) -> Signed<'a>;

    /// Asks whether versions are kept.
    fn ask_versioning(&self) -> Signed<'_>;

    /// Reads whether they are.
    fn read_versioning(&self, body: &[u8]) -> Result<bool, Malformed>;
}

/// Something that a delete marker hides.
#[derive(Clone, Debug)]
pub(super) struct Hidden {
    /// What hides it: more than one where a removal was asked for again after its answer was lost.
    pub(super) markers: Vec<String>,
    pub(super) version: String,
    pub(super) stat: Stat,
    /// What is still older, and would be seen once this is gone.
    pub(super) older: Vec<String>,
    /// Whether something newer lies over the marker.
    pub(super) is_covered: bool,
    /// Whether it is what was expected.
    pub(super) is_expected: bool,
}

impl Hidden {
    /// Finds what is hidden among all versions of a key: what is expected, if a marker hides just that, and otherwise what
    /// the newest marker hides.
    fn find(mut versions: Vec<Version>, expected: Option<&Stat>) -> Option<Self> {
        // Those of the same second stay in the order in which the service names them.
        versions.sort_by_key(|version| (!version.is_latest, Reverse(version.stat.modified_seconds())));
        let is_hidden = |&index: &usize| !versions[index].is_marker && versions[index - 1].is_marker;
        let mut hidden = (1..versions.len()).filter(is_hidden);
        let newest = hidden.clone().next()?;
        let exact = expected.and_then(|expected| hidden.find(|&index| is_same(expected, &versions[index].stat)));
        let index = exact.unwrap_or(newest);
        let first = versions[..index].iter().rposition(|version| !version.is_marker).map_or(0, |above| above + 1);
        let ids = |versions: &[Version]| versions.iter().map(|version| version.id.clone()).collect::<Vec<_>>();
        Some(Self {
            markers: ids(&versions[first..index]),
            version: versions[index].id.clone(),
            stat: versions[index].stat,
            older: ids(&versions[index + 1..]),
            is_covered: first > 0,
            is_expected: expected.is_none() || exact.is_some(),
        })
    }
}

/// Whether two looks have shown the same object. Listings differ in how exactly they tell a time.
pub(super) fn is_same(one: &Stat, other: &Stat) -> bool {
    let md5 = one.md5.zip(other.md5).is_none_or(|(one, other)| one == other);
    md5 && one.size_bytes == other.size_bytes && one.modified_seconds() == other.modified_seconds()
}

/// A key and what is expected to be hidden there.
pub(super) type Wanted = (Key, Option<Stat>);

/// How long an object must lie for its time to tell that of its removal from that of its making.
const TELLING: Duration = Duration::from_millis(2100);

/// The fewest keys for which a thread of its own is worth it.
const PORTION: usize = 128;

impl Bucket {
    /// Whether what is removed leaves a marker, and lies under it as it was. That is tried with an object of regsweep's own
    /// where the service says that it keeps versions: not all that do keep their times. Takes a few seconds there.
    ///
    /// # Errors
    /// When the service cannot be asked. Where it forbids any of it, the answer is no.
    pub fn keeps_versions(&self, control: &Control) -> Result<bool> {
        self.settle(control)?;
        let kept = self.says_to_keep_versions(control).and_then(|said| Ok(said && self.try_versions(control)?));
        match kept {
            Err(error) if error.io_source().is_some_and(|source| source.kind() == ErrorKind::PermissionDenied) => {
                Ok(false)
            }
            kept => kept,
        }
    }

    fn says_to_keep_versions(&self, control: &Control) -> Result<bool> {
        let Some(dialect) = self.client().dialect().versions() else { return Ok(false) };
        self.client().send(
            Purpose::List,
            &Key::root(),
            control,
            || dialect.ask_versioning(),
            |answer| match answer.status.as_u16() {
                200 => match dialect.read_versioning(&answer.body) {
                    Ok(enabled) => Reading::Done(enabled),
                    Err(malformed) => Reading::Again(malformed.0.to_owned()),
                },
                // It has never heard of versions.
                404 | 405 | 501 => Reading::Done(false),
                _ => Reading::Refused,
            },
        )
    }

    /// Writes an object, hides it, looks at it, and removes all of it.
    fn try_versions(&self, control: &Control) -> Result<bool> {
        let key = Key::new(quarantine::TOP).join(format!("versions-{:016x}", fastrand::u64(..)));
        self.write_object(&key, b"?", &Condition::Always, control)?;
        let Some(before) = self.stat_now(&key, control)? else { return Ok(false) };
        // Times of listings are whole seconds.
        pause(TELLING, control)?;
        let first = self.remove_some(&[Doomed::key(self.full(&key))], &key, control)?.remove(0);
        let wanted = [(key.clone(), Some(before))];
        let Some(hidden) = self.find_hidden(&wanted, control)?.remove(0) else { return Ok(false) };
        let id = |id: &String| Doomed { key: self.full(&key), version: Some(id.clone()) };
        let doomed: Vec<Doomed> = [&hidden.version].into_iter().chain(&hidden.markers).map(id).collect();
        let gone = self.remove_some(&doomed, &key, control)?;
        Ok(first == KeyOutcome::Hidden && hidden.is_expected && gone.iter().all(|one| *one == KeyOutcome::Removed))
    }

    pub(super) fn versions(&self) -> Result<&dyn Versions> {
        let detail = "regsweep cannot use the versions that this service keeps";
        let missing = || Error::new(Kind::Argument, "list", &Key::root(), detail);
        self.client().dialect().versions().ok_or_else(missing)
    }

    /// Finds what is hidden at some keys, which are in order.
    pub(super) fn find_hidden(&self, wanted: &[Wanted], control: &Control) -> Result<Vec<Option<Hidden>>> {
        debug_assert!(wanted.is_sorted_by(|one, other| one.0 < other.0), "in order, each once");
        let size = wanted.len().div_ceil(self.jobs()).max(PORTION);
        let portions: Vec<&[Wanted]> = wanted.chunks(size).collect();
        let found: Vec<Mutex<Vec<Option<Hidden>>>> = portions.iter().map(|_| Mutex::default()).collect();
        for_each(self.jobs(), portions.len(), control, |index, (): &mut ()| {
            *found[index].lock().expect("no thread panics while it notes versions") =
                self.find_portion(portions[index], control)?;
            Ok(())
        })?;
        let found = found.into_iter();
        Ok(found.flat_map(|one| one.into_inner().expect("no thread panics while it notes versions")).collect())
    }

    fn find_portion(&self, wanted: &[Wanted], control: &Control) -> Result<Vec<Option<Hidden>>> {
        let keys: Vec<Vec<u8>> = wanted.iter().map(|(key, _)| self.full(key)).collect();
        let mut found = Vec::with_capacity(wanted.len());
        let mut seen: Vec<Version> = Vec::new();
        let (Some(first), Some(last)) = (keys.first(), keys.last()) else { return Ok(found) };
        let prefix = &first[..first.iter().zip(last).take_while(|(one, other)| one == other).count()];
        let mut after = Position::default();
        loop {
            let page = self.version_page(prefix, &after, control)?;
            let mut order: Vec<usize> = (0..page.versions.len()).collect();
            order.sort_by_key(|&index| page.keys.get(index));
            for index in order {
                let key = page.keys.get(index);
                while found.len() < keys.len() && keys[found.len()].as_slice() < key {
                    let expected = wanted[found.len()].1.as_ref();
                    found.push(Hidden::find(std::mem::take(&mut seen), expected));
                }
                if keys.get(found.len()).is_some_and(|wanted| wanted == key) {
                    seen.push(page.versions[index].clone());
                }
            }
            let Some(next) = page.next.filter(|_| page.truncated) else {
                while found.len() < keys.len() {
                    let expected = wanted[found.len()].1.as_ref();
                    found.push(Hidden::find(std::mem::take(&mut seen), expected));
                }
                return Ok(found);
            };
            let Some(key) = keys.get(found.len()) else { return Ok(found) };
            // Over whatever nobody wants.
            let jump = before(key);
            after = if jump.key > next.key { jump } else { next };
        }
    }

    fn version_page(&self, prefix: &[u8], after: &Position, control: &Control) -> Result<VersionPage> {
        let dialect = self.versions()?;
        self.client().send(
            Purpose::List,
            &Key::new(prefix.strip_suffix(b"/").unwrap_or(prefix)),
            control,
            || dialect.list_versions(prefix, after),
            |answer| {
                if !answer.status.is_success() {
                    return Reading::Refused;
                }
                let mut page = VersionPage::default();
                match dialect.read_versions(&answer.body, &mut page) {
                    Err(malformed) => Reading::Again(malformed.0.to_owned()),
                    Ok(()) => match page.fault(prefix, after) {
                        Some(fault) => Reading::Again(fault.to_owned()),
                        None => Reading::Done(page),
                    },
                }
            },
        )
    }
}

/// The place in a listing before a key: what it begins with, and hardly anything else does.
fn before(key: &[u8]) -> Position {
    Position { key: key[..key.len() - 1].to_vec(), version: None }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    fn stat(seconds: u64) -> Stat {
        Stat { size_bytes: 1, modified: SystemTime::UNIX_EPOCH + Duration::from_secs(seconds), md5: None }
    }

    /// Versions from the newest on: `m` is a marker, all else an object; their numbers are their times.
    fn versions(text: &str) -> Vec<Version> {
        let one = |(index, word): (usize, &str)| Version {
            id: word.to_owned(),
            is_marker: word.starts_with('m'),
            is_latest: index == 0,
            stat: stat(word[1..].parse().unwrap()),
        };
        text.split(' ').enumerate().map(one).collect()
    }

    fn found(text: &str, expected: Option<u64>) -> Option<(String, String, String, bool, bool)> {
        let hidden = Hidden::find(versions(text), expected.map(stat).as_ref())?;
        let older = hidden.older.join(" ");
        Some((hidden.markers.join(" "), hidden.version, older, hidden.is_covered, hidden.is_expected))
    }

    #[test]
    fn what_a_marker_hides_is_found() {
        let is = |markers: &str, version: &str, older: &str, is_covered, is_expected| {
            Some((markers.to_owned(), version.to_owned(), older.to_owned(), is_covered, is_expected))
        };
        assert_eq!(found("o1", None), None, "nothing hides it");
        assert_eq!(found("m1", None), None, "nothing is left of it");
        assert_eq!(found("m2 o1", Some(1)), is("m2", "o1", "", false, true));
        assert_eq!(found("m3 m2 o1", Some(1)), is("m3 m2", "o1", "", false, true), "asked for twice");
        assert_eq!(found("m3 o2 o1", Some(2)), is("m3", "o2", "o1", false, true));
        assert_eq!(found("o3 m2 o1", Some(1)), is("m2", "o1", "", true, true), "pushed again");
        assert_eq!(found("m4 o3 m2 o1", Some(1)), is("m2", "o1", "", true, true), "and removed by somebody else");
        assert_eq!(found("m4 o3 m2 o1", None), is("m4", "o3", "m2 o1", false, true));
        assert_eq!(found("m3 o2 o1", Some(1)), is("m3", "o2", "o1", false, false), "written to at the last moment");
    }

    #[test]
    fn markers_and_versions_may_come_apart() {
        // As some servers name them: first all versions, then all markers.
        let mut apart = versions("m4 o3 m2 o1");
        apart.sort_by_key(|version| version.is_marker);
        let hidden = Hidden::find(apart, Some(&stat(1))).unwrap();
        assert_eq!((hidden.markers, hidden.version.as_str()), (vec!["m2".to_owned()], "o1"));
    }
}
