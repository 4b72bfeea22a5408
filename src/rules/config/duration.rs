//! Durations as people write them.

use std::time::Duration;

/// Reads `250ms`, `1s`, `5m`, `2h`: a whole number and its unit.
///
/// # Errors
/// A sentence that says what was expected.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    const WANTED: &str = "write a whole number and its unit, as in \"250ms\", \"1s\" or \"5m\"";
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim() {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(WANTED.to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| WANTED.to_owned())?;
    let ms = number.checked_mul(factor).filter(|ms| *ms <= MS_MAX).ok_or("write at most 720h")?;
    Ok(Duration::from_millis(ms))
}

/// Thirty days: anything longer is a slip.
const MS_MAX: u64 = 30 * 24 * 3_600_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_number_and_a_unit() {
        for (text, ms) in [("250ms", 250), ("1s", 1_000), ("5m", 300_000), (" 2h ", 7_200_000), ("0s", 0)] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for text in ["", "1", "s", "1.5s", "-1s", "1d", "99999999999999999999s", "721h", "1 s s"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
