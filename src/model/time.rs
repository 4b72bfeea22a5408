//! Time: remote places, the hybrid logical clock and the stamps of registers.

use super::SystemId;
use crate::codec::{Decode, Encode};
use std::cmp::Ordering;
use std::fmt;

/// Milliseconds since 1970-01-01 UTC, by whichever clock the context names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Default)]
pub struct Millis(pub i64);

impl Millis {
    /// Before everything.
    pub const MIN: Self = Self(i64::MIN);

    /// Floored to a multiple of `step_ms`.
    pub fn floor(self, step_ms: i64) -> Self {
        debug_assert!(step_ms > 0);
        Self(self.0.div_euclid(step_ms).saturating_mul(step_ms))
    }

    /// Later by `ms`.
    pub fn plus(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }
}

/// How far a remote clock may be ahead of ours, as an interval in milliseconds, learned from `Date` headers
/// (whole seconds) and round trips.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Default)]
pub struct ClockOffset {
    /// The lowest offset that the evidence allows.
    pub low: i64,
    /// The highest offset that the evidence allows.
    pub high: i64,
}

impl ClockOffset {
    /// The earliest time that the remote clock can show when ours shows `ours`.
    pub fn earliest(self, ours: Millis) -> Millis {
        ours.plus(self.low)
    }

    /// The latest time that the remote clock can show when ours shows `ours`.
    pub fn latest(self, ours: Millis) -> Millis {
        ours.plus(self.high)
    }

    /// The same remote clock's offset to one that is ahead of ours by `lead`.
    pub fn seen_from(self, lead: i64) -> Self {
        Self { low: self.low.saturating_sub(lead), high: self.high.saturating_sub(lead) }
    }
}

/// A place on one side's own time line: its time, and its position where the source is an ordered stream.
///
/// Two positions compare as positions, everything else by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Place {
    /// Time by the side's clock.
    pub time: Millis,
    /// Position in the side's ordered stream, if it came from one.
    pub position: Option<u64>,
}

impl Place {
    /// A place known by time only.
    pub fn at(time: Millis) -> Self {
        Self { time, position: None }
    }

    /// Which of two places of *one side* is earlier.
    pub fn order(&self, other: &Self) -> Ordering {
        match (self.position, other.position) {
            (Some(a), Some(b)) => a.cmp(&b),
            _ => self.time.cmp(&other.time),
        }
    }

    /// Does `to` lead further than this place? Later, or at the same position at a later time.
    pub fn leads_to(&self, to: &Self) -> bool {
        self.before(to) || (self.time < to.time && !to.before(self))
    }

    /// Strictly earlier.
    pub fn before(&self, other: &Self) -> bool {
        self.order(other) == Ordering::Less
    }
}

/// Hybrid logical clock: 48 bits of milliseconds, 16 bits of counter.
///
/// After Kulkarni et al., "Logical Physical Clocks" (2014): close to physical time, yet strictly rising.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Default)]
pub struct Hlc(u64);

impl Hlc {
    /// Highest time that fits, in milliseconds (year 10889).
    pub const MILLIS_MAX: i64 = (1 << 48) - 1;

    /// The clock value at the beginning of a millisecond; times before 1970 count as 1970.
    pub fn at(time: Millis) -> Self {
        Self((time.0.clamp(0, Self::MILLIS_MAX) as u64) << 16)
    }

    /// One tick later; a full counter carries into the milliseconds.
    pub fn tick(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The physical part.
    pub fn millis(self) -> Millis {
        Millis((self.0 >> 16) as i64)
    }

    /// The counter within the millisecond.
    pub fn counter(self) -> u16 {
        self.0 as u16
    }

    /// The packed form; its order is the clock's order.
    pub fn to_bits(self) -> u64 {
        self.0
    }

    /// From the packed form.
    pub fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}

impl fmt::Debug for Hlc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hlc({}+{})", self.millis().0, self.counter())
    }
}

/// Whose word a register's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub enum Origin {
    /// A decision of the engine itself (first link).
    Engine,
    /// People or automation in a system.
    System(SystemId),
    /// Whoever operates Syncline, by a command.
    Operator,
}

impl Origin {
    /// Of an edit's author.
    pub fn of(author: SystemId) -> Self {
        if author.is_operator() { Self::Operator } else { Self::System(author) }
    }
}

/// The stamp of a register: totally ordered, and never the same for two values of one register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct Stamp {
    /// When, by the hybrid clock.
    pub hlc: Hlc,
    /// Whose word it is; breaks ties between replicas.
    pub origin: Origin,
}

impl Stamp {
    /// Before every other stamp.
    pub const ZERO: Self = Self { hlc: Hlc(0), origin: Origin::Engine };

    /// The stamp of a new value: at `time`, yet after `last`.
    pub fn mint(time: Millis, last: Stamp, origin: Origin) -> Self {
        let hlc = Hlc::at(time).max(last.hlc.tick());
        Self { hlc, origin }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn minted_stamps_rise(time in any::<i64>(), last in 0..u64::MAX - 1) {
            let last = Stamp { hlc: Hlc::from_bits(last), origin: Origin::System(SystemId(9)) };
            let next = Stamp::mint(Millis(time), last, Origin::Engine);
            prop_assert!(next > last);
            prop_assert!(next.hlc >= Hlc::at(Millis(time)));
        }

        #[test]
        fn packing_keeps_order(a in 0..Hlc::MILLIS_MAX, b in 0..Hlc::MILLIS_MAX) {
            prop_assert_eq!(a.cmp(&b), Hlc::at(Millis(a)).cmp(&Hlc::at(Millis(b))));
            prop_assert_eq!(Hlc::at(Millis(a)).millis(), Millis(a));
        }

        #[test]
        fn floor_is_idempotent_and_below(t in -1_000_000_000_000i64..1_000_000_000_000_000, step in 1i64..100_000) {
            let floored = Millis(t).floor(step);
            prop_assert!(floored.0 <= t && t - floored.0 < step);
            prop_assert_eq!(floored.floor(step), floored);
        }
    }

    #[test]
    fn positions_compare_as_positions_and_everything_else_by_time() {
        let stream = |time, position| Place { time: Millis(time), position: Some(position) };
        assert!(stream(20, 1).before(&stream(10, 2)));
        assert!(Place::at(Millis(10)).before(&stream(20, 1)));
    }
}
