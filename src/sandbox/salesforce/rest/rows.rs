//! Single rows, by id and by external id.

use serde_json::{Value as Json, json};

use super::Call;
use crate::sandbox::http::Response;
use crate::sandbox::ledger::Caller;
use crate::sandbox::salesforce::database::{Database, Mode};
use crate::sandbox::salesforce::decode;
use crate::sandbox::salesforce::error::Refusal;
use crate::sandbox::salesforce::id::Id;
use crate::sandbox::salesforce::schema::column;
use crate::sandbox::salesforce::soql::Shape;
use crate::sandbox::salesforce::table::Row;
use crate::sandbox::salesforce::time::{format_http_date, parse_http_date};
use crate::sandbox::salesforce::value::Value;
use crate::sandbox::salesforce::world::SalesforceWorld;

/// `POST /sobjects/{X}`
pub fn create(world: &mut SalesforceWorld, call: &Call<'_>, object: &str) -> Result<Response, Refusal> {
    let table = find_table(&world.database, object)?;
    let changes = world.database.changes(table, &call.body()?, &[], Mode::Create)?;
    let id = world.database.create(table, changes, call.actor)?;
    Ok(created(&world.database, call, table, id, json!({"id": id.to_string(), "success": true, "errors": []})))
}

/// `GET /sobjects/{X}/{id}`
pub fn read(world: &SalesforceWorld, call: &Call<'_>, object: &str, id: &str) -> Result<Response, Refusal> {
    let table = find_table(&world.database, object)?;
    let id = path_id(&world.database, table, id)?;
    show(&world.database, call, table, id)
}

/// `PATCH /sobjects/{X}/{id}`
pub fn update(world: &mut SalesforceWorld, call: &Call<'_>, object: &str, id: &str) -> Result<Response, Refusal> {
    let table = find_table(&world.database, object)?;
    let id = path_id(&world.database, table, id)?;
    // Nor has it one to merge records or to take them out of the recycle bin.
    if call.caller == Caller::User && call.body()?.get("IsDeleted") == Some(&Json::Bool(false)) {
        world.database.undelete(table, id, call.actor)?;
        return Ok(Response::empty(204));
    }
    if call.caller == Caller::User
        && let Some(winner) = call.body()?.get("MasterRecordId").and_then(Json::as_str)
    {
        let winner = path_id(&world.database, table, winner)?;
        world.database.merge(table, id, winner, call.actor)?;
        return Ok(Response::empty(204));
    }
    check_unmodified(call, world.database.live(table, id)?)?;
    // The API has no way to convert a lead; a person has a button, which is this here.
    if call.caller == Caller::User && call.body()?.get("IsConverted") == Some(&Json::Bool(true)) {
        // What it becomes is there already.
        let mut into = call.body()?;
        into.retain(|name, _| name.starts_with("Converted") && name.ends_with("Id"));
        let mut made = Vec::new();
        for (name, value) in &into {
            let object = name.trim_start_matches("Converted").trim_end_matches("Id");
            let table = find_table(&world.database, object)?;
            made.push((name.as_str(), path_id(&world.database, table, value.as_str().unwrap_or_default())?));
        }
        world.database.convert(table, id, &made, call.actor)?;
        return Ok(Response::empty(204));
    }
    let changes = world.database.changes(table, &call.body()?, &[], Mode::Update)?;
    world.database.update(table, id, changes, call.actor)?;
    Ok(Response::empty(204))
}

/// `DELETE /sobjects/{X}/{id}`; conditional headers do not count here.
pub fn delete(world: &mut SalesforceWorld, call: &Call<'_>, object: &str, id: &str) -> Result<Response, Refusal> {
    let table = find_table(&world.database, object)?;
    let id = path_id(&world.database, table, id)?;
    world.database.delete(table, id, call.actor)?;
    Ok(Response::empty(204))
}

/// `GET /sobjects/{X}/{field}/{value}`
pub fn read_external(
    world: &SalesforceWorld,
    call: &Call<'_>,
    object: &str,
    field: &str,
    value: &str,
) -> Result<Response, Refusal> {
    let table = find_table(&world.database, object)?;
    let (_, _, ids) = by_external_id(&world.database, table, field, value)?;
    match ids[..] {
        [] => Err(Refusal::not_found()),
        [id] => show(&world.database, call, table, id),
        _ => Ok(several(&world.database, call, table, &ids)),
    }
}

/// `PATCH /sobjects/{X}/{field}/{value}`
pub fn upsert(
    world: &mut SalesforceWorld,
    call: &Call<'_>,
    object: &str,
    field: &str,
    value: &str,
) -> Result<Response, Refusal> {
    let database = &mut world.database;
    let table = find_table(database, object)?;
    let (column, value, ids) = by_external_id(database, table, field, value)?;
    let body = call.body()?;
    // UNVERIFIED: that the field may not be repeated in the body; the examples leave it out.
    if body.keys().any(|key| key.eq_ignore_ascii_case(field)) {
        let message = format!("The {field} field should not be specified in the sobject data.");
        return Err(Refusal::new(400, "INVALID_FIELD", message));
    }
    match ids[..] {
        [] if call.param("updateOnly").is_some_and(|only| only == "true") => Err(Refusal::not_found()),
        [] => {
            let mut changes = database.changes(table, &body, &[], Mode::Create)?;
            changes.push((column, value));
            let id = database.create(table, changes, call.actor)?;
            let answer = json!({"id": id.to_string(), "success": true, "errors": [], "created": true});
            Ok(created(database, call, table, id, answer))
        }
        [id] => {
            check_unmodified(call, database.live(table, id)?)?;
            let changes = database.changes(table, &body, &[], Mode::Update)?;
            database.update(table, id, changes, call.actor)?;
            let answer = json!({"id": id.to_string(), "success": true, "errors": [], "created": false});
            Ok(Response::json(200, &answer))
        }
        _ => Ok(several(database, call, table, &ids)),
    }
}

/// `DELETE /sobjects/{X}/{field}/{value}`
pub fn delete_external(
    world: &mut SalesforceWorld,
    call: &Call<'_>,
    object: &str,
    field: &str,
    value: &str,
) -> Result<Response, Refusal> {
    let table = find_table(&world.database, object)?;
    let (_, _, ids) = by_external_id(&world.database, table, field, value)?;
    match ids[..] {
        [] => Err(Refusal::not_found()),
        [id] => world.database.delete(table, id, call.actor).map(|()| Response::empty(204)),
        _ => Ok(several(&world.database, call, table, &ids)),
    }
}

/// The table of an object that a path names.
pub fn find_table(database: &Database, object: &str) -> Result<usize, Refusal> {
    database.find_table(object).ok_or_else(Refusal::not_found)
}

/// The column of a field that may be named in an upsert.
pub fn external_column(database: &Database, table: usize, field: &str) -> Result<usize, Refusal> {
    let object = database.object(table);
    let usable = |at: &usize| object.field(*at).id_lookup && object.field(*at).indexed;
    object.column(field).filter(usable).ok_or_else(|| no_external_id(field))
}

/// What to show of rows: the fields asked for, or all.
pub fn shape(database: &Database, table: usize, fields: Option<&[String]>) -> Result<Shape, Refusal> {
    let Some(fields) = fields else {
        return Ok(Shape::all(database, table));
    };
    let names = fields.iter().map(String::as_str);
    Shape::named(database, table, names).map_err(|name| Refusal::no_column(name, database.object(table).name))
}

fn path_id(database: &Database, table: usize, text: &str) -> Result<Id, Refusal> {
    if !matches!(text.len(), 15 | 18) {
        return Err(no_external_id(text));
    }
    match Id::parse(text) {
        None => Err(Refusal::malformed_id(text)),
        Some(id) if id.has_prefix(database.object(table).prefix) => Ok(id),
        Some(_) => Err(Refusal::not_found()),
    }
}

fn by_external_id(
    database: &Database,
    table: usize,
    field: &str,
    text: &str,
) -> Result<(usize, Value, Vec<Id>), Refusal> {
    let column = external_column(database, table, field)?;
    let value = decode::from_json(database.object(table).field(column), &Json::from(text))?;
    if value == Value::Null {
        return Err(Refusal::not_found());
    }
    let ids = database.find(table, column, &value);
    Ok((column, value, ids))
}

fn show(database: &Database, call: &Call<'_>, table: usize, id: Id) -> Result<Response, Refusal> {
    let row = database.live(table, id)?;
    let shape = shape(database, table, call.list_param("fields").as_deref())?;
    let modified = modified(row);
    let since = call.request.header("if-modified-since").and_then(parse_http_date);
    if since.is_some_and(|since| modified <= since) {
        return Ok(Response::empty(304));
    }
    let mut response = Response::json(200, &shape.json(database, &call.base, id, row));
    response.headers.push(("last-modified".into(), format_http_date(modified)));
    Ok(response)
}

/// `If-Unmodified-Since`, in whole seconds.
fn check_unmodified(call: &Call<'_>, row: &Row) -> Result<(), Refusal> {
    let Some(text) = call.request.header("if-unmodified-since") else {
        return Ok(());
    };
    let invalid = || Refusal::new(400, "INVALID_HEADER", "If-Unmodified-Since is not a date");
    match modified(row) > parse_http_date(text).ok_or_else(invalid)? {
        false => Ok(()),
        true => Err(Refusal::new(412, "PRECONDITION_FAILED", "the record was modified since")),
    }
}

fn modified(row: &Row) -> i64 {
    match row.get(column::MODIFIED_DATE) {
        Value::DateTime(seconds) => *seconds,
        _ => 0,
    }
}

fn created(database: &Database, call: &Call<'_>, table: usize, id: Id, answer: Json) -> Response {
    let mut response = Response::json(201, &answer);
    // UNVERIFIED outside of Composite.
    response.headers.push(("location".into(), url(database, call, table, id)));
    response
}

fn several(database: &Database, call: &Call<'_>, table: usize, ids: &[Id]) -> Response {
    Response::json(300, &ids.iter().map(|id| url(database, call, table, *id)).collect())
}

fn url(database: &Database, call: &Call<'_>, table: usize, id: Id) -> String {
    format!("{}/sobjects/{}/{id}", call.base, database.object(table).name)
}

fn no_external_id(field: &str) -> Refusal {
    let message = format!("Provided external ID field does not exist or is not accessible: {field}");
    Refusal::new(404, "NOT_FOUND", message)
}
