//! Values as they are written: checked against the definition, and brought into the stored form.

use super::refusal::BadValue;
use super::schema::{Property, PropertyType};
use super::standard::OWNERS;
use crate::sandbox::clock;

/// Checks `raw` for `property` and returns what is stored. `""` clears and is good for every property.
/// `current` is the stored value, which a several-valued write may add to.
pub fn stored(property: &Property, raw: &str, current: Option<&str>) -> Result<String, BadValue> {
    let refuse = |code: &'static str, message: String| Err(BadValue { property: property.name.clone(), code, message });
    if property.computed.is_some() {
        return refuse(
            "READ_ONLY_VALUE",
            format!("\"{}\" is a read only property; its value cannot be set.", property.name),
        );
    }
    if raw.is_empty() {
        return Ok(String::new());
    }
    if raw.chars().count() > TEXT_CHARS_MAX {
        return refuse("VALUE_TOO_LONG", format!("Property value is over the limit of {TEXT_CHARS_MAX} characters"));
    }
    match property.kind {
        PropertyType::Text if property.name == "email" => {
            let email = raw.trim().to_lowercase();
            if is_email(&email) {
                Ok(email)
            } else {
                refuse("INVALID_EMAIL", format!("Email address {raw} is invalid"))
            }
        }
        PropertyType::Text | PropertyType::Phone => Ok(raw.to_owned()),
        PropertyType::Number if is_number(raw) => Ok(raw.to_owned()),
        PropertyType::Number => refuse("INVALID_LONG", format!("{raw} was not a valid number.")),
        PropertyType::Bool if matches!(raw, "true" | "false") => Ok(raw.to_owned()),
        PropertyType::Bool => refuse("INVALID_OPTION", option_message(raw, &["true", "false"])),
        PropertyType::Enumeration => {
            options(property, raw, current).or_else(|message| refuse("INVALID_OPTION", message))
        }
        PropertyType::Date => date(raw).or_else(|message| refuse("INVALID_DATE", message)),
        PropertyType::DateTime => match clock::parse_instant(raw) {
            Some(ms) => Ok(clock::instant(ms)),
            None => refuse("INVALID_DATE", format!("{raw} was not a valid long.")),
        },
    }
}

fn options(property: &Property, raw: &str, current: Option<&str>) -> Result<String, String> {
    if property.references_owner {
        let is_known = OWNERS.iter().any(|owner| owner.active && owner.id == raw);
        return if is_known { Ok(raw.to_owned()) } else { Err(option_message(raw, &[])) };
    }
    let known: Vec<_> = property.options.iter().map(|choice| choice.value.as_str()).collect();
    if !property.is_multiple() {
        return if known.contains(&raw) { Ok(raw.to_owned()) } else { Err(option_message(raw, &known)) };
    }
    let (kept, written) = match raw.strip_prefix(';') {
        Some(added) => (current.unwrap_or_default(), added),
        None => ("", raw),
    };
    let mut chosen: Vec<&str> = Vec::new();
    for value in kept.split(';').chain(written.split(';')).filter(|value| !value.is_empty()) {
        if !known.contains(&value) {
            return Err(option_message(value, &known));
        }
        if !chosen.contains(&value) {
            chosen.push(value);
        }
    }
    Ok(chosen.join(";"))
}

fn option_message(raw: &str, known: &[&str]) -> String {
    format!("{raw} was not one of the allowed options: [{}]", known.join(", "))
}

fn date(raw: &str) -> Result<String, String> {
    if clock::parse_date(raw).is_some() {
        return Ok(raw.to_owned());
    }
    let ms: i64 = raw.parse().map_err(|_| format!("{raw} was not a valid date."))?;
    let of_day = ms.rem_euclid(clock::DAY_MS);
    if of_day == 0 {
        return Ok(clock::date(ms));
    }
    let (hours, minutes, seconds) = (of_day / 3_600_000, of_day / 60_000 % 60, of_day / 1000 % 60);
    Err(format!("{raw} is at {hours}:{minutes}:{seconds}.{} UTC, not midnight!", of_day % 1000))
}

/// Digits with at most one dot, a sign, and an exponent; no thousands separators.
fn is_number(text: &str) -> bool {
    let looks_right =
        text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+' | b'e' | b'E'));
    looks_right && text.parse::<f64>().is_ok_and(f64::is_finite)
}

fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let labels_ok = domain.contains('.') && domain.split('.').all(|label| !label.is_empty());
    !local.is_empty() && labels_ok && !domain.contains('@') && !text.contains(char::is_whitespace)
}

const TEXT_CHARS_MAX: usize = 65_536;

#[cfg(test)]
mod tests {
    use super::super::object_type::ObjectType;
    use super::super::standard;
    use super::*;

    #[track_caller]
    fn check(object: ObjectType, property: &str, raw: &str, expected: Result<&str, &str>) {
        let schema = standard::schema(object);
        let property = schema.get(property).expect("a standard property");
        let found = stored(property, raw, Some("CHAMPION"));
        match expected {
            Ok(value) => assert_eq!(found.as_deref(), Ok(value)),
            Err(code) => assert_eq!(found.expect_err(raw).code, code),
        }
    }

    #[test]
    fn values_are_checked_by_type() {
        use ObjectType::{Contact, Deal};
        check(Contact, "email", " Ada@Example.COM ", Ok("ada@example.com"));
        check(Contact, "email", "ada@example", Err("INVALID_EMAIL"));
        check(Contact, "firstname", " Ada ", Ok(" Ada "));
        check(Contact, "lifecyclestage", "lead", Ok("lead"));
        check(Contact, "lifecyclestage", "Lead", Err("INVALID_OPTION"));
        check(Contact, "hubspot_owner_id", OWNERS[0].id, Ok(OWNERS[0].id));
        check(Contact, "hubspot_owner_id", "1", Err("INVALID_OPTION"));
        check(Contact, "createdate", "0", Err("READ_ONLY_VALUE"));
        check(Deal, "amount", "12500.50", Ok("12500.50"));
        check(Deal, "amount", "12,500", Err("INVALID_LONG"));
        check(Deal, "amount", "inf", Err("INVALID_LONG"));
        check(Deal, "closedate", "1772366400000", Ok("2026-03-01T12:00:00Z"));
        check(Deal, "closedate", "soon", Err("INVALID_DATE"));
        check(Deal, "amount", "", Ok(""));
    }

    #[test]
    fn several_options_replace_or_add() {
        use ObjectType::Contact;
        check(Contact, "hs_buying_role", "BLOCKER;DECISION_MAKER", Ok("BLOCKER;DECISION_MAKER"));
        check(Contact, "hs_buying_role", ";BLOCKER", Ok("CHAMPION;BLOCKER"));
        check(Contact, "hs_buying_role", "BLOCKER;NOBODY", Err("INVALID_OPTION"));
    }

    #[test]
    fn dates_are_midnight_or_refused() {
        assert_eq!(date("2026-03-01"), Ok("2026-03-01".to_owned()));
        assert_eq!(date("1772323200000"), Ok("2026-03-01".to_owned()));
        assert_eq!(date("1521225089103"), Err("1521225089103 is at 18:31:29.103 UTC, not midnight!".to_owned()));
    }
}
