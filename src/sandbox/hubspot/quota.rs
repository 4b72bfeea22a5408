//! The account's rate limits: who is let through, and the headers that say how much is left.

use std::collections::VecDeque;

use super::refusal::Refusal;
use crate::sandbox::clock::DAY_MS;
use crate::sandbox::limits::Limits;
use serde_json::json;

/// The integration's calls in the running windows.
#[derive(Debug, Clone, Default)]
pub struct Quota {
    limits: Limits,
    last_10s: VecDeque<i64>,
    last_searches: VecDeque<i64>,
    day: i64,
    today: u64,
}

impl Quota {
    /// Replaces the limits; what has been used stays used.
    pub fn set(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Lets a call through or refuses it; only those let through are counted.
    pub fn admit(&mut self, is_search: bool, now_ms: i64) -> Result<(), Refusal> {
        self.advance(now_ms);
        if self.limits.daily.is_some_and(|limit| self.today >= limit) {
            return Err(policy("You have reached your daily limit.", "DAILY"));
        }
        let (window, limit) = if is_search {
            (&mut self.last_searches, self.limits.per_s_search)
        } else {
            (&mut self.last_10s, self.limits.per_10s)
        };
        if limit.is_some_and(|limit| window.len() as u64 >= limit) {
            return Err(if is_search {
                Refusal::new(429, "RATE_LIMITS", "You have reached your secondly limit.")
            } else {
                policy("You have reached your ten_secondly_rolling limit.", "TEN_SECONDLY_ROLLING")
            });
        }
        window.push_back(now_ms);
        self.today += 1;
        Ok(())
    }

    /// Today's calls and the daily limit.
    pub fn today(&self) -> (u64, u64) {
        (self.today, self.limits.daily.unwrap_or(UNLIMITED_DAILY))
    }

    /// The rate headers of an answer. Searches never show the ten-second window; OAuth tokens have no daily limit, and
    /// their searches have no rate headers at all. An account without limits shows very large ones.
    pub fn headers(&self, is_search: bool, is_oauth: bool) -> Vec<(String, String)> {
        let mut headers = Vec::new();
        let mut add = |name: &str, value: u64| {
            headers.push((format!("x-hubspot-ratelimit-{name}"), value.to_string()));
        };
        if !is_oauth {
            let (used, limit) = self.today();
            add("daily", limit);
            add("daily-remaining", limit.saturating_sub(used));
        }
        if !is_search {
            let max = self.limits.per_10s.unwrap_or(UNLIMITED_PER_10S);
            let remaining = max.saturating_sub(self.last_10s.len() as u64);
            add("interval-milliseconds", WINDOW_MS as u64);
            add("max", max);
            add("remaining", remaining);
            add("secondly", max / 10);
            add("secondly-remaining", (max / 10).min(remaining));
        }
        headers
    }

    fn advance(&mut self, now_ms: i64) {
        let drop_before = |window: &mut VecDeque<i64>, span_ms: i64| {
            while window.front().is_some_and(|&at| at <= now_ms - span_ms) {
                window.pop_front();
            }
        };
        drop_before(&mut self.last_10s, WINDOW_MS);
        drop_before(&mut self.last_searches, 1000);
        let day = now_ms.div_euclid(DAY_MS);
        if day != self.day {
            (self.day, self.today) = (day, 0);
        }
    }
}

fn policy(message: &str, name: &str) -> Refusal {
    Refusal::bare(429, message)
        .with("errorType", json!("RATE_LIMIT"))
        .with("policyName", json!(name))
        .with("requestId", json!("0b1c2d3e4f"))
}

const WINDOW_MS: i64 = 10_000;
const UNLIMITED_PER_10S: u64 = 1_000_000;
const UNLIMITED_DAILY: u64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_roll() {
        let mut quota = Quota::default();
        quota.set(Limits { per_10s: Some(2), per_s_search: Some(1), daily: Some(5) });
        let mut check = |is_search, now_ms, let_through| {
            assert_eq!(quota.admit(is_search, now_ms).is_ok(), let_through, "at {now_ms}");
        };
        check(false, 0, true);
        check(false, 1, true);
        check(false, 9_999, false);
        check(true, 9_999, true);
        check(true, 10_500, false);
        check(false, 10_000, true);
        check(true, 11_000, true);
        check(false, 30_000, false); // the daily limit, until the next day
        check(false, DAY_MS, true);
    }

    #[test]
    fn an_account_without_limits_refuses_nobody() {
        let mut quota = Quota::default();
        assert!((0..5000).all(|_| quota.admit(false, 0).is_ok()));
        assert!(quota.headers(true, true).is_empty());
        assert_eq!(quota.headers(true, false).len(), 2);
    }
}
