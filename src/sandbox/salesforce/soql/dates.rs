//! Date literals: `TODAY`, `LAST_N_DAYS:30` and their kin, as spans of days. Days are days of UTC; weeks begin on Sunday.

use jiff::ToSpan;
use jiff::civil::Date;

/// A date literal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    unit: Unit,
    from: i64,
    to: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

impl Span {
    /// The literal called `word`, if there is one of that name without a number.
    pub fn named(word: &str) -> Option<Self> {
        let word = word.to_ascii_uppercase();
        let day = |from, to| Some(Self { unit: Unit::Day, from, to });
        match word.as_str() {
            "YESTERDAY" => return day(-1, 0),
            "TODAY" => return day(0, 1),
            "TOMORROW" => return day(1, 2),
            "LAST_90_DAYS" => return day(-90, 1),
            "NEXT_90_DAYS" => return day(1, 91),
            _ => {}
        }
        let (which, unit) = word.split_once('_')?;
        let unit = match unit {
            "WEEK" => Unit::Week,
            "MONTH" => Unit::Month,
            "QUARTER" => Unit::Quarter,
            "YEAR" => Unit::Year,
            _ => return None,
        };
        match which {
            "LAST" => Some(Self { unit, from: -1, to: 0 }),
            "THIS" => Some(Self { unit, from: 0, to: 1 }),
            "NEXT" => Some(Self { unit, from: 1, to: 2 }),
            _ => None,
        }
    }

    /// The literal `word:number`.
    pub fn counted(word: &str, number: u32) -> Option<Self> {
        let word = word.to_ascii_uppercase();
        let number = i64::from(number);
        let (unit, which) =
            UNITS.iter().find_map(|(name, unit)| word.split_once(name).map(|(which, end)| (*unit, (which, end))))?;
        match which {
            ("LAST_N_", "") if unit == Unit::Day => Some(Self { unit, from: -number, to: 1 }),
            ("LAST_N_", "") => Some(Self { unit, from: -number, to: 0 }),
            ("NEXT_N_", "") => Some(Self { unit, from: 1, to: number + 1 }),
            ("N_", "_AGO") => Some(Self { unit, from: -number, to: 1 - number }),
            _ => None,
        }
    }

    /// The first day, and the day behind the last; `None` when the calendar does not reach that far.
    pub fn days(self, today: Date) -> Option<(Date, Date)> {
        Some((self.unit.start(today, self.from)?, self.unit.start(today, self.to)?))
    }
}

impl Unit {
    /// The first day of the unit that lies `count` units from the one of `today`.
    fn start(self, today: Date, count: i64) -> Option<Date> {
        let month = |months: i64, first: i8| {
            let start = Date::new(today.year(), first, 1).ok()?;
            start.checked_add(jiff::Span::new().try_months(months).ok()?).ok()
        };
        match self {
            Self::Day => today.checked_add(jiff::Span::new().try_days(count).ok()?).ok(),
            Self::Week => {
                let sunday = today.checked_sub(i64::from(today.weekday().to_sunday_zero_offset()).days()).ok()?;
                sunday.checked_add(jiff::Span::new().try_weeks(count).ok()?).ok()
            }
            Self::Month => month(count, today.month()),
            Self::Quarter => month(count.checked_mul(3)?, (today.month() - 1) / 3 * 3 + 1),
            Self::Year => month(count.checked_mul(12)?, 1),
        }
    }
}

const UNITS: [(&str, Unit); 5] = [
    ("DAYS", Unit::Day),
    ("WEEKS", Unit::Week),
    ("MONTHS", Unit::Month),
    ("QUARTERS", Unit::Quarter),
    ("YEARS", Unit::Year),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::salesforce::time::format_date;

    #[track_caller]
    fn check(literal: &str, expected: &str) {
        let today = Date::constant(2024, 5, 15); // a Wednesday
        let span = match literal.split_once(':') {
            Some((word, number)) => number.parse().ok().and_then(|number| Span::counted(word, number)),
            None => Span::named(literal),
        };
        let days = span.and_then(|span| span.days(today));
        let found = days.map_or("none".into(), |(from, to)| format!("{} {}", format_date(from), format_date(to)));
        assert_eq!(found, expected, "{literal}");
    }

    #[test]
    fn spans() {
        check("TODAY", "2024-05-15 2024-05-16");
        check("yesterday", "2024-05-14 2024-05-15");
        check("THIS_WEEK", "2024-05-12 2024-05-19");
        check("LAST_MONTH", "2024-04-01 2024-05-01");
        check("THIS_QUARTER", "2024-04-01 2024-07-01");
        check("NEXT_YEAR", "2025-01-01 2026-01-01");
        check("LAST_N_DAYS:7", "2024-05-08 2024-05-16");
        check("NEXT_N_DAYS:2", "2024-05-16 2024-05-18");
        check("N_DAYS_AGO:3", "2024-05-12 2024-05-13");
        check("LAST_N_MONTHS:2", "2024-03-01 2024-05-01");
        check("N_WEEKS_AGO:1", "2024-05-05 2024-05-12");
        check("LAST_90_DAYS", "2024-02-15 2024-05-16");
        check("LAST_N_DAYS:4000000000", "none");
        check("LAST_N_YEARS:4000000000", "none");
        check("SOME_DAY", "none");
        check("LAST_N_DAYS_AGO:3", "none");
    }
}
