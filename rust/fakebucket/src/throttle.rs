//! A limit on requests and deleted keys a second, and a latency for each request: what a service far away is like.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// The limits. What is not given is not limited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Requests that are answered a second.
    pub requests_per_second: Option<f64>,
    /// Keys that are deleted a second, one by one or in bulk.
    pub deleted_keys_per_second: Option<f64>,
    /// How much later every request is answered.
    pub latency_ms: u64,
}

/// Keeps the limits.
#[derive(Debug, Default)]
pub struct Throttle {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    limits: Limits,
    requests: Allowance,
    deleted_keys: Allowance,
}

/// What may still be had at a moment, in tokens: full after a tenth of a second without use, and in debt after a
/// request that costs more than there was.
#[derive(Debug, Default)]
struct Allowance {
    tokens: f64,
    filled: Option<Instant>,
}

impl Allowance {
    fn take(&mut self, now: Instant, rate: Option<f64>, cost: f64) -> bool {
        let Some(rate) = rate else { return true };
        let capacity = (rate / 10.0).max(1.0);
        let gained = self.filled.map_or(capacity, |filled| now.duration_since(filled).as_secs_f64() * rate);
        self.tokens = (self.tokens + gained).min(capacity);
        self.filled = Some(now);
        let is_allowed = self.tokens >= 1.0;
        if is_allowed {
            self.tokens -= cost;
        }
        is_allowed
    }
}

impl Throttle {
    /// Sets the limits, and starts anew.
    pub fn set(&self, limits: Limits) {
        *self.state.lock().expect("nobody panics while counting") = State { limits, ..State::default() };
    }

    /// How much later every request is answered.
    pub(crate) fn latency(&self) -> Duration {
        Duration::from_millis(self.state.lock().expect("nobody panics while counting").limits.latency_ms)
    }

    /// Whether a request that deletes so many keys is answered now, or refused.
    #[allow(clippy::cast_precision_loss)] // at most 1,000 keys
    pub(crate) fn admits(&self, now: Instant, deleted_keys: usize) -> bool {
        let mut state = self.state.lock().expect("nobody panics while counting");
        let Limits { requests_per_second, deleted_keys_per_second, .. } = state.limits;
        state.requests.take(now, requests_per_second, 1.0)
            && (deleted_keys == 0 || state.deleted_keys.take(now, deleted_keys_per_second, deleted_keys as f64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(limits: Limits, milliseconds: impl IntoIterator<Item = u64>, deleted_keys: usize) -> usize {
        let throttle = Throttle::default();
        throttle.set(limits);
        let start = Instant::now();
        let admits = |at: &u64| throttle.admits(start + Duration::from_millis(*at), deleted_keys);
        milliseconds.into_iter().filter(admits).count()
    }

    #[test]
    fn without_limits_all_is_admitted() {
        assert_eq!(admitted(Limits::default(), 0..1000, 1000), 1000);
    }

    #[test]
    fn so_many_requests_a_second_are_admitted_and_a_tenth_at_once() {
        let limits = Limits { requests_per_second: Some(100.0), ..Limits::default() };
        assert_eq!(admitted(limits, [0; 50], 0), 10);
        assert_eq!(admitted(limits, 0..1000, 0), 109);
    }

    #[test]
    fn a_bulk_deletion_costs_its_keys_and_leaves_a_debt() {
        let limits = Limits { deleted_keys_per_second: Some(1000.0), ..Limits::default() };
        assert_eq!(admitted(limits, (0..10).map(|tenth| tenth * 100), 500), 2);
        assert_eq!(admitted(limits, [0; 50], 0), 50);
    }
}
