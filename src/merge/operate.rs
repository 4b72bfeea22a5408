//! Edits by whoever operates Syncline: a decision, or taking something back.
//!
//! An operator sees the mirror, so such an edit had seen everything that was taken in. What was not is concurrent with it: a
//! decision outranks it under every policy, for good: who has seen the decision has that behind him, too. An undo yields to it.

use super::{Edit, Fate, FieldRules, FieldState, Taken, Turn};
use crate::model::{Apart, FieldKind, Millis, Origin, Place, Stamp, SystemId, Value};

impl FieldState {
    /// Takes in an operator's edit; `author` is [`SystemId::OPERATOR`] or [`SystemId::UNDO`]. What was left apart until somebody
    /// decides is so no more.
    pub fn operate(
        &mut self,
        rules: &FieldRules<'_>,
        author: SystemId,
        value: Value,
        now: Millis,
        out: &mut Vec<Fate>,
    ) {
        assert!(author.is_operator(), "an edit of a system has a side");
        if matches!(rules.field.kind, FieldKind::Refs { .. }) {
            return self.operate_ties(author, value, now, out);
        }
        let three_way = rules.policy.is_three_way();
        self.note_past(three_way);
        let base = self.turn;
        self.turn = Turn(base.0 + 1);
        for side in &mut self.sides {
            side.apart = side.apart.filter(|apart| *apart == Apart::OneWay);
        }
        self.forget_dates();
        let edit = Edit { value, place: Place::at(now), since: None };
        self.recent.push(Taken { system: author, edit, base, turn: self.turn });
        self.decide_at(rules, self.recent.len() - 1, out);
        self.note_past(three_way);
    }

    /// Each tie is decided by itself, by whoever is heard last: there is nothing to weigh against what has not been heard.
    fn operate_ties(&mut self, author: SystemId, to: Value, now: Millis, out: &mut Vec<Fate>) {
        for side in &mut self.sides {
            side.apart = side.apart.filter(|apart| *apart == Apart::OneWay);
        }
        if to == self.value {
            return;
        }
        let stamp = Stamp::mint(now, self.stamp, Origin::of(author));
        let from = std::mem::replace(&mut self.value, to.clone());
        out.push(Fate::Took { from, to, stamp, system: author, place: Place::at(now), contested: false });
        self.stamp = stamp;
    }

    /// Gives side `ix` a value of its own back, apart from the others, until the next edit anywhere: as if the first link had
    /// kept both.
    pub fn part(&mut self, ix: usize, value: Value) {
        self.forget_dates();
        let side = &mut self.sides[ix];
        side.apart = Some(Apart::Split);
        side.wanted = Some(value);
    }
}

/// Has an edit lost to a decision that it had not seen, for whoever had seen all up to `seen`, the decision among it? Then it
/// rivals nobody who follows the decision: what a decision had covered would come back with the next edit.
pub(super) fn is_over(recent: &[Taken], taken: &Taken, seen: Turn) -> bool {
    let ends = |decision: &Taken| taken.base < decision.turn && taken.turn != decision.turn && decision.turn <= seen;
    let mut decisions = recent.iter().filter(|other| other.system == SystemId::OPERATOR);
    decisions.any(ends) && !crate::defect!("decided-over")
}

/// Takes an undo out of a set that holds anything else, and finds an operator's decision in it.
pub(super) fn outranking<'a>(set: &mut Vec<&'a Taken>) -> Option<&'a Taken> {
    let newest = |author: SystemId| set.iter().copied().filter(|taken| taken.system == author).max_by_key(|t| t.turn);
    let (decision, undo) = (newest(SystemId::OPERATOR), newest(SystemId::UNDO));
    if crate::defect!("undo-outranks") {
        return decision.or(undo);
    }
    set.retain(|taken| !taken.system.is_operator());
    decision.or(undo.filter(|_| set.is_empty()))
}
