//! A person decides: until then the sides stay as they are.

use super::{Fate, FieldRules, FieldState};
use crate::model::{Apart, Value};
use crate::rules::{ConflictPolicy, LinkPolicy};

impl FieldState {
    /// Does a person have to decide about this field?
    pub fn is_in_review(&self) -> bool {
        self.sides.iter().any(|side| side.apart == Some(Apart::Review))
    }

    /// A first edit does not end the review of a first link, unless all sides agree on its value: who made it had not seen the
    /// others, who edited nothing.
    pub(super) fn stays_in_review(&self, rules: &FieldRules<'_>, value: &Value) -> bool {
        let based = || self.sides.iter().enumerate().filter(|(_, side)| !side.unbased);
        rules.field.on_link == LinkPolicy::Review
            && self.is_in_review()
            && !based().all(|(ix, side)| side.shown == rules.project(ix, value))
    }

    /// After a decision: sides that differ stay apart in a review, and none does after it.
    pub(super) fn leave_apart(&mut self, rules: &FieldRules<'_>, review: bool) {
        for ix in 0..self.sides.len() {
            let stands = review && !self.sides[ix].unbased && !self.shows_register(rules, ix);
            let side = &mut self.sides[ix];
            side.apart = match side.apart {
                Some(Apart::OneWay) => side.apart,
                Some(Apart::Review) if !review => None,
                _ if stands => Some(Apart::Review),
                apart => apart,
            };
        }
    }

    /// Nobody has decided in time: a policy does, about the edits that were asked about. False where there are none.
    pub fn lapse(&mut self, rules: &FieldRules<'_>, then: &ConflictPolicy, out: &mut Vec<Fate>) -> bool {
        let newest = (0..self.recent.len()).max_by_key(|at| self.recent[*at].turn);
        let Some(at) = newest.filter(|_| self.is_in_review()) else { return false };
        self.leave_apart(rules, false);
        self.decide_by(rules, then, at, out);
        self.note_past(rules.policy.is_three_way());
        true
    }
}
