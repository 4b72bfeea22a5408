//! What a dry run would have written, by record: laid over everything that is read later.

use super::DaemonError;
use crate::codec::{self, Decode, Encode};
use crate::connector::{Target, WriteItem};
use crate::engine::{Change, View};
use crate::model::{Mark, Millis, PastValue, Raw, ReadRow, RemoteId, SystemId, is_ties, lay_ties};
use crate::store::{Store, StoreError};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// When a write would have landed, by the remote's clock: not before `at`, not after `until`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
pub(super) struct Landing {
    pub at: i64,
    pub until: i64,
}

/// What would have been written to one record.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
pub(super) struct Written {
    /// By property: when, and what; oldest first.
    pub fields: BTreeMap<String, Vec<(Landing, Raw)>>,
    /// The last of it.
    pub modified: Landing,
}

impl Written {
    fn last(&self, property: &str) -> Option<&Raw> {
        self.fields.get(property)?.last().map(|(_, raw)| raw)
    }

    /// A property's value as the record would show it now, over what it shows; with its history where there is one.
    pub fn value(&self, property: &str, real: Raw) -> Raw {
        if is_ties(property) {
            // Each write says what comes and what goes.
            let written = self.fields.get(property).into_iter().flatten();
            return written.fold(real, |shown, (_, raw)| lay_ties(&shown, raw));
        }
        self.last(property).cloned().unwrap_or(real)
    }

    /// The record as it would be read now.
    pub fn over(&self, names: &[&str], mut row: ReadRow, history: bool) -> ReadRow {
        for (at, name) in names.iter().enumerate() {
            let Some(written) = self.fields.get(*name) else { continue };
            let Some((last, _)) = written.last() else { continue };
            let past = row.history.get_mut(at).filter(|_| history);
            let newest = past.as_ref().and_then(|past| past.first()).map_or(i64::MIN, |past| past.at.0);
            // Of what may have been before our write or after it, it was before: we had read it.
            let over = newest <= last.until;
            if over && let Some(value) = row.values.get_mut(at) {
                *value = self.value(name, value.clone());
            }
            let Some(past) = past else { continue };
            for (index, (landing, raw)) in written.iter().enumerate() {
                let is_last = index + 1 == written.len();
                let at = if is_last && over { landing.at.max(newest.saturating_add(1)) } else { landing.at };
                past.push(PastValue { value: raw.clone(), at: Millis(at), mark: Mark::Ours, who: None });
            }
            past.sort_by_key(|past| std::cmp::Reverse(past.at));
        }
        if row.modified.0 <= self.modified.until {
            (row.modified, row.mark) = (row.modified.max(Millis(self.modified.at)), Mark::Ours);
        }
        row
    }

    /// A record that is nowhere but here.
    pub fn alone(&self, remote: RemoteId, names: &[&str], asked: usize, history: bool) -> ReadRow {
        let row = ReadRow {
            remote,
            modified: Millis(self.modified.at),
            mark: Mark::Ours,
            who: None,
            values: vec![Raw::Null; names.len()],
            history: if history { vec![Vec::new(); asked] } else { Vec::new() },
        };
        self.over(names, row, history)
    }
}

/// All of it, in a scratch store: it grows with the records, and memory must not. Of the store only the table of named bytes
/// is used.
pub(super) struct Overlay {
    store: Store,
    any: AtomicBool,
    failure: Mutex<Option<StoreError>>,
    writing: Mutex<()>,
}

impl Overlay {
    pub fn new(store: Store) -> Self {
        Self { store, any: AtomicBool::new(false), failure: Mutex::default(), writing: Mutex::default() }
    }

    /// Is there anything in it?
    pub fn is_empty(&self) -> bool {
        !self.any.load(Ordering::Acquire)
    }

    /// What failed in it: a dry run over a broken overlay proves nothing.
    pub fn check(&self) -> Result<(), DaemonError> {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        failure.map_or(Ok(()), |error| Err(error.into()))
    }

    /// What was written to a record.
    pub fn get(&self, system: SystemId, object: &str, remote: &RemoteId) -> Option<Written> {
        if self.is_empty() {
            return None;
        }
        let bytes = self.noted(self.store.cursor(&record(system, object, remote)).map_err(damaged))??;
        self.noted(codec::decode(1, &bytes).map_err(|error| StoreError::Damaged { what: error.to_string() }))
    }

    /// Records in which a property was set to a value; it may have changed since.
    pub fn holders(&self, system: SystemId, object: &str, property: &str, value: &str) -> Vec<RemoteId> {
        if self.is_empty() {
            return Vec::new();
        }
        let bytes = self.noted(self.store.cursor(&holder(system, object, property, value)).map_err(damaged)).flatten();
        let ids = bytes.and_then(|bytes| codec::decode::<Vec<String>>(1, &bytes).ok()).unwrap_or_default();
        ids.iter().filter_map(|id| RemoteId::parse(id)).collect()
    }

    /// Takes in a batch: the ids, and whether each would be new. `keys` are the properties by which records are looked up.
    pub fn put<'a>(
        &self,
        system: SystemId,
        object: &str,
        items: impl Iterator<Item = &'a WriteItem>,
        at: Landing,
        keys: &[&str],
    ) -> Vec<Option<(RemoteId, bool)>> {
        // A record's row is read, changed and written: one batch at a time.
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut rows: BTreeMap<RemoteId, Written> = BTreeMap::new();
        let mut held: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut answers = Vec::new();
        for item in items {
            let (remote, create) = match &item.target {
                Target::Update(id) => (Some(id.clone()), None),
                Target::Create { property, value } => (planned(value), Some((property, value))),
            };
            let Some(remote) = remote else {
                answers.push(None);
                continue;
            };
            let known = rows.get(&remote).cloned().or_else(|| self.get(system, object, &remote));
            let created = create.is_some() && known.is_none();
            let mut row = known.unwrap_or_default();
            let key = create.map(|(property, value)| (property.clone(), Raw::Text(value.as_str().into())));
            for (property, raw) in item.fields.iter().cloned().chain(key) {
                if let (Raw::Text(text), true) = (&raw, keys.contains(&property.as_str())) {
                    let name = holder(system, object, &property, text);
                    let ids = held.entry(name).or_insert_with(|| self.holder_ids(system, object, &property, text));
                    ids.push(remote.as_str().to_owned());
                }
                row.fields.entry(property).or_default().push((at, raw));
            }
            row.modified = at;
            rows.insert(remote.clone(), row);
            answers.push(Some((remote, created)));
        }
        let row = |(remote, row): (RemoteId, Written)| (record(system, object, &remote), codec::encode(1, &row));
        let held = held.into_iter().map(|(name, ids)| (name, codec::encode(1, &ids)));
        let changes = rows.into_iter().map(row).chain(held);
        let changes: Vec<Change> = changes.map(|(name, bytes)| Change::SetCursor(name, Some(bytes))).collect();
        self.noted(self.store.apply(&changes));
        self.any.store(true, Ordering::Release);
        answers
    }

    fn holder_ids(&self, system: SystemId, object: &str, property: &str, value: &str) -> Vec<String> {
        self.holders(system, object, property, value).iter().map(|id| id.as_str().to_owned()).collect()
    }

    fn noted<T>(&self, result: Result<T, StoreError>) -> Option<T> {
        let failure = |error| {
            let mut first = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
            first.get_or_insert(error);
        };
        result.map_err(failure).ok()
    }
}

/// The id of a record that would be created under an external id; none where that is none of ours.
pub(super) fn planned(external: &str) -> Option<RemoteId> {
    RemoteId::parse(&format!("{PLANNED}{external}"))
}

/// Does a record exist in a dry run only?
pub(super) fn is_planned(id: &RemoteId) -> bool {
    id.as_str().starts_with(PLANNED)
}

fn record(system: SystemId, object: &str, remote: &RemoteId) -> String {
    format!("record\0{:08x}\0{object}\0{remote}", system.0)
}

/// Values are compared as both systems do: without regard to case.
fn holder(system: SystemId, object: &str, property: &str, value: &str) -> String {
    let digest = blake3::hash(value.trim().to_lowercase().as_bytes()).to_hex();
    format!("holder\0{:08x}\0{object}\0{property}\0{digest}", system.0)
}

fn damaged(error: crate::engine::ViewError) -> StoreError {
    StoreError::Damaged { what: error.0 }
}

/// What the ids of such records begin with; no system's do.
const PLANNED: &str = "~";

#[cfg(test)]
mod tests {
    use super::*;

    fn past(at: i64, value: &str, mark: Mark) -> PastValue {
        PastValue { value: Raw::Text(value.into()), at: Millis(at), mark, who: None }
    }

    fn row(modified: i64, value: &str) -> ReadRow {
        ReadRow {
            remote: RemoteId::parse("1").unwrap(),
            modified: Millis(modified),
            mark: Mark::Theirs,
            who: None,
            values: vec![Raw::Text(value.into())],
            history: vec![vec![past(modified, value, Mark::Theirs)]],
        }
    }

    fn written(landings: &[(i64, i64, &str)]) -> Written {
        let each =
            landings.iter().map(|(at, until, raw)| (Landing { at: *at, until: *until }, Raw::Text((*raw).into())));
        let entries: Vec<_> = each.collect();
        let modified = entries.last().unwrap().0;
        Written { fields: BTreeMap::from([("phone".to_owned(), entries)]), modified }
    }

    #[test]
    fn a_write_follows_what_was_there_however_little_is_known_of_the_clock() {
        let over = written(&[(100, 1_100, "ours")]).over(&["phone"], row(900, "theirs"), true);
        assert_eq!(over.values, [Raw::Text("ours".into())]);
        assert_eq!(over.history[0], [past(901, "ours", Mark::Ours), past(900, "theirs", Mark::Theirs)]);
        assert_eq!((over.modified, over.mark), (Millis(900), Mark::Ours));
    }

    #[test]
    fn an_edit_that_is_later_for_certain_stands() {
        let later = written(&[(100, 1_100, "ours")]).over(&["phone"], row(1_101, "theirs"), true);
        assert_eq!(later.values, [Raw::Text("theirs".into())]);
        assert_eq!(later.history[0], [past(1_101, "theirs", Mark::Theirs), past(100, "ours", Mark::Ours)]);
        assert_eq!((later.modified, later.mark), (Millis(1_101), Mark::Theirs));
    }

    #[test]
    fn a_store_keeps_it_and_finds_it_by_id_and_by_value() {
        let overlay = Overlay::new(Store::in_memory(Millis(1)).unwrap());
        let (system, external) = (SystemId(1), format!("{}.0", "0".repeat(32)));
        let item = |target, value: &str| WriteItem {
            op: crate::model::OpId(1),
            target,
            fields: vec![("email".into(), Raw::Text(value.into()))],
        };
        let create = || Target::Create { property: "key".into(), value: external.clone() };
        let id = planned(&external).unwrap();
        assert!(is_planned(&id));
        let put =
            |item: WriteItem, at| overlay.put(system, "contacts", [item].iter(), Landing { at, until: at }, &["email"]);
        assert_eq!(put(item(create(), "A@x.example"), 1), [Some((id.clone(), true))]);
        assert_eq!(put(item(create(), "b@x.example"), 2), [Some((id.clone(), false))], "repeated, it makes nothing");
        assert_eq!(overlay.holders(system, "contacts", "email", "a@X.example"), std::slice::from_ref(&id));
        let known = overlay.get(system, "contacts", &id).unwrap();
        assert_eq!(known.value("email", Raw::Null), Raw::Text("b@x.example".into()));
        assert_eq!(known.value("key", Raw::Null), Raw::Text(external.as_str().into()));
        assert_eq!(known.value("other", Raw::Null), Raw::Null);
        assert!(overlay.get(system, "companies", &id).is_none() && overlay.check().is_ok());
    }
}
