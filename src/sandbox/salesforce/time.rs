//! Dates and times as this system writes and reads them: UTC, whole seconds, an offset without a colon.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;

/// `2024-09-09T20:41:31.000+0000`.
pub fn format_datetime(seconds: i64) -> String {
    let at = Timestamp::from_second(seconds).unwrap_or_default();
    let at = Offset::UTC.to_datetime(at);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.000+0000",
        at.year(),
        at.month(),
        at.day(),
        at.hour(),
        at.minute(),
        at.second()
    )
}

/// `2024-09-09`.
pub fn format_date(date: Date) -> String {
    format!("{:04}-{:02}-{:02}", date.year(), date.month(), date.day())
}

/// Reads `yyyy-MM-dd` and nothing else.
pub fn parse_date(text: &str) -> Option<Date> {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let year = digits(bytes.get(..4)?)?;
    Date::new(i16::try_from(year).ok()?, small(bytes.get(5..7)?)?, small(bytes.get(8..)?)?).ok()
}

/// Reads `yyyy-MM-ddTHH:mm:ss`, an optional fraction, and `Z`, `+HH:mm` or `+HHmm`; the answer is in milliseconds.
pub fn parse_datetime(text: &str) -> Option<i64> {
    let date = parse_date(text.get(..10)?)?;
    let time = text.get(10..)?.strip_prefix('T')?;
    let clock = time.as_bytes().get(..8)?;
    if clock[2] != b':' || clock[5] != b':' {
        return None;
    }
    let at = DateTime::new(
        date.year(),
        date.month(),
        date.day(),
        small(&clock[..2])?,
        small(&clock[3..5])?,
        small(&clock[6..])?,
        0,
    )
    .ok()?;
    let (millis, zone) = fraction(time.get(8..)?)?;
    let seconds = Offset::UTC.to_timestamp(at).ok()?.as_second();
    (seconds - offset_seconds(zone)?).checked_mul(1000)?.checked_add(millis)
}

/// The first second of a day, UTC.
pub fn day_start(date: Date) -> i64 {
    Offset::UTC.to_timestamp(date.to_datetime(jiff::civil::Time::midnight())).map_or(0, Timestamp::as_second)
}

/// The day, UTC, on which `seconds` falls.
pub fn day_of(seconds: i64) -> Date {
    Offset::UTC.to_datetime(Timestamp::from_second(seconds).unwrap_or_default()).date()
}

/// The seconds of an HTTP date (`Wed, 09 Sep 2026 10:00:00 GMT`).
pub fn parse_http_date(text: &str) -> Option<i64> {
    jiff::fmt::rfc2822::parse(text).ok().map(|at| at.timestamp().as_second())
}

/// An HTTP date.
pub fn format_http_date(seconds: i64) -> String {
    let at = Timestamp::from_second(seconds).unwrap_or_default();
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

fn fraction(text: &str) -> Option<(i64, &str)> {
    let Some(rest) = text.strip_prefix('.') else {
        return Some((0, text));
    };
    let end = rest.find(|c: char| !c.is_ascii_digit())?;
    let (digits, zone) = rest.split_at(end);
    let millis = digits.bytes().chain(*b"000").take(3).fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'));
    (end > 0).then_some((millis, zone))
}

fn offset_seconds(zone: &str) -> Option<i64> {
    if zone == "Z" {
        return Some(0);
    }
    let sign = match zone.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let clock = zone.get(1..)?.replacen(':', "", 1);
    if clock.len() != 4 {
        return None;
    }
    let (hours, minutes) = (digits(clock.as_bytes().get(..2)?)?, digits(clock.as_bytes().get(2..)?)?);
    (hours < 24 && minutes < 60).then_some(sign * i64::from(hours * 3600 + minutes * 60))
}

fn digits(bytes: &[u8]) -> Option<i32> {
    bytes.iter().try_fold(0i32, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i32::from(byte - b'0')))
}

fn small(bytes: &[u8]) -> Option<i8> {
    i8::try_from(digits(bytes)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datetimes() {
        for (text, expected) in [
            ("1970-01-01T00:00:01Z", Some(1000)),
            ("1970-01-01T00:00:01.5Z", Some(1500)),
            ("1970-01-01T00:00:01.1239Z", Some(1123)),
            ("1970-01-01T01:00:00+01:00", Some(0)),
            ("1970-01-01T00:00:00.000+0000", Some(0)),
            ("1969-12-31T19:00:00-05:00", Some(0)),
            ("1970-01-01T00:00:00", None),
            ("1970-01-01 00:00:00Z", None),
            ("1970-13-01T00:00:00Z", None),
            ("1970-01-01T00:00:00.Z", None),
            ("1970-01-01T00:00:00 01:00", None),
            ("1970-01-01T00:00é", None),
        ] {
            assert_eq!(parse_datetime(text), expected, "{text}");
        }
        assert_eq!(format_datetime(1_725_914_491), "2024-09-09T20:41:31.000+0000");
    }

    #[test]
    fn dates() {
        assert_eq!(parse_date("2024-02-29").map(format_date), Some("2024-02-29".into()));
        assert_eq!(parse_date("2023-02-29"), None);
        assert_eq!(parse_date("2024-2-29"), None);
        assert_eq!(parse_date("2024-02-2x"), None);
        assert_eq!(day_of(day_start(Date::constant(2024, 2, 29)) + 86_399), Date::constant(2024, 2, 29));
    }

    #[test]
    fn http_dates() {
        let text = "Mon, 09 Sep 2024 20:41:31 GMT";
        assert_eq!(parse_http_date(text), Some(1_725_914_491));
        assert_eq!(format_http_date(1_725_914_491), text);
        assert_eq!(parse_http_date("yesterday"), None);
    }
}
