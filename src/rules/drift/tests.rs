use super::*;
use crate::model::{FieldKind, PropertyType};
use crate::rules::{CreateSpec, EntitySpec, FieldSpec, ValueRow};
use proptest::prelude::*;

fn rules() -> Rules {
    let ability = crate::rules::tests::ability(1);
    let row = |option: &str| ValueRow { is: None, at: vec![("a".into(), option.into()), ("b".into(), option.into())] };
    Rules::builder()
        .system("a", ability.clone())
        .system("b", ability)
        .entity(
            EntitySpec::new("person")
                .at_with_id("a", "people", "our_id")
                .at_with_id("b", "Person", "our_id")
                .match_by("x")
                .create(CreateSpec::Everywhere)
                .field(FieldSpec::new("x", FieldKind::Text).at("a", "x").at("b", "X"))
                .field(
                    FieldSpec::new("stage", FieldKind::Enum)
                        .at("a", "s")
                        .at("b", "S")
                        .value(row("new"))
                        .value(row("old")),
                ),
        )
        .build()
        .unwrap_or_else(|errors| panic!("{errors}"))
}

fn property(name: &str, kind: PropertyType) -> PropertySchema {
    PropertySchema {
        name: name.into(),
        label: name.into(),
        kind,
        writable: true,
        required: false,
        unique: name == "our_id",
        length: None,
        precision: None,
        scale: None,
        refers_to: Vec::new(),
        options: Vec::new(),
        choices: Vec::new(),
    }
}

fn options(name: &str, options: &[&str]) -> PropertySchema {
    let choices = options.iter().map(|option| ((*option).to_owned(), String::new())).collect();
    PropertySchema { choices, ..property(name, PropertyType::Enumeration) }
}

fn people(properties: impl IntoIterator<Item = PropertySchema>) -> ObjectSchema {
    ObjectSchema { object: "people".into(), properties: properties.into_iter().collect() }
}

fn before() -> ObjectSchema {
    let text = |name| property(name, PropertyType::Text);
    people([text("our_id"), text("x"), options("s", &["new", "old"]), text("other"), text("old one")])
}

/// `property word @place: mend` of each.
fn found(now: &[ObjectSchema]) -> Vec<String> {
    let told = drift(&rules(), SystemId::of("a"), &[before()], now);
    let line = |drift: &Drift| {
        let at = drift.at.as_deref().unwrap_or("-");
        let mend = drift.mend.as_deref().map_or("", |mend| if mend.len() > 24 { &mend[..24] } else { mend });
        format!("{} {} @{at}: {mend}", drift.property.as_deref().unwrap_or("-"), drift.what.word())
    };
    told.iter().map(line).collect()
}

#[test]
fn nothing_has_changed() {
    assert_eq!(found(&[before()]), [""; 0]);
    let mut turned = before();
    turned.properties.reverse();
    turned.properties.iter_mut().for_each(|property| property.label = "another".into());
    assert_eq!(found(&[turned]), [""; 0], "neither order nor labels are changes");
}

#[test]
fn an_object_that_is_gone() {
    assert_eq!(found(&[]), ["- removed @entities.person.at.a.object: name an object that is t"]);
}

#[test]
fn what_the_rules_name_comes_first_and_with_a_mend() {
    let text = |name| property(name, PropertyType::Text);
    let x = PropertySchema { writable: false, length: Some(10), ..text("x") };
    let s = options("s", &["new", "won"]);
    let wanted = PropertySchema { required: true, ..text("wanted") };
    let other = property("other", PropertyType::Number);
    assert_eq!(
        found(&[people([x, s, wanted, other])]),
        [
            "our_id removed @entities.person.at.a.external_id: put it back, grant the c",
            "x read_only @entities.person.fields.x.a: grant the credential acc",
            "x size @entities.person.fields.x.a: say length = { a = 10 }",
            "s new_options @entities.person.fields.stage.a: add to `values` a row ea",
            "s lost_options @entities.person.fields.stage.a: take old out of `values`",
            "wanted required @entities.person.at.a.object: add a field with a = \"wa",
            "other retyped @-: ",
            "old one removed @-: ",
            "wanted added @-: ",
        ]
    );
}

#[test]
fn what_was_never_seen_is_no_change_and_what_is_named_no_more_is_nobodys() {
    assert_eq!(drift(&rules(), SystemId::of("a"), &[], &[before()]), []);
    let gone = ObjectSchema { object: "deals".into(), properties: Vec::new() };
    assert_eq!(drift(&rules(), SystemId::of("a"), &[gone], &[before()]), []);
}

fn any_property(name: &'static str) -> impl Strategy<Value = PropertySchema> {
    let kinds = prop::sample::select(vec![PropertyType::Text, PropertyType::Number, PropertyType::Enumeration]);
    let choices = prop::collection::btree_set(prop::sample::select(vec!["a", "b", "c"]), 0..3);
    (kinds, any::<[bool; 2]>(), prop::option::of(1u32..4), choices).prop_map(
        move |(kind, [writable, required], length, choices)| PropertySchema {
            writable,
            required,
            length,
            choices: choices.into_iter().map(|value| (value.to_owned(), String::new())).collect(),
            ..property(name, kind)
        },
    )
}

fn any_object() -> impl Strategy<Value = ObjectSchema> {
    let names = ["our_id", "x", "s", "p", "q"];
    let each = names.map(|name| prop::option::of(any_property(name)));
    each.prop_map(|properties| people(properties.into_iter().flatten()))
}

proptest! {
    /// Nothing is told exactly if nothing has changed; and whatever is told one way is told the other way round.
    #[test]
    fn changes_are_seen_both_ways(one in any_object(), other in any_object()) {
        let (rules, a) = (rules(), SystemId::of("a"));
        let there = drift(&rules, a, std::slice::from_ref(&one), std::slice::from_ref(&other));
        let back = drift(&rules, a, std::slice::from_ref(&other), std::slice::from_ref(&one));
        prop_assert_eq!(there.is_empty(), one == other);
        let added = |drift: &[Drift]| -> Vec<Option<String>> {
            let mut names: Vec<_> = drift.iter().filter(|drift| drift.what == DriftKind::Added).map(|drift| drift.property.clone()).collect();
            names.sort();
            names
        };
        let removed = |drift: &[Drift]| -> Vec<Option<String>> {
            let mut names: Vec<_> = drift.iter().filter(|drift| drift.what == DriftKind::Removed).map(|drift| drift.property.clone()).collect();
            names.sort();
            names
        };
        prop_assert_eq!(added(&there), removed(&back));
        prop_assert_eq!(removed(&there), added(&back));
        // Who is mapped comes first.
        prop_assert!(there.is_sorted_by_key(|drift| drift.at.is_none()));
    }
}
