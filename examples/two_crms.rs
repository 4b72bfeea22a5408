//! The core by itself: two CRMs in memory, no runtime, no network, no file.
//!
//!     cargo run --no-default-features --example two_crms
//!
//! One input at a time goes into [`step`]; what it decides is applied to a view, and what it asks for is carried out.

use std::collections::BTreeMap;
use syncline::engine::*;
use syncline::model::*;
use syncline::rules::{CreateSpec, EntitySpec, FieldSpec, Rules};

/// A CRM: people by id, each with the values of `email` and `city`, in the order of the rules' fields.
type Crm = BTreeMap<String, Vec<Raw>>;

struct Rows(Vec<Vec<Raw>>);

impl RowDecoder for Rows {
    fn decode(&self, at: usize) -> Result<Vec<Raw>, String> {
        Ok(self.0[at].clone())
    }
}

fn rules() -> Rules {
    // Nobody edits while we write, so nothing has to be read once more before.
    let ability = Ability { read_first: false, ..Ability::of(SourceKind::Polled) };
    let field = |name: &str, kind| FieldSpec::new(name, kind).at("sales", name).at("support", name);
    let person = EntitySpec::new("person").at("sales", "people").at("support", "people").match_by("email");
    let person = person.create(CreateSpec::Nowhere);
    let person = person.field(field("email", FieldKind::Email)).field(field("city", FieldKind::Text));
    Rules::builder()
        .system("sales", ability.clone())
        .system("support", ability)
        .entity(person)
        .build()
        .expect("sound rules")
}

/// Reads one CRM in full at a time, and carries out what the engine asks for: here only writes and reads.
fn sync(rules: &Rules, view: &mut MemoryView, crms: &mut BTreeMap<&str, Crm>, pass: Pass, now: i64) {
    let clocks = Clocks { now: Millis(now), offsets: Vec::new() };
    let entity = rules.entities[0].id;
    let feed = |view: &mut MemoryView, input: Input<'_>| {
        let step = step(rules, view, &clocks, input).expect("memory can be read");
        view.apply(&step.changes);
        step.effects
    };
    let timing = Timing { sent: Millis(now), offset: ClockOffset::default() };
    for (name, crm) in crms.iter() {
        let modified = Millis(now - 1);
        let row = |(id, values): (&String, &Vec<Raw>)| {
            let raw = RawDigest(u64::from_be_bytes(
                Digest::of_bytes(format!("{values:?}").as_bytes()).0[..8].try_into().unwrap(),
            ));
            RawRow { remote: RemoteId::parse(id).expect("an id"), modified, raw, mark: Mark::Unknown, who: None }
        };
        let rows: Vec<RawRow> = crm.iter().map(row).collect();
        let decoder = Rows(crm.values().cloned().collect());
        let (home, complete, cursor) = (Home::of(name, "people"), Some(timing), None);
        let page = PageRows { entity, home, pass, rows: &rows, decoder: &decoder, timing, cursor, complete };
        feed(view, Input::Page(page));
    }
    if pass == Pass::Backfill {
        feed(view, Input::Link { entity, after: None, create: false, limit: 100 });
    }
    for (name, crm) in crms.iter_mut() {
        let system = SystemId::of(name);
        for effect in feed(view, Input::Work { entity, system, create: false }) {
            let Effect::Write { items, .. } = effect else { continue };
            for (record, item) in items {
                let Target::Update(remote) = &item.target else { continue };
                let values = crm.get_mut(remote.as_str()).expect("it was read from here");
                for (property, value) in &item.fields {
                    let fields = rules.entities[0].fields_at(Home::of(name, "people"));
                    let at =
                        fields.into_iter().position(|(field, _)| field.name == *property).expect("a field of ours");
                    values[at] = value.clone();
                }
                let done = Outcome::Done { remote: remote.clone(), created: Some(false) };
                let answer = Answer::of(record, &item, done);
                feed(view, Input::Answers(Answers { entity, system, answers: vec![answer] }));
            }
        }
    }
}

/// Runs it.
pub fn main() {
    let (rules, mut view) = (rules(), MemoryView::new());
    let entity = &rules.entities[0];
    let person = |email: &str, city: &str| -> Vec<Raw> {
        let value = |field: &str| Raw::Text(if field == "email" { email } else { city }.into());
        entity.fields.iter().map(|field| value(&field.name)).collect()
    };
    let mut crms: BTreeMap<&str, Crm> = BTreeMap::new();
    crms.entry("sales").or_default().insert("7".into(), person("Ann@Example.com", "Rome"));
    crms.entry("support").or_default().insert("a".into(), person("ann@example.com", ""));

    sync(&rules, &mut view, &mut crms, Pass::Backfill, 10_000);
    let city = |crms: &BTreeMap<&str, Crm>, name: &str, id: &str| {
        let at = entity.fields.iter().position(|field| field.name == "city").unwrap();
        crms[name][id][at].clone()
    };
    assert_eq!(city(&crms, "support", "a"), Raw::Text("Rome".into()), "a blank never beats a value");

    // Somebody edits in support; the next pass carries it over.
    crms.get_mut("support").unwrap().insert("a".into(), person("ann@example.com", "Oslo"));
    for now in [2_000_000, 4_000_000] {
        sync(&rules, &mut view, &mut crms, Pass::Changes, now);
    }
    assert_eq!(city(&crms, "sales", "7"), Raw::Text("Oslo".into()));

    // Why? And what was there before?
    let found = find(&rules, &view, "ann@example.com.city").expect("memory can be read").remove(0);
    for moment in history(&view, found.entity, found.record, FieldId::of("city")).expect("memory can be read") {
        println!("{:?} {}", moment.by, moment.value);
    }
    let wish = Selection { author: Some(SystemId::of("support")), ..Selection::default() };
    let plan = undo(&rules, &view, &wish).expect("memory can be read");
    println!("an undo of support's edits would restore {:?}", plan.restores[0].operation.value);
    assert_eq!(plan.restores[0].operation.value, Value::Text("Rome".into()));
}
