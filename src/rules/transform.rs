//! Named transforms between a field's canonical value and what one system holds: how each is applied, how it is taken back,
//! and what is lost on the way.

use super::builder::Checks;
use super::error::Fault;
use super::nearest::nearest;
use super::spec::FieldSpec;
use super::{ConflictSpec, FieldBinding, Unfit};
use crate::model::{Decimal, FieldKind, Raw, SystemId, Value, ValueError};
use std::fmt;
use std::sync::Arc;

/// One step from the canonical value to a system's, applied in the order of the config when it is written there, and taken
/// back in the other order when it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transform {
    /// Blanks at both ends are taken off, no-break spaces among them.
    Trim,
    /// All letters large.
    Upper,
    /// All letters small.
    Lower,
    /// The first letter of each word large, the others small.
    Title,
    /// One text in place of another, wherever it stands.
    Replace {
        /// What is replaced.
        from: String,
        /// By what.
        to: String,
    },
    /// A text before the value.
    Prefix(String),
    /// A text behind the value.
    Suffix(String),
    /// The number times ten to this power: 2 makes cents of units.
    Times {
        /// The power.
        power: i32,
    },
    /// The date or moment so much later.
    Shift {
        /// By so many milliseconds.
        ms: i64,
    },
    /// What the others cannot say.
    Custom(Custom),
}

/// One direction of a [`Custom`] step: a value that is not blank to one of the same type; none = it cannot be converted.
type Step = Arc<dyn Fn(&Value) -> Option<Value> + Send + Sync>;

/// A step in code, or by an expression of a config.
#[derive(Clone)]
pub struct Custom {
    /// What is written, in words, by which the step is known: another step has others.
    pub write: String,
    /// How it is taken back, in words; none = what is shown is taken as it is.
    pub read: Option<String>,
    apply: Step,
    undo: Option<Step>,
}

impl Custom {
    /// A step that is not taken back: for fields that only arrive.
    pub fn new(write: impl Into<String>, apply: impl Fn(&Value) -> Option<Value> + Send + Sync + 'static) -> Self {
        Self { write: write.into(), read: None, apply: Arc::new(apply), undo: None }
    }

    /// How it is taken back.
    #[must_use]
    pub fn back(
        mut self,
        read: impl Into<String>,
        undo: impl Fn(&Value) -> Option<Value> + Send + Sync + 'static,
    ) -> Self {
        self.read = Some(read.into());
        self.undo = Some(Arc::new(undo));
        self
    }

    /// A value of the same type, or none.
    fn run(step: &Step, value: &Value) -> Option<Value> {
        let number = |value: &Value| matches!(value, Value::Int(_) | Value::Decimal(_));
        step(value)
            .filter(|to| std::mem::discriminant(to) == std::mem::discriminant(value) || number(to) && number(value))
    }
}

impl PartialEq for Custom {
    fn eq(&self, other: &Self) -> bool {
        (&self.write, &self.read) == (&other.write, &other.read)
    }
}

impl Eq for Custom {}

impl fmt::Debug for Custom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Custom").field("write", &self.write).field("read", &self.read).finish_non_exhaustive()
    }
}

impl Transform {
    /// The word of the config.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Trim => "trim",
            Self::Upper => "upper",
            Self::Lower => "lower",
            Self::Title => "title",
            Self::Replace { .. } => "replace",
            Self::Prefix(_) => "prefix",
            Self::Suffix(_) => "suffix",
            Self::Times { .. } => "times",
            Self::Shift { .. } => "shift",
            Self::Custom(_) => "cel",
        }
    }

    /// What a value loses on its way there and back; none = it comes back as it was.
    pub fn loss(&self) -> Option<&'static str> {
        match self {
            Self::Trim => Some("blanks at its ends"),
            Self::Upper | Self::Lower | Self::Title => Some("large and small letters"),
            Self::Replace { .. } => Some("which of the two texts stood there"),
            Self::Custom(Custom { read: None, .. }) => Some("what was there before"),
            Self::Custom(_) => Some("what its two expressions do not agree on"),
            Self::Prefix(_) | Self::Suffix(_) | Self::Times { .. } | Self::Shift { .. } => None,
        }
    }

    /// Can a value that was entered in the system be taken back? What has lost something is taken as it is.
    pub fn has_inverse(&self) -> bool {
        match self {
            Self::Replace { to, .. } => !to.is_empty(),
            Self::Custom(custom) => custom.read.is_some(),
            _ => true,
        }
    }

    fn is_for(&self, kind: &FieldKind) -> bool {
        match self {
            Self::Times { .. } => matches!(kind, FieldKind::Decimal { .. } | FieldKind::Integer),
            Self::Shift { .. } => matches!(kind, FieldKind::Date | FieldKind::DateTime { .. }),
            Self::Custom(_) => {
                matches!(kind, FieldKind::Text | FieldKind::Integer | FieldKind::Decimal { .. } | FieldKind::Bool)
            }
            _ => *kind == FieldKind::Text,
        }
    }

    /// Why it does nothing, or not what it says.
    fn useless(&self, kind: &FieldKind) -> Option<&'static str> {
        match self {
            Self::Replace { from, .. } if from.is_empty() => Some("nothing is to be replaced"),
            Self::Replace { from, to } if from == to => Some("both texts are the same"),
            Self::Prefix(text) | Self::Suffix(text) if text.trim().is_empty() => Some("the text is blank"),
            Self::Times { power: 0 } | Self::Shift { ms: 0 } => Some("nothing changes"),
            Self::Shift { ms } if *kind == FieldKind::Date && ms % DAY_MS != 0 => Some("a date has no hours"),
            _ => None,
        }
    }

    fn apply(&self, value: Value) -> Result<Value, Unfit> {
        if let Self::Custom(custom) = self {
            return if value.is_null() {
                Ok(value)
            } else {
                Custom::run(&custom.apply, &value).ok_or(Unfit::NotConverted)
            };
        }
        Ok(match value {
            Value::Text(text) => Value::Text(match self {
                Self::Trim => text.trim().into(),
                Self::Upper => text.to_uppercase().into(),
                Self::Lower => text.to_lowercase().into(),
                Self::Title => title(&text).into(),
                Self::Replace { from, to } => text.replace(from, to).into(),
                Self::Prefix(prefix) => format!("{prefix}{text}").into(),
                Self::Suffix(suffix) => format!("{text}{suffix}").into(),
                Self::Times { .. } | Self::Shift { .. } | Self::Custom(_) => text,
            }),
            Value::Int(number) => Value::Decimal(self.times(number.into(), 1)?),
            Value::Decimal(number) => Value::Decimal(self.times(number, 1)?),
            value => self.shift(value, 1),
        })
    }

    fn undo(&self, value: Value) -> Result<Value, ValueError> {
        if let Self::Custom(custom) = self {
            let Some(undo) = custom.undo.as_ref().filter(|_| !value.is_null()) else { return Ok(value) };
            let error = ValueError { wanted: "what the field's expression can take back", reason: "something else" };
            return Custom::run(undo, &value).ok_or(error);
        }
        Ok(match value {
            Value::Text(text) => Value::Text(match self {
                Self::Trim => text.trim().into(),
                Self::Replace { from, to } => text.replace(to, from).into(),
                Self::Prefix(prefix) => text.strip_prefix(&**prefix).unwrap_or(&text).into(),
                Self::Suffix(suffix) => text.strip_suffix(&**suffix).unwrap_or(&text).into(),
                _ => text,
            }),
            Value::Decimal(number) => {
                let error = ValueError { wanted: "a number", reason: "out of range once it is converted" };
                Value::Decimal(self.times(number, -1).map_err(|_| error)?)
            }
            value => self.shift(value, -1),
        })
    }

    fn times(&self, number: Decimal, sign: i32) -> Result<Decimal, Unfit> {
        let Self::Times { power } = self else { return Ok(number) };
        let too_much = if power * sign > 0 {
            Unfit::TooLarge { digits: number.digits(), max: DIGITS_MAX }
        } else {
            Unfit::TooFine { scale: number.scale(), max: DIGITS_MAX }
        };
        number.shifted(power * sign).ok_or(too_much)
    }

    fn shift(&self, value: Value, sign: i64) -> Value {
        let Self::Shift { ms } = self else { return value };
        match value {
            Value::Date(days) => {
                let by = i32::try_from(ms * sign / DAY_MS).unwrap_or(0);
                Value::Date(days.saturating_add(by))
            }
            Value::DateTime(moment) => Value::DateTime(moment.saturating_add(ms * sign)),
            value => value,
        }
    }
}

/// What a system is given for a canonical value.
pub(super) fn apply(transforms: &[Transform], value: &Value) -> Result<Value, Unfit> {
    transforms.iter().try_fold(value.clone(), |value, transform| transform.apply(value))
}

/// The canonical value of what a system shows.
pub(super) fn read(transforms: &[Transform], kind: &FieldKind, raw: &Raw) -> Result<Value, ValueError> {
    // What the type rounds is rounded once it is converted.
    let wide = match kind {
        FieldKind::Decimal { .. } | FieldKind::Integer => &FieldKind::Decimal { scale: None },
        kind => kind,
    };
    let shown = wide.read(raw)?;
    let value = transforms.iter().rev().try_fold(shown, |value, transform| transform.undo(value))?;
    match value {
        Value::Text(_) | Value::Decimal(_) => kind.read(&wide.write(&value)),
        value => Ok(value),
    }
}

/// Each word begins with a large letter.
fn title(text: &str) -> String {
    let mut title = String::with_capacity(text.len());
    let mut begins = true;
    for letter in text.chars() {
        if begins {
            title.extend(letter.to_uppercase());
        } else {
            title.extend(letter.to_lowercase());
        }
        begins = !letter.is_alphanumeric() && letter != '\'' && letter != '’';
    }
    title
}

/// Does the field only arrive in this system?
fn arrives(spec: &FieldSpec, system: &str) -> bool {
    matches!(&spec.conflict, Some(ConflictSpec::OneWay { from, .. }) if from != system)
}

/// Fills the transforms of a field's bindings.
pub(super) fn compile(
    spec: &FieldSpec,
    kind: &FieldKind,
    at: &str,
    bindings: &mut [FieldBinding],
    checks: &mut Checks,
) {
    for (name, transforms) in &spec.transforms {
        let known: Vec<String> = bindings.iter().map(|binding| checks.name(binding.system)).collect();
        let at = format!("{at}.transform.{name}");
        let Some(binding) = bindings.iter_mut().find(|binding| binding.system == SystemId::of(name)) else {
            // A property in a system that is not there is told as such.
            if !spec.systems().contains(&&**name) {
                let near = nearest(name, known.iter().map(String::as_str)).map(str::to_owned);
                checks.fault(at, Fault::UnknownSystem { name: name.clone(), near, known });
            }
            continue;
        };
        for (index, transform) in transforms.iter().enumerate() {
            let fault = if !transform.is_for(kind) {
                Some(Fault::TransformOfOtherKind { transform: transform.name(), kind: kind.name() })
            } else if let Some(why) = transform.useless(kind) {
                Some(Fault::TransformUseless { transform: transform.name(), why })
            } else if !transform.has_inverse() && !arrives(spec, name) {
                let how = if transform.name() == "cel" { "without `back`" } else { "by nothing" };
                Some(Fault::TransformOneWay { transform: transform.name(), how })
            } else {
                None
            };
            match fault {
                Some(fault) => checks.fault(format!("{at}[{index}]"), fault),
                None => binding.transforms.push(transform.clone()),
            }
        }
    }
}

const DAY_MS: i64 = 86_400_000;
/// Digits of a decimal number.
const DIGITS_MAX: u32 = 28;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Digest, FieldId, Home, ObjectId};
    use crate::rules::{ConflictPolicy, Field, LinkPolicy, Mismatch};
    use proptest::prelude::*;

    fn field(kind: FieldKind, transforms: Vec<Transform>) -> Field {
        let binding =
            FieldBinding { transforms, ..FieldBinding::new(Home { system: SystemId(1), object: ObjectId(1) }, "x") };
        Field {
            id: FieldId(1),
            name: "x".into(),
            kind,
            bindings: vec![binding],
            conflict: ConflictPolicy::Latest,
            on_link: LinkPolicy::FillBlanks,
            mismatch: Mismatch::default(),
            sensitive: false,
            members: Vec::new(),
            shared_domains: None,
        }
    }

    fn replace(from: &str, to: &str) -> Transform {
        Transform::Replace { from: from.into(), to: to.into() }
    }

    #[test]
    fn each_does_what_it_says_and_is_taken_back() {
        let (text, decimal) = (FieldKind::Text, FieldKind::Decimal { scale: Some(2) });
        let moment = FieldKind::DateTime { step_ms: 1_000 };
        for (kind, transforms, value, written, back) in [
            (&text, vec![Transform::Trim], "\u{a0}Ann\u{a0}", "Ann", "Ann"),
            (&text, vec![Transform::Upper], "Ann Müller", "ANN MÜLLER", "ANN MÜLLER"),
            (&text, vec![Transform::Lower], "Ann Müller", "ann müller", "ann müller"),
            (&text, vec![Transform::Title], "ann o'neil-MÜLLER", "Ann O'neil-Müller", "Ann O'neil-Müller"),
            (&text, vec![replace(" ", "_")], "a b", "a_b", "a b"),
            (&text, vec![Transform::Prefix("C-".into()), Transform::Suffix("!".into())], "7", "C-7!", "7"),
            (&text, vec![Transform::Upper, Transform::Prefix("x".into())], "a", "xA", "A"),
            (&decimal, vec![Transform::Times { power: 2 }], "12.34", "1234", "12.34"),
            (&decimal, vec![Transform::Times { power: -3 }], "12.34", "0.01234", "12.34"),
            (&FieldKind::Integer, vec![Transform::Times { power: 2 }], "12", "1200", "12"),
            (&FieldKind::Integer, vec![Transform::Times { power: -2 }], "12", "0.12", "12"),
            (&FieldKind::Date, vec![Transform::Shift { ms: -DAY_MS }], "2026-03-01", "2026-02-28", "2026-03-01"),
            (
                &moment,
                vec![Transform::Shift { ms: 3_600_000 }],
                "2026-03-01T10:00:00Z",
                "2026-03-01T11:00:00.000Z",
                "2026-03-01T10:00:00.000Z",
            ),
        ] {
            let field = field(kind.clone(), transforms);
            let binding = &field.bindings[0];
            let value = kind.read(&Raw::Text(value.into())).unwrap();
            let raw = field.write(binding, &value).unwrap();
            let [Raw::Text(shown) | Raw::Number(shown)] = &raw[..] else { panic!("{raw:?}") };
            assert_eq!(shown, written);
            assert_eq!(field.read(binding, &raw).map(|value| value.to_string()).as_deref(), Ok(back), "{written}");
            assert_eq!(field.project(binding, &value).to_string(), back);
        }
    }

    #[test]
    fn what_cannot_be_converted_is_said() {
        let cents = field(FieldKind::Integer, vec![Transform::Times { power: 2 }]);
        let error = cents.read(&cents.bindings[0], &[Raw::Number("150".into())]).unwrap_err().error;
        assert_eq!(error.reason, "with a fraction");
        let large = field(FieldKind::Decimal { scale: None }, vec![Transform::Times { power: 9 }]);
        let value = Value::Decimal(Decimal::parse("1234567890123456789012345678").unwrap());
        let error = large.write(&large.bindings[0], &value).unwrap_err().error;
        assert_eq!(error, Unfit::TooLarge { digits: 28, max: 28 });
    }

    /// Leaves letters out, which nobody can take back; or turns a text round.
    fn custom(turns: bool) -> Transform {
        let text = |value: &Value| if let Value::Text(text) = value { text.clone() } else { String::new().into() };
        let turn = move |value: &Value| Some(Value::Text(text(value).chars().rev().collect::<String>().into()));
        Transform::Custom(match turns {
            true => Custom::new("turned", turn).back("turned", turn),
            false => Custom::new("without a", move |value| Some(Value::Text(text(value).replace('a', "").into()))),
        })
    }

    #[test]
    fn a_step_in_code_is_for_one_way_unless_it_is_taken_back_and_may_know_no_answer() {
        let even = |value: &Value| matches!(value, Value::Int(n) if n % 2 == 0).then(|| value.clone());
        let field = field(FieldKind::Integer, vec![Transform::Custom(Custom::new("even", even))]);
        let binding = &field.bindings[0];
        assert_eq!(field.write(binding, &Value::Int(4)), Ok(vec![Raw::Number("4".into())]));
        assert_eq!(field.write(binding, &Value::Null), Ok(vec![Raw::Null]));
        assert_eq!(field.fits(binding, &Value::Int(3)).unwrap_err().error, Unfit::NotConverted);
        let other_type = Custom::new("text", |_| Some(Value::Text("x".into())));
        assert_eq!(Transform::Custom(other_type).apply(Value::Int(1)), Err(Unfit::NotConverted));
        let there = |value: &Value| Some(value.clone());
        assert_ne!(Custom::new("a", there), Custom::new("a", there).back("a", there), "known by their words");
        assert_eq!(Custom::new("a", there), Custom::new("a", even));
    }

    fn any_transform() -> impl Strategy<Value = Transform> {
        prop_oneof![
            Just(Transform::Trim),
            Just(Transform::Upper),
            Just(Transform::Lower),
            Just(Transform::Title),
            ("[abB ]{1,2}", "[abB ]{1,2}").prop_map(|(from, to)| replace(&from, &to)),
            "[abB-]{1,2}".prop_map(Transform::Prefix),
            "[abB-]{1,2}".prop_map(Transform::Suffix),
            prop::bool::ANY.prop_map(custom),
        ]
    }

    proptest! {
        /// What is written is what is shown then, however the steps follow each other: a write ends what is owed.
        #[test]
        fn a_side_shows_the_projection_once_it_was_written(
            steps in prop::collection::vec(any_transform(), 0..4), text in "[abB -]{0,6}",
        ) {
            let field = field(FieldKind::Text, steps);
            let binding = &field.bindings[0];
            let value = FieldKind::Text.read(&Raw::Text(text.into())).unwrap();
            let raw = field.write(binding, &value).unwrap();
            let shown = field.read(binding, &raw).unwrap();
            prop_assert_eq!(Digest::of_value(&shown), Digest::of_value(&field.project(binding, &value)));
        }

        /// What declares no loss has none.
        #[test]
        fn what_has_no_loss_comes_back(
            text in "[abB-]{1,6}", before in "[ab-]{1,2}", behind in "[ab-]{1,2}", number in any::<i32>(), power in -9i32..9,
        ) {
            let steps = vec![Transform::Prefix(before), Transform::Suffix(behind)];
            prop_assert!(steps.iter().all(|step| step.loss().is_none()));
            let texts = field(FieldKind::Text, steps);
            let value = Value::Text(text.into());
            prop_assert_eq!(texts.project(&texts.bindings[0], &value), value);
            let numbers = field(FieldKind::Decimal { scale: None }, vec![Transform::Times { power }]);
            let value = Value::Decimal(i64::from(number).into());
            prop_assert_eq!(numbers.project(&numbers.bindings[0], &value), value);
        }
    }
}
