//! The rules and names of a history.

use super::STRAY_MS;
use crate::model::{
    Ability, BatchLimits, Creates, EntityId, FieldId, FieldKind, Home, ObjectId, Raw, RemoteId, SourceKind, SystemId,
    Value,
};
use crate::rules::{
    Binding, ConflictPolicy, Entity, Field, FieldBinding, LinkPolicy, Mismatch, Mode, OnDelete, Rules, StampPolicy,
    System,
};
use crate::sim::world::{FIELDS, World};
use crate::sim::{Also, Options, Policy, Sources};

pub(super) fn field_name(field: usize) -> &'static str {
    ["f", "g"][field]
}

/// The properties that a field is: one, or the two of a group.
pub(super) fn parts(grouped: bool, field: usize) -> &'static [&'static str] {
    match (grouped, field) {
        (true, 0) => &["f", "h"],
        (_, 0) => &["f"],
        _ => &["g"],
    }
}

/// A part of a value.
pub(super) fn part(parts: &[&str], value: &Value, at: usize) -> Value {
    if parts.len() > 1 { value.member(at).clone() } else { value.clone() }
}

/// The value of a field of which some properties were given; none = none of them was.
pub(super) fn whole(kind: &FieldKind, parts: &[&str], given: &[(String, Raw)]) -> Option<Value> {
    let raw = |name: &&str| given.iter().find(|(given, _)| given == name).map(|(_, raw)| raw);
    let value = |raw: &Raw| kind.read(raw).unwrap_or_default();
    let values: Vec<Option<Value>> = parts.iter().map(|name| raw(name).map(value)).collect();
    values.iter().any(Option::is_some).then(|| {
        let mut values: Vec<Value> = values.into_iter().map(Option::unwrap_or_default).collect();
        if parts.len() > 1 { Value::group(values) } else { values.pop().unwrap_or_default() }
    })
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

pub(super) fn home(side: usize) -> Home {
    Home { system: system_id(side), object: OBJECT }
}

pub(super) fn source(options: &Options, side: usize) -> SourceKind {
    match (options.sources, side) {
        (Sources::Streams, _) | (Sources::Mixed, 1) => SourceKind::Stream,
        (Sources::Histories | Sources::Mixed, _) => SourceKind::History,
        (Sources::AllPolled | Sources::AllUnmarked, _) => SourceKind::Polled,
        (Sources::OnePolled | Sources::OneUnmarked, 1) => SourceKind::Polled,
        (Sources::OnePolled | Sources::OneUnmarked, _) => SourceKind::History,
    }
}

/// What the fields hold.
pub(super) fn kind(policy: Policy) -> FieldKind {
    match policy {
        Policy::Latest | Policy::Prefer | Policy::Owns | Policy::Append => FieldKind::Text,
        Policy::Max | Policy::Min => FieldKind::Integer,
        Policy::Forward => FieldKind::Enum,
        Policy::Union => FieldKind::Set,
    }
}

/// One of four values, of which a field of the first kind begins with one.
pub(super) fn some_value(policy: Policy, n: i64) -> Value {
    match policy {
        Policy::Latest | Policy::Prefer | Policy::Owns => Value::Text(n.to_string().into()),
        Policy::Max | Policy::Min => Value::Int(n),
        Policy::Forward => Value::Enum(STAGES[n.rem_euclid(4) as usize].into()),
        Policy::Union => Value::set([OPTIONS[n.rem_euclid(3) as usize]]),
        Policy::Append => Value::Text(OPTIONS[n.rem_euclid(3) as usize].into()),
    }
}

/// What a person makes of a value, who would enter the `n`th of them.
pub(super) fn entered(policy: Policy, before: &Value, n: i64) -> Value {
    match (policy, before) {
        (Policy::Union, before) => {
            let mut options = match before {
                Value::Set(options) => options.clone(),
                _ => Vec::new(),
            };
            let option = OPTIONS[n.rem_euclid(3) as usize].to_owned();
            match options.iter().position(|own| *own == option) {
                Some(at) => drop(options.remove(at)),
                None => options.push(option),
            }
            Value::set(options)
        }
        // A line is taken out, added below, or set above all others.
        (Policy::Append, before) => {
            let text = before.to_string();
            let mut lines: Vec<&str> = if before.is_null() { Vec::new() } else { text.lines().collect() };
            let line = OPTIONS[n.rem_euclid(3) as usize];
            match lines.iter().position(|own| *own == line) {
                Some(at) => drop(lines.remove(at)),
                None if n % 2 == 0 => lines.push(line),
                None => lines.insert(0, line),
            }
            if lines.is_empty() { Value::Null } else { Value::Text(lines.join("\n").into()) }
        }
        _ => some_value(policy, n),
    }
}

/// The last of them is none that the policy names.
pub(super) const STAGES: [&str; 4] = ["new", "open", "won", "lost"];
const OPTIONS: [&str; 3] = ["a", "b", "c"];

pub(super) fn rules(options: &Options, worlds: &[World]) -> Rules {
    let policy = match options.policy {
        Policy::Latest => ConflictPolicy::Latest,
        Policy::Prefer => ConflictPolicy::Prefer(system_id(0)),
        Policy::Owns => ConflictPolicy::Owns(system_id(0)),
        Policy::Max => ConflictPolicy::Max,
        Policy::Min => ConflictPolicy::Min,
        Policy::Forward => ConflictPolicy::ForwardOnly(STAGES[..3].iter().map(|stage| (*stage).to_owned()).collect()),
        Policy::Union => ConflictPolicy::Union,
        Policy::Append => ConflictPolicy::Append,
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
            read_first: world.source == SourceKind::Polled,
        },
        max_deletes: crate::rules::MAX_DELETES,
    });
    let field = |id: usize, names: &[&str], members: Vec<Field>| Field {
        id: FieldId(id as u32),
        name: names.concat(),
        kind: if members.is_empty() { kind(options.policy) } else { FieldKind::Group },
        bindings: {
            let properties: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let binding = |side| FieldBinding { properties: properties.clone(), ..FieldBinding::new(home(side), "") };
            (0..worlds.len()).map(binding).collect()
        },
        conflict: policy.clone(),
        on_link: LinkPolicy::FillBlanks,
        mismatch: Mismatch::default(),
        sensitive: false,
        members,
        shared_domains: None,
    };
    let fields = (0..FIELDS).map(|at| {
        let names = parts(options.grouped, at);
        let members = names.iter().enumerate().filter(|_| names.len() > 1);
        field(at + 1, names, members.map(|(member, name)| field(member + 11, &[*name], Vec::new())).collect())
    });
    let objects = (0..worlds.len()).map(|side| Binding {
        system: system_id(side),
        object: "things".into(),
        object_id: OBJECT,
        // A second record is to stay where it is.
        create: options.also != Also::Merges,
        external_id: Some("ext".into()),
        on_create: Vec::new(),
        scope: None,
        links: Vec::new(),
        on_delete: match options.also {
            Also::Deletes(true) => OnDelete::Propagate,
            _ => OnDelete::Detach,
        },
    });
    let entity = Entity {
        id: ENTITY,
        name: "thing".into(),
        bindings: objects.collect(),
        fields: fields.collect(),
        match_keys: vec![FieldId(1)],
        stamp: StampPolicy::OnCreate,
        edit_against_delete: Default::default(),
    };
    Rules {
        systems: systems.collect(),
        entities: vec![entity],
        write_budget: Rules::WRITE_BUDGET,
        max_drift_ms: Rules::MAX_DRIFT_MS,
    }
}
