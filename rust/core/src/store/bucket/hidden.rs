//! Setting aside in a bucket that keeps versions: nothing is copied and nothing moves. What is set aside is hidden by a
//! delete marker where it is, and is shown again by removing the marker.
//!
//! ```text
//! hide     write down what is about to be hidden, then remove it         .regsweep/<run>/hidden/<number>
//! look     what was written down and is not there is hidden              answers for .regsweep/<run>/tree/…
//! show     find the marker, remove it; write that down
//! purge    find the marker, remove what it hides and then itself; write that down
//! ```
//!
//! To all others (scans, marks, `undo`, `purge`) it looks as if files had moved into the run's tree: that tree is made of
//! what was written down. What is said of files other than blobs is looked up, for somebody may have written to a link
//! between the look by which it was dead and its removal.

mod log;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;

use super::client::{Purpose, Reading};
use super::dialect::{Condition, Doomed, KeyOutcome};
use super::moves::{Move, Object};
use super::snapshot::{self, Run, Snapshot};
use super::versions::{Hidden, Wanted, is_same};
use super::{Bucket, Looked, is_missing_key, walk};
use crate::error::{Error, Kind, Result};
use crate::key::Key;
use crate::layout::distribution as layout;
use crate::layout::quarantine;
use crate::parallel::for_each;
use crate::progress::Control;
use crate::store::{RenameVisitor, Renamed, Stat};
use log::Step;

/// Files hidden at once, and named by one object.
const PORTION: usize = 32_000;

/// What this process knows of what is hidden.
#[derive(Debug, Default)]
pub(super) struct Aside {
    /// Runs that hide what they set aside, and the number of the next step of each.
    runs: BTreeMap<Vec<u8>, u64>,
    /// Whether this process hides what it sets aside.
    hides: bool,
    /// Everything below `.regsweep`, with what is hidden, as of the last look at it.
    tree: Option<Arc<Snapshot>>,
    /// Files of directories that were hidden since.
    since: BTreeMap<Key, Stat>,
}

/// A hidden file.
struct File {
    /// Where it is to be seen while it is hidden.
    aside: Key,
    home: Key,
    stat: Stat,
}

fn error(key: &Key, text: impl Into<String>) -> Error {
    Error::io("move", key, std::io::Error::other(text.into()))
}

impl Bucket {
    fn aside(&self) -> MutexGuard<'_, Aside> {
        self.aside.lock().expect("no thread panics while it notes what is hidden")
    }

    /// From here on, what goes into the tree of this run is hidden where it is. Only for a bucket that
    /// [keeps versions](Bucket::keeps_versions).
    pub fn hide_for(&self, run: &[u8]) {
        let mut aside = self.aside();
        aside.hides = true;
        aside.runs.entry(run.to_vec()).or_default();
    }

    /// Forgets what a run has hidden. Nothing is shown by that and nothing removed.
    ///
    /// # Errors
    /// Where what says it cannot be removed.
    pub fn forget_hidden(&self, run: &[u8], control: &Control) -> Result<()> {
        self.settle(control)?;
        let directory = quarantine::run(run).join(quarantine::HIDDEN);
        let steps = walk::walk(self.client(), &[self.prefix(&directory)], 1, control)?;
        let mut doomed = Vec::with_capacity(steps.len());
        let mut cursor = steps.cursor();
        cursor.seek(b"")?;
        while let Some((key, _)) = cursor.current() {
            doomed.push(Doomed::key(key.to_vec()));
            cursor.advance()?;
        }
        for outcome in self.remove_many(&doomed, &directory, control)? {
            if let KeyOutcome::Again(text) | KeyOutcome::Failed(text) = outcome {
                return Err(Error::io("remove", &directory, std::io::Error::other(text)));
            }
        }
        self.forget();
        self.aside().runs.remove(run);
        Ok(())
    }

    pub(super) fn hides(&self) -> bool {
        self.aside().hides
    }

    /// What lies below `.regsweep`, with what is hidden; nothing where nothing is.
    pub(super) fn tree(&self) -> Option<Arc<Snapshot>> {
        self.aside().tree.clone()
    }

    /// The run that hides what is to be seen at this place.
    pub(super) fn hiding_run(&self, key: &Key) -> Option<Vec<u8>> {
        let (run, _) = quarantine::split_tree(key)?;
        self.aside().runs.contains_key(run).then(|| run.to_vec())
    }

    /// Whether what is to be seen at this place is hidden elsewhere.
    pub(super) fn is_aside(&self, key: &Key) -> bool {
        self.hiding_run(key).is_some()
    }

    /// A hidden file, by where it is to be seen, and what is known of it.
    fn wanted(&self, key: &Key) -> Result<Option<Wanted>> {
        match home_of(key).filter(|_| self.is_aside(key)) {
            Some(home) => Ok(Some((home, self.known(key)?))),
            None => Ok(None),
        }
    }

    fn known(&self, key: &Key) -> Result<Option<Stat>> {
        let aside = self.aside();
        if let Some(stat) = aside.since.get(key) {
            return Ok(Some(*stat));
        }
        let Some(tree) = aside.tree.clone() else { return Ok(None) };
        drop(aside);
        tree.cursor().find(&self.full(key))
    }

    /// Looks hidden files up, in whatever order they are named.
    fn look_up(&self, keys: &[&Key], control: &Control) -> Result<Vec<Option<Hidden>>> {
        let mut wanted: Vec<(usize, Wanted)> = Vec::with_capacity(keys.len());
        for (index, key) in keys.iter().enumerate() {
            wanted.extend(self.wanted(key)?.map(|wanted| (index, wanted)));
        }
        wanted.sort_by(|one, other| one.1.0.cmp(&other.1.0));
        let (indexes, wanted): (Vec<usize>, Vec<Wanted>) = wanted.into_iter().unzip();
        let mut found: Vec<Option<Hidden>> = keys.iter().map(|_| None).collect();
        for (index, hidden) in indexes.into_iter().zip(self.find_hidden(&wanted, control)?) {
            found[index] = hidden;
        }
        Ok(found)
    }

    /// Looks at a hidden file now.
    pub(super) fn stat_aside(&self, key: &Key, control: &Control) -> Result<Option<Stat>> {
        Ok(self.look_up(&[key], control)?.remove(0).map(|hidden| hidden.stat))
    }

    /// Reads a hidden file.
    pub(super) fn get_aside(&self, key: &Key, control: &Control) -> Result<Option<Bytes>> {
        let Some((home, _)) = self.wanted(key)? else { return Ok(None) };
        let Some(hidden) = self.look_up(&[key], control)?.remove(0) else { return Ok(None) };
        let full = self.full(&home);
        let dialect = self.versions()?;
        self.client().send(
            Purpose::Get,
            key,
            control,
            || dialect.get_version(&full, &hidden.version),
            |answer| match answer.status.as_u16() {
                200 => Reading::Done(Some(answer.body.clone())),
                404 if is_missing_key(&self.client().dialect().explain(&answer.body).0) => Reading::Done(None),
                _ => Reading::Refused,
            },
        )
    }

    /// Makes the trees of all runs that hide what they set aside, as of a look that has shown everything of regsweep's own.
    pub(super) fn look_aside(&self, looked: &Looked, control: &Control) -> Result<()> {
        let steps = self.steps(looked)?;
        let mut aside = self.aside();
        aside.tree = None;
        aside.since.clear();
        for (run, number, _) in &steps {
            let next = aside.runs.entry(run.clone()).or_default();
            *next = (*next).max(number + 1);
        }
        drop(aside);
        if steps.is_empty() {
            return Ok(());
        }
        let texts: Vec<Mutex<Vec<log::File>>> = steps.iter().map(|_| Mutex::default()).collect();
        let kinds: Vec<Mutex<Step>> = steps.iter().map(|_| Mutex::new(Step::Gone)).collect();
        for_each(self.jobs(), steps.len(), control, |index, (): &mut ()| {
            let key = &steps[index].2;
            let missing = || Error::new(Kind::Changed, "read", key, "it was there a moment ago, and is not now");
            let text = self.get(key, None, control)?.ok_or_else(missing)?;
            let (step, files) = log::read(key, &text)?;
            *kinds[index].lock().expect("no thread panics while it reads") = step;
            *texts[index].lock().expect("no thread panics while it reads") = files;
            Ok(())
        })?;
        let mut last: BTreeMap<Key, (Step, Stat)> = BTreeMap::new();
        for ((run, ..), (kind, files)) in steps.iter().zip(kinds.into_iter().zip(texts)) {
            let step = kind.into_inner().expect("no thread panics while it reads");
            for (path, stat) in files.into_inner().expect("no thread panics while it reads") {
                last.insert(quarantine::tree(run).join(path.as_bytes()), (step, stat));
            }
        }
        last.retain(|_, (step, _)| *step == Step::Hidden);
        let files = self.really_hidden(last.into_iter().map(|(key, (_, stat))| (key, stat)), looked, control)?;
        let tree = self.merged(looked, &files)?;
        self.aside().tree = Some(Arc::new(tree));
        Ok(())
    }

    /// The steps of all runs, in order: run, number, and the object that tells it.
    fn steps(&self, looked: &Looked) -> Result<Vec<(Vec<u8>, u64, Key)>> {
        let top = Key::new(quarantine::TOP);
        let mut cursor = looked.snapshot.cursor();
        let mut runs = Vec::new();
        cursor.children(&self.prefix(&top), |name, _| {
            runs.push(name.to_vec());
            Ok(())
        })?;
        let mut steps = Vec::new();
        for run in runs {
            let directory = quarantine::run(&run).join(quarantine::HIDDEN);
            let mut numbers = Vec::new();
            cursor.children(&self.prefix(&directory), |name, _| {
                numbers.extend(std::str::from_utf8(name).ok().and_then(|name| name.parse::<u64>().ok()));
                Ok(())
            })?;
            numbers.sort_unstable();
            steps.extend(numbers.into_iter().map(|number| (run.clone(), number, step_key(&run, number))));
        }
        Ok(steps)
    }

    /// Leaves out what was not got to, and what is no longer there to be shown; looks at everything but blobs.
    fn really_hidden(
        &self,
        files: impl Iterator<Item = (Key, Stat)>,
        looked: &Looked,
        control: &Control,
    ) -> Result<BTreeMap<Key, Stat>> {
        let blobs = Key::new(layout::BLOBS);
        let (mut hidden, mut links) = (BTreeMap::new(), BTreeMap::new());
        let mut cursor = looked.snapshot.cursor();
        for (key, stat) in files {
            let Some(home) = home_of(&key) else { continue };
            // A report may show it as it was before it was hidden.
            let is_seen = looked.covers(&home) && !self.is_told(&home);
            if is_seen && cursor.find(&self.full(&home))?.is_some_and(|there| is_same(&there, &stat)) {
                continue;
            }
            if home.starts_with(&blobs) {
                hidden.insert(key, stat);
            } else {
                // The same link may be hidden by two runs, each with a version of its own.
                links.entry(home).or_insert_with(Vec::new).push((key, stat));
            }
        }
        // As often as the one that is hidden most often.
        while !links.is_empty() {
            let mut keys = Vec::with_capacity(links.len());
            let mut wanted: Vec<Wanted> = Vec::with_capacity(links.len());
            for (home, files) in &mut links {
                let (key, stat) = files.pop().expect("none is empty");
                keys.push(key);
                wanted.push((home.clone(), Some(stat)));
            }
            for (key, found) in keys.into_iter().zip(self.find_hidden(&wanted, control)?) {
                hidden.extend(found.map(|found| (key, found.stat)));
            }
            links.retain(|_, files| !files.is_empty());
        }
        Ok(hidden)
    }

    /// All that is below `.regsweep`, whether it is there or only to be seen there.
    fn merged(&self, looked: &Looked, files: &BTreeMap<Key, Stat>) -> Result<Snapshot> {
        let prefix = self.prefix(&Key::new(quarantine::TOP));
        let spill = snapshot::spill();
        let mut run = Run::new(&spill);
        let mut files = files.iter().map(|(key, stat)| (self.full(key), *stat)).peekable();
        let mut cursor = looked.snapshot.cursor();
        cursor.seek(&prefix)?;
        while let Some((key, stat)) = cursor.current().filter(|(key, _)| key.starts_with(&prefix)) {
            while let Some((hidden, stat)) = files.next_if(|(hidden, _)| hidden.as_slice() < key) {
                run.push(&hidden, &stat);
            }
            // What is really there counts.
            let _ = files.next_if(|(hidden, _)| hidden.as_slice() == key);
            run.push(key, &stat);
            cursor.advance()?;
        }
        files.for_each(|(hidden, stat)| run.push(&hidden, &stat));
        Snapshot::new(spill, vec![run])
    }

    /// Writes a step down.
    fn note<'a>(
        &self,
        run: &[u8],
        step: Step,
        files: impl Iterator<Item = (&'a Key, &'a Stat)>,
        control: &Control,
    ) -> Result<()> {
        let mut places = Vec::new();
        for (aside, stat) in files {
            places.extend(quarantine::split_tree(aside).map(|(_, place)| (place, stat)));
        }
        if places.is_empty() {
            return Ok(());
        }
        let text = log::write(step, places.iter().map(|(place, stat)| (place, *stat)));
        let number = {
            let mut aside = self.aside();
            let next = aside.runs.entry(run.to_vec()).or_default();
            *next += 1;
            *next - 1
        };
        let key = step_key(run, number);
        match self.write_object(&key, &text, &Condition::Absent, control)? {
            Some(_) => Ok(()),
            // Also where an answer was lost.
            None if self.read_object(&key, control)?.is_some_and(|(there, _)| there == text) => Ok(()),
            None => Err(Error::new(
                Kind::Changed,
                "write",
                &key,
                "somebody else sets aside what this run sets aside: stop it",
            )),
        }
    }

    /// Hides files and whole directories, and says of each what became of it.
    pub(super) fn hide(&self, run: &[u8], moves: &[Move], control: &Control, visit: &RenameVisitor<'_>) -> Result<()> {
        let mut broken: Option<String> = None;
        for portion in moves.chunks(PORTION) {
            if let Some(text) = &broken {
                for one in portion {
                    visit(one.place.0, one.place.1, Err(error(&one.from, text.clone())));
                }
                continue;
            }
            match self.hide_some(run, portion, control, visit) {
                Ok(()) => {}
                Err(failure) if failure.kind() == Kind::Cancelled => return Err(failure),
                Err(failure) => broken = Some(failure.to_string()),
            }
        }
        Ok(())
    }

    fn hide_some(&self, run: &[u8], moves: &[Move], control: &Control, visit: &RenameVisitor<'_>) -> Result<()> {
        let refuse = |failure: &Error| {
            for one in moves {
                visit(one.place.0, one.place.1, Err(error(&one.from, failure.to_string())));
            }
        };
        let found = self.objects_now_or_seen(moves, control).and_then(|objects| {
            let files = objects.iter().flatten().map(|object| (&object.to, &object.stat));
            self.note(run, Step::Hidden, files, control).map(|()| objects)
        });
        let objects = match found {
            Ok(objects) => objects,
            Err(failure) => {
                if failure.kind() != Kind::Cancelled {
                    refuse(&failure);
                }
                return Err(failure);
            }
        };
        let all: Vec<&Object> = objects.iter().flatten().collect();
        let doomed: Vec<Doomed> = all.iter().map(|object| Doomed::key(self.full(&object.from))).collect();
        let outcomes = self.remove_many(&doomed, &moves[0].from, control)?;
        let mut unmarked: BTreeSet<usize> = BTreeSet::new();
        let mut failures: BTreeMap<usize, String> = BTreeMap::new();
        let mut since = BTreeMap::new();
        for (object, outcome) in all.iter().zip(outcomes) {
            match outcome {
                KeyOutcome::Hidden => {
                    if object.from != moves[object.of].from {
                        since.insert(object.to.clone(), object.stat);
                    }
                }
                KeyOutcome::Removed | KeyOutcome::Absent => drop(unmarked.insert(object.of)),
                KeyOutcome::Again(text) | KeyOutcome::Failed(text) => drop(failures.insert(object.of, text)),
            }
        }
        self.aside().since.extend(since);
        let mut broken = None;
        for (index, one) in moves.iter().enumerate() {
            let outcome = if objects[index].is_empty() {
                Ok(Renamed::Absent)
            } else if let Some(text) = failures.remove(&index) {
                Err(error(&one.from, text))
            } else if unmarked.contains(&index) && !self.is_hidden_now(&objects[index], control)? {
                let text = "the bucket has not kept a version of it: it is gone for good. Does it still keep versions?";
                broken = Some(error(&one.from, text));
                Err(error(&one.from, text))
            } else {
                Ok(Renamed::Moved)
            };
            visit(one.place.0, one.place.1, outcome);
        }
        broken.map_or(Ok(()), Err)
    }

    /// Whether all of some objects are hidden by markers, where the service did not say that it has left any.
    fn is_hidden_now(&self, objects: &[Object], control: &Control) -> Result<bool> {
        let keys: Vec<&Key> = objects.iter().map(|object| &object.to).collect();
        Ok(self.look_up(&keys, control)?.iter().all(Option::is_some))
    }

    /// What each move is about: as the last look has shown it if that is a file, and as it is now if not.
    fn objects_now_or_seen(&self, moves: &[Move], control: &Control) -> Result<Vec<Vec<Object>>> {
        let seen = self.seen();
        let mut objects: Vec<Mutex<Vec<Object>>> = Vec::with_capacity(moves.len());
        let mut unseen = Vec::new();
        let mut cursor = seen.as_ref().map(|looked| looked.snapshot.cursor());
        for (of, one) in moves.iter().enumerate() {
            let stat = match &mut cursor {
                Some(cursor) => cursor.find(&self.full(&one.from))?,
                None => None,
            };
            let object = stat.map(|stat| Object { of, from: one.from.clone(), to: one.to.clone(), stat });
            if object.is_none() {
                unseen.push(of);
            }
            objects.push(Mutex::new(object.into_iter().collect()));
        }
        for_each(self.jobs(), unseen.len(), control, |item, (): &mut ()| {
            let of = unseen[item];
            let found = self.objects_of(of, &moves[of], control)?;
            *objects[of].lock().expect("no thread panics while it notes objects") = found;
            Ok(())
        })?;
        Ok(objects.into_iter().map(|one| one.into_inner().expect("no thread panics while it notes objects")).collect())
    }

    /// Removes keys or versions, however many; see [`Bucket::remove_some`].
    fn remove_many(&self, doomed: &[Doomed], first: &Key, control: &Control) -> Result<Vec<KeyOutcome>> {
        let chunks: Vec<&[Doomed]> = doomed.chunks(self.client().dialect().removal_size()).collect();
        let outcomes: Vec<Mutex<Vec<KeyOutcome>>> = chunks.iter().map(|_| Mutex::default()).collect();
        for_each(self.jobs(), chunks.len(), control, |index, (): &mut ()| {
            let found = match self.remove_some(chunks[index], first, control) {
                Err(failure) if failure.kind() == Kind::Cancelled => return Err(failure),
                Err(failure) => chunks[index].iter().map(|_| KeyOutcome::Failed(failure.to_string())).collect(),
                Ok(found) => found,
            };
            *outcomes[index].lock().expect("no thread panics while it notes outcomes") = found;
            Ok(())
        })?;
        let outcomes = outcomes.into_iter();
        Ok(outcomes.flat_map(|one| one.into_inner().expect("no thread panics while it notes outcomes")).collect())
    }

    /// Shows files and directories again where they are, and says of each what became of it.
    pub(super) fn show(&self, run: &[u8], moves: &[Move], control: &Control, visit: &RenameVisitor<'_>) -> Result<()> {
        for portion in moves.chunks(PORTION) {
            if let Err(failure) = self.show_some(run, portion, control, visit) {
                if failure.kind() == Kind::Cancelled {
                    return Err(failure);
                }
                for one in portion {
                    visit(one.place.0, one.place.1, Err(error(&one.from, failure.to_string())));
                }
            }
        }
        Ok(())
    }

    /// Shows some; a failure is one before any was.
    fn show_some(&self, run: &[u8], moves: &[Move], control: &Control, visit: &RenameVisitor<'_>) -> Result<()> {
        let mut files: Vec<(usize, File)> = Vec::new();
        for (of, one) in moves.iter().enumerate() {
            files.extend(self.files_of(one)?.into_iter().map(|file| (of, file)));
        }
        let keys: Vec<&Key> = files.iter().map(|(_, file)| &file.aside).collect();
        let found = self.look_up(&keys, control)?;
        let taken = self.taken(moves, &files, control)?;
        let mut doomed = Vec::new();
        let mut outcomes: Vec<Result<Renamed>> = moves.iter().map(|_| Ok(Renamed::Absent)).collect();
        for ((of, file), hidden) in files.iter().zip(&found) {
            let Some(hidden) = hidden else { continue };
            if taken.contains(of) || hidden.is_covered {
                outcomes[*of] = Ok(Renamed::Occupied);
                continue;
            }
            if !matches!(outcomes[*of], Ok(Renamed::Occupied)) {
                outcomes[*of] = Ok(Renamed::Moved);
            }
            let markers = hidden.markers.iter();
            doomed.extend(markers.map(|id| (*of, Doomed { key: self.full(&file.home), version: Some(id.clone()) })));
        }
        doomed.retain(|(of, _)| matches!(outcomes[*of], Ok(Renamed::Moved)));
        let (owners, doomed): (Vec<usize>, Vec<Doomed>) = doomed.into_iter().unzip();
        for (of, outcome) in owners.into_iter().zip(self.remove_many(&doomed, &moves[0].from, control)?) {
            if let KeyOutcome::Again(text) | KeyOutcome::Failed(text) = outcome {
                outcomes[of] = Err(error(&moves[of].from, text));
            }
        }
        let shown = files.iter().filter(|(of, _)| matches!(outcomes[*of], Ok(Renamed::Moved)));
        let noted = self.note(run, Step::Gone, shown.map(|(_, file)| (&file.aside, &file.stat)), control);
        for (one, outcome) in moves.iter().zip(outcomes) {
            visit(one.place.0, one.place.1, outcome);
        }
        // What was shown is shown, whether that could be written down or not: a look finds it where it belongs.
        match noted {
            Err(failure) if failure.kind() == Kind::Cancelled => Err(failure),
            _ => Ok(()),
        }
    }

    /// The hidden files that a move is about: one, or all that are to be seen below a directory.
    fn files_of(&self, one: &Move) -> Result<Vec<File>> {
        let file = |aside: Key, stat: Stat| home_of(&aside).map(|home| File { aside, home, stat });
        if let Some(stat) = self.known(&one.from)? {
            return Ok(file(one.from.clone(), stat).into_iter().collect());
        }
        let (tree, since) = {
            let aside = self.aside();
            let below = |key: &&Key| key.starts_with(&one.from);
            let since: Vec<_> = aside.since.iter().filter(|(key, _)| below(key)).collect();
            let since: Vec<(Key, Stat)> = since.into_iter().map(|(key, stat)| (key.clone(), *stat)).collect();
            (aside.tree.clone(), since)
        };
        let mut found: BTreeMap<Key, Stat> = BTreeMap::new();
        if let Some(tree) = tree {
            let prefix = self.prefix(&one.from);
            let mut cursor = tree.cursor();
            cursor.seek(&prefix)?;
            while let Some((key, stat)) = cursor.current().filter(|(key, _)| key.starts_with(&prefix)) {
                found.insert(one.from.join(&key[prefix.len()..]), stat);
                cursor.advance()?;
            }
        }
        found.extend(since);
        Ok(found.into_iter().filter_map(|(key, stat)| file(key, stat)).collect())
    }

    /// The moves of directories whose place holds anything that is not theirs.
    fn taken(&self, moves: &[Move], files: &[(usize, File)], control: &Control) -> Result<BTreeSet<usize>> {
        let is_directory = |(of, file): &&(usize, File)| file.aside != moves[*of].from;
        let directories: BTreeSet<usize> = files.iter().filter(is_directory).map(|(of, _)| *of).collect();
        let directories: Vec<usize> = directories.into_iter().collect();
        let taken: Mutex<BTreeSet<usize>> = Mutex::default();
        for_each(self.jobs(), directories.len(), control, |item, (): &mut ()| {
            let of = directories[item];
            let prefix = self.prefix(&moves[of].to);
            let there = walk::walk(self.client(), std::slice::from_ref(&prefix), 1, control)?;
            let mut cursor = there.cursor();
            cursor.seek(&prefix)?;
            while let Some((key, stat)) = cursor.current() {
                let own = files
                    .iter()
                    .any(|(owner, file)| *owner == of && self.full(&file.home) == key && is_same(&file.stat, &stat));
                if !own {
                    taken.lock().expect("no thread panics while it notes a place").insert(of);
                    break;
                }
                cursor.advance()?;
            }
            Ok(())
        })?;
        Ok(taken.into_inner().expect("no thread panics while it notes a place"))
    }

    /// Removes hidden files for good: what a marker hides and whatever is older, and then the marker.
    pub(super) fn purge_aside(&self, keys: &[Key], control: &Control) -> Result<Vec<KeyOutcome>> {
        let Some(run) = keys.first().and_then(|key| self.hiding_run(key)) else { return Ok(Vec::new()) };
        let found = self.look_up(&keys.iter().collect::<Vec<_>>(), control)?;
        let mut outcomes: Vec<KeyOutcome> = Vec::with_capacity(keys.len());
        let (mut contents, mut markers) = (Vec::new(), Vec::new());
        for (index, (key, hidden)) in keys.iter().zip(found).enumerate() {
            let home = self.wanted(key)?.map(|(home, _)| self.full(&home));
            let (Some(hidden), Some(home)) = (hidden, home) else {
                outcomes.push(KeyOutcome::Absent);
                continue;
            };
            if !hidden.is_expected {
                outcomes.push(KeyOutcome::Failed("something else is hidden in its place: it stays".to_owned()));
                continue;
            }
            let doomed = |id: String| (index, Doomed { key: home.clone(), version: Some(id) });
            // Without the marker the one below would be seen again.
            contents.extend(hidden.older.into_iter().chain([hidden.version]).map(doomed));
            markers.extend(hidden.markers.into_iter().map(doomed));
            outcomes.push(KeyOutcome::Removed);
        }
        for mut doomed in [contents, markers] {
            doomed.retain(|(index, _)| outcomes[*index] == KeyOutcome::Removed);
            let (owners, doomed): (Vec<usize>, Vec<Doomed>) = doomed.into_iter().unzip();
            for (index, outcome) in owners.into_iter().zip(self.remove_many(&doomed, &keys[0], control)?) {
                if matches!(outcome, KeyOutcome::Again(_) | KeyOutcome::Failed(_)) {
                    outcomes[index] = outcome;
                }
            }
        }
        let mut gone = Vec::new();
        for (key, outcome) in keys.iter().zip(&outcomes) {
            if matches!(outcome, KeyOutcome::Removed | KeyOutcome::Absent) {
                gone.extend(self.known(key)?.map(|stat| (key, stat)));
            }
        }
        // Where it cannot be written down, the next purge finds nothing there.
        match self.note(&run, Step::Gone, gone.iter().map(|(key, stat)| (*key, stat)), control) {
            Err(failure) if failure.kind() == Kind::Cancelled => Err(failure),
            _ => Ok(outcomes),
        }
    }
}

/// Where a hidden file is.
fn home_of(key: &Key) -> Option<Key> {
    let (_, place) = quarantine::split_tree(key)?;
    quarantine::home_of(&place)
}

/// The object that tells a step of a run.
fn step_key(run: &[u8], number: u64) -> Key {
    quarantine::run(run).join(quarantine::HIDDEN).join(format!("{number:08}"))
}
