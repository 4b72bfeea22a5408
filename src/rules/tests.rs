use super::*;
use crate::model::{Raw, RemoteId};
use proptest::prelude::*;

pub(super) fn ability(resolution_ms: i64) -> Ability {
    Ability { resolution_ms, ..Ability::polled() }
}

fn builder(fields: impl IntoIterator<Item = FieldSpec>) -> RulesBuilder {
    let mut entity = EntitySpec::new("person")
        .at_with_id("a", "people", "our_id")
        .at_with_id("b", "Person", "our_id")
        .match_by("email")
        .field(FieldSpec::new("email", FieldKind::Email).at("a", "email").at("b", "Email"));
    for field in fields {
        entity = entity.field(field);
    }
    Rules::builder().system("a", ability(1)).system("b", ability(1000)).entity(entity)
}

fn stage(rows: &[(Option<&str>, &str, &str)]) -> FieldSpec {
    rows.iter().fold(FieldSpec::new("stage", FieldKind::Enum).at("a", "stage").at("b", "Stage"), |field, row| {
        let (is, a, b) = *row;
        let cells = [("a", a), ("b", b)].into_iter().filter(|(_, option)| !option.is_empty());
        let at = cells.map(|(system, option)| (system.to_owned(), option.to_owned())).collect();
        field.value(ValueRow { is: is.map(str::to_owned), at })
    })
}

fn faults(builder: RulesBuilder) -> Vec<(String, Fault)> {
    builder.build().err().map_or_else(Vec::new, |errors| errors.0.into_iter().map(|e| (e.at, e.fault)).collect())
}

#[test]
fn several_options_may_have_one_meaning() {
    let rows = [(None, "new", "New"), (None, "mid", "Middle"), (None, "mid", "Half"), (Some("end"), "end", "New")];
    let rules = builder([stage(&rows)]).build().unwrap();
    let field = rules.entities[0].fields.iter().find(|field| field.name == "stage").unwrap();
    let b = field.first_in(SystemId::of("b")).unwrap();
    let read = |text: &str| field.read(b, &[Raw::Text(text.into())]).map(|value| value.to_string());
    assert_eq!(read("Half").as_deref(), Ok("mid"));
    assert_eq!(read("New").as_deref(), Ok("new"), "the first row that names the value");
    assert_eq!(
        field.write(b, &Value::Enum("mid".into())),
        Ok(vec![Raw::Text("Middle".into())]),
        "the first row of the name"
    );
    assert_eq!(field.project(b, &Value::Enum("end".into())), Value::Enum("new".into()));
}

#[test]
fn a_value_map_that_would_write_by_itself_is_refused() {
    // b's Q reads as m, is written as P, and reads as z.
    let rows = [(Some("z"), "z", "P"), (Some("m"), "m", "P"), (Some("m"), "m2", "Q")];
    assert!(matches!(&faults(builder([stage(&rows)]))[..], [(at, Fault::ValueDrifts { .. })]
        if at == "entities.person.fields.stage.values"));
    let alone = faults(builder([stage(&[(None, "new", "")])]));
    assert!(matches!(&alone[..], [(_, Fault::ValueAlone { found: 1 })]), "{alone:?}");
}

#[test]
fn what_names_nothing_is_found() {
    let field = |name: &str| FieldSpec::new(name, FieldKind::Text).at("a", name).at("b", name);
    let three = builder([]).system("c", ability(1));
    for (builder, at, part) in [
        (builder([field("x").conflict(ConflictSpec::Owns("z".into()))]), "fields.x.conflict", "no system is named `z`"),
        (builder([field("email")]), "fields.email", "a field `email` is there twice"),
        (builder([field("x").at("a", "y")]), "fields.x.a", "system `a` is there twice"),
        (
            three.clone().conflict(ConflictSpec::Owns("c".into())),
            "email.conflict",
            "names c, but the field has no property",
        ),
        (builder([field("x").conflict(ConflictSpec::Max)]), "fields.x.conflict", "about values of type `text`"),
        (builder([]).conflict(ConflictSpec::Union), "email.conflict", "about values of type `email`"),
        (
            builder(
                [stage(&[(Some("m"), "m", "P")]).conflict(ConflictSpec::ForwardOnly(vec!["m".into(), "n".into()]))],
            ),
            "fields.stage.conflict",
            "`n`, which the value map does not know",
        ),
        (
            three.clone().entity(EntitySpec::new("p").at("a", "people").at("c", "p")),
            "p.at.a.object",
            "belongs to the entity",
        ),
        (three.entity(EntitySpec::new("p").at("a", "x")), "entities.p", "lives in 1 system,"),
        (builder([]).system("a", ability(1)), "systems.a", "a system `a` is there twice"),
        (builder([]).rank(["a", "a"]), "rank[1]", "twice"),
        (builder([field("x").default(DefaultSpec::Everywhere(Raw::Null))]), "x.default", "blank"),
        (Rules::builder().system("a", ability(1)), "systems", "there is one system"),
    ] {
        let errors = builder.build().unwrap_err();
        let found = errors.0.iter().any(|error| error.at.ends_with(at) && error.fault.to_string().contains(part));
        assert!(found, "{at}: {errors}");
    }
}

#[test]
fn an_inherited_preference_for_another_system_is_left_out() {
    let rules = builder([])
        .system("c", ability(1))
        .conflict(ConflictSpec::Prefer("c".into()))
        .on_link(LinkSpec::Prefer("c".into()))
        .build()
        .unwrap();
    let email = &rules.entities[0].fields[0];
    assert_eq!((&email.conflict, email.on_link), (&ConflictPolicy::Latest, LinkPolicy::FillBlanks));
}

#[test]
fn names_whose_ids_collide_are_refused() {
    // Found by search: two names with one 32-bit id.
    let mut seen = std::collections::HashMap::new();
    let pair = (0..1_000_000u32).find_map(|n| {
        let name = format!("f{n}");
        seen.insert(FieldId::of(&name), n).map(|other| (format!("f{other}"), name))
    });
    let (one, other) = pair.expect("among a million names two share 32 bits");
    let field = |name: &str| FieldSpec::new(name, FieldKind::Text).at("a", name).at("b", name);
    let faults = faults(builder([field(&one), field(&other)]));
    assert!(matches!(&faults[..], [(_, Fault::SameId { .. })]), "{faults:?}");
}

#[test]
fn records_are_created_where_told_or_where_a_key_is_sure() {
    let created = |builder: RulesBuilder| {
        let rules = builder.build().unwrap();
        rules.entities[0].bindings.iter().map(|binding| binding.create).collect::<Vec<_>>()
    };
    let deal = |create: Option<CreateSpec>| {
        let mut deal = EntitySpec::new("deal")
            .at_with_id("a", "deals", "id")
            .at_with_id("b", "Deal", "id")
            .match_by("name")
            .field(FieldSpec::new("name", FieldKind::Text).at("a", "name").at("b", "Name"));
        deal.create = create;
        Rules::builder().system("a", ability(1)).system("b", ability(1)).entity(deal)
    };
    assert_eq!(created(builder([])), [true, true]);
    assert_eq!(created(deal(None)), [false, false]);
    assert_eq!(created(deal(Some(CreateSpec::Everywhere))), [true, true]);
    assert_eq!(created(deal(Some(CreateSpec::At(vec!["b".into()])))), [false, true]);
    assert_eq!(created(deal(Some(CreateSpec::Nowhere))), [false, false]);
}

#[test]
fn a_moment_has_the_coarsest_step_and_follows_the_connectors() {
    let field = FieldSpec::new("at", FieldKind::DateTime { step_ms: 7 }).at("a", "at").at("b", "At");
    let mut rules = builder([field]).build().unwrap();
    let step = |rules: &Rules| rules.entities[0].fields.iter().find(|f| f.name == "at").map(|f| f.kind.clone());
    assert_eq!(step(&rules), Some(FieldKind::DateTime { step_ms: 1000 }));
    rules.set_ability(SystemId::of("b"), ability(1));
    assert_eq!(step(&rules), Some(FieldKind::DateTime { step_ms: 1 }));
}

#[test]
fn the_fingerprint_tells_a_mapping_from_a_policy() {
    let fingerprint = |builder: RulesBuilder| builder.build().unwrap().fingerprint();
    let text = |property: &str| FieldSpec::new("x", FieldKind::Text).at("a", property).at("b", "X");
    let base = fingerprint(builder([text("x")]));
    assert_eq!(base, fingerprint(builder([text("x")]).rank(["b"]).conflict(ConflictSpec::Prefer("a".into()))));
    assert_ne!(base, fingerprint(builder([text("y")])));
    assert_ne!(base, fingerprint(builder([])));
    assert_ne!(base, fingerprint(builder([text("x").default(DefaultSpec::Everywhere(Raw::Text("?".into())))])));
}

#[test]
fn a_limit_counts_in_the_fingerprint_where_it_bends_values() {
    let fingerprint = |field: FieldSpec| builder([field]).build().unwrap().fingerprint();
    let text = || FieldSpec::new("x", FieldKind::Text).at("a", "x").at("b", "X");
    let length = |length| text().limit("b", Limits { length: Some(length), ..Limits::default() });
    let cut = || Mismatch { too_long: TooLong::Truncate, ..Mismatch::default() };
    assert_eq!(fingerprint(text()), fingerprint(length(7)), "whoever raises it need not start again");
    assert_ne!(fingerprint(text()), fingerprint(length(7).mismatch(cut())));
    assert_ne!(fingerprint(length(8).mismatch(cut())), fingerprint(length(7).mismatch(cut())));
    let option = || FieldSpec::new("x", FieldKind::Enum).at("a", "x").at("b", "X");
    let unknown = |unknown| fingerprint(option().mismatch(Mismatch { unknown, ..Mismatch::default() }));
    let all = [unknown(Unknown::Refuse), unknown(Unknown::Pass), unknown(Unknown::As("y".into()))];
    assert_eq!(fingerprint(option()), all[0]);
    assert!(all[0] != all[1] && all[1] != all[2] && all[0] != all[2]);
}

proptest! {
    /// What the checks let pass keeps the promise that reading leans on: what a side shows is its own projection.
    #[test]
    fn no_read_starts_a_write(rows in prop::collection::vec(
        (prop::option::of("[xyz]"), "[pqr]?", "[PQR]?"), 1..6,
    )) {
        let rows: Vec<_> = rows.iter().map(|(is, a, b)| (is.as_deref(), a.as_str(), b.as_str())).collect();
        if let Ok(rules) = builder([stage(&rows)]).build() {
            let field = rules.entities[0].fields.iter().find(|field| field.name == "stage").unwrap();
            for binding in &field.bindings {
                for (canonical, theirs) in &binding.values {
                    let value = field.read(binding, &[Raw::Text(theirs.as_str().into())]).unwrap();
                    prop_assert_eq!(field.project(binding, &value), value);
                    let once = field.project(binding, &Value::Enum(canonical.clone().into()));
                    prop_assert_eq!(field.project(binding, &once), once);
                }
            }
        }
    }
}

#[test]
fn the_address_of_a_record_is_told_by_object_and_only_what_is_stated_is_a_part_of_the_mapping() {
    let link = FieldSpec::new("link", FieldKind::Url).at("a", "link").record_url_of("b", OneWayEdits::Keep);
    let mut rules = builder([link.clone()]).build().unwrap();
    let stated = builder([link]).record_url("b", "Person", "https://x.example/{id}").build().unwrap();
    assert_ne!(rules.fingerprint(), stated.fingerprint());
    let theirs = SystemId::of("b");
    assert_eq!((rules.record_urls_wanted(theirs).len(), stated.record_urls_wanted(theirs).len()), (1, 0));
    let home = rules.record_urls_wanted(theirs)[0].0;
    let before = rules.fingerprint();
    rules.set_record_url(home, "https://y.example/{id}/view");
    assert_eq!(rules.fingerprint(), before, "the account's, like its users");
    let field = rules.entities[0].field(FieldId::of("link")).unwrap();
    let url = field.binding(home).and_then(|at| at.record_url.as_ref()?.of(&RemoteId::parse("003").unwrap()));
    assert_eq!(url, Some(Raw::Text("https://y.example/003/view".into())));
    assert_eq!(rules.record_url_of(field), Some(theirs));
    assert!(!field.conflict.writes_to(theirs));
}
