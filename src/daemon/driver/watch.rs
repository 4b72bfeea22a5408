//! Somebody who looks on: what is committed, and what is about to be sent.

use super::{Driver, Effect, wall_clock};
use crate::daemon::DaemonError;
use crate::daemon::status::is_held;
use crate::engine::{self, Change, DeleteItem, OutboxRow, View};
use crate::model::{EntityId, Home, Millis, RecordId, WriteItem};

/// Writes that are about to be sent.
pub struct Leaving<'a> {
    /// The entity.
    pub entity: EntityId,
    /// Where to.
    pub home: Home,
    /// What, and of which record.
    pub items: &'a [(RecordId, WriteItem)],
    /// The mirror as of now: the intent is committed, the records still say what their sides show.
    pub view: &'a dyn View,
}

/// Deletes that are about to be sent.
pub struct Deleting<'a> {
    /// The entity.
    pub entity: EntityId,
    /// Where to.
    pub home: Home,
    /// What, and of which record.
    pub items: &'a [(RecordId, DeleteItem)],
    /// The mirror as of now.
    pub view: &'a dyn View,
}

/// Somebody who looks on. Called by the writer: must be quick.
pub trait Watch: Send + Sync {
    /// A step was committed.
    fn committed(&self, changes: &[Change]);

    /// Writes are about to be sent.
    ///
    /// # Errors
    /// What it is for cannot go on; the driver stops.
    fn leaving(&self, leaving: Leaving<'_>) -> Result<(), DaemonError>;

    /// Deletes are about to be sent.
    ///
    /// # Errors
    /// As [`leaving`](Self::leaving).
    fn deleting(&self, _: Deleting<'_>) -> Result<(), DaemonError> {
        Ok(())
    }
}

impl Driver {
    pub(super) fn show_leaving(&self, effect: &Effect) -> Result<(), DaemonError> {
        let Some(watch) = &self.watch else { return Ok(()) };
        match effect {
            Effect::Write { entity, home, items } => {
                watch.leaving(Leaving { entity: *entity, home: *home, items, view: &self.store.snapshot()? })
            }
            Effect::Delete { entity, home, items } => {
                watch.deleting(Deleting { entity: *entity, home: *home, items, view: &self.store.snapshot()? })
            }
            Effect::Read { .. } | Effect::LookUp { .. } => Ok(()),
        }
    }

    /// Writes that a plan held back are due again.
    pub(super) fn release_held(&self) -> Result<(), DaemonError> {
        let view = self.store.snapshot()?;
        let now = engine::time(&view, wall_clock())?;
        for entity in &self.rules.entities {
            let rows = usize::try_from(view.outbox_len(entity.id)?).unwrap_or(usize::MAX);
            for system in self.rules.systems.iter().filter(|_| rows > 0) {
                let waiting = view.outbox_due(system.id, entity.id, Millis(i64::MAX - 1), rows)?;
                let held = waiting.into_iter().filter(|(_, row)| is_held(row, now));
                let free = |(record, row): (RecordId, OutboxRow)| {
                    Change::SetOutbox(system.id, entity.id, record, Some(OutboxRow { due: now, ..row }))
                };
                let changes: Vec<Change> = held.map(free).collect();
                for changes in changes.chunks(1_000) {
                    self.store.apply(changes)?;
                }
            }
        }
        Ok(())
    }
}
