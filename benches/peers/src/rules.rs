//! Syncline's merge rules alone: a field's state, its policy, and what the journal is told, without a record, an index or a view around
//! them. What `MemoryView` costs more than this is what the engine does besides merging.

use crate::peer::{Peer, Ready, clock, ready, remote_number};
use crate::world::{Edits, SYSTEMS, home, rules, values_digest};
use std::collections::HashMap;
use std::hint::black_box;
use syncline::merge::{Edit, Fate, FieldRules, FieldState, SideField, SideRules, Turn};
use syncline::model::{Digest, Hlc, Home, Millis, Origin, Place, SourceKind, Stamp, SystemId, Value};
use syncline::rules::Rules;

/// The fields of a record, in the order of their numbers.
type Fields = Box<[FieldState]>;

pub struct MergeRules {
    edits: Edits,
    rules: Rules,
    /// Numbers of the fields, in the order in which the rules have them.
    order: Vec<u32>,
    records: HashMap<i64, Fields>,
    next: Vec<Ready>,
}

impl MergeRules {
    pub fn of(n: usize) -> Self {
        let (edits, rules) = (Edits::of(n), rules());
        let number = |name: &str| name.rsplit('_').next().and_then(|number| number.parse().ok()).expect("a number");
        let fields = &rules.entities[0].fields;
        let order: Vec<u32> = fields.iter().map(|field| number(&field.name)).collect();
        let side = |system: &str, shown: &Value| SideField {
            shown: shown.clone(),
            unbased: false,
            ..SideField::new(home(system), Place::at(at(0)))
        };
        let state = |number: usize, at: usize| {
            let value = Value::Text(edits.value(number, order[at]).into());
            let mut sides: Vec<SideField> = SYSTEMS.iter().map(|system| side(system, &value)).collect();
            sides.sort_by_key(|side| side.system);
            let stamp = Stamp { hlc: Hlc::at(self::at(0)), origin: Origin::Engine };
            FieldState { value, stamp, sides, ..FieldState::new(fields[at].id) }
        };
        let record = |number| (remote_number(number), (0..order.len()).map(|at| state(number, at)).collect());
        let records = (0..n).map(record).collect();
        Self { edits, rules, order, records, next: Vec::new() }
    }

    /// What the rules must know of each field.
    fn surroundings_of(&self, records: &HashMap<i64, Fields>) -> Vec<FieldRules<'_>> {
        let homes = |fields: &Fields| fields[0].sides.iter().map(SideField::home).collect::<Vec<Home>>();
        let homes = records.values().next().map(homes).expect("records");
        let fields = self.rules.entities[0].fields.iter();
        let fields = fields.map(|field| FieldRules {
            policy: &field.conflict,
            coarse_ms: 1,
            field,
            sides: homes
                .iter()
                .map(|home| SideRules {
                    rank: self.rules.rank(home.system),
                    step_ms: 1,
                    source: SourceKind::Polled,
                    stray_ms: 0,
                    latest: Millis(0),
                    ahead_ms: 0,
                    binding: field.binding(*home).expect("it is there"),
                })
                .collect(),
        });
        fields.collect()
    }
}

/// When a round's edits were made.
fn at(round: u64) -> Millis {
    Millis((clock(round) >> 16) as i64)
}

impl Peer for MergeRules {
    fn name(&self) -> &'static str {
        "Syncline, its merge rules alone"
    }

    fn stores(&self) -> &'static str {
        "value, stamp, recent edits and what each side had seen a field; what the journal is to be told"
    }

    fn prepare(&mut self, _: usize, most: usize) {
        self.next = ready(&mut self.edits, most);
    }

    fn merge(&mut self, a_commit: usize) {
        let (place, crm) = (Place::at(at(self.edits.rounds)), SystemId::of(SYSTEMS[0]));
        let next = std::mem::take(&mut self.next).into_iter();
        let mut records = std::mem::take(&mut self.records);
        let rules = self.surroundings_of(&records);
        let mut fates: Vec<Fate> = Vec::new();
        for (number, edited) in next.enumerate() {
            let record = records.get_mut(&edited.remote).expect("loaded");
            for (field, value) in edited.fields {
                let at = self.order.iter().position(|number| *number == field).expect("mapped");
                let ix = record[at].ix(crm).expect("it has that side");
                let edit = Edit { value: Value::Text(value.into()), place, since: None };
                record[at].edit(&rules[at], ix, edit, false, &mut fates);
            }
            if (number + 1) % a_commit == 0 {
                black_box(&fates);
                fates.clear();
            }
        }
        black_box(&fates);
        drop(rules);
        self.records = records;
    }

    /// The other side shows it, and what was kept for that is forgotten.
    fn settle(&mut self) {
        let now = at(self.edits.rounds).plus(1_000);
        let mut records = std::mem::take(&mut self.records);
        let rules = self.surroundings_of(&records);
        for (state, rules) in records.values_mut().flat_map(|fields| fields.iter_mut().zip(&rules)) {
            if state.turn == Turn(0) {
                continue;
            }
            for side in &mut state.sides {
                side.shown = state.value.clone();
                side.settled = Place::at(now);
            }
            state.close(rules, |_| now);
            assert!(state.prune(rules, now), "nothing is kept");
        }
        drop(rules);
        self.records = records;
    }

    fn edits(&self) -> &Edits {
        &self.edits
    }

    fn values(&mut self) -> Digest {
        let (order, records) = (&self.order, &self.records);
        let value = |number: usize, field: u32| {
            let at = order.iter().position(|number| *number == field).expect("mapped");
            match &records[&remote_number(number)][at].value {
                Value::Text(text) => text.to_string(),
                other => panic!("no text: {other:?}"),
            }
        };
        let (value, fields) = (&value, order.len() as u32);
        let numbers = 0..self.edits.versions.len();
        values_digest(numbers.flat_map(|number| (0..fields).map(move |field| value(number, field))))
    }
}
