//! Two systems in memory, `crm` and `desk`, under the real driver.
#![allow(dead_code)]

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use syncline::connector::Connector;
use syncline::connector::memory::Memory;
use syncline::daemon::connect::Connectors;
use syncline::engine::{Change, MemoryView, Rebuild, RebuildError, View, mirror_records, root};
use syncline::model::{EntityId, FieldKind, Millis, Raw, RemoteId, SystemId};
use syncline::rules::{CreateSpec, EntitySpec, FieldSpec};
use syncline::store::Store;

pub fn now() -> Millis {
    Millis(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64)
}

pub fn id(text: &str) -> RemoteId {
    RemoteId::parse(text).unwrap()
}

pub fn connectors(crm: &Arc<Memory>, desk: &Arc<Memory>) -> Connectors {
    vec![
        (SystemId::of("crm"), crm.clone() as Arc<dyn Connector>),
        (SystemId::of("desk"), desk.clone() as Arc<dyn Connector>),
    ]
}

/// A person enters texts; an empty one clears.
pub fn put(system: &Memory, object: &str, remote: &str, fields: &[(&str, &str)]) {
    let text = |(name, value): &(&str, &str)| {
        let raw = if value.is_empty() { Raw::Null } else { Raw::Text((*value).into()) };
        ((*name).to_owned(), raw)
    };
    system.put(object, &id(remote), fields.iter().map(text));
}

pub fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(test)
}

/// Somebody in both, created wherever he is missing.
pub fn person() -> EntitySpec {
    let field = |name: &str, kind| FieldSpec::new(name, kind).at("crm", name).at("desk", name);
    EntitySpec::new("person")
        .at_with_id("crm", "people", "ext")
        .at_with_id("desk", "people", "ext")
        .create(CreateSpec::Everywhere)
        .match_by("email")
        .field(field("email", FieldKind::Email))
        .field(field("city", FieldKind::Text))
        .field(field("stage", FieldKind::Text))
}

/// The mirror at a moment: what the journal gains from then on leads to the mirror that is there.
pub struct Mark {
    mirror: MemoryView,
    entities: Vec<EntityId>,
    last: u64,
}

impl Mark {
    pub fn of(store: &Store, entities: impl IntoIterator<Item = EntityId>) -> Self {
        let (view, entities) = (store.snapshot().unwrap(), entities.into_iter().collect::<Vec<_>>());
        let mut mirror = MemoryView::new();
        for entity in &entities {
            let records = view.record_scan(*entity, None, usize::MAX).unwrap();
            let records = records.into_iter().map(|record| Change::PutRecord(Arc::new(record)));
            mirror.apply(&records.collect::<Vec<_>>());
        }
        Self { mirror, entities, last: view.journal_last().unwrap() }
    }

    /// Only where nothing was read in full for the first time since: no entry holds that.
    pub fn assert_rebuilt(&self, store: &Store) {
        let view = store.snapshot().unwrap();
        let mut rebuild = Rebuild::new(&self.mirror, self.last);
        for (number, entry) in view.journal(self.last, usize::MAX).unwrap() {
            match rebuild.take_in(number, &entry) {
                Err(RebuildError::FirstReading { .. }) => return,
                taken => taken.unwrap(),
            }
        }
        for entity in &self.entities {
            let (rebuilt, there) = (root(rebuild.records(*entity)), root(mirror_records(&view, *entity)));
            let all = || rebuild.records(*entity).collect::<Result<Vec<_>, _>>().unwrap();
            let stands = || view.record_scan(*entity, None, usize::MAX).unwrap();
            assert_eq!(rebuilt, there, "rebuilt: {:#?}\nthere: {:#?}", all(), stands());
        }
    }
}
