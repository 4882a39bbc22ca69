//! Looking again at blobs of which only a report has told, by as few pages as there can be.
//!
//! ```text
//! wanted, in order     a…  a…  b…            k…  k…
//! pages                [a………………………b…]          [k………………]      each begins at the next one that is wanted
//! ```
//!
//! So no page is asked for that shows nothing wanted, and none twice: where candidates are rare, one for each of them, and
//! where they are not, those of a listing of everything.

use std::sync::Mutex;

use super::page::{Page, Query, Start};
use super::{Bucket, Looked, walk};
use crate::error::Result;
use crate::key::Key;
use crate::layout::distribution as layout;
use crate::parallel::{cores, for_each};
use crate::progress::Control;
use crate::store::{Group, List as _, Stat, StatVisitor};

/// Files that one chain of pages looks for. Fewer would have more chains read pages over their ends.
const CHAIN: usize = 250;

/// A key that is looked for, and whose it is: index of the group, index in the group.
type Wanted = (Vec<u8>, (usize, usize));

impl Bucket {
    /// Looks at some files of groups of blobs, whatever was told of them.
    pub(super) fn look_again(
        &self,
        groups: &[Group],
        files: &[(usize, usize)],
        control: &Control,
        visit: &StatVisitor<'_>,
    ) -> Result<()> {
        let key = |&(group, index): &(usize, usize)| self.full(&groups[group].key(index));
        let mut wanted: Vec<Wanted> = files.iter().map(|file| (key(file), *file)).collect();
        wanted.sort_unstable();
        let prefix = self.prefix(&Key::new(layout::BLOBS));
        let chains: Vec<&[Wanted]> = wanted.chunks(CHAIN).collect();
        for_each(self.jobs, chains.len(), control, |index, found: &mut Page| {
            self.look_along(&prefix, chains[index], found, control, visit)
        })
    }

    /// Looks for keys, which are in order, page after page.
    fn look_along(
        &self,
        prefix: &[u8],
        mut wanted: &[Wanted],
        found: &mut Page,
        control: &Control,
        visit: &StatVisitor<'_>,
    ) -> Result<()> {
        let limit = (wanted.len() == 1).then_some(1);
        let mut query = Query { prefix: prefix.to_vec(), start: Start::After(Vec::new()), delimited: false, limit };
        let mut last: Vec<u8> = Vec::new();
        while let Some((first, _)) = wanted.first() {
            if !matches!(query.start, Start::Token(_)) {
                // Anything less than it, and as near as that can be said.
                let before = &first[..first.len() - 1];
                if before > last.as_slice() {
                    last = before.to_vec();
                }
                query.start = Start::After(last.clone());
            }
            walk::page(&self.client, &query, &last, control, found)?;
            let mut keys = found.keys.iter().zip(&found.stats).peekable();
            last = found.last().map_or(last, <[u8]>::to_vec);
            while let Some((key, (group, index))) = wanted.first() {
                if found.truncated && *key > last {
                    break;
                }
                while keys.next_if(|(other, _)| *other < key.as_slice()).is_some() {}
                let stat = keys.peek().filter(|(other, _)| *other == key.as_slice()).map(|(_, stat)| **stat);
                visit(*group, *index, stat)?;
                wanted = &wanted[1..];
            }
            query.start = match found.token.take() {
                // A page without keys, that says where it goes on.
                Some(token) if found.keys.is_empty() => Start::Token(token),
                _ => Start::After(Vec::new()),
            };
        }
        Ok(())
    }

    /// What a report has told of some files; what it has not is looked at.
    pub(super) fn stat_told(
        &self,
        looked: &Looked,
        groups: &[Group],
        control: &Control,
        visit: &StatVisitor<'_>,
    ) -> Result<()> {
        let is_told = |group: &Group| self.is_told(&group.directory) && looked.covers(&group.directory);
        let (told, others): (Vec<usize>, Vec<usize>) = (0..groups.len()).partition(|&number| is_told(&groups[number]));
        let untold: Mutex<Vec<(usize, usize)>> = Mutex::default();
        for_each(cores(), told.len(), control, |item, (): &mut ()| {
            let (number, mut cursor) = (told[item], looked.snapshot.cursor());
            let group = &groups[number];
            for index in 0..group.names.len() {
                match cursor.find(&self.full(&group.key(index)))? {
                    None => untold.lock().expect("no thread panics while it notes a file").push((number, index)),
                    stat => visit(number, index, stat)?,
                }
            }
            Ok(())
        })?;
        let untold = untold.into_inner().expect("no thread panics while it notes a file");
        self.look_again(groups, &untold, control, visit)?;
        let rest: Vec<Group> = others.iter().map(|&number| groups[number].clone()).collect();
        self.stat(&rest, control, &|number, index, stat: Option<Stat>| visit(others[number], index, stat))
    }
}
