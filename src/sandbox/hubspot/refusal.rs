//! Refusals in HubSpot's words: the whole answer of a call, or one row of a batch's `errors`.

use serde_json::{Map, Value, json};

use super::object_type::ObjectType;

/// A refused call or item.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// The HTTP status when it is the whole answer.
    pub status: u16,
    message: String,
    category: Option<&'static str>,
    more: Map<String, Value>,
}

impl Refusal {
    /// A refusal with a category.
    pub fn new(status: u16, category: &'static str, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), category: Some(category), more: Map::new() }
    }

    /// A refusal without a category.
    pub fn bare(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), category: None, more: Map::new() }
    }

    /// 400 `VALIDATION_ERROR`.
    pub fn validation(message: impl Into<String>) -> Self {
        Self::new(400, "VALIDATION_ERROR", message)
    }

    /// The same with one more member of the body.
    pub fn with(mut self, key: &str, value: Value) -> Self {
        self.more.insert(key.to_owned(), value);
        self
    }

    /// What people read.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// An unknown object type.
    pub fn unknown_object(name: &str) -> Self {
        Self::bare(400, format!("Unable to infer object type from: {name}"))
    }

    /// A record that is not there.
    pub fn not_found(id: &str) -> Self {
        if !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()) {
            Self::bare(404, "resource not found")
        } else {
            Self::new(404, "OBJECT_NOT_FOUND", "Object not found.  objectId are usually numeric.")
        }
    }

    /// The one row that stands for all ids a batch did not find.
    pub fn missing(object: ObjectType, ids: &[String]) -> Self {
        let message = format!(
            "Could not get some {} objects, they may be deleted or not exist. Check that ids are valid.",
            object.upper()
        );
        Self::new(404, "OBJECT_NOT_FOUND", message).with("context", json!({"ids": ids}))
    }

    /// A contact with this e-mail address exists.
    pub fn conflict(object: ObjectType, existing: u64) -> Self {
        Self::new(409, "CONFLICT", format!("{} already exists. Existing ID: {existing}", object.title()))
            .with("context", json!({"existingId": [existing.to_string()]}))
    }

    /// Bad values, all of them at once: a JSON array inside the message, and one entry each in `errors`.
    pub fn values(bad: &[BadValue]) -> Self {
        let inside: Vec<_> = bad
            .iter()
            .map(|bad| json!({"isValid": false, "message": bad.message, "error": bad.code, "name": bad.property}))
            .collect();
        let errors: Vec<_> = bad
            .iter()
            .map(|bad| json!({"message": bad.message, "code": bad.code, "context": {"propertyName": [bad.property]}}))
            .collect();
        Self::validation(format!("Property values were not valid: {}", Value::Array(inside)))
            .with("errors", Value::Array(errors))
    }

    /// The body of an answer.
    pub fn body(&self, correlation: &str) -> Value {
        let mut refusal = self.clone();
        if self.category == Some("CONFLICT") {
            // The whole answer names the existing record in its message alone, a batch's row in its context too.
            refusal.more.remove("context");
        }
        let mut body = refusal.row(None);
        body["correlationId"] = json!(correlation);
        body
    }

    /// The same for a whole batch: a conflict does not say with which record.
    pub fn of_batch(mut self) -> Self {
        if self.category == Some("CONFLICT") {
            self.message = self.message.split(". Existing ID").next().unwrap_or_default().to_owned();
        }
        self
    }

    /// One row of a batch's `errors`.
    pub fn row(&self, trace: Option<&str>) -> Value {
        let mut row = Value::Object(self.more.clone());
        row["status"] = json!("error");
        row["message"] = json!(self.message);
        if let Some(category) = self.category {
            row["category"] = json!(category);
        }
        if let Some(trace) = trace {
            row["context"]["objectWriteTraceId"] = json!([trace]);
        }
        row
    }
}

/// One value that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadValue {
    /// The property written to.
    pub property: String,
    /// `INVALID_OPTION` and the like.
    pub code: &'static str,
    /// What people read.
    pub message: String,
}
