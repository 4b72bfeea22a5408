//! Canonical values: one form and one byte encoding for each meaning, so that a remote's reformatting is never a change.

use super::{Decimal, RecordId, Text, Tied};
use crate::codec::{self, BorrowDecode, BorrowDecoder, Decode, DecodeError, Decoder, Encode};
use std::fmt;

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
            // Foreign bytes may nest without end, which would exhaust the stack, and write a variant's number in a longer form.
            if codec::may_be_variant(decoder, GROUP) {
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

pub(super) const DAY_MS: i64 = 86_400_000;

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
#[path = "value_tests.rs"]
mod tests;
