//! Faults on demand: what `--faults` and `POST /_sandbox/faults` say, and the dice that decide when they strike.

use serde::{Deserialize, Serialize};

use super::rng::Rng;

/// What goes wrong, and how often. Probabilities run from 0 to 1 and are rolled for each call of the integration.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Delay of every answer, one half before the request is applied and one half after.
    pub latency_ms: u64,
    /// Further delay, evenly drawn from 0 to this.
    pub jitter_ms: u64,
    /// Probability of a 5xx *before* the request is applied.
    pub error: f64,
    /// Probability that the request *is applied* and its answer is lost: a cut connection, a 502 or a 504.
    pub lost_answer: f64,
    /// Probability that the request is applied and the connection is cut in the middle of the answer's body.
    pub partial: f64,
    /// Probability of a rate-limit refusal before the request is applied.
    pub error_429: f64,
    /// Probability of a 401 as for an expired token, before the request is applied.
    pub expired_token: f64,
    /// Probability of HubSpot's `423 Locked` before the request is applied; no effect on Salesforce.
    pub locked: f64,
    /// Moves the server's clock against the machine's, its `Date` header included.
    pub clock_offset_ms: i64,
    /// HubSpot: the search index shows the state of this long ago; hits are filled with current values.
    pub search_delay_ms: u64,
    /// HubSpot: background work moves a record's modified date this long after its creation; 0 means never.
    pub touch_after_create_ms: u64,
    /// HubSpot: writing the value a property already has is passed over in silence, instead of adding a history entry and
    /// moving the modified date.
    pub ignore_identical_writes: bool,
}

impl Faults {
    /// Reads the JSON of `--faults` or of a request's body.
    pub fn parse(text: &str) -> Result<Self, String> {
        let faults: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        for (name, probability) in faults.probabilities() {
            if !(0.0..=1.0).contains(&probability) {
                return Err(format!("`{name}` is a probability: {probability} is not between 0 and 1"));
            }
        }
        match faults.latency_ms.max(faults.jitter_ms) {
            0..=LATENCY_MS_MAX => Ok(faults),
            long => Err(format!("a delay of {long} ms is over the limit of {LATENCY_MS_MAX} ms")),
        }
    }

    /// Rolls the dice for one call.
    pub fn roll(&self, rng: &mut Rng) -> Roll {
        let delay_ms = self.latency_ms + rng.below(self.jitter_ms + 1);
        let mut strikes = |probability: f64| probability > 0.0 && rng.chance(probability);
        let before = if strikes(self.error_429) {
            Some(Before::TooMany)
        } else if strikes(self.error) {
            Some(Before::Error)
        } else if strikes(self.expired_token) {
            Some(Before::ExpiredToken)
        } else if strikes(self.locked) {
            Some(Before::Locked)
        } else {
            None
        };
        let after = if strikes(self.lost_answer) {
            *rng.pick(&[After::Cut, After::Cut, After::Gateway(502), After::Gateway(504)])
        } else if strikes(self.partial) {
            After::Truncate
        } else {
            After::Deliver
        };
        Roll { delay_ms, before, after }
    }

    fn probabilities(&self) -> [(&'static str, f64); 6] {
        [
            ("error", self.error),
            ("lost_answer", self.lost_answer),
            ("partial", self.partial),
            ("error_429", self.error_429),
            ("expired_token", self.expired_token),
            ("locked", self.locked),
        ]
    }
}

/// The fate of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Roll {
    /// How long the whole call is held up.
    pub delay_ms: u64,
    /// A refusal that leaves the world untouched.
    pub before: Option<Before>,
    /// What becomes of the answer, when the request got through.
    pub after: After,
}

impl Roll {
    /// A call that nothing happens to.
    pub const SMOOTH: Self = Self { delay_ms: 0, before: None, after: After::Deliver };
}

/// Refusals before anything was applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// A 5xx.
    Error,
    /// The rate limit's refusal.
    TooMany,
    /// The refusal of an expired token.
    ExpiredToken,
    /// HubSpot's 423.
    Locked,
}

/// What becomes of an answer to an applied request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// It arrives.
    Deliver,
    /// The connection is closed without a byte.
    Cut,
    /// A gateway answers in its place with this status.
    Gateway(u16),
    /// The connection is closed in the middle of the body.
    Truncate,
}

const LATENCY_MS_MAX: u64 = 600_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_object_means_no_faults() {
        assert_eq!(Faults::parse("{}"), Ok(Faults::default()));
        assert_eq!(Faults::default().roll(&mut Rng::new(1, "dice")), Roll::SMOOTH);
    }

    #[test]
    fn a_bad_spec_says_what_is_wrong() {
        let check = |spec: &str, part: &str| {
            let error = Faults::parse(spec).expect_err(spec);
            assert!(error.contains(part), "{spec}: {error}");
        };
        check(r#"{"eror":0.1}"#, "unknown field `eror`");
        check(r#"{"error":1.5}"#, "`error` is a probability");
        check(r#"{"latency_ms":-1}"#, "invalid value");
        check(r#"{"latency_ms":700000}"#, "over the limit");
        check("nonsense", "expected");
    }

    #[test]
    fn every_fault_strikes_about_as_often_as_it_says() {
        let faults = Faults { error: 0.1, lost_answer: 0.2, partial: 0.1, ..Faults::default() };
        let mut rng = Rng::new(1, "dice");
        let rolls: Vec<_> = (0..10_000).map(|_| faults.roll(&mut rng)).collect();
        let share = |test: fn(&Roll) -> bool| rolls.iter().filter(|roll| test(roll)).count();
        assert!((900..1100).contains(&share(|roll| roll.before == Some(Before::Error))));
        assert!((1800..2200).contains(&share(|roll| matches!(roll.after, After::Cut | After::Gateway(_)))));
        assert!((700..900).contains(&share(|roll| roll.after == After::Truncate)));
    }
}
