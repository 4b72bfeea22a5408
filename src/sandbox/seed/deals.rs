//! Seeded deals.

use super::names::{PRODUCTS, STAGES};
use super::{Presence, SeedPlan, SeedRecord, companies, filled, two_views, untidy};
use crate::sandbox::clock::{self, DAY_MS};
use crate::sandbox::rng::Rng;

/// All deals of a plan. What both systems have agrees for the most part.
pub fn generate(plan: SeedPlan, seed: u64, now_ms: i64) -> Vec<SeedRecord> {
    let mut rng = Rng::new(seed, "deals");
    let presences = Presence::draw(plan.records * 2 / 5, plan.overlap, &mut rng);
    let companies = companies::count(plan).max(1);
    presences
        .into_iter()
        .enumerate()
        .map(|(number, presence)| deal(number, presence, companies, now_ms, &mut rng))
        .collect()
}

fn deal(number: usize, presence: Presence, companies: usize, now_ms: i64, rng: &mut Rng) -> SeedRecord {
    let company = rng.below(companies as u64) as usize;
    let customer = companies::identity(company);
    let name = format!("{} - {} {:05}", customer.name, rng.pick(&PRODUCTS), number + 1);
    let stage = rng.below(STAGES.len() as u64) as usize;
    let other_stage = if rng.chance(0.05) { (stage + 1) % STAGES.len() } else { stage };
    let cents = rng.below(20) * 25 % 100;
    let amount = 500 + rng.below(400) * 250;
    let amounts = two_views(amount, amount + 1000, 0.05, rng);
    let closing_ms = (now_ms.div_euclid(DAY_MS) + rng.below(540) as i64 - 270) * DAY_MS;
    let other_closing_ms = if rng.chance(0.03) { closing_ms + 14 * DAY_MS } else { closing_ms };
    // HubSpot prints a number as it was typed, Salesforce with both decimals.
    let typed = |whole: u64| if cents == 0 { whole.to_string() } else { format!("{whole}.{cents:02}") };

    let hubspot = filled(vec![
        ("dealname", Some(untidy(&name, rng))),
        ("dealstage", Some(STAGES[stage].0.to_owned())),
        ("pipeline", Some("default".to_owned())),
        ("closedate", Some(clock::instant(closing_ms))),
        ("amount", amounts.0.map(typed)),
        ("dealtype", rng.chance(0.5).then(|| (*rng.pick(&["newbusiness", "existingbusiness"])).to_owned())),
    ]);
    let salesforce = filled(vec![
        ("Name", Some(name)),
        ("StageName", Some(STAGES[other_stage].1.to_owned())),
        ("CloseDate", Some(clock::date(other_closing_ms))),
        ("Amount", amounts.1.map(|whole| format!("{whole}.{cents:02}"))),
    ]);
    SeedRecord { company: Some(company), ..presence.record(hubspot, salesforce) }
}
