//! `on_link = "latest"`: which of two values of a first link is the later one, by the histories of both sides.
//!
//! At the link nobody has read them, so both values stay as under `fill blanks`, and each side is asked since when it shows its own
//! ([`EntryKind::Undated`]). Once all have told ([`EntryKind::Dated`]) the latest goes everywhere; where one cannot tell, both stay.

use super::policy::order_key;
use super::{Edit, Entry, EntryKind, Evidence, Fate, FieldRules, FieldState, SideLately, Taken, Turn};
use crate::model::{Apart, Mark, Millis, Place, SourceKind};

impl SideLately {
    /// Is it asked since when the side shows what its first link found?
    pub fn is_undated(&self) -> bool {
        self.entries.iter().any(|entry| entry.kind == EntryKind::Undated)
    }

    fn dated(&self) -> Option<Place> {
        self.entries.iter().find(|entry| entry.kind == EntryKind::Dated).map(|entry| entry.place)
    }
}

pub(super) fn is_of_link(entry: &Entry) -> bool {
    matches!(entry.kind, EntryKind::Undated | EntryKind::Dated)
}

impl FieldState {
    /// Asks every side that holds a value since when it does; nobody where one of them keeps no history.
    pub(super) fn ask_dates(&mut self, rules: &FieldRules<'_>) {
        self.forget_dates();
        let asked: Vec<usize> = (0..self.sides.len()).filter(|ix| self.has_say(*ix)).collect();
        if asked.iter().any(|ix| rules.sides[*ix].source != SourceKind::History) {
            return;
        }
        for ix in asked {
            let (place, turn) = (Place::at(Millis::MIN), Turn(0));
            self.sides[ix].late.enter(Entry { place, turn, kind: EntryKind::Undated });
        }
    }

    /// While it is still asked which value is the later one, whoever joins is asked, too.
    pub(super) fn ask_another(&mut self, rules: &FieldRules<'_>, ix: usize) {
        if self.has_say(ix) && self.awaits_dates() && !self.sides[ix].late.is_undated() {
            self.ask_dates(rules);
        }
    }

    /// Somebody edited, or a person decided: nothing is asked any more.
    pub(super) fn forget_dates(&mut self) {
        for side in &mut self.sides {
            side.late.entries.retain(|entry| !is_of_link(entry));
        }
    }

    /// Is it still to be found out which value of a first link is the later one?
    pub(super) fn awaits_dates(&self) -> bool {
        let split = self.sides.iter().any(|side| side.apart == Some(Apart::Split));
        split && self.sides.iter().any(|side| side.late.entries.iter().any(is_of_link))
    }

    /// A side that was asked has told its history, oldest first; an empty one where it tells nothing of what it shows. Decides as soon as
    /// all have. `read` is the place of the read.
    pub fn date(
        &mut self,
        rules: &FieldRules<'_>,
        ix: usize,
        history: &[Evidence],
        (read, now): (Place, Millis),
        out: &mut Vec<Fate>,
    ) {
        if !self.awaits_dates() {
            return self.forget_dates();
        }
        let side = &mut self.sides[ix];
        if !side.late.is_undated() {
            return;
        }
        side.late.entries.retain(|entry| !is_of_link(entry));
        // What we wrote there somebody else had entered, who has a say of his own.
        let shown = history.iter().rev().take_while(|entry| entry.value == side.shown);
        let since = shown.filter(|entry| entry.mark != Mark::Ours).map(|entry| entry.place).next();
        if let Some(place) = since {
            side.late.enter(Entry { place, turn: Turn(0), kind: EntryKind::Dated });
        }
        if self.sides.iter().any(|side| side.late.is_undated()) {
            return;
        }
        if let Some(at) = self.latest_of_link(rules) {
            let differs = |ix: &usize| self.has_say(*ix) && !self.shows_register(rules, *ix);
            let ix = Some(at).filter(differs).or_else(|| (0..self.sides.len()).find(differs)).unwrap_or(ix);
            self.follow_link((rules, ix, at), now, out);
            self.seen_by_all(rules, read);
        }
        self.forget_dates();
    }

    /// The side whose value was there last, if of every value there is one that says since when.
    fn latest_of_link(&self, rules: &FieldRules<'_>) -> Option<usize> {
        let dated = |ix: usize| self.sides[ix].late.dated();
        let mut say = (0..self.sides.len()).filter(|ix| self.has_say(*ix));
        if !say.clone().any(|ix| self.shows_register(rules, ix) && dated(ix).is_some())
            || say.any(|ix| !self.shows_register(rules, ix) && dated(ix).is_none())
        {
            return None;
        }
        let told = |ix: usize| {
            let side = &self.sides[ix];
            let edit = Edit { value: side.shown.clone(), place: dated(ix)?, since: None };
            let taken = Taken { system: side.system, edit, base: Turn(0), turn: Turn(0) };
            Some((order_key(&taken, rules.coarse_ms, rules.sides[ix].rank), ix))
        };
        (0..self.sides.len()).filter_map(told).max().map(|(_, ix)| ix)
    }

    /// Does a side hold a value?
    fn has_say(&self, ix: usize) -> bool {
        let side = &self.sides[ix];
        !side.unbased && !side.shown.is_null()
    }
}
