//! Times as people write them on a command line.

use crate::model::Millis;
use std::str::FromStr;

/// Reads a time: `2026-03-01T10:00:00Z`, a day `2026-03-01` (its beginning, UTC), or how long ago: `90s`, `15m`, `2h`, `3d`.
///
/// # Errors
/// A sentence that says what was expected.
pub(super) fn when(text: &str) -> Result<Millis, String> {
    when_at(text, super::ground::now())
}

fn when_at(text: &str, now: Millis) -> Result<Millis, String> {
    let text = text.trim();
    if let Ok(moment) = jiff::Timestamp::from_str(text) {
        return Ok(Millis(moment.as_millisecond()));
    }
    if let Ok(moment) = jiff::civil::DateTime::from_str(text) {
        let moment = jiff::tz::TimeZone::UTC.to_timestamp(moment).map_err(|error| error.to_string())?;
        return Ok(Millis(moment.as_millisecond()));
    }
    let unit = text.chars().last().unwrap_or_default();
    let factor = match unit {
        's' => 1_000,
        'm' => 60_000,
        'h' => 3_600_000,
        'd' => 86_400_000,
        _ => 0,
    };
    let ago = text.strip_suffix(unit).filter(|digits| digits.chars().all(|c| c.is_ascii_digit()));
    let ago = ago.and_then(|digits| digits.parse::<i64>().ok()).and_then(|number| number.checked_mul(factor));
    match ago.filter(|_| factor > 0) {
        Some(ago) => Ok(Millis(now.0.saturating_sub(ago))),
        None => Err("write a time as in \"2026-03-01T10:00:00Z\" or \"2026-03-01\" (UTC), or how long ago, as in \"2h\" or \"3d\"".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_moments_days_or_how_long_ago() {
        let now = Millis(1_772_359_200_000);
        for (text, time) in [
            ("2026-03-01T10:00:00Z", now.0),
            ("2026-03-01T11:00:00+01:00", now.0),
            ("2026-03-01T10:00", now.0),
            ("2026-03-01", now.0 - 10 * 3_600_000),
            ("2h", now.0 - 2 * 3_600_000),
            (" 3d ", now.0 - 3 * 86_400_000),
        ] {
            assert_eq!(when_at(text, now), Ok(Millis(time)), "{text}");
        }
        for text in ["", "s", "yesterday", "-2h", "2w", "99999999999999999999d", "é"] {
            assert!(when_at(text, now).is_err(), "{text}");
        }
    }
}
