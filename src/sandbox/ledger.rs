//! The ledger of every accepted write and every call: what happened, counted where it happened.

use std::collections::BTreeMap;

/// Who made a call: the integration under test, or a person at their desk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// The integration's token.
    Integration,
    /// The user's token.
    User,
}

/// Accepted writes of one caller, counted per record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Writes {
    /// Records created.
    pub create: u64,
    /// Records updated (also when the update changed nothing).
    pub update: u64,
    /// Records deleted.
    pub delete: u64,
}

/// The books of one emulated system.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// The integration's calls by kind (`batch_read`, `search`, `query`, ...), refused ones included.
    pub by_kind: BTreeMap<&'static str, u64>,
    /// A person's calls.
    pub user_calls: u64,
    /// The integration's writes.
    pub integration: Writes,
    /// A person's writes.
    pub user: Writes,
}

impl Ledger {
    /// Counts one call of `kind`.
    pub fn call(&mut self, caller: Caller, kind: &'static str) {
        match caller {
            Caller::Integration => *self.by_kind.entry(kind).or_default() += 1,
            Caller::User => self.user_calls += 1,
        }
    }

    /// The writes of one caller, to be counted up.
    pub fn writes(&mut self, caller: Caller) -> &mut Writes {
        match caller {
            Caller::Integration => &mut self.integration,
            Caller::User => &mut self.user,
        }
    }

    /// The ledger as `GET /_sandbox/ledger` shows it.
    pub fn to_json(&self) -> serde_json::Value {
        let writes = |w: &Writes| serde_json::json!({"create": w.create, "update": w.update, "delete": w.delete});
        serde_json::json!({
            "calls": {"total": self.by_kind.values().sum::<u64>(), "by_kind": self.by_kind, "user": self.user_calls},
            "writes": {"integration": writes(&self.integration), "user": writes(&self.user)},
        })
    }
}
