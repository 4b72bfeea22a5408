//! Salesforce's interface as functions: what to ask, and what an answer says.

use super::super::encode::percent_except;
use super::super::retry::Verdict;
use super::super::rows::{Members, fault, iso, moment};
use super::super::transport::{Answer, Request};
use crate::model::{Millis, RemoteId, checksum};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// Most rows of a page of a query.
pub(crate) const PAGE: usize = 2_000;
/// Most records of a write, and of a read by key.
pub(crate) const BATCH: usize = 200;
/// Longest path and query. URI and headers together may have 16,384 bytes, and a token can be long.
pub(crate) const PATH_MAX: usize = 12_000;
/// Longest text in a WHERE clause, in characters.
pub(crate) const LITERAL_MAX: usize = 4_000;

/// Can the name stand in a query or path as it is?
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// A text in a query, in quotes.
pub(crate) fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('\'');
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '\'' => out.push_str("\\'"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            other => out.push(other),
        }
    }
    out.push('\'');
    out
}

/// `SELECT Id, SystemModstamp, ... FROM object`.
pub(crate) fn select(object: &str, properties: &[String]) -> String {
    let mut names = vec!["Id", "SystemModstamp"];
    for name in properties {
        if !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            names.push(name); // a field that is asked for twice is an error
        }
    }
    format!("SELECT {} FROM {object}", names.join(", "))
}

/// The condition for rows modified at or after `at`, or behind `after` among those modified at `at`.
pub(crate) fn since(at: Millis, after: Option<&str>) -> Option<String> {
    let at = iso(at)?;
    Some(match after {
        None => format!("SystemModstamp >= {at}"),
        Some(id) => format!("((SystemModstamp = {at} AND Id > {}) OR SystemModstamp > {at})", literal(id)),
    })
}

/// A query; none where it does not fit into a URL. With `all`, deleted rows are part of the answer.
pub(crate) fn query(version: &str, soql: &str, all: bool) -> Option<Request> {
    let resource = if all { "queryAll" } else { "query" };
    let path = format!("/services/data/{version}/{resource}?q={}", percent_except(soql, b",()."));
    (path.len() <= PATH_MAX).then(|| with_client(Request::get(path)).header("sforce-query-options", "batchSize=2000"))
}

/// How much of a URL a text takes in a list of a query.
pub(crate) fn literal_cost(text: &str) -> usize {
    percent_except(&literal(text), b"").len() + 1
}

/// With the name that change events give as their origin.
pub(crate) fn with_client(request: Request) -> Request {
    request.header("sforce-call-options", "client=syncline")
}

/// An id in its form of 18 characters, which does not depend on case.
pub(crate) fn id18(text: &str) -> Option<RemoteId> {
    match checksum(text) {
        Some(suffix) => RemoteId::parse(&format!("{text}{suffix}")),
        None => RemoteId::parse(text),
    }
}

/// A page of a query.
#[derive(Deserialize)]
pub(crate) struct Page<'a> {
    pub done: bool,
    #[serde(borrow)]
    pub records: Vec<&'a RawValue>,
}

impl<'a> Page<'a> {
    pub fn parse(body: &'a str) -> Result<Self, String> {
        serde_json::from_str(body).map_err(|error| fault(&error))
    }

    /// Was it the last one? A page may be shorter than asked and yet not the last.
    pub fn is_last(&self) -> bool {
        self.done && self.records.len() < PAGE
    }
}

/// The user of a userinfo answer: its `user_id`, or the end of `sub`, which is an address.
pub(crate) fn user_of(body: &str) -> Option<String> {
    let info: serde_json::Value = serde_json::from_str(body).ok()?;
    let text = |name: &str| info.get(name).and_then(serde_json::Value::as_str);
    let id = text("user_id").or_else(|| text("sub")?.rsplit('/').next())?;
    let is_id = matches!(id.len(), 15 | 18) && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    id18(is_id.then_some(id)?).map(|id| id.as_str().to_owned())
}

/// A record's id and time.
pub(crate) fn stamp(members: &Members<'_>) -> Result<(RemoteId, Millis), String> {
    let text = |name: &str| members.get(name).and_then(|json| serde_json::from_str::<String>(json).ok());
    let id = text("Id").and_then(|id| id18(&id)).ok_or("a record has no id")?;
    let at = text("SystemModstamp").and_then(|at| moment(&at)).ok_or("a record has no SystemModstamp")?;
    Ok((id, at))
}

/// An error in Salesforce's words: of a whole call, or of a row of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub code: String,
    pub message: String,
    pub properties: Vec<String>,
}

impl Refusal {
    /// Of a whole call: the first of its errors.
    pub fn of_answer(answer: &Answer) -> Self {
        let value: Value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
        let first = value.as_array().and_then(|errors| errors.first()).unwrap_or(&value);
        let mut refusal = Self::of_value(first);
        if refusal.code.is_empty() {
            refusal.code = format!("HTTP_{}", answer.status);
        }
        if refusal.message.is_empty() {
            refusal.message = "no reason was given".to_owned();
        }
        refusal
    }

    /// The key of the code is `errorCode` for a call and `statusCode` for a row.
    pub fn of_value(value: &Value) -> Self {
        let text = |key: &str| value.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        let code = text("errorCode").or_else(|| text("statusCode")).or_else(|| text("error"));
        let fields = value.get("fields").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        Self {
            code: code.unwrap_or_default().to_owned(),
            message: text("message").or_else(|| text("error_description")).unwrap_or_default().to_owned(),
            properties: fields.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        }
    }

    /// Is the value of this unique property another record's? It names the property in its words, not always in its fields.
    pub fn is_duplicate_of(&self, property: &str) -> bool {
        let names = |word: &str| word.eq_ignore_ascii_case(property);
        let words = self.message.split(|c: char| !c.is_alphanumeric() && c != '_');
        self.code == "DUPLICATE_VALUE" && (self.properties.iter().any(|name| names(name)) || { words }.any(names))
    }

    /// The column that a query names and the org does not know, or does not show to this user.
    pub fn missing_column(&self) -> Option<&str> {
        let (_, rest) = self.message.split_once("No such column '").filter(|_| self.code == "INVALID_FIELD")?;
        Some(rest.split_once('\'')?.0)
    }

    /// How long to wait where it will pass by itself.
    pub fn passes_after_ms(&self) -> Option<i64> {
        let hides_a_lock = matches!(
            self.code.as_str(),
            "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY" | "CANNOT_EXECUTE_FLOW_TRIGGER" | "APEX_ERROR"
        ) && self.message.contains("UNABLE_TO_LOCK_ROW");
        match self.code.as_str() {
            "UNABLE_TO_LOCK_ROW" | "ALREADY_IN_PROCESS" | "TOO_MANY_APEX_REQUESTS" | "QUERY_TIMEOUT" => Some(1_000),
            "ALL_OR_NONE_OPERATION_ROLLED_BACK" | "PROCESSING_HALTED" => Some(0),
            "SERVER_UNAVAILABLE" | "FUNCTIONALITY_TEMPORARILY_UNAVAILABLE" => Some(2_000),
            "RECORD_IN_USE_BY_WORKFLOW"
            | "ORG_LOCKED"
            | "ORG_IN_MAINTENANCE"
            | "TERRITORY_REALIGN_IN_PROGRESS"
            | "INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE" => Some(120_000),
            "REQUEST_LIMIT_EXCEEDED" if self.message.contains("Concurrent") => Some(2_000),
            "REQUEST_LIMIT_EXCEEDED" => Some(QUOTA_MS),
            _ => hides_a_lock.then_some(1_000),
        }
    }
}

/// What an answer means for trying again.
pub(crate) fn verdict(answer: &Answer) -> Verdict {
    if answer.status < 300 {
        return Verdict::Answered;
    }
    let refusal = Refusal::of_answer(answer);
    let passes = refusal.passes_after_ms().map(|ms| answer.retry_after_ms().unwrap_or(ms));
    let Refusal { code, message, .. } = refusal;
    match (answer.status, passes) {
        (401, _) => {
            // These say that the app is set up wrongly: a new token would be refused as well.
            let renew = !message.contains("not valid for use with the REST API") && !message.contains("not attached");
            Verdict::Unauthorized { code, message, renew }
        }
        (429, _) => Verdict::Busy { code, after_ms: passes.or_else(|| answer.retry_after_ms()).unwrap_or(1_000) },
        (503, Some(after_ms)) if code == "SERVER_UNAVAILABLE" => Verdict::Busy { code, after_ms },
        (500.., _) => Verdict::Failed { code, after_ms: answer.retry_after_ms().unwrap_or(0) },
        (400..500, Some(after_ms)) if after_ms >= QUOTA_MS => Verdict::Limited { code, after_ms },
        (400..500, Some(after_ms)) => Verdict::Busy { code, after_ms },
        _ => Verdict::Answered,
    }
}

/// The daily quota frees itself over a rolling day: ask now and then.
const QUOTA_MS: i64 = 900_000;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn whose_token_it_is_is_read_in_either_form_and_never_guessed() {
        let id = "0055g00000AbCdEAAV";
        assert_eq!(user_of(&format!(r#"{{"user_id":"{id}","organization_id":"00D"}}"#)).as_deref(), Some(id));
        assert_eq!(user_of(&format!(r#"{{"sub":"https://login.salesforce.com/id/00D/{id}"}}"#)).as_deref(), Some(id));
        assert_eq!(user_of(r#"{"sub":"x"}"#), None);
        assert_eq!(user_of("<html>"), None);
    }

    fn answer(status: u16, body: &str) -> Answer {
        let body = body.as_bytes().to_vec();
        Answer { status, headers: Vec::new(), body, sent: Millis(0), received: Millis(0) }
    }

    #[test]
    fn ids_get_the_suffix_that_salesforce_gives_them() {
        for (short, suffix) in [
            ("70130000001tcyI", "AAQ"),
            ("a0BA0000000L2ZC", "MA0"),
            ("AAaAAbbBBBCcCCC", "123"),
            ("0012800000CXn0k", "AAD"),
            ("01gRO0000016PIA", "YA2"),
            ("001000000000001", "AAA"),
            ("003xx000004TmiQ", "AAS"),
            ("0035g00000AbCdE", "AAV"),
        ] {
            assert_eq!(id18(short).unwrap().as_str(), format!("{short}{suffix}"));
        }
        assert_eq!(id18("003xx000004TmiQAAS").unwrap().as_str(), "003xx000004TmiQAAS");
        assert_eq!(id18(""), None);
    }

    #[test]
    fn hostile_values_stay_inside_their_quotes() {
        assert_eq!(literal("O'Neil"), r"'O\'Neil'");
        assert_eq!(literal(r"\' OR Id != ''"), r"'\\\' OR Id != \'\''");
        assert_eq!(literal("a\nb\"c"), r#"'a\nb\"c'"#);
        for hostile in ["Contact WHERE Id != ''", "A,B", "", "A.B", "Ä"] {
            assert!(!is_name(hostile), "{hostile}");
        }
        let request = query("v61.0", &format!("SELECT Id FROM A WHERE B = {}", literal("x&q=y+z#%27")), false).unwrap();
        assert_eq!(
            request.path_and_query,
            "/services/data/v61.0/query?q=SELECT%20Id%20FROM%20A%20WHERE%20B%20%3D%20%27x%26q%3Dy%2Bz%23%2527%27"
        );
    }

    proptest! {
        /// Reading a literal as Salesforce does gives back the text, and nothing is left behind the closing quote.
        #[test]
        fn literals_are_closed_by_their_own_quote(text in any::<String>()) {
            let quoted = literal(&text);
            let mut characters = quoted.chars();
            prop_assert_eq!(characters.next(), Some('\''));
            let mut read = String::new();
            loop {
                match characters.next() {
                    Some('\'') => break,
                    Some('\\') => read.push(match characters.next() {
                        Some('n') => '\n',
                        Some('r') => '\r',
                        Some('t') => '\t',
                        Some('b') => '\u{8}',
                        Some('f') => '\u{c}',
                        Some(other) => other,
                        None => return Err(TestCaseError::fail("cut")),
                    }),
                    Some(other) => read.push(other),
                    None => return Err(TestCaseError::fail("never closed")),
                }
            }
            prop_assert_eq!(characters.next(), None);
            prop_assert_eq!(read, text);
        }

        #[test]
        fn no_bytes_panic(status in 100u16..600, body in proptest::collection::vec(any::<u8>(), 0..300)) {
            let answer = Answer { status, headers: Vec::new(), body, sent: Millis(0), received: Millis(0) };
            let _ = verdict(&answer);
            let text = String::from_utf8_lossy(&answer.body);
            if let Ok(page) = Page::parse(&text) {
                for record in page.records {
                    let _ = Members::parse(record.get()).map(|members| stamp(&members));
                }
            }
        }
    }

    #[test]
    fn errors_are_classified_by_their_code() {
        let body = |code: &str, message: &str| format!(r#"[{{"message":"{message}","errorCode":"{code}"}}]"#);
        let quota = body("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.");
        assert!(matches!(verdict(&answer(403, &quota)), Verdict::Limited { .. }));
        let busy = body("REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests (Concurrent API Requests) Limit exceeded.");
        assert!(matches!(verdict(&answer(403, &busy)), Verdict::Busy { after_ms: 2_000, .. }));
        let locked = body("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access");
        assert!(matches!(verdict(&answer(400, &locked)), Verdict::Busy { .. }));
        let down = body("SERVER_UNAVAILABLE", "x");
        assert!(matches!(verdict(&answer(503, &down)), Verdict::Busy { .. }), "by its own word not applied");
        assert!(matches!(verdict(&answer(503, "<html>")), Verdict::Failed { .. }), "a gateway's word proves nothing");
        let session = body("INVALID_SESSION_ID", "Session expired or invalid");
        assert!(matches!(verdict(&answer(401, &session)), Verdict::Unauthorized { renew: true, .. }));
        let agent = body("INVALID_SESSION_ID", "Connected app is not attached to Agent");
        assert!(matches!(verdict(&answer(401, &agent)), Verdict::Unauthorized { renew: false, .. }));
        assert_eq!(verdict(&answer(400, &body("MALFORMED_QUERY", "x"))), Verdict::Answered);
    }

    #[test]
    fn conditions_page_by_time_and_id() {
        assert_eq!(since(Millis(1_725_914_491_000), None).unwrap(), "SystemModstamp >= 2024-09-09T20:41:31Z");
        assert_eq!(
            since(Millis(1_725_914_491_000), Some("003")).unwrap(),
            "((SystemModstamp = 2024-09-09T20:41:31Z AND Id > '003') OR SystemModstamp > 2024-09-09T20:41:31Z)"
        );
        let names = ["email".to_owned(), "id".to_owned(), "Email".to_owned()];
        assert_eq!(select("Contact", &names), "SELECT Id, SystemModstamp, email FROM Contact");
    }
}
