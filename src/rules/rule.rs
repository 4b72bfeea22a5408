//! Conflict rules of one's own: the core knows a function with a name; a config writes it as an expression.

use crate::model::{Millis, SystemId, Value};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// One of the edits that a rule decides about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuleEdit<'a> {
    /// In which system.
    pub system: SystemId,
    /// The value that its people entered.
    pub value: &'a Value,
    /// When, by that system's clock.
    pub time: Millis,
}

/// What a rule decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ruling {
    /// The edit of this system holds.
    Edit(SystemId),
    /// This value holds, whether an edit carries it or not. It must be of the field's type.
    Value(Value),
}

type Decide = Arc<dyn Fn(&Value, &[RuleEdit<'_>]) -> Result<Ruling, String> + Send + Sync>;

/// A rule in code, or by an expression of a config. It is asked about edits of different systems with different values, in the
/// order of `latest`: the last of them would win there, and does where the rule gives nothing of use.
#[derive(Clone)]
pub struct Rule {
    /// The rule in words, by which it is known and journaled: another rule has others.
    pub text: Arc<str>,
    decide: Decide,
}

impl Rule {
    /// A rule. It sees the value that all authors had before them, and the edits; the same arguments must give the same result.
    ///
    /// ```
    /// use syncline::model::{SystemId, Value};
    /// use syncline::rules::{Rule, Ruling};
    ///
    /// let longest = Rule::new("the longest text", |_base, edits| {
    ///     let longest = edits.iter().max_by_key(|edit| edit.value.to_string().len()).ok_or("no edit")?;
    ///     Ok(Ruling::Edit(longest.system))
    /// });
    /// assert_eq!(&*longest.text, "the longest text");
    /// ```
    pub fn new(
        text: impl Into<Arc<str>>,
        decide: impl Fn(&Value, &[RuleEdit<'_>]) -> Result<Ruling, String> + Send + Sync + 'static,
    ) -> Self {
        Self { text: text.into(), decide: Arc::new(decide) }
    }

    /// What it says about these edits.
    ///
    /// # Errors
    /// Why it says nothing, in words without values.
    pub fn decide(&self, base: &Value, edits: &[RuleEdit<'_>]) -> Result<Ruling, String> {
        (self.decide)(base, edits)
    }
}

impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Rule {}

impl Hash for Rule {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rule").field("text", &self.text).finish_non_exhaustive()
    }
}
