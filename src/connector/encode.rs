//! Writing texts into URLs, forms and JSON.

use crate::model::Raw;

/// Percent-encodes everything but letters, digits and `-._~`.
pub(crate) fn percent(text: &str) -> String {
    percent_except(text, b"")
}

/// Percent-encodes all but the unreserved characters and those of `keep`.
pub(crate) fn percent_except(text: &str, keep: &[u8]) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 4);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || keep.contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    out
}

/// A form body.
pub(crate) fn form(pairs: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = pairs.iter().map(|(key, value)| format!("{}={}", percent(key), percent(value))).collect();
    pairs.join("&")
}

/// A JSON string.
pub(crate) fn json_text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A JSON array of strings.
pub(crate) fn json_texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let texts: Vec<String> = texts.into_iter().map(json_text).collect();
    format!("[{}]", texts.join(","))
}

/// A JSON object from names and values that are JSON already.
pub(crate) fn json_object<'a>(entries: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let entries: Vec<String> =
        entries.into_iter().map(|(name, value)| format!("{}:{value}", json_text(name))).collect();
    format!("{{{}}}", entries.join(","))
}

/// The JSON value of a raw one, with every digit of a number kept; none for an absent one.
pub(crate) fn json_raw(raw: &Raw) -> Option<String> {
    match raw {
        Raw::Absent => None,
        Raw::Null => Some("null".to_owned()),
        Raw::Text(text) => Some(json_text(text)),
        Raw::Bool(value) => Some(value.to_string()),
        Raw::Number(text) if is_number(text) => Some(text.as_str().to_owned()),
        Raw::Number(text) => Some(json_text(text)),
    }
}

/// Is the text a JSON number?
fn is_number(text: &str) -> bool {
    let starts = text.bytes().next().is_some_and(|byte| byte == b'-' || byte.is_ascii_digit());
    let ends = text.bytes().next_back().is_some_and(|byte| byte.is_ascii_digit());
    starts && ends && serde_json::from_str::<&serde_json::value::RawValue>(text).is_ok()
}

const HEX: &[u8; 16] = b"0123456789ABCDEF";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_stays_in_its_place() {
        assert_eq!(percent("a b/c?d&e=f%ü"), "a%20b%2Fc%3Fd%26e%3Df%25%C3%BC");
        assert_eq!(form(&[("a", "1&b=2"), ("c", "+")]), "a=1%26b%3D2&c=%2B");
        assert_eq!(json_object([("a\"b", json_text("\u{1}\\"))]), r#"{"a\"b":"\u0001\\"}"#);
    }

    #[test]
    fn numbers_keep_their_digits_and_what_is_no_number_becomes_text() {
        let number = |text: &str| json_raw(&Raw::Number(text.into())).unwrap();
        assert_eq!(number("12345678901234567890.10"), "12345678901234567890.10");
        for hostile in ["1,\"Id\":1", "", "-", "1 ", "NaN", "01", "1}"] {
            assert!(number(hostile).starts_with('"'), "{hostile}");
        }
    }
}
