//! Times as RFC 3339 writes them, which is how the registry notes when an upload was started.

use std::time::SystemTime;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The moment that a text names: `2026-11-23T07:35:32Z`, in any zone, with or without a fraction of a second.
///
/// Refuses what Go's `time.Parse(time.RFC3339, …)` refuses, which is more than the standard does: small letters, other
/// characters than `T` before the time, a second 60. (It takes a comma before the fraction; nobody writes one.)
pub fn parse(text: &[u8]) -> Option<SystemTime> {
    let text = std::str::from_utf8(text).ok()?;
    if text.get(10..11) != Some("T") || text.contains('z') || text.get(17..19) == Some("60") {
        return None;
    }
    OffsetDateTime::parse(text, &Rfc3339).ok().map(SystemTime::from)
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
