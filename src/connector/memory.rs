//! A system in memory: the smallest connector that keeps all promises, and the example for your own.

use super::{BoxFuture, Connector, ConnectorError, DeletedPage, Keys, Outcome, ReadAnswer, ReadSpec, Target};
use super::{WriteAnswer, WriteItem};
use crate::model::{
    Ability, BatchLimits, ClockOffset, Departure, Millis, ObjectSchema, PageEnd, PropertySchema, PropertyType,
};
use crate::model::{
    Mark, Raw, RawDigest, RawPage, RawRow, ReadRow, RemoteId, RowDecoder, SourceKind, Timing, User, is_ties, lay_ties,
};
use std::collections::BTreeMap;
use std::future::ready;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Records by object and id; every change is numbered, and a cursor is the number up to which it has seen.
pub struct Memory {
    now: Box<dyn Fn() -> Millis + Send + Sync>,
    ability: Ability,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    records: BTreeMap<(String, RemoteId), Entry>,
    changes: u64,
    calls: u64,
    deletes: u64,
    users: Option<Vec<User>>,
    automation: Option<Automation>,
}

/// What a system makes of a value that is written to a property.
type Automation = Box<dyn Fn(&str, &Raw) -> Option<Raw> + Send + Sync>;

struct Entry {
    fields: BTreeMap<String, Raw>,
    modified: Millis,
    change: u64,
    gone: Option<Departure>,
}

impl Memory {
    /// An empty system with this clock.
    pub fn new(now: impl Fn() -> Millis + Send + Sync + 'static) -> Self {
        let batch = BatchLimits { read: 100, read_history: 100, write: 100 };
        let ability = Ability { stray_ms: 0, batch, read_first: false, ..Ability::of(SourceKind::Polled) };
        Self { now: Box::new(now), ability, state: Mutex::default() }
    }

    /// A person's edit; makes the record where there is none.
    pub fn put(&self, object: &str, id: &RemoteId, fields: impl IntoIterator<Item = (String, Raw)>) {
        self.state().put((object.to_owned(), id.clone()), fields, (self.now)());
    }

    /// Who its users are from now on.
    pub fn set_users(&self, users: Vec<User>) {
        self.state().users = Some(users);
    }

    /// What the system itself makes of what is written to it, in the same transaction: none = it stays.
    pub fn automate(&self, change: impl Fn(&str, &Raw) -> Option<Raw> + Send + Sync + 'static) {
        self.state().automation = Some(Box::new(change));
    }

    /// A person's delete.
    pub fn remove(&self, object: &str, id: &RemoteId) {
        self.state().remove(object, id, Departure::Deleted, (self.now)());
    }

    /// A person merges a record into another one, whose values stay as they are.
    pub fn merge(&self, object: &str, loser: &RemoteId, winner: &RemoteId) {
        self.state().remove(object, loser, Departure::Merged(winner.clone()), (self.now)());
    }

    /// A person converts a record: it can be written to no more, and became these, each in an object, which stay as they are.
    pub fn convert(&self, object: &str, id: &RemoteId, into: &[(&str, &RemoteId)]) {
        let into = into.iter().map(|(object, id)| ((*object).to_owned(), (*id).clone())).collect();
        self.state().remove(object, id, Departure::Converted(into), (self.now)());
    }

    /// How many records were deleted through [`Connector::delete`].
    pub fn deletes(&self) -> u64 {
        self.state().deletes
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn called(&self) -> (MutexGuard<'_, State>, Timing) {
        let mut state = self.state();
        state.calls += 1;
        (state, Timing { sent: (self.now)(), offset: self.offset() })
    }

    fn page(&self, spec: &ReadSpec, after: u64) -> RawPage {
        let (state, timing) = self.called();
        let live = state.of(&spec.object).filter(|(_, entry)| entry.gone.is_none() && entry.change > after);
        let (rows, values) = live
            .map(|(id, entry)| {
                let values = entry.values(spec);
                let raw = RawDigest::of_bytes(format!("{values:?}").as_bytes());
                (RawRow { remote: id.clone(), modified: entry.modified, mark: Mark::Unknown, who: None, raw }, values)
            })
            .unzip();
        RawPage { rows, decoder: Arc::new(Decoded(values)), timing, end: state.end() }
    }
}

impl State {
    fn of(&self, object: &str) -> impl Iterator<Item = (&RemoteId, &Entry)> {
        self.records.iter().filter(move |((of, _), _)| of == object).map(|((_, id), entry)| (id, entry))
    }

    fn end(&self) -> PageEnd {
        PageEnd::Done(self.changes.to_be_bytes().to_vec())
    }

    fn put(&mut self, key: (String, RemoteId), fields: impl IntoIterator<Item = (String, Raw)>, now: Millis) {
        self.changes += 1;
        let new = Entry { fields: BTreeMap::new(), modified: now, change: 0, gone: None };
        let entry = self.records.entry(key).or_insert(new);
        entry.fields.extend(fields.into_iter().filter(|(_, raw)| *raw != Raw::Absent));
        (entry.gone, entry.change, entry.modified) = (None, self.changes, now);
    }

    /// False where it is not there.
    fn remove(&mut self, object: &str, id: &RemoteId, why: Departure, now: Millis) -> bool {
        self.changes += 1;
        let entry = self.records.get_mut(&(object.to_owned(), id.clone())).filter(|entry| entry.gone.is_none());
        let Some(entry) = entry else { return false };
        (entry.gone, entry.change, entry.modified) = (Some(why), self.changes, now);
        true
    }

    fn write(&mut self, object: &str, item: &WriteItem, now: Millis) -> Outcome {
        let mut fields = item.fields.clone();
        let (id, created) = match &item.target {
            Target::Update(id) => match self.of(object).any(|(known, entry)| known == id && entry.gone.is_none()) {
                true => (id.clone(), None),
                false => {
                    let gone =
                        self.of(object).find(|(known, _)| *known == id).and_then(|(_, entry)| entry.gone.clone());
                    return Outcome::Gone(match gone {
                        Some(Departure::Converted(_)) => Departure::Converted(Vec::new()),
                        _ => Departure::Deleted,
                    });
                }
            },
            Target::Create { property, value } => {
                let key = Raw::Text(value.as_str().into());
                let is_it = |entry: &Entry| entry.gone.is_none() && entry.fields.get(property) == Some(&key);
                let known = self.of(object).find(|(_, entry)| is_it(entry)).map(|(id, _)| id.clone());
                let created = known.is_none();
                let Some(id) = known.or_else(|| RemoteId::parse(&format!("m{}", self.changes + 1))) else {
                    return Outcome::Unknown;
                };
                fields.push((property.clone(), key));
                (id, Some(created))
            }
        };
        // Of ties a write says what comes and what goes.
        let shown = self.records.get(&(object.to_owned(), id.clone())).map(|entry| entry.fields.clone());
        for (name, raw) in fields.iter_mut().filter(|(name, _)| is_ties(name)) {
            *raw = lay_ties(shown.as_ref().and_then(|shown| shown.get(name)).unwrap_or(&Raw::Null), raw);
        }
        for (property, value) in &mut fields {
            let other = self.automation.as_ref().and_then(|change| change(property, value));
            *value = other.unwrap_or_else(|| value.clone());
        }
        self.put((object.to_owned(), id.clone()), fields, now);
        Outcome::Done { remote: id, created }
    }
}

impl Entry {
    fn values(&self, spec: &ReadSpec) -> Vec<Raw> {
        let names = spec.properties.iter().chain(&spec.external_id);
        names.map(|name| self.fields.get(name).cloned().unwrap_or(Raw::Null)).collect()
    }
}

struct Decoded(Vec<Vec<Raw>>);

impl RowDecoder for Decoded {
    fn decode(&self, index: usize) -> Result<Vec<Raw>, String> {
        self.0.get(index).cloned().ok_or_else(|| "no such row".to_owned())
    }
}

/// The change up to which a cursor has seen; none = it was not ours.
fn seen(cursor: &[u8]) -> Result<u64, ConnectorError> {
    let bytes = cursor.try_into().map_err(|_| ConnectorError::Protocol {
        system: "memory".to_owned(),
        what: "a listing".to_owned(),
        cause: "a cursor of another program".to_owned(),
    });
    bytes.map(u64::from_be_bytes)
}

impl Connector for Memory {
    fn ability(&self) -> &Ability {
        &self.ability
    }

    fn offset(&self) -> ClockOffset {
        ClockOffset::default()
    }

    fn calls(&self) -> u64 {
        self.state().calls
    }

    fn record_urls<'a>(&'a self, objects: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<String>>, ConnectorError>> {
        let each = |object: &String| Some(format!("https://memory.example/{object}/{{id}}"));
        Box::pin(ready(Ok(objects.iter().map(each).collect())))
    }

    fn users(&self) -> BoxFuture<'_, Result<Option<Vec<User>>, ConnectorError>> {
        let (state, _) = self.called();
        Box::pin(ready(Ok(state.users.clone())))
    }

    fn schema<'a>(&'a self, object: &'a str) -> BoxFuture<'a, Result<ObjectSchema, ConnectorError>> {
        let (state, _) = self.called();
        let mut names: Vec<&String> = state.of(object).flat_map(|(_, entry)| entry.fields.keys()).collect();
        names.sort();
        names.dedup();
        let property = |name: &String| PropertySchema {
            name: name.clone(),
            label: name.clone(),
            kind: PropertyType::Text,
            writable: true,
            required: false,
            unique: false,
            length: None,
            precision: None,
            scale: None,
            refers_to: Vec::new(),
            options: Vec::new(),
            choices: Vec::new(),
        };
        let properties = names.into_iter().map(property).collect();
        Box::pin(ready(Ok(ObjectSchema { object: object.to_owned(), properties })))
    }

    fn scan<'a>(
        &'a self,
        spec: &'a ReadSpec,
        _cursor: Option<&'a [u8]>,
    ) -> BoxFuture<'a, Result<RawPage, ConnectorError>> {
        Box::pin(ready(Ok(self.page(spec, 0))))
    }

    fn changes<'a>(
        &'a self,
        spec: &'a ReadSpec,
        cursor: Option<&'a [u8]>,
    ) -> BoxFuture<'a, Result<RawPage, ConnectorError>> {
        Box::pin(ready(cursor.map_or(Ok(u64::MAX), seen).map(|after| self.page(spec, after))))
    }

    fn deleted<'a>(
        &'a self,
        spec: &'a ReadSpec,
        cursor: Option<&'a [u8]>,
    ) -> BoxFuture<'a, Result<DeletedPage, ConnectorError>> {
        let page = cursor.map_or(Ok(u64::MAX), seen).map(|after| {
            let (state, timing) = self.called();
            let gone = state.of(&spec.object).filter(|(_, entry)| entry.change > after);
            let rows = gone.filter_map(|(id, entry)| Some((id.clone(), entry.modified, entry.gone.clone()?))).collect();
            DeletedPage { rows, timing, end: state.end() }
        });
        Box::pin(ready(page))
    }

    fn read<'a>(
        &'a self,
        spec: &'a ReadSpec,
        keys: Keys<'a>,
        _history: bool,
    ) -> BoxFuture<'a, Result<ReadAnswer, ConnectorError>> {
        let (state, timing) = self.called();
        let asked = |id: &RemoteId, entry: &Entry| match keys {
            Keys::Ids(ids) => ids.contains(id),
            Keys::Values { property, values } => match entry.fields.get(property) {
                Some(Raw::Text(text)) => values.iter().any(|value| value == text),
                _ => false,
            },
        };
        let found = state.of(&spec.object).filter(|(id, entry)| entry.gone.is_none() && asked(id, entry));
        let row = |(id, entry): (&RemoteId, &Entry)| ReadRow {
            mark: Mark::Unknown,
            who: None,
            remote: id.clone(),
            modified: entry.modified,
            values: entry.values(spec),
            history: Vec::new(),
        };
        Box::pin(ready(Ok(ReadAnswer { rows: found.map(row).collect(), timing })))
    }

    fn write<'a>(&'a self, object: &'a str, items: &'a [WriteItem]) -> BoxFuture<'a, WriteAnswer> {
        let (mut state, timing) = self.called();
        let outcomes = items.iter().map(|item| state.write(object, item, timing.sent)).collect();
        Box::pin(ready(WriteAnswer { outcomes, timing }))
    }

    fn delete<'a>(&'a self, object: &'a str, ids: &'a [RemoteId]) -> BoxFuture<'a, WriteAnswer> {
        let (mut state, timing) = self.called();
        let outcome = |id: &RemoteId| match state.remove(object, id, Departure::Deleted, timing.sent) {
            true => Outcome::Done { remote: id.clone(), created: None },
            false => Outcome::Gone(Departure::Deleted),
        };
        let outcomes: Vec<Outcome> = ids.iter().map(outcome).collect();
        state.deletes += outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Done { .. })).count() as u64;
        drop(state);
        Box::pin(ready(WriteAnswer { outcomes, timing }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::conformance::{Case, check, test_block_on};
    use super::*;
    use std::sync::atomic::{AtomicI64, Ordering};

    #[test]
    fn it_keeps_all_promises() {
        let ticks = AtomicI64::new(1_000_000);
        let memory = Memory::new(move || Millis(ticks.fetch_add(1, Ordering::Relaxed)));
        let delete = |id: RemoteId| -> BoxFuture<'_, ()> {
            memory.remove("contacts", &id);
            Box::pin(ready(()))
        };
        let case = Case {
            object: "contacts",
            texts: ["firstname", "lastname"],
            external_id: "syncline_id",
            required: Vec::new(),
            run: "a",
            delete: Some(&delete),
        };
        assert_eq!(test_block_on(check(&memory, &case)), Ok(()));
    }
}
