//! What whoever operates Syncline decides about single fields: a value to hold from now on, or one to take back.

use super::record::remote_key;
use super::txn::Txn;
use super::{Begin, Happening, Notice, ViewError};
use crate::model::{Apart, EntityId, FieldId, RecordId, SideState, Stamp, SystemId, Value};
use crate::rules::ConflictPolicy;

/// Decisions of one command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operate {
    /// What kind of decision they are.
    pub authority: Authority,
    /// The run that they are: each command is one of its own. None = they go on with the one that was begun last.
    pub begin: Option<Begin>,
    /// The decisions.
    pub operations: Vec<Operation>,
}

/// How a decision stands against edits that it has not seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Authority {
    /// It outranks all systems under every policy.
    Decide,
    /// It takes something back, and yields to every edit that it has not seen.
    Undo,
}

impl Authority {
    /// As whose edit it counts.
    pub fn author(self) -> SystemId {
        match self {
            Self::Decide => SystemId::OPERATOR,
            Self::Undo => SystemId::UNDO,
        }
    }
}

/// One field of one record is to have a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// The entity.
    pub entity: EntityId,
    /// The record.
    pub record: RecordId,
    /// The field.
    pub field: FieldId,
    /// The value in canonical form.
    pub value: Value,
    /// The side that alone is to show it, apart from the others, until the next edit anywhere; none = it holds everywhere.
    pub only: Option<SystemId>,
    /// The stamp of the value that it is to replace; if that has moved on, nothing is done. None = whatever is there.
    pub expect: Option<Stamp>,
    /// The version of the review that it answers; if that was asked again or is over, nothing is done. None = it answers none.
    pub review: Option<u64>,
}

/// Why a decision was not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hindrance {
    /// There is no such record or field.
    Gone,
    /// The field has another value by now than the one that was to be replaced.
    Moved,
    /// The field comes from one system only, which alone can change it.
    OneWay,
    /// The review was asked again since, or is over.
    AskedAgain,
}

impl Txn<'_> {
    /// Takes in an operator's decisions.
    pub fn operate(&mut self, operate: Operate) -> Result<(), ViewError> {
        let author = operate.authority.author();
        match operate.begin {
            Some(begin) => self.begin_within(begin),
            None => self.go_on(),
        }
        for operation in operate.operations {
            if let Some(why) = self.operate_one(author, &operation)? {
                self.notices.push(Notice::NotOperated { operation, why });
            }
        }
        Ok(())
    }

    fn operate_one(&mut self, author: SystemId, operation: &Operation) -> Result<Option<Hindrance>, ViewError> {
        let Operation { entity, record, field, value, only, expect, review } = operation;
        let Some(entity) = self.rules.entity(*entity) else { return Ok(Some(Hindrance::Gone)) };
        let Some(field) = entity.field(*field) else { return Ok(Some(Hindrance::Gone)) };
        if matches!(field.conflict, ConflictPolicy::OneWay { .. }) {
            return Ok(Some(Hindrance::OneWay));
        }
        if review.is_some() && self.review_version(entity.id, *record, field)? != *review {
            return Ok(Some(Hindrance::AskedAgain));
        }
        let Some(mut work) = self.take(entity.id, *record)? else { return Ok(Some(Hindrance::Gone)) };
        let mut state = work.state(field);
        if expect.is_some_and(|expect| expect != state.stamp) {
            self.put(work);
            return Ok(Some(Hindrance::Moved));
        }
        if let Some(system) = *only {
            let Some(ix) = state.ix(system) else {
                self.put(work);
                return Ok(Some(Hindrance::Gone));
            };
            state.part(ix, value.clone());
            work.put_state(field, state, Vec::new());
            work.recheck = true;
            self.put(work);
            self.journal(entity.id, Some(*record), Happening::Parted { field: field.id, system, value: value.clone() });
            return Ok(None);
        }
        let (mut fates, context) = (Vec::new(), self.context(entity, field, &state));
        state.operate(&context, author, value.clone(), self.now, &mut fates);
        work.put_state(field, state, fates);
        work.recheck = true;
        self.put(work);
        Ok(None)
    }

    /// Tries again now what was refused, put off or could not be read.
    pub fn retry(&mut self, records: Vec<(EntityId, RecordId)>) -> Result<(), ViewError> {
        for (entity, record) in records {
            let Some(mut work) = self.take(entity, record)? else { continue };
            let mut keys = Vec::new();
            for side in &mut work.record.sides {
                for differs in &mut side.differs {
                    if let Some(Apart::Parked { until }) = &mut differs.apart {
                        *until = self.now;
                    }
                }
                if side.state == SideState::Live {
                    keys.push(remote_key(entity, side));
                }
            }
            work.recheck = true;
            self.put(work);
            for key in keys {
                self.read_again(&key, 0)?;
            }
        }
        Ok(())
    }
}
