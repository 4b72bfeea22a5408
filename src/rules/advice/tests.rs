use super::*;
use crate::model::Ability;
use crate::rules::{
    ConflictSpec, CreateSpec, Cut, DefaultSpec, EntitySpec, FieldSpec, Join, Limits, Mismatch, TooLong, ValueRow,
};

fn rules(field: FieldSpec) -> Rules {
    let ability = Ability::polled();
    Rules::builder()
        .system("a", ability.clone())
        .system("b", ability)
        .entity(
            EntitySpec::new("person")
                .at_with_id("a", "people", "our_id")
                .at_with_id("b", "Person", "our_id")
                .match_by("x")
                .create(CreateSpec::Everywhere)
                .field(field),
        )
        .build()
        .unwrap_or_else(|errors| panic!("{errors}"))
}

fn field(kind: FieldKind) -> FieldSpec {
    FieldSpec::new("x", kind).at("a", "x").at("b", "X")
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

/// What is found in system a, whose object has our id and `properties`: `[severity] at: message; mend`.
fn found(field: FieldSpec, properties: impl IntoIterator<Item = PropertySchema>) -> Vec<String> {
    let mut all = vec![property("our_id", PropertyType::Text)];
    for property in properties {
        all.retain(|other| other.name != property.name);
        all.push(property);
    }
    let object = ObjectSchema { object: "people".into(), properties: all };
    let findings = check_schema(&rules(field), SystemId::of("a"), &[object]);
    findings.iter().map(|f| format!("[{:?}] {}: {}; {}", f.severity, f.at, f.message, f.mend)).collect()
}

fn check(found: &[String], wanted: &[&[&str]]) {
    assert_eq!(found.len(), wanted.len(), "{found:#?}");
    for (found, parts) in found.iter().zip(wanted) {
        parts.iter().for_each(|part| assert!(found.contains(part), "{part:?} in {found}"));
    }
}

#[test]
fn what_fits_is_silent() {
    check(&found(field(FieldKind::Text), [property("x", PropertyType::Text)]), &[]);
}

#[test]
fn a_missing_object_or_property_is_an_error() {
    let findings = check_schema(&rules(field(FieldKind::Text)), SystemId::of("a"), &[]);
    assert_eq!(findings.len(), 1);
    assert_eq!((findings[0].severity, &*findings[0].at), (Severity::Error, "entities.person.at.a.object"));
    check(
        &found(
            FieldSpec::new("x", FieldKind::Text).at("a", "frstname").at("b", "X"),
            [property("firstname", PropertyType::Text)],
        ),
        &[&["[Error] entities.person.fields.x.a:", "no property `frstname`", "did you mean `firstname`?"]],
    );
}

#[test]
fn a_property_that_cannot_be_written_can_still_be_owned() {
    let read_only = || PropertySchema { writable: false, ..property("x", PropertyType::Text) };
    check(&found(field(FieldKind::Text), [read_only()]), &[&["[Error]", "cannot be written", "\"a owns\""]]);
    check(&found(field(FieldKind::Text).conflict(ConflictSpec::Owns("a".into())), [read_only()]), &[]);
}

#[test]
fn our_external_id_is_unique_text() {
    let x = || property("x", PropertyType::Text);
    let id = || property("our_id", PropertyType::Text);
    let object = ObjectSchema { object: "people".into(), properties: vec![x()] };
    let missing = check_schema(&rules(field(FieldKind::Text)), SystemId::of("a"), &[object]);
    assert!(missing.len() == 1 && missing[0].message.contains("is not there"), "{missing:?}");
    for (id, part) in [
        (PropertySchema { unique: false, ..id() }, "not unique"),
        (PropertySchema { kind: PropertyType::Number, ..id() }, "is no text"),
        (PropertySchema { writable: false, ..id() }, "cannot be written"),
    ] {
        check(&found(field(FieldKind::Text), [x(), id]), &[&["[Error] entities.person.at.a.external_id", part]]);
    }
}

#[test]
fn types_must_fit() {
    for (kind, property_type, wanted) in [
        (FieldKind::Decimal { scale: None }, PropertyType::Number, None),
        (FieldKind::Decimal { scale: None }, PropertyType::Text, Some("[Warning]")),
        (FieldKind::Text, PropertyType::Number, Some("[Error]")),
        (FieldKind::Date, PropertyType::DateTime, Some("midnight UTC")),
        (FieldKind::DateTime { step_ms: 1 }, PropertyType::Date, Some("[Error]")),
        (FieldKind::Bool, PropertyType::Date, Some("use type \"date\"")),
        (FieldKind::Enum, PropertyType::MultiEnumeration, Some("[Error]")),
    ] {
        let found = found(field(kind.clone()), [property("x", property_type)]);
        match wanted {
            Some(part) => check(&found, &[&[part]]),
            None => check(&found, &[]),
        }
    }
}

#[test]
fn a_value_map_and_the_options_name_each_other() {
    let options = vec!["new".to_owned(), "won".to_owned(), "lost".to_owned()];
    let x = PropertySchema { options, ..property("x", PropertyType::Enumeration) };
    let field = field(FieldKind::Enum)
        .value(ValueRow::default().at("a", "new").at("b", "New"))
        .value(ValueRow::default().at("a", "wonn").at("b", "Won"));
    check(
        &found(field, [x]),
        &[&["[Error]", "no option `wonn`", "did you mean `won`?"], &["[Warning]", "leaves out a's won, lost"]],
    );
}

/// A value map whose rows name a's and b's options, the first of a meaning being the one that is written.
fn mapped(rows: &[(&str, &str)]) -> FieldSpec {
    rows.iter().fold(field(FieldKind::Enum), |field, (a, b)| field.value(ValueRow::default().at("a", *a).at("b", *b)))
}

fn enumeration(name: &str, options: &[&str]) -> PropertySchema {
    let choices = options.iter().map(|option| ((*option).to_owned(), (*option).to_owned())).collect();
    let options = options.iter().map(|option| (*option).to_owned()).collect();
    PropertySchema { options, choices, ..property(name, PropertyType::Enumeration) }
}

/// As [`found`] in system b, beside what system a says.
fn found_beside(field: FieldSpec, a: PropertySchema, b: PropertySchema) -> Vec<String> {
    let object = |name: &str, x| ObjectSchema {
        object: name.into(),
        properties: vec![property("our_id", PropertyType::Text), x],
    };
    let said = [(SystemId::of("a"), vec![object("people", a)]), (SystemId::of("b"), vec![object("Person", b)])];
    let findings = check_schema_beside(&rules(field), SystemId::of("b"), &said[1].1, &said);
    findings.iter().map(|f| format!("[{:?}] {}: {}; {}", f.severity, f.at, f.message, f.mend)).collect()
}

#[test]
fn a_row_that_is_only_read_may_name_an_option_that_is_gone() {
    let rows = mapped(&[("new", "New"), ("new", "Old New"), ("won", "Won")]);
    let b = || enumeration("X", &["New", "Won"]);
    let a = || enumeration("x", &["new", "won"]);
    check(&found_beside(rows.clone(), a(), b()), &[&["[Warning]", "no option `Old New`", "never applies"]]);
    // The first of a meaning is written; where nothing is written, none is.
    let b = || enumeration("X", &["Old New", "Won"]);
    check(&found_beside(rows.clone(), a(), b()), &[&["[Error]", "no option `New`"]]);
    check(&found_beside(rows.conflict(ConflictSpec::Owns("b".into())), a(), b()), &[&["[Warning]", "no option `New`"]]);
}

#[test]
fn options_without_a_row_are_told_with_the_nearest_one() {
    let field_ = mapped(&[("new", "New")]);
    let (a, b) = (enumeration("x", &["new", "closedwon"]), enumeration("X", &["New", "Closed Won", "Far"]));
    check(
        &found_beside(field_, a, b),
        &[&["[Warning]", "leaves out b's Closed Won, Far", "nearest: { b = \"Closed Won\", a = \"closedwon\" }"]],
    );
}

#[test]
fn without_a_value_map_the_options_of_both_systems_are_compared() {
    let (a, b) = (enumeration("x", &["new", "CLOSED_WON"]), enumeration("X", &["new", "Closed Won"]));
    check(
        &found_beside(field(FieldKind::Enum), a, b),
        &[&[
            "[Warning]",
            "b's `X` has no option for a's CLOSED_WON",
            "values = [{ a = \"CLOSED_WON\", b = \"Closed Won\" }]",
        ]],
    );
    let same = |name: &str| enumeration(name, &["new", "won"]);
    check(&found_beside(field(FieldKind::Enum), same("x"), same("X")), &[]);
}

#[test]
fn defaults_must_be_storable() {
    let default = |text: &str| DefaultSpec::Everywhere(Raw::Text(text.into()));
    let short = PropertySchema { length: Some(3), ..property("x", PropertyType::Text) };
    check(&found(field(FieldKind::Text).default(default("long")), [short.clone()]), &[&["[Error]", "longer than"]]);
    check(&found(field(FieldKind::Text).default(default("ok")), [short]), &[]);
    let options = PropertySchema { options: vec!["new".into()], ..property("x", PropertyType::Enumeration) };
    check(&found(field(FieldKind::Enum).default(default("old")), [options]), &[&["[Error]", "is no option"]]);
}

#[test]
fn what_a_create_needs_has_a_source() {
    let required = |name: &str| PropertySchema { required: true, ..property(name, PropertyType::Text) };
    let x = || property("x", PropertyType::Text);
    check(
        &found(field(FieldKind::Text), [x(), required("y")]),
        &[&["[Error] entities.person.at.a.object", "wants `y`", "a = \"y\""]],
    );
    check(&found(field(FieldKind::Text), [required("x")]), &[&["[Warning]", "wants `x`", "add default"]]);
    let default = DefaultSpec::Everywhere(Raw::Text("?".into()));
    check(&found(field(FieldKind::Text).default(default), [required("x"), required("our_id")]), &[]);
    // Where every other system wants it, too, no record comes without it.
    check(&found_beside(field(FieldKind::Text), required("x"), required("X")), &[]);
    check(&found_beside(field(FieldKind::Text), x(), required("X")), &[&["[Warning]", "wants `X`"]]);
}

#[test]
fn constants_are_a_source_and_must_be_storable() {
    let found = |constants: &[(&str, Raw)], property: PropertySchema| {
        let mut rules = rules(field(FieldKind::Text));
        let binding = rules.entities[0].bindings.iter_mut().find(|binding| binding.object == "people").unwrap();
        binding.on_create = constants.iter().map(|(name, raw)| ((*name).to_owned(), raw.clone())).collect();
        let properties =
            vec![self::property("x", PropertyType::Text), self::property("our_id", PropertyType::Text), property];
        check_schema(&rules, SystemId::of("a"), &[ObjectSchema { object: "people".into(), properties }])
            .iter()
            .map(|finding| format!("[{:?}] {}: {}; {}", finding.severity, finding.at, finding.message, finding.mend))
            .collect::<Vec<_>>()
    };
    let text = |text: &str| Raw::Text(text.into());
    let required = |kind| PropertySchema { required: true, ..property("y", kind) };
    check(&found(&[("y", text("ok"))], required(PropertyType::Text)), &[]);
    check(&found(&[("y", Raw::Number("1.5".into()))], required(PropertyType::Number)), &[]);
    check(&found(&[], required(PropertyType::Text)), &[&["[Error]", "wants `y`", "`on_create`"]]);
    check(
        &found(&[("y", text("few"))], property("y", PropertyType::Number)),
        &[&["[Error]", "a number, which `few` is not"]],
    );
    check(
        &found(&[("yy", text("ok"))], property("y", PropertyType::Text)),
        &[&["at.a.on_create.yy", "no property `yy`", "`y`"]],
    );
    let fixed = PropertySchema { writable: false, ..property("y", PropertyType::Text) };
    check(&found(&[("y", text("ok"))], fixed), &[&["[Error]", "cannot be written", "take it away"]]);
    let short = PropertySchema { length: Some(3), ..property("y", PropertyType::Text) };
    check(&found(&[("y", text("long"))], short), &[&["[Error]", "`long` is longer"]]);
    let choice = || PropertySchema { options: vec!["new".into()], ..property("y", PropertyType::Enumeration) };
    check(&found(&[("y", text("old"))], choice()), &[&["[Error]", "`old` is no option", "use one of new"]]);
    check(&found(&[("y", text("new"))], choice()), &[]);
}

#[test]
fn of_a_text_in_several_properties_each_is_checked() {
    let name = || {
        FieldSpec::new("x", FieldKind::Text)
            .at_several("a", ["x", "y"])
            .at("b", "X")
            .join(Join { separator: " ".into(), cut: Cut::Last })
    };
    let both = |property: PropertySchema| found(name(), [self::property("x", PropertyType::Text), property]);
    check(&both(property("y", PropertyType::Text)), &[]);
    check(&both(property("z", PropertyType::Text)), &[&["fields.x.a", "no property `y`"]]);
    check(&both(property("y", PropertyType::Number)), &[&["`y` is a number"]]);
    // A lone word goes to the last one, so that one is not blank unless all are.
    let required = |name: &str| PropertySchema { required: true, ..property(name, PropertyType::Text) };
    check(&both(required("y")), &[&["[Warning]", "wants `y`", "add default"]]);
    check(
        &found(name(), [required("x"), property("y", PropertyType::Text)]),
        &[&["wants `x`", "split at the other end"]],
    );
}

#[test]
fn limits_are_no_more_than_what_is_held() {
    let short = || PropertySchema { length: Some(80), ..property("x", PropertyType::Text) };
    let limit = |length| Limits { length: Some(length), ..Limits::default() };
    let cut = || Mismatch { too_long: TooLong::Truncate, ..Mismatch::default() };
    check(&found(field(FieldKind::Text).limit("a", limit(80)), [short()]), &[]);
    check(
        &found(field(FieldKind::Text).limit("a", limit(81)), [short()]),
        &[&["[Warning]", "holds 80 characters", "`length` of 81", "length = { a = 80 }"]],
    );
    check(
        &found(field(FieldKind::Text).limit("b", limit(9)).mismatch(cut()), [short()]),
        &[&["[Warning]", "where to cut", "add length = { a = 80 }"]],
    );
    // What the other system can hold at most, needs no cutting here.
    let at = |name: &str, length| PropertySchema { length, ..property(name, PropertyType::Text) };
    let long =
        |a, b| found_beside(field(FieldKind::Text).limit("a", limit(70)).mismatch(cut()), at("x", a), at("X", b));
    check(&long(Some(80), Some(80)), &[]);
    check(&long(Some(81), Some(80)), &[&["[Warning]", "where to cut", "add length = { b = 80 }"]]);
    check(&long(None, Some(80)), &[&["[Warning]", "where to cut"]]);
    let number = PropertySchema { precision: Some(18), scale: Some(2), ..property("x", PropertyType::Number) };
    let limits = Limits { precision: Some(19), scale: Some(3), ..Limits::default() };
    check(
        &found(field(FieldKind::Decimal { scale: None }).limit("a", limits), [number]),
        &[&["holds 18 digits,"], &["holds 2 digits after"]],
    );
    let choice = || PropertySchema { options: vec!["new".into()], ..property("x", PropertyType::Enumeration) };
    let options = Limits { options: vec!["nwe".into()], ..Limits::default() };
    check(
        &found(field(FieldKind::Enum).limit("a", options), [choice()]),
        &[&["no option `nwe`", "did you mean `new`?"]],
    );
}

fn learned_from(field: FieldSpec, schema: ObjectSchema) -> Vec<Option<u32>> {
    let mut rules = rules(field);
    let before = rules.fingerprint();
    rules.learn(SystemId::of("a"), &[schema]);
    assert_eq!(rules.fingerprint(), before);
    let field = &rules.entities[0].fields[0];
    field.bindings.iter().map(|binding| binding.limits.length).collect()
}

#[test]
fn lengths_are_learned_where_nothing_is_stated() {
    let schema = |length| ObjectSchema {
        object: "people".into(),
        properties: vec![PropertySchema { length: Some(length), ..property("x", PropertyType::Text) }],
    };
    let learned = |field: FieldSpec| learned_from(field, schema(80));
    let stated = |length| Limits { length: Some(length), ..Limits::default() };
    let cut = Mismatch { too_long: TooLong::Truncate, ..Mismatch::default() };
    assert_eq!(learned(field(FieldKind::Text)), [Some(80), None]);
    assert_eq!(learned(field(FieldKind::Text).limit("a", stated(9))), [Some(9), None]);
    assert_eq!(learned(field(FieldKind::Text).limit("b", stated(9)).mismatch(cut)), [None, Some(9)]);
    assert_eq!(learned(field(FieldKind::Date)), [None, None]);
    let mut required = schema(80);
    required.properties[0].required = true;
    assert_eq!(learned_from(field(FieldKind::Text), required), [None, None]);
}

#[test]
fn transforms_are_tried_on_samples() {
    let tried = |kind, steps: Vec<Transform>| {
        let findings = check_transforms(&rules(field(kind).transform("b", steps)));
        findings.iter().map(|f| format!("[{:?}] {}: {}; {}", f.severity, f.at, f.message, f.mend)).collect::<Vec<_>>()
    };
    check(&tried(FieldKind::Text, vec![Transform::Prefix("C-".into())]), &[]);
    check(&tried(FieldKind::Decimal { scale: Some(2) }, vec![Transform::Times { power: 2 }]), &[]);
    check(&tried(FieldKind::Date, vec![Transform::Shift { ms: 86_400_000 }]), &[]);
    check(
        &tried(FieldKind::Text, vec![Transform::Upper]),
        &[&["[Warning] entities.person.fields.x.transform.b:", "`Ann` comes back from b as `ANN`", "large and small"]],
    );
    let replace = |from: &str, to: &str| Transform::Replace { from: from.into(), to: to.into() };
    check(
        &tried(FieldKind::Text, vec![replace("-", "_")]),
        &[&["`a_b` comes back from b as `a-b`", "which of the two"]],
    );
    // What b shows reads as "a", which is written there as "b", which reads as another one.
    let drifts = tried(FieldKind::Text, vec![replace("a", "b"), replace("b", "c")]);
    assert!(drifts.iter().any(|finding| finding.contains("comes back")), "{drifts:?}");
}
