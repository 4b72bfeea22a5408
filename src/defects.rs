//! Planted defects: each switches one rule off, so that every check can be seen to fail. Feature `defects` only.

use std::cell::Cell;

/// The rules that can be switched off: (name, what is wrong then).
pub const ALL: &[(&str, &str)] = &[
    ("seen", "an edit seen before is taken in again"),
    ("ours", "a repeat of an own write counts as an edit"),
    ("superseded", "an older word of a side overrides its newer one"),
    ("overtaken", "an edit that our write covered counts as shown"),
    ("overtakers", "edits and closings overtake, not only writes"),
    ("pairwise", "the policy sees two edits, not the set"),
    ("replaced", "an edit that somebody knowingly replaced still rivals"),
    ("winner-entry", "an edit that won against rivals counts as having seen them"),
    ("loser-forgotten", "edits that lose or change nothing are not remembered"),
    ("turn-of-now", "a write that landed shows the turn of now, not of its building"),
    ("closing", "agreement is never noted"),
    ("answer-settles", "the answer settles a write"),
    ("strays", "a write given up is forgotten at once"),
    ("equal-save", "an equal save settles at its sending"),
    ("row-mark", "that we changed a record last proves no write that shows its value"),
    ("read-first", "what is only polled is written over unread"),
    ("order-test", "a snapshot is judged although its order is in doubt"),
    ("snapshot-waits", "a snapshot behind a write in flight is dropped"),
    ("release-order", "waiting edits are released by arrival"),
    ("start-readback", "after a crash writes are sent again without a read-back"),
    ("clock-set", "that our clock was set goes unnoticed: what is due waits until it has caught up"),
    ("ahead", "what is dated ahead of its system's clock is believed"),
    ("undo-over", "an undo writes over what somebody else changed since"),
    ("undo-outranks", "an undo prevails over edits that it has not seen"),
    ("decided-over", "what lost to a decision unseen rivals those who follow the decision"),
    ("unsaid", "what a step's entries leave unsaid of its records is not journaled"),
];

thread_local! {
    static ON: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// Switches one defect on in this thread, or all off.
pub fn set(name: Option<&'static str>) {
    ON.with(|on| on.set(name));
}

/// Is it on in this thread?
pub fn on(name: &str) -> bool {
    ON.with(|on| on.get() == Some(name))
}
