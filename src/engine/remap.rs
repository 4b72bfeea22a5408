//! Another mapping: what it no longer names is forgotten, what it names anew has no base. Nobody edited anything.

use super::record::{Work, remote_key};
use super::txn::Txn;
use super::{Happening, ViewError};
use crate::model::{EntityId, FieldId, RecordId, SystemId};
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
                if entity.field(field).is_none_or(|field| field.binding(system).is_none()) {
                    self.set_field_problem((id, record.id), (system, field), None);
                }
            }
            if remap.keys {
                self.save_keys(entity, None, Some(&work.record))?;
            }
            // A row that shows what it showed is passed over: each side that links anew is read.
            let systems =
                work.record.live_sides().filter(|side| remap.rebound.iter().any(|(of, _)| *of == side.system));
            for key in systems.map(|side| remote_key(id, side)).collect::<Vec<_>>() {
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
        self.record.registers.retain(|register| !dropped(register.field));
        self.lately.fields.retain(|field| !dropped(field.field));
        for side in &mut self.record.sides {
            let system = side.system;
            let here = |list: &[(SystemId, FieldId)], field: FieldId| list.contains(&(system, field));
            let fresh = |field: FieldId| here(&remap.rebound, field);
            let forgotten = |field: FieldId| dropped(field) || here(&remap.unbound, field) || fresh(field);
            side.differs.retain(|differs| !forgotten(differs.field));
            side.unbased.retain(|field| !forgotten(*field));
            if side.state == crate::model::SideState::Live {
                side.unbased.extend(remap.rebound.iter().filter(|(of, _)| *of == system).map(|(_, field)| *field));
                side.unbased.sort_unstable();
            }
            for field in self.lately.fields.iter_mut().filter(|field| forgotten(field.field)) {
                field.sides.retain(|(of, _)| *of != system);
                field.recent.retain(|taken| taken.system != system);
            }
        }
        self.recheck = true;
    }
}
