//! The set of edits decides, and not the order in which they become known: every policy, at the level of a field's state.

use proptest::prelude::*;
use std::sync::Arc;
use syncline::merge::{Evidence, Fate, FieldRules, FieldState, SideField, SideRules};
use syncline::model::{FieldId, FieldKind, Home, Mark, Millis, ObjectId, Place, SourceKind, SystemId, Value};
use syncline::rules::{ConflictPolicy, Field, FieldBinding, LinkPolicy, Mismatch, OneWayEdits, Rule, Ruling};

type Make = fn(i64) -> Value;
/// (side, time, value).
type Told = (usize, i64, Value);

fn number(n: i64) -> Value {
    if n < 0 { Value::Null } else { Value::Int(n) }
}

fn stage(n: i64) -> Value {
    ["new", "open", "won", "lost"].get(n as usize % 5).map_or(Value::Null, |stage| Value::Enum((*stage).into()))
}

fn options(bits: i64) -> Value {
    Value::set(["a", "b", "c"].iter().enumerate().filter(|(at, _)| bits & (1 << at) != 0).map(|(_, option)| *option))
}

fn lines(bits: i64) -> Value {
    match options(bits) {
        Value::Set(lines) => Value::Text(lines.join("\n").into()),
        _ => Value::Null,
    }
}

/// The middle one of what was entered, or what was there where that is blank.
fn middle() -> ConflictPolicy {
    ConflictPolicy::Rule(Rule::new("middle", |base, edits| {
        let mut values: Vec<&Value> = edits.iter().map(|edit| edit.value).collect();
        values.sort();
        match values[values.len() / 2] {
            Value::Null => Ok(Ruling::Value(base.clone())),
            value => Ok(Ruling::Value(value.clone())),
        }
    }))
}

fn policies() -> Vec<(ConflictPolicy, FieldKind, Make)> {
    let system = SystemId(2);
    let of_numbers = [
        ConflictPolicy::Latest,
        ConflictPolicy::Prefer(system),
        ConflictPolicy::Owns(system),
        ConflictPolicy::OneWay { from: system, edits: OneWayEdits::Overwrite },
        ConflictPolicy::PreferUnlessBlank(system),
        ConflictPolicy::BlankNeverWins,
        ConflictPolicy::Max,
        ConflictPolicy::Min,
        middle(),
        ConflictPolicy::Review(None),
    ];
    let mut all: Vec<(ConflictPolicy, FieldKind, Make)> =
        of_numbers.into_iter().map(|policy| (policy, FieldKind::Integer, number as Make)).collect();
    let order: Arc<[String]> = ["new", "open", "won"].map(str::to_owned).into();
    all.push((ConflictPolicy::ForwardOnly(order), FieldKind::Enum, stage));
    all.push((ConflictPolicy::Union, FieldKind::Set, options));
    all.push((ConflictPolicy::Append, FieldKind::Text, lines));
    all
}

fn field(policy: ConflictPolicy, kind: FieldKind, sides: usize) -> Field {
    let binding = |side| FieldBinding::new(Home { system: SystemId(side as u32 + 1), object: ObjectId(1) }, "f");
    Field {
        id: FieldId(1),
        name: "f".into(),
        kind,
        bindings: (0..sides).map(binding).collect(),
        conflict: policy,
        on_link: LinkPolicy::FillBlanks,
        mismatch: Mismatch::default(),
        sensitive: false,
        shared_domains: None,
        members: Vec::new(),
    }
}

/// The register in the end, when all sides showed `first`, and edits become known in this order: (side, time, value).
fn register(field: &Field, first: &Value, edits: &[Told]) -> (Value, Vec<Fate>) {
    let sides = field.bindings.len();
    let mut state = FieldState::new(field.id);
    let rules = |count: usize| FieldRules {
        policy: &field.conflict,
        coarse_ms: 1,
        field,
        sides: (0..count)
            .map(|side| SideRules {
                rank: side,
                step_ms: 1,
                source: SourceKind::History,
                stray_ms: 0,
                latest: Millis(0),
                ahead_ms: 0,
                binding: &field.bindings[side],
            })
            .collect(),
    };
    let mut fates = Vec::new();
    for side in 0..sides {
        state.sides.push(SideField::new(
            Home { system: SystemId(side as u32 + 1), object: ObjectId(1) },
            Place::at(Millis(0)),
        ));
        state.link(&rules(side + 1), side, first.clone(), Place::at(Millis(0)), Millis(0), &mut fates);
    }
    let rules = rules(sides);
    for (side, time, value) in edits {
        let evidence = Evidence { place: Place::at(Millis(*time)), value: value.clone(), mark: Mark::Theirs };
        state.evidence(&rules, *side, &evidence, false, &mut fates);
        // Forgetting in between changes nothing.
        state.prune(&rules, Millis(1));
    }
    (state.value, fates)
}

/// Every order in which the sides' edits can become known; a side tells its own in their order.
fn orders(left: &[Vec<Told>]) -> Vec<Vec<Told>> {
    if left.iter().all(Vec::is_empty) {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for at in (0..left.len()).filter(|at| !left[*at].is_empty()) {
        let mut rest = left.to_vec();
        let first = rest[at].remove(0);
        for mut tail in orders(&rest) {
            tail.insert(0, first.clone());
            all.push(tail);
        }
    }
    all
}

fn histories() -> impl Strategy<Value = (i64, Vec<Vec<(i64, i64)>>)> {
    let side = prop::collection::vec((1i64..1_000, -1i64..8), 0..3);
    (-1i64..8, prop::collection::vec(side, 2..4))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn edits_give_one_register_value_in_every_order((first, sides) in histories()) {
        for (policy, kind, make) in policies() {
            let field = field(policy, kind, sides.len());
            let told: Vec<Vec<Told>> = sides.iter().enumerate().map(|(side, edits)| {
                // A side's times rise, and no two systems share one.
                let mut time = 0;
                edits.iter().map(|(step, n)| {
                    time += step * 3;
                    (side, time + side as i64, make(*n))
                }).collect()
            }).collect();
            let first = make(first);
            let results: Vec<(Value, Vec<Told>)> =
                orders(&told).into_iter().map(|order| (register(&field, &first, &order).0, order)).collect();
            for (value, order) in &results[1..] {
                prop_assert_eq!(value, &results[0].0, "{:?}: {:?} and {:?}", field.conflict, order, results[0].1);
            }
        }
    }
}

fn forward() -> Field {
    let order: Arc<[String]> = ["new", "open", "won"].map(str::to_owned).into();
    field(ConflictPolicy::ForwardOnly(order), FieldKind::Enum, 2)
}

#[test]
fn a_single_edit_that_goes_back_is_refused_and_journaled() {
    let (value, fates) = register(&forward(), &stage(1), &[(0, 10, stage(0))]);
    assert_eq!(value, stage(1));
    assert!(fates.iter().any(|fate| matches!(fate, Fate::Lost { value, .. } if *value == stage(0))), "{fates:?}");
    let (value, fates) = register(&forward(), &stage(1), &[(0, 10, stage(2))]);
    assert_eq!(value, stage(2));
    assert!(!fates.iter().any(|fate| matches!(fate, Fate::Lost { .. })), "{fates:?}");
}

#[test]
fn a_union_of_concurrent_edits_loses_none_and_is_nobodys_value() {
    let field = field(ConflictPolicy::Union, FieldKind::Set, 2);
    let edits = [(0, 10, Value::set(["a", "b", "c"])), (1, 11, Value::set(["b"]))];
    let (value, fates) = register(&field, &Value::set(["a", "b"]), &edits);
    assert_eq!(value, Value::set(["b", "c"]));
    assert!(!fates.iter().any(|fate| matches!(fate, Fate::Lost { .. })), "{fates:?}");
    let merged = |fate: &Fate| matches!(fate, Fate::Took { to, contested: true, .. } if *to == value);
    assert!(fates.iter().any(merged), "{fates:?}");
}
