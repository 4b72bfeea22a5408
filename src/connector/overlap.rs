//! How far a pass over changes reaches back behind the one before it.

use crate::model::Millis;
use serde::{Deserialize, Serialize};

/// A row can become visible after a pass has gone by its time: an index lags, a transaction commits late. Each pass reaches
/// a little back, and every now and then one reaches back as far as a row can ever be late. That costs a fraction of what a
/// far look back in each poll would, and loses nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overlap {
    /// How far each pass reaches back, in milliseconds.
    pub near_ms: i64,
    /// How late a row can become visible, in milliseconds.
    pub far_ms: i64,
    /// How often a pass reaches back that far, in milliseconds; 0 = each does.
    pub far_every_ms: i64,
}

/// What the cursor of a finished pass keeps: when the last passes began, by the remote's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// The last pass of any kind.
    pub pass: i64,
    /// The last one that reached far.
    pub far: i64,
}

impl Kept {
    /// Before the first pass.
    pub fn at(now: Millis) -> Self {
        Self { pass: now.0, far: now.0 }
    }
}

impl Overlap {
    /// How long after its time a change is certain to have been listed, if passes are made often.
    pub fn lag_ms(&self) -> i64 {
        self.far_ms.saturating_add(self.far_every_ms).max(self.near_ms)
    }

    /// Begins a pass at `now` (the earliest time that the remote's clock may show): from when on it reads, and what the
    /// cursor keeps when it is done.
    pub(crate) fn begin(&self, last: Kept, now: Millis) -> (Millis, Kept) {
        let near = last.pass.min(now.0).saturating_sub(self.near_ms);
        if now.0.saturating_sub(last.far) < self.far_every_ms {
            return (Millis(near.max(1)), Kept { pass: now.0, far: last.far });
        }
        // A row that became visible after the last far pass had begun is at most `far_ms` older than that.
        let far = last.far.min(now.0).saturating_sub(self.far_ms);
        (Millis(far.min(near).max(1)), Kept { pass: now.0, far: now.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Every row whose delay is at most `far_ms` is covered by a pass that begins after it became visible.
        #[test]
        fn no_row_is_ever_passed_by(
            gaps in proptest::collection::vec(1i64..200_000, 2..60),
            stamp in 1_000_000i64..2_000_000,
            delay in 0i64..=600_000,
        ) {
            let overlap = Overlap { near_ms: 5_000, far_ms: 600_000, far_every_ms: 60_000 };
            let mut now = 900_000;
            let mut kept = Kept::at(Millis(now));
            let visible = stamp + delay;
            let mut covered = false;
            let mut passes_after = 0;
            for gap in gaps {
                now += gap;
                let (since, next) = overlap.begin(kept, Millis(now));
                if now >= visible {
                    covered |= since.0 <= stamp;
                    passes_after += i32::from(now >= visible + 60_000);
                }
                kept = next;
            }
            prop_assert!(covered || passes_after == 0);
        }
    }
}
