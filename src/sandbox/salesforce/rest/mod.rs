//! The REST resources, one file per family.

mod auth;
mod changes;
mod collections;
mod composite;
mod describe;
mod params;
mod query;
mod route;
mod rows;

pub use query::Cursors;
pub use route::{Route, Target};

use serde_json::{Map, Value as Json};

use super::database::Actor;
use super::error::Refusal;
use super::world::SalesforceWorld;
use crate::sandbox::http::{Request, Response};
use crate::sandbox::ledger::Caller;

/// One authenticated call.
pub struct Call<'a> {
    /// The request.
    pub request: &'a Request,
    /// `/services/data/vXX.X`, as it was called.
    pub base: String,
    /// Who calls.
    pub caller: Caller,
    /// The user who calls, and the time in whole seconds.
    pub actor: Actor,
    /// The time in milliseconds.
    pub now_ms: i64,
}

impl Call<'_> {
    /// A parameter of the query string.
    pub fn param(&self, name: &str) -> Option<String> {
        params::form(&self.request.query).find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// A parameter that is a list with commas.
    pub fn list_param(&self, name: &str) -> Option<Vec<String>> {
        let list = self.param(name)?;
        Some(list.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect())
    }

    /// The body, which must be a JSON object.
    pub fn body(&self) -> Result<Map<String, Json>, Refusal> {
        let json = self.request.header("content-type").is_none_or(|kind| kind.to_ascii_lowercase().contains("json"));
        if !json {
            return Err(Refusal::new(415, "UNSUPPORTED_MEDIA_TYPE", "Content-Type must be application/json"));
        }
        let complain = |text: String| Refusal::new(400, "JSON_PARSER_ERROR", text);
        match serde_json::from_slice(&self.request.body) {
            Ok(Json::Object(body)) => Ok(body),
            Ok(_) => Err(complain("An object was expected at [line:1, column:1]".into())),
            Err(error) => Err(complain(format!("{error} at [line:{}, column:{}]", error.line(), error.column()))),
        }
    }
}

/// Answers an authenticated call.
pub fn dispatch(world: &mut SalesforceWorld, call: &Call<'_>, target: &Target) -> Response {
    let answered = match target {
        Target::Resources => Ok(describe::resources(&call.base)),
        Target::Global => Ok(describe::global(world, &call.base)),
        Target::Basic(object) => describe::basic(world, call, object),
        Target::Describe(object) => describe::object(world, call, object),
        Target::Create(object) => rows::create(world, call, object),
        Target::Read(object, id) => rows::read(world, call, object, id),
        Target::Update(object, id) => rows::update(world, call, object, id),
        Target::Delete(object, id) => rows::delete(world, call, object, id),
        Target::ReadExternal(object, field, value) => rows::read_external(world, call, object, field, value),
        Target::Upsert(object, field, value) => rows::upsert(world, call, object, field, value),
        Target::DeleteExternal(object, field, value) => rows::delete_external(world, call, object, field, value),
        Target::Updated(object) => changes::updated(world, call, object),
        Target::Deleted(object) => changes::deleted(world, call, object),
        Target::CollectionsCreate => collections::create(world, call),
        Target::CollectionsUpdate => collections::update(world, call),
        Target::CollectionsUpsert(object, field) => collections::upsert(world, call, object, field),
        Target::CollectionsDelete => collections::delete(world, call),
        Target::CollectionsRetrieve(object) => collections::retrieve(world, call, object),
        Target::Query => query::start(world, call, false),
        Target::QueryAll => query::start(world, call, true),
        Target::QueryMore(locator) => query::more(world, call, locator),
        Target::Limits => Ok(describe::limits(world)),
        Target::Composite => composite::run(world, call),
        Target::NotAllowed => {
            Err(Refusal::new(405, "METHOD_NOT_ALLOWED", format!("HTTP Method '{}' not allowed", call.request.method)))
        }
        Target::Unknown => Err(Refusal::not_found()),
    };
    answered.unwrap_or_else(|refusal| Response::json(refusal.status, &refusal.to_body()))
}
