//! Collections: many records in one call, with an outcome for each.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json, json};

use super::Call;
use super::rows::{external_column, find_table, shape};
use crate::sandbox::http::Response;
use crate::sandbox::salesforce::database::{Database, Mode};
use crate::sandbox::salesforce::decode;
use crate::sandbox::salesforce::error::Refusal;
use crate::sandbox::salesforce::id::Id;
use crate::sandbox::salesforce::schema::{Kind, column};
use crate::sandbox::salesforce::value::Value;
use crate::sandbox::salesforce::world::SalesforceWorld;

type Record = Map<String, Json>;

/// What became of one record.
struct Outcome {
    id: Option<String>,
    created: Option<bool>,
    refusal: Option<Refusal>,
}

/// `POST /composite/sobjects`
pub fn create(world: &mut SalesforceWorld, call: &Call<'_>) -> Result<Response, Refusal> {
    let (all_or_none, records) = records(call)?;
    check_chunks(&records)?;
    let outcomes = each(&mut world.database, all_or_none, &records, |database, record| {
        let done = table_of(database, record).and_then(|table| {
            let changes = database.changes(table, record, &[], Mode::Create)?;
            database.create(table, changes, call.actor)
        });
        Outcome::of(done.map(|id| id.to_string()), None)
    });
    Ok(outcomes)
}

/// `PATCH /composite/sobjects`
pub fn update(world: &mut SalesforceWorld, call: &Call<'_>) -> Result<Response, Refusal> {
    let (all_or_none, records) = records(call)?;
    check_chunks(&records)?;
    let mut seen = BTreeSet::new();
    let outcomes = each(&mut world.database, all_or_none, &records, |database, record| {
        let Some(text) = id_of(record) else {
            return Outcome::of(Err(no_id()), None);
        };
        let done = table_of(database, record).and_then(|table| {
            let id = item_id(database, table, text)?;
            if !seen.insert(id) {
                return Err(Refusal::record("DUPLICATE_VALUE", format!("duplicate id specified: {id}"), &["Id"]));
            }
            update_one(database, call, table, id, record, "Id")
        });
        Outcome::of(done.map(|()| text.to_owned()), Some(text))
    });
    Ok(outcomes)
}

/// `PATCH /composite/sobjects/{X}/{field}`
pub fn upsert(world: &mut SalesforceWorld, call: &Call<'_>, object: &str, field: &str) -> Result<Response, Refusal> {
    let table = find_table(&world.database, object)?;
    let by_id = field.eq_ignore_ascii_case("Id");
    let column = if by_id { column::ID } else { external_column(&world.database, table, field)? };
    let (all_or_none, records) = records(call)?;
    let mut seen = BTreeSet::new();
    let outcomes = each(&mut world.database, all_or_none, &records, |database, record| {
        let found = find_target(database, table, column, record);
        let unique = found.and_then(|(key, id)| match key {
            // UNVERIFIED: whether the first of two records with one key is refused as well.
            Some(key) if !seen.insert(key.clone()) => {
                Err(Refusal::record("DUPLICATE_VALUE", format!("Duplicate external id specified: {key}"), &[field]))
            }
            _ => Ok(id),
        });
        match unique {
            Err(refusal) => Outcome::of(Err(refusal), None),
            Ok(Some(id)) => {
                let done = update_one(database, call, table, id, record, field);
                Outcome { created: Some(false), ..Outcome::of(done.map(|()| id.to_string()), Some(&id.to_string())) }
            }
            Ok(None) => {
                let skip: &[&str] = if by_id { &["Id"] } else { &[] };
                let done = database.changes(table, record, skip, Mode::Create);
                let done = done.and_then(|changes| database.create(table, changes, call.actor));
                Outcome { created: Some(true), ..Outcome::of(done.map(|id| id.to_string()), None) }
            }
        }
    });
    Ok(outcomes)
}

/// `DELETE /composite/sobjects?ids=`
pub fn delete(world: &mut SalesforceWorld, call: &Call<'_>) -> Result<Response, Refusal> {
    let ids = call.list_param("ids").unwrap_or_default();
    check_count(ids.len(), RECORDS_MAX)?;
    let all_or_none = call.param("allOrNone").is_some_and(|value| value == "true");
    let outcomes = each(&mut world.database, all_or_none, &ids, |database, text| {
        let parsed = Id::parse(text).ok_or_else(|| Refusal::malformed_id(text));
        let done = parsed.and_then(|id| {
            let owner = database.tables().iter().position(|table| id.has_prefix(table.object().prefix));
            database.delete(owner.ok_or_else(no_such_record)?, id, call.actor).map_err(as_item)
        });
        Outcome::of(done.map(|()| text.clone()), Some(text))
    });
    Ok(outcomes)
}

/// `GET` or `POST /composite/sobjects/{X}`
pub fn retrieve(world: &SalesforceWorld, call: &Call<'_>, object: &str) -> Result<Response, Refusal> {
    let database = &world.database;
    let table = find_table(database, object)?;
    let (ids, fields) = if call.request.method == "POST" {
        let body = call.body()?;
        let list = |name: &str| -> Option<Vec<String>> {
            body.get(name)?.as_array()?.iter().map(|text| text.as_str().map(str::to_owned)).collect()
        };
        (list("ids"), list("fields"))
    } else {
        (call.list_param("ids"), call.list_param("fields"))
    };
    let missing = |name: &str| Refusal::new(400, "MISSING_ARGUMENT", format!("{name} must be specified"));
    let (ids, fields) = (ids.ok_or_else(|| missing("ids"))?, fields.ok_or_else(|| missing("fields"))?);
    check_count(ids.len(), RETRIEVE_MAX)?;
    let shape = shape(database, table, Some(&fields))?;
    // UNVERIFIED: that what is missing, deleted or no id at all is a null in its place.
    let record = |text: &String| -> Json {
        let found = Id::parse(text).and_then(|id| Some((id, database.live(table, id).ok()?)));
        found.map(|(id, row)| shape.json(database, &call.base, id, row)).unwrap_or_default()
    };
    Ok(Response::json(200, &ids.iter().map(record).collect()))
}

impl Outcome {
    fn of(done: Result<String, Refusal>, known: Option<&str>) -> Self {
        match done {
            Ok(id) => Self { id: Some(full_id(&id)), created: None, refusal: None },
            Err(refusal) => Self { id: known.map(full_id), created: None, refusal: Some(refusal) },
        }
    }

    fn json(&self) -> Json {
        let mut item = json!({"success": self.refusal.is_none(), "errors": []});
        if let Some(id) = &self.id {
            item["id"] = json!(id);
        }
        if let Some(refusal) = &self.refusal {
            item["errors"] = json!([refusal.to_item()]);
        } else if let Some(created) = self.created {
            item["created"] = json!(created);
        }
        item
    }
}

/// Treats each record in turn; with `all_or_none` one failure undoes them all.
fn each<T>(
    database: &mut Database,
    all_or_none: bool,
    records: &[T],
    mut one: impl FnMut(&mut Database, &T) -> Outcome,
) -> Response {
    let mark = database.mark();
    let mut outcomes: Vec<Outcome> = records.iter().map(|record| one(database, record)).collect();
    if all_or_none && outcomes.iter().any(|outcome| outcome.refusal.is_some()) {
        database.rollback(mark);
        for outcome in outcomes.iter_mut().filter(|outcome| outcome.refusal.is_none()) {
            let message =
                "Record rolled back because not all records were valid and the request was using AllOrNone header";
            outcome.refusal = Some(Refusal::record("ALL_OR_NONE_OPERATION_ROLLED_BACK", message, &[]));
        }
    }
    Response::json(200, &outcomes.iter().map(Outcome::json).collect())
}

fn records(call: &Call<'_>) -> Result<(bool, Vec<Record>), Refusal> {
    let body = call.body()?;
    let all_or_none = body.get("allOrNone").and_then(Json::as_bool).unwrap_or_default();
    let records = match body.get("records") {
        Some(Json::Array(records)) => records.as_slice(),
        _ => &[],
    };
    check_count(records.len(), RECORDS_MAX)?;
    let object = |record: &Json| record.as_object().cloned();
    let records: Option<Vec<Record>> = records.iter().map(object).collect();
    let no_object = || Refusal::new(400, "JSON_PARSER_ERROR", "every record must be an object");
    Ok((all_or_none, records.ok_or_else(no_object)?))
}

fn check_count(count: usize, max: usize) -> Result<(), Refusal> {
    match count {
        0 => Err(Refusal::new(400, "REQUIRED_FIELD_MISSING", "At least 1 record is required")),
        count if count <= max => Ok(()),
        // UNVERIFIED: the code.
        _ => {
            let message = format!("record limit reached. cannot submit more than {max} records into this call");
            Err(Refusal::new(400, "EXCEEDED_ID_LIMIT", message))
        }
    }
}

/// Records of one type in a row are a chunk; there may be ten.
fn check_chunks(records: &[Record]) -> Result<(), Refusal> {
    let kinds: Vec<Option<&str>> = records.iter().map(type_of).collect();
    let chunks = 1 + kinds.windows(2).filter(|pair| pair[0] != pair[1]).count();
    if chunks <= CHUNKS_MAX {
        return Ok(());
    }
    // UNVERIFIED: the code.
    let message = format!(
        "Cannot have more than {CHUNKS_MAX} chunks in a single operation. Please rearrange the data to reduce chunking."
    );
    Err(Refusal::new(400, "LIMIT_EXCEEDED", message))
}

fn type_of(record: &Record) -> Option<&str> {
    record.get("attributes")?.get("type")?.as_str()
}

fn table_of(database: &Database, record: &Record) -> Result<usize, Refusal> {
    let kind = type_of(record).unwrap_or_default();
    let unknown = || Refusal::record("INVALID_TYPE", format!("sObject type '{kind}' is not supported."), &[]);
    database.find_table(kind).ok_or_else(unknown)
}

fn id_of(record: &Record) -> Option<&str> {
    record.iter().find(|(key, _)| key.eq_ignore_ascii_case("id")).and_then(|(_, id)| id.as_str())
}

fn item_id(database: &Database, table: usize, text: &str) -> Result<Id, Refusal> {
    let id = Id::parse(text).ok_or_else(|| Refusal::malformed_id(text))?;
    if id.has_prefix(database.object(table).prefix) { Ok(id) } else { Err(no_such_record()) }
}

fn update_one(
    database: &mut Database,
    call: &Call<'_>,
    table: usize,
    id: Id,
    record: &Record,
    key: &str,
) -> Result<(), Refusal> {
    database.live(table, id).map_err(as_item)?;
    let changes = database.changes(table, record, &[key], Mode::Update)?;
    database.update(table, id, changes, call.actor)
}

/// The key of an upserted record, and the row it means; neither when it is keyed by an id it does not carry.
fn find_target(
    database: &Database,
    table: usize,
    at: usize,
    record: &Record,
) -> Result<(Option<String>, Option<Id>), Refusal> {
    let field = database.object(table).field(at);
    if field.kind == Kind::Id {
        return match id_of(record) {
            None => Ok((None, None)),
            Some(text) => item_id(database, table, text).map(|id| (Some(id.to_string()), Some(id))),
        };
    }
    let given = record.iter().find(|(key, _)| key.eq_ignore_ascii_case(&field.name));
    let value = given.map_or(Ok(Value::Null), |(_, json)| decode::from_json(field, json))?;
    let Value::Text(text) = &value else {
        return Err(Refusal::record("MISSING_ARGUMENT", format!("{} not specified", field.name), &[]));
    };
    match database.find(table, at, &value)[..] {
        [] => Ok((Some(text.clone()), None)),
        [id] => Ok((Some(text.clone()), Some(id))),
        _ => {
            let message = format!("{}: more than one record found for external id field: {text}", field.label);
            Err(Refusal::record("DUPLICATE_EXTERNAL_ID", message, &[]))
        }
    }
}

/// In results a missing record is a bad cross reference; a deleted one stays what it is.
fn as_item(refusal: Refusal) -> Refusal {
    if refusal.code == "NOT_FOUND" { no_such_record() } else { refusal }
}

fn no_such_record() -> Refusal {
    Refusal::record("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", &[])
}

fn no_id() -> Refusal {
    Refusal::record("MISSING_ARGUMENT", "Id not specified in an update call", &[])
}

fn full_id(text: &str) -> String {
    Id::parse(text).map_or_else(|| text.to_owned(), |id| id.to_string())
}

const RECORDS_MAX: usize = 200;
const RETRIEVE_MAX: usize = 2_000;
const CHUNKS_MAX: usize = 10;
