//! Another mapping: what it no longer names is forgotten, what it names anew has no base. Nobody edited anything.

use super::record::{Work, remote_key};
use super::txn::Txn;
use super::{Happening, ViewError};
use crate::model::{EntityId, FieldId, Home, RecordId, Side, SideState, SystemId};
use crate::rules::Remap;

impl Txn<'_> {
    /// Takes a changed mapping into the next records.
    pub fn remap(
        &mut self,
        id: EntityId,
        remap: &Remap,
        after: Option<RecordId>,
        limit: usize,
    ) -> Result<(), ViewError> {
        let entity = self.entity(id)?;
        if after.is_none() {
            let Remap { dropped, rebound, .. } = remap.clone();
            self.journal(id, None, Happening::Remapped { dropped, rebound });
        }
        let records = self.view.record_scan(id, after, limit)?;
        self.next = (records.len() == limit).then(|| records.last().map(|record| record.id)).flatten();
        for record in records {
            let Some(mut work) = self.take(id, record.id)? else { continue };
            work.remap(remap);
            for ((system, field), _) in self.field_problems(id, record.id)? {
                let binding = || entity.field(field)?.binding(work.record.side(system)?.home());
                if binding().is_none() {
                    self.set_field_problem((id, record.id), (system, field), None);
                }
            }
            if remap.keys {
                self.save_keys(entity, None, Some(&work.record));
            }
            // A row that shows what it showed is passed over: each side that links anew is read.
            let sides = work.record.live_sides().filter(|side| remap.rebound.iter().any(|(of, _)| *of == side.home()));
            // And each whose object has another scope than before, whether it took part or not.
            let rescoped = work.record.sides.iter().filter(|side| remap.rescoped.contains(&side.home()));
            for key in sides.chain(rescoped).map(|side| remote_key(id, side)).collect::<Vec<_>>() {
                self.set_digest(key.clone(), None);
                work.unjudged.push(key.system);
            }
            self.put(work);
        }
        Ok(())
    }
}

impl Work {
    fn remap(&mut self, remap: &Remap) {
        let dropped = |field: FieldId| remap.dropped.contains(&field);
        let systems: Vec<SystemId> = self.record.sides.iter().map(|side| side.system).collect();
        for (system, field) in
            systems.iter().flat_map(|system| remap.dropped.iter().map(move |field| (*system, *field)))
        {
            self.forget(system, field);
        }
        self.record.registers.retain(|register| !dropped(register.field));
        self.lately.fields.retain(|field| !dropped(field.field));
        let there = |work: &Self, home: &Home| work.record.side(home.system).is_some_and(|side| side.home() == *home);
        for (home, field) in &remap.unbound {
            if there(self, home) {
                self.forget(home.system, *field);
            }
        }
        for (home, field) in &remap.rebound {
            if there(self, home) {
                self.unbase(home.system, *field);
            }
        }
        self.recheck = true;
    }

    /// A side holds this field no longer.
    pub fn forget(&mut self, system: SystemId, field: FieldId) {
        if let Some(side) = self.record.side_mut(system) {
            side.differs.retain(|differs| differs.field != field);
            side.unbased.retain(|other| *other != field);
        }
        for kept in self.lately.fields.iter_mut().filter(|kept| kept.field == field) {
            kept.sides.retain(|(of, _)| *of != system);
            kept.recent.retain(|taken| taken.system != system);
        }
    }

    /// What a side shows of a field next is no edit, but linked.
    pub fn unbase(&mut self, system: SystemId, field: FieldId) {
        let live = |side: &&mut Side| side.state == SideState::Live;
        if self.record.side_mut(system).filter(live).is_none_or(|side| side.unbased.binary_search(&field).is_ok()) {
            return;
        }
        self.forget(system, field);
        if let Some(side) = self.record.side_mut(system) {
            side.unbased.push(field);
            side.unbased.sort_unstable();
        }
    }
}
