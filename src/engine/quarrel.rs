//! Quarrels with a system's own automation: where it answers each of our writes with another value, the field is left alone there
//! for a while, and a person is told.

use super::record::Work;
use super::txn::Txn;
use super::{Problem, ViewError};
use crate::model::{Apart, FieldId, Millis, SystemId};
use crate::rules::{Entity, Field};

/// Code of the problem that a system's automation answers our writes with other values.
pub const WRITE_QUARREL: &str = "WRITE_QUARREL";

/// The answers of this time count, and so long the field is left alone, in milliseconds.
const HOUR_MS: i64 = 3_600_000;

impl Txn<'_> {
    /// Parks and lists the fields that a system has answered more often than the budget allows, and takes off the list those
    /// that are parked no more.
    pub fn note_quarrels(&mut self, entity: &Entity, work: &mut Work) -> Result<(), ViewError> {
        let of = (entity.id, work.record.id);
        let mut quarrels: Vec<(SystemId, &Field, usize)> = Vec::new();
        for (id, answered) in &work.lately.answered {
            let Some(field) = entity.field(*id) else { continue };
            for side in work.record.live_sides() {
                let since = self.clocks.offset(side.system).latest(self.now).plus(-HOUR_MS);
                let own = answered.iter().filter(|(system, at)| *system == side.system && *at > since);
                let count = own.count();
                let owed = side.differs(*id).is_some_and(|differs| differs.apart.is_none());
                if count > self.rules.write_budget as usize && owed {
                    quarrels.push((side.system, field, count));
                }
            }
        }
        let until = self.now.plus(HOUR_MS);
        for (system, field, count) in quarrels {
            let side = work.record.side_mut(system);
            for differs in side.into_iter().flat_map(|side| &mut side.differs).filter(|d| d.field == field.id) {
                differs.apart = Some(Apart::Parked { until });
            }
            let name = self.rules.system(system).map(|system| &*system.name).unwrap_or_default();
            let message = format!(
                "{}: {name} answered {count} of our writes within an hour with another value; switch off the automation there, or in \
                 the other system, that changes it, or let the field come from one system only (`direction`)",
                field.name
            );
            let (code, fields) = (WRITE_QUARREL.into(), vec![field.name.clone()]);
            self.set_field_problem(of, (system, field.id), Some(Problem { since: self.now, code, message, fields }));
        }
        if !self.any_problems()? {
            return Ok(());
        }
        let listed = self.field_problems(of.0, of.1)?;
        let listed = listed.into_iter().filter(|(_, problem)| problem.code == WRITE_QUARREL).map(|(at, _)| at);
        for at in listed.filter(|at| !is_parked(work, *at, self.now)).collect::<Vec<_>>() {
            self.set_field_problem(of, at, None);
        }
        Ok(())
    }
}

fn is_parked(work: &Work, (system, field): (SystemId, FieldId), now: Millis) -> bool {
    let apart = work.record.side(system).and_then(|side| side.differs(field)).and_then(|differs| differs.apart);
    matches!(apart, Some(Apart::Parked { until }) if until > now)
}
