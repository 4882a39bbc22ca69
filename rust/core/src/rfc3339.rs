//! Times as RFC 3339 writes them, which is how the registry notes when an upload was started.

use std::time::{Duration, SystemTime};

use time::format_description::well_known::Rfc3339;
use time::macros::date;
use time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time};

const UNIX_EPOCH: Date = date!(1970 - 01 - 01);

/// The moment that a text names: `2026-11-23T07:35:32Z`, in any zone, with or without a fraction of a second.
///
/// Refuses what Go's `time.Parse(time.RFC3339, …)` refuses, which is more than the standard does: small letters, other
/// characters than `T` before the time, a second 60. (It takes a comma before the fraction; nobody writes one.)
pub fn parse(text: &[u8]) -> Option<SystemTime> {
    if let Some(moment) = parse_utc(text) {
        return Some(moment);
    }
    let text = std::str::from_utf8(text).ok()?;
    if text.get(10..11) != Some("T") || text.contains('z') || text.get(17..19) == Some("60") {
        return None;
    }
    OffsetDateTime::parse(text, &Rfc3339).ok().map(SystemTime::from)
}

/// The same for the one shape that listings of buckets have a million times: `2026-11-23T07:35:32.250Z`, in a tenth of the
/// time. Nothing for any other, whether it is a moment or not.
fn parse_utc(text: &[u8]) -> Option<SystemTime> {
    let number = |from: usize, to: usize| {
        let digits = text.get(from..to)?;
        let is_number = digits.iter().all(u8::is_ascii_digit);
        is_number.then(|| digits.iter().fold(0_u32, |number, digit| number * 10 + u32::from(digit - b'0')))
    };
    let small = |from: usize, to: usize| u8::try_from(number(from, to)?).ok();
    let punctuation = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if !punctuation.iter().all(|&(place, byte)| text.get(place) == Some(&byte)) {
        return None;
    }
    let nanoseconds = match text.get(19..)? {
        b"Z" => 0,
        [b'.', fraction @ .., b'Z'] if (1..=9).contains(&fraction.len()) => {
            let missing = u32::try_from(9 - fraction.len()).ok()?;
            number(20, 20 + fraction.len())? * 10_u32.pow(missing)
        }
        _ => return None,
    };
    let month = Month::try_from(small(5, 7)?).ok()?;
    let date = Date::from_calendar_date(i32::try_from(number(0, 4)?).ok()?, month, small(8, 10)?).ok()?;
    let time = Time::from_hms_nano(small(11, 13)?, small(14, 16)?, small(17, 19)?, nanoseconds).ok()?;
    let days = i64::from(date.to_julian_day()) - i64::from(UNIX_EPOCH.to_julian_day());
    // What lies before is rare, and a subtraction away.
    let Ok(days) = u64::try_from(days) else { return Some(PrimitiveDateTime::new(date, time).assume_utc().into()) };
    let (hours, minutes, seconds) = time.as_hms();
    let seconds = days * 86_400 + u64::from(hours) * 3600 + u64::from(minutes) * 60 + u64::from(seconds);
    SystemTime::UNIX_EPOCH.checked_add(Duration::new(seconds, nanoseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(text: &str) -> Option<f64> {
        let moment = parse(text.as_bytes())?;
        Some(match moment.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => after.as_secs_f64(),
            Err(before) => -before.duration().as_secs_f64(),
        })
    }

    #[test]
    fn moments_are_those_of_the_calendar() {
        // From `date --utc --date=… +%s`.
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", 0.0),
            ("2026-11-23T07:35:32Z", 1_795_419_332.0),
            ("2000-02-29T23:59:59Z", 951_868_799.0),
            ("2100-03-01T00:00:00Z", 4_107_542_400.0),
            ("1969-12-31T23:59:59Z", -1.0),
            ("0000-01-01T00:00:00Z", -62_167_219_200.0),
            ("9999-12-31T23:59:59Z", 253_402_300_799.0),
            ("2026-11-23T07:35:32+01:00", 1_795_415_732.0),
            ("2026-11-23T07:35:32-09:30", 1_795_453_532.0),
            ("1970-01-01T00:00:01.25Z", 1.25),
            ("1969-12-31T23:59:58.5Z", -1.5),
            ("1970-01-01T00:00:00.0000000019Z", 1e-9),
        ] {
            assert_eq!(seconds(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_the_registry_cannot_read_is_no_time() {
        for text in [
            "",
            "2026-11-23",
            "2026-11-23T07:35:32",
            "2026-11-23T07:35:32Z\n",
            " 2026-11-23T07:35:32Z",
            "2026-11-23t07:35:32z",
            "2026-11-23 07:35:32Z",
            "2026-13-23T07:35:32Z",
            "2026-00-23T07:35:32Z",
            "2026-02-29T07:35:32Z",
            "2026-11-31T07:35:32Z",
            "2026-11-00T07:35:32Z",
            "2026-11-23T24:00:00Z",
            "2026-11-23T07:60:32Z",
            "2026-11-23T07:35:60Z",
            "2026-11-23T07:35:32.Z",
            "2026-11-23T07:35:32+0100",
            "2026-11-23T07:35:32+24:00",
            "2026-11-23T07:35:3xZ",
            "-026-11-23T07:35:32Z",
            "2026-11-23T07:35:32Zé",
        ] {
            assert_eq!(seconds(text), None, "{text:?}");
        }
    }
}
