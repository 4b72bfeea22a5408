//! The aggregate functions: their names, and what they gather.

use std::collections::BTreeSet;

use rust_decimal::Decimal;

use super::ast::Function;
use crate::sandbox::salesforce::value::{Key, Value};

impl Function {
    /// The function called `word`.
    pub fn named(word: &str) -> Option<Self> {
        let names = [
            ("COUNT", Self::Count),
            ("COUNT_DISTINCT", Self::CountDistinct),
            ("MIN", Self::Min),
            ("MAX", Self::Max),
            ("SUM", Self::Sum),
            ("AVG", Self::Avg),
        ];
        names.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, function)| function)
    }
}

/// What one aggregate of one group has seen so far. Nulls are not seen at all.
#[derive(Debug)]
pub struct Gathered {
    function: Function,
    count: i64,
    distinct: BTreeSet<Key>,
    sum: Option<Decimal>,
    extreme: Option<(Key, Value)>,
}

impl Gathered {
    /// Nothing seen.
    pub fn new(function: Function) -> Self {
        Self { function, count: 0, distinct: BTreeSet::new(), sum: None, extreme: None }
    }

    /// Sees one more value.
    pub fn see(&mut self, value: &Value, key: Key) {
        if *value == Value::Null {
            return;
        }
        self.count += 1;
        match self.function {
            Function::Count => {}
            Function::CountDistinct => drop(self.distinct.insert(key)),
            Function::Sum | Function::Avg => {
                if let Key::Number(number) = key {
                    self.sum = Some(self.sum.unwrap_or_default().saturating_add(number));
                }
            }
            Function::Min if self.extreme.as_ref().is_some_and(|(least, _)| *least <= key) => {}
            Function::Max if self.extreme.as_ref().is_some_and(|(most, _)| *most >= key) => {}
            Function::Min | Function::Max => self.extreme = Some((key, value.clone())),
        }
    }

    /// The result.
    pub fn value(&self) -> Value {
        match self.function {
            Function::Count => Value::Int(self.count),
            Function::CountDistinct => Value::Int(self.distinct.len() as i64),
            Function::Sum => self.sum.map_or(Value::Null, Value::Number),
            Function::Avg => {
                let mean = self.sum.and_then(|sum| sum.checked_div(Decimal::from(self.count)));
                mean.map_or(Value::Null, Value::Number)
            }
            Function::Min | Function::Max => self.extreme.as_ref().map_or(Value::Null, |(_, value)| value.clone()),
        }
    }
}
