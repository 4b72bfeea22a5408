//! One small org, and what queries find in it.

use proptest::prelude::*;
use serde_json::Value as Json;

use super::access::{Candidates, candidates};
use super::bind::Binder;
use super::parse::parse;
use super::{Answer, run};
use crate::sandbox::salesforce::database::{Actor, Database};
use crate::sandbox::salesforce::id::Id;

/// 2024-05-15T12:00:00Z, a Wednesday.
const NOW_MS: i64 = 1_715_774_400_000;

/// Two companies, four people, four deals; each made one hour after the one before, the last at `NOW_MS`.
fn org() -> Database {
    let mut org = Database::new(7);
    let rows: &[(&str, &[(&str, &str)])] = &[
        (
            "User",
            &[
                ("Id", "005000000000001AAA"),
                ("Username", "u@x.org"),
                ("LastName", "Boss"),
                ("Email", "u@x.org"),
                ("IsActive", "true"),
            ],
        ),
        (
            "Account",
            &[("Id", "001000000000001AAA"), ("Name", "Acme"), ("Industry", "Media"), ("NumberOfEmployees", "12")],
        ),
        ("Account", &[("Id", "001000000000002AAA"), ("Name", "Zeta"), ("AnnualRevenue", "100")]),
        (
            "Contact",
            &[("LastName", "Ant"), ("FirstName", "Ann"), ("Email", "Ann@X.org"), ("AccountId", "001000000000001AAA")],
        ),
        ("Contact", &[("LastName", "Bee"), ("Email", "bob@x.org"), ("Title", "CTO"), ("Syncline_Id__c", "k1")]),
        ("Contact", &[("LastName", "cat"), ("Title", "it's 50% \\ done_"), ("AccountId", "001000000000002AAA")]),
        (
            "Contact",
            &[("LastName", "Dog"), ("IsDeleted", "true"), ("Syncline_Id__c", "K1"), ("Birthdate", "1990-02-03")],
        ),
        (
            "Opportunity",
            &[("Name", "o1"), ("StageName", "Closed Won"), ("CloseDate", "2024-05-15"), ("Amount", "10.50")],
        ),
        ("Opportunity", &[("Name", "o2"), ("StageName", "Closed Won"), ("CloseDate", "2024-05-10"), ("Amount", "30")]),
        ("Opportunity", &[("Name", "o3"), ("StageName", "Prospecting"), ("CloseDate", "2024-06-01"), ("Amount", "5")]),
        ("Opportunity", &[("Name", "o4"), ("StageName", "Prospecting"), ("CloseDate", "2023-12-31")]),
    ];
    let user = Id::parse("005000000000001").expect("an id");
    for (hour, (object, fields)) in rows.iter().enumerate() {
        let table = org.find_table(object).expect("an object");
        let fields: Vec<_> = fields.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        let changes = org.seed_changes(table, &fields).expect("fields of the schema");
        let now = NOW_MS / 1000 - 3600 * (rows.len() - 1 - hour) as i64;
        org.seed(table, changes, Actor { user, now }).expect("an acceptable row");
    }
    org
}

fn plain(json: &Json) -> String {
    match json {
        Json::String(text) => text.clone(),
        Json::Object(map) => {
            let parts: Vec<_> =
                map.iter().filter(|(key, _)| *key != "attributes").map(|(_, value)| plain(value)).collect();
            parts.join(",")
        }
        other => other.to_string(),
    }
}

/// Records with `; ` between them, values (in the order of their names) with commas; or the code and the last line of a refusal.
fn answer(query: &str, all_rows: bool) -> String {
    let org = org();
    let records = match run(&org, query, all_rows, NOW_MS) {
        Ok(Answer::Count(count)) => return format!("count {count}"),
        Ok(Answer::Groups(records)) => records,
        Ok(Answer::Rows { table, shape, ids }) => {
            ids.iter().filter_map(|id| Some(shape.json(&org, "", *id, org.table(table).row(*id)?))).collect()
        }
        Err(refusal) => return format!("{}: {}", refusal.code, refusal.message.lines().last().unwrap_or_default()),
    };
    records.iter().map(plain).collect::<Vec<_>>().join("; ")
}

#[track_caller]
fn check(query: &str, expected: &str) {
    assert_eq!(answer(query, false), expected, "{query}");
}

/// The last names of the people for whom a condition holds.
#[track_caller]
fn check_people(condition: &str, expected: &str) {
    check(&format!("SELECT LastName FROM Contact WHERE {condition} ORDER BY LastName"), expected);
}

/// The names of the deals for which a condition holds.
#[track_caller]
fn check_deals(condition: &str, expected: &str) {
    check(&format!("SELECT Name FROM Opportunity WHERE {condition} ORDER BY Name"), expected);
}

#[track_caller]
fn check_refused(query: &str, code: &str, text: &str) {
    let found = answer(query, false);
    assert!(found.starts_with(&format!("{code}: ")) && found.contains(text), "{query}\n{found}");
}

#[test]
fn select_lists() {
    check("SELECT LastName FROM Contact", "Ant; Bee; cat");
    check("select lastname from contact", "Ant; Bee; cat");
    check("SELECT c.LastName FROM Contact c", "Ant; Bee; cat");
    check("SELECT c.LastName FROM Contact AS c WHERE c.Title = null", "Ant");
    check("SELECT Contact.LastName FROM Contact LIMIT 1", "Ant");
    check("SELECT Name, Email FROM Contact", "ann@x.org,Ann Ant; bob@x.org,Bee; null,cat");
    check("SELECT Account.Name, LastName FROM Contact", "Acme,Ant; null,Bee; Zeta,cat");
    check("SELECT Account.Owner.Name, Account.Name FROM Contact LIMIT 1", "Acme,Boss");
    check("SELECT Owner.Name FROM Contact LIMIT 1", "Boss");
    check("SELECT CreatedDate FROM Opportunity WHERE Name = 'o4'", "2024-05-15T12:00:00.000+0000");
    check("SELECT Amount, CloseDate FROM Opportunity WHERE Name = 'o1'", "10.5,2024-05-15");
    check("SELECT NumberOfEmployees FROM Account", "12; null");
    check("SELECT FIELDS(CUSTOM) FROM Contact LIMIT 2", "null,null,null,null,null; null,null,null,null,k1");
    check_refused("SELECT FIELDS(ALL) FROM Contact", "MALFORMED_QUERY", "LIMIT of at most 200");
    assert!(answer("SELECT FIELDS(ALL) FROM Contact LIMIT 200", false).contains("ann@x.org"));
    check_refused("SELECT Id, Id FROM Contact", "INVALID_FIELD", "duplicate field selected");
    check_refused("SELECT LastName n FROM Contact", "MALFORMED_QUERY", "field aliasing");
}

#[test]
fn comparisons_of_texts() {
    check_people("LastName = 'ANT'", "Ant");
    check_people("LastName != 'ant'", "Bee; cat");
    check_people("LastName <> 'ant'", "Bee; cat");
    check_people("LastName > 'b'", "Bee; cat");
    check_people("LastName <= 'bee'", "Ant; Bee");
    check_people("Email = 'ANN@x.org'", "Ant");
    check_people("Email = null", "cat");
    check_people("Email = ''", "cat");
    check_people("Email != null", "Ant; Bee");
    check_people("Email != 'ann@x.org'", "Bee; cat");
    check_people("Email < 'z'", "Ant; Bee");
    check_people(r"Title = 'It\'s 50% \\ done_'", "cat");
    check_people("Syncline_Id__c = 'k1'", "Bee");
    check_people("Syncline_Id__c = 'K1'", "");
    check_people("Email IN ('BOB@x.org', 'nobody', 'Ann@X.ORG')", "Ant; Bee");
    check_people("Email NOT IN ('bob@x.org')", "Ant; cat");
    check_people("Email IN (null, 'bob@x.org')", "Bee; cat");
    check_people("Syncline_Id__c IN ('k1', 'K1')", "Bee");
}

#[test]
fn likes() {
    check_people("LastName LIKE 'a%'", "Ant");
    check_people("LastName LIKE '_E_'", "Bee");
    check_people("NOT LastName LIKE 'a%'", "Bee; cat");
    check_people(r"Title LIKE '%50\%%'", "cat");
    check_people(r"Title LIKE '%50\_%'", "");
    check_people(r"Title LIKE '%done\_'", "cat");
    check_people("Title LIKE '%'", "Bee; cat");
    check_refused("SELECT Id FROM Contact WHERE Id LIKE '003%'", "INVALID_QUERY_FILTER_OPERATOR", "operator on id");
}

#[test]
fn joining_conditions() {
    check_people("LastName = 'Ant' OR LastName = 'Bee'", "Ant; Bee");
    check_people("LastName = 'Ant' AND Email = null", "");
    check_people("NOT (LastName = 'Ant' OR LastName = 'Bee')", "cat");
    check_people("(LastName = 'Ant' AND Email != null) OR (Title = 'cto')", "Ant; Bee");
    check_people("Account.Name = 'acme'", "Ant");
    check_people("Account.Name = null", "Bee");
    check_people("AccountId IN (SELECT Id FROM Account WHERE Name LIKE 'z%')", "cat");
    check_people("Id NOT IN (SELECT MasterRecordId FROM Contact)", "Ant; Bee; cat");
    let mixed = "SELECT Id FROM Contact WHERE LastName = 'a' AND LastName = 'b' OR LastName = 'c'";
    check_refused(mixed, "MALFORMED_QUERY", "unexpected token: 'OR'");
    check_refused(
        &mixed.replace("OR", "AND").replace("' AND LastName = 'b", "' OR LastName = 'b"),
        "MALFORMED_QUERY",
        "'AND'",
    );
}

#[test]
fn ids_and_references() {
    check_people("AccountId = '001000000000001'", "Ant");
    check_people("AccountId = '001000000000001AAA'", "Ant");
    check_people("AccountId != null", "Ant; cat");
    check_people("AccountId > '001000000000001'", "cat");
    check_people("Id > '003000000000000'", "Ant; Bee; cat");
    check("SELECT Name FROM Account WHERE Id IN ('001000000000002AAA', '001000000000009')", "Zeta");
    check_refused(
        "SELECT Id FROM Contact WHERE Id = '0010'",
        "INVALID_QUERY_FILTER_OPERATOR",
        "invalid ID field: 0010",
    );
    check_refused("SELECT Id FROM Contact WHERE Id = 5", "INVALID_FIELD", "should be enclosed in quotes");
}

#[test]
fn numbers_and_booleans() {
    check_deals("Amount = 10.5", "o1");
    check_deals("Amount >= 10.50", "o1; o2");
    check_deals("Amount < 10", "o3");
    check_deals("Amount = null", "o4");
    check_deals("Amount IN (5, 30)", "o2; o3");
    check_deals("Amount > -1", "o1; o2; o3");
    check_deals("IsWon = TRUE", "o1; o2");
    check_deals("IsWon != true", "o3; o4");
    check_deals("Probability = 100", "o1; o2");
    check_refused("SELECT Id FROM Opportunity WHERE Amount = '5'", "INVALID_FIELD", "should not be enclosed in quotes");
    check_refused("SELECT Id FROM Opportunity WHERE IsWon = 'true'", "INVALID_FIELD", "of type boolean");
    check_refused("SELECT Id FROM Opportunity WHERE IsWon > TRUE", "INVALID_QUERY_FILTER_OPERATOR", "boolean");
}

#[test]
fn dates_and_times() {
    check_deals("CloseDate = 2024-05-15", "o1");
    check_deals("CloseDate = TODAY", "o1");
    check_deals("CloseDate < TODAY", "o2; o4");
    check_deals("CloseDate >= THIS_MONTH", "o1; o2; o3");
    check_deals("CloseDate = LAST_N_DAYS:5", "o1; o2");
    check_deals("CloseDate > THIS_MONTH", "o3");
    check_deals("CloseDate = LAST_YEAR", "o4");
    check_deals("SystemModstamp = 2024-05-15T12:00:00Z", "o4");
    check_deals("SystemModstamp = 2024-05-15T12:00:00.000+0000", "o4");
    check_deals("SystemModstamp >= 2024-05-15T13:00:00+02:00", "o3; o4");
    check_deals("SystemModstamp > 2024-05-15T11:00:00.500Z", "o4");
    check_deals("SystemModstamp > 2024-05-15T10:59:59.999Z", "o3; o4");
    check_deals("SystemModstamp < TODAY", "");
    check_deals("SystemModstamp = TODAY", "o1; o2; o3; o4");
    check_deals("CreatedDate >= TODAY AND CreatedDate <= 2024-05-15T10:00:00Z", "o1; o2");
    check_people("Birthdate = 1990-02-03", "");
    let date = "SELECT Id FROM Opportunity WHERE SystemModstamp > 2024-05-15";
    check_refused(date, "INVALID_FIELD", "must be of type dateTime and should not be enclosed in quotes");
    check_refused(
        "SELECT Id FROM Opportunity WHERE CloseDate = 2024-05-15T00:00:00Z",
        "INVALID_FIELD",
        "of type date ",
    );
    check_refused("SELECT Id FROM Opportunity WHERE CloseDate = '2024-05-15'", "INVALID_FIELD", "of type date ");
    // A `+` that was not percent-encoded arrives as a space.
    let blank = "SELECT Id FROM Opportunity WHERE SystemModstamp > 2024-05-15T00:00:00 01:00";
    check_refused(blank, "MALFORMED_QUERY", "unexpected token: '2024-05-15T00:00:00'");
    check_refused("SELECT Id FROM Opportunity WHERE CloseDate = 2024-02-30", "MALFORMED_QUERY", "2024-02-30");
}

#[test]
fn keyset_paging() {
    let page =
        |after: &str| format!("SELECT Name FROM Opportunity WHERE {after} ORDER BY SystemModstamp ASC, Id ASC LIMIT 2");
    check(&page("SystemModstamp >= 2024-05-15T00:00:00Z"), "o1; o2");
    check(
        &page(
            "(SystemModstamp = 2024-05-15T10:00:00Z AND Id > '006zzzzzzzzzzzz') OR SystemModstamp > 2024-05-15T10:00:00Z",
        ),
        "o3; o4",
    );
}

#[test]
fn orders() {
    check("SELECT Name FROM Opportunity ORDER BY Amount", "o4; o3; o1; o2");
    check("SELECT Name FROM Opportunity ORDER BY Amount DESC", "o4; o2; o1; o3");
    check("SELECT Name FROM Opportunity ORDER BY Amount DESC NULLS LAST", "o2; o1; o3; o4");
    check("SELECT Name FROM Opportunity ORDER BY Amount ASC NULLS LAST", "o3; o1; o2; o4");
    check("SELECT Name FROM Opportunity ORDER BY StageName DESC, Name DESC", "o4; o3; o2; o1");
    check("SELECT LastName FROM Contact ORDER BY Account.Name NULLS LAST", "Ant; cat; Bee");
    check("SELECT Name FROM Opportunity ORDER BY Name LIMIT 2 OFFSET 1", "o2; o3");
    check("SELECT Name FROM Opportunity ORDER BY Name LIMIT 0", "");
    check("SELECT Name FROM Opportunity ORDER BY Name OFFSET 9", "");
    check_refused("SELECT Id FROM Contact OFFSET 2001", "NUMBER_OUTSIDE_VALID_RANGE", "2000");
    check_refused("SELECT Id FROM Contact ORDER BY Description", "INVALID_FIELD", "can not be sorted");
}

#[test]
fn counts_and_aggregates() {
    check("SELECT COUNT() FROM Contact", "count 3");
    check("SELECT COUNT() FROM Contact WHERE Email != null LIMIT 1", "count 1");
    check("SELECT COUNT(Id) FROM Contact", "3");
    check("SELECT COUNT(Email), COUNT(Id) total FROM Contact", "2,3");
    check(
        "SELECT MIN(Amount), MAX(Amount), SUM(Amount), AVG(Amount) FROM Opportunity",
        "5.0,30.0,45.5,15.166666666666666",
    );
    check("SELECT MAX(CloseDate) FROM Opportunity", "2024-06-01");
    check("SELECT MIN(SystemModstamp) FROM Opportunity", "2024-05-15T09:00:00.000+0000");
    check("SELECT COUNT_DISTINCT(StageName) FROM Opportunity", "2");
    check("SELECT SUM(Amount) FROM Opportunity WHERE Name = 'none'", "null");
    check("SELECT COUNT(Id) FROM Opportunity WHERE Name = 'none'", "0");
    check("SELECT StageName, COUNT(Id) n FROM Opportunity GROUP BY StageName", "Closed Won,2; Prospecting,2");
    check(
        "SELECT StageName s, SUM(Amount) FROM Opportunity GROUP BY StageName ORDER BY SUM(Amount)",
        "5.0,Prospecting; 40.5,Closed Won",
    );
    check("SELECT StageName FROM Opportunity GROUP BY StageName HAVING SUM(Amount) > 10", "Closed Won");
    check("SELECT StageName FROM Opportunity GROUP BY StageName HAVING COUNT(Id) > 1 LIMIT 1", "Closed Won");
    check("SELECT Account.Name, COUNT(Id) n FROM Contact GROUP BY Account.Name", "null,1; Acme,1; Zeta,1");
    check("SELECT StageName FROM Opportunity GROUP BY StageName HAVING StageName LIKE 'P%'", "Prospecting");
    check_refused("SELECT Name, COUNT(Id) FROM Opportunity", "MALFORMED_QUERY", "must be grouped or aggregated: Name");
    check_refused("SELECT SUM(Name) FROM Opportunity", "MALFORMED_QUERY", "does not support aggregate operator");
    check_refused("SELECT Name FROM Opportunity HAVING COUNT(Id) > 1", "MALFORMED_QUERY", "GROUP BY");
    check_refused("SELECT Id FROM Opportunity WHERE COUNT(Id) > 1", "MALFORMED_QUERY", "HAVING");
}

#[test]
fn deleted_rows() {
    check("SELECT LastName FROM Contact WHERE IsDeleted = TRUE", "");
    assert_eq!(answer("SELECT LastName FROM Contact WHERE IsDeleted = TRUE", true), "Dog");
    assert_eq!(answer("SELECT COUNT() FROM Contact", true), "count 4");
    assert_eq!(answer("SELECT LastName FROM Contact WHERE Syncline_Id__c IN ('K1')", true), "Dog");
}

#[test]
fn refusals() {
    check_refused("SELECT Nope FROM Contact", "INVALID_FIELD", "No such column 'Nope' on entity 'Contact'");
    check_refused("SELECT Id FROM Contact WHERE Nope = 1", "INVALID_FIELD", "No such column 'Nope'");
    check_refused("SELECT Nope.Name FROM Contact", "INVALID_FIELD", "Didn't understand relationship 'Nope'");
    check_refused("SELECT Id FROM Accout", "INVALID_TYPE", "sObject type 'Accout' is not supported");
    check_refused("SELECT Id FROM Contact WHERE Description = 'a'", "INVALID_FIELD", "can not be filtered");
    check_refused("", "MALFORMED_QUERY", "unexpected token: '<EOF>'");
    check_refused("SELECT FROM Contact", "MALFORMED_QUERY", "unexpected token: 'FROM'");
    check_refused("SELECT Id FROM Contact WHERE", "MALFORMED_QUERY", "<EOF>");
    check_refused("SELECT Id FROM Contact WHERE Id", "MALFORMED_QUERY", "<EOF>");
    check_refused("SELECT Id FROM Contact WHER Id = 'a'", "MALFORMED_QUERY", "unexpected token: 'Id'");
    check_refused("SELECT Id FROM Contact LIMIT x", "MALFORMED_QUERY", "unexpected token: 'x'");
    check_refused("SELECT Id FROM Contact WHERE Email = 'a", "MALFORMED_QUERY", "not terminated");
    check_refused(r"SELECT Id FROM Contact WHERE Email = 'a\q'", "MALFORMED_QUERY", "illegal escape");
    check_refused("SELECT Id FROM Contact WHERE Email = :x", "MALFORMED_QUERY", "unexpected token: ':'");
    check_refused("SELECT Id FROM Contact WHERE Email IN ()", "MALFORMED_QUERY", "unexpected token: ')'");
    check_refused("SELECT Id FROM Contact;", "MALFORMED_QUERY", "unexpected token: ';'");
    check_refused("SELECT Id, (SELECT Id FROM Contacts) FROM Account", "MALFORMED_QUERY", "sub-queries");
    let deep = format!("SELECT Id FROM Contact WHERE {}Id = null{}", "(".repeat(500), ")".repeat(500));
    check_refused(&deep, "MALFORMED_QUERY", "nested too deeply");
    check_refused(&format!("SELECT Id FROM Contact WHERE {}", "NOT ".repeat(500)), "MALFORMED_QUERY", "too deeply");
    let long = format!("SELECT Id FROM Contact WHERE Email = '{}'", "a".repeat(4001));
    check_refused(&long, "MALFORMED_QUERY", "4000 characters");
    check_refused(&" ".repeat(100_001), "MALFORMED_QUERY", "100000 characters");
}

/// The message points at the place, as the documents show it.
#[test]
fn positions() {
    let refusal = run(&org(), "SELECT Id\nFROM Accout", false, NOW_MS).map(|_| ()).unwrap_err();
    assert!(
        refusal.message.starts_with("\nFROM Accout\n     ^\nERROR at Row:2:Column:6\nsObject type"),
        "{}",
        refusal.message
    );
}

/// The conditions that must be quick do not look at all rows.
#[test]
fn indexes_are_used() {
    let org = org();
    let of = |condition: &str| {
        let source = format!("SELECT Id FROM Contact WHERE {condition}");
        let query = parse(&source).expect("a query");
        let binder = Binder::new(&org, &source, &query, NOW_MS).expect("an object");
        let filter = binder.filter(query.filter.as_ref().expect("a filter")).expect("a condition");
        candidates(&org, binder.table, Some(&filter))
    };
    let count = |condition: &str| match of(condition) {
        Candidates::Ids(ids) => Some(ids.len()),
        _ => None,
    };
    assert_eq!(count("Email IN ('ann@x.org', 'bob@x.org')"), Some(2));
    assert_eq!(count("Email = 'ann@x.org' AND LastName = 'x'"), Some(1));
    assert_eq!(count("Syncline_Id__c IN ('k1', 'none')"), Some(1));
    assert_eq!(count("Id = '003000000000001' OR Email = 'bob@x.org'"), Some(2));
    assert_eq!(count("Id = '003000000000001' OR LastName = 'bob@x.org'"), None);
    assert_eq!(count("Email IN (null, 'bob@x.org')"), None);
    let since = NOW_MS / 1000 - 3600;
    let paging =
        "(SystemModstamp = 2024-05-15T11:00:00Z AND Id > '003000000000001') OR SystemModstamp > 2024-05-15T11:00:00Z";
    assert_eq!(of(paging), Candidates::ModifiedSince(since));
    assert_eq!(
        of("SystemModstamp >= 2024-05-15T11:00:00Z AND SystemModstamp < 2024-05-15T12:00:00Z"),
        Candidates::ModifiedSince(since)
    );
    assert_eq!(of("NOT SystemModstamp >= 2024-05-15T11:00:00Z"), Candidates::All);
}

/// Words a query is made of, so that random ones get past the first token.
fn word() -> impl Strategy<Value = String> {
    let words = "SELECT FROM WHERE AND OR NOT IN LIKE ORDER GROUP BY HAVING LIMIT OFFSET Id Name Email Contact Account . , ( ) = < > \
                 != 'a' 'a%' null TRUE 5 2024-05-15 2024-05-15T00:00:00Z TODAY LAST_N_DAYS : COUNT SUM FIELDS ALL c";
    let words: Vec<&'static str> = words.split_ascii_whitespace().collect();
    prop_oneof![9 => prop::sample::select(words).prop_map(str::to_owned), 1 => "\\PC{0,5}"]
}

proptest! {
    #[test]
    fn never_panics_on_any_text(source in "\\PC*") {
        let _ = run(&Database::new(1), &source, true, NOW_MS);
    }

    #[test]
    fn never_panics_on_likely_words(words in prop::collection::vec(word(), 0..30)) {
        let _ = run(&Database::new(1), &words.join(" "), true, NOW_MS);
    }

    #[test]
    fn never_panics_behind_a_good_beginning(words in prop::collection::vec(word(), 0..12)) {
        let _ = run(&Database::new(1), &format!("SELECT Id FROM Contact WHERE {}", words.join(" ")), true, NOW_MS);
    }
}
