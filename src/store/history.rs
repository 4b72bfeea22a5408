//! Which entries of the journal are of a record. A merge tells of several fields of one record, one behind the other: such a run of
//! entries is one row, since a row costs more than what stands in it.

use super::error::{StoreError, failed};
use super::key;
use super::read::{Snapshot, sequence};
use super::tables::{Table, damaged};
use crate::model::{EntityId, RecordId};
use redb::ReadableTable;
use std::ops::RangeInclusive;

/// Neighbours in the journal that are of one record.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub of: (EntityId, RecordId),
    /// Number of its first entry.
    pub first: u64,
    /// How many follow.
    pub more: u8,
}

/// Runs in the making, of entries that come in the order of their numbers.
#[derive(Default)]
pub(super) struct Told {
    pub runs: Vec<Run>,
    /// Those of the step under way.
    from: usize,
}

impl Told {
    /// A run does not go on in another step: so it does not matter which of them are one commit.
    pub fn next_step(&mut self) {
        self.from = self.runs.len();
    }

    /// The next entry is of this record.
    pub fn note(&mut self, of: (EntityId, RecordId), number: u64) {
        match self.runs[self.from..].last_mut() {
            Some(run) if run.of == of && run.more < u8::MAX && run.first + u64::from(run.more) + 1 == number => {
                run.more += 1;
            }
            _ => self.runs.push(Run { of, first: number, more: 0 }),
        }
    }
}

/// Appends a row's value: nothing where the run is a single entry.
pub(super) fn put_more(more: u8, out: &mut Vec<u8>) {
    out.extend((more > 0).then_some(more));
}

/// The numbers of a row's entries.
pub(super) fn numbers(key: &[u8], value: &[u8]) -> Result<RangeInclusive<u64>, StoreError> {
    let first = sequence(key.get(RECORD..).unwrap_or_default())?;
    let last = match value {
        [] => Some(first),
        [more] => first.checked_add(u64::from(*more)),
        _ => None,
    };
    last.map(|last| first..=last).ok_or_else(|| damaged(Table::History, key, "no number of entries"))
}

/// Bytes of the entity and the record, with which the key begins.
const RECORD: usize = 20;

impl Snapshot {
    /// Does a run name this entry of a record?
    pub(super) fn names(&self, of: (EntityId, RecordId), number: u64) -> Result<bool, StoreError> {
        Ok(run_with(self.rows(Table::History)?, of, number)?.is_some())
    }
}

/// The run that names an entry of a record.
fn run_with(
    table: &impl ReadableTable<&'static [u8], &'static [u8]>,
    of: (EntityId, RecordId),
    number: u64,
) -> Result<Option<RangeInclusive<u64>>, StoreError> {
    let (first, last) = (at(of, 0), at(of, number));
    let row = table.range::<&[u8]>(&first[..]..=&last[..]).map_err(failed)?.next_back().transpose().map_err(failed)?;
    let run = row.map(|(key, more)| numbers(key.value(), more.value())).transpose()?;
    Ok(run.filter(|run| run.contains(&number)))
}

fn at(of: (EntityId, RecordId), number: u64) -> Vec<u8> {
    let mut key = Vec::with_capacity(RECORD + 8);
    key::history(&mut key, of, number);
    key
}

/// Takes one entry out of the run that names it: what was before it and what follows stay.
pub(super) fn take_out(
    table: &mut redb::Table<'_, &'static [u8], &'static [u8]>,
    of: (EntityId, RecordId),
    number: u64,
) -> Result<(), StoreError> {
    let Some(run) = run_with(table, of, number)? else { return Ok(()) };
    let (first, last) = run.into_inner();
    table.remove(&at(of, first)[..]).map_err(failed)?;
    for (first, len) in [(first, number - first), (number.saturating_add(1), last - number)] {
        if let Some(more) = len.checked_sub(1) {
            let mut value = Vec::new();
            // Shorter than the run was.
            put_more(more as u8, &mut value);
            table.insert(&at(of, first)[..], &value[..]).map_err(failed)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use redb::ReadableTableMetadata;
    use std::collections::BTreeMap;

    const ENTITY: EntityId = EntityId(7);

    fn all(table: &impl ReadableTable<&'static [u8], &'static [u8]>) -> BTreeMap<u64, u8> {
        let mut found = BTreeMap::new();
        for row in table.iter().unwrap() {
            let (key, more) = row.unwrap();
            let of = key.value()[RECORD - 1];
            found.extend(numbers(key.value(), more.value()).unwrap().map(|number| (number, of)));
        }
        found
    }

    proptest! {
        #[test]
        fn what_is_taken_out_is_gone_and_nothing_else(
            mut of in prop::collection::vec(0u8..3, 1..60),
            long in 0usize..600,
            taken in prop::collection::vec(any::<prop::sample::Index>(), 0..80),
        ) {
            of.extend(std::iter::repeat_n(3, long));
            let id = |of: u8| (ENTITY, RecordId([of; 16]));
            let mut told = Told::default();
            (1..).zip(&of).for_each(|(number, of)| told.note(id(*of), number));
            let mut model: BTreeMap<u64, u8> = (1..).zip(of.iter().copied()).collect();

            let backend = redb::backends::InMemoryBackend::new();
            let database = redb::Builder::new().create_with_backend(backend).unwrap();
            let transaction = database.begin_write().unwrap();
            let mut table = transaction.open_table(Table::History.definition()).unwrap();
            for Run { of, first, more } in told.runs {
                let mut value = Vec::new();
                put_more(more, &mut value);
                table.insert(&at(of, first)[..], &value[..]).unwrap();
            }
            prop_assert_eq!(all(&table), model.clone());
            let mut rows = table.len().unwrap();
            prop_assert!(rows <= (of.windows(2).filter(|pair| pair[0] != pair[1]).count() + 1 + long / 256) as u64);
            for number in taken.iter().map(|index| index.index(of.len()) as u64 + 1) {
                take_out(&mut table, id(of[number as usize - 1]), number).unwrap();
                model.remove(&number);
                prop_assert!(table.len().unwrap() <= rows + 1);
                rows = table.len().unwrap();
            }
            prop_assert_eq!(all(&table), model);
        }
    }

    #[test]
    fn hostile_rows_are_damage() {
        let key = |number: u64| [&[0; RECORD][..], &number.to_be_bytes()].concat();
        assert_eq!(numbers(&key(5), &[]).unwrap(), 5..=5);
        assert_eq!(numbers(&key(5), &[2]).unwrap(), 5..=7);
        for (key, value) in [(key(u64::MAX), &[1][..]), (key(1), &[0, 1]), (vec![0; RECORD + 7], &[]), (vec![], &[])] {
            assert!(matches!(numbers(&key, value), Err(StoreError::Damaged { .. })), "{key:?}");
        }
    }
}
