//! The rules and names of a history.

use super::STRAY_MS;
use crate::model::{
    Ability, BatchLimits, Creates, EntityId, FieldId, FieldKind, ObjectId, RemoteId, SourceKind, SystemId,
};
use crate::rules::{
    Binding, ConflictPolicy, Entity, Field, FieldBinding, LinkPolicy, Mismatch, Mode, Rules, StampPolicy, System,
};
use crate::sim::world::{FIELDS, World};
use crate::sim::{Options, Policy, Sources};

pub(super) fn field_name(field: usize) -> &'static str {
    ["f", "g"][field]
}

pub(super) fn system_name(side: usize) -> &'static str {
    ["alpha", "beta", "gamma"][side]
}

pub(super) fn system_id(side: usize) -> SystemId {
    SystemId(side as u32 + 1)
}

pub(super) fn remote_id() -> RemoteId {
    RemoteId::parse("r1").expect("a constant")
}

pub(super) const ENTITY: EntityId = EntityId(1);

pub(super) const OBJECT: ObjectId = ObjectId(1);

pub(super) fn source(options: &Options, side: usize) -> SourceKind {
    match (options.sources, side) {
        (Sources::Streams, _) | (Sources::Mixed, 1) => SourceKind::Stream,
        (Sources::Histories | Sources::Mixed, _) => SourceKind::History,
        (Sources::AllPolled | Sources::AllUnmarked, _) => SourceKind::Polled,
        (Sources::OnePolled | Sources::OneUnmarked, 1) => SourceKind::Polled,
        (Sources::OnePolled | Sources::OneUnmarked, _) => SourceKind::History,
    }
}

pub(super) fn rules(options: &Options, worlds: &[World]) -> Rules {
    let policy = match options.policy {
        Policy::Latest => ConflictPolicy::Latest,
        Policy::Prefer => ConflictPolicy::Prefer(system_id(0)),
        Policy::Owns => ConflictPolicy::Owns(system_id(0)),
    };
    let systems = worlds.iter().enumerate().map(|(side, world)| System {
        id: system_id(side),
        name: system_name(side).into(),
        mode: Mode::ReadWrite,
        ability: Ability {
            source: world.source,
            resolution_ms: world.step,
            stray_ms: STRAY_MS,
            lag_ms: 0,
            batch: BatchLimits { read: 10, read_history: 10, write: 10 },
            // As HubSpot and Salesforce do it.
            creates: Some(if world.source == SourceKind::History { Creates::Upsert } else { Creates::Insert }),
            lookups: Some(Vec::new()),
        },
    });
    let bindings = |field: usize| {
        let binding = |side| FieldBinding::new(system_id(side), field_name(field));
        (0..worlds.len()).map(binding).collect()
    };
    let fields = (0..FIELDS).map(|field| Field {
        sensitive: false,
        members: Vec::new(),
        id: FieldId(field as u32 + 1),
        name: field_name(field).into(),
        kind: FieldKind::Text,
        bindings: bindings(field),
        conflict: policy,
        on_link: LinkPolicy::FillBlanks,
        mismatch: Mismatch::default(),
    });
    let objects = (0..worlds.len()).map(|side| Binding {
        system: system_id(side),
        object: "things".into(),
        object_id: OBJECT,
        create: true,
        external_id: Some("ext".into()),
        on_create: Vec::new(),
    });
    let entity = Entity {
        id: ENTITY,
        name: "thing".into(),
        bindings: objects.collect(),
        fields: fields.collect(),
        match_keys: vec![FieldId(1)],
        stamp: StampPolicy::OnCreate,
    };
    Rules { systems: systems.collect(), entities: vec![entity] }
}
