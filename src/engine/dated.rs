//! `on_link = "latest"`: sides whose values a first link has found to differ are read, each with its history.

use super::ViewError;
use super::record::{Work, remote_key};
use super::txn::Txn;
use crate::merge::{Evidence, SideLately};
use crate::model::{Millis, Place, ReadRow, RemoteKey, SourceKind};
use crate::rules::{Entity, LinkPolicy};
use std::collections::BTreeSet;

impl Txn<'_> {
    /// Has the sides of a record read whose first link asks since when they show what they do.
    pub fn ask_dates(&mut self, entity: &Entity, work: &Work) -> Result<(), ViewError> {
        if !entity.fields.iter().any(|field| field.on_link == LinkPolicy::Latest) {
            return Ok(());
        }
        for side in work.record.live_sides() {
            let mut kept = work.lately.fields.iter().filter_map(|kept| kept.side(side.system));
            let key = remote_key(entity.id, side);
            if kept.any(SideLately::is_undated) && self.reread(&key)?.is_none() {
                self.read_again(&key, 0)?;
            }
        }
        Ok(())
    }

    /// Takes out of a read what a first link wants to know.
    pub fn date_link(
        &mut self,
        entity: &Entity,
        work: &mut Work,
        key: &RemoteKey,
        (row, doubted): (&ReadRow, &BTreeSet<usize>),
        begun: Millis,
    ) -> Result<(), ViewError> {
        let asked =
            work.lately.fields.iter().filter(|kept| kept.side(key.system).is_some_and(|late| late.is_undated()));
        let asked: Vec<_> = asked.map(|kept| kept.field).collect();
        for (field, binding, place) in entity.placed_at(key.home()).filter(|(field, ..)| asked.contains(&field.id)) {
            let timeless = binding.is_unrecorded() || place.clone().any(|at| doubted.contains(&at));
            let histories = row.history.get(place.clone()).unwrap_or_default();
            let past = match !timeless && self.source(key.system) == SourceKind::History {
                true => self.past((field, binding), histories, row.values.get(place).unwrap_or_default())?,
                false => Vec::new(),
            };
            let entries: Vec<Evidence> = past.into_iter().map(|(entry, _)| entry).collect();
            let mut state = work.state(field);
            let Some(ix) = state.ix(key.system) else { continue };
            let (mut fates, context) = (Vec::new(), self.context(entity, field, &state));
            state.date(&context, ix, &entries, (Place::at(begun), self.now), &mut fates);
            work.put_state(field, state, fates);
        }
        Ok(())
    }
}
