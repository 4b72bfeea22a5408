//! Roots that are kept: the leaf of each record and their sum, as of an entry of the journal. From there the journal names the records
//! that have moved, and the next root costs what has moved, not what there is.
//!
//! Nothing is kept up when a step is committed: who never asks for a root pays nothing for it.

use super::checkpoint::Position;
use super::error::{StoreError, failed};
use super::key;
use super::open::Store;
use super::read::Snapshot;
use super::tables::{Table, damaged, entity_record, read_array, read_record};
use crate::engine::{Moved, Root, leaf};
use crate::model::{Digest, EntityId, RecordId};
use redb::ReadableTable;
use std::collections::BTreeSet;
use std::ops::Bound;

/// A root, and how it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundRoot {
    /// Of which entity.
    pub entity: EntityId,
    /// What its records come to.
    pub root: Root,
    /// As of which entry.
    pub at: Position,
    /// The root that was kept before, where it could be used.
    pub since: Option<Position>,
    /// Records that were read for it.
    pub read: u64,
    /// Was every record read?
    pub whole: bool,
    /// Records that are not as they were kept although no entry since then names them. Only who reads all of them can tell.
    pub unsaid: Vec<RecordId>,
    /// Leaves that are not as they were kept.
    leaves: Leaves,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Leaves {
    All(Vec<(RecordId, Digest)>),
    Moved(Vec<(RecordId, Option<Digest>)>),
}

impl Snapshot {
    /// The root of an entity's records: from the one that was kept last and the records that have moved since, or, where there is none
    /// from which the journal goes on, or `whole` is wished, from all of them.
    ///
    /// # Errors
    /// Something cannot be read.
    pub fn root(&self, entity: EntityId, whole: bool) -> Result<FoundRoot, StoreError> {
        let kept = match self.kept_root(entity)? {
            Some((root, since)) => self.moved_since(entity, since)?.map(|moved| (root, since, moved)),
            None => None,
        };
        match kept {
            Some((root, since, moved)) if !whole => self.root_from(entity, root, since, &moved),
            kept => self.whole_root(entity, kept.map(|(_, since, moved)| (since, moved))),
        }
    }

    fn root_from(
        &self,
        entity: EntityId,
        mut root: Root,
        since: Position,
        moved: &BTreeSet<RecordId>,
    ) -> Result<FoundRoot, StoreError> {
        let (mut bytes, mut leaves) = (Vec::new(), Vec::new());
        for id in moved {
            let was = self.kept_leaf(entity, *id)?;
            let key = record_key(entity, *id);
            let body = self.value(Table::Records, &key)?;
            let record = body.map(|body| read_record(&key, body.value())).transpose()?;
            let is = record.map(|record| leaf(&record, &mut bytes));
            if was != is {
                was.into_iter().for_each(|leaf| root.take(leaf));
                is.into_iter().for_each(|leaf| root.add(leaf));
                leaves.push((*id, is));
            }
        }
        let (at, leaves, read) = (self.position()?, Leaves::Moved(leaves), moved.len() as u64);
        Ok(FoundRoot { entity, root, at, since: Some(since), read, whole: false, unsaid: Vec::new(), leaves })
    }

    fn whole_root(
        &self,
        entity: EntityId,
        kept: Option<(Position, BTreeSet<RecordId>)>,
    ) -> Result<FoundRoot, StoreError> {
        let (mut root, mut bytes, mut leaves) = (Root::default(), Vec::new(), Vec::new());
        for row in self.of_entity(Table::Records, entity)? {
            let (key, body) = row?;
            let record = read_record(key.value(), body.value())?;
            let leaf = leaf(&record, &mut bytes);
            root.add(leaf);
            leaves.push((record.id, leaf));
        }
        let (since, unsaid) = match kept {
            Some((since, moved)) => (Some(since), self.unsaid(entity, &leaves, &moved)?),
            None => (None, Vec::new()),
        };
        let (at, read, leaves) = (self.position()?, leaves.len() as u64, Leaves::All(leaves));
        Ok(FoundRoot { entity, root, at, since, read, whole: true, unsaid, leaves })
    }

    /// Leaves that are not as they were kept, of records that have not moved. Both ascend.
    fn unsaid(
        &self,
        entity: EntityId,
        leaves: &[(RecordId, Digest)],
        moved: &BTreeSet<RecordId>,
    ) -> Result<Vec<RecordId>, StoreError> {
        let (mut unsaid, mut now) = (Vec::new(), leaves.iter().peekable());
        let mut note = |id: RecordId| unsaid.extend((!moved.contains(&id)).then_some(id));
        for row in self.of_entity(Table::Leaves, entity)? {
            let (key, bytes) = row?;
            let id = entity_record(Table::Leaves, key.value())?.1;
            let kept = Digest(read_array(Table::Leaves, key.value(), bytes.value())?);
            while let Some((new, _)) = now.next_if(|(of, _)| *of < id) {
                note(*new);
            }
            match now.next_if(|(of, _)| *of == id) {
                Some((_, is)) if *is == kept => {}
                _ => note(id),
            }
        }
        now.for_each(|(new, _)| note(*new));
        Ok(unsaid)
    }

    /// The records that the journal names since then; none where it does not go on from there, leaves some unnamed, or has more to
    /// tell than there are records to read.
    fn moved_since(&self, entity: EntityId, since: Position) -> Result<Option<BTreeSet<RecordId>>, StoreError> {
        let at = self.position()?;
        let goes_on = self.link_of(since.number)?.is_some_and(|link| link == since.link);
        if !goes_on || at.number - since.number > self.records_len(entity)?.max(ENTRIES_MIN) {
            return Ok(None);
        }
        let (mut moved, mut last) = (BTreeSet::new(), since.number);
        loop {
            let entries = self.journal(last, BATCH)?;
            for (number, entry) in &entries {
                if *number != last + 1 {
                    return Ok(None);
                }
                last = *number;
                match Moved::by(entry) {
                    Some(Moved::Unnamed) if entry.entity == Some(entity) => return Ok(None),
                    Some(Moved::These(of, ids)) if of == entity => moved.extend(ids),
                    _ => {}
                }
            }
            if entries.is_empty() {
                // What was pruned last has no entry after it that shows it.
                return Ok((last == at.number).then_some(moved));
            }
        }
    }

    fn kept_root(&self, entity: EntityId) -> Result<Option<(Root, Position)>, StoreError> {
        let key = entity.0.to_be_bytes();
        let row = self.value(Table::Roots, &key)?;
        row.map(|row| kept_root(&key, row.value())).transpose()
    }

    fn kept_leaf(&self, entity: EntityId, id: RecordId) -> Result<Option<Digest>, StoreError> {
        let key = record_key(entity, id);
        let row = self.value(Table::Leaves, &key)?;
        row.map(|row| Ok(Digest(read_array(Table::Leaves, &key, row.value())?))).transpose()
    }
}

impl Store {
    /// Keeps roots, so that the next ones cost what has moved until then. One that names a record that moved without a word is not kept:
    /// whoever asks again is told again.
    ///
    /// # Errors
    /// If it cannot be written; what was kept before is kept then.
    pub fn keep_roots(&self, found: &[FoundRoot]) -> Result<(), StoreError> {
        // Nothing has moved since the one that is kept; and one that names somebody is not kept.
        let news = |found: &&FoundRoot| found.unsaid.is_empty() && found.since != Some(found.at);
        if !found.iter().any(|found| news(&found)) {
            return Ok(());
        }
        self.transact(|transaction| {
            let mut roots = transaction.open_table(Table::Roots.definition()).map_err(failed)?;
            let mut leaves = transaction.open_table(Table::Leaves.definition()).map_err(failed)?;
            for found in found.iter().filter(news) {
                let entity = found.entity.0.to_be_bytes();
                let kept = roots.get(entity.as_slice()).map_err(failed)?;
                let kept = kept.map(|row| kept_root(&entity, row.value())).transpose()?.map(|(_, at)| at);
                match &found.leaves {
                    // Somebody else has kept another one meanwhile.
                    Leaves::Moved(_) if kept != found.since => continue,
                    Leaves::Moved(moved) => {
                        for (id, leaf) in moved {
                            let key = record_key(found.entity, *id);
                            match leaf {
                                Some(leaf) => leaves.insert(key.as_slice(), leaf.0.as_slice()),
                                None => leaves.remove(key.as_slice()),
                            }
                            .map_err(failed)?;
                        }
                    }
                    Leaves::All(all) => {
                        let end = key::after(&entity);
                        let to = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
                        let of_entity = (Bound::Included(&entity[..]), to);
                        leaves.retain_in::<&[u8], _>(of_entity, |_, _| false).map_err(failed)?;
                        let mut place = leaves.lower_bound_mut(Bound::Included(&entity[..])).map_err(failed)?;
                        for (id, leaf) in all {
                            let key = record_key(found.entity, *id);
                            place.insert_before(key.as_slice(), leaf.0.as_slice()).map_err(failed)?;
                        }
                        place.close().map_err(failed)?;
                    }
                }
                let mut row = Vec::with_capacity(48);
                row.extend_from_slice(&found.root.records.to_be_bytes());
                row.extend_from_slice(&found.root.sum.to_be_bytes());
                row.extend_from_slice(&found.at.number.to_be_bytes());
                row.extend_from_slice(&found.at.link.0);
                roots.insert(entity.as_slice(), row.as_slice()).map_err(failed)?;
            }
            Ok(())
        })
    }
}

/// A row of [`Table::Roots`].
pub(super) fn kept_root(key: &[u8], row: &[u8]) -> Result<(Root, Position), StoreError> {
    let parts = || {
        let (records, rest) = row.split_first_chunk()?;
        let (sum, rest) = rest.split_first_chunk()?;
        let (number, rest) = rest.split_first_chunk()?;
        let link = rest.try_into().ok()?;
        let root = Root { records: u64::from_be_bytes(*records), sum: u128::from_be_bytes(*sum) };
        Some((root, Position { number: u64::from_be_bytes(*number), link: Digest(link) }))
    };
    parts().ok_or_else(|| damaged(Table::Roots, key, "unreadable row"))
}

fn record_key(entity: EntityId, id: RecordId) -> Vec<u8> {
    let mut key = Vec::with_capacity(20);
    key::record(&mut key, entity, id);
    key
}

const BATCH: usize = 1_000;
/// Entries that are always read, however few records there are.
const ENTRIES_MIN: u64 = 10_000;
