//! The reference, in other words than the engine: what people could see decides which final values are right.

use super::world::EditSet;
use crate::model::{SourceKind, Value};
use crate::rules::ConflictPolicy;

/// One edit by a person.
#[derive(Debug, Clone)]
pub struct Edited {
    /// On which side.
    pub side: usize,
    /// Of which field.
    pub field: usize,
    /// The time that the side exposes.
    pub time: i64,
    /// The value.
    pub value: Value,
    /// The edits of the field that its author could see.
    pub saw: EditSet,
    /// Edits elsewhere whose value its author saw anyway, because it had been there before: judged either way.
    pub may: EditSet,
}

/// Who wins a tie, and how times are compared.
pub struct Order<'a> {
    /// The policy; systems are named by their number.
    pub policy: ConflictPolicy,
    /// Number of a system of the policy.
    pub side_of: &'a dyn Fn(crate::model::SystemId) -> usize,
    /// Rank of a side, 0 = highest.
    pub rank: &'a dyn Fn(usize) -> usize,
    /// The coarsest step.
    pub coarse: i64,
    /// Are the exposed times those of the edits?
    pub sources: &'a [SourceKind],
}

/// The final values that are right for a field.
pub fn admissible(edits: &[(usize, &Edited)], first: &Value, order: &Order<'_>) -> Vec<Value> {
    let unsure: Vec<usize> = (0..edits.len()).filter(|at| edits[*at].1.may & !edits[*at].1.saw != 0).collect();
    let mut right = Vec::new();
    for choice in 0u32..1 << unsure.len().min(6) {
        let mut owned: Vec<(usize, Edited)> = edits.iter().map(|(id, edit)| (*id, (*edit).clone())).collect();
        for (bit, at) in unsure.iter().enumerate().filter(|(bit, _)| choice & (1 << bit) != 0) {
            debug_assert!(bit < 6);
            owned[*at].1.saw |= owned[*at].1.may;
        }
        let view: Vec<(usize, &Edited)> = owned.iter().map(|(id, edit)| (*id, edit)).collect();
        right.extend(surely_admissible(&view, first, order));
    }
    right.sort();
    right.dedup();
    right
}

fn surely_admissible(edits: &[(usize, &Edited)], first: &Value, order: &Order<'_>) -> Vec<Value> {
    let newest_of = |side: usize| edits.iter().rev().find(|(_, edit)| edit.side == side);
    if let ConflictPolicy::Owns(owner) = &order.policy {
        let owner = (order.side_of)(*owner);
        return vec![newest_of(owner).map_or(first.clone(), |(_, edit)| edit.value.clone())];
    }
    // A ratchet: of all that was ever entered, the furthest, whoever saw what. What its own side took back may have been gone
    // before anybody read it.
    if let ConflictPolicy::ForwardOnly(stages) = &order.policy {
        let taken_back = |id: usize, edit: &Edited| edits.iter().any(|(o, other)| *o > id && other.side == edit.side);
        let place = |value: &Value| stages.iter().position(|stage| *value == Value::Enum(stage.clone()));
        let sure = edits.iter().filter(|(id, edit)| !taken_back(*id, edit)).filter_map(|(_, edit)| place(&edit.value));
        let least = sure.chain(place(first)).max();
        let further = edits.iter().filter(|(_, edit)| place(&edit.value) > least).map(|(_, edit)| edit.value.clone());
        let least = least.map_or(first.clone(), |at| Value::Enum(stages[at].clone()));
        return further.chain([least]).collect();
    }
    // Not seen by any later edit.
    let open: Vec<&(usize, &Edited)> =
        edits.iter().filter(|(id, _)| edits.iter().all(|(_, other)| other.saw & (1 << id) == 0)).collect();
    if open.is_empty() {
        return vec![first.clone()];
    }
    let numbers = || open.iter().map(|(_, edit)| &edit.value);
    let outermost = match order.policy {
        ConflictPolicy::Max => numbers().max(),
        ConflictPolicy::Min => numbers().min(),
        _ => None,
    };
    if let Some(value) = outermost.filter(|_| order.sources.len() == 2) {
        return vec![value.clone()];
    }
    if order.policy == ConflictPolicy::Union {
        return unions(edits, &open, first, order);
    }
    if let ConflictPolicy::Prefer(system) = &order.policy {
        let preferred = (order.side_of)(*system);
        if let Some((_, edit)) = open.iter().find(|(_, edit)| edit.side == preferred)
            && order.sources.len() == 2
        {
            return vec![edit.value.clone()];
        }
    }
    let exact = order.sources.iter().all(|source| *source != SourceKind::Polled);
    if exact && order.sources.len() == 2 {
        let key = |edit: &Edited| {
            let floor = edit.time.div_euclid(order.coarse);
            (floor, std::cmp::Reverse((order.rank)(edit.side)), edit.time)
        };
        let winner = open.iter().max_by_key(|(_, edit)| key(edit));
        return winner.map(|(_, edit)| edit.value.clone()).into_iter().collect();
    }
    open.iter().map(|(_, edit)| edit.value.clone()).collect()
}

/// What sets can be right: an option on which all agree is as they have it. One on which they differ has been turned by
/// somebody, so it is not what it was when they last knew the same; where several moments may be meant by that, or what was
/// there is not sure, either.
fn unions(edits: &[(usize, &Edited)], open: &[&(usize, &Edited)], first: &Value, order: &Order<'_>) -> Vec<Value> {
    let options = |value: &Value| match value {
        Value::Set(options) => options.clone(),
        _ => Vec::new(),
    };
    let common = open.iter().fold(u64::MAX, |seen, (id, edit)| seen & (edit.saw | (1 << id)));
    let known: Vec<(usize, &Edited)> = edits.iter().filter(|(id, _)| common & (1 << id) != 0).copied().collect();
    let mut moments = vec![first.clone()];
    if open.len() > 1 {
        moments.extend(surely_admissible(&known, first, order));
        // What one side alone had entered, the other learned of only with more.
        moments.extend(known.iter().map(|(_, edit)| edit.value.clone()));
        // And where all entered the same by chance, they had that in common.
        let sides = 0..order.sources.len();
        let by = |side: usize, value: &Value| edits.iter().any(|(_, edit)| edit.side == side && edit.value == *value);
        let shared =
            edits.iter().map(|(_, edit)| &edit.value).filter(|value| sides.clone().all(|side| by(side, value)));
        moments.extend(shared.cloned());
    }
    let mut all: Vec<String> = open.iter().flat_map(|(_, edit)| options(&edit.value)).collect();
    all.extend(moments.iter().flat_map(options));
    all.sort();
    all.dedup();
    let mut right: Vec<Vec<String>> = vec![Vec::new()];
    for option in all {
        let has = |value: &Value| options(value).contains(&option);
        let count = open.iter().filter(|(_, edit)| has(&edit.value)).count();
        let sure = match count {
            n if n == open.len() => Some(true),
            0 => Some(false),
            _ if order.sources.len() > 2 => None,
            _ if moments.iter().all(has) => Some(false),
            _ if !moments.iter().any(has) => Some(true),
            _ => None,
        };
        let with = right.iter().cloned().map(|mut set| {
            set.push(option.clone());
            set
        });
        right = match sure {
            Some(true) => with.collect(),
            Some(false) => right,
            None => with.collect::<Vec<_>>().into_iter().chain(right).collect(),
        };
    }
    right.into_iter().map(Value::set).collect()
}
