//! The engine's own time: it goes at the pace of our clock, and neither steps back nor leaps ahead when that is set.
//!
//! Times of our clock are kept (deadlines, until when a write may land) and compared with the remotes' later, by how far their clocks
//! are from ours then. So when ours is set, the engine's goes on as if it had not been, and what it knows of the remotes' clocks is
//! meant from there. That ours was set, and not a remote's, is seen by all of them moving against it by the same. When nothing of the
//! recent past is kept, the engine's time takes up ours again, yet never goes back: it stands still until ours has come so far.

use super::{Clocks, Input, View, ViewError};
use crate::codec::{self, Decode, Encode};
use crate::model::{ClockOffset, Millis, SystemId, Timing};
use crate::rules::Rules;
use std::borrow::Cow;

/// Name of the cursor that holds it.
const CURSOR: &str = "clock";
/// For so long the engine's time may stand still while something is on its way, in milliseconds.
const STILL_MS: i64 = 2_000;

/// How the engine's time stands to our clock.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
struct Pace {
    /// The engine's time minus our clock.
    lead: i64,
    /// How far the remotes' clocks were from ours.
    offsets: Vec<(SystemId, ClockOffset)>,
}

/// A step's clocks, by the engine's time.
pub(super) struct Paced<'c> {
    pub clocks: Cow<'c, Clocks>,
    /// By our clock.
    offsets: &'c Clocks,
    lead: i64,
    /// What is to be kept from now on; true = even if the step changes nothing else.
    pub kept: Option<(String, Vec<u8>, bool)>,
}

/// By how much our clock was set between two moments, by a remote clock that went on: an interval; none if that may be nothing.
fn moved(before: ClockOffset, after: ClockOffset) -> Option<(i64, i64)> {
    let (low, high) = (before.low.saturating_sub(after.high), before.high.saturating_sub(after.low));
    (low > 0 || high < 0).then_some((low, high))
}

/// By how much our clock was set since, by all remote clocks that are known from then: at least, and at most.
fn jump(before: &[(SystemId, ClockOffset)], clocks: &Clocks) -> (i64, i64) {
    let known = before.iter().filter_map(|(system, offset)| {
        let (_, after) = clocks.offsets.iter().find(|(of, _)| of == system)?;
        Some(moved(*offset, *after))
    });
    let all = known.reduce(|a, b| {
        let ((low, high), (other_low, other_high)) = (a?, b?);
        let (low, high) = (low.max(other_low), high.min(other_high));
        (low <= high).then_some((low, high))
    });
    all.flatten().unwrap_or((0, 0))
}

fn read(view: &dyn View) -> Result<Pace, ViewError> {
    let Some(bytes) = view.cursor(CURSOR)? else { return Ok(Pace::default()) };
    codec::decode(1, &bytes).map_err(|error| ViewError(format!("cursor of the clock: {error}")))
}

/// Nothing is kept that compares times of before with times to come.
fn at_rest(rules: &Rules, view: &dyn View) -> Result<bool, ViewError> {
    for entity in &rules.entities {
        if view.outbox_len(entity.id)? > 0 || !view.lately_scan(entity.id, None, 1)?.is_empty() {
            return Ok(false);
        }
    }
    Ok(view.reread_len()? == 0)
}

/// The engine's time at a moment of our clock, as the next step would have it but for jumps that are not known yet.
///
/// # Errors
/// The view cannot be read.
pub fn time(view: &dyn View, ours: Millis) -> Result<Millis, ViewError> {
    Ok(ours.plus(read(view)?.lead).max(view.meta()?.now_max))
}

impl<'c> Paced<'c> {
    pub fn new(rules: &Rules, view: &dyn View, clocks: &'c Clocks) -> Result<Self, ViewError> {
        let known = read(view)?;
        let newest = view.meta()?.now_max;
        // At most: a time that was kept is never taken for an earlier one of a remote's clock than it was.
        let (_, by) = jump(&known.offsets, clocks);
        let mut lead = known.lead.saturating_sub(by);
        let behind = newest.0.saturating_sub(clocks.now.plus(lead).0);
        if behind > STILL_MS {
            lead = lead.saturating_add(behind);
        }
        if crate::defect!("clock-set") {
            lead = 0;
        }
        if lead != 0 && at_rest(rules, view)? {
            lead = newest.0.saturating_sub(clocks.now.0).max(0);
        }
        let stale = |(system, offset): &(SystemId, ClockOffset)| {
            let before = known.offsets.iter().find(|(of, _)| of == system);
            before.is_none_or(|(_, before)| moved(*before, *offset).is_some())
        };
        let offsets = if clocks.offsets.iter().any(stale) { clocks.offsets.clone() } else { known.offsets.clone() };
        let pace = Pace { lead, offsets };
        let kept = (pace != known).then(|| (CURSOR.to_owned(), codec::encode(1, &pace), lead != known.lead));
        let now = clocks.now.plus(lead).max(newest);
        // Also for the moment in which it stands still.
        let lead = now.0.saturating_sub(clocks.now.0);
        let by_ours = |(system, offset): &(SystemId, ClockOffset)| (*system, offset.seen_from(lead));
        let clocks_of = match lead {
            0 => Cow::Borrowed(clocks),
            _ => Cow::Owned(Clocks { now, offsets: clocks.offsets.iter().map(by_ours).collect() }),
        };
        Ok(Self { clocks: clocks_of, offsets: clocks, lead, kept })
    }

    /// What is told by our clock, as it was then.
    pub fn told<'i>(&self, mut input: Input<'i>) -> Input<'i> {
        match &mut input {
            Input::Page(page) => {
                self.tell(page.home.system, &mut page.timing);
                page.complete.iter_mut().for_each(|timing| self.tell(page.home.system, timing));
            }
            Input::Read(reads) => self.tell(reads.home.system, &mut reads.timing),
            Input::LookedUp(looked) => self.tell(looked.system, &mut looked.timing),
            _ => {}
        }
        input
    }

    /// The same moment, by the engine's time.
    fn tell(&self, system: SystemId, timing: &mut Timing) {
        let (by, _) = jump(&[(system, timing.offset)], self.offsets);
        let lead = self.lead.saturating_add(by);
        *timing = Timing { sent: timing.sent.plus(lead), offset: timing.offset.seen_from(lead) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Change, MemoryView, Meta};

    const A: SystemId = SystemId(1);
    const B: SystemId = SystemId(2);
    const DAY: i64 = 86_400_000;

    fn clocks(now: i64, a: i64, b: i64) -> Clocks {
        let offset = |low| ClockOffset { low, high: low + 999 };
        Clocks { now: Millis(now), offsets: vec![(A, offset(a)), (B, offset(b))] }
    }

    /// A view with something to send, so that it is not at rest, after steps at these clocks.
    fn after(steps: &[Clocks], busy: bool) -> (Rules, MemoryView, Vec<i64>) {
        let ability = crate::model::Ability::polled();
        let field = crate::rules::FieldSpec::new("name", crate::model::FieldKind::Text).at("a", "name").at("b", "name");
        let entity = crate::rules::EntitySpec::new("person").at("a", "people").at("b", "people").match_by("name");
        let rules = Rules::builder().system("a", ability.clone()).system("b", ability).entity(entity.field(field));
        let (rules, mut view, mut times) = (rules.build().unwrap(), MemoryView::new(), Vec::new());
        if busy {
            let row = crate::engine::OutboxRow {
                object: crate::model::ObjectId(1),
                due: Millis(0),
                task: crate::engine::Task::Create,
                seen: Millis(0),
                looked: None,
                probe: None,
                flying: None,
                attempts: 0,
            };
            let at = (A, rules.entities[0].id, crate::model::RecordId([1; 16]));
            view.apply(&[Change::SetOutbox(at.0, at.1, at.2, Some(row))]);
        }
        for clocks in steps {
            let paced = Paced::new(&rules, &view, clocks).unwrap();
            times.push(paced.clocks.now.0);
            let kept = paced.kept.map(|(name, bytes, _)| Change::SetCursor(name, Some(bytes)));
            let meta = Meta { now_max: paced.clocks.now, ..Meta::default() };
            view.apply(&[Change::SetMeta(meta)]);
            view.apply(&kept.into_iter().collect::<Vec<_>>());
        }
        (rules, view, times)
    }

    #[test]
    fn while_something_is_on_its_way_the_engines_time_goes_on_as_if_the_clock_had_not_been_set() {
        for by in [DAY, -DAY, 60_000, -60_000, 4_000, -4_000] {
            let steps = [
                clocks(5 * DAY, 0, 500),
                clocks(5 * DAY + 100, 10, 400),
                clocks(5 * DAY + by + 200, -by, 500 - by),
                clocks(5 * DAY + by + 300, -by, 500 - by),
            ];
            let (rules, view, times) = after(&steps, true);
            // As exactly as the clocks are known, and rather late.
            let still = |at: i64| times[2] <= 5 * DAY + at && times[2] > 5 * DAY + at - 2_000;
            assert!(times[..2] == [5 * DAY, 5 * DAY + 100] && still(200), "{by}: {times:?}");
            let (now, offsets) = (Millis(5 * DAY + by + 400), steps[3].offsets.clone());
            assert!(time(&view, now).unwrap() <= Millis(5 * DAY + 400));
            // What was asked before is meant by the clock of then, and what was asked since by that of now.
            let paced_clocks = Clocks { now, offsets };
            let paced = Paced::new(&rules, &view, &paced_clocks).unwrap();
            for (sent, offset) in [(5 * DAY + 100, steps[1].offsets[0].1), (5 * DAY + by + 250, steps[3].offsets[0].1)]
            {
                let mut timing = Timing { sent: Millis(sent), offset };
                let remote = timing.offset.earliest(timing.sent);
                paced.tell(A, &mut timing);
                assert!((5 * DAY - 3_000..=5 * DAY + 250).contains(&timing.sent.0), "{timing:?}");
                assert_eq!(timing.offset.earliest(timing.sent), remote);
            }
        }
    }

    #[test]
    fn at_rest_it_takes_up_the_clock_again_and_stands_still_where_it_would_go_back() {
        let steps = |by: i64| {
            [clocks(5 * DAY, 0, 500), clocks(5 * DAY + by, -by, 500 - by), clocks(5 * DAY + by + 100, -by, 500 - by)]
        };
        assert_eq!(after(&steps(DAY), false).2, [5 * DAY, 6 * DAY, 6 * DAY + 100]);
        assert_eq!(after(&steps(-DAY), false).2, [5 * DAY; 3]);
    }

    #[test]
    fn one_remote_clock_that_is_set_is_none_of_ours() {
        let steps = [clocks(5 * DAY, 0, 500), clocks(5 * DAY + 100, DAY, 500), clocks(5 * DAY + 200, DAY, 500)];
        assert_eq!(after(&steps, true).2, [5 * DAY, 5 * DAY + 100, 5 * DAY + 200]);
    }

    #[test]
    fn a_clock_that_steps_back_unseen_by_any_remote_goes_on_at_its_pace() {
        let unknown = |now| Clocks { now: Millis(now), offsets: Vec::new() };
        let steps = [unknown(5 * DAY), unknown(4 * DAY), unknown(4 * DAY + 100), unknown(5 * DAY + 50)];
        assert_eq!(after(&steps, true).2, [5 * DAY, 5 * DAY, 5 * DAY + 100, 6 * DAY + 50]);
    }
}
