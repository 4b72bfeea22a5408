use super::*;
use crate::model::{Decimal, FieldId, FieldKind, Raw, SystemId, Value};
use crate::rules::{ConflictPolicy, Limits, LinkPolicy, Mismatch, Mode, OneWayEdits, TooFine, TooLong, Unknown};
use proptest::prelude::*;
use std::time::Duration;

/// A sound config; tests replace a piece of it.
const SOUND: &str = r#"rank = ["salesforce"]
on_link = "fill blanks"
[store]
path = "data/x.redb"
[systems.hubspot]
kind = "hubspot"
token = "env:HUBSPOT_TOKEN"
app_id = 77
[systems.salesforce]
url = "https://a.my.salesforce.com/"
token = "file:secrets/sf"
version = "62.0"
mode = "read"
overlap = "2m"
[run]
interval = "250ms"
[entities.person]
match = ["email"]
conflict = "prefer salesforce"
at.hubspot = { object = "contacts" }
at.salesforce = { object = "Contact", external_id = "Our_Id__c" }
[entities.person.fields]
email = { type = "email", hubspot = "email", salesforce = "Email" }
born = { type = "datetime", hubspot = "born", salesforce = "Born__c", conflict = "hubspot owns" }
pay = { type = "decimal", scale = 2, hubspot = "pay", salesforce = "Pay__c", default = 0.50 }
stage = { type = "enum", hubspot = "stage", salesforce = "Stage__c", default = { salesforce = "Done" }, values = [{ hubspot = "new", salesforce = "New" }, { hubspot = "end", salesforce = "Done" }] }
"#;

#[test]
fn a_config_becomes_rules_and_settings() {
    let config = parse(SOUND, Path::new("/etc/sync/a.toml")).unwrap_or_else(|errors| panic!("{errors}"));
    let names: Vec<_> = config.rules.systems.iter().map(|system| (&*system.name, system.mode)).collect();
    assert_eq!(names, [("salesforce", Mode::Read), ("hubspot", Mode::ReadWrite)]);
    let person = &config.rules.entities[0];
    let (salesforce, hubspot) = (config.rules.systems[0].id, config.rules.systems[1].id);
    assert_eq!(
        person.bindings_in(hubspot).next().map(|b| (b.create, b.external_id.as_deref())),
        Some((true, Some("syncline_id")))
    );
    assert_eq!(
        person.bindings_in(salesforce).next().map(|b| (b.create, b.external_id.as_deref())),
        Some((false, Some("Our_Id__c")))
    );
    let field = |name: &str| person.fields.iter().find(|field| field.name == name).unwrap();
    assert_eq!(field("born").kind, FieldKind::DateTime { step_ms: 1000 });
    assert_eq!(field("born").conflict, ConflictPolicy::Owns(hubspot));
    assert_eq!(field("pay").conflict, ConflictPolicy::Prefer(salesforce));
    assert_eq!(field("pay").on_link, LinkPolicy::FillBlanks);
    assert_eq!(field("pay").bindings[0].default.as_ref().map(ToString::to_string).as_deref(), Some("0.5"));
    let default = |system| field("stage").first_in(system).and_then(|b| b.default.clone()).map(|v| v.to_string());
    assert_eq!((default(salesforce).as_deref(), default(hubspot)), (Some("end"), None));

    assert_eq!(config.rules.write_budget, 5);
    let settings = &config.settings;
    assert_eq!(settings.store, Path::new("/etc/sync/data/x.redb"));
    assert_eq!(settings.run, RunSettings { interval: Duration::from_millis(250), ..RunSettings::default() });
    let (hs, sf) = (settings.system(hubspot).unwrap(), settings.system(salesforce).unwrap());
    assert_eq!((&*hs.url, hs.app_id.as_deref()), ("https://api.hubapi.com", Some("77")));
    assert_eq!((&*sf.url, sf.version.as_deref()), ("https://a.my.salesforce.com", Some("v62.0")));
    assert_eq!(sf.token, SecretRef::File("/etc/sync/secrets/sf".into()));
    assert_eq!(sf.overlap, Some(Duration::from_secs(120)));
}

/// Replaces a piece of the sound config, and expects exactly one error, at the line of `line_of`. What is amiss otherwise.
fn check(old: &str, new: &str, line_of: &str, cause: &str, mend: &str) -> Option<String> {
    assert_eq!(SOUND.matches(old).count(), 1, "{old} must be there once");
    let text = SOUND.replace(old, new);
    let Err(errors) = parse(&text, Path::new("s.toml")) else { return Some(format!("{new}: accepted")) };
    let line = text.lines().position(|line| line.contains(line_of)).map_or(0, |at| at + 1);
    let error = &errors.errors[0];
    let right = errors.errors.len() == 1
        && errors.to_string().starts_with(&format!("s.toml:{line}:"))
        && error.message.contains(cause)
        && error.mend.contains(mend);
    (!right).then(|| format!("{new}\n  wanted line {line}: {cause}; {mend}\n  {errors}"))
}

#[test]
fn each_error_names_line_cause_and_mend() {
    let cases = [
        // Keys and shapes.
        ("[run]\n", "[ruin]\n", "[ruin]", "unknown key `ruin`", "did you mean `run`?"),
        ("interval =", "intervall =", "intervall", "unknown key `run.intervall`", "did you mean `interval`?"),
        ("overlap = \"2m\"", "pubsub = 1", "pubsub", "unknown key", "known here: kind, url"),
        ("scale = 2", "scael = 2", "scael", "unknown key `entities.person.fields.pay.scael`", "`scale`?"),
        ("path = \"data/x.redb\"", "path = 7", "path = 7", "`store.path` is a number", "write a text in quotes"),
        ("match = [\"email\"]", "match = \"email\"", "match", "is a text", "write a list"),
        ("[store]\npath = \"data/x.redb\"", "store = 1", "store = 1", "is a number", "write a table"),
        ("interval = \"250ms\"", "interval = \"250\"", "interval", "no duration", "250ms"),
        ("interval = \"250ms\"", "interval = \"0s\"", "interval", "too short", "100ms"),
        ("rank = [\"salesforce\"]", "rank = [", "on_link", "", "mend the TOML"),
        ("app_id = 77", "kind = \"salesforce\"", "kind = \"salesforce\"", "duplicate key", "mend the TOML"),
        // Systems.
        ("kind = \"hubspot\"", "kind = \"hubspt\"", "hubspt", "`hubspt` is no kind", "kind = \"hubspot\""),
        ("token = \"env:HUBSPOT_TOKEN\"", "token = \"pat-1\"", "pat-1", "by itself", "env:NAME"),
        ("token = \"env:HUBSPOT_TOKEN\"\n", "", "[systems.hubspot]", "has no `token`", "add token"),
        ("url = \"https://a.my.salesforce.com/\"", "url = \"http://a.example\"", "url", "unencrypted", "use https"),
        ("url = \"https://a.my.salesforce.com/\"\n", "", "[systems.salesforce]", "has no `url`", "my.salesforce.com"),
        ("mode = \"read\"", "mode = \"write\"", "mode", "no mode", "read-write"),
        ("version = \"62.0\"", "version = \"2026-03\"", "version", "no version", "v62.0"),
        ("mode = \"read\"", "app_id = 5", "app_id = 5", "no `app_id`", "take it away"),
        ("mode = \"read\"", "client_secret = \"env:X\"", "client_secret", "not available", "use `token`"),
        (
            "rank = [\"salesforce\"]",
            "rank = [\"saleforce\"]",
            "rank",
            "no system is named",
            "did you mean `salesforce`?",
        ),
        // Profiles.
        ("[run]\n", "[profile.test]\n[run]\n", "[profile.test]", "`profile.test` has no `store`", "test.redb"),
        (
            "[run]\n",
            "[profile.test]\nstore = { path = \"./data/x.redb\" }\n[run]\n",
            "./data",
            "belongs to the config itself",
            "another file",
        ),
        (
            "[run]\n",
            "[profile.test]\nstore = { path = \"t\" }\nsystems.hubspt = { mode = \"read\" }\n[run]\n",
            "hubspt",
            "no system is named `hubspt`",
            "did you mean `hubspot`?",
        ),
        (
            "[run]\n",
            "[profile.test]\nstore = { path = \"t\" }\nsystems.hubspot = { url = \"https://a.example\" }\n[run]\n",
            "a.example",
            "send the token of the other account",
            "add the `token`",
        ),
        (
            "[run]\n",
            "[profile.test]\nstore = { path = \"t\" }\nsystems.hubspot = { kind = \"hubspot\" }\n[run]\n",
            "kind = \"hubspot\" }",
            "unknown key `profile.test.systems.hubspot.kind`",
            "known here: url, token, mode, app_id",
        ),
        // Entities.
        ("conflict = \"prefer salesforce\"", "conflict = \"newest\"", "newest", "no policy", "\"latest\""),
        (
            "conflict = \"prefer salesforce\"",
            "conflict = \"review, 7d\"",
            "review, 7d",
            "not written like this",
            "after 7d POLICY",
        ),
        ("on_link = \"fill blanks\"", "write_budget = \"few\"", "few", "is a text", "whole number"),
        (
            "conflict = \"hubspot owns\"",
            "conflict = \"append\"",
            "append",
            "about values of type `datetime`",
            "type \"text\"",
        ),
        (
            "conflict = \"hubspot owns\"",
            "conflict = \"union\"",
            "union",
            "about values of type `datetime`",
            "type \"set\"",
        ),
        ("conflict = \"hubspot owns\"", "conflict = \"forward only a\"", "forward", "type `datetime`", "type \"enum\""),
        (
            "stage = { type = \"enum\"",
            "stage = { conflict = \"forward only new\", type = \"enum\"",
            "forward",
            "two options",
            "FIRST",
        ),
        (
            "stage = { type = \"enum\"",
            "stage = { conflict = \"forward only new, ende\", type = \"enum\"",
            "forward",
            "`ende`",
            "`end`?",
        ),
        (
            "conflict = \"prefer salesforce\"",
            "conflict = { rule = \"edits.size()\" }",
            "edits.size()",
            "the rule does not work: it gives int",
            "the name of a system that made an edit",
        ),
        (
            "conflict = \"prefer salesforce\"",
            "conflict = { rul = \"edits[0].system\" }",
            "rul",
            "unknown key",
            "did you mean `rule`",
        ),
        (
            "conflict = \"prefer salesforce\"",
            "conflict = \"prefer sap\"",
            "sap",
            "no system is named `sap`",
            "name one of",
        ),
        (
            "conflict = \"hubspot owns\"",
            "direction = \"to hubspot\"",
            "to hubspot",
            "no direction",
            "\"from <system>\"",
        ),
        ("conflict = \"hubspot owns\"", "direction = \"from sap\"", "sap", "no system is named `sap`", "name one of"),
        ("conflict = \"hubspot owns\"", "edits = \"keep\"", "edits", "only arrives", "add direction"),
        (
            "conflict = \"hubspot owns\"",
            "direction = \"from hubspot\", edits = \"ask\"",
            "ask",
            "nothing that can be done",
            "\"keep\" or \"problem\"",
        ),
        (
            "conflict = \"hubspot owns\"",
            "conflict = \"latest\", direction = \"from hubspot\"",
            "direction",
            "has no conflicts",
            "take `conflict` away",
        ),
        (
            "on_link = \"fill blanks\"",
            "on_link = \"latest\"",
            "latest",
            "salesforce keeps no history",
            "give the entity another",
        ),
        ("match = [\"email\"]", "match = [\"mail\"]", "match", "`mail` is no field", "did you mean `email`?"),
        ("match = [\"email\"]\n", "", "[entities.person]", "nothing would ever happen", "add `match"),
        ("match = [\"email\"]", "match = [\"email\"]\ncreate = 1", "create", "is a number", "true, false or a list"),
        (
            "match = [\"email\"]",
            "match = [\"email\"]\ncreate = [\"salesforce\"]",
            "create",
            "whose mode is `read`",
            "out of `create`",
        ),
        ("object = \"contacts\"", "object = [\"a\", \"b\"]", "at.hubspot", "several objects", "add create_as = \"a\""),
        (
            "object = \"contacts\"",
            "object = [1, \"b\"], create_as = \"b\"",
            "at.hubspot",
            "is a number",
            "a text in quotes",
        ),
        (
            "object = \"contacts\"",
            "object = [\"a\", \"b\"], create_as = \"bb\"",
            "at.hubspot",
            "no object `bb`",
            "did you mean `b`?",
        ),
        (
            "object = \"contacts\"",
            "object = \"contacts\", where = \"x\"",
            "at.hubspot",
            "names `x`, which is no field",
            "name a field of the entity",
        ),
        // Fields.
        ("type = \"email\"", "type = \"e-mail\"", "e-mail", "no type", "did you mean \"email\"?"),
        ("type = \"email\"", "type = \"id\"", "\"id\"", "not available", "use \"text\""),
        ("type = \"email\"", "type = \"intger\"", "intger", "no type", "did you mean \"integer\"?"),
        ("type = \"email\"", "type = \"integer\", scale = 2", "email = {", "type `integer` has no `scale`", "decimal"),
        ("type = \"email\", ", "", "email = {", "has no `type`", "add type"),
        ("salesforce = \"Email\"", "sap = \"Email\", salesforce = \"Email\"", "Email", "named `sap`", "name one of"),
        ("salesforce = \"Email\"", "salesforce = \"\"", "email = {", "is blank", "fill it in"),
        (", salesforce = \"Email\"", "", "email = {", "lives in 1 system,", "second system"),
        ("salesforce = \"Born__c\"", "salesforce = \"Email\"", "born", "belongs to the field `email`", "one field"),
        ("salesforce = \"Email\"", "salesforce = \"Our_Id__c\"", "email = {", "our external id", "another property"),
        ("scale = 2", "scale = 29", "scale", "29 digits", "0 to 28"),
        ("type = \"email\"", "type = \"email\", scale = 2", "email = {", "no `scale`", "decimal"),
        ("default = 0.50", "default = \"lots\"", "default", "not a decimal number", "of the field's type"),
        ("default = 0.50", "default = \" \"", "default", "blank", "of the field's type"),
        ("salesforce = \"Done\" },", "salesforce = \"Dome\" },", "Dome", "does not know", "did you mean `Done`?"),
        ("salesforce = \"Done\" },", "sap = \"Done\" },", "sap", "named `sap`", "name one of"),
        ("salesforce = \"Done\" }]", "sap = \"Done\" }]", "sap", "named `sap`", "name one of"),
        // Transforms.
        ("scale = 2", "transform = [\"trim\"]", "pay =", "names no system", "transform.SYSTEM"),
        ("scale = 2", "transform.sales = []", "pay =", "no property in `sales`", "name one of hubspot"),
        ("scale = 2", "transform.hubspot = \"trim\"", "pay =", "is a text", "write a list"),
        ("scale = 2", "transform.hubspot = [\"uper\"]", "pay =", "`uper` is no step", "did you mean \"upper\"?"),
        ("scale = 2", "transform.hubspot = [\"times\"]", "pay =", "`times` is no step", "{ times = 100 }"),
        ("scale = 2", "transform.hubspot = [{ times = 12 }]", "pay =", "no power of ten", "write 100, 0.01"),
        ("scale = 2", "transform.hubspot = [{ times = 1 }]", "pay =", "does nothing", "correct it"),
        ("scale = 2", "transform.hubspot = [{ times = 100, shift = \"1d\" }]", "pay =", "one thing", "several steps"),
        ("scale = 2", "transform.hubspot = [{ tims = 100 }]", "pay =", "unknown key", "did you mean `times`?"),
        ("scale = 2", "transform.hubspot = [{ }]", "pay =", "does nothing", "write one of \"trim\""),
        (
            "scale = 2",
            "transform.hubspot = [\"upper\"]",
            "pay =",
            "`upper` is nothing for a field of type `decimal`",
            "\"text\"",
        ),
        (
            "scale = 2",
            "transform.hubspot = [{ shift = \"1d\" }]",
            "pay =",
            "`shift` is nothing for",
            "a date or a moment",
        ),
        (
            "type = \"datetime\"",
            "type = \"datetime\", transform.hubspot = [{ shift = \"1\" }]",
            "born",
            "no time",
            "\"2h\"",
        ),
        (
            "type = \"datetime\"",
            "type = \"date\", transform.hubspot = [{ shift = \"2h\" }]",
            "born",
            "has no hours",
            "correct it",
        ),
        (
            "type = \"email\"",
            "type = \"text\", transform.hubspot = [\"trim\", { replace = \"-\", with = \"\" }]",
            "email = {",
            "cannot be taken back, and the field goes both ways",
            "stands nowhere else",
        ),
        (
            "type = \"email\"",
            "type = \"text\", transform.hubspot = [{ cel = \"value + '!'\" }]",
            "email = {",
            "`cel` without `back` cannot be taken back",
            "add back = \"EXPRESSION\", or direction",
        ),
        (
            "type = \"email\"",
            "type = \"text\", transform.hubspot = [{ cel = \"value + '!\" }]",
            "email = {",
            "no CEL expression",
            "write one such as",
        ),
        (
            "type = \"email\"",
            "type = \"text\", transform.hubspot = [{ back = \"value\" }]",
            "email = {",
            "`back` takes `cel` back",
            "add cel",
        ),
        (
            "type = \"datetime\"",
            "type = \"datetime\", transform.hubspot = [{ cel = \"value\", back = \"value\" }]",
            "born",
            "`cel` is nothing for a field of type `datetime`",
            "a number",
        ),
        (
            "type = \"email\"",
            "type = \"text\", transform.hubspot = [{ replace = \"-\" }]",
            "email = {",
            "by what",
            "add with",
        ),
        (
            "type = \"email\"",
            "type = \"text\", transform.hubspot = [{ prefix = \" \" }]",
            "email = {",
            "blank",
            "correct it",
        ),
        // Limits.
        ("scale = 2", "scale = { sales = 2 }", "scale", "no property in `sales`", "name one of hubspot, salesforce"),
        ("scale = 2", "scale = { salesforce = 29 }", "scale", "29 digits", "0 to 28"),
        ("scale = 2", "scale = { salesforce = -1 }", "scale", "is a number", "a whole number from 0"),
        ("scale = 2", "precision = { hubspot = 0 }", "pay =", "room for nothing", "what the property can hold"),
        ("scale = 2", "length = 5", "length", "type `decimal` has no `length`", "take it away"),
        (
            "scale = 2",
            "scale = 2, too_fine = \"cut\"",
            "pay =",
            "`too_fine` cannot be `cut`",
            "\"refuse\" or \"round\"",
        ),
        ("scale = 2", "scale = 2, too_fine = \"round\"", "pay =", "no system's `scale` is stated", "add scale = {"),
        (
            "default = 0.50",
            "default = 100, precision = { hubspot = 4 }",
            "pay =",
            "cannot be held there: 3 digits",
            "that fits",
        ),
        ("type = \"email\"", "type = \"email\", length = 0", "email = {", "room for nothing", "take it away"),
        ("type = \"email\"", "type = \"email\", length = \"9\"", "email = {", "is a text", "a whole number"),
        (
            "type = \"email\"",
            "type = \"email\", length = 9, too_long = \"truncate\"",
            "email = {",
            "only a text field can be cut",
            "take it away",
        ),
        (
            "type = \"email\"",
            "type = \"text\", too_long = \"truncate\"",
            "email = {",
            "no `length` is stated",
            "add length",
        ),
        ("type = \"email\"", "type = \"email\", lenght = 9", "email = {", "unknown key", "did you mean `length`?"),
        ("type = \"email\"", "type = \"email\", unknown = \"pass\"", "email = {", "has no options", "take it away"),
        (
            "default = { salesforce = \"Done\" }",
            "unknown = \"other\"",
            "stage = {",
            "which salesforce does not know",
            "every system of the field",
        ),
        ("type = \"enum\"", "type = \"enum\", unknown = \"\"", "stage = {", "is blank", "\"refuse\", \"pass\""),
        ("type = \"enum\"", "type = \"enum\", options = { hubspot = [] }", "stage = {", "names no option", "name them"),
        (
            "type = \"enum\"",
            "type = \"enum\", options = { hubspot = [\"new\"] }",
            "stage = {",
            "`end` stands in the value map",
            "name it in `options`",
        ),
        (
            ", { hubspot = \"end\"",
            ", { hubspot = \"new\", salesforce = \"New\" }, { hubspot = \"end\"",
            "stage",
            "no effect",
            "take the row away",
        ),
        (
            ", { hubspot = \"end\"",
            ", { is = \"mid\", hubspot = \"mid\" }, { hubspot = \"end\"",
            "stage",
            "`mid` has no option in salesforce",
            "add salesforce's option",
        ),
    ];
    let amiss: Vec<String> = cases.into_iter().filter_map(|(a, b, c, d, e)| check(a, b, c, d, e)).collect();
    assert!(amiss.is_empty(), "{}", amiss.join("\n"));
}

/// A store refuses another mapping: what is not stated must not change the fingerprint from one version to the next.
#[test]
fn the_fingerprint_of_a_config_is_frozen() {
    let config = parse(SOUND, Path::new("s.toml")).unwrap_or_else(|errors| panic!("{errors}"));
    let frozen = match cfg!(feature = "idna") {
        true => "fada9d5c374fc2df6403b449354b4687",
        false => "a5f8ccf651eae1d43bd558fd8eb16998",
    };
    assert_eq!(config.rules.fingerprint().to_string(), frozen);
}

#[test]
fn transforms_are_steps_of_one_system() {
    let text = SOUND.replace("scale = 2", "scale = 2, transform.hubspot = [{ times = 100 }]").replace(
        "type = \"email\"",
        "type = \"text\", transform = { salesforce = [\"trim\", \"upper\", { replace = \" \", with = \"_\" }], hubspot = [{ prefix = \"C-\" }] }",
    );
    let config = parse(&text, Path::new("s.toml")).unwrap_or_else(|errors| panic!("{errors}"));
    let (salesforce, hubspot) = (config.rules.systems[0].id, config.rules.systems[1].id);
    let written = |name: &str, system, value: &str| {
        let field = config.rules.entities[0].fields.iter().find(|field| field.name == name).unwrap();
        field.write(field.first_in(system).unwrap(), &field.kind.read(&Raw::Text(value.into())).unwrap())
    };
    assert_eq!(written("email", salesforce, "a b"), Ok(vec![Raw::Text("A_B".into())]));
    assert_eq!(written("email", hubspot, "7"), Ok(vec![Raw::Text("C-7".into())]));
    assert_eq!(written("pay", hubspot, "1.5"), Ok(vec![Raw::Number("150".into())]));
    assert_eq!(written("pay", salesforce, "1.5"), Ok(vec![Raw::Number("1.5".into())]));
}

/// A sound config of fields that are several properties; tests replace a piece of it.
const SEVERAL: &str = r#"[systems.hubspot]
token = "env:A"
[systems.salesforce]
url = "https://a.example"
token = "env:B"
[entities.deal]
match = ["name"]
create = true
at.hubspot = { object = "deals" }
at.salesforce = { object = "Opportunity", on_create = { StageName = "New", Size__c = 3, Hot__c = true } }
[entities.deal.groups.value]
conflict = "prefer salesforce"
[entities.deal.fields]
name = { type = "text", hubspot = ["first", "last"], salesforce = "Name", join = " ", split = "last" }
amount = { type = "money", hubspot = "amount", salesforce = "Amount", group = "value" }
currency = { type = "enum", hubspot = "deal_currency_code", salesforce = "Currency__c", group = "value", sensitive = true }
"#;

#[test]
fn several_properties_are_one_field() {
    let config = parse(SEVERAL, Path::new("s.toml")).unwrap_or_else(|errors| panic!("{errors}"));
    #[cfg(feature = "wire")]
    assert_eq!(super::schema_faults(SEVERAL), [""; 0]);
    let deal = &config.rules.entities[0];
    let names: Vec<&str> = deal.fields.iter().map(|field| &*field.name).collect();
    assert!(names.len() == 2 && names.contains(&"name") && names.contains(&"value"), "{names:?}");
    let (hubspot, salesforce) = (SystemId::of("hubspot"), SystemId::of("salesforce"));
    let value = deal.fields.iter().find(|field| field.name == "value").unwrap();
    assert_eq!((&value.kind, &value.conflict), (&FieldKind::Group, &ConflictPolicy::Prefer(salesforce)));
    assert_eq!(
        value.first_in(hubspot).unwrap().properties,
        ["amount", "deal_currency_code"],
        "by the names of its fields"
    );
    assert_eq!(value.members[0].kind, FieldKind::Decimal { scale: Some(2) });
    let binding = value.first_in(salesforce).unwrap();
    let read =
        |amount: &str, currency: &str| value.read(binding, &[amount, currency].map(|text| Raw::Text(text.into())));
    let shown = read("9.5", "EUR").unwrap();
    assert_eq!(shown, Value::group([Value::Decimal(Decimal::parse("9.5").unwrap()), Value::Enum("EUR".into())]));
    assert_eq!(value.shown(&shown).to_string(), "9.5 | (hidden)");
    assert_eq!(value.write(binding, &shown), Ok(vec![Raw::Number("9.5".into()), Raw::Text("EUR".into())]));
    assert_eq!(read(" ", ""), Ok(Value::Null));
    let amiss = read("many", "EUR").unwrap_err();
    assert_eq!((amiss.field, value.leaf(amiss.field).name.as_str()), (FieldId::of("amount"), "amount"));
    let name = deal.fields.iter().find(|field| field.name == "name").unwrap();
    let written = name.write(name.first_in(hubspot).unwrap(), &Value::Text("A B C".into()));
    assert_eq!(written, Ok(vec![Raw::Text("A B".into()), Raw::Text("C".into())]));
    let object = deal.bindings_in(salesforce).next().unwrap();
    let constants = &object.on_create;
    let wanted =
        [("StageName", Raw::Text("New".into())), ("Size__c", Raw::Number("3".into())), ("Hot__c", Raw::Bool(true))];
    assert_eq!(*constants, wanted.map(|(name, raw)| (name.to_owned(), raw)));
    assert_eq!(deal.properties_at(object.home()).count(), 3, "constants are not read");
}

#[test]
fn the_mapping_is_another_when_fields_are_grouped_or_split_elsewhere() {
    let fingerprint = |text: &str| parse(text, Path::new("s.toml")).unwrap().rules.fingerprint();
    let all = [
        SEVERAL.to_owned(),
        SEVERAL.replace("split = \"last\"", "split = \"first\""),
        SEVERAL.replace("join = \" \"", "join = \", \""),
        SEVERAL.replace("\"last\"]", "\"middle\"]"),
        SEVERAL.replace(", group = \"value\"", "").replace("[entities.deal.groups.value]\n", ""),
    ];
    let prints: std::collections::BTreeSet<_> = all.iter().map(|text| fingerprint(text)).collect();
    assert_eq!(prints.len(), all.len());
    let policies = SEVERAL.replace("prefer salesforce", "latest").replace("Hot__c = true", "Hot__c = false");
    assert_eq!(fingerprint(&policies), fingerprint(SEVERAL), "that changes no value");
}

#[test]
fn what_is_wrong_with_several_properties_is_told_at_its_line() {
    for (old, new, line_of, cause, mend) in [
        (
            "salesforce = \"Amount\", group",
            "salesforce = \"Amount\", conflict = \"latest\", group",
            "amount =",
            "policy of its own",
            "`groups.value`",
        ),
        (
            "salesforce = \"Amount\", group",
            "salesforce = \"Amount\", direction = \"from hubspot\", group",
            "amount =",
            "policy of its own",
            "`groups.value`",
        ),
        (", sensitive = true", ", on_link = \"fill blanks\"", "currency =", "policy of its own", "`groups.value`"),
        ("group = \"value\" }\ncurrency", "group = \"valu\" }\ncurrency", "amount =", "one field only", "take it away"),
        (", group = \"value\" }\ncurrency", " }\ncurrency", "currency =", "one field only", "add `group`"),
        (
            "groups.value]",
            "groups.vale]",
            "groups.vale]",
            "no field belongs to the group `vale`",
            "add group = \"vale\"",
        ),
        ("conflict = \"prefer salesforce\"", "confict = \"latest\"", "confict", "unknown key", "`conflict`"),
        ("match = [\"name\"]", "match = [\"amount\"]", "match =", "belongs to the group `value`", "another field"),
        (", join = \" \", split = \"last\"", "", "name =", "nothing says what stands between", "add join"),
        ("join = \" \", split", "split", "name =", "there is none", "add join"),
        ("split = \"last\"", "split = \"middle\"", "name =", "no place", "\"first\" or \"last\""),
        ("join = \" \"", "join = \"\"", "name =", "without a separator", "what stands between"),
        ("join = \" \"", "join = \"--\"", "name =", "may begin within another", "as it ends"),
        ("[\"first\", \"last\"]", "\"first\"", "name =", "`join` has no effect", "list the properties"),
        (
            "name = { type = \"text\"",
            "name = { type = \"email\"",
            "name =",
            "type `email` cannot be several",
            "type = \"text\"",
        ),
        ("[\"first\", \"last\"]", "[\"first\", \"amount\"]", "amount =", "belongs to the field `name`", "one field"),
        ("StageName = \"New\"", "Amount = 1", "at.salesforce", "belongs to the field `amount`", "one field"),
        ("StageName = \"New\"", "StageName = \" \"", "at.salesforce", "the value is blank", "fill it in"),
        ("StageName = \"New\"", "StageName = [1]", "at.salesforce", "is a list", "a single value"),
        ("StageName = \"New\"", "Syncline_Id__c = \"x\"", "at.salesforce", "holds our external id", "another property"),
    ] {
        assert_eq!(SEVERAL.matches(old).count(), 1, "{old} must be there once");
        let text = SEVERAL.replace(old, new);
        let errors = parse(&text, Path::new("s.toml")).expect_err(new);
        let line = text.lines().position(|line| line.contains(line_of)).map_or(0, |at| at + 1);
        let told = errors.errors.iter().any(|error| {
            let here = error.place.as_ref().is_some_and(|place| place.line == line);
            here && error.message.contains(cause) && error.mend.contains(mend)
        });
        assert!(told, "{new}: line {line}, {cause}, {mend}: {errors}");
    }
}

#[test]
fn the_fields_of_a_group_live_in_the_same_systems() {
    let text =
        SEVERAL.replace("[entities.deal]", "[systems.other]\nkind = \"hubspot\"\ntoken = \"env:C\"\n[entities.deal]");
    let text = text.replace("at.salesforce", "at.other = { object = \"deals\" }\nat.salesforce");
    let text = text.replace("group = \"value\" }", "other = \"amount\", group = \"value\" }");
    let errors = parse(&text, Path::new("s.toml")).unwrap_err().to_string();
    assert!(
        errors.contains("no property in other, as `amount` has; name its property in other, or take it out"),
        "{errors}"
    );
}

#[test]
fn an_option_of_a_set_is_one_option() {
    let text =
        SOUND.replace("type = \"enum\"", "type = \"set\"").replace("hubspot = \"end\"", "hubspot = \"end;over\"");
    let errors = parse(&text, Path::new("s.toml")).unwrap_err();
    assert!(errors.to_string().contains("`end;over` would be read as several options"), "{errors}");
    let text = SOUND
        .replace("type = \"enum\"", "type = \"set\"")
        .replace("{ salesforce = \"Done\" }, values", "{ salesforce = \"Done;New\" }, values");
    let config = parse(&text, Path::new("s.toml")).unwrap_or_else(|errors| panic!("{errors}"));
    let stage = config.rules.entities[0].fields.iter().find(|field| field.name == "stage").unwrap();
    let default = stage.first_in(config.rules.systems[0].id).and_then(|binding| binding.default.clone());
    assert_eq!(default, Some(Value::set(["new", "end"])));
}

#[test]
fn limits_are_of_one_system_or_of_all() {
    let text = SOUND
        .replace(
            "scale = 2, hubspot",
            "scale = { salesforce = 2 }, precision = { salesforce = 16 }, too_fine = \"round\", hubspot",
        )
        .replace("type = \"email\"", "type = \"text\", length = 80, too_long = \"truncate\"")
        .replace(
            "type = \"enum\"",
            "type = \"enum\", unknown = \"new\", options = { salesforce = [\"New\", \"Done\"] }",
        );
    let config = parse(&text, Path::new("s.toml")).unwrap_or_else(|errors| panic!("{errors}"));
    let entity = &config.rules.entities[0];
    let (salesforce, hubspot) = (config.rules.systems[0].id, config.rules.systems[1].id);
    let field = |name: &str| entity.fields.iter().find(|field| field.name == name).unwrap();
    let limits = |name, system| field(name).first_in(system).unwrap().limits.clone();
    assert_eq!(field("pay").kind, FieldKind::Decimal { scale: None }, "a table of scales rounds nothing");
    assert_eq!(limits("pay", hubspot), Limits::default());
    assert_eq!(limits("pay", salesforce), Limits { scale: Some(2), precision: Some(16), ..Limits::default() });
    assert_eq!([limits("email", hubspot).length, limits("email", salesforce).length], [Some(80), Some(80)]);
    assert_eq!(limits("stage", salesforce).options, ["New", "Done"]);
    let choices = |name: &str| field(name).mismatch.clone();
    assert_eq!((choices("pay").too_fine, choices("email").too_long), (TooFine::Round, TooLong::Truncate));
    assert_eq!((choices("stage").unknown, choices("born")), (Unknown::As("new".into()), Mismatch::default()));
}

#[test]
fn everything_wrong_is_told_in_one_pass_in_the_order_of_the_file() {
    let text = SOUND
        .replace("path = \"data/x.redb\"", "pth = \"x\"")
        .replace("mode = \"read\"", "mode = \"write\"")
        .replace("match = [\"email\"]", "match = [\"nobody\"]")
        .replace("type = \"decimal\"", "type = \"id\"")
        .replace("\"hubspot owns\"", "\"sap owns\"");
    let errors = parse(&text, Path::new("s.toml")).unwrap_err();
    let lines: Vec<usize> = errors.errors.iter().filter_map(|e| e.place.as_ref()).map(|p| p.line).collect();
    assert_eq!(lines, [4, 13, 18, 24, 25], "{errors}");
}

#[test]
fn names_that_would_be_misread_are_refused() {
    for (name, cause) in [("type", "word of the config"), ("owns", "word of the config"), ("\"a b\"", "cannot name")] {
        let text = format!("[systems.{name}]\nkind = \"hubspot\"\ntoken = \"env:X\"\n");
        let errors = parse(&text, Path::new("s.toml")).unwrap_err();
        assert!(errors.to_string().contains(cause), "{errors}");
    }
    let errors = parse("", Path::new("s.toml")).unwrap_err().to_string();
    assert!(
        errors.contains("there is no system, and at least two") && errors.contains("there is no entity"),
        "{errors}"
    );
}

#[test]
fn a_missing_file_names_init() {
    let errors = load(Path::new("no/such/syncline.toml")).unwrap_err();
    assert!(errors.errors[0].mend.contains("syncline init"), "{errors}");
}

const PROFILES: &str = r#"
[profile.staging]
store = { path = "staging.redb" }
systems.hubspot = { token = "env:STAGING" }
systems.salesforce = { url = "http://127.0.0.1:7", token = "file:staging", mode = "read-write" }
[profile.quiet]
store = { path = "quiet.redb" }
systems.hubspot = { mode = "read" }
"#;

#[test]
fn a_profile_swaps_accounts_and_store_and_leaves_the_mapping() {
    let text = format!("{SOUND}{PROFILES}");
    let with =
        |profile| parse_profile(&text, Path::new("/c/s.toml"), profile).unwrap_or_else(|errors| panic!("{errors}"));
    let (base, staging, quiet) = (with(None), with(Some("staging")), with(Some("quiet")));
    #[cfg(feature = "wire")]
    assert_eq!(super::schema::tests::faults(&text), [""; 0]);
    assert_eq!(base.rules, parse(SOUND, Path::new("/c/s.toml")).unwrap().rules);
    assert_eq!(staging.settings.store, Path::new("/c/staging.redb"));
    let [hubspot, salesforce] = &staging.settings.systems[..] else { panic!("two systems") };
    assert_eq!(hubspot.token, SecretRef::Env("STAGING".into()));
    assert_eq!((&*hubspot.url, &hubspot.app_id), ("https://api.hubapi.com", &None), "an app belongs to its account");
    assert_eq!((&*salesforce.url, salesforce.mode), ("http://127.0.0.1:7", Mode::ReadWrite));
    assert_eq!(salesforce.overlap, Some(Duration::from_secs(120)), "what is not named stays");
    // The mode is part of the rules: now records are created in Salesforce.
    let creates = |config: &Config| config.rules.entities[0].bindings.iter().map(|b| b.create).collect::<Vec<_>>();
    assert_eq!(
        (creates(&base), creates(&staging), creates(&quiet)),
        (vec![false, true], vec![true, true], vec![false; 2])
    );
    assert_eq!(base.rules.fingerprint(), staging.rules.fingerprint());
    assert_eq!(quiet.settings.systems[0].app_id.as_deref(), Some("77"));
    // Errors that come later point into the profile where it has the word.
    let line = |config: &Config, path: &str| config.source.error(path, "", "").place.map(|place| place.line);
    let at = |part: &str| text.lines().position(|line| line.contains(part)).map(|at| at + 1);
    assert_eq!(line(&staging, "systems.salesforce.token"), at("file:staging"));
    assert_eq!(line(&quiet, "systems.hubspot.token"), at("env:HUBSPOT_TOKEN"));
}

#[test]
fn a_profile_that_is_not_there_is_told_with_those_that_are() {
    let text = format!("{SOUND}{PROFILES}");
    for (name, mend) in [("stagin", "did you mean `staging`?"), ("x", "name one of staging, quiet")] {
        let errors = parse_profile(&text, Path::new("s.toml"), Some(name)).unwrap_err();
        assert!(errors.to_string().contains(&format!("there is no profile `{name}`; {mend}")), "{errors}");
    }
    let errors = parse_profile(SOUND, Path::new("s.toml"), Some("x")).unwrap_err();
    assert!(errors.to_string().contains("there is no profile `x`; add [profile.x]"), "{errors}");
    let twice = text.replace("quiet.redb", "staging.redb");
    let errors = parse(&twice, Path::new("s.toml")).unwrap_err();
    assert!(errors.to_string().contains("this store belongs to profile `staging`"), "{errors}");
}

/// Text that is nearly a config.
fn mangled() -> impl Strategy<Value = String> {
    (0..SOUND.len(), 0..SOUND.len(), "[\\[\\]{}=\"',.a-z0-9\n é]{0,6}").prop_map(|(a, b, new)| {
        let (start, end) = (a.min(b), (a.min(b) + (a.max(b) - a.min(b)) % 24).min(SOUND.len()));
        format!("{}{new}{}", &SOUND[..start], &SOUND[end..])
    })
}

proptest! {
    #[test]
    fn any_text_is_answered(text in prop_oneof![any::<String>(), mangled()]) {
        if let Err(errors) = parse(&text, Path::new("s.toml")) {
            prop_assert!(!errors.errors.is_empty());
            for error in &errors.errors {
                let place = error.place.as_ref().unwrap();
                prop_assert!(text.get(place.span.clone()).is_some());
                prop_assert!(place.line >= 1 && place.column >= 1 && !error.mend.is_empty());
            }
        }
    }
}

#[test]
fn a_one_way_field_says_where_it_comes_from_and_what_becomes_of_edits() {
    for (edits, wanted) in [
        ("", OneWayEdits::Overwrite),
        (", edits = \"overwrite\"", OneWayEdits::Overwrite),
        (", edits = \"keep\"", OneWayEdits::Keep),
        (", edits = \"problem\"", OneWayEdits::Problem),
    ] {
        let text = SOUND.replace("conflict = \"hubspot owns\"", &format!("direction = \"from hubspot\"{edits}"));
        let config = parse(&text, Path::new("a.toml")).unwrap_or_else(|errors| panic!("{errors}"));
        let field = config.rules.entities[0].fields.iter().find(|field| field.name == "born").unwrap();
        let from = config.rules.system_named("hubspot").unwrap().id;
        assert_eq!(field.conflict, ConflictPolicy::OneWay { from, edits: wanted });
    }
}

#[test]
fn one_rule_may_decide_about_all_fields_that_have_no_policy_of_their_own() {
    let text = SOUND.replace("conflict = \"prefer salesforce\"", "conflict = { rule = \"edits[0].system\" }");
    let config = parse(&text, Path::new("s.toml")).unwrap_or_else(|errors| panic!("{errors}"));
    let rules = |name: &str| {
        let field = config.rules.entities[0].fields.iter().find(|field| field.name == name).unwrap();
        matches!(&field.conflict, ConflictPolicy::Rule(rule) if &*rule.text == "edits[0].system")
    };
    assert_eq!(["email", "pay", "stage", "born"].map(rules), [true, true, true, false]);
    assert_eq!(super::schema::tests::faults(&text), [""; 0]);
}

#[test]
fn links_of_another_tool_are_fields_of_one_system() {
    let old = "at.hubspot = { object = \"contacts\" }";
    let with = |links: &str| SOUND.replace(old, &format!("at.hubspot = {{ object = \"contacts\", links = {links} }}"));
    let links = "{ salesforcecontactid = \"salesforce Contact\", other = \"salesforce\" }";
    let config = parse(&with(links), Path::new("a.toml")).unwrap_or_else(|errors| panic!("{errors}"));
    let person = &config.rules.entities[0];
    let hubspot = person.bindings_in(SystemId::of("hubspot")).next().unwrap();
    let found: Vec<_> = hubspot.links.iter().map(|link| (link.field, link.object.is_some(), link.ids)).collect();
    let field = |name: &str| FieldId::of(name);
    let checked = crate::model::IdForm::Checked;
    let wanted = [(field("hubspot_salesforcecontactid"), true, checked), (field("hubspot_other"), false, checked)];
    assert_eq!(found, wanted);
    let field = person.field(wanted[0].0).unwrap();
    assert_eq!(field.conflict.owner(), Some(hubspot.system), "it is never written");
    assert_eq!(field.first_in(hubspot.system).and_then(|at| at.property()), Some("salesforcecontactid"));
    // A field that has the property already serves.
    let own = with(links) + "ids = { type = \"text\", hubspot = \"other\", salesforce = \"Other__c\" }\n";
    let config = parse(&own, Path::new("a.toml")).unwrap_or_else(|errors| panic!("{errors}"));
    let hubspot = config.rules.entities[0].bindings_in(SystemId::of("hubspot")).next().unwrap().clone();
    assert_eq!(hubspot.links[1].field, FieldId::of("ids"));
    assert_ne!(config.rules.fingerprint(), parse(SOUND, Path::new("a.toml")).unwrap().rules.fingerprint());

    let told = |links: &str| parse(&with(links), Path::new("a.toml")).unwrap_err().to_string();
    for (links, part) in [
        ("{ x = \"salesforce Contact Lead\" }", "names no records"),
        ("{ x = \"salesforce Kontact\" }", "no object `Kontact`"),
        ("{ x = \"salesfarce\" }", "salesfarce"),
        ("{ x = \"hubspot\" }", "in hubspot itself"),
        ("{ email = \"salesforce\" }", "belongs to the field `email` already"),
        ("\"x\"", "is a text"),
    ] {
        assert!(told(links).contains(part), "{links}: {}", told(links));
    }
}
