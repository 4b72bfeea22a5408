//! Seeded people.

use super::names::{CITIES, FAMILY, FREE_MAIL, GIVEN, TITLES};
use super::{Field, Phone, Presence, SeedPlan, SeedRecord, companies, filled, two_views, untidy};
use crate::sandbox::rng::Rng;

/// All people of a plan, the ambiguous last.
pub fn generate(plan: SeedPlan, seed: u64) -> Vec<SeedRecord> {
    let mut rng = Rng::new(seed, "people");
    let presences = Presence::draw(plan.records, plan.overlap, &mut rng);
    let companies = companies::count(plan).max(1);
    let mut people: Vec<_> = presences
        .into_iter()
        .enumerate()
        .map(|(number, presence)| {
            let (hubspot, salesforce, company) = person(number, companies, presence, &mut rng);
            SeedRecord { company: Some(company), ..presence.record(hubspot, salesforce) }
        })
        .collect();
    for number in plan.records..plan.records + plan.ambiguous {
        let (hubspot, salesforce, _) = person(number, companies, Presence::Both, &mut rng);
        let mut twin = salesforce.clone();
        set(&mut twin, "FirstName", rng.pick(&GIVEN).0.to_owned());
        set(&mut twin, "Title", (*rng.pick(&TITLES)).to_owned());
        people.push(SeedRecord {
            hubspot: vec![hubspot],
            salesforce: vec![salesforce, twin],
            created_ms: 0,
            company: None,
            owner: None,
        });
    }
    people
}

/// People who are leads in Salesforce.
pub fn leads(plan: SeedPlan, seed: u64) -> Vec<SeedRecord> {
    let mut rng = Rng::new(seed, "leads");
    let companies = companies::count(plan).max(1);
    let lead = |at: usize| {
        let presence = if at.is_multiple_of(2) { Presence::Both } else { Presence::Salesforce };
        let (hubspot, mut salesforce, _) = person(LEADS_FROM + at, companies, presence, &mut rng);
        for (name, _) in salesforce.iter_mut().filter(|(name, _)| *name == "MailingCity") {
            *name = "City";
        }
        set(&mut salesforce, "Company", companies::identity(rng.below(companies as u64) as usize).name);
        set(&mut salesforce, "Status", "Open - Not Contacted".to_owned());
        presence.record(hubspot, salesforce)
    };
    (0..plan.leads).map(lead).collect()
}

/// Numbers in the addresses of leads: beyond those of people.
const LEADS_FROM: usize = 1_000_000;

/// A person as each system has them, and the number of the company that they work for.
fn person(number: usize, companies: usize, presence: Presence, rng: &mut Rng) -> (Vec<Field>, Vec<Field>, usize) {
    let (given, given_ascii) = *rng.pick(&GIVEN);
    let (family, family_ascii) = *rng.pick(&FAMILY);
    let company = rng.below(companies as u64) as usize;
    let employer = companies::identity(company);
    let mail_domain = if rng.chance(0.1) { (*rng.pick(&FREE_MAIL)).to_owned() } else { employer.domain };
    let email = format!("{given_ascii}.{family_ascii}{number}@{mail_domain}");

    let (title, other_title) = (*rng.pick(&TITLES), *rng.pick(&TITLES));
    let (city, other_city) = (*rng.pick(&CITIES), *rng.pick(&CITIES));
    let (phone, other_phone) = (Phone::draw(number as u64, rng), Phone::draw(number as u64 + 7, rng));
    let titles = two_views(title, other_title, 0.08, rng);
    let cities = two_views(city, other_city, 0.05, rng);
    let phones = two_views(&phone, &other_phone, 0.04, rng);
    let given_names = two_views(given, given, 0.0, rng);
    // Somebody typed with caps lock on; only where no other system has it better.
    let shouted = presence != Presence::Both && rng.chance(0.05);
    let family = if shouted { family.to_uppercase() } else { family.to_owned() };

    let hubspot = filled(vec![
        ("email", Some(email.clone())),
        ("firstname", given_names.0.map(|name| untidy(name, rng))),
        ("lastname", Some(untidy(&family, rng))),
        ("phone", phones.0.map(|phone| phone.written(rng))),
        ("jobtitle", titles.0.map(|title| untidy(title, rng))),
        ("city", cities.0.map(str::to_owned)),
        ("company", rng.chance(0.7).then(|| employer.name.clone())),
        ("lifecyclestage", Some((*rng.pick(&["lead", "opportunity", "customer"])).to_owned())),
    ]);
    let salesforce = filled(vec![
        ("Email", Some(in_some_case(&email, given_ascii, rng))),
        ("FirstName", given_names.1.map(str::to_owned)),
        ("LastName", Some(family)),
        ("Phone", phones.1.map(|phone| phone.written(rng))),
        ("Title", titles.1.map(str::to_owned)),
        ("MailingCity", cities.1.map(str::to_owned)),
    ]);
    (hubspot, salesforce, company)
}

/// The same address as somebody else types it.
fn in_some_case(email: &str, given: &str, rng: &mut Rng) -> String {
    match rng.below(10) {
        0 => email.to_uppercase(),
        1 | 2 => {
            let (first, rest) = given.split_at(1);
            email.replacen(given, &format!("{}{rest}", first.to_uppercase()), 1)
        }
        _ => email.to_owned(),
    }
}

fn set(fields: &mut Vec<Field>, name: &'static str, value: String) {
    fields.retain(|(field, _)| *field != name);
    fields.push((name, value));
}
