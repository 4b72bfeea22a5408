//! Who is who: match keys and our external id.

use crate::model::{FieldKind, RecordId, Value};
use crate::rules::Field;

/// The bytes under which a field's value is found as a match key; none where it cannot match.
pub fn match_key(field: &Field, value: &Value) -> Option<Vec<u8>> {
    let value = match (&field.kind, value) {
        (_, Value::Null) => return None,
        (FieldKind::Domain, Value::Text(domain)) if field.is_shared_domain(domain) => return None,
        // People type names in any case.
        (FieldKind::Text, Value::Text(text)) => Value::Text(text.to_lowercase().into()),
        (_, value) => value.clone(),
    };
    let mut key = field.id.0.to_be_bytes().to_vec();
    match &value {
        // Where it ends the store knows: its length would only take room.
        Value::Text(text) | Value::Enum(text) => {
            key.push(if matches!(value, Value::Text(_)) { b't' } else { b'e' });
            key.extend_from_slice(text.as_bytes());
        }
        other => {
            key.push(b'-');
            other.canonical_bytes(&mut key);
        }
    }
    if key.len() > KEY_MAX {
        // Long texts match by their digest.
        key.truncate(4);
        key.extend_from_slice(&crate::model::Digest::of_value(&value).0);
    }
    Some(key)
}

/// Longest key that is stored as it is, in bytes.
const KEY_MAX: usize = 200;

/// Our external id as written to a remote when we create a record there: the record's id and its generation.
pub fn external_id(record: RecordId, generation: u32) -> String {
    format!("{record}.{generation}")
}

/// The record that an external id names. Anything that is not ours is none.
pub fn parse_external_id(text: &str) -> Option<(RecordId, u32)> {
    let (record, generation) = text.trim().split_once('.')?;
    Some((RecordId::parse(record)?, generation.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn external_ids_read_back_and_foreign_ones_do_not() {
        let id = RecordId([0xab; 16]);
        assert_eq!(parse_external_id(&external_id(id, 3)), Some((id, 3)));
        for foreign in ["", "x", "abc.1", "abababababababababababababababab", "ü.1"] {
            assert_eq!(parse_external_id(foreign), None, "{foreign}");
        }
    }
}
