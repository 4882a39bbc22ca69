//! How many requests are under way at once, and how fast they follow each other.
//!
//! Starts low, doubles with every round that the store takes well, halves once when it says that this was too much, is
//! quiet for a while, and from then on climbs by one a round. What is in flight when the store complains has been sent
//! too early already and does not halve again. Beside that, a fixed rate that the operator may ask for.

use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crate::error::Result;
use crate::progress::Control;

/// Requests under way at the beginning.
const FIRST: f64 = 16.0;
const SHORTEST_QUIET: Duration = Duration::from_secs(1);
const LONGEST_QUIET: Duration = Duration::from_secs(32);
/// After so many rounds without a complaint the next quiet is a short one again.
const ROUNDS_TO_FORGIVE: f64 = 4.0;
/// How often a waiting thread looks whether the run is to end.
const LOOK: Duration = Duration::from_millis(100);

/// The state, with time as a number so that tests need not wait.
#[derive(Debug)]
struct Pace {
    most: f64,
    limit: f64,
    in_flight: usize,
    climbing: bool,
    halved: Option<Duration>,
    quiet: Duration,
    quiet_until: Duration,
    good: f64,
    interval: Duration,
    next_slot: Duration,
}

impl Pace {
    fn new(most: usize, per_second: Option<f64>) -> Self {
        #[allow(clippy::cast_precision_loss, reason = "a number of threads")]
        let most = most.max(1) as f64;
        Self {
            most,
            limit: FIRST.min(most),
            in_flight: 0,
            climbing: true,
            halved: None,
            quiet: SHORTEST_QUIET,
            quiet_until: Duration::ZERO,
            good: 0.0,
            interval: per_second.map_or(Duration::ZERO, |rate| Duration::from_secs_f64(1.0 / rate)),
            next_slot: Duration::ZERO,
        }
    }

    /// Lets a request begin, or says how long to wait before asking again; nothing until another one has ended.
    fn admit(&mut self, now: Duration) -> Result<(), Option<Duration>> {
        #[allow(clippy::cast_precision_loss, reason = "a number of threads")]
        if self.in_flight as f64 >= self.limit.floor().max(1.0) {
            return Err(None);
        }
        let from = self.quiet_until.max(self.next_slot);
        if let Some(wait) = from.checked_sub(now).filter(|wait| !wait.is_zero()) {
            return Err(Some(wait));
        }
        self.next_slot = now.max(self.next_slot) + self.interval;
        self.in_flight += 1;
        Ok(())
    }

    fn succeeded(&mut self) {
        self.in_flight -= 1;
        let step = if self.climbing { 1.0 } else { 1.0 / self.limit };
        self.limit = (self.limit + step).min(self.most);
        self.good += 1.0;
        if self.good > ROUNDS_TO_FORGIVE * self.limit {
            self.quiet = SHORTEST_QUIET;
        }
    }

    /// A request that began at `begun` failed in a way that says nothing about the pace.
    fn failed(&mut self) {
        self.in_flight -= 1;
    }

    fn throttled(&mut self, begun: Duration, now: Duration) {
        self.in_flight -= 1;
        if self.halved.is_some_and(|halved| begun <= halved) {
            return;
        }
        self.limit = (self.limit / 2.0).max(1.0);
        self.climbing = false;
        self.good = 0.0;
        self.halved = Some(now);
        self.quiet_until = now + self.quiet;
        self.quiet = (self.quiet * 2).min(LONGEST_QUIET);
    }
}

/// What all requests to a bucket pass through.
#[derive(Debug)]
pub(super) struct Throttle {
    pace: Mutex<Pace>,
    ended: Condvar,
    clock: Instant,
}

/// How a request ended, as far as the pace is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Well,
    /// The store says that there are too many.
    Throttled,
    Badly,
}

/// Leave to make one request.
#[derive(Debug)]
pub(super) struct Leave<'a> {
    throttle: &'a Throttle,
    begun: Duration,
    ended: Ended,
}

impl Leave<'_> {
    /// Says how it ended. Without it, badly.
    pub(super) fn end(mut self, ended: Ended) {
        self.ended = ended;
    }
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        let now = self.throttle.clock.elapsed();
        let mut pace = self.throttle.pace();
        match self.ended {
            Ended::Well => pace.succeeded(),
            Ended::Throttled => pace.throttled(self.begun, now),
            Ended::Badly => pace.failed(),
        }
        drop(pace);
        // All, for a request that ends may make room for two.
        self.throttle.ended.notify_all();
    }
}

impl Throttle {
    /// At most so many at once, and so many a second where that is given.
    pub(super) fn new(most: usize, per_second: Option<f64>) -> Self {
        let pace = Mutex::new(Pace::new(most, per_second));
        Self { pace, ended: Condvar::new(), clock: Instant::now() }
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().expect("no thread panics while it holds the pace")
    }

    /// Waits for leave to make a request.
    ///
    /// # Errors
    /// [`Kind::Cancelled`](crate::error::Kind::Cancelled).
    pub(super) fn enter(&self, control: &Control) -> Result<Leave<'_>> {
        let mut pace = self.pace();
        loop {
            control.check()?;
            let now = self.clock.elapsed();
            let wait = match pace.admit(now) {
                Ok(()) => return Ok(Leave { throttle: self, begun: now, ended: Ended::Badly }),
                Err(wait) => wait.unwrap_or(LOOK).min(LOOK),
            };
            pace = self.ended.wait_timeout(pace, wait).expect("no thread panics while it holds the pace").0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn fill(pace: &mut Pace, now: Duration) -> usize {
        let mut admitted = 0;
        while pace.admit(now).is_ok() {
            admitted += 1;
        }
        admitted
    }

    #[test]
    fn it_doubles_until_the_store_complains_and_then_climbs_slowly() {
        let mut pace = Pace::new(1000, None);
        assert_eq!(fill(&mut pace, at(0)), 16);
        (0..16).for_each(|_| pace.succeeded());
        assert_eq!(fill(&mut pace, at(10)), 32);
        pace.throttled(at(10), at(20));
        // The others were on their way before it complained.
        (0..31).for_each(|_| pace.throttled(at(10), at(25)));
        assert!((pace.limit - 16.0).abs() < f64::EPSILON);
        assert_eq!(pace.admit(at(1019)), Err(Some(at(1))));
        assert_eq!(fill(&mut pace, at(1020)), 16);
        (0..16).for_each(|_| pace.succeeded());
        assert_eq!(fill(&mut pace, at(1030)), 16, "by less than one a round");
        (0..16).for_each(|_| pace.succeeded());
        assert_eq!(fill(&mut pace, at(1040)), 17);
    }

    #[test]
    fn it_is_quiet_for_longer_each_time_and_never_stops() {
        let mut pace = Pace::new(64, None);
        let mut now = at(0);
        let mut quiets = Vec::new();
        for _ in 0..8 {
            assert!(fill(&mut pace, now) >= 1);
            let in_flight = pace.in_flight;
            (0..in_flight).for_each(|_| pace.throttled(now, now));
            quiets.push(pace.quiet_until.saturating_sub(now).as_secs());
            now = pace.quiet_until;
        }
        assert_eq!(quiets, [1, 2, 4, 8, 16, 32, 32, 32]);
        assert_eq!(fill(&mut pace, now), 1);
        for _ in 0..100 {
            pace.succeeded();
            let _ = pace.admit(now);
        }
        assert_eq!(pace.quiet, SHORTEST_QUIET);
    }

    #[test]
    fn a_rate_spreads_requests_evenly() {
        let mut pace = Pace::new(64, Some(10.0));
        assert_eq!(pace.admit(at(0)), Ok(()));
        assert_eq!(pace.admit(at(0)), Err(Some(at(100))));
        assert_eq!(pace.admit(at(100)), Ok(()));
        assert_eq!(pace.admit(at(150)), Err(Some(at(50))));
        assert_eq!(pace.admit(at(900)), Ok(()), "what was not used is not made up for");
        assert_eq!(pace.admit(at(950)), Err(Some(at(50))));
    }
}
