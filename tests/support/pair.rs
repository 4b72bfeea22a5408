//! Two systems in memory, `crm` and `desk`, under the real driver.
#![allow(dead_code)]

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use syncline::connector::Connector;
use syncline::connector::memory::Memory;
use syncline::daemon::connect::Connectors;
use syncline::model::{FieldKind, Millis, Raw, RemoteId, SystemId};
use syncline::rules::{CreateSpec, EntitySpec, FieldSpec};

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
        let raw = if value.is_empty() { Raw::Null } else { Raw::Text((*value).to_owned()) };
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
