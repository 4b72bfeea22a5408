//! Seeded companies.

use super::names::{CITIES, COMPANY_FIRST, COMPANY_SECOND, INDUSTRIES};
use super::{Field, Phone, Presence, SeedPlan, SeedRecord, filled, two_views, untidy};
use crate::sandbox::rng::Rng;

/// What a company is known by.
pub struct Identity {
    /// Its name.
    pub name: String,
    /// Its domain, in lower case and without `www`.
    pub domain: String,
}

/// How many companies a plan has, the ambiguous apart.
pub fn count(plan: SeedPlan) -> usize {
    plan.records / 4
}

/// The company of a number, the same for whoever mentions it.
pub fn identity(number: usize) -> Identity {
    let (first, first_ascii) = COMPANY_FIRST[number % COMPANY_FIRST.len()];
    let (second, second_ascii) = COMPANY_SECOND[number / COMPANY_FIRST.len() % COMPANY_SECOND.len()];
    match number / (COMPANY_FIRST.len() * COMPANY_SECOND.len()) {
        0 => Identity { name: format!("{first} {second}"), domain: format!("{first_ascii}{second_ascii}.example") },
        round => Identity {
            name: format!("{first} {second} {}", round + 1),
            domain: format!("{first_ascii}{second_ascii}{}.example", round + 1),
        },
    }
}

/// All companies of a plan, the ambiguous last.
pub fn generate(plan: SeedPlan, seed: u64) -> Vec<SeedRecord> {
    let mut rng = Rng::new(seed, "companies");
    let presences = Presence::draw(count(plan), plan.overlap, &mut rng);
    let mut companies: Vec<_> = presences
        .into_iter()
        .enumerate()
        .map(|(number, presence)| {
            let (hubspot, salesforce) = company(number, &mut rng);
            presence.record(hubspot, salesforce)
        })
        .collect();
    for number in 0..plan.ambiguous.div_ceil(4) {
        let (hubspot, salesforce) = company(count(plan) + number, &mut rng);
        let twin: Vec<Field> = hubspot.iter().filter(|(name, _)| *name != "phone").cloned().collect();
        companies.push(SeedRecord {
            hubspot: vec![hubspot, twin],
            salesforce: vec![salesforce],
            created_ms: 0,
            company: None,
            owner: None,
        });
    }
    companies
}

/// A company as each system has it.
fn company(number: usize, rng: &mut Rng) -> (Vec<Field>, Vec<Field>) {
    let Identity { name, domain } = identity(number);
    let (phone, other_phone) = (Phone::draw(number as u64 + 31, rng), Phone::draw(number as u64 + 57, rng));
    let phones = two_views(&phone, &other_phone, 0.05, rng);
    let (city, other_city) = (*rng.pick(&CITIES), *rng.pick(&CITIES));
    let cities = two_views(city, other_city, 0.05, rng);
    let employees = (10 + rng.below(5000)).to_string();
    let sizes = two_views(employees.clone(), employees, 0.0, rng);
    let hubspot = filled(vec![
        ("name", Some(untidy(&name, rng))),
        ("domain", Some(domain.clone())),
        ("phone", phones.0.map(|phone| phone.written(rng))),
        ("city", cities.0.map(str::to_owned)),
        ("numberofemployees", sizes.0),
        ("industry", rng.chance(0.5).then(|| (*rng.pick(&INDUSTRIES)).to_owned())),
    ]);
    let salesforce = filled(vec![
        ("Name", Some(name)),
        ("Website", Some(as_website(&domain, rng))),
        ("Phone", phones.1.map(|phone| phone.written(rng))),
        ("BillingCity", cities.1.map(str::to_owned)),
        ("NumberOfEmployees", sizes.1),
    ]);
    (hubspot, salesforce)
}

/// The same domain as people fill in a website.
fn as_website(domain: &str, rng: &mut Rng) -> String {
    match rng.below(5) {
        0 => format!("https://www.{domain}/"),
        1 => format!("http://{domain}"),
        2 => format!("www.{domain}"),
        3 => domain.to_uppercase(),
        _ => domain.to_owned(),
    }
}
