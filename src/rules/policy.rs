//! Policies by the names of their systems, as a config and code state them, before the systems are known.

use super::{ConflictPolicy, Lapse, LinkPolicy, OneWayEdits, Rule};
use crate::model::SystemId;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// A [`ConflictPolicy`] by system name: `latest`, `prefer X`, `X owns`, and so on, as [`ConflictPolicy`] has them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum ConflictSpec {
    /// The latest edit wins.
    #[default]
    Latest,
    /// This system's edit wins, if it made one.
    Prefer(String),
    /// Only this system's edits count.
    Owns(String),
    /// One way; in a config the key `direction` says so, and `edits`.
    OneWay {
        /// The source.
        from: String,
        /// What an edit elsewhere leads to.
        edits: OneWayEdits,
    },
    /// This system's edit wins, if it made one that is not blank.
    PreferUnlessBlank(String),
    /// The latest edit that is not blank wins.
    BlankNeverWins,
    /// The largest value wins.
    Max,
    /// The smallest value wins.
    Min,
    /// The value furthest along this order wins, and none goes back.
    ForwardOnly(Vec<String>),
    /// What either side added is in, what either removed is out.
    Union,
    /// Of a text: what either side added is in, line by line, what either took out is out.
    Append,
    /// A rule of one's own; in a config `conflict = { rule = "EXPRESSION" }`.
    Rule(Rule),
    /// A person decides; or, once nobody has for so long, a policy.
    Review(Option<Box<LapseSpec>>),
}

/// When a review ends by itself, and how.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LapseSpec {
    /// So long after it was asked last, in milliseconds.
    pub after_ms: i64,
    /// By this policy, which only picks or merges values.
    pub then: ConflictSpec,
}

/// A [`LinkPolicy`] by system name: `fill blanks`, `prefer X`, `latest`, `review`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum LinkSpec {
    /// Each side keeps its own until somebody edits.
    #[default]
    FillBlanks,
    /// Each side keeps its own until a person decides.
    Review,
    /// This system's value goes everywhere.
    Prefer(String),
    /// Whichever was entered last goes everywhere; every system of the field needs a history of it.
    Latest,
}

/// A text that is no policy of this version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// It has a form of its own.
    #[error("`{policy}` is not written like this")]
    Form {
        /// What was asked for.
        policy: String,
        /// How it is.
        instead: &'static str,
    },
    /// It means nothing.
    #[error("`{policy}` is no policy")]
    Unknown {
        /// What was asked for.
        policy: String,
        /// The policies there are.
        instead: &'static str,
    },
}

impl PolicyError {
    /// What to do about it.
    pub fn mend(&self) -> String {
        match self {
            Self::Unknown { instead, .. } | Self::Form { instead, .. } => format!("write {instead}"),
        }
    }
}

impl ConflictSpec {
    /// The system that the policy names.
    pub fn system(&self) -> Option<&str> {
        match self {
            Self::Prefer(system)
            | Self::PreferUnlessBlank(system)
            | Self::Owns(system)
            | Self::OneWay { from: system, .. } => Some(system),
            Self::Review(Some(lapse)) => lapse.then.system(),
            _ => None,
        }
    }

    pub(super) fn compile(&self) -> ConflictPolicy {
        match self {
            Self::Latest => ConflictPolicy::Latest,
            Self::Prefer(system) => ConflictPolicy::Prefer(SystemId::of(system)),
            Self::Owns(system) => ConflictPolicy::Owns(SystemId::of(system)),
            Self::OneWay { from, edits } => ConflictPolicy::OneWay { from: SystemId::of(from), edits: *edits },
            Self::PreferUnlessBlank(system) => ConflictPolicy::PreferUnlessBlank(SystemId::of(system)),
            Self::BlankNeverWins => ConflictPolicy::BlankNeverWins,
            Self::Max => ConflictPolicy::Max,
            Self::Min => ConflictPolicy::Min,
            Self::ForwardOnly(order) => ConflictPolicy::ForwardOnly(order.as_slice().into()),
            Self::Union => ConflictPolicy::Union,
            Self::Append => ConflictPolicy::Append,
            Self::Rule(rule) => ConflictPolicy::Rule(rule.clone()),
            Self::Review(lapse) => ConflictPolicy::Review(lapse.as_ref().map(|lapse| {
                let LapseSpec { after_ms, then } = &**lapse;
                Arc::new(Lapse { after_ms: *after_ms, then: then.compile() })
            })),
        }
    }
}

impl LinkSpec {
    /// The system that the policy names.
    pub fn system(&self) -> Option<&str> {
        match self {
            Self::FillBlanks | Self::Review | Self::Latest => None,
            Self::Prefer(system) => Some(system),
        }
    }

    pub(super) fn compile(&self) -> LinkPolicy {
        match self {
            Self::FillBlanks => LinkPolicy::FillBlanks,
            Self::Review => LinkPolicy::Review,
            Self::Latest => LinkPolicy::Latest,
            Self::Prefer(system) => LinkPolicy::Prefer(SystemId::of(system)),
        }
    }
}

/// The conflict policies that a text can name.
const POLICIES: &str = "\"latest\", \"prefer SYSTEM\", \"prefer SYSTEM unless blank\", \"SYSTEM owns\", \"blank never wins\", \"max\", \"min\", \"forward only A, B, C\", \"union\", \"append\" or \"review\"";

impl FromStr for ConflictSpec {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        let policy = || text.trim().to_owned();
        match text.split_whitespace().collect::<Vec<_>>()[..] {
            ["latest"] => Ok(Self::Latest),
            ["prefer", system] => Ok(Self::Prefer(system.to_owned())),
            ["prefer", system, "unless", "blank"] => Ok(Self::PreferUnlessBlank(system.to_owned())),
            [system, "owns"] => Ok(Self::Owns(system.to_owned())),
            ["blank", "never", "wins"] => Ok(Self::BlankNeverWins),
            ["max"] => Ok(Self::Max),
            ["min"] => Ok(Self::Min),
            ["union"] => Ok(Self::Union),
            ["append"] => Ok(Self::Append),
            ["forward", "only", ref order @ ..] if !order.is_empty() => {
                let order = order.join(" ");
                Ok(Self::ForwardOnly(order.split(',').map(|option| option.trim().to_owned()).collect()))
            }
            ["review"] => Ok(Self::Review(None)),
            ["review,", "after", after, ref then @ ..] => match (span_ms(after), then.join(" ").parse()) {
                (Some(after_ms), Ok(then)) if Self::may_lapse_to(&then) => {
                    Ok(Self::Review(Some(Box::new(LapseSpec { after_ms, then }))))
                }
                _ => Err(PolicyError::Form { policy: policy(), instead: LAPSE }),
            },
            ["review" | "review,", ..] => Err(PolicyError::Form { policy: policy(), instead: LAPSE }),
            ["rule", ..] => Err(PolicyError::Form {
                policy: policy(),
                instead: "conflict = { rule = \"EXPRESSION\" }, in a config",
            }),
            _ => Err(PolicyError::Unknown { policy: policy(), instead: POLICIES }),
        }
    }
}

/// A review that ends by itself.
const LAPSE: &str =
    "\"review\", or \"review, after 7d POLICY\" with a policy that picks or merges values, such as \"latest\"";

impl ConflictSpec {
    /// Can it end a review that nobody has decided?
    fn may_lapse_to(&self) -> bool {
        !matches!(self, Self::Owns(_) | Self::OneWay { .. } | Self::ForwardOnly(_) | Self::Rule(_) | Self::Review(_))
    }
}

/// `30m`, `12h`, `7d`: up to ten years.
fn span_ms(text: &str) -> Option<i64> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let unit_ms = UNITS.iter().find(|(name, _)| *name == unit)?.1;
    let ms = number.parse::<i64>().ok()?.checked_mul(unit_ms)?;
    (ms > 0 && ms <= 3_653 * 86_400_000).then_some(ms)
}

/// The largest first.
const UNITS: [(&str, i64); 4] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)];

impl fmt::Display for LapseSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, ms) = UNITS.iter().find(|(_, ms)| self.after_ms % ms == 0).unwrap_or(&("ms", 1));
        write!(f, "review, after {}{unit} {}", self.after_ms / ms, self.then)
    }
}

impl FromStr for LinkSpec {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        const INSTEAD: &str = "\"fill blanks\", \"prefer SYSTEM\", \"latest\" or \"review\"";
        match text.split_whitespace().collect::<Vec<_>>()[..] {
            ["fill", "blanks"] => Ok(Self::FillBlanks),
            ["prefer", system] => Ok(Self::Prefer(system.to_owned())),
            ["review"] => Ok(Self::Review),
            ["latest"] => Ok(Self::Latest),
            _ => Err(PolicyError::Unknown { policy: text.trim().to_owned(), instead: INSTEAD }),
        }
    }
}

impl fmt::Display for ConflictSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => f.write_str("latest"),
            Self::Prefer(system) => write!(f, "prefer {system}"),
            Self::Owns(system) => write!(f, "{system} owns"),
            Self::OneWay { from, .. } => write!(f, "one way from {from}"),
            Self::PreferUnlessBlank(system) => write!(f, "prefer {system} unless blank"),
            Self::BlankNeverWins => f.write_str("blank never wins"),
            Self::Max => f.write_str("max"),
            Self::Min => f.write_str("min"),
            Self::ForwardOnly(order) => write!(f, "forward only {}", order.join(", ")),
            Self::Union => f.write_str("union"),
            Self::Append => f.write_str("append"),
            Self::Rule(rule) => write!(f, "rule {}", rule.text),
            Self::Review(None) => f.write_str("review"),
            Self::Review(Some(lapse)) => lapse.fmt(f),
        }
    }
}

impl fmt::Display for LinkSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FillBlanks => f.write_str("fill blanks"),
            Self::Review => f.write_str("review"),
            Self::Latest => f.write_str("latest"),
            Self::Prefer(system) => write!(f, "prefer {system}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_reads_back_as_it_prints() {
        for policy in [
            "latest",
            "prefer salesforce",
            "hubspot owns",
            "prefer salesforce unless blank",
            "blank never wins",
            "max",
            "min",
            "union",
            "append",
            "forward only new, closed won, paid",
            "review",
            "review, after 7d prefer salesforce unless blank",
            "review, after 90m latest",
        ] {
            assert_eq!(policy.parse::<ConflictSpec>().map(|spec| spec.to_string()).as_deref(), Ok(policy));
        }
        for policy in ["fill blanks", "prefer salesforce", "latest", "review"] {
            assert_eq!(policy.parse::<LinkSpec>().map(|spec| spec.to_string()).as_deref(), Ok(policy));
        }
    }

    #[test]
    fn what_there_is_not_is_refused_by_name() {
        for (policy, said, instead) in [
            ("rule x > y", "not written like this", "conflict = { rule = "),
            ("review, after 7d salesforce owns", "not written like this", "review, after 7d POLICY"),
            ("review, after week latest", "not written like this", "review, after 7d POLICY"),
            ("review soon", "not written like this", "review, after 7d POLICY"),
        ] {
            let error = policy.parse::<ConflictSpec>().unwrap_err();
            assert!(error.to_string().contains(policy) && error.to_string().contains(said), "{error}");
            assert!(error.mend().contains(instead), "{}", error.mend());
        }
        assert!(matches!("newest".parse::<LinkSpec>(), Err(PolicyError::Unknown { .. })));
        for policy in ["", "newest", "prefer", "prefer a b", "forward only", "forward", "union all"] {
            assert!(matches!(policy.parse::<ConflictSpec>(), Err(PolicyError::Unknown { .. })), "{policy}");
        }
    }
}
