//! Single records: list, create, read, update, archive.

use serde_json::{Map, Value, json};

use super::object_type::ObjectType;
use super::query::Query;
use super::refusal::Refusal;
use super::show::Wanted;
use super::table::{Claims, Table};
use super::{Call, HubSpotWorld, body_of};
use crate::sandbox::http::{Request, Response};

impl HubSpotWorld {
    pub(super) fn list(&self, object: ObjectType, request: &Request, call: Call) -> Result<Response, Refusal> {
        let query = Query::parse(&request.query);
        let wanted = wanted(&query);
        let limit_max = if wanted.history.is_empty() { 100 } else { 50 };
        let limit = number(&query, "limit", 10)?;
        if !(1..=limit_max).contains(&limit) {
            return Err(Refusal::validation(format!("limit must be between 1 and {limit_max}, was {limit}")));
        }
        let first = number(&query, "after", 0)?;
        let archived = query.is_true("archived");
        let table = self.table(object);
        let mut records = table.from(first).filter(|record| table.get(record.id, archived, call.now_ms).is_some());
        let (shower, ties) = (self.shower(), query.list("associations"));
        let show = |record: &super::record::Record| {
            let mut shown = shower.record(table, record, &wanted);
            if let Some(ties) = self.embedded_ties(object, record.id, &ties, call) {
                shown["associations"] = ties;
            }
            shown
        };
        let page: Vec<_> = records.by_ref().take(limit as usize).map(show).collect();
        let mut answer = json!({"results": page});
        if let Some(next) = records.next() {
            let host = request.header("host").unwrap_or("api.hubapi.com");
            let rest: Vec<_> =
                request.query.split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("after=")).collect();
            let link = format!("http://{host}{}?{}&after={}", request.path, rest.join("&"), next.id);
            answer["paging"] = json!({"next": {"after": next.id.to_string(), "link": link}});
        }
        Ok(Response::json(200, &answer))
    }

    pub(super) fn read(
        &self,
        object: ObjectType,
        id: &str,
        request: &Request,
        call: Call,
    ) -> Result<Response, Refusal> {
        let query = Query::parse(&request.query);
        let table = self.table(object);
        let found = table.find(id, query.get("idProperty"), query.is_true("archived"), call.now_ms)?;
        let found = found.or_else(|| table.get(table.follow(id)?, false, call.now_ms));
        let record = found.ok_or_else(|| Refusal::not_found(id))?;
        let mut shown = self.shower().record(table, record, &wanted(&query));
        if let Some(ties) = self.embedded_ties(object, record.id, &query.list("associations"), call) {
            shown["associations"] = ties;
        }
        Ok(Response::json(200, &shown))
    }

    pub(super) fn create(&mut self, object: ObjectType, request: &Request, call: Call) -> Result<Response, Refusal> {
        let body = body_of(request)?;
        let changes = self.table(object).check_create(properties_of(&body)?, &mut Claims::new())?;
        let ties = self.tie_created(object, &body, call)?;
        let id = self.book_create(object, &changes, call);
        self.book_ties(object, id, ties);
        Ok(Response::json(201, &self.show_created(object, id, trace_of(&body), call)))
    }

    pub(super) fn update(
        &mut self,
        object: ObjectType,
        id: &str,
        request: &Request,
        call: Call,
    ) -> Result<Response, Refusal> {
        let query = Query::parse(&request.query);
        let body = body_of(request)?;
        let properties = properties_of(&body)?;
        let table = self.table(object);
        let found = table.find(id, query.get("idProperty"), false, call.now_ms)?;
        let found = found.or_else(|| table.get(table.follow(id)?, false, call.now_ms));
        let record = found.ok_or_else(|| Refusal::not_found(id))?;
        let changes = table.check_update(record, properties, &mut Claims::new())?;
        let id = record.id;
        self.book_update(object, id, &changes, call);
        Ok(Response::json(200, &self.show_updated(object, id, properties, trace_of(&body), call)))
    }

    /// Answers 204 also for a record that never was.
    pub(super) fn archive(&mut self, object: ObjectType, id: &str, call: Call) -> Response {
        if id.parse().is_ok_and(|id| self.table_mut(object).archive(id, call.now_ms)) {
            self.ledger.writes(call.caller).delete += 1;
        }
        Response::empty(204)
    }

    /// A record as its creation answers.
    pub(super) fn show_created(&self, object: ObjectType, id: u64, trace: Option<&str>, call: Call) -> Value {
        let table = self.table(object);
        let shown = table.get(id, false, call.now_ms).map(|record| self.shower().created(table, record));
        with_trace(shown.unwrap_or_default(), trace)
    }

    /// A record as an update of these properties answers.
    pub(super) fn show_updated(
        &self,
        object: ObjectType,
        id: u64,
        properties: &Map<String, Value>,
        trace: Option<&str>,
        call: Call,
    ) -> Value {
        let table: &Table = self.table(object);
        let written = properties.keys().filter_map(|name| table.schema.index(name));
        let shown = table.get(id, false, call.now_ms).map(|record| self.shower().updated(table, record, written));
        with_trace(shown.unwrap_or_default(), trace)
    }
}

/// The `properties` of a body or of a batch's input.
pub fn properties_of(body: &Map<String, Value>) -> Result<&Map<String, Value>, Refusal> {
    body.get("properties")
        .and_then(Value::as_object)
        .ok_or_else(|| Refusal::bare(400, "Invalid input JSON: Some required fields were not set: [properties]"))
}

/// The write trace id of a body or of a batch's input.
pub fn trace_of(body: &Map<String, Value>) -> Option<&str> {
    body.get("objectWriteTraceId").and_then(Value::as_str).filter(|trace| !trace.is_empty())
}

fn with_trace(mut shown: Value, trace: Option<&str>) -> Value {
    if let Some(trace) = trace {
        shown["objectWriteTraceId"] = json!(trace);
    }
    shown
}

fn wanted(query: &Query) -> Wanted {
    Wanted { properties: query.list("properties"), history: query.list("propertiesWithHistory") }
}

fn number(query: &Query, name: &str, default: u64) -> Result<u64, Refusal> {
    match query.get(name) {
        None | Some("") => Ok(default),
        Some(text) => text.parse().map_err(|_| Refusal::validation(format!("{name} must be a number, was {text}"))),
    }
}
