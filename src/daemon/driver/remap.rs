//! Another mapping is taken into a store. Nobody edited anything: what is named anew is linked by the next backfill.

use super::backfill::{CURSOR, link_cursor};
use super::listing::Listing;
use super::{OnProgress, Progress, wall_clock};
use crate::codec::{self, Decode, Encode};
use crate::daemon::DaemonError;
use crate::engine::{self, Change, Clocks, Input, View};
use crate::model::{EntityId, RecordId};
use crate::rules::{Mapping, MappingChange, Remap, Rules};
use crate::store::Store;

/// How far a remap has come.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
struct Mark {
    /// To which mapping.
    to: Vec<u8>,
    /// The entities before it are done.
    entity: EntityId,
    /// Records up to this one are done.
    after: Option<RecordId>,
}

/// Is the store's mapping another one than that of the rules?
///
/// # Errors
/// The store cannot be read.
pub(super) fn is_other(rules: &Rules, store: &Store) -> Result<bool, DaemonError> {
    let begun = store.snapshot()?.cursor(REMAP)?.is_some();
    Ok(begun || store.fingerprint()?.is_some_and(|known| known != rules.fingerprint().0))
}

/// Refuses a store that was made with another mapping than that of the rules.
///
/// # Errors
/// It was, or the store cannot be read.
pub(in crate::daemon) fn expect_own(rules: &Rules, store: &Store) -> Result<(), DaemonError> {
    if is_other(rules, store)? { Err(DaemonError::Mapping) } else { Ok(()) }
}

/// Notes the mapping of a store that has none yet, or was made before mappings were noted.
///
/// # Errors
/// The store cannot be written.
pub(super) fn note(rules: &Rules, store: &Store) -> Result<(), DaemonError> {
    if store.fingerprint()?.is_none() {
        store.set_fingerprint(&rules.fingerprint().0)?;
    }
    if store.snapshot()?.cursor(MAPPING)?.is_none() {
        store.apply(&[Change::SetCursor(MAPPING.to_owned(), Some(Mapping::of(rules).encode()))])?;
    }
    Ok(())
}

/// Takes the mapping of `rules` into a store that was made with another one: fields that are gone are forgotten, those that are
/// new or read in another way are linked anew by the next backfill, which is then due. Going on after a kill is safe. Does
/// nothing where the mapping is the same. Returns what has changed.
///
/// # Errors
/// The change cannot be taken in, or the store cannot be used.
pub fn remap(rules: &Rules, store: &Store, told: Option<&OnProgress>) -> Result<Vec<(EntityId, Remap)>, DaemonError> {
    if !is_other(rules, store)? {
        return Ok(Vec::new());
    }
    let tell = |progress| told.iter().for_each(|told| told(Progress::clone(&progress)));
    let (new, known) = (Mapping::of(rules), store.snapshot()?.cursor(MAPPING)?);
    let old = known.and_then(|bytes| Mapping::decode(&bytes)).ok_or(MappingChange::Unknown)?;
    let remaps = old.to(&new)?;
    tell(Progress::Phase("take in the mapping"));
    let to = rules.fingerprint().0.to_vec();
    let mark = store.snapshot()?.cursor(REMAP)?.and_then(|bytes| codec::decode::<Mark>(1, &bytes).ok());
    let mut mark = match mark {
        // Half of the records know fields by then of which neither this mapping nor the old one says anything.
        Some(mark) if mark.to != to => return Err(MappingChange::Unfinished.into()),
        Some(mark) => Some(mark),
        None => {
            let mark = Mark { to: to.clone(), entity: EntityId(0), after: None };
            store.apply(&[Change::SetCursor(REMAP.to_owned(), Some(codec::encode(1, &mark)))])?;
            None
        }
    };
    for (entity, remap) in &remaps {
        if mark.as_ref().is_some_and(|mark| *entity < mark.entity) {
            continue;
        }
        let mut after = mark.take().filter(|mark| mark.entity == *entity).and_then(|mark| mark.after);
        if after.is_none() && remap.keys {
            store.forget_keys(*entity)?;
        }
        loop {
            after = batch(rules, store, (*entity, remap), after, &to)?;
            tell(Progress::Looked(BATCH as u64));
            if after.is_none() {
                break;
            }
        }
    }
    let mut done = vec![
        Change::SetCursor(REMAP.to_owned(), None),
        Change::SetCursor(MAPPING.to_owned(), Some(new.encode())),
        Change::SetCursor(CURSOR.to_owned(), None),
    ];
    for (entity, _) in &remaps {
        let Some(entity) = rules.entity(*entity) else { continue };
        done.push(Change::SetCursor(link_cursor(&entity.name), None));
        let scans = entity.bindings.iter().filter_map(|binding| {
            let system = rules.system(binding.system)?;
            Some(Listing::Scan.cursor(&system.name, &entity.name, &binding.object))
        });
        done.extend(scans.map(|name| Change::SetCursor(name, None)));
    }
    store.apply(&done)?;
    store.set_fingerprint(&to)?;
    Ok(remaps)
}

/// The next records of an entity; returns where to go on.
fn batch(
    rules: &Rules,
    store: &Store,
    (entity, remap): (EntityId, &Remap),
    after: Option<RecordId>,
    to: &[u8],
) -> Result<Option<RecordId>, DaemonError> {
    let clocks = Clocks { now: wall_clock(), offsets: Vec::new() };
    let input = Input::Remap { entity, remap, after, limit: BATCH };
    let mut step = engine::step(rules, &store.snapshot()?, &clocks, input)?;
    let next = match step.next {
        Some(after) => Mark { to: to.to_vec(), entity, after: Some(after) },
        // Behind it, before the next.
        None => Mark { to: to.to_vec(), entity: EntityId(entity.0.saturating_add(1)), after: None },
    };
    step.changes.push(Change::SetCursor(REMAP.to_owned(), Some(codec::encode(1, &next))));
    store.apply(&step.changes)?;
    Ok(step.next)
}

/// Cursor that holds the mapping which the store was made with.
const MAPPING: &str = "mapping";
/// Cursor that holds how far another one has been taken in.
const REMAP: &str = "remap";
/// Records a commit.
const BATCH: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{PageRows, Pass};
    use crate::model::{
        Ability, ClockOffset, FieldId, FieldKind, Home, Mark, Millis, ObjectId, Origin, Place, Raw, RawDigest, RawRow,
        Record, RemoteId, RemoteKey, RowDecoder, Side, SideState, Stamp, SystemId, Timing, Value,
    };
    use crate::rules::{CreateSpec, EntitySpec, FieldSpec};
    use std::sync::Arc;

    fn rules(fields: &[&str]) -> Rules {
        let ability = Ability::polled();
        let thing = EntitySpec::new("thing").at("a", "things").at("b", "things").match_by("key");
        let field = |name: &&str| FieldSpec::new(*name, FieldKind::Text).at("a", *name).at("b", *name);
        let thing = fields.iter().map(field).fold(thing.create(CreateSpec::Nowhere), EntitySpec::field);
        Rules::builder().system("a", ability.clone()).system("b", ability).entity(thing).build().unwrap()
    }

    fn store(rules: &Rules) -> Store {
        let store = Store::in_memory(Millis(0)).unwrap();
        note(rules, &store).unwrap();
        let record = |at: u32| {
            let id = RecordId(u128::from(at).to_be_bytes());
            let mut record = Record::new(id, EntityId::of("thing"));
            for field in &rules.entities[0].fields {
                record.set(
                    field.id,
                    Value::Text(format!("{at}").into()),
                    Stamp::mint(Millis(1), Stamp::ZERO, Origin::Engine),
                );
            }
            for system in ["a", "b"] {
                record.put_side(Side {
                    system: SystemId::of(system),
                    object: ObjectId::of("things"),
                    remote: RemoteId::parse(&at.to_string()).unwrap(),
                    state: SideState::Live,
                    settled: Place::at(Millis(0)),
                    made: Millis::MIN,
                    unbased: Vec::new(),
                    differs: Vec::new(),
                });
            }
            Change::PutRecord(Arc::new(record))
        };
        store.apply(&(0..2 * BATCH as u32 + 100).map(record).collect::<Vec<_>>()).unwrap();
        store
    }

    fn records(store: &Store) -> Vec<Record> {
        store.snapshot().unwrap().record_scan(EntityId::of("thing"), None, usize::MAX).unwrap()
    }

    /// What `system` shows of record 1 in a full reading: the key, and the new field.
    fn page(rules: &Rules, store: &Store, system: &str, new: Raw) {
        struct Row(Vec<Raw>);
        impl RowDecoder for Row {
            fn decode(&self, _: usize) -> Result<Vec<Raw>, String> {
                Ok(self.0.clone())
            }
        }
        // In the order of the field ids.
        let shown = rules.entities[0].fields.iter().map(|field| match &*field.name {
            "key" => Raw::Text("1".into()),
            _ => new.clone(),
        });
        let (decoder, timing) = (Row(shown.collect()), Timing { sent: Millis(10_000), offset: ClockOffset::default() });
        let remote = RemoteId::parse("1").unwrap();
        let row = RawRow { remote, modified: Millis(5_000), raw: RawDigest(7), mark: Mark::Unknown, who: None };
        let (entity, home, pass) = (EntityId::of("thing"), Home::of(system, "things"), Pass::Backfill);
        let rows = [row];
        let page =
            PageRows { entity, home, pass, rows: &rows, decoder: &decoder, timing, cursor: None, complete: None };
        let clocks = Clocks { now: Millis(20_000), offsets: Vec::new() };
        let step = engine::step(rules, &store.snapshot().unwrap(), &clocks, Input::Page(page)).unwrap();
        store.apply(&step.changes).unwrap();
    }

    #[test]
    fn a_side_that_shows_a_blank_is_linked_also_when_it_is_read_last() {
        let (old, new) = (rules(&["key"]), rules(&["key", "new"]));
        for order in [["a", "b"], ["b", "a"]] {
            let store = store(&old);
            let id = RecordId(1u128.to_be_bytes());
            for system in order {
                let (system, object) = (SystemId::of(system), ObjectId::of("things"));
                let remote = RemoteId::parse("1").unwrap();
                let key = RemoteKey { entity: EntityId::of("thing"), system, object, remote };
                store.apply(&[Change::SetIndex(key, Some(id))]).unwrap();
            }
            remap(&new, &store, None).unwrap();
            page(&new, &store, order[0], Raw::Text("x".into()));
            page(&new, &store, order[1], Raw::Null);
            let view = store.snapshot().unwrap();
            let record = view.record(EntityId::of("thing"), id).unwrap().unwrap();
            assert!(record.sides.iter().all(|side| side.unbased.is_empty()), "{record:?}");
            let owed = view.outbox(SystemId::of(order[1]), EntityId::of("thing"), id).unwrap();
            assert!(owed.is_some(), "the blank is filled: {record:?}");
        }
    }

    #[test]
    fn it_goes_on_after_a_kill_and_ends_as_if_there_had_been_none() {
        let (old, new) = (rules(&["key", "gone"]), rules(&["key", "new"]));
        let whole = store(&old);
        let changed = remap(&new, &whole, None).unwrap();
        assert_eq!(changed.len(), 1);
        let (gone, fresh) = (FieldId::of("gone"), FieldId::of("new"));
        for record in records(&whole) {
            assert!(record.register(gone).is_none() && record.register(FieldId::of("key")).is_some());
            assert!(record.live_sides().all(|side| side.unbased == [fresh]), "{record:?}");
        }
        assert!(!is_other(&new, &whole).unwrap());
        assert_eq!(remap(&new, &whole, None).unwrap(), [], "it is in");

        let killed = store(&old);
        let to = new.fingerprint().0;
        let (entity, remap_of) = &changed[0];
        batch(&new, &killed, (*entity, remap_of), None, &to).unwrap();
        assert!(is_other(&new, &killed).unwrap(), "nobody takes it for done");
        assert_ne!(records(&killed), records(&whole));
        remap(&new, &killed, None).unwrap();
        assert_eq!(records(&killed), records(&whole));
        // Or somebody thinks better of it, when it is too late.
        let back = store(&old);
        batch(&new, &back, (*entity, remap_of), None, &to).unwrap();
        assert!(is_other(&old, &back).unwrap());
        let refused = remap(&old, &back, None);
        assert!(matches!(refused, Err(DaemonError::MappingChange(MappingChange::Unfinished))), "{refused:?}");
    }
}
