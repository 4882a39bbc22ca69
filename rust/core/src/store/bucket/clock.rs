//! How far the store's clock is behind this machine's, as the dates of its answers show.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use http::HeaderMap;
use http::header::DATE;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// Dates count in seconds and take their time to come, so that less than this means nothing.
const SMALLEST: Duration = Duration::from_secs(2);

/// What the dates of answers have shown.
#[derive(Debug)]
pub(super) struct Clock {
    /// Milliseconds by which a date was behind, at least: what was slow on its way seems to be older than it is.
    least: AtomicI64,
}

impl Default for Clock {
    fn default() -> Self {
        Self { least: AtomicI64::new(i64::MAX) }
    }
}

impl Clock {
    /// Takes note of the date of an answer that has come just now.
    pub(super) fn note(&self, headers: &HeaderMap, now: OffsetDateTime) {
        let date = headers.get(DATE).and_then(|date| OffsetDateTime::parse(date.to_str().ok()?, &Rfc2822).ok());
        if let Some(date) = date {
            let behind = i64::try_from((now - date).whole_milliseconds()).unwrap_or(i64::MAX);
            self.least.fetch_min(behind, Ordering::Relaxed);
        }
    }

    /// How far the store's clock is behind; nothing where it is not, or no answer had a date.
    pub(super) fn lag(&self) -> Duration {
        match self.least.load(Ordering::Relaxed) {
            i64::MAX => Duration::ZERO,
            behind => {
                let lag = Duration::from_millis(u64::try_from(behind).unwrap_or(0));
                if lag < SMALLEST { Duration::ZERO } else { lag }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(dates: &[&str]) -> Duration {
        let clock = Clock::default();
        let now = OffsetDateTime::from_unix_timestamp(1_795_419_332).unwrap();
        for date in dates {
            let mut headers = HeaderMap::new();
            headers.insert(DATE, date.parse().unwrap());
            clock.note(&headers, now);
        }
        clock.lag()
    }

    #[test]
    fn only_a_clock_that_is_seconds_behind_counts() {
        assert_eq!(noted(&[]), Duration::ZERO);
        assert_eq!(noted(&["no date"]), Duration::ZERO);
        assert_eq!(noted(&["Mon, 23 Nov 2026 07:35:31 GMT"]), Duration::ZERO, "on its way");
        assert_eq!(noted(&["Mon, 23 Nov 2026 07:40:32 GMT"]), Duration::ZERO, "ahead");
        assert_eq!(noted(&["Mon, 23 Nov 2026 07:30:32 GMT"]), Duration::from_secs(300));
        let slow_and_quick = ["Mon, 23 Nov 2026 07:35:02 GMT", "Mon, 23 Nov 2026 07:35:22 GMT"];
        assert_eq!(noted(&slow_and_quick), Duration::from_secs(10));
    }
}
