//! Refusals, in the two shapes the API gives them.

use serde_json::{Value as Json, json};

/// Why a call, or one record of it, was refused.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// The HTTP status when the refusal stands alone.
    pub status: u16,
    /// `INVALID_FIELD` and the like.
    pub code: &'static str,
    /// What a person reads.
    pub message: String,
    /// The fields to blame; top-level bodies leave the key out when this is `None`.
    pub fields: Option<Vec<String>>,
}

impl Refusal {
    /// A refusal that names no field list.
    pub fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), fields: None }
    }

    /// A refused record, with the fields to blame.
    pub fn record(code: &'static str, message: impl Into<String>, fields: &[&str]) -> Self {
        let fields = Some(fields.iter().map(|field| (*field).to_owned()).collect());
        Self { status: 400, code, message: message.into(), fields }
    }

    /// The resource does not exist.
    pub fn not_found() -> Self {
        Self::new(404, "NOT_FOUND", "The requested resource does not exist")
    }

    /// The record lies in the recycle bin.
    pub fn is_deleted() -> Self {
        Self { status: 404, ..Self::record("ENTITY_IS_DELETED", "entity is deleted", &[]) }
    }

    /// A wrong length, character or checksum.
    pub fn malformed_id(text: &str) -> Self {
        Self::record("MALFORMED_ID", format!("malformed id {text}"), &[])
    }

    /// No such column, outside of a query.
    pub fn no_column(field: &str, object: &str) -> Self {
        Self::new(400, "INVALID_FIELD", format!("No such column '{field}' on sobject of type {object}"))
    }

    /// The whole body of a refused single call: an array even for one error, with `errorCode`.
    pub fn to_body(&self) -> Json {
        let mut error = json!({"message": self.message, "errorCode": self.code});
        if let Some(fields) = &self.fields {
            error["fields"] = json!(fields);
        }
        json!([error])
    }

    /// One error of a Collections result, with `statusCode`.
    pub fn to_item(&self) -> Json {
        json!({"statusCode": self.code, "message": self.message, "fields": self.fields.clone().unwrap_or_default()})
    }
}
