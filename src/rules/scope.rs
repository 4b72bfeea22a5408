//! Which of an object's records take part.

use super::{Entity, Field};
use crate::model::{FieldId, Value};
use std::fmt;
use std::sync::Arc;

/// Decides by the values of the fields that a scope reads, in their order.
pub type Test = Arc<dyn Fn(&[&Value]) -> bool + Send + Sync>;

/// The records of an object that take part.
#[derive(Clone)]
pub struct Scope {
    /// The condition in words, by which it is known: another condition has others.
    pub text: String,
    /// The fields that it reads, or members of groups; all of them are in the object.
    pub reads: Vec<FieldId>,
    /// What becomes of a linked record that leaves it.
    pub leaves: Leaves,
    pub(super) test: Test,
}

/// What becomes of a linked record that leaves the scope. It is no edit by anyone, and a delete only where that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Leaves {
    /// Nothing is read from it or written to it until it returns; what its people changed meanwhile are edits then.
    #[default]
    Frozen,
    /// It stays in sync: the scope says only what is linked and created.
    Kept,
    /// The link ends; if it returns, it is linked as for the first time.
    Detached,
    /// The link ends, and its counterparts are deleted in their systems, under the same limits as by a delete.
    Archived,
}

/// A scope by names, for [`ObjectSpec::scope`](super::ObjectSpec).
#[derive(Clone)]
pub struct ScopeSpec {
    /// The condition in words, by which it is known.
    pub text: String,
    /// Names of the fields that it reads.
    pub reads: Vec<String>,
    /// What becomes of a linked record that leaves it.
    pub leaves: Leaves,
    test: Test,
}

impl ScopeSpec {
    /// Those records take part for which `test` holds, given the values of the fields `reads` in their order. `text` must change
    /// whenever `test` decides otherwise than before: the store is looked through again then.
    ///
    /// ```
    /// use syncline::model::Value;
    /// use syncline::rules::ScopeSpec;
    ///
    /// let customers = ScopeSpec::new("stage is customer", ["stage"], |values| *values[0] == Value::Enum("customer".into()));
    /// assert_eq!(customers.reads, ["stage"]);
    /// ```
    pub fn new(
        text: impl Into<String>,
        reads: impl IntoIterator<Item = impl Into<String>>,
        test: impl Fn(&[&Value]) -> bool + Send + Sync + 'static,
    ) -> Self {
        let reads = reads.into_iter().map(Into::into).collect();
        Self { text: text.into(), reads, leaves: Leaves::default(), test: Arc::new(test) }
    }

    /// Of those that take part only the ones for which one of these fields is true.
    #[must_use]
    pub fn among(self, fields: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let (mut reads, own): (Vec<String>, _) = (fields.into_iter().map(Into::into).collect(), self.test);
        let text = format!("{} || {{ {} }}", self.text, reads.join(", "));
        let count = reads.len();
        reads.extend(self.reads);
        let test = move |values: &[&Value]| {
            let (of, rest) = values.split_at(count.min(values.len()));
            of.iter().any(|value| **value == Value::Bool(true)) && own(rest)
        };
        Self { text, reads, leaves: self.leaves, test: Arc::new(test) }
    }

    /// What becomes of a linked record that leaves it.
    #[must_use]
    pub fn leaves(mut self, leaves: Leaves) -> Self {
        self.leaves = leaves;
        self
    }

    pub(super) fn compile(&self) -> Scope {
        let reads = self.reads.iter().map(|name| FieldId::of(name)).collect();
        Scope { text: self.text.clone(), reads, leaves: self.leaves, test: self.test.clone() }
    }
}

impl Scope {
    /// Does a record that shows these values take part? `value` gives those of the fields of an object.
    pub fn holds<'v>(&self, entity: &Entity, value: impl Fn(&Field) -> &'v Value) -> bool {
        let values: Vec<&Value> = self.reads.iter().map(|id| entity.leaf_of(*id, &value)).collect();
        self.decide(&values)
    }

    /// Does it hold for these values of the fields that it reads, in their order?
    pub fn decide(&self, values: &[&Value]) -> bool {
        (self.test)(values)
    }

    /// Does it read this field, or a member of this group?
    pub fn reads(&self, field: &Field) -> bool {
        field.leaves().iter().any(|leaf| self.reads.contains(&leaf.id))
    }
}

impl Entity {
    /// Has one of its objects a scope?
    pub fn is_scoped(&self) -> bool {
        self.bindings.iter().any(|binding| binding.scope.is_some())
    }

    fn leaf_of<'v>(&self, id: FieldId, value: impl Fn(&Field) -> &'v Value) -> &'v Value {
        let own = |field: &Field| field.leaves().iter().position(|leaf| leaf.id == id);
        let found = self.fields.iter().find_map(|field| own(field).map(|at| (field, at)));
        match found {
            Some((field, _)) if field.members.is_empty() => value(field),
            Some((group, at)) => value(group).member(at),
            None => &Value::Null,
        }
    }
}

impl PartialEq for Scope {
    fn eq(&self, other: &Self) -> bool {
        (&self.text, &self.reads, self.leaves) == (&other.text, &other.reads, other.leaves)
    }
}

impl Eq for Scope {}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("text", &self.text).field("leaves", &self.leaves).finish_non_exhaustive()
    }
}

impl PartialEq for ScopeSpec {
    fn eq(&self, other: &Self) -> bool {
        (&self.text, &self.reads, self.leaves) == (&other.text, &other.reads, other.leaves)
    }
}

impl Eq for ScopeSpec {}

impl fmt::Debug for ScopeSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopeSpec").field("text", &self.text).field("leaves", &self.leaves).finish_non_exhaustive()
    }
}
