//! From what a caller sends to what a row holds, or to the refusal it deserves.

use std::str::FromStr;

use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::Value as Json;

use super::error::Refusal;
use super::id::Id;
use super::schema::{Field, Kind};
use super::time::{parse_date, parse_datetime};
use super::value::Value;

/// Reads a JSON value for `field`. Numbers must be numbers and texts texts: the documents show no other form.
pub fn from_json(field: &Field, json: &Json) -> Result<Value, Refusal> {
    let value = match (field.kind, json) {
        (Kind::Boolean, Json::Null) => Value::Bool(false), // UNVERIFIED: a null may be refused instead
        (_, Json::Null) => Value::Null,
        (Kind::Boolean, Json::Bool(value)) => Value::Bool(*value),
        (Kind::Int, Json::Number(number)) => Value::Int(number.as_i64().ok_or_else(|| wrong_type(field, json))?),
        (Kind::Double | Kind::Currency | Kind::Percent, Json::Number(number)) => {
            Value::Number(decimal(&number.to_string()).ok_or_else(|| out_of_range(field))?)
        }
        (Kind::Boolean | Kind::Int | Kind::Double | Kind::Currency | Kind::Percent, _) => {
            return Err(wrong_type(field, json));
        }
        (_, Json::String(text)) => lettered(field, text).ok_or_else(|| wrong_type(field, json))??,
        _ => return Err(wrong_type(field, json)),
    };
    admit(field, value)
}

/// Reads the text of a seed for `field`; an empty one is nothing.
pub fn from_text(field: &Field, text: &str) -> Result<Value, Refusal> {
    let wrong = || wrong_type(field, &Json::from(text));
    let trimmed = text.trim_matches(is_space);
    let value = match field.kind {
        Kind::Boolean => match trimmed.to_ascii_lowercase().as_str() {
            "true" | "1" => Value::Bool(true),
            "false" | "0" | "" => Value::Bool(false),
            _ => return Err(wrong()),
        },
        _ if trimmed.is_empty() => Value::Null,
        Kind::Int => Value::Int(trimmed.parse().map_err(|_| wrong())?),
        Kind::Double | Kind::Currency | Kind::Percent => Value::Number(decimal(trimmed).ok_or_else(wrong)?),
        Kind::Date | Kind::DateTime | Kind::Id | Kind::Reference => lettered(field, trimmed).ok_or_else(wrong)??,
        _ => lettered(field, text).ok_or_else(wrong)??,
    };
    admit(field, value)
}

/// A value that is written as a text; `None` when it is not of the field's type.
fn lettered(field: &Field, text: &str) -> Option<Result<Value, Refusal>> {
    let value = match field.kind {
        _ if text.is_empty() => Value::Null,
        Kind::Date => Value::Date(parse_date(text)?),
        Kind::DateTime => Value::DateTime(parse_datetime(text)?.div_euclid(1000)),
        Kind::Id | Kind::Reference => match Id::parse(text) {
            Some(id) => Value::Id(id),
            None => return Some(Err(Refusal::record("MALFORMED_ID", malformed_id(field, text), &[&field.name]))),
        },
        Kind::Email => text_value(&text.to_lowercase()), // UNVERIFIED: that it is stored so
        _ => text_value(text),
    };
    Some(Ok(value))
}

fn malformed_id(field: &Field, text: &str) -> String {
    format!("{}: id value of incorrect type: {text}", field.label)
}

/// Texts never begin or end with white space and are never empty; a non-breaking space is no white space here.
fn text_value(text: &str) -> Value {
    match text.trim_matches(is_space) {
        "" => Value::Null,
        text => Value::Text(text.to_owned()),
    }
}

fn is_space(letter: char) -> bool {
    matches!(letter, ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}')
}

/// Checks a value against what its field allows, and rounds it to the field's scale.
fn admit(field: &Field, value: Value) -> Result<Value, Refusal> {
    match &value {
        Value::Text(text) => admit_text(field, text).map(|()| value),
        Value::Int(number) if digits(Decimal::from(*number)) > field.precision => Err(out_of_range(field)),
        // UNVERIFIED: a server may keep more digits than the scale shows.
        Value::Number(number) => {
            let rounded = number.round_dp_with_strategy(field.scale, RoundingStrategy::MidpointAwayFromZero);
            match digits(rounded) > field.precision - field.scale {
                true => Err(out_of_range(field)),
                false => Ok(Value::Number(rounded.normalize())),
            }
        }
        _ => Ok(value),
    }
}

fn admit_text(field: &Field, text: &str) -> Result<(), Refusal> {
    let name = &[field.name.as_str()];
    if field.length > 0 && text.chars().count() > field.length as usize {
        let message = format!("{}: data value too large: {text} (max length={})", field.label, field.length);
        return Err(Refusal::record("STRING_TOO_LONG", message, name));
    }
    if field.kind == Kind::Email && !is_email(text) {
        let message = format!("{}: invalid email address: {text}", field.label);
        return Err(Refusal::record("INVALID_EMAIL_ADDRESS", message, name));
    }
    if field.restricted && !field.picklist.contains(&text) {
        let message = format!("{}: bad value for restricted picklist field: {text}", field.label);
        return Err(Refusal::record("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message, name));
    }
    Ok(())
}

fn is_email(text: &str) -> bool {
    let forbidden = |c: char| c.is_whitespace() || c.is_control() || "()<>,;:\\\"[]@".contains(c);
    let Some((local, domain)) = text.rsplit_once('@') else {
        return false;
    };
    let label = |label: &str| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-');
    let dotted = |text: &str| !text.starts_with('.') && !text.ends_with('.') && !text.contains("..");
    !local.is_empty()
        && local.chars().count() <= 64
        && dotted(local)
        && !local.contains(forbidden)
        && domain.contains('.')
        && domain.split('.').all(label)
        && !domain.contains(forbidden)
}

fn decimal(text: &str) -> Option<Decimal> {
    Decimal::from_str(text).or_else(|_| Decimal::from_scientific(text)).ok()
}

/// How many digits stand before the point.
fn digits(number: Decimal) -> u32 {
    let whole = number.abs().trunc();
    if whole.is_zero() { 0 } else { whole.normalize().to_string().len() as u32 }
}

fn out_of_range(field: &Field) -> Refusal {
    let message = format!("{}: value outside of valid range on numeric field", field.label);
    Refusal::record("NUMBER_OUTSIDE_VALID_RANGE", message, &[&field.name])
}

fn wrong_type(field: &Field, json: &Json) -> Refusal {
    let (token, value) = match json {
        Json::String(text) => ("VALUE_STRING", text.clone()),
        Json::Number(number) if number.is_f64() => ("VALUE_NUMBER_FLOAT", number.to_string()),
        Json::Number(number) => ("VALUE_NUMBER_INT", number.to_string()),
        Json::Bool(true) => ("VALUE_TRUE", "true".into()),
        Json::Bool(false) => ("VALUE_FALSE", "false".into()),
        Json::Array(_) => ("START_ARRAY", "[".into()),
        Json::Object(_) => ("START_OBJECT", "{".into()),
        Json::Null => ("VALUE_NULL", "null".into()),
    };
    let kind = field.kind.soap().trim_start_matches("xsd:").trim_start_matches("tns:");
    let message = format!(
        "Cannot deserialize instance of {kind} from {token} value {value} or request may be missing a required field"
    );
    Refusal::record("JSON_PARSER_ERROR", message, &[&field.name])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn email() -> Field {
        Field::lettered("Email", "Email", Kind::Email, 80)
    }

    fn amount() -> Field {
        Field::number("Amount", "Amount", Kind::Currency, 18, 2)
    }

    #[track_caller]
    fn check(field: &Field, json: Json, expected: Result<Json, &str>) {
        let found = from_json(field, &json).map(|value| value.to_json()).map_err(|refusal| refusal.code);
        assert_eq!(found, expected, "{json}");
    }

    #[test]
    fn texts() {
        let field = Field::text("LastName", "Last Name", 5);
        check(&field, json!("  ab \r\n"), Ok(json!("ab")));
        check(&field, json!(" \u{a0}ab\u{a0} "), Ok(json!("\u{a0}ab\u{a0}")));
        check(&field, json!("   "), Ok(json!(null)));
        check(&field, json!(""), Ok(json!(null)));
        check(&field, json!("ééééé"), Ok(json!("ééééé")));
        check(&field, json!("abcdef"), Err("STRING_TOO_LONG"));
        check(&field, json!(5), Err("JSON_PARSER_ERROR"));
        check(&field, json!({}), Err("JSON_PARSER_ERROR"));
    }

    #[test]
    fn emails() {
        check(&email(), json!(" Ann.Lee+x@Example.COM "), Ok(json!("ann.lee+x@example.com")));
        for wrong in ["ann", "ann@", "@x.org", "ann@x", "a nn@x.org", "ann@x..org", "ann@@x.org", ".ann@x.org"] {
            check(&email(), json!(wrong), Err("INVALID_EMAIL_ADDRESS"));
        }
    }

    #[test]
    fn numbers() {
        check(&amount(), json!(50000), Ok(json!(50000.0)));
        check(&amount(), json!(0.1), Ok(json!(0.1)));
        check(&amount(), json!(1.005), Ok(json!(1.01)));
        check(&amount(), json!(-1.005), Ok(json!(-1.01)));
        check(&amount(), json!(1e15), Ok(json!(1e15)));
        check(&amount(), json!(1e16), Err("NUMBER_OUTSIDE_VALID_RANGE"));
        check(&amount(), json!(1e300), Err("NUMBER_OUTSIDE_VALID_RANGE"));
        check(&amount(), json!("5"), Err("JSON_PARSER_ERROR"));
        let staff = Field::number("NumberOfEmployees", "Employees", Kind::Int, 8, 0);
        check(&staff, json!(12), Ok(json!(12)));
        check(&staff, json!(1.5), Err("JSON_PARSER_ERROR"));
        check(&staff, json!(123_456_789), Err("NUMBER_OUTSIDE_VALID_RANGE"));
    }

    #[test]
    fn picklists_and_dates() {
        let stage = Field::picklist("StageName", "Stage", &["Open", "Won"], true);
        check(&stage, json!("Won"), Ok(json!("Won")));
        check(&stage, json!("won"), Err("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"));
        check(&Field::picklist("T", "T", &["A"], false), json!("B"), Ok(json!("B")));
        let date = Field::new("CloseDate", "Close Date", Kind::Date);
        check(&date, json!("2024-02-29"), Ok(json!("2024-02-29")));
        check(&date, json!("2024-02-30"), Err("JSON_PARSER_ERROR"));
        check(&date, json!("2024-02-29T00:00:00Z"), Err("JSON_PARSER_ERROR"));
    }

    #[test]
    fn seeds() {
        assert_eq!(from_text(&amount(), " 12.50 "), Ok(Value::Number(Decimal::new(125, 1))));
        assert_eq!(from_text(&amount(), ""), Ok(Value::Null));
        assert!(from_text(&amount(), "twelve").is_err());
    }
}
