//! Broken configs, and what a person reads about each: plain texts in `tests/data/check`, one a case.
//! `UPDATE_GOLDEN=1 cargo test --test daemon broken::` writes them anew; read the difference before you commit it.

use super::world::World;
use std::path::{Path, PathBuf};
use syncline::sandbox::listener::SandboxConfig;

/// A sound config; each case replaces a piece of it.
const SOUND: &str = r#"rank = ["salesforce", "hubspot"]
conflict = "latest"

[store]
path = "syncline.redb"

[systems.hubspot]
token = "env:SYNCLINE_TEST_NOT_SET"

[systems.salesforce]
url = "https://example.my.salesforce.com"
token = "file:secrets/salesforce.token"

[run]
interval = "5s"

[entities.person]
match = ["email"]
at.hubspot = { object = "contacts" }
at.salesforce = { object = "Contact" }

[entities.person.fields]
email = { type = "email", hubspot = "email", salesforce = "Email" }
phone = { type = "phone", hubspot = "phone", salesforce = "Phone", conflict = "prefer salesforce" }
born = { type = "date", hubspot = "date_of_birth", salesforce = "Birthdate", sensitive = true }
boss = { type = "ref", to = "person", hubspot = "boss_id", salesforce = "ReportsToId" }

[entities.person.fields.stage]
type = "enum"
hubspot = "lifecyclestage"
salesforce = "Stage__c"
default = { salesforce = "New" }
values = [
    { hubspot = "lead", salesforce = "New" },
    { hubspot = "customer", salesforce = "Customer" },
]

[profile.staging]
store = { path = "staging.redb" }
systems.salesforce = { url = "https://example--staging.sandbox.my.salesforce.com", token = "env:STAGING" }
"#;

/// Where an owner is put.
const OWNED: &str = "phone = {";

/// (name, what is replaced, by what).
const OFFLINE: [(&str, &str, &str); 72] = [
    (
        "ties_with_a_policy",
        "phone = {",
        "friends = { type = \"refs\", to = \"person\", hubspot = \"associated contacts\", salesforce = \"Friend__c(Of__c, Who__c)\", conflict = \"latest\" }\nphone = {",
    ),
    (
        "ties_without_a_target",
        "phone = {",
        "friends = { type = \"refs\", hubspot = \"associated contacts\", salesforce = \"Friend__c(Of__c, Who__c)\" }\nphone = {",
    ),
    ("list_of_salesforce", "object = \"Contact\" }", "object = \"Contact\", lists = [\"7\"] }"),
    ("list_without_a_number", "object = \"contacts\"", "object = \"contacts\", lists = [\"Good ones\"]"),
    (
        "list_of_a_text",
        "phone = {",
        "vip = { type = \"text\", hubspot = \"list 7\", salesforce = \"VIP__c\" }\nphone = {",
    ),
    (
        "list_that_is_decided",
        "phone = {",
        "vip = { type = \"bool\", hubspot = \"list 7\", salesforce = \"VIP__c\", conflict = \"latest\" }\nphone = {",
    ),
    (
        "address_of_nothing",
        "phone = {",
        "link = { type = \"url\", hubspot = \"website\", from = \"salesforce\" }\nphone = {",
    ),
    (
        "address_of_an_unknown_system",
        "phone = {",
        "link = { type = \"url\", hubspot = \"website\", from = \"remote_url(saleforce)\" }\nphone = {",
    ),
    (
        "address_of_another_type",
        "phone = {",
        "link = { type = \"date\", hubspot = \"website\", from = \"remote_url(salesforce)\" }\nphone = {",
    ),
    (
        "address_beside_a_property",
        "phone = {",
        "link = { type = \"url\", hubspot = \"website\", salesforce = \"Link__c\", from = \"remote_url(salesforce)\" }\nphone = {",
    ),
    (
        "address_that_all_would_have",
        "token = \"file:secrets/salesforce.token\"",
        "token = \"file:secrets/salesforce.token\"\nrecord_url = \"https://acme.example/view\"",
    ),
    ("condition_cut_short", "object = \"contacts\"", "object = \"contacts\", where = 'stage == '"),
    ("condition_of_an_unknown_field", "object = \"contacts\"", "object = \"contacts\", where = 'stages == \"lead\"'"),
    ("condition_that_is_none", "object = \"contacts\"", "object = \"contacts\", where = 'born + 3'"),
    ("delete_policy_of_another_name", "match = [\"email\"]\n", "match = [\"email\"]\non_delete = \"archive\"\n"),
    ("delete_policy_that_is_none", "object = \"Contact\" }", "object = \"Contact\", on_delete = \"merge\" }"),
    (
        "delete_limit_that_is_none",
        "env:SYNCLINE_TEST_NOT_SET\"\n",
        "env:SYNCLINE_TEST_NOT_SET\"\nmax_deletes = \"many\"\n",
    ),
    (
        "edit_against_delete_that_is_none",
        "match = [\"email\"]\n",
        "match = [\"email\"]\nedit_against_delete = \"latest\"\n",
    ),
    ("shared_domains_of_a_text", "type = \"phone\"", "type = \"phone\", shared_domains = [\"gmail.com\"]"),
    ("leaves_without_a_condition", "object = \"contacts\"", "object = \"contacts\", leaves = \"kept\""),
    ("toml_cut_short", "[\"salesforce\", \"hubspot\"]", "[\"salesforce\", "),
    ("unknown_table", "[run]", "[ruin]"),
    ("unknown_key", "interval =", "intervall ="),
    (
        "group_with_a_policy_of_a_member",
        "sensitive = true }",
        "group = \"life\" }\ndied = { type = \"date\", hubspot = \"died\", salesforce = \"Died__c\", group = \"life\", conflict = \"latest\" }",
    ),
    ("group_of_one", "sensitive = true }", "group = \"life\" }"),
    (
        "group_that_is_matched_by",
        "hubspot = \"email\", salesforce = \"Email\" }\nphone = {",
        "hubspot = \"email\", salesforce = \"Email\", group = \"reach\" }\nphone = { group = \"reach\",",
    ),
    ("properties_of_another_type", "hubspot = \"email\"", "hubspot = [\"email\", \"work_email\"]"),
    ("constant_of_a_field", "object = \"Contact\" }", "object = \"Contact\", on_create = { Phone = \"1\" } }"),
    ("unknown_field_option", "sensitive = true", "sensitiv = true"),
    ("wrong_shape", "match = [\"email\"]", "match = \"email\""),
    ("no_duration", "\"5s\"", "\"5\""),
    ("bare_secret", "env:SYNCLINE_TEST_NOT_SET", "pat-na1-canary"),
    ("unencrypted_address", "https://example.my", "http://example.my"),
    ("missing_address", "url = \"https://example.my.salesforce.com\"\n", ""),
    ("unknown_system_in_rank", "\"salesforce\", \"hubspot\"]", "\"saleforce\", \"hubspot\"]"),
    ("unknown_policy", "conflict = \"latest\"", "conflict = \"newest\""),
    ("link_policy_without_times", "conflict = \"latest\"", "on_link = \"latest\""),
    ("budget_in_words", "conflict = \"latest\"", "write_budget = \"few\""),
    ("append_to_what_is_no_text", "conflict = \"prefer salesforce\"", "conflict = \"append\""),
    ("policy_for_another_type", "conflict = \"prefer salesforce\"", "conflict = \"max\""),
    ("rule_that_gives_something_else", "conflict = \"prefer salesforce\"", "conflict = { rule = \"size(edits)\" }"),
    (
        "order_that_the_value_map_does_not_know",
        "default = { salesforce = \"New\" }",
        "conflict = \"forward only lead, custommer\"",
    ),
    ("policy_names_nobody", "\"prefer salesforce\"", "\"prefer pipedrive\""),
    ("unknown_match_key", "match = [\"email\"]", "match = [\"mail\"]"),
    ("no_way_to_link", "match = [\"email\"]\n", ""),
    ("unknown_type", "type = \"phone\"", "type = \"fone\""),
    ("type_is_missing", "type = \"phone\", ", ""),
    ("field_in_one_system", ", salesforce = \"Phone\", conflict = \"prefer salesforce\"", ""),
    ("property_taken_twice", "salesforce = \"Phone\"", "salesforce = \"Email\""),
    ("several_objects_to_create", "{ object = \"Contact\" }", "{ object = [\"Contact\", \"Lead\"] }"),
    ("no_object_at_all", "{ object = \"Contact\" }", "{ object = [] }"),
    (
        "property_of_an_unknown_object",
        "salesforce = \"Phone\"",
        "salesforce = { Contact = \"Phone\", Leed = \"Phone\" }",
    ),
    ("value_without_counterpart", "salesforce = \"Customer\" }", "is = \"customer\" }"),
    ("default_that_no_row_knows", "default = { salesforce = \"New\" }", "default = { salesforce = \"Nwe\" }"),
    ("default_of_another_type", "sensitive = true", "default = \"soon\""),
    ("ref_to_nobody", "to = \"person\"", "to = \"persn\""),
    ("ref_without_a_target", "to = \"person\", ", ""),
    ("ref_as_match_key", "match = [\"email\"]", "match = [\"boss\"]"),
    (
        "ref_in_a_group",
        "salesforce = \"ReportsToId\" }",
        "salesforce = \"ReportsToId\", group = \"job\" }\ntitle = { type = \"text\", hubspot = \"jobtitle\", salesforce = \"Title\", group = \"job\" }",
    ),
    ("ref_with_a_length", "to = \"person\",", "to = \"person\", length = 18,"),
    ("region_that_is_none", "conflict = \"latest\"\n", "conflict = \"latest\"\nregion = \"Germany\"\n"),
    ("region_of_a_field_that_is_none", "type = \"phone\"", "type = \"phone\", region = \"XX\""),
    ("region_of_an_address", "type = \"email\"", "type = \"email\", region = \"DE\""),
    ("fallback_of_a_text", "type = \"phone\"", "type = \"phone\", fallback.salesforce = \"ops@acme.example\""),
    (
        "fallback_without_a_system",
        OWNED,
        "ops = { type = \"owner\", hubspot = \"o\", salesforce = \"O\", fallback = \"ops@x.example\" }\nphone = {",
    ),
    (
        "fallback_that_is_no_address",
        OWNED,
        "ops = { type = \"owner\", hubspot = \"o\", salesforce = \"O\", fallback.salesforce = \"Ann\" }\nphone = {",
    ),
    (
        "fallback_of_an_unknown_system",
        OWNED,
        "ops = { type = \"owner\", hubspot = \"o\", salesforce = \"O\", fallback.hubspott = \"a@b\" }\nphone = {",
    ),
    ("owner_as_match_key", "type = \"email\"", "type = \"owner\""),
    ("ref_with_a_default", "to = \"person\",", "to = \"person\", default = \"nobody\","),
    ("target_of_a_text", "type = \"phone\"", "type = \"phone\", to = \"person\""),
    ("profile_shares_a_store", "staging.redb", "syncline.redb"),
    ("profile_sends_a_token_elsewhere", ", token = \"env:STAGING\"", ""),
];

/// As [`OFFLINE`], in the config of a sandbox and asked of its live schemas.
const LIVE: [(&str, &str, &str); 14] = [
    (
        "live_ties_by_rows_that_are_not_there",
        "amount = {",
        "contacts = { type = \"refs\", to = \"person\", hubspot = \"associated contacts\", salesforce = \"OpportunityContactRole(OpportunityId, PersonId)\" }\namount = {",
    ),
    (
        "live_fallback_who_is_nobody",
        "city = {",
        "ops = { type = \"owner\", hubspot = \"hubspot_owner_id\", salesforce = \"OwnerId\", fallback.salesforce = \"nobody@x.example\" }\ncity = {",
    ),
    (
        "live_fallback_who_is_inactive",
        "city = {",
        "ops = { type = \"owner\", hubspot = \"hubspot_owner_id\", salesforce = \"OwnerId\", fallback.salesforce = \"rita.rep@sandbox.example\" }\ncity = {",
    ),
    (
        "live_missing_property_of_one_object",
        "{ object = \"Contact\" }",
        "{ object = [\"Contact\", \"Lead\"], create_as = \"Contact\" }",
    ),
    (
        "live_constants_that_do_not_fit",
        "object = \"Contact\" }",
        "object = \"Contact\", on_create = { Name = \"x\", LeadSourc = \"Web\" } }",
    ),
    ("live_missing_property", "salesforce = \"MailingCity\"", "salesforce = \"MailingCiti\""),
    (
        "live_ref_to_another_object",
        "city = {",
        "boss = { type = \"ref\", to = \"deal\", hubspot = \"primary company\", salesforce = \"AccountId\" }\ncity = {",
    ),
    ("live_missing_object", "object = \"Opportunity\"", "object = \"Oportunity\""),
    ("live_type_clash", "salesforce = \"MailingCity\"", "salesforce = \"Birthdate\""),
    ("live_read_only_property", "salesforce = \"MailingCity\"", "salesforce = \"Name\""),
    ("live_option_that_is_not_there", "salesforce = \"Closed Won\"", "salesforce = \"Closed Wonn\""),
    ("live_option_without_a_row", "    { hubspot = \"closedlost\", salesforce = \"Closed Lost\" },\n", ""),
    (
        "live_required_without_a_source",
        ", salesforce = \"LastName\", default = { salesforce = \"Unknown\" }",
        ", salesforce = \"Department\"",
    ),
    ("live_missing_secret", "file:secrets/hubspot.token", "file:secrets/nowhere.token"),
];

fn compare(name: &str, found: &str) -> Option<String> {
    let file: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/check").join(format!("{name}.txt"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&file, found).expect("a file");
    }
    let wanted = std::fs::read_to_string(&file).unwrap_or_default();
    (wanted != found).then(|| format!("--- {name}, wanted\n{wanted}--- {name}, found\n{found}"))
}

/// A line of the config and a mend are named, and no secret is repeated.
#[track_caller]
fn helps(name: &str, said: &str) {
    let line = said.contains("[broken.toml:") || said.contains("broken.toml:");
    assert!(line && (said.contains("help: ") || said.contains("warning: ")), "{name}: {said}");
    assert!(!said.contains("canary"), "{name}: {said}");
}

#[test]
fn each_broken_config_is_told_with_line_and_mend() {
    let world = World::new(0);
    let told = |text: &str, args: &[&str]| {
        std::fs::write(world.path("broken.toml"), text).expect("a file");
        world.run(&[&["check", "--config", "broken.toml"], args].concat())
    };
    let (code, _, err) = told(SOUND, &["--offline"]);
    assert_eq!((code, err.as_str()), (Some(0), ""), "the sound one is sound");
    let mut amiss = Vec::new();
    for (name, old, new) in OFFLINE {
        assert_eq!(SOUND.matches(old).count(), 1, "{name}");
        let (code, _, err) = told(&SOUND.replace(old, new), &["--offline"]);
        assert_eq!(code, Some(2), "{name}");
        helps(name, &err);
        amiss.extend(compare(name, &err));
    }
    let sandbox = std::fs::read_to_string(world.path("syncline.toml")).expect("a config");
    for (name, old, new) in LIVE {
        assert_eq!(sandbox.matches(old).count(), 1, "{name}");
        let (code, _, err) = told(&sandbox.replace(old, new), &[]);
        let warning = name == "live_option_without_a_row";
        assert_eq!(code, Some(if warning { 0 } else { 2 }), "{name}: {err}");
        helps(name, &err);
        // The ports are others each time.
        let covered = ["hubspot", "salesforce"].iter().fold(err, |err, system| {
            err.replace(world.running.ready[system]["url"].as_str().expect("a url"), "http://127.0.0.1:1")
        });
        amiss.extend(compare(name, &covered));
    }
    assert!(amiss.is_empty(), "{}", amiss.join("\n"));
}

#[test]
fn a_missing_external_id_and_several_faults_at_once_are_told() {
    let world = World::with(SandboxConfig { external_id: false, ..SandboxConfig::default() });
    std::fs::copy(world.path("syncline.toml"), world.path("broken.toml")).expect("a copy");
    let (code, _, err) = world.run(&["check", "--config", "broken.toml"]);
    assert_eq!(code, Some(2));
    assert_eq!(compare("live_missing_external_id", &err), None);
    let (_, out, _) = world.run(&["check", "--config", "broken.toml", "--create-properties"]);
    assert_eq!(compare("live_create_properties", &out), None);

    let text = SOUND.replace("[run]", "[ruin]").replace("env:SYNC", "SYNC").replace("\"newest\"", "\"x\"");
    std::fs::write(world.path("broken.toml"), text.replace("type = \"phone\"", "type = \"fone\"")).expect("a file");
    let (_, _, err) = world.run(&["check", "--config", "broken.toml", "--offline"]);
    assert_eq!(compare("several_at_once", &err), None);
}
