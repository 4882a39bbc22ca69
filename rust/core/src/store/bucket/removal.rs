//! Removing many keys by few requests, each with an outcome of its own.

use std::cell::{Cell, RefCell};

use super::Bucket;
use super::client::{Purpose, Reading};
use super::dialect::{Doomed, KeyOutcome};
use crate::error::{Kind, Result};
use crate::key::Key;
use crate::progress::Control;

impl Bucket {
    /// Removes some keys, by one request if the store has time for all of them. What one answer has said about a key
    /// holds, whatever becomes of the others; those are asked for again.
    pub(super) fn remove_some(&self, keys: &[Doomed], first: &Key, control: &Control) -> Result<Vec<KeyOutcome>> {
        let open: RefCell<Vec<usize>> = RefCell::new((0..keys.len()).collect());
        let mut outcomes: Vec<KeyOutcome> = keys.iter().map(|_| KeyOutcome::Again(String::new())).collect();
        let wanted = || open.borrow().iter().map(|&index| keys[index].clone()).collect::<Vec<_>>();
        let dialect = self.client().dialect();
        let tries = Cell::new(0);
        let make = || {
            tries.set(tries.get() + 1);
            dialect.remove(wanted())
        };
        let ended = self.client().send(Purpose::Remove, first, control, make, |answer| {
            let found = match dialect.read_removal(answer, &wanted()) {
                Ok(found) => found,
                Err(malformed) => return Reading::Again(malformed.0.to_owned()),
            };
            let mut left = Vec::new();
            for (index, outcome) in open.take().into_iter().zip(found) {
                left.extend(matches!(outcome, KeyOutcome::Again(_)).then_some(index));
                // An answer that was lost on its way may have been about a removal.
                let was_there = outcome == KeyOutcome::Absent && tries.get() > 1;
                outcomes[index] = if was_there { KeyOutcome::Removed } else { outcome };
            }
            let first = left.first().map(|&index| &outcomes[index]);
            let reason =
                first.map(|outcome| if let KeyOutcome::Again(text) = outcome { text.clone() } else { String::new() });
            open.replace(left);
            reason.map_or(Reading::Done(()), Reading::Busy)
        });
        match ended {
            // Those that remain have their own reason, unless no answer was ever about them.
            Err(error) if error.kind() == Kind::Cancelled || outcomes.iter().any(is_unsaid) => Err(error),
            _ => Ok(outcomes),
        }
    }
}

fn is_unsaid(outcome: &KeyOutcome) -> bool {
    matches!(outcome, KeyOutcome::Again(reason) if reason.is_empty())
}
