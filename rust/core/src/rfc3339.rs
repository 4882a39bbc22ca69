//! Times as RFC 3339 writes them, which is how the registry notes when an upload was started.

use std::time::{Duration, SystemTime};

const SECONDS_PER_DAY: i64 = 86_400;

/// The moment that a text names: `2026-11-23T07:35:32Z`, in any zone, with or without a fraction of a second.
///
/// Refuses what Go's `time.Parse(time.RFC3339, …)` refuses: small letters, a second 60, days that a month has not,
/// anything before or after. (It takes a comma before the fraction; nobody writes one.)
pub fn parse(text: &[u8]) -> Option<SystemTime> {
    let (local, rest) = text.split_at_checked(19)?;
    let separators: Vec<u8> = [4, 7, 10, 13, 16].iter().map(|&place| local[place]).collect();
    if separators != b"--T::" {
        return None;
    }
    let field = |start: usize, end: usize| number(&local[start..end]);
    let (year, month, day) = (field(0, 4)?, field(5, 7)?, field(8, 10)?);
    let (hour, minute, second) = (field(11, 13)?, field(14, 16)?, field(17, 19)?);
    if !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
        return None;
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (nanoseconds, zone) = fraction(rest)?;
    let of_day = hour * 3600 + minute * 60 + second;
    let seconds = days_since_1970(year, month, day) * SECONDS_PER_DAY + of_day - offset_seconds(zone)?;
    let fraction = Duration::from_nanos(nanoseconds);
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let moment =
        if seconds < 0 { SystemTime::UNIX_EPOCH.checked_sub(whole) } else { SystemTime::UNIX_EPOCH.checked_add(whole) };
    moment?.checked_add(fraction)
}

fn number(digits: &[u8]) -> Option<i64> {
    let digit = |value: i64, digit: &u8| digit.is_ascii_digit().then(|| value * 10 + i64::from(digit - b'0'));
    digits.iter().try_fold(0, digit)
}

/// Nanoseconds, and what follows them. Digits beyond the ninth are dropped.
fn fraction(text: &[u8]) -> Option<(u64, &[u8])> {
    let Some(digits) = text.strip_prefix(b".") else { return Some((0, text)) };
    let length = digits.iter().take_while(|digit| digit.is_ascii_digit()).count();
    if length == 0 {
        return None;
    }
    let nanoseconds = (0..9).fold(0, |value, place| {
        let digit = if place < length { digits[place] - b'0' } else { 0 };
        value * 10 + u64::from(digit)
    });
    Some((nanoseconds, &digits[length..]))
}

fn offset_seconds(zone: &[u8]) -> Option<i64> {
    match zone {
        b"Z" => Some(0),
        &[sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (number(&[h1, h2])?, number(&[m1, m2])?);
            let seconds = hours * 3600 + minutes * 60;
            (hours <= 23 && minutes <= 59).then_some(if sign == b'-' { -seconds } else { seconds })
        }
        _ => None,
    }
}

const fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

const fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date, below zero before it.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    // Leap days of all years before this one; the year 0 is one.
    let leap_days = |year: i64| if year == 0 { 0 } else { (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400 + 1 };
    let before_year = year * 365 + leap_days(year) - (1970 * 365 + leap_days(1970));
    let before_month: i64 = (1..month).map(|month| days_in_month(year, month)).sum();
    before_year + before_month + day - 1
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
    fn every_day_follows_the_one_before() {
        let mut last = days_since_1970(0, 1, 1) - 1;
        for year in 0..=2400 {
            for month in 1..=12 {
                for day in 1..=days_in_month(year, month) {
                    last += 1;
                    assert_eq!(days_since_1970(year, month, day), last, "{year}-{month}-{day}");
                }
            }
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
