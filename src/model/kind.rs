//! Types of fields: what a raw value means, and how a canonical one is sent.

use super::host;
use super::value::DAY_MS;
use super::{Decimal, EntityId, Millis, Raw, Region, Text, Value, ValueError};
use std::str::FromStr;

/// A field's type, as far as canonical form goes. The value map of an enumeration belongs to its bindings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldKind {
    /// Free text.
    Text,
    /// An e-mail address: compared without case.
    Email,
    /// A phone number: compared by its digits and a leading `+`.
    Phone,
    /// A phone number of a region, where it does not say another: compared with the code of its country, if it is a valid
    /// one, else as [`Self::Phone`].
    PhoneOf(Region),
    /// A domain: lower case, without scheme, `www.`, path or port.
    Domain,
    /// A web address: scheme and host without case, without the scheme's own port or a lone `/` behind the host.
    Url,
    /// A whole number.
    Integer,
    /// A decimal number, rounded to `scale` digits after the point where a scale is set.
    Decimal {
        /// Digits after the point; none = as given.
        scale: Option<u32>,
    },
    /// True or false.
    Bool,
    /// A date without a zone.
    Date,
    /// A moment, floored to the coarsest step of the systems that hold it.
    DateTime {
        /// Step in milliseconds.
        step_ms: i64,
    },
    /// One option. Raw texts are taken as they are; bindings translate them.
    Enum,
    /// Several options, in no order, written with `;` between them.
    Set,
    /// Another record. Systems hold its id, which means nothing elsewhere: what is read here is that id, as text, and the
    /// engine finds the record behind it ([`Value::Ref`]).
    Ref {
        /// The entity of the other record.
        to: EntityId,
    },
    /// Several other records. What is read here is the systems' own ids, with labels behind a tab, as a set; the engine finds the
    /// records behind them ([`Value::Refs`]).
    Refs {
        /// The entity of the other records.
        to: EntityId,
    },
    /// A user, by the e-mail address. Systems hold an id of their own; a binding's table leads from one to the other.
    Owner,
    /// Several fields that are decided together. Each of them has a type of its own, by which it is read and written.
    Group,
}

impl FieldKind {
    /// The name that a config uses.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Email => "email",
            Self::Phone | Self::PhoneOf(_) => "phone",
            Self::Domain => "domain",
            Self::Url => "url",
            Self::Integer => "integer",
            Self::Decimal { .. } => "decimal",
            Self::Bool => "bool",
            Self::Date => "date",
            Self::DateTime { .. } => "datetime",
            Self::Enum => "enum",
            Self::Set => "set",
            Self::Ref { .. } => "ref",
            Self::Refs { .. } => "refs",
            Self::Owner => "owner",
            Self::Group => "group",
        }
    }

    /// The canonical value of a raw one. Blank is [`Value::Null`] for every type; [`Raw::Absent`] counts as blank and must
    /// be sorted out before.
    ///
    /// # Errors
    /// The raw value does not have this type.
    pub fn read(&self, raw: &Raw) -> Result<Value, ValueError> {
        let text = match raw {
            Raw::Absent | Raw::Null => return Ok(Value::Null),
            Raw::Text(text) | Raw::Number(text) => text.as_str(),
            Raw::Bool(true) => "true",
            Raw::Bool(false) => "false",
        };
        let trimmed = trim(text);
        if trimmed.is_empty() {
            return Ok(Value::Null);
        }
        match self {
            Self::Refs { .. } => Ok(Value::set(text.lines().map(trim).filter(|tie| !tie.is_empty()))),
            Self::Ref { .. } | Self::Owner => Ok(Value::Text(kept(raw, trimmed))),
            Self::Group => Err(ValueError { wanted: "a group", reason: "a single value" }),
            Self::Text if has_returns(trimmed) => {
                Ok(Value::Text(trimmed.replace("\r\n", "\n").replace('\r', "\n").into()))
            }
            Self::Text => Ok(Value::Text(kept(raw, trimmed))),
            Self::Email => Ok(Value::Text(host::email(trimmed).into())),
            Self::Phone => Ok(Value::Text(phone(trimmed).into())),
            Self::PhoneOf(region) => {
                let plain = phone(trimmed);
                // A text that becomes a number only once it is stripped must not be read in two ways.
                let full = region.international(trimmed).or_else(|| region.international(&plain));
                Ok(Value::Text(full.unwrap_or(plain).into()))
            }
            Self::Domain => Ok(domain(trimmed)),
            Self::Url => Ok(Value::Text(url(trimmed).into())),
            Self::Integer => {
                const WANTED: &str = "a whole number";
                let number = Decimal::parse(trimmed)
                    .ok_or(ValueError { wanted: WANTED, reason: "unreadable, or out of range" })?;
                let reason = if number.scale() > 0 { "with a fraction" } else { "out of range" };
                number.to_int().map(Value::Int).ok_or(ValueError { wanted: WANTED, reason })
            }
            Self::Decimal { scale } => {
                let number = Decimal::parse(trimmed)
                    .ok_or(ValueError { wanted: "a decimal number", reason: "unreadable, or more than 28 digits" })?;
                Ok(Value::Decimal(scale.map_or(number, |scale| number.rounded(scale))))
            }
            Self::Bool => match trimmed {
                t if t.eq_ignore_ascii_case("true") || t == "1" => Ok(Value::Bool(true)),
                t if t.eq_ignore_ascii_case("false") || t == "0" => Ok(Value::Bool(false)),
                _ => Err(ValueError { wanted: "true or false", reason: "another word" }),
            },
            Self::Date => date(trimmed).map(Value::Date),
            Self::DateTime { step_ms } => datetime(trimmed).map(|ms| Value::DateTime(Millis(ms).floor(*step_ms).0)),
            Self::Enum => Ok(Value::Enum(kept(raw, trimmed))),
            Self::Set => Ok(Value::set(trimmed.split(';').map(trim).filter(|option| !option.is_empty()))),
        }
    }

    /// Is it a canonical value of this type?
    pub fn holds(&self, value: &Value) -> bool {
        value.is_null() || self.read(&self.write(value)).as_ref() == Ok(value)
    }

    /// The raw value to send for a canonical one. `read(write(v)) == v` for every canonical value of this type.
    pub fn write(&self, value: &Value) -> Raw {
        match value {
            Value::Null => Raw::Null,
            Value::Bool(value) => Raw::Bool(*value),
            Value::Int(value) => Raw::Number(value.to_string().into()),
            Value::Decimal(value) => Raw::Number(value.to_string().into()),
            Value::Text(text) | Value::Enum(text) => Raw::Text(text.clone()),
            other => Raw::Text(other.to_string().into()),
        }
    }
}

/// Trims what both CRMs trim; a no-break space stays, as Salesforce keeps it.
fn trim(text: &str) -> &str {
    // Nearly nothing that is read has blanks at its ends.
    let solid = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_graphic());
    if solid(text.as_bytes().first()) && solid(text.as_bytes().last()) {
        return text;
    }
    text.trim_matches(|c: char| c.is_whitespace() && c != '\u{a0}')
}

/// Without a search's beginning and end, which cost most of it where texts are short.
fn has_returns(text: &str) -> bool {
    text.bytes().fold(false, |found, byte| found | (byte == b'\r'))
}

/// The raw text itself, where that is what remains of it.
fn kept(raw: &Raw, trimmed: &str) -> Text {
    match raw {
        Raw::Text(text) | Raw::Number(text) if text.len() == trimmed.len() => text.clone(),
        _ => trimmed.into(),
    }
}

/// Digits, a leading `+` (also for `00`), and an extension after `x`. Anything without digits stays as text, so that
/// "ask Ann" is not lost.
fn phone(text: &str) -> String {
    let (main, extension) = match text.to_lowercase().rfind("ext").or_else(|| text.to_lowercase().rfind('x')) {
        Some(at) if text.is_char_boundary(at) => text.split_at(at),
        _ => (text, ""),
    };
    let digits = |part: &str| part.chars().filter(char::is_ascii_digit).collect::<String>();
    let (mut number, extension) = (digits(main), digits(extension));
    if number.is_empty() {
        return text.to_owned();
    }
    let plus = trim(main).starts_with('+') || (number.starts_with("00") && number.len() > 6);
    if plus {
        number = format!("+{}", number.trim_start_matches("00"));
    }
    if !extension.is_empty() {
        number = format!("{number} x{extension}");
    }
    number
}

fn domain(text: &str) -> Value {
    let lower = text.to_lowercase();
    let after_scheme = lower.split_once("://").map_or(lower.as_str(), |(_, rest)| rest);
    let host = after_scheme.split(['/', '?', '#']).next().unwrap_or_default();
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let host = host::ascii(host.split_once(':').map_or(host, |(host, _)| host));
    let mut host = &*host;
    loop {
        // Taking one layer off may lay bare another.
        let stripped = trim(host).trim_end_matches('.');
        let stripped = stripped.strip_prefix("www.").unwrap_or(stripped);
        if stripped == host {
            break;
        }
        host = stripped;
    }
    if host.is_empty() { Value::Text(lower.into()) } else { Value::Text(host.into()) }
}

/// Scheme and host in lower case, without what says nothing. Anything that is not like an address stays as it is.
fn url(text: &str) -> String {
    if text.contains(char::is_whitespace) {
        return text.to_owned();
    }
    let is_scheme = |scheme: &str| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
    };
    let (scheme, rest) = match text.split_once("://").filter(|(scheme, _)| is_scheme(scheme)) {
        Some((scheme, rest)) => (format!("{}://", scheme.to_ascii_lowercase()), rest),
        None => (String::new(), text),
    };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let is_port = |port: &str| port.bytes().all(|b| b.is_ascii_digit());
    let is_host = |authority: &str| {
        let host = authority.split_once(':');
        authority.contains('.') && !authority.contains('@') && host.is_none_or(|(_, port)| is_port(port))
    };
    if scheme.is_empty() && !is_host(authority) {
        return text.to_owned();
    }
    let (user, host) = authority.rfind('@').map_or(("", authority), |at| authority.split_at(at + 1));
    let host = host.to_lowercase();
    let mut host = match host.split_once(':') {
        Some((name, port)) => format!("{}:{port}", host::ascii(name)),
        None => host::ascii(&host).into_owned(),
    };
    let own = match scheme.as_str() {
        "http://" => ":80",
        "https://" => ":443",
        _ => ":",
    };
    while let Some(shorter) = host.strip_suffix(own).or_else(|| host.strip_suffix(':')) {
        host = shorter.to_owned();
    }
    let path = if path == "/" { "" } else { path };
    let url = format!("{scheme}{user}{host}{path}");
    if url.is_empty() { text.to_owned() } else { url }
}

/// `YYYY-MM-DD`, an ISO moment, or milliseconds at midnight UTC (HubSpot writes all three).
fn date(text: &str) -> Result<i32, ValueError> {
    const WANTED: &str = "a date";
    if let Ok(date) = jiff::civil::Date::from_str(text)
        && text.len() <= 10
    {
        let days = date.since((jiff::Unit::Day, jiff::civil::date(1970, 1, 1)));
        return days.map(|span| span.get_days()).map_err(|_| ValueError { wanted: WANTED, reason: "out of range" });
    }
    let ms = datetime(text).map_err(|error| ValueError { wanted: WANTED, ..error })?;
    if ms.rem_euclid(DAY_MS) != 0 {
        return Err(ValueError { wanted: WANTED, reason: "a moment that is not midnight UTC" });
    }
    i32::try_from(ms.div_euclid(DAY_MS)).map_err(|_| ValueError { wanted: WANTED, reason: "out of range" })
}

/// ISO 8601 with an offset (`Z`, `+00:00`, Salesforce's `+0000`), or milliseconds.
fn datetime(text: &str) -> Result<i64, ValueError> {
    if let Ok(ms) = text.parse::<i64>() {
        let in_range = jiff::Timestamp::from_millisecond(ms).is_ok();
        return in_range.then_some(ms).ok_or(ValueError { wanted: "a date and time", reason: "out of range" });
    }
    jiff::Timestamp::from_str(text)
        .map(|moment| moment.as_millisecond())
        .map_err(|_| ValueError { wanted: "a date and time", reason: "unreadable, or without a zone" })
}
