//! Syncline keeps CRMs equal: a replication core to embed, and one binary that holds HubSpot and Salesforce in true two-way
//! sync.
//!
//! Each record is mirrored as one last-writer-wins register per field, stamped by a hybrid logical clock. Changes are found
//! by comparing content hashes of what each remote shows with what the mirror knows, merged in the mirror, and written to
//! the remotes that are behind. Deciding is a pure function, [`engine::step`]: a view of the store, the time and one input
//! go in; changes to commit and effects to carry out come back.
//!
//! The layers, lowest first; each imports only those before it: [`model`] (the nouns), [`rules`] (the compiled config),
//! [`merge`] (who wins, and why), [`engine`] (the machine), [`store`] (redb), [`connector`] (the remote systems), and with
//! their features `daemon`, `sandbox`, `sim` and `cli`.
//!
//! Two CRMs that know the same person, linked by e-mail, without a runtime or a network:
//!
//! ```
//! use syncline::engine::{Clocks, Effect, Input, MemoryView, PageRows, Pass, step};
//! use syncline::model::*;
//! use syncline::rules::{EntitySpec, FieldSpec, Rules};
//!
//! struct Row(Vec<Raw>);
//! impl RowDecoder for Row {
//!     fn decode(&self, _: usize) -> Result<Vec<Raw>, String> {
//!         Ok(self.0.clone())
//!     }
//! }
//!
//! // Nobody edits while we write, so nothing has to be read once more before.
//! let ability = Ability { read_first: false, ..Ability::of(SourceKind::Polled) };
//! let text = |name: &str, kind| FieldSpec::new(name, kind).at("one", name).at("two", name);
//! let person = EntitySpec::new("person").at("one", "people").at("two", "people").match_by("email");
//! let person = person.field(text("email", FieldKind::Email)).field(text("phone", FieldKind::Phone));
//! let rules = Rules::builder()
//!     .system("one", ability.clone())
//!     .system("two", ability)
//!     .entity(person)
//!     .build()
//!     .expect("the rules are sound");
//!
//! let (mut view, entity) = (MemoryView::new(), rules.entities[0].id);
//! let mut feed = |input: Input<'_>, now| {
//!     let clocks = Clocks { now: Millis(now), offsets: Vec::new() };
//!     let step = step(&rules, &view, &clocks, input).expect("memory can be read");
//!     view.apply(&step.changes);
//!     step.effects
//! };
//! for (system, phone) in [("one", "+1 (415) 555-0123"), ("two", "")] {
//!     let values = [Raw::Text("Ann@Example.com".into()), Raw::Text(phone.into())];
//!     // Values come in the order of the entity's fields in that object.
//!     let home = Home::of(system, "people");
//!     let order = rules.entities[0].fields_at(home).map(|(field, _)| usize::from(field.name == "phone"));
//!     let decoder = Row(order.map(|at| values[at].clone()).collect());
//!     let remote = RemoteId::parse("7").unwrap();
//!     let row = RawRow { remote, modified: Millis(500), raw: RawDigest(1), mark: Mark::Unknown, who: None };
//!     let timing = Timing { sent: Millis(1_000), offset: ClockOffset::default() };
//!     let page = PageRows {
//!         entity, home, pass: Pass::Backfill, rows: &[row], decoder: &decoder, timing,
//!         cursor: None, complete: Some(timing),
//!     };
//!     feed(Input::Page(page), 1_000);
//! }
//! feed(Input::Link { entity, after: None, create: true, limit: 100 }, 2_000);
//! let effects = feed(Input::Work { entity, system: SystemId::of("two"), create: true }, 3_000);
//!
//! // A blank never beats a value: the phone goes to the side that lacks it, in canonical form.
//! let [Effect::Write { items, .. }] = &effects[..] else { panic!("one write is due: {effects:?}") };
//! assert_eq!(items[0].1.fields, [("phone".to_owned(), Raw::Text("+14155550123".into()))]);
//! ```
#![forbid(unsafe_code)]

#[cfg(feature = "cli")]
pub mod cli;
pub mod codec;
pub mod connector;
#[cfg(feature = "daemon")]
pub mod daemon;
#[cfg(feature = "defects")]
pub mod defects;
pub mod engine;
#[doc(hidden)]
pub mod fuzzing;
pub mod merge;
pub mod model;
pub mod rules;
#[cfg(feature = "sandbox")]
pub mod sandbox;
#[cfg(feature = "sim")]
pub mod sim;
pub mod store;

/// Is this planted defect switched on? Only with the feature `defects`, and only in the thread that asked for it.
#[cfg(feature = "defects")]
macro_rules! defect {
    ($name:literal) => {
        $crate::defects::on($name)
    };
}
#[cfg(not(feature = "defects"))]
macro_rules! defect {
    ($name:literal) => {
        false
    };
}
pub(crate) use defect;
