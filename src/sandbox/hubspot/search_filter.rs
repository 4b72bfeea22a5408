//! One filter of a search, compiled against the schema.

use serde_json::Value;

use super::record::Record;
use super::refusal::Refusal;
use super::schema::{Computed, Property, PropertyType};
use super::table::Table;
use crate::sandbox::clock;

/// The moment whose state the index shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment(pub i64);

impl Moment {
    /// An index without delay.
    pub const NOW: Self = Self(i64::MAX);

    /// Whether a record existed, and was not archived, at that moment.
    pub fn knows(self, record: &Record) -> bool {
        record.created_ms <= self.0 && record.archived_ms.is_none_or(|at_ms| at_ms > self.0)
    }
}

/// A value as filters and sorts compare it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// A number.
    Number(Number),
    /// A date or datetime in epoch milliseconds.
    Instant(i64),
    /// Text, in lower case unless it is an option's internal value.
    Text(String),
}

/// A finite number with a total order.
#[derive(Debug, Clone, Copy)]
pub struct Number(f64);

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Number {}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        // Adding zero makes -0 and 0 one number.
        (self.0 + 0.0).total_cmp(&(other.0 + 0.0))
    }
}

impl Key {
    fn of(property: &Property, text: &str) -> Option<Self> {
        match property.kind {
            PropertyType::Number => text.parse().ok().map(|number| Self::Number(Number(number))),
            PropertyType::Date | PropertyType::DateTime => clock::parse_instant(text).map(Self::Instant),
            PropertyType::Enumeration => Some(Self::Text(text.to_owned())),
            PropertyType::Text | PropertyType::Phone | PropertyType::Bool => Some(Self::Text(text.to_lowercase())),
        }
    }
}

/// A property's value at a moment, for comparing; `None` when it is empty.
pub fn key_of(table: &Table, record: &Record, index: u16, moment: Moment) -> Option<Key> {
    let property = table.schema.at(index);
    match property.computed {
        Some(Computed::Id) => Some(Key::Number(Number(record.id as f64))),
        Some(Computed::Created) => Some(Key::Instant(record.created_ms)),
        Some(Computed::Modified) => Some(Key::Instant(record.modified_at(moment.0))),
        Some(Computed::EmailDomain) => {
            let email = record.value_at(table.schema.index("email")?, moment.0)?;
            Some(Key::Text(email.split_once('@')?.1.to_owned()))
        }
        Some(Computed::Source | Computed::SourceId | Computed::Merged | Computed::Never) => None,
        None => Key::of(property, record.value_at(index, moment.0).filter(|value| !value.is_empty())?),
    }
}

/// A filter.
#[derive(Debug, Clone)]
pub struct Filter {
    property: u16,
    test: Test,
}

#[derive(Debug, Clone)]
enum Test {
    /// `associations.{type}`: this portal has none.
    Nobody,
    Equal(Key),
    NotEqual(Key),
    Less(Key),
    LessOrEqual(Key),
    Greater(Key),
    GreaterOrEqual(Key),
    Between(Key, Key),
    In(Vec<Key>),
    NotIn(Vec<Key>),
    Has,
    HasNot,
    Token(String),
    NotToken(String),
}

impl Filter {
    /// Compiles a filter, or says what is wrong with it.
    pub fn of(filter: &Value, table: &Table) -> Result<Self, Refusal> {
        let text = |key: &str| match filter.get(key) {
            Some(Value::String(text)) => Some(text.clone()),
            Some(Value::Number(number)) => Some(number.to_string()),
            Some(Value::Bool(truth)) => Some(truth.to_string()),
            _ => None,
        };
        let refuse = |message: String| Refusal::validation(format!("There was a problem with the request: {message}"));
        let name = text("propertyName").ok_or_else(|| refuse("a filter has no propertyName".to_owned()))?;
        let operator = text("operator").ok_or_else(|| refuse(format!("the filter on {name} has no operator")))?;
        if name.starts_with("associations.") {
            return Ok(Self { property: 0, test: Test::Nobody });
        }
        let index = table.schema.index(&name).ok_or_else(|| refuse(format!("there is no property {name}")))?;
        let property = table.schema.at(index);
        let key = |text: &str| -> Result<Key, Refusal> {
            match Key::of(property, text) {
                // The real index falls over when it is asked for the epoch.
                Some(Key::Instant(0)) => Err(Refusal::bare(500, "internal error")),
                Some(key) => Ok(key),
                None => Err(refuse(format!("{text} is not a {} for {name}", property.kind.name()))),
            }
        };
        let value = |field: &str| text(field).ok_or_else(|| refuse(format!("{operator} on {name} needs a {field}")));
        let values = || -> Result<Vec<Key>, Refusal> {
            let list = filter.get("values").and_then(Value::as_array);
            let list = list.ok_or_else(|| refuse(format!("{operator} on {name} needs values")))?;
            let known = list.iter().filter_map(Value::as_str);
            // Values of text properties must come in lower case to be found.
            known
                .map(
                    |text| if property.kind == PropertyType::Text { Ok(Key::Text(text.to_owned())) } else { key(text) },
                )
                .collect()
        };
        let test = match operator.as_str() {
            "EQ" => Test::Equal(key(&value("value")?)?),
            "NEQ" => Test::NotEqual(key(&value("value")?)?),
            "LT" => Test::Less(key(&value("value")?)?),
            "LTE" => Test::LessOrEqual(key(&value("value")?)?),
            "GT" => Test::Greater(key(&value("value")?)?),
            "GTE" => Test::GreaterOrEqual(key(&value("value")?)?),
            "BETWEEN" => Test::Between(key(&value("value")?)?, key(&value("highValue")?)?),
            "IN" => Test::In(values()?),
            "NOT_IN" => Test::NotIn(values()?),
            "HAS_PROPERTY" => Test::Has,
            "NOT_HAS_PROPERTY" if text("value").is_some() => {
                return Err(refuse(format!("NOT_HAS_PROPERTY on {name} takes no value")));
            }
            "NOT_HAS_PROPERTY" => Test::HasNot,
            "CONTAINS_TOKEN" => Test::Token(value("value")?.to_lowercase()),
            "NOT_CONTAINS_TOKEN" => Test::NotToken(value("value")?.to_lowercase()),
            _ => return Err(refuse(format!("{operator} is not an operator"))),
        };
        Ok(Self { property: index, test })
    }

    /// Whether a record passes, as the index knew it at a moment.
    pub fn accepts(&self, table: &Table, record: &Record, moment: Moment) -> bool {
        let found = || key_of(table, record, self.property, moment);
        let is = |test: &dyn Fn(&Key) -> bool| found().is_some_and(|key| test(&key));
        match &self.test {
            Test::Nobody => false,
            Test::Equal(value) => is(&|key| key == value),
            Test::NotEqual(value) => !is(&|key| key == value),
            Test::Less(value) => is(&|key| key < value),
            Test::LessOrEqual(value) => is(&|key| key <= value),
            Test::Greater(value) => is(&|key| key > value),
            Test::GreaterOrEqual(value) => is(&|key| key >= value),
            Test::Between(low, high) => is(&|key| low <= key && key <= high),
            Test::In(values) => is(&|key| values.contains(key)),
            Test::NotIn(values) => !is(&|key| values.contains(key)),
            Test::Has => found().is_some(),
            Test::HasNot => found().is_none(),
            Test::Token(token) => is(&|key| has_token(key, token)),
            Test::NotToken(token) => !is(&|key| has_token(key, token)),
        }
    }
}

/// Whether a text holds a token; with `*` in it, whether a word or the whole matches the pattern.
fn has_token(key: &Key, token: &str) -> bool {
    let Key::Text(text) = key else { return false };
    let text = text.to_lowercase();
    if token.contains('*') {
        return is_like(&text, token) || text.split_whitespace().any(|word| is_like(word, token));
    }
    let is_inside = |letter: char| letter.is_alphanumeric();
    text == token
        || text.split_whitespace().any(|word| word == token)
        || text.split(|letter| !is_inside(letter)).any(|word| word == token)
}

fn is_like(text: &str, pattern: &str) -> bool {
    let pieces: Vec<_> = pattern.split('*').collect();
    let (Some(first), Some(last)) = (pieces.first(), pieces.last()) else { return false };
    if text.len() < first.len() + last.len() || !text.starts_with(first) || !text.ends_with(last) {
        return false;
    }
    let mut rest = &text[first.len()..text.len() - last.len()];
    for piece in &pieces[1..pieces.len() - 1] {
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_words_or_patterns() {
        let check = |text: &str, token: &str, expected| {
            assert_eq!(has_token(&Key::Text(text.to_owned()), token), expected, "{token} in {text}");
        };
        check("ada@example.com", "example", true);
        check("ada@example.com", "exam", false);
        check("ada@example.com", "*@example.com", true);
        check("head of sales", "sal*", true);
        check("head of sales", "*d*a*s", true);
        check("ab", "ab*ab", false);
    }

    #[test]
    fn numbers_compare_by_value() {
        assert_eq!(Key::Number(Number(-0.0)), Key::Number(Number(0.0)));
        assert!(Key::Number(Number(9.0)) < Key::Number(Number(10.0)));
    }
}
