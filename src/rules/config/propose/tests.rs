use super::*;
use crate::rules::config::parse;
use std::path::Path;

fn property(name: &str, kind: PropertyType) -> PropertySchema {
    PropertySchema {
        name: name.into(),
        label: String::new(),
        kind,
        writable: true,
        required: false,
        unique: false,
        length: None,
        precision: None,
        scale: None,
        refers_to: Vec::new(),
        options: Vec::new(),
        choices: Vec::new(),
    }
}

fn choices(name: &str, choices: &[(&str, &str)]) -> PropertySchema {
    let choices = choices.iter().map(|(value, label)| ((*value).to_owned(), (*label).to_owned())).collect();
    PropertySchema { choices, ..property(name, PropertyType::Enumeration) }
}

fn text(name: &str) -> PropertySchema {
    property(name, PropertyType::Text)
}

/// A proposal for contacts with these properties besides the e-mail address.
fn proposed(hubspot: Vec<PropertySchema>, salesforce: Vec<PropertySchema>) -> String {
    let described = |name: &str, kind, object: &str, email: &str, mut properties: Vec<PropertySchema>| {
        properties.push(text(email));
        Described { name: name.into(), kind, objects: vec![ObjectSchema { object: object.into(), properties }] }
    };
    let toml = propose(&[
        described("hubspot", SystemKind::HubSpot, "contacts", "email", hubspot),
        described("salesforce", SystemKind::Salesforce, "Contact", "Email", salesforce),
    ])
    .to_toml();
    let head =
        "[systems.hubspot]\ntoken = \"env:A\"\n[systems.salesforce]\nurl = \"https://a.example\"\ntoken = \"env:B\"\n";
    let text = format!("{head}{toml}");
    parse(&text, Path::new("s.toml")).unwrap_or_else(|errors| panic!("{errors}\n{toml}"));
    #[cfg(feature = "wire")]
    assert_eq!(crate::rules::config::schema_faults(&text), [""; 0]);
    toml
}

#[track_caller]
fn says(toml: &str, line: &str) {
    assert!(toml.lines().any(|found| found.contains(line)), "{line} in\n{toml}");
}

#[test]
fn standard_counterparts_come_first_and_then_names_and_labels() {
    let label = |name: &str| PropertySchema { label: "Shoe Size".into(), ..property(name, PropertyType::Number) };
    let toml = proposed(
        vec![
            text("firstname"),
            text("fax"),
            text("favourite_colour"),
            label("size"),
            text("hs_thing"),
            text("only_here"),
        ],
        vec![
            text("FirstName"),
            text("Favourite_Colour__c"),
            label("Feet__c"),
            text("Thing__c"),
            property("Only_Here__c", PropertyType::Bool),
        ],
    );
    says(&toml, "firstname = { type = \"text\", hubspot = \"firstname\", salesforce = \"FirstName\" }    # standard");
    says(&toml, "hubspot = \"favourite_colour\", salesforce = \"Favourite_Colour__c\" }    # same name and type");
    says(
        &toml,
        "size = { type = \"decimal\", hubspot = \"size\", salesforce = \"Feet__c\" }    # same label (\"Shoe Size\")",
    );
    says(&toml, "# left out: fax: not in two systems");
    assert!(!toml.contains("hs_thing") && !toml.contains("only_here"), "{toml}");
}

#[test]
fn what_cannot_be_written_goes_one_way_and_what_is_wanted_stops_creates() {
    let read_only = |property: PropertySchema| PropertySchema { writable: false, ..property };
    let required = PropertySchema { required: true, ..text("Secret_Handshake__c") };
    let toml = proposed(
        vec![read_only(text("firstname")), read_only(text("city")), text("lastname")],
        vec![
            text("FirstName"),
            read_only(text("MailingCity")),
            PropertySchema { required: true, ..text("LastName") },
            required,
        ],
    );
    says(&toml, "conflict = \"hubspot owns\" }    # standard counterparts; firstname cannot be written in hubspot");
    says(&toml, "# left out: city: it cannot be written anywhere else");
    says(
        &toml,
        "lastname = { type = \"text\", hubspot = \"lastname\", salesforce = \"LastName\", default = { salesforce = \"Unknown\" } }",
    );
    says(&toml, "create = [\"hubspot\"]    # salesforce wants Secret_Handshake__c, which no field writes");
}

#[test]
fn only_what_is_the_same_is_mapped_and_what_is_near_stands_as_a_guess() {
    let toml = proposed(
        vec![choices("tier", &[("1", "Gold"), ("2", "Silver medal"), ("3", "Bronze")])],
        vec![choices("Tier__c", &[("Gold", "gold"), ("Silver medals", "Silver medals"), ("Tin", "Tin")])],
    );
    says(&toml, "    { hubspot = \"1\", salesforce = \"Gold\" },    # same label");
    says(&toml, "    # { hubspot = \"2\", salesforce = \"Silver medals\" },    a guess: the nearest label");
    says(&toml, "    # hubspot's without a counterpart: \"3\"");
    says(&toml, "    # salesforce's without a counterpart: \"Tin\"");
    let toml = proposed(vec![choices("tier", &[("1", "Gold")])], vec![choices("Tier__c", &[("Tin", "Tin")])]);
    says(&toml, "# left out: tier: no option of hubspot's tier is one of salesforce's");
}

#[test]
fn a_field_is_taken_out_by_its_path_but_never_the_match_key() {
    let described = |name: &str, kind, object: &str, names: [&str; 2]| {
        let properties = names.map(text).into();
        Described { name: name.into(), kind, objects: vec![ObjectSchema { object: object.into(), properties }] }
    };
    let mut proposal = propose(&[
        described("hubspot", SystemKind::HubSpot, "contacts", ["email", "phone"]),
        described("salesforce", SystemKind::Salesforce, "Contact", ["Email", "Phone"]),
    ]);
    assert_eq!(proposal.fields(), 2);
    assert!(proposal.take_out("entities.person.fields.phone.hubspot", "why not"));
    assert!(!proposal.take_out("entities.person.fields.phone.hubspot", "twice"));
    assert!(!proposal.take_out("entities.person.fields.email", "it is the key"));
    assert!(!proposal.take_out("entities.person.at.hubspot.object", "no field"));
    assert!(proposal.left_out().contains(&"person phone: why not".to_owned()), "{:?}", proposal.left_out());
}

#[test]
fn the_native_connectors_links_are_proposed_where_they_are() {
    let toml = proposed(vec![text("salesforcecontactid"), text("firstname")], vec![text("FirstName")]);
    says(&toml, "at.hubspot = { object = \"contacts\", links = { salesforcecontactid = \"salesforce\" } }");
    says(&toml, "at.salesforce = { object = \"Contact\" }");
    // What is no text, or of another object, is none.
    let none = proposed(
        vec![property("salesforcecontactid", PropertyType::Bool), text("salesforceaccountid")],
        vec![text("FirstName")],
    );
    says(&none, "at.hubspot = { object = \"contacts\" }");
    // It is a link, and no field besides, whatever the other system calls its own.
    let own = proposed(vec![text("salesforcecontactid")], vec![text("SalesforceContactId__c")]);
    assert!(!own.contains("SalesforceContactId__c"), "{own}");
}
