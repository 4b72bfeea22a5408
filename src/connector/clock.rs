//! The remote's clock, learned from the `Date` headers of its answers.

use crate::model::{ClockOffset, Millis};
use std::collections::VecDeque;
use std::time::{Duration, UNIX_EPOCH};

/// Narrows the offset of a remote's clock with each answer.
///
/// One answer proves an interval: its `Date` has whole seconds, and it was made some time between sending and receiving.
/// The intervals of the last ten minutes are intersected; when nothing is left, one of the clocks was set, and only the
/// latest answer counts.
#[derive(Debug, Default)]
pub struct RemoteClock {
    recent: VecDeque<(Millis, ClockOffset)>,
}

impl RemoteClock {
    /// Takes in the `Date` header of one answer; what cannot be read proves nothing.
    pub fn observe(&mut self, date: &str, sent: Millis, received: Millis) {
        let Some(shown) = parse_date(date) else { return };
        let low = shown.0.saturating_sub(received.0);
        let high = shown.0.saturating_add(STEP_MS - 1).saturating_sub(sent.0);
        if received < sent || low > high {
            return; // our own clock was set back meanwhile
        }
        let proof = ClockOffset { low, high };
        self.recent.retain(|(at, _)| at.0.saturating_add(MEMORY_MS) >= received.0 && *at <= received);
        if self.offset().is_some_and(|known| intersect(known, proof).is_none()) {
            self.recent.clear();
        }
        if self.recent.len() == PROOFS_MAX {
            self.recent.pop_front();
        }
        self.recent.push_back((received, proof));
    }

    /// The offset that all recent answers allow; none before the first.
    pub fn offset(&self) -> Option<ClockOffset> {
        let mut proofs = self.recent.iter().map(|(_, proof)| *proof);
        let first = proofs.next()?;
        proofs.try_fold(first, intersect)
    }
}

fn intersect(a: ClockOffset, b: ClockOffset) -> Option<ClockOffset> {
    let (low, high) = (a.low.max(b.low), a.high.min(b.high));
    (low <= high).then_some(ClockOffset { low, high })
}

fn parse_date(text: &str) -> Option<Millis> {
    let since: Duration = httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_millis()).ok().map(Millis)
}

/// Step of a `Date` header.
const STEP_MS: i64 = 1000;
/// How long an answer counts: clocks drift.
const MEMORY_MS: i64 = 600_000;
/// How many answers count.
const PROOFS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn date_of(ms: i64) -> String {
        httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_millis(ms as u64))
    }

    proptest! {
        #[test]
        fn the_true_offset_is_never_excluded(
            truth in -5_000_000i64..5_000_000,
            calls in proptest::collection::vec((0i64..500_000, 0i64..3000, 0i64..3000), 1..40),
        ) {
            let mut clock = RemoteClock::default();
            let mut now = 1_800_000_000_000i64;
            for (gap, there, back) in calls {
                let sent = now + gap;
                let made = sent + there;
                now = made + back;
                clock.observe(&date_of(made + truth), Millis(sent), Millis(now));
                let known = clock.offset().unwrap();
                prop_assert!(known.low <= truth && truth <= known.high, "{known:?} without {truth}");
            }
        }
    }

    #[test]
    fn a_clock_that_was_set_is_learned_anew() {
        let mut clock = RemoteClock::default();
        clock.observe(&date_of(1_000_000_000_000), Millis(1_000_000_000_000), Millis(1_000_000_000_100));
        assert_eq!(clock.offset(), Some(ClockOffset { low: -100, high: 999 }));
        clock.observe(&date_of(1_000_000_060_000), Millis(1_000_000_001_000), Millis(1_000_000_001_000));
        assert_eq!(clock.offset(), Some(ClockOffset { low: 59_000, high: 59_999 }));
        clock.observe("not a date", Millis(0), Millis(0));
        assert_eq!(clock.offset(), Some(ClockOffset { low: 59_000, high: 59_999 }));
    }
}
