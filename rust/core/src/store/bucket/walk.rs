//! Listing everything below some prefixes, side by side, with no more requests than one chain of pages would take.
//!
//! A listing is a chain: each page says where the next begins. Two things tell where to begin somewhere else:
//!
//! ```text
//! hashes       ab/ab12…            how far a page of them got says how many follow: cut what is left in equal parts
//! directories  team/app-0017/…     one delimited page names up to a thousand that follow: cut between them
//! ```
//!
//! Cutting costs half a page each time, for the last page of a part is read over its end. So parts are not cut smaller
//! than [`PAGES_PER_PART`], and never into more than are wanted by threads with nothing to do. A small bucket is one chain.
//! Where the service cannot begin after any key (Azure), parts are prefixes.

use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;

use super::client::{Client, Purpose, Reading};
use super::page::{Page, Query, Start};
use super::snapshot::{self, Run, Snapshot};
use super::spread::{self, Spread};
use crate::error::{Error, Result};
use crate::key::Key;
use crate::progress::Control;
use crate::spill::Spill;

/// The fewest pages worth a chain of their own. One more chain takes half a page more, on the average: 3 % of these.
const PAGES_PER_PART: usize = 16;
/// The most prefixes that a range is cut into where the service cannot begin after any key: 256 of hashes, and what
/// follows them.
const MOST_PREFIXES: usize = 512;
/// Keys of one directory of hashes that a page must hold to say how many follow.
const TELLING: usize = 200;

/// What one chain lists.
#[derive(Clone, Debug)]
pub(super) struct Range {
    pub(super) prefix: Vec<u8>,
    /// Only what is greater.
    pub(super) after: Vec<u8>,
    /// Nothing that is greater.
    pub(super) until: Option<Vec<u8>>,
}

impl Range {
    /// Everything that begins with a text.
    pub(super) const fn all(prefix: Vec<u8>) -> Self {
        Self { prefix, after: Vec::new(), until: None }
    }

    fn is_beyond(&self, key: &[u8]) -> bool {
        self.until.as_deref().is_some_and(|until| key > until)
    }
}

#[derive(Default)]
struct State {
    waiting: Vec<Range>,
    busy: usize,
    threads: usize,
    runs: Vec<Run>,
    failure: Option<Error>,
}

struct Walk<'a> {
    client: &'a Client,
    jobs: usize,
    control: &'a Control,
    spill: Arc<Spill>,
    state: Mutex<State>,
    changed: Condvar,
}

/// Lists all keys below the prefixes, none of which is a prefix of another.
///
/// # Errors
/// The first failure of a request, or a listing that cannot be trusted.
pub(super) fn walk(client: &Client, prefixes: &[Vec<u8>], jobs: usize, control: &Control) -> Result<Snapshot> {
    let spill = snapshot::spill();
    let ranges = prefixes.iter().cloned().map(Range::all).collect();
    let runs = walk_ranges(client, ranges, &spill, jobs, control)?;
    Snapshot::new(spill, runs)
}

/// Lists all keys in some ranges, which have none in common.
///
/// # Errors
/// As for [`walk`].
pub(super) fn walk_ranges(
    client: &Client,
    waiting: Vec<Range>,
    spill: &Arc<Spill>,
    jobs: usize,
    control: &Control,
) -> Result<Vec<Run>> {
    let state = Mutex::new(State { waiting, ..State::default() });
    let walk = Walk { client, jobs, control, spill: Arc::clone(spill), state, changed: Condvar::new() };
    thread::scope(|scope| {
        walk.start_threads(scope);
        walk.work(scope);
    });
    let state = walk.state.into_inner().expect("no thread panics while it holds the state");
    match state.failure {
        Some(error) => Err(error),
        None => Ok(state.runs),
    }
}

/// Asks for one page and checks it.
pub(super) fn page(client: &Client, query: &Query, after: &[u8], control: &Control, page: &mut Page) -> Result<()> {
    let key = Key::new(query.prefix.strip_suffix(b"/").unwrap_or(&query.prefix));
    client.send(
        Purpose::List,
        &key,
        control,
        || client.dialect().list(query),
        |answer| {
            page.clear();
            if !answer.status.is_success() {
                return Reading::Refused;
            }
            match client.dialect().read_page(query, &answer.body, page) {
                Err(malformed) => Reading::Again(malformed.0.to_owned()),
                Ok(()) => page.fault(query, after).map_or(Reading::Done(()), |fault| Reading::Again(fault.to_owned())),
            }
        },
    )
}

impl Walk<'_> {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics while it holds the state")
    }

    /// Starts as many threads as there are ranges without one.
    fn start_threads<'scope>(&'scope self, scope: &'scope thread::Scope<'scope, '_>) {
        let mut state = self.state();
        while state.threads + 1 < self.jobs && state.threads + 1 < state.waiting.len() + state.busy {
            // Where no more threads are to be had (a container's limit), those that run do the work.
            if thread::Builder::new().spawn_scoped(scope, || self.work(scope)).is_err() {
                return;
            }
            state.threads += 1;
        }
    }

    fn work<'scope>(&'scope self, scope: &'scope thread::Scope<'scope, '_>) {
        let mut found = Page::default();
        loop {
            let mut state = self.state();
            let range = loop {
                if state.failure.is_some() {
                    return;
                }
                if let Some(range) = state.waiting.pop() {
                    state.busy += 1;
                    break range;
                }
                if state.busy == 0 {
                    return;
                }
                state = self.changed.wait(state).expect("no thread panics while it holds the state");
            };
            drop(state);
            let run = self.chain(range, &mut found, scope);
            let mut state = self.state();
            state.busy -= 1;
            match run {
                Ok(run) => state.runs.push(run),
                Err(error) => state.failure = state.failure.take().or(Some(error)),
            }
            drop(state);
            self.changed.notify_all();
        }
    }

    /// How many more chains there is somebody for.
    fn wanted(&self) -> usize {
        let state = self.state();
        self.jobs.saturating_sub(state.busy + state.waiting.len())
    }

    fn add<'scope>(&'scope self, ranges: impl Iterator<Item = Range>, scope: &'scope thread::Scope<'scope, '_>) {
        self.state().waiting.extend(ranges);
        self.start_threads(scope);
        self.changed.notify_all();
    }

    /// Lists one range, giving away parts of it where that helps.
    fn chain<'scope>(
        &'scope self,
        mut range: Range,
        found: &mut Page,
        scope: &'scope thread::Scope<'scope, '_>,
    ) -> Result<Run> {
        let mut run = Run::new(&self.spill);
        let mut first = Vec::new();
        let anywhere = self.client.dialect().starts_anywhere();
        // Elsewhere what is not wanted comes first, and is passed over.
        let mut last = if anywhere { range.after.clone() } else { Vec::new() };
        let start = Start::After(last.clone());
        let mut query = Query { prefix: range.prefix.clone(), start, delimited: false, limit: None };
        let (mut pages, mut next_look) = (0_usize, 2 * PAGES_PER_PART);
        loop {
            page(self.client, &query, &last, self.control, found)?;
            pages += 1;
            for (key, stat) in found.keys.iter().zip(&found.stats).filter(|(key, _)| *key > range.after.as_slice()) {
                if range.is_beyond(key) {
                    break;
                }
                run.push(key, stat);
            }
            Control::count(&self.control.counters.listed, found.keys.len());
            if pages == 1 {
                first.extend_from_slice(found.keys.iter().next().unwrap_or_default());
            }
            if let Some(key) = found.last() {
                last.clear();
                last.extend_from_slice(key);
            }
            if !found.truncated || range.is_beyond(&last) {
                return Ok(run);
            }
            query.start = match found.token.take() {
                Some(token) => Start::Token(token),
                None => Start::After(last.clone()),
            };
            let wanted = self.wanted();
            if wanted == 0 {
                continue;
            }
            if !anywhere {
                if pages >= next_look {
                    next_look = pages * 2;
                    if let Some(parts) = self.cut_prefixes(found, &last, &range)? {
                        self.add(parts.into_iter(), scope);
                        return Ok(run);
                    }
                }
                continue;
            }
            let mut cuts = self.cut_hashes(found, &last, &range, wanted);
            if cuts.is_empty() && pages >= next_look {
                // A look that was of no use is not soon tried again.
                next_look = pages * 2;
                // As much may follow as there was.
                cuts = self.cut_directories(&range, &first, &last, wanted.min(pages / PAGES_PER_PART))?;
            }
            if let Some(first) = cuts.first() {
                let ends = cuts.iter().skip(1).cloned().map(Some).chain([range.until.take()]);
                let prefix = &range.prefix;
                let parts = cuts.iter().zip(ends).map(|(after, until)| Range {
                    prefix: prefix.clone(),
                    after: after.clone(),
                    until,
                });
                let parts: Vec<Range> = parts.collect();
                range.until = Some(first.clone());
                self.add(parts.into_iter(), scope);
                if range.is_beyond(&last) || last == *first {
                    return Ok(run);
                }
            }
        }
    }

    /// How many pages of a directory of hashes are left up to a place in it; nothing if not much is known.
    fn estimate(&self, found: &Page, spread: &Spread<'_>, reached: f64, end: f64) -> Option<usize> {
        let (count, from) = counted(found, spread)?;
        let covered = reached - from;
        if count < TELLING || covered <= 0.0 {
            return None;
        }
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "an estimate"
        )]
        Some(((end - reached) / covered * count as f64 / self.client.dialect().page_size() as f64) as usize)
    }

    /// What is left of a range, as prefixes: of a directory of hashes that the chain is in by their first digits, and
    /// whatever follows it, level by level. Nothing where little of it is left, or too much follows to list it so.
    fn cut_prefixes(&self, found: &Page, last: &[u8], range: &Range) -> Result<Option<Vec<Range>>> {
        let Some((spread, reached)) = spread::of(last) else { return Ok(None) };
        let pages = self.estimate(found, &spread, reached, 1.0).unwrap_or_default();
        if pages < 2 * PAGES_PER_PART || spread.directory.len() < range.prefix.len() {
            return Ok(None);
        }
        let digits = if pages < 256 * PAGES_PER_PART { 1 } else { 2 };
        let mut parts: Vec<Range> = Vec::new();
        for prefix in spread.prefixes(digits) {
            // Of the one that the chain is in, the rest.
            let after = if last.starts_with(&prefix) { last.to_vec() } else { Vec::new() };
            if !after.is_empty() || prefix.as_slice() > last {
                parts.push(Range { after, ..Range::all(prefix) });
            }
        }
        let mut names = Page::default();
        let mut below = spread.directory.len() - 1;
        while below > range.prefix.len() {
            let parent = memchr::memrchr(b'/', &last[..below]).map_or(0, |slash| slash + 1).max(range.prefix.len());
            let start = Start::After(Vec::new());
            let mut query = Query { prefix: last[..parent].to_vec(), start, delimited: true, limit: None };
            loop {
                page(self.client, &query, b"", self.control, &mut names)?;
                let directories = names.prefixes.iter().filter(|name| *name > last);
                parts.extend(directories.map(|name| Range::all(name.to_vec())));
                // Nothing but the file: what begins like it may be a directory's.
                let files = names.keys.iter().filter(|key| *key > last);
                parts.extend(files.map(|key| Range { until: Some(key.to_vec()), ..Range::all(key.to_vec()) }));
                if parts.len() > MOST_PREFIXES {
                    return Ok(None);
                }
                match names.token.take() {
                    Some(token) => query.start = Start::Token(token),
                    None => break,
                }
            }
            below = parent.saturating_sub(1);
        }
        Ok(Some(parts))
    }

    /// Where to cut what is left of a directory of hashes, in order; nowhere if little is left or not much is known.
    fn cut_hashes(&self, found: &Page, last: &[u8], range: &Range, wanted: usize) -> Vec<Vec<u8>> {
        let Some((spread, reached)) = spread::of(last) else { return Vec::new() };
        let end = range.until.as_deref().and_then(spread::of).filter(|(other, _)| *other == spread);
        let end = end.map_or(1.0, |(_, place)| place);
        let pages = self.estimate(found, &spread, reached, end).unwrap_or_default();
        let parts = (pages / PAGES_PER_PART).min(wanted + 1);
        if parts < 2 {
            return Vec::new();
        }
        #[allow(clippy::cast_precision_loss, reason = "numbers of threads")]
        let part = (end - reached) / parts as f64;
        #[allow(clippy::cast_precision_loss, reason = "numbers of threads")]
        let mut cuts: Vec<Vec<u8>> = (1..parts).map(|number| spread.at(part.mul_add(number as f64, reached))).collect();
        // What follows the hashes is somebody else's.
        cuts.push(spread.end());
        cuts.retain(|cut| cut.as_slice() > last && range.until.as_deref().is_none_or(|until| cut.as_slice() < until));
        cuts
    }

    /// Where to cut between directories that follow, by a delimited page: of the directory in which the chain has come
    /// forward, or of the nearest one above it where something follows.
    fn cut_directories(&self, range: &Range, first: &[u8], last: &[u8], most: usize) -> Result<Vec<Vec<u8>>> {
        let alike = first.iter().zip(last).take_while(|(one, other)| one == other).count();
        let above = |slash: &usize| *slash < alike && *slash + 1 >= range.prefix.len();
        let mut ends: Vec<usize> = memchr::memchr_iter(b'/', last).filter(above).map(|slash| slash + 1).collect();
        ends.insert(0, range.prefix.len());
        ends.dedup();
        let mut found = Page::default();
        for end in ends.into_iter().rev() {
            let Some(slash) = memchr::memchr(b'/', &last[end..]) else { continue };
            let mut behind = last[..end + slash].to_vec();
            // The character after the slash: behind everything in that directory.
            behind.push(b'0');
            let start = Start::After(behind.clone());
            let query = Query { prefix: last[..end].to_vec(), start, delimited: true, limit: None };
            page(self.client, &query, &behind, self.control, &mut found)?;
            let names: Vec<&[u8]> = found
                .prefixes
                .iter()
                .map(|name| name.strip_suffix(b"/").unwrap_or(name))
                .filter(|name| *name > last && !range.is_beyond(name))
                .collect();
            if !names.is_empty() {
                let step = names.len().div_ceil(most.max(1));
                return Ok(names.into_iter().skip(step / 2).step_by(step).map(<[u8]>::to_vec).collect());
            }
        }
        Ok(Vec::new())
    }
}

/// How many keys of a page lie in a directory of hashes, and where in it the first of them does.
fn counted(found: &Page, spread: &Spread<'_>) -> Option<(usize, f64)> {
    let inside = |index: &usize| found.keys.get(*index).starts_with(spread.directory);
    let (mut low, mut high) = (0, found.keys.len());
    // The last key is inside, and keys are in order.
    while low < high {
        let middle = low.midpoint(high);
        if inside(&middle) { high = middle } else { low = middle + 1 }
    }
    let (_, from) = (low < found.keys.len()).then(|| spread::of(found.keys.get(low))).flatten()?;
    Some((found.keys.len() - low, from))
}
