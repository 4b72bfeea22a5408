//! Field values, and the keys by which they are compared.

use jiff::civil::Date;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde_json::{Value as Json, json};

use super::id::Id;
use super::time::{format_date, format_datetime};

/// What a field of a row holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing; an empty text is stored as this.
    Null,
    /// A check box.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A double, a currency or a percentage.
    Number(Decimal),
    /// Any text.
    Text(String),
    /// A day without a zone.
    Date(Date),
    /// Whole seconds, UTC.
    DateTime(i64),
    /// A reference, or the row's own id.
    Id(Id),
}

impl Value {
    /// As it is printed in an answer.
    pub fn to_json(&self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Bool(value) => json!(value),
            Self::Int(value) => json!(value),
            Self::Number(value) => json!(value.to_f64()),
            Self::Text(value) => json!(value),
            Self::Date(value) => json!(format_date(*value)),
            Self::DateTime(value) => json!(format_datetime(*value)),
            Self::Id(value) => json!(value.to_string()),
        }
    }

    /// The key by which queries compare, group, sort and look up.
    pub fn key(&self, case_sensitive: bool) -> Key {
        match self {
            Self::Null => Key::Null,
            Self::Bool(value) => Key::Bool(*value),
            Self::Int(value) => Key::Number(Decimal::from(*value)),
            Self::Number(value) => Key::Number(*value),
            Self::Text(value) => Key::text(value, case_sensitive),
            Self::Date(value) => Key::Date(*value),
            Self::DateTime(value) => Key::Instant(value.saturating_mul(1000)),
            Self::Id(value) => Key::Id(*value),
        }
    }
}

/// A value made comparable; one field has keys of one kind only, beside `Null`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// Nothing sorts before everything.
    Null,
    /// A check box.
    Bool(bool),
    /// Any number.
    Number(Decimal),
    /// A text, folded to lower case unless its field is case-sensitive.
    Text(String),
    /// A day.
    Date(Date),
    /// Milliseconds, UTC; stored times are whole seconds, but literals may carry a fraction.
    Instant(i64),
    /// An id.
    Id(Id),
}

impl Key {
    /// The key of a text; an empty one is nothing, as it would be in a row.
    pub fn text(text: &str, case_sensitive: bool) -> Self {
        match text {
            "" => Self::Null,
            _ if case_sensitive => Self::Text(text.to_owned()),
            _ => Self::Text(text.to_lowercase()),
        }
    }
}
