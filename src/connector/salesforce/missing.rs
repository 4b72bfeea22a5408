//! Columns that the org does not show us, since an administrator took them or the right to see them away: a query that names
//! one is refused as a whole, so they are left out, and asked for again after a while.

use super::wire::Refusal;
use crate::model::Millis;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// When each was found to be missing, by object and column.
#[derive(Debug, Default)]
pub(super) struct Missing(Mutex<BTreeMap<(String, String), Millis>>);

impl Missing {
    /// The columns of a query without those that are missing.
    pub fn without(&self, object: &str, columns: Vec<String>, now: Millis) -> Vec<String> {
        let mut missing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        missing.retain(|_, since| now.0 - since.0 < AGAIN_MS);
        if missing.is_empty() {
            return columns;
        }
        let is_there = |column: &String| !missing.contains_key(&(object.to_owned(), column.clone()));
        columns.into_iter().filter(is_there).collect()
    }

    /// Takes note of the column that a query was refused for. False if it was refused for something else.
    pub fn note(&self, object: &str, columns: &[String], refusal: &Refusal, now: Millis) -> bool {
        let Some(column) = refusal.missing_column() else { return false };
        let Some(column) = columns.iter().find(|known| known.eq_ignore_ascii_case(column)) else { return false };
        tracing::warn!(object, column, "the org does not show this field any more: it is left out");
        let mut missing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        missing.insert((object.to_owned(), column.clone()), now);
        true
    }
}

/// A missing column is asked for again after this long, in milliseconds.
const AGAIN_MS: i64 = 600_000;
