//! Queries, pages, change lists and limits.

use serde_json::{Value as Json, json};
use syncline::sandbox::ledger::Writes;

use crate::{NOON_MS, Org, body, encode, request};

#[test]
fn pages_of_a_query() {
    let mut org = Org::new();
    for n in 0..450 {
        let fields = vec![("LastName".to_owned(), format!("L{n:03}")), ("Email".to_owned(), format!("p{n}@x.org"))];
        org.world.insert_seed("Contact", fields, NOON_MS).expect("a good row");
    }
    let mut path = format!("/query?q={}", encode("SELECT LastName FROM Contact ORDER BY LastName"));
    let mut found = Vec::new();
    let mut sizes = Vec::new();
    loop {
        let mut request = request("salesforce", "GET", &path, &Json::Null);
        request.headers.push(("sforce-query-options".into(), "batchSize=10".into()));
        let response = org.send(&request);
        let usage =
            response.headers.iter().find(|(name, _)| name == "sforce-limit-info").map(|(_, value)| value.clone());
        assert_eq!(usage, Some(format!("api-usage={}/5000000", sizes.len() + 1)));
        let page = body(&response);
        assert_eq!(page["totalSize"], 450);
        let records = page["records"].as_array().cloned().unwrap_or_default();
        sizes.push(records.len());
        found.extend(records.iter().map(|record| record["LastName"].as_str().unwrap_or_default().to_owned()));
        match page["nextRecordsUrl"].as_str() {
            Some(next) => path = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(sizes, [200, 200, 50], "a batch has at least 200 records");
    assert_eq!(found, (0..450).map(|n| format!("L{n:03}")).collect::<Vec<_>>());
    assert!(path.starts_with("/services/data/v61.0/query/01g") && path.ends_with("-400"), "{path}");
    assert_eq!(org.world.ledger().by_kind.get("query_more"), Some(&2));
    org.now_ms += 2 * 86_400_000 + 1;
    org.check_refused("GET", &path, Json::Null, 400, "INVALID_QUERY_LOCATOR");
    org.check_refused("GET", "/query/nonsense", Json::Null, 400, "INVALID_QUERY_LOCATOR");
    org.check_refused("GET", "/query?q=SELECT", Json::Null, 400, "MALFORMED_QUERY");
    assert_eq!(org.world.ledger().integration, Writes::default(), "seeds are not in the books");
    let wide = format!("/query?q={}", "x".repeat(17_000));
    org.check_refused("GET", &wide, Json::Null, 414, "URI_TOO_LONG");
}

#[test]
fn updated_and_deleted() {
    let mut org = Org::new();
    let (kept, gone) = (org.create("Account", json!({"Name": "One"})), org.create("Account", json!({"Name": "Two"})));
    org.call("DELETE", &format!("/sobjects/Account/{gone}"), Json::Null);
    org.now_ms += 120_000;
    let window = "?start=2024-05-15T12:00:30Z&end=2024-05-15T12:02:00%2B00:00";
    let (_, updated) = org.call("GET", &format!("/sobjects/Account/updated/{window}"), Json::Null);
    assert_eq!(updated, json!({"ids": [kept], "latestDateCovered": "2024-05-15T12:02:00.000+0000"}));
    let (_, deleted) = org.call("GET", &format!("/sobjects/Account/deleted/{window}"), Json::Null);
    assert_eq!(deleted["deletedRecords"], json!([{"id": gone, "deletedDate": "2024-05-15T12:00:00.000+0000"}]));
    let old = "?start=2024-01-01T00:00:00Z&end=2024-05-15T12:02:00Z";
    org.check_refused("GET", &format!("/sobjects/Account/updated/{old}"), Json::Null, 400, "INVALID_REPLICATION_DATE");
}

#[test]
fn the_daily_limit_can_be_set() {
    let mut org = Org::new();
    org.world.set_daily_limit(Some(1));
    let (_, limits) = org.call("GET", "/limits", Json::Null);
    assert_eq!(limits["DailyApiRequests"], json!({"Max": 1, "Remaining": 0}));
    org.check_refused("GET", "/limits", Json::Null, 403, "REQUEST_LIMIT_EXCEEDED");
}

/// A poll must stay quick in a large org: only what changed may be looked at. The bound is generous; unoptimised builds pass.
#[test]
fn large_orgs_are_quick() {
    let mut org = Org::new();
    for n in 0..20_000 {
        let fields = vec![("LastName".to_owned(), format!("L{n}")), ("Email".to_owned(), format!("p{n}@x.org"))];
        org.world.insert_seed("Contact", fields, NOON_MS - 86_400_000 + n * 1000).expect("a good row");
    }
    let poll = "SELECT Id, Email, SystemModstamp FROM Contact WHERE SystemModstamp >= 2024-05-14T17:33:00Z \
                ORDER BY SystemModstamp, Id LIMIT 2000";
    let emails: Vec<_> = (0..200).map(|n| format!("'P{n}@X.org'")).collect();
    let lookup = format!("SELECT Id FROM Contact WHERE Email IN ({})", emails.join(","));
    let started = std::time::Instant::now();
    assert_eq!(org.query(poll)["totalSize"], 20);
    assert_eq!(org.query(&lookup)["totalSize"], 200);
    let taken = started.elapsed();
    assert!(taken.as_millis() < 200, "{taken:?}");
}
