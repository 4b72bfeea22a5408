//! Rows of JSON pages: a digest of what was asked for, and decoding only of what the digests could not dismiss.

use crate::model::{Millis, Raw, RawBatch, RawRow, RowDecoder};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// What is wrong with JSON that holds records: the library's own words repeat what it found.
pub(crate) fn fault(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        Category::Data => "JSON of another shape",
        Category::Eof => "JSON that is cut short",
        Category::Syntax | Category::Io => "no JSON",
    };
    format!("{what} at line {}, column {}", error.line(), error.column())
}

/// The members of a JSON object, in its order, their values untouched.
pub(crate) struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Members<'a> {
    pub fn parse(text: &'a str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| fault(&error))
    }

    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.get())
    }

    /// The values of `names`. Remotes keep an order, so the search goes on where the last one ended.
    fn in_order<'n>(&self, names: &'n [String], mut each: impl FnMut(&'n str, Option<&'a str>)) {
        let mut start = 0;
        for name in names {
            let (head, tail) = self.0.split_at(start.min(self.0.len()));
            let found = tail.iter().chain(head).position(|(key, _)| key == name);
            let place = found.map(|offset| (start + offset) % self.0.len());
            start = place.map_or(start, |place| place + 1);
            each(name, place.map(|place| self.0[place].1.get()));
        }
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(Key(key)) = map.next_key()? {
                    members.push((key, map.next_value()?));
                }
                Ok(Members(members))
            }
        }
        #[derive(Deserialize)]
        struct Key<'a>(#[serde(borrow)] Cow<'a, str>);
        deserializer.deserialize_map(Collect)
    }
}

/// The rows of one page: where their objects lie within the bodies that came.
#[derive(Default)]
pub(crate) struct RowSet {
    names: Vec<String>,
    bodies: Vec<String>,
    places: Vec<(usize, usize, usize)>,
    /// What was asked of the rows that have no digest yet.
    asked: RawBatch,
}

impl RowSet {
    /// For rows with these properties.
    pub fn new(names: Vec<String>) -> Self {
        Self { names, ..Self::default() }
    }

    /// Takes in a body whose rows [`Self::push`] will name.
    pub fn body(&mut self, body: String) {
        self.bodies.push(body);
    }

    /// A row of the last body, by the span of the object that holds its properties.
    pub fn push(&mut self, span: (usize, usize), members: &Members<'_>) -> Result<(), String> {
        let body = self.bodies.len().checked_sub(1).ok_or("a row without a body")?;
        self.places.push((body, span.0, span.1));
        self.asked.push(|out| asked(members, &self.names, out));
        Ok(())
    }

    /// Gives the rows that were pushed since the last time the digests of what was asked of them, all at once.
    pub fn seal(&mut self, rows: &mut [RawRow]) {
        let digests = self.asked.digests();
        debug_assert_eq!(rows.len(), digests.len(), "a row for each that was pushed");
        rows.iter_mut().zip(digests).for_each(|(row, digest)| row.raw = digest);
    }

    fn text(&self, (body, from, to): (usize, usize, usize)) -> Option<&str> {
        self.bodies.get(body)?.get(from..to)
    }
}

impl RowDecoder for RowSet {
    fn decode(&self, index: usize) -> Result<Vec<Raw>, String> {
        let place = *self.places.get(index).ok_or("no such row")?;
        let members = Members::parse(self.text(place).ok_or("no such row")?)?;
        values(&members, &self.names)
    }
}

/// The asked properties' own bytes, in the asked order; an absent one is unlike any value.
fn asked(members: &Members<'_>, names: &[String], out: &mut Vec<u8>) {
    members.in_order(names, |name, value| {
        out.extend_from_slice(name.as_bytes());
        out.push(0); // no control character is ever part of a name or of JSON
        out.extend_from_slice(value.unwrap_or("\u{1}").as_bytes());
        out.push(0);
    });
}

/// The values of the asked properties.
pub(crate) fn values(members: &Members<'_>, names: &[String]) -> Result<Vec<Raw>, String> {
    let mut out = Ok(Vec::with_capacity(names.len()));
    members.in_order(names, |name, value| {
        let raw = value.map_or(Ok(Raw::Absent), raw);
        match (&mut out, raw) {
            (Ok(values), Ok(raw)) => values.push(raw),
            (Ok(_), Err(cause)) => out = Err(format!("{name}: {cause}")),
            (Err(_), _) => {}
        }
    });
    out
}

/// A raw value from JSON; objects and arrays are given as their text.
pub(crate) fn raw(json: &str) -> Result<Raw, String> {
    Ok(match json.as_bytes().first() {
        Some(b'n') => Raw::Null,
        Some(b't') => Raw::Bool(true),
        Some(b'f') => Raw::Bool(false),
        Some(b'"') => Raw::Text(match plain(json) {
            Some(text) => text.into(),
            None => serde_json::from_str::<String>(json).map_err(|error| fault(&error))?.into(),
        }),
        Some(b'-' | b'0'..=b'9') => Raw::Number(json.into()),
        _ => Raw::Text(json.into()),
    })
}

/// What a JSON string says that nothing is escaped in.
fn plain(json: &str) -> Option<&str> {
    let text = json.strip_prefix('"')?.strip_suffix('"')?;
    (!text.bytes().any(|byte| matches!(byte, b'"' | b'\\' | 0..0x20))).then_some(text)
}

/// A JSON string or number as text: ids come as either.
pub(crate) fn scalar(json: &RawValue) -> Option<String> {
    match raw(json.get()).ok()? {
        Raw::Text(text) if !json.get().starts_with(['{', '[']) => Some(text.into()),
        Raw::Number(text) => Some(text.into()),
        _ => None,
    }
}

/// Where `part` lies within `whole`, of which it must be a slice.
pub(crate) fn span(whole: &str, part: &str) -> Option<(usize, usize)> {
    let from = (part.as_ptr() as usize).checked_sub(whole.as_ptr() as usize)?;
    let to = from.checked_add(part.len())?;
    (to <= whole.len()).then_some((from, to))
}

/// A moment as either system writes it: ISO 8601 with `Z`, `+00:00` or `+0000`, or milliseconds since 1970.
pub(crate) fn moment(text: &str) -> Option<Millis> {
    if let Ok(ms) = text.parse::<i64>() {
        return Some(Millis(ms));
    }
    text.parse::<jiff::Timestamp>().ok().map(|timestamp| Millis(timestamp.as_millisecond()))
}

/// A moment as both systems read it, `2026-01-31T08:15:30.123Z`.
pub(crate) fn iso(time: Millis) -> Option<String> {
    jiff::Timestamp::from_millisecond(time.0).ok().map(|timestamp| timestamp.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RawDigest;
    use proptest::prelude::*;

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|name| (*name).to_owned()).collect()
    }

    fn digest_of(object: &str, list: &[&str]) -> RawDigest {
        let mut bytes = Vec::new();
        asked(&Members::parse(object).unwrap(), &names(list), &mut bytes);
        RawDigest::of_bytes(&bytes)
    }

    #[test]
    fn the_digest_sees_the_asked_properties_and_nothing_else() {
        let base = digest_of(r#"{"a":"1","b":null,"z":"7"}"#, &["a", "b"]);
        assert_eq!(digest_of(r#"{"z":"8","b":null,"a":"1"}"#, &["a", "b"]), base);
        for other in [r#"{"a":"2","b":null}"#, r#"{"a":"1","b":""}"#, r#"{"a":"1"}"#, r#"{"a":1,"b":null}"#] {
            assert_ne!(digest_of(other, &["a", "b"]), base, "{other}");
        }
    }

    #[test]
    fn values_keep_their_kind_and_their_digits() {
        let mut rows = RowSet::new(names(&["t", "n", "b", "x", "o", "absent"]));
        let body = r#"[{"n":50000.10,"t":"\u00e9\"","o":{"k":1},"b":true,"x":null}]"#;
        rows.body(body.to_owned());
        let object = &body[1..body.len() - 1];
        rows.push((1, body.len() - 1), &Members::parse(object).unwrap()).unwrap();
        let expected = vec![
            Raw::Text("é\"".into()),
            Raw::Number("50000.10".into()),
            Raw::Bool(true),
            Raw::Null,
            Raw::Text(r#"{"k":1}"#.into()),
            Raw::Absent,
        ];
        assert_eq!(rows.decode(0), Ok(expected));
        assert!(rows.decode(1).is_err());
    }

    #[test]
    fn moments_are_read_in_all_their_forms() {
        for text in
            ["2024-09-09T20:41:31.000+0000", "2024-09-09T20:41:31Z", "1725914491000", "2024-09-09T22:41:31+02:00"]
        {
            assert_eq!(moment(text), Some(Millis(1_725_914_491_000)), "{text}");
        }
        assert_eq!(moment("yesterday"), None);
        assert_eq!(iso(Millis(1_725_914_491_123)).as_deref(), Some("2024-09-09T20:41:31.123Z"));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".*", list in proptest::collection::vec("[a-c]", 0..4)) {
            if let Ok(members) = Members::parse(&text) {
                asked(&members, &list, &mut Vec::new());
                let _ = values(&members, &list);
            }
            let _ = (raw(&text), moment(&text));
        }
    }
}
