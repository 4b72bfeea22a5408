//! HubSpot's interface as functions: what to ask, and what an answer says.

use super::super::encode::{json_text, json_texts, percent};
use super::super::retry::Verdict;
use super::super::rows::{Members, fault, moment, scalar};
use super::super::transport::{Answer, Method, Request};
use super::cursor::{Place, Run};
use crate::model::{Millis, RemoteId};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// Most rows of a page of the search.
pub(crate) const SEARCH_PAGE: u32 = 200;
/// Most rows that one search can reach.
pub(crate) const SEARCH_CEILING: u32 = 10_000;
/// Longest body of a search, in characters.
const SEARCH_BODY_MAX: usize = 3_000;
/// Longest path and query that is sent; about 16,000 are accepted.
const PATH_MAX: usize = 8_000;
/// Most records of a batch or of a page of a list.
pub(crate) const BATCH: usize = 100;
/// Most records of a batch with history.
pub(crate) const BATCH_HISTORY: usize = 50;

/// The property that holds an object's last-modified time.
pub(crate) fn modified_property(object: &str) -> &'static str {
    match object.to_ascii_lowercase().as_str() {
        "contacts" | "contact" | "0-1" => "lastmodifieddate",
        _ => "hs_lastmodifieddate",
    }
}

/// Can the name stand in a path as it is?
pub(crate) fn is_name(object: &str) -> bool {
    !object.is_empty() && object.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

/// A page of the list, by id. None where so many properties do not fit into a URL.
pub(crate) fn list(
    version: &str,
    object: &str,
    properties: &[String],
    after: Option<&str>,
    archived: bool,
) -> Option<Request> {
    let properties: Vec<String> = properties.iter().map(|name| percent(name)).collect();
    let mut path = format!("/crm/objects/{version}/{object}?limit={BATCH}&archived={archived}");
    path.push_str("&properties=");
    path.push_str(&properties.join(","));
    if let Some(after) = after {
        path.push_str("&after=");
        path.push_str(&percent(after));
    }
    (path.len() <= PATH_MAX).then(|| Request::get(path))
}

/// One record by its id, also by one that was merged away.
pub(crate) fn read_one(version: &str, object: &str, id: &str) -> Request {
    Request::get(format!("/crm/objects/{version}/{object}/{}?properties=hs_object_id&archived=false", percent(id)))
}

/// A page of the search behind a place of a pass. None where so many properties do not fit into a body.
pub(crate) fn search(version: &str, object: &str, properties: &[String], run: &Run, limit: u32) -> Option<Request> {
    let modified = json_text(modified_property(object));
    let filter = |name: &str, operator: &str, value: String| {
        format!(r#"{{"propertyName":{name},"operator":"{operator}","value":"{value}"}}"#)
    };
    let id = r#""hs_object_id""#;
    let (filters, sort, after) = match run.place {
        Place::Offset(offset) => (filter(&modified, "GTE", run.since.to_string()), modified.as_str(), offset),
        Place::Tie(last) => {
            let at = filter(&modified, "EQ", run.since.to_string());
            (format!("{at},{}", filter(id, "GT", last.to_string())), id, 0)
        }
    };
    let names = std::iter::once(modified_property(object)).chain(properties.iter().map(String::as_str));
    let body = format!(
        r#"{{"filterGroups":[{{"filters":[{filters}]}}],"sorts":[{{"propertyName":{sort},"direction":"ASCENDING"}}],"properties":{},"limit":{limit},"after":"{after}"}}"#,
        json_texts(names)
    );
    let fits = body.chars().count() < SEARCH_BODY_MAX;
    fits.then(|| Request::json(Method::Post, format!("/crm/objects/{version}/{object}/search"), body))
}

/// A batch read by id, or by the values of a unique property.
pub(crate) fn batch_read(
    version: &str,
    object: &str,
    properties: &[String],
    id_property: Option<&str>,
    keys: &[&str],
    history: bool,
) -> Request {
    let names = json_texts(properties.iter().map(String::as_str));
    let inputs: Vec<String> = keys.iter().map(|key| format!(r#"{{"id":{}}}"#, json_text(key))).collect();
    let mut body = format!(r#"{{"properties":{names},"inputs":[{}]"#, inputs.join(","));
    if history {
        body.push_str(r#","propertiesWithHistory":"#);
        body.push_str(&names);
    }
    if let Some(property) = id_property {
        body.push_str(r#","idProperty":"#);
        body.push_str(&json_text(property));
    }
    body.push('}');
    Request::json(Method::Post, format!("/crm/objects/{version}/{object}/batch/read?archived=false"), body)
}

/// One record of an answer.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Row<'a> {
    #[serde(borrow)]
    id: &'a RawValue,
    #[serde(borrow, default)]
    pub properties: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub properties_with_history: Option<&'a RawValue>,
    #[serde(borrow, default)]
    updated_at: Option<&'a RawValue>,
    #[serde(borrow, default)]
    archived_at: Option<&'a RawValue>,
    #[serde(borrow, default)]
    object_write_trace_id: Option<&'a RawValue>,
    #[serde(default)]
    pub new: Option<bool>,
}

impl Row<'_> {
    pub fn id(&self) -> Result<RemoteId, String> {
        let text = scalar(self.id).ok_or("an id is neither text nor number")?;
        RemoteId::parse(&text).ok_or_else(|| "an id is empty, too long or not printable".to_owned())
    }

    /// The id as it stands in the answer, where it is text.
    pub fn id_text(&self) -> Option<&str> {
        serde_json::from_str(self.id.get()).ok()
    }

    /// The last-modified time: the envelope's, else the property's.
    pub fn modified(&self, object: &str) -> Result<Millis, String> {
        let property = || {
            let members = Members::parse(self.properties?.get()).ok()?;
            let raw: String = serde_json::from_str(members.get(modified_property(object))?).ok()?;
            moment(&raw)
        };
        let envelope = self.updated_at.and_then(scalar).and_then(|text| moment(&text));
        envelope.or_else(property).ok_or_else(|| "a record has no last-modified time".to_owned())
    }

    pub fn archived_at(&self) -> Option<Millis> {
        self.archived_at.and_then(scalar).and_then(|text| moment(&text))
    }

    pub fn trace_id(&self) -> Option<String> {
        self.object_write_trace_id.and_then(scalar)
    }

    /// A property's text.
    pub fn text(&self, name: &str) -> Option<String> {
        serde_json::from_str(Members::parse(self.properties?.get()).ok()?.get(name)?).ok()
    }
}

/// A page or a batch.
#[derive(Deserialize)]
pub(crate) struct Page<'a> {
    #[serde(borrow)]
    pub results: Vec<Row<'a>>,
    #[serde(borrow, default)]
    paging: Option<Paging<'a>>,
    #[serde(default)]
    pub errors: Vec<Value>,
}

#[derive(Deserialize)]
struct Paging<'a> {
    #[serde(borrow, default)]
    next: Option<Next<'a>>,
}

#[derive(Deserialize)]
struct Next<'a> {
    #[serde(borrow, default)]
    after: Option<&'a RawValue>,
}

impl<'a> Page<'a> {
    pub fn parse(body: &'a str) -> Result<Self, String> {
        serde_json::from_str(body).map_err(|error| fault(&error))
    }

    /// Where the next page begins.
    pub fn after(&self) -> Option<String> {
        scalar(self.paging.as_ref()?.next.as_ref()?.after?)
    }
}

/// An error in HubSpot's words: of a whole call, or of a row of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The most telling code.
    pub code: String,
    pub message: String,
    pub properties: Vec<String>,
    /// The ids that it is about.
    pub ids: Vec<String>,
    /// The trace ids that it is about.
    pub trace_ids: Vec<String>,
}

impl Refusal {
    /// Of a whole call.
    pub fn of_answer(answer: &Answer) -> Self {
        let value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
        let mut refusal = Self::of_value(&value);
        if refusal.code.is_empty() {
            refusal.code = format!("HTTP_{}", answer.status);
        }
        if refusal.message.is_empty() {
            refusal.message = "no reason was given".to_owned();
        }
        refusal
    }

    pub fn of_value(value: &Value) -> Self {
        let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut message = text("message");
        let context = |key: &str| texts(value.get("context").and_then(|context| context.get(key)));
        let mut details = embedded(&message);
        if let Some(errors) = value.get("errors").and_then(Value::as_array) {
            details.extend(errors.iter().map(|error| {
                let code = error.get("code").or_else(|| error.get("error")).and_then(Value::as_str);
                let context = error.get("context").and_then(|context| context.get("propertyName"));
                (code.unwrap_or_default().to_owned(), texts(context))
            }));
        }
        let detail = details.iter().map(|(code, _)| code.clone()).find(|code| !code.is_empty());
        let envelope = ["category", "policyName", "errorType"].map(text).into_iter().find(|code| !code.is_empty());
        // `VALIDATION_ERROR` says less than what it wraps; any other category says more.
        let code = match (envelope, detail) {
            (Some(category), Some(detail)) if category == "VALIDATION_ERROR" => detail,
            (Some(category), _) => category,
            (None, detail) => detail.unwrap_or_default(),
        };
        let mut properties: Vec<String> = details.into_iter().flat_map(|(_, names)| names).collect();
        properties.sort();
        properties.dedup();
        if let Some(existing) = context("existingId").first()
            && !message.contains(existing.as_str())
        {
            message.push_str(&format!(". Existing ID: {existing}"));
        }
        Self { code, message, properties, ids: context("ids"), trace_ids: context("objectWriteTraceId") }
    }
}

/// The details that HubSpot writes into the message as JSON: `Property values were not valid: [{...}]`.
fn embedded(message: &str) -> Vec<(String, Vec<String>)> {
    let Some(start) = message.find("[{") else { return Vec::new() };
    let mut values = serde_json::Deserializer::from_str(&message[start..]).into_iter::<Vec<Value>>();
    let Some(Ok(details)) = values.next() else { return Vec::new() };
    let text = |detail: &Value, key: &str| detail.get(key).and_then(Value::as_str).map(str::to_owned);
    let each = |detail: &Value| {
        (text(detail, "error").unwrap_or_default(), text(detail, "name").into_iter().collect::<Vec<_>>())
    };
    details.iter().map(each).collect()
}

fn texts(value: Option<&Value>) -> Vec<String> {
    let each = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    match value {
        Some(Value::Array(list)) => list.iter().filter_map(each).collect(),
        Some(single) => each(single).into_iter().collect(),
        None => Vec::new(),
    }
}

/// What an answer means for trying again.
pub(crate) fn verdict(answer: &Answer) -> Verdict {
    let refusal = || Refusal::of_answer(answer);
    let after = |default: i64| answer.retry_after_ms().unwrap_or(default);
    match answer.status {
        401 => {
            let Refusal { code, message, .. } = refusal();
            Verdict::Unauthorized { code, message, renew: true }
        }
        423 => Verdict::Busy { code: "LOCKED".to_owned(), after_ms: after(2_000) },
        429 => limit(answer, after),
        477 => Verdict::Busy { code: "MIGRATION".to_owned(), after_ms: after(60_000) },
        500.. => Verdict::Failed { code: refusal().code, after_ms: after(0) },
        _ => Verdict::Answered,
    }
}

/// Which of the limits it was: by policy, else by the words.
fn limit(answer: &Answer, after: impl Fn(i64) -> i64) -> Verdict {
    let value: Value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
    let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_ascii_uppercase();
    let told = format!("{} {}", text("policyName"), text("message"));
    let code = [text("policyName"), text("category"), text("errorType"), "HTTP_429".to_owned()];
    let code = code.into_iter().find(|code| !code.is_empty()).unwrap_or_default();
    if told.contains("DAILY") {
        // It frees itself at midnight of the account's time zone, which we do not know: ask now and then.
        Verdict::Limited { code, after_ms: after(900_000) }
    } else if told.contains("TEN_SECONDLY") {
        Verdict::Busy { code, after_ms: after(10_000) }
    } else {
        Verdict::Busy { code, after_ms: after(1_000) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        let body = body.as_bytes().to_vec();
        Answer { status, headers: Vec::new(), body, sent: Millis(0), received: Millis(0) }
    }

    #[test]
    fn limits_are_told_apart_by_policy_and_by_words() {
        let daily = r#"{"status":"error","message":"You have reached your daily limit.","errorType":"RATE_LIMIT","policyName":"DAILY"}"#;
        let ten = r#"{"status":"error","message":"You have reached your ten_secondly_rolling limit.","policyName":"TEN_SECONDLY_ROLLING"}"#;
        let search = r#"{"status":"error","message":"You have reached your secondly limit.","category":"RATE_LIMITS"}"#;
        assert_eq!(verdict(&answer(429, daily)), Verdict::Limited { code: "DAILY".into(), after_ms: 900_000 });
        assert_eq!(verdict(&answer(429, ten)), Verdict::Busy { code: "TEN_SECONDLY_ROLLING".into(), after_ms: 10_000 });
        assert_eq!(verdict(&answer(429, search)), Verdict::Busy { code: "RATE_LIMITS".into(), after_ms: 1_000 });
        assert!(matches!(verdict(&answer(429, "<html>")), Verdict::Busy { after_ms: 1_000, .. }));
        let mut migration = answer(477, "");
        migration.headers.push(("retry-after".into(), "7".into()));
        assert!(matches!(verdict(&migration), Verdict::Busy { after_ms: 7_000, .. }));
        assert!(matches!(verdict(&answer(524, "")), Verdict::Failed { .. }));
        assert!(matches!(verdict(&answer(207, "")), Verdict::Answered));
    }

    #[test]
    fn details_hidden_in_a_message_are_found() {
        let body = r#"{"status":"error","message":"Property values were not valid: [{\"isValid\":false,\"message\":\"Property \\\"first000name\\\" does not exist\",\"error\":\"PROPERTY_DOESNT_EXIST\",\"name\":\"first000name\"}]","correlationId":"c","category":"VALIDATION_ERROR"}"#;
        let refusal = Refusal::of_answer(&answer(400, body));
        assert_eq!(refusal.code, "PROPERTY_DOESNT_EXIST");
        assert_eq!(refusal.properties, ["first000name"]);
        let scopes = r#"{"status":"error","message":"One or more of the following scopes are required.","category":"MISSING_SCOPES","errors":[{"message":"m","code":"x","context":{"requiredGranularScopes":["a"]}}]}"#;
        assert_eq!(Refusal::of_answer(&answer(403, scopes)).code, "MISSING_SCOPES");
        assert_eq!(Refusal::of_answer(&answer(404, "<html>")).code, "HTTP_404");
    }

    #[test]
    fn long_property_lists_are_refused_rather_than_cut() {
        let names: Vec<String> = (0..600).map(|n| format!("property_number_{n}")).collect();
        assert!(list("2026-03", "contacts", &names, None, false).is_none());
        let run = Run::new(Millis(7), super::super::super::overlap::Kept::at(Millis(9)));
        assert!(search("2026-03", "contacts", &names, &run, SEARCH_PAGE).is_none());
        let request = search("2026-03", "contacts", &names[..2], &run, SEARCH_PAGE).unwrap();
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(body["filterGroups"][0]["filters"][0]["propertyName"], "lastmodifieddate");
        assert_eq!(body["filterGroups"][0]["filters"][0]["operator"], "GTE");
        assert_eq!(body["filterGroups"][0]["filters"][0]["value"], "7");
        assert_eq!(body["after"], "0");
    }

    #[test]
    fn rows_are_read_in_all_their_forms() {
        let body = r#"{"results":[{"id":"171596044869","properties":{"email":"a@x.com"},"createdAt":"2022-02-17T19:25:29Z","updatedAt":"2022-02-17T19:25:29Z","archived":false},
            {"id":7,"properties":{"lastmodifieddate":"2025-11-03T23:36:13.632Z"}}],"paging":{"next":{"after":"171596044870","link":"l"}}}"#;
        let page = Page::parse(body).unwrap();
        assert_eq!(page.after().as_deref(), Some("171596044870"));
        assert_eq!(page.results[0].modified("contacts"), Ok(Millis(1_645_125_929_000)));
        assert_eq!(page.results[1].id().unwrap().as_str(), "7");
        assert_eq!(page.results[1].modified("contacts"), Ok(Millis(1_762_212_973_632)));
        assert!(page.results[1].modified("deals").is_err());
    }
}
