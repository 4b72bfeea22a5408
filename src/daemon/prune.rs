//! Taking old entries out of a journal, which the journal tells of.

use super::DaemonError;
use super::driver::{decide_alone, expect_own};
use crate::engine::{Begin, Input};
use crate::model::Millis;
use crate::rules::Rules;
use crate::store::{Pruned, Store};

/// [`Store::prune`], as a run of its own, in a store that no driver works on; `what` names the command, and who gave it.
///
/// # Errors
/// The store was made with another mapping, or cannot be used.
pub fn prune_in(
    rules: &Rules,
    store: &Store,
    what: &str,
    before: Millis,
    progress: impl FnMut(u64) -> bool,
) -> Result<Pruned, DaemonError> {
    expect_own(rules, store)?;
    let begin = Begin { what: what.to_owned(), config: rules.fingerprint() };
    decide_alone(rules, store, Input::Begin(begin))?;
    Ok(store.prune(before, false, progress)?)
}
