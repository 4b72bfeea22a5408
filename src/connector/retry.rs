//! What an answer says about trying again, and how long to wait before.

/// What one answer means for its call, whatever was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// An answer for the caller, good or bad.
    Answered,
    /// Certainly not applied: the same call may go out again after a while.
    Busy {
        /// The system's own code.
        code: String,
        /// The wait that the system asks for.
        after_ms: i64,
    },
    /// A limit that does not free itself soon.
    Limited {
        /// The system's own code.
        code: String,
        /// The wait that makes sense.
        after_ms: i64,
    },
    /// The credential was not accepted.
    Unauthorized {
        /// The system's own code.
        code: String,
        /// The system's words.
        message: String,
        /// Could a renewed credential help?
        renew: bool,
    },
    /// The server failed: a read may go out again, a write has an unknown outcome.
    Failed {
        /// The system's own code, else the status.
        code: String,
        /// The wait that the system asks for.
        after_ms: i64,
    },
}

/// What a call does there, as far as repeating it is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// A read: repeated after any failure.
    Always,
    /// A write: repeated only where it certainly was not applied. Its values may have been replaced by a person meanwhile,
    /// so that a blind repeat would undo an edit.
    NotApplied,
}

/// Bounds of trying again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Attempts in all.
    pub attempts_max: u32,
    /// Sum of all waits, in milliseconds.
    pub wait_ms_max: i64,
    /// The first wait, in milliseconds; it doubles.
    pub first_ms: i64,
    /// The longest wait that is not asked for, in milliseconds.
    pub step_ms_max: i64,
}

impl Default for Patience {
    fn default() -> Self {
        Self { attempts_max: 5, wait_ms_max: 45_000, first_ms: 200, step_ms_max: 10_000 }
    }
}

/// The tries of one call.
#[derive(Debug)]
pub struct Tries {
    patience: Patience,
    attempts: u32,
    waited_ms: i64,
}

impl Tries {
    /// Before the first attempt.
    pub fn new(patience: Patience) -> Self {
        Self { patience, attempts: 0, waited_ms: 0 }
    }

    /// After a failed attempt: how long to wait before the next one, or none when patience is at its end. `asked_ms` is
    /// what the system asks for at least, `random` is in `0.0..1.0`.
    pub fn next_wait(&mut self, asked_ms: i64, random: f64) -> Option<i64> {
        self.attempts += 1;
        if self.attempts >= self.patience.attempts_max {
            return None;
        }
        let doubled = self.patience.first_ms.saturating_mul(1 << (self.attempts - 1).min(20));
        let step = doubled.clamp(1, self.patience.step_ms_max.max(1));
        let jittered = (step as f64 * (0.5 + random.clamp(0.0, 1.0) / 2.0)) as i64;
        // Everybody who was told to wait ten seconds comes back together, so the jitter goes on top of what was asked.
        let wait = if asked_ms > 0 { asked_ms.saturating_add(jittered) } else { jittered };
        self.waited_ms = self.waited_ms.saturating_add(wait);
        (self.waited_ms <= self.patience.wait_ms_max).then_some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn waits_are_bounded_by_count_and_time(asked in proptest::collection::vec(0i64..20_000, 0..20), random in 0.0f64..1.0) {
            let patience = Patience::default();
            let mut tries = Tries::new(patience);
            let waits: Vec<i64> = asked.iter().map_while(|asked| tries.next_wait(*asked, random)).collect();
            prop_assert!(waits.len() < patience.attempts_max as usize);
            prop_assert!(waits.iter().sum::<i64>() <= patience.wait_ms_max);
            for (wait, asked) in waits.iter().zip(&asked) {
                prop_assert!(wait >= asked);
            }
        }
    }

    #[test]
    fn waits_double_and_a_day_is_not_waited_for() {
        let mut tries = Tries::new(Patience::default());
        assert_eq!(tries.next_wait(0, 1.0), Some(200));
        assert_eq!(tries.next_wait(0, 1.0), Some(400));
        assert_eq!(tries.next_wait(86_400_000, 1.0), None);
    }
}
