//! Conflict rules of one's own that give nothing of use: listed until they decide something again.

use super::txn::Txn;
use super::{Problem, ViewError};
use crate::merge::Fate;
use crate::model::{FieldId, RecordId};
use crate::rules::{ConflictPolicy, Entity};

/// Code of the problem that a conflict rule failed.
pub(super) const RULE_FAILED: &str = "RULE_FAILED";

impl Txn<'_> {
    /// Lists the fields whose rule has failed in this step, and takes off the list those that were decided without it.
    pub fn note_rules(
        &mut self,
        entity: &Entity,
        record: RecordId,
        fates: &[(FieldId, Fate)],
    ) -> Result<(), ViewError> {
        let decided = |fate: &Fate| matches!(fate, Fate::Took { .. } | Fate::Lost { at_home: false, .. });
        for field in &entity.fields {
            let own = || fates.iter().filter(|(of, _)| *of == field.id).map(|(_, fate)| fate);
            let failed = own().find_map(|fate| match fate {
                Fate::RuleFailed { system, why } => Some((*system, why)),
                _ => None,
            });
            // Only such rules fail; another policy ends what one has left.
            let ruled = matches!(field.conflict, ConflictPolicy::Rule(_));
            if !own().any(decided) && failed.is_none() || !(ruled || self.any_problems()?) {
                continue;
            }
            let listed = self.field_problems(entity.id, record)?;
            let listed = listed.iter().filter(|((_, of), row)| *of == field.id && row.code == RULE_FAILED);
            let listed: Vec<_> = listed.map(|(at, _)| *at).collect();
            let of = (entity.id, record);
            for at in listed.iter().filter(|at| failed.is_none_or(|(system, _)| system != at.0)) {
                self.set_field_problem(of, *at, None);
            }
            let Some((system, why)) = failed else { continue };
            // What an evaluator says may repeat values.
            let why = if field.sensitive { "it failed over these values" } else { &**why };
            let message = format!("{}: the conflict rule gave no result, and the latest edit won: {why}", field.name);
            let (code, fields) = (RULE_FAILED.into(), vec![field.name.clone()]);
            let problem = Problem { since: self.now, code, message, fields };
            self.set_field_problem(of, (system, field.id), Some(problem));
        }
        Ok(())
    }
}
