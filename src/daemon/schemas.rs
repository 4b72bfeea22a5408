//! What was seen of the systems' objects, on its way from a daemon, which holds the store, to who asks.

use crate::model::SystemId;
use crate::store::{SeenSchemas, Stored};
use serde_json::{Value, json};
use std::fmt::Write;

/// As the control socket says it: the stored forms, in hex.
pub fn document(seen: &SeenSchemas) -> Value {
    let one = |(system, seen): &(SystemId, _)| {
        let mut bytes = Vec::new();
        Stored::put(seen, &mut bytes);
        let mut hex = String::with_capacity(bytes.len() * 2);
        for byte in bytes {
            let _ = write!(hex, "{byte:02x}");
        }
        json!({ "system": system.0, "seen": hex })
    };
    json!({ "schemas": seen.iter().map(one).collect::<Vec<_>>() })
}

/// Reads it; none = it is something else, as from a daemon of another version.
pub fn read(document: &Value) -> Option<SeenSchemas> {
    let one = |row: &Value| {
        let system = u32::try_from(row["system"].as_u64()?).ok()?;
        let bytes: Option<Vec<u8>> = row["seen"]
            .as_str()?
            .as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
            .collect();
        Some((SystemId(system), Stored::get(&bytes?).ok()?))
    };
    document["schemas"].as_array()?.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Millis, ObjectSchema, SeenSchema};

    #[test]
    fn what_is_said_is_what_is_read() {
        let object = |name: &str| ObjectSchema { object: name.to_owned(), properties: Vec::new() };
        let seen = vec![
            (SystemId(7), SeenSchema::new(Millis(5), object("contacts"))),
            (SystemId(u32::MAX), SeenSchema::new(Millis(-5), object("Zoë"))),
        ];
        assert_eq!(read(&document(&seen)), Some(seen));
        for other in [json!({}), json!({ "error": {} }), json!({ "schemas": [{ "system": 1, "seen": "0g" }] })] {
            assert_eq!(read(&other), None, "{other}");
        }
    }
}
