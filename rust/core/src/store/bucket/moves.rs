//! Moving in a bucket, which no service can: a copy within it, and then the removal of what was copied.
//!
//! ```text
//! look    what is there, and what is in its place?     one listing for each, or what the last look has shown
//! copy    what is not there yet                        one request each, or one for each part (`copies`)
//! remove  what was copied                              by the thousand
//! ```
//!
//! Whoever is interrupted between the two finds both, and the same in both: doing it again removes the first. What differs
//! from what is to go there stays, and so does what was to be moved. A copy has a time of its own.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::dialect::{Doomed, KeyOutcome};
use super::{Bucket, walk};
use crate::error::{Error, Kind, Result};
use crate::key::Key;
use crate::parallel::for_each;
use crate::progress::Control;
use crate::store::{RenameVisitor, Renamed, Renames, Stat};

/// Objects this small are compared by their bytes where the store tells no checksum: links all have the same length.
const COMPARED: u64 = 256;
/// Names moved at once. A multiple of what one request removes.
const PORTION: usize = 4000;

/// How something gets from one place to another.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    /// As said above.
    Copy,
    /// Into the tree of a run that hides what it sets aside (`hidden`).
    Hide(Vec<u8>),
    /// Out of it.
    Show(Vec<u8>),
}

/// One name that moves: an object, or all below a directory.
pub(super) struct Move {
    pub(super) place: (usize, usize),
    pub(super) from: Key,
    pub(super) to: Key,
}

/// One object of it.
pub(super) struct Object {
    pub(super) of: usize,
    pub(super) from: Key,
    pub(super) to: Key,
    pub(super) stat: Stat,
}

impl Bucket {
    /// Moves everything named; see [`crate::store::Remove::rename`].
    pub(super) fn rename_all(&self, renames: &[Renames], control: &Control, visit: &RenameVisitor<'_>) -> Result<()> {
        let mut ways: BTreeMap<Way, Vec<Move>> = BTreeMap::new();
        for (number, renames) in renames.iter().enumerate() {
            let moves = renames.names.iter().enumerate().map(|(index, name)| Move {
                place: (number, index),
                from: renames.from.key(name),
                to: renames.to.key(name),
            });
            ways.entry(self.way(renames)).or_default().extend(moves);
        }
        ways.into_iter().try_for_each(|(way, moves)| match way {
            Way::Copy => moves.chunks(PORTION).try_for_each(|moves| self.rename_some(moves, control, visit)),
            Way::Hide(run) => self.hide(&run, &moves, control, visit),
            Way::Show(run) => self.show(&run, &moves, control, visit),
        })
    }

    fn way(&self, renames: &Renames) -> Way {
        match (self.hiding_run(&renames.to.directory), self.hiding_run(&renames.from.directory)) {
            (Some(run), None) => Way::Hide(run),
            (None, Some(run)) => Way::Show(run),
            _ => Way::Copy,
        }
    }

    fn rename_some(&self, moves: &[Move], control: &Control, visit: &RenameVisitor<'_>) -> Result<()> {
        let outcomes: Vec<Mutex<Result<Renamed>>> = moves.iter().map(|_| Mutex::new(Ok(Renamed::Absent))).collect();
        let copied: Mutex<Vec<Object>> = Mutex::default();
        for_each(self.jobs(), moves.len(), control, |index, (): &mut ()| {
            let outcome = match self.copy_one(index, &moves[index], control) {
                Err(error) if error.kind() == Kind::Cancelled => return Err(error),
                Err(error) => Err(error),
                Ok(None) => Ok(Renamed::Absent),
                Ok(Some(objects)) if objects.is_empty() => Ok(Renamed::Occupied),
                Ok(Some(objects)) => {
                    copied.lock().expect("no thread panics while it adds objects").extend(objects);
                    Ok(Renamed::Moved)
                }
            };
            *outcomes[index].lock().expect("no thread panics while it notes an outcome") = outcome;
            Ok(())
        })?;
        let copied = copied.into_inner().expect("no thread panics while it adds objects");
        let failures = self.remove_copied(&copied, control)?;
        for (index, (one, outcome)) in moves.iter().zip(outcomes).enumerate() {
            let mut outcome = outcome.into_inner().expect("no thread panics while it notes an outcome");
            if let Some(text) = failures.get(&index) {
                outcome = Err(Error::io("move", &one.from, std::io::Error::other(text.clone())));
            }
            visit(one.place.0, one.place.1, outcome);
        }
        Ok(())
    }

    /// Copies an object, or all below a directory. Nothing where there is none; no objects where something else is in its
    /// place.
    fn copy_one(&self, of: usize, one: &Move, control: &Control) -> Result<Option<Vec<Object>>> {
        let objects = self.objects_of(of, one, control)?;
        if objects.is_empty() {
            return Ok(None);
        }
        // What is removed after its copy was made would be all there is.
        if one.from == one.to {
            return Ok(Some(Vec::new()));
        }
        let is_directory = objects.iter().any(|object| object.from != one.from);
        let mut there = BTreeMap::new();
        if is_directory {
            for object in
                self.objects_of(of, &Move { place: one.place, from: one.to.clone(), to: Key::root() }, control)?
            {
                there.insert(object.from, object.stat);
            }
        } else if let Some(stat) = self.stat_now(&one.to, control)? {
            there.insert(one.to.clone(), stat);
        }
        // A directory whose place holds anything else than what would come there is taken.
        let mut missing = Vec::new();
        for object in &objects {
            match there.remove(&object.to) {
                None => missing.push(object),
                Some(stat) if self.is_same(object, &stat, control)? => {}
                Some(_) => return Ok(Some(Vec::new())),
            }
        }
        if !there.is_empty() {
            return Ok(Some(Vec::new()));
        }
        for object in missing {
            if !self.copy_object(object, control)? {
                return Ok(Some(Vec::new()));
            }
        }
        Ok(Some(objects))
    }

    pub(super) fn objects_of(&self, of: usize, one: &Move, control: &Control) -> Result<Vec<Object>> {
        if let Some(stat) = self.stat_now(&one.from, control)? {
            return Ok(vec![Object { of, from: one.from.clone(), to: one.to.clone(), stat }]);
        }
        let prefix = self.prefix(&one.from);
        let snapshot = walk::walk(self.client(), std::slice::from_ref(&prefix), 1, control)?;
        let mut cursor = snapshot.cursor();
        cursor.seek(&prefix)?;
        let mut objects = Vec::new();
        while let Some((key, stat)) = cursor.current() {
            let below = &key[prefix.len()..];
            objects.push(Object { of, from: one.from.join(below), to: one.to.join(below), stat });
            cursor.advance()?;
        }
        Ok(objects)
    }

    /// Whether what is in an object's place is what was to go there.
    fn is_same(&self, object: &Object, there: &Stat, control: &Control) -> Result<bool> {
        if object.stat.size_bytes != there.size_bytes {
            return Ok(false);
        }
        match (object.stat.md5, there.md5) {
            (Some(one), Some(other)) => Ok(one == other),
            _ if there.size_bytes > COMPARED => Ok(true),
            _ => Ok(self.get(&object.from, None, control)? == self.get(&object.to, None, control)?),
        }
    }

    /// Copies one object; tells whether nothing was in the way.
    fn copy_object(&self, object: &Object, control: &Control) -> Result<bool> {
        self.copy(object, control)?;
        // Also where an answer was lost, and the request that was sent again found the copy of the first.
        let there = self.stat_now(&object.to, control)?;
        match there {
            None => Err(Error::new(Kind::Changed, "move", &object.to, "a copy was made, and is not there")),
            Some(there) => self.is_same(object, &there, control),
        }
    }

    /// Removes what was copied; says of which moves not all could be.
    fn remove_copied(&self, copied: &[Object], control: &Control) -> Result<BTreeMap<usize, String>> {
        let size = self.client().dialect().removal_size();
        let chunks: Vec<&[Object]> = copied.chunks(size).collect();
        let failures: Mutex<BTreeMap<usize, String>> = Mutex::default();
        for_each(self.jobs(), chunks.len(), control, |index, (): &mut ()| {
            let keys: Vec<Doomed> = chunks[index].iter().map(|object| Doomed::key(self.full(&object.from))).collect();
            let outcomes = match self.remove_some(&keys, &chunks[index][0].from, control) {
                Ok(outcomes) => outcomes,
                Err(error) if error.kind() == Kind::Cancelled => return Err(error),
                Err(error) => keys.iter().map(|_| KeyOutcome::Failed(error.to_string())).collect(),
            };
            let mut failures = failures.lock().expect("no thread panics while it adds failures");
            for (object, outcome) in chunks[index].iter().zip(outcomes) {
                if let KeyOutcome::Again(text) | KeyOutcome::Failed(text) = outcome {
                    failures.insert(object.of, text);
                }
            }
            Ok(())
        })?;
        Ok(failures.into_inner().expect("no thread panics while it adds failures"))
    }
}
