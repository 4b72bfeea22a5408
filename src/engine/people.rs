//! A system's table of users has changed, or who stands in there, so ids there read or are written in another way. Nobody edited anything.
//!
//! What a side shows is stored only where it differs from what it would show of the register, so a changed table would change
//! what we believe to be there. Here that is written down as it was known before, with the old table.

use super::ViewError;
use super::held::OWNER_UNKNOWN;
use super::record::remote_key;
use super::txn::Txn;
use crate::model::{Differs, EntityId, RecordId, SideState, SystemId, Value};
use crate::rules::{Field, FieldBinding, Owners, Unfit};
use std::collections::BTreeSet;

impl Txn<'_> {
    /// Takes a changed table into the next records; the rules have the new one already. Doing it twice does no harm.
    pub fn people(
        &mut self,
        id: EntityId,
        (system, older): (SystemId, &Owners),
        after: Option<RecordId>,
        limit: usize,
    ) -> Result<(), ViewError> {
        let entity = self.entity(id)?;
        let owners: Vec<(&Field, FieldBinding)> = entity
            .owners()
            .flat_map(|field| field.bindings.iter().map(move |binding| (field, binding)))
            .filter(|(_, binding)| binding.system == system)
            .map(|(field, binding)| {
                let fallback = older.fallbacks.get(&(id, field.id)).cloned();
                (field, FieldBinding { people: older.people.clone(), fallback, ..binding.clone() })
            })
            .collect();
        if owners.is_empty() {
            return Ok(());
        }
        let newer = self.rules.people(system).cloned().unwrap_or_default();
        let renamed: BTreeSet<&str> = older.people.renamed(&newer).collect();
        let records = self.view.record_scan(id, after, limit)?;
        self.next = (records.len() == limit).then(|| records.last().map(|record| record.id)).flatten();
        for record in records {
            let Some(mut work) = self.take(id, record.id)? else { continue };
            let listed = self.field_problems(id, record.id)?;
            let mut again = false;
            for (field, before) in &owners {
                let Some(side) = work.record.side(system).filter(|side| side.home() == before.home()) else { continue };
                if side.unbased.binary_search(&field.id).is_ok() && !listed.contains_key(&(system, field.id)) {
                    continue;
                }
                let Some(now) = field.binding(before.home()) else { continue };
                let value = work.record.register(field.id).map(|reg| reg.val.clone()).unwrap_or_default();
                let shown = match side.differs(field.id) {
                    Some(differs) => differs.shown.clone(),
                    None => field.project(before, &value),
                };
                // What has no base shows nothing yet.
                let known = side.differs(field.id).is_some() || side.unbased.binary_search(&field.id).is_ok();
                if !known
                    && shown != field.project(now, &value)
                    && let Some(side) = work.record.side_mut(system)
                    && let Err(at) = side.differs.binary_search_by_key(&field.id, |differs| differs.field)
                {
                    side.differs
                        .insert(at, Differs { field: field.id, shown: shown.clone(), apart: None, wanted: None });
                }
                if matches!(&shown, Value::Text(email) if renamed.contains(&**email)) {
                    work.unbase(system, field.id);
                    again = true;
                }
                let problem = listed.get(&(system, field.id)).map(|problem| &*problem.code);
                again |= problem == Some(OWNER_UNKNOWN);
                work.recheck |= problem.is_some_and(Unfit::is_code);
            }
            let side = work.record.side(system).filter(|side| again && side.state == SideState::Live);
            let key = side.map(|side| remote_key(id, side));
            if let Some(key) = &key {
                // A row that shows what it showed is passed over.
                self.set_digest(key.clone(), None);
                work.unjudged.push(system);
            }
            self.put(work);
            if let Some(key) = key {
                self.read_again(&key, 0)?;
            }
        }
        Ok(())
    }
}
