//! First link, new field, re-link: no base, no edit.

use super::{Entry, EntryKind, Fate, FieldRules, FieldState, Turn};
use crate::model::{Apart, Millis, Origin, Place, Stamp, Value};
use crate::rules::LinkPolicy;

impl FieldState {
    /// Side `ix`, which has no base, shows `value`: nobody edited anything, so a blank never beats a value, equal values
    /// write nothing, and two different ones go to the link policy. `read` is the place of the read.
    pub fn link(
        &mut self,
        rules: &FieldRules<'_>,
        ix: usize,
        value: Value,
        read: Place,
        now: Millis,
        out: &mut Vec<Fate>,
    ) {
        if rules.field.ties_to().is_some() {
            return self.link_ties(ix, value, now);
        }
        let side = &mut self.sides[ix];
        side.unbased = false;
        side.apart = None;
        side.shown = value.clone();
        side.late = super::SideLately::default();
        let first = self.sides.len() == 1;
        if first {
            self.mint(value, now);
        } else if self.shows_register(rules, ix) {
            // Equal: nothing is written.
        } else if value.is_null() {
            self.spare_owner(rules);
        } else if self.value.is_null() {
            self.mint(value, now);
            self.spare_owner(rules);
        } else if self.says_more(rules, ix, &value) {
            self.mint(value, now);
        } else {
            self.link_differing(rules, ix, now, out);
        }
        self.ask_another(rules, ix);
        self.seen_by_all(rules, read);
    }

    /// A decision about values that nobody edited: no edit from now on has missed what led to it.
    pub(super) fn seen_by_all(&mut self, rules: &FieldRules<'_>, read: Place) {
        if self.turn > Turn(0) {
            self.note_past(rules.policy.is_three_way());
            let turn = self.turn;
            for side in &mut self.sides {
                side.late.enter(Entry { place: read, turn, kind: EntryKind::Closing });
            }
        }
    }

    /// Do all others show as much of this value as they can hold? Then it is theirs, in full: a text that was cut or a number
    /// that was rounded is no other value.
    fn says_more(&self, rules: &FieldRules<'_>, ix: usize, value: &Value) -> bool {
        let bent = matches!(value, Value::Text(_) | Value::Decimal(_));
        let others = || self.sides.iter().enumerate().filter(|(at, side)| *at != ix && !side.unbased);
        bent && others().next().is_some() && others().all(|(at, side)| side.shown == rules.project(at, value))
    }

    fn mint(&mut self, value: Value, now: Millis) {
        self.stamp = Stamp::mint(now, self.stamp, Origin::Engine);
        self.value = value;
    }

    /// Nothing is written into a field's owner, and an owner's blank wipes nothing.
    fn spare_owner(&mut self, rules: &FieldRules<'_>) {
        let Some(owner) = rules.policy.owner() else { return };
        let Some(ix) = self.ix(owner) else { return };
        if !self.shows_register(rules, ix) {
            self.sides[ix].apart = Some(if rules.policy.writes_to(owner) { Apart::Split } else { Apart::OneWay });
        }
    }

    fn link_differing(&mut self, rules: &FieldRules<'_>, ix: usize, now: Millis, out: &mut Vec<Fate>) {
        let winner = match (rules.policy.owner(), rules.field.on_link) {
            (Some(system), _) | (_, LinkPolicy::Prefer(system)) => {
                self.ix(system).filter(|at| !self.sides[*at].unbased && !self.sides[*at].shown.is_null())
            }
            _ => None,
        };
        if let Some(at) = winner {
            return self.follow_link((rules, ix, at), now, out);
        }
        let system = self.sides[ix].system;
        let mine = self.sides[ix].shown.clone();
        let theirs = self.value.clone();
        // Both stay: the register takes the value of the highest rank.
        let highest = (0..self.sides.len())
            .filter(|at| !self.sides[*at].unbased && !self.sides[*at].shown.is_null())
            .min_by_key(|at| rules.sides[*at].rank)
            .unwrap_or(ix);
        let to = self.sides[highest].shown.clone();
        if !self.shows_register(rules, highest) {
            self.mint(to.clone(), now);
        }
        for at in 0..self.sides.len() {
            if !self.shows_register(rules, at) && !self.sides[at].unbased && !self.sides[at].shown.is_null() {
                let review = rules.field.on_link == LinkPolicy::Review || self.sides[at].apart == Some(Apart::Review);
                self.sides[at].apart = Some(if review { Apart::Review } else { Apart::Split });
            }
        }
        let from = theirs.clone();
        let other = if to == mine { theirs } else { mine };
        out.push(Fate::Linked { system, from, to, other, split: true, over: Vec::new() });
        if rules.field.on_link == LinkPolicy::Latest {
            self.ask_dates(rules);
        }
    }

    /// Of the values that a first link of side `ix` found, the one of side `at` goes everywhere.
    pub(super) fn follow_link(
        &mut self,
        (rules, ix, at): (&FieldRules<'_>, usize, usize),
        now: Millis,
        out: &mut Vec<Fate>,
    ) {
        let system = self.sides[ix].system;
        let (mine, theirs) = (self.sides[ix].shown.clone(), self.value.clone());
        let to = self.sides[at].shown.clone();
        if to != theirs {
            self.mint(to.clone(), now);
        }
        for side in &mut self.sides {
            side.apart = side.apart.filter(|apart| *apart != Apart::Split);
        }
        let from = theirs.clone();
        let other = if to == mine { theirs } else { mine };
        let loses = |(at, side): (usize, &super::SideField)| {
            let lost = !side.unbased && !side.shown.is_null() && !self.shows_register(rules, at);
            (lost && rules.policy.writes_to(side.system)).then(|| (side.system, side.shown.clone()))
        };
        let over = self.sides.iter().enumerate().filter_map(loses).collect();
        out.push(Fate::Linked { system, from, to, other, split: false, over });
    }
}
