use std::collections::BTreeSet;

use super::*;

const NOW_MS: i64 = 1_790_000_000_000;

fn value<'a>(fields: &'a [Field], name: &str) -> Option<&'a str> {
    fields.iter().find(|(field, _)| *field == name).map(|(_, value)| value.as_str())
}

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

fn domain(website: &str) -> String {
    let lower = website.to_lowercase();
    let bare = lower.trim_start_matches("https://").trim_start_matches("http://").trim_start_matches("www.");
    bare.trim_end_matches('/').to_owned()
}

#[test]
fn the_counts_are_the_ones_asked_for() {
    let data = Dataset::generate(SeedPlan { records: 2000, overlap: 0.6, ambiguous: 10, leads: 0 }, 1, NOW_MS);
    let summary = data.summary();
    let spread =
        |both, only_hubspot, only_salesforce, ambiguous| Spread { both, only_hubspot, only_salesforce, ambiguous };
    assert_eq!(summary.people, spread(1200, 400, 400, 10));
    assert_eq!(summary.companies, spread(300, 100, 100, 3));
    assert_eq!(summary.deals, spread(480, 160, 160, 0));
}

#[test]
fn the_same_seed_gives_the_same_data() {
    let generate = |seed| Dataset::generate(SeedPlan { records: 50, ..SeedPlan::default() }, seed, NOW_MS);
    assert_eq!(generate(1), generate(1));
    assert_ne!(generate(1), generate(2));
}

#[test]
fn keys_are_unambiguous_and_required_fields_filled() {
    let data = Dataset::generate(SeedPlan { records: 4000, ..SeedPlan::default() }, 3, NOW_MS);
    let (mut emails, mut domains, mut names) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for person in &data.people {
        let keys: BTreeSet<_> = (person.hubspot.iter().filter_map(|fields| value(fields, "email")))
            .chain(person.salesforce.iter().filter_map(|fields| value(fields, "Email")))
            .map(str::to_lowercase)
            .collect();
        assert_eq!(keys.len(), 1, "{person:?}");
        assert!(keys.into_iter().all(|key| emails.insert(key)), "an e-mail occurs twice: {person:?}");
        assert!(person.hubspot.iter().all(|fields| value(fields, "lastname").is_some()));
        assert!(person.salesforce.iter().all(|fields| value(fields, "LastName").is_some()));
    }
    for company in &data.companies {
        let keys: BTreeSet<_> = (company.hubspot.iter().filter_map(|fields| value(fields, "domain")))
            .chain(company.salesforce.iter().filter_map(|fields| value(fields, "Website")))
            .map(domain)
            .collect();
        assert_eq!(keys.len(), 1, "{company:?}");
        assert!(keys.into_iter().all(|key| domains.insert(key)), "a domain occurs twice: {company:?}");
        assert!(company.salesforce.iter().all(|fields| value(fields, "Name").is_some()));
    }
    for deal in &data.deals {
        let keys: BTreeSet<_> = (deal.hubspot.iter().filter_map(|fields| value(fields, "dealname")))
            .chain(deal.salesforce.iter().filter_map(|fields| value(fields, "Name")))
            .map(|name| name.trim().to_owned())
            .collect();
        assert_eq!(keys.len(), 1, "{deal:?}");
        assert!(keys.into_iter().all(|key| names.insert(key)), "a name occurs twice: {deal:?}");
        assert!(deal.hubspot.iter().all(|fields| value(fields, "closedate").is_some()));
        assert!(deal.salesforce.iter().all(|fields| value(fields, "CloseDate").is_some()));
    }
}

#[test]
fn what_both_have_differs_in_format_often_and_in_substance_sometimes() {
    let data = Dataset::generate(SeedPlan::default(), 1, NOW_MS);
    let (mut restyled, mut different, mut blank) = (0, 0, 0);
    for person in data.people.iter().filter(|person| person.hubspot.len() + person.salesforce.len() == 2) {
        match (value(&person.hubspot[0], "phone"), value(&person.salesforce[0], "Phone")) {
            (Some(left), Some(right)) if left == right => {}
            (Some(left), Some(right)) if digits(left) == digits(right) => restyled += 1,
            (Some(_), Some(_)) => different += 1,
            (None, None) => {}
            _ => blank += 1,
        }
    }
    assert!(
        restyled > 500 && (10..100).contains(&different) && (50..250).contains(&blank),
        "{restyled} {different} {blank}"
    );
}

#[test]
fn everything_was_entered_in_the_past_and_in_order() {
    let data = Dataset::generate(SeedPlan { records: 500, ..SeedPlan::default() }, 1, NOW_MS);
    let times: Vec<_> = data.people.iter().map(|person| person.created_ms).collect();
    assert!(times.is_sorted() && times[0] > NOW_MS - 735 * DAY_MS && times[499] < NOW_MS);
}
