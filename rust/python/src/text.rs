//! Names and times on their way to Python and back.

use std::time::{Duration, SystemTime};

/// The last moment that Python's `datetime` has, in seconds since 1970.
const LAST_MOMENT: Duration = Duration::from_secs(253_402_300_799);

/// A name as text. Bytes that are not UTF-8 are shown, not kept.
pub(crate) fn name(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Seconds since 1970.
pub(crate) fn seconds(time: SystemTime) -> f64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// A time that Python's `datetime` has, too.
pub(crate) fn moment(time: SystemTime) -> SystemTime {
    time.min(SystemTime::UNIX_EPOCH + LAST_MOMENT)
}

/// The time that is so many seconds after the beginning of 1970.
pub(crate) fn at_seconds(seconds: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}
