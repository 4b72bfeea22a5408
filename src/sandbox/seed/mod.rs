//! Seeded data: people, companies and deals that two systems know in part together, and as untidily as people keep them.
//!
//! The mess is one of format: letter case, blanks, phone styles, missing optional fields. A person is told by e-mail
//! address, a company by domain, a deal by name, and what both systems have disagrees in a small share of the fields.

mod companies;
mod deals;
mod names;
mod people;

use serde::Serialize;

use super::clock::DAY_MS;
use super::rng::Rng;
use super::system::Furnish;

/// How much data to make.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SeedPlan {
    /// People over both systems; there are a quarter as many companies and two fifths as many deals.
    pub records: usize,
    /// The share that both systems know.
    pub overlap: f64,
    /// Further people, and a quarter as many companies, that one system holds twice.
    pub ambiguous: usize,
    /// Further people who are leads in Salesforce, every second of them a contact in HubSpot as well.
    pub leads: usize,
}

impl Default for SeedPlan {
    fn default() -> Self {
        Self { records: 2000, overlap: 0.6, ambiguous: 0, leads: 0 }
    }
}

/// A property and its value.
pub type Field = (&'static str, String);

/// One real thing, as each system knows it. Usually once; the ambiguous twice in one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeedRecord {
    /// The HubSpot records of it.
    pub hubspot: Vec<Vec<Field>>,
    /// The Salesforce records of it.
    pub salesforce: Vec<Vec<Field>>,
    /// When it was first entered.
    pub created_ms: i64,
    /// The number of the company that a person works for, or a deal is with.
    pub company: Option<usize>,
    /// The e-mail address of its owner, for the systems in which that is an active user.
    pub owner: Option<&'static str>,
}

/// How many things each system knows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Spread {
    /// Known to both.
    pub both: usize,
    /// Known to HubSpot only.
    pub only_hubspot: usize,
    /// Known to Salesforce only.
    pub only_salesforce: usize,
    /// Held twice by one system, and counted nowhere else.
    pub ambiguous: usize,
}

/// What the sandbox was filled with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct SeedSummary {
    /// People: contacts on both sides.
    pub people: Spread,
    /// Companies and accounts.
    pub companies: Spread,
    /// Deals and opportunities.
    pub deals: Spread,
}

/// Everything that is to be inserted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataset {
    /// Contacts of both systems.
    pub people: Vec<SeedRecord>,
    /// Companies and accounts.
    pub companies: Vec<SeedRecord>,
    /// Deals and opportunities.
    pub deals: Vec<SeedRecord>,
    /// Contacts of HubSpot and leads of Salesforce.
    pub leads: Vec<SeedRecord>,
}

impl Dataset {
    /// Makes the data of a seed, entered over the two years before `now_ms`.
    pub fn generate(plan: SeedPlan, seed: u64, now_ms: i64) -> Self {
        let times = |records: &mut Vec<SeedRecord>, label: &str| {
            let mut rng = Rng::new(seed, label);
            let mut drawn: Vec<i64> = records.iter().map(|_| rng.below(PAST_MS as u64) as i64).collect();
            // Ids are given in the order of creation, as in a system that has been in use.
            drawn.sort_unstable();
            for (record, drawn) in records.iter_mut().zip(drawn) {
                record.created_ms = now_ms - PAST_MS - DAY_MS + drawn;
            }
        };
        let mut companies = companies::generate(plan, seed);
        let mut people = people::generate(plan, seed);
        let mut deals = deals::generate(plan, seed, now_ms);
        times(&mut companies, "company times");
        times(&mut people, "people times");
        times(&mut deals, "deal times");
        let mut leads = people::leads(plan, seed);
        times(&mut leads, "lead times");
        for records in [&mut people, &mut companies, &mut deals, &mut leads] {
            for (number, record) in records.iter_mut().enumerate() {
                record.owner = OWNERS[number % OWNERS.len()];
            }
        }
        Self { people, companies, deals, leads }
    }

    /// Counts who knows what.
    pub fn summary(&self) -> SeedSummary {
        SeedSummary { people: spread(&self.people), companies: spread(&self.companies), deals: spread(&self.deals) }
    }

    /// Inserts HubSpot's part.
    pub fn fill_hubspot(&self, world: &mut dyn Furnish) -> Result<(), String> {
        let companies = fill(world, "companies", &self.companies, &[], |record| &record.hubspot)?;
        fill(world, "contacts", &self.people, &companies, |record| &record.hubspot)?;
        fill(world, "contacts", &self.leads, &companies, |record| &record.hubspot)?;
        fill(world, "deals", &self.deals, &companies, |record| &record.hubspot)?;
        Ok(())
    }

    /// Inserts Salesforce's part.
    pub fn fill_salesforce(&self, world: &mut dyn Furnish) -> Result<(), String> {
        let companies = fill(world, "Account", &self.companies, &[], |record| &record.salesforce)?;
        fill(world, "Contact", &self.people, &companies, |record| &record.salesforce)?;
        fill(world, "Lead", &self.leads, &[], |record| &record.salesforce)?;
        fill(world, "Opportunity", &self.deals, &companies, |record| &record.salesforce)?;
        Ok(())
    }
}

/// Which systems know a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presence {
    Both,
    HubSpot,
    Salesforce,
}

impl Presence {
    /// The presence of `count` things in a shuffled order: `overlap` of them on both sides, the rest split evenly.
    fn draw(count: usize, overlap: f64, rng: &mut Rng) -> Vec<Self> {
        let both = (count as f64 * overlap.clamp(0.0, 1.0)).round() as usize;
        let hubspot = (count - both).div_ceil(2);
        let mut drawn = vec![Self::Both; both];
        drawn.resize(both + hubspot, Self::HubSpot);
        drawn.resize(count, Self::Salesforce);
        rng.shuffle(&mut drawn);
        drawn
    }

    /// A record known as this says.
    fn record(self, hubspot: Vec<Field>, salesforce: Vec<Field>) -> SeedRecord {
        let only = |wanted: Self, fields| if self == wanted || self == Self::Both { vec![fields] } else { Vec::new() };
        SeedRecord {
            hubspot: only(Self::HubSpot, hubspot),
            salesforce: only(Self::Salesforce, salesforce),
            created_ms: 0,
            company: None,
            owner: None,
        }
    }
}

/// An optional fact as both systems have it: mostly the same, sometimes missing on one side or on both, sometimes other.
fn two_views<T: Clone>(fact: T, other: T, differs: f64, rng: &mut Rng) -> (Option<T>, Option<T>) {
    let second = if rng.chance(differs) { other } else { fact.clone() };
    match rng.below(100) {
        0..6 => (None, Some(second)),
        6..12 => (Some(fact), None),
        12..20 => (None, None),
        _ => (Some(fact), Some(second)),
    }
}

/// Sometimes with a blank before or after it.
fn untidy(text: &str, rng: &mut Rng) -> String {
    match rng.below(25) {
        0 => format!(" {text}"),
        1 => format!("{text} "),
        _ => text.to_owned(),
    }
}

/// A phone number with its country code in one of the styles that people write: equal once all but digits is taken away.
struct Phone {
    country: &'static str,
    groups: [String; 3],
}

impl Phone {
    /// A number from the ranges set aside for fiction.
    fn draw(number: u64, rng: &mut Rng) -> Self {
        let (country, groups) = match rng.below(3) {
            0 => {
                let area = *rng.pick(&["415", "212", "312", "206", "617", "303", "512"]);
                ("1", [area.to_owned(), "555".to_owned(), format!("01{:02}", number % 100)])
            }
            1 => ("44", ["20".to_owned(), "7946".to_owned(), format!("0{:03}", number % 1000)]),
            _ => ("49", ["30".to_owned(), "23125".to_owned(), format!("{:03}", number % 1000)]),
        };
        Self { country, groups }
    }

    fn written(&self, rng: &mut Rng) -> String {
        let (country, groups) = (self.country, &self.groups);
        match rng.below(5) {
            0 => format!("+{country} ({}) {}", groups[0], groups[1..].join("-")),
            1 => format!("+{country}.{}", groups.join(".")),
            2 => format!("+{country} {}", groups.join(" ")),
            3 => format!("+{country}{}", groups.concat()),
            _ => format!("+{country}-{}", groups.join("-")),
        }
    }
}

/// The fields that have a value.
fn filled(fields: Vec<(&'static str, Option<String>)>) -> Vec<Field> {
    fields.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn spread(records: &[SeedRecord]) -> Spread {
    let mut spread = Spread::default();
    for record in records {
        match (record.hubspot.len(), record.salesforce.len()) {
            (1, 1) => spread.both += 1,
            (1, 0) => spread.only_hubspot += 1,
            (0, 1) => spread.only_salesforce += 1,
            _ => spread.ambiguous += 1,
        }
    }
    spread
}

/// Inserts one side's records, without the fields that its schema does not have, each with the company that it belongs to where
/// this side has that one; gives the first id of each, by number.
fn fill(
    world: &mut dyn Furnish,
    object: &str,
    records: &[SeedRecord],
    companies: &[Option<String>],
    side: impl Fn(&SeedRecord) -> &Vec<Vec<Field>>,
) -> Result<Vec<Option<String>>, String> {
    let mut ids = Vec::with_capacity(records.len());
    let known: Vec<String> = world.properties(object).into_iter().map(|(name, _)| name).collect();
    for record in records {
        let company = record.company.and_then(|number| companies.get(number)?.as_deref());
        let mut first = None;
        for fields in side(record) {
            let owner = known.iter().find(|name| matches!(&***name, "hubspot_owner_id" | "OwnerId"));
            let owner = owner.and_then(|name| Some((name.clone(), world.owner(record.owner?)?)));
            let known_fields = fields.iter().filter(|(name, _)| known.iter().any(|known| known == name));
            let fields = known_fields.map(|(name, value)| ((*name).to_owned(), value.clone()));
            let fields = fields.chain(owner).collect();
            let made = world.insert_with(object, fields, company, record.created_ms);
            first.get_or_insert(made.map_err(|error| format!("seeding {object}: {error}"))?);
        }
        ids.push(first);
    }
    Ok(ids)
}

/// Who owns the seeded records, in turn; each is a user of both systems.
const OWNERS: [Option<&str>; 4] = [
    Some("olivia.owner@sandbox.example"),
    None,
    Some("sam.seller@sandbox.example"),
    Some("olivia.owner@sandbox.example"),
];

const PAST_MS: i64 = 730 * DAY_MS;

#[cfg(test)]
mod tests;
