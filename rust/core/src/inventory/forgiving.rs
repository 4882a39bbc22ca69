//! A store whose unreadable files are empty ones.
//!
//! For a look at damaged storage, which has to go on where a disk cannot be read. Marking must never see such a store:
//! it would take what cannot be read for damaged, which keeps all that can still be found, and for nothing worse; but a
//! collection over a failing disk has no business going on at all.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, Kind, Result};
use crate::progress::Control;
use crate::store::{Content, Group, Key, List, ListVisitor, Nature, Read, ReadVisitor, StatVisitor, TimeVisitor};

/// Hands out no content for files that cannot be read, and remembers why. Listings and looks fail as they do.
pub(super) struct Forgiving<'a, S> {
    store: &'a S,
    failures: Mutex<Vec<(Key, Error)>>,
}

impl<'a, S> Forgiving<'a, S> {
    pub(super) fn new(store: &'a S) -> Self {
        Self { store, failures: Mutex::default() }
    }

    /// What could not be read.
    pub(super) fn into_failures(self) -> Vec<(Key, Error)> {
        self.failures.into_inner().expect("no thread panics while it adds a failure")
    }
}

impl<S: List> List for Forgiving<'_, S> {
    fn survey(&self, directories: &[Key], control: &Control) -> Result<()> {
        self.store.survey(directories, control)
    }

    fn nature(&self) -> Nature {
        self.store.nature()
    }

    fn list(&self, directories: &[Key], control: &Control, visit: &ListVisitor<'_>) -> Result<()> {
        self.store.list(directories, control, visit)
    }

    fn stat(&self, groups: &[Group], control: &Control, visit: &StatVisitor<'_>) -> Result<()> {
        self.store.stat(groups, control, visit)
    }

    fn directory_times(&self, directories: &[Key], control: &Control, visit: &TimeVisitor<'_>) -> Result<()> {
        self.store.directory_times(directories, control, visit)
    }
}

impl<S: Read> Read for Forgiving<'_, S> {
    fn read(&self, groups: &[Group], limit: usize, control: &Control, visit: &ReadVisitor<'_>) -> Result<()> {
        let answered: Vec<Mutex<Vec<bool>>> =
            groups.iter().map(|group| Mutex::new(vec![false; group.names.len()])).collect();
        // An error of the visitor's is none of the store's.
        let refused = AtomicBool::new(false);
        let answer = |group: usize, index: usize, content: Content<'_>| {
            answered[group].lock().expect("no thread panics while it notes an answer")[index] = true;
            visit(group, index, content).inspect_err(|_| refused.store(true, Ordering::Relaxed))
        };
        let is_forgiven = |error: &Error| error.kind() == Kind::Io && !refused.load(Ordering::Relaxed);
        match self.store.read(groups, limit, control, &answer) {
            Err(error) if is_forgiven(&error) => {}
            ended => return ended,
        }
        // One of them cannot be read, and others were not got to: each by itself.
        for (number, group) in groups.iter().enumerate() {
            for index in 0..group.names.len() {
                if answered[number].lock().expect("no thread panics while it notes an answer")[index] {
                    continue;
                }
                let one = Group::split(&group.directory, group.leaf, [group.names.get(index)]);
                match self.store.read(&one, limit, control, &|_, _, content| answer(number, index, content)) {
                    Err(error) if is_forgiven(&error) => {
                        answer(number, index, Content::Whole(b""))?;
                        let mut failures = self.failures.lock().expect("no thread panics while it adds a failure");
                        failures.push((group.key(index), error));
                    }
                    ended => ended?,
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::ErrorKind;
    use std::time::SystemTime;

    use super::*;
    use crate::store::layers::{Fault, Faulty, Operation};
    use crate::store::memory::MemoryStore;

    fn store() -> MemoryStore {
        let store = MemoryStore::new();
        for name in ["a", "b", "c", "d"] {
            store.write(format!("x/{name}/link"), name, SystemTime::UNIX_EPOCH);
        }
        store
    }

    fn groups() -> Vec<Group> {
        let group = |names: &[&str]| Group::split(&Key::new("x"), "link", names).remove(0);
        vec![group(&["a", "b"]), group(&["nobody", "c", "d"])]
    }

    type Contents = BTreeMap<(usize, usize), Option<Vec<u8>>>;

    fn read(store: &impl Read) -> Result<Contents> {
        let found = Mutex::new(BTreeMap::new());
        store.read(&groups(), 8, &Control::default(), &|group, index, content| {
            let content = match content {
                Content::Absent => None,
                Content::Whole(bytes) | Content::TooLarge(bytes) => Some(bytes.to_vec()),
            };
            assert!(found.lock().unwrap().insert((group, index), content).is_none(), "a file twice");
            Ok(())
        })?;
        Ok(found.into_inner().unwrap())
    }

    #[test]
    fn what_cannot_be_read_is_empty_and_all_else_comes_once() {
        let broken = |operation, key: &Key| {
            let is_broken = operation == Operation::Read && ["x/b/link", "x/d/link"].contains(&&*key.to_string());
            is_broken.then_some(Fault::Error(ErrorKind::Other))
        };
        let faulty = Faulty::new(store(), broken);
        let forgiving = Forgiving::new(&faulty);
        let found = read(&forgiving).unwrap();
        let contents: Vec<Option<&[u8]>> = found.values().map(Option::as_deref).collect();
        assert_eq!(contents, [Some(&b"a"[..]), Some(b""), None, Some(b"c"), Some(b"")]);
        let failures: Vec<String> = forgiving.into_failures().iter().map(|(key, _)| key.to_string()).collect();
        assert_eq!(failures, ["x/b/link", "x/d/link"]);
    }

    #[test]
    fn what_the_visitor_refuses_and_what_has_no_place_is_not_forgiven() {
        let store = store();
        let forgiving = Forgiving::new(&store);
        let refuse = |_, _, _: Content<'_>| Err(Error::io("read", &Key::root(), std::io::Error::other("no")));
        assert_eq!(forgiving.read(&groups(), 8, &Control::default(), &refuse).unwrap_err().kind(), Kind::Io);
        store.put_oddity("x/c/link", crate::store::EntryKind::Symlink);
        assert_eq!(read(&forgiving).unwrap_err().kind(), Kind::Layout);
        assert!(forgiving.into_failures().is_empty());
    }
}
