//! What becomes of records: restored from the recycle bin, merged.

use serde_json::Value;

use super::object_type::ObjectType;
use super::refusal::Refusal;
use super::show::Wanted;
use super::{Call, HubSpotWorld, body_of};
use crate::sandbox::http::{Request, Response};
use crate::sandbox::ledger::Caller;

impl HubSpotWorld {
    /// The API cannot restore a record; a person has a button, which is this here. That the modified date moves is not documented,
    /// but a history knows restores as a source of values.
    pub(super) fn restore(&mut self, object: ObjectType, id: &str, call: Call) -> Result<Response, Refusal> {
        if call.caller != Caller::User {
            return Err(Refusal::bare(404, "Unable to find the requested endpoint"));
        }
        let restored = id.parse().is_ok_and(|id| self.table_mut(object).restore(id, call.now_ms));
        if restored { Ok(Response::empty(204)) } else { Err(Refusal::not_found(id)) }
    }

    /// Contacts and companies become a new record with the values of the primary one, others keep its id.
    pub(super) fn merge(&mut self, object: ObjectType, request: &Request, call: Call) -> Result<Response, Refusal> {
        let body = body_of(request)?;
        let id = |name: &str| -> Result<u64, Refusal> {
            let text = body.get(name).and_then(Value::as_str).unwrap_or_default();
            let known = text.parse().ok().and_then(|id| self.table(object).get(id, false, call.now_ms));
            known.map(|record| record.id).ok_or_else(|| Refusal::not_found(text))
        };
        let (primary, other) = (id("primaryObjectId")?, id("objectIdToMerge")?);
        if primary == other {
            return Err(Refusal::validation("a record cannot be merged with itself"));
        }
        let anew = matches!(object, ObjectType::Contact | ObjectType::Company);
        let survivor = self.table_mut(object).merge(primary, other, anew, call.source(), call.now_ms);
        self.associations.merge(object, [primary, other], survivor);
        let wanted = Wanted { properties: Vec::new(), history: Vec::new() };
        let table = self.table(object);
        let shown = table.get(survivor, false, call.now_ms).map(|record| self.shower().record(table, record, &wanted));
        Ok(Response::json(200, &shown.unwrap_or_default()))
    }
}
