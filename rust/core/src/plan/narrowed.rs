//! A plan narrowed down to what is dead now: its own rows, but for those whose subjects stayed.
//!
//! That is what a condemned list is made of (`python/regsweep/condemned.py`). Rows are kept as they are, with the reasons
//! and times that the plan was made with; whoever reads the list marks again with it, as with any plan.

use std::io::{BufRead, Write};

use super::planned::{Item, Plan};
use super::table::{self, Table, Written};
use crate::error::Result;
use crate::mark::Marks;

/// What some rows amount to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Tags, those that follow their subjects included.
    pub tag_count: u64,
    /// Manifest links.
    pub manifest_count: u64,
    /// Layer links.
    pub layer_link_count: u64,
    /// Blobs.
    pub blob_count: u64,
    /// Their sizes in bytes.
    pub blob_bytes: u64,
}

impl Totals {
    /// Counts one; `None` where a blob has no size.
    fn add(&mut self, item: &Item, record: &csv::StringRecord) -> Option<()> {
        match item {
            Item::Tag(..) => self.tag_count += 1,
            Item::Repository(_) => {}
            Item::Manifest(..) => self.manifest_count += 1,
            Item::LayerLink(..) => self.layer_link_count += 1,
            Item::Blob(_) => {
                self.blob_count += 1;
                self.blob_bytes += record.get(4)?.parse::<u64>().ok()?;
            }
        }
        Some(())
    }
}

/// What was left of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Narrowed {
    /// The rows that were written.
    pub written: Written,
    /// What they amount to.
    pub totals: Totals,
    /// What was left out although it is dead, because an earlier list names it.
    pub earlier: Totals,
}

/// Writes those rows of a plan whose subjects are eligible now and on none of the earlier lists.
///
/// A repository that goes as a whole is written with all that it has, on other lists or not: what of it a list leaves out
/// would stay behind.
///
/// # Errors
/// Those of [`Plan::read`], with some rows written; when `out` cannot be written.
pub fn narrow(source: &mut dyn BufRead, marks: &Marks, earlier: &[&Plan], out: &mut dyn Write) -> Result<Narrowed> {
    let eligible = Plan::of(marks);
    let mut table = Table::begin(out)?;
    let mut totals = Totals::default();
    let mut left_out = Totals::default();
    table::read(source, |record| {
        let item = Item::parse(record).ok_or_else(table::not_understood)?;
        if !eligible.names(&item) {
            return Ok(());
        }
        if !eligible.names_whole(&item) && is_on_any(earlier, &item) {
            return left_out.add(&item, record).ok_or_else(table::not_understood);
        }
        totals.add(&item, record).ok_or_else(table::not_understood)?;
        table.write(record)
    })?;
    Ok(Narrowed { written: table.end()?, totals, earlier: left_out })
}

/// How many rows of a plan name what none of the earlier lists does.
///
/// # Errors
/// Those of [`Plan::read`].
pub fn count_beyond(source: &mut dyn BufRead, earlier: &[&Plan]) -> Result<u64> {
    let mut count = 0;
    table::read(source, |record| {
        let item = Item::parse(record).ok_or_else(table::not_understood)?;
        count += u64::from(!is_on_any(earlier, &item));
        Ok(())
    })?;
    Ok(count)
}

fn is_on_any(lists: &[&Plan], item: &Item) -> bool {
    lists.iter().any(|list| list.names(item))
}
