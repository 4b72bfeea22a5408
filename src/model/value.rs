//! Canonical values: one form and one byte encoding for each meaning, so that a remote's reformatting is never a change.

use super::host;
use super::{Decimal, EntityId, Millis, Raw, RecordId, Region, Text, Tied};
use crate::codec::{self, BorrowDecode, BorrowDecoder, Decode, DecodeError, Decoder, Encode};
use std::fmt;
use std::str::FromStr;

/// A field's value in canonical form.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Default)]
pub enum Value {
    /// Cleared or never filled: a value with a stamp like any other.
    #[default]
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A decimal number.
    Decimal(Decimal),
    /// Text, trimmed, with `\n` line ends, never empty.
    Text(Text),
    /// Days since 1970-01-01.
    Date(i32),
    /// Milliseconds since 1970-01-01 UTC.
    DateTime(i64),
    /// One option, by its canonical name.
    Enum(Text),
    /// Several options, sorted, without repeats.
    Set(Vec<String>),
    /// Another record.
    Ref(RecordId),
    /// The fields of an atomic group, by their places in it. Not all of them blank: then the group is.
    Group(Members),
    /// Several other records, sorted, without repeats: see [`Value::ties`].
    Refs(Vec<Tied>),
}

/// The values of a group's fields; none of them is a group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Encode)]
pub struct Members(Vec<Value>);

impl Value {
    /// Is nothing here?
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Several options in their canonical form; none at all is blank.
    pub fn set(options: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let mut options: Vec<String> = options.into_iter().map(Into::into).collect();
        options.sort_unstable();
        options.dedup();
        if options.is_empty() { Self::Null } else { Self::Set(options) }
    }

    /// The fields of an atomic group in their canonical form; all of them blank is blank.
    pub fn group(members: impl IntoIterator<Item = Self>) -> Self {
        let members: Vec<Self> = members.into_iter().collect();
        debug_assert!(!members.iter().any(|member| matches!(member, Self::Group(_))), "a group within a group");
        if members.iter().all(Self::is_null) { Self::Null } else { Self::Group(Members(members)) }
    }

    /// The field of a group at this place; blank where there is none.
    pub fn member(&self, at: usize) -> &Self {
        const BLANK: &Value = &Value::Null;
        match self {
            Self::Group(members) => members.0.get(at).unwrap_or(BLANK),
            _ => BLANK,
        }
    }

    /// Appends the canonical bytes: a tag, then the payload; self-delimiting, so that values can follow each other.
    pub fn canonical_bytes(&self, out: &mut Vec<u8>) {
        fn text(tag: u8, text: &str, out: &mut Vec<u8>) {
            out.push(tag);
            out.extend_from_slice(&(text.len() as u64).to_be_bytes());
            out.extend_from_slice(text.as_bytes());
        }
        match self {
            Self::Null => out.push(0),
            Self::Bool(value) => out.extend_from_slice(&[1, u8::from(*value)]),
            Self::Int(value) => {
                out.push(2);
                out.extend_from_slice(&value.to_be_bytes());
            }
            Self::Decimal(value) => {
                out.push(3);
                out.extend_from_slice(&value.bytes());
            }
            Self::Text(value) => text(4, value, out),
            Self::Date(value) => {
                out.push(5);
                out.extend_from_slice(&value.to_be_bytes());
            }
            Self::DateTime(value) => {
                out.push(6);
                out.extend_from_slice(&value.to_be_bytes());
            }
            Self::Enum(value) => text(7, value, out),
            Self::Set(values) => {
                out.push(8);
                out.extend_from_slice(&(values.len() as u64).to_be_bytes());
                for value in values {
                    text(4, value, out);
                }
            }
            Self::Ref(id) => {
                out.push(9);
                out.extend_from_slice(&id.0);
            }
            Self::Group(members) => {
                out.push(10);
                out.extend_from_slice(&(members.0.len() as u64).to_be_bytes());
                members.0.iter().for_each(|member| member.canonical_bytes(out));
            }
            Self::Refs(ties) => {
                out.push(11);
                out.extend_from_slice(&(ties.len() as u64).to_be_bytes());
                for tied in ties {
                    out.extend_from_slice(&tied.to.0);
                    text(4, &tied.label, out);
                }
            }
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("(blank)"),
            Self::Bool(value) => value.fmt(f),
            Self::Int(value) => value.fmt(f),
            Self::Decimal(value) => value.fmt(f),
            Self::Text(value) | Self::Enum(value) => f.write_str(value),
            Self::Date(days) => f.write_str(&date_text(*days)),
            Self::DateTime(ms) => f.write_str(&datetime_text(*ms)),
            Self::Set(values) => f.write_str(&values.join(";")),
            Self::Ref(id) => id.fmt(f),
            Self::Group(members) => members.show(f, |_, member| member),
            Self::Refs(ties) => {
                for (at, tied) in ties.iter().enumerate() {
                    f.write_str(if at > 0 { ", " } else { "" })?;
                    match tied.label.as_str() {
                        "" => tied.to.fmt(f)?,
                        label => write!(f, "{} ({label})", tied.to)?,
                    }
                }
                Ok(())
            }
        }
    }
}

impl Members {
    /// The values, by their places.
    pub fn values(&self) -> &[Value] {
        &self.0
    }

    /// Prints the values between bars, each as `shown` has it.
    pub(crate) fn show<'v, D: fmt::Display + 'v>(
        &'v self,
        f: &mut fmt::Formatter<'_>,
        shown: impl Fn(usize, &'v Value) -> D,
    ) -> fmt::Result {
        for (at, member) in self.0.iter().enumerate() {
            f.write_str(if at > 0 { " | " } else { "" })?;
            shown(at, member).fmt(f)?;
        }
        Ok(())
    }
}

impl<C> Decode<C> for Members {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let count = usize::decode(decoder)?;
        decoder.claim_container_read::<Value>(count)?;
        let mut members = Vec::new();
        for _ in 0..count {
            decoder.unclaim_bytes_read(size_of::<Value>());
            // Foreign bytes may nest without end, which would exhaust the stack.
            if codec::begins_with(decoder, GROUP) {
                return Err(DecodeError::Other("a group within a group"));
            }
            members.push(Value::decode(decoder)?);
        }
        Ok(Self(members))
    }
}

impl<'de, C> BorrowDecode<'de, C> for Members {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        Self::decode(decoder)
    }
}

/// With what the stored form of a [`Value::Group`] begins: its number among the variants.
const GROUP: u8 = 10;

/// A raw value that its field's type cannot hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not {wanted}: {reason}")]
pub struct ValueError {
    /// What the type wants, as a phrase: "a date".
    pub wanted: &'static str,
    /// What was wrong, without the value itself, which may be personal.
    pub reason: &'static str,
}

impl ValueError {
    /// A reference to a remote record that is not mirrored, or not yet: it is neither an edit nor a blank, and is read again
    /// when that record is there.
    pub const UNRESOLVED: Self =
        Self { wanted: "a reference to a record that is known here", reason: "it is not, or not yet" };

    /// An owner's id that is no listed user's, or that of one without an e-mail address: no edit and no blank.
    pub const NO_OWNER: Self =
        Self { wanted: "a user with an e-mail address", reason: "the system lists no such user, or not yet" };

    /// The system gives no value at all, not even a blank one: its property is gone, or may not be seen any more.
    pub const NOT_SHOWN: Self =
        Self { wanted: "shown", reason: "the system gives no value for it, not even a blank one" };
}

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
            Self::Ref { .. } | Self::Owner => Ok(Value::Text(trimmed.into())),
            Self::Group => Err(ValueError { wanted: "a group", reason: "a single value" }),
            Self::Text => Ok(Value::Text(trimmed.replace("\r\n", "\n").replace('\r', "\n").into())),
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
            Self::Enum => Ok(Value::Enum(trimmed.into())),
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
            Value::Int(value) => Raw::Number(value.to_string()),
            Value::Decimal(value) => Raw::Number(value.to_string()),
            other => Raw::Text(other.to_string()),
        }
    }
}

/// Trims what both CRMs trim; a no-break space stays, as Salesforce keeps it.
fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() && c != '\u{a0}')
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

const DAY_MS: i64 = 86_400_000;

fn date_text(days: i32) -> String {
    match jiff::Timestamp::from_millisecond(i64::from(days) * DAY_MS) {
        Ok(moment) => moment.to_zoned_datetime(jiff::tz::TimeZone::UTC).date().to_string(),
        Err(_) => format!("day {days}"),
    }
}

fn datetime_text(ms: i64) -> String {
    match jiff::Timestamp::from_millisecond(ms) {
        Ok(moment) => format!("{moment:.3}"),
        Err(_) => format!("{ms} ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(kind: &FieldKind, raw: &str) -> String {
        match kind.read(&Raw::Text(raw.into())) {
            Ok(value) => value.to_string(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn reformatting_is_never_a_change() {
        let cases: &[(FieldKind, &[&str], &str)] = &[
            (FieldKind::Text, &["a\r\nb", " a\nb ", "a\rb"], "a\nb"),
            (FieldKind::Email, &["Ann@Example.COM ", "ann@example.com"], "ann@example.com"),
            (FieldKind::Phone, &["+1 (415) 555-0123", "+1.415.555.0123", "0014155550123"], "+14155550123"),
            (FieldKind::Phone, &["415 555 0123 ext. 7", "(415)5550123x7"], "4155550123 x7"),
            (FieldKind::Phone, &["ask Ann"], "ask Ann"),
            (FieldKind::Domain, &["https://www.Example.com/a?b", "example.com", "EXAMPLE.com:443/"], "example.com"),
            (FieldKind::Decimal { scale: None }, &["1.0", "1", "1.000", "1e0"], "1"),
            (FieldKind::Decimal { scale: Some(2) }, &["1.005", "1.01"], "1.01"),
            (FieldKind::Decimal { scale: None }, &["-0.0", "0"], "0"),
            (
                FieldKind::Url,
                &[
                    "https://example.com",
                    "HTTPS://Example.COM/",
                    "https://example.com:443",
                    " https://EXAMPLE.com:443/ ",
                ],
                "https://example.com",
            ),
            (
                FieldKind::Url,
                &["http://Ann:Pw@Example.com:80/A?B#C", "http://Ann:Pw@example.com/A?B#C"],
                "http://Ann:Pw@example.com/A?B#C",
            ),
            (FieldKind::Url, &["Example.com/About", "example.com:/About"], "example.com/About"),
            (FieldKind::Url, &["http://example.com:8080/"], "http://example.com:8080"),
            (FieldKind::Url, &["mailto:Ann@Example.com"], "mailto:Ann@Example.com"),
            (FieldKind::Url, &["ask Ann at Example.com"], "ask Ann at Example.com"),
            (FieldKind::Integer, &["12", "12.0", "1.2e1", "+12", "0012"], "12"),
            (FieldKind::Integer, &["-0", "0"], "0"),
            (FieldKind::Set, &["b;a", "a;b", ";b; a ;b;", "a;b;a"], "a;b"),
            (FieldKind::Set, &[";", " ; ;", ""], "(blank)"),
            (FieldKind::Bool, &["true", "TRUE", "1"], "true"),
            (FieldKind::Date, &["2026-03-01", "2026-03-01T00:00:00Z", "1772323200000"], "2026-03-01"),
            (
                FieldKind::DateTime { step_ms: 1000 },
                &[
                    "2026-03-01T10:00:00.900Z",
                    "2026-03-01T10:00:00.000+0000",
                    "1772359200001",
                    "2026-03-01T11:00:00+01:00",
                ],
                "2026-03-01T10:00:00.000Z",
            ),
            (FieldKind::Text, &["", "  ", "\r\n"], "(blank)"),
        ];
        for (kind, raws, wanted) in cases {
            for raw in *raws {
                assert_eq!(text(kind, raw), *wanted, "{kind:?} {raw:?}");
            }
        }
    }

    #[test]
    fn what_a_type_cannot_hold_is_an_error_without_the_value() {
        for (kind, raw) in [
            (FieldKind::Decimal { scale: None }, "lots"),
            (FieldKind::Integer, "12.5"),
            (FieldKind::Integer, "99999999999999999999"),
            (FieldKind::Integer, "a dozen"),
            (FieldKind::Bool, "maybe"),
            (FieldKind::Date, "2026-03-01T10:00:00Z"),
            (FieldKind::Date, "soon"),
            (FieldKind::DateTime { step_ms: 1 }, "2026-03-01"),
            (FieldKind::DateTime { step_ms: 1 }, "99999999999999999"),
        ] {
            let error = kind.read(&Raw::Text(raw.into())).unwrap_err();
            assert!(!error.to_string().contains(raw), "{error}");
        }
    }

    fn kinds() -> impl Strategy<Value = FieldKind> {
        prop_oneof![
            Just(FieldKind::Text),
            Just(FieldKind::Email),
            Just(FieldKind::Phone),
            Just(FieldKind::Domain),
            Just(FieldKind::Decimal { scale: None }),
            Just(FieldKind::Decimal { scale: Some(2) }),
            Just(FieldKind::Bool),
            Just(FieldKind::Date),
            Just(FieldKind::DateTime { step_ms: 1000 }),
            Just(FieldKind::Enum),
            Just(FieldKind::Url),
            Just(FieldKind::Integer),
            Just(FieldKind::Set),
        ]
    }

    fn members() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            "[ab]{0,2}".prop_map(|text| Value::Text(text.into())),
            (0i64..3).prop_map(Value::Int)
        ]
    }

    /// Bytes that nest without end must not exhaust the stack.
    #[test]
    fn a_group_within_a_group_is_damage() {
        let mut bytes = vec![1];
        bytes.extend([GROUP, 1].repeat(100_000));
        bytes.push(0);
        assert!(crate::codec::decode::<Value>(1, &bytes).is_err());
        let group = Value::group([Value::Null, Value::Bool(true)]);
        assert_eq!(crate::codec::encode(1, &group)[1], GROUP);
        assert_eq!(group.member(1), &Value::Bool(true));
        assert_eq!((group.member(2), Value::Null.member(0)), (&Value::Null, &Value::Null));
        assert_eq!(Value::group([Value::Null, Value::Null]), Value::Null);
        assert_eq!(group.to_string(), "(blank) | true");
    }

    fn raws() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<String>(),
            "[0-9+() xX.-]{0,20}",
            "-?[0-9]{1,12}(\\.[0-9]{1,6})?",
            "(https?://)?(www\\.){0,2}[a-zA-Z.@:/ ]{0,20}",
            "([hH]ttps?://)?([a-zA-Z]{0,2}@)?[A-Ca-c.]{0,5}(:80|:443|:){0,2}[/?#]{0,2}[A-Ca-c]{0,2}",
            "[ab; ]{0,8}",
            "[+-]?[0-9]{1,20}(\\.0{0,3})?(e[0-9])?",
            "20[0-9]{2}-0[1-9]-[0-2][0-9](T[01][0-9]:00:00(\\.[0-9]{3})?(Z|\\+0100))?",
            (0i64..2_000_000_000_000).prop_map(|ms| ms.to_string()),
        ]
    }

    proptest! {
        #[test]
        fn canonicalisation_is_idempotent(kind in kinds(), raw in raws()) {
            if let Ok(value) = kind.read(&Raw::Text(raw)) {
                prop_assert_eq!(kind.read(&kind.write(&value)), Ok(value));
            }
        }

        #[test]
        fn equal_values_and_only_they_have_equal_bytes(kind in kinds(), a in raws(), b in raws()) {
            if let (Ok(a), Ok(b)) = (kind.read(&Raw::Text(a)), kind.read(&Raw::Text(b))) {
                let (mut x, mut y) = (Vec::new(), Vec::new());
                a.canonical_bytes(&mut x);
                b.canonical_bytes(&mut y);
                prop_assert_eq!(a == b, x == y);
            }
        }

        /// A reference has bytes of its own, by which it ends: nothing else that follows or stands elsewhere is taken for it.
        #[test]
        fn references_and_what_follows_them_are_told_apart(
            (a, b) in (any::<[u8; 16]>(), any::<[u8; 16]>()), text in "[ -~]{0,20}", after in "[ -~]{1,4}",
        ) {
            let bytes = |values: &[Value]| {
                let mut out = Vec::new();
                values.iter().for_each(|value| value.canonical_bytes(&mut out));
                out
            };
            let (one, other) = (Value::Ref(RecordId(a)), Value::Ref(RecordId(b)));
            prop_assert_eq!(bytes(std::slice::from_ref(&one)) == bytes(std::slice::from_ref(&other)), a == b);
            prop_assert_ne!(bytes(std::slice::from_ref(&one)), bytes(&[Value::Text(text.into())]));
            let after = Value::Text(after.into());
            prop_assert_eq!(bytes(&[one.clone(), after.clone()]), [bytes(&[one]), bytes(&[after])].concat());
        }

        /// A set means the same in any order, however often an option is named.
        #[test]
        fn a_set_has_no_order(options in prop::collection::vec("[a-c ]{0,3}", 0..5), again in any::<prop::sample::Index>()) {
            let mut other: Vec<String> = options.iter().rev().cloned().collect();
            if !other.is_empty() {
                other.push(other[again.index(other.len())].clone());
            }
            let read = |options: &[String]| FieldKind::Set.read(&Raw::Text(options.join(";")));
            prop_assert_eq!(read(&options), read(&other));
        }

        /// Numbers of equal meaning are one value, whole or not.
        #[test]
        fn a_number_has_no_style(number in any::<i64>(), zeros in 0usize..4) {
            let styled = format!("{number}.{}", "0".repeat(zeros + 1));
            for kind in [FieldKind::Integer, FieldKind::Decimal { scale: None }] {
                let read = |text: String| kind.read(&Raw::Text(text)).map(|value| crate::model::Digest::of_value(&value));
                prop_assert_eq!(read(styled.clone()), read(number.to_string()));
                prop_assert!(read(number.to_string()).is_ok());
            }
        }

        /// The values of a group keep their places and their borders.
        #[test]
        fn equal_groups_and_only_they_have_equal_bytes(
            a in prop::collection::vec(members(), 2..4), b in prop::collection::vec(members(), 2..4),
        ) {
            let bytes = |members: &[Value]| {
                let mut out = Vec::new();
                Value::group(members.to_vec()).canonical_bytes(&mut out);
                out
            };
            let blank = |members: &[Value]| members.iter().all(Value::is_null);
            prop_assert_eq!(a == b || blank(&a) && blank(&b), bytes(&a) == bytes(&b));
            let encoded = crate::codec::encode(1, &Value::group(a.clone()));
            prop_assert_eq!(crate::codec::decode::<Value>(1, &encoded), Ok(Value::group(a)));
        }

        #[test]
        fn values_survive_the_codec(kind in kinds(), raw in raws()) {
            if let Ok(value) = kind.read(&Raw::Text(raw)) {
                let bytes = crate::codec::encode(1, &value);
                prop_assert_eq!(crate::codec::decode::<Value>(1, &bytes), Ok(value));
            }
        }
    }
}
