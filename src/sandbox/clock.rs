//! Instants as the emulated systems print and read them. Nothing here asks what time it is.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Milliseconds of one day.
pub const DAY_MS: i64 = 86_400_000;

/// ISO 8601 in UTC as Java's `Instant` prints it: three digits of fraction, none when the milliseconds are zero.
pub fn instant(ms: i64) -> String {
    let pattern = if ms.rem_euclid(1000) == 0 { "%Y-%m-%dT%H:%M:%SZ" } else { "%Y-%m-%dT%H:%M:%S%.3fZ" };
    timestamp(ms).strftime(pattern).to_string()
}

/// The UTC calendar date, `2026-03-31`.
pub fn date(ms: i64) -> String {
    timestamp(ms).strftime("%Y-%m-%d").to_string()
}

/// An HTTP `Date` header, `Tue, 31 Mar 2026 10:00:00 GMT`.
pub fn http_date(ms: i64) -> String {
    timestamp(ms).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// Reads epoch milliseconds, an ISO instant with any offset, or a bare date (its midnight in UTC).
pub fn parse_instant(text: &str) -> Option<i64> {
    let text = text.trim();
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok();
    }
    parse_date(text).or_else(|| text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond))
}

/// Reads a bare date `2026-03-31` as its midnight in UTC.
pub fn parse_date(text: &str) -> Option<i64> {
    if text.len() != 10 {
        return None;
    }
    let date: jiff::civil::Date = text.parse().ok()?;
    let midnight = date.to_zoned_datetime(TimeZone::UTC).ok()?;
    Some(midnight.timestamp().as_millisecond())
}

fn timestamp(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(if ms < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_print_like_java() {
        assert_eq!(instant(1_645_125_929_000), "2022-02-17T19:25:29Z");
        assert_eq!(instant(1_645_125_929_100), "2022-02-17T19:25:29.100Z");
        assert_eq!(http_date(784_111_777_000), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(date(1_645_125_929_000), "2022-02-17");
    }

    #[test]
    fn all_documented_spellings_are_read() {
        let check = |text: &str, expected: Option<i64>| assert_eq!(parse_instant(text), expected, "{text}");
        check("1645125929100", Some(1_645_125_929_100));
        check("2022-02-17T19:25:29.1Z", Some(1_645_125_929_100));
        check("2022-02-17T20:25:29.100+01:00", Some(1_645_125_929_100));
        check("2022-02-17", Some(1_645_056_000_000));
        check("2022-02-30", None);
        check("soon", None);
        check("", None);
    }
}
