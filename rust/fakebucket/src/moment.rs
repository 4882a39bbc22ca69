//! Moments, and the three ways in which the services write them.

use std::time::{SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;
use time::format_description::well_known::{Rfc2822, Rfc3339};

const MICROSECONDS: i64 = 1_000_000;
const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Microseconds since 1970, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(i64);

impl Moment {
    /// That many microseconds after the beginning of 1970.
    pub const fn from_microseconds(microseconds: i64) -> Self {
        Self(microseconds)
    }

    /// Now, by the machine's clock.
    pub fn now() -> Self {
        SystemTime::now().into()
    }

    /// Microseconds since 1970.
    pub const fn microseconds(self) -> i64 {
        self.0
    }

    /// Reads RFC 3339: `2026-11-23T07:35:32Z`, with or without a fraction.
    pub fn parse(text: &str) -> Option<Self> {
        let moment = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        i64::try_from(moment.unix_timestamp_nanos().div_euclid(1000)).ok().map(Self)
    }

    /// Reads what [`Moment::rfc1123`] writes.
    pub fn parse_http(text: &str) -> Option<Self> {
        let moment = OffsetDateTime::parse(text, &Rfc2822).ok()?;
        moment.unix_timestamp().checked_mul(MICROSECONDS).map(Self)
    }

    /// Whole seconds since 1970.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(MICROSECONDS)
    }

    /// The same without the fraction of a second: S3 and Azure keep whole seconds.
    #[must_use]
    pub const fn whole_seconds(self) -> Self {
        Self(self.seconds() * MICROSECONDS)
    }

    /// `2026-11-23T07:35:32` and a fraction of so many digits (none: no point either), then `Z`.
    pub fn rfc3339(self, digits: usize) -> String {
        let Civil { year, month, day, hour, minute, second, .. } = Civil::of(self.seconds());
        let mut text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
        if digits > 0 {
            let fraction = format!("{:06}0", self.0.rem_euclid(MICROSECONDS));
            text.push('.');
            text.push_str(&fraction[..digits.min(fraction.len())]);
        }
        text.push('Z');
        text
    }

    /// `Mon, 23 Nov 2026 07:35:32 GMT`, as HTTP's headers have it (RFC 9110, section 5.6.7).
    pub fn rfc1123(self) -> String {
        let Civil { year, month, day, weekday, hour, minute, second } = Civil::of(self.seconds());
        let (weekday, month) = (WEEKDAYS[weekday], MONTHS[month - 1]);
        format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
    }
}

impl From<SystemTime> for Moment {
    fn from(time: SystemTime) -> Self {
        let microseconds = |elapsed: std::time::Duration| i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX);
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => Self(microseconds(after)),
            Err(before) => Self(-microseconds(before.duration())),
        }
    }
}

/// A second of the calendar, `weekday` counted from Thursday.
struct Civil {
    year: i32,
    month: usize,
    day: u8,
    weekday: usize,
    hour: u8,
    minute: u8,
    second: u8,
}

impl Civil {
    fn of(seconds: i64) -> Self {
        let moment = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        Self {
            year: moment.year(),
            month: usize::from(u8::from(moment.month())),
            day: moment.day(),
            weekday: usize::from((moment.weekday().number_days_from_monday() + 4) % 7),
            hour: moment.hour(),
            minute: moment.minute(),
            second: moment.second(),
        }
    }
}

/// Writes moments one after another and keeps the last one's text: neighbours in a listing are often of one time.
pub(crate) struct Writer {
    write: fn(Moment) -> String,
    last: Option<Moment>,
    text: String,
}

impl Writer {
    pub(crate) const fn new(write: fn(Moment) -> String) -> Self {
        Self { write, last: None, text: String::new() }
    }

    pub(crate) fn text(&mut self, moment: Moment) -> &[u8] {
        if self.last != Some(moment) {
            self.text = (self.write)(moment);
            self.last = Some(moment);
        }
        self.text.as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_in_three_ways() {
        let moment = Moment::parse("2026-11-23T07:35:32.123456Z").expect("a moment");
        assert_eq!(moment.microseconds(), 1_795_419_332_123_456);
        assert_eq!(moment.rfc3339(0), "2026-11-23T07:35:32Z");
        assert_eq!(moment.rfc3339(3), "2026-11-23T07:35:32.123Z");
        assert_eq!(moment.rfc3339(7), "2026-11-23T07:35:32.1234560Z");
        assert_eq!(moment.rfc1123(), "Mon, 23 Nov 2026 07:35:32 GMT");
        assert_eq!(Moment::parse_http(&moment.rfc1123()).map(Moment::seconds), Some(moment.seconds()));
    }

    #[test]
    fn before_1970_seconds_are_counted_down() {
        let moment = Moment::parse("1969-12-31T23:59:58.5Z").expect("a moment");
        assert_eq!((moment.seconds(), moment.rfc3339(1)), (-2, "1969-12-31T23:59:58.5Z".to_owned()));
        assert_eq!(Moment::from_microseconds(0).rfc1123(), "Thu, 01 Jan 1970 00:00:00 GMT");
    }
}
