//! What polling costs: calls a day, beside what an account has.

use crate::model::SystemId;
use crate::rules::Rules;
use serde_json::{Value, json};
use std::time::Duration;

/// The price of polling one system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Polling {
    system: String,
    interval: Duration,
    /// Calls of one round: what changed and what was deleted, of each object.
    round: u64,
    /// Calls that the account may make in a day, all its programs together; none = not told.
    limit: Option<u64>,
}

/// The price of polling each system every `interval`.
pub(super) fn polling(rules: &Rules, interval: Duration, limit: impl Fn(SystemId) -> Option<u64>) -> Vec<Polling> {
    let each = rules.systems.iter().map(|system| {
        let objects = rules.entities.iter().map(|entity| entity.bindings_in(system.id).count()).sum::<usize>();
        Polling { system: system.name.clone(), interval, round: 2 * objects as u64, limit: limit(system.id) }
    });
    each.collect()
}

impl Polling {
    /// Calls a day while nothing changes.
    pub(super) fn per_day(&self) -> u64 {
        let rounds = DAY.as_millis() / self.interval.as_millis().max(1);
        u64::try_from(rounds).unwrap_or(u64::MAX).saturating_mul(self.round)
    }

    /// Polling alone must leave most of an account's daily calls to writes, to read-backs and to other programs.
    pub(super) fn warning(&self) -> Option<String> {
        let limit = self.limit?;
        let share = limit / SHARE;
        let fits = (DAY.as_secs() * self.round).div_ceil(share.max(1));
        (self.per_day() > share).then(|| {
            format!(
                "polling {} every {:?} takes {} calls a day of the {limit} that this account has for all its programs; \
                 `--interval {fits}s` (or `interval` under [run]) takes half of them",
                self.system,
                self.interval,
                self.per_day()
            )
        })
    }

    /// One line for people.
    pub(super) fn line(&self) -> String {
        let calls = self.per_day();
        match self.limit {
            None => format!("{}: {calls} calls a day", self.system),
            Some(limit) => {
                let percent = u128::from(calls) * 100 / u128::from(limit.max(1));
                format!("{}: {calls} calls a day, {percent} % of the account's {limit}", self.system)
            }
        }
    }

    pub(super) fn system(&self) -> &str {
        &self.system
    }

    pub(super) fn document(&self) -> Value {
        json!({ "calls_per_day": self.per_day(), "account_per_day": self.limit })
    }
}

const DAY: Duration = Duration::from_secs(86_400);
/// Polling may take one in so many of an account's daily calls before it is worth a warning.
const SHARE: u64 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn polling(interval_ms: u64, limit: Option<u64>) -> Polling {
        Polling { system: "a".into(), interval: Duration::from_millis(interval_ms), round: 6, limit }
    }

    #[test]
    fn a_day_is_counted_in_calls() {
        assert_eq!(polling(1_000, None).per_day(), 518_400);
        assert_eq!(polling(1_000, None).warning(), None);
        let line = polling(5_000, Some(250_000)).line();
        assert_eq!(line, "a: 103680 calls a day, 41 % of the account's 250000");
        assert_eq!(polling(5_000, Some(250_000)).warning(), None);
        let warning = polling(1_000, Some(250_000)).warning().unwrap();
        assert!(warning.contains("polling a every 1s takes 518400") && warning.contains("--interval 5s"), "{warning}");
        assert!(polling(0, Some(1)).per_day() > 0);
    }
}
