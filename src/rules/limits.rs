//! What a system can hold of a field, and what becomes of a value that it cannot hold.

use super::builder::Checks;
use super::error::Fault;
use super::nearest::nearest;
use super::spec::FieldSpec;
use super::{Field, FieldBinding, Rules};
use crate::model::{Decimal, FieldKind, ObjectSchema, SystemId, Value};
use std::borrow::Cow;

/// What a system can hold of a field, beyond its type. Nothing stated = no limit is known: the system itself refuses.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Limits {
    /// Longest text, in characters.
    pub length: Option<u32>,
    /// Digits of a number, those before and those after the point together.
    pub precision: Option<u32>,
    /// Digits of a number after the point.
    pub scale: Option<u32>,
    /// The options of a restricted picklist, as this system names them; empty = any.
    pub options: Vec<String>,
}

/// What becomes of a value that a system cannot hold. Not stated = it is refused: a problem of this one field, while the
/// rest of the record flows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mismatch {
    /// Text that is too long.
    pub too_long: TooLong,
    /// Numbers with too many digits after the point.
    pub too_fine: TooFine,
    /// Options that the value map or the system's own list does not name.
    pub unknown: Unknown,
}

/// What becomes of text that a system cannot hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TooLong {
    /// It is a problem.
    #[default]
    Refuse,
    /// The system gets the beginning. That it shows no more is no edit.
    Truncate,
}

/// What becomes of a number with more digits after the point than a system can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TooFine {
    /// It is a problem.
    #[default]
    Refuse,
    /// The system gets the rounded number. That it shows no more is no edit.
    Round,
}

/// What becomes of an option that nobody has named.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Unknown {
    /// It is a problem.
    #[default]
    Refuse,
    /// It is taken and sent as it is.
    Pass,
    /// It counts as this one, by its canonical name.
    As(String),
}

/// Why a system cannot hold a value. Never says the value itself, which may be personal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Text.
    #[error("{length} characters, and {max} can be held")]
    TooLong {
        /// Its characters.
        length: usize,
        /// At most.
        max: u32,
    },
    /// A number.
    #[error("{digits} digits before the point, and {max} can be held")]
    TooLarge {
        /// Its digits before the point.
        digits: u32,
        /// At most.
        max: u32,
    },
    /// A number.
    #[error("{scale} digits after the point, and {max} can be held")]
    TooFine {
        /// Its digits after the point.
        scale: u32,
        /// At most.
        max: u32,
    },
    /// An option.
    #[error("an option that is not known there")]
    NoOption,
    /// A value that an expression of the config cannot convert.
    #[error("the field's transform cannot convert it")]
    NotConverted,
    /// An owner.
    #[error("the owner's e-mail address is no active user's there")]
    NoOwner,
}

impl Unfit {
    /// The code of the problem.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "VALUE_TOO_LONG",
            Self::TooLarge { .. } => "NUMBER_TOO_LARGE",
            Self::TooFine { .. } => "NUMBER_TOO_FINE",
            Self::NoOption => "UNKNOWN_OPTION",
            Self::NotConverted => "VALUE_NOT_CONVERTED",
            Self::NoOwner => "OWNER_NOT_THERE",
        }
    }

    /// What to do about it.
    pub fn mend(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "shorten it, make the property longer, or set too_long = \"truncate\"",
            Self::TooLarge { .. } => "correct the number, or make the property larger",
            Self::TooFine { .. } => "round the number, give the property more digits, or set too_fine = \"round\"",
            Self::NotConverted => "correct the value, or let the expression of the transform know it",
            Self::NoOption => "choose another option, name this one in `values` or `options`, or set `unknown`",
            Self::NoOwner => "make the person an active user there, choose another owner, or name a `fallback`",
        }
    }

    /// Is this one of the codes of [`Self::code`]?
    pub fn is_code(code: &str) -> bool {
        let of_values = ["VALUE_TOO_LONG", "NUMBER_TOO_LARGE", "NUMBER_TOO_FINE", "UNKNOWN_OPTION"];
        of_values.contains(&code) || ["VALUE_NOT_CONVERTED", "OWNER_NOT_THERE"].contains(&code)
    }
}

impl Limits {
    /// Is nothing stated?
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Field {
    /// Text as a system can hold it.
    pub(super) fn fit_text<'v>(&self, binding: &FieldBinding, text: &'v str) -> Result<Cow<'v, str>, Unfit> {
        let Some(max) = binding.limits.length else { return Ok(Cow::Borrowed(text)) };
        let Some((at, _)) = text.char_indices().nth(max as usize) else { return Ok(Cow::Borrowed(text)) };
        match self.mismatch.too_long {
            TooLong::Refuse => Err(Unfit::TooLong { length: text.chars().count(), max }),
            TooLong::Truncate => Ok(Cow::Borrowed(&text[..at])),
        }
    }

    /// A number as a system can hold it.
    pub(super) fn fit_number(&self, binding: &FieldBinding, number: Decimal) -> Result<Decimal, Unfit> {
        let limits = &binding.limits;
        let number = match limits.scale.filter(|max| number.scale() > *max) {
            None => number,
            Some(max) if self.mismatch.too_fine == TooFine::Round => number.rounded(max),
            Some(max) => return Err(Unfit::TooFine { scale: number.scale(), max }),
        };
        let scale = match self.kind {
            FieldKind::Decimal { scale } => limits.scale.or(scale),
            _ => limits.scale,
        };
        match limits.precision.map(|precision| precision.saturating_sub(scale.unwrap_or(0))) {
            Some(max) if number.digits() > max => Err(Unfit::TooLarge { digits: number.digits(), max }),
            _ => Ok(number),
        }
    }

    /// The option that a system is given for a canonical one.
    pub(super) fn fit_option<'v>(&'v self, binding: &'v FieldBinding, name: &'v str) -> Result<&'v str, Unfit> {
        let theirs = binding.written(name);
        match (theirs.filter(|option| binding.lists(option)), &self.mismatch.unknown) {
            (Some(option), _) => Ok(option),
            (None, Unknown::Refuse) => Err(Unfit::NoOption),
            (None, Unknown::Pass) => Ok(theirs.unwrap_or(name)),
            (None, Unknown::As(default)) => binding.written(default).ok_or(Unfit::NoOption),
        }
    }
}

impl FieldBinding {
    /// This system's option for a canonical name, as the value map has it.
    pub(super) fn written<'v>(&'v self, canonical: &'v str) -> Option<&'v str> {
        if self.values.is_empty() {
            return Some(canonical);
        }
        self.values.iter().find(|(ours, _)| ours == canonical).map(|(_, theirs)| &**theirs)
    }

    /// Does this system's list name the option, as far as it is known?
    pub(super) fn lists(&self, option: &str) -> bool {
        self.limits.options.is_empty() || self.limits.options.iter().any(|known| known == option)
    }

    /// The value that stands for a blank here.
    pub(super) fn or_default<'v>(&'v self, value: &'v Value) -> &'v Value {
        match (value, &self.default) {
            (Value::Null, Some(default)) => default,
            (value, _) => value,
        }
    }
}

impl Rules {
    /// Takes in how long texts may be where nothing is stated, so that one that is too long is one problem of one field rather
    /// than a write that the system refuses. What bends values stays as stated: a schema that changes is no other mapping.
    /// Options are not taken in: people add to them, and the system knows best. Nor is the length of what a new record must
    /// have: without it the record would be refused for another reason than the true one.
    pub fn learn(&mut self, system: SystemId, objects: &[ObjectSchema]) {
        for entity in &mut self.entities {
            for of in entity.bindings.iter().filter(|binding| binding.system == system) {
                let Some(schema) = objects.iter().find(|schema| schema.object == of.object) else { continue };
                let leaves = entity.fields.iter_mut().flat_map(Field::leaves_mut);
                for field in leaves.filter(|field| is_text(&field.kind)) {
                    if field.mismatch.too_long != TooLong::Refuse {
                        continue;
                    }
                    let Some(binding) = field.bindings.iter_mut().find(|binding| binding.home() == of.home()) else {
                        continue;
                    };
                    // Of several properties each holds what it holds.
                    let property = binding.property().and_then(|name| schema.property(name));
                    let property = property.filter(|property| !property.required);
                    let stated = property.and_then(|property| property.length);
                    binding.limits.length = binding.limits.length.or(stated.filter(|length| *length > 0));
                }
            }
        }
    }
}

/// Fills the limits of a field's bindings.
pub(super) fn compile(
    spec: &FieldSpec,
    kind: &FieldKind,
    at: &str,
    bindings: &mut [FieldBinding],
    checks: &mut Checks,
) {
    for (name, limits) in &spec.limits {
        for (limit, fault) in faults(limits, kind) {
            checks.fault(format!("{at}.{limit}.{name}"), fault);
        }
        let known: Vec<String> = bindings.iter().map(|binding| checks.name(binding.system)).collect();
        let Some(binding) = bindings.iter_mut().find(|binding| binding.system == SystemId::of(name)) else {
            // A property in a system that is not there is told as such.
            if !spec.systems().contains(&&**name) {
                let near = nearest(name, known.iter().map(String::as_str)).map(str::to_owned);
                checks.fault(format!("{at}.limits.{name}"), Fault::UnknownSystem { name: name.clone(), near, known });
            }
            continue;
        };
        let own = &mut binding.limits;
        own.length = limits.length.or(own.length);
        own.precision = limits.precision.or(own.precision);
        own.scale = limits.scale.or(own.scale);
        let options = limits.options.iter().filter_map(|option| super::values::option_text(option));
        own.options.extend(options);
    }
}

/// What is wrong with limits by themselves, and which limit it is.
fn faults(limits: &Limits, kind: &FieldKind) -> Vec<(&'static str, Fault)> {
    let mut faults = Vec::new();
    let stated = [
        ("length", limits.length.is_some(), is_text(kind)),
        ("precision", limits.precision.is_some(), is_number(kind)),
        ("scale", limits.scale.is_some(), matches!(kind, FieldKind::Decimal { .. })),
        ("options", !limits.options.is_empty(), is_choice(kind)),
    ];
    for (limit, stated, fits) in stated {
        if stated && !fits {
            faults.push((limit, Fault::LimitOfOtherKind { limit, kind: kind.name() }));
        }
    }
    for (limit, number) in [("length", limits.length), ("precision", limits.precision)] {
        if number == Some(0) {
            faults.push((limit, Fault::LimitZero { limit }));
        }
    }
    match (limits.scale, limits.precision) {
        (Some(scale), _) if scale > 28 => faults.push(("scale", Fault::Scale { scale })),
        (Some(scale), Some(precision)) if scale > precision => {
            faults.push(("scale", Fault::LimitScale { scale, precision }));
        }
        _ => {}
    }
    if limits.options.iter().any(|option| super::values::option_text(option).is_none()) {
        faults.push(("options", Fault::ValueBlank));
    }
    if let Some(option) = limits.options.iter().find(|option| *kind == FieldKind::Set && option.contains(';')) {
        faults.push(("options", Fault::ValueParts { option: option.clone() }));
    }
    faults
}

fn is_text(kind: &FieldKind) -> bool {
    use FieldKind as F;
    matches!(kind, F::Text | F::Email | F::Phone | F::PhoneOf(_) | F::Domain | F::Url)
}

fn is_number(kind: &FieldKind) -> bool {
    matches!(kind, FieldKind::Decimal { .. } | FieldKind::Integer)
}

fn is_choice(kind: &FieldKind) -> bool {
    matches!(kind, FieldKind::Enum | FieldKind::Set)
}

/// The choices, the value map and the default fit the limits.
pub(super) fn check(field: &Field, at: &str, checks: &mut Checks) {
    let mismatch = &field.mismatch;
    let some = |stated: fn(&Limits) -> bool| field.bindings.iter().any(|binding| stated(&binding.limits));
    let useless = |choice: &str, why, mend| Fault::ChoiceUseless { choice: choice.to_owned(), why, mend };
    if mismatch.too_long == TooLong::Truncate {
        let choice = "too_long = \"truncate\"";
        if field.kind != FieldKind::Text {
            let fault = useless(choice, "only a text field can be cut, and keep its meaning", "take it away");
            checks.fault(format!("{at}.too_long"), fault);
        } else if !some(|limits| limits.length.is_some()) {
            let fault = useless(choice, "no `length` is stated", "add length = { SYSTEM = CHARACTERS }");
            checks.fault(format!("{at}.too_long"), fault);
        }
    }
    if mismatch.too_fine == TooFine::Round {
        let choice = "too_fine = \"round\"";
        if !matches!(field.kind, FieldKind::Decimal { .. }) {
            checks.fault(format!("{at}.too_fine"), useless(choice, "the field is no decimal number", "take it away"));
        } else if !some(|limits| limits.scale.is_some()) {
            let fault = useless(choice, "no system's `scale` is stated", "add scale = { SYSTEM = DIGITS }");
            checks.fault(format!("{at}.too_fine"), fault);
        }
    }
    if mismatch.unknown != Unknown::Refuse && !is_choice(&field.kind) {
        let fault = useless("unknown", "the field has no options", "take it away, or use type = \"enum\"");
        checks.fault(format!("{at}.unknown"), fault);
        return;
    }
    if let Unknown::As(option) = &mismatch.unknown {
        let known = |binding: &&FieldBinding| binding.written(option).is_some_and(|written| binding.lists(written));
        if let Some(binding) = field.bindings.iter().find(|binding| !known(binding)) {
            let words = binding.values.iter().map(|(ours, _)| ours).chain(&binding.limits.options);
            let near = nearest(option, words.map(String::as_str)).map(str::to_owned);
            let (option, system) = (option.clone(), checks.name(binding.system));
            checks.fault(format!("{at}.unknown"), Fault::UnknownUnmapped { option, system, near });
        }
    }
    for binding in &field.bindings {
        let system = checks.name(binding.system);
        for (_, option) in binding.values.iter().filter(|(_, option)| !binding.lists(option)) {
            let fault = Fault::OptionUnlisted { system: system.clone(), option: option.clone() };
            checks.fault(format!("{at}.options.{system}"), fault);
        }
        // Who is a user where is told later.
        if field.kind == FieldKind::Owner {
            continue;
        }
        if let Some(Err(unfit)) =
            binding.default.as_ref().map(|default| field.fits(binding, default).map_err(|amiss| amiss.error))
        {
            checks.fault(format!("{at}.default"), Fault::DefaultTooMuch { system, unfit });
        }
    }
}
