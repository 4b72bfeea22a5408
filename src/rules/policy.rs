//! Policies by the names of their systems, as a config and code state them, before the systems are known.

use super::{ConflictPolicy, LinkPolicy, OneWayEdits};
use crate::model::SystemId;
use std::fmt;
use std::str::FromStr;

/// A [`ConflictPolicy`] by system name: `latest`, `prefer X`, `X owns`.
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
}

/// A [`LinkPolicy`] by system name: `fill blanks`, `prefer X`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum LinkSpec {
    /// Each side keeps its own until somebody edits.
    #[default]
    FillBlanks,
    /// This system's value goes everywhere.
    Prefer(String),
}

/// A text that is no policy of this version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// It is planned, but not there yet.
    #[error("policy `{policy}` is not available in this version")]
    NotAvailable {
        /// What was asked for.
        policy: String,
        /// What comes closest.
        instead: String,
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
            Self::NotAvailable { instead, .. } => format!("use {instead}"),
            Self::Unknown { instead, .. } => format!("write {instead}"),
        }
    }
}

impl ConflictSpec {
    /// The system that the policy names.
    pub fn system(&self) -> Option<&str> {
        match self {
            Self::Latest => None,
            Self::Prefer(system) | Self::Owns(system) | Self::OneWay { from: system, .. } => Some(system),
        }
    }

    pub(super) fn compile(&self) -> ConflictPolicy {
        match self {
            Self::Latest => ConflictPolicy::Latest,
            Self::Prefer(system) => ConflictPolicy::Prefer(SystemId::of(system)),
            Self::Owns(system) => ConflictPolicy::Owns(SystemId::of(system)),
            Self::OneWay { from, edits } => ConflictPolicy::OneWay { from: SystemId::of(from), edits: *edits },
        }
    }
}

impl LinkSpec {
    /// The system that the policy names.
    pub fn system(&self) -> Option<&str> {
        match self {
            Self::FillBlanks => None,
            Self::Prefer(system) => Some(system),
        }
    }

    pub(super) fn compile(&self) -> LinkPolicy {
        match self {
            Self::FillBlanks => LinkPolicy::FillBlanks,
            Self::Prefer(system) => LinkPolicy::Prefer(SystemId::of(system)),
        }
    }
}

impl FromStr for ConflictSpec {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        let not_yet = |instead: String| Err(PolicyError::NotAvailable { policy: text.trim().to_owned(), instead });
        match text.split_whitespace().collect::<Vec<_>>()[..] {
            ["latest"] => Ok(Self::Latest),
            ["prefer", system] => Ok(Self::Prefer(system.to_owned())),
            [system, "owns"] => Ok(Self::Owns(system.to_owned())),
            ["prefer", system, "unless", "blank"] => not_yet(format!("\"prefer {system}\"")),
            ["blank", "never", "wins"]
            | ["max" | "min" | "union" | "append" | "review"]
            | ["forward", "only", ..]
            | ["rule", ..] => not_yet("\"latest\", \"prefer <system>\" or \"<system> owns\"".to_owned()),
            _ => Err(PolicyError::Unknown {
                policy: text.trim().to_owned(),
                instead: "\"latest\", \"prefer <system>\" or \"<system> owns\"",
            }),
        }
    }
}

impl FromStr for LinkSpec {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        const INSTEAD: &str = "\"fill blanks\" or \"prefer <system>\"";
        match text.split_whitespace().collect::<Vec<_>>()[..] {
            ["fill", "blanks"] => Ok(Self::FillBlanks),
            ["prefer", system] => Ok(Self::Prefer(system.to_owned())),
            ["latest" | "review"] => {
                Err(PolicyError::NotAvailable { policy: text.trim().to_owned(), instead: INSTEAD.to_owned() })
            }
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
        }
    }
}

impl fmt::Display for LinkSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FillBlanks => f.write_str("fill blanks"),
            Self::Prefer(system) => write!(f, "prefer {system}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_reads_back_as_it_prints() {
        for policy in ["latest", "prefer salesforce", "hubspot owns"] {
            assert_eq!(policy.parse::<ConflictSpec>().map(|spec| spec.to_string()).as_deref(), Ok(policy));
        }
        for policy in ["fill blanks", "prefer salesforce"] {
            assert_eq!(policy.parse::<LinkSpec>().map(|spec| spec.to_string()).as_deref(), Ok(policy));
        }
    }

    #[test]
    fn planned_policies_are_refused_by_name() {
        for (policy, instead) in [
            ("prefer salesforce unless blank", "\"prefer salesforce\""),
            ("blank never wins", "latest"),
            ("max", "latest"),
            ("union", "latest"),
            ("forward only a, b", "latest"),
            ("rule \"x > y\"", "latest"),
            ("review", "latest"),
        ] {
            let error = policy.parse::<ConflictSpec>().unwrap_err();
            assert!(matches!(error, PolicyError::NotAvailable { .. }), "{policy}");
            assert!(error.to_string().contains(policy) && error.mend().contains(instead), "{error} {}", error.mend());
        }
        for policy in ["latest", "review"] {
            assert!(matches!(policy.parse::<LinkSpec>(), Err(PolicyError::NotAvailable { .. })), "{policy}");
        }
        for policy in ["", "newest", "prefer", "prefer a b"] {
            assert!(matches!(policy.parse::<ConflictSpec>(), Err(PolicyError::Unknown { .. })), "{policy}");
        }
    }
}
