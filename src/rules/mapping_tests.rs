use super::*;
use crate::model::{FieldKind, Home};
use crate::rules::{ConflictSpec, CreateSpec, EntitySpec, FieldSpec, Limits, Mismatch, TooLong, Transform};

fn rules(entities: impl IntoIterator<Item = EntitySpec>) -> Rules {
    let ability = crate::rules::tests::ability(1);
    let builder = Rules::builder().system("a", ability.clone()).system("b", ability.clone()).system("c", ability);
    entities.into_iter().fold(builder, |builder, entity| builder.entity(entity)).build().expect("rules")
}

fn person(fields: impl IntoIterator<Item = FieldSpec>) -> EntitySpec {
    let person = EntitySpec::new("person").at("a", "contacts").at("b", "Contact").match_by("email");
    let person = person.create(CreateSpec::Nowhere).field(field("email", FieldKind::Email));
    fields.into_iter().fold(person, EntitySpec::field)
}

fn field(name: &str, kind: FieldKind) -> FieldSpec {
    FieldSpec::new(name, kind).at("a", name).at("b", name)
}

fn phone() -> FieldSpec {
    field("phone", FieldKind::Text)
}

/// From a person with a phone to another one.
fn to(next: EntitySpec) -> Result<Remap, MappingChange> {
    let (old, next) = (Mapping::of(&rules([person([phone()])])), Mapping::of(&rules([next])));
    let read = Mapping::decode(&old.encode()).expect("as it was written");
    assert_eq!(read, old);
    Ok(read.to(&next)?.pop().map(|(_, remap)| remap).unwrap_or_default())
}

fn id(name: &str) -> FieldId {
    FieldId::of(name)
}

fn both(field: FieldId) -> Vec<(Home, FieldId)> {
    let mut both = vec![(Home::of("a", "contacts"), field), (Home::of("b", "Contact"), field)];
    both.sort();
    both
}

#[test]
fn who_wins_is_no_change() {
    let next = person([phone().conflict(ConflictSpec::Owns("b".into()))]).conflict(ConflictSpec::Prefer("a".into()));
    assert_eq!(to(next), Ok(Remap::default()));
}

#[test]
fn a_new_field_is_linked_where_the_entity_lives() {
    let remap = to(person([phone(), field("title", FieldKind::Text)])).expect("a change that can be taken in");
    assert_eq!(remap, Remap { rebound: both(id("title")), ..Remap::default() });
}

#[test]
fn a_group_begins_again_with_other_fields_and_is_linked_anew_where_a_part_reads_otherwise() {
    let part = |name: &str, kind| field(name, kind).group("address");
    let city = || part("city", FieldKind::Text);
    let between = |old: EntitySpec, next: EntitySpec| {
        let remap = Mapping::of(&rules([old])).to(&Mapping::of(&rules([next]))).expect("a change that can be taken in");
        remap.into_iter().next().map(|(_, remap)| remap).unwrap_or_default()
    };
    let old = || person([city(), part("zip", FieldKind::Text)]);
    let again = Remap { dropped: vec![id("address")], rebound: both(id("address")), ..Remap::default() };
    assert_eq!(between(old(), person([city(), part("zip", FieldKind::Integer)])), again);
    assert_eq!(between(old(), person([city(), part("zip", FieldKind::Text), part("street", FieldKind::Text)])), again);
    let trimmed = person([city(), part("zip", FieldKind::Text).transform("b", [Transform::Upper])]);
    let anew = Remap { rebound: vec![(Home::of("b", "Contact"), id("address"))], ..Remap::default() };
    assert_eq!(between(old(), trimmed), anew);
}

#[test]
fn a_field_that_is_gone_is_forgotten() {
    let remap = to(person([])).expect("a change that can be taken in");
    assert_eq!(remap, Remap { dropped: vec![id("phone")], unbound: both(id("phone")), ..Remap::default() });
}

#[test]
fn another_property_is_linked_anew_on_its_own_side() {
    let mobile = FieldSpec::new("phone", FieldKind::Text).at("a", "phone").at("b", "Mobile");
    let here = vec![(Home::of("b", "Contact"), id("phone"))];
    assert_eq!(to(person([mobile])), Ok(Remap { rebound: here.clone(), ..Remap::default() }));
    let bent = phone().transform("b", [Transform::Prefix("+".into())]);
    assert_eq!(to(person([bent])).map(|remap| remap.rebound), Ok(here));
}

#[test]
fn a_limit_counts_only_where_it_bends_values() {
    let short = || {
        let limits = Limits { length: Some(7), ..Limits::default() };
        let mut phone = phone();
        phone.limits.push(("b".into(), limits));
        phone
    };
    assert_eq!(to(person([short()])), Ok(Remap::default()));
    let cut = Mismatch { too_long: TooLong::Truncate, ..Mismatch::default() };
    assert_eq!(to(person([short().mismatch(cut)])).map(|remap| remap.rebound.len()), Ok(1));
}

#[test]
fn another_type_begins_again() {
    let remap = to(person([field("phone", FieldKind::Phone)])).expect("a change that can be taken in");
    assert_eq!(remap, Remap { dropped: vec![id("phone")], rebound: both(id("phone")), ..Remap::default() });
}

#[test]
fn other_keys_are_noted() {
    assert_eq!(to(person([phone()]).match_by("phone")), Ok(Remap { keys: true, ..Remap::default() }));
    let email = FieldSpec::new("email", FieldKind::Email).at("a", "email").at("b", "Work");
    let other = EntitySpec::new("person").at("a", "contacts").at("b", "Contact").match_by("email");
    let remap = to(other.create(CreateSpec::Nowhere).field(email).field(phone())).expect("a change");
    assert_eq!((remap.keys, remap.rebound), (true, vec![(Home::of("b", "Contact"), id("email"))]));
}

#[test]
fn a_further_system_has_nothing_to_forget() {
    let phone = phone().at("c", "phone");
    let remap = to(person([phone]).at("c", "people")).expect("a change that can be taken in");
    assert_eq!(remap, Remap { objects: true, ..Remap::default() }, "the email is not even held there");
}

#[test]
fn a_further_object_of_a_system_has_nothing_to_forget_and_the_first_goes_on() {
    let remap = to(person([phone()]).at("b", "Lead")).expect("a change that can be taken in");
    assert_eq!(remap, Remap { objects: true, ..Remap::default() });
    let phone = FieldSpec::new("phone", FieldKind::Text).at("a", "phone").at_object("b", "Lead", "phone");
    let remap = to(person([phone]).at("b", "Lead")).expect("a change that can be taken in");
    assert_eq!((remap.rebound, remap.unbound), (vec![], vec![(Home::of("b", "Contact"), id("phone"))]));
}

#[test]
fn what_cannot_be_taken_in_is_named() {
    let other = EntitySpec::new("company").at("a", "x").at("b", "y").match_by("email");
    let other = other.create(CreateSpec::Nowhere).field(field("email", FieldKind::Email));
    assert_eq!(to(other), Err(MappingChange::EntityGone { entity: "person".into() }));
    let mut moved = person([phone()]);
    moved.objects[1].object = "Lead".into();
    assert_eq!(to(moved), Err(MappingChange::ObjectGone { entity: "person".into(), object: "Contact".into() }));
}

#[test]
fn its_stored_form_is_frozen() {
    let bytes = Mapping::of(&rules([person([phone()])])).encode();
    assert_eq!(
        crate::model::Digest::of_bytes(&bytes).to_string(),
        if cfg!(feature = "idna") { "d38c9d06c6e7a03faa44508a6a4fdc4d" } else { "ebcb40bf103d6ce2854394a223aef198" },
        "a new form needs a new version byte"
    );
}

#[cfg(feature = "phone")]
#[test]
fn a_region_reads_numbers_in_another_way_and_counts_only_where_it_is_stated() {
    let region = |text| FieldKind::PhoneOf(crate::model::Region::parse(text).expect("a region"));
    let of = |kind| rules([person([field("phone", kind)])]);
    let (none, german, french) = (of(FieldKind::Phone), of(region("DE")), of(region("FR")));
    assert_eq!(none.fingerprint(), of(FieldKind::Phone).fingerprint());
    assert_ne!(none.fingerprint(), german.fingerprint());
    assert_ne!(german.fingerprint(), french.fingerprint());
    let remap = Mapping::of(&none).to(&Mapping::of(&german)).expect("a change that can be taken in");
    assert_eq!(remap[0].1.rebound, both(id("phone")));
}

#[test]
fn who_stands_in_for_an_owner_is_data() {
    let owner = || field("owner", FieldKind::Owner);
    let (plain, stood) = (rules([person([owner()])]), rules([person([owner().fallback("b", "ops@x.example")])]));
    assert_eq!(plain.fingerprint(), stood.fingerprint());
    assert_eq!(Mapping::of(&plain), Mapping::of(&stood));
    assert_ne!(plain.owners(SystemId::of("b")), stood.owners(SystemId::of("b")), "but the store is told");
}

#[test]
fn other_shared_domains_are_other_keys_and_read_whatever_way_they_are_written() {
    let firm = |shared: Option<&[&str]>| {
        let domain = field("domain", FieldKind::Domain);
        let domain = shared.map_or(domain.clone(), |shared| domain.shared_domains(shared.iter().copied()));
        let firm = EntitySpec::new("firm").at("a", "contacts").at("b", "Contact").match_by("domain");
        rules([firm.create(CreateSpec::Nowhere).field(domain)])
    };
    let remap = |old: &Rules, next: &Rules| {
        let remap = Mapping::of(old).to(&Mapping::of(next)).expect("a change that can be taken in");
        remap.into_iter().next().map(|(_, remap)| remap).unwrap_or_default()
    };
    let (usual, own) = (firm(None), firm(Some(&["Agency.example", "https://www.agency.example/"])));
    assert_eq!(remap(&usual, &own), Remap { rebound: both(id("domain")), keys: true, ..Remap::default() });
    assert_ne!(usual.fingerprint(), own.fingerprint());
    assert_eq!(remap(&own, &firm(Some(&["agency.example"]))), Remap::default());
    let is_shared = |rules: &Rules, domain: &str| rules.entities[0].fields[0].is_shared_domain(domain);
    assert!(is_shared(&usual, "gmail.com") && !is_shared(&usual, "agency.example"));
    assert!(!is_shared(&own, "gmail.com") && is_shared(&own, "agency.example"));
}
