//! Tombstones end: what has been gone from everywhere for long is forgotten.

use super::record::remote_key;
use super::txn::Txn;
use super::{Happening, KeyHolder, ViewError};
use crate::model::{EntityId, Millis, Record, RecordId, SideState};
use crate::rules::Entity;

/// How long a record is remembered that is gone from all its systems, in milliseconds: as long as one of them can restore it.
pub const TOMBSTONE_MS: i64 = 90 * 86_400_000;

impl Txn<'_> {
    /// Looks through records and forgets those of which nothing but old tombstones is left, unless somebody refers to them.
    pub fn forget(&mut self, id: EntityId, after: Option<RecordId>, limit: usize) -> Result<(), ViewError> {
        let entity = self.entity(id)?;
        let records = self.view.record_scan(id, after, limit)?;
        self.next = (records.len() == limit).then(|| records.last().map(|record| record.id)).flatten();
        let now = self.now;
        for record in records.into_iter().filter(|record| is_over(record, now)) {
            let by_others = |(by, _, holder): &(&Entity, _, KeyHolder)| (by.id, holder.record) != (id, record.id);
            if self.referrers(id, record.id)?.iter().any(by_others) {
                continue;
            }
            let Some(work) = self.take(id, record.id)? else { continue };
            for side in &record.sides {
                let key = remote_key(id, side);
                if self.index_of(&key)? == Some(record.id) {
                    self.set_index(key.clone(), None);
                }
                self.set_digest(key.clone(), None);
                self.set_reread(key, None)?;
            }
            for system in entity.systems() {
                self.set_outbox((system, id, record.id), None)?;
                self.set_problem(id, record.id, system, None);
            }
            for at in self.field_problems(id, record.id)?.into_keys() {
                self.set_field_problem((id, record.id), at, None);
            }
            let sides = record.sides.iter().map(|side| (side.system, side.remote.clone())).collect();
            self.journal(id, Some(record.id), Happening::Forgotten { sides });
            self.remove(work);
        }
        Ok(())
    }
}

/// Is it gone from everywhere, and has been for long enough?
fn is_over(record: &Record, now: Millis) -> bool {
    let old = |record: &Record| record.sides.iter().all(|side| side.settled.time.plus(TOMBSTONE_MS) <= now);
    let gone = record.sides.iter().all(|side| side.state == SideState::Detached);
    !record.sides.is_empty() && gone && old(record)
}
